//! What a command warned of: each sentence once, and with `--strict` an error when the work is done.

use std::sync::{Arc, Mutex, PoisonError};

use super::failure::Failure;

/// The warnings of a command, shared by all who warn.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Takes a warning in; whether it is to be told, since it was not yet.
    pub fn add(&self, message: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !told.iter().any(|earlier| earlier == message);
        if is_new {
            told.push(message.to_owned());
        }
        is_new
    }

    /// An error when something was warned of and warnings are errors.
    ///
    /// # Errors
    /// With all of the warnings.
    pub fn judge(&self, strict: bool) -> Result<(), Failure> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !strict || told.is_empty() {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "warnings are errors (--strict), and the result is doubtful: {}",
            told.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_told_once_and_an_error_only_when_asked() {
        let warnings = Warnings::default();
        assert!(warnings.judge(true).is_ok());
        let others = warnings.clone();
        assert!(others.add("not converged") && !warnings.add("not converged"));
        assert!(warnings.judge(false).is_ok());
        let failure = warnings.judge(true).unwrap_err();
        assert!(failure.message.contains("not converged"), "{failure:?}");
    }
}
