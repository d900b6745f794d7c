//! The class of an image.

use std::fmt;

/// The class of an image, by its place among the outputs of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub u32);

impl From<Label> for usize {
    fn from(label: Label) -> Self {
        label.0 as Self
    }
}

impl From<u8> for Label {
    fn from(class: u8) -> Self {
        Self(u32::from(class))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
