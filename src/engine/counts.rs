//! How many of a thing there are, in sentences.

/// Thousands apart: `269,722`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Some of a thing, in words: `1 layer`, `2,048 layers`, `10 classes`, `0 entries`.
#[must_use]
pub fn counted(many: usize, thing: &str) -> String {
    let number = count(many as u64);
    if many == 1 {
        return format!("{number} {thing}");
    }
    let hisses = ["s", "x", "tch", "nch", "sh"]
        .iter()
        .any(|end| thing.ends_with(end));
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ if hisses => format!("{number} {thing}es"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_called_several() {
        let told = [0, 1, 2048].map(|many| counted(many, "image"));
        assert_eq!(told, ["0 images", "1 image", "2,048 images"]);
        let told = ["class", "entry", "batch", "day"].map(|thing| counted(3, thing));
        assert_eq!(told, ["3 classes", "3 entries", "3 batches", "3 days"]);
        assert_eq!(counted(1, "class"), "1 class");
    }
}
