//! Where the cache is, which hub is asked, as whom, and how patiently.
//!
//! Settings are passed explicitly; nothing here looks at the process. [`Settings::from_variables`]
//! applies the rules that `huggingface_hub` applies to its variables, on whatever function the
//! caller gives for looking them up. A token never leaves through `Debug`, `Display` or an error.
//! Deliberately absent: writing tokens (login) and refreshing those of browser logins.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ixc_net::{Proxy, Token, limits::MAX_TOKEN_BYTES};

use crate::error::{Error, Result};

/// The hub that is asked when nothing else is said.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Everything that steers this crate.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cache's folder, the one that holds `models--org--name` (`…/huggingface/hub`).
    pub cache: PathBuf,
    /// The hub's address, `https://huggingface.co` or a mirror's; a path prefix is allowed.
    pub endpoint: String,
    /// Who asks. Sent to the endpoint's own scheme, host and port, and nowhere else.
    pub token: Option<Token>,
    /// Never use the network.
    pub offline: bool,
    /// The proxy through which all connections go.
    pub proxy: Option<Proxy>,
    /// Longest wait for a connection, names and TLS included.
    pub connect_timeout: Duration,
    /// Longest silence of a server, before the answer's head and between two pieces of its body.
    pub read_timeout: Duration,
    /// How often a failed request is tried again when nothing new arrived in between.
    pub retries: u32,
    /// Pause before the first retry; each further one doubles it.
    pub backoff: Duration,
}

impl Settings {
    /// The public hub, no token, online, patient enough for a bad line.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Settings {
            cache: cache.into(),
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token: None,
            offline: false,
            proxy: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(15),
            retries: 5,
            backoff: Duration::from_millis(500),
        }
    }

    /// Settings from variables, by the rules of `huggingface_hub`.
    ///
    /// `get` looks a variable up; `home` is the user's home folder. Empty counts as unset.
    /// - cache: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `$HF_HOME/hub`, where `HF_HOME`
    ///   is `$XDG_CACHE_HOME/huggingface` or `~/.cache/huggingface` when unset
    /// - token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH` or
    ///   `$HF_HOME/token`; none by itself with `HF_HUB_DISABLE_IMPLICIT_TOKEN`
    /// - hub: `HF_ENDPOINT`; offline: `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`
    /// - silence: `HF_HUB_DOWNLOAD_TIMEOUT`, in seconds
    /// - proxy: `HTTPS_PROXY`, else `ALL_PROXY` (`HTTP_PROXY` for a plain `http` hub), in capitals
    ///   or not, with the exceptions of `NO_PROXY`
    ///
    /// Reads the token file. Fails when a variable is not usable or no cache folder can be named.
    pub fn from_variables(
        get: impl Fn(&str) -> Option<OsString>,
        home: Option<&Path>,
    ) -> Result<Self> {
        let vars = Variables { get: &get, home };
        let hf_home = vars.hf_home()?;
        let cache = match vars.path("HF_HUB_CACHE")?.or(vars.path("HUGGINGFACE_HUB_CACHE")?) {
            Some(cache) => cache,
            None => hf_home.clone().ok_or_else(no_home)?.join("hub"),
        };
        let mut settings = Settings::new(cache);
        if let Some(endpoint) = vars.text("HF_ENDPOINT")? {
            settings.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        settings.offline =
            vars.is_true("HF_HUB_OFFLINE")? || vars.is_true("TRANSFORMERS_OFFLINE")?;
        if let Some(text) = vars.text("HF_HUB_DOWNLOAD_TIMEOUT")? {
            settings.read_timeout = seconds_of("HF_HUB_DOWNLOAD_TIMEOUT", &text)?;
        }
        settings.token = vars.token(hf_home.as_deref())?;
        settings.proxy = Proxy::from_variables(&get, &settings.endpoint)?;
        Ok(settings)
    }
}

/// The caller's variables, with the rules of how to read one.
struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<OsString>,
    home: Option<&'a Path>,
}

impl Variables<'_> {
    /// A variable as text.
    fn text(&self, name: &str) -> Result<Option<String>> {
        Ok(ixc_net::settings::text(self.get, name)?)
    }

    /// A variable as a switch: `1`, `on`, `yes`, `true` in any case.
    fn is_true(&self, name: &str) -> Result<bool> {
        let truths = ["1", "on", "yes", "true"];
        Ok(self.text(name)?.is_some_and(|v| truths.contains(&v.to_ascii_lowercase().as_str())))
    }

    /// A variable as a path, with a leading `~` and `$NAME` or `${NAME}` expanded.
    fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(value) = (self.get)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let Some(text) = value.to_str() else {
            return Ok(Some(PathBuf::from(value)));
        };
        let text = self.expand(text)?;
        match (text.strip_prefix('~'), self.home) {
            (Some(""), Some(home)) => Ok(Some(home.to_path_buf())),
            (Some(rest), Some(home)) if rest.starts_with('/') => {
                Ok(Some(home.join(rest.trim_start_matches('/'))))
            }
            _ => Ok(Some(PathBuf::from(text))),
        }
    }

    /// Replaces `$NAME` and `${NAME}` where the variable is set.
    fn expand(&self, text: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let after = &rest[at + 1..];
            let (name, used) = match after.strip_prefix('{').and_then(|b| b.split_once('}')) {
                Some((name, _)) => (name, name.len() + 2),
                None => {
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            out.push_str(&rest[..at]);
            match if name.is_empty() { None } else { self.text(name)? } {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[at..at + 1 + used]),
            }
            rest = &after[used..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// `HF_HOME` or its default; `None` when there is no home to build it on.
    fn hf_home(&self) -> Result<Option<PathBuf>> {
        if let Some(path) = self.path("HF_HOME")? {
            return Ok(Some(path));
        }
        let caches = match self.path("XDG_CACHE_HOME")? {
            Some(path) => Some(path),
            None => self.home.map(|home| home.join(".cache")),
        };
        Ok(caches.map(|caches| caches.join("huggingface")))
    }

    /// The token, from the variables or the file.
    fn token(&self, hf_home: Option<&Path>) -> Result<Option<Token>> {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(value) = self.text(name)?
                && let Some(token) = Token::new(name, &value)?
            {
                return Ok(Some(token));
            }
        }
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")? {
            return Ok(None);
        }
        match self.path("HF_TOKEN_PATH")?.or_else(|| hf_home.map(|home| home.join("token"))) {
            Some(path) => read_token(&path),
            None => Ok(None),
        }
    }
}

/// A number of seconds, at least one.
fn seconds_of(name: &str, text: &str) -> Result<Duration> {
    match text.trim().parse::<u64>() {
        Ok(n) if (1..=86_400).contains(&n) => Ok(Duration::from_secs(n)),
        _ => Err(Error::Setting {
            name: name.to_owned(),
            why: format!("expected whole seconds from 1 to 86400, found '{}'", text.escape_debug()),
        }),
    }
}

/// No cache folder can be named.
fn no_home() -> Error {
    Error::Setting {
        name: "HF_HOME".to_owned(),
        why: "it is not set and there is no home folder; set HF_HOME or HF_HUB_CACHE".to_owned(),
    }
}

/// Reads a token file; a file that does not exist is no token.
fn read_token(path: &Path) -> Result<Option<Token>> {
    let cannot = |e| Error::io("cannot read the token file", path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(cannot(e)),
    };
    let mut text = String::new();
    file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    Ok(Token::new(&format!("the token in {}", path.display()), &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn settings(pairs: &[(&str, &str)], home: Option<&str>) -> Result<Settings> {
        let vars: HashMap<_, _> = pairs.iter().copied().collect();
        Settings::from_variables(|name| vars.get(name).map(OsString::from), home.map(Path::new))
    }

    fn cache(pairs: &[(&str, &str)]) -> String {
        settings(pairs, Some("/home/u")).unwrap().cache.to_str().unwrap().to_owned()
    }

    #[test]
    fn cache_folder() {
        assert_eq!(cache(&[]), "/home/u/.cache/huggingface/hub");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        let home = ("HF_HOME", "/hf");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), home]), "/hf/hub");
        let old = ("HUGGINGFACE_HUB_CACHE", "/old");
        assert_eq!(cache(&[home, old]), "/old");
        assert_eq!(cache(&[home, old, ("HF_HUB_CACHE", "/new")]), "/new");
        assert_eq!(cache(&[("HF_HUB_CACHE", ""), home]), "/hf/hub");
        assert_eq!(cache(&[("HF_HUB_CACHE", "~/c")]), "/home/u/c");
        assert_eq!(cache(&[("HF_HOME", "~")]), "/home/u/hub");
        assert_eq!(cache(&[("D", "/d"), ("HF_HUB_CACHE", "$D/${D}x/$NO/$")]), "/d//dx/$NO/$");
        assert_eq!(cache(&[("HF_HUB_CACHE", "${D")]), "${D");
        assert!(settings(&[], None).unwrap_err().to_string().contains("HF_HOME"));
        assert!(settings(&[("HF_HUB_CACHE", "/c")], None).is_ok());
    }

    #[test]
    fn switches_endpoint_and_timeout() {
        for (value, want) in [("1", true), ("ON", true), ("Yes", true), ("0", false), ("", false)] {
            let got = settings(&[("HF_HUB_OFFLINE", value)], Some("/h")).unwrap();
            assert_eq!(got.offline, want, "{value}");
        }
        assert!(settings(&[("TRANSFORMERS_OFFLINE", "true")], Some("/h")).unwrap().offline);
        let got = settings(&[("HF_ENDPOINT", "https://mirror.test/hf//")], Some("/h")).unwrap();
        assert_eq!(got.endpoint, "https://mirror.test/hf");
        assert_eq!(settings(&[], Some("/h")).unwrap().endpoint, DEFAULT_ENDPOINT);
        let got = settings(&[("HF_HUB_DOWNLOAD_TIMEOUT", "33")], Some("/h")).unwrap();
        assert_eq!(got.read_timeout, Duration::from_secs(33));
        assert!(settings(&[("HF_HUB_DOWNLOAD_TIMEOUT", "soon")], Some("/h")).is_err());
    }

    #[test]
    fn tokens() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let secret = |pairs: &[(&str, &str)]| {
            let all: Vec<_> = pairs.iter().copied().chain([("HF_HOME", home)]).collect();
            settings(&all, None).unwrap().token.map(|t| t.secret().to_owned())
        };
        assert_eq!(secret(&[]), None);
        std::fs::write(folder.path().join("token"), "hf_file\r\n").unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, " hf_other ").unwrap();
        assert_eq!(secret(&[]).as_deref(), Some("hf_file"));
        let path = ("HF_TOKEN_PATH", other.to_str().unwrap());
        assert_eq!(secret(&[path]).as_deref(), Some("hf_other"));
        assert_eq!(secret(&[path, ("HF_TOKEN", "hf_var")]).as_deref(), Some("hf_var"));
        assert_eq!(secret(&[("HUGGING_FACE_HUB_TOKEN", "hf_old")]).as_deref(), Some("hf_old"));
        assert_eq!(secret(&[("HF_TOKEN", " \n")]).as_deref(), Some("hf_file"));
        assert_eq!(secret(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
    }

    #[test]
    fn secrets_do_not_print() {
        let got = settings(
            &[("HF_TOKEN", "hf_SECRET"), ("HTTPS_PROXY", "http://u:SECRET@proxy:1")],
            Some("/h"),
        );
        let shown = format!("{:?} {:#?}", got.as_ref().unwrap(), got.as_ref().unwrap());
        assert!(!shown.contains("SECRET") && shown.contains("Token(***)"), "{shown}");
        let error = settings(&[("HF_TOKEN", "hf_SECRET\u{7}x")], Some("/h")).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("SECRET") && shown.contains("HF_TOKEN"), "{shown}");
    }

    #[test]
    fn proxies() {
        let proxy = |pairs: &[(&str, &str)]| settings(pairs, Some("/h")).unwrap().proxy;
        assert_eq!(proxy(&[("HTTP_PROXY", "http://p")]), None);
        let url = |pairs: &[(&str, &str)]| proxy(pairs).map(|p| p.url);
        assert_eq!(url(&[("https_proxy", "http://low")]).as_deref(), Some("http://low"));
        assert_eq!(url(&[("ALL_PROXY", "http://all")]).as_deref(), Some("http://all"));
        let plain = [("HF_ENDPOINT", "http://mirror"), ("HTTP_PROXY", "http://p")];
        assert_eq!(url(&plain).as_deref(), Some("http://p"));
        let got = proxy(&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", "localhost, .lan ,")]).unwrap();
        assert_eq!(got.except, ["localhost", ".lan"]);
    }
}
