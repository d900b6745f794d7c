//! The loss of a network along a direction of one layer, as it was measured.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Distances on each side.
pub const SIDE: usize = 10;
/// Points of a whole landscape.
pub const POINTS: usize = 2 * SIDE + 1;

/// The loss along a layer's top eigenvector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Landscape {
    /// The layer.
    pub layer: Arc<str>,
    /// Images in the sample.
    pub samples: usize,
    /// The largest distance, in units of the weights.
    pub reach: f64,
    /// Norm of the layer's weights.
    pub norm: f64,
    /// Loss of the network as it is.
    pub loss: f64,
    /// Slope of the loss along the eigenvector.
    pub slope: f64,
    /// The eigenvalue.
    pub eigenvalue: f64,
    /// Distance and mean loss over the sample, by distance.
    pub points: Vec<(f64, f64)>,
}

impl Landscape {
    /// What slope and eigenvalue predict at distance `t`.
    #[must_use]
    pub fn predicted(&self, t: f64) -> f64 {
        self.loss + self.slope * t + 0.5 * self.eigenvalue * t * t
    }

    /// Whether all points are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.points.len() == POINTS
    }
}
