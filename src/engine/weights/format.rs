//! Which format a file has: decided by what must hold for each of them, not by single bytes.
//!
//! | format | must hold |
//! |---|---|
//! | safetensors | 8 bytes with the length of the header, which lies within the file and begins with `{` |
//! | zip by `torch.save` | an end record within the last 64 KiB |
//! | legacy by `torch.save` | a first pickle that is the magic number |
//!
//! In this order: tensors can hold any bytes, an end record among them, while no zip and no pickle
//! looks like a safetensors file.

use super::safetensors;
use super::torch;
use super::{Content, Parsed};

/// Bytes of a header's length.
const LENGTH: usize = 8;
/// Beginning of the end record of a zip file.
const END_RECORD: &[u8] = b"PK\x05\x06";
/// Bytes from the beginning of the end record to the end of the file, at most.
const END_RECORD_BYTES: usize = 22 + 0xffff;

/// A format: what a file lacks to be one, and how it is read.
struct Format {
    name: &'static str,
    lacks: fn(&[u8]) -> Option<String>,
    read: fn(&[u8]) -> Parsed<Content>,
}

/// In the order in which they are tried.
const FORMATS: [Format; 3] = [
    Format {
        name: "safetensors",
        lacks: lacks_safetensors,
        read: safetensors::parse,
    },
    Format {
        name: "a zip file by torch.save",
        lacks: lacks_zip,
        read: torch::read_zip,
    },
    Format {
        name: "a legacy file by torch.save",
        lacks: torch::lacks_legacy,
        read: torch::read_legacy,
    },
];

/// The content of a file; when several formats fit, that of the first that can be read.
pub(super) fn read(bytes: &[u8]) -> Parsed<Content> {
    if bytes.is_empty() {
        return Err("the file is empty; download or save it again".into());
    }
    if bytes.starts_with(b"version https://git-lfs") {
        let reason = "this is a Git LFS pointer, not the weights; run `git lfs pull` first";
        return Err(reason.into());
    }
    let (mut lacking, mut refused) = (Vec::new(), None);
    for format in &FORMATS {
        if let Some(lack) = (format.lacks)(bytes) {
            lacking.push(format!("{} {lack}", format.name));
            continue;
        }
        match (format.read)(bytes) {
            Ok(content) => return Ok(content),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let lacking = lacking.join("; ");
        format!(
            "expected safetensors or a PyTorch file (.pth, .th, .pkl), but it is neither \
             ({lacking}); check the path, or download or save the weights again"
        )
    }))
}

fn lacks_safetensors(bytes: &[u8]) -> Option<String> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        let count = bytes.len();
        return Some(format!("has at least {LENGTH} bytes, this file {count}"));
    };
    let (length, left) = (u64::from_le_bytes(*length), rest.len());
    if length > left as u64 {
        return Some(format!(
            "would have a header of {length} bytes here, and {left} follow"
        ));
    }
    (rest.first() != Some(&b'{')).then(|| "has { behind the length of its header".to_owned())
}

fn lacks_zip(bytes: &[u8]) -> Option<String> {
    let tail = &bytes[bytes.len().saturating_sub(END_RECORD_BYTES)..];
    let found = tail
        .windows(END_RECORD.len())
        .any(|window| window == END_RECORD);
    let lack = if bytes.starts_with(b"PK\x03\x04") {
        "begins like this one, but its end record is missing: the file is truncated"
    } else {
        "has an end record"
    };
    (!found).then(|| lack.to_owned())
}
