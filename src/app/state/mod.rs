//! Everything the screens show. Pure values: no files, no threads, no clock; time arrives as a
//! message.

pub mod analysis;
pub mod bits;
pub mod comparison;
pub mod detail;
pub mod eta;
pub mod export;
mod filter;
pub mod form;
pub mod freeze;
pub mod guide;
pub mod look;
mod notice;
pub mod overlay;
pub mod planning;
pub mod ranking;
pub mod remaining;
pub mod running;
pub mod runs;
pub mod series;
pub mod tune;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{Command, Group};
use super::jobs::{Inputs, JobId, JobKind};
use super::key::Key;
use super::keymap::Keymap;
use super::project::{InputFile, Stored};
use super::settings::Settings;
use crate::engine::finetune::Schedule;
use crate::engine::hessian::LayerWidth;
use crate::engine::job::Score;
use analysis::{AnalysisState, Sort};
use bits::BitsState;
use detail::DetailState;
use export::ExportState;
pub use filter::Filter;
use freeze::Frozen;
pub use notice::{Level, Notice};
use overlay::Overlay;
use running::Running;
use tune::TuneState;

/// The five screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Screen {
    /// What is loaded.
    #[default]
    Model,
    /// What was measured.
    Sensitivity,
    /// The bit table.
    Bits,
    /// Training with those bits.
    Tune,
    /// Files.
    Export,
}

impl Screen {
    /// In the order of their digits.
    pub const ALL: [Self; 5] = [
        Self::Model,
        Self::Sensitivity,
        Self::Bits,
        Self::Tune,
        Self::Export,
    ];

    /// The name in the tabs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Sensitivity => "Sensitivity",
            Self::Bits => "Bits",
            Self::Tune => "Fine-tune",
            Self::Export => "Export",
        }
    }

    /// The table of its own keys.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Model => Group::Model,
            Self::Sensitivity => Group::Sensitivity,
            Self::Bits => Group::Bits,
            Self::Tune => Group::Tune,
            Self::Export => Group::Export,
        }
    }

    /// The tables whose keys work here, the first counting most.
    #[must_use]
    pub const fn scopes(self) -> [Group; 3] {
        [self.group(), Group::Movement, Group::Global]
    }
}

/// Where loading the inputs stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Loading {
    /// Being read.
    Running,
    /// There.
    Loaded(Arc<Inputs>),
    /// Not possible, with the reason.
    Failed(String),
}

/// Where testing the float network stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Checking {
    /// Not tested.
    Never,
    /// Being tested.
    Running,
    /// Tested.
    Done(Score),
    /// Not possible, with the reason.
    Failed(String),
}

/// How the application leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// When the running work is done.
    WhenDone,
    /// When the running work has stopped and saved.
    WhenStopped,
}

/// Who does analysis and fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongWork {
    /// This process: they end with it.
    Here,
    /// A worker: they go on when the application ends.
    InWorker,
    /// Another instance, which has the project open, or nobody: this one only watches.
    OfAnother,
}

/// What is known before anything is loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The project's name.
    pub project: String,
    /// The project's folder.
    pub folder: PathBuf,
    /// The model as asked for.
    pub model: String,
    /// The data as asked for.
    pub data: String,
    /// All that was asked for.
    pub inputs: InputFile,
    /// The log file.
    pub log: PathBuf,
}

/// The colours there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Themes {
    /// Their names; none when colours are off.
    pub names: Vec<String>,
    /// The one that is shown.
    pub shown: String,
}

/// Everything the screens show.
#[derive(Debug, Clone)]
pub struct State {
    /// What is known before anything is loaded.
    pub place: Place,
    /// The screen that is shown.
    pub screen: Screen,
    /// Time since the start.
    pub now: Duration,
    /// The inputs.
    pub inputs: Loading,
    /// The float network's test accuracy.
    pub check: Checking,
    /// Multiply-accumulates a second of a forward walk, once it was timed.
    pub pace: Option<f64>,
    /// The layers and their measurements.
    pub analysis: AnalysisState,
    /// Closer looks at the selected layer.
    pub detail: DetailState,
    /// What is held on screen while the work goes on.
    pub frozen: Option<Box<Frozen>>,
    /// The plan.
    pub bits: BitsState,
    /// The runs.
    pub tune: TuneState,
    /// The files.
    pub export: ExportState,
    /// The selected layer, in the order of the network.
    pub layer: usize,
    /// Which layers are shown.
    pub filter: Option<Filter>,
    /// The colours.
    pub themes: Themes,
    /// Windows, the topmost last.
    pub overlays: Vec<Overlay>,
    /// The notice on screen, and until when.
    pub toast: Option<(Notice, Duration)>,
    /// What happened so far.
    pub log: VecDeque<Notice>,
    /// Notices that are not in the log file yet.
    pub fresh: Vec<Notice>,
    /// Keys of an unfinished sequence.
    pub pending: Vec<Key>,
    /// When what may follow them is shown.
    pub hint_at: Option<Duration>,
    /// Keys to commands.
    pub keymap: Keymap,
    /// What the user set.
    pub settings: Settings,
    /// Work that runs.
    pub running: Vec<Running>,
    /// Set when the application leaves as soon as it can.
    pub leaving: Option<Leaving>,
    /// Whether the application has the mouse; else the terminal selects text with it.
    pub mouse: bool,
    /// Per cent of Sensitivity that its list takes, once that was changed.
    pub list_share: Option<u8>,
    /// Whether the mouse holds the line between two panes.
    pub dragging: bool,
    /// Exit code for leaving.
    pub exit_code: u8,
    /// Who does analysis and fine-tuning.
    pub long_work: LongWork,
    /// Why this instance only watches, where it is not that another one has the project open.
    pub only_watched: Option<String>,
    /// Whether something on screen changed.
    pub dirty: bool,
    /// What the project folder held; looked at once the inputs are there.
    pub(super) stored: Option<Box<Stored>>,
    next_job: u64,
}

impl State {
    /// Whether the stages of a run would have no order: they come by omega, which is not measured yet.
    #[must_use]
    pub fn is_unordered(&self) -> bool {
        self.tune.settings.training.schedule == Schedule::Staged
            && self.analysis.sensitivity().is_none()
    }

    /// The state before the first message.
    #[must_use]
    pub fn new(place: Place, keymap: Keymap, stored: Stored) -> Self {
        let session = stored.session.clone();
        Self {
            screen: session.screen,
            now: Duration::ZERO,
            inputs: Loading::Running,
            check: Checking::Never,
            pace: None,
            analysis: AnalysisState::new(session.analysis).by(session.sort),
            detail: DetailState {
                view: session.view,
                ..DetailState::default()
            },
            frozen: None,
            bits: BitsState::by(session.table_sort),
            tune: TuneState::new(session.tune, &place.folder),
            export: ExportState::new(&session.export, &place.folder),
            layer: 0,
            filter: None,
            themes: Themes::default(),
            overlays: Vec::new(),
            toast: None,
            log: VecDeque::new(),
            fresh: Vec::new(),
            pending: Vec::new(),
            hint_at: None,
            keymap,
            settings: Settings::default(),
            running: Vec::new(),
            leaving: None,
            mouse: session.mouse.unwrap_or(true),
            list_share: session.list_share,
            dragging: false,
            exit_code: 0,
            only_watched: stored.only_watched.clone(),
            long_work: if stored.watching || stored.only_watched.is_some() {
                LongWork::OfAnother
            } else {
                LongWork::Here
            },
            dirty: true,
            stored: Some(Box::new(stored)),
            next_job: 1,
            place,
        }
    }

    /// With what the user set; what was chosen in the project comes before it.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        let chosen = self.stored.as_ref().and_then(|stored| stored.session.mouse);
        self.mouse = chosen.unwrap_or(settings.mouse);
        self.settings = settings;
        self
    }

    /// The loaded inputs.
    #[must_use]
    pub fn loaded(&self) -> Option<&Arc<Inputs>> {
        match &self.inputs {
            Loading::Loaded(inputs) => Some(inputs),
            _ => None,
        }
    }

    /// The work that runs and is of this kind.
    #[must_use]
    pub fn job(&self, kind: JobKind) -> Option<&Running> {
        self.running.iter().find(|running| running.kind == kind)
    }

    /// The work the user waits for.
    #[must_use]
    pub fn foreground(&self) -> Option<&Running> {
        self.running
            .iter()
            .find(|running| running.kind.is_foreground())
    }

    /// The loss changes at the bits of the plan on screen that are still to be measured.
    #[must_use]
    pub fn awaited(&self) -> Vec<LayerWidth> {
        let plan = self.bits.plan.as_ref();
        plan.map_or_else(Vec::new, |plan| self.analysis.awaited(plan))
    }

    /// Whether another instance has the project open: this one changes nothing.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.long_work == LongWork::OfAnother
    }

    /// Why this instance changes nothing.
    #[must_use]
    pub fn why_watching(&self) -> String {
        let usual = || "another hawqeye has this project open; this one only watches".to_owned();
        self.only_watched.clone().unwrap_or_else(usual)
    }

    /// Whether the work the user waits for goes on when the application ends.
    #[must_use]
    pub fn leaves_work_running(&self) -> bool {
        let stays = |running: &Running| running.kind.is_for_worker();
        self.long_work == LongWork::InWorker && self.foreground().is_some_and(stays)
    }

    /// The title of the window: the project, and how far its work is.
    #[must_use]
    pub fn title(&self) -> String {
        let project = &self.place.project;
        let Some(running) = self.foreground() else {
            return format!("hawqeye {project}");
        };
        let name = running.kind.name();
        match running.ratio() {
            Some(ratio) => format!("hawqeye {project}: {name} {:.0} %", 100.0 * ratio),
            None => format!("hawqeye {project}: {name}"),
        }
    }

    /// A job number that was never used.
    pub fn take_job_id(&mut self) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        id
    }

    /// When something changes although nothing happens; `None`: never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let toast = self.toast.as_ref().map(|(_, until)| *until);
        let pulse = self
            .running
            .iter()
            .any(|running| !running.paused)
            .then(|| self.now + self.settings.motion.pulse());
        let hint = self.hint_at.filter(|at| *at > self.now);
        [toast, pulse, self.bits.evaluate_at, hint]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether what may follow an unfinished sequence is shown.
    #[must_use]
    pub fn hints_sequence(&self) -> bool {
        !self.pending.is_empty() && self.hint_at.is_some_and(|at| at <= self.now)
    }

    /// The layers a screen lists, in its order, as positions in the network.
    #[must_use]
    pub fn visible_layers(&self) -> Vec<usize> {
        let layers = &self.analysis.layers;
        let shown = |index: &usize| {
            self.filter
                .as_ref()
                .is_none_or(|filter| filter.shows(&layers[*index].layer))
        };
        let mut visible: Vec<usize> = (0..layers.len()).filter(shown).collect();
        let sort = match self.screen {
            Screen::Sensitivity => self.analysis.sort,
            Screen::Bits => self.bits.sort,
            _ => Sort::Network,
        };
        let key = |index: &usize| sort.key(&layers[*index], *index);
        visible.sort_by(|a, b| key(b).total_cmp(&key(a)));
        visible
    }

    /// Where the selected layer stands in the list of this screen.
    #[must_use]
    pub fn cursor(&self, visible: &[usize]) -> Option<usize> {
        visible.iter().position(|index| *index == self.layer)
    }

    /// Whether a command does something now.
    #[must_use]
    pub fn is_available(&self, command: Command) -> bool {
        super::update::available(self, command)
    }
}
