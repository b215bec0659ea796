//! What this machine has, and what of it this program took. Where the system does not say, nothing is
//! known.
//!
//! Deliberately absent: instructions and accelerators, which the layers below find themselves.

use std::path::Path;

/// Bytes of main memory, as far as the system tells without asking it for rights.
pub(crate) fn memory() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// Bytes that programs may still take, files held in memory given up for them.
pub(crate) fn available() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Bytes that may still be written where a file is to be.
pub(crate) fn free_space(file: &Path) -> Option<u64> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    fs4::available_space(folder.unwrap_or(Path::new("."))).ok()
}

/// The most bytes this program has had in memory since it began, or since [`forget_peak`]: mapped files
/// as far as they were read, too.
pub(crate) fn peak_memory() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Counts the peak from here on. Where the system cannot, it stays the peak since the beginning.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The processor's name.
pub(crate) fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_owned())
}

/// A line such as `MemTotal:  24564780 kB` of Linux, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn the_line_of_linux() {
        let text = "MemTotal:       24564780 kB\nMemAvailable:    1000000 kB\n";
        assert_eq!(field(text, "MemTotal:"), Some(24_564_780 * 1024));
        assert_eq!(field(text, "MemAvailable:"), Some(1_000_000 * 1024));
        for other in ["", "MemTotal: x kB", "MemTotal: 1 MB", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(field(other, "MemTotal:"), None, "{other}");
        }
    }
}
