//! What a packed file holds besides its layers: enough to know its size at any bits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the packed file of a network holds besides its layers, whose sizes depend on their bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Keys and values of its metadata, but for what the bits decide.
    pub metadata: BTreeMap<String, String>,
    /// Bytes of each further tensor, by name: the graph, and parameters that are no layer's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tensors: BTreeMap<String, usize>,
}
