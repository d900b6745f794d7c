//! Files of events, a JSON line each, as runs and workers write them: how they are read, whole or while
//! they grow, and what a run's events say.
//!
//! ```text
//! tail      the whole lines that are added to a file
//! line      what a line tells; a number that was not finite when it was written is NaN
//! reading   every event of a file, in bounded memory
//! history   the fold of a run's events: stages, scores, where it stands
//! ```

pub mod history;
mod line;
mod reading;
mod tail;

pub use history::History;
pub use line::{Line, parse};
pub use reading::{Told, for_each, foreign_lines};
pub use tail::Tail;
