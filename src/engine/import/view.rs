//! How the file sees a wire: which extents of a map, or of features, each of its axes stands for.
//! Transposes and reshapes change the view and compute nothing.

use super::lowered::{Axis, Form, Layout};
use super::source::Read;
use super::tensor::spelled;

/// A wire as the file sees it. Extents of 1 stand nowhere, but for the images, which are always
/// somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wire {
    /// The step that writes it.
    pub step: usize,
    /// Its form.
    pub form: Form,
    /// Images that the file was written for; 1 where it does not say.
    pub batch: usize,
    /// The extents that each axis of the file stands for, the slowest first.
    pub axes: Vec<Vec<Axis>>,
}

impl Wire {
    /// A map in the usual order of its extents.
    pub(crate) fn map(step: usize, form: Form, batch: usize, layout: Layout) -> Self {
        let order = match layout {
            Layout::ChannelsFirst => [Axis::Channel, Axis::Row, Axis::Column],
            Layout::ChannelsLast => [Axis::Row, Axis::Column, Axis::Channel],
        };
        let mut wire = Self {
            step,
            form,
            batch,
            axes: vec![vec![Axis::Batch]],
        };
        wire.axes.extend(order.map(|axis| vec![axis]));
        wire.without_ones()
    }

    /// Features.
    pub(crate) fn features(step: usize, features: usize, batch: usize) -> Self {
        let wire = Self {
            step,
            form: Form::Features(features),
            batch,
            axes: vec![vec![Axis::Batch], vec![Axis::Channel]],
        };
        wire.without_ones()
    }

    /// Another wire that is seen in the same way; its form differs at most in extents.
    pub(crate) fn like(&self, step: usize, form: Form) -> Self {
        let wire = Self {
            step,
            form,
            ..self.clone()
        };
        wire.without_ones()
    }

    fn without_ones(mut self) -> Self {
        let form = self.form;
        for axes in &mut self.axes {
            axes.retain(|&axis| axis == Axis::Batch || extent(form, axis) != 1);
        }
        self
    }

    /// Length of an extent.
    pub(crate) const fn extent(&self, axis: Axis) -> usize {
        match axis {
            Axis::Batch => self.batch,
            _ => extent(self.form, axis),
        }
    }

    /// The shape in the file.
    pub(crate) fn shape(&self) -> Vec<usize> {
        let length = |axes: &Vec<Axis>| axes.iter().map(|&axis| self.extent(axis)).product();
        self.axes.iter().map(length).collect()
    }

    /// Seen with its axes in another order.
    pub(crate) fn transposed(&self, order: &[usize]) -> Self {
        Self {
            axes: order.iter().map(|&at| self.axes[at].clone()).collect(),
            ..self.clone()
        }
    }

    /// Seen in another shape of as many elements.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Read<Self> {
        let mut left = self.axes.iter().flatten().copied().peekable();
        let mut axes = Vec::with_capacity(shape.len());
        for &wanted in shape {
            let (mut group, mut length) = (Vec::new(), 1);
            while let Some(&axis) = left.peek() {
                let is_free = axis == Axis::Batch && self.batch == 1 && group.is_empty();
                if length == wanted && !is_free {
                    break;
                }
                length *= self.extent(axis);
                if length > wanted {
                    break;
                }
                group.push(axis);
                left.next();
            }
            if length != wanted {
                let (from, to) = (spelled(&self.shape()), spelled(shape));
                return Err(format!(
                    "a shape of {from} becomes {to}, which divides an extent"
                ));
            }
            axes.push(group);
        }
        if left.next().is_some() {
            return Err("its images are in no extent of its own".into());
        }
        Ok(Self {
            axes,
            ..self.clone()
        })
    }

    /// Whether the axes are these, where an extent of 1 may stand for any.
    fn is(&self, order: &[Axis]) -> bool {
        let fits = |(axes, wanted): (&Vec<Axis>, &Axis)| match &axes[..] {
            [] => *wanted != Axis::Batch && self.extent(*wanted) == 1,
            [axis] => axis == wanted,
            _ => false,
        };
        self.axes.len() == order.len() && self.axes.iter().zip(order).all(fits)
    }

    /// Whether it is seen as images of channels, rows and columns, in which order.
    pub(crate) fn layout(&self) -> Option<Layout> {
        use Axis::{Batch, Channel, Column, Row};
        if self.is(&[Batch, Channel, Row, Column]) {
            return Some(Layout::ChannelsFirst);
        }
        self.is(&[Batch, Row, Column, Channel])
            .then_some(Layout::ChannelsLast)
    }

    /// Whether it is seen as vectors.
    pub(crate) fn is_vector(&self) -> bool {
        self.axes.len() == 2 && self.axes[0] == [Axis::Batch]
    }

    /// The extent that an axis of the file stands for; the last resort for an extent of 1 is its place.
    pub(crate) fn axis(&self, at: usize) -> Option<Axis> {
        match &self.axes[at][..] {
            [axis] => Some(*axis),
            [] => {
                use Axis::{Batch, Channel, Column, Row};
                let usual = match self.layout() {
                    Some(Layout::ChannelsFirst) => [Batch, Channel, Row, Column],
                    Some(Layout::ChannelsLast) => [Batch, Row, Column, Channel],
                    None if self.is_vector() => [Batch, Channel, Row, Column],
                    None => return None,
                };
                usual.get(at).copied()
            }
            _ => None,
        }
    }
}

const fn extent(form: Form, axis: Axis) -> usize {
    match (form, axis) {
        (Form::Map { channels, .. }, Axis::Channel) => channels,
        (Form::Map { rows, .. }, Axis::Row) => rows,
        (Form::Map { columns, .. }, Axis::Column) => columns,
        (Form::Features(features), Axis::Channel) => features,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(channels: usize, rows: usize, columns: usize) -> Form {
        Form::Map {
            channels,
            rows,
            columns,
        }
    }

    #[test]
    fn transposes_change_the_order_and_nothing_else() {
        let last = Wire::map(0, map(3, 8, 9), 1, Layout::ChannelsLast);
        assert_eq!(last.shape(), [1, 8, 9, 3]);
        let first = last.transposed(&[0, 3, 1, 2]);
        assert_eq!(first.layout(), Some(Layout::ChannelsFirst));
        assert_eq!(first.shape(), [1, 3, 8, 9]);
        assert_eq!(first.transposed(&[0, 1, 3, 2]).layout(), None);
    }

    #[test]
    fn reshapes_join_and_part_whole_extents() {
        let wire = Wire::map(0, map(3, 8, 9), 2, Layout::ChannelsFirst);
        let flat = wire.reshaped(&[2, 216]).unwrap();
        assert!(flat.is_vector());
        assert_eq!(flat.axes[1], [Axis::Channel, Axis::Row, Axis::Column]);
        assert_eq!(flat.reshaped(&[2, 3, 8, 9]).unwrap(), wire);
        assert!(wire.reshaped(&[2, 6, 36]).is_err());
        assert!(
            wire.reshaped(&[6, 72])
                .is_ok_and(|mixed| !mixed.is_vector())
        );
    }

    #[test]
    fn extents_of_one_stand_anywhere() {
        let pooled = Wire::map(0, map(64, 1, 1), 1, Layout::ChannelsFirst);
        let flat = pooled.reshaped(&[1, 64]).unwrap();
        assert!(flat.is_vector());
        assert_eq!(
            flat.reshaped(&[1, 64, 1, 1]).unwrap().layout(),
            Some(Layout::ChannelsFirst)
        );
        let gray = Wire::map(0, map(1, 49, 10), 1, Layout::ChannelsLast);
        let turned = gray.reshaped(&[1, 1, 49, 10]).unwrap();
        assert_eq!(turned.layout(), Some(Layout::ChannelsFirst));
        assert_eq!(gray.axis(3), Some(Axis::Channel));
    }
}
