//! Times products with a 14336 × 4096 matrix of each type: GB/s of weights for few rows, Gop/s for
//! many. Arguments: types (`gptq,q4_k,bf16`), rows, threads (both: `1,2`), path.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ixc_kernels::{
    Arithmetic, Buffer, Gptq, Matrix, Quant, cpu, pool,
    product::{DOT_ROWS_MAX, Term, product, rows::Rows},
    recycle,
};

const OUTPUTS: usize = 14336;
const INPUTS: usize = 4096;

/// Inputs of a GPTQ group, as published.
const GROUP: usize = 128;

/// Up to so many rows, each product has another matrix than the one before it, as in a model: all of them are
/// [`ALL`] bytes, more than any cache holds.
const FEW_ROWS: usize = 128;

/// See [`FEW_ROWS`].
const ALL: usize = 1 << 30;

/// Words of any bits.
fn words(count: usize, seed: &mut u64) -> Vec<u32> {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 32) as u32
    };
    (0..count).map(|_| next()).collect()
}

/// About 0.01 in float16.
const SCALE: u16 = 0x2120;

fn matrix(kind: &str, seed: &mut u64) -> Matrix {
    if let Some(quant) = Quant::ALL.into_iter().find(|quant| quant.name() == kind) {
        let bytes = OUTPUTS * quant.row_bytes(INPUTS);
        let mut blocks = bytemuck::cast_slice(&words(bytes / 4, seed)).to_vec();
        for block in blocks.chunks_exact_mut(quant.block_bytes()) {
            let at = if quant == Quant::Q6K { 208 } else { 0 };
            block[at..at + 2].copy_from_slice(&SCALE.to_le_bytes());
            if quant == Quant::Q4K {
                block[2..4].copy_from_slice(&SCALE.to_le_bytes());
            }
        }
        return Matrix::blocks(quant, OUTPUTS, INPUTS, Buffer::copied(&blocks));
    }
    // Exponents near 1 and any other bits.
    let halves = |keep: u16, set: u16, seed: &mut u64| -> Vec<u16> {
        let words = words(OUTPUTS * INPUTS, seed);
        words.iter().map(|word| (word >> 16) as u16 & keep | set).collect()
    };
    match kind {
        "bf16" => {
            let bits = halves(0x807F, 0x3E80, seed);
            return Matrix::bf16(OUTPUTS, INPUTS, Buffer::from_slice(&bits));
        }
        "f16" => {
            let bits = halves(0x83FF, 0x3000, seed);
            return Matrix::f16(OUTPUTS, INPUTS, Buffer::from_slice(&bits));
        }
        "f32" => {
            let bits = halves(0x807F, 0x3E80, seed);
            let values: Vec<f32> =
                bits.iter().map(|bits| f32::from_bits(u32::from(*bits) << 16)).collect();
            return Matrix::f32(OUTPUTS, INPUTS, Buffer::from_slice(&values));
        }
        _ => {}
    }
    // `gptq-order`: groups in the order of the activations, any order.
    let mut groups: Vec<u32> = (0..INPUTS).map(|input| (input / GROUP) as u32).collect();
    if kind == "gptq-order" {
        let order = words(INPUTS, seed);
        (1..INPUTS).for_each(|input| groups.swap(input, order[input] as usize % (input + 1)));
    }
    let parts = Gptq {
        qweight: Buffer::from_slice(&words(INPUTS / 8 * OUTPUTS, seed)),
        qzeros: Buffer::from_slice(&words(INPUTS / GROUP * OUTPUTS / 8, seed)),
        scales: Buffer::from_slice(&vec![SCALE; INPUTS / GROUP * OUTPUTS]),
        groups,
    };
    Matrix::gptq(OUTPUTS, INPUTS, parts)
}

fn main() {
    let argument = |at: usize, otherwise: &str| -> String {
        std::env::args().nth(at).unwrap_or_else(|| otherwise.into())
    };
    let numbers = |list: String| -> Vec<usize> {
        list.split(',').map(|number| number.parse().expect("numbers")).collect()
    };
    let (kinds, counts) = (argument(1, "gptq,q4_k"), numbers(argument(2, "1,1275")));
    let threads = numbers(argument(3, "1,2"));
    if let Some(path) = std::env::args().nth(4) {
        cpu::limit(cpu::Path::available().find(|p| p.name() == path).expect("a path"));
    }
    let _pass = recycle::pass(); // large outputs are used again, as in a model's pass
    let mut seed = 1;
    for kind in kinds.split(',') {
        let started = Instant::now();
        let first = matrix(kind, &mut seed);
        println!("{kind}: made in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        let few = if counts.iter().any(|m| *m <= FEW_ROWS) { ALL / first.bytes() } else { 1 };
        let matrices: Vec<Matrix> =
            (1..few).map(|_| matrix(kind, &mut seed)).chain([first]).collect();
        for &m in &counts {
            for &threads in &threads {
                pool::set_threads(threads);
                time(kind, &matrices, m, threads, &mut seed);
            }
        }
    }
}

/// Prints the least and the median of some products' times, as rates.
fn time(kind: &str, matrices: &[Matrix], m: usize, threads: usize, seed: &mut u64) {
    let x: Vec<f32> =
        words(m * INPUTS, seed).iter().map(|bits| *bits as i32 as f32 / 2f32.powi(31)).collect();
    let repeats = if m <= FEW_ROWS { 3 * matrices.len() } else { 5 };
    let mut times: Vec<f64> = (0..repeats)
        .map(|index| {
            let weight = &matrices[index % matrices.len()];
            let started = Instant::now();
            let rows = Rows::new(&x, INPUTS);
            let out =
                product(&[Term { rows: &rows, weight: weight.into() }], None, Arithmetic::Fast);
            let time = started.elapsed().as_secs_f64();
            recycle::give(out);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (least, median) = (times[0], times[times.len() / 2]);
    let (work, unit) = if m <= DOT_ROWS_MAX {
        (matrices[0].bytes() as f64, "GB/s")
    } else {
        (2.0 * (m * OUTPUTS * INPUTS) as f64, "Gop/s")
    };
    println!(
        "{kind} {} {m} rows, {threads} threads: median {:.2} ms, {:.1} {unit}; best {:.1}",
        cpu::path().name(),
        median * 1e3,
        work / median / 1e9,
        work / least / 1e9
    );
}
