//! What layers are called: the path of their module, from wherever the file says it.

use std::collections::HashMap;

use super::source::Node;

/// How the old exporter of `PyTorch` calls tensors that it made itself.
pub(crate) const MADE: &str = "onnx::";
/// What follows a module's path in the names of its weights: `PyTorch`, Paddle.
const WEIGHTS: [&str; 2] = [".weight", ".w_0"];
/// The same of biases.
const BIASES: [&str; 2] = [".bias", ".b_0"];

/// What is known about a layer.
pub(crate) struct Clues<'a> {
    /// The node.
    pub node: &'a Node,
    /// Name of its weights in the file.
    pub weights: Option<&'a str>,
    /// Name of its bias in the file.
    pub bias: Option<&'a str>,
}

/// The name of a layer: its weights' without `.weight`; its bias's without `.bias`; the node's path;
/// the module of the metadata; the node's name.
pub(crate) fn layer(clues: &Clues) -> String {
    let of_tensor = |name: Option<&str>, endings: &[&str]| {
        let name = name.filter(|name| !name.starts_with(MADE))?;
        let path = endings
            .iter()
            .find_map(|ending| name.strip_suffix(ending))?;
        (!path.is_empty()).then(|| path.to_owned())
    };
    of_tensor(clues.weights, &WEIGHTS)
        .or_else(|| of_tensor(clues.bias, &BIASES))
        .unwrap_or_else(|| node(clues.node))
}

/// The name of any node: its path, its module, its own name.
pub(crate) fn node(node: &Node) -> String {
    of_path(&node.name)
        .or_else(|| node.module.clone().filter(|module| !module.is_empty()))
        .unwrap_or_else(|| node.called().to_owned())
}

/// `layer1.0.conv1` of `/layer1/layer1.0/conv1/Conv`.
fn of_path(name: &str) -> Option<String> {
    let (scopes, _) = name.strip_prefix('/')?.rsplit_once('/')?;
    let mut path: Vec<&str> = Vec::new();
    for scope in scopes.split('/') {
        let continues = |last: &&str| {
            let rest = scope.strip_prefix(*last);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        if path.last().is_some_and(continues) {
            path.pop();
        }
        path.push(scope);
    }
    Some(path.join("."))
}

/// The module of `['', 'b1', 'b1.conv1', 'conv2d_1']`: the last but one.
pub(crate) fn of_scopes(scopes: &str) -> Option<String> {
    let inner = scopes.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut scopes: Vec<&str> = inner
        .split(',')
        .map(|scope| scope.trim().trim_matches(['\'', '"']))
        .collect();
    scopes.pop();
    let module = scopes.pop()?;
    (!module.is_empty()).then(|| module.to_owned())
}

/// The module of `L__self__,,Net;L__self__b1.conv1,b1.conv1,torch.nn.Conv2d`: the middle of the last.
pub(crate) fn of_stack(stack: &str) -> Option<String> {
    let last = stack.rsplit(';').next()?;
    let module = last.split(',').nth(1)?;
    let module = module.split('@').next().unwrap_or(module);
    (!module.is_empty()).then(|| module.to_owned())
}

/// Names that were given, so that a second one gets `#2`.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    given: HashMap<String, usize>,
}

impl Unique {
    /// The name, or the name with the first number that is free.
    pub(crate) fn name(&mut self, name: String) -> String {
        let mut count = self.given.get(&name).copied().unwrap_or(0) + 1;
        let mut unique = name.clone();
        if count > 1 {
            unique = format!("{name}#{count}");
            while self.given.contains_key(&unique) {
                count += 1;
                unique = format!("{name}#{count}");
            }
            self.given.insert(unique.clone(), 1);
        }
        self.given.insert(name, count);
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, module: Option<&str>) -> Node {
        Node {
            name: name.into(),
            module: module.map(str::to_owned),
            outputs: vec!["out".into()],
            ..Node::default()
        }
    }

    #[test]
    fn a_layer_is_called_by_its_module_wherever_that_is_told() {
        let layer = |node: &Node, weights, bias| {
            super::layer(&Clues {
                node,
                weights,
                bias,
            })
        };
        let plain = named("node_Conv_1", Some("b1.bn1"));
        assert_eq!(layer(&plain, Some("b1.conv1.weight"), None), "b1.conv1");
        assert_eq!(layer(&plain, Some("val_3"), Some("fc.bias")), "fc");
        assert_eq!(layer(&plain, Some("val_3"), None), "b1.bn1");
        assert_eq!(layer(&plain, Some("conv2d_0.w_0"), None), "conv2d_0");
        let old = named("/layer1/layer1.0/conv1/Conv", None);
        assert_eq!(
            layer(&old, Some("onnx::Conv_193"), Some("onnx::Conv_194")),
            "layer1.0.conv1"
        );
        let deep = named("/features/features.1/features.1.0/Conv", None);
        assert_eq!(layer(&deep, Some("onnx::Conv_1"), None), "features.1.0");
        let short = named("/layer2/layer2.0/downsample/downsample.0/Conv", None);
        assert_eq!(layer(&short, None, None), "layer2.0.downsample.0");
        assert_eq!(
            layer(&named("model_1/conv/BiasAdd", None), Some("x:0"), None),
            "model_1/conv/BiasAdd"
        );
        assert_eq!(layer(&named("", None), Some("w"), None), "out");
    }

    #[test]
    fn modules_are_read_from_metadata() {
        assert_eq!(
            of_scopes("['', 'b1', 'b1.conv1', 'conv2d_1']").unwrap(),
            "b1.conv1"
        );
        assert_eq!(of_scopes("['', 'relu']"), None);
        assert_eq!(of_scopes("nonsense"), None);
        assert_eq!(
            of_stack("L__self__,,n.Net;L__self__b1.act@1,b1.act,torch.SiLU").unwrap(),
            "b1.act"
        );
        assert_eq!(of_stack("L__self__,,n.Net"), None);
    }

    #[test]
    fn names_are_made_unique() {
        let mut unique = Unique::default();
        let names = ["a", "a", "a#2", "a", "b"].map(|name| unique.name(name.into()));
        assert_eq!(names, ["a", "a#2", "a#2#2", "a#3", "b"]);
    }
}
