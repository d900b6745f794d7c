//! What a run is: its inputs and settings, written once into its folder, compared before a resume.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use super::stages::Stage;
use super::{Request, Subject};
use crate::engine::counts::counted;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{Dataset, Normalization, Reading, image_shape};
use crate::engine::graph::{Graph, Shape};
use crate::engine::model::check_sizes;
use crate::engine::plan::Plan;
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::{Error, Result};

/// Value of the `format` key.
pub const FORMAT: &str = "hawqeye/run";

/// What a run is; `settings.json` of its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always [`FORMAT`].
    pub format: String,
    /// Schema version, 1.
    pub version: u32,
    /// Version of the program that started it.
    pub program: String,
    /// Device it was started on.
    pub device: String,
    /// The float network.
    pub model: ModelRecord,
    /// The images.
    pub data: DataRecord,
    /// How step sizes of weights are first chosen.
    pub scale: ScaleRule,
    /// `weight bits/activation bits` of each layer, in order.
    pub plan: Vec<(Arc<str>, String)>,
    /// Layers that are quantized together, in the order of the stages.
    pub stages: Vec<Vec<Arc<str>>>,
    /// How it is trained.
    pub settings: Settings,
    /// Where it went on with another program or device: numbers may differ from there in their last
    /// digits from those of an undisturbed run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continued: Vec<Continued>,
}

/// A run went on elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// Training steps behind it.
    pub step: u64,
    /// Version of the program from there on.
    pub program: String,
    /// Device from there on.
    pub device: String,
}

/// The float network of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// What the network is called.
    pub name: String,
    /// Identity of its graph, which lies beside the settings; absent in runs of older programs, which
    /// have presets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// Channels, rows and columns of an image.
    pub image: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// Trainable parameters.
    pub parameters: usize,
}

/// The images of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Data set name.
    pub name: String,
    /// SHA-256 of the training images.
    pub train_sha256: String,
    /// SHA-256 of the test images.
    pub test_sha256: String,
    /// Their normalisation.
    pub normalization: Normalization,
    /// How pictures were resized, cut and turned before.
    #[serde(default, skip_serializing_if = "Preprocessing::is_empty")]
    pub preprocessing: Preprocessing,
}

impl Record {
    /// Of what is asked for.
    ///
    /// # Errors
    /// When plan, stages, images and network do not belong together, or a setting is impossible.
    pub fn new(subject: &Subject, request: &Request, device: String) -> Result<Self> {
        request.settings.check()?;
        let names = check_plan(subject.graph, request.plan)?;
        let quantized = request.plan.layers.iter().map(|layer| {
            let float = layer.weight_bits.is_float() && layer.activation_bits.is_float();
            (&*layer.name, !float)
        });
        check_stages(quantized, request.stages)?;
        check_images(subject.graph, subject.train)?;
        check_images(subject.graph, subject.test)?;
        let stage = |stage: &Stage| stage.iter().map(|&layer| names[layer].clone()).collect();
        let Subject { train, test, .. } = subject;
        let layers = request.plan.layers.iter();
        Ok(Self {
            format: FORMAT.to_owned(),
            version: 1,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            device,
            model: ModelRecord {
                name: subject.name.to_owned(),
                identity: Some(subject.graph.identity()),
                weights_sha256: subject.weights_sha256.to_owned(),
                image: [train.channels, train.height, train.width],
                classes: subject.graph.classes(),
                parameters: subject.graph.trainable_count(),
            },
            data: DataRecord {
                name: train.name.clone(),
                train_sha256: train.checksum(),
                test_sha256: test.checksum(),
                normalization: subject.normalization.clone(),
                preprocessing: train.origin.geometry.clone(),
            },
            scale: request.plan.scale,
            plan: layers
                .map(|layer| {
                    let bits = format!("{}/{}", layer.weight_bits, layer.activation_bits);
                    (layer.name.clone(), bits)
                })
                .collect(),
            stages: request.stages.iter().map(stage).collect(),
            settings: request.settings.clone(),
            continued: Vec::new(),
        })
    }

    /// Notes that the run goes on from a step as `now`; in what that differs from what it was trained
    /// with before, each as a phrase.
    pub fn go_on(&mut self, step: u64, now: &Self) -> Vec<String> {
        self.continued.retain(|earlier| earlier.step < step);
        let last = self.continued.last();
        let program = last.map_or(&self.program, |last| &last.program);
        let device = last.map_or(&self.device, |last| &last.device);
        let pairs = [
            ("device", device, &now.device),
            ("program version", program, &now.program),
        ];
        let different = pairs.into_iter().filter(|(_, there, here)| there != here);
        let phrases: Vec<String> = different
            .map(|(what, there, here)| format!("{what} {there}, and goes on with {here}"))
            .collect();
        if !phrases.is_empty() {
            self.continued.push(Continued {
                step,
                program: now.program.clone(),
                device: now.device.clone(),
            });
        }
        phrases
    }

    /// Refuses what no run can have begun with, wherever it was read.
    ///
    /// # Errors
    /// A sentence naming the setting.
    pub fn check(&self) -> Result<()> {
        self.settings.check()?;
        let Normalization {
            pixel_scale,
            mean,
            std,
        } = self.data.normalization.clone();
        Normalization::new(mean, std)?.scaled(pixel_scale)?;
        self.data.preprocessing.check()?;
        let [channels, height, width] = self.model.image;
        let image = Shape::map(channels, height, width);
        check_sizes(image, self.model.classes)?;
        let means = self.data.normalization.mean.len();
        if means != channels {
            return Err(Error::invalid(format!(
                "images of {image}, but the normalisation has {}; the settings were changed: put \
                 them back",
                counted(means, "channel")
            )));
        }
        let float = format!("{0}/{0}", Bits::FLOAT);
        let layers = self.plan.iter();
        let quantized = layers.map(|(name, bits)| (&**name, *bits != float));
        check_stages(quantized, &self.stage_layers()?)
    }

    /// How images are read for the network of the run; `lists` says which label means what.
    #[must_use]
    pub fn reading(&self, lists: Reading) -> Reading {
        let [channels, height, width] = self.model.image;
        Reading {
            preprocessing: self.data.preprocessing.clone(),
            expected: Some(Shape::map(channels, height, width)),
            ..lists
        }
    }

    /// The stages by place of their layers in the plan.
    ///
    /// # Errors
    /// When a stage names a layer that the plan does not have.
    pub fn stage_layers(&self) -> Result<Vec<Stage>> {
        let position = |name: &Arc<str>| {
            let found = self.plan.iter().position(|(layer, _)| layer == name);
            found.ok_or_else(|| Error::invalid(format!("stage of unknown layer {name}")))
        };
        self.stages
            .iter()
            .map(|stage| stage.iter().map(position).collect())
            .collect()
    }

    /// In what the run `other` asks for differs from this one, each as a phrase; program, device and
    /// changes of the learning rate under way may differ.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let both_know = self.model.identity.is_some() && other.model.identity.is_some();
        let value = |record: &Self| {
            let mut record = Self {
                program: String::new(),
                device: String::new(),
                ..record.clone()
            };
            record.settings.rates.clear();
            record.continued.clear();
            if !both_know {
                record.model.identity = None;
            }
            serde_json::to_value(record).unwrap_or_default()
        };
        let mut found = Vec::new();
        compare("", (&value(self), &value(other)), &mut found);
        found
    }
}

/// Notes where two values differ.
fn compare(path: &str, (there, here): (&Value, &Value), found: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path} {key}")
                };
                let other = b.get(key).unwrap_or(&Value::Null);
                compare(&path, (value, other), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() && path == "plan" => {
            for (a, b) in a.iter().zip(b).filter(|(a, b)| a != b) {
                found.push(format!("plan {a} there, {b} now"));
            }
        }
        (a, b) if a != b => {
            let path = path.replace('_', " ");
            found.push(match (a, b) {
                (Value::Array(_), _) | (_, Value::Array(_)) => format!("{path} differ"),
                _ => format!("{path} {} there, {} now", told(a), told(b)),
            });
        }
        _ => {}
    }
}

/// A value; of a checksum its beginning.
fn told(value: &Value) -> String {
    const SHOWN: usize = 12;
    let hash = value.as_str().filter(|text| text.len() == 64);
    match hash.and_then(|hash| hash.get(..SHOWN)) {
        Some(begin) => format!("{begin}..."),
        None => value.to_string(),
    }
}

fn check_plan(graph: &Graph, plan: &Plan) -> Result<Vec<Arc<str>>> {
    let names: Vec<Arc<str>> = graph.layers().iter().map(|l| l.name.clone()).collect();
    if plan.names() == names {
        return Ok(names);
    }
    Err(Error::invalid(format!(
        "the plan is for {} from {}, the network has {} from {}; make the plan anew for this network",
        counted(plan.layers.len(), "layer"),
        plan.layers.first().map_or("none", |layer| &layer.name),
        names.len(),
        names.first().map_or("none", |name| name),
    )))
}

fn check_stages<'a>(
    layers: impl ExactSizeIterator<Item = (&'a str, bool)>,
    stages: &[Stage],
) -> Result<()> {
    let mut entered = vec![0; layers.len()];
    for &layer in stages.iter().flatten() {
        let Some(count) = entered.get_mut(layer) else {
            return Err(Error::invalid(format!(
                "a stage holds layer {layer}, but the plan has {}",
                layers.len()
            )));
        };
        *count += 1;
    }
    for ((layer, quantized), count) in layers.zip(entered) {
        if count > 1 || (quantized && count == 0) {
            return Err(Error::invalid(format!(
                "layer {layer} is in {count} stages: expected one"
            )));
        }
    }
    if stages.is_empty() {
        return Err(Error::invalid("no stage: expected at least one"));
    }
    Ok(())
}

fn check_images(graph: &Graph, images: &Dataset) -> Result<()> {
    let shape = image_shape(images);
    if !images.suits(graph.input_shape()) || images.classes > graph.classes() || images.is_empty() {
        return Err(Error::invalid(format!(
            "{} has {} of {shape} in {}, but the network reads {} and knows {}; choose other images \
             with --data",
            images.name,
            counted(images.len(), "image"),
            counted(images.classes, "class"),
            graph.input_shape(),
            counted(graph.classes(), "class")
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            format: FORMAT.into(),
            version: 1,
            program: "0.1.0".into(),
            device: "cpu".into(),
            continued: Vec::new(),
            model: ModelRecord {
                name: "resnet20".into(),
                identity: None,
                weights_sha256: "ab".into(),
                image: [3, 32, 32],
                classes: 10,
                parameters: 5,
            },
            data: DataRecord {
                name: "cifar10".into(),
                train_sha256: "cd".into(),
                test_sha256: "ef".into(),
                normalization: Normalization::new(vec![0.5], vec![0.25]).unwrap(),
                preprocessing: Preprocessing::default(),
            },
            scale: ScaleRule::Mse,
            plan: vec![("a".into(), "2/4".into()), ("b".into(), "3/4".into())],
            stages: vec![vec!["b".into()], vec!["a".into()]],
            settings: Settings::default(),
        }
    }

    #[test]
    fn a_record_survives_a_round_trip_and_equals_itself_on_another_device() {
        let text = serde_json::to_string_pretty(&record()).unwrap();
        let mut read: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(read, record());
        read.device = "cuda".into();
        assert!(record().differences(&read).is_empty());
        assert_eq!(read.stage_layers().unwrap(), [vec![1], vec![0]]);
    }

    #[test]
    fn every_difference_is_named() {
        let mut other = record();
        other.settings.learning_rate = 0.02;
        other.plan[1].1 = "4/4".into();
        other.model.weights_sha256 = "00".into();
        other.stages.reverse();
        let found = record().differences(&other);
        let expected = [
            "model weights sha256 \"ab\" there, \"00\" now",
            "plan [\"b\",\"3/4\"] there, [\"b\",\"4/4\"] now",
            "stages differ",
            "settings learning rate 0.01 there, 0.02 now",
        ];
        assert_eq!(found, expected);
    }
}
