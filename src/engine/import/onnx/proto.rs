//! The ONNX file format: protocol buffer messages with the field numbers of `onnx.proto` (ONNX IR
//! version 11), written by hand. What neither the reader nor the writer looks into (functions,
//! training, annotations of devices) is kept as bytes, so that a file can be written back whole.
//! Lists of numbers are read packed and unpacked, whatever is declared here.

#![allow(clippy::struct_field_names, reason = "the names of onnx.proto")]

use prost::Message;

/// Data types of tensors: the numbers of `TensorProto.DataType`.
pub mod element {
    /// 32-bit floats.
    pub const FLOAT: i32 = 1;
    /// Unsigned 8-bit integers.
    pub const UINT8: i32 = 2;
    /// 8-bit integers.
    pub const INT8: i32 = 3;
    /// Unsigned 16-bit integers.
    pub const UINT16: i32 = 4;
    /// 16-bit integers.
    pub const INT16: i32 = 5;
    /// 32-bit integers.
    pub const INT32: i32 = 6;
    /// 64-bit integers.
    pub const INT64: i32 = 7;
    /// Text.
    pub const STRING: i32 = 8;
    /// Truth values, a byte each.
    pub const BOOL: i32 = 9;
    /// IEEE 754 half precision.
    pub const FLOAT16: i32 = 10;
    /// 64-bit floats.
    pub const DOUBLE: i32 = 11;
    /// Unsigned 32-bit integers.
    pub const UINT32: i32 = 12;
    /// Unsigned 64-bit integers.
    pub const UINT64: i32 = 13;
    /// The upper halves of 32-bit floats.
    pub const BFLOAT16: i32 = 16;
    /// Unsigned 4-bit integers, two a byte, the lower half first.
    pub const UINT4: i32 = 21;
    /// 4-bit integers, two a byte, the lower half first.
    pub const INT4: i32 = 22;
    /// Unsigned 2-bit integers, four a byte, the lowest first.
    pub const UINT2: i32 = 25;
    /// 2-bit integers, four a byte, the lowest first.
    pub const INT2: i32 = 26;
}

/// Data type of 32-bit floats.
pub const FLOAT: i32 = element::FLOAT;
/// Data type of 64-bit integers.
pub const INT64: i32 = element::INT64;

/// Types of attributes: the numbers of `AttributeProto.AttributeType`.
pub mod kind {
    /// A float.
    pub const FLOAT: i32 = 1;
    /// An integer.
    pub const INT: i32 = 2;
    /// Text.
    pub const STRING: i32 = 3;
    /// A tensor.
    pub const TENSOR: i32 = 4;
    /// A graph.
    pub const GRAPH: i32 = 5;
    /// Floats.
    pub const FLOATS: i32 = 6;
    /// Integers.
    pub const INTS: i32 = 7;
    /// Texts.
    pub const STRINGS: i32 = 8;
}

/// Where the numbers of a tensor are: the file named in `external_data`.
pub const EXTERNAL: i32 = 1;

/// A file.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The program that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// Whose network it is.
    #[prost(string, tag = "4")]
    pub domain: String,
    /// Version of the network.
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    /// A description.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// The operators it uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// What else is known.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Property>,
    /// How it is trained, encoded.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub training_info: Vec<Vec<u8>>,
    /// Operators that are defined by graphs.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<Function>,
    /// Devices, encoded.
    #[prost(bytes = "vec", repeated, tag = "26")]
    pub configuration: Vec<Vec<u8>>,
}

/// The operators that a file uses.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Whose operators; empty for those of ONNX.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Their version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
pub struct Property {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// An operator that is defined by a graph.
#[derive(Clone, PartialEq, Message)]
pub struct Function {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Names of what it reads.
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// Names of what it writes.
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// Attributes without default.
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    /// Its operations.
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<Node>,
    /// A description.
    #[prost(string, tag = "8")]
    pub doc_string: String,
    /// The operators it uses.
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSet>,
    /// Whose operator it is.
    #[prost(string, tag = "10")]
    pub domain: String,
    /// Attributes with defaults.
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<Attribute>,
    /// Types of values.
    #[prost(message, repeated, tag = "12")]
    pub value_info: Vec<ValueInfo>,
    /// Which of several of the name.
    #[prost(string, tag = "13")]
    pub overload: String,
    /// What else is known.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Property>,
}

/// A network.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// Operations, those that write before those that read.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// A description.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// What it reads; in old files the weights too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// What it answers.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
    /// Types of values in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfo>,
    /// How values are quantized, encoded.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub quantization_annotation: Vec<Vec<u8>>,
    /// Weights that are mostly zero, encoded.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
    /// What else is known.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<Property>,
}

/// An operation.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Values it reads; an empty name stands for none.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Values it writes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its name, which may be empty.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// A description.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// Whose operator it is.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// Which of several functions of the name.
    #[prost(string, tag = "8")]
    pub overload: String,
    /// What else is known.
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<Property>,
    /// Devices, encoded.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub device_configurations: Vec<Vec<u8>>,
}

/// A setting of an operation.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A float.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// An integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// Text.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// A tensor.
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<Tensor>>,
    /// A graph.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<Graph>>,
    /// Floats.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Tensors.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<Tensor>,
    /// Graphs.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<Graph>,
    /// A description.
    #[prost(string, tag = "13")]
    pub doc_string: String,
    /// A type, encoded.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub tp: Vec<Vec<u8>>,
    /// Types, encoded.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub type_protos: Vec<Vec<u8>>,
    /// Which of these it is: see [`kind`]; 0 in the oldest files.
    #[prost(int32, tag = "20")]
    pub kind: i32,
    /// In a function, the attribute of the caller that it takes.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// A tensor that is mostly zero, encoded.
    #[prost(bytes = "vec", repeated, tag = "22")]
    pub sparse_tensor: Vec<Vec<u8>>,
    /// Such tensors, encoded.
    #[prost(bytes = "vec", repeated, tag = "23")]
    pub sparse_tensors: Vec<Vec<u8>>,
}

/// Numbers.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Its shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Type of its elements: see [`element`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Which part of a larger tensor it is.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<Segment>,
    /// Elements: floats.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements: integers of at most 32 bits, truth values, and the bits of 16-bit floats.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Elements: texts.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    /// Elements: integers of 64 bits.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements as bytes, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Elements: doubles.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Elements: unsigned integers of 32 and 64 bits.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// A description.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// Elements: where in another file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<Property>,
    /// Whether they are in another file: [`EXTERNAL`].
    #[prost(int32, tag = "14")]
    pub data_location: i32,
    /// What else is known.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<Property>,
}

/// A part of a larger tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Segment {
    /// The first element.
    #[prost(int64, tag = "1")]
    pub begin: i64,
    /// The one after the last element.
    #[prost(int64, tag = "2")]
    pub end: i64,
}

/// Name and type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
    /// A description.
    #[prost(string, tag = "3")]
    pub doc_string: String,
    /// What else is known.
    #[prost(message, repeated, tag = "4")]
    pub metadata_props: Vec<Property>,
}

/// The type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// Of a tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
    /// Of a sequence, encoded.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub sequence_type: Vec<Vec<u8>>,
    /// Of a map, encoded.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub map_type: Vec<Vec<u8>>,
    /// What it means.
    #[prost(string, tag = "6")]
    pub denotation: String,
    /// Of anything else, encoded.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub opaque_type: Vec<Vec<u8>>,
    /// Of a tensor that is mostly zero, encoded.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub sparse_tensor_type: Vec<Vec<u8>>,
    /// Of what may be missing, encoded.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub optional_type: Vec<Vec<u8>>,
}

/// Element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// Type of its elements: see [`element`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShape>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShape {
    /// Its extents.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// One extent of a shape: a number, a name for one that is open, or nothing.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// The number.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
    /// What it means.
    #[prost(string, tag = "3")]
    pub denotation: String,
}

impl Tensor {
    /// Floats of a shape.
    pub fn floats(name: &str, dims: &[usize], values: impl Iterator<Item = f32>) -> Self {
        Self {
            dims: dims.iter().map(|&extent| extent as i64).collect(),
            data_type: FLOAT,
            name: name.to_owned(),
            raw_data: values.flat_map(f32::to_le_bytes).collect(),
            ..Self::default()
        }
    }

    /// A list of integers.
    pub fn integers(name: &str, values: &[i64]) -> Self {
        Self {
            dims: vec![values.len() as i64],
            data_type: INT64,
            name: name.to_owned(),
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Self::default()
        }
    }
}

impl ValueInfo {
    /// Floats of a shape.
    pub fn floats(name: &str, dims: &[usize]) -> Self {
        let dim = dims.iter().map(|&extent| Dimension {
            dim_value: Some(extent as i64),
            ..Dimension::default()
        });
        Self {
            name: name.to_owned(),
            r#type: Some(Type {
                tensor_type: Some(TensorType {
                    elem_type: FLOAT,
                    shape: Some(TensorShape { dim: dim.collect() }),
                }),
                ..Type::default()
            }),
            ..Self::default()
        }
    }

    /// The extents, when they are known.
    pub fn dims(&self) -> Option<Vec<i64>> {
        let shape = self.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
        shape
            .dim
            .iter()
            .map(|dimension| dimension.dim_value)
            .collect()
    }
}

impl Attribute {
    /// An integer.
    pub fn int(name: &str, i: i64) -> Self {
        Self {
            name: name.to_owned(),
            i,
            kind: kind::INT,
            ..Self::default()
        }
    }

    /// Integers.
    pub fn ints(name: &str, values: &[usize]) -> Self {
        Self {
            name: name.to_owned(),
            ints: values.iter().map(|&value| value as i64).collect(),
            kind: kind::INTS,
            ..Self::default()
        }
    }

    /// A float.
    pub fn float(name: &str, f: f32) -> Self {
        Self {
            name: name.to_owned(),
            f,
            kind: kind::FLOAT,
            ..Self::default()
        }
    }

    /// Text.
    pub fn text(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            s: text.as_bytes().to_vec(),
            kind: kind::STRING,
            ..Self::default()
        }
    }
}
