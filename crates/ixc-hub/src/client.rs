//! Talking to a hub: one request with its redirects, its headers read, its failures sorted.
//!
//! Redirects are followed here and not by the HTTP library, because the token may go to the hub's
//! own origin only and because the hub's headers (commit, digest, size) stand on the redirect
//! itself. Failures are sorted into those worth another attempt and the rest. Deliberately absent:
//! names and disks; this file knows addresses and statuses only.

use std::io::Read;

use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Agent, Body};

use ixc_net::Proxy;
use ixc_net::address::{self, Origin};
use ixc_net::header::text;
use ixc_net::limits::MAX_HEADER_BYTES;
use ixc_net::words::{io_reason, reason};

use crate::error::{Error, Result};
use crate::head::Head;
use crate::limits::{MAX_REDIRECTS, MAX_SMALL_ANSWER};
use crate::refusal::{Refusal, Subject};
use crate::retry::Failure;
use crate::settings::Settings;

/// A hub, asked with the settings' token, proxy and patience.
pub(crate) struct Client<'a> {
    agent: Agent,
    settings: &'a Settings,
    origin: Origin,
    host: String,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    /// The head of a file; a redirect away from the hub is the answer, not followed.
    Head,
    /// A small body, bounded in time as a whole.
    Small,
    /// A file from this byte on, bounded only by silence.
    File(u64),
}

/// An answer whose status was not a failure.
pub(crate) struct Reply {
    /// The status: 200, 206 or 416; for [`Ask::Head`] also a redirect's.
    pub(crate) status: u16,
    /// What the headers said.
    pub(crate) head: Head,
    /// The server that gave it, for messages.
    pub(crate) host: String,
    /// The content, not yet read.
    pub(crate) body: Body,
}

impl<'a> Client<'a> {
    /// A client for the settings' endpoint. Connects to nothing yet.
    pub(crate) fn new(settings: &'a Settings) -> Result<Self> {
        let endpoint = address::parse(&settings.endpoint)
            .and_then(|uri| if uri.query().is_some() { Err("it has a query") } else { Ok(uri) });
        let setting =
            |name: &str, why: &str| Error::Setting { name: name.to_owned(), why: why.to_owned() };
        let uri = endpoint.map_err(|why| {
            setting("HF_ENDPOINT", &format!("{why}; expected one like https://huggingface.co"))
        })?;
        let origin = Origin::of(&uri).map_err(|why| setting("HF_ENDPOINT", why))?;
        let config = Agent::config_builder()
            // Given explicitly, because the library's default looks at the process's variables.
            .proxy(settings.proxy.as_ref().map(Proxy::to_ureq).transpose()?)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_response_header_size(MAX_HEADER_BYTES)
            .user_agent(concat!("ixc/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_recv_response(Some(settings.read_timeout))
            .timeout_per_read(Some(settings.read_timeout))
            .timeout_per_write(Some(settings.read_timeout))
            .build();
        Ok(Client { agent: config.new_agent(), settings, origin, host: address::host(&uri) })
    }

    /// The hub's host, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends one request to a path of the hub (percent-encoded, with a leading slash) and follows
    /// its redirects. `subject` is named in errors.
    pub(crate) fn send(
        &self,
        ask: Ask,
        path: &str,
        subject: &Subject<'_>,
    ) -> Result<Reply, Failure> {
        let mut uri =
            address::parse(&format!("{}{path}", self.settings.endpoint.trim_end_matches('/')))
                .map_err(|why| Error::Protocol { host: self.host.clone(), why: why.to_owned() })?;
        let mut head = Head::default();
        for _ in 0..=MAX_REDIRECTS {
            let at_hub = Origin::of(&uri).is_ok_and(|origin| origin == self.origin);
            let host = address::host(&uri);
            let response = self.once(ask, &uri, at_hub).map_err(|e| transport_failure(&host, e))?;
            let status = response.status().as_u16();
            head.note(response.headers(), at_hub, status);
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let next = self.redirect(&uri, response.headers())?;
                let leaves = Origin::of(&next).is_ok_and(|origin| origin != self.origin);
                if matches!(ask, Ask::Head) && leaves {
                    return Ok(Reply { status, head, host, body: response.into_body() });
                }
                uri = next;
                continue;
            }
            return if matches!(status, 200 | 206 | 416) {
                Ok(Reply { status, head, host, body: response.into_body() })
            } else {
                let (headers, settings) = (response.headers(), self.settings);
                Err(Refusal { status, headers, host, at_hub, settings }.into_failure(subject))
            };
        }
        let why = format!("more than {MAX_REDIRECTS} redirects for one request");
        Err(Error::Redirect { host: self.host.clone(), why }.into())
    }

    /// One request to one address, with the token only if the address is the hub's.
    fn once(&self, ask: Ask, uri: &Uri, at_hub: bool) -> Result<Response<Body>, ureq::Error> {
        let method = if matches!(ask, Ask::Head) { Method::HEAD } else { Method::GET };
        let mut request = Request::builder().method(method).uri(uri.clone());
        // Digest and length are those of the bytes as stored, so they must travel as stored.
        request = request.header("accept-encoding", "identity");
        if let (true, Some(token)) = (at_hub, &self.settings.token) {
            request = request.header("authorization", format!("Bearer {}", token.secret()));
        }
        if let Ask::File(from) = ask
            && from > 0
        {
            request = request.header("range", format!("bytes={from}-"));
        }
        let request = request.body(()).map_err(ureq::Error::Http)?;
        match ask {
            Ask::File(_) => self.agent.run(request),
            Ask::Head | Ask::Small => {
                let request = self.agent.configure_request(request);
                self.agent.run(request.timeout_global(Some(MAX_SMALL_ANSWER)).build())
            }
        }
    }

    /// Where a redirect leads, if it may be followed.
    fn redirect(&self, from: &Uri, headers: &HeaderMap) -> Result<Uri, Failure> {
        let refuse = |why: &str| Error::Redirect { host: address::host(from), why: why.to_owned() };
        let location = text(headers, "location").ok_or_else(|| refuse("it names no address"))?;
        let next = address::join(from, location).map_err(refuse)?;
        let is_secure = |uri| Origin::of(uri).is_ok_and(|origin| origin.is_secure());
        if is_secure(from) && !is_secure(&next) {
            return Err(refuse("from https to http, where anyone could alter it").into());
        }
        Ok(next)
    }
}

/// Sorts a failure below HTTP.
fn transport_failure(host: &str, error: ureq::Error) -> Failure {
    use ureq::Error::{LargeResponseHeader, Rustls, Tls, TlsRequired};
    match error {
        Rustls(_) | Tls(_) | TlsRequired => {
            Failure::Fatal(Error::Protocol { host: host.to_owned(), why: reason(&error) })
        }
        LargeResponseHeader(found, limit) => Failure::Fatal(Error::TooLarge {
            what: format!("the head of an answer of {host}"),
            found: format!("{found} bytes"),
            limit: format!("{limit} bytes"),
        }),
        error => Failure::broken(host, reason(&error)),
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) fn read_small(reply: Reply, limit: u64, what: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut body = reply.body.into_reader().take(limit + 1);
    body.read_to_end(&mut bytes).map_err(|e| Failure::broken(&reply.host, io_reason(&e)))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::Fatal(Error::TooLarge {
            what: format!("{what} from {}", reply.host),
            found: format!("more than {limit} bytes"),
            limit: format!("{limit} bytes"),
        }));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_not_given_up_on_the_way() {
        let settings = Settings::new("unused");
        let client = Client::new(&settings).unwrap();
        let redirect = |from: &str, to: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("location", to.parse().unwrap());
            match client.redirect(&address::parse(from).unwrap(), &headers) {
                Ok(uri) => Ok(uri.to_string()),
                Err(Failure::Fatal(error)) => Err(error.to_string()),
                Err(Failure::Broken(broken)) => panic!("{}", broken.why),
            }
        };
        let secure = "https://huggingface.co/o/n/resolve/c/f";
        let error = redirect(secure, "http://huggingface.co/f").unwrap_err();
        assert!(error.contains("from https to http"), "{error}");
        assert_eq!(redirect(secure, "https://cdn.test/f?s=1").unwrap(), "https://cdn.test/f?s=1");
        assert_eq!(redirect("http://mirror/f", "http://cdn/f").unwrap(), "http://cdn/f");
        assert_eq!(redirect("http://mirror/f", "https://cdn/f").unwrap(), "https://cdn/f");
    }
}
