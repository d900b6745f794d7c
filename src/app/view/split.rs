//! Two panes and the line between them, which keys and the mouse move.

use ratatui::layout::{Direction, Position, Rect};

use super::{FILL, Hits, columns, rows};
use crate::app::msg::Target;

/// Cells between panes that stand side by side.
const GAP: u16 = 2;
/// Fewest columns of either pane.
const NARROWEST: u16 = 32;
/// Fewest rows of either pane.
const LOWEST: u16 = 4;

/// Where two panes meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// Both panes.
    area: Rect,
    /// Which way the second pane lies.
    direction: Direction,
}

impl Split {
    pub(super) const fn new(area: Rect, direction: Direction) -> Self {
        Self { area, direction }
    }

    const fn length(self) -> u16 {
        match self.direction {
            Direction::Horizontal => self.area.width,
            Direction::Vertical => self.area.height,
        }
    }

    /// Cells of the second pane: by the share of the first in per cent, or as it is usually.
    fn second(self, share: Option<u8>, usual: u16) -> u16 {
        let Some(share) = share else {
            return usual;
        };
        let (gap, least) = match self.direction {
            Direction::Horizontal => (GAP, NARROWEST),
            Direction::Vertical => (0, LOWEST),
        };
        let room = self.length().saturating_sub(gap);
        let first = (u32::from(room) * u32::from(share.min(100)) / 100) as u16;
        let most = room.saturating_sub(least);
        first.clamp(least.min(most), most).abs_diff(room)
    }

    /// Both panes; where they meet can be dragged.
    pub(super) fn panes(self, (share, usual): (Option<u8>, u16), hits: &mut Hits) -> [Rect; 2] {
        let second = self.second(share, usual);
        let panes = match self.direction {
            Direction::Horizontal => {
                let [first, gap, second] = columns(self.area, [FILL, GAP, second]);
                hits.add(gap, Target::Splitter);
                [first, second]
            }
            Direction::Vertical => {
                let [first, second] = rows(self.area, [FILL, second]);
                hits.add(
                    Rect {
                        height: second.height.min(1),
                        ..second
                    },
                    Target::Splitter,
                );
                [first, second]
            }
        };
        hits.split = Some(self);
        panes
    }

    /// The share of the first pane, in per cent, when the line between them is at a place.
    pub(super) fn share(self, place: Position) -> u8 {
        let at = match self.direction {
            Direction::Horizontal => place.x.saturating_sub(self.area.x),
            Direction::Vertical => place.y.saturating_sub(self.area.y),
        };
        let length = u32::from(self.length().max(1));
        // Rounded up, so that the line comes to the place itself.
        (u32::from(at) * 100).div_ceil(length).min(100) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_share_makes_a_pane_too_small() {
        for (direction, least) in [(Direction::Horizontal, 32), (Direction::Vertical, 4)] {
            let split = Split::new(Rect::new(3, 2, 118, 40), direction);
            for share in 0..=100 {
                let mut hits = Hits::default();
                let panes = split.panes((Some(share), 9), &mut hits);
                let lengths = panes.map(|pane| match direction {
                    Direction::Horizontal => pane.width,
                    Direction::Vertical => pane.height,
                });
                assert!(lengths.iter().all(|length| *length >= least), "{lengths:?}");
            }
        }
    }

    #[test]
    fn a_share_that_was_dragged_to_a_place_brings_the_line_near_it() {
        let split = Split::new(Rect::new(1, 2, 118, 40), Direction::Horizontal);
        for x in 40..80 {
            let share = split.share(Position::new(x, 5));
            let [first, _] = split.panes((Some(share), 9), &mut Hits::default());
            assert!(first.right().abs_diff(x) <= 2, "{x}: {first:?}");
        }
    }

    #[test]
    fn little_room_breaks_nothing() {
        for length in 0..12 {
            for direction in [Direction::Horizontal, Direction::Vertical] {
                let split = Split::new(Rect::new(0, 0, length, length), direction);
                split.panes((Some(50), 3), &mut Hits::default());
                split.share(Position::new(5, 5));
            }
        }
    }
}
