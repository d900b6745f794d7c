//! What a user might do, by chance from a seed: keys, gestures, pasted text, sizes.

use std::time::Duration;

use hawqeye::app::key::{Key, KeyCode};
use hawqeye::app::msg::Gesture;

/// Something that happens to the application.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening {
    /// The terminal has another size.
    Resize((u16, u16)),
    /// The mouse, at a column and a row.
    Point(Gesture, (u16, u16)),
    /// Text is pasted.
    Paste(&'static str),
    /// Nothing, for a while.
    Wait(Duration),
    /// A key is pressed.
    Key(Key),
}

/// Numbers by chance from a seed (SplitMix64).
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// What happens next to a terminal of this many columns and rows.
    pub fn event(&mut self, size: (u16, u16)) -> Happening {
        match self.below(20) {
            0 => Happening::Resize((1 + self.below(200) as u16, 1 + self.below(70) as u16)),
            1..4 => {
                let gestures = [Gesture::Click, Gesture::WheelUp, Gesture::WheelDown];
                let gesture = gestures[self.below(3)];
                let (x, y) = (self.below(size.0 as usize), self.below(size.1 as usize));
                Happening::Point(gesture, (x as u16, y as u16))
            }
            4 => Happening::Paste("layer1.*\n\u{7}7x"),
            5 => Happening::Wait(Duration::from_millis(self.below(3000) as u64)),
            _ => Happening::Key(self.key()),
        }
    }

    fn key(&mut self) -> Key {
        use KeyCode as K;
        const NAMED: [KeyCode; 13] = [
            K::Enter,
            K::Esc,
            K::Tab,
            K::BackTab,
            K::Backspace,
            K::Up,
            K::Down,
            K::Left,
            K::Right,
            K::Home,
            K::End,
            K::PageUp,
            K::PageDown,
        ];
        let code = match self.below(3) {
            0 => NAMED[self.below(NAMED.len())],
            _ => K::Char(char::from(b' ' + self.below(95) as u8)),
        };
        let ctrl = self.below(12) == 0;
        Key {
            ctrl,
            ..Key::plain(code)
        }
    }
}
