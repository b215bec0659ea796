//! Headers of an answer.

use std::time::Duration;

use ureq::http::HeaderMap;

/// A header as text.
pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Retry-After` in seconds. Its other form, a date, is not used by the servers we know and counts as absent.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}
