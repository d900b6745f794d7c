//! The JSON of an archive, as far as it is looked into (`torch/_export/serde/schema.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An exported program.
#[derive(Debug, Deserialize)]
pub(super) struct Program {
    pub graph_module: Module,
    #[serde(default)]
    pub opset_version: BTreeMap<String, i64>,
    #[serde(default)]
    pub torch_version: Option<String>,
    #[serde(default)]
    pub schema_version: Option<Version>,
}

/// Version of the format.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub major: i64,
}

/// A graph and what its values are.
#[derive(Debug, Deserialize)]
pub(super) struct Module {
    pub graph: Graph,
    pub signature: Signature,
}

/// Nodes in order.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub tensor_values: BTreeMap<String, Meta>,
}

/// A call of an operation.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub target: String,
    #[serde(default)]
    pub inputs: Vec<Argument>,
    #[serde(default)]
    pub outputs: Vec<Value>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub name: Option<String>,
}

/// An argument by name; its value is one key that tells the type, and the value.
#[derive(Debug, Deserialize)]
pub(super) struct Argument {
    #[serde(default)]
    pub name: String,
    pub arg: Value,
}

/// What is known about a node besides.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub nn_module_stack: Option<String>,
}

/// Type and shape of a tensor.
#[derive(Debug, Deserialize)]
pub(super) struct Meta {
    pub dtype: i64,
    pub sizes: Vec<Value>,
    #[serde(default)]
    pub strides: Vec<Value>,
    #[serde(default)]
    pub storage_offset: Option<Value>,
}

/// What the graph reads and answers.
#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    pub input_specs: Vec<Value>,
    pub output_specs: Vec<Value>,
}

/// The weights of an archive.
#[derive(Debug, Deserialize)]
pub(super) struct Weights {
    pub config: BTreeMap<String, Weight>,
}

/// A weight.
#[derive(Debug, Deserialize)]
pub(super) struct Weight {
    pub path_name: String,
    #[serde(default)]
    pub use_pickle: bool,
    #[serde(default)]
    pub tensor_meta: Option<Meta>,
}

/// A whole number: `{"as_int": 3}`, or plainly `3` in old files.
pub(super) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.get("as_int")?.as_i64())
}

/// The name in `{"name": "x"}`, or in old files `"x"`.
pub(super) fn name(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("name")?.as_str())
}
