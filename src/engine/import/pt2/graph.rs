//! The graph of an archive by names: tensors among the arguments of a call become what the node
//! reads, everything else its settings under the argument's name.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::schema::{Argument, Meta, Module, Program, integer, name};
use super::weights::Named;
use super::{alias, schema};
use crate::engine::import::names;
use crate::engine::import::source::{
    Attribute, Container, Given, Node, Read, Size, SourceGraph, Stored,
};

/// What all operations of `PyTorch` begin with.
const PREFIX: &str = "torch.ops.";
/// The newest format that is known.
const NEWEST: i64 = 8;

/// The graph of a program and its weights.
pub(super) fn graph(program: Program, weights: Named) -> Read<SourceGraph> {
    if let Some(version) = &program.schema_version
        && version.major > NEWEST
    {
        return Err(format!(
            "its format is of version {}, expected at most {NEWEST}; save it with PyTorch 2.15",
            version.major
        ));
    }
    let opset = program.opset_version.get("aten").copied().unwrap_or(0);
    let version = program.torch_version.unwrap_or_default();
    let Module { graph, signature } = program.graph_module;
    let nodes = graph
        .nodes
        .into_iter()
        .map(node)
        .collect::<Read<Vec<_>>>()?;
    alias::check(&nodes)?;
    let mut inputs = Inputs {
        weights,
        metas: &graph.tensor_values,
        constants: HashMap::new(),
        given: Vec::new(),
    };
    for spec in &signature.input_specs {
        inputs.add(spec)?;
    }
    let outputs = signature.output_specs.iter().map(output);
    let outputs = outputs.collect::<Read<Vec<_>>>()?;
    Ok(SourceGraph {
        container: Container::Pt2,
        exporter: format!("torch.export {version}").trim().to_owned(),
        opset,
        inputs: inputs.given,
        outputs: outputs.into_iter().flatten().collect(),
        counters: counters(&inputs.constants, &nodes),
        constants: inputs.constants,
        nodes,
    })
}

/// Single whole numbers that no node reads: what training counts.
fn counters(constants: &HashMap<String, Stored>, nodes: &[Node]) -> BTreeMap<String, i64> {
    let read: HashSet<&str> = nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .map(|name| &**name)
        .collect();
    let unread = constants
        .iter()
        .filter(|(value, _)| !read.contains(&***value));
    let whole = unread.filter_map(|(_, stored)| {
        let number = stored.tensor.whole_number()?;
        Some((stored.tensor_name.clone(), number))
    });
    whole.collect()
}

/// What a graph reads.
struct Inputs<'a> {
    weights: Named,
    metas: &'a BTreeMap<String, Meta>,
    constants: HashMap<String, Stored>,
    given: Vec<Given>,
}

impl Inputs<'_> {
    fn add(&mut self, spec: &Value) -> Read<()> {
        let (kind, body) = tagged(spec)?;
        let argument = body.get("arg").unwrap_or(&Value::Null);
        let named = |key: &str| body.get(key).and_then(Value::as_str);
        match kind {
            "parameter" => self.constant(argument, named("parameter_name")),
            "buffer" => self.constant(argument, named("buffer_name")),
            "tensor_constant" => self.constant(argument, named("tensor_constant_name")),
            "user_input" => self.given(argument),
            "constant_input" => Ok(()),
            other => Err(format!(
                "an input of kind {other} is not supported; export it without"
            )),
        }
    }

    fn constant(&mut self, argument: &Value, tensor: Option<&str>) -> Read<()> {
        let broken = || "expected an input with a name; save the network again";
        let value = name(argument).ok_or_else(broken)?;
        let tensor_name = tensor.ok_or_else(broken)?;
        let tensor = self.weights.get(tensor_name).ok_or_else(|| {
            format!("tensor {tensor_name} is missing in the file; save the network again")
        })?;
        let stored = Stored {
            tensor_name: tensor_name.to_owned(),
            tensor: tensor.clone(),
        };
        self.constants.insert(value.to_owned(), stored);
        Ok(())
    }

    fn given(&mut self, argument: &Value) -> Read<()> {
        let (kind, body) = tagged(argument)?;
        if kind != "as_tensor" {
            return Ok(());
        }
        let name = name(body).ok_or("expected an input with a name; save the network again")?;
        let extents = self.metas.get(name).map(|meta| {
            let sizes = meta.sizes.iter();
            let sizes = sizes.map(|size| integer(size).and_then(|size| usize::try_from(size).ok()));
            sizes.collect()
        });
        self.given.push(Given {
            name: name.to_owned(),
            extents,
        });
        Ok(())
    }
}

fn output(spec: &Value) -> Read<Option<String>> {
    let (kind, body) = tagged(spec)?;
    let argument = body.get("arg").unwrap_or(&Value::Null);
    match (kind, tagged(argument)) {
        ("user_output", Ok(("as_tensor", tensor))) => Ok(name(tensor).map(str::to_owned)),
        ("user_output", Ok(("as_none" | "as_int" | "as_sym_int", _))) => Ok(None),
        ("buffer_mutation", _) => Err("it was exported in training mode (it changes its own \
             statistics); export model.eval()"
            .into()),
        (kind, _) => Err(format!(
            "an output of kind {kind} is not supported; export it without"
        )),
    }
}

/// The one key of an object, and its value.
fn tagged(value: &Value) -> Read<(&str, &Value)> {
    let object = value.as_object().and_then(|object| object.iter().next());
    object
        .map(|(key, value)| (&**key, value))
        .ok_or_else(|| "expected a value with its type in the graph; save the network again".into())
}

fn node(node: schema::Node) -> Read<Node> {
    let operation = node.target.strip_prefix(PREFIX).unwrap_or(&node.target);
    let mut read = Node {
        operation: operation.to_owned(),
        name: node.name.unwrap_or_default(),
        module: node
            .metadata
            .nn_module_stack
            .as_deref()
            .and_then(names::of_stack),
        ..Node::default()
    };
    for output in &node.outputs {
        outputs(output, &mut read.outputs)?;
    }
    for (place, Argument { name, arg }) in node.inputs.iter().enumerate() {
        let value = attribute(arg).map_err(|reason| format!("{}: {reason}", read.called()))?;
        read.inputs.extend(alias::values(&value));
        let name = if name.is_empty() {
            place.to_string()
        } else {
            name.clone()
        };
        read.attributes.insert(name, value);
    }
    Ok(read)
}

/// Names of what a node writes.
fn outputs(value: &Value, names: &mut Vec<String>) -> Read<()> {
    let (kind, body) = tagged(value)?;
    match kind {
        "as_tensors" => {
            let tensors = body.as_array().map(Vec::as_slice).unwrap_or_default();
            names.extend(tensors.iter().filter_map(name).map(str::to_owned));
        }
        "as_tensor" => names.extend(name(body).map(str::to_owned)),
        "as_sym_int" | "as_sym_bool" | "as_sym_float" => {
            names.extend(
                body.get("as_name")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
        }
        _ => names.push(String::new()),
    }
    Ok(())
}

/// An argument's value.
fn attribute(value: &Value) -> Read<Attribute> {
    let (kind, body) = tagged(value)?;
    let list = || body.as_array().map(Vec::as_slice).unwrap_or_default();
    let broken = || format!("an argument of kind {kind} is not what it should be; save it again");
    Ok(match kind {
        "as_none" => Attribute::Nothing,
        "as_tensor" => Attribute::Value(name(body).ok_or_else(broken)?.to_owned()),
        "as_tensors" => {
            Attribute::Values(list().iter().map(|t| name(t).map(str::to_owned)).collect())
        }
        "as_optional_tensors" => Attribute::Values(list().iter().map(optional).collect()),
        "as_int" => Attribute::Integer(body.as_i64().ok_or_else(broken)?),
        "as_bool" => Attribute::Integer(body.as_bool().ok_or_else(broken)?.into()),
        "as_float" => Attribute::Float(float(body).ok_or_else(broken)?),
        "as_string" => Attribute::Text(body.as_str().ok_or_else(broken)?.to_owned()),
        "as_scalar_type" => Attribute::Text(format!("type {}", body.as_i64().ok_or_else(broken)?)),
        "as_ints" => {
            let numbers: Option<Vec<i64>> = list().iter().map(Value::as_i64).collect();
            Attribute::Integers(numbers.ok_or_else(broken)?)
        }
        "as_bools" => {
            let numbers: Option<Vec<i64>> =
                list().iter().map(|b| b.as_bool().map(i64::from)).collect();
            Attribute::Integers(numbers.ok_or_else(broken)?)
        }
        "as_floats" => {
            let numbers: Option<Vec<f64>> = list().iter().map(float).collect();
            Attribute::Floats(numbers.ok_or_else(broken)?)
        }
        "as_sym_int" => match size(body).ok_or_else(broken)? {
            Size::Known(number) => Attribute::Integer(number),
            Size::Named(name) => Attribute::Value(name),
        },
        "as_sym_ints" => {
            let sizes: Option<Vec<Size>> = list().iter().map(size).collect();
            Attribute::Sizes(sizes.ok_or_else(broken)?)
        }
        _ => Attribute::Other("of another kind"),
    })
}

/// Numbers that JSON does not know are texts.
fn float(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| match value.as_str()? {
        "Infinity" | "inf" => Some(f64::INFINITY),
        "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
        "NaN" | "nan" => Some(f64::NAN),
        _ => None,
    })
}

fn size(value: &Value) -> Option<Size> {
    let named = || value.get("as_name")?.as_str();
    integer(value)
        .map(Size::Known)
        .or_else(|| Some(Size::Named(named()?.to_owned())))
}

fn optional(value: &Value) -> Option<String> {
    name(value.get("as_tensor")?).map(str::to_owned)
}
