//! A network at a fixed point over a fixed sample: what every product and every row starts from.

use std::ops::Range;

use rayon::prelude::*;

use crate::engine::autodiff::loss::{self, Tally};
use crate::engine::autodiff::overflow::located;
use crate::engine::autodiff::{Chunk, Program, Workspaces, chunk_ranges, in_turns};
use crate::engine::backend::candle::Candle;
use crate::engine::backend::{Arrays, Backend};
use crate::engine::data::Images;
use crate::engine::graph::operations::rules::{Collected, Purpose};
use crate::engine::graph::operations::{BatchNormMode, Operation};
use crate::engine::graph::{Graph, Layer, Parameters};
use crate::engine::job::{Event, Observer, Phase, Score, Verdict};
use crate::engine::{Error, Result};

/// What the network is walked for.
const PURPOSE: (BatchNormMode, Purpose) = (BatchNormMode::Running, Purpose::Analyse);

/// Chunks walked between two reports.
const WAVE: usize = 16;

/// A network at a fixed point over a fixed sample, walked forward once.
pub struct Primal<'a, B: Backend> {
    pub(super) program: Program<'a, B>,
    pub(super) workspaces: Workspaces<B>,
    images: &'a dyn Images,
    layers: Vec<Layer>,
    probabilities: Vec<f64>,
    tally: Tally,
    double: Option<Double<'a>>,
}

/// The forward walk in float64. A float32 device rounds what a rectifier reads, and so the sign of the
/// few numbers nearest to zero: each that falls on the other side moves an eigenvalue by up to some
/// ten-thousandths.
struct Double<'a> {
    program: Program<'a, Candle>,
    workspaces: Workspaces<Candle>,
}

/// The device of that walk.
static DOUBLE: Candle = Candle::float64_cpu();

impl<B: Backend> std::fmt::Debug for Primal<'_, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("Primal");
        f.field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// Refuses networks whose layer blocks are not Gauss-Newton blocks.
///
/// # Errors
/// When an operation is not piecewise linear.
pub fn check_piecewise_linear(graph: &Graph) -> Result<()> {
    let curved = |op: &Operation| !op.is_piecewise_linear();
    match graph.nodes().iter().find(|node| curved(&node.operation)) {
        None => Ok(()),
        Some(node) => Err(Error::invalid(format!(
            "{} ({}) is not piecewise linear: the analysis needs a network of convolutions, \
             linear layers, batch normalisation, rectifiers, pooling and sums",
            node.name,
            node.operation.name()
        ))),
    }
}

/// Where the layer of this name stands in a network.
///
/// # Errors
/// When there is none.
pub fn place_of(graph: &Graph, name: &str) -> Result<usize> {
    let found = graph.layers().iter().position(|layer| &*layer.name == name);
    found.ok_or_else(|| Error::invalid(format!("the network has no layer {name}")))
}

impl<'a, B: Backend> Primal<'a, B> {
    /// Walks the sample forward. `None` when the observer asked to stop.
    ///
    /// # Errors
    /// When the network is not piecewise linear, its logits are not finite, or the device fails.
    pub fn new(
        graph: &'a Graph,
        parameters: &Parameters,
        backend: &'a B,
        images: &'a dyn Images,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        Self::at(graph, parameters, backend, images)?.walked(parameters, observer)
    }

    /// The same with forward walks in float64, whatever the device: slower, and where rectifiers let
    /// values pass is then exact.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_double(
        graph: &'a Graph,
        parameters: &Parameters,
        backend: &'a B,
        images: &'a dyn Images,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        let mut primal = Self::at(graph, parameters, backend, images)?;
        primal.double = Some(Double {
            program: Program::new(graph, &DOUBLE, parameters, PURPOSE)?,
            workspaces: Workspaces::default(),
        });
        primal.walked(parameters, observer)
    }

    /// Not walked yet.
    fn at(
        graph: &'a Graph,
        parameters: &Parameters,
        backend: &'a B,
        images: &'a dyn Images,
    ) -> Result<Self> {
        check_piecewise_linear(graph)?;
        Ok(Self {
            program: Program::new(graph, backend, parameters, PURPOSE)?,
            workspaces: Workspaces::default(),
            images,
            layers: graph.layers().to_vec(),
            probabilities: Vec::new(),
            tally: Tally::default(),
            double: None,
        })
    }

    fn walked(
        mut self,
        parameters: &Parameters,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        let verdict = self.walk_sample(observer)?;
        if !self.tally.loss.is_finite() {
            let what = "the loss over the sample";
            return Err(located(&self.program, parameters, self.images, what)?);
        }
        Ok((verdict == Verdict::Continue).then_some(self))
    }

    fn walk_sample(&mut self, observer: &mut dyn Observer) -> Result<Verdict> {
        let total = self.images.len();
        let ranges = chunk_ranges(total, self.program.backend().chunk());
        for wave in ranges.chunks(WAVE) {
            let walked = in_turns(wave, self.program.at_once(), |range| {
                self.logits(range.clone())
            })?;
            for (mut logits, tally) in walked {
                self.tally.add(&tally);
                let images = logits.chunks_exact_mut(self.program.graph().classes());
                images.for_each(loss::softmax);
                self.probabilities.extend(logits);
            }
            let event = Event::Progress {
                phase: Phase::Primal,
                done: self.tally.total as u64,
                total: total as u64,
            };
            if observer.on(event) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
        }
        Ok(Verdict::Continue)
    }

    fn logits(&self, range: Range<usize>) -> Result<(Vec<f64>, Tally)> {
        let images = self.images.load(range.clone())?;
        let logits = match &self.double {
            None => logits(&self.program, &self.workspaces, &images)?,
            Some(double) => logits(&double.program, &double.workspaces, &images)?,
        };
        let tally = Tally::of(&logits, &self.images.labels(range));
        Ok((logits, tally))
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Images in the sample.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether the sample is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Classes of the network.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.program.graph().classes()
    }

    /// Class probabilities, image by image.
    #[must_use]
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Class probabilities of one image.
    #[must_use]
    pub fn probabilities_of(&self, image: usize) -> &[f64] {
        &self.probabilities[image * self.classes()..][..self.classes()]
    }

    /// The label of one image.
    #[must_use]
    pub fn label_of(&self, image: usize) -> usize {
        usize::from(self.images.labels(image..image + 1)[0])
    }

    /// Loss and accuracy over the sample.
    #[must_use]
    pub fn score(&self) -> Score {
        self.tally.score()
    }

    /// What a backward walk that collects nothing starts with.
    pub(super) fn collect_nothing(&self) -> Vec<Collected<B>> {
        let parameters = self.program.graph().parameters().iter();
        parameters.map(|_| Collected::Nothing).collect()
    }

    /// Walks some images forward, keeping what tangents and gradients read.
    fn walk(&self, images: &[usize]) -> Result<Chunk<B>> {
        let mut values = Vec::new();
        for &image in images {
            values.extend(self.images.load(image..image + 1)?);
        }
        if let Some(double) = &self.double {
            return self.rounded(double, &values);
        }
        self.workspaces.with(|workspace| {
            let mut chunk = self.program.load(workspace, &values)?;
            self.program.forward(workspace, &mut chunk)?;
            Ok(chunk)
        })
    }

    /// What a walk in float64 keeps, as numbers of the device: rounding keeps every sign.
    fn rounded(&self, double: &Double, images: &[f64]) -> Result<Chunk<B>> {
        let walked = double.workspaces.with(|workspace| {
            let mut chunk = double.program.load(workspace, images)?;
            double.program.forward(workspace, &mut chunk)?;
            Ok::<_, Error>(chunk)
        })?;
        let backend = self.program.backend();
        self.workspaces.with(|workspace| {
            let mut chunk = self.program.load(workspace, images)?;
            let nodes = self.program.graph().nodes().iter();
            for (place, (node, wire)) in nodes.zip(&walked.primal).enumerate().skip(1) {
                if let Some(wire) = wire {
                    let values = DOUBLE.download(wire)?;
                    chunk.primal[place] = Some(backend.upload(workspace, node.shape, &values)?);
                }
            }
            Ok(chunk)
        })
    }
}

/// The logits of some images.
fn logits<B: Backend>(
    program: &Program<B>,
    workspaces: &Workspaces<B>,
    images: &[f64],
) -> Result<Vec<f64>> {
    workspaces.with(|workspace| {
        let mut chunk = program.load(workspace, images)?;
        let logits = program.forward(workspace, &mut chunk)?;
        program.recycle(workspace, chunk);
        Ok(logits)
    })
}

/// Some images of a sample in pieces of one chunk, whose values are kept while memory allows.
#[derive(Debug)]
pub(super) struct Pieces<B: Backend> {
    pieces: Vec<Piece<B>>,
    /// The wires to keep; nothing where they do not fit into memory.
    keep: Option<Vec<bool>>,
}

#[derive(Debug)]
struct Piece<B: Backend> {
    span: Span,
    kept: Option<Chunk<B>>,
}

/// The images of a piece.
#[derive(Debug)]
pub(super) struct Span {
    /// Where the first of them stands in the list that was cut.
    pub first: usize,
    /// Their places in the sample.
    pub images: Vec<usize>,
}

impl<B: Backend> Pieces<B> {
    /// Cuts `images` into pieces, of which the values of some wires are worth keeping; nothing is
    /// walked yet.
    pub fn new(primal: &Primal<B>, images: &[usize], wires: Vec<bool>) -> Self {
        let program = &primal.program;
        let nodes = program.graph().nodes().iter().zip(&wires);
        let kept = nodes.filter(|(_, kept)| **kept);
        let elements: usize = kept.map(|(node, _)| node.shape.elements()).sum();
        let bytes = elements * program.backend().bytes_per_number();
        let fits = bytes.saturating_mul(images.len()) <= program.memory().of_values();
        let piece = |range: Range<usize>| Piece {
            span: Span {
                first: range.start,
                images: images[range].to_vec(),
            },
            kept: None,
        };
        let ranges = chunk_ranges(images.len(), program.backend().chunk());
        Self {
            pieces: ranges.into_iter().map(piece).collect(),
            keep: fits.then_some(wires),
        }
    }

    /// The images of every piece.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.pieces.iter().map(|piece| &piece.span)
    }

    /// Does `work` on some pieces, in parallel; the results are in order.
    ///
    /// # Errors
    /// When the device or `work` fails.
    pub fn work<T: Send>(
        &mut self,
        primal: &Primal<B>,
        range: Range<usize>,
        work: impl Fn(&Span, &mut Chunk<B>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let keep = self.keep.as_deref();
        let one = |Piece { span, kept }: &mut Piece<B>| {
            let mut chunk = match kept.take() {
                Some(chunk) => chunk,
                None => primal.walk(&span.images)?,
            };
            let done = work(span, &mut chunk)?;
            primal.workspaces.with(|ws| match keep {
                Some(wires) => {
                    primal.program.recycle_others(ws, &mut chunk, wires);
                    *kept = Some(chunk);
                }
                None => primal.program.recycle(ws, chunk),
            });
            Ok(done)
        };
        let mut all = Vec::with_capacity(range.len());
        for some in self.pieces[range].chunks_mut(primal.program.at_once()) {
            all.extend(some.par_iter_mut().map(one).collect::<Result<Vec<T>>>()?);
        }
        Ok(all)
    }
}
