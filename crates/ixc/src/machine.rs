//! What this machine has. Where the system does not say, nothing is known.
//!
//! Deliberately absent: processors and accelerators, which the layers below find themselves.

/// Bytes of main memory, as far as the system tells without asking it for rights.
pub(crate) fn memory() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// Bytes that programs may still take, files held in memory given up for them.
pub(crate) fn available() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// A line such as `MemTotal:  24564780 kB` of Linux.
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
