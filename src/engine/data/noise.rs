//! Images of nothing: independent normal values, as normalised images roughly are. For comparing
//! networks where no data are at hand.

use std::ops::Range;

use rand_chacha::rand_core::Rng;

use super::sampling::{Purpose, below, draws};
use super::{Dataset, Held, Images, Label, Origin};
use crate::engine::Result;
use crate::engine::random::normal;
use crate::engine::shape::Shape;

/// Images of nothing; label 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    /// Shape of an image.
    pub shape: Shape,
    /// Number of images.
    pub count: usize,
    /// Seed.
    pub seed: u64,
}

impl Images for Noise {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, range: Range<usize>) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(range.len() * self.shape.elements());
        for image in range {
            let mut draws = draws(Purpose::Noise, self.seed, (image as u64, 0));
            values.extend((0..self.shape.elements()).map(|_| normal(&mut draws)));
        }
        Ok(values)
    }

    fn labels(&self, range: Range<usize>) -> Vec<Label> {
        vec![Label(0); range.len()]
    }
}

/// Bytes of nothing and labels by chance, for timing networks where no data are at hand.
#[must_use]
pub fn noise((shape, classes): (Shape, usize), count: usize, seed: u64) -> Dataset {
    let (channels, height, width) = match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => (channels, height, width),
        Shape::Features(features) => (features, 1, 1),
    };
    let mut draws = draws(Purpose::Noise, seed, (u64::MAX, 0));
    let mut images = vec![0; count * shape.elements()];
    draws.fill_bytes(&mut images);
    Dataset {
        name: "noise".to_owned(),
        classes,
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        channels,
        height,
        width,
        images: Held::of(images, shape.elements()),
        labels: (0..count)
            .map(|_| Label(below(&mut draws, classes) as u32))
            .collect(),
        origin: Origin::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_does_not_depend_on_how_it_is_loaded() {
        let noise = Noise {
            shape: Shape::map(2, 3, 4),
            count: 5,
            seed: 1,
        };
        let all = noise.load(0..5).unwrap();
        assert_eq!(all.len(), 5 * 24);
        assert_eq!(noise.load(3..4).unwrap(), all[3 * 24..4 * 24]);
        assert_eq!(noise.labels(1..3), [Label(0); 2]);
    }

    #[test]
    fn noise_fits_its_classes_and_depends_on_its_seed() {
        let made = noise((Shape::map(3, 4, 4), 10), 100, 7);
        assert_eq!((made.len(), made.image_size()), (100, 48));
        assert!(made.labels.iter().all(|&label| label < Label(10)));
        let sum = |seed| noise((Shape::map(3, 4, 4), 10), 100, seed).checksum();
        assert_eq!(made.checksum(), sum(7));
        assert_ne!(made.checksum(), sum(8));
    }
}
