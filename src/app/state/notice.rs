//! What the user is told, and the log of it.

use std::time::Duration;

use super::{Screen, State};
use crate::app::jobs::JobKind;

/// Lines of the log that are kept in memory.
const LOG_LINES: usize = 1000;
/// How long a notice stays.
const TOAST: Duration = Duration::from_secs(6);
/// How long a bad notice stays.
const BAD_TOAST: Duration = Duration::from_secs(20);

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Bad,
}

impl Level {
    /// What it is called in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "",
            Self::Warning => "warning",
            Self::Bad => "error",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When, since the start.
    pub at: Duration,
    /// How much it matters.
    pub level: Level,
    /// One sentence.
    pub text: String,
    /// The work it is about, if it is about any.
    pub about: Option<JobKind>,
}

impl State {
    /// Shows a notice and writes it down.
    pub fn notify(&mut self, level: Level, text: impl Into<String>) {
        self.tell(level, None, text.into());
    }

    /// The same of some work: the notice is over when that work is begun again, and does not go along
    /// to screens of other work.
    pub fn notify_about(&mut self, level: Level, about: JobKind, text: impl Into<String>) {
        self.tell(level, Some(about), text.into());
    }

    fn tell(&mut self, level: Level, about: Option<JobKind>, text: String) {
        let at = self.now;
        let notice = Notice {
            at,
            level,
            text,
            about,
        };
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(notice.clone());
        self.fresh.push(notice.clone());
        let stays = if level == Level::Info {
            TOAST
        } else {
            BAD_TOAST
        };
        // What failed is not covered by what merely happened; a warning is answered by the next key.
        let covered = self
            .toast
            .as_ref()
            .is_some_and(|(shown, _)| shown.level == Level::Bad && level < Level::Bad);
        if !covered {
            self.toast = Some((notice, self.now + stays));
        }
        self.dirty = true;
    }

    /// Takes the notice on screen away if it is about work of this kind.
    pub fn withdraw(&mut self, over: impl Fn(JobKind) -> bool) {
        let about = self.toast.as_ref().and_then(|(notice, _)| notice.about);
        if about.is_some_and(over) {
            self.toast = None;
            self.dirty = true;
        }
    }

    /// Another screen is shown: what was said of work that it does not show stays behind, and so does
    /// what an earlier key was answered with.
    pub fn leave_notices(&mut self, screen: Screen) {
        let stays = self.toast.as_ref().is_none_or(|(notice, _)| {
            let shows = |kind: JobKind| kind.screen().is_none_or(|own| own == screen);
            match notice.about {
                Some(kind) => shows(kind),
                None => notice.level == Level::Bad || notice.at == self.now,
            }
        });
        if !stays {
            self.toast = None;
            self.dirty = true;
        }
    }

    /// What happened, the newest first, as far as it contains a text; `warning` and `error` find the
    /// notices of that kind, too.
    pub fn log_lines(&self, query: &str) -> impl Iterator<Item = &Notice> {
        let query = query.trim().to_lowercase();
        let fits = move |notice: &&Notice| {
            let text = notice.text.to_lowercase();
            text.contains(&query) || notice.level.name().contains(&query)
        };
        self.log.iter().rev().filter(fits)
    }
}
