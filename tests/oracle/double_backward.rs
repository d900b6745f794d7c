//! Hessian products against candle's own double backward, in float64. Its switch is an environment
//! variable that is read once for each thread, so the reference runs in a process of its own.

use std::process::Command;

use candle_core::{DType, Device, Tensor, Var};
use hawqeye::engine::backend::ConvolutionShape;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::data::Label;
use hawqeye::engine::graph::{Graph, Operation, Parameters};
use hawqeye::engine::hessian::curvature::Curvature;
use hawqeye::engine::hessian::primal::Primal;
use hawqeye::engine::job::Silent;

use crate::cases::{Random, flat, parameters, residual, wide};
use crate::products::Plain;

pub const SWITCH: &str = "CANDLE_GRAD_DO_NOT_DETACH";
const CHILD: &str = "double_backward::hessian_products_are_those_of_double_backward";
pub const IMAGES: usize = 5;

#[test]
fn hessian_products_are_those_of_double_backward() {
    if std::env::var_os(SWITCH).is_some() {
        check("residual", &residual());
        check("flat", &flat());
        check("wide", &wide());
        return;
    }
    let program = std::env::current_exe().unwrap();
    let ran = Command::new(program)
        .args(["--exact", CHILD, "--nocapture"])
        .env(SWITCH, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
}

fn check(name: &str, graph: &Graph) {
    let mut random = Random::new(5);
    let at = parameters(graph, &mut random);
    let images = Plain {
        shape: graph.input_shape(),
        values: random.numbers(IMAGES * graph.input_shape().elements()),
        labels: (0..IMAGES)
            .map(|i| Label((i % graph.classes()) as u32))
            .collect(),
    };
    let device = Candle::float64_cpu().with_chunk(2);
    let primal = Primal::new(graph, &at, &device, &images, &mut Silent);
    let primal = primal.unwrap().unwrap();
    let mut curvature = Curvature::new(&primal);
    for (place, layer) in graph.layers().iter().enumerate() {
        let v = random.numbers(layer.parameters());
        let found = curvature.product(place, &v).unwrap();
        let expected = reference(graph, &at, &images, (layer.weight.index(), &v));
        let size = expected.iter().map(|e| e * e).sum::<f64>().sqrt();
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found - expected).abs() / size;
            assert!(
                error < 1e-10,
                "{name}, {}: {found}, expected {expected}",
                layer.name
            );
        }
    }
}

/// `H v` of the mean loss in one parameter, by candle alone.
pub fn reference(
    graph: &Graph,
    at: &Parameters,
    images: &Plain,
    (place, v): (usize, &[f64]),
) -> Vec<f64> {
    let device = Device::Cpu;
    let specs = graph.parameters().iter().zip(at.all());
    let values: Vec<Var> = specs
        .map(|(spec, values)| Var::from_slice(values, &spec.shape[..], &device).unwrap())
        .collect();
    let loss = loss(graph, &values, images).unwrap();
    let gradients = loss.backward().unwrap();
    let gradient = gradients.get(&values[place]).unwrap();
    let v = Tensor::from_slice(v, gradient.dims(), &device).unwrap();
    let along = (gradient * v).unwrap().sum_all().unwrap();
    let second = along.backward().unwrap();
    let product = second.get(&values[place]).unwrap();
    product.flatten_all().unwrap().to_vec1().unwrap()
}

/// The mean cross-entropy, written with candle's own differentiable operations.
fn loss(graph: &Graph, values: &[Var], images: &Plain) -> candle_core::Result<Tensor> {
    let device = Device::Cpu;
    let hawqeye::engine::graph::Shape::Map {
        channels,
        height,
        width,
    } = graph.input_shape()
    else {
        unreachable!("the networks here read maps");
    };
    let x = Tensor::from_slice(&images.values, (IMAGES, channels, height, width), &device)?;
    let mut wires: Vec<Tensor> = Vec::new();
    for node in graph.nodes() {
        let read = |place: usize| &wires[node.inputs[place].index()];
        wires.push(match &node.operation {
            Operation::Input(_) => x.clone(),
            Operation::Convolution(c) => {
                let y = grouped(read(0), values[c.weight.index()].as_tensor(), &c.shape)?;
                match c.bias {
                    Some(bias) => {
                        let bias = values[bias.index()].reshape((1, c.shape.out_channels, 1, 1))?;
                        y.broadcast_add(&bias)?
                    }
                    None => y,
                }
            }
            Operation::Linear(l) => {
                let y = read(0)
                    .flatten_from(1)?
                    .matmul(&values[l.weight.index()].t()?)?;
                match l.bias {
                    Some(bias) => y.broadcast_add(values[bias.index()].as_tensor())?,
                    None => y,
                }
            }
            Operation::BatchNorm(n) => {
                let of = |id: hawqeye::engine::graph::ParameterId| {
                    values[id.index()].reshape((1, n.channels, 1, 1))
                };
                let deviation = (of(n.variance)? + n.epsilon)?.sqrt()?;
                let (scale, shift) = (n.scale.unwrap(), n.shift.unwrap());
                let centred = read(0).broadcast_sub(&of(n.mean)?)?;
                let scaled = centred
                    .broadcast_div(&deviation)?
                    .broadcast_mul(&of(scale)?)?;
                scaled.broadcast_add(&of(shift)?)?
            }
            Operation::Activate(_) => read(0).relu()?,
            Operation::Add(_) => (read(0) + read(1))?,
            Operation::GlobalAveragePool(_) => read(0).mean_keepdim((2, 3))?,
            Operation::Flatten(_) => read(0).flatten_from(1)?,
            Operation::Slice(s) => every(read(0), s.region.rows.step)?,
            Operation::Pad(p) => read(0).pad_with_zeros(1, p.channels[0], p.channels[1])?,
            other => unreachable!("{} is not in these networks", other.name()),
        });
    }
    let logits = wires.last().unwrap();
    let log_p = candle_nn::ops::log_softmax(logits, 1)?;
    let labels: Vec<u32> = images.labels.iter().map(|label| label.0).collect();
    let labels = Tensor::from_vec(labels, (IMAGES, 1), &device)?;
    log_p
        .gather(&labels, 1)?
        .mean_all()?
        .neg()?
        .to_dtype(DType::F64)
}

/// A convolution group by group.
fn grouped(x: &Tensor, weight: &Tensor, shape: &ConvolutionShape) -> candle_core::Result<Tensor> {
    let of_group = |group| {
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let x = x.narrow(1, group * inputs, inputs)?;
        convolved(&x, &weight.narrow(0, group * outputs, outputs)?, shape)
    };
    let groups: candle_core::Result<Vec<_>> = (0..shape.groups).map(of_group).collect();
    Tensor::cat(&groups?, 1)
}

/// A convolution as a sum over taps; candle's own has no gradient for stride 2 on a map that is no
/// square.
fn convolved(x: &Tensor, weight: &Tensor, shape: &ConvolutionShape) -> candle_core::Result<Tensor> {
    let (stride, padding, dilation) = (shape.stride[0], shape.padding.top, shape.dilation[0]);
    let (_, _, rows, columns) = weight.dims4()?;
    let x = x
        .pad_with_zeros(2, padding, padding)?
        .pad_with_zeros(3, padding, padding)?;
    let (_, _, height, width) = x.dims4()?;
    let places = |size: usize, taps: usize| (size - dilation * (taps - 1) - 1) / stride + 1;
    let (out_rows, out_columns) = (places(height, rows), places(width, columns));
    let mut sum: Option<Tensor> = None;
    for row in 0..rows {
        for column in 0..columns {
            let tap = x.narrow(2, row * dilation, (out_rows - 1) * stride + 1)?;
            let tap = tap.narrow(3, column * dilation, (out_columns - 1) * stride + 1)?;
            let tap = every(&tap.contiguous()?, stride)?;
            let w = weight
                .narrow(2, row, 1)?
                .narrow(3, column, 1)?
                .flatten_from(1)?;
            let (images, channels, ..) = tap.dims4()?;
            let flat = tap.permute((0, 2, 3, 1))?.contiguous()?;
            let flat = flat.reshape((images * out_rows * out_columns, channels))?;
            let y = flat.matmul(&w.t()?)?;
            let y = y.reshape((images, out_rows, out_columns, weight.dims()[0]))?;
            let y = y.permute((0, 3, 1, 2))?.contiguous()?;
            sum = Some(match sum {
                Some(sum) => (sum + y)?,
                None => y,
            });
        }
    }
    Ok(sum.unwrap())
}

/// Every `stride`-th row and column.
fn every(x: &Tensor, stride: usize) -> candle_core::Result<Tensor> {
    let (_, _, rows, columns) = x.dims4()?;
    let places = |count: usize| Tensor::from_iter((0..count as u32).step_by(stride), x.device());
    x.index_select(&places(rows)?, 2)?
        .index_select(&places(columns)?, 3)
}
