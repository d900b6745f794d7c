//! What is known of the layers of a plan: from measurements, else from the network of a run.

use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::model::Envelope;
use crate::engine::plan::{LayerFacts, Plan};
use crate::report::model::Planned;

/// Where facts of layers can come from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Measurements.
    pub measured: Option<&'a Sensitivity>,
    /// The layers of the network of a run; empty when they are not known.
    pub built: &'a [LayerFacts],
    /// What a packed file of the network of a run holds besides its layers.
    pub envelope: Option<&'a Envelope>,
}

impl Known<'_> {
    /// Adds what is known of a plan's layers.
    pub fn complete(&self, planned: &mut Planned) {
        planned.measured = self.measured.and_then(|all| aligned(all, &planned.plan));
        planned.facts = match &planned.measured {
            Some(measured) => measured.layers.iter().map(LayerFacts::from).collect(),
            None => self.built.to_vec(),
        };
        let of_measured = self.measured.and_then(|measured| measured.packed.as_ref());
        planned.envelope = self.envelope.or(of_measured).cloned();
        let names = planned.facts.iter().map(|facts| facts.name.clone());
        if !names.eq(planned.plan.names()) {
            planned.facts.clear();
        }
    }
}

/// The measurements in the order of the plan, when there are some of every layer.
fn aligned(measured: &Sensitivity, plan: &Plan) -> Option<Sensitivity> {
    let of = |name: &std::sync::Arc<str>| {
        let mut layers = measured.layers.iter();
        layers.find(|layer| layer.layer == *name).cloned()
    };
    let layers = plan.layers.iter().map(|layer| of(&layer.name));
    let layers = layers.collect::<Option<Vec<_>>>()?;
    Some(Sensitivity {
        layers,
        ..measured.clone()
    })
}
