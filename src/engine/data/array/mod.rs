//! Arrays of NumPy: `.npy` files and the entries of `.npz` files, of which large ones stay on disk.
//!
//! ```text
//! \x93NUMPY, version, length of the header, {'descr': '<f4', 'fortran_order': False, 'shape': (5, 3)}, elements
//! ```
//! The format is `numpy.lib.format` of NumPy 2, versions 1 to 3. Arrays of Python objects are
//! pickles, which are programs, and are refused.

mod header;
mod npz;
mod store;

use std::fs::{self, File};
use std::path::Path;

use half::f16;

pub use header::{Element, Kind};
pub use npz::Npz;

use header::Header;
use store::Store;

use crate::engine::counts::counted;
use crate::engine::{Error, Result};

/// Elements of one kind in some dimensions, in C order.
#[derive(Debug)]
pub struct Array {
    /// How it is called in messages: its file, and its name in an `.npz`.
    place: String,
    element: Element,
    shape: Vec<usize>,
    store: Store,
}

impl Array {
    /// Opens an `.npy` file; its elements are read when they are asked for.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, or is shorter or longer than its header says.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::file("read", path, source);
        let found = fs::metadata(path).map_err(failed)?;
        if !found.is_file() {
            return Err(Error::format(path, "expected a file of one array (.npy)"));
        }
        let mut file = File::open(path).map_err(failed)?;
        let begin = header::begin(&mut file).map_err(failed)?;
        let refused = |reason| Error::format(path, reason);
        let (header, length) = Header::parse(&begin).map_err(refused)?;
        let bytes = header.bytes().map_err(refused)?;
        let there = found.len().saturating_sub(length as u64);
        if there != bytes {
            return Err(refused(format!(
                "the header announces {} of elements, but the file holds {there}; save it again",
                counted(bytes as usize, "byte")
            )));
        }
        let store = Store::on_disk(file, length as u64);
        Self::new(path.display().to_string(), header, store)
    }

    /// Of a header and what follows it.
    fn new(place: String, header: Header, store: Store) -> Result<Self> {
        let Header {
            element,
            shape,
            fortran,
        } = header;
        let mut array = Self {
            place,
            element,
            shape,
            store,
        };
        if fortran && array.shape.iter().filter(|&&extent| extent > 1).count() > 1 {
            array.turn()?;
        }
        Ok(array)
    }

    /// How it is called in messages.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Extents of the dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What its elements are.
    #[must_use]
    pub const fn element(&self) -> Element {
        self.element
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The bytes of `count` elements from `first` on.
    ///
    /// # Errors
    /// When they are outside, or the file cannot be read.
    pub fn bytes(&self, first: usize, count: usize) -> Result<Vec<u8>> {
        let end = first.checked_add(count);
        if end.is_none_or(|end| end > self.elements()) {
            let place = &self.place;
            return Err(Error::invalid(format!(
                "{place}: elements {first} and {count} more were asked for, but there are {}",
                self.elements()
            )));
        }
        let size = self.element.size;
        let read = self.store.read((first * size) as u64, count * size);
        read.map_err(|source| Error::file("read", Path::new(&self.place), source))
    }

    /// `count` numbers from `first` on, as the network's.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and when one of them is not finite.
    pub fn numbers(&self, first: usize, count: usize) -> Result<Vec<f32>> {
        let bytes = self.bytes(first, count)?;
        let number = |bytes: &[u8]| self.element.number(bytes) as f32;
        let numbers: Vec<f32> = bytes.chunks_exact(self.element.size).map(number).collect();
        match numbers.iter().position(|number| !number.is_finite()) {
            None => Ok(numbers),
            Some(at) => Err(Error::invalid(format!(
                "{}: element {} is {}; expected finite numbers: correct the array",
                self.place,
                first + at,
                numbers[at]
            ))),
        }
    }

    /// All elements as whole numbers from 0 to 2^32 - 1.
    ///
    /// # Errors
    /// When they are no whole numbers, or one is outside.
    pub fn whole_numbers(&self) -> Result<Vec<u32>> {
        let place = &self.place;
        if !matches!(self.element.kind, Kind::Signed | Kind::Unsigned) {
            return Err(Error::invalid(format!(
                "{place}: {} elements, expected whole numbers (labels as int64)",
                self.element
            )));
        }
        let bytes = self.bytes(0, self.elements())?;
        let whole = |(at, bytes): (usize, &[u8])| {
            let number = self.element.whole(bytes);
            u32::try_from(number).map_err(|_| {
                Error::invalid(format!(
                    "{place}: element {at} is {number}, expected 0 to {}: correct the array",
                    u32::MAX
                ))
            })
        };
        let elements = bytes.chunks_exact(self.element.size).enumerate();
        elements.map(whole).collect()
    }

    /// From Fortran's order, where the first index runs fastest, to C's.
    fn turn(&mut self) -> Result<()> {
        let (size, elements) = (self.element.size, self.elements());
        if elements.saturating_mul(size) as u64 > store::IN_MEMORY {
            return Err(Error::invalid(format!(
                "{}: {} elements in Fortran's order are too many to turn round; save \
                 numpy.ascontiguousarray of it",
                self.place, elements
            )));
        }
        let bytes = self.bytes(0, elements)?;
        let mut strides = Vec::with_capacity(self.shape.len());
        let mut stride = 1;
        for &extent in &self.shape {
            strides.push(stride);
            stride *= extent;
        }
        let mut turned = Vec::with_capacity(bytes.len());
        let (mut index, mut at) = (vec![0; self.shape.len()], 0);
        for _ in 0..elements {
            turned.extend_from_slice(&bytes[at * size..][..size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
        self.store = Store::Memory(turned);
        Ok(())
    }
}

impl Element {
    /// One element as a number.
    fn number(self, bytes: &[u8]) -> f64 {
        match (self.kind, self.size) {
            (Kind::Float, 2) => f64::from(f16::from_bits(self.whole(bytes) as u16)),
            (Kind::Float, 4) => f64::from(f32::from_bits(self.whole(bytes) as u32)),
            (Kind::Float, _) => f64::from_bits(self.whole(bytes) as u64),
            (Kind::Signed | Kind::Unsigned, _) => self.whole(bytes) as f64,
        }
    }

    /// The bits of one element as a whole number, with its sign where it has one.
    fn whole(self, bytes: &[u8]) -> i128 {
        let mut bits = [0; 16];
        for (place, &byte) in bytes.iter().enumerate() {
            let place = if self.big_endian {
                bytes.len() - 1 - place
            } else {
                place
            };
            bits[place] = byte;
        }
        let value = i128::from_le_bytes(bits);
        let width = 8 * bytes.len() as u32;
        if self.kind == Kind::Signed {
            value << (128 - width) >> (128 - width)
        } else {
            value
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An `.npy` file as NumPy writes it.
    pub fn npy(descr: &str, (fortran, shape): (&str, &str), elements: &[u8]) -> Vec<u8> {
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        [
            b"\x93NUMPY\x01\x00",
            &length[..],
            header.as_bytes(),
            elements,
        ]
        .concat()
    }

    fn open(bytes: &[u8]) -> Result<Array> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        fs::write(&path, bytes).unwrap();
        Array::open(&path)
    }

    fn numbers(descr: &str, elements: &[u8]) -> Vec<f32> {
        let size: usize = descr[2..].parse().unwrap();
        let shape = format!("({},)", elements.len() / size);
        let array = open(&npy(descr, ("False", &shape), elements)).unwrap();
        array.numbers(0, array.elements()).unwrap()
    }

    #[test]
    fn every_kind_of_element_is_read_in_both_orders_of_bytes() {
        assert_eq!(numbers("<f4", &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(numbers(">f4", &1.5_f32.to_be_bytes()), [1.5]);
        assert_eq!(numbers("<f8", &(-2.25_f64).to_le_bytes()), [-2.25]);
        assert_eq!(numbers("<f2", &f16::from_f32(0.5).to_le_bytes()), [0.5]);
        assert_eq!(numbers("|u1", &[0, 255]), [0.0, 255.0]);
        assert_eq!(numbers("<i2", &(-3_i16).to_le_bytes()), [-3.0]);
        assert_eq!(numbers(">i8", &7_i64.to_be_bytes()), [7.0]);
    }

    #[test]
    fn fortran_order_becomes_c_order() {
        // numpy.asfortranarray([[0, 1, 2], [3, 4, 5]])
        let bytes = npy("|u1", ("True", "(2, 3)"), &[0, 3, 1, 4, 2, 5]);
        assert_eq!(
            open(&bytes).unwrap().bytes(0, 6).unwrap(),
            [0, 1, 2, 3, 4, 5]
        );
        // numpy.asfortranarray(numpy.arange(8).reshape(2, 2, 2))
        let bytes = npy("|u1", ("True", "(2, 2, 2)"), &[0, 4, 2, 6, 1, 5, 3, 7]);
        let turned = open(&bytes).unwrap().bytes(0, 8).unwrap();
        assert_eq!(turned, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn versions_two_and_three_have_longer_headers() {
        let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}\n";
        for version in [2, 3] {
            let begin = [b"\x93NUMPY", &[version, 0][..]].concat();
            let length = (header.len() as u32).to_le_bytes();
            let bytes = [&begin, &length[..], header, &[8, 9]].concat();
            assert_eq!(open(&bytes).unwrap().bytes(1, 1).unwrap(), [9], "{version}");
        }
    }

    #[test]
    fn labels_are_whole_numbers_from_zero_on() {
        let array = |descr, bytes: &[u8]| open(&npy(descr, ("False", "(1,)"), bytes)).unwrap();
        let read = array("<i8", &70_000_i64.to_le_bytes()).whole_numbers();
        assert_eq!(read.unwrap(), [70_000]);
        let refused =
            |descr, bytes: &[u8]| array(descr, bytes).whole_numbers().unwrap_err().to_string();
        assert!(refused("<i4", &(-1_i32).to_le_bytes()).contains("element 0 is -1"));
        assert!(refused("<u8", &u64::MAX.to_le_bytes()).contains("expected 0 to 4294967295"));
        assert!(refused("<f4", &[0; 4]).contains("float32 elements, expected whole"));
    }

    #[test]
    fn numbers_that_are_not_finite_are_located() {
        let elements = [1.0_f32, f32::NAN].map(f32::to_le_bytes).concat();
        let array = open(&npy("<f4", ("False", "(2,)"), &elements)).unwrap();
        let refused = array.numbers(0, 2).unwrap_err().to_string();
        assert!(refused.contains("element 1 is NaN"), "{refused}");
        assert!(array.numbers(1, 2).is_err());
    }

    #[test]
    fn other_files_are_refused_with_what_is_wrong() {
        let sound = npy("|u1", ("False", "(3,)"), &[1, 2, 3]);
        let cases = [
            (
                sound[..sound.len() - 1].to_vec(),
                "announces 3 bytes of elements, but the file holds 2",
            ),
            (sound[..20].to_vec(), "cut off"),
            (b"PK\x03\x04".to_vec(), "no array of NumPy"),
            (npy("|O", ("False", "(1,)"), &[0; 8]), "Python objects"),
            (npy("<c8", ("False", "(1,)"), &[0; 8]), "<c8"),
            (
                npy("|u1", ("False", "(99999999999, 99999999999)"), &[]),
                "too large",
            ),
            (npy("|u1", ("Maybe", "(3,)"), &[1, 2, 3]), "fortran_order"),
            (npy("|u1", ("False", "(3"), &[1, 2, 3]), "header"),
        ];
        for (bytes, expected) in cases {
            let refused = open(&bytes).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
