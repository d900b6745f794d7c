//! A frame as SVG: text as text, bars and curves as paths, so that it looks the same whatever font
//! there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Width and height of a cell; a character of the font is 0.6 of its size wide.
const CELL: (usize, usize) = (9, 18);
const FONT: usize = 15;
/// From the top of a cell to the line that letters stand on.
const BASE: usize = 14;
/// Around the frame.
const MARGIN: usize = 12;

/// Colour, and whether it is bold.
type Ink = (String, bool);

/// Everything of one ink: letters, and the outlines of bars and dots.
#[derive(Default)]
struct Layer {
    letters: String,
    shapes: String,
}

/// A frame in the colours of its cells; `title` is for those who cannot see it.
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let (columns, rows) = (buffer.area.width as usize, buffer.area.height as usize);
    let ground = colours(&buffer[(0, rows as u16 - 2)]).1;
    let size = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-size=\"{FONT}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{ground}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" xml:space=\"preserve\">\n",
        size.0,
        size.1,
        escaped(title)
    );
    let mut inks: BTreeMap<Ink, Layer> = BTreeMap::new();
    for (y, row) in buffer.content.chunks(columns).enumerate() {
        grounds(&mut svg, row, (y, &ground));
        ink(&mut inks, row, y);
    }
    for ((fill, bold), layer) in inks {
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(svg, "<g fill=\"{fill}\"{weight}>");
        if !layer.shapes.is_empty() {
            let _ = writeln!(svg, "<path d=\"{}\"/>", layer.shapes);
        }
        let _ = writeln!(svg, "{}</g>", layer.letters);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Grounds that are not the usual one, as long as they go.
fn grounds(svg: &mut String, row: &[Cell], (y, usual): (usize, &str)) {
    let mut x = 0;
    for run in row.chunk_by(|a, b| colours(a).1 == colours(b).1) {
        let ground = colours(&run[0]).1;
        if ground != usual {
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{ground}\"/>",
                x * CELL.0,
                y * CELL.1,
                run.len() * CELL.0,
                CELL.1
            );
        }
        x += run.len();
    }
}

/// What is drawn in a row: words of one ink together.
fn ink(inks: &mut BTreeMap<Ink, Layer>, row: &[Cell], y: usize) {
    let mut word: Option<(usize, Ink, String)> = None;
    for (x, cell) in row.iter().enumerate() {
        let key = (colours(cell).0, cell.modifier.contains(Modifier::BOLD));
        let symbol = cell.symbol();
        let shape = outline(symbol, (x * CELL.0, y * CELL.1));
        let letter = shape.is_none() && symbol != " ";
        let goes_on = word
            .as_ref()
            .is_some_and(|(_, other, _)| letter && *other == key);
        if !goes_on && let Some(done) = word.take() {
            write_word(inks, done, y);
        }
        if let Some(shape) = shape {
            inks.entry(key).or_default().shapes.push_str(&shape);
        } else if letter {
            let (_, _, text) = word.get_or_insert_with(|| (x, key, String::new()));
            text.push_str(symbol);
        }
    }
    if let Some(done) = word {
        write_word(inks, done, y);
    }
}

fn write_word(inks: &mut BTreeMap<Ink, Layer>, (x, key, text): (usize, Ink, String), y: usize) {
    let width = text.chars().count() * CELL.0;
    // One character keeps its place without being told its width.
    let length = if width > CELL.0 {
        format!(" textLength=\"{width}\"")
    } else {
        String::new()
    };
    let letters = &mut inks.entry(key).or_default().letters;
    let (left, line) = (x * CELL.0, y * CELL.1 + BASE);
    let text = escaped(&text);
    let _ = writeln!(
        letters,
        "<text x=\"{left}\" y=\"{line}\"{length}>{text}</text>"
    );
}

/// Bars, columns, rules and dots of curves as the outlines of what they fill.
fn outline(symbol: &str, (x, y): (usize, usize)) -> Option<String> {
    let (wide, high) = CELL;
    let c = symbol.chars().next()?;
    let filled = |x: usize, y: f64, width: f64, height: f64| {
        Some(format!("M{x} {y}h{width}v{height}h-{width}z"))
    };
    match c {
        // Eighths from the left, from one to all: U+258F down to U+2588.
        '\u{2588}'..='\u{258f}' => {
            let eighths = f64::from(0x2590 - c as u32);
            filled(x, y as f64, wide as f64 * eighths / 8.0, high as f64)
        }
        '\u{2581}'..='\u{2587}' => {
            let height = high as f64 * f64::from(c as u32 - 0x2580) / 8.0;
            filled(x, (y + high) as f64 - height, wide as f64, height)
        }
        '─' => filled(x, y as f64 + 8.5, wide as f64, 1.0),
        '│' => filled(x + 4, y as f64, 1.0, high as f64),
        '\u{2800}'..='\u{28ff}' => Some(dots(c as u32 - 0x2800, (x, y))),
        _ => None,
    }
}

/// The dots of a braille character: bits 0 to 2 and 6 on the left from the top, the others right.
fn dots(bits: u32, (x, y): (usize, usize)) -> String {
    const PLACES: [(usize, usize); 8] = [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 3),
        (1, 3),
    ];
    let set = PLACES
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 == 1);
    set.fold(String::new(), |mut path, (_, (column, row))| {
        let (left, top) = (2 * x + 2 + 9 * column, 2 * y + 1 + 9 * row);
        let _ = write!(path, "M{} {}h3v3h-3z", half(left), half(top));
        path
    })
}

/// Half of a number, without a fraction where there is none.
fn half(twice: usize) -> String {
    let point = if twice % 2 == 1 { ".5" } else { "" };
    format!("{}{point}", twice / 2)
}

/// Letters and ground of a cell, as they are seen.
fn colours(cell: &Cell) -> (String, String) {
    let (front, back) = (named(cell.fg, "#d6dae2"), named(cell.bg, "#16191f"));
    if cell.modifier.contains(Modifier::REVERSED) {
        (back, front)
    } else {
        (front, back)
    }
}

fn named(colour: Color, usual: &str) -> String {
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset => usual.to_owned(),
        other => panic!("the theme of a picture names its colours itself, not {other}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
