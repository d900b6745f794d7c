//! How choices of a preprocessing are written: sizes, resizes, channels.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::data::picture::Size;
use crate::engine::words::words;
use crate::engine::{Error, Result};

/// Which channels a network reads, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One, the luminance.
    Gray,
}

words! { Channels as "channels": Rgb "rgb", Bgr "bgr", Gray "gray" }

/// How pictures are resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resize {
    /// The shorter side to so many pixels, the longer one in proportion.
    Shorter(usize),
    /// To the size, whatever the proportion.
    Exact,
    /// Not at all.
    None,
}

impl FromStr for Resize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let shorter = |side: &str| side.trim().parse().ok();
        let read = match text.trim() {
            "exact" => Some(Self::Exact),
            "none" => Some(Self::None),
            other => other
                .strip_prefix("shorter=")
                .and_then(shorter)
                .map(Self::Shorter),
        };
        read.ok_or_else(|| {
            Error::invalid(format!(
                "resize {text:?}: expected shorter=N (pixels), exact or none"
            ))
        })
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shorter(side) => write!(f, "shorter={side}"),
            Self::Exact => f.write_str("exact"),
            Self::None => f.write_str("none"),
        }
    }
}

impl Serialize for Resize {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Size {
    type Err = Error;

    /// `224`, or `ROWSxCOLUMNS` as in `224x192`.
    fn from_str(text: &str) -> Result<Self> {
        let (height, width) = text.split_once(['x', ',']).unwrap_or((text, text));
        let extent = |text: &str| text.trim().parse().ok();
        match (extent(height), extent(width)) {
            (Some(height), Some(width)) => Ok(Self { height, width }),
            _ => Err(Error::invalid(format!(
                "{text:?}: expected pixels, as in 224, or rows and columns, as in 224x192"
            ))),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        [self.height, self.width].serialize(serializer)
    }
}

/// Reads a number, two numbers, or their text.
struct SizeVisitor;

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of pixels, or rows and columns as in [224, 192]")
    }

    fn visit_u64<E: de::Error>(self, side: u64) -> std::result::Result<Size, E> {
        let side = usize::try_from(side).map_err(E::custom)?;
        Ok(Size {
            height: side,
            width: side,
        })
    }

    fn visit_i64<E: de::Error>(self, side: i64) -> std::result::Result<Size, E> {
        let side = u64::try_from(side);
        self.visit_u64(side.map_err(|_| E::custom("a negative number of pixels"))?)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Size, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Size, A::Error> {
        let short = |place: usize| de::Error::invalid_length(place, &"one or two numbers");
        let height = list.next_element()?.ok_or_else(|| short(0))?;
        let width = list.next_element()?.unwrap_or(height);
        match list.next_element::<usize>()? {
            None => Ok(Size { height, width }),
            Some(_) => Err(short(3)),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_resizes_read_back_from_their_text() {
        for text in ["224x192", "1x1"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("7".parse::<Size>().unwrap().to_string(), "7x7");
        for text in ["shorter=256", "exact", "none"] {
            assert_eq!(text.parse::<Resize>().unwrap().to_string(), text);
        }
        let refused = |text: &str| text.parse::<Resize>().unwrap_err().to_string();
        for text in ["shorter", "shorter=", "shorter=-1", "longest=3", ""] {
            assert!(refused(text).contains("expected shorter=N"), "{text}");
        }
        assert!("axb".parse::<Size>().is_err());
    }

    #[test]
    fn a_size_is_read_from_a_number_a_list_or_a_text() {
        let read = |text: &str| serde_json::from_str::<Size>(text);
        for text in ["224", "[224]", "[224, 224]", "\"224\"", "\"224x224\""] {
            assert_eq!(read(text).unwrap().to_string(), "224x224", "{text}");
        }
        for text in ["-1", "[]", "[1, 2, 3]", "null", "1.5"] {
            assert!(read(text).is_err(), "{text}");
        }
        let size = read("[3, 4]").unwrap();
        assert_eq!(serde_json::to_string(&size).unwrap(), "[3,4]");
    }
}
