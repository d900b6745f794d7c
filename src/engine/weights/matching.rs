//! Fitting the tensors of a file to the tensors a network needs: which of the sets in it is meant,
//! what is said about it, and every mismatch listed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::sets::{BARE, Sets, without_foreign_parts};
use super::stored::{Affix, Names, Stored};
use super::{NamedTensor, Source, WeightsFile};
use crate::engine::complaint::closest;
use crate::engine::counts::counted;
use crate::engine::words::listed;
use crate::engine::{Error, Result};

/// Mismatches of one kind that are listed before the rest is only counted.
const MAX_LISTED: usize = 10;
/// A counter of batch norm layers that no computation reads.
const BATCH_COUNTER: &str = "num_batches_tracked";
/// The key of names that stand in a file as a network has them.
const AS_THEY_ARE: &str = ".";
/// Before the end of names in a key.
const ANY: char = '*';

/// A tensor that the network needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Path as in the weights file: `layer1.0.conv1.weight`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
}

/// What fits a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Values in the order of what is expected.
    pub values: Vec<Vec<f32>>,
    /// What was done to find them, in sentences; nothing for a plain file.
    pub notes: Vec<String>,
}

/// The values of the `expected` tensors, in that order.
///
/// A text before or after all names is taken off, masks of pruning are multiplied, and what the
/// network has no use for (counters, losses, an optimizer's state) is left.
///
/// # Errors
/// [`Error::Format`] listing every missing, unexpected and misshapen tensor by name and shape, or
/// the sets of weights in the file when several fit and differ.
pub fn match_tensors(
    file: &WeightsFile,
    source: Source<'_>,
    expected: &[Expected],
) -> Result<Matched> {
    let fitted = Fitting {
        file,
        expected,
        key: source.key.unwrap_or_default(),
    };
    fitted
        .matched()
        .map_err(|reason| Error::format(source.path, reason))
}

/// A file and what is wanted of it.
struct Fitting<'f> {
    file: &'f WeightsFile,
    expected: &'f [Expected],
    key: &'f str,
}

type Reason<T> = std::result::Result<T, String>;

impl<'f> Fitting<'f> {
    fn matched(&self) -> Reason<Matched> {
        let names = self.chosen()?;
        let sets = Sets::of(&names, self.expected);
        let Some(affix) = self.only(&names, &sets.fitting)? else {
            return self.nearest(&names, &sets.nearest);
        };
        let stored: Vec<Stored<'f>> = self
            .expected
            .iter()
            .filter_map(|needed| Stored::find(&names, &affix, &needed.name))
            .collect();
        let used: BTreeSet<&str> = stored.iter().flat_map(Stored::parts).collect();
        let rest = Rest::of(&names, &affix, (&used, self.expected));
        if !rest.foreign.is_empty() {
            let mismatches = Mismatches {
                unexpected: rest.foreign,
                ..Mismatches::default()
            };
            return Err(mismatches.sentence());
        }
        self.refuse_whole(&stored)?;
        let mut notes = Vec::new();
        notes.extend(self.told(&affix));
        notes.extend(pruned(&stored));
        notes.extend(rest.left());
        let values = stored.iter().map(Stored::values).collect();
        Ok(Matched { values, notes })
    }

    /// Refuses parameters that are whole numbers: of a network that something else quantized, they say
    /// nothing without its steps. Masks of pruning may be.
    fn refuse_whole(&self, stored: &[Stored]) -> Reason<()> {
        let originals = stored.iter().filter_map(|stored| stored.parts().next());
        let is_whole = |name: &&str| self.file.whole.iter().any(|whole| whole == name);
        let whole: Vec<&str> = originals.filter(is_whole).collect();
        match &whole[..] {
            [] => Ok(()),
            names => Err(format!(
                "{} {} whole numbers, expected float weights; save the network before it is quantized, in \
                 float32",
                listed(names),
                if names.len() == 1 { "holds" } else { "hold" }
            )),
        }
    }

    /// The tensors of the set that was asked for, or all.
    fn chosen(&self) -> Reason<Names<'f>> {
        let all = self.file.names();
        if self.key.is_empty() || self.key == AS_THEY_ARE || self.key.starts_with(ANY) {
            return Ok(all.collect());
        }
        let within = format!("{}.", self.key);
        for begin in [&*within, self.key] {
            let names: Names<'f> = self
                .file
                .names()
                .filter_map(|(name, tensor)| Some((name.strip_prefix(begin)?, tensor)))
                .filter(|(name, _)| !name.is_empty())
                .collect();
            if !names.is_empty() {
                return Ok(names);
            }
        }
        let names: Names<'f> = all.collect();
        let fitting = Sets::of(&names, self.expected).fitting;
        let whole = Fitting { key: "", ..*self };
        let keys: Vec<String> = fitting.iter().map(|affix| whole.key_of(affix)).collect();
        let there = if let Some(near) = closest(self.key, keys.iter().map(String::as_str)) {
            format!("did you mean {near}?")
        } else if fitting.is_empty() {
            "there is none that fits".to_owned()
        } else {
            format!("there is {}", whole.keys(&fitting))
        };
        Err(format!(
            "--weights-key {}: no name in the file begins with it; {there}",
            self.key
        ))
    }

    /// The set that fits: the one asked for, or the only one; several that do not differ are one.
    fn only(&self, names: &Names<'f>, fitting: &[Affix<'f>]) -> Reason<Option<Affix<'f>>> {
        if self.key == AS_THEY_ARE {
            return Ok(fitting.iter().copied().find(|affix| *affix == BARE));
        }
        if let Some(end) = self.key.strip_prefix(ANY) {
            return Ok(fitting.iter().copied().find(|affix| affix.suffix == end));
        }
        let values = |affix: &Affix<'_>| -> Vec<Vec<u32>> {
            let stored = |needed: &Expected| Stored::find(names, affix, &needed.name);
            let stored = self.expected.iter().filter_map(stored);
            stored
                .map(|stored| stored.values().iter().map(|v| v.to_bits()).collect())
                .collect()
        };
        let Some((first, others)) = fitting.split_first() else {
            return Ok(None);
        };
        if !others.is_empty() {
            let own = values(first);
            if others.iter().any(|other| values(other) != own) {
                return Err(format!(
                    "{} sets of weights in it fit the model, and differ: choose one with \
                     --weights-key {}",
                    fitting.len(),
                    self.keys(fitting)
                ));
            }
        }
        Ok(Some(*first))
    }

    /// The keys of sets.
    fn keys(&self, sets: &[Affix<'_>]) -> String {
        let keys: Vec<String> = sets.iter().map(|affix| self.key_of(affix)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).take(MAX_LISTED).collect();
        listed(&keys)
    }

    /// The text that chooses a set.
    fn key_of(&self, affix: &Affix<'_>) -> String {
        if !affix.suffix.is_empty() {
            return format!("{ANY}{}", affix.suffix);
        }
        let prefix = affix.prefix.strip_suffix('.').unwrap_or(affix.prefix);
        match (self.key, prefix) {
            ("", "") => AS_THEY_ARE.to_owned(),
            ("", prefix) => prefix.to_owned(),
            (key, "") => key.to_owned(),
            (key, prefix) => format!("{key}.{prefix}"),
        }
    }

    /// What was taken off the names.
    fn told(&self, affix: &Affix<'_>) -> Option<String> {
        let count = self.expected.len();
        let names = counted(count, "name");
        let (begin, end) = if count == 1 {
            ("begins", "ends")
        } else {
            ("begin", "end")
        };
        match (affix.prefix, affix.suffix) {
            ("", "") => None,
            (prefix, "") => Some(format!(
                "{names} in the file {begin} with {prefix}, which was taken off"
            )),
            ("", suffix) => Some(format!(
                "{names} in the file {end} with {suffix}, which was taken off"
            )),
            (prefix, suffix) => Some(format!(
                "{names} in the file {begin} with {prefix} and {end} with {suffix}, \
                 which was taken off"
            )),
        }
    }

    /// When no set fits as it is: without the parts of names that the network does not have, or
    /// everything that does not fit.
    fn nearest(&self, names: &Names<'f>, affix: &Affix<'f>) -> Reason<Matched> {
        if let Some(renamed) = without_foreign_parts(names, self.expected) {
            let found = |needed: &Expected| names.get(&*renamed[&needed.name]);
            let found = self.expected.iter().filter_map(found);
            let changed = renamed.iter().filter(|(short, name)| short != name);
            let changed: Vec<&str> = changed.map(|(_, name)| name.as_str()).collect();
            return Ok(Matched {
                values: found.map(|tensor| tensor.values.clone()).collect(),
                notes: vec![format!(
                    "parts that the model's names do not have were taken out of {}, such as {}",
                    counted(changed.len(), "name"),
                    changed.first().copied().unwrap_or_default()
                )],
            });
        }
        let mut mismatches = Mismatches::default();
        let mut used = BTreeSet::new();
        for Expected { name, shape } in self.expected {
            match Stored::find(names, affix, name) {
                Some(Stored::Parts(how)) => {
                    return Err(format!("{name} is stored by {how}"));
                }
                Some(stored) => {
                    used.extend(stored.parts());
                    if stored.shape() != Some(shape) {
                        mismatches.misshapen(&stored, (name, shape));
                    }
                }
                None => mismatches.missing.push(format!("{name} {shape:?}")),
            }
        }
        if used.is_empty()
            && let Some(hidden) = self.file.hidden.first()
        {
            return Err(hidden.reason.clone());
        }
        let missing = |hidden: &&super::Hidden| {
            let mut expected = self.expected.iter();
            expected.any(|needed| hidden.name.ends_with(&needed.name))
        };
        if let Some(hidden) = self.file.hidden.iter().find(missing) {
            return Err(hidden.reason.clone());
        }
        mismatches.unexpected = Rest::of(names, affix, (&used, self.expected)).all();
        Err(mismatches.sentence())
    }
}

/// What is done about pruned weights.
fn pruned(stored: &[Stored<'_>]) -> Option<String> {
    let masked = |stored: &&Stored<'_>| matches!(stored, Stored::Masked { .. });
    let count = stored.iter().filter(masked).count();
    let first = stored.iter().find(masked)?.parts().next()?;
    Some(format!(
        "{count} pruned {} multiplied by {} (as torch.nn.utils.prune.remove does), such \
         as {first}",
        if count == 1 {
            "tensor was"
        } else {
            "tensors were"
        },
        if count == 1 {
            "its mask"
        } else {
            "their masks"
        },
    ))
}

/// The tensors of a file that the network does not need.
#[derive(Default)]
struct Rest {
    /// Within a layer of the network, or beside one: the file is of another network.
    foreign: Vec<String>,
    /// Of no concern to it.
    beside: Vec<String>,
}

impl Rest {
    /// Those among the names with this affix; counters are no concern of anybody.
    fn of(
        names: &Names<'_>,
        affix: &Affix<'_>,
        (used, expected): (&BTreeSet<&str>, &[Expected]),
    ) -> Self {
        let first = |name: &str| name.split('.').next().map(str::to_owned);
        let modules: BTreeSet<Option<String>> =
            expected.iter().map(|needed| first(&needed.name)).collect();
        let mut rest = Self::default();
        let mut unused: Vec<(&str, &NamedTensor)> = names
            .iter()
            .filter(|(_, tensor)| !used.contains(tensor.name.as_str()))
            .filter_map(|(name, tensor)| Some((name.strip_prefix(affix.prefix)?, *tensor)))
            .collect();
        unused.sort_by_key(|(_, tensor)| std::ptr::from_ref::<NamedTensor>(tensor) as usize);
        for (name, tensor) in unused {
            if is_counter(name, tensor) {
                continue;
            }
            let shown = format!("{name} {:?}", tensor.shape);
            if modules.contains(&first(name)) {
                rest.foreign.push(shown);
            } else {
                rest.beside.push(shown);
            }
        }
        rest
    }

    /// What is said about those of no concern.
    fn left(&self) -> Option<String> {
        (!self.beside.is_empty()).then(|| {
            let (count, listed) = (self.beside.len(), list(&self.beside));
            let are = if count == 1 {
                "tensor in the file is not of the model and was"
            } else {
                "tensors in the file are not of the model and were"
            };
            format!("{count} {are} left: {listed}")
        })
    }

    fn all(self) -> Vec<String> {
        [self.foreign, self.beside].concat()
    }
}

/// A single number that counts: no computation reads it.
fn is_counter(name: &str, tensor: &NamedTensor) -> bool {
    name.rsplit('.').next() == Some(BATCH_COUNTER) || tensor.shape.is_empty()
}

/// What does not fit, by kind.
#[derive(Default)]
struct Mismatches {
    missing: Vec<String>,
    unexpected: Vec<String>,
    misshapen: Vec<String>,
}

impl Mismatches {
    fn misshapen(&mut self, stored: &Stored<'_>, (name, shape): (&str, &[usize])) {
        self.misshapen.push(match stored {
            Stored::Masked { original, mask } if original.shape != mask.shape => {
                format!("{name} {:?} with a mask {:?}", original.shape, mask.shape)
            }
            _ => format!(
                "{name} {:?} instead of {shape:?}",
                stored.shape().unwrap_or_default()
            ),
        });
    }

    /// One sentence.
    fn sentence(&self) -> String {
        let kinds = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("misshapen", &self.misshapen),
        ];
        let listed: Vec<String> = kinds
            .iter()
            .filter(|(_, tensors)| !tensors.is_empty())
            .map(|(kind, tensors)| format!("{} {kind}: {}", tensors.len(), list(tensors)))
            .collect();
        let listed = listed.join("; ");
        format!("the weights do not fit the model ({listed}); is --model right?")
    }
}

fn list(tensors: &[String]) -> String {
    let shown = tensors.len().min(MAX_LISTED);
    let mut text = tensors[..shown].join(", ");
    if tensors.len() > shown {
        write!(text, " and {} more", tensors.len() - shown)
            .expect("invariant: writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(tensors: &[(&str, &[usize])]) -> WeightsFile {
        let tensor = |&(name, shape): &(&str, &[usize])| NamedTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: vec![1.0; shape.iter().product()],
        };
        WeightsFile {
            tensors: tensors.iter().map(tensor).collect(),
            aliases: Vec::new(),
            hidden: Vec::new(),
            whole: Vec::new(),
            sha256: String::new(),
        }
    }

    fn expected(tensors: &[(&str, &[usize])]) -> Vec<Expected> {
        let tensor = |&(name, shape): &(&str, &[usize])| Expected {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        tensors.iter().map(tensor).collect()
    }

    #[test]
    fn values_come_in_the_expected_order_and_counters_are_ignored() {
        let file = file(&[("a", &[2]), ("bn.num_batches_tracked", &[]), ("b", &[3])]);
        let values = match_tensors(
            &file,
            Path::new("w").into(),
            &expected(&[("b", &[3]), ("a", &[2])]),
        );
        assert_eq!(values.unwrap().values, [vec![1.0; 3], vec![1.0; 2]]);
    }

    /// A file of the network `a.weight`, `b.running_var` and what else is given, each with these
    /// texts around the names and filled with a number.
    fn sets(sets: &[(&str, &str, f32)], further: &[(&str, &[usize])]) -> WeightsFile {
        let mut file = file(further);
        for (prefix, suffix, value) in sets {
            for (name, count) in [("a.weight", 2), ("b.running_var", 3)] {
                file.tensors.push(NamedTensor {
                    name: format!("{prefix}{name}{suffix}"),
                    shape: vec![count],
                    values: vec![*value; count],
                });
            }
        }
        file
    }

    fn network() -> Vec<Expected> {
        expected(&[("a.weight", &[2]), ("b.running_var", &[3])])
    }

    fn found(file: &WeightsFile, key: Option<&str>) -> Result<(f32, Vec<String>)> {
        let path = Path::new("w");
        let matched = match_tensors(file, Source { path, key }, &network())?;
        assert_eq!(
            matched.values.iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(
            matched.values[0][0].to_bits(),
            matched.values[1][2].to_bits()
        );
        Ok((matched.values[0][0], matched.notes))
    }

    #[test]
    fn any_text_around_all_names_is_taken_off_and_told() {
        let around = [
            ("module.", ""),
            ("_orig_mod.module.", ""),
            ("module.module.", ""),
            ("state_dict.net._orig_mod.", ""),
            ("0.", ""),
            ("nobody/listed-this:", ""),
            ("student_", ""),
            ("", "_averaged"),
            ("ema.", ".value"),
        ];
        for (prefix, suffix) in around {
            let (value, notes) = found(&sets(&[(prefix, suffix, 2.5)], &[]), None).unwrap();
            assert_eq!((value, notes.len()), (2.5, 1), "{prefix} {suffix}");
            assert!(
                notes[0].contains(prefix) && notes[0].contains(suffix),
                "{notes:?}"
            );
        }
        assert_eq!(
            found(&sets(&[("", "", 1.0)], &[]), None).unwrap().1,
            [""; 0]
        );
    }

    #[test]
    fn parts_in_the_middle_of_some_names_are_taken_out() {
        let mut file = sets(
            &[("", "", 1.5)],
            &[("a._orig_mod.num_batches_tracked", &[])],
        );
        file.tensors[1].name = "a._orig_mod.weight".into();
        file.tensors[2].name = "b._checkpoint_wrapped_module.running_var".into();
        let (value, notes) = found(&file, None).unwrap();
        assert!(
            (value - 1.5).abs() < 1e-9 && notes[0].contains("2 names"),
            "{notes:?}"
        );
        file.tensors[0].name = "a._orig_mod.1.weight".into();
        file.tensors[0].shape = vec![2];
        assert!(
            found(&file, None).is_err(),
            "a layer's tensor that the model lacks"
        );
    }

    #[test]
    fn of_two_sets_that_differ_one_has_to_be_chosen() {
        let file = sets(
            &[("model.", "", 1.0), ("ema.", "", 2.0), ("", "", 3.0)],
            &[],
        );
        let refused = found(&file, None).unwrap_err().to_string();
        assert_eq!(
            refused,
            "w: 3 sets of weights in it fit the model, and differ: choose one with --weights-key \
             ., ema or model"
        );
        for (key, value) in [("model", 1.0_f32), ("ema", 2.0), (".", 3.0), ("ema.", 2.0)] {
            assert_eq!(
                found(&file, Some(key)).unwrap().0.to_bits(),
                value.to_bits(),
                "{key}"
            );
        }
        let refused = |key| found(&file, Some(key)).unwrap_err().to_string();
        assert!(refused("emma").ends_with("did you mean ema?"));
        assert!(refused("student").ends_with("there is ., ema or model"));
    }

    #[test]
    fn sets_within_a_chosen_set_are_told_apart_by_longer_keys() {
        let file = sets(&[("net.student.", "", 1.0), ("net.teacher.", "", 2.0)], &[]);
        let refused = found(&file, Some("net")).unwrap_err().to_string();
        assert!(refused.contains("net.student or net.teacher"), "{refused}");
        assert_eq!(
            found(&file, Some("net.teacher")).unwrap().0.to_bits(),
            2.0_f32.to_bits()
        );
    }

    #[test]
    fn equal_sets_need_no_choice_and_of_two_networks_the_one_that_fits_is_taken() {
        let equal = sets(&[("model.", "", 1.0), ("state_dict.", "", 1.0)], &[]);
        assert_eq!(found(&equal, None).unwrap().0.to_bits(), 1.0_f32.to_bits());
        let other: [(&str, &[usize]); 2] =
            [("teacher.a.weight", &[9]), ("teacher.b.running_var", &[9])];
        let pair = sets(&[("student.", "", 4.0)], &other);
        assert_eq!(found(&pair, None).unwrap().0.to_bits(), 4.0_f32.to_bits());
    }

    #[test]
    fn counters_and_what_is_beside_the_network_do_not_hide_it() {
        let beside: [(&str, &[usize]); 5] = [
            ("n_averaged", &[]),
            ("model.b.num_batches_tracked", &[]),
            ("optimizer.state.0.exp_avg", &[2]),
            ("best_loss", &[]),
            ("model.criterion.weight", &[10]),
        ];
        let (value, notes) = found(&sets(&[("model.", "", 1.0)], &beside), None).unwrap();
        assert!((value - 1.0).abs() < 1e-9);
        assert!(
            notes[1].ends_with("was left: criterion.weight [10]"),
            "{notes:?}"
        );
        let deeper = sets(&[("", "", 1.0)], &[("a.1.weight", &[2])]);
        let refused = found(&deeper, None).unwrap_err().to_string();
        assert!(
            refused.contains("1 unexpected: a.1.weight [2]"),
            "{refused}"
        );
    }

    #[test]
    fn pruned_weights_are_multiplied_by_their_masks() {
        for (original, mask) in [
            ("a.weight_orig", "a.weight_mask"),
            (
                "a.parametrizations.weight.original",
                "a.parametrizations.weight.0.mask",
            ),
        ] {
            let mut file = sets(&[("", "", 2.0)], &[(mask, &[2])]);
            file.tensors[0].values = vec![1.0, 0.0];
            file.tensors[1].name = original.into();
            let path = Path::new("w");
            let matched = match_tensors(&file, path.into(), &network()).unwrap();
            assert_eq!(matched.values[0], [2.0, 0.0]);
            assert!(matched.notes[0].contains("1 pruned tensor was multiplied"));
        }
    }

    #[test]
    fn weights_in_parts_are_refused_with_what_to_call() {
        let parts: [(&str, &str); 3] = [
            (
                "a.weight_g",
                "weight_norm; call torch.nn.utils.remove_weight_norm",
            ),
            (
                "a.weight_u",
                "spectral_norm; call torch.nn.utils.remove_spectral_norm",
            ),
            ("a.parametrizations.weight.original0", "weight_norm"),
        ];
        for (part, said) in parts {
            let mut file = sets(
                &[("module.", "", 2.0)],
                &[(&format!("module.{part}"), &[2])],
            );
            let rest = if part.ends_with("_u") { "orig" } else { "v" };
            file.tensors[1].name = format!("module.a.weight_{rest}");
            let refused = found(&file, None).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("a.weight is stored by {said}")),
                "{refused}"
            );
        }
    }

    #[test]
    fn every_mismatch_is_named_with_its_shape() {
        let file = file(&[("same", &[1]), ("wide", &[2, 3]), ("extra", &[4])]);
        let wanted = expected(&[("same", &[1]), ("wide", &[3, 2]), ("absent", &[5])]);
        let error = match_tensors(&file, Path::new("w.pth").into(), &wanted)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "w.pth: the weights do not fit the model (1 missing: absent [5]; 1 unexpected: extra \
             [4]; 1 misshapen: wide [2, 3] instead of [3, 2]); is --model right?"
        );
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let names: Vec<String> = (0..13).map(|index| format!("layer{index}")).collect();
        let wanted: Vec<Expected> = names
            .iter()
            .map(|name| Expected {
                name: name.clone(),
                shape: vec![1],
            })
            .collect();
        let error = match_tensors(&file(&[]), Path::new("w").into(), &wanted)
            .unwrap_err()
            .to_string();
        assert!(error.contains("13 missing: layer0 [1], "), "{error}");
        assert!(error.contains("layer9 [1] and 3 more)"), "{error}");
    }
}
