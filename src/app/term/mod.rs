//! The terminal itself: entering and leaving it, giving it back for a while (^Z), and leaving it
//! right whatever happens.
//!
//! The panic hook restores the terminal only when the thread that draws panics; a panic of a worker
//! is logged and must not touch the screen.

pub mod events;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend, TestBackend};

use crate::app::config;
use crate::app::key::{Key, KeyCode};
use crate::app::msg::Gesture;
use crate::engine::shown::shown;

/// A backend whose frames can be bracketed, so that a frame appears at once.
pub trait Brackets: Backend {
    /// Before a frame.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn begin(&mut self) -> io::Result<()>;

    /// After a frame.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn end(&mut self) -> io::Result<()>;

    /// Takes the mouse, or leaves it to the terminal, which selects text with it.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn mouse(&mut self, take: bool) -> io::Result<()>;

    /// Puts a text into the clipboard of the terminal (OSC 52), also from afar.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn copy(&mut self, text: &str) -> io::Result<()>;

    /// Names the window, and rings when something ended.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn announce(&mut self, title: &str, ring: bool) -> io::Result<()>;
}

impl<W: Write> Brackets for CrosstermBackend<W> {
    fn begin(&mut self) -> io::Result<()> {
        queue!(self, BeginSynchronizedUpdate)
    }

    fn end(&mut self) -> io::Result<()> {
        execute!(self, EndSynchronizedUpdate)
    }

    fn mouse(&mut self, take: bool) -> io::Result<()> {
        if take {
            execute!(self, EnableMouseCapture)
        } else {
            execute!(self, DisableMouseCapture)
        }
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self, CopyToClipboard::to_clipboard_from(text))
    }

    fn announce(&mut self, title: &str, ring: bool) -> io::Result<()> {
        execute!(self, SetTitle(shown(title)))?;
        if ring {
            self.write_all(b"\x07")?;
            io::Write::flush(self)?;
        }
        Ok(())
    }
}

impl Brackets for TestBackend {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn mouse(&mut self, _take: bool) -> io::Result<()> {
        Ok(())
    }

    fn copy(&mut self, _text: &str) -> io::Result<()> {
        Ok(())
    }

    fn announce(&mut self, _title: &str, _ring: bool) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a person can see and type; `Err` says what to do instead.
///
/// # Errors
/// When standard input or output is not a terminal, or one without capabilities.
pub fn check_interactive() -> Result<(), String> {
    const INSTEAD: &str = "`hawqeye --help` lists the commands that work without one";
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(format!(
            "standard input and output must be a terminal to open the application; {INSTEAD}"
        ));
    }
    let kind = config::terminal();
    if matches!(&*kind, "" | "dumb" | "unknown") {
        let kind = if kind.is_empty() { "not set" } else { &kind };
        return Err(format!(
            "a terminal that can place text is needed to open the application, but TERM is {kind}; \
             {INSTEAD}"
        ));
    }
    Ok(())
}

/// Where frames are written: a whole frame at a time.
pub type Out = BufWriter<Stdout>;

/// The terminal while it is ours; given back when dropped.
pub struct Guard {
    entered: Arc<AtomicBool>,
}

impl Guard {
    /// Takes the terminal and installs the panic hook.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> io::Result<(Self, Terminal<CrosstermBackend<Out>>)> {
        let guard = Self {
            entered: Arc::new(AtomicBool::new(false)),
        };
        install_hook(guard.entered.clone());
        guard.take()?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(
            1 << 16,
            io::stdout(),
        )))?;
        Ok((guard, terminal))
    }

    fn take(&self) -> io::Result<()> {
        enable_raw_mode()?;
        self.entered.store(true, Ordering::SeqCst);
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)
    }

    /// Gives the terminal to the shell until `fg`.
    ///
    /// # Errors
    /// When the terminal refuses to be taken again.
    pub fn suspend(&self) -> io::Result<()> {
        self.lend(|| signal_hook::low_level::raise(signal_hook::consts::SIGTSTP))?
    }

    /// Gives the terminal away as long as `borrower` runs.
    ///
    /// # Errors
    /// When the terminal refuses to be taken again.
    pub fn lend<T>(&self, borrower: impl FnOnce() -> T) -> io::Result<T> {
        restore(&self.entered);
        let brought = borrower();
        self.take().map(|()| brought)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore(&self.entered);
    }
}

/// Leaves the terminal as it was found. Whatever fails, the rest is still tried: there is nobody
/// left to tell.
fn restore(entered: &AtomicBool) {
    if entered.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = execute!(
            out,
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste
        );
        let _ = execute!(out, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

fn install_hook(entered: Arc<AtomicBool>) {
    let ui: ThreadId = thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo| {
        tracing::error!(
            "panic on thread {}: {panic}",
            thread::current().name().unwrap_or("?")
        );
        if thread::current().id() == ui {
            restore(&entered);
            before(panic);
        }
    }));
}

/// What a terminal event means to the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The mouse did something at a column and a row.
    Mouse(Gesture, (u16, u16)),
    /// Text was pasted.
    Paste(String),
    /// The size changed.
    Resize,
}

/// Translates an event; `None` for what does not concern us.
#[must_use]
pub fn translate(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            let code = translate_code(key.code, key.modifiers)?;
            let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
            let alt = key.modifiers.contains(KeyModifiers::ALT);
            Some(Input::Key(Key { code, ctrl, alt }))
        }
        Event::Mouse(mouse) => {
            let gesture = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Gesture::Click,
                MouseEventKind::Drag(MouseButton::Left) => Gesture::Drag,
                MouseEventKind::Up(MouseButton::Left) => Gesture::Release,
                MouseEventKind::ScrollUp => Gesture::WheelUp,
                MouseEventKind::ScrollDown => Gesture::WheelDown,
                _ => return None,
            };
            Some(Input::Mouse(gesture, (mouse.column, mouse.row)))
        }
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(..) => Some(Input::Resize),
        _ => None,
    }
}

fn translate_code(code: crossterm::event::KeyCode, modifiers: KeyModifiers) -> Option<KeyCode> {
    use crossterm::event::KeyCode as From;
    Some(match code {
        From::Char(c) => KeyCode::Char(c),
        From::F(number) => KeyCode::F(number),
        From::Enter => KeyCode::Enter,
        From::Esc => KeyCode::Esc,
        From::Tab if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        From::Tab => KeyCode::Tab,
        From::BackTab => KeyCode::BackTab,
        From::Backspace => KeyCode::Backspace,
        From::Delete => KeyCode::Delete,
        From::Up => KeyCode::Up,
        From::Down => KeyCode::Down,
        From::Left => KeyCode::Left,
        From::Right => KeyCode::Right,
        From::Home => KeyCode::Home,
        From::End => KeyCode::End,
        From::PageUp => KeyCode::PageUp,
        From::PageDown => KeyCode::PageDown,
        _ => return None,
    })
}
