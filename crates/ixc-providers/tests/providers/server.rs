//! A small HTTP server: one thread and one request a connection, a log of what it was asked, and whatever answer a
//! test wants, including those that never end.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use base64::prelude::{BASE64_STANDARD, Engine};
use ixc_compose::{
    Service,
    service::{Failed, Given, Key, Wanted},
};
use ixc_providers::{Config, open};
use serde_json::Value;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, path and query.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What comes behind the head.
#[derive(Clone, Copy, Default)]
pub(crate) enum Body {
    /// The whole of it.
    #[default]
    Whole,
    /// So many bytes, then the connection ends.
    Cut(usize),
    /// Again and again, until the client goes away.
    Endless,
    /// A byte now and then, until the client goes away.
    Drip,
}

/// An answer.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: String,
    bytes: Vec<u8>,
    body: Body,
    /// Instead of all that: nothing, until the client goes away.
    silent: bool,
    /// Instead of all that: these bytes.
    raw: Option<&'static str>,
}

impl Reply {
    pub(crate) fn new(status: u16, bytes: impl Into<Vec<u8>>) -> Self {
        Self { status, bytes: bytes.into(), ..Self::default() }
    }

    pub(crate) fn json(json: Value) -> Self {
        Self::new(200, json.to_string()).with("Content-Type", "application/json")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn silence() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(crate) fn raw(raw: &'static str) -> Self {
        Self { raw: Some(raw), ..Self::default() }
    }
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A running server. Stops when dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (log, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        let answers: Arc<Answers> = Arc::new(answers);
        let (its_log, its_stop) = (log.clone(), stop.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if its_stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (log, stop, answers) = (its_log.clone(), its_stop.clone(), answers.clone());
                // A client that goes away in the middle is part of the tests.
                thread::spawn(move || drop(serve(stream, &log, &stop, &*answers)));
            }
        });
        Self { addr, log, stop }
    }

    /// Gives the same answer to everything.
    pub(crate) fn saying(reply: Reply) -> Self {
        Self::start(move |_| reply.clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    stop: &AtomicBool,
    answers: &Answers,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some((line, _)) = line.rsplit_once(" HTTP") else { return Ok(()) };
    let mut asked = Asked { line: line.into(), headers: Vec::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut asked.body)?;
    log.lock().unwrap().push(asked.clone());
    let reply = answers(&asked);
    if let Some(raw) = reply.raw {
        return stream.write_all(raw.as_bytes());
    }
    if reply.silent {
        stream.set_read_timeout(Some(Duration::from_millis(10)))?;
        while !stop.load(Ordering::SeqCst) && !matches!(stream.read(&mut [0]), Ok(0)) {}
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n{}", reply.status, reply.headers);
    if matches!(reply.body, Body::Whole | Body::Cut(_)) {
        head += &format!("Content-Length: {}\r\n", reply.bytes.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    match reply.body {
        Body::Whole => stream.write_all(&reply.bytes),
        Body::Cut(bytes) => stream.write_all(&reply.bytes[..bytes]),
        Body::Endless => loop {
            stream.write_all(&reply.bytes)?;
        },
        Body::Drip => loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(10));
        },
    }
}

/// A key that must stand nowhere but in its header.
pub(crate) const KEY: &str = "sk-SECRET-0123";

/// The one service of a configuration, ending everything after so many milliseconds.
pub(crate) fn service(toml: &str, milliseconds: u64) -> Box<dyn Service> {
    service_as(KEY, toml, milliseconds)
}

/// The same with another key.
pub(crate) fn service_as(key: &'static str, toml: &str, milliseconds: u64) -> Box<dyn Service> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("workflow.json"), WORKFLOW).unwrap();
    let mut config = Config::parse(toml, &folder.path().join("providers.toml")).unwrap();
    for entry in &mut config.services {
        entry.patience.whole = Duration::from_millis(milliseconds);
        entry.patience.poll = Duration::from_millis(5);
        entry.patience.backoff = Duration::from_millis(5);
        // A busy machine must not make a test fail.
        entry.patience.farewell = Duration::from_millis(LONG);
        entry.picture_bytes = entry.picture_bytes.min(64 << 10);
    }
    let get = |name: &str| (name == "PAINTER_KEY").then(|| OsString::from(key));
    let services = open(config, &get).unwrap();
    assert!(!format!("{services:?}").contains(key));
    services.generators.into_iter().chain(services.searches).next().unwrap()
}

/// A workflow with all slots.
pub(crate) const WORKFLOW: &str = r#"{
    "3": {"class_type": "KSampler", "inputs": {"seed": "{seed}", "positive": ["6", 0]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": "{width}", "height": "{height}"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "oil, {prompt}"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "{negative}"}}
}"#;

/// Long enough for anything that ends by itself.
pub(crate) const LONG: u64 = 60_000;

/// The configuration of each kind at an address.
pub(crate) fn configured(kind: &str, url: &str) -> String {
    let own = match kind {
        "search" => {
            let url = format!("url = \"{url}/image/similar\"");
            return format!("[[search]]\nname = \"finder\"\nkey_env = \"PAINTER_KEY\"\n{url}");
        }
        "openai" => "model = \"brush-2\"\nsize = \"512x512\"\ncount = 2",
        "a1111" => "negative = \"text\"\nwidth = 640\nsteps = 20\ncfg_scale = 7\ncount = 2",
        _ => "workflow = \"workflow.json\"\nnegative = \"text\"\nwidth = 640\nheight = 480",
    };
    let common = "name = \"painter\"\nkey_env = \"PAINTER_KEY\"";
    format!("[[generate]]\nkind = \"{kind}\"\n{common}\nurl = \"{url}/\"\n{own}")
}

pub(crate) const CAPTION: &str = "A \"boat\" by the lake, on a calm summer evening, with \\ a dog";

/// Asks for four pictures.
pub(crate) fn ask(service: &dyn Service, exclude: &[Key]) -> Result<Given, Failed> {
    let wanted = Wanted { caption: CAPTION, exclude, most: 4, seed: 7 };
    service.pictures(&wanted, &|| false)
}

/// Why it gives nothing.
pub(crate) fn refusal(service: &dyn Service) -> String {
    match ask(service, &[]) {
        Err(Failed::Because(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// A picture of one colour as a file, and its Base64.
pub(crate) fn bmp(red: u8) -> Vec<u8> {
    sized(1, 1, red)
}

/// As [`bmp`], of whatever size its head states.
pub(crate) fn sized(width: u32, height: u32, red: u8) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for number in [58, 0, 54, 40, width, height] {
        file.extend(number.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    file.extend([0, 0, red, 0]);
    file
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Reads a configuration that stands nowhere.
pub(crate) fn parsed(toml: &str) -> Result<Config, String> {
    Config::parse(toml, Path::new("providers.toml")).map_err(|error| error.to_string())
}
