//! How much memory work may take: what is kept of images and between walks, and how many chunks of
//! images are walked at the same time.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::engine::{Error, Result};

/// Bytes that work may take, all in all; without a bound, only what is kept is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    bound: Option<u64>,
    /// Of prepared pictures.
    images: u64,
    /// Of what is kept between walks: values and rows.
    kept: u64,
}

/// Bytes of prepared pictures on a machine that is large enough.
const IMAGES: u64 = 512 << 20;
/// Bytes of what is kept between walks there.
const KEPT: u64 = 3 * IMAGES;

/// Most bytes that can be given.
const LARGEST: f64 = (1_u64 << 60) as f64;

impl Memory {
    /// No bound, and 2 GiB of what is kept: on every machine the same.
    pub const USUAL: Self = Self {
        bound: None,
        images: IMAGES,
        kept: KEPT,
    };

    /// At most so many bytes, of which an eighth may be pictures, and three eighths kept between walks.
    #[must_use]
    pub const fn within(bytes: u64) -> Self {
        Self {
            bound: Some(bytes),
            images: bytes / 8,
            kept: bytes / 8 * 3,
        }
    }

    /// What is usual, but no more than half of what this machine, or the control group that this process
    /// belongs to, has.
    #[must_use]
    pub fn of_machine() -> Self {
        let eighth = there().map_or(u64::MAX / 8, |bytes| bytes / 8);
        Self {
            bound: None,
            images: IMAGES.min(eighth),
            kept: KEPT.min(3 * eighth),
        }
    }

    /// Bytes in all, where there is a bound.
    #[must_use]
    pub const fn bound(self) -> Option<u64> {
        self.bound
    }

    /// Bytes beside the prepared pictures, where there is a bound.
    #[must_use]
    pub fn beside_images(self) -> Option<u64> {
        self.bound.map(|bound| bound - self.images)
    }

    /// Bytes of what is kept between walks.
    #[must_use]
    pub const fn kept(self) -> u64 {
        self.kept
    }

    /// The same where a network and its walks take so many bytes: within a bound, less may be kept.
    #[must_use]
    pub fn beside_walks(self, walks: u64) -> Self {
        let left = self.beside_images().map(|left| left.saturating_sub(walks));
        Self {
            kept: left.map_or(self.kept, |left| self.kept.min(left)),
            ..self
        }
    }

    /// Bytes of prepared pictures that are kept, so that they need not be read again.
    #[must_use]
    pub fn of_images(self) -> usize {
        bytes(self.images)
    }

    /// Bytes of kept values above which they are computed anew whenever they are needed.
    #[must_use]
    pub fn of_values(self) -> usize {
        bytes(self.kept / 3 * 2)
    }

    /// Bytes of the rows of a layer's factor that are held at once; beyond, its products are walks.
    #[must_use]
    pub fn of_rows(self) -> usize {
        bytes(self.kept / 3)
    }

    /// Bytes of the rows of layers that are measured together.
    #[must_use]
    pub fn of_group(self) -> usize {
        bytes(self.kept / 6)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::USUAL
    }
}

impl FromStr for Memory {
    type Err = Error;

    /// A bound such as `4GB`, `500MB` or `1.5GB`, in powers of 1024.
    fn from_str(text: &str) -> Result<Self> {
        let units = [("GB", 30), ("MB", 20), ("KB", 10), ("B", 0), ("", 0)];
        let lower = text.trim().to_ascii_uppercase().replace("IB", "B");
        let parsed = units.into_iter().find_map(|(unit, shift)| {
            let number: f64 = lower.strip_suffix(unit)?.trim().parse().ok()?;
            let bytes = number * f64::from(1_u32 << shift);
            (1.0..=LARGEST).contains(&bytes).then_some(bytes as u64)
        });
        parsed.map(Self::within).ok_or_else(|| {
            Error::invalid(format!(
                "memory {text:?}: expected a size such as 4GB or 500MB"
            ))
        })
    }
}

fn bytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Bytes of memory of this machine, or of the control group of this process, whichever is less; `None`
/// where the system does not tell.
fn there() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total);
    let group = fs::read_to_string("/proc/self/cgroup").ok();
    let group = group
        .as_deref()
        .and_then(|of| limit(of, Path::new("/sys/fs/cgroup")));
    machine.into_iter().chain(group).min()
}

/// The total of `/proc/meminfo`.
fn total(told: &str) -> Option<u64> {
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The least limit of a control group (version 2) and of those above it.
fn limit(groups: &str, root: &Path) -> Option<u64> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new(own).ancestors().map(|folder| root.join(folder));
    let limits = folders.filter_map(|folder| {
        let told = fs::read_to_string(folder.join("memory.max")).ok()?;
        told.trim().parse::<u64>().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_what_is_kept() {
        let usual = Memory::USUAL;
        assert_eq!(usual.bound(), None);
        let shares = [usual.of_values(), usual.of_rows(), usual.of_group()];
        assert_eq!(shares, [1 << 30, 512 << 20, 256 << 20]);
        let small = Memory::within(1 << 30);
        assert_eq!(small.bound(), Some(1 << 30));
        assert_eq!(small.of_rows(), 128 << 20);
        assert_eq!(small.beside_walks(1 << 20), small, "there is room for all");
        let little = small.beside_walks(small.beside_images().unwrap() - (3 << 20));
        assert_eq!((little.of_rows(), little.of_images()), (1 << 20, 128 << 20));
        assert_eq!(usual.beside_walks(u64::MAX), usual);
        assert!(Memory::of_machine().of_values() <= usual.of_values());
    }

    #[test]
    fn a_bound_is_a_size() {
        for (text, bytes) in [
            ("4GB", 4 << 30),
            ("500 mb", 500 << 20),
            ("1.5GiB", 3 << 29),
            ("64KB", 64 << 10),
            ("1048576", 1 << 20),
        ] {
            assert_eq!(
                text.parse::<Memory>().unwrap().bound(),
                Some(bytes),
                "{text}"
            );
        }
        for text in ["", "GB", "-1GB", "0", "1e99GB", "4TBs", "nan", "infGB"] {
            let refused = text.parse::<Memory>().unwrap_err().to_string();
            assert!(refused.contains("such as 4GB or 500MB"), "{refused}");
        }
    }

    #[test]
    fn what_a_system_tells_is_read() {
        assert_eq!(
            total("MemTotal:       24571 kB\nMemFree: 1 kB\n"),
            Some(24571 * 1024)
        );
        assert_eq!(total("nothing"), None);
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        for (folder, told) in [("a", "4096\n"), ("a/b", "max\n")] {
            fs::write(root.path().join(folder).join("memory.max"), told).unwrap();
        }
        assert_eq!(limit("1:cpu:/x\n0::/a/b\n", root.path()), Some(4096));
        assert_eq!(limit("0::/\n", root.path()), None);
    }
}
