//! Memory that routines reuse between calls.

/// Growable work memory of one thread: no allocation once it has seen its largest shape.
#[derive(Debug, Default)]
pub struct Scratch {
    /// An image with its border of zeros.
    pub(super) padded: Vec<f32>,
    /// An image with its channels rounded up to whole vectors.
    pub(super) channels: Vec<f32>,
    /// Transformed tiles.
    pub(super) frequencies: [Vec<f32>; 2],
    /// Sums of products of transformed tiles.
    pub(super) sums: Vec<f32>,
}

impl Scratch {
    /// Empty scratch memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The first `length` numbers of `buffer`, grown when it is too small; old content is left in.
pub(super) fn grown(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}
