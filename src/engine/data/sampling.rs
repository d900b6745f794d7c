//! Which images are used, and in which order. Chance is `ChaCha8` keyed by what the choice depends
//! on, with our own draws on top, so that results are the same on every platform and survive
//! updates of the random number crates.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::engine::{Error, Result};

/// The kinds of choice by chance; equal seeds give unrelated draws for each.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// The sample of an analysis.
    Sample = 1,
    /// Holding out validation images.
    Holdout = 2,
    /// The order of an epoch.
    Shuffle = 3,
    /// Augmentation of one image.
    Augmentation = 4,
    /// Images of nothing.
    Noise = 5,
}

/// Draws for `purpose` that depend on `seed`, `first` and `second` alone.
pub(super) fn draws(purpose: Purpose, seed: u64, (first, second): (u64, u64)) -> ChaCha8Rng {
    let mut key = [0; 32];
    let parts = [purpose as u64, seed, first, second];
    for (place, part) in key.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// An unbiased draw from `0..bound`; `bound` is not 0.
pub(super) fn below(draws: &mut ChaCha8Rng, bound: usize) -> usize {
    let bound = bound as u64;
    // Draws at or above the largest multiple of the bound would favour small results.
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let draw = draws.next_u64();
        if draw < fair {
            return (draw % bound) as usize;
        }
    }
}

/// How images are taken from a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The first ones in file order.
    File,
    /// By chance, without replacement.
    #[default]
    Random,
}

/// Indices of `samples` of `len` images.
///
/// [`Order::Random`] gives them in the drawn order, so that any part of the sample is a random
/// sample too, and the sample for a smaller number is the beginning of that for a larger one.
///
/// # Errors
/// [`Error::Invalid`] when no image is asked for, or more than there are.
pub fn sample(order: Order, samples: usize, seed: u64, len: usize) -> Result<Vec<usize>> {
    if samples == 0 {
        return Err(Error::invalid(
            "0 samples were asked for; ask for at least 1",
        ));
    }
    if samples > len {
        return Err(Error::invalid(format!(
            "samples {samples}: expected at most {len}, as many as there are images"
        )));
    }
    let mut indices: Vec<usize> = (0..len).collect();
    if order == Order::Random {
        let mut draws = draws(Purpose::Sample, seed, (0, 0));
        bring_forward(&mut indices, samples, &mut draws);
    }
    indices.truncate(samples);
    Ok(indices)
}

/// Divides `len` training images into those trained on and `validation` held out, both in file
/// order. `validation` may be 0.
///
/// # Errors
/// [`Error::Invalid`] when nothing would be left to train on.
pub fn split_train(len: usize, validation: usize, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    if validation >= len {
        return Err(Error::invalid(format!(
            "{validation} of {len} training images were to be held out for validation; hold out \
             fewer, so that some are left to train on"
        )));
    }
    let mut held_out: Vec<usize> = (0..len).collect();
    bring_forward(
        &mut held_out,
        validation,
        &mut draws(Purpose::Holdout, seed, (0, 0)),
    );
    let mut train = held_out.split_off(validation);
    train.sort_unstable();
    held_out.sort_unstable();
    Ok((train, held_out))
}

/// Images held out of `len` training images unless asked otherwise: a tenth, so 5000 of CIFAR-10.
#[must_use]
pub const fn validation_size(len: usize) -> usize {
    len / 10
}

/// Puts `indices` into the order of `epoch`, which does not depend on the epochs before.
pub fn shuffle(indices: &mut [usize], seed: u64, epoch: u64) {
    let count = indices.len();
    bring_forward(
        indices,
        count,
        &mut draws(Purpose::Shuffle, seed, (epoch, 0)),
    );
}

/// The first `count` steps of a Fisher-Yates shuffle.
fn bring_forward(indices: &mut [usize], count: usize, draws: &mut ChaCha8Rng) {
    for place in 0..count {
        let chosen = place + below(draws, indices.len() - place);
        indices.swap(place, chosen);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn file_order_takes_the_first() {
        assert_eq!(sample(Order::File, 3, 7, 5).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_random_sample_has_no_image_twice_and_grows_at_its_end() {
        let large = sample(Order::Random, 100, 7, 1000).unwrap();
        assert_eq!(large.iter().collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(sample(Order::Random, 40, 7, 1000).unwrap(), large[..40]);
        assert_ne!(sample(Order::Random, 100, 8, 1000).unwrap(), large);
    }

    #[test]
    fn draws_stay_the_same_over_versions() {
        // Computed from the definition of ChaCha8 by another program.
        let expected = [27_407, 23_077, 20_798, 11_028, 43_532];
        assert_eq!(sample(Order::Random, 5, 0, 50_000).unwrap(), expected);
    }

    #[test]
    fn too_many_or_no_samples_are_refused() {
        let error = sample(Order::File, 6, 0, 5).unwrap_err().to_string();
        assert_eq!(
            error,
            "samples 6: expected at most 5, as many as there are images"
        );
        assert!(sample(Order::Random, 0, 0, 5).is_err());
    }

    #[test]
    fn held_out_and_trained_images_are_all_images_once() {
        let (train, validation) = split_train(100, 30, 5).unwrap();
        assert_eq!((train.len(), validation.len()), (70, 30));
        assert!(train.is_sorted() && validation.is_sorted());
        let all: BTreeSet<usize> = train.iter().chain(&validation).copied().collect();
        assert_eq!(all.len(), 100);
        assert_ne!(validation, split_train(100, 30, 6).unwrap().1);
        assert_eq!(split_train(4, 0, 0).unwrap(), (vec![0, 1, 2, 3], vec![]));
        assert!(split_train(4, 4, 0).is_err());
    }

    #[test]
    fn every_epoch_has_its_own_order() {
        let order = |seed, epoch| {
            let mut indices: Vec<usize> = (0..50).collect();
            shuffle(&mut indices, seed, epoch);
            indices
        };
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 1));
        let mut sorted = order(1, 2);
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
    }

    #[test]
    fn draws_are_even() {
        let mut draws = draws(Purpose::Sample, 3, (0, 0));
        let mut counts = [0; 7];
        for _ in 0..7000 {
            counts[below(&mut draws, 7)] += 1;
        }
        assert!(
            counts.iter().all(|count| (880..1120).contains(count)),
            "{counts:?}"
        );
    }
}
