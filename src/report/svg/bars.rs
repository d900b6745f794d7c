//! Rows of bars: a name, a bar from the left, and its value in figures. Empty, filled and hatched
//! bars tell apart what colours alone must not.

use super::axis::Scale;
use super::{About, Anchor, CHARACTER, Canvas, Key, WIDTH, key, shortened};

/// Height of a row.
const ROW: f64 = 19.0;
/// Height of a bar.
const BAR: f64 = 12.0;
/// Room above and below the rows, where the axis is labelled.
const AXIS: f64 = 20.0;
/// Room for the figures to the right.
const FIGURES: f64 = 76.0;
/// Characters of a name that have room.
const NAME: usize = 18;
/// Gap between name, bar and figures.
const GAP: f64 = 7.0;
/// Rows from which the axis is labelled at the bottom too.
const TALL: usize = 12;

/// How a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// Filled.
    Filled,
    /// Hatched: a negative value by its size.
    Hatched,
    /// Only its dashed outline: a value that is not certain.
    Open,
}

impl Look {
    const fn class(self) -> &'static str {
        match self {
            Self::Filled => "bar",
            Self::Hatched => "bar hatched",
            Self::Open => "bar open",
        }
    }
}

/// A row.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// How long it is; none when there is no number.
    pub value: Option<f64>,
    /// A second value, marked on the same axis.
    pub mark: Option<f64>,
    /// The value in figures.
    pub figures: String,
    /// How it is drawn.
    pub look: Look,
}

/// Rows over one axis.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What it shows.
    pub about: About,
    /// The axis.
    pub scale: Scale,
    /// The rows.
    pub rows: Vec<Bar>,
    /// What the marks are, when there are any.
    pub marks: Option<String>,
    /// What filled, hatched and open bars mean; those that do not occur are left out.
    pub looks: Vec<(Look, String)>,
}

/// Where bars begin and end.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    fn place(&self, scale: Scale, value: f64) -> f64 {
        self.left + scale.place(value).clamp(0.0, 1.0) * (self.right - self.left)
    }
}

impl Bars {
    /// The figure.
    #[must_use]
    pub fn html(&self) -> String {
        let longest = self.rows.iter().map(|row| row.name.chars().count()).max();
        let name = longest.unwrap_or(0).min(NAME) as f64 * CHARACTER;
        let frame = Frame {
            left: name + GAP,
            right: WIDTH - FIGURES,
            top: AXIS,
            bottom: AXIS + self.rows.len() as f64 * ROW,
        };
        let mut canvas = Canvas::default();
        let height = self.axis(&mut canvas, &frame);
        for (at, row) in self.rows.iter().enumerate() {
            let top = frame.top + at as f64 * ROW;
            self.row(&mut canvas, &frame, (row, top));
        }
        canvas.figure(&self.about, height, &self.legend())
    }

    /// Draws the axis, and tells how high everything is.
    fn axis(&self, canvas: &mut Canvas, frame: &Frame) -> f64 {
        let tall = self.rows.len() >= TALL;
        for tick in self.scale.ticks() {
            let x = frame.left + tick.place * (frame.right - frame.left);
            let Some(label) = tick.label else {
                canvas.line((x, frame.top - 3.0), (x, frame.top), "grid");
                continue;
            };
            canvas.line((x, frame.top - 5.0), (x, frame.bottom), "grid");
            canvas.text((x, frame.top - 8.0), (Anchor::Middle, "tick"), &label);
            if tall {
                canvas.text((x, frame.bottom + 14.0), (Anchor::Middle, "tick"), &label);
            }
        }
        frame.bottom + if tall { AXIS } else { 4.0 }
    }

    fn row(&self, canvas: &mut Canvas, frame: &Frame, (row, top): (&Bar, f64)) {
        let base = top + ROW - 5.5;
        canvas.begin(&format!("{}: {}", row.name, row.figures));
        let name = shortened(&row.name, NAME);
        canvas.text((frame.left - GAP, base), (Anchor::End, "name"), &name);
        if let Some(value) = row.value {
            let end = frame.place(self.scale, value);
            // A little length even for the smallest, so that measured and not measured differ.
            let size = ((end - frame.left).max(2.0), BAR);
            let corner = (frame.left, top + (ROW - BAR) / 2.0);
            canvas.rectangle(corner, size, row.look.class());
        }
        if let Some(mark) = row.mark {
            let x = frame.place(self.scale, mark);
            canvas.diamond((x, top + ROW / 2.0), 5.0, "mark");
        }
        canvas.text(
            (frame.right + GAP, base),
            (Anchor::Start, "value"),
            &row.figures,
        );
        canvas.end();
    }

    fn legend(&self) -> Vec<Key> {
        let occurs = |look: &Look| self.rows.iter().any(|row| row.look == *look);
        let looks = self.looks.iter().filter(|(look, _)| occurs(look));
        let looks = looks.map(|(look, text)| {
            key(text, |sign| {
                sign.rectangle((1.0, 1.0), (22.0, 10.0), look.class());
            })
        });
        let marks = self
            .marks
            .iter()
            .map(|text| key(text, |sign| sign.diamond((12.0, 6.0), 5.0, "mark")));
        looks.chain(marks).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_measured_has_no_bar_and_looks_that_occur_are_explained() {
        let row = |name: &str, value: Option<f64>, look| Bar {
            name: name.into(),
            value,
            mark: None,
            figures: "-".into(),
            look,
        };
        let bars = Bars {
            about: About {
                id: "eigenvalue".into(),
                title: "eigenvalue".into(),
                description: String::new(),
            },
            scale: Scale::decades([0.1, 10.0]),
            rows: vec![
                row("a", Some(0.5), Look::Filled),
                row("b", Some(2.0), Look::Open),
                row("c", None, Look::Filled),
                row("d", Some(f64::NAN), Look::Filled),
            ],
            marks: None,
            looks: vec![
                (Look::Open, "not converged".into()),
                (Look::Hatched, "negative".into()),
            ],
        };
        let html = bars.html();
        assert_eq!(html.matches("class=\"bar\"").count(), 2);
        assert!(html.contains("not converged") && !html.contains("negative"));
        assert!(!html.contains("NaN"), "{html}");
    }
}
