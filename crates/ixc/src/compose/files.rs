//! Where an article goes: projects, and files for readers.
//!
//! Invariant: whether a place can be written is found before anything is made for it. Deliberately absent: formats.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use ixc_compose::{
    Composition, Imprint, Project, Sources, document,
    limits::{KEPT_BYTES, PROJECT_BYTES},
};
use ixc_export::Format;
use ixc_files as files;

use crate::{environment, exit::Failure, output, picture, table::bytes};

/// The ending of a project's file.
const PROJECT: &str = "ixca";

/// A place to write to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A project.
    Project(PathBuf),
    /// A file for readers, or a folder.
    Export(PathBuf, Format),
}

impl Target {
    /// What a path asks for; says at once when nothing could be written there.
    pub(crate) fn of(path: &Path, replace: bool) -> Result<Self, Failure> {
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(PROJECT)) {
            let folder = files::folder_of(path);
            if !folder.is_dir() {
                let message =
                    format!("{}: there is no folder {}", path.display(), folder.display());
                return Err(Failure::mistake(message));
            }
            if path.is_dir() || (path.exists() && !replace) {
                return Err(hinted(format!("{} is there already", path.display())));
            }
            return Ok(Self::Project(path.into()));
        }
        let format = Format::of(path).map_err(Failure::mistake)?;
        match ixc_export::check_target(path, format, replace) {
            Err(error @ ixc_export::Error::Exists { .. }) => Err(hinted(error.to_string())),
            Err(error) => Err(Failure::mistake(error)),
            Ok(()) => Ok(Self::Export(path.into(), format)),
        }
    }

    /// Writes the project's article, and tells where.
    pub(crate) fn write(
        &self,
        project: &Project,
        options: &ixc_export::Options,
    ) -> Result<(), Failure> {
        match self {
            Self::Project(path) => save(path, project),
            Self::Export(path, format) => {
                let made = document(project.article(), &project.assets, &imprint(project))
                    .map_err(Failure::mistake)?;
                let written =
                    ixc_export::write(&made, *format, path, options).map_err(Failure::mistake)?;
                told(&written.path, written.bytes);
                tell_boxes(&written.without_glyph);
                Ok(())
            }
        }
    }
}

/// How exports are written where nothing else is asked for. What may not be replaced [`Target::of`] has refused.
pub(crate) fn options() -> ixc_export::Options {
    ixc_export::Options {
        overwrite: true,
        font_folders: environment::font_folders(),
        ..ixc_export::Options::default()
    }
}

fn hinted(message: String) -> Failure {
    Failure::mistake(message).with_hint("--replace replaces what is there")
}

fn told(path: &Path, size: u64) {
    output::note(&format!("{} ({})", path.display(), bytes(size)));
}

/// Says which characters a reader sees as boxes, and what to do.
fn tell_boxes(characters: &[char]) {
    const SHOWN: usize = 12;
    if characters.is_empty() {
        return;
    }
    let shown: Vec<String> = characters
        .iter()
        .take(SHOWN)
        .map(|character| format!("{character} (U+{:04X})", u32::from(*character)))
        .collect();
    let more = characters.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    output::note(&format!(
        "no font here has {}{more}: a box stands in their place; install a font that has them (Noto covers most \
         scripts) and export again, or choose .html",
        shown.join(", ")
    ));
}

/// Replaces a project's file as a whole.
pub(crate) fn save(path: &Path, project: &Project) -> Result<(), Failure> {
    let made = project.write().map_err(Failure::mistake)?;
    replace(path, &made)?;
    told(path, made.len() as u64);
    Ok(())
}

/// Replaces a file as a whole.
pub(crate) fn replace(path: &Path, made: &[u8]) -> Result<(), Failure> {
    files::replace(path, |out| out.write_all(made))
        .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))
}

/// Reads a project's file.
pub(crate) fn read(path: &Path) -> Result<Project, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::mistake(format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > PROJECT_BYTES {
        return Err(failed(&format!("it has {size} bytes; a project has {PROJECT_BYTES} at most")));
    }
    let held = fs::read(path).map_err(|error| failed(&error))?;
    Project::read(&held).map_err(|error| failed(&error))
}

/// Where the pictures are that services gave for a record: `lake.assets` beside `lake.json`, each under its SHA-256.
fn kept_folder(record: &Path) -> PathBuf {
    record.with_extension("assets")
}

/// Keeps the pictures that a record names and only services gave, beside it.
pub(crate) fn keep(record: &Path, made: &Composition, sources: &Sources) -> Result<(), Failure> {
    let folder = kept_folder(record);
    let named: BTreeSet<&str> = made.kept().collect();
    for name in named {
        let path = folder.join(name);
        if let Some(bytes) = sources.kept.get(name).filter(|_| !path.exists()) {
            fs::create_dir_all(&folder)
                .map_err(|error| Failure::mistake(format!("{}: {error}", folder.display())))?;
            replace(&path, &bytes)?;
        }
    }
    Ok(())
}

/// Takes up the pictures that are kept beside a record. What is not there is told when it is needed.
pub(crate) fn take_up(record: &Path, made: &Composition, sources: &Sources) -> Result<(), Failure> {
    let folder = kept_folder(record);
    let named: BTreeSet<&str> = made.kept().collect();
    for path in named.into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()) {
        let kept = sources.kept.keep(picture::read(&path)?).map_err(|sum| {
            let folder = folder.display();
            Failure::mistake(format!(
                "{folder}: {sum} bytes of pictures, the limit is {KEPT_BYTES}"
            ))
        })?;
        if !path.ends_with(&kept) {
            let message = format!("{}: expected the picture of this SHA-256", path.display());
            return Err(Failure::mistake(format!("{message}, found another file")));
        }
    }
    Ok(())
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What a document says beside the article.
fn imprint(project: &Project) -> Imprint {
    let request = &project.composition.request;
    let first = request.instruction.lines().find(|line| !line.trim().is_empty());
    Imprint {
        title: first.unwrap_or_default().into(),
        language: request.written_in(),
        created: project.created,
        generator: concat!("ixc ", env!("CARGO_PKG_VERSION")).into(),
    }
}
