//! The one place where `--device` becomes a backend.

use std::fmt;

use clap::ValueEnum;

use super::failure::Failure;
use crate::engine::backend::Backend;
use crate::engine::backend::candle::Candle;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::memory::Memory;

/// Images that a GPU walks at once, unless asked otherwise.
const GPU_CHUNK: usize = 128;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Device {
    /// Our own kernels.
    #[default]
    Cpu,
    /// An NVIDIA GPU, through candle; needs a build with `--features cuda`
    Cuda,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// Work that any backend can do.
pub trait Work {
    /// What comes out of it.
    type Output;

    /// Does the work on `backend`.
    ///
    /// # Errors
    /// Those of the work.
    fn run<B: Backend>(self, backend: &B) -> Result<Self::Output, Failure>;
}

/// `--device`, `--isa`, `--memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Device")]
pub struct DeviceArgs {
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
    /// Vector instructions of the CPU: auto, avx512, avx2, neon or portable
    #[arg(long, value_name = "ISA", default_value = "auto")]
    pub isa: Isa,
    /// What the work may take of memory, such as 4GB: fewer images are walked at a time, and less is kept
    /// of pictures and between walks [default: not bounded, and at most 2 GB kept]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Memory>,
}

impl DeviceArgs {
    /// What was given of memory, or what is usual on this machine.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.memory.unwrap_or_else(Memory::of_machine)
    }

    /// Does the work on the chosen device.
    ///
    /// # Errors
    /// When there is no such device, and those of the work.
    pub fn run<W: Work>(self, work: W) -> Result<W::Output, Failure> {
        self.run_in_chunks(GPU_CHUNK, work)
    }

    /// Does the work on the chosen device; a GPU walks `chunk` images at once.
    ///
    /// # Errors
    /// When there is no such device, and those of the work.
    pub fn run_in_chunks<W: Work>(self, chunk: usize, work: W) -> Result<W::Output, Failure> {
        let memory = self.memory();
        match self.device {
            Device::Cpu => work.run(&Cpu::new(self.isa).with_memory(memory)),
            Device::Cuda => work.run(&gpu()?.with_chunk(chunk).with_memory(memory)),
        }
    }
}

/// The first GPU.
fn gpu() -> Result<Candle, Failure> {
    if cfg!(not(feature = "cuda")) {
        return Err(Failure::failed(
            "this build has no CUDA; build with --features cuda, or use --device cpu",
        ));
    }
    Candle::cuda(0).map_err(|refused| {
        Failure::failed(format!("cannot use the GPU ({refused}); try --device cpu"))
    })
}
