//! What the mouse can reach: where the last frame drew what.

use std::ops::Range;

use ratatui::layout::{Position, Rect};

use super::split::Split;
use crate::app::msg::Target;

/// Regions of a frame, the last drawn on top.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    reached: Vec<(Rect, Target)>,
    /// Where two panes meet that can be dragged.
    pub(super) split: Option<Split>,
}

impl Hits {
    /// `target` was drawn in `area`.
    pub(super) fn add(&mut self, area: Rect, target: Target) {
        self.reached.push((area, target));
    }

    /// The rows of a list in a window, from the first position that is shown.
    pub(super) fn rows(&mut self, list: Rect, positions: Range<usize>) {
        for (y, position) in (list.y..list.bottom()).zip(positions) {
            let row = Rect {
                y,
                height: 1,
                ..list
            };
            self.add(row, Target::Row(position));
        }
    }

    /// Rows of layers in a list, by their places in the network.
    pub(super) fn layers(&mut self, list: Rect, shown: &[usize]) {
        for (y, layer) in (list.y..list.bottom()).zip(shown) {
            let row = Rect {
                y,
                height: 1,
                ..list
            };
            self.add(row, Target::Layer(*layer));
        }
    }

    /// What a place means to a line between panes that is dragged there.
    #[must_use]
    pub fn dragged(&self, column: u16, row: u16) -> Option<Target> {
        let split = self.split?;
        Some(Target::Share(split.share(Position::new(column, row))))
    }

    /// A window was drawn over `area`: what lies below cannot be reached, nor anything beside it.
    pub(super) fn cover(&mut self, area: Rect) {
        self.reached.clear();
        self.split = None;
        self.add(area, Target::Window);
    }

    /// What is drawn at a place.
    #[must_use]
    pub fn at(&self, column: u16, row: u16) -> Option<Target> {
        let place = Position::new(column, row);
        let mut found = self.reached.iter().rev();
        found
            .find(|(area, _)| area.contains(place))
            .map(|(_, target)| *target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::state::Screen;

    #[test]
    fn the_topmost_is_hit_and_a_window_hides_what_is_below() {
        let mut hits = Hits::default();
        let everything = Rect::new(0, 0, 80, 24);
        hits.add(everything, Target::Screen(Screen::Model));
        hits.add(Rect::new(0, 3, 80, 1), Target::Layer(7));
        assert_eq!(hits.at(5, 3), Some(Target::Layer(7)));
        assert_eq!(hits.at(5, 4), Some(Target::Screen(Screen::Model)));
        hits.cover(Rect::new(10, 10, 20, 5));
        assert_eq!(hits.at(5, 3), None);
        assert_eq!(hits.at(10, 10), Some(Target::Window));
    }
}
