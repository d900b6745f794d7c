//! What every place of a layer's output reads of the input.

use rayon::prelude::*;

use crate::engine::backend::{ConvolutionShape, WeightShape};

/// The numbers that a layer's weights are multiplied with, for some images: by group, by image and place, in the
/// order of the weights of an output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Patches {
    /// Groups of channels.
    pub groups: usize,
    /// Images times places of the output.
    pub places: usize,
    /// Weights of an output.
    pub size: usize,
    /// The numbers.
    pub values: Vec<f32>,
}

/// Groups of a layer, and weights of an output.
pub(super) const fn sizes(shape: &WeightShape) -> [usize; 2] {
    match shape {
        WeightShape::Convolution(of) => {
            let [rows, columns] = of.kernel;
            [of.groups, of.group_inputs() * rows * columns]
        }
        WeightShape::Linear(of) => [1, of.inputs],
    }
}

impl Patches {
    /// Of images one after another, channel by channel; of a map every so many places.
    pub fn of(shape: &WeightShape, images: &[f64], every: usize) -> Self {
        let [groups, size] = sizes(shape);
        let values = match shape {
            WeightShape::Convolution(of) => windows(of, images, every),
            WeightShape::Linear(_) => images.iter().map(|&value| value as f32).collect(),
        };
        Self {
            groups,
            places: values.len() / (groups * size),
            size,
            values,
        }
    }
}

fn windows(of: &ConvolutionShape, images: &[f64], every: usize) -> Vec<f32> {
    let [rows, columns] = of.kernel;
    let size = of.group_inputs() * rows * columns;
    let of_image = (of.out_height() * of.out_width()).div_ceil(every) * size;
    let images: Vec<&[f64]> = images.chunks_exact(of.in_elements()).collect();
    let mut values = vec![0.0; of.groups * images.len() * of_image];
    let each = values.par_chunks_exact_mut(of_image).enumerate();
    each.for_each(|(at, patches)| {
        let (group, image) = (at / images.len(), at % images.len());
        let maps = of.group_inputs() * of.in_height * of.in_width;
        fill(of, (&images[image][group * maps..][..maps], every), patches);
    });
    values
}

/// The patches of the maps of a group, of every so many places.
fn fill(of: &ConvolutionShape, (maps, every): (&[f64], usize), patches: &mut [f32]) {
    let [rows, columns] = of.kernel;
    let [height, width] = [of.in_height, of.in_width];
    // Where along an extent a weight reads; nothing outside of the map.
    let read = |place: usize, weight: usize, axis: usize, extent: usize| {
        let at = place * of.stride[axis] + weight * of.dilation[axis];
        let at = at.checked_sub(of.padding.before(axis));
        at.filter(|at| *at < extent)
    };
    let size = of.group_inputs() * rows * columns;
    for (at, patch) in patches.chunks_exact_mut(size).enumerate() {
        let place = at * every;
        let (y, x) = (place / of.out_width(), place % of.out_width());
        for row in 0..rows {
            let Some(at_row) = read(y, row, 0, height) else {
                continue;
            };
            for column in 0..columns {
                let Some(at_column) = read(x, column, 1, width) else {
                    continue;
                };
                let weights = patch[row * columns + column..].iter_mut();
                let weights = weights.step_by(rows * columns);
                let numbers = maps[at_row * width + at_column..].iter();
                for (weight, number) in weights.zip(numbers.step_by(height * width)) {
                    *weight = *number as f32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::Pads;

    #[test]
    fn weights_times_patches_are_the_convolution() {
        let shape = ConvolutionShape {
            in_channels: 4,
            out_channels: 6,
            in_height: 5,
            in_width: 4,
            kernel: [3, 2],
            stride: [2, 1],
            padding: Pads::onnx([1, 0, 2, 1]),
            dilation: [1, 2],
            groups: 2,
        };
        assert!(shape.is_sound());
        let images: Vec<f64> = (0..160).map(f64::from).collect();
        let layer = WeightShape::Convolution(shape);
        let patches = Patches::of(&layer, &images, 1);
        assert_eq!([patches.groups, patches.size], [2, 12]);
        assert_eq!(patches.places, 2 * shape.out_height() * shape.out_width());
        let (height, width) = (5_isize, 4_isize);
        let mut at = patches.values.iter();
        let places = (0..shape.out_height() as isize)
            .flat_map(|y| (0..shape.out_width() as isize).map(move |x| (y, x)));
        let groups = (0..2).flat_map(|group| (0..2).map(move |image| (group, image)));
        for ((group, image), (y, x)) in groups.flat_map(|at| places.clone().map(move |to| (at, to)))
        {
            for channel in 0..2 {
                for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
                    let (r, c) = (2 * y + row - 1, x + 2 * column);
                    let inside = (0..height).contains(&r) && (0..width).contains(&c);
                    let map = image * 4 + group * 2 + channel;
                    let place = (map * height + r) * width + c;
                    let expected = if inside { place as f32 } else { 0.0 };
                    assert_eq!(at.next().unwrap().to_bits(), expected.to_bits());
                }
            }
        }
        assert_eq!(at.next(), None);
        let third = Patches::of(&layer, &images, 3);
        let of_image = (shape.out_height() * shape.out_width()).div_ceil(3);
        assert_eq!(third.places, 2 * of_image);
        assert_eq!(third.values[..12], patches.values[..12]);
        assert_eq!(third.values[12..24], patches.values[36..48]);
    }
}
