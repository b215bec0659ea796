//! What lies beside a picture: `NAME.json`, a line of the folder's list, `NAME.txt`.
//!
//! One form of JSON for both (the keys of [`About`], with the names that other programs use for the same);
//! whatever other keys there are is not ours to judge. Invariant: a file that cannot be used is told, never
//! passed over in silence. Deliberately absent: the picture's own file (`embedded`).

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    About, Complaint,
    entry::{Caption, Generated, Origin},
    limits::{MAX_LIST_BYTES, MAX_SIDECAR_BYTES, MAX_TEXT_BYTES, MAX_TEXTS},
    words::is_sign,
};

/// Lists of a folder's captions, a line of JSON for each picture: our own, and the one of published data sets.
pub const LISTS: [&str; 2] = ["library.jsonl", "metadata.jsonl"];

/// The list of one folder.
#[derive(Debug, Default)]
pub(crate) struct List {
    folder: PathBuf,
    lines: HashMap<String, About>,
}

impl List {
    /// Reads a folder's lists.
    pub(crate) fn of(folder: &Path, complaints: &mut Vec<Complaint>) -> Self {
        let mut list = Self { folder: folder.into(), lines: HashMap::new() };
        for name in LISTS {
            let path = folder.join(name);
            match read(&path, MAX_LIST_BYTES) {
                Ok(None) => {}
                Err(reason) => complaints.push(Complaint { path, reason }),
                Ok(Some(text)) => list.read(&path, &text, complaints),
            }
        }
        list
    }

    /// Whether it is that folder's.
    pub(crate) fn is_of(&self, folder: &Path) -> bool {
        self.folder == folder
    }

    fn read(&mut self, path: &Path, text: &str, complaints: &mut Vec<Complaint>) {
        let mut complain = |number: usize, what: &str| {
            let reason = format!("line {}: {what}", number + 1);
            complaints.push(Complaint { path: path.into(), reason });
        };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let value = match serde_json::from_str::<Value>(line) {
                Ok(Value::Object(object)) => object,
                _ => return complain(number, "expected a JSON object; nothing behind it was read"),
            };
            let file = ["file", "file_name"].iter().find_map(|key| value.get(*key)?.as_str());
            match (file, about(&value)) {
                (None, _) => complain(number, "names no picture; expected the key \"file\""),
                (_, Err(what)) => complain(number, &what),
                (Some(file), Ok(about)) => {
                    self.lines.entry(file.to_owned()).or_default().fill(about);
                }
            }
        }
    }
}

/// What is said about a picture beside it. `list` is its folder's.
pub(crate) fn about_of(picture: &Path, list: &List, complaints: &mut Vec<Complaint>) -> About {
    let mut found = About::default();
    let name = picture.file_name().unwrap_or_default();
    let with = |ending: &str| {
        let mut whole = name.to_owned();
        whole.push(format!(".{ending}"));
        [picture.with_extension(ending), picture.with_file_name(whole)]
    };
    for path in with("json") {
        match read(&path, MAX_SIDECAR_BYTES)
            .and_then(|text| text.map(|text| json(&text)).transpose())
        {
            Ok(about) => found.fill(about.unwrap_or_default()),
            Err(reason) => complaints.push(Complaint { path, reason }),
        }
    }
    if let Some(line) = name.to_str().and_then(|name| list.lines.get(name)) {
        found.fill(line.clone());
    }
    for path in with("txt") {
        let caption = read(&path, MAX_SIDECAR_BYTES).and_then(|text| {
            let text = text.map(|text| tidy(&text)).transpose()?;
            Ok(text.filter(|text| !text.is_empty()))
        });
        match caption {
            Ok(None) => {}
            Ok(Some(text)) => {
                let captions = vec![caption_of(text, None, Origin::Sidecar)];
                found.fill(About { captions, ..About::default() });
            }
            Err(reason) => complaints.push(Complaint { path, reason }),
        }
    }
    found
}

/// A text file; `None` where there is no regular file.
fn read(path: &Path, limit: u64) -> Result<Option<String>, String> {
    // What is no regular file is not opened: a pipe would wait for its other end.
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(None) };
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > limit {
        let found = metadata.len();
        return Err(format!("has {found} bytes, the limit of such a file is {limit}; not read"));
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8; not read".to_owned())?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

fn json(text: &str) -> Result<About, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => about(&object),
        Ok(_) => Err("expected a JSON object; not read".into()),
        Err(error) => Err(format!("is not JSON (line {}); not read", error.line())),
    }
}

/// The first of these keys that has a text.
fn text(object: &Map<String, Value>, keys: &[&str]) -> Result<Option<String>, String> {
    let found = keys.iter().find_map(|key| object.get(*key)?.as_str());
    let found = found.map(tidy).transpose()?;
    Ok(found.filter(|text| !text.is_empty()))
}

/// What an object says, under our names or those that others use.
pub(crate) fn about(object: &Map<String, Value>) -> Result<About, String> {
    let mut captions: Vec<Caption> = match object.get("captions") {
        None => Vec::new(),
        Some(list) => serde_json::from_value(list.clone()).map_err(|_| {
            "\"captions\" is not a list of objects with \"text\" and \"origin\"; not read"
                .to_owned()
        })?,
    };
    for caption in &mut captions {
        caption.text = tidy(&caption.text)?;
    }
    captions.retain(|caption| !caption.text.is_empty());
    if captions.is_empty() {
        let language = text(object, &["language", "lang"])?;
        let own = text(object, &["caption", "text"])?;
        let further = [
            ("caption_en", Some("en")),
            ("caption_zh", Some("zh")),
            ("description", None),
            ("title", None),
        ];
        captions.extend(own.map(|own| caption_of(own, language, Origin::Sidecar)));
        for (key, language) in further {
            // Some programs call the file's name the title.
            let found = text(object, &[key])?.filter(|text| key != "title" || !is_file_name(text));
            let found =
                found.map(|text| caption_of(text, language.map(str::to_owned), Origin::Sidecar));
            captions.extend(found.filter(|new| captions.iter().all(|old| old.text != new.text)));
        }
    }
    let tags = match object.get("tags").or_else(|| object.get("keywords")) {
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).map(tidy).collect(),
        Some(Value::String(tags)) => tags.split(',').map(tidy).collect(),
        _ => Ok(Vec::new()),
    };
    let mut tags: Vec<String> = tags?;
    tags.retain(|tag| !tag.is_empty());
    if captions.len().max(tags.len()) > MAX_TEXTS {
        return Err(format!("more than {MAX_TEXTS} captions or tags; not read"));
    }
    Ok(About {
        captions,
        tags,
        source: text(object, &["source", "url", "source_url"])?,
        licence: text(object, &["licence", "license", "rights"])?,
        author: text(object, &["author", "artist", "creator", "photographer"])?,
        generated: match object.get("generated") {
            Some(Value::Object(how)) => Some(generated(how)?),
            Some(Value::Bool(true)) => Some(Generated::default()),
            _ => None,
        },
    })
}

fn is_file_name(text: &str) -> bool {
    let ending = Path::new(text).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| crate::walk::ENDINGS.contains(&&*ending))
}

fn generated(how: &Map<String, Value>) -> Result<Generated, String> {
    let seed = how.get("seed").and_then(Value::as_u64).map(|seed| seed.to_string());
    Ok(Generated {
        model: text(how, &["model"])?,
        seed: seed.or(text(how, &["seed"])?),
        prompt: text(how, &["prompt"])?,
    })
}

/// A caption with its language: as stated, or as its script tells.
pub(crate) fn caption_of(text: String, language: Option<String>, origin: Origin) -> Caption {
    let language = language.or_else(|| script(&text).map(str::to_owned));
    Caption { text, language, origin, model: None }
}

/// The language that a text's script tells. Latin letters tell none.
fn script(text: &str) -> Option<&'static str> {
    let any = |kind: fn(char) -> bool| text.chars().any(kind);
    if any(|sign| matches!(sign, '\u{3040}'..='\u{30ff}')) {
        Some("ja")
    } else if any(|sign| matches!(sign, '\u{ac00}'..='\u{d7a3}')) {
        Some("ko")
    } else if any(is_sign) {
        Some("zh")
    } else {
        None
    }
}

/// What a caller says, in the same form as what is read.
pub(crate) fn tidied(about: &About) -> Result<About, String> {
    let text = |text: &Option<String>| {
        let tidied = text.as_deref().map(tidy).transpose()?;
        Ok::<_, String>(tidied.filter(|text| !text.is_empty()))
    };
    let caption = |caption: &Caption| {
        let Caption { language, origin, model, .. } = caption.clone();
        let (text, language) = (tidy(&caption.text)?, language.filter(|name| !name.is_empty()));
        Ok(Caption { model, ..caption_of(text, language, origin) })
    };
    let captions: Result<Vec<_>, String> = about.captions.iter().map(caption).collect();
    let tags: Result<Vec<_>, String> = about.tags.iter().map(|tag| tidy(tag)).collect();
    let (mut captions, mut tags) = (captions?, tags?);
    captions.retain(|caption| !caption.text.is_empty());
    tags.retain(|tag| !tag.is_empty());
    Ok(About {
        captions,
        tags,
        source: text(&about.source)?,
        licence: text(&about.licence)?,
        author: text(&about.author)?,
        generated: about.generated.clone(),
    })
}

/// A text on one line, without what would drive a terminal or turn the text around it.
pub(crate) fn tidy(text: &str) -> Result<String, String> {
    if text.len() > MAX_TEXT_BYTES {
        let found = text.len();
        return Err(format!("a text of {found} bytes, the limit is {MAX_TEXT_BYTES}; not read"));
    }
    let drives = |sign: char| {
        sign.is_control() && !sign.is_whitespace()
            || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let clean: String = text.chars().filter(|sign| !drives(*sign)).collect();
    Ok(clean.split_whitespace().collect::<Vec<_>>().join(" "))
}
