//! Closer looks at the selected layer: which one is shown, what was computed of it and from what.
//! One result for each layer and view is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::State;
use crate::app::jobs::JobKind;
use crate::app::jobs::detail::{LandscapeRequest, SpectrumRequest, WeightsRequest};
use crate::engine::hessian::landscape::Landscape;
use crate::engine::hessian::sensitivity::LayerSensitivity;
use crate::engine::hessian::spectrum::Spectrum;
use crate::engine::plan::PlannedLayer;
use crate::engine::quant::Bits;
use crate::engine::quant::histogram::WeightHistogram;

/// Layers whose results are kept.
const MOST_LAYERS: usize = 512;
/// The widest bits whose perturbation a landscape spans: wider ones move next to nothing.
const WIDEST: u8 = 4;

/// What is shown of the selected layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Its numbers.
    #[default]
    Overview,
    /// All eigenvalues of its block.
    Spectrum,
    /// The loss along its top eigenvector.
    Landscape,
    /// Its weights on the grid of the plan's bits.
    Weights,
    /// Estimate and residual after each iteration.
    Convergence,
    /// The rankings of all layers by three metrics.
    Compare,
}

impl View {
    /// Those that one key goes through.
    pub const CYCLE: [Self; 5] = [
        Self::Overview,
        Self::Spectrum,
        Self::Landscape,
        Self::Weights,
        Self::Convergence,
    ];

    /// The name on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Spectrum => "spectrum",
            Self::Landscape => "landscape",
            Self::Weights => "weights",
            Self::Convergence => "convergence",
            Self::Compare => "compare",
        }
    }

    /// The view some steps further, from the comparison back to the first.
    #[must_use]
    pub fn turned(self, steps: usize) -> Self {
        let at = Self::CYCLE.iter().position(|view| *view == self);
        at.map_or(Self::Overview, |at| {
            Self::CYCLE[(at + steps) % Self::CYCLE.len()]
        })
    }

    /// The work that makes it.
    #[must_use]
    pub const fn job(self) -> Option<JobKind> {
        match self {
            Self::Spectrum => Some(JobKind::Spectrum),
            Self::Landscape => Some(JobKind::Landscape),
            Self::Weights => Some(JobKind::Weights),
            Self::Overview | Self::Convergence | Self::Compare => None,
        }
    }
}

/// A result, and what it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<R, T> {
    /// What was asked for.
    pub request: R,
    /// What came of it, or why nothing did.
    pub result: Result<T, String>,
}

/// Results of one kind by layer, a bounded number of them.
#[derive(Debug, Clone)]
pub struct Results<R, T>(BTreeMap<Arc<str>, Kept<R, T>>);

impl<R, T> Default for Results<R, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: PartialEq, T> Results<R, T> {
    /// What is known of a layer.
    #[must_use]
    pub fn of(&self, layer: &str) -> Option<&Kept<R, T>> {
        self.0.get(layer)
    }

    /// Whether exactly this is known, or known to fail.
    #[must_use]
    pub fn has(&self, layer: &str, request: &R) -> bool {
        self.of(layer).is_some_and(|kept| kept.request == *request)
    }

    /// Keeps a result.
    pub fn keep(&mut self, layer: &Arc<str>, request: R, result: Result<T, String>) {
        if self.0.len() >= MOST_LAYERS && !self.0.contains_key(layer) {
            self.0.pop_first();
        }
        self.0.insert(layer.clone(), Kept { request, result });
    }
}

/// What is being computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// All eigenvalues.
    Spectrum(SpectrumRequest),
    /// The loss along the top eigenvector.
    Landscape(LandscapeRequest),
    /// Layers again.
    Remeasure(Vec<Arc<str>>),
}

/// Closer looks at layers.
#[derive(Debug, Clone, Default)]
pub struct DetailState {
    /// What is shown.
    pub view: View,
    /// What is being computed.
    pub asked: Option<Asked>,
    /// The weights that are being counted.
    pub counting: Option<WeightsRequest>,
    /// All eigenvalues.
    pub spectra: Results<SpectrumRequest, Spectrum>,
    /// Losses along top eigenvectors.
    pub landscapes: Results<LandscapeRequest, Landscape>,
    /// Weights on their grids.
    pub weights: Results<WeightsRequest, WeightHistogram>,
}

impl DetailState {
    /// Forgets everything that was computed: another network is there.
    pub fn forget(&mut self) {
        *self = Self {
            view: self.view,
            ..Self::default()
        };
    }

    /// Whether the work on this view of this layer goes on.
    #[must_use]
    pub fn is_computing(&self, view: View, layer: &str) -> bool {
        match &self.asked {
            Some(Asked::Spectrum(of)) => view == View::Spectrum && *of.layer == *layer,
            Some(Asked::Landscape(of)) => view == View::Landscape && *of.layer == *layer,
            Some(Asked::Remeasure(_)) | None => false,
        }
    }

    /// What is being computed, as a sentence.
    #[must_use]
    pub fn activity(&self) -> Option<String> {
        let what = match self.asked.as_ref()? {
            Asked::Spectrum(request) => format!("the spectrum of {}", request.layer),
            Asked::Landscape(request) => format!("the landscape of {}", request.layer),
            Asked::Remeasure(layers) => {
                let what = match &layers[..] {
                    [layer] => layer.to_string(),
                    layers => format!("{} layers", layers.len()),
                };
                return Some(format!(
                    "Measuring {what} again; the others stay as they are."
                ));
            }
        };
        Some(format!(
            "Computing {what}; stopping leaves everything else as it is."
        ))
    }

    /// Another point of the landscape that is being computed.
    pub fn grow(&mut self, landscape: Landscape) {
        if let Some(Asked::Landscape(request)) = &self.asked {
            let layer = landscape.layer.clone();
            self.landscapes.keep(&layer, request.clone(), Ok(landscape));
        }
    }
}

impl State {
    /// The selected layer.
    #[must_use]
    pub fn selected(&self) -> Option<&LayerSensitivity> {
        self.analysis.layers.get(self.layer)
    }

    /// What the plan says of the selected layer.
    #[must_use]
    pub fn planned(&self) -> Option<&PlannedLayer> {
        let plan = self.bits.plan.as_ref()?;
        plan.layers.get(self.layer)
    }

    /// What a spectrum of the selected layer is asked for with.
    #[must_use]
    pub fn spectrum_request(&self) -> Option<SpectrumRequest> {
        Some(SpectrumRequest {
            layer: self.selected()?.layer.clone(),
            analysis: self.analysis.measured_with(),
        })
    }

    /// What a landscape of the selected layer is asked for with: as far as the plan's bits move its
    /// weights, and 4 bits where the plan has more.
    #[must_use]
    pub fn landscape_request(&self) -> Option<LandscapeRequest> {
        let (layer, planned) = (self.selected()?, self.planned()?);
        let bits = Bits::new(u64::from(planned.weight_bits.get().min(WIDEST))).ok()?;
        let scale = self.bits.plan.as_ref()?.scale;
        let perturbation = layer.perturbation_at(bits, scale)?;
        Some(LandscapeRequest {
            layer: layer.layer.clone(),
            analysis: self.analysis.measured_with(),
            reach: perturbation.sqrt(),
            bits,
        })
    }

    /// What the weights of the selected layer are counted with.
    #[must_use]
    pub fn weights_request(&self) -> Option<WeightsRequest> {
        Some(WeightsRequest {
            layer: self.selected()?.layer.clone(),
            bits: self.planned()?.weight_bits,
            scale: self.bits.plan.as_ref()?.scale,
        })
    }

    /// Whether what the view shows of the selected layer is at hand as the settings are now.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        let Some(layer) = self.selected().map(|layer| &layer.layer) else {
            return false;
        };
        match self.detail.view {
            View::Spectrum => {
                let kept = self.detail.spectra.of(layer);
                kept.is_some_and(|kept| kept.result.is_ok())
                    && self
                        .spectrum_request()
                        .is_some_and(|request| self.detail.spectra.has(layer, &request))
            }
            View::Landscape => {
                let whole = |landscape: &Landscape| landscape.is_complete();
                let kept = self.detail.landscapes.of(layer);
                kept.is_some_and(|kept| kept.result.as_ref().is_ok_and(whole))
                    && self
                        .landscape_request()
                        .is_some_and(|request| self.detail.landscapes.has(layer, &request))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_go_round_and_the_comparison_leads_back() {
        let mut view = View::Overview;
        for expected in [
            "spectrum",
            "landscape",
            "weights",
            "convergence",
            "overview",
        ] {
            view = view.turned(1);
            assert_eq!(view.name(), expected);
        }
        assert_eq!(view.turned(View::CYCLE.len() - 1), View::Convergence);
        assert_eq!(View::Compare.turned(1), View::Overview);
    }

    #[test]
    fn one_result_a_layer_is_kept_of_a_bounded_number() {
        let mut results: Results<u8, usize> = Results::default();
        for index in 0..2 * MOST_LAYERS {
            let layer: Arc<str> = format!("{index:04}").into();
            results.keep(&layer, 1, Ok(index));
            results.keep(&layer, 2, Ok(index));
        }
        assert_eq!(results.0.len(), MOST_LAYERS);
        assert!(results.has("1023", &2) && !results.has("1023", &1));
        assert!(results.of("0000").is_none());
    }
}
