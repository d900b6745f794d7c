//! The one list of operations that are understood. What is not in it is not supported.

use super::super::call::Call;
use super::super::source::{Container, Node, Read};
use super::super::tensor::Tensor;
use super::{Parsed, Translator, onnx, pt2};

/// Computes constants from constants.
pub(super) type Evaluate = fn(&Call) -> Read<Vec<Tensor>>;
/// Translates a node that reads what the image gives.
pub(super) type Parse = for<'g> fn(&mut Translator<'g>, &'g Node) -> Parsed;

/// An operation that is understood.
pub(super) struct Entry {
    /// Its name in files.
    pub name: &'static str,
    /// What becomes of it.
    pub meaning: &'static str,
    /// How it is computed from constants.
    pub evaluate: Option<Evaluate>,
    /// How it is translated.
    pub parse: Option<Parse>,
    /// Why it cannot be used on images, when it cannot; its form is that of what it reads.
    pub refused: Option<&'static str>,
}

impl Entry {
    /// On images alone.
    pub(super) const fn parsed(name: &'static str, meaning: &'static str, parse: Parse) -> Self {
        Self {
            name,
            meaning,
            evaluate: None,
            parse: Some(parse),
            refused: None,
        }
    }

    /// On constants alone.
    pub(super) const fn evaluated(name: &'static str, evaluate: Evaluate) -> Self {
        Self {
            name,
            meaning: CONSTANTS,
            evaluate: Some(evaluate),
            parse: None,
            refused: None,
        }
    }

    /// Known, but of no use on images.
    pub(super) const fn refused(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            meaning: REFUSED,
            evaluate: None,
            parse: None,
            refused: Some(reason),
        }
    }

    /// The same, and computed from constants.
    pub(super) const fn refused_but(name: &'static str, evaluate: Evaluate) -> Self {
        Self {
            evaluate: Some(evaluate),
            ..Self::refused(name, CURVED)
        }
    }

    /// On both.
    pub(super) const fn both(
        name: &'static str,
        meaning: &'static str,
        evaluate: Evaluate,
        parse: Parse,
    ) -> Self {
        Self {
            name,
            meaning,
            evaluate: Some(evaluate),
            parse: Some(parse),
            refused: None,
        }
    }
}

/// What becomes of operations on constants.
const CONSTANTS: &str = "of constants";
/// Why operations that are not linear in pieces cannot be used.
pub(super) const CURVED: &str = "it is curved: expected piecewise linear operations";
/// Why others cannot.
pub(super) const NOT_KNOWN: &str = "it is not known";
/// What becomes of operations that are understood but cannot be used.
const REFUSED: &str = "not supported";

/// Operations that leave numbers as they are.
pub(super) const KEEPING: [&str; 23] = [
    "qonnx.custom_op.general.Quant",
    "onnx.brevitas.Quant",
    "Constant",
    "Identity",
    "Cast",
    "CastLike",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "DequantizeLinear",
    "Expand",
    "Dropout",
    "aten.view.default",
    "aten.reshape.default",
    "aten.flatten.using_ints",
    "aten.unsqueeze.default",
    "aten.squeeze.dim",
    "aten.clone.default",
    "aten.alias.default",
    "aten.detach.default",
    "aten.lift_fresh_copy.default",
    "aten.contiguous.default",
];
/// Operations that bring extents into another order.
pub(super) const TURNING: [&str; 4] = [
    "Transpose",
    "aten.t.default",
    "aten.transpose.int",
    "aten.permute.default",
];

/// The operations of a kind of file.
pub(super) fn entries(container: Container) -> &'static [Entry] {
    match container {
        Container::Onnx => onnx::ENTRIES,
        Container::Pt2 => pt2::ENTRIES,
    }
}

/// An operation that is supported, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    /// The kind of file.
    pub container: Container,
    /// Its name there.
    pub operation: &'static str,
    /// What becomes of it.
    pub meaning: &'static str,
}

/// Every operation that is supported: the parser's own list.
#[must_use]
pub fn supported() -> Vec<Supported> {
    let of = |container| {
        let entries = entries(container)
            .iter()
            .filter(|entry| entry.meaning != REFUSED);
        entries.map(move |entry| Supported {
            container,
            operation: entry.name,
            meaning: entry.meaning,
        })
    };
    of(Container::Onnx).chain(of(Container::Pt2)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_is_listed_once() {
        for container in [Container::Onnx, Container::Pt2] {
            let mut names = HashSet::new();
            for entry in entries(container) {
                assert!(names.insert(entry.name), "{} is there twice", entry.name);
                assert!(
                    entry.evaluate.is_some() || entry.parse.is_some() || entry.refused.is_some()
                );
            }
        }
    }

    #[test]
    fn what_keeps_or_turns_numbers_is_understood() {
        let known: HashSet<&str> = [Container::Onnx, Container::Pt2]
            .into_iter()
            .flat_map(entries)
            .map(|entry| entry.name)
            .collect();
        for name in KEEPING.iter().chain(&TURNING) {
            assert!(known.contains(name), "{name}");
        }
    }
}
