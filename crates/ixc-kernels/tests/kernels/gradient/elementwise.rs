//! Activations: slopes against differences, over all magnitudes.

use ixc_kernels::elementwise::{gelu_backward, quick_gelu_backward, silu_mul_backward};

use super::{differences, numbers, on_any_threads};
use crate::elementwise::normal;

const LENGTHS: [usize; 6] = [0, 1, 7, 1000, 32_769, 70_001];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn bell(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn silu_slope(x: f64) -> f64 {
    sigmoid(x) * (1.0 + x * sigmoid(-x))
}

fn quick_slope(x: f64) -> f64 {
    let z = 1.702 * x;
    sigmoid(z) * (1.0 + z * sigmoid(-z))
}

fn gelu_slope(x: f64) -> f64 {
    normal(x) + x * bell(x)
}

#[test]
fn the_twins_are_derivatives() {
    for i in -60..=60 {
        let x = f64::from(i) / 10.0;
        for (function, slope) in [
            (Box::new(|x: f64| x * sigmoid(x)) as Box<dyn Fn(f64) -> f64>, silu_slope(x)),
            (Box::new(|x: f64| x * sigmoid(1.702 * x)), quick_slope(x)),
            (Box::new(|x: f64| x * normal(x)), gelu_slope(x)),
        ] {
            let found = differences(&[x], |x| function(x[0]))[0];
            assert!((found - slope).abs() < 1e-9, "at {x}: {found} and {slope}");
        }
    }
}

/// Numbers from −30 to 30, denser around 0, the largest and smallest ones among them.
fn spread(count: usize) -> Vec<f32> {
    let extremes = [0.0, -0.0, 1e-40, -1e-40, 1e30, -1e30, f32::MAX, -f32::MAX, -87.5, -103.0];
    let mut values: Vec<f32> = numbers(count, 1).iter().map(|x| x * x * x * 30.0).collect();
    values.iter_mut().skip(3).step_by(5).zip(extremes).for_each(|(value, x)| *value = x);
    values
}

#[test]
fn slopes_equal_their_formulas() {
    for length in LENGTHS {
        let (x, up, dy) = (spread(length), numbers(length, 2), numbers(length, 3));
        let mut found = vec![[f32::NAN; 4]; length];
        let mut column = |index: usize, values: &[f32]| {
            found.iter_mut().zip(values).for_each(|(found, value)| found[index] = *value);
        };
        let (mut a, mut b) = (vec![f32::NAN; length], vec![f32::NAN; length]);
        silu_mul_backward(&x, &up, &dy, &mut a, &mut b);
        column(0, &a);
        column(1, &b);
        quick_gelu_backward(&x, &dy, &mut a);
        column(2, &a);
        gelu_backward(&x, &dy, &mut b);
        column(3, &b);
        for i in 0..length {
            let (exact, up, dy) = (f64::from(x[i]), f64::from(up[i]), f64::from(dy[i]));
            let expected = [
                up * silu_slope(exact.clamp(-700.0, 700.0)) * dy,
                exact * sigmoid(exact) * dy,
                quick_slope(exact.clamp(-400.0, 400.0)) * dy,
                gelu_slope(exact.clamp(-40.0, 40.0)) * dy,
            ];
            for (kind, (found, expected)) in found[i].iter().zip(expected).enumerate() {
                let off = (f64::from(*found) - expected).abs();
                assert!(
                    off <= 1e-6 * (dy.abs() + expected.abs()),
                    "{kind} at {}: {found}, {expected}",
                    x[i]
                );
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let (x, up, dy) = (numbers(100_000, 1), numbers(100_000, 2), numbers(100_000, 3));
    on_any_threads(|| {
        let (mut a, mut b) = (vec![0f32; x.len()], vec![0f32; x.len()]);
        silu_mul_backward(&x, &up, &dy, &mut a, &mut b);
        (a, b)
    });
}
