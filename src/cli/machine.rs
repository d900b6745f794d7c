//! What Linux tells of the machine and of this process.

use std::env;
use std::fs;

/// The value of the first line `key : value` of a file of Linux.
pub fn fact(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let (_, value) = line.split_once(':')?;
    Some(value.trim().to_owned())
}

/// The processor by name, or its family where the name is not known.
pub fn processor() -> String {
    fact("/proc/cpuinfo", "model name").unwrap_or_else(|| env::consts::ARCH.to_owned())
}

/// Bytes of memory that this process had at most; absent where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    kilobytes(&fact("/proc/self/status", "VmHWM")?).map(|count| count << 10)
}

/// The count of `1234 kB`.
fn kilobytes(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_kilobytes_and_in_nothing_else() {
        assert_eq!(kilobytes("225280 kB"), Some(225_280));
        assert_eq!(kilobytes("225280 MB"), None);
        assert_eq!(kilobytes("kB"), None);
    }
}
