//! Picture files: JPEG, PNG, PPM and its kin, BMP and WebP, by what is in them and not by their
//! name.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Picture, Size};
use crate::engine::{Error, Result, files};

/// How the names of picture files end, in small letters.
pub const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "ppm", "pgm", "pnm", "bmp", "webp"];
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 28;
/// The most rows or columns.
const MAX_EXTENT: u32 = 1 << 15;
/// The most bytes that a picture may take when it is unpacked.
const MAX_BYTES: u64 = 1 << 29;

/// Reads a picture file: gray stays gray, everything else becomes red, green and blue; transparency
/// is dropped, as Pillow's `convert("RGB")` does it.
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Format`] naming it when it is no whole picture.
pub fn decode(path: &Path) -> Result<Picture> {
    let bytes = files::read_limited(path, MAX_FILE_BYTES)?;
    unpacked(&bytes).map_err(|reason| Error::format(path, reason))
}

fn unpacked(bytes: &[u8]) -> std::result::Result<Picture, String> {
    const NEXT: &str = "replace it or take it out of the folder";
    let damaged = |refused: image::ImageError| format!("{}; {NEXT}", said(&refused));
    if bytes.is_empty() {
        return Err(format!("the file is empty, expected a picture; {NEXT}"));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|said| damaged(said.into()))?;
    let Some(format) = reader.format() else {
        return Err(format!(
            "neither JPEG, PNG, PPM, BMP nor WebP inside; {NEXT}"
        ));
    };
    if format == ImageFormat::Jpeg {
        whole_jpeg(bytes).map_err(|reason| format!("{reason}; {NEXT}"))?;
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EXTENT);
    limits.max_image_height = Some(MAX_EXTENT);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let claimed = decoder.total_bytes();
    if claimed > believable(format, bytes.len() as u64).min(MAX_BYTES) {
        let (width, height) = decoder.dimensions();
        return Err(format!(
            "claims {height} rows of {width} pixels, more than {} bytes can hold; {NEXT}",
            bytes.len()
        ));
    }
    let decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    of(decoded).map_err(|error| error.to_string())
}

/// The most bytes that a file of this length can unpack to.
fn believable(format: ImageFormat, length: u64) -> u64 {
    /// Bytes of a picture of one colour, which packs into nothing.
    const PLAIN: u64 = 1 << 22;
    /// How much smaller the packing of PNG makes anything at best.
    const PACKING: u64 = 1 << 10;
    match format {
        // A bit a pixel becomes three bytes, a digit and a blank at least one.
        ImageFormat::Pnm | ImageFormat::Bmp => length.saturating_mul(24),
        _ => length.saturating_mul(PACKING).saturating_add(PLAIN),
    }
}

/// What is wrong, without the words of libraries.
fn said(refused: &ImageError) -> &'static str {
    match refused {
        ImageError::Limits(_) => "larger than pictures that are read here (32768 rows or columns)",
        ImageError::Unsupported(_) => {
            "a picture of a kind that is not read here, expected JPEG, PNG, PPM, BMP or WebP"
        }
        ImageError::IoError(source) if source.kind() == ErrorKind::UnexpectedEof => {
            "a picture that was cut off"
        }
        _ => "a damaged picture",
    }
}

/// Refuses a JPEG file that was cut off: its end mark is missing.
fn whole_jpeg(bytes: &[u8]) -> std::result::Result<(), String> {
    let ends = bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9]);
    if ends {
        return Ok(());
    }
    Err("a JPEG picture that was cut off (its end is missing)".to_owned())
}

fn of(decoded: DynamicImage) -> Result<Picture> {
    let size = Size {
        height: decoded.height() as usize,
        width: decoded.width() as usize,
    };
    // Sixteen bits become their upper eight, as in Pillow.
    let upper = |values: Vec<u16>| values.into_iter().map(|value| (value >> 8) as u8).collect();
    let (channels, bytes) = match decoded {
        DynamicImage::ImageLuma8(gray) => (1, gray.into_raw()),
        DynamicImage::ImageLumaA8(gray) => (1, without_alpha(&gray.into_raw(), 2)),
        DynamicImage::ImageRgb8(color) => (3, color.into_raw()),
        DynamicImage::ImageRgba8(color) => (3, without_alpha(&color.into_raw(), 4)),
        DynamicImage::ImageLuma16(gray) => (1, upper(gray.into_raw())),
        DynamicImage::ImageLumaA16(gray) => (1, without_alpha(&upper(gray.into_raw()), 2)),
        DynamicImage::ImageRgb16(color) => (3, upper(color.into_raw())),
        DynamicImage::ImageRgba16(color) => (3, without_alpha(&upper(color.into_raw()), 4)),
        other => (3, other.into_rgb8().into_raw()),
    };
    Picture::new(size, channels, bytes)
}

/// Pixels of `values` without the last.
fn without_alpha(bytes: &[u8], values: usize) -> Vec<u8> {
    let pixels = bytes.chunks_exact(values);
    pixels
        .flat_map(|pixel| pixel[..values - 1].iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    /// Every pixel another one.
    fn packed(format: ImageFormat) -> Vec<u8> {
        let bytes = (0..5 * 4 * 3).map(|at| (at * 4) as u8).collect();
        let picture = image::RgbImage::from_raw(5, 4, bytes).unwrap();
        let mut packed = Cursor::new(Vec::new());
        picture.write_to(&mut packed, format).unwrap();
        packed.into_inner()
    }

    #[test]
    fn pictures_are_read_by_what_is_in_them() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Pnm,
            ImageFormat::Bmp,
            ImageFormat::WebP,
        ] {
            let (_folder, path) = written(&packed(format));
            let picture = decode(&path).unwrap();
            assert_eq!(picture.size.to_string(), "4x5", "{format:?}");
            let expected: Vec<u8> = (0..5 * 4 * 3).map(|at| (at * 4) as u8).collect();
            assert_eq!(picture.bytes, expected, "{format:?}");
        }
        let (_folder, path) = written(&packed(ImageFormat::Jpeg));
        assert_eq!(decode(&path).unwrap().channels, 3);
    }

    #[test]
    fn transparency_is_dropped_and_sixteen_bits_become_their_upper_eight() {
        let pixels = image::RgbaImage::from_raw(1, 1, vec![1, 2, 3, 0]).unwrap();
        assert_eq!(of(pixels.into()).unwrap().bytes, [1, 2, 3]);
        let deep = image::ImageBuffer::from_raw(1, 1, vec![0x01ff_u16, 0x8000, 0xffff]);
        let deep = DynamicImage::ImageRgb16(deep.unwrap());
        assert_eq!(of(deep).unwrap().bytes, [1, 128, 255]);
    }

    #[test]
    fn what_is_no_whole_picture_is_named() {
        let (png, jpeg) = (packed(ImageFormat::Png), packed(ImageFormat::Jpeg));
        let cases: [(&[u8], &str); 6] = [
            (b"", "the file is empty"),
            (b"hello, world", "neither JPEG, PNG"),
            (
                b"GIF89a\x01\0\x01\0\0\0\0;",
                "of a kind that is not read here",
            ),
            (&png[..png.len() - 20], "cut off"),
            (&jpeg[..jpeg.len() - 9], "cut off"),
            (b"P6 30000 30000 255\nxy", "claims 30000 rows of 30000"),
        ];
        for (bytes, expected) in cases {
            let (_folder, path) = written(bytes);
            let refused = decode(&path).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
            assert!(
                refused.starts_with(&path.display().to_string()),
                "{refused}"
            );
        }
    }
}
