//! Numbers that look random and are always the same.

/// Numbers between -1 and 1.
pub struct Random(u64);

impl Random {
    /// Others for every name.
    pub fn of(name: &str) -> Self {
        let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        Self(seed | 1)
    }

    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Multiples of 2^-12, so that both sides read the same number from any float format.
        (self.0 >> 51) as f32 / 4096.0 - 1.0
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}
