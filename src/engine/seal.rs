//! A checksum of a file inside the file: the SHA-256 of its bytes with the digits of the checksum
//! themselves taken as zeros. It covers everything, header and content, whatever the format.

use sha2::{Digest, Sha256};

use super::files::hexadecimal;

/// The key that the checksum follows, in the metadata of the format.
pub const KEY: &str = "hawqeye/sha256";
/// Hexadecimal digits of a checksum.
const DIGITS: usize = 64;
/// Bytes that a format puts between a key and its value, at most.
const GAP: usize = 8;

/// What stands in the place of the checksum until it is known.
#[must_use]
pub fn open() -> String {
    "0".repeat(DIGITS)
}

/// Puts the checksum into a file whose metadata hold [`open`] under [`KEY`].
pub fn seal(bytes: &mut [u8]) {
    let Some(place) = place(bytes) else {
        return;
    };
    let sum = sum(bytes, place);
    bytes[place..place + DIGITS].copy_from_slice(sum.as_bytes());
}

/// Refuses a file that is not what its checksum says; one of an older program has none. The metadata
/// are within the first `header` bytes.
///
/// # Errors
/// A sentence with the next step.
pub fn check(bytes: &[u8], header: usize) -> Result<(), String> {
    let damaged = || {
        Err(
            "it is not what its checksum says: make it again, or copy it again from where it is whole"
                .to_owned(),
        )
    };
    let Some(key) = find(&bytes[..header.min(bytes.len())], KEY.as_bytes()) else {
        return Ok(());
    };
    match place(&bytes[key..]) {
        Some(place) if bytes[key + place..].starts_with(sum(bytes, key + place).as_bytes()) => {
            Ok(())
        }
        _ => damaged(),
    }
}

/// Bytes before the first tensor of a safetensors file, by what it says.
#[must_use]
pub fn safetensors_header(bytes: &[u8]) -> usize {
    const LENGTH: usize = 8;
    let length = bytes.first_chunk::<LENGTH>();
    let length = length.map_or(0, |length| u64::from_le_bytes(*length));
    usize::try_from(length)
        .unwrap_or(usize::MAX)
        .saturating_add(LENGTH)
}

/// Where the digits begin.
fn place(bytes: &[u8]) -> Option<usize> {
    let end = find(bytes, KEY.as_bytes())? + KEY.len();
    let digits = |from: &usize| {
        let text = bytes.get(*from..*from + DIGITS);
        text.is_some_and(|text| text.iter().all(u8::is_ascii_hexdigit))
    };
    (end..=end + GAP).find(digits)
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|found| found == word)
}

fn sum(bytes: &[u8], place: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..place]);
    hash.update(open());
    hash.update(&bytes[place + DIGITS..]);
    hexadecimal(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_of_a_sealed_file_counts() {
        let mut bytes = format!("{{\"{KEY}\":\"{}\"}} content", open()).into_bytes();
        seal(&mut bytes);
        check(&bytes, bytes.len()).unwrap();
        for at in (0..bytes.len()).filter(|at| !(2..2 + KEY.len()).contains(at)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(check(&damaged, bytes.len()).is_err(), "byte {at}");
        }
        check(b"an older file", 99).unwrap();
        assert!(check(format!("{KEY} without one").as_bytes(), 99).is_err());
    }
}
