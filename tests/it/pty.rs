//! The real program in a real terminal. Waits for what must appear on the screen, never for time.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use hawqeye::app::{Options, run_with};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::fake::{Fake, Trouble};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Shared {
    parser: Mutex<Option<vt100::Parser>>,
    changed: Condvar,
}

/// A cell as it is seen.
pub type Seen = (String, [vt100::Color; 2], [bool; 2]);

/// A program in a terminal.
pub struct Session {
    master: Box<dyn MasterPty + Send>,
    /// Absent while a thread writes that the program does not read from any more.
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
    pub home: Arc<tempfile::TempDir>,
}

/// This test program again, running one of its tests that are ignored otherwise.
pub fn this_test(name: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

const fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

impl Session {
    pub fn start(command: CommandBuilder, size: (u16, u16)) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), command, size)
    }

    pub fn start_in(
        home: Arc<tempfile::TempDir>,
        command: CommandBuilder,
        size: (u16, u16),
    ) -> Self {
        Self::open(home, command, size, &[])
    }

    /// With other variables than usual.
    pub fn start_with(command: CommandBuilder, size: (u16, u16), env: &[(&str, &str)]) -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), command, size, env)
    }

    fn open(
        home: Arc<tempfile::TempDir>,
        mut command: CommandBuilder,
        (cols, rows): (u16, u16),
        env: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        command.env("HAWQEYE_HOME", home.path());
        command.env("LANG", "C.UTF-8");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = vt100::Parser::new(cells(rows), cells(cols), 0);
        let shared = Arc::new(Shared {
            parser: Mutex::new(Some(parser)),
            ..Shared::default()
        });
        let (mut reader, feed) = (pair.master.try_clone_reader().unwrap(), shared.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                feed.parser
                    .lock()
                    .unwrap()
                    .as_mut()
                    .unwrap()
                    .process(&bytes[..count]);
                feed.changed.notify_all();
            }
        });
        let writer = Some(pair.master.take_writer().unwrap());
        Self {
            master: pair.master,
            writer,
            child,
            shared,
            home,
        }
    }

    /// The program itself.
    pub fn program(env: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hawqeye"));
        command.env_remove("NO_COLOR");
        for (name, value) in env {
            command.env(name, value);
        }
        Self::start(command, (80, 24))
    }

    /// This test program again, running [`child`] over the fake engine.
    pub fn fake(trouble: &str) -> Self {
        Self::fake_in(Arc::new(tempfile::tempdir().unwrap()), trouble, (80, 24))
    }

    /// The same, on what an earlier one left behind.
    pub fn fake_in(home: Arc<tempfile::TempDir>, trouble: &str, size: (u16, u16)) -> Self {
        let mut command = this_test("pty::child");
        command.env_remove("NO_COLOR");
        command.env("HAWQEYE_TEST_TROUBLE", trouble);
        Self::start_in(home, command, size)
    }

    /// Whether the program ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Every cell on the screen as it is seen: its character, colours, and whether it is bold.
    pub fn cells(&self) -> Vec<Seen> {
        let guard = self.shared.parser.lock().unwrap();
        let screen = guard.as_ref().unwrap().screen();
        let (rows, columns) = screen.size();
        let places = (0..rows.get()).flat_map(|y| (0..columns.get()).map(move |x| (y, x)));
        let cells = places.filter_map(|(y, x)| screen.cell(y, x));
        let seen = cells.map(|cell| {
            // Never written and written over with a space look the same.
            let text = if cell.has_contents() {
                cell.contents()
            } else {
                " "
            };
            let colours = [cell.fgcolor(), cell.bgcolor()];
            (text.to_owned(), colours, [cell.bold(), cell.inverse()])
        });
        seen.collect()
    }

    /// Empties the screen behind the program's back.
    pub fn wipe(&self) {
        let mut guard = self.shared.parser.lock().unwrap();
        guard.as_mut().unwrap().process(b"\x1b[2J");
    }

    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Types; whether the program took it. One that ended while it was typed at did not.
    pub fn offer(&mut self, keys: &str) -> bool {
        let Some(mut writer) = self.writer.take() else {
            return false;
        };
        let (done, written) = mpsc::channel();
        let bytes = keys.as_bytes().to_vec();
        // A terminal that nobody reads from takes no more than it has room for.
        std::thread::spawn(move || {
            let result = writer.write_all(&bytes).and_then(|()| writer.flush());
            done.send((writer, result.is_ok()))
        });
        loop {
            match written.recv_timeout(Duration::from_millis(20)) {
                Ok((writer, taken)) => {
                    self.writer = Some(writer);
                    return taken;
                }
                Err(_) if self.is_over() => return false,
                Err(_) => {}
            }
        }
    }

    /// Waits until the screen is as it must be.
    pub fn wait(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut guard = self.shared.parser.lock().unwrap();
        loop {
            let screen = guard.as_ref().unwrap().screen();
            if holds(screen) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited for {what}; the screen is\n{}",
                screen.contents()
            );
            guard = self.shared.changed.wait_timeout(guard, left).unwrap().0;
        }
    }

    /// Waits until the screen is as it must be; whether it is before the program ends.
    pub fn becomes(&mut self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // In this order: what ended wrote everything before.
            let over = self.is_over();
            let guard = self.shared.parser.lock().unwrap();
            let screen = guard.as_ref().unwrap().screen();
            if over || holds(screen) {
                return !over;
            }
            assert!(
                Instant::now() < deadline,
                "waited for {what}; the screen is\n{}",
                screen.contents()
            );
            let pause = Duration::from_millis(50);
            drop(self.shared.changed.wait_timeout(guard, pause).unwrap());
        }
    }

    pub fn wait_text(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        let mut guard = self.shared.parser.lock().unwrap();
        guard
            .as_mut()
            .unwrap()
            .screen_mut()
            .set_size(cells(rows), cells(cols));
        drop(guard);
        self.master.resize(size(cols, rows)).unwrap();
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let status = std::process::Command::new("kill")
            .args(["-s", name, &pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end; gives the exit code, after checking that the terminal is as it was.
    pub fn end(mut self) -> u32 {
        assert!(!self.becomes("the program's end", |_| false));
        let code = self.child.wait().unwrap().exit_code();
        self.wait("the terminal to be restored", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        code
    }
}

/// What [`Session::fake`] runs.
#[test]
#[ignore = "started by other tests, in a terminal of its own"]
fn child() {
    let trouble = match std::env::var("HAWQEYE_TEST_TROUBLE").as_deref() {
        Ok("panic") => Trouble::PanicInAnalysis,
        Ok("endless") => Trouble::Endless,
        _ => Trouble::None,
    };
    let code = run_with(&Options::default(), &|_, _| {
        Arc::new(Fake {
            trouble,
            ..Fake::default()
        })
    });
    println!("left with {code:?}");
}

#[test]
fn every_screen_opens_and_q_leaves() {
    let mut session = Session::program(&[]);
    session.wait_text("1 Model");
    for key in ["2", "3", "4", "5", "1"] {
        session.send(key);
        session.wait(key, |screen| {
            let digit = format!(" {key} ");
            let row = screen
                .contents()
                .lines()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            let at = row.find(&digit).unwrap_or(0) as u16;
            screen.cell(1, at + 1).is_some_and(vt100::Cell::inverse)
        });
    }
    session.send("?");
    session.wait_text("search:");
    session.send("\u{1b}");
    session.wait("help to close", |screen| {
        !screen.contents().contains("search:")
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let mut session = Session::program(&[]);
    session.wait_text("1 Model");
    for (cols, rows) in [(120, 40), (40, 12), (100, 30)] {
        session.resize(cols, rows);
        session.wait("the footer in the last row", |screen| {
            let last = screen.contents_between(rows - 1, 0, rows - 1, cols);
            last.contains("quit")
        });
    }
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn sigterm_saves_and_restores_the_terminal() {
    let session = Session::fake("endless");
    session.wait_text("93.75 %");
    session.signal("TERM");
    assert_eq!(
        session.end(),
        0,
        "the test program ends well; its child left with 130"
    );
}

#[test]
fn sigterm_in_the_program_gives_130() {
    let session = Session::program(&[]);
    session.wait_text("1 Model");
    session.signal("TERM");
    assert_eq!(session.end(), 130);
}

#[test]
fn no_color_writes_no_colour_and_keeps_the_selection_visible() {
    let mut session = Session::program(&[("NO_COLOR", "1")]);
    session.wait_text("1 Model");
    session.send("5");
    session.wait("a reversed row", |screen| {
        let rows = screen.contents();
        let row = rows
            .lines()
            .position(|line| line.contains("packed"))
            .unwrap_or(0) as u16;
        row > 0 && screen.cell(row, 4).is_some_and(vt100::Cell::inverse)
    });
    session.wait("no colour", |screen| {
        let cells = (0..24).flat_map(|row| (0..80).map(move |col| (row, col)));
        cells
            .filter_map(|(row, col)| screen.cell(row, col))
            .all(|cell| {
                cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default
            })
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_workers_panic_is_a_message_and_the_screen_stays() {
    let mut session = Session::fake("panic");
    session.wait_text("93.75 %");
    session.send("a");
    session.wait_text("the worker broke");
    session.wait("the alternate screen", vt100::Screen::alternate_screen);
    session.send("3");
    session.wait_text("layer1.0.conv1");
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn quitting_while_work_runs_asks_and_stops_it() {
    let mut session = Session::fake("endless");
    session.wait_text("93.75 %");
    session.send("a");
    session.wait_text("analysis");
    session.send("q");
    session.wait_text("stop and save, then leave");
    session.send("c");
    session.wait("the question to close", |screen| {
        !screen.contents().contains("then leave")
    });
    session.send("q");
    session.wait_text("stop and save, then leave");
    session.send("s");
    assert_eq!(session.end(), 0);
}

/// Whether a shell waits for a command: until then what is typed may still be read by the program.
fn is_prompting(screen: &vt100::Screen) -> bool {
    let given_back = !screen.alternate_screen() && !screen.hide_cursor();
    given_back && screen.contents().trim_end().ends_with("prompt>")
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_returns() {
    if !Path::new("/bin/sh").exists() {
        eprintln!("skipped: there is no /bin/sh");
        return;
    }
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-i"]);
    command.env("PS1", "prompt> ");
    command.env_remove("ENV");
    command.env_remove("NO_COLOR");
    let mut session = Session::start(command, (80, 24));
    session.wait_text("prompt>");
    session.send(&format!("{}\n", env!("CARGO_BIN_EXE_hawqeye")));
    session.wait_text("5 Export");
    for _ in 0..2 {
        session.send("\u{1a}");
        session.wait("the shell", is_prompting);
        session.send("echo back in the $((40+2)) shell\n");
        session.wait_text("back in the 42 shell");
        session.send("fg\n");
        session.wait("the application", |screen| {
            screen.alternate_screen() && screen.contents().contains("5 Export")
        });
    }
    session.send("q");
    session.wait("the shell", is_prompting);
    session.send("exit\n");
    session.end();
}

#[test]
fn without_a_terminal_it_says_what_to_do_and_gives_2() {
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_hawqeye"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let text = String::from_utf8(run.stderr).unwrap();
    assert!(text.contains("must be a terminal"), "{text}");
    assert!(run.stdout.is_empty());
}
