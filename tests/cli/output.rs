//! Results that cannot be written.

use std::fs;
use std::process::Stdio;

use crate::plan::planned;
use crate::support::{Untrained, command, names};

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_work() {
    let untrained = Untrained::new();
    let refused = |path: &str| untrained.run(&["analyze", "-o", path]);
    refused(&untrained.text("none/s.json")).refused(1, &["cannot write", "none/s.json"]);
    refused(untrained.folder.path().to_str().unwrap()).refused(1, &["cannot write"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = untrained.path("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(locked.join("probe"), "x").is_ok() {
            eprintln!("skipped: this user may write to read-only folders");
            return;
        }
        refused(&untrained.text("locked/s.json")).refused(1, &["cannot write", "ermission"]);
        assert!(names(&locked).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence() {
    let (_folder, ended) = planned(&["-o", "/dev/full"]);
    ended.refused(1, &["/dev/full", "disk is full"]);
    let full = fs::File::create("/dev/full").unwrap();
    let ended = ended_with_stdout(&["doctor"], full.into());
    assert_eq!(ended.0, 1);
    assert!(
        ended.1.starts_with("error: cannot write to stdout"),
        "{ended:?}"
    );
}

#[cfg(target_os = "linux")]
fn ended_with_stdout(arguments: &[&str], stdout: Stdio) -> (i32, String) {
    let mut command = command(arguments);
    let child = command
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), stderr)
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, stderr) = ended_with_stdout(&["completions", "bash"], writer.into());
    assert_eq!((code, stderr.as_str()), (0, ""));
}
