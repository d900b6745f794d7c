//! What a walk is for, and how exact it must be.

/// What a forward walk is for; it decides which wires are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Logits only.
    Evaluate,
    /// Logits only, for another network to learn from.
    Distill,
    /// Tangents and gradients in weights, the network fixed.
    Analyse,
    /// Gradients in every trainable parameter.
    Train,
}

/// How exactly the products of layers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// As sums of products.
    Exact,
    /// The faster way of the device; see [`Products::fast_product`](crate::engine::backend::Products::fast_product).
    Fast,
}

impl Purpose {
    /// How exactly the products of layers are computed on the forward walk: what is measured,
    /// compared or exported must not move, while a training step, and what it learns from, is noise far
    /// above the error.
    #[must_use]
    pub const fn accuracy(self) -> Accuracy {
        match self {
            Self::Evaluate | Self::Analyse => Accuracy::Exact,
            Self::Distill | Self::Train => Accuracy::Fast,
        }
    }

    /// The same of tangents and gradients. They are linear in what they carry, along masks and ranges
    /// that the forward walk has settled: a small error stays small.
    #[must_use]
    pub const fn derivative_accuracy(self) -> Accuracy {
        match self {
            Self::Evaluate | Self::Distill => Accuracy::Exact,
            Self::Analyse | Self::Train => Accuracy::Fast,
        }
    }
}
