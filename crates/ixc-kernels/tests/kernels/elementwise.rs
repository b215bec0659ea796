//! Elementwise kernels against the same formulas in f64, number by number.

use ixc_kernels::elementwise::{add, add_bias, gelu, quick_gelu, silu_mul};

use crate::{Shifted, numbers, same};

/// Lengths around vectors' and tasks' borders.
const LENGTHS: [usize; 8] = [0, 1, 7, 31, 1000, 32_768, 32_769, 70_001];

/// Numbers from −30 to 30, denser around 0, with some extreme ones among them.
fn spread(count: usize, seed: u64) -> Vec<f32> {
    let extremes =
        [0.0, -0.0, 1e-40, -1e-40, 1e30, -1e30, f32::MAX, -f32::MAX, 1e-20, -87.5, -103.0];
    let mut values: Vec<f32> = numbers(count, seed).iter().map(|x| x * x * x * 30.0).collect();
    values.iter_mut().skip(3).step_by(5).zip(extremes).for_each(|(value, x)| *value = x);
    values
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn slow_quick_gelu(x: f64) -> f64 {
    x / (1.0 + (-1.702 * x).exp())
}

fn slow_gelu(x: f64) -> f64 {
    x * normal(x)
}

/// Φ(x) from the series of the error function, or far out from its continued fraction.
pub(crate) fn normal(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let tail = if z < 2.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..200 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        0.5 - sum / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..200).rev().fold(z, |rest, n| z + f64::from(n) / 2.0 / rest);
        (-z * z).exp() / fraction / std::f64::consts::PI.sqrt() / 2.0
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// Equal up to float32's rounding: of the result, of an exponent behind it, and of e^exponent where that
/// is denormal.
fn close(found: f32, expected: f64, exponent: f64) {
    let exponent = exponent.abs().min(104.0);
    let tolerance = expected.abs() * (4e-7 + exponent * 1.5e-7) + (exponent + 2.0) * 1.5e-45;
    let equal = found == expected as f32;
    assert!(
        equal || (f64::from(found) - expected).abs() <= tolerance,
        "{found} against {expected}"
    );
}

#[test]
fn activations_equal_their_formulas() {
    for length in LENGTHS {
        let (x, up) = (spread(length, 1), numbers(length, 2));
        let (mut silued, mut quick, mut erf) = (x.clone(), x.clone(), x.clone());
        silu_mul(&mut silued, &up);
        quick_gelu(&mut quick);
        gelu(&mut erf);
        for i in 0..length {
            let exact = f64::from(x[i]);
            close(silued[i], silu(exact) * f64::from(up[i]), exact);
            close(quick[i], slow_quick_gelu(exact), 1.702 * exact);
            close(erf[i], slow_gelu(exact), exact * exact / 2.0);
        }
    }
}

#[test]
fn activations_around_zero_keep_their_digits() {
    for i in -400..400 {
        let x = i as f32 / 100.0;
        let mut found = [x];
        gelu(&mut found);
        close(found[0], slow_gelu(f64::from(x)), 0.5 * f64::from(x * x));
    }
}

#[test]
fn infinities_and_nan_pass() {
    for function in [quick_gelu, gelu, |x: &mut [f32]| silu_mul(x, &[1.0; 20])] {
        let mut x = [1f32; 20]; // a vector of 16 and a tail
        (x[2], x[5], x[17], x[18]) = (f32::NAN, f32::INFINITY, f32::NAN, f32::INFINITY);
        function(&mut x);
        assert!(x[2].is_nan() && x[17].is_nan());
        assert!(x[5] == f32::INFINITY && x[18] == f32::INFINITY);
        assert!([0, 1, 3, 4, 6, 16, 19].iter().all(|&i| x[i] == x[0] && x[0].is_finite()));
    }
    let mut x = [f32::INFINITY, f32::NAN, 1.0, f32::MAX];
    add(&mut x, &[f32::NEG_INFINITY, 1.0, f32::INFINITY, f32::MAX]);
    assert!(x[0].is_nan() && x[1].is_nan() && x[2] == f32::INFINITY && x[3] == f32::INFINITY);
}

#[test]
fn sums_are_exactly_float_sums() {
    for length in LENGTHS {
        let (mut x, y) = (spread(length, 3), spread(length, 4));
        let expected: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
        add(&mut x, &y);
        assert_eq!(x, expected);
    }
}

#[test]
fn biases_are_the_columns_own() {
    for (rows, width) in [(0, 5), (1, 1), (3, 7), (9, 4096), (2, 40_000), (40_000, 2)] {
        let (x, bias) = (numbers(rows * width, 5), numbers(width, 6));
        let mut found = x.clone();
        add_bias(&mut found, &bias);
        assert!((0..x.len()).all(|i| found[i] == x[i] + bias[i % width]));
    }
}

/// Where the slices begin changes nothing, for lengths with every kind of tail.
#[test]
fn slices_begin_anywhere() {
    for (length, shift) in [(1, 1), (15, 3), (16, 5), (33, 15), (300, 7), (32_790, 9)] {
        let (x, y) = (spread(length, 7), spread(length, 8));
        for (name, function) in [
            ("silu", (|x: &mut [f32], y: &[f32]| silu_mul(x, y)) as fn(&mut [f32], &[f32])),
            ("quick", |x, _| quick_gelu(x)),
            ("gelu", |x, _| gelu(x)),
            ("add", |x, y| add(x, y)),
            ("bias", |x, y| add_bias(x, y)),
        ] {
            let (mut here, mut there) = (x.clone(), Shifted::new(&x, shift));
            function(&mut here, &y);
            function(there.values_mut(), Shifted::new(&y, shift + 2).values());
            let alike = here.iter().zip(there.values()).all(|(a, b)| same(*a, *b));
            assert!(alike, "{name} of {length} from {shift}");
        }
    }
}
