//! Who works in a folder, told so that it is never taken for somebody else: a bare process number
//! means another process on another machine or in another container.

use std::fs;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A process, as its lock names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Name of the machine.
    pub host: String,
    /// Identifies the running system: another one after every start of the machine. Empty where the
    /// system tells none.
    pub boot: String,
    /// Identifies what process numbers count in: another one in every container.
    pub numbers: String,
    /// Process number.
    pub process: u32,
    /// When it started, in ticks since the start of the machine; 0 where the system does not tell.
    pub started: u64,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn own() -> &'static Self {
        static OWN: OnceLock<Holder> = OnceLock::new();
        OWN.get_or_init(|| Self {
            host: host(),
            boot: read("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            numbers: numbers(),
            process: std::process::id(),
            started: started("self").unwrap_or(0),
        })
    }

    /// The line of a lock.
    #[must_use]
    pub fn line(&self) -> String {
        let text = serde_json::to_string(self);
        text.expect("invariant: a holder can be written") + "\n"
    }

    /// Reads the line of a lock; older programs wrote a bare number, of which nothing else is known.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Ok(process) = line.parse() {
            return Some(Self {
                process,
                ..Self::default()
            });
        }
        let read: Self = serde_json::from_str(line).ok()?;
        let host = plain(&read.host);
        Some(Self { host, ..read })
    }

    /// Whether it was written by an older program, which minds no wishes.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.host.is_empty() && self.boot.is_empty()
    }

    /// Whether it runs, or ran, on the system that runs here now.
    #[must_use]
    pub fn is_of_this_system(&self) -> bool {
        let own = Self::own();
        !self.is_bare() && self.host == own.host && self.boot == own.boot
    }

    /// Its process number here; `None` when it is not to be seen from here, or has ended.
    #[must_use]
    pub fn process_here(&self) -> Option<u32> {
        let counted = self.is_of_this_system() && self.numbers == Self::own().numbers;
        (counted && started(&self.process.to_string()) == Some(self.started))
            .then_some(self.process)
    }

    /// Whether process numbers mean the same to it as here.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        self.is_of_this_system() && self.numbers == Self::own().numbers && self.started > 0
    }
}

/// The characters of a machine's name: whatever a file names as one is shown to people.
fn plain(host: &str) -> String {
    let named = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    host.chars().filter(named).take(64).collect()
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// What process numbers count in here.
fn numbers() -> String {
    let link = fs::read_link("/proc/self/ns/pid");
    link.map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The 22nd field of a process's `stat`; the second is its name, which may hold anything.
fn started(process: &str) -> Option<u64> {
    let text = read(&format!("/proc/{process}/stat"))?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(unix)]
fn host() -> String {
    let system = rustix::system::uname();
    plain(&system.nodename().to_string_lossy())
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_process_and_no_other() {
        let own = Holder::own();
        assert_eq!(Holder::read(&own.line()).as_ref(), Some(own));
        if cfg!(target_os = "linux") {
            assert_eq!(own.process_here(), Some(std::process::id()));
        }
        for other in [
            Holder {
                host: "node17".into(),
                ..own.clone()
            },
            Holder {
                boot: "before".into(),
                ..own.clone()
            },
            Holder {
                numbers: "pid:[1]".into(),
                ..own.clone()
            },
            Holder {
                started: own.started + 1,
                ..own.clone()
            },
        ] {
            assert_eq!(other.process_here(), None, "{other:?}");
        }
    }

    #[test]
    fn a_bare_number_is_read_and_is_nobody_here() {
        let old = Holder::read(&format!("{}\n", std::process::id())).unwrap();
        assert!(old.is_bare() && old.process == std::process::id());
        assert_eq!(old.process_here(), None);
        assert_eq!(Holder::read("what"), None);
        assert_eq!(Holder::read(""), None);
    }
}
