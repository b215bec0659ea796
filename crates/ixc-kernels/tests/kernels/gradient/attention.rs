//! Attention's gradient: every shape, both layouts, several sequences.

use ixc_kernels::{
    Arithmetic,
    attention::{Gradients, HeadRows, Heads, How, Passed, backward},
    cpu::{self, Path},
};
use proptest::prelude::*;

use super::{deviation, differences, dot, numbers, on_any_threads, wide};

/// Queries (head, row, width), keys and values (key head, row, width), of one sequence.
struct Case {
    heads: Heads,
    causal: bool,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    /// The gradient of the result, (head, row, width).
    dout: Vec<f64>,
}

impl Case {
    fn random(heads: Heads, causal: bool, spread: f64, seed: u64) -> Self {
        let count = heads.kv_heads * heads.rows * heads.width;
        let make = |count, seed| wide(&numbers(count, seed));
        let mut q = make(count * heads.group, seed);
        q.iter_mut().for_each(|q| *q *= spread);
        let (k, v) = (make(count, seed + 1), make(count, seed + 2));
        Self { heads, causal, q, k, v, dout: make(count * heads.group, seed + 3) }
    }

    fn row<'a>(&self, numbers: &'a [f64], head: usize, row: usize) -> &'a [f64] {
        let width = self.heads.width;
        &numbers[(head * self.heads.rows + row) * width..][..width]
    }

    /// A query's weights of the keys it sees.
    fn weights(&self, q: &[f64], k: &[f64], head: usize, row: usize) -> Vec<f64> {
        let seen = if self.causal { row + 1 } else { self.heads.rows };
        let scale = 1.0 / (self.heads.width as f64).sqrt();
        let q = self.row(q, head, row);
        let score = |key| dot(q, self.row(k, head / self.heads.group, key)) * scale;
        let scores: Vec<f64> = (0..seen).map(score).collect();
        let most = scores.iter().fold(f64::MIN, |most, score| most.max(*score));
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// ⟨result, dout⟩.
    fn value(&self, q: &[f64], k: &[f64], v: &[f64]) -> f64 {
        let Heads { group, rows, .. } = self.heads;
        let mut sum = 0.0;
        for head in 0..self.heads.count() {
            for row in 0..rows {
                for (key, weight) in self.weights(q, k, head, row).iter().enumerate() {
                    let value = self.row(v, head / group, key);
                    sum += weight * dot(value, self.row(&self.dout, head, row));
                }
            }
        }
        sum
    }

    /// Of queries, keys and values, by the chain rule, one number at a time.
    fn slow(&self) -> [Vec<f64>; 3] {
        let Heads { group, rows, width, .. } = self.heads;
        let scale = 1.0 / (width as f64).sqrt();
        let mut out = [&self.q, &self.k, &self.v].map(|numbers| vec![0.0; numbers.len()]);
        for head in 0..self.heads.count() {
            for row in 0..rows {
                let weights = self.weights(&self.q, &self.k, head, row);
                let dout = self.row(&self.dout, head, row);
                let slope = |key| dot(dout, self.row(&self.v, head / group, key));
                let slopes: Vec<f64> = (0..weights.len()).map(slope).collect();
                let mean = dot(&weights, &slopes);
                for key in 0..weights.len() {
                    let of_score = weights[key] * (slopes[key] - mean) * scale;
                    let (query, at) =
                        ((head * rows + row) * width, (head / group * rows + key) * width);
                    for i in 0..width {
                        out[0][query + i] += of_score * self.k[at + i];
                        out[1][at + i] += of_score * self.q[query + i];
                        out[2][at + i] += weights[key] * dout[i];
                    }
                }
            }
        }
        out
    }
}

/// How numbers of heads lie: heads behind one another, or side by side in rows.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Behind,
    Beside,
}

/// The kernel on some cases of the same heads, as sequences behind one another; `room` unused numbers stand
/// behind each head or row.
fn fast(cases: &[Case], lie: Lie, room: usize, how: How) -> Vec<[Vec<f32>; 3]> {
    let heads = cases[0].heads;
    let all: usize = cases.iter().map(|case| case.heads.rows).sum();
    let steps = |count: usize| match lie {
        Lie::Behind => (all * heads.width + room, heads.width),
        Lie::Beside => (heads.width, count * heads.width + room),
    };
    let place = |count: usize, head: usize, row: usize| {
        let (of_head, of_row) = steps(count);
        head * of_head + row * of_row
    };
    let lay = |count: usize, of: fn(&Case) -> &Vec<f64>| {
        let (of_head, of_row) = steps(count);
        let mut out = vec![f32::NAN; count * of_head + all * of_row];
        let mut first = 0;
        for case in cases {
            for head in 0..count {
                for row in 0..case.heads.rows {
                    let from = case.row(of(case), head, row);
                    let to = &mut out[place(count, head, first + row)..][..heads.width];
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
                }
            }
            first += case.heads.rows;
        }
        out
    };
    let (count, kv) = (heads.count(), heads.kv_heads);
    let (q, k) = (lay(count, |case| &case.q), lay(kv, |case| &case.k));
    let (v, dout) = (lay(kv, |case| &case.v), lay(count, |case| &case.dout));
    let seen = |numbers, count| {
        let (head, row) = steps(count);
        HeadRows { numbers, head, row }
    };
    let passed =
        Passed { q: seen(&q, count), k: seen(&k, kv), v: seen(&v, kv), dout: seen(&dout, count) };
    let mut found = [&q, &k, &v].map(|numbers| vec![f32::NAN; numbers.len()]);
    let [dq, dk, dv] = &mut found;
    let sequences: Vec<usize> = cases.iter().map(|case| case.heads.rows).collect();
    let gradients = Gradients { q: dq, k: dk, v: dv };
    backward(passed, Heads { rows: all, ..heads }, &sequences, how, gradients);
    let mut first = 0;
    cases
        .iter()
        .map(|case| {
            let rows = case.heads.rows;
            let start = first;
            first += rows;
            [(0, count), (1, kv), (2, kv)].map(|(index, count)| {
                let place = |head, row| place(count, head, start + row);
                let heads = (0..count).flat_map(|head| (0..rows).map(move |row| (head, row)));
                heads
                    .flat_map(|(head, row)| &found[index][place(head, row)..][..case.heads.width])
                    .copied()
                    .collect()
            })
        })
        .collect()
}

fn check(cases: &[Case], lie: Lie, room: usize, how: How, tolerance: f64) {
    for (case, found) in cases.iter().zip(fast(cases, lie, room, how)) {
        for (name, (found, expected)) in ["q", "k", "v"].iter().zip(found.iter().zip(case.slow())) {
            // A query that sees one key has no slope: then there is only rounding to compare.
            let scale = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let off = deviation(found, &expected) * scale.max(1e-30);
            assert!(off <= tolerance * scale.max(0.1), "{name} of {:?}: {off}", case.heads);
        }
    }
}

fn exact(causal: bool) -> How {
    How { causal, arithmetic: Arithmetic::Exact, path: cpu::path() }
}

#[test]
fn the_twin_is_a_gradient() {
    for causal in [false, true] {
        let heads = Heads { kv_heads: 2, group: 2, rows: 4, width: 3 };
        let case = Case::random(heads, causal, 2.0, 5);
        let [q, k, v] = case.slow();
        let found = [
            differences(&case.q, |q| case.value(q, &case.k, &case.v)),
            differences(&case.k, |k| case.value(&case.q, k, &case.v)),
            differences(&case.v, |v| case.value(&case.q, &case.k, v)),
        ];
        for (found, expected) in found.iter().zip([q, k, v]) {
            assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-8));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_shape_equals_its_twin(
        kv_heads in 1usize..4,
        group in 1usize..4,
        width in 1usize..40,
        lens in prop::collection::vec(1usize..40, 1..4),
        causal in any::<bool>(),
        beside in any::<bool>(),
        room in 0usize..3,
        seed in 0u64..1000,
    ) {
        let case = |(index, rows): (usize, &usize)| {
            let heads = Heads { kv_heads, group, rows: *rows, width };
            Case::random(heads, causal, 3.0, seed + index as u64)
        };
        let cases: Vec<Case> = lens.iter().enumerate().map(case).collect();
        let lie = if beside { Lie::Beside } else { Lie::Behind };
        check(&cases, lie, room, exact(causal), 1e-5);
    }
}

#[test]
fn blocks_of_queries_add_up() {
    for (rows, width, causal) in [(129, 64, true), (300, 64, true), (260, 32, false)] {
        let heads = Heads { kv_heads: 1, group: 2, rows, width };
        check(&[Case::random(heads, causal, 1.0, 1)], Lie::Behind, 0, exact(causal), 1e-5);
    }
}

#[test]
fn every_path_does() {
    let heads = Heads { kv_heads: 2, group: 2, rows: 37, width: 17 };
    let case = [Case::random(heads, true, 1.0, 3)];
    for path in Path::available() {
        check(&case, Lie::Behind, 0, How { path, ..exact(true) }, 1e-5);
    }
}

#[test]
fn large_scores_do_not_overflow() {
    let heads = Heads { kv_heads: 1, group: 1, rows: 20, width: 8 };
    let case = [Case::random(heads, true, 300.0, 3)];
    // Scores of hundreds are rounded in their fifth digit behind the point, and their exponents with them.
    check(&case, Lie::Behind, 0, exact(true), 1e-3);
}

#[test]
fn what_comes_later_does_not_count() {
    let heads = Heads { kv_heads: 1, group: 2, rows: 50, width: 16 };
    let mut case = Case::random(heads, true, 1.0, 3);
    // No gradient comes from the last ten rows.
    for head in 0..2 {
        case.dout[(head * 50 + 40) * 16..(head + 1) * 50 * 16].fill(0.0);
    }
    let found = &fast(&[case], Lie::Behind, 0, exact(true))[0];
    for numbers in &found[1..] {
        assert!(numbers[40 * 16..].iter().all(|x| *x == 0.0));
        assert!(numbers[..40 * 16].iter().any(|x| *x != 0.0));
    }
}

#[test]
fn threads_change_nothing() {
    let cases: Vec<Case> = [40, 170]
        .into_iter()
        .map(|rows| Case::random(Heads { kv_heads: 3, group: 2, rows, width: 24 }, true, 1.0, 9))
        .collect();
    on_any_threads(|| fast(&cases, Lie::Beside, 0, exact(true)));
}
