//! Blocks to float32, in plain loops that the compiler turns into vectors.
//!
//! The order of the products is ggml's (scale first, then the number), so the results are equal bit for bit.
//! Deliberately absent: checks of lengths, which [`super::Quant::dequantise`] makes.

use half::f16;

/// The f16 at the start of some bytes, as float32.
#[inline(always)]
fn half_at(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// See [`super::Quant::Q4_0`]: the low nibbles are the first 16 inputs, the high ones the last.
#[inline(always)]
pub(super) fn q4_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let scale = half_at(block);
        let (low, high) = out.split_at_mut(16);
        for ((&byte, low), high) in block[2..].iter().zip(low).zip(high) {
            *low = scale * f32::from((byte & 15) as i8 - 8);
            *high = scale * f32::from((byte >> 4) as i8 - 8);
        }
    }
}

/// See [`super::Quant::Q8_0`].
#[inline(always)]
pub(super) fn q8_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let scale = half_at(block);
        for (&byte, out) in block[2..].iter().zip(out) {
            *out = scale * f32::from(byte as i8);
        }
    }
}

/// The 6-bit scales and minima of a Q4K block, (8) each, from their 12 bytes.
///
/// The first four of each lie in the low six bits of bytes 0..4 and 4..8; the last four have their low
/// nibbles in bytes 8..12 and their two high bits on top of the first four.
#[inline(always)]
pub fn scales_and_minima(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for index in 0..4 {
        scales[index] = packed[index] & 63;
        minima[index] = packed[4 + index] & 63;
        scales[4 + index] = packed[8 + index] & 15 | packed[index] >> 6 << 4;
        minima[4 + index] = packed[8 + index] >> 4 | packed[4 + index] >> 6 << 4;
    }
    (scales, minima)
}

/// See [`super::Quant::Q4K`]: 32 bytes hold 64 inputs, the low nibbles first.
#[inline(always)]
pub(super) fn q4_k(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<144>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let (d, dmin) = (half_at(block), half_at(&block[2..]));
        let packed = block[4..16].first_chunk().expect("twelve bytes");
        let (scales, minima) = scales_and_minima(packed);
        let quarters = block[16..].as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<64>().0);
        for (quarter, (bytes, out)) in quarters.enumerate() {
            let (low, high) = out.split_at_mut(32);
            let scale = |index: usize| d * f32::from(scales[2 * quarter + index]);
            let min = |index: usize| dmin * f32::from(minima[2 * quarter + index]);
            let (scale_low, scale_high, min_low, min_high) = (scale(0), scale(1), min(0), min(1));
            for ((&byte, low), high) in bytes.iter().zip(low).zip(high) {
                *low = scale_low * f32::from(byte & 15) - min_low;
                *high = scale_high * f32::from(byte >> 4) - min_high;
            }
        }
    }
}

/// See [`super::Quant::Q6K`]: 128 low nibbles' bytes, 64 bytes of the two high bits, 16 scales, one f16.
///
/// Each half of 128 inputs is four runs of 32; runs 0 and 2 share the low and high nibbles of one 32 bytes,
/// runs 1 and 3 those of the next, and a byte of high bits serves one input of each run.
#[inline(always)]
pub(super) fn q6_k(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<210>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let d = half_at(&block[208..]);
        for (half, out) in out.as_chunks_mut::<128>().0.iter_mut().enumerate() {
            let (first, second) = block[64 * half..64 * half + 64].split_at(32);
            let high_bits = &block[128 + 32 * half..128 + 32 * half + 32];
            let scales = &block[192 + 8 * half..192 + 8 * half + 8];
            let scale = |index: usize| d * f32::from(scales[index] as i8);
            let [a, b, c, e] = out.as_chunks_mut::<32>().0 else { unreachable!("four runs") };
            six_bits::<0, 0>(first, high_bits, [scale(0), scale(1)], a);
            six_bits::<0, 2>(second, high_bits, [scale(2), scale(3)], b);
            six_bits::<4, 4>(first, high_bits, [scale(4), scale(5)], c);
            six_bits::<4, 6>(second, high_bits, [scale(6), scale(7)], e);
        }
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
