//! Numbers as people read them, the same in the terminal application and in reports.

pub use crate::engine::counts::{count, counted};

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
