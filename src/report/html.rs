//! The few pieces of HTML that the page is made of. Text is escaped here.

use std::fmt::Write as _;

use crate::engine::shown::is_unseen;

/// Characters of a value from which it gets the place of two.
const WIDE: usize = 26;

/// Text as it stands in HTML, in elements and in quoted attributes. Control characters, which HTML
/// does not allow, and those that turn the direction of writing become a replacement character.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(' '),
            c if is_unseen(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A paragraph.
#[must_use]
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// A paragraph that says what is not there.
#[must_use]
pub fn missing(text: &str) -> String {
    format!("<p class=\"missing\">{}</p>\n", escape(text))
}

/// A paragraph that warns.
#[must_use]
pub fn warning(text: &str) -> String {
    let text = escape(text);
    format!("<p class=\"warning\"><strong>Note:</strong> {text}</p>\n")
}

/// A heading within a section.
#[must_use]
pub fn heading(text: &str) -> String {
    format!("<h3>{}</h3>\n", escape(text))
}

/// Names and values.
#[must_use]
pub fn facts(facts: &[(&str, String)]) -> String {
    let mut list = String::from("<dl>\n");
    for (name, value) in facts {
        let (name, value) = (escape(name), escape(value));
        // Writing to a string cannot fail.
        let _ = match value.chars().count() {
            ..=WIDE => writeln!(list, "<div><dt>{name}</dt><dd>{value}</dd></div>"),
            _ => writeln!(
                list,
                "<div class=\"wide\"><dt>{name}</dt><dd>{value}</dd></div>"
            ),
        };
    }
    list + "</dl>\n"
}

/// A section with its heading.
#[must_use]
pub fn section(id: &str, title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n\
         {body}</section>\n"
    )
}

/// Figures beside each other, where there is room.
#[must_use]
pub fn beside(figures: &[String]) -> String {
    match figures {
        [] => String::new(),
        figures => format!("<div class=\"figures\">\n{}</div>\n", figures.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_element() {
        let hostile = "<script>alert('&\"')</script>\u{0}\u{202e}\n";
        let expected = "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\u{fffd}\u{fffd} ";
        assert_eq!(escape(hostile), expected);
        let pieces = [
            paragraph(hostile),
            missing(hostile),
            warning(hostile),
            heading(hostile),
            facts(&[("name", hostile.to_owned())]),
        ];
        assert!(pieces.iter().all(|piece| !piece.contains("<script")));
    }
}
