//! A hub with one model and a file store on another port, and a cache in a temporary folder.
//!
//! It speaks as the real one does: the listing with `?blobs=true`; small files behind a relative
//! redirect, with a git blob id as ETag; large ones behind a redirect to a signed address elsewhere,
//! with `X-Linked-ETag` and `X-Linked-Size` on the redirect. A test changes an answer with `intercept`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ixc_hub::{Error, Progress, Pulled, RepoId, Result, Settings, pull};
use sha1::Digest as _;

use crate::server::{Request, Response, Server};

pub(crate) const REPO: &str = "org/model";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// A part of every signed address: it must not show in any message.
pub(crate) const SIGNATURE: &str = "sig-SECRET-of-the-address";

/// A file of the model. Large files have SHA-256 digests and lie in the file store.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) large: bool,
}

pub(crate) fn small(name: &str, text: &str) -> File {
    File { name: name.to_owned(), bytes: text.as_bytes().to_vec(), large: false }
}

/// Bytes that differ from place to place, so that a wrong offset shows.
pub(crate) fn large(name: &str, len: usize) -> File {
    let byte = |n: usize| (n.wrapping_mul(2_654_435_761) >> 13) as u8;
    File { name: name.to_owned(), bytes: (0..len).map(byte).collect(), large: true }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

pub(crate) fn git_blob(bytes: &[u8]) -> String {
    let mut hash = sha1::Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

impl File {
    pub(crate) fn digest(&self) -> String {
        if self.large { sha256(&self.bytes) } else { git_blob(&self.bytes) }
    }
}

/// A model like the published ones, in miniature.
pub(crate) fn model() -> Vec<File> {
    let card = "---\nlicense: other\ntags:\n- vision\n---\n# Model\nHello.\n\n### Open Source License\n\
        The code is one thing, the weights are another.\n\n# End\n";
    vec![
        small("config.json", r#"{"hidden_size": 4}"#),
        small("generation_config.json", "{}"),
        small("README.md", card),
        small("modeling_internlm_xcomposer2.py", "import os; os.system('echo hostile')"),
        small(".gitattributes", "*.bin filter=lfs"),
        small("examples/readme.txt", "nothing"),
        small(
            "model.safetensors.index.json",
            r#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#,
        ),
        small("pytorch_model.bin.index.json", r#"{"weight_map":{}}"#),
        large("tokenizer.model", 5_000),
        large("model-00001-of-00002.safetensors", 700_000),
        large("model-00002-of-00002.safetensors", 300_001),
        large("pytorch_model-00001-of-00001.bin", 100_000),
    ]
}

/// The names of [`model`] that a pull takes, in its order.
pub(crate) const TAKEN: [&str; 7] = [
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.model",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
];

type Intercept = Box<dyn FnMut(&Request) -> Option<Response> + Send>;

/// What the servers know.
pub(crate) struct State {
    /// Commits and their files.
    pub(crate) commits: BTreeMap<String, Vec<File>>,
    /// Branches and tags.
    pub(crate) refs: BTreeMap<String, String>,
    /// A mirror that tells neither sizes nor digests in its listing.
    pub(crate) bare_listing: bool,
    /// A store that cannot resume.
    pub(crate) ignores_range: bool,
    intercept: Intercept,
}

/// The hub, its store, and a cache.
pub(crate) struct Hub {
    pub(crate) hub: Server,
    pub(crate) store: Server,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) folder: tempfile::TempDir,
}

impl Hub {
    pub(crate) fn new(files: Vec<File>) -> Self {
        let state = Arc::new(Mutex::new(State {
            commits: BTreeMap::from([(COMMIT.to_owned(), files)]),
            refs: BTreeMap::from([("main".to_owned(), COMMIT.to_owned())]),
            bare_listing: false,
            ignores_range: false,
            intercept: Box::new(|_| None),
        }));
        let at_store = state.clone();
        let store = Server::start(move |request| {
            let mut state = at_store.lock().unwrap();
            (state.intercept)(request).unwrap_or_else(|| store_answer(&state, request))
        });
        let (at_hub, store_url) = (state.clone(), store.url());
        let hub = Server::start(move |request| {
            let mut state = at_hub.lock().unwrap();
            (state.intercept)(request).unwrap_or_else(|| hub_answer(&state, request, &store_url))
        });
        Hub { hub, store, state, folder: tempfile::tempdir().unwrap() }
    }

    /// Lets a function answer instead, where it wants to.
    pub(crate) fn intercept(&self, f: impl FnMut(&Request) -> Option<Response> + Send + 'static) {
        self.state.lock().unwrap().intercept = Box::new(f);
    }

    /// The cache's folder.
    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("outer/cache")
    }

    /// The model's folder in it.
    pub(crate) fn model(&self) -> PathBuf {
        self.cache().join("models--org--model")
    }

    /// Settings for a test: hasty.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.cache());
        settings.endpoint = self.hub.url();
        settings.connect_timeout = Duration::from_secs(5);
        settings.read_timeout = Duration::from_secs(5);
        settings.retries = 3;
        settings.backoff = Duration::from_millis(1);
        settings
    }

    pub(crate) fn pull(&self) -> Result<Pulled> {
        self.pull_at(None)
    }

    pub(crate) fn pull_at(&self, revision: Option<&str>) -> Result<Pulled> {
        pull(&repo(), revision, &self.settings(), &mut go_on)
    }

    /// Forgets all requests so far.
    pub(crate) fn forget(&self) {
        self.hub.forget();
        self.store.forget();
    }

    /// The file of the listed model.
    pub(crate) fn file(&self, name: &str) -> File {
        let state = self.state.lock().unwrap();
        state.commits[COMMIT].iter().find(|f| f.name == name).unwrap().clone()
    }

    /// Where the bytes of a file lie when complete.
    pub(crate) fn blob(&self, name: &str) -> PathBuf {
        self.model().join("blobs").join(self.file(name).digest())
    }

    /// Where they lie until then.
    pub(crate) fn partial(&self, name: &str) -> PathBuf {
        let blob = self.blob(name);
        blob.with_file_name(format!("{}.incomplete", self.file(name).digest()))
    }
}

pub(crate) fn repo() -> RepoId {
    RepoId::new(REPO).unwrap()
}

/// A progress function that never stops.
pub(crate) fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Whether a request to either server is for this file.
pub(crate) fn is_for(request: &Request, name: &str) -> bool {
    request.target.split('?').next().is_some_and(|path| path.ends_with(&format!("/{name}")))
}

/// The text of an error, with all a program could print of it, checked for secrets.
pub(crate) fn words<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("expected an error") };
    let all = format!("{error} {error:?} {error:#?}");
    assert!(!all.contains("SECRET"), "a secret shows: {all}");
    error.to_string()
}

/// The error itself.
pub(crate) fn error<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error,
    }
}

/// Every path below a folder, sorted, with the content of files and the targets of links.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten() {
            let path = entry.unwrap().path();
            if let Ok(target) = std::fs::read_link(&path) {
                out.insert(path, target.into_os_string().into_encoded_bytes());
            } else if path.is_dir() {
                out.insert(path.clone(), Vec::new());
                open.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                out.insert(path, bytes);
            }
        }
    }
    out
}

fn not_found(code: &str) -> Response {
    Response::new(404).with("X-Error-Code", code)
}

fn hub_answer(state: &State, request: &Request, store: &str) -> Response {
    let path = request.target.split('?').next().unwrap_or_default();
    if let Some(revision) = path.strip_prefix(&format!("/api/models/{REPO}/revision/")) {
        let revision = revision.replace("%2F", "/");
        let commit = state.refs.get(&revision).unwrap_or(&revision);
        return match state.commits.get(commit) {
            Some(files) => Response::new(200).body(listing(commit, files, state.bare_listing)),
            None => not_found("RevisionNotFound"),
        };
    }
    let (is_moved, rest) = match path.strip_prefix("/api/resolve-cache") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let Some(rest) = rest.strip_prefix(&format!("/{REPO}/resolve/")) else {
        return not_found("RepoNotFound");
    };
    let Some((commit, name)) = rest.split_once('/') else { return not_found("EntryNotFound") };
    let file = state.commits.get(commit).and_then(|files| files.iter().find(|f| f.name == name));
    let Some(file) = file else { return not_found("EntryNotFound") };
    let etag = format!("\"{}\"", file.digest());
    if file.large {
        return Response::new(302)
            .with("Location", format!("{store}/{commit}/{name}?X-Sig={SIGNATURE}"))
            .with("X-Repo-Commit", commit)
            .with("X-Linked-ETag", etag)
            .with("X-Linked-Size", file.bytes.len().to_string());
    }
    if !is_moved {
        return Response::new(307).with("Location", format!("/api/resolve-cache{path}"));
    }
    Response::new(200).with("X-Repo-Commit", commit).with("ETag", etag).body(file.bytes.clone())
}

fn store_answer(state: &State, request: &Request) -> Response {
    let path = request.target.split('?').next().unwrap_or_default();
    let (commit, name) = path[1..].split_once('/').unwrap_or_default();
    let file = state.commits.get(commit).and_then(|files| files.iter().find(|f| f.name == name));
    let Some(file) = file else { return Response::new(404) };
    ranged(&file.bytes, request.range().filter(|_| !state.ignores_range))
        // Stores have digests of their own, which are not the hub's.
        .with("ETag", "\"9bb58f26192e4ba00f01e2e7b136bbd8-12\"")
}

/// The bytes from `range` on, as RFC 9110 wants it.
pub(crate) fn ranged(bytes: &[u8], range: Option<usize>) -> Response {
    match range {
        None => Response::new(200).body(bytes),
        Some(from) if from < bytes.len() => Response::new(206)
            .with("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))
            .body(&bytes[from..]),
        Some(_) => Response::new(416).with("Content-Range", format!("bytes */{}", bytes.len())),
    }
}

/// The listing as JSON.
pub(crate) fn listing(commit: &str, files: &[File], bare: bool) -> String {
    let siblings: Vec<_> = files
        .iter()
        .map(|file| {
            let (name, size) = (&file.name, file.bytes.len());
            match (bare, file.large) {
                (true, _) => serde_json::json!({ "rfilename": name }),
                (false, false) => serde_json::json!({
                    "rfilename": name, "size": size, "blobId": git_blob(&file.bytes) }),
                (false, true) => serde_json::json!({
                    "rfilename": name, "size": size, "blobId": git_blob(b"a pointer"),
                    "lfs": { "sha256": sha256(&file.bytes), "size": size, "pointerSize": 134 } }),
            }
        })
        .collect();
    serde_json::json!({
        "id": REPO, "sha": commit, "gated": false, "tags": ["vision", "license:other"],
        "cardData": { "license": "other", "license_name": "acme-weights" },
        "siblings": siblings,
    })
    .to_string()
}
