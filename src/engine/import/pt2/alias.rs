//! Operations that write into what they read. Read as if they did not, they are right as long as
//! nobody looks at the old value afterwards.

use std::collections::HashMap;

use crate::engine::import::source::{Attribute, Node, Read};

/// Operations that answer a view of their first argument.
const VIEWS: [&str; 16] = [
    "view",
    "reshape",
    "flatten",
    "squeeze",
    "unsqueeze",
    "permute",
    "transpose",
    "t",
    "slice",
    "select",
    "expand",
    "alias",
    "detach",
    "contiguous",
    "dropout",
    "narrow",
];

/// Refuses an operation that writes into a value which is read later.
pub(super) fn check(nodes: &[Node]) -> Read<()> {
    let mut origins: HashMap<&str, &str> = HashMap::new();
    let mut written: HashMap<&str, (&str, &Node)> = HashMap::new();
    for node in nodes {
        let origin = |name: &str| origins.get(name).copied();
        for read in &node.inputs {
            let of = origin(read).unwrap_or(read);
            if let Some((result, writer)) = written.get(of)
                && *result != read.as_str()
                && !is_after(&origins, read, result)
            {
                return Err(format!(
                    "{} reads {read} after {} ({}) has written into it; use operations that do not \
                     work in place and export the network again",
                    node.called(),
                    writer.called(),
                    writer.operation
                ));
            }
        }
        let Some(first) = node.inputs.first() else {
            continue;
        };
        let base = short(&node.operation);
        let changes = base.ends_with('_') && !base.ends_with("__");
        let of = origin(first).unwrap_or(first);
        for output in &node.outputs {
            if changes {
                written.insert(of, (output, node));
            }
            if VIEWS.contains(&base) {
                origins.insert(output, of);
            }
        }
    }
    Ok(())
}

/// Whether a value is a view of the result itself.
fn is_after(origins: &HashMap<&str, &str>, read: &str, result: &str) -> bool {
    origins.get(read).is_some_and(|origin| *origin == result)
}

/// `relu_` of `aten.relu_.default`.
fn short(operation: &str) -> &str {
    operation.split('.').nth(1).unwrap_or(operation)
}

/// Names of the values that an attribute holds.
pub(super) fn values(attribute: &Attribute) -> Vec<String> {
    use crate::engine::import::source::Size;
    match attribute {
        Attribute::Value(name) => vec![name.clone()],
        Attribute::Values(names) => names.iter().flatten().cloned().collect(),
        Attribute::Sizes(sizes) => {
            let named = sizes.iter().filter_map(|size| match size {
                Size::Named(name) => Some(name.clone()),
                Size::Known(_) => None,
            });
            named.collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(operation: &str, inputs: &[&str], output: &str) -> Node {
        Node {
            operation: format!("aten.{operation}.default"),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            ..Node::default()
        }
    }

    #[test]
    fn a_value_that_was_written_into_is_not_read_again() {
        let fine = [
            node("relu_", &["x"], "y"),
            node("add_", &["y", "z"], "w"),
            node("relu", &["w"], "v"),
        ];
        check(&fine).unwrap();
        let late = [node("relu_", &["x"], "y"), node("add", &["y", "x"], "w")];
        let refused = check(&late).unwrap_err();
        assert!(
            refused.starts_with("w reads x after y (aten.relu_.default)"),
            "{refused}"
        );
        let view = [
            node("view", &["x"], "flat"),
            node("relu_", &["flat"], "y"),
            node("add", &["x", "y"], "w"),
        ];
        assert!(check(&view).is_err());
        let after = [
            node("relu_", &["x"], "y"),
            node("view", &["y"], "z"),
            node("relu", &["z"], "w"),
        ];
        check(&after).unwrap();
    }
}
