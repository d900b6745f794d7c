//! The embedded network of the demo: a ResNet20 that the hidden command `demo-weights` trained on
//! the 60,000 training images of Fashion-MNIST. Origin and licence lie beside the file.

use std::path::Path;

use super::{Architecture, Model, weights};
use crate::engine::Result;
use crate::engine::graph::Shape;

/// Its architecture.
pub const ARCHITECTURE: Architecture = Architecture::ResNet { depth: 20 };

const FILE: &str = "assets/demo/resnet20.safetensors";
const BYTES: &[u8] = include_bytes!("../../../assets/demo/resnet20.safetensors");

/// The network.
///
/// # Errors
/// Never, as a test shows.
pub fn load() -> Result<Model> {
    let path = Path::new(FILE);
    let file = weights::from_bytes(BYTES, path)?;
    Model::from_weights(
        ARCHITECTURE,
        (Shape::map(1, 28, 28), 10),
        (&file, path.into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_network_is_whole() {
        let model = load().unwrap();
        assert_eq!(model.graph.layers().len(), 20);
        assert_eq!(model.weights_sha256.len(), 64);
    }
}
