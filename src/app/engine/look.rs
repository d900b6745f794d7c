//! What comes of inputs as they were typed, for the window that opens a network.

use std::path::{Path, PathBuf};

use super::load::{self, Loaded};
use crate::app::jobs::form::{Answer, Answers, Field, OpenRequest, Opening};
use crate::engine::autodiff::Program;
use crate::engine::data::preprocessing::{self, doubt, told};
use crate::engine::data::{DataSpec, Dataset, Order, Part, Selection, image_shape, sample};
use crate::engine::evaluation::evaluate;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::import::{self, Normalization};
use crate::engine::job::{Observer, Silent};
use crate::engine::model::{ModelSource, Wanted};
use crate::engine::{Error, Result};
use crate::folders::at_home;
use crate::numbers::{count, counted};
use crate::project::{self, InputFile};

/// Test images that the float network is tried on.
const TRIED: usize = 256;
/// Times the accuracy of guessing below which a network is doubted.
const GUESSING: f64 = 2.0;

/// Everything that can be said of a request.
pub(super) fn look(request: &OpenRequest, observer: &mut dyn Observer) -> Answers {
    let mut answers = Answers {
        request: request.clone(),
        ..Answers::default()
    };
    let inputs = match completed(request) {
        Ok(inputs) => inputs,
        Err(error) => {
            answers.of.insert(Field::Preprocessing, bad(&error));
            return answers;
        }
    };
    if inputs.data.is_empty() {
        answers.of.insert(Field::Network, network(&inputs, None));
        return answers;
    }
    match load::load(&inputs, observer) {
        Ok(loaded) => tell(&loaded, inputs, &mut answers),
        Err(error) => blame(&inputs, &error, &mut answers),
    }
    answers
}

fn bad(error: &Error) -> Answer {
    Answer::Bad(error.to_string())
}

/// The inputs as they are opened: home folders found, kinds of data guessed, paths from the root, and
/// what a file says of preprocessing.
fn completed(request: &OpenRequest) -> Result<InputFile> {
    let OpenRequest {
        inputs, preprocess, ..
    } = request.clone();
    let placed = |path: PathBuf| at_home(&path.to_string_lossy());
    let said = match preprocess {
        Some(path) => preprocessing::read(&placed(path))?,
        None => preprocessing::Preprocessing::default(),
    };
    let input = inputs.input.or(said);
    input.check()?;
    let completed = InputFile {
        model: at_home(&inputs.model).display().to_string(),
        weights: inputs.weights.map(placed),
        data: data_at_home(&inputs.data),
        classes: inputs.classes.map(placed),
        labels: inputs.labels.map(placed),
        input,
        ..inputs
    };
    Ok(completed.absolute())
}

/// Data with its kind, which is guessed where only a path is named.
fn data_at_home(text: &str) -> String {
    if let Ok(spec) = text.parse::<DataSpec>() {
        return spec
            .with_paths(|path| at_home(&path.to_string_lossy()))
            .to_string();
    }
    let path = at_home(text);
    match kind_of(&path) {
        Some(kind) if !text.is_empty() => format!("{kind}:{}", path.display()),
        _ => text.to_owned(),
    }
}

/// The kind of data that lies at a path.
fn kind_of(path: &Path) -> Option<&'static str> {
    if path.extension().is_some_and(|ending| ending == "npz") && path.is_file() {
        return Some("npz");
    }
    let entries = std::fs::read_dir(path).ok()?;
    let names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .take(1 << 12)
        .collect();
    let any = |fits: &dyn Fn(&str) -> bool| names.iter().any(|name| fits(name));
    if any(&|name| name.starts_with("data_batch_")) {
        Some("cifar10")
    } else if any(&|name| name.contains("-idx3-ubyte") || name.contains(".idx3-ubyte")) {
        Some("idx")
    } else {
        Some("folder")
    }
}

/// What was loaded, line by line.
fn tell(loaded: &Loaded, inputs: InputFile, answers: &mut Answers) {
    let Loaded {
        model,
        train,
        test,
        normalization,
        ..
    } = loaded;
    answers
        .of
        .insert(Field::Network, network(&inputs, Some(loaded)));
    if inputs.weights.is_some() {
        let text = model.notes.join("; ");
        let text = if text.is_empty() {
            "every name and shape fits".to_owned()
        } else {
            text
        };
        answers.of.insert(Field::Weights, Answer::Good(text));
    }
    let images = format!(
        "{} {} in {} classes",
        counted(test.len(), "image"),
        image_shape(test),
        model.graph.classes()
    );
    let parts = if test.origin.whole {
        "in one part, for training and for testing".to_owned()
    } else {
        format!("for testing, {} for training", count(train.len() as u64))
    };
    answers.of.insert(
        Field::Data,
        Answer::Good(format!("{}: {images}, {parts}", inputs.data)),
    );
    let done = told(test, normalization);
    let done = match doubt(test, normalization) {
        Ok(None) => Answer::Good(done),
        Ok(Some(why)) => Answer::Doubtful(format!("{done}: {why}")),
        Err(error) => bad(&error),
    };
    answers.of.insert(Field::Preprocessing, done);
    answers.score = Some(match tried(loaded) {
        Ok(score) => score,
        Err(error) => bad(&error),
    });
    let name = named(&inputs, &answers.request);
    let whose = whose(&name, &inputs, &answers.request.folder);
    let refused = answers
        .of
        .values()
        .any(|answer| matches!(answer, Answer::Bad(_)));
    let opens = !refused && !matches!(whose, Answer::Bad(_));
    answers.of.insert(Field::Project, whose);
    answers.found = opens.then_some(Opening {
        inputs,
        project: name,
    });
}

fn named(inputs: &InputFile, request: &OpenRequest) -> String {
    if request.project.is_empty() {
        inputs.project_name(&request.folder)
    } else {
        request.project.clone()
    }
}

/// Whether a project is new, or whose it is.
fn whose(name: &str, inputs: &InputFile, folder: &Path) -> Answer {
    if !project::is_name(name) {
        return Answer::Bad(format!("{name}: expected letters, digits, -, _ and ."));
    }
    let place = project::folder(folder, name);
    if !project::holds_project(&place) {
        return Answer::Good(format!("{name}, a new project"));
    }
    match InputFile::read(&place.join("inputs.toml")) {
        Ok(kept) if kept.is_of_other_files(inputs) => Answer::Bad(format!(
            "{name} is a project of another network or other data; give this one another name"
        )),
        _ => Answer::Good(format!("goes on with the project {name}")),
    }
}

/// What the network is; nothing but its file is looked at when it could not be loaded.
fn network(inputs: &InputFile, loaded: Option<&Loaded>) -> Answer {
    let source = match inputs.model.parse::<ModelSource>() {
        Ok(source) => source,
        Err(reason) => return Answer::Bad(reason.to_string()),
    };
    if let Some(loaded) = loaded {
        let graph = &loaded.model.graph;
        let imported = loaded.model.imported.as_ref();
        return described(
            (graph.layers().len(), graph.trainable_count()),
            imported.map(|imported| (imported.normalization, &*imported.exporter)),
        );
    }
    match source {
        ModelSource::Preset(architecture) => Answer::Good(format!("the preset {architecture}")),
        ModelSource::File(path) => imported(&path).unwrap_or_else(|error| bad(&error)),
    }
}

/// What a file of a network holds, whatever its images are.
fn imported(path: &Path) -> Result<Answer> {
    let network = import::read(path, import::Options::default())?;
    let lowered = network.lower()?;
    let sizes = (
        lowered.graph.layers().len(),
        lowered.graph.trainable_count(),
    );
    Ok(described(
        sizes,
        Some((network.normalization, &network.exporter)),
    ))
}

fn described(
    (layers, parameters): (usize, usize),
    imported: Option<(Normalization, &str)>,
) -> Answer {
    let sizes = format!(
        "{}, {} parameters",
        counted(layers, "layer"),
        count(parameters as u64)
    );
    let Some((normalization, exporter)) = imported else {
        return Answer::Good(sizes);
    };
    let text = format!(
        "{sizes}, by {exporter}; batch normalisation {}",
        normalization.told()
    );
    match normalization {
        Normalization::Folded | Normalization::Mixed => Answer::Doubtful(format!(
            "{text}; the checkpoint as weights takes it out again"
        )),
        Normalization::Kept | Normalization::None => Answer::Good(text),
    }
}

/// What the float network makes of some test images.
fn tried(loaded: &Loaded) -> Result<Answer> {
    let Loaded {
        model,
        test,
        normalization,
        backend,
        seed,
        ..
    } = loaded;
    let some = TRIED.min(test.len());
    let images = Selection::new(
        test,
        normalization,
        sample(Order::Random, some, *seed, test.len())?,
    )?;
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&model.graph, backend, &model.parameters, walk)?;
    let Some(score) = evaluate(&program, &images, &mut Silent)? else {
        return Err(Error::invalid("the test was stopped"));
    };
    let told = format!(
        "{:.1} % right: {} of {} test images",
        100.0 * score.accuracy(),
        score.correct,
        count(score.total as u64)
    );
    let guessed = GUESSING / model.graph.classes().max(1) as f64;
    if score.accuracy() >= guessed.min(0.5) {
        return Ok(Answer::Good(told));
    }
    Ok(Answer::Doubtful(format!(
        "{told}, about as many as by guessing: are preprocessing and the order of classes those that it \
         was trained with?"
    )))
}

/// Which line an error is about.
fn blame(inputs: &InputFile, error: &Error, answers: &mut Answers) {
    let mut line = Field::Data;
    let network = network(inputs, None);
    let network_is_bad = matches!(network, Answer::Bad(_));
    answers.of.insert(Field::Network, network);
    match images(inputs) {
        Ok(test) => {
            let size = image_shape(&test);
            let told = format!(
                "{} {size} in {} classes",
                counted(test.len(), "image"),
                test.classes
            );
            answers.of.insert(Field::Data, Answer::Good(told));
            let preprocessing = numbers(inputs, &test).err();
            if preprocessing.is_some_and(|own| own.to_string() == error.to_string()) {
                line = Field::Preprocessing;
            } else if inputs.weights.is_some() {
                line = Field::Weights;
            }
        }
        Err(error) => {
            answers.of.insert(Field::Data, bad(&error));
            return;
        }
    }
    if !network_is_bad {
        answers.of.insert(line, bad(error));
    }
}

/// The test images alone, as they come without a network.
fn images(inputs: &InputFile) -> Result<Dataset> {
    let spec: DataSpec = inputs.data.parse()?;
    spec.read(Part::Test, &inputs.reading())
}

/// How they would become numbers.
fn numbers(inputs: &InputFile, test: &Dataset) -> Result<crate::engine::data::Normalization> {
    let wanted = Wanted {
        model: inputs.model.parse()?,
        weights: None,
        data: inputs.data.parse()?,
        reading: inputs.reading(),
    };
    wanted.normalization(test)
}
