//! Who asks, and through which proxy.
//!
//! Variables are looked up by whatever function the caller gives; nothing here looks at the process. Invariant: a
//! secret never leaves through `Debug`, `Display` or an error.

use std::{ffi::OsString, fmt};

use thiserror::Error;

use crate::limits::MAX_TOKEN_BYTES;

/// A setting that cannot be used.
#[derive(Debug, Error)]
#[error("{name}: {why}")]
pub struct Unusable {
    /// The variable's name, or what it is.
    pub name: String,
    /// What is wrong, without the value where that may be secret.
    pub why: String,
}

/// A variable as text; empty counts as unset.
///
/// # Errors
/// When it is not UTF-8.
pub fn text(
    get: &dyn Fn(&str) -> Option<OsString>,
    name: &str,
) -> Result<Option<String>, Unusable> {
    match get(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value.into_string().map(Some).map_err(|_| Unusable {
            name: name.to_owned(),
            why: "it is not valid UTF-8".to_owned(),
        }),
    }
}

/// A secret that says who asks. Prints as `Token(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token, without the blanks and line ends around it; `Ok(None)` when nothing is left.
    ///
    /// `name` says in an error where it came from; the value is never repeated.
    ///
    /// # Errors
    /// When it is too long for one, or holds anything but visible ASCII characters.
    pub fn new(name: &str, value: &str) -> Result<Option<Self>, Unusable> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(None);
        }
        if value.len() as u64 > MAX_TOKEN_BYTES || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unusable {
                name: name.to_owned(),
                why: "a token has only visible ASCII characters, as in hf_…, and at most 4096"
                    .to_owned(),
            });
        }
        Ok(Some(Token(value.to_owned())))
    }

    /// The secret itself, for the one header it goes into.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// A proxy. Its address may hold a password, so it prints as `Proxy(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http://[user:password@]host:port`.
    pub url: String,
    /// Hosts that are reached directly: `host`, `.domain`, or `*`.
    pub except: Vec<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(***)")
    }
}

impl Proxy {
    /// The proxy for an address's scheme: `HTTPS_PROXY`, else `ALL_PROXY` (`HTTP_PROXY` for plain http), in capitals
    /// or not, with the exceptions of `NO_PROXY`.
    ///
    /// # Errors
    /// When a variable is not UTF-8.
    pub fn from_variables(
        get: &dyn Fn(&str) -> Option<OsString>,
        address: &str,
    ) -> Result<Option<Self>, Unusable> {
        let names = if address.starts_with("http:") {
            ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        } else {
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        };
        for name in names {
            if let Some(url) = text(get, name)? {
                let except = match text(get, "NO_PROXY")? {
                    Some(text) => Some(text),
                    None => text(get, "no_proxy")?,
                };
                let except = except.unwrap_or_default();
                let except = except.split(',').map(str::trim).filter(|host| !host.is_empty());
                return Ok(Some(Proxy { url, except: except.map(str::to_owned).collect() }));
            }
        }
        Ok(None)
    }

    /// In the library's form.
    ///
    /// # Errors
    /// When it is no HTTP proxy's address.
    pub fn to_ureq(&self) -> Result<ureq::Proxy, Unusable> {
        let unusable = || Unusable {
            name: "the proxy (HTTPS_PROXY)".to_owned(),
            why: "expected http://[user:password@]host:port".to_owned(),
        };
        let parsed = ureq::Proxy::new(&self.url).map_err(|_| unusable())?;
        if !matches!(parsed.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https) {
            return Err(unusable());
        }
        let mut builder =
            ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
        if let Some(user) = parsed.username() {
            builder = builder.username(user);
        }
        if let Some(password) = parsed.password() {
            builder = builder.password(password);
        }
        for host in &self.except {
            builder = builder.no_proxy(host);
            // As in curl, a bare name excepts its subdomains too.
            if !host.starts_with(['.', '*']) {
                builder = builder.no_proxy(&format!(".{host}"));
            }
        }
        builder.build().map_err(|_| unusable())
    }
}
