//! The two products of decoding in AVX-512, over keys and values as they are stored.
//!
//! Up to four queries share the widening of a row, which never leaves the registers; sixteen sums are
//! added up across their vectors together. While a tile is multiplied, the next one is called for: the
//! processor's own foresight ends at a page of memory, which is a few rows. Rows are whole vectors.
//! Deliberately absent: everything else of attention (see `few`, which has the same products in portable
//! form).

use std::arch::x86_64::*;

use half::f16;

use super::Stored;

/// Queries that share the loading of a row.
const ROWS: usize = 4;

/// Keys taken at once: with `ROWS`, as many sums as a vector has numbers.
const KEYS: usize = 4;

/// Vectors of a result taken at once: with `ROWS`, 16 running sums.
const VECTORS: usize = 4;

/// Stored numbers that can be widened 16 at a time.
trait Number: Copy {
    /// Widens 16 numbers.
    ///
    /// # Safety
    /// 16 numbers are there, and the processor has AVX-512 F.
    unsafe fn widen(numbers: *const Self) -> __m512;
}

impl Number for f32 {
    // SAFETY: what the trait asks of its caller.
    #[inline(always)]
    unsafe fn widen(numbers: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(numbers) }
    }
}

impl Number for f16 {
    // SAFETY: what the trait asks of its caller.
    #[inline(always)]
    unsafe fn widen(numbers: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(numbers.cast())) }
    }
}

impl Number for i8 {
    // SAFETY: what the trait asks of its caller.
    #[inline(always)]
    unsafe fn widen(numbers: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(numbers.cast()))) }
    }
}

/// Where the next tile lies, in bytes from the same row of this one.
#[derive(Clone, Copy)]
pub(super) struct Ahead(isize);

impl Ahead {
    /// From one tile to another.
    pub(super) fn new(from: Stored, to: Stored) -> Self {
        let start = |stored: Stored| match stored {
            Stored::F32(numbers) => numbers.as_ptr().addr(),
            Stored::F16(numbers) => numbers.as_ptr().addr(),
            Stored::Q8 { numbers, .. } => numbers.as_ptr().addr(),
        };
        Self(start(to).wrapping_sub(start(from)).cast_signed())
    }

    /// Calls for the row that is so far ahead of this one.
    #[inline(always)]
    fn fetch<N>(self, row: &[N]) {
        let start = row.as_ptr().cast::<i8>().wrapping_offset(self.0);
        for line in (0..size_of_val(row)).step_by(64) {
            // SAFETY: a hint; no address is wrong for it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) }
        }
    }
}

/// out[lane · step + key] = q[lane] · keys[key], for rows of `stride` numbers.
///
/// # Safety
/// The processor has AVX-512 F.
///
/// # Panics
/// When rows are not whole vectors or the output is too short.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn dots(
    q: &[f32],
    keys: Stored,
    stride: usize,
    out: &mut [f32],
    step: usize,
    ahead: Ahead,
) {
    let (lanes, count) = (q.len() / stride, keys.rows(stride));
    assert!(stride.is_multiple_of(16) && count <= step && out.len() >= (lanes - 1) * step + count);
    for lane in (0..lanes).step_by(ROWS) {
        let q = &q[lane * stride..lanes.min(lane + ROWS) * stride];
        let out = &mut out[lane * step..];
        match keys {
            Stored::F32(keys) => group(q, keys, None, stride, out, step, ahead),
            Stored::F16(keys) => group(q, keys, None, stride, out, step, ahead),
            Stored::Q8 { numbers, scales } => {
                group(q, numbers, Some(scales), stride, out, step, ahead)
            }
        }
    }
}

/// The products of up to `ROWS` queries.
#[target_feature(enable = "avx512f")]
fn group<N: Number>(
    q: &[f32],
    keys: &[N],
    scales: Option<&[f32]>,
    stride: usize,
    out: &mut [f32],
    step: usize,
    ahead: Ahead,
) {
    let (lanes, count) = (q.len() / stride, keys.len() / stride);
    // A missing query or key is the last one again, and its product is dropped.
    let q: [&[f32]; ROWS] = std::array::from_fn(|row| &q[row.min(lanes - 1) * stride..][..stride]);
    for first in (0..count).step_by(KEYS) {
        let taken = KEYS.min(count - first);
        let keys: [&[N]; KEYS] =
            std::array::from_fn(|key| &keys[(first + key.min(taken - 1)) * stride..][..stride]);
        keys.iter().for_each(|key| ahead.fetch(key));
        let mut sums = [_mm512_setzero_ps(); ROWS * KEYS];
        for at in (0..stride).step_by(16) {
            // SAFETY: rows are `stride` long, a multiple of 16.
            let queries = q.map(|q| unsafe { _mm512_loadu_ps(q.as_ptr().add(at)) });
            for key in 0..KEYS {
                // SAFETY: as above.
                let numbers = unsafe { N::widen(keys[key].as_ptr().add(at)) };
                for row in 0..ROWS {
                    let sum = &mut sums[row * KEYS + key];
                    *sum = _mm512_fmadd_ps(queries[row], numbers, *sum);
                }
            }
        }
        let mut totals = [0f32; ROWS * KEYS];
        // SAFETY: 16 numbers.
        unsafe { _mm512_storeu_ps(totals.as_mut_ptr(), add_up(sums)) }
        if let Some(scales) = scales {
            for totals in totals.chunks_exact_mut(KEYS) {
                totals.iter_mut().zip(&scales[first..]).for_each(|(total, scale)| *total *= scale);
            }
        }
        for (row, totals) in totals.chunks_exact(KEYS).take(lanes).enumerate() {
            out[row * step + first..][..taken].copy_from_slice(&totals[..taken]);
        }
    }
}

/// The sums of 16 vectors' numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_up(v: [__m512; 16]) -> __m512 {
    // Within quarters: neighbours, then pairs of neighbours. Each result's quarter holds four sums.
    let quads: [__m512; 4] = std::array::from_fn(|i| {
        let [a, b, c, d] = [v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3]];
        let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        _mm512_add_ps(
            _mm512_shuffle_ps::<0b01_00_01_00>(ab, cd),
            _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd),
        )
    });
    // Across quarters.
    let cross = |a: __m512, b: __m512| {
        _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
            _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
        )
    };
    cross(cross(quads[0], quads[1]), cross(quads[2], quads[3]))
}

/// out[lane] += Σ weights[lane · step + position] · values[position], for rows of `stride` numbers.
/// The weights are multiplied by the values' scales, where those have some.
///
/// # Safety
/// The processor has AVX-512 F.
///
/// # Panics
/// When rows are not whole vectors or there are too few weights.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn weigh(
    weights: &mut [f32],
    step: usize,
    values: Stored,
    stride: usize,
    out: &mut [f32],
    ahead: Ahead,
) {
    let (lanes, count) = (out.len() / stride, values.rows(stride));
    assert!(stride.is_multiple_of(16) && weights.len() >= (lanes - 1) * step + count);
    if let Stored::Q8 { scales, .. } = values {
        for lane in 0..lanes {
            let weights = &mut weights[lane * step..][..count];
            weights.iter_mut().zip(scales).for_each(|(weight, scale)| *weight *= scale);
        }
    }
    let mut lane = 0;
    while lane < lanes {
        let taken = if lanes - lane >= ROWS { ROWS } else { 1 };
        let weights = &weights[lane * step..];
        let out = &mut out[lane * stride..][..taken * stride];
        match (values, taken) {
            (Stored::F32(values), ROWS) => {
                add::<_, ROWS>(weights, step, values, stride, out, ahead)
            }
            (Stored::F32(values), _) => add::<_, 1>(weights, step, values, stride, out, ahead),
            (Stored::F16(values), ROWS) => {
                add::<_, ROWS>(weights, step, values, stride, out, ahead)
            }
            (Stored::F16(values), _) => add::<_, 1>(weights, step, values, stride, out, ahead),
            (Stored::Q8 { numbers, .. }, ROWS) => {
                add::<_, ROWS>(weights, step, numbers, stride, out, ahead)
            }
            (Stored::Q8 { numbers, .. }, _) => {
                add::<_, 1>(weights, step, numbers, stride, out, ahead)
            }
        }
        lane += taken;
    }
}

/// The results of `R` queries.
#[target_feature(enable = "avx512f")]
fn add<N: Number, const R: usize>(
    weights: &[f32],
    step: usize,
    values: &[N],
    stride: usize,
    out: &mut [f32],
    ahead: Ahead,
) {
    let whole = stride / (16 * VECTORS) * 16 * VECTORS;
    for at in (0..whole).step_by(16 * VECTORS) {
        columns::<N, R, VECTORS>(weights, step, values, stride, at, out, ahead);
    }
    for at in (whole..stride).step_by(16) {
        columns::<N, R, 1>(weights, step, values, stride, at, out, ahead);
    }
}

/// The `V` vectors from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns<N: Number, const R: usize, const V: usize>(
    weights: &[f32],
    step: usize,
    values: &[N],
    stride: usize,
    at: usize,
    out: &mut [f32],
    ahead: Ahead,
) {
    let count = values.len() / stride;
    let weights: [&[f32]; R] = std::array::from_fn(|row| &weights[row * step..][..count]);
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for (position, values) in values.chunks_exact(stride).enumerate() {
        let values = &values[at..at + 16 * V];
        ahead.fetch(values);
        let weights = weights.map(|weights| _mm512_set1_ps(weights[position]));
        for (v, values) in values.chunks_exact(16).enumerate() {
            // SAFETY: 16 numbers are there.
            let numbers = unsafe { N::widen(values.as_ptr()) };
            for (sums, weight) in sums.iter_mut().zip(weights) {
                sums[v] = _mm512_fmadd_ps(weight, numbers, sums[v]);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let out = &mut out[row * stride + at..][..16 * V];
        for (out, sum) in out.chunks_exact_mut(16).zip(sums) {
            // SAFETY: 16 numbers each.
            unsafe {
                let before = _mm512_loadu_ps(out.as_ptr());
                _mm512_storeu_ps(out.as_mut_ptr(), _mm512_add_ps(before, *sum));
            }
        }
    }
}
