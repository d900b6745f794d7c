//! The meaning of the few names that weights files need: ordered dictionaries, storages, and the
//! functions that view a storage as a tensor. Any other call becomes an inert object.

use super::machine::{Machine, damaged};
use super::{Global, Id, Node, Storage, Tensor};
use crate::engine::weights::{ElementType, Parsed};

/// More dimensions than any weight tensor has.
const MAX_DIMENSIONS: usize = 8;

/// What REDUCE and NEWOBJ stand for: puts the result of `callable(*arguments)` on the stack.
pub(super) fn call(machine: &mut Machine<'_>, callable: Id, arguments: &[Id]) -> Parsed<()> {
    let (&Node::Global(global), Some(Node::Tuple(given))) = (
        machine.node(callable),
        arguments.first().map(|&id| machine.node(id)),
    ) else {
        return object(machine, callable, arguments.to_vec());
    };
    match (global.module, global.name) {
        ("collections", "OrderedDict") => {
            if let Some(items) = ordered_items(machine, given) {
                return machine.push(Node::Dictionary(items));
            }
        }
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            if let Some(tensor) = tensor(machine, given)? {
                return machine.push(tensor);
            }
        }
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            if let Some(&content) = given.first() {
                machine.push_existing(content);
                return Ok(());
            }
        }
        _ => {}
    }
    object(machine, callable, arguments.to_vec())
}

/// Puts an inert object on the stack.
pub(super) fn object(machine: &mut Machine<'_>, callable: Id, mut parts: Vec<Id>) -> Parsed<()> {
    let global = match machine.node(callable) {
        Node::Global(global) => Some(*global),
        Node::Foreign(global) => *global,
        _ => None,
    };
    if global.is_none() {
        parts.push(callable);
    }
    machine.push(Node::Object {
        callable: global,
        parts,
    })
}

/// The arguments of `OrderedDict`: none, or (by Python 2) a list of pairs.
fn ordered_items(machine: &Machine<'_>, given: &[Id]) -> Option<Vec<(Id, Id)>> {
    let Some(&list) = given.first() else {
        return Some(Vec::new());
    };
    let Node::List(pairs) = machine.node(list) else {
        return None;
    };
    let pair = |&id: &Id| match machine.node(id) {
        Node::List(pair) | Node::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
        _ => None,
    };
    pairs.iter().map(pair).collect()
}

/// The arguments of `_rebuild_tensor_v2`: storage, offset, shape, strides, ...; `None` when the
/// first is no storage. Over a storage of an unknown type the tensor is an object of that type.
fn tensor<'a>(machine: &Machine<'a>, given: &[Id]) -> Parsed<Option<Node<'a>>> {
    let [storage, offset, shape, strides, ..] = given else {
        return Err(damaged("a tensor in it has too few arguments"));
    };
    let storage = match *machine.node(*storage) {
        Node::Storage(storage) => storage,
        Node::Foreign(callable) => {
            return Ok(Some(Node::Object {
                callable,
                parts: given.to_vec(),
            }));
        }
        _ => return Ok(None),
    };
    let shape = extents(machine, *shape)?;
    let strides = extents(machine, *strides)?;
    if shape.len() != strides.len() {
        return Err(damaged(
            "a tensor in it has more strides than dimensions, or fewer",
        ));
    }
    let offset = count(machine, *offset)?;
    Ok(Some(Node::Tensor(Box::new(Tensor {
        storage,
        offset,
        shape,
        strides,
    }))))
}

fn extents(machine: &Machine<'_>, id: Id) -> Parsed<Vec<u64>> {
    match machine.node(id) {
        Node::Tuple(parts) | Node::List(parts) if parts.len() <= MAX_DIMENSIONS => {
            parts.iter().map(|&part| count(machine, part)).collect()
        }
        Node::Tuple(_) | Node::List(_) => Err(format!(
            "a tensor in the file has more than {MAX_DIMENSIONS} dimensions; save only the weights"
        )),
        _ => Err(damaged("a tensor in it has no shape")),
    }
}

fn count(machine: &Machine<'_>, id: Id) -> Parsed<u64> {
    match machine.node(id) {
        &Node::Integer(value) if value >= 0 => Ok(value as u64),
        _ => Err(damaged("a tensor in it has a negative or missing extent")),
    }
}

/// What BINPERSID stands for: `("storage", type, key, location, count[, view])`. Anything else,
/// and a storage of a type we do not know, is foreign.
pub(super) fn persistent<'a>(machine: &mut Machine<'a>, reference: Id) -> Parsed<Node<'a>> {
    let storage = match machine.node(reference) {
        Node::Tuple(parts) => storage(machine, parts)?,
        _ => None,
    };
    let Some(storage) = storage else {
        return Ok(Node::Foreign(storage_type(machine, reference)));
    };
    machine.note_storage(storage);
    Ok(Node::Storage(storage))
}

fn storage_type<'a>(machine: &Machine<'a>, reference: Id) -> Option<Global<'a>> {
    let Node::Tuple(parts) = machine.node(reference) else {
        return None;
    };
    match machine.node(*parts.get(1)?) {
        Node::Global(global) => Some(*global),
        _ => None,
    }
}

fn storage<'a>(machine: &Machine<'a>, parts: &[Id]) -> Parsed<Option<Storage<'a>>> {
    let &[label, kind, key, _, elements, ref rest @ ..] = parts else {
        return Ok(None);
    };
    let (Node::Text("storage"), Node::Global(kind), &Node::Text(key)) =
        (machine.node(label), machine.node(kind), machine.node(key))
    else {
        return Ok(None);
    };
    let Some(element) = element_type(*kind) else {
        return Ok(None);
    };
    let view_offset = match rest.first().map(|&id| machine.node(id)) {
        Some(Node::Tuple(view)) if view.len() == 3 => count(machine, view[1])?,
        _ => 0,
    };
    let count = count(machine, elements)?;
    Ok(Some(Storage {
        key,
        element,
        count,
        view_offset,
    }))
}

fn element_type(kind: Global<'_>) -> Option<ElementType> {
    if kind.module != "torch" && kind.module != "torch.cuda" {
        return None;
    }
    Some(match kind.name {
        "DoubleStorage" => ElementType::F64,
        "FloatStorage" => ElementType::F32,
        "HalfStorage" => ElementType::F16,
        "BFloat16Storage" => ElementType::Bf16,
        "LongStorage" => ElementType::I64,
        "IntStorage" => ElementType::I32,
        "ShortStorage" => ElementType::I16,
        "CharStorage" => ElementType::I8,
        "ByteStorage" => ElementType::U8,
        "BoolStorage" => ElementType::Bool,
        _ => return None,
    })
}
