//! Rotary positions against their slow twin: one pair of numbers at a time, in f64.

use candle_core::{Device, Tensor};
use ixc_nn::rope::Rope;

/// The published formula: number i and number i + d/2 are the two sides of one rotation.
fn slow(x: &[f32], width: usize, start: usize, base: f64) -> Vec<f64> {
    let half = width / 2;
    let mut out = vec![0f64; x.len()];
    for (row, (x, out)) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).enumerate() {
        for i in 0..half {
            let angle = (start + row) as f64 * base.powf(-2.0 * i as f64 / width as f64);
            let (a, b) = (f64::from(x[i]), f64::from(x[i + half]));
            out[i] = a * angle.cos() - b * angle.sin();
            out[i + half] = b * angle.cos() + a * angle.sin();
        }
    }
    out
}

fn check(rope: &Rope, start: usize, count: usize, base: f64) {
    let numbers: Vec<f32> =
        (0..count * rope.width).map(|i| ((i * 37) % 19) as f32 / 9.0 - 1.0).collect();
    // One head: the same numbers as its query, its key and its value.
    let packed: Vec<f32> = numbers.chunks_exact(rope.width).flat_map(|x| x.repeat(3)).collect();
    let packed = Tensor::from_slice(&packed, (count, 3 * rope.width), &Device::Cpu).unwrap();
    let (q, k, v) = rope.tables([(start, count)]).split(&packed, 1, 1).unwrap();
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let found = values(&q);
    assert_eq!(values(&k), found);
    assert_eq!(values(&v), numbers);
    assert_eq!((q.dims(), v.dims()), (&[1, 1, count, rope.width][..], &[1, count, rope.width][..]));
    // Angles are rounded to float32, as published: at position p that is p · 2⁻²⁴ of a turn.
    let tolerance = 1e-5 + (start + count) as f64 * 1e-6;
    for (f, e) in found.iter().zip(slow(&numbers, rope.width, start, base)) {
        assert!((f64::from(*f) - e).abs() < tolerance, "{f} against {e} at {start}");
    }
}

fn rope(width: usize, dynamic_factor: Option<f64>) -> Rope {
    Rope { width, base: 1e6, positions_max: 100, dynamic_factor }
}

#[test]
fn rotation_equals_its_slow_twin() {
    for width in [2, 16, 128] {
        for (start, count) in [(0, 1), (0, 50), (7, 3), (2000, 4)] {
            check(&rope(width, None), start, count, 1e6);
        }
    }
}

#[test]
fn dynamic_scaling_begins_behind_the_trained_length() {
    for factor in [1.0, 2.0] {
        let rope = rope(16, Some(factor));
        check(&rope, 90, 10, 1e6);
        // 150 positions of 100: base · (factor · 1.5 − (factor − 1))^(16 / 14).
        let stretch = factor * 1.5 - (factor - 1.0);
        check(&rope, 140, 10, 1e6 * f64::powf(stretch, 16.0 / 14.0));
    }
}
