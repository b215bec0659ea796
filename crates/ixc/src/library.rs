//! From a reference to a picture library: a folder that exists, a name, or none for the drawn one.
//!
//! Named libraries lie in the user's data folder. The drawn library is made there when it is first asked for: this
//! program can draw its 120 pictures (`ixc world --library`), so it needs neither a download nor a place beside the
//! binary. Deliberately absent: what is done with a library.

pub(crate) mod eyes;

use std::{
    fs, io,
    ops::ControlFlow,
    path::{Component, Path, PathBuf},
};

use ixc_library::{About, Add, Error, FILE, Library};
use ixc_world::{
    split::Split,
    write::{self, Options},
};

use crate::{environment, exit::Failure, output, progress::Working, table::counted};

/// What the drawn library is called, also as `--library drawn`.
pub(crate) const DRAWN: &str = "drawn";

/// Of the drawn library: so many pictures, as large as a page shows them. `library/` in the sources is the same.
const COUNT: u64 = 120;
const SIDE: u32 = 320;

/// Opens the library that a reference names, or the drawn one.
pub(crate) fn open(reference: Option<&str>) -> Result<Library, Failure> {
    let reference = reference.unwrap_or(DRAWN);
    let folder = locate(reference)?;
    match Library::open(&folder) {
        Err(Error::NoLibrary { .. }) if reference == DRAWN && is_name(reference) => draw(&folder),
        Err(error @ Error::NoLibrary { .. }) => Err(absent(reference, error)),
        opened => opened.map_err(Failure::mistake),
    }
}

/// As [`open`], for searching: meanings are compared too where the library has vectors and their encoder is there.
pub(crate) fn open_to_search(reference: Option<&str>) -> Result<Library, Failure> {
    let mut library = open(reference)?;
    eyes::open(&mut library)?;
    Ok(library)
}

/// Opens the library that a reference names, or makes an empty one.
pub(crate) fn open_or_create(reference: &str) -> Result<Library, Failure> {
    let folder = locate(reference)?;
    if folder.join(FILE).is_file() || (reference == DRAWN && is_name(reference)) {
        return open(Some(reference));
    }
    create(reference)
}

/// Makes an empty library of that name, or of that folder.
pub(crate) fn create(reference: &str) -> Result<Library, Failure> {
    if reference == DRAWN && !Path::new(reference).is_dir() {
        return Err(Failure::mistake(format!(
            "{DRAWN} is the name of the library that ixc draws; choose another name"
        )));
    }
    Library::create(&locate(reference)?).map_err(Failure::mistake)
}

/// Whether a reference is a name rather than a path.
pub(crate) fn is_name(reference: &str) -> bool {
    let mut parts = Path::new(reference).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !reference.contains(['/', '\\'])
        && !Path::new(reference).is_dir()
}

/// The folder that a reference means: a path that exists wins.
fn locate(reference: &str) -> Result<PathBuf, Failure> {
    if reference.is_empty() {
        return Err(Failure::mistake("the library's name is empty"));
    }
    if is_name(reference) { Ok(named()?.join(reference)) } else { Ok(reference.into()) }
}

/// Where named libraries lie.
fn named() -> Result<PathBuf, Failure> {
    environment::libraries().ok_or_else(|| {
        Failure::mistake("there is no folder for named libraries: neither XDG_DATA_HOME nor a home folder is set")
            .with_hint("name a folder instead, as in --library ./my-library")
    })
}

/// Why there is none, and which there are.
fn absent(reference: &str, error: Error) -> Failure {
    let names = named().ok().and_then(|folder| fs::read_dir(folder).ok());
    let mut names: Vec<String> = names
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.join(FILE).is_file()))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .filter(|name| name != DRAWN)
        .collect();
    names.sort_unstable();
    names.insert(0, format!("{DRAWN} (ixc draws it)"));
    Failure::mistake(error).with_hint(format!(
        "make it: ixc library create {reference} PICTURES…\nlibraries by name: {}",
        names.join(", ")
    ))
}

/// Draws the library that every ixc has. It gets its place when it is complete.
fn draw(folder: &Path) -> Result<Library, Failure> {
    let cannot = |error: io::Error| {
        Failure::mistake(format!(
            "the drawn library cannot be made in {}: {error}",
            folder.display()
        ))
        .with_hint("name another: --library DIR")
    };
    let working =
        Working::start(format!("drawing the library of {}", counted(COUNT as usize, "picture")));
    let parent = folder.parent().expect("a folder of named libraries");
    fs::create_dir_all(parent).map_err(cannot)?;
    let aside = tempfile::Builder::new().prefix(".ixc-").tempdir_in(parent).map_err(cannot)?;
    let options = Options {
        out: aside.path().into(),
        split: Split::Train, // a library has its own
        seed: 0,
        count: COUNT,
        side: SIDE,
        what: Vec::new(),
        labels: false,
        threads: 1,
    };
    write::library(&options, &|_, _| ControlFlow::Continue(())).map_err(Failure::mistake)?;
    let mut library = Library::create(aside.path()).map_err(Failure::mistake)?;
    let given = About {
        source: Some("drawn by ixc (ixc world --library)".into()),
        licence: Some("Apache-2.0".into()),
        author: Some("ixc".into()),
        ..About::default()
    };
    let add = Add { from: vec![aside.path().into()], given, threads: threads() };
    library.add(&add, &mut |_| ControlFlow::Continue(())).map_err(Failure::mistake)?;
    drop(library);
    open_to_others(aside.path()).map_err(cannot)?;
    // Another process may have been first; then its library is as good.
    if let Err(error) = fs::rename(aside.path(), folder)
        && !folder.join(FILE).is_file()
    {
        return Err(cannot(error));
    }
    drop(working);
    output::note(&format!("Drew the library of {COUNT} pictures in {}.", folder.display()));
    Library::open(folder).map_err(Failure::mistake)
}

/// As any new folder; one made aside is its maker's alone.
fn open_to_others(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    let _ = folder;
    Ok(())
}

/// Threads to read pictures with.
pub(crate) fn threads() -> usize {
    ixc_nn::pool::threads()
}
