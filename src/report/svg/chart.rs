//! Curves and points over two axes.

use super::axis::Scale;
use super::{About, Anchor, Canvas, Key, WIDTH, key};
use crate::report::curve::{Point, drawable};

/// Height of a chart.
const HEIGHT: f64 = 236.0;
/// The plot within it: left, right, top, bottom.
const FRAME: [f64; 4] = [50.0, WIDTH - 12.0, 10.0, HEIGHT - 36.0];
/// Labels of the horizontal axis are at least so far apart.
const APART: f64 = 44.0;

/// How a series is drawn; each also differs by shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A thin, pale line: single batches.
    Raw,
    /// A thick line.
    Line,
    /// Points.
    Points,
    /// A thin line with points.
    Dotted,
    /// A dashed line.
    Dashed,
    /// A line of dots.
    Dots,
    /// One mark that stands out.
    Mark,
}

/// What is drawn in one way.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its points; those that are no numbers are left out.
    pub points: Vec<Point>,
    /// How it is drawn.
    pub look: Look,
}

/// An axis of a chart.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it counts, with its unit.
    pub name: String,
    /// How values are spaced.
    pub scale: Scale,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows.
    pub about: About,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, the first one below the others.
    pub series: Vec<Series>,
}

impl Chart {
    /// The figure.
    #[must_use]
    pub fn html(&self) -> String {
        let mut canvas = Canvas::default();
        self.horizontal(&mut canvas);
        self.vertical(&mut canvas);
        let mut legend = Vec::new();
        for series in &self.series {
            let points: Vec<Point> = drawable(series.points.iter().copied());
            let placed: Vec<Point> = points.iter().map(|point| self.place(*point)).collect();
            draw(&mut canvas, series.look, &placed);
            if !points.is_empty() {
                legend.push(sign(series));
            }
        }
        canvas.figure(&self.about, HEIGHT, &legend)
    }

    fn place(&self, (x, y): Point) -> Point {
        let [left, right, top, bottom] = FRAME;
        let (x, y) = (self.x.scale.place(x), self.y.scale.place(y));
        (
            left + x.clamp(0.0, 1.0) * (right - left),
            bottom - y.clamp(0.0, 1.0) * (bottom - top),
        )
    }

    fn horizontal(&self, canvas: &mut Canvas) {
        let [left, right, top, bottom] = FRAME;
        let mut free = f64::NEG_INFINITY;
        for tick in self.x.scale.ticks() {
            let x = left + tick.place * (right - left);
            canvas.line((x, top), (x, bottom), "grid");
            if let Some(label) = tick.label.filter(|_| x >= free) {
                canvas.text((x, bottom + 15.0), (Anchor::Middle, "tick"), &label);
                free = x + APART;
            }
        }
        let middle = f64::midpoint(left, right);
        canvas.text(
            (middle, HEIGHT - 5.0),
            (Anchor::Middle, "axis"),
            &self.x.name,
        );
    }

    fn vertical(&self, canvas: &mut Canvas) {
        let [left, right, top, bottom] = FRAME;
        for tick in self.y.scale.ticks() {
            let y = bottom - tick.place * (bottom - top);
            let Some(label) = tick.label else { continue };
            canvas.line((left, y), (right, y), "grid");
            canvas.text((left - 6.0, y + 4.0), (Anchor::End, "tick"), &label);
        }
    }
}

fn draw(canvas: &mut Canvas, look: Look, points: &[Point]) {
    match look {
        Look::Raw => canvas.path(points, "raw"),
        Look::Line => canvas.path(points, "line"),
        Look::Dashed => canvas.path(points, "dashed"),
        Look::Dots => canvas.path(points, "dots"),
        Look::Dotted => {
            canvas.path(points, "thin");
            points
                .iter()
                .for_each(|point| canvas.circle(*point, 2.0, "dot"));
        }
        Look::Points => points
            .iter()
            .for_each(|point| canvas.circle(*point, 3.6, "point")),
        Look::Mark => points
            .iter()
            .for_each(|point| canvas.diamond(*point, 7.0, "mark")),
    }
}

fn sign(series: &Series) -> Key {
    key(&series.name, |sign| match series.look {
        Look::Points | Look::Mark => draw(sign, series.look, &[(12.0, 6.0)]),
        Look::Dotted => draw(sign, series.look, &[(4.0, 6.0), (20.0, 6.0)]),
        look => draw(sign, look, &[(1.0, 6.0), (23.0, 6.0)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Point>) -> String {
        let axis = |scale| Axis {
            name: "step".into(),
            scale,
        };
        let chart = Chart {
            about: About {
                id: "loss".into(),
                title: "loss".into(),
                description: String::new(),
            },
            x: axis(Scale::between(0.0, 10.0)),
            y: axis(Scale::linear(points.iter().map(|point| point.1))),
            series: vec![Series {
                name: "train".into(),
                points,
                look: Look::Line,
            }],
        };
        chart.html()
    }

    #[test]
    fn numbers_that_are_none_do_not_reach_the_page() {
        let html = chart(vec![
            (1.0, 2.0),
            (2.0, f64::NAN),
            (3.0, f64::INFINITY),
            (f64::NAN, 1.0),
            (4.0, 1.0),
        ]);
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        let line = html
            .lines()
            .find(|line| line.starts_with("<polyline"))
            .unwrap();
        assert_eq!(line.matches(',').count(), 2, "{line}");
    }

    #[test]
    fn a_series_without_points_is_not_explained() {
        assert!(!chart(Vec::new()).contains("legend"));
        assert!(chart(vec![(1.0, 1.0)]).contains("legend"));
    }
}
