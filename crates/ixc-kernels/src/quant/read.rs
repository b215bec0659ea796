//! Blocks to float32, 32 numbers at a time, in plain loops that the compiler turns into vectors.
//!
//! The order of the products is ggml's (scale first, then the number), so the results are equal bit for bit.
//! Deliberately absent: rows of blocks, which [`super::Quant::dequantise`] takes apart.

use half::f16;

/// The f16 at the start of some bytes, as float32.
#[inline(always)]
fn half_at(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// See [`super::Quant::Q4_0`]: the low nibbles are the first 16 inputs, the high ones the last.
#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block);
    let (low, high) = out.split_at_mut(16);
    for ((&byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = scale * f32::from((byte & 15) as i8 - 8);
        *high = scale * f32::from((byte >> 4) as i8 - 8);
    }
}

/// See [`super::Quant::Q8_0`].
#[inline(always)]
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block);
    for (&byte, out) in block[2..].iter().zip(out) {
        *out = scale * f32::from(byte as i8);
    }
}

/// The 6-bit scales and minima of a Q4K block, (8) each, from their 12 bytes.
///
/// The first four of each lie in the low six bits of bytes 0..4 and 4..8; the last four have their low
/// nibbles in bytes 8..12 and their two high bits on top of the first four.
#[inline(always)]
pub fn scales_and_minima(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let pairs: [(u8, u8); 8] = std::array::from_fn(|index| scale_and_minimum(packed, index));
    (pairs.map(|pair| pair.0), pairs.map(|pair| pair.1))
}

#[inline(always)]
fn scale_and_minimum(packed: &[u8; 12], index: usize) -> (u8, u8) {
    if index < 4 {
        return (packed[index] & 63, packed[4 + index] & 63);
    }
    let (low, high) = (packed[index - 4] >> 6 << 4, packed[index] >> 6 << 4);
    (packed[4 + index] & 15 | low, packed[4 + index] >> 4 | high)
}

/// 32 inputs of a block, see [`super::Quant::Q4K`]: 32 bytes hold 64 inputs, the low nibbles first.
#[inline(always)]
pub(super) fn q4_k(block: &[u8; 144], part: usize, out: &mut [f32; 32]) {
    let packed = block[4..16].first_chunk().expect("twelve bytes");
    let (scale, minimum) = scale_and_minimum(packed, part);
    let scale = half_at(block) * f32::from(scale);
    let minimum = half_at(&block[2..]) * f32::from(minimum);
    let (bytes, shift) = (&block[16 + 32 * (part / 2)..][..32], 4 * (part % 2));
    for (out, &byte) in out.iter_mut().zip(bytes) {
        *out = scale * f32::from(byte >> shift & 15) - minimum;
    }
}

/// 32 inputs of a block, see [`super::Quant::Q6K`]: 128 low nibbles' bytes, 64 bytes of the two high bits, 16
/// scales, one f16.
///
/// Each half of 128 inputs is four runs of 32; runs 0 and 2 share the low and high nibbles of one 32 bytes,
/// runs 1 and 3 those of the next, and a byte of high bits serves one input of each run.
#[inline(always)]
pub(super) fn q6_k(block: &[u8; 210], part: usize, out: &mut [f32; 32]) {
    let (half, run) = (part / 4, part % 4);
    let (first, second) = block[64 * half..64 * half + 64].split_at(32);
    let high_bits = &block[128 + 32 * half..][..32];
    let d = half_at(&block[208..]);
    let scale = |index: usize| d * f32::from(block[192 + 2 * part + index] as i8);
    let scales = [scale(0), scale(1)];
    match run {
        0 => six_bits::<0, 0>(first, high_bits, scales, out),
        1 => six_bits::<0, 2>(second, high_bits, scales, out),
        2 => six_bits::<4, 4>(first, high_bits, scales, out),
        _ => six_bits::<4, 6>(second, high_bits, scales, out),
    }
}

/// A run of Q6K: its bits lie `LOW` and `HIGH` from the bytes' ends, which must be known for vector code.
#[inline(always)]
fn six_bits<const LOW: usize, const HIGH: usize>(
    low_bits: &[u8],
    high_bits: &[u8],
    scales: [f32; 2],
    out: &mut [f32; 32],
) {
    let bits = low_bits.as_chunks::<16>().0.iter().zip(high_bits.as_chunks::<16>().0);
    for ((out, (low, high)), scale) in out.as_chunks_mut::<16>().0.iter_mut().zip(bits).zip(scales)
    {
        for (out, (&low, &high)) in out.iter_mut().zip(low.iter().zip(high)) {
            let q = low >> LOW & 15 | (high >> HIGH & 3) << 4;
            *out = scale * f32::from(q as i8 - 32);
        }
    }
}
