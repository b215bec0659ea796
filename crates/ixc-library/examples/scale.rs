//! Imports a folder, then searches for the pictures' own captions: how long both take, and how often a picture finds
//! itself.
//!
//! `cargo run --release -p ixc-library --example scale -- LIBRARY [PICTURES]`: without PICTURES only the searches, in a
//! library that is there. `bench/` has its figures.

#![allow(clippy::print_stdout)] // a program at a developer's terminal

use std::{ops::ControlFlow, path::Path, time::Instant};

use ixc_library::{Add, Added, Error, Library};

/// Pictures of one answer: what an article chooses from.
const K: usize = 4;

/// Searches.
const SEARCHES: usize = 200;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(words.first().expect("usage: scale LIBRARY [PICTURES]"));
    let library = match words.get(1) {
        Some(pictures) => import(folder, Path::new(pictures))?,
        None => Library::open(folder)?,
    };
    let ids = library.ids()?;
    let (mut times, mut found) = (Vec::new(), 0);
    for &id in ids.iter().step_by((ids.len() / SEARCHES).max(1)) {
        let entry = library.get(id)?;
        let Some(caption) = entry.caption() else { continue };
        let started = Instant::now();
        let hits = library.search(caption, &[], K)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        found += usize::from(hits.iter().any(|hit| hit.entry.id == id));
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{} pictures, {} searches for {K}: {found} found themselves", ids.len(), times.len());
    println!("median {:.1} ms, p95 {:.1}, most {:.1}", at(0.5), at(0.95), at(1.0));
    Ok(())
}

fn import(folder: &Path, pictures: &Path) -> Result<Library, Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut library = Library::create(folder)?;
    let add = Add { from: vec![pictures.into()], threads, ..Add::default() };
    for round in ["first", "again"] {
        let started = Instant::now();
        let Added { added, unchanged, skipped, .. } =
            library.add(&add, &mut |_| ControlFlow::Continue(()))?;
        let seconds = started.elapsed().as_secs_f64();
        let skipped = skipped.len();
        println!(
            "{round}: {added} new, {unchanged} as before, {skipped} passed over, {seconds:.1} s"
        );
    }
    Ok(library)
}
