//! Automatic plans: the bits of every layer that minimise the predicted harm under a budget.
//!
//! - [`Budget`]: what the plan must fit
//! - [`harm`]: what quantizing a layer is predicted to cost
//! - [`solve`]: the exact allocation (the integer program of HAWQ-V3, arXiv 2011.10680, section 3.4)
//! - [`frontier`]: the best plan of every size (HAWQ-V2, arXiv 1911.03852, section 3.2)
//! - [`Request`]: all of it from a sensitivity file

mod budget;
pub mod frontier;
pub mod harm;
pub mod latency;
mod request;
pub mod solve;

pub use budget::{Budget, Cost};
pub use frontier::{Point, frontier};
pub use harm::Harm;
pub use request::{ActivationBits, Allocated, Lacking, Request, usual_bits};
