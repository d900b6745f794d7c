//! ONNX files in the making. The bytes are written here from the format's field numbers, with nothing of the
//! importer in them.

use crate::random::Random;

/// Data types of `TensorProto`.
pub const FLOAT: u64 = 1;
pub const UINT8: u64 = 2;
pub const INT8: u64 = 3;
pub const INT64: u64 = 7;
pub const FLOAT16: u64 = 10;
pub const DOUBLE: u64 = 11;
pub const BFLOAT16: u64 = 16;
pub const INT4: u64 = 22;

/// A message as bytes: fields one after another.
#[derive(Debug, Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn float(mut self, field: u64, number: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// How files of some programs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As most do.
    Plain,
    /// Weights are inputs too, as in files before version 4 of the format.
    WeightsAreInputs,
    /// Settings do not say what they are, as in the oldest files.
    Untyped,
    /// Repeated numbers as one field.
    Packed,
    /// Numbers of tensors as lists of their type.
    Lists,
    /// The operators' domain has its long name.
    LongDomain,
}

/// Numbers of a field that may be there several times.
fn repeated(message: Message, field: u64, (numbers, style): (&[i64], Style)) -> Message {
    if style != Style::Packed {
        let each = numbers.iter();
        return each.fold(message, |message, &number| {
            message.number(field, number as u64)
        });
    }
    let mut all = Message::default();
    numbers.iter().for_each(|&number| all.varint(number as u64));
    message.message(field, &all)
}

/// A stored tensor.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    pub dims: Vec<i64>,
    pub data_type: u64,
    pub raw: Vec<u8>,
    /// Key and value pairs of data that lie in another file.
    pub external: Vec<(&'static str, String)>,
}

impl Tensor {
    pub fn raw(name: &str, dims: &[i64], (data_type, raw): (u64, Vec<u8>)) -> Self {
        Self {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type,
            raw,
            external: Vec::new(),
        }
    }

    pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        Self::raw(name, dims, (FLOAT, raw.collect()))
    }

    pub fn integers(name: &str, dims: &[i64], values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        Self::raw(name, dims, (INT64, raw.collect()))
    }

    /// Random numbers between -1 and 1, always the same for one name.
    pub fn random(name: &str, dims: &[i64]) -> Self {
        let count = dims.iter().product::<i64>() as usize;
        Self::floats(name, dims, &Random::of(name).floats(count))
    }

    fn message(&self, style: Style) -> Message {
        let message = repeated(Message::default(), 1, (&self.dims, style));
        let message = message.number(2, self.data_type).text(8, &self.name);
        if self.external.is_empty() && style == Style::Lists {
            return self.list(message);
        }
        if self.external.is_empty() {
            return message.bytes(9, &self.raw);
        }
        let entries = self.external.iter();
        let message = entries.fold(message, |message, (key, value)| {
            message.message(13, &Message::default().text(1, key).text(2, value))
        });
        message.number(14, 1)
    }
}

impl Tensor {
    /// The numbers in the list of their type.
    fn list(&self, message: Message) -> Message {
        let mut all = Message::default();
        if self.data_type == INT64 {
            for number in self.raw.chunks_exact(8) {
                all.varint(u64::from_le_bytes(number.try_into().unwrap()));
            }
            return message.message(7, &all);
        }
        assert_eq!(self.data_type, FLOAT);
        // Little-endian floats one after another are a packed field.
        message.bytes(4, &self.raw)
    }
}

/// The value of a setting.
#[derive(Debug, Clone)]
pub enum Setting {
    Integer(i64),
    Integers(Vec<i64>),
    Float(f32),
    Floats(Vec<f32>),
    Text(String),
    Tensor(Box<Tensor>),
}

impl From<i64> for Setting {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<const N: usize> From<[i64; N]> for Setting {
    fn from(numbers: [i64; N]) -> Self {
        Self::Integers(numbers.to_vec())
    }
}

impl From<f32> for Setting {
    fn from(number: f32) -> Self {
        Self::Float(number)
    }
}

impl<const N: usize> From<[f32; N]> for Setting {
    fn from(numbers: [f32; N]) -> Self {
        Self::Floats(numbers.to_vec())
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Tensor> for Setting {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(Box::new(tensor))
    }
}

impl Setting {
    fn message(&self, name: &str, style: Style) -> Message {
        let message = Message::default().text(1, name);
        let (message, kind) = match self {
            Self::Integer(number) => (message.number(3, *number as u64), 2),
            Self::Integers(numbers) => (repeated(message, 8, (numbers, style)), 7),
            Self::Float(number) => (message.float(2, *number), 1),
            Self::Floats(numbers) => {
                let all = numbers.iter();
                (all.fold(message, |all, &number| all.float(7, number)), 6)
            }
            Self::Text(text) => (message.text(4, text), 3),
            Self::Tensor(tensor) => (message.message(5, &tensor.message(style)), 4),
        };
        if style == Style::Untyped {
            return message;
        }
        message.number(20, kind)
    }
}

/// An operation.
#[derive(Debug, Clone)]
pub struct Node {
    pub operation: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub settings: Vec<(&'static str, Setting)>,
    /// What the node itself is called; nothing in most files.
    pub name: String,
}

impl Node {
    fn message(&self, style: Style) -> Message {
        let inputs = self.inputs.iter();
        let message = inputs.fold(Message::default(), |message, name| message.text(1, name));
        let outputs = self.outputs.iter();
        let message = outputs.fold(message, |message, name| message.text(2, name));
        let (domain, operation) = match self.operation.rsplit_once('.') {
            Some((domain, operation)) => (domain, operation),
            None => ("", &*self.operation),
        };
        let message = message.text(3, &self.name);
        let message = message.text(4, operation).text(7, domain);
        let settings = self.settings.iter();
        settings.fold(message, |message, (name, setting)| {
            message.message(5, &setting.message(name, style))
        })
    }
}

/// A file: reads `x`, answers `y`.
#[derive(Debug, Clone)]
pub struct File {
    pub opset: i64,
    /// Extents of the images; 0 where open, which the first may be.
    pub image: Vec<i64>,
    pub data_type: u64,
    pub outputs: Vec<String>,
    pub tensors: Vec<Tensor>,
    pub nodes: Vec<Node>,
    pub style: Style,
}

impl File {
    /// Images of these extents; 0 stands for an open one.
    pub fn of(image: &[i64]) -> Self {
        Self {
            opset: 17,
            image: image.to_vec(),
            data_type: FLOAT,
            outputs: vec!["y".into()],
            tensors: Vec::new(),
            nodes: Vec::new(),
            style: Style::Plain,
        }
    }

    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    pub fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    pub fn tensor(mut self, tensor: Tensor) -> Self {
        self.tensors.push(tensor);
        self
    }

    /// Random weights.
    pub fn weights(self, name: &str, dims: &[i64]) -> Self {
        self.tensor(Tensor::random(name, dims))
    }

    pub fn floats(self, name: &str, values: &[f32]) -> Self {
        self.tensor(Tensor::floats(name, &[values.len() as i64], values))
    }

    pub fn float(self, name: &str, value: f32) -> Self {
        self.tensor(Tensor::floats(name, &[], &[value]))
    }

    pub fn integers(self, name: &str, values: &[i64]) -> Self {
        self.tensor(Tensor::integers(name, &[values.len() as i64], values))
    }

    /// An operation, `Conv x w b -> y`; `_` stands for an input that is left out.
    pub fn node(mut self, line: &str) -> Self {
        let (read, written) = line.split_once("->").unwrap();
        let name = |name: &str| {
            if name == "_" {
                String::new()
            } else {
                name.to_owned()
            }
        };
        let mut read = read.split_whitespace();
        self.nodes.push(Node {
            operation: read.next().unwrap().to_owned(),
            inputs: read.map(name).collect(),
            outputs: written.split_whitespace().map(name).collect(),
            settings: Vec::new(),
            name: String::new(),
        });
        self
    }

    /// What the operation before is called.
    pub fn called(mut self, name: &str) -> Self {
        name.clone_into(&mut self.nodes.last_mut().unwrap().name);
        self
    }

    /// A setting of the operation before.
    pub fn with(mut self, name: &'static str, setting: impl Into<Setting>) -> Self {
        let node = self.nodes.last_mut().unwrap();
        node.settings.push((name, setting.into()));
        self
    }

    /// Every number of a value as an answer.
    pub fn flat(self, name: &str) -> Self {
        self.node(&format!("Flatten {name} -> y"))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let nodes = self.nodes.iter();
        let graph = nodes.fold(Message::default(), |graph, node| {
            graph.message(1, &node.message(self.style))
        });
        let graph = graph.text(2, "judged");
        let tensors = self.tensors.iter();
        let graph = tensors.fold(graph, |graph, tensor| {
            graph.message(5, &tensor.message(self.style))
        });
        let graph = graph.message(11, &value("x", Some((self.data_type, &self.image))));
        let are_inputs = self.style == Style::WeightsAreInputs;
        let inputs = self.tensors.iter().filter(|_| are_inputs);
        let graph = inputs.fold(graph, |graph, tensor| {
            let of = Some((tensor.data_type, &*tensor.dims));
            graph.message(11, &value(&tensor.name, of))
        });
        let outputs = self.outputs.iter();
        let graph = outputs.fold(graph, |graph, name| graph.message(12, &value(name, None)));
        let domain = match self.style {
            Style::LongDomain => "ai.onnx",
            _ => "",
        };
        let own = Message::default()
            .text(1, domain)
            .number(2, self.opset as u64);
        let model = Message::default().number(1, 8).text(2, "judge");
        model.message(7, &graph).message(8, &own).0
    }
}

/// A value with its type: 32-bit floats of open extents when nothing is said.
fn value(name: &str, of: Option<(u64, &[i64])>) -> Message {
    let (data_type, dims) = of.unwrap_or((FLOAT, &[]));
    let dims = dims.iter().enumerate();
    let shape = dims.fold(Message::default(), |shape, (at, &dim)| {
        let open = Message::default().text(2, &format!("open{at}"));
        let known = Message::default().number(1, dim as u64);
        shape.message(1, if dim == 0 { &open } else { &known })
    });
    let tensor = Message::default().number(1, data_type);
    let tensor = if of.is_some() {
        tensor.message(2, &shape)
    } else {
        tensor
    };
    let kind = Message::default().message(1, &tensor);
    Message::default().text(1, name).message(2, &kind)
}
