//! Which names from a hub may become names on this disk.
//!
//! A listing is written by whoever owns the repository, so every name in it is checked before
//! anything is created, under the rules of Unix and Windows alike: a cache is carried from one to
//! the other. One dangerous name condemns the whole repository, since no honest one has any.
//! Deliberately absent: any repair of a name. What does not pass is refused, never rewritten.

use ixc_net::words::is_invisible;

use crate::limits::{MAX_NAME_BYTES, MAX_SEGMENT_BYTES};

/// Why a file name of a listing is dangerous, or `None` when it may be used.
pub(crate) fn danger(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if name.chars().any(is_invisible) {
        return Some("it holds control or direction characters");
    }
    if name.contains('\\') {
        return Some("it holds a backslash, which separates folders on Windows");
    }
    if name.starts_with('/') {
        return Some("it is an absolute path");
    }
    name.split('/').find_map(segment_danger)
}

/// Why one segment (between slashes) is dangerous.
fn segment_danger(segment: &str) -> Option<&'static str> {
    if segment.is_empty() {
        return Some("it holds an empty folder name");
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Some("one of its parts is longer than 255 bytes");
    }
    // Windows drops trailing dots and spaces, so "... " would become "..".
    if segment.trim_end_matches(['.', ' ']).is_empty() {
        return Some("it climbs out of its folder");
    }
    if segment.contains(':') {
        return Some("it holds a colon, which names a drive or a hidden stream on Windows");
    }
    None
}

/// Whether Windows takes the name for a device (`con`, `aux.txt`, …) instead of a file. Checked
/// only for files that are fetched: a folder of examples may hold an innocent `aux.c`.
pub(crate) fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or(segment).trim_end().to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| n.chars().count() == 1 && n != "0")
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || numbered("com")
        || numbered("lpt")
}

/// Whether the text is a full commit: 40 hexadecimal digits in lower case, as the hub writes them.
pub(crate) fn is_commit(text: &str) -> bool {
    is_lower_hex(text, 40)
}

/// Whether the text is `len` hexadecimal digits in lower case.
pub(crate) fn is_lower_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn published_names_pass() {
        for name in [
            "config.json",
            ".gitattributes",
            "pytorch_model-00001-of-00002.bin",
            "examples/images/日本.png",
            "a b (1).txt",
            "..hidden",
            "dots...in..the.middle",
        ] {
            assert_eq!(danger(name), None, "{name}");
        }
    }

    #[test]
    fn devices_of_windows() {
        for name in ["con", "NUL.json", "aux.tar.gz", "Com1.bin", "lpt9", "con .txt"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["config.json", "com.json", "com10", "com0", "console", "nullable.txt"] {
            assert!(!is_device(name), "{name}");
        }
    }

    #[test]
    fn commits() {
        assert!(is_commit(&"0123456789abcdef".repeat(3)[..40]));
        for no in ["", "main", &"A".repeat(40), &"a".repeat(39), &"a".repeat(41), &"g".repeat(40)] {
            assert!(!is_commit(no), "{no}");
        }
    }

    proptest! {
        /// Whatever passes joins to a path strictly below the folder it is joined to.
        #[test]
        fn what_passes_stays_inside(name in "[a./\\\\: \u{0}-\u{1f}\u{202e}é]{0,24}|\\PC{0,40}") {
            if danger(&name).is_none() {
                let base = Path::new("/cache/snapshot");
                let joined = base.join(&name);
                prop_assert!(joined.starts_with(base));
                prop_assert!(joined != base);
                let all_normal =
                    Path::new(&name).components().all(|c| matches!(c, Component::Normal(_)));
                prop_assert!(all_normal, "{:?}", name);
                prop_assert_eq!(Path::new(&name).components().count(), name.split('/').count());
            }
        }
    }
}
