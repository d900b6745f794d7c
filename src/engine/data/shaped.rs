//! Pictures of any size become images of one size, when they are needed.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::picture::{Picture, Size};
use super::preprocessing::Preprocessing;
use super::{Held, Sample, Samples};
use crate::engine::memory::Memory;
use crate::engine::{Error, Result};

/// Pictures as they come, by their place.
pub(super) trait Pictures: fmt::Debug + Send + Sync {
    /// Number of pictures.
    fn len(&self) -> usize;

    /// The picture at `index`, which is below the number.
    fn picture(&self, index: usize) -> Result<Picture>;

    /// What a picture is called in messages.
    fn place(&self, index: usize) -> String;

    /// Whether they are files that are read one by one.
    fn is_slow(&self) -> bool;

    /// Adds what tells them from others.
    fn identify(&self, hash: &mut Sha256);
}

/// Channels and extents of every image of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub channels: usize,
    pub size: Size,
}

impl Extent {
    /// Values of an image.
    pub(super) const fn values(self) -> usize {
        self.channels * self.size.height * self.size.width
    }

    const fn of(picture: &Picture) -> Self {
        Self {
            channels: picture.channels,
            size: picture.size,
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.channels, self.size)
    }
}

/// Images of one size, and that size.
#[derive(Debug)]
pub(super) struct Uniform {
    pub images: Arc<dyn Samples>,
    pub extent: Extent,
}

/// Prepares pictures; the first one tells the size where the preprocessing does not.
pub(super) fn shaped(
    pictures: Box<dyn Pictures>,
    preprocessing: &Preprocessing,
    memory: Memory,
) -> Result<Uniform> {
    let first = prepared(&*pictures, preprocessing, 0)?;
    let extent = Extent::of(&first);
    let (count, slow) = (pictures.len(), pictures.is_slow());
    let shaped = Shaped {
        kept: (0..count).map(|_| OnceLock::new()).collect(),
        left: AtomicUsize::new(if slow { memory.of_images() } else { 0 }),
        preprocessing: preprocessing.clone(),
        pictures,
        extent,
    };
    let total = count.checked_mul(extent.values());
    // Smaller sets whose pictures are at hand are prepared once and for all.
    if slow || total.is_none_or(|total| total > memory.of_images() / 2) {
        let images = Arc::new(shaped);
        return Ok(Uniform { images, extent });
    }
    let prepared = (0..count)
        .into_par_iter()
        .map(|index| shaped.prepare(index));
    let bytes = prepared.collect::<Result<Vec<_>>>()?.concat();
    Ok(Uniform {
        images: Held::of(bytes, extent.values()),
        extent,
    })
}

fn prepared(
    pictures: &dyn Pictures,
    preprocessing: &Preprocessing,
    index: usize,
) -> Result<Picture> {
    let picture = pictures.picture(index)?;
    preprocessing.shape(picture).map_err(|error| {
        let place = pictures.place(index);
        Error::invalid(format!("{place}: {error}"))
    })
}

/// Pictures that are prepared when they are needed; the first that are asked for are kept.
struct Shaped {
    pictures: Box<dyn Pictures>,
    preprocessing: Preprocessing,
    extent: Extent,
    kept: Vec<OnceLock<Box<[u8]>>>,
    /// Bytes that may still be kept.
    left: AtomicUsize,
}

impl fmt::Debug for Shaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Shaped");
        f.field("pictures", &self.pictures).finish_non_exhaustive()
    }
}

impl Shaped {
    /// The bytes of an image, plane by plane.
    fn prepare(&self, index: usize) -> Result<Vec<u8>> {
        let picture = prepared(&*self.pictures, &self.preprocessing, index)?;
        let found = Extent::of(&picture);
        if found == self.extent {
            return Ok(picture.planes(self.preprocessing.plane_order()));
        }
        Err(Error::invalid(format!(
            "{}: {found} where {} is {}; make all pictures one size with --size and --resize \
             (shorter=N or exact), and one kind with --channels",
            self.pictures.place(index),
            self.pictures.place(0),
            self.extent,
        )))
    }

    /// Takes the memory of one image from what is left.
    fn may_keep(&self) -> bool {
        let size = self.extent.values();
        let take = |left: usize| left.checked_sub(size);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

impl Samples for Shaped {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn sample(&self, index: usize) -> Result<Sample<'_>> {
        if let Some(kept) = self.kept[index].get() {
            return Ok(Sample::Pixels(Cow::Borrowed(kept)));
        }
        let bytes = self.prepare(index)?;
        if self.may_keep() {
            let kept = self.kept[index].get_or_init(|| bytes.into());
            return Ok(Sample::Pixels(Cow::Borrowed(kept)));
        }
        Ok(Sample::Pixels(Cow::Owned(bytes)))
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn identify(&self, hash: &mut Sha256) {
        self.pictures.identify(hash);
        let done = serde_json::to_vec(&self.preprocessing.geometry());
        hash.update(done.unwrap_or_default());
    }
}

/// Images in memory, as pictures that are prepared anew.
#[derive(Debug)]
pub(super) struct Planes {
    /// How they are called.
    pub name: String,
    /// Images of bytes, plane by plane.
    pub images: Arc<dyn Samples>,
    /// Their size.
    pub extent: Extent,
}

impl Pictures for Planes {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        let Sample::Pixels(planes) = self.images.sample(index)? else {
            return Err(Error::invalid(format!(
                "{}: numbers, which are no picture",
                self.place(index)
            )));
        };
        interleaved(&planes, self.extent)
    }

    fn place(&self, index: usize) -> String {
        format!("image {index} of {}", self.name)
    }

    fn is_slow(&self) -> bool {
        false
    }

    fn identify(&self, hash: &mut Sha256) {
        self.images.identify(hash);
    }
}

/// From plane by plane to pixel by pixel.
pub(super) fn interleaved(planes: &[u8], extent: Extent) -> Result<Picture> {
    let Extent { channels, size } = extent;
    let pixels = size.height * size.width;
    let mut bytes = vec![0; planes.len()];
    for (channel, plane) in planes.chunks_exact(pixels.max(1)).enumerate() {
        for (place, &value) in bytes[channel..].iter_mut().step_by(channels).zip(plane) {
            *place = value;
        }
    }
    Picture::new(size, channels, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(count: u8) -> Box<dyn Pictures> {
        let size = Size {
            height: 1,
            width: 2,
        };
        Box::new(Planes {
            name: "made".into(),
            images: Held::of((0..count * 6).collect(), 6),
            extent: Extent { channels: 3, size },
        })
    }

    /// The same, as if they were files.
    #[derive(Debug)]
    struct Files {
        of: Box<dyn Pictures>,
        other: Option<usize>,
    }

    impl Pictures for Files {
        fn len(&self) -> usize {
            self.of.len()
        }
        fn picture(&self, index: usize) -> Result<Picture> {
            let picture = self.of.picture(index)?;
            Ok(if self.other == Some(index) {
                picture.gray()
            } else {
                picture
            })
        }
        fn place(&self, index: usize) -> String {
            format!("{index}.png")
        }
        fn is_slow(&self) -> bool {
            true
        }
        fn identify(&self, hash: &mut Sha256) {
            self.of.identify(hash);
        }
    }

    fn pixels(images: &dyn Samples, index: usize) -> Vec<u8> {
        match images.sample(index).unwrap() {
            Sample::Pixels(bytes) => bytes.into_owned(),
            Sample::Numbers(_) => panic!("bytes were given"),
        }
    }

    #[test]
    fn images_are_the_same_prepared_at_once_and_when_they_are_needed() {
        let preprocessing: Preprocessing = toml::from_str("size = 3\nchannels = \"bgr\"").unwrap();
        let held = shaped(planes(4), &preprocessing, Memory::USUAL).unwrap();
        let of = planes(4);
        let files = Box::new(Files { of, other: None });
        let files = shaped(files, &preprocessing, Memory::USUAL).unwrap();
        assert!(!held.images.is_slow() && files.images.is_slow());
        assert_eq!((held.extent, held.extent.values()), (files.extent, 27));
        for index in [3, 0, 3] {
            assert_eq!(pixels(&*held.images, index), pixels(&*files.images, index));
        }
        assert_eq!(pixels(&*held.images, 0)[0], 4, "blue is first");
    }

    #[test]
    fn no_more_is_kept_than_memory_allows() {
        let files = Box::new(Files {
            of: planes(4),
            other: None,
        });
        // An eighth is for images: two of six bytes, and not a third.
        let memory = Memory::within(8 * 17);
        let uniform = shaped(files, &Preprocessing::default(), memory).unwrap();
        let is_kept = |index| {
            matches!(
                uniform.images.sample(index),
                Ok(Sample::Pixels(Cow::Borrowed(_)))
            )
        };
        assert_eq!(
            [0, 1, 2, 3, 0, 1].map(is_kept),
            [true, true, false, false, true, true]
        );
    }

    #[test]
    fn a_picture_of_another_size_is_named() {
        let (of, other) = (planes(3), Some(2));
        let files = Box::new(Files { of, other });
        let files = shaped(files, &Preprocessing::default(), Memory::USUAL).unwrap();
        let refused = files.images.sample(2).unwrap_err().to_string();
        assert!(
            refused.contains("2.png: 1x1x2 where 0.png is 3x1x2"),
            "{refused}"
        );
        assert!(refused.contains("--size"), "{refused}");
    }
}
