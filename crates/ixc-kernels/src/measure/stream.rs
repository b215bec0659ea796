//! Reading memory and doing nothing else.
//!
//! One linear stream: several in one thread are slower. What is read is folded into one word, so that no
//! byte can be left out.

use std::hint::black_box;

/// Words read side by side: eight of the widest registers.
const LANES: usize = 64;

/// The whole words among some bytes.
pub(super) fn words(bytes: &[u8]) -> &[u64] {
    bytemuck::pod_align_to(bytes).1
}

/// Reads all words; returns their exclusive or.
pub(super) fn read(words: &[u64]) -> u64 {
    let all = pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut lanes = [0u64; LANES];
            let (blocks, rest) = words.as_chunks::<LANES>();
            for block in blocks {
                for (lane, word) in lanes.iter_mut().zip(block) {
                    *lane ^= word;
                }
            }
            lanes.iter().chain(rest).fold(0, |all, word| all ^ word)
        },
    );
    black_box(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        for count in [0, 1, 63, 64, 65, 1000] {
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
