//! Talking to a hub: one request with its redirects, its headers read, its failures sorted.
//!
//! Redirects are followed here and not by the HTTP library, because the token may go to the hub's
//! own origin only and because the hub's headers (commit, digest, size) stand on the redirect
//! itself. Failures are sorted into those worth another attempt and the rest. Deliberately absent:
//! names and disks; this file knows addresses and statuses only.

use std::io::Read;

use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Agent, Body};

use crate::address::{self, Origin};
use crate::error::{Error, Result, quoted};
use crate::head::{Head, text};
use crate::limits::{MAX_HEADER_BYTES, MAX_REDIRECTS, MAX_SMALL_ANSWER};
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
            .proxy(proxy(settings)?)
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
    use ureq::Error::{
        ConnectProxyFailed, InvalidProxyUrl, LargeResponseHeader, Rustls, Tls, TlsRequired,
    };
    let fatal = |why: String| Failure::Fatal(Error::Protocol { host: host.to_owned(), why });
    match error {
        Rustls(e) => fatal(format!("the encrypted connection failed: {e}")),
        Tls(_) | TlsRequired => fatal("the encrypted connection failed".to_owned()),
        LargeResponseHeader(found, limit) => Failure::Fatal(Error::TooLarge {
            what: format!("the head of an answer of {host}"),
            found: format!("{found} bytes"),
            limit: format!("{limit} bytes"),
        }),
        InvalidProxyUrl | ConnectProxyFailed(_) => {
            Failure::broken(host, "the proxy does not let us through")
        }
        error => Failure::broken(host, reason(error)),
    }
}

/// A transport error in words; none of these repeat an address.
fn reason(error: ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the server was silent for too long".to_owned(),
        ureq::Error::HostNotFound => "its name is not known (DNS)".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(e) => io_reason(&e),
        ureq::Error::Protocol(e) => format!("the answer is not HTTP: {}", quoted(&e.to_string())),
        _ => "the request failed".to_owned(),
    }
}

/// A failure while the body was read, in words.
pub(crate) fn io_reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the connection broke".to_owned()
        }
        ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            "the server was silent for too long".to_owned()
        }
        _ => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(ureq::Error::Timeout(_)) => "the server was silent for too long".to_owned(),
            _ => quoted(&error.to_string()),
        },
    }
}

/// The settings' proxy in the library's form.
fn proxy(settings: &Settings) -> Result<Option<ureq::Proxy>> {
    let Some(proxy) = &settings.proxy else { return Ok(None) };
    let unusable = || Error::Setting {
        name: "the proxy (HTTPS_PROXY)".to_owned(),
        why: "expected http://[user:password@]host:port".to_owned(),
    };
    let parsed = ureq::Proxy::new(&proxy.url).map_err(|_| unusable())?;
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
    for host in &proxy.except {
        builder = builder.no_proxy(host);
        // As in curl, a bare name excepts its subdomains too.
        if !host.starts_with(['.', '*']) {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    builder.build().map(Some).map_err(|_| unusable())
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

    #[test]
    fn silence_has_one_name() {
        use std::io::{Error as IoError, ErrorKind};
        for kind in [ErrorKind::TimedOut, ErrorKind::WouldBlock] {
            assert_eq!(io_reason(&IoError::from(kind)), "the server was silent for too long");
        }
        assert_eq!(io_reason(&IoError::from(ErrorKind::UnexpectedEof)), "the connection broke");
    }
}
