//! Files and names as the sources of pictures.
//!
//! The mini model's library is drawn where it is first asked for, in the user's cache folder. Invariant: a folder
//! appears there when it is complete. Deliberately absent: making other libraries.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use ixc_compose::{
    Sources,
    source::{Library, Own},
};
use ixc_world::write;

use crate::{environment, exit::Failure, interrupt, output, picture, progress};

/// What the library is called that belongs to the mini model.
pub(crate) const MINI: &str = "mini";

/// Pictures in it: several of every place.
const MINI_COUNT: u64 = 240;

/// Pixels a side: what a page shows.
const MINI_SIDE: u32 = 640;

/// Opens pictures and libraries; each keeps the name that it was given.
pub(crate) fn open(own: &[PathBuf], libraries: &[String]) -> Result<Sources, Failure> {
    let own = own.iter().map(|path| {
        let name = path.display().to_string();
        Own::new(&name, picture::read(path)?).map_err(Failure::mistake)
    });
    let libraries = libraries.iter().map(|name| {
        let library = library(name)?;
        Ok(Library { name: name.clone(), library })
    });
    Ok(Sources {
        own: own.collect::<Result<_, Failure>>()?,
        libraries: libraries.collect::<Result<_, Failure>>()?,
    })
}

fn library(name: &str) -> Result<ixc_library::Library, Failure> {
    if name == MINI && !Path::new(name).exists() {
        return mini();
    }
    ixc_library::Library::open(&environment::expand(name)).map_err(Failure::mistake)
}

/// The mini model's library.
fn mini() -> Result<ixc_library::Library, Failure> {
    let cache = environment::cache_folder()
        .ok_or_else(|| Failure::mistake("there is no folder to draw the mini model's library in"))?;
    let folder = cache.join(format!("mini-library-{MINI_COUNT}"));
    if folder.is_dir() {
        return ixc_library::Library::open(&folder).map_err(Failure::mistake);
    }
    output::note(&format!(
        "Drawing the mini model's library, {MINI_COUNT} pictures, once: {}",
        folder.display()
    ));
    let refused = |error: std::io::Error| Failure::mistake(format!("{}: {error}", cache.display()));
    fs::create_dir_all(&cache).map_err(refused)?;
    let aside = tempfile::Builder::new().prefix(".ixc-").tempdir_in(&cache).map_err(refused)?;
    draw(aside.path())?;
    let kept = aside.keep();
    if let Err(error) = fs::rename(&kept, &folder) {
        // Another ixc may have been faster; then its library is as good.
        let _ = fs::remove_dir_all(&kept);
        if !folder.is_dir() {
            return Err(refused(error));
        }
    }
    ixc_library::Library::open(&folder).map_err(Failure::mistake)
}

/// Draws its pictures and makes a library of them.
fn draw(folder: &Path) -> Result<(), Failure> {
    let options = write::Options {
        split: ixc_world::split::Split::Library,
        seed: 0,
        count: MINI_COUNT,
        side: MINI_SIDE,
        what: Vec::new(),
        threads: 1,
        out: folder.into(),
    };
    let bar = progress::items("drawing");
    let watch = |done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
        if interrupt::pressed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    write::library(&options, &watch).map_err(Failure::mistake)?;
    bar.finish_and_clear();
    let mut library = ixc_library::Library::create(folder).map_err(Failure::mistake)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let add = ixc_library::Add { from: vec![folder.into()], threads, ..Default::default() };
    let mut on = |_: ixc_library::Progress<'_>| match interrupt::pressed() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    library.add(&add, &mut on).map_err(Failure::mistake)?;
    Ok(())
}
