//! The result of a benchmark for people.

use super::document::{Convolutions, Document, Measured};
use crate::cli::table::{Align, Table};
use crate::numbers::counted;

/// All of it: what was timed on what, and how long it took.
#[must_use]
pub fn text(document: &Document) -> String {
    let mut parts = vec![facts(document)];
    if !document.works.is_empty() {
        parts.push(works(&document.works));
    }
    let by_layer = document.works.iter().filter(|work| !work.layers.is_empty());
    parts.extend(by_layer.map(layers));
    parts.extend(document.convolutions.as_ref().map(convolutions));
    parts.join("\n")
}

fn facts(document: &Document) -> String {
    let Document {
        device,
        threads,
        processor,
        model,
        weights,
        data,
        image,
        batch_size,
        samples,
        repeats,
        ..
    } = document;
    let memory = document.peak_memory_bytes.map_or_else(
        || "not told by this system".to_owned(),
        |bytes| {
            format!(
                "{:.1} MiB at most, for all of it",
                bytes as f64 / 1_048_576.0
            )
        },
    );
    let lines = [
        ("model", format!("{model}, weights {weights}")),
        ("images", format!("{image}, {data}")),
        (
            "work",
            format!(
                "{} a batch, {samples} a sweep, {}",
                counted(*batch_size, "image"),
                counted(*repeats, "time")
            ),
        ),
        (
            "device",
            format!("{device}, {}, {processor}", counted(*threads, "thread")),
        ),
        ("memory", memory),
    ];
    let lines = lines.map(|(name, value)| format!("{name:<8}{value}\n"));
    lines.concat()
}

/// A time in milliseconds.
fn milliseconds(seconds: f64) -> String {
    format!("{:.2}", 1e3 * seconds)
}

fn works(works: &[Measured]) -> String {
    let mut table = Table::new(&[
        ("milliseconds", Align::Left),
        ("images", Align::Right),
        ("median", Align::Right),
        ("min", Align::Right),
        ("max", Align::Right),
    ]);
    for work in works {
        let seconds = &work.seconds;
        let times = [seconds.median, seconds.least, seconds.most];
        let mut row = vec![work.name.to_string(), work.images.to_string()];
        row.extend(times.map(milliseconds));
        table.push(row);
    }
    table.text()
}

fn layers(work: &Measured) -> String {
    let heading = format!("{} of", work.name);
    let mut table = Table::new(&[
        (heading.as_str(), Align::Left),
        ("median", Align::Right),
        ("min", Align::Right),
    ]);
    for layer in &work.layers {
        let times = [layer.seconds.median, layer.seconds.least];
        let [median, min] = times.map(milliseconds);
        table.push(vec![layer.layer.to_string(), median, min]);
    }
    table.text()
}

fn convolutions(convolutions: &Convolutions) -> String {
    let mut table = Table::new(&[
        ("GFLOP/s, one thread", Align::Left),
        ("forward", Align::Right),
        ("grad-input", Align::Right),
        ("grad-weight", Align::Right),
    ]);
    let cell = |speed: f64| match convolutions.sgemm {
        Some(sgemm) => format!("{speed:.1} ({:3.0} %)", 100.0 * speed / sgemm),
        None => format!("{speed:.1}"),
    };
    for shape in &convolutions.shapes {
        let kinds = [
            (&shape.shape[..], shape.exact),
            ("  in training", shape.training),
        ];
        for (name, speeds) in kinds {
            let speeds = [speeds.forward, speeds.grad_input, speeds.grad_weight];
            let mut row = vec![name.to_owned()];
            row.extend(speeds.map(cell));
            table.push(row);
        }
    }
    let sgemm = convolutions.sgemm;
    let peak = sgemm.map(|sgemm| format!("100 % is a large sgemm: {sgemm:.1} GFLOP/s\n"));
    table.text() + &peak.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::clock::Times;
    use super::super::document::{LayerTimes, ShapeSpeed, Speeds};
    use super::super::name::Name;
    use super::*;

    fn speeds(forward: f64) -> Speeds {
        Speeds {
            forward,
            grad_input: 81.0,
            grad_weight: 77.0,
        }
    }

    fn document() -> Document {
        let times = || Times(vec![0.002, 0.001, 0.0035]);
        Document {
            device: "cpu (avx2)".into(),
            isa: Some("avx2".into()),
            threads: 2,
            model: "resnet20".into(),
            weights: "w.th".into(),
            data: "noise".into(),
            image: "3x32x32".into(),
            works: vec![Measured {
                name: Name::Product,
                images: 128,
                seconds: times().into(),
                layers: vec![LayerTimes {
                    layer: "conv1".into(),
                    seconds: times().into(),
                }],
                found: Vec::new(),
            }],
            convolutions: Some(Convolutions {
                sgemm: Some(100.0),
                shapes: vec![ShapeSpeed {
                    shape: "3x3 16@32".into(),
                    exact: speeds(92.0),
                    training: speeds(120.0),
                }],
            }),
            ..Document::default()
        }
    }

    #[test]
    fn the_table_holds_times_layers_speeds_and_memory() {
        let text = text(&document());
        for part in [
            "product          128    2.00  1.00  3.50",
            "conv1         2.00  1.00",
            "3x3 16@32             92.0 ( 92 %)",
            "  in training        120.0 (120 %)  81.0 ( 81 %)",
            "memory  not told by this system",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }

    #[test]
    fn memory_is_in_mebibytes() {
        let told = Document {
            peak_memory_bytes: Some(3 << 20),
            ..document()
        };
        assert!(text(&told).contains("memory  3.0 MiB at most"));
    }
}
