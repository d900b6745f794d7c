//! backend

pub mod cpu;
