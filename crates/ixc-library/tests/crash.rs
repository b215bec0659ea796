//! What an import and an embedding lose when they are killed: nothing that was committed (L1).
//!
//! The children are this program again, each importing the same folder until it is killed at some moment. So
//! `main` reads its words itself, where other tests have a harness. `IXC_FUZZ_ROUNDS=100` kills as often as before
//! a release.

#![allow(clippy::print_stdout)] // the figures belong in the test's output

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use ixc_library::{Add, Encoder, FILE, Library, Progress};

#[path = "library/support.rs"]
#[allow(dead_code)] // the other tests use the rest
mod support;

/// Pictures of the folder: several lots.
const PICTURES: u64 = 400;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["import", place] => import(Path::new(place)),
        ["embed", place] => embed(Path::new(place)),
        ["--list", ..] => {} // what asks for tests to list finds none: they run together
        _ => {
            kills();
            kills_while_embedding();
        }
    }
    ExitCode::SUCCESS
}

/// Imports, and says how many pictures are kept so far.
fn import(place: &Path) {
    let mut library = Library::open(&place.join("l")).unwrap();
    let add = Add { from: vec![place.join("p")], threads: 2, ..Add::default() };
    let mut tell = |progress: Progress<'_>| {
        if let Progress::Done { done, .. } = progress {
            // The parent may be gone; then nobody kills us.
            if writeln!(std::io::stdout(), "{done}").is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    library.add(&add, &mut tell).unwrap();
}

/// Embeds, and says how many vectors there are so far; then makes their graph.
fn embed(place: &Path) {
    let mut library = Library::open(&place.join("l")).unwrap();
    library.make_graph_from(50);
    let mut tell = |done: usize, _| match writeln!(std::io::stdout(), "{done}") {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    library.embed(&support::scripted("eyes"), &mut tell).unwrap();
    library.index_vectors(2, &mut support::go_on).unwrap();
}

fn kills_while_embedding() {
    let place = tempfile::tempdir().unwrap();
    let (pictures, folder) = (place.path().join("p"), place.path().join("l"));
    let count = 150;
    for seed in 20..20 + count as u64 {
        support::put(&pictures, &format!("p{seed:04}"), seed, "");
    }
    let encoder = support::scripted("eyes");
    let nearest = |library: &mut Library| -> Vec<i64> {
        library.see_with(Box::new(support::scripted("eyes"))).unwrap();
        let hits = library.search("like 33", &[], 20).unwrap();
        hits.into_iter().map(|hit| hit.entry.id.0).collect()
    };
    let memory = support::folder();
    let mut whole = support::library_of(&pictures, &memory.path().join("whole"));
    whole.embed(&encoder, &mut support::go_on).unwrap();
    let expected = nearest(&mut whole);
    support::library_of(&pictures, &folder);
    let (rounds, mut left, mut begun) = (ixc_goldens::fuzz_rounds(10), count, 0);
    for round in 0..rounds as u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["embed", place.path().to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Behind some pictures, or in the graph that is made of all.
        lines.by_ref().take(1 + round as usize * 5).for_each(drop);
        std::thread::sleep(Duration::from_micros(support::mixed(round) % 4_000));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(lines);
        let library = Library::open(&folder).unwrap();
        support::assert_clean(&library);
        let now = library.unembedded(encoder.identity()).unwrap();
        assert!(now <= left, "{left} pictures had no vector, and then {now}");
        begun += usize::from(0 < now && now < count);
        left = now;
    }
    let mut library = Library::open(&folder).unwrap();
    library.make_graph_from(50);
    library.embed(&encoder, &mut support::go_on).unwrap();
    library.index_vectors(2, &mut support::go_on).unwrap();
    assert_eq!(library.unembedded(encoder.identity()).unwrap(), 0);
    assert_eq!(nearest(&mut library)[..3], expected[..3], "what was killed comes to the same");
    support::assert_clean(&library);
    println!("{rounds} kills while embedding, {begun} of them with a part done");
    assert!(begun > 0, "no kill left a part of the vectors");
}

fn kills() {
    let rounds = ixc_goldens::fuzz_rounds(10);
    // On the disk, whose commits take long enough to be met by a kill.
    let place = tempfile::tempdir().unwrap();
    let pictures = place.path().join("p");
    for seed in 0..PICTURES {
        support::put(
            &pictures,
            &format!("p{seed:04}"),
            seed,
            &format!("a fox, the {seed}th of many"),
        );
    }
    let folder = place.path().join("l");
    let memory = support::folder();
    let expected = support::entries(&support::library_of(&pictures, &memory.path().join("whole")));
    let (mut inside, mut reached, mut finished) = (0, 0, 0);
    for round in 0..rounds as u64 {
        if reached == PICTURES as usize || !folder.exists() {
            finished += usize::from(folder.exists());
            let _ = fs::remove_dir_all(&folder);
            Library::create(&folder).unwrap();
            reached = 0;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["import", place.path().to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Some rounds wait for some commits, and so get further; the moment behind them is any.
        let mut told = 0;
        for line in lines.by_ref().take(1 + round as usize % 4) {
            told = line.unwrap().parse().unwrap();
        }
        std::thread::sleep(Duration::from_micros(support::mixed(round) % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            told = line.parse().unwrap_or(told); // the last line may be half a number
        }
        // A journal that is left is a transaction that was cut off.
        let left = fs::metadata(folder.join(format!("{FILE}-journal")));
        inside += usize::from(left.is_ok_and(|journal| journal.len() > 0));
        let library = Library::open(&folder).unwrap();
        support::assert_clean(&library);
        let found = support::entries(&library);
        assert!(found.len() >= told.max(reached), "{told} were told, {} are kept", found.len());
        assert_eq!(found[..], expected[..found.len()], "round {round}");
        reached = found.len();
    }
    let mut library = Library::open(&folder).unwrap();
    support::add(&mut library, &pictures);
    assert_eq!(support::entries(&library), expected, "what was killed goes on to the same end");
    support::assert_clean(&library);
    println!(
        "{rounds} kills, {inside} of them inside a transaction; {finished} imports to their end"
    );
    assert!(inside > 0, "no kill was inside a transaction");
}
