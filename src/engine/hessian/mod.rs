//! Second-order analysis of each layer's own diagonal block of the Hessian.

pub mod sensitivity;
