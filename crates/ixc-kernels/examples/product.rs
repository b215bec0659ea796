//! Times products in the shape of the 7B decoder's largest layer, for each way of storing weights: few rows
//! as bytes of weights a second, many rows as operations a second.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Quant, cpu, pool,
    product::{Term, product, rows::Rows},
    recycle,
};

const OUTPUTS: usize = 14336;
const INPUTS: usize = 4096;

/// Copies of the matrix, so that no cache holds all that is read for a few rows.
const COPIES: usize = 6;

fn main() {
    let rows: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rows = if rows.is_empty() { vec![1, 4, 8, 16, 32, 1275] } else { rows };
    println!(
        "{}, {} threads; {OUTPUTS} outputs, {INPUTS} inputs",
        cpu::path().name(),
        pool::threads()
    );
    for name in ["q4_0", "q4_k", "q6_k", "q8_0", "bf16", "f16", "f32"] {
        let weights: Vec<Matrix> = (0..COPIES as u32).map(|seed| matrix(name, seed)).collect();
        for &count in &rows {
            let x: Vec<f32> =
                words(count * INPUTS, 7).map(|word| word as i32 as f32 / 2e9).collect();
            let seconds = time(&weights, &x, if count > 100 { 4 } else { 12 });
            let operations = 2.0 * (count * OUTPUTS * INPUTS) as f64 / seconds / 1e9;
            let bytes = weights[0].bytes() as f64 / seconds / 1e9;
            println!(
                "{name:5} {count:5} rows: {operations:7.0} Gop/s, {bytes:6.1} GB/s of weights"
            );
        }
    }
}

/// The median of some products, a copy of the matrix each.
fn time(weights: &[Matrix], x: &[f32], rounds: usize) -> f64 {
    let _buffers = recycle::pass();
    let mut times: Vec<f64> = weights
        .iter()
        .cycle()
        .take(rounds + 1)
        .map(|weight| {
            let rows = Rows::new(x, INPUTS);
            let started = Instant::now();
            let out = product(&[Term { rows: &rows, weight }], None, Arithmetic::Fast);
            let seconds = started.elapsed().as_secs_f64();
            recycle::give(out);
            seconds
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Any numbers, with scales that are sound.
fn matrix(name: &str, seed: u32) -> Matrix {
    let all = OUTPUTS * INPUTS;
    let blocks = |quant: Quant| {
        let mut bytes: Vec<u8> =
            words(OUTPUTS * quant.row_bytes(INPUTS), seed).map(|word| (word >> 24) as u8).collect();
        for block in bytes.chunks_exact_mut(quant.block_bytes()) {
            let at = if quant == Quant::Q6K { 208 } else { 0 };
            block[at..at + 2].copy_from_slice(&0x1C00u16.to_le_bytes());
            if quant == Quant::Q4K {
                block[2..4].copy_from_slice(&0x1C00u16.to_le_bytes());
            }
        }
        Matrix::blocks(quant, OUTPUTS, INPUTS, Buffer::copied(&bytes))
    };
    // Exponents near 1 and any other bits.
    let bits = |keep: u16, set: u16| -> Vec<u16> {
        words(all, seed).map(|word| (word >> 16) as u16 & keep | set).collect()
    };
    match name {
        "q4_0" => blocks(Quant::Q4_0),
        "q4_k" => blocks(Quant::Q4K),
        "q6_k" => blocks(Quant::Q6K),
        "q8_0" => blocks(Quant::Q8_0),
        "bf16" => Matrix::bf16(OUTPUTS, INPUTS, Buffer::from_slice(&bits(0x807F, 0x3E80))),
        "f16" => Matrix::f16(OUTPUTS, INPUTS, Buffer::from_slice(&bits(0x83FF, 0x3000))),
        _ => {
            let values: Vec<f32> = words(all, seed).map(|word| word as i32 as f32 / 2e9).collect();
            Matrix::f32(OUTPUTS, INPUTS, Buffer::from_slice(&values))
        }
    }
}

/// Numbers that look random.
fn words(count: usize, seed: u32) -> impl Iterator<Item = u32> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(*state)
    };
    (0..count).scan(seed.wrapping_mul(0x9E37_79B9), move |state, _| next(state))
}
