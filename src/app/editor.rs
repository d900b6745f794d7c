//! The user's editor: a program of its own, which has the terminal while it runs.

use std::process::Command;

use super::effect::Edit;
use crate::engine::error::said;

/// Runs the editor to its end; a sentence when it did not end well. The shell reads its name, so it
/// can have options, and the name of the file stays one word whatever is in it.
pub(super) fn run(edit: &Edit) -> Result<(), String> {
    let editor = &edit.editor;
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(&edit.path);
    match shell.status() {
        Err(error) => Err(format!(
            "cannot start the editor {editor}: {}",
            said(&error)
        )),
        Ok(status) if status.success() => Ok(()),
        Ok(status) => match status.code() {
            Some(127) => Err(format!(
                "there is no editor {editor}; set EDITOR to one that is installed"
            )),
            Some(code) => Err(format!("the editor ended with exit code {code}")),
            None => Err("the editor was ended by a signal".to_owned()),
        },
    }
}
