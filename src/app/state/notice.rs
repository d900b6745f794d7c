//! What the user is told, and the log of it.

use std::time::Duration;

use super::State;

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
}

impl State {
    /// Shows a notice and writes it down.
    pub fn notify(&mut self, level: Level, text: impl Into<String>) {
        let notice = Notice {
            at: self.now,
            level,
            text: text.into(),
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
        let covered = self
            .toast
            .as_ref()
            .is_some_and(|(shown, _)| shown.level > level);
        if !covered {
            self.toast = Some((notice, self.now + stays));
        }
        self.dirty = true;
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
