//! The network of the steps that the outputs need, with names.

use std::collections::HashMap;

use super::super::call::Value;
use super::super::lowered::{
    Network, Normalization, Operation, Output, Parameter, ParameterId, Step,
};
use super::super::names::{self, Clues, Unique};
use super::super::origin::Values;
use super::super::view::Wire;
use super::{Draft, Translator};

impl Translator<'_> {
    pub(super) fn finish(mut self) -> Network {
        let outputs = self.outputs();
        let needed = self.needed(&outputs);
        let names = self.names(&needed);
        let mut places = vec![0; self.steps.len()];
        let mut steps = Vec::new();
        for (at, draft) in self.steps.iter().enumerate().filter(|(at, _)| needed[*at]) {
            places[at] = steps.len();
            steps.push(Step {
                name: names[at].clone(),
                source: draft
                    .node
                    .map_or_else(String::new, |node| node.operation.clone()),
                operation: draft.operation.clone(),
                inputs: draft.inputs.iter().map(|&input| places[input]).collect(),
                form: draft.form,
            });
        }
        let outputs = outputs.into_iter().map(|output| Output {
            step: output.step.map(|step| places[step]),
            ..output
        });
        let outputs = outputs.collect();
        let parameters = std::mem::take(&mut self.parameters);
        let (steps, parameters) = used(steps, &parameters);
        Network {
            container: self.graph.container,
            exporter: self.graph.exporter.clone(),
            opset: self.graph.opset,
            sha256: String::new(),
            input: self.input.name.clone(),
            layout: self.layout,
            normalization: normalization(&steps, &parameters),
            steps,
            parameters,
            outputs,
            softmax: self.softmax,
            quantizers: self.quantizers,
            counters: self.graph.counters.clone(),
            operations: self.operations,
            refused: self.refusals,
        }
    }

    /// What is answered; vectors are made of maps where they can be.
    fn outputs(&mut self) -> Vec<Output> {
        let names = self.graph.outputs.clone();
        let mut outputs = Vec::with_capacity(names.len());
        for name in names {
            let (step, shape) = match self.values.get(&name).cloned() {
                Some(Value::Wire(wire)) => {
                    let shape = wire.shape().into_iter().skip(1).collect();
                    (Some(self.answer(&wire)), shape)
                }
                Some(Value::Constant(_)) => {
                    self.refusals.push(super::Refused {
                        operation: "output".into(),
                        reason: "it does not depend on the image".into(),
                        count: 1,
                        first: name.clone(),
                    });
                    (None, Vec::new())
                }
                _ => (None, Vec::new()),
            };
            outputs.push(Output { name, step, shape });
        }
        outputs
    }

    fn answer(&mut self, wire: &Wire) -> usize {
        let is_single = wire.form.elements() == wire.form.channels();
        let is_flat = wire.is_vector() && wire.axes[1].is_sorted();
        let is_map = matches!(wire.form, super::Form::Map { .. });
        if !is_map || !(is_single || is_flat) {
            return wire.step;
        }
        self.steps.push(Draft {
            node: self.steps[wire.step].node,
            operation: Operation::Flatten,
            inputs: vec![wire.step],
            form: super::Form::Features(wire.form.elements()),
        });
        self.steps.len() - 1
    }

    /// Which steps the outputs need; all of them when an output is not known.
    fn needed(&self, outputs: &[Output]) -> Vec<bool> {
        let is_open = outputs.iter().any(|output| output.step.is_none());
        let mut needed = vec![is_open; self.steps.len()];
        needed[0] = true;
        outputs
            .iter()
            .filter_map(|output| output.step)
            .for_each(|step| needed[step] = true);
        for at in (0..self.steps.len()).rev().filter(|_| !is_open) {
            if needed[at] {
                self.steps[at]
                    .inputs
                    .iter()
                    .for_each(|&input| needed[input] = true);
            }
        }
        needed
    }

    /// Names of the needed steps, each of its own; layers have the first choice.
    fn names(&self, needed: &[bool]) -> Vec<String> {
        let rank = |draft: &Draft| match draft.operation {
            Operation::Conv { .. } | Operation::Linear { .. } => 0,
            Operation::BatchNorm { .. } | Operation::PRelu { .. } => 1,
            _ => 2,
        };
        let mut order: Vec<usize> = (0..self.steps.len()).filter(|&at| needed[at]).collect();
        order.sort_by_key(|&at| rank(&self.steps[at]));
        let mut users: HashMap<&str, usize> = HashMap::new();
        for &at in &order {
            for tensor in self.tensors(&self.steps[at]) {
                *users.entry(tensor).or_default() += 1;
            }
        }
        let mut unique = Unique::default();
        let mut names = vec![String::new(); self.steps.len()];
        for at in order {
            names[at] = unique.name(self.named(&self.steps[at], &users));
        }
        names
    }

    /// The tensor of the file that a parameter comes from.
    fn tensor(&self, id: ParameterId) -> Option<&str> {
        let origin = self.parameters[id.0].origin.as_ref()?;
        Some(&*origin.tensor)
    }

    /// The tensors that may name a step.
    fn tensors(&self, draft: &Draft) -> impl Iterator<Item = &str> {
        let ids = match draft.operation {
            Operation::Conv { weights, bias, .. } | Operation::Linear { weights, bias } => {
                [Some(weights), bias]
            }
            Operation::BatchNorm { gamma, beta, .. } => [gamma, beta],
            Operation::PRelu { slope } => [Some(slope), None],
            _ => [None, None],
        };
        ids.into_iter().flatten().filter_map(|id| self.tensor(id))
    }

    fn named(&self, draft: &Draft, users: &HashMap<&str, usize>) -> String {
        let Some(node) = draft.node else {
            return self.input.name.clone();
        };
        // Equal numbers that an exporter stored once name none of their steps.
        let tensor = |id: Option<ParameterId>| self.tensor(id?).filter(|name| users[name] == 1);
        let clues = |weights, bias| Clues {
            node,
            weights: tensor(weights),
            bias: tensor(bias),
        };
        match draft.operation {
            Operation::Conv { weights, bias, .. } | Operation::Linear { weights, bias } => {
                names::layer(&clues(Some(weights), bias))
            }
            Operation::BatchNorm { gamma, beta, .. } => names::layer(&clues(gamma, beta)),
            Operation::PRelu { slope } => names::layer(&clues(Some(slope), None)),
            _ => names::node(node),
        }
    }
}

/// The parameters that steps use, in their order.
fn used(mut steps: Vec<Step>, parameters: &[Parameter]) -> (Vec<Step>, Vec<Parameter>) {
    let mut kept = Vec::new();
    let mut keep = |id: &mut ParameterId| {
        kept.push(parameters[id.0].clone());
        *id = ParameterId(kept.len() - 1);
    };
    for step in &mut steps {
        match &mut step.operation {
            Operation::Conv { weights, bias, .. } | Operation::Linear { weights, bias } => {
                keep(weights);
                bias.iter_mut().for_each(&mut keep);
            }
            Operation::BatchNorm {
                gamma,
                beta,
                mean,
                variance,
                ..
            } => {
                gamma.iter_mut().for_each(&mut keep);
                beta.iter_mut().for_each(&mut keep);
                keep(mean);
                keep(variance);
            }
            Operation::Scale { factor, shift } => {
                factor.iter_mut().for_each(&mut keep);
                shift.iter_mut().for_each(&mut keep);
            }
            Operation::PRelu { slope } => keep(slope),
            _ => {}
        }
    }
    (steps, kept)
}

fn normalization(steps: &[Step], parameters: &[Parameter]) -> Normalization {
    let is_kept = |(at, step): (usize, &Step)| match step.operation {
        Operation::BatchNorm { .. } => true,
        // A factor for each channel behind a layer is what is left of one.
        Operation::Scale {
            factor: Some(_), ..
        } => at > 0 && steps[step.inputs[0]].operation.weights().is_some(),
        _ => false,
    };
    let kept = steps.iter().enumerate().any(is_kept);
    let mut weights = steps.iter().filter_map(|step| step.operation.weights());
    let folded = weights.any(|id| {
        let origin = parameters[id.0].origin.as_ref();
        origin.is_some_and(|origin| origin.values == Values::Folded)
    });
    match (kept, folded) {
        (true, true) => Normalization::Mixed,
        (true, false) => Normalization::Kept,
        (false, true) => Normalization::Folded,
        (false, false) => Normalization::None,
    }
}
