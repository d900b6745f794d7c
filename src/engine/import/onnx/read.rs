//! An ONNX file as a graph by names.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use prost::Message;

use super::external::Beside;
use super::proto::{self, Model, kind};
use super::tensor::tensor;
use crate::engine::import::names;
use crate::engine::import::source::{Attribute, Container, Given, Node, Read, SourceGraph, Stored};

/// The operators that are understood.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=25;
/// Domains of ONNX's own operators.
const OWN: [&str; 2] = ["", "ai.onnx"];
/// Keys of a node's metadata.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";
const RULES: &str = "pkg.onnxscript.rewriter.rule_name";

/// The graph of the file with these bytes; the path is where files beside it are looked for.
///
/// # Errors
/// A sentence without the path, when it is no ONNX file, or one that cannot be read whole.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Read<SourceGraph> {
    if bytes.is_empty() {
        return Err("expected an ONNX file, but it is empty; export it again".into());
    }
    let model = Model::decode(bytes).map_err(|_| {
        "expected an ONNX file; it is cut off, damaged or another file: export the network again"
    })?;
    if model.graph.is_none() {
        return Err("expected an ONNX file with a graph, got none; is it the right file?".into());
    }
    let opset = opset(&model)?;
    let exporter = format!("{} {}", model.producer_name, model.producer_version);
    let graph = model
        .graph
        .ok_or("expected an ONNX file with a graph, got none; is it the right file?")?;
    if !graph.sparse_initializer.is_empty() {
        return Err("it holds sparse weights, which are not supported; export them dense".into());
    }
    let mut reader = Reader {
        beside: Beside::new(path),
        constants: HashMap::new(),
    };
    reader.initializers(&graph.initializer)?;
    let weights = &reader.constants;
    let inputs = graph.input.iter();
    let inputs = inputs.filter(|value| !weights.contains_key(&value.name));
    let inputs = inputs.map(given).collect::<Read<Vec<_>>>()?;
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in graph.node {
        nodes.push(reader.node(node)?);
    }
    Ok(SourceGraph {
        container: Container::Onnx,
        exporter: exporter.trim().to_owned(),
        opset,
        inputs,
        outputs: graph.output.into_iter().map(|value| value.name).collect(),
        constants: reader.constants,
        counters: BTreeMap::new(),
        nodes,
    })
}

fn opset(model: &Model) -> Read<i64> {
    let own = model.opset_import.iter();
    let own = own
        .filter(|set| OWN.contains(&&*set.domain))
        .map(|set| set.version);
    let version = own.max().ok_or(
        "expected an ONNX file that names its operators' version, got none; is it the right file?",
    )?;
    if OPSETS.contains(&version) {
        return Ok(version);
    }
    Err(format!(
        "its operators are of version {version}, expected {} to {}; export it again with opset 17",
        OPSETS.start(),
        OPSETS.end()
    ))
}

fn given(value: &proto::ValueInfo) -> Read<Given> {
    let shape = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let extent = |dim: &proto::Dimension| match dim.dim_value {
        Some(extent) if extent > 0 => usize::try_from(extent).map(Some).map_err(|_| {
            format!(
                "input {}: an extent of {extent}; export the network again",
                value.name
            )
        }),
        // An open extent is a name, nothing, or in some files 0 or -1.
        _ => Ok(None),
    };
    let shape = shape.and_then(|tensor| tensor.shape.as_ref());
    let extents = shape.map(|shape| shape.dim.iter().map(extent).collect::<Read<Vec<_>>>());
    Ok(Given {
        name: value.name.clone(),
        extents: extents.transpose()?,
    })
}

struct Reader {
    beside: Beside,
    constants: HashMap<String, Stored>,
}

impl Reader {
    fn initializers(&mut self, stored: &[proto::Tensor]) -> Read<()> {
        for each in stored {
            let tensor = tensor(each, &self.beside)
                .map_err(|reason| format!("tensor {}: {reason}", each.name))?;
            self.keep(&each.name, tensor)?;
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, tensor: crate::engine::import::tensor::Tensor) -> Read<()> {
        let stored = Stored {
            tensor_name: name.to_owned(),
            tensor,
        };
        match self.constants.insert(name.to_owned(), stored) {
            None => Ok(()),
            Some(_) => Err(format!(
                "tensor {name} is there twice: expected one of the name; export the network again"
            )),
        }
    }

    fn node(&mut self, node: proto::Node) -> Read<Node> {
        let operation = if OWN.contains(&&*node.domain) {
            node.op_type
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        let property = |key: &str| {
            let mut properties = node.metadata_props.iter();
            properties.find(|property| property.key == key)
        };
        let module = property(SCOPES).and_then(|property| names::of_scopes(&property.value));
        let rules = property(RULES).map_or_else(String::new, |property| property.value.clone());
        let mut read = Node {
            operation,
            name: node.name,
            module,
            rules,
            inputs: node.input,
            outputs: node.output,
            attributes: BTreeMap::new(),
        };
        for attribute in node.attribute {
            let value = self
                .attribute(&attribute)
                .map_err(|reason| format!("{}, {}: {reason}", read.called(), attribute.name))?;
            read.attributes.insert(attribute.name, value);
        }
        Ok(read)
    }

    fn attribute(&mut self, attribute: &proto::Attribute) -> Read<Attribute> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match kind_of(attribute) {
            kind::FLOAT => Attribute::Float(attribute.f.into()),
            kind::INT => Attribute::Integer(attribute.i),
            kind::STRING => Attribute::Text(text(&attribute.s)),
            kind::TENSOR => match &attribute.t {
                Some(stored) => Attribute::Tensor(tensor(stored, &self.beside)?),
                None => return Err("expected a tensor, got none; export the network again".into()),
            },
            kind::FLOATS => {
                Attribute::Floats(attribute.floats.iter().map(|&value| value.into()).collect())
            }
            kind::INTS => Attribute::Integers(attribute.ints.clone()),
            kind::STRINGS => {
                Attribute::Texts(attribute.strings.iter().map(|bytes| text(bytes)).collect())
            }
            kind::GRAPH => Attribute::Other("a graph"),
            _ => Attribute::Other("an unknown type"),
        })
    }
}

/// The kind of an attribute; the oldest files leave it to the field that is there.
fn kind_of(attribute: &proto::Attribute) -> i32 {
    match attribute.kind {
        0 if !attribute.ints.is_empty() => kind::INTS,
        0 if !attribute.floats.is_empty() => kind::FLOATS,
        0 if !attribute.strings.is_empty() => kind::STRINGS,
        0 if attribute.t.is_some() => kind::TENSOR,
        0 if attribute.g.is_some() => kind::GRAPH,
        0 if !attribute.s.is_empty() => kind::STRING,
        0 if attribute.f != 0.0 => kind::FLOAT,
        0 => kind::INT,
        named => named,
    }
}
