//! Functions of one number, written without branches or calls, so that loops over them become vectors.
//!
//! Plain products and sums, never fused, in one order: every processor gives the same bits. Infinities,
//! NaN, denormals and overflow come out as in exact arithmetic, rounded to float32.
//! Deliberately absent: loops (see [`crate::elementwise`]).

/// Adding and taking away 1.5 · 2²³ rounds to an integer, which then stands in the lower bits.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts: the first has so few bits that its product with an exponent is exact.
const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Below it e^x is 0, above it infinite.
const EXP_RANGE: (f32, f32) = (-104.0, 89.0);

/// (e^r − 1 − r) / r² for |r| ≤ ln 2 / 2, lowest power first: fitted, with 3e-9 of e^r at most.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_2, 0.041_668_408, 0.008_368_899, 0.001_381_421_9];

/// e^x, within 2 units of the last place.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // In this order NaN passes both.
    let x = if EXP_RANGE.0 > x { EXP_RANGE.0 } else { x };
    let x = if EXP_RANGE.1 < x { EXP_RANGE.1 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let exponent = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let whole = rounded - ROUND;
    let r = (x - whole * LN2.0) - whole * LN2.1;
    let e = 1.0 + (r + r * r * polynomial(&EXP, r));
    // 2^exponent in two steps: one alone can leave float32's range though the result does not.
    let half = exponent >> 1;
    e * power_of_two(half) * power_of_two(exponent.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) as u32) << 23)
}

#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for index in (0..N - 1).rev() {
        sum = sum * x + coefficients[index];
    }
    sum
}

/// The larger of two numbers; where one is none, neither is the result, which `f32::max` would hide.
#[inline(always)]
pub(crate) fn larger(most: f32, value: f32) -> f32 {
    if most > value || most.is_nan() { most } else { value }
}

/// The logistic function 1 / (1 + e^−x); no digits are lost where it is small.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// x · σ(x).
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// [`silu`] and its slope, σ(x) + x · σ(x) · σ(−x).
#[inline(always)]
pub(crate) fn silu_and_slope(x: f32) -> (f32, f32) {
    let (up, down) = (sigmoid(x), sigmoid(-x)); // their sum is 1; neither loses digits
    let silu = x * up;
    (silu, up + silu * down)
}

/// x · σ(1.702 x).
#[inline(always)]
pub(crate) fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(1.702 * x)
}

/// The slope of [`quick_gelu`].
#[inline(always)]
pub(crate) fn quick_gelu_slope(x: f32) -> f32 {
    let (up, down) = (sigmoid(1.702 * x), sigmoid(-1.702 * x));
    up + 1.702 * (x * up * down)
}

/// How fast the variable t = 1 / (1 + slope · x) of [`normal`] falls.
const TAIL_SLOPE: f32 = 0.3;

/// What lies beyond x, times e^(x²/2) / t, lowest power of t first: fitted over 0 ≤ x ≤ 14.5, behind which
/// nothing is left in float32; 3e-8 of it at most.
const TAIL: [f32; 10] = [
    0.119_687_35,
    0.119_558_34,
    0.110_351_935,
    0.077_827_446,
    0.097_828_75,
    -0.082_609_884,
    0.195_687_47,
    -0.231_184_86,
    0.113_714_8,
    -0.020_861_369,
];

/// The normal distribution: how much of it lies below x, and e^(−x²/2).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let (bell, t) = (exp(-0.5 * x * x), 1.0 / (1.0 + TAIL_SLOPE * x.abs()));
    let tail = bell * t * polynomial(&TAIL, t); // beyond |x|
    (if x > 0.0 { 1.0 - tail } else { tail }, bell)
}

/// x · Φ(x), with the normal distribution's Φ: the GELU by the error function.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    x * normal(x).0
}

/// 1 / √(2 π).
const BELL: f32 = 0.398_942_3;

/// The slope of [`gelu`], Φ(x) + x · e^(−x²/2) / √(2 π).
#[inline(always)]
pub(crate) fn gelu_slope(x: f32) -> f32 {
    let (below, bell) = normal(x);
    below + x * bell * BELL
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units of the last place of `exact` as float32.
    fn ulps(found: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let unit =
            f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(found) - exact).abs() / unit
    }

    #[test]
    fn exp_is_within_two_units_everywhere() {
        // Every 997th float between the range's ends, denormal results included.
        for bits in (0..0x42d0_0000u32).step_by(997) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                let exact = f64::from(x).exp();
                if exact <= f64::from(f32::MAX) {
                    let off = ulps(exp(x), exact);
                    assert!(off <= 2.0, "exp({x}) is {off} units off");
                } else {
                    assert_eq!(exp(x), f32::INFINITY, "exp({x})");
                }
            }
        }
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!(exp(0.0), 1.0);
        for x in [1e30, 89.5, f32::MAX, f32::INFINITY] {
            assert_eq!(exp(x), f32::INFINITY);
            assert_eq!(exp(-x * 1.2), 0.0);
        }
        assert!(exp(88.72).is_finite() && exp(-103.9) > 0.0);
        assert!(exp(f32::NAN).is_nan());
    }
}
