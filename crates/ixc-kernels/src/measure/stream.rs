//! Reading memory and doing nothing else.
//!
//! One linear stream: several in one thread are slower. What is read is folded into one word, so that no
//! byte can be left out.

use std::hint::black_box;

use pulp::{Arch, Simd, WithSimd};

/// Vectors read side by side.
const SUMS: usize = 8;

/// Words of the widest vector.
const LANES_MAX: usize = 8;

/// The whole words among some bytes.
pub(super) fn words(bytes: &[u8]) -> &[u64] {
    bytemuck::pod_align_to(bytes).1
}

/// Reads all words; returns their exclusive or.
pub(super) fn read(words: &[u64]) -> u64 {
    black_box(Arch::new().dispatch(Read(words)))
}

/// Written with explicit vectors: of a loop over arrays the compiler keeps sums in memory now and then, and then
/// it is the sums that are measured.
struct Read<'a>(&'a [u64]);

impl WithSimd for Read<'_> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> u64 {
        let (vectors, tail) = S::as_simd_u64s(self.0);
        let (blocks, rest) = vectors.as_chunks::<SUMS>();
        let mut sums = [simd.splat_u64s(0); SUMS];
        for block in blocks {
            for (sum, vector) in sums.iter_mut().zip(block) {
                *sum = simd.xor_u64s(*sum, *vector);
            }
        }
        let all = sums.iter().chain(rest).fold(simd.splat_u64s(0), |all, &v| simd.xor_u64s(all, v));
        let mut lanes = [0u64; LANES_MAX];
        simd.partial_store_u64s(&mut lanes[..S::U64_LANES], all);
        lanes.iter().chain(tail).fold(0, |all, word| all ^ word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        for count in [0, 1, 7, 8, 63, 64, 65, 1000] {
            let words: Vec<u64> =
                (0..count).map(|i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
            let naive = words.iter().fold(0, |all, word| all ^ word);
            assert_eq!(read(&words), naive, "{count}");
        }
    }

    #[test]
    fn misaligned_ends_are_left_out() {
        let numbers = [1u64, 2, 3];
        let bytes: &[u8] = bytemuck::cast_slice(&numbers);
        assert_eq!(words(bytes), numbers);
        assert_eq!(words(&bytes[1..]), [2, 3]);
        assert_eq!(words(&bytes[..23]), [1, 2]);
        assert_eq!(words(&bytes[1..5]), [0u64; 0]);
    }
}
