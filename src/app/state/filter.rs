//! Which layers are shown: those whose names contain a text, or match a pattern.

use globset::{Glob, GlobMatcher};

/// Which layers are shown.
#[derive(Debug, Clone)]
pub struct Filter {
    /// As typed.
    pub text: String,
    glob: Option<GlobMatcher>,
}

impl Filter {
    /// A filter for names that contain `text`, or match it when it has a `*` or `?`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let wild = text.contains(['*', '?', '[', '{']);
        let glob = if wild { Glob::new(text).ok() } else { None };
        Self {
            text: text.to_owned(),
            glob: glob.map(|glob| glob.compile_matcher()),
        }
    }

    /// Whether a layer is shown.
    #[must_use]
    pub fn shows(&self, layer: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(layer),
            None => layer.contains(&self.text),
        }
    }
}
