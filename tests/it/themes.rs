//! The shipped themes are complete and readable.

use hawqeye::app::symbols::Symbols;
use hawqeye::app::theme::{Depth, EMBEDDED, Library, MONO, Role, Theme};
use ratatui::style::{Color, Modifier, Style};

fn themes() -> Vec<Theme> {
    let library = Library::default();
    let load =
        |(name, _): &(&str, &str)| library.load(name, Depth::True, Symbols::UNICODE).unwrap();
    EMBEDDED.iter().map(load).collect()
}

#[test]
fn every_shipped_theme_names_every_role() {
    let library = Library::default();
    for (name, text) in EMBEDDED {
        if text.contains("inherits") {
            library.load(name, Depth::Sixteen, Symbols::ASCII).unwrap();
            continue;
        }
        for role in Role::ALL {
            assert!(
                text.contains(&format!("\n{} = ", role.name())),
                "{name} lacks {}",
                role.name()
            );
        }
    }
}

#[test]
fn the_selected_row_is_visible_without_colour_in_every_theme() {
    for theme in themes() {
        let style = theme.style(Role::Selected);
        assert!(
            style.add_modifier.contains(Modifier::REVERSED),
            "{}",
            theme.name
        );
    }
}

#[test]
fn mono_has_no_colour_at_all() {
    let theme = Theme::embedded(MONO, Depth::True, Symbols::ASCII).unwrap();
    let coloured = |style: Style| {
        [style.fg, style.bg]
            .into_iter()
            .flatten()
            .any(|color| color != Color::Reset)
    };
    for role in Role::ALL {
        assert!(!coloured(theme.style(*role)), "{}", role.name());
    }
    assert!(!coloured(theme.series(0)));
}

#[test]
fn sixteen_colours_get_only_the_sixteen_names() {
    let library = Library::default();
    for (name, _) in EMBEDDED {
        let theme = library.load(name, Depth::Sixteen, Symbols::ASCII).unwrap();
        for role in Role::ALL {
            let style = theme.style(*role);
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert!(
                    !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                    "{name} {}",
                    role.name()
                );
            }
        }
    }
}
