//! Random vectors by the graph and by comparing all: how long building and searching take, and how many of the ten
//! nearest are found.
//!
//! `cargo run --release -p ixc-library --example vectors -- VECTORS DIMENSIONS [LATENT [THREADS]]`: vectors of
//! DIMENSIONS numbers that are random in LATENT of them (all of them, where it is left out) and mapped to the rest at
//! random, as those of an encoder lie near a surface of few dimensions. Searches have one thread. `bench/` has figures.

#![allow(clippy::print_stdout)] // a program at a developer's terminal

use std::time::Instant;

use ixc_library::vectors::{exact, graph::Graph};

/// Searches, and what each asks for.
const SEARCHES: usize = 200;
const K: usize = 10;

/// The graph proposes so many, and their own vectors rank them, as in a library.
const PROPOSED: usize = 4 * K;

fn main() {
    let words: Vec<usize> =
        std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let (vectors, dimensions) = (words[0], words[1]);
    let latent = words.get(2).copied().unwrap_or(dimensions);
    let threads = words.get(3).copied().unwrap_or(2);
    let mut dice = Dice(1);
    let map: Vec<f32> = (0..latent * dimensions).map(|_| dice.normal()).collect();
    let mut make = |count: usize| -> Vec<f32> {
        (0..count).flat_map(|_| vector(&mut dice, &map, latent, dimensions)).collect()
    };
    let (rows, questions) = (make(vectors), make(SEARCHES));

    let started = Instant::now();
    let graph = Graph::new(dimensions, vectors, threads).expect("enough memory");
    for (lot, part) in rows.chunks(1024 * dimensions).enumerate() {
        let first = 1024 * lot as u64;
        let keys: Vec<u64> = (first..first + (part.len() / dimensions) as u64).collect();
        graph.add(&keys, part).expect("enough memory");
    }
    println!(
        "{vectors} vectors of {dimensions}, random in {latent}: {threads} threads, {:.0} s, {} MB",
        started.elapsed().as_secs_f64(),
        graph.memory() >> 20
    );
    let (times, nearest) = timed(&questions, dimensions, |question| {
        exact::nearest(&rows, question, K).into_iter().map(|(place, _)| place as u64).collect()
    });
    tell("all compared", times, 1.0);
    for expansion in [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384] {
        let (times, found) = timed(&questions, dimensions, |question| {
            let keys = graph.near(question, PROPOSED, expansion).expect("enough memory");
            let row = |key: u64| &rows[key as usize * dimensions..][..dimensions];
            let mut ranked: Vec<(u64, f32)> =
                keys.into_iter().map(|key| (key, exact::dot(row(key), question))).collect();
            ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
            ranked.into_iter().take(K).map(|(key, _)| key).collect()
        });
        let both = nearest.iter().zip(&found);
        let same = both.map(|(a, b)| a.iter().filter(|key| b.contains(key)).count()).sum::<usize>();
        tell(&format!("expansion {expansion}"), times, same as f64 / (SEARCHES * K) as f64);
    }
}

/// Milliseconds and answers of each search.
fn timed(
    questions: &[f32],
    dimensions: usize,
    mut search: impl FnMut(&[f32]) -> Vec<u64>,
) -> (Vec<f64>, Vec<Vec<u64>>) {
    let one = |question: &[f32]| {
        let started = Instant::now();
        let found = search(question);
        (started.elapsed().as_secs_f64() * 1e3, found)
    };
    questions.chunks_exact(dimensions).map(one).unzip()
}

fn tell(what: &str, mut times: Vec<f64>, recall: f64) {
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: recall {recall:.3}, median {:.2} ms, p95 {:.2}", at(0.5), at(0.95));
}

/// A vector of length 1.
fn vector(dice: &mut Dice, map: &[f32], latent: usize, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0f32; dimensions];
    if latent == dimensions {
        vector.iter_mut().for_each(|number| *number = dice.normal());
    } else {
        for row in map.chunks_exact(dimensions) {
            let share = dice.normal();
            vector.iter_mut().zip(row).for_each(|(number, to)| *number += share * to);
        }
    }
    let length = exact::dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    vector
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f32 {
        let (radius, angle) = (self.next().max(1e-300), self.next());
        ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }
}
