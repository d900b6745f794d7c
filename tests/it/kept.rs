//! Files of the repository that tests can write themselves: they fail when such a file is stale, and
//! write it anew under `INSTA_UPDATE=always`.

use std::path::Path;

/// Holds the file at a path of the repository to its content.
pub fn keep(path: &str, content: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    if is == content {
        return;
    }
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, content).unwrap();
        return;
    }
    let differs = is.lines().zip(content.lines()).position(|(a, b)| a != b);
    let line = 1 + differs.unwrap_or_else(|| is.lines().count().min(content.lines().count()));
    panic!(
        "{path} is stale at line {line}; INSTA_UPDATE=always cargo test --test it writes it anew"
    );
}

/// Holds the part of a text file between two markers, which stand on lines of their own.
pub fn keep_between(path: &str, name: &str, part: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let is = std::fs::read_to_string(&file).unwrap();
    let [begin, end] = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n")];
    let (before, rest) = is
        .split_once(&begin)
        .expect("the file has the first marker");
    let (_, after) = rest
        .split_once(&end)
        .expect("the file has the second marker");
    keep(path, &format!("{before}{begin}{part}{end}{after}"));
}
