//! Each work: what is done before the clock starts, and what is timed.

use super::clock::{Clock, Times, interrupted};
use super::document::{Convolutions, Found, LayerTimes, Measured, ShapeSpeed, Speeds};
use super::name::Name;
use super::subject::Subject;
use crate::cli::device::Device;
use crate::cli::failure::Failure;
use crate::cli::report::Reporter;
use crate::engine::backend::cpu::peak::SquareProduct;
use crate::engine::backend::{Backend, ConvolutionShape};
use crate::engine::bench::{
    Convolution, Forward, ForwardBackward, Products, SHAPES, Sweep, Training, Which, label,
};
use crate::engine::graph::operations::rules::Accuracy;
use crate::engine::hessian::analysis;
use crate::engine::hessian::{Analysis, Metric};
use crate::engine::job::{Event, Verdict};
use crate::engine::quant::Bits;

/// Bits of the quantized training step.
const QUANTIZED: u64 = 4;
/// Rows and columns of the product that kernels are compared with.
const SQUARE: usize = 1536;

/// What all works share.
pub struct Works<'a, B: Backend> {
    pub backend: &'a B,
    pub subject: &'a Subject,
    pub reporter: &'a Reporter,
    pub clock: Clock<'a>,
    pub batch_size: usize,
    pub samples: usize,
}

impl<B: Backend> Works<'_, B> {
    /// Times one work on the network.
    pub fn measure(&self, name: Name) -> Result<Measured, Failure> {
        match name {
            Name::Forward => self.forward(name),
            Name::ForwardBackward => self.forward_backward(name),
            Name::Product => self.products(name),
            Name::Sweep => self.sweep(name, vec![Metric::Eigenvalue]),
            Name::SweepTraces => self.sweep(name, vec![Metric::Eigenvalue, Metric::Trace]),
            Name::TrainStep => self.training(name, Bits::FLOAT),
            Name::QatStep => self.training(name, Bits::new(QUANTIZED)?),
            Name::Convolutions => unreachable!("invariant: they are not a work on the network"),
        }
    }

    fn plain(&self, name: Name, times: Times) -> Measured {
        Measured {
            name,
            images: self.batch_size,
            seconds: times.into(),
            layers: Vec::new(),
            found: Vec::new(),
        }
    }

    fn forward(&self, name: Name) -> Result<Measured, Failure> {
        let batch = self.subject.batch(self.batch_size)?;
        let mut work = Forward::new(&self.subject.model, self.backend)?;
        let times = self.clock.time(&mut || Ok(work.once(&batch)?))?;
        Ok(self.plain(name, times))
    }

    fn forward_backward(&self, name: Name) -> Result<Measured, Failure> {
        let batch = self.subject.batch(self.batch_size)?;
        let mut work = ForwardBackward::new(&self.subject.model, self.backend)?;
        let times = self.clock.time(&mut || Ok(work.once(&batch)?))?;
        Ok(self.plain(name, times))
    }

    fn training(&self, name: Name, bits: Bits) -> Result<Measured, Failure> {
        let batch = self.subject.batch(self.batch_size)?;
        let model = &self.subject.model;
        let network = Training::network((model, bits), self.backend, &batch)?;
        let graph = network.graph.clone();
        let mut work = Training::new(&graph, network, self.backend)?;
        let times = self.clock.time(&mut || Ok(work.once(&batch)?))?;
        Ok(self.plain(name, times))
    }

    fn products(&self, name: Name) -> Result<Measured, Failure> {
        let images = self.subject.first(self.batch_size)?;
        let primal = Products::primal(&self.subject.model, self.backend, &images)?;
        let mut work = Products::new(&primal);
        let layers = work.layers();
        let places = 0..layers.len();
        let directions: Vec<_> = places.map(|layer| work.direction(layer)).collect();
        let mut once = |layer: usize| Ok(work.once(layer, &directions[layer])?);
        let times = self.clock.time_each(layers.len(), &mut once)?;
        let mean = Times::mean_of(&times);
        let layer = |(layer, times): (_, Times)| LayerTimes {
            layer,
            seconds: times.into(),
        };
        Ok(Measured {
            layers: layers.into_iter().zip(times).map(layer).collect(),
            ..self.plain(name, mean)
        })
    }

    fn sweep(&self, name: Name, metrics: Vec<Metric>) -> Result<Measured, Failure> {
        let images = self.subject.first(self.samples)?;
        let subject = analysis::Subject {
            model: &self.subject.model,
            backend: self.backend,
            images: &images,
        };
        let settings = Analysis {
            metrics,
            ..Analysis::default()
        };
        let mut work = Sweep::new(subject, settings)?;
        let mut watch = |_: Event| {
            if self.reporter.is_stopping() {
                Verdict::Stop
            } else {
                Verdict::Continue
            }
        };
        let mut found = Vec::new();
        let times = self.clock.time(&mut || {
            let state = work.once(&mut watch)?.ok_or_else(interrupted)?;
            found = state.layers.iter().map(Found::from).collect();
            Ok(())
        })?;
        Ok(Measured {
            images: self.samples,
            found,
            ..self.plain(name, times)
        })
    }

    /// Speeds of convolutions, and of the product they are compared with.
    pub fn convolutions(&self, device: Device) -> Result<Convolutions, Failure> {
        let sgemm = match device {
            Device::Cpu => Some(self.sgemm()?),
            Device::Cuda => None,
        };
        let shapes = SHAPES.iter().map(|shape| self.shape(shape));
        Ok(Convolutions {
            sgemm,
            shapes: shapes.collect::<Result<_, _>>()?,
        })
    }

    fn sgemm(&self) -> Result<f64, Failure> {
        let mut product = SquareProduct::new(SQUARE);
        let operations = product.operations();
        let times = self.clock.time(&mut || {
            product.run();
            Ok(())
        })?;
        Ok(speed(operations, times.least()))
    }

    fn shape(&self, shape: &ConvolutionShape) -> Result<ShapeSpeed, Failure> {
        let mut work = Convolution::new(*shape, self.backend)?;
        let operations = work.operations();
        let mut speeds = |accuracy| -> Result<Speeds, Failure> {
            let mut once = |which: usize| Ok(work.once(Which::ALL[which], accuracy)?);
            let times = self.clock.time_each(Which::ALL.len(), &mut once)?;
            let speed = |which: usize| speed(operations, times[which].median());
            Ok(Speeds {
                forward: speed(0),
                grad_input: speed(1),
                grad_weight: speed(2),
            })
        };
        Ok(ShapeSpeed {
            shape: label(shape),
            exact: speeds(Accuracy::Exact)?,
            training: speeds(Accuracy::Fast)?,
        })
    }
}

/// In 10^9 a second.
fn speed(operations: u64, seconds: f64) -> f64 {
    operations as f64 / seconds / 1e9
}
