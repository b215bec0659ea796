//! Writes into a trained tower in which column of the picture each patch is, and lets the projector pass it on.
//!
//! A tower that was trained from nothing on what its patches show keeps rows (sky above, ground below) and loses columns:
//! they are in its position table and no longer in its output (docs/mini-model.md). Here a cosine and a sine of the column
//! go into the table along the two directions that the tower's blocks write least into, and four hidden units of the
//! projector, the weakest, carry them: `gelu(x) - gelu(-x) = x`. Everything else stays as it was learned. Deliberately
//! absent: training, which has to teach the decoder to use it.

use std::f64::consts::PI;

use anyhow::{Context, Result};

use super::weights::{Tensor, Tensors};

const TOWER: &str = "vit.vision_tower.vision_model.";

/// How far the table moves along a direction: the other numbers of a patch's beginning have a deviation of about 1.
const TABLE: f64 = 6.0;

/// Writes them into a model of this kind.
///
/// # Errors
/// When it has no tower or no projector.
pub(super) fn columns(tensors: &mut Tensors) -> Result<()> {
    let table = format!("{TOWER}embeddings.position_embedding.weight");
    let has = |name: &str| tensors.get(name).with_context(|| format!("there is no {name}"));
    let (first, second) = (has("vision_proj.0.weight")?, has("vision_proj.2.weight")?);
    let width = has(&table)?.columns();
    let blocks = tensors.iter().filter(|(name, _)| {
        let ends = ["self_attn.out_proj.weight", "mlp.fc2.weight"];
        name.starts_with(TOWER) && ends.iter().any(|end| name.ends_with(end))
    });
    let written = blocks.fold(vec![0.0; width * width], |sum, (_, block)| {
        sum.iter().zip(squared(block)).map(|(sum, more)| sum + more).collect()
    });
    let mut into = least_two(written, width);
    // The norm behind the table takes the mean out.
    for direction in &mut into {
        let mean = direction.iter().sum::<f64>() / width as f64;
        direction.iter_mut().for_each(|x| *x -= mean);
    }
    let out = least_two(squared(second), second.shape[0]);
    let hidden = first.shape[0];
    let square = |sum: f64, x: f64| sum + x * x;
    let strength = |unit: usize| {
        let reads = first.row(unit).iter().map(|x| f64::from(*x)).fold(0.0, square);
        reads * second.column(unit).fold(0.0, square)
    };
    let mut units: Vec<usize> = (0..hidden).collect();
    units.sort_by(|a, b| strength(*a).total_cmp(&strength(*b)));

    let mut change = |name: &str, change: &mut dyn FnMut(&mut [f32])| -> Result<()> {
        change(&mut tensors.get_mut(name).with_context(|| format!("there is no {name}"))?.values);
        Ok(())
    };
    change(&table, &mut |values| {
        let side = (values.len() / width - 1).isqrt();
        for (patch, row) in values.chunks_exact_mut(width).skip(1).enumerate() {
            let angle = PI * ((patch % side) as f64 + 0.5) / side as f64;
            let wave = [angle.cos(), angle.sin() - 2.0 / PI];
            for (at, value) in row.iter_mut().enumerate() {
                *value += (TABLE * (wave[0] * into[0][at] + wave[1] * into[1][at])) as f32;
            }
        }
    })?;
    for (number, &unit) in units.iter().take(4).enumerate() {
        let (of, sign) = (number / 2, [1.0, -1.0][number % 2]);
        change("vision_proj.0.weight", &mut |values| {
            let row = values[unit * width..][..width].iter_mut();
            row.zip(&into[of]).for_each(|(value, x)| *value = (sign * x) as f32);
        })?;
        change("vision_proj.0.bias", &mut |values| values[unit] = 0.0)?;
        change("vision_proj.2.weight", &mut |values| {
            let column = values.iter_mut().skip(unit).step_by(hidden);
            column.zip(&out[of]).for_each(|(value, x)| *value = (sign * x) as f32);
        })?;
    }
    Ok(())
}

/// A matrix times its transpose.
fn squared(of: &Tensor) -> Vec<f64> {
    let rows = of.shape[0];
    let dot = |a: usize, b: usize| {
        let pairs = of.row(a).iter().zip(of.row(b));
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>()
    };
    (0..rows * rows).map(|at| dot(at / rows, at % rows)).collect()
}

/// The eigenvectors of a symmetric matrix with the two smallest values, of length 1, the smallest first: Jacobi's
/// rotations, until nothing is left beside the diagonal.
fn least_two(mut matrix: Vec<f64>, n: usize) -> [Vec<f64>; 2] {
    let mut vectors: Vec<f64> =
        (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect();
    let scale = matrix.iter().map(|x| x * x).sum::<f64>();
    loop {
        let beside = (0..n * n).filter(|at| at / n != at % n).map(|at| matrix[at] * matrix[at]);
        if beside.sum::<f64>() <= 1e-22 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let (at, a, b) = (matrix[p * n + q], matrix[p * n + p], matrix[q * n + q]);
                if at == 0.0 {
                    continue;
                }
                let half = (b - a) / (2.0 * at);
                let tangent = half.signum() / (half.abs() + half.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                let turn = |matrix: &mut [f64], first: usize, second: usize| {
                    let (x, y) = (matrix[first], matrix[second]);
                    (matrix[first], matrix[second]) =
                        (cosine * x - sine * y, sine * x + cosine * y);
                };
                for k in 0..n {
                    turn(&mut matrix, k * n + p, k * n + q);
                    turn(&mut vectors, k * n + p, k * n + q);
                }
                for k in 0..n {
                    turn(&mut matrix, p * n + k, q * n + k);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| matrix[a * n + a].total_cmp(&matrix[b * n + b]));
    [0, 1].map(|at| (0..n).map(|k| vectors[k * n + order[at]]).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::weights::tensor, *};

    #[test]
    fn eigenvectors_are_what_they_are() {
        let n = 7;
        let matrix = squared(&tensor(&[n, 9], 1));
        let times = |v: &[f64]| -> Vec<f64> {
            (0..n).map(|r| (0..n).map(|c| matrix[r * n + c] * v[c]).sum()).collect()
        };
        let value = |v: &[f64]| times(v).iter().zip(v).map(|(x, y)| x * y).sum::<f64>();
        let found = least_two(matrix.clone(), n);
        for v in &found {
            assert!((v.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-9);
            let of = value(v);
            assert!(times(v).iter().zip(v).all(|(x, y)| (x - of * y).abs() < 1e-8), "{of}");
        }
        assert!(value(&found[0]) <= value(&found[1]));
        let trace: f64 = (0..n).map(|at| matrix[at * n + at]).sum();
        assert!(n as f64 * value(&found[0]) <= trace);
    }

    #[test]
    fn the_projector_passes_columns_on_and_the_rest_stays() {
        let (width, hidden, out, side) = (12, 20, 10, 4);
        let table = format!("{TOWER}embeddings.position_embedding.weight");
        let mut tensors: Tensors = [
            (table.as_str(), tensor(&[side * side + 1, width], 1)),
            (&format!("{TOWER}encoder.layers.0.mlp.fc2.weight"), tensor(&[width, 30], 2)),
            ("vision_proj.0.weight", tensor(&[hidden, width], 3)),
            ("vision_proj.0.bias", tensor(&[hidden], 4)),
            ("vision_proj.2.weight", tensor(&[out, hidden], 5)),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into();
        let before = tensors.clone();
        columns(&mut tensors).unwrap();
        let moved = |patch: usize| -> Vec<f32> {
            let [new, old] = [&tensors, &before].map(|tensors| tensors[&table].row(patch));
            new.iter().zip(old).map(|(new, old)| new - old).collect()
        };
        assert!(moved(0).iter().all(|x| *x == 0.0), "the class has no column");
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(&moved(1), &moved(5)) && !near(&moved(1), &moved(2)), "columns, not rows");
        // Pairs of units: what the one reads and writes, the other does with the other sign.
        let changed: Vec<usize> = (0..hidden)
            .filter(|&unit| {
                tensors["vision_proj.0.weight"].row(unit)
                    != before["vision_proj.0.weight"].row(unit)
            })
            .collect();
        assert_eq!(changed.len(), 4);
        let first = &tensors["vision_proj.0.weight"];
        let second = &tensors["vision_proj.2.weight"];
        for &unit in &changed {
            let opposite = |other: &&usize| {
                first.row(unit).iter().zip(first.row(**other)).all(|(a, b)| *a == -b)
                    && second.column(unit).zip(second.column(**other)).all(|(a, b)| a == -b)
            };
            assert_eq!(changed.iter().filter(opposite).count(), 1);
            assert_eq!(tensors["vision_proj.0.bias"].values[unit], 0.0);
            // What it reads is what the table has: different things in different columns.
            let reads = |patch: usize| -> f32 {
                first.row(unit).iter().zip(moved(patch)).map(|(x, y)| x * y).sum()
            };
            assert!((reads(1) - reads(side)).abs().max((reads(1) - reads(2)).abs()) > 0.1);
        }
        let fc2 = format!("{TOWER}encoder.layers.0.mlp.fc2.weight");
        assert_eq!(tensors[&fc2], before[&fc2]);
    }
}
