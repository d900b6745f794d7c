//! Wishes of those who watch: a file in the folder, read by the holder it is meant for.

use std::path::Path;

use super::{Holder, Presence, holder_of, wish_path};
use crate::engine::job::{Event, Observer, Verdict};
use crate::engine::{Error, Result, files};

/// What is wished of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Go on.
    #[default]
    Go,
    /// Wait.
    Hold,
    /// Stop, and save what is finished.
    Stop,
}

impl Wish {
    const ALL: [Self; 3] = [Self::Go, Self::Hold, Self::Stop];

    const fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Hold => "hold",
            Self::Stop => "stop",
        }
    }
}

/// Wishes something of whoever works in a folder; it is minded within a step of the work.
///
/// # Errors
/// When nobody does, or it was started by a program that minds no wishes, or the folder cannot be
/// written.
pub fn send(folder: &Path, wish: Wish) -> Result<()> {
    let shown = folder.display();
    let holder = holder_of(folder)
        .ok_or_else(|| Error::invalid(format!("nobody is known to work in {shown}")))?;
    if holder.is_bare() {
        return Err(Error::invalid(format!(
            "the work in {shown} was started by an older hawqeye, which is only watched from here; \
             stop it where it runs, with ^C"
        )));
    }
    let text = format!("{}\n{}", wish.word(), holder.line());
    files::write_atomically(&wish_path(folder), text.as_bytes())
}

/// What is wished of this process in a folder; `None` when nothing is said.
pub(super) fn read(folder: &Path) -> Option<Wish> {
    const LIMIT: u64 = 1 << 16;
    let bytes = files::read_limited(&wish_path(folder), LIMIT).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (word, holder) = text.split_once('\n')?;
    let meant = Holder::read(holder).as_ref() == Some(Holder::own());
    let wish = Wish::ALL.into_iter().find(|wish| wish.word() == word);
    wish.filter(|_| meant)
}

/// An observer that also minds what is wished in a folder.
pub struct Minded<'o> {
    inner: &'o mut dyn Observer,
    presence: &'o Presence,
}

impl<'o> Minded<'o> {
    /// Minds the wishes in the folder of `presence`.
    #[must_use]
    pub fn new(inner: &'o mut dyn Observer, presence: &'o Presence) -> Self {
        Self { inner, presence }
    }
}

impl Observer for Minded<'_> {
    fn on(&mut self, event: Event) -> Verdict {
        match self.inner.on(event) {
            Verdict::Continue => self.presence.mind(self.inner),
            Verdict::Stop => Verdict::Stop,
        }
    }

    fn held(&mut self) -> Verdict {
        self.inner.held()
    }
}
