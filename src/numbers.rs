//! Numbers as people read them, the same in the terminal application and in reports.

/// Three significant digits: `0.345`, `12.3`, `1.2e-5`.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "not finite".to_owned()
    } else if size == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.1e}")
    } else {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
        format!("{value:.digits$}")
    }
}

/// A number that may be unknown.
#[must_use]
pub fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

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

/// A size in memory, in powers of 1024: `100.3 KB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    match value {
        value if value < 1024.0 => format!("{value:.0} B"),
        value if value < 1024.0 * 1024.0 => format!("{:.1} KB", value / 1024.0),
        value if value < 100.0 * 1024.0 * 1024.0 => format!("{:.2} MB", value / 1024.0 / 1024.0),
        value => format!("{:.0} MB", value / 1024.0 / 1024.0),
    }
}

/// A count in powers of 1000: `1.23 G`.
#[must_use]
pub fn short_count(value: f64) -> String {
    let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")];
    match steps.into_iter().find(|(size, _)| value >= *size) {
        Some((size, name)) => format!("{:.2} {name}", value / size),
        None => format!("{value:.0}"),
    }
}

/// A share as per cent.
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.2} %", 100.0 * ratio)
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

    #[test]
    fn numbers_keep_three_digits() {
        let cases = [
            (0.345_21, "0.345"),
            (12.345, "12.3"),
            (0.001_234_5, "0.00123"),
            (1234.5, "1234"),
            (1.2e-5, "1.2e-5"),
            (-0.5, "-0.500"),
            (0.0, "0"),
            (f64::NAN, "not finite"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(269_722), "269,722");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(102_400.0), "100.0 KB");
        assert_eq!(short_count(1.234e9), "1.23 G");
        assert_eq!(percent(0.9173), "91.73 %");
    }
}
