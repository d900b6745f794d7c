//! Second-order analysis of each layer's own diagonal block of the Hessian (HAWQ, arXiv 1905.03696).

pub mod agreement;
pub mod analysis;
pub mod completion;
pub mod curvature;
pub mod dense;
pub mod directions;
pub mod doubt;
pub mod estimate;
pub mod factor;
pub mod identity;
pub mod lanczos;
pub mod landscape;
pub mod merge;
pub mod metric;
pub mod primal;
pub mod rows;
pub mod slope;
pub mod spectrum;
pub mod sweep;
pub mod trace;
pub mod verify;

pub use super::sensitivity;
pub use analysis::{Analysis, LayerWidth};
pub use lanczos::Method;
pub use metric::Metric;
