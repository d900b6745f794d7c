//! Archives of `torch.export.save`: a zip file with the graph as JSON and the weights as raw numbers.
//!
//! ```text
//! ROOT/models/NAME.json                        the graph
//! ROOT/data/weights/NAME_weights_config.json   name, type, shape and strides of every weight
//! ROOT/data/weights/weight_0 ...               their bytes
//! ROOT/data/constants/...                      the same of constants
//! ```
//! The layout before `PyTorch` 2.9 keeps `serialized_exported_program.json` and the weights as
//! checkpoints of `torch.save`. No pickle is ever executed.

mod alias;
mod graph;
mod schema;
mod weights;

use super::source::{Read, SourceGraph};
use crate::engine::archive::Archive;

/// The folders in which compiled code and its interface lie.
const COMPILED: &str = "data/aotinductor/";

/// The graph of an archive with these bytes.
///
/// # Errors
/// A sentence without the path, when it is no such archive, or one that cannot be read whole.
pub(crate) fn read(bytes: &[u8]) -> Read<SourceGraph> {
    let mut archive = Archive::open(bytes)?;
    let places = places(&archive)?;
    if let Some(order) = archive.unpack_if_present(&format!("{}byteorder", places.root))?
        && order != b"little"
    {
        return Err("the file was written big-endian; save it on a little-endian machine".into());
    }
    let program = archive.unpack(&places.graph)?;
    let program = String::from_utf8(program)
        .map_err(|_| format!("{} in it is no text; save it again", places.graph))?;
    let program: schema::Program = crate::engine::text::from_json(&program)
        .map_err(|reason| format!("{} in it: {reason}; save it again", places.graph))?;
    let stored = weights::read(&mut archive, &places)?;
    graph::graph(program, stored)
}

/// Where things are in an archive.
struct Places {
    /// What all names begin with.
    root: String,
    /// The graph.
    graph: String,
    /// The name of the model; nothing in the old layout.
    model: Option<String>,
}

fn places(archive: &Archive) -> Read<Places> {
    const OLD: &str = "serialized_exported_program.json";
    if archive.names().any(|name| name == OLD) {
        return Ok(Places {
            root: String::new(),
            graph: OLD.into(),
            model: None,
        });
    }
    let names: Vec<_> = archive.names().collect();
    let models: Vec<(&str, &str)> = names.iter().filter_map(|name| model(name)).collect();
    match &models[..] {
        [(root, model)] => Ok(Places {
            root: (*root).to_owned(),
            graph: format!("{root}models/{model}.json"),
            model: Some((*model).to_owned()),
        }),
        [] if archive.names().any(|name| name.contains(COMPILED)) => Err(
            "it was compiled ahead of time and holds no graph; save the exported network with \
             torch.export.save instead"
                .into(),
        ),
        [] => Err(
            "a zip file, but not one by torch.export.save (expected models/*.json in it); save \
             torch.export.export(model.eval(), ...) with it"
                .into(),
        ),
        [(_, first), (_, second), ..] => Err(format!(
            "it holds several networks ({first}, {second}); save them in a file each"
        )),
    }
}

/// The root and the model of `ROOT/models/MODEL.json`.
fn model(name: &str) -> Option<(&str, &str)> {
    let (before, model) = name.strip_suffix(".json")?.rsplit_once("models/")?;
    let is_root = before.is_empty() || before.find('/') == Some(before.len() - 1);
    (is_root && !model.contains('/')).then_some((before, model))
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn graphs_are_found_below_any_root() {
        assert_eq!(model("bsq/models/model.json"), Some(("bsq/", "model")));
        assert_eq!(model("models/net.json"), Some(("", "net")));
        assert_eq!(model("a/b/models/net.json"), None);
        assert_eq!(model("a/models/b/net.json"), None);
        assert_eq!(model("a/data/weights/config.json"), None);
    }
}
