//! Spans of words with 512-bit and with 256-bit vectors: 16 or 8 outputs each.
//!
//! Nibbles are unsigned and activations signed, as the 8-bit dot products want them; zero points are taken
//! off the sums, where they cost one product for all words of a span. 15 · 127 · 2 fits the 16 bits of
//! AVX2's form, and four such sums still do.

use std::arch::x86_64::*;

use super::{Side, Strip};

/// Vectors of outputs that are summed side by side, which hides how long a product takes.
const WIDE: usize = 4;
const NARROW: usize = 2;

/// How many outputs ahead of those at work words are asked for; behind a strip's end its next span begins.
const AHEAD: usize = 128;

/// Where the words lie that are to be asked for while outputs from `first` on are at work: of each word
/// of the span, and of how many.
fn ahead(strip: &Strip, first: usize) -> (*const u32, usize) {
    let (at, end) = (first + AHEAD, strip.outputs.end);
    if at < end {
        return (strip.words.as_ptr().wrapping_add(at), strip.words.len() / strip.stride);
    }
    let at = (strip.outputs.start + at - end).min(end);
    (strip.ahead.as_ptr().wrapping_add(at), strip.ahead.len() / strip.stride)
}

/// Asks for a line of word number `word`.
#[inline(always)]
fn ask(ahead: (*const u32, usize), word: usize, stride: usize, line: usize) {
    if word < ahead.1 {
        let at = ahead.0.wrapping_add(word * stride + 16 * line);
        // SAFETY: a prefetch reads nothing; any address will do.
        unsafe { _mm_prefetch(at.cast(), _MM_HINT_T0) };
    }
}

/// # Safety
/// The processor has the instructions; the slices fit each other, as [`Strip::add`] checks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn add_avx512<const R: usize>(
    strip: &Strip,
    sides: &[Side; R],
    mut out: [&mut [f32]; R],
) {
    let (mut first, end) = (strip.outputs.start, strip.outputs.end);
    // SAFETY: the outputs are the strip's, and what is behind its end is masked out.
    unsafe {
        while first + 16 * WIDE <= end {
            wide::<R, WIDE>(strip, sides, first, &mut out, None);
            first += 16 * WIDE;
        }
        while first < end {
            let mask = if end - first >= 16 { 0xFFFF } else { 0x00FF };
            wide::<R, 1>(strip, sides, first, &mut out, Some(mask));
            first += 16;
        }
    }
}

/// `V` vectors of outputs from `first` on; of the masked ones only those.
///
/// # Safety
/// As [`add_avx512`], and the outputs are the strip's.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn wide<const R: usize, const V: usize>(
    strip: &Strip,
    sides: &[Side; R],
    first: usize,
    out: &mut [&mut [f32]; R],
    mask: Option<u16>,
) {
    let low = _mm512_set1_epi32(0x0F0F_0F0F);
    let mut totals = [[_mm512_setzero_si512(); V]; R];
    let ahead = ahead(strip, first);
    for word in 0..strip.words.len() / strip.stride {
        for v in 0..V {
            ask(ahead, word, strip.stride, v);
            // SAFETY: these words of these outputs.
            let words = unsafe {
                let at = strip.words.as_ptr().add(word * strip.stride + first + 16 * v).cast();
                match mask {
                    None => _mm512_loadu_epi32(at),
                    Some(mask) => _mm512_maskz_loadu_epi32(mask, at),
                }
            };
            let even = _mm512_and_si512(words, low);
            let odd = _mm512_and_si512(_mm512_srli_epi32(words, 4), low);
            for (side, totals) in sides.iter().zip(&mut totals) {
                // SAFETY: as many halves as words.
                let [x, y] = *unsafe { side.halves.get_unchecked(word) };
                totals[v] = _mm512_dpbusd_epi32(totals[v], even, _mm512_set1_epi32(x));
                totals[v] = _mm512_dpbusd_epi32(totals[v], odd, _mm512_set1_epi32(y));
            }
        }
    }
    let shifts = _mm512_broadcast_i64x4(_mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    let mask = mask.unwrap_or(0xFFFF);
    for v in 0..V {
        let column = first + 16 * v;
        let zeros = &strip.zeros[column / 8..];
        let (left, right) = (zeros[0] as i32, zeros.get(1).map_or(0, |zeros| *zeros as i32));
        let zeros = _mm512_mask_set1_epi32(_mm512_set1_epi32(left), 0xFF00, right);
        let zeros = _mm512_and_si512(_mm512_srlv_epi32(zeros, shifts), _mm512_set1_epi32(15));
        let zeros = _mm512_cvtepi32_ps(_mm512_add_epi32(zeros, _mm512_set1_epi32(1)));
        // SAFETY: these outputs' scales.
        let scales = unsafe {
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(
                mask,
                strip.scales.as_ptr().add(column).cast(),
            ))
        };
        for ((side, totals), out) in sides.iter().zip(&totals).zip(&mut *out) {
            // SAFETY: these outputs' sums.
            unsafe {
                let out = out.as_mut_ptr().add(column - strip.outputs.start);
                let total = _mm512_cvtepi32_ps(totals[v]);
                let total = _mm512_fnmadd_ps(zeros, _mm512_set1_ps(side.sum), total);
                let scale = _mm512_mul_ps(scales, _mm512_set1_ps(side.scale));
                let sum = _mm512_fmadd_ps(total, scale, _mm512_maskz_loadu_ps(mask, out));
                _mm512_mask_storeu_ps(out, mask, sum);
            }
        }
    }
}

/// # Safety
/// As [`add_avx512`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn add_avx2<const R: usize>(
    strip: &Strip,
    sides: &[Side; R],
    mut out: [&mut [f32]; R],
) {
    let (mut first, end) = (strip.outputs.start, strip.outputs.end);
    // SAFETY: the outputs are the strip's.
    unsafe {
        while first + 8 * NARROW <= end {
            narrow::<R, NARROW>(strip, sides, first, &mut out);
            first += 8 * NARROW;
        }
        if first < end {
            narrow::<R, 1>(strip, sides, first, &mut out);
        }
    }
}

/// `V` vectors of outputs from `first` on.
///
/// # Safety
/// As [`add_avx512`], and the outputs are the strip's.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn narrow<const R: usize, const V: usize>(
    strip: &Strip,
    sides: &[Side; R],
    first: usize,
    out: &mut [&mut [f32]; R],
) {
    let (low, ones) = (_mm256_set1_epi32(0x0F0F_0F0F), _mm256_set1_epi16(1));
    let mut totals = [[_mm256_setzero_si256(); V]; R];
    let ahead = ahead(strip, first);
    for word in 0..strip.words.len() / strip.stride {
        ask(ahead, word, strip.stride, 0);
        for v in 0..V {
            // SAFETY: these words of these outputs.
            let words = unsafe {
                let at = strip.words.as_ptr().add(word * strip.stride + first + 8 * v);
                _mm256_loadu_si256(at.cast())
            };
            let even = _mm256_and_si256(words, low);
            let odd = _mm256_and_si256(_mm256_srli_epi32(words, 4), low);
            for (side, totals) in sides.iter().zip(&mut totals) {
                // SAFETY: as many halves as words.
                let [x, y] = *unsafe { side.halves.get_unchecked(word) };
                let sum = _mm256_add_epi16(
                    _mm256_maddubs_epi16(even, _mm256_set1_epi32(x)),
                    _mm256_maddubs_epi16(odd, _mm256_set1_epi32(y)),
                );
                totals[v] = _mm256_add_epi32(totals[v], _mm256_madd_epi16(sum, ones));
            }
        }
    }
    let shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    for v in 0..V {
        let column = first + 8 * v;
        let zeros = _mm256_set1_epi32(strip.zeros[column / 8] as i32);
        let zeros = _mm256_and_si256(_mm256_srlv_epi32(zeros, shifts), _mm256_set1_epi32(15));
        let zeros = _mm256_cvtepi32_ps(_mm256_add_epi32(zeros, _mm256_set1_epi32(1)));
        // SAFETY: these outputs' scales.
        let scales =
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(strip.scales.as_ptr().add(column).cast())) };
        for ((side, totals), out) in sides.iter().zip(&totals).zip(&mut *out) {
            // SAFETY: these outputs' sums.
            unsafe {
                let out = out.as_mut_ptr().add(column - strip.outputs.start);
                let total = _mm256_cvtepi32_ps(totals[v]);
                let total = _mm256_fnmadd_ps(zeros, _mm256_set1_ps(side.sum), total);
                let scale = _mm256_mul_ps(scales, _mm256_set1_ps(side.scale));
                _mm256_storeu_ps(out, _mm256_fmadd_ps(total, scale, _mm256_loadu_ps(out)));
            }
        }
    }
}
