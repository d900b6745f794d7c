//! The training batches of a run, each a function of its step alone, prepared ahead on a thread of
//! their own.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, Scope};

use super::settings::{Settings, Variation};
use crate::engine::autodiff::batch_step::Batch;
use crate::engine::data::{
    Augmentation, Dataset, Images, Label, Normalization, Preparation, shuffle,
};
use crate::engine::error::said;
use crate::engine::{Error, Result};

/// Batches that wait at most.
const AHEAD: usize = 2;

/// The training batches of a run.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    normalization: &'a Normalization,
    indices: Vec<usize>,
    batch_size: usize,
    seed: u64,
    variation: Variation,
}

impl<'a> Batches<'a> {
    /// Over the images at `indices`, which hold at least one.
    #[must_use]
    pub fn new(
        (dataset, normalization): (&'a Dataset, &'a Normalization),
        indices: Vec<usize>,
        settings: &Settings,
    ) -> Self {
        Self {
            dataset,
            normalization,
            batch_size: settings.batch_size.min(indices.len()),
            indices,
            seed: settings.seed,
            variation: settings.variation,
        }
    }

    /// Whole batches in an epoch.
    #[must_use]
    pub fn per_epoch(&self) -> u64 {
        (self.indices.len() / self.batch_size.max(1)) as u64
    }

    /// Prepares the batches of `steps`, in order, on a thread of `scope`. The thread ends when the
    /// receiver is dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn ahead<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        steps: std::ops::Range<u64>,
    ) -> Result<Receiver<Result<Batch>>> {
        let (sender, receiver) = sync_channel(AHEAD);
        let prepare = move || {
            let mut order = (u64::MAX, Vec::new());
            for step in steps {
                let epoch = step / self.per_epoch();
                if order.0 != epoch {
                    order = (epoch, self.order(epoch));
                }
                let batch = self.batch(step, &order.1);
                if sender.send(batch).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("batches".to_owned());
        let started = thread.spawn_scoped(scope, prepare);
        started.map_err(|refused| {
            Error::invalid(format!(
                "cannot start a thread for training images ({}); allow this user more processes \
                 (ulimit -u)",
                said(&refused)
            ))
        })?;
        Ok(receiver)
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.indices.clone();
        shuffle(&mut order, self.seed, epoch);
        order
    }

    fn batch(&self, step: u64, order: &[usize]) -> Result<Batch> {
        let (epoch, place) = (step / self.per_epoch(), step % self.per_epoch());
        let chosen = &order[place as usize * self.batch_size..][..self.batch_size];
        let seed = self.seed;
        let augmentation = match self.variation {
            Variation::None => Augmentation::None,
            Variation::CropAndFlip => Augmentation::CropAndFlip { seed, epoch },
        };
        let preparation = Preparation {
            normalization: self.normalization,
            augmentation,
        };
        Ok(Batch {
            images: self.dataset.normalized(chosen, preparation)?,
            labels: self.dataset.labels_at(chosen)?,
        })
    }
}

impl Images for Batch {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn load(&self, range: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let image = self.images.len() / self.len().max(1);
        Ok(self.images[range.start * image..range.end * image].to_vec())
    }

    fn labels(&self, range: std::ops::Range<usize>) -> Vec<Label> {
        self.labels[range].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::{Held, Origin};

    /// 20 images of 6 x 6 pixels whose label is their index.
    fn dataset() -> Dataset {
        Dataset {
            name: "made".into(),
            classes: 20,
            class_names: vec![],
            channels: 1,
            height: 6,
            width: 6,
            images: Held::of((0..20 * 36u32).map(|at| (at % 251) as u8).collect(), 36),
            labels: (0..20).map(Label).collect(),
            origin: Origin::default(),
        }
    }

    fn collect(batches: &Batches, steps: std::ops::Range<u64>) -> Vec<Batch> {
        std::thread::scope(|scope| {
            let received = batches.ahead(scope, steps).unwrap();
            received.iter().map(Result::unwrap).collect()
        })
    }

    #[test]
    fn batches_depend_on_their_step_alone_and_an_epoch_sees_no_image_twice() {
        let dataset = dataset();
        let normalization = Normalization::new(vec![0.5], vec![0.5]).unwrap();
        let settings = Settings {
            batch_size: 6,
            variation: Variation::CropAndFlip,
            ..Settings::default()
        };
        let batches = Batches::new((&dataset, &normalization), (0..20).collect(), &settings);
        assert_eq!(batches.per_epoch(), 3);
        let all = collect(&batches, 0..9);
        assert_eq!(all.len(), 9);
        assert_eq!(collect(&batches, 4..7), all[4..7]);
        let mut first: Vec<Label> = all[..3].iter().flat_map(|b| b.labels.clone()).collect();
        let second: Vec<Label> = all[3..6].iter().flat_map(|b| b.labels.clone()).collect();
        assert_ne!(first, second);
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 18);
    }

    #[test]
    fn leaving_early_ends_the_thread() {
        let dataset = dataset();
        let normalization = Normalization::new(vec![0.5], vec![0.5]).unwrap();
        let batches = Batches::new(
            (&dataset, &normalization),
            (0..20).collect(),
            &Settings::default(),
        );
        assert_eq!(batches.per_epoch(), 1);
        std::thread::scope(|scope| {
            let received = batches.ahead(scope, 0..1000).unwrap();
            assert_eq!(received.recv().unwrap().unwrap().labels.len(), 20);
        });
    }
}
