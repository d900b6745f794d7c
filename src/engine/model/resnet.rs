//! Residual networks for CIFAR (arXiv 1512.03385 section 4.2): `6n + 2` layers in three groups of
//! `n` blocks of 16, 32 and 64 channels, with parameter-free option A shortcuts.
//!
//! Layers are named as in the usual PyTorch weights: `conv1`, `bn1`, `layer1.0.conv1`, ..., `linear`.

use crate::engine::Result;
use crate::engine::graph::{Builder, ConvolutionOptions, Graph, NodeId, OptionA, Shape};

const WIDTHS: [usize; 3] = [16, 32, 64];

/// The network with `6 * blocks + 2` layers over images of this shape.
///
/// # Errors
/// When the images are too small for the network.
pub fn graph(blocks: usize, image: Shape, classes: usize) -> Result<Graph> {
    let (mut builder, image) = Builder::new(image);
    let mut x = convolution_norm(&mut builder, ("conv1", "bn1"), image, (WIDTHS[0], 1))?;
    x = builder.relu("relu", x)?;
    for (group, width) in WIDTHS.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if group > 0 && block == 0 { 2 } else { 1 };
            x = residual(
                &mut builder,
                &format!("layer{}.{block}", group + 1),
                x,
                (width, stride),
            )?;
        }
    }
    let pooled = builder.global_average_pool("pool.map", x)?;
    let features = builder.flatten("pool", pooled)?;
    builder.linear("linear", features, classes)?;
    Ok(builder.finish())
}

fn convolution_norm(
    builder: &mut Builder,
    (convolution, norm): (&str, &str),
    input: NodeId,
    (out_channels, stride): (usize, usize),
) -> Result<NodeId> {
    let options = ConvolutionOptions {
        stride: [stride, stride],
        ..ConvolutionOptions::same(out_channels, [3, 3])
    };
    let y = builder.convolution(convolution, input, &options)?;
    builder.batch_norm(norm, y)
}

fn residual(
    builder: &mut Builder,
    name: &str,
    input: NodeId,
    (width, stride): (usize, usize),
) -> Result<NodeId> {
    let path = |part: &str| format!("{name}.{part}");
    let first = (&*path("conv1"), &*path("bn1"));
    let second = (&*path("conv2"), &*path("bn2"));
    let y = convolution_norm(builder, first, input, (width, stride))?;
    let y = builder.relu(&path("relu1"), y)?;
    let y = convolution_norm(builder, second, y, (width, 1))?;
    let kept = if stride == 1 {
        input
    } else {
        let option = OptionA {
            stride,
            out_channels: width,
        };
        builder.option_a(&path("shortcut"), input, option)?
    };
    let sum = builder.add(&path("add"), y, kept)?;
    builder.relu(&path("relu2"), sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resnet20_has_the_published_size() {
        let graph = graph(3, Shape::map(3, 32, 32), 10).unwrap();
        assert_eq!(graph.trainable_count(), 269_722);
        let layers = graph.layers();
        assert_eq!(layers.len(), 20);
        assert_eq!(layers[0].activation_size, 3072);
        assert!(layers[0].reads_image && !layers[1].reads_image);
        assert_eq!(layers[0].macs(), 442_368);
        assert_eq!(
            layers
                .iter()
                .map(crate::engine::graph::Layer::macs)
                .sum::<u64>(),
            40_551_040
        );
    }

    #[test]
    fn odd_images_keep_both_paths_of_a_block_in_shape() {
        graph(3, Shape::map(1, 27, 29), 10).unwrap();
    }
}
