//! The graph of a network in its packed file: JSON, compressed (zlib), in a tensor of its own. Presets
//! need none: their name says it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::engine::complaint::of_unpacking;
use crate::engine::model::Structure;
use crate::engine::text;

/// Name of the tensor.
pub(super) const NAME: &str = "hawqeye/network";
/// Bytes of JSON for each byte of the file, at most: graphs repeat themselves.
const EXPANSION: u64 = 512;
/// Bytes of JSON, at most.
const LIMIT: u64 = 256 << 20;

/// The bytes of the tensor.
pub(super) fn encode(structure: &Structure) -> Vec<u8> {
    let json = serde_json::to_vec(&structure.without_counters())
        .expect("invariant: graphs can be written");
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(&json)
        .and_then(|()| encoder.finish())
        .expect("invariant: memory can be written to")
}

/// The network in the bytes of the tensor.
pub(super) fn decode(bytes: &[u8]) -> Result<Structure, String> {
    let most = LIMIT.min((bytes.len() as u64).saturating_mul(EXPANSION));
    let mut json = Vec::new();
    let read = ZlibDecoder::new(bytes)
        .take(most + 1)
        .read_to_end(&mut json);
    read.map_err(|error| format!("{NAME}: {}; export the file again", of_unpacking(&error)))?;
    if json.len() as u64 > most {
        return Err(format!(
            "{NAME}: a graph of more than {most} bytes; export the file again"
        ));
    }
    let said = |reason: String| format!("{NAME}: {reason}; export the file again");
    let structure: Structure = text::decode(json)
        .and_then(|text| text::from_json(&text))
        .map_err(said)?;
    structure.check().map_err(said)?;
    Ok(structure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::Shape;

    #[test]
    fn a_graph_survives_and_damage_is_told() {
        let structure = Structure::preset("resnet20", Shape::map(3, 32, 32), 10).unwrap();
        let bytes = encode(&structure);
        assert!(bytes.len() < 4000, "{}", bytes.len());
        assert_eq!(decode(&bytes).unwrap(), structure);
        assert!(decode(&bytes[..100]).unwrap_err().contains(NAME));
        let bomb = {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
            encoder.finish().unwrap()
        };
        assert!(decode(&bomb).unwrap_err().contains("more than"));
    }
}
