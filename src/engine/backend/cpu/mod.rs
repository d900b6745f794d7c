//! Our own float32 kernels.
