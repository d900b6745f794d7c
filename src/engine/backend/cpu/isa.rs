//! Which vector instructions the kernels use, chosen at run time.

use std::fmt;
use std::str::FromStr;

use crate::engine::{Error, Result};

/// A set of vector instructions that this machine has: a value exists only after detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Isa(Kind);

/// The instruction sets kernels are compiled for, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 128-bit vectors with fused multiply-add.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Whatever the compiler makes of arrays of eight numbers.
    Portable,
}

/// Every name `--isa` takes except `auto`.
const NAMES: [&str; 4] = ["avx512", "avx2", "neon", "portable"];

impl Isa {
    /// Plain Rust; on every machine.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The widest instructions of this machine.
    #[must_use]
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Every instruction set of this machine, widest first; the portable one is always last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other architectures have the portable one only")]
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
            {
                found.push(Self(Kind::Avx512));
            }
            found.push(Self(Kind::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Self(Kind::Neon));
        }
        found.push(Self::PORTABLE);
        found
    }

    /// For the dispatch macro.
    pub(super) const fn kind(self) -> Kind {
        self.0
    }

    /// Numbers in one vector.
    #[must_use]
    pub const fn width(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => 4,
            Kind::Portable => 8,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            Kind::Portable => "portable",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// `auto`, or one of the instruction sets of this machine.
    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self::detect());
        }
        let available = Self::available();
        if let Some(&isa) = available.iter().find(|isa| isa.to_string() == text) {
            return Ok(isa);
        }
        let names: Vec<String> = available.iter().map(Self::to_string).collect();
        let names = names.join(", ");
        Err(Error::invalid(if NAMES.contains(&text) {
            format!("this machine has no {text} instructions: choose auto, or one of {names}")
        } else {
            format!("{text:?} is not an instruction set: choose auto, or one of {names}")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_is_read_back_from_its_name() {
        for isa in Isa::available() {
            assert_eq!(isa.to_string().parse::<Isa>().unwrap(), isa);
            assert!(NAMES.contains(&isa.to_string().as_str()));
        }
        assert_eq!("auto".parse::<Isa>().unwrap(), Isa::detect());
    }

    #[test]
    fn the_portable_set_is_always_there() {
        assert_eq!(Isa::available().last(), Some(&Isa::PORTABLE));
    }

    #[test]
    fn a_missing_or_unknown_set_is_one_sentence() {
        let unknown = "sse".parse::<Isa>().unwrap_err().to_string();
        assert!(unknown.contains("\"sse\" is not an instruction set"));
        for name in NAMES {
            if Isa::available().iter().all(|isa| isa.to_string() != name) {
                let missing = name.parse::<Isa>().unwrap_err().to_string();
                assert!(missing.contains("this machine has no"));
            }
        }
    }
}
