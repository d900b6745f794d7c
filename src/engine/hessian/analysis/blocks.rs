//! What depends on the layers' blocks of the Hessian: traces and eigenvalues.

use super::{Analysis, Work};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::hessian::lanczos::{self, Stopping};
use crate::engine::hessian::metric::Metric;
use crate::engine::hessian::primal::Primal;
use crate::engine::hessian::rows::Rows;
use crate::engine::hessian::sensitivity::{CurvatureFacts, LayerSensitivity};
use crate::engine::hessian::sweep::{Block, sweep};
use crate::engine::hessian::trace::Trace;
use crate::engine::job::{Event, Observer, Phase, Verdict};

impl Work<'_> {
    /// Whether an entry lacks its trace, its eigenvalue.
    fn lacks(&self, index: usize) -> [bool; 2] {
        let layer = &self.state.layers[index];
        [
            self.settings.measures(Metric::Trace) && layer.trace.is_none(),
            self.settings.measures(Metric::Eigenvalue) && layer.eigenvalue.is_none(),
        ]
    }

    /// Measures what depends on the layers' blocks: traces and eigenvalues.
    pub(super) fn blocks<B: Backend>(
        &mut self,
        primal: &Primal<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len();
        let unfinished: Vec<usize> = (0..total)
            .filter(|&index| self.lacks(index) != [false; 2])
            .collect();
        if unfinished.is_empty() {
            return Ok(Verdict::Continue);
        }
        let rows = choose_rows(primal, self.settings);
        self.state.curvature = Some(CurvatureFacts {
            images: rows.images.len(),
            rows: rows.count(),
            left_out: rows.left_out,
        });
        let places = unfinished.iter().map(|&index| {
            let name = &self.state.layers[index].layer;
            position(primal, name)
        });
        let places: Vec<usize> = places.collect();
        let traces = unfinished.iter().any(|&index| self.lacks(index)[0]);
        let mut remaining = unfinished.into_iter();
        let mut visit = |place: usize, block: &mut Block<B>, observer: &mut dyn Observer| {
            let index = remaining.next();
            let index = index.expect("invariant: the sweep visits what it was given");
            self.measure((index, place), block, observer)
        };
        sweep((primal, &rows), (&places, traces), &mut visit, observer)
    }

    fn measure<B: Backend>(
        &mut self,
        (index, place): (usize, usize),
        block: &mut Block<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let [trace, eigenvalue] = self.lacks(index);
        if trace {
            let trace = block.trace();
            let trace = trace.expect("invariant: the sweep was asked for traces");
            self.state.layers[index].take_trace(trace);
        }
        if eigenvalue && self.eigenvalue((index, place), block, observer)? == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
        (self.save)(self.state)?;
        let (done, total) = (index as u64 + 1, self.state.layers.len() as u64);
        let phase = if eigenvalue {
            Phase::Eigenvalue
        } else {
            Phase::Trace
        };
        let verdicts = [
            self.finish(index, observer),
            observer.on(Event::Progress { phase, done, total }),
        ];
        Ok(if verdicts.contains(&Verdict::Stop) {
            Verdict::Stop
        } else {
            Verdict::Continue
        })
    }

    /// Finds the eigenvalue of an entry; asks to stop where that happened before it converged.
    fn eigenvalue<B: Backend>(
        &mut self,
        (index, place): (usize, usize),
        block: &mut Block<B>,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let name = self.state.layers[index].layer.clone();
        let size = self.state.layers[index].parameters;
        let mut watch = |iteration: usize, value: f64, residual: f64| {
            observer.on(Event::Eigenvalue {
                layer: name.clone(),
                iteration,
                value,
                residual,
            })
        };
        let pair = eigenpair(block, (place, size), self.settings, &mut watch)?;
        if pair.stopped && !pair.converged {
            return Ok(Verdict::Stop);
        }
        self.state.layers[index].take_eigenpair(pair);
        Ok(Verdict::Continue)
    }
}

/// Where a layer stands in the network.
pub(in crate::engine::hessian) fn position<B: Backend>(primal: &Primal<B>, name: &str) -> usize {
    let found = primal
        .layers()
        .iter()
        .position(|layer| &*layer.name == name);
    found.expect("invariant: the sensitivity lists layers of this network")
}

/// The rows of the factor that the settings ask for.
pub(in crate::engine::hessian) fn choose_rows<B: Backend>(
    primal: &Primal<B>,
    settings: &Analysis,
) -> Rows {
    let (probabilities, classes) = (primal.probabilities(), primal.classes());
    Rows::choose(probabilities, classes, settings.left_out(), settings.seed)
}

/// The largest eigenvalue of the block of the layer at this place, with so many weights.
///
/// # Errors
/// When a product fails or is not finite.
pub(in crate::engine::hessian) fn eigenpair<B: Backend>(
    block: &mut Block<B>,
    (place, size): (usize, usize),
    settings: &Analysis,
    watch: &mut lanczos::Watch,
) -> Result<lanczos::Eigenpair> {
    let stopping = Stopping {
        tolerance: settings.tolerance,
        max_iterations: settings.max_iterations,
        seed: settings
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(place as u64),
    };
    let mut product = |v: &[f64]| block.product(v);
    lanczos::largest(settings.method, size, &stopping, &mut product, watch)
}

impl LayerSensitivity {
    fn take_trace(&mut self, trace: Trace) {
        self.trace = Some(trace.value);
        self.trace_stderr = Some(trace.standard_error);
        self.mean_trace = Some(trace.value / self.parameters as f64);
    }

    fn take_eigenpair(&mut self, pair: lanczos::Eigenpair) {
        self.eigenvalue = Some(pair.value);
        self.iterations = Some(pair.history.len());
        self.residual = Some(pair.residual);
        self.converged = Some(pair.converged);
        self.history = pair.history;
        self.sensitivity = Some(pair.value / self.parameters as f64);
        let errors = self.perturbation.iter();
        self.omega = errors
            .map(|(&bits, error)| (bits, pair.value * error))
            .collect();
    }
}
