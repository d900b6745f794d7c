//! The loop: waits for a key, a job, a signal or the clock; updates the state; draws when something
//! changed, at most once in 16 ms, or less often when the user set so. Nothing moves, nothing runs.

use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use futures_core::Stream;
use ratatui::Terminal;
use tokio::time::{Instant as TokioInstant, sleep_until};

use super::effect::{Edit, Effects, Flow, Next};
use super::msg::{Gesture, Msg, Signal};
use super::state::State;
use super::term::{Brackets, Input, translate};
use super::update::update;
use super::view::{self, Hits};

/// Between two looks at whether the project is still there.
const LOOK: Duration = Duration::from_secs(2);

/// What the loop listens to besides the jobs, and how it gives the terminal away.
pub trait Outside {
    /// Events of the terminal.
    type Input: Stream<Item = io::Result<Event>> + Unpin;

    /// Starts to read events; the stream that was read before has been dropped.
    fn input(&mut self) -> Self::Input;

    /// The next signal.
    fn signal(&mut self) -> impl Future<Output = Signal>;

    /// Gives the terminal to the shell, and returns when it is ours again.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn suspend(&mut self) -> io::Result<()>;

    /// Gives the terminal to the user's editor, and returns when it is ours again: with how the
    /// editor ended, a sentence when not well.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn edit(&mut self, edit: &Edit) -> impl Future<Output = io::Result<Result<(), String>>>;
}

/// How the user left.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// For good, with an exit code.
    Code(u8),
    /// For another project.
    For(Next),
}

/// The terminal is gone.
struct Gone;

/// Runs until the user leaves.
///
/// A terminal that is gone is a way of leaving, not an error.
pub async fn run<B, O>(
    terminal: &mut Terminal<B>,
    outside: &mut O,
    state: &mut State,
    effects: &mut Effects,
) -> Left
where
    B: Brackets,
    O: Outside,
{
    match serve(terminal, outside, (state, effects)).await {
        Ok(left) => left,
        Err(Gone) => Left::Code(leave(state, effects)),
    }
}

async fn serve<B, O>(
    terminal: &mut Terminal<B>,
    outside: &mut O,
    (state, effects): (&mut State, &mut Effects),
) -> Result<Left, Gone>
where
    B: Brackets,
    O: Outside,
{
    let start = Instant::now();
    let inbox = effects.inbox();
    let mut input = outside.input();
    let mut screen = Screen::default();
    let mut looked = TokioInstant::now();
    let mut queue: Vec<Msg> = vec![Msg::Start];
    loop {
        let woken = Instant::now();
        queue.insert(0, Msg::Clock(start.elapsed()));
        match deliver(queue.drain(..), state, effects) {
            Flow::Leave(code) => return Ok(Left::Code(code)),
            Flow::Open(next) => {
                // The next project says itself whether it wants the mouse.
                let _ = terminal.backend_mut().mouse(false);
                return Ok(Left::For(next));
            }
            flow @ (Flow::Suspend | Flow::Edit(_)) => {
                // The stream would go on reading what is typed elsewhere.
                drop(input);
                screen = Screen::default();
                queue.extend(lend(flow, outside, effects).await?);
                input = outside.input();
                forget(terminal, state)?;
                continue;
            }
            Flow::Redraw => forget(terminal, state)?,
            Flow::Continue => {}
        }
        draw_when_due(terminal, &mut screen, (state, effects), woken)?;
        let wake = if state.dirty {
            screen.due(state)
        } else {
            state.wake_at().map(|at| start + at)
        };
        tokio::select! {
            biased;
            signal = outside.signal() => queue.push(Msg::Signal(signal)),
            event = next(&mut input) => match event {
                Some(Ok(event)) => queue.extend(message(event, &screen.hits)),
                Some(Err(_)) | None => return Err(Gone),
            },
            () = inbox.arrived() => {}
            () = sleep(wake) => {}
            () = sleep_until(looked + LOOK) => {
                looked = TokioInstant::now();
                queue.extend(effects.look_around(state));
            }
        }
        drain(&mut input, (&mut queue, &screen.hits)).await;
        queue.extend(inbox.drain().into_iter().map(Msg::Job));
    }
}

/// Gives the terminal away, and brings what came of it.
async fn lend<O: Outside>(
    flow: Flow,
    outside: &mut O,
    effects: &Effects,
) -> Result<Option<Msg>, Gone> {
    match flow {
        Flow::Edit(edit) => {
            let ended = outside.edit(&edit).await.map_err(gone)?;
            Ok(Some(effects.edited(ended)))
        }
        _ => outside.suspend().map(|()| None).map_err(gone),
    }
}

/// The next item of a stream; nothing when it has ended.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Takes the events that are there already. The stream must be polled by this task: it remembers
/// only one task to wake.
async fn drain<S>(events: &mut S, (queue, hits): (&mut Vec<Msg>, &Hits))
where
    S: Stream<Item = io::Result<Event>> + Unpin,
{
    loop {
        tokio::select! {
            biased;
            Some(Ok(event)) = next(events) => queue.extend(message(event, hits)),
            () = ready(()) => return,
        }
    }
}

fn message(event: Event, hits: &Hits) -> Option<Msg> {
    translate(event).map(|input| match input {
        Input::Key(key) => Msg::Key(key),
        Input::Mouse(gesture, (column, row)) => Msg::Mouse {
            gesture,
            target: match gesture {
                Gesture::Drag => hits.dragged(column, row),
                _ => hits.at(column, row),
            },
        },
        Input::Paste(text) => Msg::Paste(text),
        Input::Resize => Msg::Resize,
    })
}

/// Updates the state by each message and performs what follows.
fn deliver(messages: impl Iterator<Item = Msg>, state: &mut State, effects: &mut Effects) -> Flow {
    let mut flow = Flow::Continue;
    for message in messages {
        for effect in update(state, message) {
            match effects.perform(effect, state) {
                Flow::Continue => {}
                ends @ (Flow::Leave(_) | Flow::Open(_)) => return ends,
                other => flow = other,
            }
        }
    }
    effects.log(state);
    flow
}

/// Leaves a terminal that is gone by the normal path, which saves the state.
fn leave(state: &mut State, effects: &mut Effects) -> u8 {
    match deliver(std::iter::once(Msg::Signal(Signal::HangUp)), state, effects) {
        Flow::Leave(code) => code,
        _ => 1,
    }
}

/// Forgets what is on the screen, so that the next frame draws everything. Not `Terminal::clear`,
/// which asks the terminal for its cursor and waits for an answer that may be lost.
fn forget<B: Brackets>(terminal: &mut Terminal<B>, state: &mut State) -> Result<(), Gone> {
    state.dirty = true;
    let size = terminal.size().map_err(gone)?;
    terminal.resize(size.into()).map_err(gone)
}

/// Whatever the terminal says, nobody is there to read it.
fn gone<E>(_: E) -> Gone {
    Gone
}

/// What the terminal shows, and how it is set.
#[derive(Debug, Default)]
struct Screen {
    /// What the mouse can reach in the last frame.
    hits: Hits,
    /// Whether we have the mouse.
    mouse: bool,
    /// The title of the window.
    title: String,
    /// When the last frame was drawn.
    drawn: Option<Instant>,
}

impl Screen {
    /// When the next frame may be drawn; absent before the first.
    fn due(&self, state: &State) -> Option<Instant> {
        self.drawn.map(|drawn| drawn + state.settings.frame())
    }
}

/// Draws what changed since the loop was `woken`, unless the last frame was only just drawn.
fn draw_when_due<B: Brackets>(
    terminal: &mut Terminal<B>,
    screen: &mut Screen,
    (state, effects): (&mut State, &mut Effects),
    woken: Instant,
) -> Result<(), Gone> {
    let now = Instant::now();
    if !state.dirty || screen.due(state).is_some_and(|due| now < due) {
        return Ok(());
    }
    state.dirty = false;
    screen.drawn = Some(now);
    draw(terminal, screen, (state, effects))?;
    tracing::debug!("frame of {} us", woken.elapsed().as_micros());
    Ok(())
}

fn draw<B: Brackets>(
    terminal: &mut Terminal<B>,
    screen: &mut Screen,
    (state, effects): (&State, &mut Effects),
) -> Result<(), Gone> {
    let backend = terminal.backend_mut();
    if screen.mouse != state.mouse {
        screen.mouse = state.mouse;
        backend.mouse(state.mouse).map_err(gone)?;
    }
    let (title, rings) = (state.title(), effects.take_ring());
    if screen.title != title || rings {
        backend.announce(&title, rings).map_err(gone)?;
        screen.title = title;
    }
    for text in effects.take_copies() {
        backend.copy(&text).map_err(gone)?;
    }
    backend.begin().map_err(gone)?;
    let drawn = terminal.draw(|frame| screen.hits = view::frame(frame, state, effects.theme()));
    let drawn = drawn.map(drop);
    terminal.backend_mut().end().map_err(gone)?;
    drawn.map_err(gone)
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(TokioInstant::from_std(until)).await,
        None => pending().await,
    }
}
