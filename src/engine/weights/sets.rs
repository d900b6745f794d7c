//! The sets of weights in a file: one network's tensors have names of their own, with the same text
//! before and after all of them (`state_dict.`, `module.`, `_orig_mod.`, `student.`, `ema_`, also
//! several of them). No list of such texts is needed: a text is one when it makes every name fit.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::Expected;
use super::stored::{Affix, Names, Stored, spellings};

/// Longest text before or after names.
const LONGEST: usize = 512;
/// Texts that are compared when none makes every name fit.
const COMPARED: usize = 64;

/// Names as a network has them, and what they are in the file.
pub(super) struct Sets<'a> {
    /// Those that fit completely.
    pub fitting: Vec<Affix<'a>>,
    /// When none does, the one of which most fits.
    pub nearest: Affix<'a>,
}

/// No text before or after the names.
pub(super) const BARE: Affix<'static> = Affix {
    suffix: "",
    prefix: "",
};

impl<'a> Sets<'a> {
    /// Every text around names that makes all of them fit.
    pub fn of(names: &Names<'a>, expected: &[Expected]) -> Self {
        let candidates = candidates(names, expected);
        let fitting: Vec<Affix<'a>> = candidates
            .iter()
            .copied()
            .filter(|affix| expected.iter().all(|needed| fits(names, affix, needed)))
            .collect();
        let nearest = if fitting.is_empty() {
            nearest(names, expected, &candidates)
        } else {
            BARE
        };
        Self { fitting, nearest }
    }
}

/// Whether a needed tensor is there in its shape.
fn fits(names: &Names<'_>, affix: &Affix<'_>, needed: &Expected) -> bool {
    let stored = Stored::find(names, affix, &needed.name);
    stored.is_some_and(|stored| stored.shape() == Some(&needed.shape))
}

/// Every text around one of a few needed names, the shortest first.
fn candidates<'a>(names: &Names<'a>, expected: &[Expected]) -> Vec<Affix<'a>> {
    let longest = expected.iter().max_by_key(|needed| needed.name.len());
    let probes: BTreeSet<String> = [expected.first(), expected.last(), longest]
        .into_iter()
        .flatten()
        .flat_map(|needed| spellings(&needed.name))
        .collect();
    let mut found = BTreeSet::from([BARE]);
    for &name in names.keys() {
        for probe in &probes {
            for (start, matched) in name.match_indices(probe.as_str()) {
                let (prefix, suffix) = (&name[..start], &name[start + matched.len()..]);
                if prefix.len() <= LONGEST && suffix.len() <= LONGEST {
                    found.insert(Affix { suffix, prefix });
                }
            }
        }
    }
    let mut found: Vec<Affix<'a>> = found.into_iter().collect();
    found.sort_by_key(|affix| (affix.suffix.len(), affix.prefix.len()));
    found
}

fn nearest<'a>(names: &Names<'a>, expected: &[Expected], candidates: &[Affix<'a>]) -> Affix<'a> {
    let count = |affix: &Affix<'_>| {
        let there = |needed: &&Expected| Stored::find(names, affix, &needed.name).is_some();
        expected.iter().filter(there).count()
    };
    let counted = candidates.iter().take(COMPARED);
    counted.rev().copied().max_by_key(count).unwrap_or(BARE)
}

/// Names without the parts that no needed name has, such as `_orig_mod` in the middle of some;
/// nothing when two tensors would get the same needed name, or not every needed one is there.
pub(super) fn without_foreign_parts(
    names: &Names<'_>,
    expected: &[Expected],
) -> Option<BTreeMap<String, String>> {
    let parts: BTreeSet<&str> = expected
        .iter()
        .flat_map(|needed| needed.name.split('.'))
        .collect();
    let needed: BTreeMap<&str, &Expected> = expected
        .iter()
        .map(|needed| (needed.name.as_str(), needed))
        .collect();
    let modules: BTreeSet<Option<&str>> = expected
        .iter()
        .map(|needed| needed.name.split('.').next())
        .collect();
    let mut renamed = BTreeMap::new();
    for (&name, tensor) in names {
        if name.split('.').any(|part| part == "parametrizations") {
            return None;
        }
        let kept: Vec<&str> = name
            .split('.')
            .filter(|part| parts.contains(part))
            .collect();
        let short = kept.join(".");
        if needed
            .get(&*short)
            .is_none_or(|needed| needed.shape != tensor.shape)
        {
            let is_of_a_layer = name
                .rsplit('.')
                .next()
                .is_some_and(|end| parts.contains(end));
            if is_of_a_layer && modules.contains(&kept.first().copied()) {
                return None;
            }
            continue;
        }
        if renamed.insert(short, name.to_owned()).is_some() {
            return None;
        }
    }
    (renamed.len() == expected.len()).then_some(renamed)
}
