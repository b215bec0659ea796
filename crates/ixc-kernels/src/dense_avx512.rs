//! Dot products of float32 rows with a row of stored bfloat16, which is widened in registers.
//!
//! Through a scratch of float32 the weights would be written and read once more, and memory would wait
//! meanwhile. Sums are in the order of [`crate::matmul`]'s. Deliberately absent: other types, other vectors.

use std::arch::x86_64::*;

use crate::product::dot::ask_ahead;

/// Inputs of one vector.
const LANES: usize = 16;

/// The products of `R` rows, one behind the other, with one row of weights. Each row's sum is the same
/// whatever R.
///
/// # Safety
/// The processor has the instructions; `rows` are R rows as long as the weights.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn dot_bf16<const R: usize>(rows: &[f32], weights: &[u16]) -> [f32; R] {
    let k = weights.len();
    debug_assert_eq!(rows.len(), R * k);
    let (weight, row) = (weights.as_ptr(), rows.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let mut at = 0;
    while at + 2 * LANES <= k {
        // SAFETY: two vectors lie within each row.
        unsafe {
            ask_ahead(weight.add(at).cast(), 4 * LANES);
            let first = widened(_mm256_loadu_si256(weight.add(at).cast()));
            let second = widened(_mm256_loadu_si256(weight.add(at + LANES).cast()));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = row.add(r * k + at);
                sums[0] = _mm512_fmadd_ps(_mm512_loadu_ps(x), first, sums[0]);
                sums[1] = _mm512_fmadd_ps(_mm512_loadu_ps(x.add(LANES)), second, sums[1]);
            }
        }
        at += 2 * LANES;
    }
    // What is left is less than two vectors; lanes beyond the end are zeros.
    for half in 0..2 {
        let left = k.saturating_sub(at).min(LANES);
        let mask = ((1u32 << left) - 1) as __mmask16;
        // SAFETY: masked lanes are not read, and the others lie within each row.
        unsafe {
            let some = widened(_mm256_maskz_loadu_epi16(mask, weight.wrapping_add(at).cast()));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_maskz_loadu_ps(mask, row.wrapping_add(r * k + at));
                sums[half] = _mm512_fmadd_ps(x, some, sums[half]);
            }
        }
        at += left;
    }
    sums.map(|[one, other]| _mm512_reduce_add_ps(_mm512_add_ps(one, other)))
}

/// 16 numbers of bfloat16 as float32.
#[inline]
#[target_feature(enable = "avx512f")]
fn widened(numbers: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(numbers)))
}
