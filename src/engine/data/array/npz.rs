//! `.npz` files: a zip of arrays, packed or not. What a zip claims is checked before memory is
//! taken; large arrays stay on disk, packed ones in a file without a name.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use super::Array;
use super::header::{self, Header};
use super::store::{IN_MEMORY, Store};
use crate::engine::{Error, Result};

/// How much smaller packing makes anything at best.
const PACKING: u64 = 1032;

/// An `.npz` file.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    zip: ZipArchive<File>,
    /// Names of the arrays, without `.npy`.
    names: Vec<String>,
}

impl Npz {
    /// Opens a file and reads the names in it.
    ///
    /// # Errors
    /// When it cannot be read or is no zip.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::file("read", path, source);
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(Error::format(path, "expected a file of arrays (.npz)"));
        }
        let file = File::open(path).map_err(failed)?;
        let zip = ZipArchive::new(file).map_err(|_| {
            Error::format(
                path,
                "no zip file, or a damaged one, expected arrays as numpy.savez writes them; save \
                 it again",
            )
        })?;
        let names = zip.file_names().filter_map(std::result::Result::ok);
        let names = names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned));
        Ok(Self {
            path: path.to_owned(),
            names: names.collect(),
            zip,
        })
    }

    /// Names of the arrays.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The array of this name.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn array(&mut self, name: &str) -> Result<Array> {
        let place = format!("{}, {name}", self.path.display());
        let refused = |reason: String| Error::invalid(format!("{place}: {reason}"));
        let damaged = || refused("cannot be unpacked; save the file again".to_owned());
        let length = self.path.metadata().map_or(0, |found| found.len());
        let entry = self.zip.by_name(&format!("{name}.npy"));
        let mut entry = entry.map_err(|_| damaged())?;
        let (size, packed) = (entry.size(), entry.compressed_size());
        let believable = match entry.compression() {
            CompressionMethod::Stored => size == packed,
            _ => size <= packed.saturating_mul(PACKING).saturating_add(PACKING),
        };
        if packed > length || !believable {
            return Err(refused(format!(
                "claims {size} bytes, more than the file can hold; save the file again"
            )));
        }
        let begin = header::begin(&mut entry).map_err(|_| damaged())?;
        let (header, header_length) = Header::parse(&begin).map_err(refused)?;
        let there = size.saturating_sub(header_length as u64);
        if header.bytes().map_err(refused)? != there {
            return Err(refused(format!(
                "the header announces other than the {there} bytes of elements that are there; \
                 save the file again"
            )));
        }
        let on_disk = size > IN_MEMORY;
        let store = if on_disk && entry.compression() == CompressionMethod::Stored {
            let from = entry.data_start().ok_or_else(damaged)?;
            let file = File::open(&self.path);
            let file = file.map_err(|source| Error::file("read", &self.path, source))?;
            Store::on_disk(file, from + header_length as u64)
        } else {
            let rest = size.saturating_sub(begin.len() as u64);
            let content = Cursor::new(&begin[header_length..]).chain((&mut entry).take(rest));
            let unpacked = if on_disk {
                unpack_to_disk(content)
            } else {
                unpack(content)
            };
            let (store, count) = unpacked.map_err(|_| damaged())?;
            // What is left is read too: the checksum is compared at the end.
            let more = io::copy(&mut entry, &mut io::sink());
            if more.map_err(|_| damaged())? != 0 || count != there {
                return Err(damaged());
            }
            store
        };
        drop(entry);
        Array::new(place, header, store)
    }
}

fn unpack(mut content: impl Read) -> io::Result<(Store, u64)> {
    let mut unpacked = Vec::new();
    let count = content.read_to_end(&mut unpacked)? as u64;
    Ok((Store::Memory(unpacked), count))
}

fn unpack_to_disk(mut content: impl Read) -> io::Result<(Store, u64)> {
    let mut file = tempfile::tempfile()?;
    let count = io::copy(&mut content, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok((Store::on_disk(file, 0), count))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::super::tests::npy;
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn zipped(method: CompressionMethod, entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn packed_and_stored_arrays_are_read() {
        let array = npy("|u1", ("False", "(2, 2)"), &[1, 2, 3, 4]);
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let entries = [("x.npy", array.clone()), ("notes.txt", b"hi".to_vec())];
            let (_folder, path) = written(&zipped(method, &entries));
            let mut npz = Npz::open(&path).unwrap();
            assert_eq!(npz.names(), ["x"]);
            let read = npz.array("x").unwrap();
            assert_eq!(
                (read.shape(), read.bytes(1, 3).unwrap()),
                (&[2, 2][..], vec![2, 3, 4])
            );
            assert!(read.place().ends_with("a.npz, x"));
            assert!(npz.array("y").is_err());
        }
    }

    #[test]
    fn large_arrays_are_unpacked_to_disk_as_they_are_to_memory() {
        let content: Vec<u8> = (0..100).collect();
        let (disk, count) = unpack_to_disk(&content[..]).unwrap();
        let (memory, _) = unpack(&content[..]).unwrap();
        assert_eq!(count, 100);
        assert_eq!(disk.read(10, 50).unwrap(), memory.read(10, 50).unwrap());
        assert!(disk.read(90, 11).is_err() && memory.read(90, 11).is_err());
    }

    #[test]
    fn damaged_zips_and_wrong_lengths_are_refused() {
        let (_folder, path) = written(b"\x93NUMPY no zip");
        let refused = Npz::open(&path).unwrap_err().to_string();
        assert!(refused.contains("numpy.savez"), "{refused}");
        let long = npy("|u1", ("False", "(2,)"), &[1, 2, 3]);
        let (_folder, path) = written(&zipped(CompressionMethod::Deflated, &[("x.npy", long)]));
        let refused = Npz::open(&path)
            .unwrap()
            .array("x")
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("announces other than the 3 bytes"),
            "{refused}"
        );
        let sound = npy("|u1", ("False", "(64,)"), &[7; 64]);
        let mut bytes = zipped(CompressionMethod::Stored, &[("x.npy", sound)]);
        let at = bytes.iter().rposition(|&byte| byte == 7).unwrap();
        bytes[at] = 8;
        let (_folder, path) = written(&bytes);
        let refused = Npz::open(&path)
            .unwrap()
            .array("x")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("cannot be unpacked"), "{refused}");
    }
}
