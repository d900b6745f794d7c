//! Zip files as `PyTorch` writes them. Entries are checked against the file's size before they are
//! unpacked, and all of them together may not exceed it: nothing in such files is compressed.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;

use super::complaint::of_unpacking;

type Parsed<T> = std::result::Result<T, String>;

/// A zip file and the bytes that may still be unpacked from it.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
    size: usize,
}

impl<'a> Archive<'a> {
    /// Opens a file that is in memory.
    pub(crate) fn open(bytes: &'a [u8]) -> Parsed<Self> {
        // Nothing is before the first entry. Told so, the crate does not guess where the directory
        // begins; its guess has refused a sound file of some tens of megabytes.
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let zip = ZipArchive::with_config(config, Cursor::new(bytes)).map_err(
            |_| "expected a zip file; it is cut off or damaged: download or save it again",
        )?;
        Ok(Self {
            zip,
            left: bytes.len() as u64,
            size: bytes.len(),
        })
    }

    /// Bytes of the file.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// What the names of all entries begin with, up to the first slash, when exactly one entry is
    /// `root/name`.
    pub(crate) fn root(&self, name: &str) -> Option<String> {
        let roots: Vec<String> = self
            .names()
            .filter_map(|entry| entry.strip_suffix(name).map(str::to_owned))
            .filter(|root| root.find('/') == Some(root.len().saturating_sub(1)))
            .collect();
        match &roots[..] {
            [root] => Some(root.clone()),
            _ => None,
        }
    }

    /// Names of the entries; those that are no text are left out.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.zip.file_names().filter_map(std::result::Result::ok)
    }

    /// The content of an entry that must be there.
    pub(crate) fn unpack(&mut self, name: &str) -> Parsed<Vec<u8>> {
        self.unpack_if_present(name)?
            .ok_or_else(|| format!("the zip file lacks {name}; download or save it again"))
    }

    /// The content of an entry.
    pub(crate) fn unpack_if_present(&mut self, name: &str) -> Parsed<Option<Vec<u8>>> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let unreadable = |reason: &str| {
            format!("cannot unpack {name} from the zip file: {reason}; download or save it again")
        };
        let entry = self.zip.by_index(index).map_err(|error| {
            unreadable(match error {
                ZipError::UnsupportedArchive(_) => "it is packed in a way that is not supported",
                _ => "its content is damaged",
            })
        })?;
        let size = entry.size();
        let Some(left) = self.left.checked_sub(size) else {
            return Err(format!(
                "{name} claims {size} bytes, more than the file can hold without compression; download it \
                 again, or save it again as torch.save does"
            ));
        };
        self.left = left;
        let mut content = Vec::with_capacity(size as usize);
        entry
            .take(size)
            .read_to_end(&mut content)
            .map_err(|error| unreadable(of_unpacking(&error)))?;
        if content.len() as u64 != size {
            return Err(format!(
                "{name} in the zip file is truncated; download or save it again"
            ));
        }
        Ok(Some(content))
    }
}
