//! Addresses: building them, following those that a server names, and telling one origin from another.
//!
//! One parser (`http::Uri`) decides for comparison and for connection alike, so the two cannot
//! disagree about which host an address names. Deliberately absent: user names in addresses,
//! which only serve to disguise a host.

use ureq::http::Uri;

/// Scheme, host and port: what a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` address.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of(uri: &Uri) -> Result<Self, &'static str> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("only http and https addresses are used"),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it holds a user name");
        }
        if authority.host().is_empty() {
            return Err("it names no host");
        }
        let port = match (authority.port_u16(), secure) {
            (Some(port), _) => port,
            (None, true) => 443,
            (None, false) => 80,
        };
        Ok(Origin { secure, host: authority.host().to_ascii_lowercase(), port })
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

/// Parses an absolute address.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "it is not an address")?;
    Origin::of(&uri)?;
    Ok(uri)
}

/// The address that a `Location` header means, seen from `base` (RFC 3986, section 5.2, without
/// dot segments, which servers remove themselves).
///
/// # Errors
/// Says what is wrong with it.
pub fn join(base: &Uri, location: &str) -> Result<Uri, &'static str> {
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map(|a| a.as_str()).unwrap_or_default();
    let has_scheme =
        location.split_once("://").is_some_and(|(head, _)| !head.contains(['/', '?', '#']));
    if has_scheme {
        parse(location)
    } else if location.starts_with("//") {
        parse(&format!("{scheme}:{location}"))
    } else if location.starts_with('/') {
        parse(&format!("{scheme}://{authority}{location}"))
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        parse(&format!("{scheme}://{authority}{folder}/{location}"))
    }
}

/// Host and port of an address, for messages: no path, no query.
pub fn host(uri: &Uri) -> String {
    uri.authority().map_or_else(String::new, |a| {
        a.as_str().rsplit_once('@').map_or(a.as_str(), |(_, host)| host).to_owned()
    })
}

/// One path segment, everything but letters, digits and `-._~` percent-encoded, slashes too.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, location: &str) -> Result<String, &'static str> {
        join(&parse(base).unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn redirects_join() {
        let base = "https://hub.test:8443/o/n/resolve/c/f.bin?x=1";
        for (location, want) in [
            ("https://cdn.test/a?s=1", "https://cdn.test/a?s=1"),
            ("//cdn.test/a", "https://cdn.test/a"),
            ("/api/x?y=/z", "https://hub.test:8443/api/x?y=/z"),
            ("g.bin", "https://hub.test:8443/o/n/resolve/c/g.bin"),
            ("g?u=http://x", "https://hub.test:8443/o/n/resolve/c/g?u=http://x"),
        ] {
            assert_eq!(joined(base, location).unwrap(), want, "{location}");
        }
        for bad in [
            "file:///etc/passwd",
            "gopher://x/",
            "ftp://x/y",
            "https://user@cdn.test/",
            "https://hub.test\\@evil.test/",
            "http://ok\\@evil",
            "https:///x",
            "/a b",
        ] {
            assert!(joined(base, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins() {
        let origin = |text: &str| Origin::of(&parse(text).unwrap()).unwrap();
        assert_eq!(origin("https://Hub.test/a"), origin("https://hub.test:443/b"));
        assert_eq!(origin("http://h/"), origin("http://h:80"));
        assert_ne!(origin("https://h/"), origin("http://h/"));
        assert_ne!(origin("https://h/"), origin("https://h:444/"));
        assert_ne!(origin("https://h/"), origin("https://h.evil/"));
        assert!(parse("h/x").is_err() && parse("").is_err() && parse("/x").is_err());
    }

    #[test]
    fn segments() {
        assert_eq!(segment("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(segment("a b+é~-_.%"), "a%20b%2B%C3%A9~-_.%25");
    }
}
