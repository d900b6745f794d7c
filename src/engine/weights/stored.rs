//! The ways in which a tensor of a network is stored: as it is, or in parts by the tools that change
//! weights while they train.
//!
//! | tool | stored as | taken as |
//! |---|---|---|
//! | none | `w` | `w` |
//! | `torch.nn.utils.prune` | `w_orig`, `w_mask` | `w_orig * w_mask` |
//! | a mask as a parametrization | `parametrizations.w.original`, `parametrizations.w.0.mask` | their product |
//! | `weight_norm`, `spectral_norm`, other parametrizations | `w_g`, `w_v`; `w_orig`, `w_u`; `original0`, ... | refused, with what to call before saving |

use std::collections::BTreeMap;

use super::NamedTensor;

/// Tensors by name.
pub(super) type Names<'a> = BTreeMap<&'a str, &'a NamedTensor>;

/// What comes before and after the names of a set of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Affix<'a> {
    pub suffix: &'a str,
    pub prefix: &'a str,
}

/// How a tensor is stored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stored<'a> {
    /// As it is.
    Plain(&'a NamedTensor),
    /// To be multiplied.
    Masked {
        original: &'a NamedTensor,
        mask: &'a NamedTensor,
    },
    /// In parts whose meaning is known, but which are not put together here.
    Parts(&'static str),
}

impl<'a> Stored<'a> {
    /// The tensor called `name` among those with this affix.
    pub fn find(names: &Names<'a>, affix: &Affix<'_>, name: &str) -> Option<Self> {
        let Affix { prefix, suffix } = affix;
        let get = |name: &str| names.get(&*format!("{prefix}{name}{suffix}")).copied();
        let has = |name: &str| get(name).is_some();
        if let Some(plain) = get(name) {
            return Some(Self::Plain(plain));
        }
        if let Some(original) = get(&format!("{name}_orig")) {
            let mask = get(&format!("{name}_mask"));
            return Some(match mask {
                Some(mask) => Self::Masked { original, mask },
                None if has(&format!("{name}_u")) => Self::Parts(SPECTRAL),
                None => Self::Parts(OTHER),
            });
        }
        if has(&format!("{name}_g")) && has(&format!("{name}_v")) {
            return Some(Self::Parts(WEIGHT_NORM));
        }
        let parts = parametrized(name);
        if has(&format!("{parts}.original0")) {
            return Some(Self::Parts(WEIGHT_NORM));
        }
        let original = get(&format!("{parts}.original"))?;
        Some(match get(&format!("{parts}.0.mask")) {
            Some(mask) if !has_second(names, affix, &parts) => Self::Masked { original, mask },
            None if has(&format!("{parts}.0._u")) => Self::Parts(SPECTRAL),
            _ => Self::Parts(OTHER),
        })
    }

    /// Extents of the tensor; nothing where it is not put together.
    pub fn shape(&self) -> Option<&'a [usize]> {
        match self {
            Self::Plain(tensor) => Some(&tensor.shape),
            Self::Masked { original, mask } if original.shape == mask.shape => {
                Some(&original.shape)
            }
            _ => None,
        }
    }

    /// The numbers, once the shape is known.
    pub fn values(&self) -> Vec<f32> {
        match self {
            Self::Plain(tensor) => tensor.values.clone(),
            Self::Masked { original, mask } => {
                let pairs = original.values.iter().zip(&mask.values);
                pairs.map(|(value, mask)| value * mask).collect()
            }
            Self::Parts(_) => Vec::new(),
        }
    }

    /// The names in the file that it is made of.
    pub fn parts(&self) -> impl Iterator<Item = &'a str> {
        let (first, second) = match self {
            Self::Plain(tensor) => (Some(*tensor), None),
            Self::Masked { original, mask } => (Some(*original), Some(*mask)),
            Self::Parts(_) => (None, None),
        };
        first.into_iter().chain(second).map(|t| t.name.as_str())
    }
}

const SPECTRAL: &str = "spectral_norm; call torch.nn.utils.remove_spectral_norm or \
    torch.nn.utils.parametrize.remove_parametrizations before saving";
const WEIGHT_NORM: &str = "weight_norm; call torch.nn.utils.remove_weight_norm or \
    torch.nn.utils.parametrize.remove_parametrizations before saving";
const OTHER: &str = "a parametrization; call torch.nn.utils.parametrize.remove_parametrizations \
    (or torch.nn.utils.prune.remove) before saving";

/// `conv1.weight` becomes `conv1.parametrizations.weight`.
fn parametrized(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((module, tensor)) => format!("{module}.parametrizations.{tensor}"),
        None => format!("parametrizations.{name}"),
    }
}

/// Whether more than one parametrization is applied.
fn has_second(names: &Names<'_>, affix: &Affix<'_>, parts: &str) -> bool {
    let begin = format!("{}{parts}.1.", affix.prefix);
    let next = names.range(&*begin..).next();
    next.is_some_and(|(name, _)| name.starts_with(&begin))
}

/// The names under which a tensor can be found in a file, the usual one first.
pub(super) fn spellings(name: &str) -> [String; 5] {
    let parts = parametrized(name);
    [
        name.to_owned(),
        format!("{name}_orig"),
        format!("{name}_g"),
        format!("{parts}.original"),
        format!("{parts}.original0"),
    ]
}
