//! Arm's 8-bit dot product, which the standard library has only as an unstable feature.
//!
//! Written as the one instruction it is; everything around it can then be intrinsics. Deliberately absent:
//! the plain NEON form, which needs no help.

use std::arch::{
    aarch64::{int8x16_t, int32x4_t},
    asm,
};

/// Adds sixteen products to four sums, four neighbours to each.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn sdot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the processor has the instruction, as the attribute says; it touches these registers alone.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums,
            in(vreg) a,
            in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// As [`sdot`], with the same four numbers of `b` for each sum: those of word `WORD`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn sdot_word<const WORD: usize>(
    mut sums: int32x4_t,
    a: int8x16_t,
    b: int8x16_t,
) -> int32x4_t {
    // SAFETY: as above.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]",
            inout(vreg) sums,
            in(vreg) a,
            in(vreg) b,
            const WORD,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}
