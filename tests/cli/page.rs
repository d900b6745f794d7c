//! A reader of HTML that is strict where browsers are lenient: every element is closed in order, no
//! sign stands unescaped, ids are unique, and nothing points outside of the page.

/// Elements without content.
const VOID: [&str; 2] = ["meta", "br"];

/// What was found on a page.
#[derive(Debug, Default)]
pub struct Page {
    /// Every element's name.
    pub elements: Vec<String>,
    /// Every attribute: name and value.
    pub attributes: Vec<(String, String)>,
    /// All text, entities resolved.
    pub text: String,
}

impl Page {
    /// Reads a page.
    #[track_caller]
    pub fn read(html: &str) -> Self {
        let rest = html.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
        let mut page = Self::default();
        let mut open: Vec<String> = Vec::new();
        let mut rest = rest;
        while let Some(at) = rest.find('<') {
            page.take_text(&rest[..at], open.last());
            let (tag, after) = rest[at + 1..].split_once('>').expect("a tag that ends");
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(
                    open.pop().as_deref(),
                    Some(name),
                    "before {:?}",
                    &rest[..40.min(rest.len())]
                );
                continue;
            }
            let (tag, closed) = tag
                .strip_suffix('/')
                .map_or((tag, false), |tag| (tag, true));
            let name = page.take_tag(tag);
            if !closed && !VOID.contains(&name.as_str()) {
                open.push(name);
            }
        }
        assert_eq!(rest.trim(), "");
        assert!(open.is_empty(), "not closed: {open:?}");
        page.check();
        page
    }

    fn take_text(&mut self, text: &str, element: Option<&String>) {
        if element.is_some_and(|name| name == "style") {
            for word in ["url(h", "@import", "//"] {
                assert!(!text.contains(word), "{word} in the style");
            }
            return;
        }
        assert!(!text.contains('>'), "{text:?}");
        self.text += &resolved(text);
    }

    fn take_tag(&mut self, tag: &str) -> String {
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{tag:?}");
        self.elements.push(name.to_owned());
        while !rest.is_empty() {
            let (key, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{tag:?}"));
            let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("{tag:?}"));
            self.attributes.push((key.to_owned(), resolved(value)));
            rest = after.strip_prefix(' ').unwrap_or(after);
        }
        name.to_owned()
    }

    /// Values of an attribute.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.attributes.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    pub fn count(&self, element: &str) -> usize {
        self.elements.iter().filter(|name| *name == element).count()
    }

    fn check(&self) {
        for element in [
            "script", "link", "img", "iframe", "object", "embed", "base", "image", "use",
        ] {
            assert_eq!(self.count(element), 0, "<{element}>");
        }
        let mut ids: Vec<&str> = self.all("id").collect();
        ids.sort_unstable();
        let number = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), number, "ids are unique");
        for (name, value) in &self.attributes {
            assert!(!name.starts_with("on") && name != "src", "{name}={value}");
            assert!(!value.contains("://"), "{name}={value}");
        }
        for target in self.all("href") {
            let id = target.strip_prefix('#').expect("a place on the page");
            assert!(ids.binary_search(&id).is_ok(), "{target}");
        }
        for labels in self.all("aria-labelledby") {
            for id in labels.split(' ') {
                assert!(ids.binary_search(&id).is_ok(), "{id}");
            }
        }
        let plots = self.all("role").filter(|role| *role == "img").count();
        assert_eq!(plots, self.count("desc"), "every plot is described");
        for word in ["NaN", "Infinity"] {
            assert!(
                !self
                    .attributes
                    .iter()
                    .any(|(_, value)| value.contains(word)),
                "{word}"
            );
        }
    }
}

/// Text with its entities resolved; any other `&` is an error.
fn resolved(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let entities = [
            ("lt;", '<'),
            ("gt;", '>'),
            ("amp;", '&'),
            ("quot;", '"'),
            ("#39;", '\''),
        ];
        let found = entities.iter().find(|(name, _)| part.starts_with(name));
        let (name, sign) = found.unwrap_or_else(|| panic!("& unescaped in {text:?}"));
        plain.push(*sign);
        plain.push_str(&part[name.len()..]);
    }
    plain
}
