//! The shipped keymap is complete.

use crate::bench::Bench;
use hawqeye::app::command::{Command, Group};
use hawqeye::app::keymap::{DEFAULT, Keymap};
use hawqeye::app::state::Screen;

#[test]
fn every_command_has_a_key_on_a_screen_where_it_belongs() {
    let keymap = Keymap::default();
    for command in Command::ALL {
        let bound = Screen::ALL
            .into_iter()
            .any(|screen| !keymap.keys_of(&screen.scopes(), *command).is_empty());
        assert!(bound, "{command} has no key");
    }
}

#[test]
fn what_a_table_binds_belongs_to_it_or_to_no_other_screen() {
    let keymap = Keymap::default();
    for group in Group::ALL {
        for (keys, command) in keymap.bindings(group) {
            let own = command.group();
            let shared = group == Group::Sensitivity && own == Group::Model;
            assert!(
                own == group || shared,
                "[{}] {keys} = {command}",
                group.name()
            );
        }
    }
}

#[test]
fn a_copy_of_the_shipped_file_changes_nothing() {
    let mut keymap = Keymap::default();
    assert!(keymap.merge(DEFAULT).is_empty());
    assert_eq!(keymap, Keymap::default());
}

#[test]
fn digits_switch_screens_everywhere() {
    let keymap = Keymap::default();
    for screen in Screen::ALL {
        for (digit, command) in [
            ("1", Command::GoModel),
            ("3", Command::GoBits),
            ("5", Command::GoExport),
        ] {
            assert!(
                keymap
                    .keys_of(&screen.scopes(), command)
                    .contains(&digit.to_owned())
            );
        }
    }
}

#[test]
fn every_command_does_something_or_says_why_not_on_every_screen_before_and_after_the_work() {
    for screen in 1..=Screen::ALL.len() {
        for command in Command::ALL {
            for mut bench in [Bench::loaded(), Bench::planned()] {
                bench.keys(&screen.to_string()).keys(":");
                bench.text(command.name()).keys("enter");
            }
        }
    }
}
