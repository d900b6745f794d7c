//! Which tensor of its file a parameter comes from, and the way back to it.

use serde::{Deserialize, Serialize};

use super::names::MADE;

/// What was done to the numbers of the file to make those of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Values {
    /// They are those of the file, perhaps in another shape.
    Original,
    /// The extents have changed places.
    Transposed,
    /// They were computed with others, such as those of a normalisation.
    Folded,
    /// They are those of a checkpoint that were folded in the file.
    Unfolded,
}

impl Values {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Transposed => "transposed",
            Self::Folded => "folded",
            Self::Unfolded => "unfolded",
        }
    }
}

/// Extents that change places: numbers of `shape`, whose extent `order[i]` becomes the `i`-th.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The shape before.
    pub shape: Vec<usize>,
    /// Which extent comes where.
    pub order: Vec<usize>,
}

impl Turn {
    /// For every number behind the turn: its place before.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let mut strides = vec![1; self.shape.len()];
        for at in (1..self.shape.len()).rev() {
            strides[at - 1] = strides[at] * self.shape[at];
        }
        let count = self.shape.iter().product();
        (0..count).map(move |mut index: usize| {
            let mut place = 0;
            for &from in self.order.iter().rev() {
                place += index % self.shape[from] * strides[from];
                index /= self.shape[from];
            }
            place
        })
    }

    /// Whether it is a turn of so many numbers.
    fn is_of(&self, elements: usize) -> bool {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        sorted.into_iter().eq(0..self.shape.len()) && product(&self.shape) == Some(elements)
    }
}

/// Which tensor of the file numbers came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its name there.
    pub tensor: String,
    /// What was done to it.
    pub values: Values,
    /// Its shape there, where that is not the parameter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// How its extents changed places, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
}

/// A tensor of the file, with the numbers of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored<T> {
    /// Its shape there.
    pub shape: Vec<usize>,
    /// Its numbers, the last extent running fastest.
    pub values: Vec<T>,
}

impl Origin {
    /// Numbers that are those of a tensor in its own order.
    #[must_use]
    pub const fn of(tensor: String, values: Values) -> Self {
        Self {
            tensor,
            values,
            shape: None,
            turns: Vec::new(),
        }
    }

    /// Whether the tensor has a name of the network's own: not one that an exporter made up for numbers
    /// that it arranged itself, which have then no other place than that of the parameter.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.tensor.is_empty() && !self.tensor.starts_with(MADE)
    }

    /// The same when more was done to the numbers.
    #[must_use]
    pub(crate) fn then(&self, values: Values) -> Self {
        Self {
            values: self.values.max(values),
            ..self.clone()
        }
    }

    /// The same behind a turn.
    #[must_use]
    pub(crate) fn turned(&self, turn: Turn) -> Self {
        let mut turned = self.then(Values::Transposed);
        turned.turns.push(turn);
        turned
    }

    /// Refuses what cannot be the origin of a parameter of this shape.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<(), String> {
        let elements = product(shape).unwrap_or(0);
        let of = self.shape.as_deref().map_or(Some(elements), product);
        let is_sound = of.is_some() && self.turns.iter().all(|turn| turn.is_of(elements));
        is_sound.then_some(()).ok_or_else(|| {
            format!(
                "the way back to {} does not fit to a parameter of shape {shape:?}: use a whole file",
                self.tensor
            )
        })
    }

    /// The tensor of the file that holds the numbers of a parameter of this shape. Nothing where it has
    /// another number of them, or where turns were not noted yet when the file was read.
    #[must_use]
    pub fn restored<T: Copy>(&self, values: &[T], shape: &[usize]) -> Option<Restored<T>> {
        let own = self.shape.as_deref().unwrap_or(shape);
        let is_known = self.values != Values::Transposed || !self.turns.is_empty();
        if !is_known || product(own) != Some(values.len()) {
            return None;
        }
        let mut values = values.to_vec();
        for turn in self.turns.iter().rev() {
            let mut before = values.clone();
            for (place, &value) in turn.places().zip(&values) {
                before[place] = value;
            }
            values = before;
        }
        Some(Restored {
            shape: own.to_vec(),
            values,
        })
    }

    /// The numbers of the parameter, from those of the tensor in its file.
    #[must_use]
    pub fn placed<T: Copy>(&self, tensor: &[T]) -> Vec<T> {
        self.turns.iter().fold(tensor.to_vec(), |values, turn| {
            turn.places().map(|place| values[place]).collect()
        })
    }
}

fn product(shape: &[usize]) -> Option<usize> {
    let mut extents = shape.iter();
    extents.try_fold(1_usize, |product, &extent| product.checked_mul(extent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_to_their_tensor_through_every_turn() {
        let mut origin = Origin::of("kernel".to_owned(), Values::Original).turned(Turn {
            shape: vec![2, 3, 4, 5],
            order: vec![3, 2, 0, 1],
        });
        origin.shape = Some(vec![6, 20]);
        origin = origin.turned(Turn {
            shape: vec![5, 24],
            order: vec![1, 0],
        });
        origin.check(&[24, 5]).unwrap();
        let tensor: Vec<usize> = (0..120).collect();
        let placed = origin.placed(&tensor);
        assert_eq!(placed[..6], [0, 1, 2, 3, 4, 20]);
        assert_ne!(placed, tensor);
        let restored = origin.restored(&placed, &[24, 5]).unwrap();
        assert_eq!((restored.shape, restored.values), (vec![6, 20], tensor));
    }

    #[test]
    fn a_way_back_that_does_not_fit_is_refused() {
        let turn = |shape: &[usize], order: &[usize]| {
            Origin::of("kernel".to_owned(), Values::Original).turned(Turn {
                shape: shape.to_vec(),
                order: order.to_vec(),
            })
        };
        assert!(turn(&[2, 3], &[1, 0]).check(&[3, 2]).is_ok());
        assert!(turn(&[2, 3], &[1, 1]).check(&[3, 2]).is_err());
        assert!(turn(&[2, 3], &[0]).check(&[3, 2]).is_err());
        assert!(turn(&[2, 4], &[1, 0]).check(&[3, 2]).is_err());
        assert!(turn(&[usize::MAX, 3], &[1, 0]).check(&[3, 2]).is_err());
        // As older programs kept it: what was turned is known, how is not.
        let older = Origin::of("kernel".to_owned(), Values::Transposed);
        assert_eq!(older.restored(&[1, 2], &[2, 1]), None);
    }
}
