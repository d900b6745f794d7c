//! Which rows of the curvature's factor are worth computing.
//!
//! The softmax Hessian of an image is `diag(p) - p p^T = sum_k l_k l_k^T`, a sum over a few
//! [directions](super::directions) in its logits. With `J_n` the derivative of image n's logits in a layer's weights, that
//! layer's block of the Hessian is `G^T G` for the matrix `G` whose rows are `J_n^T l_k / sqrt(N)`:
//! one row for each image and direction.
//!
//! A trained network is sure of most images, and their directions are short. The rows are therefore
//! chosen by `norm(l_k)^2`, their share of `sum_n trace(diag(p_n) - p_n p_n^T)`: the longest are
//! taken as they are, until what is left out is a small share, and what is left out is represented by a few
//! of its rows, drawn in proportion to their share and scaled up to stand for all. The sum of the
//! outer products of all these rows is an unbiased estimate of the block, and the drawn ones tell how
//! much was at stake.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::directions::Directions;

/// Rows drawn for what is left out.
pub const DRAWS: usize = 32;

/// Share of an image's own trace that its directions may lack, relative to what is left out anyway.
const PRECISION: f64 = 0.01;
/// The smallest such share: rounding ends there.
const ROUNDING: f64 = 1e-9;

/// One row: a direction in the logits of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Which of the image's [`Directions`].
    pub direction: usize,
    /// What the direction is multiplied with; 1 for rows that stand for themselves.
    pub weight: f64,
    /// How often it was drawn to stand for others; 0 for rows that stand for themselves.
    pub draws: usize,
}

/// The rows of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRows {
    /// Its place in the sample.
    pub image: usize,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// The rows that were chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// By image, those with the most rows first.
    pub images: Vec<ImageRows>,
    /// Share of the curvature at the logits for which drawn rows stand, 0 to 1.
    pub left_out: f64,
    precision: f64,
}

/// A row that may be chosen.
struct Candidate {
    image: usize,
    direction: usize,
    share: f64,
}

impl Rows {
    /// Chooses rows so that at most `left_out` of the curvature is left to drawn ones.
    ///
    /// `probabilities` holds `classes` numbers an image.
    #[must_use]
    pub fn choose(probabilities: &[f64], classes: usize, left_out: f64, seed: u64) -> Self {
        let precision = (PRECISION * left_out).max(ROUNDING);
        let mut candidates = candidates(probabilities, classes, precision);
        let total: f64 = candidates.iter().map(|row| row.share).sum();
        candidates.sort_by(|a, b| {
            let by_place = (a.image, a.direction).cmp(&(b.image, b.direction));
            b.share.total_cmp(&a.share).then(by_place)
        });
        let mut rest = total;
        let mut certain = 0;
        while certain < candidates.len() && rest > left_out * total {
            rest -= candidates[certain].share;
            certain += 1;
        }
        let drawn = candidates.split_off(certain);
        let rest: f64 = drawn.iter().map(|row| row.share).sum();
        let mut by_image: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for Candidate {
            image, direction, ..
        } in candidates
        {
            let (weight, draws) = (1.0, 0);
            let row = Row {
                direction,
                weight,
                draws,
            };
            by_image.entry(image).or_default().push(row);
        }
        for (candidate, draws) in draw(&drawn, rest, seed) {
            let stands_for = draws as f64 * rest / DRAWS as f64;
            let row = Row {
                direction: candidate.direction,
                weight: (stands_for / candidate.share).sqrt(),
                draws,
            };
            by_image.entry(candidate.image).or_default().push(row);
        }
        let mut images: Vec<ImageRows> = by_image
            .into_iter()
            .map(|(image, rows)| ImageRows { image, rows })
            .collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.rows.len()));
        // A sum of nothing is a negative zero.
        let left_out = if total > 0.0 { rest / total + 0.0 } else { 0.0 };
        Self {
            images,
            left_out,
            precision,
        }
    }

    /// The directions that the rows of an image with these probabilities refer to.
    #[must_use]
    pub fn directions<'p>(&self, p: &'p [f64]) -> Directions<'p> {
        Directions::new(p, self.precision)
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.images.iter().map(|image| image.rows.len()).sum()
    }

    /// Images with rows that stand for themselves, in the order of the sample.
    #[must_use]
    pub fn certain_images(&self) -> Vec<usize> {
        let certain = |image: &&ImageRows| image.rows.iter().any(|row| row.draws == 0);
        let mut images: Vec<usize> = self
            .images
            .iter()
            .filter(certain)
            .map(|image| image.image)
            .collect();
        images.sort_unstable();
        images
    }
}

/// Every direction of every image, with its share.
fn candidates(probabilities: &[f64], classes: usize, precision: f64) -> Vec<Candidate> {
    let images = probabilities.par_chunks_exact(classes).enumerate();
    let of_image = |(image, p): (usize, &[f64])| {
        let directions = Directions::new(p, precision);
        let candidate = |(direction, &share): (usize, &f64)| Candidate {
            image,
            direction,
            share,
        };
        let shares = directions.shares().iter().enumerate();
        shares.map(candidate).collect::<Vec<_>>()
    };
    images.flat_map_iter(of_image).collect()
}

/// Draws [`DRAWS`] times in proportion to share, at even distances from a random start; those that
/// were drawn, and how often.
fn draw(candidates: &[Candidate], total: f64, seed: u64) -> Vec<(&Candidate, usize)> {
    if total <= 0.0 {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
    let mut drawn: Vec<(&Candidate, usize)> = Vec::new();
    let (mut passed, mut next) = (0.0, 0);
    for candidate in candidates {
        passed += candidate.share;
        let reached = (passed / total * DRAWS as f64 - start).ceil().max(0.0) as usize;
        let reached = reached.min(DRAWS);
        if reached > next {
            drawn.push((candidate, reached - next));
            next = reached;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::autodiff::loss::softmax;
    use crate::engine::random::normal;

    /// Probabilities of images, some sure, some not.
    fn sample(images: usize, classes: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut all = Vec::new();
        for image in 0..images {
            let spread = 1.0 + (image % 7) as f64 * 1.5;
            let mut p: Vec<f64> = (0..classes).map(|_| spread * normal(&mut rng)).collect();
            softmax(&mut p);
            all.extend(p);
        }
        all
    }

    fn shares(rows: &Rows, probabilities: &[f64], classes: usize) -> [f64; 2] {
        let mut shares = [0.0, 0.0];
        for image in &rows.images {
            let p = &probabilities[image.image * classes..][..classes];
            let directions = rows.directions(p);
            for row in &image.rows {
                let own = directions.shares()[row.direction];
                shares[usize::from(row.draws > 0)] += own * row.weight * row.weight;
            }
        }
        shares
    }

    #[test]
    fn certain_and_drawn_rows_together_stand_for_everything() {
        let (images, classes) = (300, 10);
        let p = sample(images, classes);
        let total: f64 = p.iter().map(|p| p * (1.0 - p)).sum();
        let mut last = 0;
        for left_out in [0.1, 1e-2, 1e-3, 1e-4] {
            let rows = Rows::choose(&p, classes, left_out, 5);
            let [certain, drawn] = shares(&rows, &p, classes);
            let lacking = 1.0 - (certain + drawn) / total;
            assert!((-1e-12..=PRECISION * left_out).contains(&lacking));
            assert!((drawn / total - rows.left_out).abs() <= PRECISION * left_out);
            assert!(rows.left_out <= left_out && rows.left_out > 0.2 * left_out);
            let draws: usize = rows
                .images
                .iter()
                .flat_map(|i| &i.rows)
                .map(|r| r.draws)
                .sum();
            assert_eq!(draws, DRAWS);
            assert!(rows.count() > last);
            last = rows.count();
        }
    }

    #[test]
    fn nothing_is_drawn_when_everything_is_certain() {
        let p = sample(20, 4);
        let rows = Rows::choose(&p, 4, 0.0, 0);
        assert!(
            rows.images
                .iter()
                .flat_map(|i| &i.rows)
                .all(|row| row.draws == 0)
        );
        assert_eq!(rows.certain_images(), (0..20).collect::<Vec<_>>());
        assert!(rows.left_out.abs() < 1e-12);
    }

    #[test]
    fn a_sample_without_curvature_has_no_rows() {
        let rows = Rows::choose(&[1.0, 0.0, 0.0, 1.0], 2, 1e-3, 0);
        assert_eq!((rows.count(), rows.left_out), (0, 0.0));
    }
}
