//! The eigenvalues of a layer's own block of the Hessian, all of them.
//!
//! Where the factor's rows are at hand and few, the block `G^T G` has the eigenvalues of the small
//! matrix `G G^T`, and zeros: the spectrum is exact. Elsewhere it is estimated by stochastic Lanczos
//! quadrature (Ghorbani et al., arXiv 1901.10159; PyHessian, arXiv 1912.07145): for a random unit
//! vector, the eigenvalues of Lanczos' tridiagonal matrix, weighted by the squared first components of
//! its eigenvectors, are a quadrature rule of the block's spectral density.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Analysis;
use super::analysis::{Subject, choose_rows};
use super::dense;
use super::lanczos::{checked, dot, norm, orthogonalise, random_unit, tridiagonal_eigen};
use super::primal::{Primal, place_of};
use super::sweep::{Block, sweep};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::job::{Event, Observer, Phase, Verdict};

/// Rows up to which all eigenvalues are computed.
const MOST_ROWS: usize = 1024;
/// Random directions of the quadrature.
const PROBES: usize = 4;
/// Products for each of them.
const STEPS: usize = 40;

/// An exact eigenvalue below this share of the largest counts as zero: rows are float32 numbers.
const EXACT_ZERO: f64 = 1e-6;
/// The same for the quadrature, whose nodes cannot tell smaller ones apart.
const ROUGH_ZERO: f64 = 1e-3;

/// Where a spectrum comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// All eigenvalues of the rows' own products.
    Exact {
        /// Rows of the factor.
        rows: usize,
    },
    /// Stochastic Lanczos quadrature.
    Quadrature {
        /// Random directions.
        probes: usize,
        /// Hessian products for each, at most.
        steps: usize,
    },
}

/// The eigenvalues of a layer's block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The layer.
    pub layer: Arc<str>,
    /// Images in the sample.
    pub samples: usize,
    /// Where it comes from.
    pub source: Source,
    /// Eigenvalues that are not zero, ascending, and how many each stands for.
    pub values: Vec<(f64, f64)>,
    /// How many are zero, or less than `near_zero` of the largest.
    pub zeros: f64,
    /// Share of the largest below which an eigenvalue counts as zero.
    pub near_zero: f64,
    /// The sum of all of them, those that count as zero included.
    pub trace: f64,
    /// All of them: the number of weights.
    pub size: usize,
}

impl Spectrum {
    fn new(about: (Arc<str>, usize), source: Source, size: usize, all: Vec<(f64, f64)>) -> Self {
        let largest = all
            .iter()
            .fold(0.0f64, |most, (value, _)| most.max(value.abs()));
        let near_zero = match source {
            Source::Exact { .. } => EXACT_ZERO,
            Source::Quadrature { .. } => ROUGH_ZERO,
        };
        let trace = all.iter().map(|(value, count)| value * count).sum();
        let counts = |(value, _): &(f64, f64)| value.abs() > near_zero * largest;
        let mut values: Vec<_> = all.into_iter().filter(counts).collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let counted: f64 = values.iter().map(|(_, count)| count).sum();
        Self {
            layer: about.0,
            samples: about.1,
            source,
            values,
            zeros: (size as f64 - counted).max(0.0),
            near_zero,
            trace,
            size,
        }
    }

    /// The largest one, by size.
    #[must_use]
    pub fn largest(&self) -> Option<f64> {
        let values = self.values.iter().map(|(value, _)| *value);
        values.max_by(|a, b| a.abs().total_cmp(&b.abs()))
    }
}

/// The spectrum of one layer over the sample. `None` when the observer asked to stop.
///
/// # Errors
/// When there is no such layer, the network is not piecewise linear, or the device fails.
pub fn spectrum<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    layer: &str,
    observer: &mut dyn Observer,
) -> Result<Option<Spectrum>> {
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let place = place_of(graph, layer)?;
    let primal = Primal::new(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(None);
    };
    let rows = choose_rows(&primal, settings);
    let size = primal.layers()[place].parameters();
    let about = (primal.layers()[place].name.clone(), primal.len());
    let mut found = None;
    let mut visit = |_: usize, block: &mut Block<B>, observer: &mut dyn Observer| {
        found = match block {
            Block::Rows(factor) if factor.count() <= MOST_ROWS => {
                let rows = factor.count();
                let values = dense::eigenvalues(factor.gram(), rows);
                let all = values.into_iter().map(|value| (value, 1.0)).collect();
                Some(Spectrum::new(
                    about.clone(),
                    Source::Exact { rows },
                    size,
                    all,
                ))
            }
            block => {
                let mut product = |v: &[f64]| block.product(v);
                let rule = quadrature((size, settings.seed), &mut product, observer)?;
                rule.map(|(source, all)| Spectrum::new(about.clone(), source, size, all))
            }
        };
        Ok(Verdict::Continue)
    };
    sweep((&primal, &rows), (&[place], false), &mut visit, observer)?;
    Ok(found)
}

/// Nodes, and how many eigenvalues each stands for.
type Nodes = Vec<(f64, f64)>;

/// The quadrature of a matrix of `size` rows. `None` when the observer asked to stop.
///
/// # Errors
/// When a product fails or is not finite.
fn quadrature(
    (size, seed): (usize, u64),
    product: &mut super::lanczos::Product,
    observer: &mut dyn Observer,
) -> Result<Option<(Source, Nodes)>> {
    let steps = STEPS.min(size);
    let mut nodes = Vec::with_capacity(PROBES * steps);
    for probe in 0..PROBES {
        let mut watch = |step: usize| {
            let (done, total) = ((probe * steps + step) as u64, (PROBES * steps) as u64);
            let phase = Phase::Spectrum;
            observer.on(Event::Progress { phase, done, total })
        };
        let first = random_unit(size, seed.wrapping_add(1 + probe as u64));
        let Some(rule) = rule(first, steps, product, &mut watch)? else {
            return Ok(None);
        };
        let share = size as f64 / PROBES as f64;
        nodes.extend(
            rule.into_iter()
                .map(|(value, weight)| (value, share * weight)),
        );
    }
    let source = Source::Quadrature {
        probes: PROBES,
        steps,
    };
    Ok(Some((source, nodes)))
}

/// The quadrature rule of one direction: nodes, and weights that sum to 1.
fn rule(
    first: Vec<f64>,
    steps: usize,
    product: &mut super::lanczos::Product,
    watch: &mut dyn FnMut(usize) -> Verdict,
) -> Result<Option<Nodes>> {
    let mut basis = vec![first];
    let (mut diagonal, mut off_diagonal) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let mut image = checked(product(&basis[step])?)?;
        diagonal.push(dot(&basis[step], &image));
        let length = norm(&image);
        orthogonalise(&mut image, &basis);
        let rest = norm(&image);
        if watch(step + 1) == Verdict::Stop {
            return Ok(None);
        }
        if rest <= f64::EPSILON * length {
            break;
        }
        off_diagonal.push(rest);
        basis.push(image.iter().map(|h| h / rest).collect());
    }
    let (values, vectors) = tridiagonal_eigen(&diagonal, &off_diagonal);
    let weights = vectors.iter().map(|vector| vector[0] * vector[0]);
    Ok(Some(values.into_iter().zip(weights).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::{Cpu, Isa};
    use crate::engine::data::{DataSpec, Part, Selection, image_shape};
    use crate::engine::hessian::{Metric, analysis};
    use crate::engine::job::Silent;
    use crate::engine::model::{Architecture, Model};

    /// Eigenvalues, and the products of a matrix that has them in other directions than the axes.
    fn known(size: usize) -> (Vec<f64>, impl FnMut(&[f64]) -> Result<Vec<f64>>) {
        let values: Vec<f64> = (0..size)
            .map(|i| {
                if i % 4 == 0 {
                    10f64.powf(-4.0 * i as f64 / size as f64)
                } else {
                    0.0
                }
            })
            .collect();
        let mirror = random_unit(size, 99);
        let reflect = move |v: &[f64]| -> Vec<f64> {
            let part = 2.0 * dot(&mirror, v);
            v.iter().zip(&mirror).map(|(v, m)| v - part * m).collect()
        };
        let diagonal = values.clone();
        let product = move |v: &[f64]| {
            let inner: Vec<f64> = reflect(v)
                .iter()
                .zip(&diagonal)
                .map(|(v, d)| v * d)
                .collect();
            Ok(reflect(&inner))
        };
        (values, product)
    }

    #[test]
    fn a_rule_is_exact_for_moments_and_its_weights_sum_to_one() {
        let (_, mut product) = known(60);
        let first = random_unit(60, 3);
        let image = product(&first).unwrap();
        let mut go_on = |_| Verdict::Continue;
        let nodes = rule(first.clone(), 12, &mut product, &mut go_on)
            .unwrap()
            .unwrap();
        let moment = |k: i32| -> f64 { nodes.iter().map(|(v, w)| w * v.powi(k)).sum() };
        assert!((moment(0) - 1.0).abs() < 1e-12);
        assert!((moment(1) - dot(&first, &image)).abs() < 1e-12);
        assert!((moment(2) - dot(&image, &image)).abs() < 1e-12);
    }

    #[test]
    fn quadrature_finds_trace_extent_and_zeros() {
        let size = 400;
        let (values, mut product) = known(size);
        let found = quadrature((size, 5), &mut product, &mut Silent).unwrap();
        let (source, nodes) = found.unwrap();
        let spectrum = Spectrum::new(("a".into(), 1), source, size, nodes);
        let trace: f64 = values.iter().sum();
        let small = values.iter().filter(|value| **value < ROUGH_ZERO);
        let small = small.count() as f64 / size as f64;
        let ratio = spectrum.trace / trace;
        assert!((0.85..1.15).contains(&ratio), "{ratio}");
        assert!((spectrum.largest().unwrap() - 1.0).abs() < 1e-3);
        assert!(
            (spectrum.zeros / size as f64 - small).abs() < 0.08,
            "{}",
            spectrum.zeros
        );
        let mut stop = |_: Event| Verdict::Stop;
        assert!(
            quadrature((size, 5), &mut product, &mut stop)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn trace_and_top_are_those_of_the_analysis() {
        let dataset = DataSpec::Demo.load(Part::Train).unwrap();
        let architecture: Architecture = "resnet20".parse().unwrap();
        let fit = (image_shape(&dataset), dataset.classes);
        let model = Model::untrained(architecture, fit, 3).unwrap();
        let normalization = architecture.normalization(dataset.channels);
        let images = Selection::new(&dataset, &normalization, (0..16).collect()).unwrap();
        let subject = Subject {
            model: &model,
            backend: &Cpu::new(Isa::detect()),
            images: &images,
        };
        let names = ["conv1", "layer3.2.conv2", "linear"];
        let settings = Analysis {
            metrics: vec![Metric::Eigenvalue, Metric::Trace],
            layers: names.map(Into::into).into(),
            tolerance: 1e-6,
            ..Analysis::default()
        };
        let mut state = analysis::prepare(&subject, &settings).unwrap();
        analysis::run(
            &subject,
            &settings,
            &mut state,
            &mut |_| Ok(()),
            &mut Silent,
        )
        .unwrap();
        for layer in &state.layers {
            let found = spectrum(&subject, &settings, &layer.layer, &mut Silent).unwrap();
            let found = found.unwrap();
            assert!(matches!(found.source, Source::Exact { .. }));
            let (trace, top) = (layer.trace.unwrap(), layer.eigenvalue.unwrap());
            assert!((found.trace / trace - 1.0).abs() < 1e-4, "{}", layer.layer);
            assert!(
                (found.largest().unwrap() / top - 1.0).abs() < 1e-5,
                "{}",
                layer.layer
            );
            let counted: f64 = found.values.iter().map(|(_, count)| count).sum();
            assert!((counted + found.zeros - found.size as f64).abs() < 1e-9);
        }
        assert!(spectrum(&subject, &settings, "nowhere", &mut Silent).is_err());
    }
}
