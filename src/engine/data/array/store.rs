//! Where the elements of an array lie: small ones in memory, large ones on disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

/// The most bytes of an array that are kept in memory.
pub(super) const IN_MEMORY: u64 = 1 << 28;

/// Bytes that are read piece by piece.
#[derive(Debug)]
pub(super) enum Store {
    Memory(Vec<u8>),
    /// From a place in a file on.
    Disk {
        file: Mutex<File>,
        from: u64,
    },
}

impl Store {
    pub(super) fn on_disk(file: File, from: u64) -> Self {
        Self::Disk {
            file: Mutex::new(file),
            from,
        }
    }

    /// `count` bytes from `first` on, which are there.
    pub(super) fn read(&self, first: u64, count: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => {
                let first = first as usize;
                let piece = bytes.get(first..first + count);
                piece
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Self::Disk { file, from } => {
                let mut piece = vec![0; count];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(from + first))?;
                file.read_exact(&mut piece)?;
                Ok(piece)
            }
        }
    }
}
