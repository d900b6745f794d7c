//! Thousands of random keys, gestures and sizes for the real program in a real terminal, as the bytes
//! that a terminal sends: it never panics, draws a right frame in the end, and restores the terminal.

use std::path::Path;
use std::sync::Arc;

use hawqeye::app::key::{Key, KeyCode};
use hawqeye::app::msg::Gesture;

use crate::chance::{Chance, Happening};
use crate::pty::Session;
use crate::random::EVENTS;

/// Events that are written at once, at most.
const BURST: usize = 40;
/// Size of the terminal in the end.
const LAST: (u16, u16) = (100, 30);
/// The escape key in the way that cannot be taken for the beginning of another key.
const ESCAPE: &str = "\u{1b}[27u";
/// Typed to see whether everything before it was read.
const TOKEN: &str = "zyzzyva";
/// Windows that may be open, at most.
const WINDOWS: usize = 30;
/// Frames that may change while they are looked at, because work ends or a notice goes.
const TRIES: usize = 20;

/// What a terminal sends for a key; nothing for those that leave or suspend on purpose, and for `^S`,
/// which stops the output of a terminal that the program has given back already.
fn bytes(key: Key) -> String {
    let code = match key.code {
        KeyCode::Char('q') => return String::new(),
        // A terminal sends the same byte for both cases of a letter with control.
        KeyCode::Char('c' | 's' | 'z' | 'C' | 'S' | 'Z') if key.ctrl => return String::new(),
        KeyCode::Char(c) if key.ctrl && c.is_ascii_alphabetic() => {
            return char::from(c.to_ascii_lowercase() as u8 & 0x1f).to_string();
        }
        KeyCode::Char(c) => return c.to_string(),
        KeyCode::Enter => return "\r".into(),
        // Nobody types so fast that the byte alone would mean the beginning of another key.
        KeyCode::Esc if !key.ctrl => return ESCAPE.into(),
        KeyCode::Esc => return "\u{1b}".into(),
        KeyCode::Tab => return "\t".into(),
        KeyCode::BackTab => return "\u{1b}[Z".into(),
        KeyCode::Backspace => return "\u{7f}".into(),
        KeyCode::PageUp => return "\u{1b}[5~".into(),
        KeyCode::PageDown => return "\u{1b}[6~".into(),
        KeyCode::Up => 'A',
        KeyCode::Down => 'B',
        KeyCode::Right => 'C',
        KeyCode::Left => 'D',
        KeyCode::Home => 'H',
        _ => 'F',
    };
    let with = if key.ctrl { "1;5" } else { "" };
    format!("\u{1b}[{with}{code}")
}

/// What a terminal sends when something happens, besides another size.
fn sent(happening: Happening) -> String {
    match happening {
        Happening::Key(key) => bytes(key),
        Happening::Paste(text) => format!("\u{1b}[200~{text}\u{1b}[201~"),
        Happening::Point(gesture, (x, y)) => {
            let at = format!("{};{}", x + 1, y + 1);
            match gesture {
                Gesture::Click => format!("\u{1b}[<0;{at}M\u{1b}[<0;{at}m"),
                Gesture::Drag => format!("\u{1b}[<32;{at}M"),
                Gesture::Release => format!("\u{1b}[<0;{at}m"),
                Gesture::WheelUp => format!("\u{1b}[<64;{at}M"),
                Gesture::WheelDown => format!("\u{1b}[<65;{at}M"),
            }
        }
        Happening::Resize(_) | Happening::Wait(_) => String::new(),
    }
}

/// The program on a project; started again on the same one whenever it was left.
struct Program {
    session: Session,
    size: (u16, u16),
}

impl Program {
    fn start() -> Self {
        let session = Session::fake("none");
        session.wait_text("93.75 %");
        Self {
            session,
            size: (80, 24),
        }
    }

    /// Types, into the program started anew if it was left.
    fn write(&mut self, text: &str) {
        let taken = !self.session.is_over() && self.session.offer(text);
        if taken {
            return;
        }
        let home = self.session.home.clone();
        let next = Session::fake_in(home, "none", LAST);
        next.wait_text("Model");
        let ended = std::mem::replace(&mut self.session, next).end();
        assert_eq!(ended, 0, "it was left by a click or by name");
        self.size = LAST;
        self.session.send(text);
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.session.resize(size.0, size.1);
        self.size = size;
    }

    /// Lets it read everything that was typed, even if that makes it leave; closes every window and
    /// every notice, and waits until no work runs.
    fn settle(&mut self) {
        loop {
            self.write(&format!("{}:{TOKEN}", ESCAPE.repeat(WINDOWS)));
            let read = |screen: &vt100::Screen| screen.contents().contains(TOKEN);
            if !self.session.becomes(TOKEN, read) {
                continue;
            }
            self.write(&ESCAPE.repeat(WINDOWS));
            // It may have been told to leave when its work is done.
            let calm = "a screen without windows or work";
            if self.session.becomes(calm, is_calm) {
                return;
            }
        }
    }

    /// Leaves, and says how when asked: work that is paused makes a calm screen too.
    fn leave(mut self) -> u32 {
        self.write("q");
        if self.session.becomes("a question", asks_before_leaving) {
            self.session.send("s");
        }
        self.session.end()
    }
}

fn asks_before_leaving(screen: &vt100::Screen) -> bool {
    screen.contents().contains("stop and save, then leave")
}

fn is_calm(screen: &vt100::Screen) -> bool {
    let row = |row| screen.contents_between(row, 0, row, LAST.0);
    let works = row(0).contains(['◐', '◓', '◑', '◒']);
    !works && row(LAST.1 - 1).contains("quit")
}

fn storm(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut program = Program::start();
    let mut events = 0;
    while events < EVENTS {
        let mut burst = String::new();
        let length = 1 + chance.below(BURST);
        for _ in 0..length {
            let happening = chance.event(program.size);
            if let Happening::Resize(size) = happening {
                program.resize(size);
            }
            burst.push_str(&sent(happening));
        }
        program.write(&burst);
        events += length;
    }
    program.resize(LAST);
    assert_is_drawn_right(&mut program);
    let home = program.session.home.clone();
    assert_eq!(program.leave(), 0);
    assert_no_panic(&home);
}

/// What is on the screen after the storm is what is drawn on an empty one.
fn assert_is_drawn_right(program: &mut Program) {
    let mut differences = String::new();
    for _ in 0..TRIES {
        program.settle();
        let before = program.session.cells();
        program.session.wipe();
        program.write("\u{c}");
        program.session.wait("a whole frame", |screen| {
            let row = |row| screen.contents_between(row, 0, row, LAST.0);
            row(0).contains("hawqeye")
                && row(1).contains("5 Export")
                && row(LAST.1 - 1).contains("quit")
        });
        let after = program.session.cells();
        if before == after {
            return;
        }
        let pairs = before.iter().zip(&after).enumerate();
        let unlike = pairs.filter(|(_, (a, b))| a != b);
        differences = format!("{:#?}", unlike.collect::<Vec<_>>());
    }
    panic!("drawn anew, the screen is another one:\n{differences}");
}

fn assert_no_panic(home: &Arc<tempfile::TempDir>) {
    let mut logs = 0;
    for project in home.path().join("projects").read_dir().unwrap() {
        let log = project.unwrap().path().join("hawqeye.log");
        logs += usize::from(Path::new(&log).exists());
        let text = std::fs::read_to_string(log).unwrap_or_default();
        assert!(!text.contains("panicked"), "{text}");
        assert!(!text.contains("internal error"), "{text}");
    }
    assert!(logs > 0, "there is a log");
}

#[test]
fn the_first_storm_is_weathered() {
    storm(1);
}

#[test]
fn the_second_storm_is_weathered() {
    storm(2);
}

#[test]
fn the_third_storm_is_weathered() {
    storm(3);
}
