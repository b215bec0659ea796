//! The optimiser against PyTorch's documented rule in f64, and the noise of dropout.

use ixc_kernels::{
    adamw::{AdamW, Parameters, squares},
    dropout::Dropout,
};

use super::{close, numbers, on_any_threads, wide};

const RULE: AdamW = AdamW { rate: 3e-3, betas: (0.9, 0.95), eps: 1e-8, decay: 0.1 };

/// Parameter, mean, square.
type State = [Vec<f64>; 3];

fn slow(rule: AdamW, step: i32, [values, mean, square]: &mut State, gradient: &[f64]) {
    for i in 0..values.len() {
        values[i] -= rule.rate * rule.decay * values[i];
        mean[i] = rule.betas.0 * mean[i] + (1.0 - rule.betas.0) * gradient[i];
        square[i] = rule.betas.1 * square[i] + (1.0 - rule.betas.1) * gradient[i].powi(2);
        let mean = mean[i] / (1.0 - rule.betas.0.powi(step));
        let square = square[i] / (1.0 - rule.betas.1.powi(step));
        values[i] -= rule.rate * mean / (square.sqrt() + rule.eps);
    }
}

#[test]
fn steps_follow_the_rule() {
    for len in [0, 1, 17, 1000, 70_001] {
        let mut found = [numbers(len, 1), vec![0f32; len], vec![0f32; len]];
        let mut expected: State = [0, 1, 2].map(|i| wide(&found[i]));
        for step in 1..=20 {
            // Numbers over ten orders of magnitude, zeros among them.
            let mut gradient: Vec<f32> =
                numbers(len, 10 + step).iter().map(|x| x.powi(9) * 10.0).collect();
            gradient.iter_mut().step_by(13).for_each(|x| *x = 0.0);
            let scaled: Vec<f64> = gradient.iter().map(|x| f64::from(x * 0.3)).collect();
            slow(RULE, step as i32, &mut expected, &scaled);
            let [values, mean, square] = &mut found;
            RULE.step(step, Parameters { values, mean, square }, &gradient, 0.3);
        }
        for (found, expected) in found.iter().zip(&expected) {
            close(found, expected, 2e-6);
        }
    }
}

#[test]
fn late_steps_need_no_correction_and_nothing_moves_without_a_rate() {
    let mut values = numbers(100, 1);
    let (before, mut mean, mut square) = (values.clone(), vec![0f32; 100], vec![0f32; 100]);
    let still = AdamW { rate: 0.0, ..RULE };
    let parameters = Parameters { values: &mut values, mean: &mut mean, square: &mut square };
    still.step(1_000_000, parameters, &numbers(100, 2), 1.0);
    assert_eq!(values, before);
    assert!(mean.iter().chain(&square).all(|x| x.is_finite()) && square.iter().any(|x| *x > 0.0));
}

#[test]
fn lengths_are_those_of_float64() {
    for len in [0, 1, 31, 32_768, 100_003] {
        let x: Vec<f32> = numbers(len, 1).iter().map(|x| x * 1e-12).collect();
        let expected: f64 = wide(&x).iter().map(|x| x * x).sum();
        assert!((squares(&x) - expected).abs() <= 1e-12 * expected);
    }
    assert!(squares(&[1.0, f32::NAN]).is_nan());
    assert_eq!(squares(&[f32::MAX, f32::MAX]), 2.0 * f64::from(f32::MAX).powi(2));
}

#[test]
fn threads_change_nothing() {
    let gradient = numbers(200_000, 2);
    on_any_threads(|| {
        let [mut values, mut mean, mut square] =
            [numbers(200_000, 1), vec![0f32; 200_000], vec![0f32; 200_000]];
        let parameters = Parameters { values: &mut values, mean: &mut mean, square: &mut square };
        RULE.step(3, parameters, &gradient, 0.7);
        NOISE.apply(77, &mut values);
        (values, mean, square, squares(&gradient))
    });
}

const NOISE: Dropout = Dropout { share: 0.05, seed: 7, step: 3, layer: 1 };

#[test]
fn dropout_drops_its_share_and_repeats() {
    let len = 200_000;
    let draw = |noise: Dropout, first: u64| {
        let mut x = vec![1f32; len];
        noise.apply(first, &mut x);
        x
    };
    let values = draw(NOISE, 0);
    let kept = (1.0f64 / 0.95) as f32;
    assert!(values.iter().all(|&x| x == 0.0 || x == kept));
    let dropped = values.iter().filter(|x| **x == 0.0).count();
    assert!((9_600..10_400).contains(&dropped), "{dropped} of {len} at 5 %");
    // A part is what it is within the whole, wherever it starts.
    for first in [1, 63, 64, 500, 16_384, 99_999] {
        assert_eq!(draw(NOISE, first as u64)[..1000], values[first..first + 1000]);
    }
    for other in [
        Dropout { seed: 8, ..NOISE },
        Dropout { seed: 7 + (1 << 32), ..NOISE },
        Dropout { step: 4, ..NOISE },
        Dropout { layer: 2, ..NOISE },
    ] {
        let alike = values.iter().zip(draw(other, 0)).filter(|(a, b)| *a == b).count();
        // Independent draws agree in 0.95² + 0.05² of all places.
        assert!((180_000..182_000).contains(&alike), "{alike}");
    }
    assert_ne!(draw(NOISE, 1 << 38)[..1000], values[..1000]);
}

#[test]
fn no_share_no_change() {
    let mut x = [f32::NAN, 1.0, f32::INFINITY];
    Dropout { share: 0.0, ..NOISE }.apply(0, &mut x);
    assert!(x[0].is_nan() && x[1] == 1.0 && x[2] == f32::INFINITY);
    let mut x = [f32::NAN; 4000];
    Dropout { share: 0.5, ..NOISE }.apply(0, &mut x);
    assert!(x.contains(&0.0) && x.iter().any(|x| x.is_nan()));
}
