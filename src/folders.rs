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
