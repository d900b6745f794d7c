//! What is known of the layers before anything is measured.

use rayon::prelude::*;

use super::{Analysis, Subject};
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::data::{Images, Selection};
use crate::engine::graph::Layer;
use crate::engine::hessian::completion::of_weights;
use crate::engine::hessian::identity::Ground;
use crate::engine::model::Model;
use crate::engine::sensitivity::{DataFacts, FORMAT, LayerSensitivity, Sensitivity};
use crate::engine::{Error, Result};

/// What is measured before the first event: facts and perturbations of every selected layer, and the
/// fingerprint that guards a resume.
///
/// # Errors
/// When a setting makes no sense or a weight is not finite.
pub fn prepare<B: Backend>(subject: &Subject<B>, settings: &Analysis) -> Result<Sensitivity> {
    settings.check()?;
    let model = subject.model;
    let ground = Ground::of(subject);
    let settings_json = settings.as_json();
    let layers = model.graph.layers();
    if layers.is_empty() {
        return Err(Error::invalid(
            "the network has no convolution and no linear layer, so there is nothing to measure or to \
             quantize; choose the file of a trained network",
        ));
    }
    let selected = layers.iter().filter(|layer| settings.selects(&layer.name));
    Ok(Sensitivity {
        format: FORMAT.to_owned(),
        version: 1,
        model: Some(ground.facts()),
        data: Some(facts(subject.images, model.graph.classes())),
        fingerprint: Some(ground.fingerprint(&settings_json)),
        identity: Some(ground.identity(settings.seed, settings.scale)),
        settings: settings_json,
        loss: None,
        accuracy: None,
        seconds: None,
        curvature: None,
        normalization: Some(ground.normalization()),
        packed: None,
        layers: selected
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|l| describe(model, l, settings))
            .collect::<Result<_>>()?,
    })
}

/// What a sensitivity file says of the images, as a sample of training images that the network sorts into
/// `classes`: the labels that come may be fewer.
fn facts(images: &Selection<'_>, classes: usize) -> DataFacts {
    let dataset = images.dataset();
    DataFacts {
        name: dataset.name.clone(),
        split: "train".to_owned(),
        samples: Some(images.len()),
        classes: Some(classes),
    }
}

fn describe(model: &Model, layer: &Layer, settings: &Analysis) -> Result<LayerSensitivity> {
    let shape = &model.graph.parameters()[layer.weight.index()].shape;
    let by_scale = of_weights(model, layer)?;
    let asked = |bits: &&u8| settings.bits.iter().any(|asked| asked.get() == **bits);
    let own = by_scale[&settings.scale].iter();
    let kind = match layer.shape {
        WeightShape::Convolution(_) => "conv2d",
        WeightShape::Linear(_) => "linear",
    };
    Ok(LayerSensitivity {
        layer: layer.name.clone(),
        kind: Some(kind.to_owned()),
        shape: shape.clone(),
        parameters: layer.parameters(),
        macs: Some(layer.macs()),
        activation_size: Some(layer.activation_size),
        reads_image: layer.reads_image,
        perturbation: own
            .filter(|(bits, _)| asked(bits))
            .map(|(&b, &e)| (b, e))
            .collect(),
        perturbation_by_scale: by_scale,
        ..LayerSensitivity::default()
    })
}
