//! Settings of fine-tuning by their names, as they are typed: `distill=0.7 temperature=4`.

use super::settings::Settings;
use crate::engine::complaint::{hint, plainly};

/// Settings that are not typed: those of the project, and those of a run that goes on.
const FIXED: [&str; 3] = ["seed", "variation", "rates"];

/// The setting that has no value unless it is given.
const CHECKPOINTS: &str = "checkpoint_every";

impl Settings {
    /// With some settings changed: `name=value` words, with spaces or commas between. Names are those
    /// of `settings.json` or of the options of `tune`.
    ///
    /// # Errors
    /// A sentence naming the setting, what was given and what is possible.
    pub fn with(&self, text: &str) -> Result<Self, String> {
        let mut table = self.table();
        let mut known = table.clone();
        // Absent as long as it is the usual one.
        known.entry(CHECKPOINTS).or_insert(toml::Value::Integer(1));
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        for word in words {
            let Some((name, value)) = word.split_once('=') else {
                return Err(format!(
                    "{word:?}: expected name=value, such as distill=0.7"
                ));
            };
            let name = full_name(name);
            let Some(before) = known.get(&name) else {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let hint = hint(&name, names.into_iter());
                return Err(format!("no setting {name:?}{hint}"));
            };
            let value = read(value, before)
                .ok_or_else(|| format!("{name} {value}: expected {}", expected(before)))?;
            table.insert(name, value);
        }
        let settings: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| plainly(error.message()))?;
        let settings = Self {
            seed: self.seed,
            variation: self.variation,
            rates: self.rates.clone(),
            ..settings
        };
        settings.check().map_err(|error| error.to_string())?;
        Ok(settings)
    }

    /// Names and values of the settings that are not the usual ones.
    #[must_use]
    pub fn changed(&self) -> Vec<(String, String)> {
        let usual = Self::default().table();
        let changed = self
            .table()
            .into_iter()
            .filter(|(name, value)| usual.get(name) != Some(value));
        changed
            .map(|(name, value)| {
                let text = value.as_str().map(str::to_owned);
                (name, text.unwrap_or_else(|| value.to_string()))
            })
            .collect()
    }

    /// What can be typed.
    fn table(&self) -> toml::Table {
        let table = toml::Table::try_from(self);
        let mut table = table.expect("invariant: settings are a table");
        table.retain(|name, _| !FIXED.contains(&name));
        table
    }
}

/// The name in `settings.json` of what may be named as an option.
fn full_name(name: &str) -> String {
    let name = name.trim_start_matches('-').replace('-', "_");
    match &*name {
        "lr" => "learning_rate".to_owned(),
        _ => name,
    }
}

/// A value of the kind that is there already.
fn read(text: &str, before: &toml::Value) -> Option<toml::Value> {
    Some(match before {
        toml::Value::Integer(_) => toml::Value::Integer(text.parse().ok()?),
        toml::Value::Float(_) => toml::Value::Float(text.parse().ok()?),
        toml::Value::Boolean(_) => toml::Value::Boolean(text.parse().ok()?),
        _ => toml::Value::String(text.to_owned()),
    })
}

const fn expected(before: &toml::Value) -> &'static str {
    match before {
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        _ => "a word",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::finetune::{Norms, Schedule};

    #[test]
    fn settings_are_typed_by_their_names_or_as_options() {
        let usual = Settings::default();
        let typed = usual.with("distill=0.7, --lr=0.05 norms=frozen").unwrap();
        assert_eq!(typed.distill.to_bits(), 0.7_f64.to_bits());
        assert_eq!(typed.learning_rate.to_bits(), 0.05_f64.to_bits());
        assert_eq!(typed.norms, Norms::Frozen);
        let typed = typed.with("schedule=joint checkpoint-every=7 batch_size=32");
        let typed = typed.unwrap();
        assert_eq!((typed.schedule, typed.batch_size), (Schedule::Joint, 32));
        assert_eq!(typed.checkpoint_every, Some(7));
        assert_eq!(typed.with("").unwrap(), typed);
        let changed: Vec<String> = typed.changed().into_iter().map(|(name, _)| name).collect();
        let expected = [
            "batch_size",
            "checkpoint_every",
            "distill",
            "learning_rate",
            "norms",
            "schedule",
        ];
        assert_eq!(changed, expected);
        assert!(usual.changed().is_empty());
    }

    #[test]
    fn what_cannot_be_typed_is_named_with_what_is_possible() {
        let refused = |text: &str| Settings::default().with(text).unwrap_err();
        assert_eq!(
            refused("distil=0.5"),
            "no setting \"distil\"; did you mean distill?"
        );
        assert_eq!(refused("epochs=two"), "epochs two: expected a whole number");
        assert!(refused("0.7").contains("expected name=value"));
        assert!(
            refused("norms=cold").contains("batch"),
            "{}",
            refused("norms=cold")
        );
        assert!(refused("distill=2").contains("0 to 1"));
        assert!(refused("learning_rate=nan").contains("above 0"));
        assert!(refused("seed=3").contains("no setting"));
    }

    #[test]
    fn what_belongs_to_the_project_stays() {
        let before = Settings {
            seed: 9,
            ..Settings::default()
        };
        assert_eq!(before.with("epochs=4").unwrap().seed, 9);
    }
}
