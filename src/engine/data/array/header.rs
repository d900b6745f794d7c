//! The header of an array: a dictionary in Python's words.

use std::fmt;
use std::io::{self, Read};

/// How every array begins.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read; NumPy itself reads 10,000 bytes.
pub(super) const LONGEST: usize = 1 << 16;

type Reason<T> = Result<T, String>;

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number with a sign.
    Signed,
    /// A whole number without a sign.
    Unsigned,
    /// A floating point number of IEEE 754.
    Float,
}

/// An element: its kind, its bytes, and their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: usize,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl fmt::Display for Element {
    /// As NumPy calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Signed => "int",
            Kind::Unsigned => "uint",
            Kind::Float => "float",
        };
        write!(f, "{kind}{}", 8 * self.size)
    }
}

impl Element {
    /// Whether it is a byte, and so may be a pixel's.
    #[must_use]
    pub fn is_byte(self) -> bool {
        self.kind == Kind::Unsigned && self.size == 1
    }

    /// From NumPy's letters, such as `<f4`.
    fn parse(descr: &str) -> Reason<Self> {
        let refused = || {
            format!(
                "elements of the kind {descr}, expected uint8, whole numbers, or float16, float32 \
                 or float64; convert it with astype"
            )
        };
        if descr
            .trim_start_matches(['|', '<', '>', '='])
            .starts_with('O')
        {
            return Err(
                "it holds Python objects (a pickle), which are not read; save numbers: \
                 numpy.stack or astype first"
                    .into(),
            );
        }
        let (order, rest) = descr.split_at_checked(1).ok_or_else(refused)?;
        let big_endian = match order {
            "<" | "|" | "=" => false,
            ">" => true,
            _ => return Err(refused()),
        };
        let (kind, size) = match rest {
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            _ => return Err(refused()),
        };
        Ok(Self {
            kind,
            size,
            big_endian,
        })
    }
}

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub element: Element,
    pub shape: Vec<usize>,
    pub fortran: bool,
}

/// The first bytes of a file, in which the header lies.
pub(super) fn begin(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    file.take(LONGEST as u64).read_to_end(&mut begin)?;
    Ok(begin)
}

impl Header {
    /// Reads the header at the begin of `bytes`, and where the elements follow it.
    pub(super) fn parse(bytes: &[u8]) -> Reason<(Self, usize)> {
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| "no array of NumPy (.npy); save it with numpy.save".to_owned())?;
        let cut_off = || "the header of the array is cut off; save it again".to_owned();
        let version = *rest.first().ok_or_else(cut_off)?;
        let (length, begin) = match version {
            1 => {
                let length = rest.get(2..4).ok_or_else(cut_off)?;
                (usize::from(u16::from_le_bytes([length[0], length[1]])), 4)
            }
            2 | 3 => {
                let length = rest.get(2..6).ok_or_else(cut_off)?;
                let length: [u8; 4] = length.try_into().map_err(|_| cut_off())?;
                (u32::from_le_bytes(length) as usize, 6)
            }
            other => return Err(format!("version {other} of .npy, expected 1, 2 or 3")),
        };
        let end = begin + length;
        if end > LONGEST - MAGIC.len() {
            return Err(format!(
                "a header of {length} bytes, too large for an array"
            ));
        }
        let text = rest.get(begin..end).ok_or_else(cut_off)?;
        let text = str::from_utf8(text).map_err(|_| "a header that is no text".to_owned())?;
        Ok((Self::of(text)?, MAGIC.len() + end))
    }

    fn of(text: &str) -> Reason<Self> {
        let value = |key: &str| {
            let place = text.find(&format!("'{key}'"));
            let behind = place.and_then(|place| text[place + key.len() + 2..].split_once(':'));
            let (_, value) = behind.ok_or_else(|| format!("a header without {key}, expected one as numpy.save writes it; save the array again"))?;
            Ok::<&str, String>(value.trim_start())
        };
        let descr = value("descr")?;
        let quoted = descr
            .strip_prefix('\'')
            .and_then(|rest| rest.split_once('\''));
        let Some((descr, _)) = quoted else {
            return Err(
                "elements of several fields, expected plain numbers; save one field".into(),
            );
        };
        let fortran = value("fortran_order")?;
        let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err("a header whose fortran_order is neither True nor False".into()),
        };
        Ok(Self {
            element: Element::parse(descr)?,
            shape: extents(value("shape")?)?,
            fortran,
        })
    }

    /// Bytes of all elements.
    pub(super) fn bytes(&self) -> Reason<u64> {
        let sizes = self
            .shape
            .iter()
            .try_fold(self.element.size, |product, &extent| {
                product.checked_mul(extent)
            });
        let bytes = sizes.filter(|&bytes| isize::try_from(bytes).is_ok());
        bytes.map(|bytes| bytes as u64).ok_or_else(|| {
            format!(
                "the header announces {:?} elements, too large for an array; save it again",
                self.shape
            )
        })
    }
}

/// `(1000, 1, 49, 10)`, `(5,)` or `()`.
fn extents(text: &str) -> Reason<Vec<usize>> {
    let refused = || "a header whose shape is no list of whole numbers".to_owned();
    let inside = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (inside, _) = inside.ok_or_else(refused)?;
    let extents = inside
        .split(',')
        .map(|extent| extent.trim().trim_end_matches('L'));
    let extents = extents.filter(|extent| !extent.is_empty());
    extents
        .map(|extent| extent.parse().map_err(|_| refused()))
        .collect()
}
