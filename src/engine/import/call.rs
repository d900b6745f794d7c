//! A node with the values that it reads: how operations get at their operands and settings, in either
//! container.

use std::cell::Cell;
use std::collections::HashMap;

use super::origin::Origin;
use super::source::{Attribute, Node, Read, Size};
use super::tensor::{Tensor, elements};
use super::view::Wire;
use crate::engine::counts::counted;

/// Numbers that are known before anything is computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    /// The numbers.
    pub tensor: Tensor,
    /// Where they came from; nothing for those that no tensor of the file is.
    pub origin: Option<Origin>,
}

impl Constant {
    /// Numbers that are no tensor of the file.
    pub(crate) const fn made(tensor: Tensor) -> Self {
        Self {
            tensor,
            origin: None,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Numbers.
    Constant(Constant),
    /// What is computed from the image.
    Wire(Wire),
    /// What an operation that is not supported would have written.
    Unknown,
}

/// Elements that evaluation may still make, so that a small file cannot take all memory.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// So many of them.
    pub(crate) const fn new(elements: usize) -> Self {
        Self(Cell::new(elements))
    }

    /// Takes the elements of a shape.
    pub(crate) fn take(&self, shape: &[usize]) -> Read<()> {
        let left = elements(shape).and_then(|count| self.0.get().checked_sub(count));
        match left {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(
                "its constants are larger than the file accounts for; simplify the file \
                         and export it again"
                    .into(),
            ),
        }
    }
}

/// A node and the values that are known so far.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The node.
    pub node: &'a Node,
    /// Values by name.
    pub values: &'a HashMap<String, Value>,
    /// Elements that may be made.
    pub budget: &'a Budget,
}

impl<'a> Call<'a> {
    /// The value at a place among what it reads; nothing when it is left out.
    pub(crate) fn value(&self, place: usize) -> Option<&'a Value> {
        let name = self
            .node
            .inputs
            .get(place)
            .filter(|name| !name.is_empty())?;
        self.values.get(name)
    }

    /// The value that an argument names.
    pub(crate) fn argument(&self, name: &str) -> Option<&'a Value> {
        match self.node.attributes.get(name)? {
            Attribute::Value(value) => self.values.get(value),
            _ => None,
        }
    }

    /// The numbers at a place among what it reads; nothing when it is left out.
    pub(crate) fn optional(&self, place: usize) -> Read<Option<&'a Constant>> {
        match self.value(place) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(format!(
                "{} is computed from the image: expected constants",
                self.node.inputs[place]
            )),
        }
    }

    /// The numbers at a place that must be there.
    pub(crate) fn constant(&self, place: usize) -> Read<&'a Constant> {
        self.optional(place)?
            .ok_or_else(|| format!("its input {} is missing", place + 1))
    }

    /// The tensor at a place that must be there.
    pub(crate) fn tensor(&self, place: usize) -> Read<&'a Tensor> {
        self.constant(place).map(|constant| &constant.tensor)
    }

    /// The numbers that an argument names; nothing when it is left out.
    pub(crate) fn named(&self, name: &str) -> Read<Option<&'a Constant>> {
        match (self.node.attributes.get(name), self.argument(name)) {
            (None | Some(Attribute::Nothing), _) => Ok(None),
            (_, Some(Value::Constant(constant))) => Ok(Some(constant)),
            _ => Err(format!(
                "its {name} is computed from the image: expected constants"
            )),
        }
    }

    /// A whole number; the default when it is left out.
    pub(crate) fn integer(&self, name: &str, default: i64) -> Read<i64> {
        match self.node.attributes.get(name) {
            None | Some(Attribute::Nothing) => Ok(default),
            Some(Attribute::Integer(number)) => Ok(*number),
            Some(Attribute::Integers(numbers)) if numbers.len() == 1 => Ok(numbers[0]),
            Some(Attribute::Value(value)) => self.known(value),
            Some(_) => Err(format!(
                "its {name} is not what it should be: expected a whole number"
            )),
        }
    }

    /// Whether something is so.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Read<bool> {
        Ok(self.integer(name, default.into())? != 0)
    }

    /// A number; the default when it is left out.
    pub(crate) fn float(&self, name: &str, default: f64) -> Read<f64> {
        match self.node.attributes.get(name) {
            None | Some(Attribute::Nothing) => Ok(default),
            Some(Attribute::Integer(number)) => Ok(*number as f64),
            Some(Attribute::Float(number)) => Ok(*number),
            Some(_) => Err(format!(
                "its {name} is not what it should be: expected a number"
            )),
        }
    }

    /// A text; empty when it is left out.
    pub(crate) fn text(&self, name: &str) -> &'a str {
        match self.node.attributes.get(name) {
            Some(Attribute::Text(text)) => text,
            _ => "",
        }
    }

    /// Whole numbers; nothing when they are left out.
    pub(crate) fn integers(&self, name: &str) -> Read<Option<Vec<i64>>> {
        match self.node.attributes.get(name) {
            None | Some(Attribute::Nothing) => Ok(None),
            Some(Attribute::Integer(number)) => Ok(Some(vec![*number])),
            Some(Attribute::Integers(numbers)) => Ok(Some(numbers.clone())),
            Some(Attribute::Value(value)) => self.known(value).map(|number| Some(vec![number])),
            Some(Attribute::Sizes(sizes)) => {
                let number = |size: &Size| match size {
                    Size::Known(number) => Ok(*number),
                    Size::Named(name) => self.known(name),
                };
                sizes.iter().map(number).collect::<Read<Vec<_>>>().map(Some)
            }
            Some(_) => Err(format!(
                "its {name} is not what it should be: expected whole numbers"
            )),
        }
    }

    /// Whole numbers that are a setting in some versions of an operator and an input in others.
    pub(crate) fn setting(&self, name: &str, place: usize) -> Read<Option<Vec<i64>>> {
        match self.integers(name)? {
            Some(numbers) => Ok(Some(numbers)),
            None => Ok(self
                .optional(place)?
                .map(|c| c.tensor.to_integers().to_vec())),
        }
    }

    /// One of a few numbers for rows and columns, one number standing for both.
    pub(crate) fn pair(&self, name: &str, default: i64) -> Read<[usize; 2]> {
        let numbers = self.integers(name)?.filter(|numbers| !numbers.is_empty());
        let numbers = numbers.unwrap_or_else(|| vec![default]);
        pair(&numbers).ok_or_else(|| {
            format!("its {name} is {numbers:?}: expected two whole numbers, for rows and columns")
        })
    }

    fn known(&self, value: &str) -> Read<i64> {
        match self.values.get(value) {
            Some(Value::Constant(constant)) if constant.tensor.len() == 1 => {
                Ok(constant.tensor.to_integers()[0])
            }
            _ => Err(format!("{value} is not known before the network runs")),
        }
    }
}

/// Rows and columns; one number stands for both.
fn pair(numbers: &[i64]) -> Option<[usize; 2]> {
    let whole = |number: i64| usize::try_from(number).ok();
    match *numbers {
        [both] => Some([whole(both)?; 2]),
        [rows, columns] => Some([whole(rows)?, whole(columns)?]),
        _ => None,
    }
}

/// A place among `rank` extents, which may be counted from the end.
pub(crate) fn place(axis: i64, rank: usize) -> Read<usize> {
    let from_start = if axis < 0 {
        axis.checked_add(rank as i64)
    } else {
        Some(axis)
    };
    let place = from_start.and_then(|axis| usize::try_from(axis).ok());
    place
        .filter(|place| *place < rank)
        .ok_or_else(|| format!("there is no extent {axis} in {}", counted(rank, "extent")))
}

/// Several such places.
pub(crate) fn places(axes: &[i64], rank: usize) -> Read<Vec<usize>> {
    axes.iter().map(|&axis| place(axis, rank)).collect()
}
