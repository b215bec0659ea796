//! Which services there are: a TOML file, every key of which is known.
//!
//! Invariant: a key that would do nothing is an error that lists those that do something. Deliberately absent: keys
//! themselves; the file names the variables that hold them.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::{Table, Value};

use crate::{
    Error, Patience,
    limits::{
        CONFIG_BYTES, COUNT_MAX, MAKING, PICTURE_BYTES, SEARCHING, SERVICES_MAX, TIMEOUT_MAX,
        WORKFLOW_BYTES,
    },
    workflow::Workflow,
};

/// What stands for the caption in a `prompt`.
const CAPTION: &str = "{caption}";

/// The kinds of services that make pictures, as `kind` names them, with their own keys.
pub const KINDS: [(&str, &[&str]); 3] = [
    ("openai", &["model", "prompt", "size", "count", "response_format"]),
    (
        "a1111",
        &[
            "model",
            "prompt",
            "negative",
            "width",
            "height",
            "steps",
            "cfg_scale",
            "sampler",
            "count",
        ],
    ),
    ("comfyui", &["workflow", "model", "prompt", "negative", "width", "height"]),
];

/// The keys of every service.
const COMMON: [&str; 6] = ["name", "url", "key_env", "timeout", "picture_mb", "pictures_from"];

/// All services.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// In the file's order, those that make pictures first.
    pub services: Vec<Entry>,
}

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it is described, for messages: a file, and a place in it.
    pub from: (PathBuf, String),
    /// What the user calls it.
    pub name: String,
    /// Its address: of a service that makes pictures what stands before the protocol's paths.
    pub url: String,
    /// The variable that holds its key.
    pub key_env: Option<String>,
    /// Further origins that pictures may come from, as in `https://cdn.example.org`.
    pub pictures_from: Vec<String>,
    /// Bytes of a picture at most.
    pub picture_bytes: u64,
    /// How long is waited for what.
    pub patience: Patience,
    /// What it speaks.
    pub kind: Kind,
}

/// What a service speaks, with what it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `POST /v1/images/generations`.
    OpenAi(OpenAi),
    /// `POST /sdapi/v1/txt2img`.
    A1111(A1111),
    /// `POST /prompt`, then `GET /history/…`.
    ComfyUi(ComfyUi),
    /// The published demo's search.
    Search,
}

/// What an OpenAI images service is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAi {
    /// The model.
    pub model: String,
    /// The words, around the caption.
    pub prompt: Prompt,
    /// As in `1024x1024`; the service's if none.
    pub size: Option<String>,
    /// Pictures at once.
    pub count: usize,
    /// `b64_json` or `url`; some models take none.
    pub response_format: Option<String>,
}

/// What an AUTOMATIC1111 or Forge server is asked for; what is none is the server's own.
#[derive(Clone, Debug, PartialEq)]
pub struct A1111 {
    /// The checkpoint.
    pub model: Option<String>,
    /// The words, around the caption.
    pub prompt: Prompt,
    /// What should not be seen.
    pub negative: Option<String>,
    /// Pixels.
    pub width: Option<u64>,
    /// Pixels.
    pub height: Option<u64>,
    /// Steps of the sampler.
    pub steps: Option<u64>,
    /// How closely the words are followed.
    pub cfg_scale: Option<f64>,
    /// The sampler.
    pub sampler: Option<String>,
    /// Pictures at once.
    pub count: usize,
}

/// What a ComfyUI server is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ComfyUi {
    /// The graph, with slots.
    pub workflow: Workflow,
    /// What the graph makes pictures with, for the credits.
    pub model: Option<String>,
    /// The words, around the caption.
    pub prompt: Prompt,
    /// What should not be seen.
    pub negative: String,
    /// Pixels.
    pub width: u64,
    /// Pixels.
    pub height: u64,
}

/// Words around a caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// The words for a caption.
    pub fn of(&self, caption: &str) -> String {
        self.0.replace(CAPTION, caption)
    }
}

impl Config {
    /// The configuration in a file; workflows are looked for beside it.
    ///
    /// # Errors
    /// When a file cannot be read, or anything in it is not what can be used.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = text(path, "a configuration", CONFIG_BYTES)?;
        Self::parse(&text, path)
    }

    /// The configuration in a text that stands at `path`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let bad = |place: &str, what: String| Error::Config {
            path: path.into(),
            place: place.into(),
            what,
        };
        let mut table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| bad("", format!("it is no TOML: {error}")))?;
        let mut services = Vec::new();
        for kind in ["generate", "search"] {
            let entries = match table.remove(kind) {
                None => Vec::new(),
                Some(Value::Array(entries)) => entries,
                Some(other) => {
                    let found = other.type_str();
                    return Err(bad("", format!("`{kind}`: expected [[{kind}]], found a {found}")));
                }
            };
            for (at, entry) in entries.into_iter().enumerate() {
                let place = format!(", [[{kind}]] number {}", at + 1);
                let Value::Table(table) = entry else {
                    return Err(bad(
                        &place,
                        format!("expected keys, found a {}", entry.type_str()),
                    ));
                };
                let keys = Keys { path, place, table };
                services.push(if kind == "search" { keys.search()? } else { keys.generate()? });
            }
        }
        if let Some(key) = table.keys().next() {
            return Err(bad(
                "",
                format!("unknown key `{key}`; expected [[generate]] and [[search]]"),
            ));
        }
        if services.len() > SERVICES_MAX {
            let what = format!("{} services, the limit is {SERVICES_MAX}", services.len());
            return Err(bad("", what));
        }
        for (at, entry) in services.iter().enumerate() {
            if services[..at].iter().any(|other| other.name == entry.name) {
                let what =
                    format!("a second service is called {:?}; give it another `name`", entry.name);
                return Err(entry.bad(what));
            }
        }
        Ok(Self { services })
    }
}

impl Entry {
    /// An error of this entry.
    pub(crate) fn bad(&self, what: String) -> Error {
        let (path, place) = self.from.clone();
        Error::Config { path, place, what }
    }

    /// A variable or a proxy that cannot be used.
    pub(crate) fn unusable(&self, unusable: ixc_net::Unusable) -> Error {
        self.bad(unusable.to_string())
    }
}

/// A text file of at most so many bytes.
fn text(path: &Path, what: &'static str, limit: u64) -> Result<String, Error> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_string(&mut text))
        .map_err(|source| Error::File { path: path.into(), source })?;
    if text.len() as u64 > limit {
        return Err(Error::TooLarge { path: path.into(), what, limit });
    }
    Ok(text)
}

/// The keys of one service, each taken once.
struct Keys<'a> {
    path: &'a Path,
    place: String,
    table: Table,
}

impl Keys<'_> {
    fn bad(&self, what: String) -> Error {
        Error::Config { path: self.path.into(), place: self.place.clone(), what }
    }

    fn search(self) -> Result<Entry, Error> {
        self.only(&[])?;
        self.entry("search", SEARCHING, Kind::Search)
    }

    fn generate(mut self) -> Result<Entry, Error> {
        let names = KINDS.map(|(name, _)| format!("{name:?}")).join(", ");
        let kind = self.text("kind")?;
        let known = KINDS.iter().find(|(name, _)| kind.as_deref() == Some(name));
        let Some((name, own)) = known else {
            let found = kind.map_or("none".into(), |kind| format!("{kind:?}"));
            return Err(self.bad(format!("`kind`: expected one of {names}, found {found}")));
        };
        self.only(own)?;
        let kind = match *name {
            "openai" => Kind::OpenAi(self.openai()?),
            "a1111" => Kind::A1111(self.a1111()?),
            _ => Kind::ComfyUi(self.comfyui()?),
        };
        self.entry(name, MAKING, kind)
    }

    fn openai(&mut self) -> Result<OpenAi, Error> {
        let format = self.text("response_format")?;
        let response_format = match format.as_deref() {
            None => Some("b64_json".into()),
            Some("none") => None,
            Some("b64_json" | "url") => format,
            Some(found) => {
                return Err(self.bad(format!(
                    "`response_format`: expected \"b64_json\", \"url\" or \"none\" (it is not sent), found {found:?}"
                )));
            }
        };
        Ok(OpenAi {
            model: self.needed("model")?,
            prompt: self.prompt()?,
            size: self.text("size")?,
            count: self.count()?,
            response_format,
        })
    }

    fn a1111(&mut self) -> Result<A1111, Error> {
        Ok(A1111 {
            model: self.text("model")?,
            prompt: self.prompt()?,
            negative: self.text("negative")?,
            width: self.side("width")?,
            height: self.side("height")?,
            steps: self.number("steps", 1, 1000)?,
            cfg_scale: self.float("cfg_scale", 0.0, 100.0)?,
            sampler: self.text("sampler")?,
            count: self.count()?,
        })
    }

    fn comfyui(&mut self) -> Result<ComfyUi, Error> {
        let name = self.needed("workflow")?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        let json = text(&path, "a workflow", WORKFLOW_BYTES)?;
        let workflow = Workflow::parse(&json)
            .map_err(|what| self.bad(format!("`workflow`, {}: {what}", path.display())))?;
        Ok(ComfyUi {
            workflow,
            model: self.text("model")?,
            prompt: self.prompt()?,
            negative: self.text("negative")?.unwrap_or_default(),
            width: self.side("width")?.unwrap_or(1024),
            height: self.side("height")?.unwrap_or(1024),
        })
    }

    /// What every service has.
    fn entry(mut self, name: &str, whole: Duration, kind: Kind) -> Result<Entry, Error> {
        let timeout = self.number("timeout", 1, TIMEOUT_MAX)?;
        let whole = timeout.map_or(whole, Duration::from_secs);
        let megabytes = self.number("picture_mb", 1, 256)?;
        Ok(Entry {
            name: self.text("name")?.unwrap_or_else(|| name.into()),
            url: self.needed("url")?,
            key_env: self.text("key_env")?,
            pictures_from: self.texts("pictures_from")?,
            picture_bytes: megabytes.map_or(PICTURE_BYTES, |megabytes| megabytes << 20),
            patience: Patience { whole, ..Patience::default() },
            kind,
            from: (self.path.into(), self.place),
        })
    }

    /// Refuses keys that are neither of every service nor of this kind.
    fn only(&self, own: &[&str]) -> Result<(), Error> {
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.bad(format!("unknown key `{key}`; known: {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        self.bad(format!("`{key}`: expected {expected}, found {found}"))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "a text that is not empty", &other)),
        }
    }

    fn needed(&mut self, key: &str) -> Result<String, Error> {
        self.text(key)?.ok_or_else(|| self.bad(format!("`{key}` is missing")))
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>, Error> {
        let Some(value) = self.table.remove(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|values| {
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        });
        texts.ok_or_else(|| self.wrong(key, "a list of texts", &value))
    }

    fn number(&mut self, key: &str, least: u64, most: u64) -> Result<Option<u64>, Error> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, &format!("a whole number from {least} to {most}"), &value)),
        }
    }

    fn float(&mut self, key: &str, least: f64, most: f64) -> Result<Option<f64>, Error> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let number = value.as_float().or(value.as_integer().map(|number| number as f64));
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, &format!("a number from {least} to {most}"), &value)),
        }
    }

    fn side(&mut self, key: &str) -> Result<Option<u64>, Error> {
        self.number(key, 16, 8192)
    }

    fn count(&mut self) -> Result<usize, Error> {
        Ok(self.number("count", 1, COUNT_MAX)?.unwrap_or(1) as usize)
    }

    fn prompt(&mut self) -> Result<Prompt, Error> {
        let prompt = self.text("prompt")?.unwrap_or_else(|| CAPTION.into());
        if !prompt.contains(CAPTION) {
            return Err(self.bad(format!(
                "`prompt`: expected {CAPTION} where the caption goes, found {prompt:?}"
            )));
        }
        Ok(Prompt(prompt))
    }
}
