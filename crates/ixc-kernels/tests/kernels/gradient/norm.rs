//! Norms' gradients, and the sums over rows that go with them.

use ixc_kernels::{
    norm::{layer_norm_backward, rms_norm_backward},
    reduce::{column_sums, scatter_add},
};

use super::{close, differences, dot, numbers, on_any_threads, wide};

/// Both norms in f64; the one by root mean square without centre and bias.
fn norm(x: &[f64], weight: &[f64], bias: &[f64], eps: f64, centred: bool) -> Vec<f64> {
    let width = weight.len() as f64;
    x.chunks_exact(weight.len())
        .flat_map(|row| {
            let mean = if centred { row.iter().sum::<f64>() / width } else { 0.0 };
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width;
            let scale = 1.0 / (variance + eps).sqrt();
            let columns = weight.iter().zip(bias);
            row.iter()
                .zip(columns)
                .map(|(x, (w, b))| (x - mean) * scale * w + b)
                .collect::<Vec<_>>()
        })
        .collect()
}

struct Slow {
    dx: Vec<f64>,
    dweight: Vec<f64>,
    dbias: Vec<f64>,
}

/// The gradients by their formulas.
fn slow(x: &[f64], weight: &[f64], dy: &[f64], eps: f64, centred: bool) -> Slow {
    let width = weight.len();
    let mut slow = Slow { dx: Vec::new(), dweight: vec![0.0; width], dbias: vec![0.0; width] };
    for (row, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
        let mean = if centred { row.iter().sum::<f64>() / width as f64 } else { 0.0 };
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let scale = 1.0 / (variance + eps).sqrt();
        let normed: Vec<f64> = row.iter().map(|x| (x - mean) * scale).collect();
        let slopes: Vec<f64> = dy.iter().zip(weight).map(|(dy, w)| dy * w).collect();
        let shift = if centred { slopes.iter().sum::<f64>() / width as f64 } else { 0.0 };
        let along = dot(&slopes, &normed) / width as f64;
        for i in 0..width {
            slow.dx.push(scale * (slopes[i] - shift - normed[i] * along));
            slow.dweight[i] += dy[i] * normed[i];
            slow.dbias[i] += dy[i];
        }
    }
    slow
}

#[test]
fn the_twins_are_gradients() {
    for (rows, width) in [(1, 2), (3, 5), (2, 9)] {
        let (x, dy) = (wide(&numbers(rows * width, 1)), wide(&numbers(rows * width, 2)));
        let (weight, bias) = (wide(&numbers(width, 3)), wide(&numbers(width, 4)));
        for centred in [false, true] {
            let slow = slow(&x, &weight, &dy, 1e-3, centred);
            let of_x = differences(&x, |x| dot(&norm(x, &weight, &bias, 1e-3, centred), &dy));
            let of_weight = differences(&weight, |w| dot(&norm(&x, w, &bias, 1e-3, centred), &dy));
            let of_bias = differences(&bias, |b| dot(&norm(&x, &weight, b, 1e-3, centred), &dy));
            for (found, expected) in
                [(of_x, slow.dx), (of_weight, slow.dweight), (of_bias, slow.dbias)]
            {
                let off = found.iter().zip(&expected).map(|(f, e)| (f - e).abs());
                assert!(off.fold(0.0, f64::max) < 1e-8, "{found:?} and {expected:?}");
            }
        }
    }
}

const SHAPES: [(usize, usize); 9] =
    [(0, 4), (1, 1), (2, 3), (5, 17), (3, 64), (300, 127), (7, 1024), (33, 4096), (2, 70_001)];

#[test]
fn norms_have_their_gradients() {
    for (rows, width) in SHAPES {
        for (scale, shift) in [(1.0, 0.0), (3.0, 5.0), (1e-4, 0.0), (1e4, 0.0)] {
            let x: Vec<f32> = numbers(rows * width, 1).iter().map(|x| x * scale + shift).collect();
            let (dy, weight) = (numbers(rows * width, 2), numbers(width, 3));
            let before = numbers(width, 4);
            let plus = |sums: &[f64]| -> Vec<f64> {
                sums.iter().zip(&before).map(|(sum, b)| sum + f64::from(*b)).collect()
            };
            let (mut dx, mut frozen) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
            let (mut dweight, mut dbias) = (before.clone(), before.clone());
            let expect =
                |centred| slow(&wide(&x), &wide(&weight), &wide(&dy), 1e-5f32 as f64, centred);

            let expected = expect(false);
            rms_norm_backward(&x, &weight, 1e-5, &dy, &mut dx, Some(&mut dweight));
            rms_norm_backward(&x, &weight, 1e-5, &dy, &mut frozen, None);
            assert_eq!(dx, frozen);
            // Of one number nothing but its sign is left: its gradient is rounding, nearly.
            if width > 1 {
                close(&dx, &expected.dx, 2e-6);
            }
            close(&dweight, &plus(&expected.dweight), 3e-6);

            let expected = expect(true);
            dweight.copy_from_slice(&before);
            let trained = Some((&mut dweight[..], &mut dbias[..]));
            layer_norm_backward(&x, &weight, 1e-5, &dy, &mut dx, trained);
            layer_norm_backward(&x, &weight, 1e-5, &dy, &mut frozen, None);
            assert_eq!(dx, frozen);
            // And here it is its own mean.
            if width > 1 {
                close(&dx, &expected.dx, 1e-5);
                close(&dweight, &plus(&expected.dweight), 1e-5);
            }
            close(&dbias, &plus(&expected.dbias), 3e-6);
        }
    }
}

#[test]
fn rows_add_up() {
    for (rows, width) in [(0, 3), (1, 1), (7, 5), (4000, 256), (70_000, 3), (3, 40_000)] {
        let (x, before) = (numbers(rows * width, 1), numbers(width, 2));
        let mut found = before.clone();
        column_sums(&x, &mut found);
        let mut expected = wide(&before);
        for row in x.chunks_exact(width) {
            expected.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        close(&found, &expected, 5e-6);
    }
}

#[test]
fn rows_go_to_their_entries_however_often() {
    for (entries, width, count) in [(1, 1, 5), (10, 130, 300), (5000, 64, 40), (3, 7, 0)] {
        let ids: Vec<u32> = (0..count).map(|i| (i * i * 7 + i) % entries).collect();
        let rows = numbers(ids.len() * width, 1);
        let before = numbers(entries as usize * width, 2);
        let (mut found, mut expected) = (before.clone(), wide(&before));
        scatter_add(&rows, &ids, width, &mut found);
        for (row, &id) in rows.chunks_exact(width).zip(&ids) {
            let entry = &mut expected[id as usize * width..][..width];
            entry.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        close(&found, &expected, 1e-6);
    }
}

#[test]
#[should_panic(expected = "ids below 3")]
fn an_id_without_an_entry_is_refused() {
    scatter_add(&[1.0; 4], &[0, 3], 2, &mut [0.0; 6]);
}

#[test]
fn threads_change_nothing() {
    let (rows, width) = (700, 300);
    let (x, dy) = (numbers(rows * width, 1), numbers(rows * width, 2));
    let weight = numbers(width, 3);
    on_any_threads(|| {
        let mut dx = vec![0f32; x.len()];
        let (mut rms, mut layer, mut bias) =
            (vec![0f32; width], vec![0f32; width], vec![0f32; width]);
        rms_norm_backward(&x, &weight, 1e-5, &dy, &mut dx, Some(&mut rms));
        layer_norm_backward(&x, &weight, 1e-5, &dy, &mut dx, Some((&mut layer, &mut bias)));
        column_sums(&x, &mut bias);
        (dx, rms, layer, bias)
    });
}
