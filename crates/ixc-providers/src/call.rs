//! Asking a service: requests that end by themselves, can be stopped, and bring no more than allowed.
//!
//! Each request runs on a thread of its own, so that whoever waits can stop within a [`TICK`]; the thread that is
//! left behind ends at its own deadline, and what it reads is bounded. Invariants: bytes are counted as they come,
//! whatever a header says of them; the key goes to the service's own origin and stands in no message; redirects are
//! told, not followed. Deliberately absent: what is asked, which each kind knows.

use std::{
    ffi::OsString,
    io::Read as _,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use base64::prelude::{BASE64_STANDARD, Engine};
use ixc_compose::service::Failed;
use ixc_net::{
    Origin, Proxy, Token, address,
    header::{self, retry_after},
    limits::MAX_HEADER_BYTES,
    words::{io_reason, quoted, reason},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::{
    Agent,
    http::{Method, Request, Uri},
};

use crate::{
    Entry, Error, answer,
    limits::{
        BACKOFF, CONNECT, FAREWELL, JSON_BYTES, MAKING, POLL, REFUSAL_BYTES, RETRIES, RETRY_AFTER,
        TICK,
    },
};

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For all that a service is asked at once.
    pub whole: Duration,
    /// Between two questions whether a picture is ready.
    pub poll: Duration,
    /// Before a refused request is repeated, when the service does not say.
    pub backoff: Duration,
    /// The longest that a service may ask to wait.
    pub retry_after: Duration,
    /// For each request to give up what nobody waits for any more.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            whole: MAKING,
            poll: POLL,
            backoff: BACKOFF,
            retry_after: RETRY_AFTER,
            farewell: FAREWELL,
        }
    }
}

/// Why a service gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It was told to stop.
    Stopped,
    /// Something else came.
    Told { expected: String, found: String, advice: String },
}

impl Trouble {
    pub(crate) fn told(
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Told { expected: expected.into(), found: found.into(), advice: advice.into() }
    }
}

/// A service's place, and as whom it is asked.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What the user calls it.
    pub(crate) name: String,
    /// Its host, for messages.
    pub(crate) host: String,
    /// Bytes of a picture at most.
    pub(crate) picture_bytes: u64,
    pub(crate) patience: Patience,
    url: String,
    uri: Uri,
    origin: Origin,
    /// Further origins that pictures may come from.
    others: Vec<Origin>,
    token: Option<Token>,
    agent: Agent,
}

impl Connection {
    /// A connection that is not made yet.
    pub(crate) fn new(
        entry: &Entry,
        token: Option<Token>,
        get: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let url = entry.url.trim_end_matches('/').to_owned();
        let uri = address::parse(&url).and_then(|uri| match uri.query() {
            Some(_) => Err("it has a query"),
            None => Ok(uri),
        });
        let uri = uri.map_err(|why| {
            entry.bad(format!("`url`: {why}; expected one like http://127.0.0.1:7860"))
        })?;
        let of = |uri: &Uri| Origin::of(uri).map_err(|why| entry.bad(format!("`url`: {why}")));
        let others = entry.pictures_from.iter().map(|other| {
            let parsed = address::parse(other).ok().filter(|uri| uri.path() == "/");
            let parsed = parsed.filter(|uri| uri.query().is_none()).ok_or_else(|| {
                let expected = "expected an origin like https://cdn.example.org";
                entry.bad(format!("`pictures_from`: {expected}, found {other:?}"))
            })?;
            of(&parsed)
        });
        let host = uri.host().unwrap_or_default();
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let proxy = match is_here {
            true => None,
            false => Proxy::from_variables(get, &url).map_err(|error| entry.unusable(error))?,
        };
        let proxy = proxy.map(|proxy| proxy.to_ureq()).transpose();
        let origin = of(&uri)?;
        let shown = address::host(&uri);
        Ok(Self {
            name: entry.name.clone(),
            host: match origin.is_secure() || is_here {
                true => shown,
                false => format!("{shown}, not encrypted"),
            },
            picture_bytes: entry.picture_bytes,
            patience: entry.patience,
            others: others.collect::<Result<_, Error>>()?,
            origin,
            url,
            uri,
            token,
            agent: Agent::config_builder()
                // Given explicitly, because the library's default looks at the process's variables.
                .proxy(proxy.map_err(|error| entry.unusable(error))?)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_response_header_size(MAX_HEADER_BYTES)
                .user_agent(concat!("ixc/", env!("CARGO_PKG_VERSION")))
                .build()
                .new_agent(),
        })
    }

    /// Begins a call: everything that one question to the service takes.
    pub(crate) fn call<'a>(&'a self, stop: &'a dyn Fn() -> bool) -> Call<'a> {
        Call { connection: self, stop, deadline: Instant::now() + self.patience.whole }
    }

    /// What the editor is told of trouble.
    pub(crate) fn failed(&self, trouble: Trouble) -> Failed {
        match self.words(trouble) {
            Some(words) => Failed::Because(words),
            None => Failed::Stopped,
        }
    }

    /// Trouble in words; none when it was a stop.
    pub(crate) fn words(&self, trouble: Trouble) -> Option<String> {
        let Trouble::Told { expected, found, advice } = trouble else { return None };
        let (name, host) = (&self.name, &self.host);
        Some(format!("the service {name} ({host}): expected {expected}, found {found}; {advice}"))
    }

    fn allows(&self, origin: &Origin) -> bool {
        self.origin == *origin || self.others.contains(origin)
    }
}

/// One question to a service, with all its requests.
pub(crate) struct Call<'a> {
    pub(crate) connection: &'a Connection,
    stop: &'a dyn Fn() -> bool,
    deadline: Instant,
}

/// An answer, whatever its status.
pub(crate) struct Answer {
    status: u16,
    /// `Content-Type`.
    pub(crate) kind: String,
    location: String,
    retry_after: Option<Duration>,
    /// The body.
    pub(crate) bytes: Vec<u8>,
    token: Option<Token>,
}

impl Answer {
    /// A text of it, fit for a message: a server may repeat the key that it was sent.
    pub(crate) fn quoted(&self, text: &str) -> String {
        match &self.token {
            Some(token) => {
                let text = text.replace(token.secret(), "***");
                quoted(&text.replace(&BASE64_STANDARD.encode(token.secret()), "***"))
            }
            None => quoted(text),
        }
    }
}

/// A key as a header: a name and a password with a colon between go as Basic (RFC 7617), anything else as Bearer, whose
/// tokens have no colon (RFC 6750).
fn authorization(key: &str) -> String {
    match key.contains(':') {
        true => format!("Basic {}", BASE64_STANDARD.encode(key)),
        false => format!("Bearer {key}"),
    }
}

impl Call<'_> {
    /// Sends JSON to a path behind the service's address, and reads JSON of at most so many bytes.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        limit: u64,
        expected: &str,
    ) -> Result<T, Trouble> {
        let answer = self.asked(Method::POST, path, Some(body), limit, expected)?;
        answer::json(&answer, expected)
    }

    /// As [`Call::post`], without sending any.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        expected: &str,
    ) -> Result<T, Trouble> {
        answer::json(&self.asked(Method::GET, path, None, JSON_BYTES, expected)?, expected)
    }

    /// The bytes behind a path of the service.
    pub(crate) fn file(&self, path: &str, expected: &str) -> Result<Answer, Trouble> {
        self.asked(Method::GET, path, None, self.connection.picture_bytes, expected)
    }

    /// The bytes behind an address that the service names, and that address without what may be secret in it.
    pub(crate) fn linked(&self, link: &str, expected: &str) -> Result<(Answer, String), Trouble> {
        let here = &self.connection.uri;
        let advice = "a service's pictures come from its own address; `pictures_from` in its configuration names others";
        let joined = address::join(here, link).and_then(|uri| Ok((Origin::of(&uri)?, uri)));
        let (origin, uri) = joined.map_err(|why| {
            Trouble::told(expected, format!("an address that is none ({why})"), advice)
        })?;
        if !self.connection.allows(&origin) {
            let found = format!("an address at {}", quoted(&address::host(&uri)));
            return Err(Trouble::told(expected, found, advice));
        }
        let limit = self.connection.picture_bytes;
        let answer = self.sent(Method::GET, &uri, None, limit, expected)?;
        let shown = uri.to_string();
        let shown = shown.split_once('?').map_or(shown.as_str(), |(shown, _)| shown);
        Ok((answer, quoted(shown)))
    }

    fn asked(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit: u64,
        expected: &str,
    ) -> Result<Answer, Trouble> {
        let uri = address::parse(&format!("{}{path}", self.connection.url))
            .map_err(|why| Trouble::told(expected, why, "look at `url`"))?;
        self.sent(method, &uri, body, limit, expected)
    }

    /// Sends a request, again where the service was too busy for it.
    fn sent(
        &self,
        method: Method,
        uri: &Uri,
        body: Option<&Value>,
        limit: u64,
        expected: &str,
    ) -> Result<Answer, Trouble> {
        let mut retries = RETRIES;
        loop {
            let answer = self.once(&method, uri, body, limit, expected)?;
            // Nothing was made behind these two, so that asking again costs nothing twice.
            let is_busy = matches!(answer.status, 429 | 503);
            let patience = &self.connection.patience;
            let pause = answer.retry_after.unwrap_or(patience.backoff);
            let waits = pause <= patience.retry_after && Instant::now() + pause < self.deadline;
            if !is_busy || retries == 0 || !waits {
                return judged(answer, limit, expected);
            }
            retries -= 1;
            self.pause(pause)?;
        }
    }

    /// One request, on a thread that can be left behind.
    fn once(
        &self,
        method: &Method,
        uri: &Uri,
        body: Option<&Value>,
        limit: u64,
        expected: &str,
    ) -> Result<Answer, Trouble> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if (self.stop)() {
            return Err(Trouble::Stopped);
        }
        if left.is_zero() {
            return Err(self.late(expected));
        }
        let connection = self.connection;
        let connect = connection.patience.connect.min(left);
        let mut request = Request::builder().method(method.clone()).uri(uri.clone());
        request = request.header("accept-encoding", "identity");
        let at_home = Origin::of(uri).is_ok_and(|origin| origin == connection.origin);
        if let (true, Some(token)) = (at_home, &connection.token) {
            request = request.header("authorization", authorization(token.secret()));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let built = request.body(body);
        let request = built.map_err(|_| Trouble::told(expected, "no request", "look at `url`"))?;
        let (agent, (send, receive)) = (connection.agent.clone(), channel());
        thread::spawn(move || {
            let request = agent.configure_request(request);
            let request = request
                .timeout_global(Some(left))
                .timeout_resolve(Some(connect))
                .timeout_connect(Some(connect))
                .build();
            // Nobody may be listening any more.
            let _ = send.send(read(&agent, request, limit));
        });
        // The thread ends at its deadline; should it not, it is left a tick behind it.
        let until = self.deadline + 2 * TICK;
        loop {
            if (self.stop)() {
                return Err(Trouble::Stopped);
            }
            match receive.recv_timeout(TICK) {
                Ok(Ok(answer)) => return Ok(Answer { token: connection.token.clone(), ..answer }),
                Ok(Err(_)) if Instant::now() >= self.deadline => return Err(self.late(expected)),
                Ok(Err(why)) => {
                    let advice = "is it running, and is `url` its address?";
                    return Err(Trouble::told(expected, why, advice));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                Err(_) => return Err(self.late(expected)),
            }
        }
    }

    /// Waits for a while.
    pub(crate) fn pause(&self, pause: Duration) -> Result<(), Trouble> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if (self.stop)() {
                return Err(Trouble::Stopped);
            }
            thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// When everything ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Nothing came within the time allowed.
    pub(crate) fn late(&self, expected: &str) -> Trouble {
        let whole = self.connection.patience.whole.as_secs_f64();
        let found = format!("no end within {whole} s");
        Trouble::told(expected, found, "`timeout` in its configuration allows more")
    }

    /// A short request (with a body: `POST`) to give up what nobody waits for any more. It is not stopped, and where
    /// it fails nothing is lost.
    pub(crate) fn farewell(&self, path: &str, body: Option<&Value>) -> Option<Answer> {
        let uri = address::parse(&format!("{}{path}", self.connection.url)).ok()?;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let deadline = Instant::now() + self.connection.patience.farewell;
        let farewell = Call { connection: self.connection, stop: &|| false, deadline };
        farewell.once(&method, &uri, body, JSON_BYTES, "").ok()
    }
}

/// Runs a request; reads one byte more than allowed at most. The error is in words.
fn read(agent: &Agent, request: Request<String>, limit: u64) -> Result<Answer, String> {
    let response = agent.run(request).map_err(|error| reason(&error))?;
    let status = response.status().as_u16();
    let text = |name| header::text(response.headers(), name).unwrap_or_default().to_owned();
    let (kind, location) = (text("content-type"), text("location"));
    let retry_after = retry_after(response.headers());
    let limit = if (200..300).contains(&status) { limit } else { REFUSAL_BYTES };
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_reader().take(limit + 1);
    body.read_to_end(&mut bytes).map_err(|error| io_reason(&error))?;
    Ok(Answer { status, kind, location, retry_after, bytes, token: None })
}

/// An answer that says yes, and is not larger than allowed.
fn judged(answer: Answer, limit: u64, expected: &str) -> Result<Answer, Trouble> {
    let Answer { status, location, retry_after, .. } = &answer;
    let found = format!("status {status}{}", answer::said(&answer));
    let advice = match status {
        200..300 if answer.bytes.len() as u64 <= limit => return Ok(answer),
        200..300 => {
            let found = format!("more than {limit} bytes");
            let advice = "nothing of it is used; ask it for smaller pictures, or see `picture_mb`";
            return Err(Trouble::told(expected, found, advice));
        }
        300..400 => {
            let to = location.parse::<Uri>().map(|uri| quoted(&address::host(&uri)));
            let to = to.ok().filter(|to| !to.is_empty()).unwrap_or_else(|| "elsewhere".into());
            let found = format!("status {status}, which leads to {to}");
            let advice = "no redirect is followed: `url` names the address that answers itself";
            return Err(Trouble::told(expected, found, advice));
        }
        401 | 403 => {
            "`key_env` in its configuration names the variable that holds its key, or name:password"
                .into()
        }
        404 | 405 => "is `url` its address, and does it speak this protocol?".into(),
        429 | 503 => match retry_after {
            Some(wait) => format!("it is busy, and asks to wait {} s", wait.as_secs()),
            None => "it is busy: try again later".into(),
        },
        400..500 => "it refuses what it is asked for: look at its keys in the configuration".into(),
        _ => "what went wrong stands in its own log".to_owned(),
    };
    Err(Trouble::told(expected, found, advice))
}
