//! Norms against their formulas in f64.

use ixc_kernels::norm::{layer_norm, rms_norm};

use crate::{Shifted, numbers, same};

const SHAPES: [(usize, usize); 9] =
    [(0, 4), (1, 1), (2, 3), (5, 17), (3, 64), (4, 127), (7, 1024), (33, 4096), (1, 70_001)];

/// The slow, obvious layer norm; without its mean and bias it is the other one.
fn slow(row: &[f32], weight: &[f32], bias: &[f32], eps: f64, centred: bool) -> Vec<f64> {
    let width = row.len() as f64;
    let mean = if centred { row.iter().map(|&x| f64::from(x)).sum::<f64>() / width } else { 0.0 };
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width;
    let scale = 1.0 / (variance + eps).sqrt();
    let columns = weight.iter().zip(bias);
    row.iter()
        .zip(columns)
        .map(|(&x, (&w, &b))| (f64::from(x) - mean) * scale * f64::from(w) + f64::from(b))
        .collect()
}

fn check(x: &[f32], width: usize, eps: f32) {
    let (weight, bias) = (numbers(width, 8), numbers(width, 9));
    let (mut rms, mut layer) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    rms_norm(x, &weight, eps, &mut rms);
    layer_norm(x, &weight, &bias, eps, &mut layer);
    let zero = vec![0f32; width];
    for (row, x) in x.chunks_exact(width).enumerate() {
        let expected = slow(x, &weight, &zero, f64::from(eps), false);
        for (f, e) in rms[row * width..].iter().zip(expected) {
            assert!((f64::from(*f) - e).abs() <= 1e-6 * e.abs() + 1e-12, "{f} against {e}");
        }
        let expected = slow(x, &weight, &bias, f64::from(eps), true);
        // The mean is rounded: its error counts in proportion to how far it is off the spread.
        let large = x.iter().fold(0f32, |m, x| m.max(x.abs()));
        let spread =
            x.iter().fold(f32::MIN, |m, &x| m.max(x)) - x.iter().fold(f32::MAX, |m, &x| m.min(x));
        let tolerance = 3e-6 * (1.0 + f64::from(large / spread.max(eps.sqrt())));
        for (f, e) in layer[row * width..].iter().zip(expected) {
            assert!((f64::from(*f) - e).abs() <= tolerance, "{f} against {e} within {tolerance}");
        }
    }
}

#[test]
fn norms_equal_their_formulas() {
    for (rows, width) in SHAPES {
        check(&numbers(rows * width, 1), width, 1e-5);
        let shifted: Vec<f32> = numbers(rows * width, 2).iter().map(|x| 50.0 + 3.0 * x).collect();
        check(&shifted, width, 1e-5);
    }
}

#[test]
fn tiny_and_large_numbers_keep_their_digits() {
    for scale in [1e-30f32, 1e-18, 1e-3, 1e15] {
        let x: Vec<f32> = numbers(6 * 300, 3).iter().map(|x| x * scale).collect();
        check(&x, 300, 1e-5);
    }
}

#[test]
fn a_row_that_is_not_finite_spoils_no_other() {
    let (width, eps) = (100, 1e-5);
    let (weight, bias) = (vec![1f32; width], vec![0f32; width]);
    for bad in [f32::NAN, f32::INFINITY, 1e30] {
        for column in [0, 63, 99] {
            let mut x = numbers(3 * width, 4);
            x[width + column] = bad;
            let (mut rms, mut layer) = (vec![0f32; x.len()], vec![0f32; x.len()]);
            rms_norm(&x, &weight, eps, &mut rms);
            layer_norm(&x, &weight, &bias, eps, &mut layer);
            for out in [rms, layer] {
                assert!(out[..width].iter().chain(&out[2 * width..]).all(|x| x.is_finite()));
                // 1e30 squared is infinite in float32, where the published code computes too.
                let spoiled = &out[width..2 * width];
                assert!(
                    spoiled[column].is_nan() || bad == 1e30 && spoiled.iter().all(|x| *x == 0.0)
                );
            }
        }
    }
}

#[test]
fn rows_of_zeros_and_of_the_least_numbers() {
    for width in [1, 15, 16, 100] {
        let (weight, bias) = (numbers(width, 8), numbers(width, 9));
        for value in [0.0f32, -0.0, 1e-45, -1e-40, f32::MIN_POSITIVE] {
            let x = vec![value; 2 * width];
            let (mut rms, mut layer) = (vec![f32::NAN; 2 * width], vec![f32::NAN; 2 * width]);
            rms_norm(&x, &weight, 1e-5, &mut rms);
            layer_norm(&x, &weight, &bias, 1e-5, &mut layer);
            assert!(rms.iter().all(|found| found.abs() < 1e-34), "{value}");
            // All numbers are their mean.
            let close = |(found, bias): (&f32, &f32)| (found - bias).abs() < 1e-34;
            assert!(layer.iter().zip(bias.iter().cycle()).all(close), "{value}");
        }
    }
}

/// Where the slices begin changes nothing.
#[test]
fn slices_begin_anywhere() {
    for (width, shift) in [(1, 1), (15, 3), (33, 15), (130, 7)] {
        let (x, weight, bias) = (numbers(3 * width, 1), numbers(width, 2), numbers(width, 3));
        let moved = |values: &[f32]| Shifted::new(values, shift);
        let (mut here, mut there) = (vec![0f32; x.len()], moved(&vec![0f32; x.len()]));
        rms_norm(&x, &weight, 1e-5, &mut here);
        rms_norm(moved(&x).values(), moved(&weight).values(), 1e-5, there.values_mut());
        assert!(here.iter().zip(there.values()).all(|(a, b)| same(*a, *b)), "rms {width}");
        layer_norm(&x, &weight, &bias, 1e-5, &mut here);
        let (x, weight, bias) = (moved(&x), moved(&weight), moved(&bias));
        layer_norm(x.values(), weight.values(), bias.values(), 1e-5, there.values_mut());
        assert!(here.iter().zip(there.values()).all(|(a, b)| same(*a, *b)), "layer {width}");
    }
}
