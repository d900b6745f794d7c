//! `~` where no shell expands it: behind `--option=` and behind the name of a data set.

use std::ffi::OsString;
use std::path::Path;

use crate::engine::data::DataSpec;

/// An argument with the home folder in place of every `~` that begins a path in it.
pub fn expanded(argument: OsString, home: Option<&Path>) -> OsString {
    let (Some(home), Some(text)) = (home, argument.to_str()) else {
        return argument;
    };
    let (mut expanded, mut from) = (OsString::new(), 0);
    for spot in spots(text) {
        expanded.push(&text[from..spot]);
        expanded.push(home);
        from = spot + 1;
    }
    expanded.push(&text[from..]);
    expanded
}

/// Where a `~` stands for the home folder.
fn spots(text: &str) -> Vec<usize> {
    let is_option = |name: &str| name.starts_with("--");
    let value = match text.split_once('=') {
        Some((name, value)) if is_option(name) => value,
        _ => text,
    };
    let (name, paths) = match value.split_once(':') {
        Some((name, paths)) if DataSpec::has_path(name) => (Some(name), paths),
        _ => (None, value),
    };
    let begin = text.len() - paths.len();
    let mut begins = vec![begin];
    if name.is_some_and(DataSpec::has_two_paths) {
        let commas = paths.match_indices(',');
        begins.extend(commas.map(|(at, _)| begin + at + 1));
    }
    // A `~` that begins the argument was quoted: the shell would have expanded it.
    let is_home = |&at: &usize| {
        let rest = text[at..].strip_prefix('~').filter(|_| at > 0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    begins.into_iter().filter(is_home).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_found_behind_prefixes() {
        let home = Path::new("/home/me");
        let told = |text: &str| expanded(text.into(), Some(home)).into_string().unwrap();
        for (text, expected) in [
            ("cifar10:~/data", "cifar10:/home/me/data"),
            ("--data=fashion-mnist:~", "--data=fashion-mnist:/home/me"),
            ("--weights=~/w.pth", "--weights=/home/me/w.pth"),
            ("~/w.pth", "~/w.pth"),
            ("--weights=~other/w", "--weights=~other/w"),
            ("a:~/b", "a:~/b"),
            ("npz:~/a.npz", "npz:/home/me/a.npz"),
            ("--data=npy:~/x,~/y", "--data=npy:/home/me/x,/home/me/y"),
            ("folder:~/a,~/b", "folder:/home/me/a,~/b"),
            ("--classes=~/c", "--classes=/home/me/c"),
            ("--budget=compression=10x", "--budget=compression=10x"),
        ] {
            assert_eq!(told(text), expected);
        }
        assert_eq!(expanded("cifar10:~".into(), None), "cifar10:~");
    }
}
