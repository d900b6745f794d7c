//! Keys to commands: the embedded `assets/keymap.toml`, the user's file merged over it, and the
//! sequences that are still open while a prefix is pending.

use std::collections::BTreeMap;

use toml::Spanned;

use super::command::{Command, Group};
use super::key::{self, Key};
use crate::engine::complaint::{closest, line_of, of_toml};

/// The keys that are built in.
pub const DEFAULT: &str = include_str!("../../assets/keymap.toml");

/// The command that frees a key.
const NONE: &str = "none";

type Table = BTreeMap<Vec<Key>, Command>;
type Document = BTreeMap<String, BTreeMap<String, Spanned<String>>>;

/// What a sequence of keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A command.
    Command(Command),
    /// The beginning of longer sequences.
    Prefix,
    /// Nothing.
    Unbound,
}

/// Keys to commands, for each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    tables: BTreeMap<Group, Table>,
}

impl Default for Keymap {
    fn default() -> Self {
        let mut keymap = Self {
            tables: BTreeMap::new(),
        };
        let problems = keymap.merge(DEFAULT);
        assert!(
            problems.is_empty(),
            "invariant: the embedded keymap is right: {problems:?}"
        );
        keymap
    }
}

impl Keymap {
    /// Lays a user's file over this map. What is wrong is returned, a sentence each with its line;
    /// everything else takes effect.
    pub fn merge(&mut self, text: &str) -> Vec<String> {
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(error) => return vec![of_toml(text, &error)],
        };
        let mut problems = Vec::new();
        for (name, entries) in &document {
            let Some(group) = Group::ALL.into_iter().find(|group| group.name() == name) else {
                problems.push(unknown_table(name));
                continue;
            };
            let mut seen = Table::new();
            for (keys, command) in entries {
                let line = line_of(text, command.span().start);
                if let Err(problem) = self.bind(group, keys, command.as_ref(), &mut seen) {
                    problems.push(format!("line {line}: {problem}"));
                }
            }
        }
        problems
    }

    /// Binds one line of a file; `seen` holds what the same file bound before in this table.
    fn bind(
        &mut self,
        group: Group,
        keys: &str,
        command: &str,
        seen: &mut Table,
    ) -> Result<(), String> {
        let command = if command == NONE {
            None
        } else {
            Some(command.parse::<Command>()?)
        };
        let table = self.tables.entry(group).or_default();
        for keys in keys.split(", ") {
            let keys = key::sequence(keys)?;
            let Some(command) = command else {
                table.remove(&keys);
                continue;
            };
            if let Some((other, bound)) = seen.iter().find(|(other, _)| overlap(other, &keys)) {
                let (other, keys) = (key::show(other), key::show(&keys));
                return Err(format!("`{keys}` collides with `{other}` = \"{bound}\""));
            }
            table.retain(|other, _| !overlap(other, &keys));
            table.insert(keys.clone(), command);
            seen.insert(keys, command);
        }
        Ok(())
    }

    /// What `keys` mean where the tables in `scopes` count, the first most.
    #[must_use]
    pub fn meaning(&self, scopes: &[Group], keys: &[Key]) -> Meaning {
        for table in scopes.iter().filter_map(|scope| self.tables.get(scope)) {
            if let Some(command) = table.get(keys) {
                return Meaning::Command(*command);
            }
            if table
                .keys()
                .any(|bound| bound.len() > keys.len() && bound.starts_with(keys))
            {
                return Meaning::Prefix;
            }
        }
        Meaning::Unbound
    }

    /// What may follow the pending `prefix`: the rest of the keys, and the command.
    #[must_use]
    pub fn continuations(&self, scopes: &[Group], prefix: &[Key]) -> Vec<(String, Command)> {
        let tables = scopes.iter().filter_map(|scope| self.tables.get(scope));
        let bound = tables.flat_map(|table| table.iter());
        let longer =
            bound.filter(|(keys, _)| keys.len() > prefix.len() && keys.starts_with(prefix));
        longer
            .map(|(keys, command)| (key::show(&keys[prefix.len()..]), *command))
            .collect()
    }

    /// The keys of a command in the first of `scopes` that binds it, the shortest first.
    #[must_use]
    pub fn keys_of(&self, scopes: &[Group], command: Command) -> Vec<String> {
        for table in scopes.iter().filter_map(|scope| self.tables.get(scope)) {
            let mut keys: Vec<&Vec<Key>> = table
                .iter()
                .filter(|(_, bound)| **bound == command)
                .map(|(keys, _)| keys)
                .collect();
            if !keys.is_empty() {
                keys.sort_by_key(|keys| (keys.len(), keys.iter().map(plainness).sum::<u32>()));
                return keys.into_iter().map(|keys| key::show(keys)).collect();
            }
        }
        Vec::new()
    }

    /// The key of a global command that means it where text is typed too: one held with control.
    #[must_use]
    pub fn beside_text(&self, command: Command) -> Option<Key> {
        let table = self.tables.get(&Group::Global)?;
        table.iter().find_map(|(keys, bound)| match keys[..] {
            [key] if key.ctrl && *bound == command => Some(key),
            _ => None,
        })
    }

    /// Every binding of a table.
    pub fn bindings(&self, group: Group) -> impl Iterator<Item = (String, Command)> + '_ {
        let table = self.tables.get(&group).into_iter().flatten();
        table.map(|(keys, command)| (key::show(keys), *command))
    }
}

/// Signs before letters before named keys before control keys.
fn plainness(key: &Key) -> u32 {
    match key.text() {
        Some(c) if c.is_ascii_alphanumeric() => 1,
        Some(_) => 0,
        None if !key.ctrl && !key.alt => 2,
        None => 3,
    }
}

fn overlap(a: &[Key], b: &[Key]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn unknown_table(name: &str) -> String {
    let known = Group::ALL.into_iter().map(Group::name);
    match closest(name, known) {
        Some(near) => format!("unknown table [{name}]; did you mean [{near}]?"),
        None => format!("unknown table [{name}]; expected global, movement, or a screen's name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: [Group; 3] = [Group::Bits, Group::Movement, Group::Global];

    fn meaning(keymap: &Keymap, keys: &str) -> Meaning {
        keymap.meaning(&BITS, &key::sequence(keys).unwrap())
    }

    #[test]
    fn sequences_wait_for_their_end() {
        let keymap = Keymap::default();
        assert_eq!(meaning(&keymap, "b"), Meaning::Prefix);
        assert_eq!(meaning(&keymap, "b 4"), Meaning::Command(Command::Bits4));
        assert_eq!(meaning(&keymap, "b z"), Meaning::Unbound);
        assert_eq!(meaning(&keymap, "4"), Meaning::Command(Command::GoTune));
        assert_eq!(
            keymap
                .continuations(&BITS, &key::sequence("b").unwrap())
                .len(),
            8
        );
    }

    #[test]
    fn a_users_file_overrides_and_frees() {
        let mut keymap = Keymap::default();
        assert!(
            keymap
                .merge("[bits]\n\"b\" = \"allocate\"\n\"a\" = \"none\"\n")
                .is_empty()
        );
        assert_eq!(meaning(&keymap, "b"), Meaning::Command(Command::Allocate));
        assert_eq!(meaning(&keymap, "a"), Meaning::Unbound);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_rest_works() {
        let mut keymap = Keymap::default();
        let text = "[bits]\n\"y\" = \"alocate\"\n\"z\" = \"pin\"\n[bitts]\n\"a\" = \"pin\"\n";
        let problems = keymap.merge(text).join("\n");
        assert!(problems.contains("line 2: unknown command `alocate`; did you mean `allocate`?"));
        assert!(problems.contains("did you mean [bits]?"), "{problems}");
        assert_eq!(meaning(&keymap, "z"), Meaning::Command(Command::Pin));
        let problems = keymap.merge("[bits]\n\"y\" = \"pin\"\n\"y y\" = \"tie\"\n");
        assert!(
            problems[0].contains("line 3: `y y` collides with `y`"),
            "{problems:?}"
        );
        assert!(keymap.merge("[bits\n")[0].starts_with("line 1:"));
    }
}
