//! The `hawqeye` program.
fn main() {}
