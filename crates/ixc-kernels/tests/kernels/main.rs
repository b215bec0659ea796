//! Every kernel against its slow, obvious twin.

mod attention;
mod elementwise;
mod gptq;
mod gradient;
mod heads;
mod matmul;
mod measure;
mod norm;
mod paths;
mod pool;
mod product;
mod quant;
mod recycle;

/// Numbers between −1 and 1 that look random and are the same for the same seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}
