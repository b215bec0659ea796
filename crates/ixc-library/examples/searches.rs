//! Searches a library for its own captions, and tells how long that takes and how often a picture finds itself.
//!
//! `cargo run --release -p ixc-library --example searches -- LIBRARY [COUNT]`; `bench/` has its figures.

#![allow(clippy::print_stdout)] // a program at a developer's terminal

use std::{path::Path, time::Instant};

use ixc_library::{Error, Library};

/// Pictures of one answer: what an article chooses from.
const K: usize = 4;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = words.first().expect("usage: searches LIBRARY [COUNT]");
    let count: usize = words.get(1).map_or(200, |count| count.parse().expect("COUNT is a number"));
    let started = Instant::now();
    let library = Library::open(Path::new(folder))?;
    println!("opened in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let ids = library.ids()?;
    let (mut times, mut found) = (Vec::new(), 0);
    for &id in ids.iter().step_by((ids.len() / count.max(1)).max(1)) {
        let entry = library.get(id)?;
        let Some(caption) = entry.caption() else { continue };
        let started = Instant::now();
        let hits = library.search(caption, &[], K)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        found += usize::from(hits.iter().any(|hit| hit.entry.id == id));
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{} pictures, {} searches for {K}", ids.len(), times.len());
    println!("median {:.1} ms, p95 {:.1}, most {:.1}", at(0.5), at(0.95), at(1.0));
    println!("found themselves: {found}");
    Ok(())
}
