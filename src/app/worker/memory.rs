//! How much memory another process holds, where the system tells.

use std::path::Path;

use crate::engine::files::read_limited;

/// Largest status of a process that is read.
const LIMIT: u64 = 1 << 16;

/// Bytes of a process that are in memory now; `None` where there is no `/proc`, or no such process.
pub(super) fn resident(process: u32) -> Option<u64> {
    let path = format!("/proc/{process}/status");
    let status = read_limited(Path::new(&path), LIMIT).ok()?;
    parse(&String::from_utf8_lossy(&status))
}

/// The line `VmRSS:     1234 kB`.
fn parse(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_or_unknown() {
        let status = "Name:\thq\nVmSize:\t 900 kB\nVmRSS:\t 694720 kB\nThreads:\t2\n";
        assert_eq!(parse(status), Some(694_720 * 1024));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
        assert_eq!(parse("VmRSS:\t many kB\n"), None);
        assert_eq!(resident(u32::MAX), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_some_memory() {
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
    }
}
