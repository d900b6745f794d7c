//! The window that opens a network: its lines as they are typed, how the one in work may go on, and what
//! is said of them.

mod words;

use tui_input::Input;

use crate::app::jobs::form::{Answer, Answers, Choices, Field, OpenRequest};
use crate::project::InputFile;

/// The lines of the window.
#[derive(Debug, Clone)]
pub struct Form {
    lines: [Input; Field::ALL.len()],
    /// What is open now.
    opened: Box<InputFile>,
    /// The line in work.
    pub field: Field,
    /// How it may go on.
    pub choices: Option<Choices>,
    /// The chosen one, by position.
    pub chosen: Option<usize>,
    /// What was said last, and the lines that it was said of.
    answers: Option<(Box<Answers>, Vec<String>)>,
    /// The line that cannot be understood, and why.
    pub problem: Option<(Field, String)>,
    /// Opens as soon as everything was found to be right.
    pub opens: bool,
}

impl Form {
    /// With what is open now.
    #[must_use]
    pub fn new(inputs: &InputFile) -> Self {
        let [(_, weights), (_, preprocessing)] = of_network(inputs);
        let texts = [
            inputs.model.clone(),
            weights,
            inputs.data.clone(),
            preprocessing,
            String::new(),
        ];
        Self {
            lines: texts.map(Input::from),
            opened: Box::new(inputs.clone()),
            field: Field::Network,
            choices: None,
            chosen: None,
            answers: None,
            problem: None,
            opens: false,
        }
    }

    /// A line.
    #[must_use]
    pub fn line(&self, field: Field) -> &Input {
        &self.lines[field as usize]
    }

    /// The line in work.
    pub fn current(&mut self) -> &mut Input {
        &mut self.lines[self.field as usize]
    }

    /// What belongs to the network that is open now goes when another one is typed, and comes back with
    /// it; what was typed by hand stays.
    pub fn follow_network(&mut self) {
        let same = dropped(self.line(Field::Network).value()) == self.opened.model;
        let of_data = InputFile {
            classes: self.opened.classes.clone(),
            labels: self.opened.labels.clone(),
            ..InputFile::default()
        };
        let (own, other) = (of_network(&self.opened), of_network(&of_data));
        for ((field, own), (_, other)) in own.into_iter().zip(other) {
            let (before, now) = if same { (other, own) } else { (own, other) };
            let line = &mut self.lines[field as usize];
            if line.value() == before {
                *line = now.into();
            }
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.line(self.field).value()
    }

    /// Goes to the line `steps` further down, from the last one to the first.
    pub fn turn(&mut self, steps: usize) {
        self.go(Field::ALL[(self.field as usize + steps) % Field::ALL.len()]);
    }

    /// Goes to a line.
    pub fn go(&mut self, field: Field) {
        self.field = field;
        (self.choices, self.chosen) = (None, None);
    }

    /// What is asked for; nothing without a network. A line that cannot be understood is a problem.
    pub fn request(&mut self) -> Option<OpenRequest> {
        let text = |field| self.line(field).value().trim().to_owned();
        let weights = dropped(&text(Field::Weights));
        let inputs = InputFile {
            model: dropped(&text(Field::Network)),
            weights: (!weights.is_empty()).then(|| weights.into()),
            data: text(Field::Data),
            ..InputFile::default()
        };
        let request = OpenRequest {
            inputs,
            project: text(Field::Project),
            ..OpenRequest::default()
        };
        match words::read(request, &text(Field::Preprocessing)) {
            Ok(request) => {
                self.problem = None;
                (!request.inputs.model.is_empty()).then_some(request)
            }
            Err(reason) => {
                self.problem = Some((Field::Preprocessing, reason));
                None
            }
        }
    }

    fn texts(&self) -> Vec<String> {
        self.lines
            .iter()
            .map(|line| line.value().to_owned())
            .collect()
    }

    /// Takes in what is said of the lines as they are.
    pub fn hear(&mut self, answers: Answers) {
        self.answers = Some((Box::new(answers), self.texts()));
    }

    /// What was said last.
    #[must_use]
    pub fn answers(&self) -> Option<&Answers> {
        self.answers.as_ref().map(|(answers, _)| &**answers)
    }

    /// What is said of a line; nothing where it, or a line that it was judged by, has changed since.
    #[must_use]
    pub fn answer(&self, field: Field) -> Option<Answer> {
        if let Some((_, reason)) = self.problem.as_ref().filter(|(at, _)| *at == field) {
            return Some(Answer::Bad(reason.clone()));
        }
        let (answers, texts) = self.answers.as_ref()?;
        let is_same = |field: &Field| texts[*field as usize] == self.line(*field).value();
        let told = answers.of.get(&field);
        told.filter(|_| judged_by(field).iter().all(is_same))
            .cloned()
    }

    /// What the float network makes of some images; nothing when a line has changed since.
    #[must_use]
    pub fn score(&self) -> Option<Answer> {
        let (answers, texts) = self.answers.as_ref()?;
        answers.score.clone().filter(|_| *texts == self.texts())
    }

    /// The first line that is wrong.
    #[must_use]
    pub fn wrong(&self) -> Option<Field> {
        let bad = |field: &Field| matches!(self.answer(*field), Some(Answer::Bad(_)));
        Field::ALL.into_iter().find(bad)
    }
}

/// The lines that what is said of a line depends on.
const fn judged_by(field: Field) -> &'static [Field] {
    match field {
        Field::Network => &[Field::Network],
        Field::Weights => &[Field::Network, Field::Weights],
        Field::Data => &[Field::Data],
        Field::Preprocessing => &[Field::Network, Field::Data, Field::Preprocessing],
        Field::Project => &[Field::Network, Field::Data, Field::Project],
    }
}

/// The lines that belong to a network.
fn of_network(inputs: &InputFile) -> [(Field, String); 2] {
    let weights = inputs
        .weights
        .as_ref()
        .map(|path| path.display().to_string());
    [
        (Field::Weights, weights.unwrap_or_default()),
        (Field::Preprocessing, words::of(inputs)),
    ]
}

/// A text as a terminal pastes it when a file is dropped: without quotes, escapes and `file://`.
#[must_use]
pub fn dropped(text: &str) -> String {
    let text = text.trim();
    let quoted = |quote: char| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then(|| inner.to_owned())
    };
    if let Some(inner) = quoted('\'').or_else(|| quoted('"')) {
        return dropped(&inner);
    }
    match text.strip_prefix("file://") {
        Some(path) => decoded(path),
        None => text.replace("\\ ", " "),
    }
}

/// Without the codes that stand for bytes in an address.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_dropped_is_its_path() {
        for (pasted, path) in [
            (" /a/b.pt2 \n", "/a/b.pt2"),
            ("'/a/my net.pt2'", "/a/my net.pt2"),
            ("\"/a/b.onnx\"", "/a/b.onnx"),
            ("/a/my\\ net.pt2", "/a/my net.pt2"),
            ("file:///a/my%20net.pt2", "/a/my net.pt2"),
            ("file:///a/100%", "/a/100%"),
        ] {
            assert_eq!(dropped(pasted), path, "{pasted:?}");
        }
    }

    #[test]
    fn what_is_open_now_is_asked_for_again() {
        let inputs = InputFile {
            model: "/a/net.pt2".into(),
            weights: Some("/a/w.pth".into()),
            weights_key: Some("ema".into()),
            data: "folder:/a/my pictures".into(),
            labels: Some("/a/my labels.csv".into()),
            input: toml::from_str("size = 224\nresize = \"shorter=256\"\nmean = [0.5]").unwrap(),
            ..InputFile::default()
        };
        let request = Form::new(&inputs).request().unwrap();
        assert_eq!(request.inputs, inputs);
    }

    #[test]
    fn what_belongs_to_a_network_goes_with_it() {
        let inputs = InputFile {
            model: "/a/net.pt2".into(),
            weights: Some("/a/w.pth".into()),
            labels: Some("/a/labels.csv".into()),
            input: toml::from_str("size = 224\nmean = [0.5]").unwrap(),
            ..InputFile::default()
        };
        let mut form = Form::new(&inputs);
        let lines = |form: &mut Form, network: &str| {
            form.lines[Field::Network as usize] = network.into();
            form.follow_network();
            [Field::Weights, Field::Preprocessing].map(|field| form.line(field).value().to_owned())
        };
        let of_data = ["", "labels=/a/labels.csv"];
        assert_eq!(lines(&mut form, "/a/other.pt2"), of_data);
        assert_eq!(lines(&mut form, "/a/net.pt2")[0], "/a/w.pth");
        assert_eq!(form.request().unwrap().inputs, inputs);
        form.lines[Field::Preprocessing as usize] = "mean=0 std=1".into();
        assert_eq!(lines(&mut form, "/a/other.pt2"), ["", "mean=0 std=1"]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_a_problem_of_that_line() {
        let mut form = Form::new(&InputFile {
            model: "net.pt2".into(),
            ..InputFile::default()
        });
        form.go(Field::Preprocessing);
        *form.current() = "maen=0".into();
        assert_eq!(form.request(), None);
        assert_eq!(form.wrong(), Some(Field::Preprocessing));
        *form.current() = "mean=0".into();
        assert!(form.request().is_some() && form.wrong().is_none());
    }
}
