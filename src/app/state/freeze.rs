//! Holding what Sensitivity and Fine-tune show while the work goes on.

use std::time::Duration;

use super::{Screen, State};

/// A moment that is held on screen.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// When it was.
    pub since: Duration,
    shown: State,
}

impl State {
    /// What is drawn: the moment that is held where there is one, everything as it is elsewhere.
    #[must_use]
    pub fn drawn(&self) -> &Self {
        let held = self.frozen.as_ref().filter(|_| self.can_freeze());
        held.map_or(self, |frozen| &frozen.shown)
    }

    /// Whether the screen is one that can be held.
    #[must_use]
    pub fn can_freeze(&self) -> bool {
        matches!(self.screen, Screen::Sensitivity | Screen::Tune)
    }

    /// Holds this moment.
    pub fn freeze(&mut self) {
        let mut shown = self.clone();
        shown.frozen = None;
        shown.log.clear();
        shown.fresh.clear();
        self.frozen = Some(Box::new(Frozen {
            since: self.now,
            shown,
        }));
    }

    /// What is selected, sorted and looked at moves in what is held, too.
    pub fn follow_frozen(&mut self) {
        let Some(frozen) = &mut self.frozen else {
            return;
        };
        let shown = &mut frozen.shown;
        shown.screen = self.screen;
        shown.layer = self.layer;
        shown.list_share = self.list_share;
        shown.analysis.sort = self.analysis.sort;
        shown.detail.view = self.detail.view;
        shown.tune.look = self.tune.look;
        shown.tune.list.look_as(&self.tune.list);
        if shown.filter.as_ref().map(|f| &f.text) != self.filter.as_ref().map(|f| &f.text) {
            shown.filter.clone_from(&self.filter);
        }
    }
}
