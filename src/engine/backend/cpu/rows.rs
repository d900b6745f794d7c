//! The walk over NHWC rows that all elementwise routines share: a chunk is a sequence of rows of
//! `channels` numbers, and a parameter holds one number per channel.

use super::vector::Simd;

/// Rows treated at once: they share the reading of the parameters.
const TOGETHER: usize = 4;

/// The inputs and the per-channel parameters of one elementwise routine, their lengths checked.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, const INPUTS: usize, const PARAMETERS: usize> {
    inputs: [&'a [f32]; INPUTS],
    parameters: [&'a [f32]; PARAMETERS],
    length: usize,
    channels: usize,
}

/// Neighbouring channels of one row.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// Of the first channel, in the inputs.
    pub position: usize,
    /// The first channel.
    pub channel: usize,
    /// Channels, at most a vector.
    pub count: usize,
}

impl Segment {
    /// The same channels, `distance` numbers further.
    #[inline(always)]
    const fn further(self, distance: usize) -> Self {
        Self {
            position: self.position + distance,
            ..self
        }
    }
}

impl<'a, const INPUTS: usize, const PARAMETERS: usize> Rows<'a, INPUTS, PARAMETERS> {
    /// Panics unless all inputs hold `length` numbers, and all parameters one per channel.
    pub fn new(
        inputs: [&'a [f32]; INPUTS],
        parameters: [&'a [f32]; PARAMETERS],
        length: usize,
    ) -> Self {
        for input in inputs {
            assert_eq!(input.len(), length, "inputs and outputs differ in length");
        }
        let channels = parameters.first().map_or(length, |first| first.len());
        for parameter in parameters {
            assert_eq!(parameter.len(), channels, "parameters differ in channels");
        }
        assert!(
            length == 0 || (channels > 0 && length.is_multiple_of(channels)),
            "{length} numbers are not whole rows of {channels} channels"
        );
        Self {
            inputs,
            parameters,
            length,
            channels,
        }
    }

    /// The inputs of a segment.
    ///
    /// # Safety
    /// The segment must lie within the inputs, and hold at most a vector.
    #[inline(always)]
    pub unsafe fn inputs<S: Simd>(&self, simd: S, segment: Segment) -> [S::Vector; INPUTS] {
        let mut vectors = [simd.splat(0.0); INPUTS];
        for (vector, input) in vectors.iter_mut().zip(&self.inputs) {
            // SAFETY: the caller vouches for the segment.
            *vector = unsafe { read(simd, input.as_ptr().add(segment.position), segment.count) };
        }
        vectors
    }

    /// The parameters of a segment.
    ///
    /// # Safety
    /// The segment must lie within the channels, and hold at most a vector.
    #[inline(always)]
    pub unsafe fn parameters<S: Simd>(&self, simd: S, segment: Segment) -> [S::Vector; PARAMETERS] {
        let mut vectors = [simd.splat(0.0); PARAMETERS];
        for (vector, parameter) in vectors.iter_mut().zip(&self.parameters) {
            // SAFETY: the caller vouches for the segment.
            *vector = unsafe { read(simd, parameter.as_ptr().add(segment.channel), segment.count) };
        }
        vectors
    }

    /// Channels of a row.
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        if self.length == 0 {
            0
        } else {
            self.length / self.channels
        }
    }

    /// Replaces every number of `output` by `operation(number, inputs, parameters)`.
    #[inline(always)]
    pub fn update<S: Simd>(
        &self,
        simd: S,
        output: &mut [f32],
        operation: impl Fn(S::Vector, [S::Vector; INPUTS], [S::Vector; PARAMETERS]) -> S::Vector,
    ) {
        assert_eq!(
            output.len(),
            self.length,
            "inputs and outputs differ in length"
        );
        let (mut row, rows, output) = (0, self.rows(), output.as_mut_ptr());
        // SAFETY: these are all the rows, as long as the output.
        unsafe {
            while row + TOGETHER <= rows {
                self.update_rows::<S, TOGETHER>(simd, row, output, &operation);
                row += TOGETHER;
            }
            while row < rows {
                self.update_rows::<S, 1>(simd, row, output, &operation);
                row += 1;
            }
        }
    }

    /// Writes `operation(inputs, parameters)` to every position of `output`.
    #[inline(always)]
    pub fn write<S: Simd>(
        &self,
        simd: S,
        output: &mut [f32],
        operation: impl Fn([S::Vector; INPUTS], [S::Vector; PARAMETERS]) -> S::Vector,
    ) {
        self.update(
            simd,
            output,
            #[inline(always)]
            |_, inputs, parameters| operation(inputs, parameters),
        );
    }

    /// Updates `ROWS` rows from `row`.
    ///
    /// # Safety
    /// The rows must exist, and `output` be as long as the inputs.
    #[inline(always)]
    unsafe fn update_rows<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        row: usize,
        output: *mut f32,
        operation: &impl Fn(S::Vector, [S::Vector; INPUTS], [S::Vector; PARAMETERS]) -> S::Vector,
    ) {
        let whole = self.channels - self.channels % S::WIDTH;
        let mut segment = Segment {
            position: row * self.channels,
            channel: 0,
            count: S::WIDTH,
        };
        // SAFETY: the segments lie within rows that exist.
        unsafe {
            while segment.channel < whole {
                self.update_segments::<S, ROWS>(simd, segment, output, operation);
                segment.position += S::WIDTH;
                segment.channel += S::WIDTH;
            }
            if whole < self.channels {
                segment.count = self.channels - whole;
                self.update_segments::<S, ROWS>(simd, segment, output, operation);
            }
        }
    }

    /// Updates one segment in each of `ROWS` rows.
    ///
    /// # Safety
    /// As for [`update_rows`](Self::update_rows).
    #[inline(always)]
    unsafe fn update_segments<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        segment: Segment,
        output: *mut f32,
        operation: &impl Fn(S::Vector, [S::Vector; INPUTS], [S::Vector; PARAMETERS]) -> S::Vector,
    ) {
        // SAFETY: as the caller says.
        unsafe {
            let parameters = self.parameters(simd, segment);
            for row in 0..ROWS {
                let segment = segment.further(row * self.channels);
                let output = output.add(segment.position);
                let old = read(simd, output, segment.count);
                let new = operation(old, self.inputs(simd, segment), parameters);
                if segment.count == S::WIDTH {
                    simd.write(output, new);
                } else {
                    simd.write_partial(output, segment.count, new);
                }
            }
        }
    }

    /// The two sums of `operation` over a run of rows of one segment, given in the first of them.
    ///
    /// # Safety
    /// The segment must lie within the inputs in each of the rows, and hold at most a vector.
    #[inline(always)]
    pub unsafe fn sums<S: Simd>(
        &self,
        simd: S,
        mut segment: Segment,
        mut rows: usize,
        operation: &impl Fn([S::Vector; INPUTS], [S::Vector; PARAMETERS]) -> [S::Vector; 2],
    ) -> [S::Vector; 2] {
        let mut sums = [[simd.splat(0.0); 2]; TOGETHER];
        // SAFETY: as the caller says.
        unsafe {
            let parameters = self.parameters(simd, segment);
            while rows >= TOGETHER {
                for (row, sums) in sums.iter_mut().enumerate() {
                    let inputs = self.inputs(simd, segment.further(row * self.channels));
                    *sums = add_pairs(simd, *sums, operation(inputs, parameters));
                }
                segment.position += TOGETHER * self.channels;
                rows -= TOGETHER;
            }
            for _ in 0..rows {
                let inputs = self.inputs(simd, segment);
                sums[0] = add_pairs(simd, sums[0], operation(inputs, parameters));
                segment.position += self.channels;
            }
        }
        let [a, b, c, d] = sums;
        add_pairs(simd, add_pairs(simd, a, b), add_pairs(simd, c, d))
    }
}

/// The sums of two pairs.
#[inline(always)]
fn add_pairs<S: Simd>(simd: S, a: [S::Vector; 2], b: [S::Vector; 2]) -> [S::Vector; 2] {
    [simd.add(a[0], b[0]), simd.add(a[1], b[1])]
}

/// The first `count` lanes.
///
/// # Safety
/// `from` must be valid for reading them; `count` is at most the vector.
#[inline(always)]
unsafe fn read<S: Simd>(simd: S, from: *const f32, count: usize) -> S::Vector {
    // SAFETY: as the caller says.
    unsafe {
        if count == S::WIDTH {
            simd.read(from)
        } else {
            simd.read_partial(from, count)
        }
    }
}
