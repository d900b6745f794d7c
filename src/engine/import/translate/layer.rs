//! Convolutions and products with a matrix.

use super::super::call::{Constant, Value};
use super::super::evaluate;
use super::super::lowered::{Form, Layout, Operation};
use super::super::origin::{Turn, Values};
use super::super::source::{Node, Read};
use super::super::tensor::{Tensor, spelled};
use super::super::view::Wire;
use super::pooling::Placing;
use super::{Parsed, Translator};
use crate::engine::counts::counted;

/// A convolution as the file has it.
pub(super) struct Convolution {
    /// What it reads.
    pub input: Wire,
    /// Output channels x input channels of a group x rows x columns.
    pub weights: Constant,
    /// One number an output channel.
    pub bias: Option<Constant>,
    /// Where the kernel goes; its extents are those of the weights.
    pub placing: Placing,
    /// Groups of channels.
    pub groups: usize,
}

/// A product with a matrix as the file has it.
pub(super) struct Product {
    /// What it reads.
    pub input: Wire,
    /// Outputs x inputs.
    pub weights: Constant,
    /// One number an output.
    pub bias: Option<Constant>,
}

impl<'g> Translator<'g> {
    pub(super) fn convolution(&mut self, node: &'g Node, of: Convolution) -> Parsed {
        let input = self.as_images(node, &of.input)?;
        self.convolved(node, Convolution { input, ..of })
    }

    /// A convolution of a map, whichever layout the file has.
    fn convolved(&mut self, node: &'g Node, of: Convolution) -> Parsed {
        let (input, layout) = self.as_map(node, &of.input)?;
        let &[outputs, inputs, rows, columns] = &of.weights.tensor.shape[..] else {
            return Err(format!(
                "its weights are of shape {}: expected a kernel of rows and columns",
                spelled(&of.weights.tensor.shape)
            ));
        };
        let channels = input.form.channels();
        let fits = of.groups > 0
            && outputs > 0
            && outputs % of.groups == 0
            && inputs.checked_mul(of.groups) == Some(channels);
        if !fits {
            return Err(format!(
                "weights of shape {} in {} do not go with {}",
                spelled(&of.weights.tensor.shape),
                counted(of.groups, "group"),
                counted(channels, "channel")
            ));
        }
        let (source, around) = self.without_pad(input.step);
        let form = self.steps[source].form;
        let mut window = of.placing.window([rows, columns], input.form)?;
        for (pad, more) in window.pads.iter_mut().zip(around) {
            *pad = pad.checked_add(more).ok_or("its padding is too large")?;
        }
        let out = super::pooling::placed(&window, form, outputs)?;
        let weights = self.layer_weights(node, &of.weights, of.bias.is_some())?;
        let shape = [outputs, inputs, rows, columns];
        let weights = self.parameter(&shape, &weights)?;
        let bias = self.bias(of.bias, outputs)?;
        let operation = Operation::Conv {
            weights,
            bias,
            window,
            groups: of.groups,
        };
        let step = self.step(node, operation, &[source], out);
        Ok(vec![Value::Wire(Wire::map(step, out, self.batch, layout))])
    }

    /// The wire before zeros that were put around a map, and how many.
    fn without_pad(&self, step: usize) -> (usize, [usize; 4]) {
        match self.steps[step].operation {
            Operation::Pad {
                pads,
                channels: [0, 0],
                value: 0.0,
            } => (self.steps[step].inputs[0], pads),
            _ => (step, [0; 4]),
        }
    }

    pub(super) fn product(&mut self, node: &'g Node, of: Product) -> Parsed {
        let &[outputs, inputs] = &of.weights.tensor.shape[..] else {
            return Err(format!(
                "its weights are of shape {}: expected a matrix",
                spelled(&of.weights.tensor.shape)
            ));
        };
        let wire = &of.input;
        if wire.axes.len() == 4 && wire.layout() == Some(Layout::ChannelsLast) {
            return self.product_of_channels(node, of);
        }
        if !wire.is_vector() || wire.shape()[1] != inputs || outputs == 0 {
            return Err(format!(
                "it multiplies {} by weights of shape {}: expected vectors of as many features",
                spelled(&wire.shape()),
                spelled(&of.weights.tensor.shape)
            ));
        }
        let mut weights = of.weights;
        let mut wire = wire.clone();
        if !wire.axes[1].is_sorted() {
            weights = in_channel_order(&weights, &wire, self)?;
            wire.axes[1].sort_unstable();
        }
        let input = self.as_features(node, &wire)?;
        let weights = self.layer_weights(node, &weights, of.bias.is_some())?;
        let weights = self.parameter(&[outputs, inputs], &weights)?;
        let bias = self.bias(of.bias, outputs)?;
        let operation = Operation::Linear { weights, bias };
        let step = self.step(node, operation, &[input.step], Form::Features(outputs));
        Ok(vec![Value::Wire(Wire::features(step, outputs, self.batch))])
    }

    /// A product along the channels of a map is a convolution of 1x1.
    fn product_of_channels(&mut self, node: &'g Node, of: Product) -> Parsed {
        let mut shape = of.weights.tensor.shape.clone();
        shape.extend([1, 1]);
        let weights = Constant {
            tensor: of.weights.tensor.reshaped(shape),
            origin: of.weights.origin,
        };
        let convolution = Convolution {
            input: of.input,
            weights,
            bias: of.bias,
            placing: Placing::default(),
            groups: 1,
        };
        self.convolved(node, convolution)
    }

    /// One number an output; nothing for zeros that an exporter made.
    pub(super) fn bias(
        &mut self,
        bias: Option<Constant>,
        outputs: usize,
    ) -> Read<Option<super::ParameterId>> {
        let Some(bias) = bias else {
            return Ok(None);
        };
        let values = bias.tensor.to_floats();
        if bias.origin.is_none() && values.iter().all(|&value| value == 0.0) {
            return Ok(None);
        }
        // One number an image, of as many images as there are outputs, is none.
        if values.len() != outputs || bias.tensor.shape.last() != Some(&outputs) {
            return Err(format!(
                "a bias of shape {} does not go with {}",
                spelled(&bias.tensor.shape),
                counted(outputs, "output")
            ));
        }
        self.parameter(&[outputs], &bias).map(Some)
    }

    /// The weights of a layer, marked where a normalisation was folded into them, and noted as used.
    fn layer_weights(&mut self, node: &Node, weights: &Constant, has_bias: bool) -> Read<Constant> {
        let mut weights = weights.clone();
        let Some(origin) = &mut weights.origin else {
            return Ok(weights);
        };
        if is_folded(node, &origin.tensor, has_bias) {
            origin.values = Values::Folded;
        }
        let used = self.layers.entry(origin.tensor.clone()).or_insert(0);
        *used += 1;
        if *used > 1 {
            return Err(format!(
                "the weights {} are used twice, which is not supported; give every layer its own",
                origin.tensor
            ));
        }
        Ok(weights)
    }
}

/// Whether an exporter says, by a rule or by a name, that it put a normalisation into the weights.
fn is_folded(node: &Node, tensor: &str, has_bias: bool) -> bool {
    // The old exporter of PyTorch gives new names to what it folds, TensorFlow's optimizer too.
    let old = has_bias && tensor.starts_with(super::super::names::MADE) && node.operation == "Conv";
    let tensorflow = tensor.contains("/merged_input");
    node.rules.contains("BatchNorm") || old || tensorflow
}

/// Weights whose inputs are brought from the order of a flattened map in the file to ours.
fn in_channel_order(weights: &Constant, wire: &Wire, of: &Translator) -> Read<Constant> {
    let outputs = weights.tensor.shape[0];
    let axes = &wire.axes[1];
    let mut shape = vec![outputs];
    shape.extend(axes.iter().map(|&axis| wire.extent(axis)));
    let mut order: Vec<usize> = (1..shape.len()).collect();
    order.sort_by_key(|&at| axes[at - 1]);
    order.insert(0, 0);
    let parted = weights.tensor.reshaped(shape);
    let turned = evaluate::permuted(&parted, &order, &of.budget)?;
    let turn = Turn {
        shape: parted.shape,
        order,
    };
    let origin = weights.origin.as_ref();
    Ok(Constant {
        tensor: turned.reshaped(weights.tensor.shape.clone()),
        origin: origin.map(|origin| origin.turned(turn)),
    })
}

/// A matrix turned to outputs x inputs.
pub(super) fn turned(matrix: &Constant, of: &Translator) -> Read<Constant> {
    if matrix.tensor.shape.len() != 2 {
        let shape = spelled(&matrix.tensor.shape);
        return Err(format!(
            "its weights are of shape {shape}: expected a matrix"
        ));
    }
    let turn = Turn {
        shape: matrix.tensor.shape.clone(),
        order: vec![1, 0],
    };
    let origin = matrix.origin.as_ref();
    Ok(Constant {
        tensor: evaluate::permuted(&matrix.tensor, &turn.order, &of.budget)?,
        origin: origin.map(|origin| origin.turned(turn)),
    })
}

/// Numbers times a factor.
pub(super) fn scaled(constant: &Constant, factor: f32) -> Constant {
    if factor == 1.0 {
        return constant.clone();
    }
    let values = constant.tensor.to_floats();
    let values = values.iter().map(|value| value * factor).collect();
    Constant {
        tensor: Tensor::floats(constant.tensor.shape.clone(), values),
        origin: constant
            .origin
            .as_ref()
            .map(|origin| origin.then(Values::Folded)),
    }
}
