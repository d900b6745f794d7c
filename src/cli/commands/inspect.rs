//! `inspect`: what is in a network file, and whether it can be used.

use std::path::{Path, PathBuf};

use crate::cli::destination::{Input, ToFile};
use crate::cli::device::Work;
use crate::cli::expect::{self, ExpectArgs};
use crate::cli::failure::{Exit, Failure};
use crate::cli::table::{Align, Table};
use crate::engine::agreement::Agreement;
use crate::engine::backend::cpu::{Cpu, Isa};
use crate::engine::import::document::Document;
use crate::engine::import::{self, Options};
use crate::engine::model::Model;
use crate::engine::shown::shown;

const EXAMPLES: &str = "\
Examples:
  hawqeye inspect net.pt2                  layers, shapes, normalisation, what is not supported
  hawqeye inspect net.onnx --json          the same, for programs
  hawqeye inspect net.onnx --size 224      for a file that leaves rows and columns open
  hawqeye inspect net.onnx --expect x.npy,y.npy   the largest difference from your own outputs
  hawqeye inspect --operations             every operation that is supported

A .pt2 file is written by
  torch.export.save(torch.export.export(model.eval(), (torch.randn(2, 3, 224, 224),)), \"net.pt2\")

Exit codes:
  0 everything is supported   1 something is not, all of it is listed   2 usage";

/// Options of `inspect`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Network file: .onnx (opset 9 to 25), or .pt2 of torch.export.save
    #[arg(value_name = "FILE", required_unless_present = "operations")]
    pub file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Print every operation that is supported, and what becomes of it
    #[arg(long, conflicts_with_all = ["file", "size"])]
    pub operations: bool,
    /// Rows and columns of an image, where the file leaves them open
    #[arg(long, value_name = "N|RxC", value_parser = size)]
    pub size: Option<Size>,
    /// What the outputs should be.
    #[command(flatten)]
    pub expect: ExpectArgs,
    /// Where it is written to.
    #[command(flatten)]
    pub to: ToFile,
}

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size([usize; 2]);

/// `224` or `224x192`.
fn size(text: &str) -> Result<Size, &'static str> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let size = match text.split_once('x') {
        None => number(text).map(|both| [both; 2]),
        Some((rows, columns)) => number(rows).zip(number(columns)).map(|(r, c)| [r, c]),
    };
    size.map(Size)
        .ok_or("expected rows and columns, such as 224 or 224x192")
}

/// Looks into a file.
///
/// # Errors
/// When it cannot be read, or something in it is not supported.
pub fn run(args: &Args) -> Result<(), Failure> {
    let Some(path) = &args.file else {
        return args.to.deliver(&operations(args.json)?, &[]);
    };
    let input = Input {
        path,
        what: "the network",
    };
    let options = Options {
        size: args.size.map(|Size(size)| size),
    };
    let network = import::read(path, options)?;
    let document = Document::of(&network);
    let agreement = if document.unsupported.is_empty() {
        args.agreement(path, options)?
    } else {
        None
    };
    let text = if args.json {
        json(&Inspected {
            document: &document,
            expect: agreement,
        })?
    } else {
        let told = agreement
            .as_ref()
            .map(|it| format!("\n{}\n", expect::sentence(it)));
        page(&document) + &told.unwrap_or_default()
    };
    let inputs: Vec<Input> = std::iter::once(input).chain(args.expect.files()).collect();
    args.to.deliver(&text, &inputs)?;
    if document.unsupported.is_empty() {
        // Operations that are known one by one may still be no network that can be computed.
        let lowered = network.lower();
        lowered.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        let doubt = agreement.as_ref().and_then(expect::doubt);
        return doubt.map_or(Ok(()), |doubt| Err(Failure::failed(doubt)));
    }
    let kinds = document.unsupported.iter().map(|refused| {
        let (operation, count, first) = (&refused.operation, refused.count, &refused.first);
        format!(
            "{count} x {operation} (first at {first}: {})",
            refused.reason
        )
    });
    Err(Failure {
        exit: Exit::Failed,
        message: format!(
            "{}: not supported: {}",
            path.display(),
            kinds.collect::<Vec<_>>().join("; ")
        ),
    })
}

/// What is told of a file.
#[derive(serde::Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    document: &'a Document,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Agreement>,
}

impl Args {
    /// How far the outputs are from those that are expected, if there are any.
    fn agreement(&self, path: &Path, options: Options) -> Result<Option<Agreement>, Failure> {
        if self.expect.expect.is_none() {
            return Ok(None);
        }
        let model = Model::import(path, options, None)?;
        let comparing = self.expect.of(&model)?;
        let compared = comparing.map(|work| work.run(&Cpu::new(Isa::detect())));
        compared.transpose()
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    Ok(text + "\n")
}

/// The operations that are supported.
fn operations(as_json: bool) -> Result<String, Failure> {
    let supported = import::supported();
    if as_json {
        let each = supported.iter().map(|each| {
            serde_json::json!({
                "source": each.container.word(),
                "operation": each.operation,
                "meaning": each.meaning,
            })
        });
        return json(&each.collect::<Vec<_>>());
    }
    let mut table = Table::new(&[
        ("file", Align::Left),
        ("operation", Align::Left),
        ("becomes", Align::Left),
    ]);
    for each in supported {
        let (operation, meaning) = (each.operation.to_owned(), each.meaning.to_owned());
        table.push(vec![each.container.word().into(), operation, meaning]);
    }
    Ok(table.text())
}

/// A network for people.
fn page(of: &Document) -> String {
    let extents = |extents: &[usize]| {
        let extents: Vec<String> = extents.iter().map(ToString::to_string).collect();
        extents.join("x")
    };
    let normalization = match of.normalization {
        "kept" => "kept",
        "folded" => {
            "folded into the weights of layers: eigenvalues are those of the folded weights"
        }
        "mixed" => "kept in some places, folded into weights in others",
        _ => "none",
    };
    let known = of
        .classes
        .map_or("not known".into(), |classes| classes.to_string());
    let mut text = format!(
        "file           {} by {}, operators of version {}\n\
         image          {} ({} in the file)\n\
         classes        {known}{}{}\n\
         parameters     {}\n\
         macs           {}\n\
         normalisation  {normalization}\n\
         identity       {}\n\n",
        of.source,
        shown(&of.exporter),
        of.opset,
        extents(&of.input),
        of.layout,
        if of.softmax.is_some() {
            ", softmax taken off"
        } else {
            ""
        },
        match of.quantizers {
            0 => String::new(),
            many => format!(", {many} quantized activations kept as ranges"),
        },
        of.parameters,
        of.macs,
        &of.identity[..12],
    );
    text += &layers(of, extents);
    if !of.unsupported.is_empty() {
        let mut table = Table::new(&[
            ("not supported", Align::Left),
            ("count", Align::Right),
            ("first", Align::Left),
            ("why", Align::Left),
        ]);
        for refused in &of.unsupported {
            table.push(vec![
                refused.operation.clone(),
                refused.count.to_string(),
                refused.first.clone(),
                refused.reason.clone(),
            ]);
        }
        text += "\n";
        text += &table.text();
    }
    text
}

fn layers(of: &Document, extents: impl Fn(&[usize]) -> String) -> String {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("kind", Align::Left),
        ("shape", Align::Right),
        ("weights", Align::Right),
        ("macs", Align::Right),
        ("reads", Align::Right),
        ("values", Align::Left),
    ]);
    for layer in &of.layers {
        table.push(vec![
            layer.layer.clone(),
            layer.kind.into(),
            extents(&layer.shape),
            layer.parameters.to_string(),
            layer.macs.to_string(),
            layer.activation_size.to_string(),
            layer.values.into(),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::{Size, size};

    #[test]
    fn sizes_are_one_number_or_two() {
        assert_eq!(size("224"), Ok(Size([224, 224])));
        assert_eq!(size("49x10"), Ok(Size([49, 10])));
        assert!(size("0").is_err());
        assert!(size("4x").is_err());
    }
}
