//! The folders of the user, the same for both front ends: the configuration, and the projects of the
//! terminal application.

use std::env;
use std::path::PathBuf;

use directories::ProjectDirs;

/// The folders of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Keymap and themes.
    pub config: PathBuf,
    /// Projects.
    pub data: PathBuf,
}

/// A path as it was typed, with the user's home folder in the place of `~`.
#[must_use]
pub fn at_home(text: &str) -> PathBuf {
    let rest = match text.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    match (rest, env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => text.into(),
    }
}

impl Folders {
    /// `HAWQEYE_HOME` when set, else what is usual on this system; nothing without a home.
    #[must_use]
    pub fn find() -> Option<Self> {
        if let Some(home) = env::var_os("HAWQEYE_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return Some(Self {
                config: home.clone(),
                data: home,
            });
        }
        let found = ProjectDirs::from("", "", "hawqeye")?;
        Some(Self {
            config: found.config_dir().into(),
            data: found.data_dir().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_meant_by_a_tilde() {
        let home = env::home_dir().unwrap();
        assert_eq!(at_home("~/nets"), home.join("nets"));
        assert_eq!(at_home("~other/nets"), PathBuf::from("~other/nets"));
    }
}
