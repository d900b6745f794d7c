//! `~` where no shell expands it: behind `--option=` and behind the name of a data set.

use std::ffi::OsString;
use std::path::Path;

use crate::engine::data::DataSpec;

/// An argument with the home folder in place of a `~` that begins a path in it.
pub fn expanded(argument: OsString, home: Option<&Path>) -> OsString {
    let (Some(home), Some(text)) = (home, argument.to_str()) else {
        return argument;
    };
    match spot(text) {
        Some((before, rest)) => {
            let mut expanded = OsString::from(before);
            expanded.push(home);
            expanded.push(rest);
            expanded
        }
        None => argument,
    }
}

/// The text before a `~` that stands for the home folder, and that behind it.
fn spot(text: &str) -> Option<(&str, &str)> {
    let is_option = |name: &str| name.starts_with("--");
    let value = match text.split_once('=') {
        Some((name, value)) if is_option(name) => value,
        _ => text,
    };
    let path = match value.split_once(':') {
        Some((name, path)) if DataSpec::WITH_FOLDER.contains(&name) => path,
        _ => value,
    };
    // A `~` that begins the argument was quoted: the shell would have expanded it.
    let rest = path.strip_prefix('~').filter(|_| path.len() < text.len())?;
    let is_home = rest.is_empty() || rest.starts_with('/');
    is_home.then(|| (&text[..text.len() - path.len()], rest))
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
            ("--budget=compression=10x", "--budget=compression=10x"),
        ] {
            assert_eq!(told(text), expected);
        }
        assert_eq!(expanded("cifar10:~".into(), None), "cifar10:~");
    }
}
