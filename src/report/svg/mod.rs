//! Plots as inline SVG, drawn by hand from a few primitives: [`axis`] scales and ticks, [`bars`]
//! rows of bars, [`chart`] curves and points. A plot is as wide as a telephone, so that its text can
//! be read there; wider screens show several beside each other.
//!
//! Colours are classes of the page's style, and never the only difference: curves differ by their
//! dashes and marks, bars by filling and hatching.

pub mod axis;
pub mod bars;
pub mod chart;

use std::fmt::Write as _;

use super::html::escape;

/// Width of every plot, in units that are at most a little smaller than pixels.
pub const WIDTH: f64 = 360.0;
/// Width of a character of the names beside bars.
const CHARACTER: f64 = 7.0;

/// Where text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// What a plot is called and says, for those who do not see it too.
#[derive(Debug, Clone)]
pub struct About {
    /// Unique on the page.
    pub id: String,
    /// The heading.
    pub title: String,
    /// What is to be seen, in a sentence or two.
    pub description: String,
}

/// An entry of a legend: the class of its sign and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The sign, as SVG of 24 by 12.
    pub sign: String,
    /// What it means.
    pub text: String,
}

/// A drawing in the making.
#[derive(Debug, Default)]
pub struct Canvas {
    body: String,
}

/// A coordinate, short.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    let short = text.strip_suffix(".0").unwrap_or(&text);
    if short == "-0" { "0" } else { short }.to_owned()
}

impl Canvas {
    /// Text.
    pub fn text(&mut self, (x, y): (f64, f64), (anchor, class): (Anchor, &str), text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y, text) = (at(x), at(y), escape(text));
        self.element(&format!(
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\"{anchor}>{text}</text>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(at);
        self.element(&format!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"
        ));
    }

    /// A rectangle by its corner and size.
    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let [x, y, width, height] = [x, y, width.max(0.0), height.max(0.0)].map(at);
        self.element(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"{class}\"/>"
        ));
    }

    /// A circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        let [x, y, radius] = [x, y, radius].map(at);
        self.element(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" class=\"{class}\"/>"
        ));
    }

    /// A square on its tip.
    pub fn diamond(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        let corners = [
            (x, y - radius),
            (x + radius, y),
            (x, y + radius),
            (x - radius, y),
        ];
        let corners = corners
            .map(|(x, y)| format!("{},{}", at(x), at(y)))
            .join(" ");
        self.element(&format!(
            "<polygon points=\"{corners}\" class=\"{class}\"/>"
        ));
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{},{}", at(*x), at(*y)))
            .collect();
        let points = points.join(" ");
        self.element(&format!(
            "<polyline points=\"{points}\" class=\"{class}\"/>"
        ));
    }

    /// Begins a group that is told when it is pointed at.
    pub fn begin(&mut self, tip: &str) {
        let tip = escape(tip);
        self.element(&format!("<g><title>{tip}</title>"));
    }

    /// Ends the group.
    pub fn end(&mut self) {
        self.element("</g>");
    }

    fn element(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The figure: heading, drawing, legend.
    #[must_use]
    pub fn figure(&self, about: &About, height: f64, legend: &[Key]) -> String {
        let About {
            id,
            title,
            description,
        } = about;
        let [id, title, description] = [id, title, description].map(|text| escape(text));
        let mut keys = String::new();
        for Key { sign, text } in legend {
            let text = escape(text);
            // Writing to a string cannot fail.
            let _ = writeln!(
                keys,
                "<li><svg class=\"key\" viewBox=\"0 0 24 12\" aria-hidden=\"true\">{sign}</svg>\
                 {text}</li>"
            );
        }
        if !keys.is_empty() {
            keys = format!("<ul class=\"legend\">\n{keys}</ul>\n");
        }
        let (width, height, body) = (at(WIDTH), at(height), &self.body);
        format!(
            "<figure>\n<figcaption>{title}</figcaption>\n\
             <svg class=\"plot\" role=\"img\" viewBox=\"0 0 {width} {height}\" \
             aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n\
             {body}</svg>\n{keys}</figure>\n"
        )
    }
}

/// A sign of a legend.
#[must_use]
pub fn key(text: &str, draw: impl FnOnce(&mut Canvas)) -> Key {
    let mut sign = Canvas::default();
    draw(&mut sign);
    Key {
        sign: sign.body.trim_end().to_owned(),
        text: text.to_owned(),
    }
}

/// A name of at most so many characters; a longer one loses its beginning, as its end tells more.
#[must_use]
pub fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    std::iter::once('…')
        .chain(name.chars().skip(length - kept))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        let texts = [1.0, 0.25, -0.04, 123.456].map(at);
        assert_eq!(texts, ["1", "0.2", "0", "123.5"]);
    }

    #[test]
    fn a_figure_says_what_it_shows_and_escapes_it() {
        let mut canvas = Canvas::default();
        canvas.begin("<b>");
        canvas.text((1.0, 2.0), (Anchor::End, "name"), "a & b");
        canvas.end();
        let about = About {
            id: "loss".into(),
            title: "<loss>".into(),
            description: "falls".into(),
        };
        let figure = canvas.figure(
            &about,
            20.0,
            &[key("train", |sign| sign.circle((1.0, 1.0), 2.0, "c"))],
        );
        assert!(
            figure.contains("role=\"img\"") && figure.contains("aria-labelledby=\"loss-t loss-d\"")
        );
        assert!(figure.contains("a &amp; b") && figure.contains("<title>&lt;b&gt;</title>"));
        assert!(!figure.contains("<loss>"));
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("layer1.0.conv1", 6), "…conv1");
        assert_eq!(shortened("conv1", 6), "conv1");
    }
}
