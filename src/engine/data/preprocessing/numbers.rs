//! From bytes to numbers: what was said, what is usual, and what suits the images.

use super::Preprocessing;
use crate::engine::counts::counted;
use crate::engine::data::{Dataset, Normalization, USUAL_SCALE};
use crate::engine::{Error, Result};

/// Options that say how bytes become numbers.
const FLAGS: &str = "--pixel-scale, --mean and --std (or --preprocess FILE)";

impl Preprocessing {
    /// How the images of a set become numbers: as was said, or as is usual for the network. Numbers
    /// are taken as they are.
    ///
    /// # Errors
    /// When nothing was said and nothing is usual, or it does not suit the images.
    pub fn normalization(
        &self,
        usual: Option<Normalization>,
        dataset: &Dataset,
    ) -> Result<Normalization> {
        let (name, channels) = (&dataset.name, dataset.channels);
        if dataset.images.are_numbers() {
            if self.scales() {
                return Err(Error::invalid(format!(
                    "{name} holds numbers, which are taken as they are: leave {FLAGS} out, or give \
                     uint8 pixels"
                )));
            }
            return Ok(Normalization::none(channels));
        }
        self.check_numbers()?;
        let usual = if self.pixel_scale.is_some() {
            None
        } else {
            usual
        };
        if usual.is_none() && !self.scales() {
            return Err(Error::invalid(format!(
                "how bytes of {name} become numbers is not known for this network: give {FLAGS}; \
                 pixels between 0 and 1 need --mean 0 --std 1"
            )));
        }
        if usual.is_none() && self.pixel_scale.is_none() {
            self.refuse_half()?;
        }
        let (mean, std) = usual.map_or((vec![0.0], vec![1.0]), |usual| (usual.mean, usual.std));
        let mean = each(self.mean.clone().unwrap_or(mean), channels);
        let std = each(self.std.clone().unwrap_or(std), channels);
        if mean.len() != channels || std.len() != channels {
            return Err(Error::invalid(format!(
                "mean has {} and std {}, but an image of {name} has {}: give one value for all, or \
                 one a channel",
                counted(mean.len(), "value"),
                std.len(),
                counted(channels, "channel")
            )));
        }
        Normalization::new(mean, std)?.scaled(self.pixel_scale.unwrap_or(USUAL_SCALE))
    }

    /// Refuses a mean without a deviation, or the other way round, where there is no usual one.
    fn refuse_half(&self) -> Result<()> {
        let (given, missing) = match (&self.mean, &self.std) {
            (Some(_), None) => ("mean", "std"),
            (None, Some(_)) => ("std", "mean"),
            _ => return Ok(()),
        };
        Err(Error::invalid(format!(
            "{given} is given without {missing}, and this network has no usual one: give both; --mean 0 \
             subtracts nothing, --std 1 divides by nothing"
        )))
    }

    /// Refuses numbers that nothing can be divided or multiplied by.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the value.
    pub fn check_numbers(&self) -> Result<()> {
        let mean = self.mean.clone().unwrap_or_else(|| vec![0.0]);
        let std = self.std.clone().unwrap_or_else(|| vec![1.0]);
        let channels = mean.len().max(std.len());
        let number = Normalization::new(each(mean, channels), each(std, channels))?;
        number.scaled(self.pixel_scale.unwrap_or(USUAL_SCALE))?;
        Ok(())
    }
}

/// One value for all channels, or one for each.
fn each(values: Vec<f32>, channels: usize) -> Vec<f32> {
    match values[..] {
        [one] => vec![one; channels],
        _ => values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::{DataSpec, Part};

    fn said(text: &str) -> Preprocessing {
        toml::from_str(text).unwrap()
    }

    fn color() -> Dataset {
        Dataset {
            channels: 3,
            ..DataSpec::Demo.load(Part::Test).unwrap()
        }
    }

    #[test]
    fn what_was_said_counts_before_what_is_usual() {
        let usual = Normalization::new(vec![0.5; 3], vec![0.25; 3]).unwrap();
        let of = |text: &str| {
            said(text)
                .normalization(Some(usual.clone()), &color())
                .unwrap()
        };
        assert_eq!(of(""), usual);
        assert_eq!(of("mean = [0.1]").mean, [0.1; 3]);
        assert_eq!(of("mean = [0.1]").std, [0.25; 3]);
        let raw = of("pixel-scale = 1.0\nmean = [1.0, 2.0, 3.0]\nstd = [1.0]");
        assert_eq!((raw.mean, raw.std), (vec![1.0, 2.0, 3.0], vec![1.0; 3]));
        assert_eq!(of("pixel-scale = 1.0"), Normalization::none(3));
        let written = of("pixel-scale = 0.00392157\nmean = [0.0]\nstd = [1.0]");
        assert_eq!(
            written,
            Normalization::new(vec![0.0; 3], vec![1.0; 3]).unwrap()
        );
    }

    #[test]
    fn a_network_without_usual_numbers_asks_for_them() {
        let refused = said("")
            .normalization(None, &color())
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("--pixel-scale, --mean and --std"),
            "{refused}"
        );
        let given = said("mean = [0.0]\nstd = [1.0]").normalization(None, &color());
        assert_eq!(given.unwrap().mean, [0.0; 3]);
        for half in ["mean = [0.5]", "std = [0.5]"] {
            let refused = said(half).normalization(None, &color());
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("give both; --mean 0"), "{refused}");
        }
        let refused = said("mean = [0.0, 1.0]\nstd = [1.0]").normalization(None, &color());
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("mean has 2 values and std 3, but an image of demo has 3 channels"),
            "{refused}"
        );
    }
}
