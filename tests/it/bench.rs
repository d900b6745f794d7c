//! Drives the state as the shell does, without threads, files or a clock.

use std::time::Duration;

use hawqeye::app::effect::Effect;
use hawqeye::app::jobs::{Done, Engine, Failure, JobId, JobMessage, RunsRequest, Task};
use hawqeye::app::key::sequence;
use hawqeye::app::keymap::Keymap;
use hawqeye::app::msg::Msg;
use hawqeye::app::project::Stored;
use hawqeye::app::state::{Place, State};
use hawqeye::app::update::update;
use hawqeye::engine::job::{Event, Silent, Verdict};

use crate::fake::{Fake, Trouble};

#[derive(Clone)]
pub struct Bench {
    pub state: State,
    pub engine: Fake,
    /// Effects that were asked for and not performed yet.
    pub asked: Vec<Effect>,
    /// How often the runs were read.
    pub readings: usize,
    now: Duration,
}

impl Bench {
    /// Before the first message.
    pub fn empty(trouble: Trouble, stored: Stored) -> Self {
        let engine = Fake {
            trouble,
            ..Fake::default()
        };
        Self::over(engine, stored)
    }

    /// Before the first message, over an engine.
    pub fn over(engine: Fake, stored: Stored) -> Self {
        let place = Place {
            project: "demo".into(),
            folder: "project".into(),
            model: "resnet20".into(),
            data: "demo".into(),
            inputs: hawqeye::app::project::InputFile {
                model: "resnet20".into(),
                data: "demo".into(),
                ..hawqeye::app::project::InputFile::default()
            },
            log: "project/hawqeye.log".into(),
        };
        let state = State::new(place, Keymap::default(), stored);
        let mut bench = Self {
            state,
            engine,
            asked: Vec::new(),
            readings: 0,
            now: Duration::ZERO,
        };
        bench.send(Msg::Start);
        bench
    }

    /// With the inputs loaded and tested.
    pub fn loaded() -> Self {
        Self::empty(Trouble::None, Stored::default()).load()
    }

    /// Lets the inputs be loaded and tested.
    pub fn load(mut self) -> Self {
        self.work();
        self.wait(30);
        self.work();
        self
    }

    /// With every layer measured.
    pub fn analysed() -> Self {
        Self::loaded().analyse()
    }

    /// Lets every layer be measured.
    pub fn analyse(mut self) -> Self {
        self.keys("1 a");
        self.work();
        self.wait(30);
        self
    }

    /// With a plan of the allocator.
    pub fn planned() -> Self {
        Self::analysed().plan()
    }

    /// Lets the allocator make a plan, and measures it.
    pub fn plan(mut self) -> Self {
        self.keys("3 a enter");
        self.work();
        self.wait(30);
        self.work();
        self
    }

    pub fn send(&mut self, message: Msg) {
        for effect in update(&mut self.state, message) {
            match effect {
                // At once, so that only tests of it have to know.
                Effect::Start {
                    job,
                    task: Task::Runs(request),
                } => self.read_runs(job, &request),
                other => self.asked.push(other),
            }
        }
    }

    fn read_runs(&mut self, job: JobId, request: &RunsRequest) {
        self.readings += 1;
        let found = self.engine.runs(request, &mut Silent);
        let result = found.map(Done::Runs).map_err(Failure::from);
        self.send(Msg::Job(JobMessage::Ended { job, result }));
    }

    /// Types keys, written as in the keymap.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in sequence(keys).unwrap() {
            self.send(Msg::Key(key));
        }
        self
    }

    /// Types a text, character by character.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.send(Msg::Paste(text.into()));
        self
    }

    /// Lets seconds pass.
    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self.send(Msg::Clock(self.now));
        self
    }

    /// Lets parts of a second pass.
    pub fn pass(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self.send(Msg::Clock(self.now));
        self
    }

    /// Jobs that were asked for, taken out.
    pub fn started(&mut self) -> Vec<(JobId, Task)> {
        let (jobs, rest): (Vec<_>, Vec<_>) = self
            .asked
            .drain(..)
            .partition(|effect| matches!(effect, Effect::Start { .. }));
        self.asked = rest;
        jobs.into_iter()
            .filter_map(|effect| match effect {
                Effect::Start { job, task } => Some((job, task)),
                _ => None,
            })
            .collect()
    }

    /// Does all work that was asked for, to its end.
    pub fn work(&mut self) -> &mut Self {
        loop {
            let started = self.started();
            if started.is_empty() {
                return self;
            }
            for (job, task) in started {
                self.finish(job, &task, usize::MAX);
            }
        }
    }

    /// Does the first job that was asked for, to its end, and leaves the others out.
    pub fn next_job(&mut self) -> &mut Self {
        let (job, task) = self.started().into_iter().next().unwrap();
        self.finish(job, &task, usize::MAX);
        self
    }

    /// Does a job; its observer asks to stop after `events`.
    pub fn finish(&mut self, job: JobId, task: &Task, events: usize) {
        let mut reported: Vec<Event> = Vec::new();
        let mut observer = |event: Event| {
            reported.push(event);
            if reported.len() >= events {
                Verdict::Stop
            } else {
                Verdict::Continue
            }
        };
        let engine: &dyn Engine = &self.engine;
        let result = task.run(engine, &mut observer).map_err(Failure::from);
        for event in reported {
            self.now += Duration::from_millis(100);
            self.send(Msg::Clock(self.now));
            self.send(Msg::Job(JobMessage::Event { job, event }));
        }
        self.send(Msg::Job(JobMessage::Ended { job, result }));
    }

    /// Begins the first job that was asked for, reports the first `events` of it and leaves it
    /// running.
    pub fn begin_next(&mut self, events: usize) {
        let (job, task) = self.started().remove(0);
        self.begin(job, &task, events);
    }

    /// Reports the first `events` of a job and leaves it running.
    pub fn begin(&mut self, job: JobId, task: &Task, events: usize) {
        let mut reported: Vec<Event> = Vec::new();
        let mut observer = |event: Event| {
            reported.push(event);
            Verdict::Continue
        };
        let engine: &dyn Engine = &self.engine;
        task.run(engine, &mut observer).unwrap();
        for event in reported.into_iter().take(events) {
            self.now += Duration::from_millis(100);
            self.send(Msg::Clock(self.now));
            self.send(Msg::Job(JobMessage::Event { job, event }));
        }
    }

    /// Weight bits of the plan on screen.
    pub fn bits(&self) -> Vec<u8> {
        let plan = self.state.bits.plan.as_ref().unwrap();
        plan.layers
            .iter()
            .map(|row| row.weight_bits.get())
            .collect()
    }

    pub fn has_asked(&self, wanted: &Effect) -> bool {
        self.asked.contains(wanted)
    }
}
