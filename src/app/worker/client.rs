//! The application's side of a worker: starting it, following what it writes down, steering it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::memory;
use super::{GREETING, Order};
use crate::app::jobs::{LeftRun, Quiet, Steered, TuneReport, Wish};
use crate::engine::events::{Line, Tail, parse};
use crate::engine::finetune::events_path;
use crate::engine::job::{Event, Outcome, Score, Split};
use crate::engine::presence::{self, Beats, Holder, SILENCE, STALE, holder_of};
use crate::engine::{Error, Result, files};

/// How often the files of a worker are looked at.
const POLL: Duration = Duration::from_millis(40);
/// Looks between two at the memory of the process: two seconds.
const WEIGHED: u32 = 50;
/// Looks until one that was asked to stop before it named itself is left alone: ten seconds.
const PATIENCE: u32 = 250;
/// Longest order that is read.
const LIMIT: u64 = 256 << 20;
/// Last lines of a failed worker that are told.
const LAST_WORDS: usize = 3;

/// Starts workers of one project, and finds the one that lives.
#[derive(Debug, Clone)]
pub struct Client {
    folder: PathBuf,
    program: PathBuf,
}

impl Client {
    /// For a project folder; `program` is this executable.
    #[must_use]
    pub fn new(project: &Path, program: PathBuf) -> Self {
        Self {
            folder: project.join("worker"),
            program,
        }
    }

    fn order_path(&self) -> PathBuf {
        self.folder.join("order.json")
    }

    fn events_path(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// What the worker that lives is doing; `None` when none does.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        if !lives(&self.folder) {
            return None;
        }
        let path = self.order_path();
        let bytes = files::read_limited(&path, LIMIT).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When one lives already, or the process cannot be started.
    pub fn start(&self, order: &Order) -> Result<Following> {
        let failed = |source| Error::file("write", &self.folder, source);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let input = self.written(order)?;
        let events = File::create(self.events_path()).map_err(failed)?;
        let threads = rayon::current_num_threads().to_string();
        let child = Command::new(&self.program)
            .args(["worker", "--progress", "json", "--threads", &threads])
            .env_remove("HAWQEYE_LOG")
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::from(events))
            // Out of reach of the signals that a terminal sends.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::file("start", &self.program, source))?;
        let mut following = self.attach();
        following.child = Some(child);
        Ok(following)
    }

    /// The order as a file that is locked for as long as the process that inherits it lives.
    fn written(&self, order: &Order) -> Result<File> {
        let path = self.order_path();
        let failed = |source| Error::file("write", &path, source);
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(busy());
            }
            // Where there are no locks, its heartbeat tells of a worker.
            Err(TryLockError::Error(refused)) if refused.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        if presence::look(&self.folder).is_some() {
            return Err(busy());
        }
        let text = serde_json::to_vec(order)
            .map_err(|error| Error::invalid(format!("cannot write the order: {error}")))?;
        file.set_len(0).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    /// Follows the worker that lives, from its first event on.
    #[must_use]
    pub fn attach(&self) -> Following {
        let spoken = Some(Tail::new(self.events_path(), 0));
        Following::new(Followed::Worker(self.folder.clone()), spoken, None)
    }

    /// Follows a run that some process works on, through the events in its folder after those that
    /// were read; what else the worker says, if the run is its work, is told too.
    #[must_use]
    pub fn attach_run(&self, run: &LeftRun) -> Following {
        let story = Some(Tail::new(events_path(&run.folder), run.read));
        let mine = self
            .order()
            .is_some_and(|order| order.run() == Some(&*run.folder));
        if mine {
            let spoken = Some(Tail::new(self.events_path(), 0));
            return Following::new(Followed::Worker(self.folder.clone()), spoken, story);
        }
        Following::new(Followed::Run(run.folder.clone()), None, story)
    }
}

fn busy() -> Error {
    Error::invalid(
        "other work of this project is still running in the background; open the project again to \
         see it",
    )
}

/// Whether a process works on the run in a folder.
#[must_use]
pub fn is_worked_on(run: &Path) -> bool {
    presence::look(run).is_some()
}

/// Whether a worker lives in a project folder.
#[must_use]
pub fn works_on(project: &Path) -> bool {
    lives(&project.join("worker"))
}

/// Whether a worker lives that has this folder: it has its order from the start, and shows itself
/// once it has read it.
fn lives(folder: &Path) -> bool {
    is_locked(&folder.join("order.json")) || presence::look(folder).is_some()
}

/// Whether a process holds the lock of this file.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// Done, or stopped with its state saved.
    pub outcome: Outcome,
    /// Score of the test images, if it was told.
    pub test: Option<Score>,
}

impl Ended {
    /// As the end of a run.
    #[must_use]
    pub const fn report(self) -> TuneReport {
        TuneReport {
            outcome: self.outcome,
            test: self.test,
        }
    }
}

/// Work that is followed.
#[derive(Debug)]
enum Followed {
    /// A worker, by its folder.
    Worker(PathBuf),
    /// A run that some other process works on.
    Run(PathBuf),
}

impl Followed {
    /// Where its holder is named, and minds wishes.
    fn folder(&self) -> &Path {
        match self {
            Self::Worker(folder) | Self::Run(folder) => folder,
        }
    }

    fn lives(&self) -> bool {
        match self {
            Self::Worker(folder) => lives(folder),
            Self::Run(folder) => is_worked_on(folder),
        }
    }
}

/// A worker that is followed.
#[derive(Debug)]
pub struct Following {
    work: Followed,
    /// What a worker says.
    spoken: Option<Tail>,
    /// The events in the folder of a run.
    story: Option<Tail>,
    child: Option<Child>,
    beats: Beats,
    /// Whether it was said that wishes cannot be passed.
    mute: bool,
    /// Whether it was said that it gives no sign of life.
    quiet: bool,
    outcome: Option<Outcome>,
    test: Option<Score>,
    words: Vec<String>,
}

impl Following {
    fn new(work: Followed, spoken: Option<Tail>, story: Option<Tail>) -> Self {
        Self {
            beats: Beats::of(work.folder()),
            work,
            spoken,
            story,
            child: None,
            mute: false,
            quiet: false,
            outcome: None,
            test: None,
            words: Vec::new(),
        }
    }

    /// Hands every event on and passes every wish to the worker, until it ends or is left alone.
    ///
    /// # Errors
    /// The worker's last words when it failed; when it was left alone.
    pub fn to_the_end(mut self, observer: &mut dyn Steered) -> Result<Ended> {
        let mut told = Wish::Go;
        let (mut rounds, mut patience) = (0_u32, PATIENCE);
        loop {
            // In this order: what is written just before the end is not missed.
            let alive = self.lives();
            self.read(observer)?;
            if !alive {
                return self.ended();
            }
            if rounds == 0 && self.is_held() {
                // Whoever paused it may be gone.
                told = Wish::Hold;
            }
            let wish = observer.wish();
            if wish != told && self.pass(wish, observer) {
                told = wish;
            }
            if rounds.is_multiple_of(WEIGHED) {
                self.weigh(observer);
            }
            rounds = rounds.wrapping_add(1);
            let leaves = match wish {
                Wish::Leave => true,
                Wish::StopAlone => told == wish || patience == 0,
                Wish::Go | Wish::Hold | Wish::Stop => false,
            };
            if leaves {
                return Err(Error::invalid("the work goes on in the background"));
            }
            patience -= u32::from(wish == Wish::StopAlone);
            observer.rest(POLL, wish);
        }
    }

    fn lives(&mut self) -> bool {
        let started = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        self.child.as_mut().is_some_and(started) || self.work.lives()
    }

    fn is_held(&mut self) -> bool {
        self.beats.silent().is_some() && self.beats.are_held()
    }

    /// Tells its memory where it can be seen, and how long it gave no sign of life.
    fn weigh(&mut self, observer: &mut dyn Steered) {
        let holder = holder_of(self.work.folder());
        let process = holder.as_ref().and_then(Holder::process_here);
        if let Some(bytes) = process.and_then(memory::resident) {
            observer.weigh(bytes);
        }
        let silent = self.beats.silent().filter(|silent| *silent >= SILENCE);
        if std::mem::replace(&mut self.quiet, silent.is_some()) || silent.is_some() {
            observer.hush(silent.map(|since| Quiet {
                since,
                host: holder.map(|holder| holder.host).unwrap_or_default(),
            }));
        }
    }

    fn read(&mut self, observer: &mut dyn Steered) -> Result<()> {
        let spoken = self.spoken.as_mut().map(Tail::lines).transpose()?;
        for line in spoken.unwrap_or_default() {
            match parse(line.as_bytes()) {
                Line::Event(event) => self.heard(event, observer),
                Line::Later | Line::Unreadable => self.said(line),
            }
        }
        let story = self.story.as_mut().map(Tail::lines).transpose()?;
        for line in story.unwrap_or_default() {
            if let Line::Event(event) = parse(line.as_bytes()) {
                self.note(&event);
                observer.tell(event);
            }
        }
        Ok(())
    }

    /// An event of the worker; those of a run come from its own folder, where all of them are.
    fn heard(&mut self, event: Event, observer: &mut dyn Steered) {
        self.note(&event);
        let told = matches!(event, Event::Progress { .. } | Event::Warning { .. });
        if told || self.story.is_none() {
            observer.tell(event);
        }
    }

    /// Keeps what tells how it ended.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Finished { outcome } => self.outcome = Some(*outcome),
            Event::Evaluated {
                split: Split::Test,
                score,
                ..
            } => self.test = Some(*score),
            _ => {}
        }
    }

    fn said(&mut self, line: String) {
        if line.starts_with(GREETING) {
            return;
        }
        if self.words.len() == LAST_WORDS {
            self.words.remove(0);
        }
        self.words.push(line);
    }

    /// Passes a wish on; whether that could be done.
    fn pass(&mut self, wish: Wish, observer: &mut dyn Steered) -> bool {
        let wish = match wish {
            Wish::Hold => presence::Wish::Hold,
            Wish::Go => presence::Wish::Go,
            Wish::Stop | Wish::StopAlone => presence::Wish::Stop,
            // Nobody would wake it once this program is gone.
            Wish::Leave if self.is_held() => presence::Wish::Go,
            Wish::Leave => return true,
        };
        match presence::send(self.work.folder(), wish) {
            Ok(()) => {
                self.mute = false;
                true
            }
            // A worker that has only just started has not named itself yet.
            Err(_) if self.child.is_some() => false,
            Err(error) => {
                if !std::mem::replace(&mut self.mute, true) {
                    observer.tell(Event::Warning {
                        message: error.to_string(),
                    });
                }
                false
            }
        }
    }

    fn ended(mut self) -> Result<Ended> {
        if let Some(child) = &mut self.child
            && let Err(refused) = child.wait()
        {
            tracing::warn!("waiting for the worker: {refused}");
        }
        if let Some(outcome) = self.outcome {
            let test = self.test;
            return Ok(Ended { outcome, test });
        }
        if let Some(words) = self.fell_silent() {
            return Err(Error::invalid(words));
        }
        let said = self.words.join(" ");
        let said = said.strip_prefix("error: ").unwrap_or(&said);
        Err(Error::invalid(if said.is_empty() {
            "the process that did the work ended without a word (killed, or out of memory); what was \
             saved is safe, and starting it again goes on from there"
        } else {
            said
        }))
    }

    /// What is said of a holder elsewhere that gave no sign of life for too long.
    fn fell_silent(&mut self) -> Option<String> {
        let silent = self.beats.silent().filter(|silent| *silent >= STALE)?;
        let holder = holder_of(self.work.folder())?;
        let elsewhere = !holder.is_of_this_system() && !holder.host.is_empty();
        elsewhere.then(|| {
            format!(
                "no sign of life from {} for {} s: it counts as gone; what was saved is safe, and \
                 the run can be resumed",
                holder.host,
                silent.as_secs()
            )
        })
    }
}
