//! Cross-entropy and its gradient.

use ixc_kernels::loss::cross_entropy;

use super::{close, differences, numbers, on_any_threads, wide};

/// The sum over rows with a target.
fn slow(logits: &[f64], targets: &[Option<u32>]) -> f64 {
    let entries = logits.len() / targets.len();
    let rows = logits.chunks_exact(entries).zip(targets);
    rows.filter_map(|(row, target)| Some((row, (*target)? as usize)))
        .map(|(row, target)| {
            let most = row.iter().fold(f64::MIN, |most, x| most.max(*x));
            let sum: f64 = row.iter().map(|x| (x - most).exp()).sum();
            sum.ln() + most - row[target]
        })
        .sum()
}

fn slow_gradient(logits: &[f64], targets: &[Option<u32>], scale: f64) -> Vec<f64> {
    let entries = logits.len() / targets.len();
    let rows = logits.chunks_exact(entries).zip(targets);
    rows.flat_map(|(row, target)| {
        let Some(target) = target else { return vec![0.0; entries] };
        let most = row.iter().fold(f64::MIN, |most, x| most.max(*x));
        let sum: f64 = row.iter().map(|x| (x - most).exp()).sum();
        let share = |(i, x): (usize, &f64)| {
            ((x - most).exp() / sum - f64::from(i == *target as usize)) * scale
        };
        row.iter().enumerate().map(share).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn the_twin_is_a_gradient() {
    let targets = [Some(3), None, Some(0), Some(6)];
    let logits: Vec<f64> = wide(&numbers(4 * 7, 1)).iter().map(|x| 4.0 * x).collect();
    let found = differences(&logits, |logits| slow(logits, &targets));
    let expected = slow_gradient(&logits, &targets, 1.0);
    assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-9));
}

fn targets(rows: usize, entries: usize) -> Vec<Option<u32>> {
    (0..rows).map(|row| (row % 3 != 1).then_some((row * 7919 % entries) as u32)).collect()
}

#[test]
fn losses_and_gradients_equal_their_twins() {
    for (rows, entries) in [(1, 1), (2, 3), (5, 17), (40, 1000), (3, 92_544)] {
        for (scale, spread) in [(1.0, 1.0), (0.013, 30.0), (-2.0, 200.0)] {
            let mut logits: Vec<f32> =
                numbers(rows * entries, 1).iter().map(|x| x * spread).collect();
            let targets = targets(rows, entries);
            let loss = slow(&wide(&logits), &targets);
            let expected = slow_gradient(&wide(&logits), &targets, f64::from(scale));
            let found = cross_entropy(&mut logits, &targets, scale);
            assert!((found - loss).abs() <= 1e-6 * (1.0 + loss.abs()), "{found} and {loss}");
            let off = logits.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - e).abs());
            let off = off.fold(0.0, f64::max);
            assert!(off <= 2e-6 * f64::from(scale.abs()), "{off}");
        }
    }
}

#[test]
fn rows_are_their_own_and_chunks_add_up() {
    let (rows, entries) = (12, 501);
    let (logits, targets) = (numbers(rows * entries, 2), targets(rows, entries));
    let mut whole = logits.clone();
    let sum = cross_entropy(&mut whole, &targets, 1.0);
    let mut parts = logits;
    let chunks = parts.chunks_mut(5 * entries).zip(targets.chunks(5));
    let added: f64 = chunks.map(|(logits, targets)| cross_entropy(logits, targets, 1.0)).sum();
    assert_eq!(whole, parts);
    assert!((sum - added).abs() < 1e-12 * sum);
}

#[test]
fn no_target_no_loss_and_no_number_no_pretence() {
    let mut logits = numbers(3 * 8, 1);
    assert_eq!(cross_entropy(&mut logits, &[None; 3], 1.0), 0.0);
    assert!(logits.iter().all(|x| *x == 0.0));
    assert_eq!(cross_entropy(&mut [], &[], 1.0), 0.0);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut logits = numbers(3 * 40, 1);
        logits[40 + 20] = bad;
        assert!(cross_entropy(&mut logits, &[Some(1); 3], 1.0).is_nan());
        assert!(logits[40..80].iter().all(|x| x.is_nan()));
        assert!(logits[..40].iter().chain(&logits[80..]).all(|x| x.is_finite()));
    }
    let mut logits = [f32::MAX, -f32::MAX, 0.0];
    assert_eq!(cross_entropy(&mut logits, &[Some(0)], 1.0), 0.0);
    assert!(close_to(&logits, &[0.0, 0.0, 0.0]));
}

fn close_to(found: &[f32], expected: &[f32]) -> bool {
    found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6)
}

#[test]
#[should_panic(expected = "targets below 4")]
fn a_target_beyond_the_entries_is_refused() {
    cross_entropy(&mut [0.0; 8], &[Some(3), Some(4)], 1.0);
}

#[test]
fn threads_change_nothing() {
    let logits = numbers(30 * 700, 3);
    let targets = targets(30, 700);
    on_any_threads(|| {
        let mut logits = logits.clone();
        (cross_entropy(&mut logits, &targets, 0.5), logits)
    });
    let expected = slow_gradient(&wide(&logits), &targets, 0.5);
    let mut found = logits;
    cross_entropy(&mut found, &targets, 0.5);
    close(&found, &expected, 2e-6);
}
