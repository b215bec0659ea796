//! Times products on every path: gigabytes of weights a second for few rows, billions of operations a second
//! for many.
//!
//! `cargo run --release -p ixc-kernels --example product -- [THREADS [PATH,… [TYPE]]]`. The weights are several
//! matrices of the 7B decoder's largest shape, together more than a cache holds.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Quant,
    cpu::{self, Path},
    measure, pool,
    product::{Term, product, rows::Rows},
};

/// Outputs and inputs of a matrix.
const SHAPE: (usize, usize) = (14336, 4096);

/// Bytes of all matrices together, at least.
const BYTES: usize = 512 << 20;

/// Passes, of which the median counts.
const PASSES: usize = 5;

fn random(count: usize) -> Vec<u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(next).collect()
}

/// Blocks whose float16 numbers are small.
fn blocks(quant: Quant) -> Matrix {
    let (rows, cols) = SHAPE;
    let words = random((rows * quant.row_bytes(cols)).div_ceil(8));
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(rows * quant.row_bytes(cols));
    let at = if quant == Quant::Q6K { 208 } else { 0 };
    for block in bytes.chunks_exact_mut(quant.block_bytes()) {
        block[at + 1] = 0x1C;
        if quant == Quant::Q4K {
            block[3] = 0x1C;
        }
    }
    Matrix::blocks(quant, rows, cols, Buffer::copied(&bytes))
}

/// Numbers between 0.12 and 0.25, of either sign.
fn bf16() -> Matrix {
    let (rows, cols) = SHAPE;
    let number = |bits: u64| bits as u16 & 0x807F | 0x3E00;
    let words = random(rows * cols / 4);
    let bits: Vec<u16> =
        words.iter().flat_map(|word| [0, 16, 32, 48].map(|by| number(word >> by))).collect();
    Matrix::bf16(rows, cols, Buffer::from_slice(&bits))
}

/// Seconds of one product, over all matrices in turn.
fn time(weights: &[Matrix], x: &[f32]) -> f64 {
    let mut times: Vec<f64> = (0..PASSES)
        .map(|_| {
            let started = Instant::now();
            for weight in weights {
                let rows = Rows::new(x, SHAPE.1);
                let terms = [Term { rows: &rows, weight }];
                std::hint::black_box(product(&terms, None, Arithmetic::Fast));
            }
            started.elapsed().as_secs_f64() / weights.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[PASSES / 2]
}

fn measure(name: &str, make: &dyn Fn() -> Matrix, paths: &[Path]) {
    let first = make();
    let count = BYTES.div_ceil(first.bytes());
    let weights: Vec<Matrix> =
        (0..count).map(|i| if i == 0 { first.clone() } else { make() }).collect();
    for &path in paths {
        cpu::limit(path);
        let mut line = format!("{name:5} {:12}", path.name());
        for rows in [1, 4] {
            let x: Vec<f32> = random(rows * SHAPE.1)
                .iter()
                .map(|word| (*word >> 40) as f32 / (1 << 23) as f32 - 1.0)
                .collect();
            let rate = first.bytes() as f64 / time(&weights, &x) / 1e9;
            line += &format!("  {rows} rows {rate:5.1} GB/s");
        }
        let rows = 96;
        let x = vec![0.5; rows * SHAPE.1];
        let seconds = time(&weights[..1], &x);
        let operations = 2.0 * (rows * SHAPE.0 * SHAPE.1) as f64;
        println!("{line}  {rows} rows {:6.1} Gop/s", operations / seconds / 1e9);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(threads) = arguments.next() {
        pool::set_threads(threads.parse().expect("a number of threads"));
    }
    let (path, only) = (arguments.next(), arguments.next());
    let paths: Vec<Path> = Path::available()
        .filter(|found| {
            path.as_ref().is_none_or(|paths| paths.split(',').any(|path| path == found.name()))
        })
        .collect();
    let memory = vec![1u8; 1 << 30];
    let rate = measure::read_rate(&memory);
    drop(memory);
    println!(
        "{} threads; reading: {:.1} GB/s on one, {:.1} on all",
        pool::threads(),
        rate.one / 1e9,
        rate.all / 1e9
    );
    for quant in Quant::ALL {
        if only.as_ref().is_none_or(|only| only == quant.name()) {
            measure(quant.name(), &|| blocks(quant), &paths);
        }
    }
    if only.is_none_or(|only| only == "bf16") {
        measure("bf16", &bf16, &paths);
    }
}
