//! The headers of a hub's answers, gathered over the redirects of one request.
//!
//! Commit, digest and linked size are believed only from the hub's own origin, and its first word
//! counts. Text that is not a digest never becomes one. Deliberately absent: any other header.

use ureq::http::HeaderMap;

use ixc_net::header::text;

use crate::verify::Digest;

/// The headers that matter, from the hub's own answers; sizes of the body from the last one.
#[derive(Default)]
pub(crate) struct Head {
    /// `X-Repo-Commit`.
    pub(crate) commit: Option<String>,
    /// `X-Linked-ETag`, else the hub's `ETag`, when it is a digest.
    pub(crate) digest: Option<Digest>,
    /// `X-Linked-Size`, else the length of an answer that is not a redirect.
    pub(crate) size: Option<u64>,
    /// `Content-Range`: first byte, and the whole length if given.
    pub(crate) range: Option<(u64, Option<u64>)>,
    /// Whether `Content-Encoding` is anything but `identity`.
    pub(crate) is_packed: bool,
}

impl Head {
    /// Takes what one answer of the chain says. The hub's first word counts.
    pub(crate) fn note(&mut self, headers: &HeaderMap, at_hub: bool, status: u16) {
        let number = |name| text(headers, name).and_then(|n| n.trim().parse::<u64>().ok());
        let is_redirect = (300..400).contains(&status);
        if at_hub {
            let commit = text(headers, "x-repo-commit").map(str::to_owned);
            self.commit = self.commit.take().or(commit);
            let linked = text(headers, "x-linked-etag").and_then(Digest::parse);
            let own = text(headers, "etag").and_then(Digest::parse);
            self.digest = self.digest.take().or(linked).or(own.filter(|_| !is_redirect));
            self.size = self.size.or(number("x-linked-size"));
        }
        if !is_redirect {
            self.is_packed = text(headers, "content-encoding")
                .is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"));
            self.range = text(headers, "content-range").and_then(content_range);
            if status == 200 {
                self.size = self.size.or(number("content-length"));
            }
        }
    }
}

/// `bytes 5-9/10` → first byte 5, whole length 10 (RFC 9110, section 14.4).
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = value.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, whole.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
        for bad in ["", "bytes */10", "bytes", "items 5-9/10", "bytes x-9/10", "bytes -9/10"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
