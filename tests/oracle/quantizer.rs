//! Fake quantization against its definition: values on the grid by rounding half to even, gradients
//! straight through inside the range (arXiv 1308.3432), and the gradient of the step size (LSQ, arXiv
//! 1902.08153, equation 3).

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::autodiff::batch_step::{Batch, BatchStep};
use hawqeye::engine::autodiff::wanted;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::data::Label;
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::graph::operations::{BatchNormMode, Codes};
use hawqeye::engine::graph::{Builder, Parameters, Shape};
use hawqeye::engine::quant::{Bits, LayerBits, QuantizedNetwork, ScaleRule};

use crate::cases::Random;

const INPUTS: usize = 6;
const HIDDEN: usize = 9;
const CLASSES: usize = 4;

fn matrix_product(weights: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let rows = weights.chunks(x.len()).zip(bias);
    let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    rows.map(|(row, bias)| dot(row) + bias).collect()
}

fn softmax_gradient(z: &[f64], label: usize) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    let p = z.iter().enumerate();
    p.map(|(class, z)| z.exp() / sum - f64::from(u8::from(class == label)))
        .collect()
}

#[test]
fn gradients_pass_straight_through_and_the_step_learns() {
    for codes in [
        Codes::Signed(Bits::new(3).unwrap()),
        Codes::Unsigned(Bits::new(2).unwrap()),
    ] {
        check(codes);
    }
}

fn check(codes: Codes) {
    let (mut builder, image) = Builder::new(Shape::Features(INPUTS));
    let x = builder.linear("first", image, HIDDEN).unwrap();
    let q = builder.quantize("q", x, codes).unwrap();
    builder.linear("second", q, CLASSES).unwrap();
    let graph = builder.finish();
    let mut random = Random::new(3);
    let step = 0.37;
    let values: Vec<Vec<f64>> = graph
        .parameters()
        .iter()
        .map(|spec| match &*spec.name {
            "q.step" => vec![step],
            _ => random.numbers(spec.elements()),
        })
        .collect();
    let image: Vec<f64> = random.numbers(INPUTS).iter().map(|x| 2.0 * x).collect();
    let named = |name: &str| {
        let place = graph
            .parameters()
            .iter()
            .position(|spec| &*spec.name == name);
        place.unwrap()
    };
    let of = |name: &str| &values[named(name)][..];

    // By hand.
    let (low, high) = codes.range();
    let hidden = matrix_product(of("first.weight"), of("first.bias"), &image);
    let scaled: Vec<f64> = hidden.iter().map(|h| h / step).collect();
    let on_grid: Vec<f64> = scaled
        .iter()
        .map(|s| s.clamp(low, high).round_ties_even() * step)
        .collect();
    let logits = matrix_product(of("second.weight"), of("second.bias"), &on_grid);
    let at_logits = softmax_gradient(&logits, 2);
    let at_grid: Vec<f64> = (0..HIDDEN)
        .map(|h| {
            (0..CLASSES)
                .map(|c| of("second.weight")[c * HIDDEN + h] * at_logits[c])
                .sum()
        })
        .collect();
    let inside = |s: f64| (low..=high).contains(&s);
    assert!(scaled.iter().any(|s| inside(*s)) && !scaled.iter().all(|s| inside(*s)));
    let at_hidden: Vec<f64> = at_grid
        .iter()
        .zip(&scaled)
        .map(|(g, s)| if inside(*s) { *g } else { 0.0 })
        .collect();
    let slope = |s: f64| match s {
        s if s < low => low,
        s if s > high => high,
        s => s.round_ties_even() - s,
    };
    let at_step: f64 = at_grid
        .iter()
        .zip(&scaled)
        .map(|(g, s)| g * slope(*s))
        .sum();

    // By the engine.
    let parameters = Parameters::new(values.clone());
    let device = Candle::float64_cpu();
    let walk = (BatchNormMode::Running, Purpose::Train);
    let mut program = Program::new(&graph, &device, &parameters, walk).unwrap();
    let batch = Batch {
        images: image.clone(),
        labels: vec![Label(2)],
    };
    let all = wanted(&graph, |_| true);
    let mut taken = BatchStep::default();
    let found = taken
        .run(&mut program, &parameters, &batch, (&all, None))
        .unwrap();
    let gradient = |name: &str| found.gradients[named(name)].as_ref().unwrap();
    let near = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-12,
            "{codes:?}: {found}, expected {expected}"
        );
    };
    near(gradient("q.step")[0], at_step);
    for (h, expected) in at_hidden.iter().enumerate() {
        near(gradient("first.bias")[h], *expected);
        for (i, x) in image.iter().enumerate() {
            near(gradient("first.weight")[h * INPUTS + i], expected * x);
        }
    }
}

/// A linear layer whose weights are quantized to 2 bits, each output channel wider than the one before.
fn two_bits(rule: ScaleRule) -> QuantizedNetwork {
    let (mut builder, image) = Builder::new(Shape::Features(INPUTS));
    builder.linear("only", image, CLASSES).unwrap();
    let graph = builder.finish();
    let mut random = Random::new(7);
    let values = graph.parameters().iter().map(|spec| {
        let numbers = random.numbers(spec.elements()).into_iter().enumerate();
        let width = |place: usize| 1.0 + (place / INPUTS) as f64;
        numbers.map(|(place, x)| x * width(place)).collect()
    });
    let parameters = Parameters::new(values.collect());
    let bits = LayerBits {
        weights: Bits::new(2).unwrap(),
        activations: Bits::FLOAT,
    };
    QuantizedNetwork::new(&graph, &parameters, &[bits], rule).unwrap()
}

#[test]
fn weights_learn_their_steps_by_layer_and_by_channel() {
    for (rule, channels) in [(ScaleRule::Mse, 1), (ScaleRule::MseChannel, CLASSES)] {
        let network = two_bits(rule);
        let quantizer = network.quantizers[0].as_ref().unwrap();
        let weights = network.parameters.get(quantizer.weight);
        let mut random = Random::new(11);
        let upstream = random.numbers(weights.len());
        let mut gradients = vec![None; network.parameters.all().len()];
        gradients[quantizer.weight.index()] = Some(upstream.clone());
        let slopes = network.straight_through(&mut gradients);
        let slopes = slopes[0].as_ref().unwrap();
        let passed = gradients[quantizer.weight.index()].as_ref().unwrap();
        assert_eq!(slopes.len(), channels, "{rule}");
        let part = weights.len() / channels;
        for (channel, slope) in slopes.iter().enumerate() {
            let step = quantizer.grids.steps[channel];
            let mut expected = 0.0;
            for place in channel * part..(channel + 1) * part {
                // 2 bits: codes -1, 0 and 1.
                let scaled = weights[place] / step;
                let inside = scaled.abs() <= 1.0;
                let of_step = if inside {
                    scaled.round_ties_even() - scaled
                } else {
                    scaled.signum()
                };
                expected += upstream[place] * of_step;
                let through = if inside { upstream[place] } else { 0.0 };
                assert!((passed[place] - through).abs() < 1e-15, "{rule} {place}");
            }
            // Gradients come scaled by 1 / sqrt(n q), q = 1.
            expected /= (part as f64).sqrt();
            assert!((slope - expected).abs() < 1e-12, "{rule} {channel}");
        }
    }
}
