//! Choices that are named by a word on the command line, in files and on screen.

/// `words! { Type as "what it is": Variant "word", ... }`: reading a choice from its word, and its word.
macro_rules! words {
    ($type:ident as $what:literal: $($variant:ident $word:literal),* $(,)?) => {
        impl std::str::FromStr for $type {
            type Err = $crate::engine::Error;

            fn from_str(text: &str) -> $crate::engine::Result<Self> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::engine::Error::invalid(format!(
                        concat!($what, " {:?}: expected {}"),
                        text,
                        $crate::engine::words::listed(&[$($word),*]),
                    ))),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }
    };
}
pub(crate) use words;

/// `a, b or c`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Fruit {
        Apple,
        Pear,
    }
    words! { Fruit as "fruit": Apple "apple", Pear "pear" }

    #[test]
    fn a_choice_is_read_from_its_word_and_told_by_it() {
        assert_eq!("pear".parse::<Fruit>().unwrap(), Fruit::Pear);
        assert_eq!(Fruit::Apple.to_string(), "apple");
        let refused = "plum".parse::<Fruit>().unwrap_err().to_string();
        assert_eq!(refused, "fruit \"plum\": expected apple or pear");
        assert_eq!(listed(&["a", "b", "c"]), "a, b or c");
    }
}
