//! The opcodes: a stack, marks on it, and a memo (Python's `pickletools` documents each).

use std::collections::BTreeMap;

use super::{Global, Id, Node, Pickle, Storage, rebuild};
use crate::engine::weights::Parsed;

/// Values a pickle may build; a network of a thousand layers takes a tenth.
const MAX_NODES: usize = 1 << 20;
/// Opcodes a pickle may have.
const MAX_STEPS: usize = 1 << 24;
/// The newest protocol whose opcodes are known.
const NEWEST_PROTOCOL: u8 = 5;

/// Parses the pickle at the start of `bytes`; what follows its STOP is not looked at.
pub(in crate::engine::weights) fn parse(bytes: &[u8]) -> Parsed<Pickle<'_>> {
    let mut machine = Machine::new(bytes);
    for _ in 0..MAX_STEPS {
        let start = machine.position;
        let [code] = machine.take_exact()?;
        if code == b'.' {
            let root = machine.pop()?;
            return Ok(machine.finish(root));
        }
        machine.step(code, start)?;
    }
    Err(format!(
        "the pickle has more than {MAX_STEPS} operations; save only the weights"
    ))
}

/// A pickle being read.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
    storages: Vec<Storage<'a>>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
            storages: Vec::new(),
        }
    }

    fn finish(self, root: Id) -> Pickle<'a> {
        Pickle {
            nodes: self.nodes,
            root,
            length: self.position,
            storages: self.storages,
        }
    }

    /// One opcode other than STOP.
    fn step(&mut self, code: u8, start: usize) -> Parsed<()> {
        let known = self.frame(code)?
            || self.number(code)?
            || self.text(code)?
            || self.collection(code)?
            || self.memory(code)?
            || self.object(code)?;
        if known {
            return Ok(());
        }
        Err(format!(
            "byte {start} of the pickle has operation {code:#04x}, which PyTorch does not write \
             into weights files; save the weights again"
        ))
    }

    /// Structure: PROTO, FRAME, MARK, POP, `POP_MARK`, DUP.
    fn frame(&mut self, code: u8) -> Parsed<bool> {
        match code {
            0x80 => {
                let [protocol] = self.take_exact()?;
                if protocol > NEWEST_PROTOCOL {
                    return Err(format!(
                        "pickle protocol {protocol}, but at most {NEWEST_PROTOCOL} is known; save \
                         again with torch.save's default protocol"
                    ));
                }
            }
            0x95 => {
                self.take_exact::<8>()?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.since_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// NONE, booleans, integers and floats.
    fn number(&mut self, code: u8) -> Parsed<bool> {
        let node = match code {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'J' => Node::Integer(i64::from(i32::from_le_bytes(self.take_exact()?))),
            b'K' => Node::Integer(i64::from(u8::from_le_bytes(self.take_exact()?))),
            b'M' => Node::Integer(i64::from(u16::from_le_bytes(self.take_exact()?))),
            0x8a => {
                let length = self.length1()?;
                integer(self.take(length)?)
            }
            0x8b => {
                let length = self.length4()?;
                integer(self.take(length)?)
            }
            b'G' => {
                self.take_exact::<8>()?;
                Node::Opaque
            }
            _ => return Ok(false),
        };
        self.push(node)?;
        Ok(true)
    }

    /// Text and bytes, each with a length of 1, 4 or 8 bytes before it.
    fn text(&mut self, code: u8) -> Parsed<bool> {
        let length = match code {
            0x8c | b'U' | b'C' => self.length1()?,
            b'X' | b'T' | b'B' => self.length4()?,
            0x8d | 0x8e | 0x96 => self.length8()?,
            _ => return Ok(false),
        };
        let content = self.take(length)?;
        let node = match (code, std::str::from_utf8(content)) {
            (0x8c | b'X' | 0x8d | b'U' | b'T', Ok(text)) => Node::Text(text),
            // Bytes, and Python 2 strings in another encoding: no name of a tensor.
            _ => Node::Opaque,
        };
        self.push(node)?;
        Ok(true)
    }

    /// Lists, tuples, dictionaries and sets.
    fn collection(&mut self, code: u8) -> Parsed<bool> {
        let node = match code {
            b']' | 0x8f => Node::List(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b'}' => Node::Dictionary(Vec::new()),
            b'l' | 0x91 => Node::List(self.since_mark()?),
            b't' => Node::Tuple(self.since_mark()?),
            0x85 => Node::Tuple(self.pop_many(1)?),
            0x86 => Node::Tuple(self.pop_many(2)?),
            0x87 => Node::Tuple(self.pop_many(3)?),
            b'd' => Node::Dictionary(pairs(&self.since_mark()?)?),
            b'a' => return self.pop_many(1).and_then(|added| self.append(added)),
            b'e' | 0x90 => return self.since_mark().and_then(|added| self.append(added)),
            b's' => return self.pop_many(2).and_then(|added| self.set_items(&added)),
            b'u' => return self.since_mark().and_then(|added| self.set_items(&added)),
            _ => return Ok(false),
        };
        self.push(node)?;
        Ok(true)
    }

    /// The memo.
    fn memory(&mut self, code: u8) -> Parsed<bool> {
        let written = match code {
            b'q' => u32::from(u8::from_le_bytes(self.take_exact()?)),
            b'r' => u32::from_le_bytes(self.take_exact()?),
            0x94 => self.memo.len() as u32,
            b'h' => {
                let index = u32::from(u8::from_le_bytes(self.take_exact()?));
                return self.recall(index);
            }
            b'j' => {
                let index = u32::from_le_bytes(self.take_exact()?);
                return self.recall(index);
            }
            _ => return Ok(false),
        };
        let top = self.top()?;
        self.memo.insert(written, top);
        Ok(true)
    }

    fn recall(&mut self, index: u32) -> Parsed<bool> {
        let Some(&id) = self.memo.get(&index) else {
            return Err(damaged("it recalls a value that was never stored"));
        };
        self.stack.push(id);
        Ok(true)
    }

    /// Names, and what Python would call them for. Nothing is called: see [`rebuild`].
    fn object(&mut self, code: u8) -> Parsed<bool> {
        match code {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(Global { module, name }))?;
            }
            0x93 => {
                let names = self.pop_many(2)?;
                let (Node::Text(module), Node::Text(name)) =
                    (&self.nodes[names[0]], &self.nodes[names[1]])
                else {
                    return Err(damaged("it imports something that is not a name"));
                };
                let global = Global { module, name };
                self.push(Node::Global(global))?;
            }
            b'Q' => {
                let reference = self.pop()?;
                let node = rebuild::persistent(self, reference)?;
                self.push(node)?;
            }
            b'R' | 0x81 => {
                let call = self.pop_many(2)?;
                rebuild::call(self, call[0], &call[1..])?;
            }
            0x92 => {
                let call = self.pop_many(3)?;
                rebuild::object(self, call[0], call[1..].to_vec())?;
            }
            b'b' => {
                let state = self.pop()?;
                let id = self.top()?;
                if let Node::Object { parts, .. } = &mut self.nodes[id] {
                    parts.push(state);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn append(&mut self, added: Vec<Id>) -> Parsed<bool> {
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::List(parts) | Node::Object { parts, .. } => parts.extend(added),
            _ => return Err(damaged("it appends to something that is not a list")),
        }
        Ok(true)
    }

    fn set_items(&mut self, added: &[Id]) -> Parsed<bool> {
        let new = pairs(added)?;
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::Dictionary(items) => items.extend(new),
            Node::Object { parts, .. } => parts.extend(added),
            _ => {
                return Err(damaged(
                    "it sets a key of something that is not a dictionary",
                ));
            }
        }
        Ok(true)
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    pub(super) fn note_storage(&mut self, storage: Storage<'a>) {
        self.storages.push(storage);
    }

    pub(super) fn push_existing(&mut self, id: Id) {
        self.stack.push(id);
    }

    /// Adds a value and puts it on the stack.
    pub(super) fn push(&mut self, node: Node<'a>) -> Parsed<()> {
        if self.nodes.len() == MAX_NODES {
            return Err(format!(
                "the pickle has more than {MAX_NODES} values; save only the weights"
            ));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    /// Values above the last mark stay out of reach until the mark is taken.
    fn pop(&mut self) -> Parsed<Id> {
        if self.stack.len() <= self.floor() {
            return Err(damaged("it takes a value from an empty stack"));
        }
        self.stack
            .pop()
            .ok_or_else(|| damaged("it takes a value from an empty stack"))
    }

    fn pop_many(&mut self, count: usize) -> Parsed<Vec<Id>> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(damaged("it takes a value from an empty stack")),
        }
    }

    fn top(&self) -> Parsed<Id> {
        let visible = &self.stack[self.floor()..];
        visible
            .last()
            .copied()
            .ok_or_else(|| damaged("it reads an empty stack"))
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn since_mark(&mut self) -> Parsed<Vec<Id>> {
        let Some(start) = self.marks.pop() else {
            return Err(damaged("it lacks a mark"));
        };
        Ok(self.stack.split_off(start))
    }

    fn length1(&mut self) -> Parsed<usize> {
        Ok(usize::from(u8::from_le_bytes(self.take_exact()?)))
    }

    fn length4(&mut self) -> Parsed<usize> {
        usize::try_from(u32::from_le_bytes(self.take_exact()?)).map_err(|_| truncated())
    }

    fn length8(&mut self) -> Parsed<usize> {
        usize::try_from(u64::from_le_bytes(self.take_exact()?)).map_err(|_| truncated())
    }

    fn take(&mut self, length: usize) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..length).ok_or_else(truncated)?;
        self.position += length;
        Ok(taken)
    }

    fn take_exact<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("invariant: N bytes were taken"))
    }

    /// Text up to the next line feed, as in GLOBAL.
    fn line(&mut self) -> Parsed<&'a str> {
        let rest = &self.bytes[self.position..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(truncated)?;
        let taken = self.take(length + 1)?;
        std::str::from_utf8(&taken[..length]).map_err(|_| damaged("a name in it is not UTF-8"))
    }
}

/// Little-endian two's complement of any length.
fn integer(bytes: &[u8]) -> Node<'_> {
    if bytes.len() > 8 {
        return Node::Large(bytes);
    }
    let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
    let mut extended = if negative { [0xff; 8] } else { [0; 8] };
    extended[..bytes.len()].copy_from_slice(bytes);
    Node::Integer(i64::from_le_bytes(extended))
}

fn pairs(added: &[Id]) -> Parsed<Vec<(Id, Id)>> {
    if !added.len().is_multiple_of(2) {
        return Err(damaged("a dictionary in it has a key without a value"));
    }
    Ok(added
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect())
}

pub(super) fn damaged(what: &str) -> String {
    format!("the pickle is damaged: {what}; download or save it again")
}

/// What is said of a pickle without an end.
pub(in crate::engine::weights) const TRUNCATED: &str =
    "the pickle ends too early; the file is truncated: download or save it again";

fn truncated() -> String {
    TRUNCATED.to_owned()
}
