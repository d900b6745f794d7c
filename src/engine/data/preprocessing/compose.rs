//! torchvision's `Compose(...)`, as it is printed or written: a resize, a cut, numbers, a normalisation.

use serde::Deserialize;
use serde_json::Value;

use super::printed::Call;
use super::read::{Reason, interpolation_of};
use super::{Channels, Preprocessing, Resize, Size};

/// What is read, for messages.
const READ: &str = "Grayscale, Resize, CenterCrop, ToTensor (or ToImage and ToDtype) and Normalize";
const OTHERWISE: &str = "write a TOML file with a table [input]";

/// How far the steps have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Picture,
    Resized,
    Cut,
    Numbers,
    Normalized,
}

/// The steps so far.
struct Steps {
    reached: Reached,
    read: Preprocessing,
}

/// From the steps of a `Compose` or `Sequential`.
pub(super) fn of(whole: &Call) -> Reason<Preprocessing> {
    let mut steps = Steps {
        reached: Reached::Picture,
        read: Preprocessing {
            resize: Some(Resize::None),
            ..Preprocessing::default()
        },
    };
    for call in whole.calls() {
        steps
            .step(call)
            .map_err(|reason| format!("{} in {}: {reason}", call.name, whole.name))?;
    }
    let Steps { reached, mut read } = steps;
    if reached < Reached::Numbers {
        return Err(format!(
            "{} without ToTensor: how bytes become numbers is not said; add it, or {OTHERWISE}",
            whole.name
        ));
    }
    let mean = read.mean.get_or_insert_with(|| vec![0.0]);
    // One number goes with any channels: they stay as they come.
    if read.channels.is_none() && mean.len() > 1 {
        read.channels = Some(Channels::Rgb);
    }
    read.std.get_or_insert_with(|| vec![1.0]);
    Ok(read)
}

impl Steps {
    fn step(&mut self, call: &Call) -> Reason<()> {
        match &*call.name {
            "Grayscale" => {
                self.reach(Reached::Picture)?;
                match call.value("num_output_channels", 0).map(Value::as_u64) {
                    None | Some(Some(1)) => self.read.channels = Some(Channels::Gray),
                    Some(_) => return Err(format!("expected one channel; {OTHERWISE}")),
                }
            }
            "Resize" => {
                self.reach(Reached::Resized)?;
                self.resize(call)?;
            }
            "CenterCrop" => {
                self.reach(Reached::Cut)?;
                let (height, width) = sides(call)?;
                let width = width.unwrap_or(height);
                self.read.crop = Some(Size { height, width });
            }
            // Bytes still, in another container.
            "ToImage" | "PILToTensor" => self.before(Reached::Numbers)?,
            "ToTensor" | "MaybeToTensor" | "ToDtype" | "ConvertImageDtype" => {
                self.reach(Reached::Numbers)?;
                if call.name == "ToDtype" && call.value("scale", 1) != Some(&Value::Bool(true)) {
                    self.read.pixel_scale = Some(1.0);
                }
            }
            "Normalize" => {
                if self.reached < Reached::Numbers {
                    return Err("expected behind ToTensor; put it there".into());
                }
                self.reach(Reached::Normalized)?;
                self.read.mean = Some(numbers(call, "mean", 0)?);
                self.read.std = Some(numbers(call, "std", 1)?);
            }
            random if random.starts_with("Random") || random.ends_with("Aug") => {
                return Err("it is for training; give the transform of test images".into());
            }
            _ => return Err(format!("not read here, only {READ}; {OTHERWISE}")),
        }
        Ok(())
    }

    /// Refuses a step that comes twice, or behind one that it must precede.
    fn reach(&mut self, step: Reached) -> Reason<()> {
        let again = step != Reached::Picture && step == self.reached;
        if again {
            return Err(format!("it comes twice; {OTHERWISE}"));
        }
        if step < self.reached {
            return Err(format!(
                "its place is another: expected {READ}, in this order; {OTHERWISE}"
            ));
        }
        self.reached = step;
        Ok(())
    }

    fn before(&self, step: Reached) -> Reason<()> {
        if self.reached < step {
            return Ok(());
        }
        Err(format!("expected before ToDtype or ToTensor; {OTHERWISE}"))
    }

    fn resize(&mut self, call: &Call) -> Reason<()> {
        if call.value("max_size", 2).is_some() {
            return Err(format!("max_size is not done here; {OTHERWISE}"));
        }
        let filter = call.value("interpolation", 1);
        self.read.interpolation = Some(match filter {
            Some(found) => interpolation_of(found, "interpolation")?,
            None => super::Interpolation::Bilinear,
        });
        match sides(call)? {
            (side, None) => self.read.resize = Some(Resize::Shorter(side)),
            (height, Some(width)) => {
                self.read.resize = Some(Resize::Exact);
                self.read.size = Some(Size { height, width });
            }
        }
        Ok(())
    }
}

/// One side, or rows and columns.
fn sides(call: &Call) -> Reason<(usize, Option<usize>)> {
    let expected = || "size: expected pixels, as in 224, or rows and columns, as in (224, 192)";
    let side = |value: &Value| value.as_u64().and_then(|side| usize::try_from(side).ok());
    let found = call.value("size", 0).ok_or_else(expected)?;
    let list = found
        .as_array()
        .map_or(std::slice::from_ref(found), |l| &**l);
    let sides: Option<Vec<usize>> = list.iter().map(side).collect();
    match sides.as_deref() {
        Some(&[side]) => Ok((side, None)),
        Some(&[height, width]) => Ok((height, Some(width))),
        _ => Err(expected().into()),
    }
}

/// The numbers under a key; timm prints them as `tensor([...])`.
fn numbers(call: &Call, key: &str, place: usize) -> Reason<Vec<f32>> {
    let expected = || format!("{key}: expected a number a channel, as in [0.5, 0.5, 0.5]");
    let given = call.given.iter();
    let tensor = given
        .filter(|given| given.key.as_deref() == Some(key))
        .find_map(|given| match &given.what {
            super::printed::What::Calls(calls) => {
                calls.first().filter(|call| call.name == "tensor")
            }
            super::printed::What::Value(_) => None,
        });
    let found = match tensor {
        Some(tensor) => tensor.value("data", 0),
        None => call.value(key, place),
    };
    let read = Vec::<f32>::deserialize(found.ok_or_else(expected)?);
    read.map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::super::printed;
    use super::*;

    fn read(text: &str) -> Reason<Preprocessing> {
        of(&printed::read(text)?)
    }

    const NORMALIZE: &str = "Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])";

    fn own(text: &str) -> Preprocessing {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_compose_prints_and_what_is_written_is_the_same() {
        let usual = own(
            "resize = \"shorter=256\"\ncrop = 224\ninterpolation = \"bilinear\"\n\
            channels = \"rgb\"\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]",
        );
        for text in [
            format!(
                "Compose(\n    Resize(size=256, interpolation=bilinear, max_size=None, \
                 antialias=True)\n    CenterCrop(size=(224, 224))\n    ToTensor()\n    {NORMALIZE}\n)\n"
            ),
            format!(
                "transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), \
                 transforms.ToTensor(), transforms.{NORMALIZE}])"
            ),
            format!(
                "Compose(\n      Resize(size=[256], interpolation=InterpolationMode.BILINEAR, \
                 antialias=True)\n      CenterCrop(size=(224, 224))\n      ToImage()\n      \
                 ToDtype(scale=True)\n      {NORMALIZE}\n)"
            ),
            "Compose(\n    Resize(size=256, interpolation=bilinear, max_size=None, antialias=True)\n\
                 CenterCrop(size=(224, 224))\n    MaybeToTensor()\n    Normalize(mean=tensor([0.4850, \
                 0.4560, 0.4060]), std=tensor([0.2290, 0.2240, 0.2250]))\n)"
                .to_owned(),
        ] {
            assert_eq!(read(&text).unwrap(), usual, "{text}");
        }
    }

    #[test]
    fn other_steps_are_understood() {
        let exact =
            read("Compose(Grayscale(num_output_channels=1) Resize(size=(28, 30)) ToTensor())");
        let expected = "resize = \"exact\"\nsize = [28, 30]\ninterpolation = \"bilinear\"\n\
            channels = \"gray\"\nmean = [0]\nstd = [1]";
        assert_eq!(exact.unwrap(), own(expected));
        let one = read("Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])");
        assert_eq!(
            one.unwrap(),
            own("resize = \"none\"\nmean = [0.1307]\nstd = [0.3081]")
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused_by_its_name() {
        for (text, expected) in [
            ("Compose()", "without ToTensor"),
            (
                "Compose(ToTensor() Resize(size=3))",
                "Resize in Compose: its place",
            ),
            (
                "Compose(CenterCrop(3) Resize(3) ToTensor())",
                "its place is another",
            ),
            ("Compose(Resize(3) Resize(3) ToTensor())", "comes twice"),
            (
                "Compose(RandomCrop(3) ToTensor())",
                "RandomCrop in Compose: it is for training",
            ),
            (
                "Compose(Pad(3) ToTensor())",
                "Pad in Compose: not read here",
            ),
            (
                "Compose(Normalize([0.5], [0.5]) ToTensor())",
                "behind ToTensor",
            ),
            ("Compose(Resize(3, max_size=5) ToTensor())", "max_size"),
            (
                "Compose(Resize(3, interpolation=cubic) ToTensor())",
                "expected a filter",
            ),
            (
                "Compose(Resize(size=x) ToTensor())",
                "size: expected pixels",
            ),
            (
                "Compose(ToTensor() Normalize(mean=x, std=[1]))",
                "mean: expected a number a channel",
            ),
            ("Compose(ToTensor() Normalize(mean=[0.5", "ends too early"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }
}
