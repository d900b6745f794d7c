//! Calls as Python prints and writes them: `Resize(size=256, max_size=None)`. Nothing is run.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use super::read::Reason;

/// Calls within calls, at most.
const DEEPEST: usize = 16;

/// A call: its name without the modules before it, and what it is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The last part of its name.
    pub name: String,
    /// What is given, in order.
    pub given: Vec<Given>,
}

/// Something that a call is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// By which name; nothing where its place tells.
    pub key: Option<String>,
    /// What.
    pub what: What,
}

/// What can be given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// A number, a word, a truth value, nothing, or a list of them.
    Value(Value),
    /// A call, or a list that holds one.
    Calls(Vec<Call>),
}

impl Call {
    /// The value under a key, or at a place among those without one; nothing where it is `None`.
    pub fn value(&self, key: &str, place: usize) -> Option<&Value> {
        let named = self.given.iter().find(|g| g.key.as_deref() == Some(key));
        let mut placed = self.given.iter().filter(|given| given.key.is_none());
        match &named.or_else(|| placed.nth(place))?.what {
            What::Value(Value::Null) | What::Calls(_) => None,
            What::Value(value) => Some(value),
        }
    }

    /// The calls that it is given.
    pub fn calls(&self) -> impl Iterator<Item = &Self> {
        let calls = self.given.iter().filter_map(|given| match &given.what {
            What::Calls(calls) => Some(calls),
            What::Value(_) => None,
        });
        calls.flatten()
    }
}

/// Reads the only call of a text.
pub(super) fn read(text: &str) -> Reason<Call> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        depth: 0,
    };
    let read = reader.what()?;
    reader.blanks();
    match (read, reader.rest.next()) {
        (What::Calls(mut calls), None) if calls.len() == 1 => Ok(calls.remove(0)),
        (_, Some(more)) => Err(format!("{more:?} follows behind its end; take it out")),
        _ => Err("expected a call such as Compose(...)".into()),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    /// Blanks and commas: print leaves the commas out.
    fn blanks(&mut self) {
        while self
            .rest
            .next_if(|c| c.is_whitespace() || *c == ',')
            .is_some()
        {}
    }

    fn what(&mut self) -> Reason<What> {
        self.blanks();
        match self.rest.peek().copied() {
            None => Err("it ends too early; print it again".into()),
            Some(open @ ('[' | '(')) => {
                self.rest.next();
                self.list(if open == '[' { ']' } else { ')' })
            }
            Some(quote @ ('"' | '\'')) => {
                self.rest.next();
                let mut text = String::new();
                while let Some(c) = self.rest.next_if(|c| *c != quote) {
                    text.push(c);
                }
                self.rest.next();
                Ok(What::Value(Value::from(text)))
            }
            Some(_) => self.word(),
        }
    }

    /// A number, a word or a call.
    fn word(&mut self) -> Reason<What> {
        let mut word = String::new();
        let is_part = |c: &char| c.is_alphanumeric() || "._+-".contains(*c);
        while let Some(c) = self.rest.next_if(is_part) {
            word.push(c);
        }
        if word.is_empty() {
            let found = self.rest.next().unwrap_or(' ');
            return Err(format!("{found:?} where a name or a number is expected"));
        }
        if self.rest.peek() == Some(&'(') {
            self.rest.next();
            let name = word.rsplit('.').next().unwrap_or(&word).to_owned();
            let given = self.given()?;
            return Ok(What::Calls(vec![Call { name, given }]));
        }
        let number = word.parse::<i64>().map(Value::from).ok();
        let number = number.or_else(|| {
            let is_number = word.contains(|c: char| c.is_ascii_digit());
            let number = word.parse::<f64>().ok().filter(|_| is_number)?;
            number.is_finite().then(|| Value::from(number))
        });
        Ok(What::Value(match &*word {
            "None" => Value::Null,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            _ => number.unwrap_or_else(|| Value::from(word)),
        }))
    }

    fn deeper(&mut self) -> Reason<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} brackets within each other"));
        }
        Ok(())
    }

    /// The values, or the calls, up to a closing bracket.
    fn list(&mut self, close: char) -> Reason<What> {
        self.deeper()?;
        let (mut values, mut calls) = (Vec::new(), Vec::new());
        loop {
            self.blanks();
            if self.rest.next_if_eq(&close).is_some() {
                break;
            }
            match self.what()? {
                What::Value(value) => values.push(value),
                What::Calls(more) => calls.extend(more),
            }
        }
        self.depth -= 1;
        match (values.is_empty(), calls.is_empty()) {
            (_, true) => Ok(What::Value(Value::Array(values))),
            (true, false) => Ok(What::Calls(calls)),
            (false, false) => Err("a list of both numbers and calls".into()),
        }
    }

    /// What a call is given, up to its closing bracket.
    fn given(&mut self) -> Reason<Vec<Given>> {
        self.deeper()?;
        let mut given = Vec::new();
        loop {
            self.blanks();
            if self.rest.next_if_eq(&')').is_some() {
                break;
            }
            let what = self.what()?;
            self.spaces();
            let key = match &what {
                What::Value(Value::String(key)) if self.rest.next_if_eq(&'=').is_some() => {
                    Some(key.clone())
                }
                // `(0): Resize(...)` of a sequence.
                What::Value(Value::Array(_)) if self.rest.next_if_eq(&':').is_some() => continue,
                _ => None,
            };
            let what = if key.is_some() { self.what()? } else { what };
            given.push(Given { key, what });
        }
        self.depth -= 1;
        Ok(given)
    }

    fn spaces(&mut self) {
        while self.rest.next_if(|c| *c == ' ').is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_they_are_printed_and_as_they_are_written() {
        let printed = read("Compose(\n    Resize(size=[256], a=None)\n    B()\n)").unwrap();
        let written = read("T.Compose([T.Resize(size=(256,), a=None), v2.B()])").unwrap();
        let module = read("Sequential(\n  (0): Resize(size=[256], a=None)\n  (1): B()\n)").unwrap();
        for call in [printed, written, module] {
            let names: Vec<&str> = call.calls().map(|call| &*call.name).collect();
            assert_eq!(names, ["Resize", "B"]);
            let resize = call.calls().next().unwrap();
            assert_eq!(resize.value("size", 0), Some(&serde_json::json!([256])));
            assert_eq!(resize.value("a", 1), None);
        }
    }

    #[test]
    fn what_is_cut_off_or_no_call_is_refused() {
        for text in [
            "",
            "A(",
            "A(b=",
            "A(b='c",
            "A)",
            "A() B()",
            "3",
            "A([1, B()])",
            "A(#)",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"(".repeat(10_000)).is_err());
        assert!(read(&"A(".repeat(10_000)).is_err());
    }
}
