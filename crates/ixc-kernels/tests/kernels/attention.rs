//! Attention against its slow twin: one query, one key, one number at a time, in f64, over the numbers
//! as they are stored. Every path that this processor has, every type, both kinds of arithmetic.

use half::f16;
use ixc_kernels::{
    Arithmetic,
    attention::{
        HeadRows, Heads, How, KvType, Stored, StoredMut, Stretch, attention, attention_each,
    },
    cpu::Path,
};
use proptest::prelude::*;

use crate::{Shifted, numbers, same};

/// Rows of one type, with what must never be read between them.
enum Rows {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Q8(Vec<i8>, Vec<f32>),
}

impl Rows {
    fn new(kind: KvType, rows: usize, width: usize) -> Self {
        match kind {
            KvType::F32 => Self::F32(vec![f32::NAN; rows * width]),
            KvType::F16 => Self::F16(vec![f16::NAN; rows * width]),
            KvType::Q8 => Self::Q8(vec![99; rows * width], vec![f32::NAN; rows]),
        }
    }

    fn set(&mut self, path: Path, row: usize, values: &[f32]) {
        let mut stored = match self {
            Self::F32(numbers) => StoredMut::F32(numbers),
            Self::F16(numbers) => StoredMut::F16(numbers),
            Self::Q8(numbers, scales) => StoredMut::Q8 { numbers, scales },
        };
        stored.set_row(path, row, values);
    }

    fn stored(&self) -> Stored<'_> {
        match self {
            Self::F32(numbers) => Stored::F32(numbers),
            Self::F16(numbers) => Stored::F16(numbers),
            Self::Q8(numbers, scales) => Stored::Q8 { numbers, scales },
        }
    }

    fn number(&self, row: usize, width: usize, i: usize) -> f64 {
        match self {
            Self::F32(numbers) => numbers[row * width + i].into(),
            Self::F16(numbers) => numbers[row * width + i].into(),
            Self::Q8(numbers, scales) => {
                f64::from(numbers[row * width + i]) * f64::from(scales[row])
            }
        }
    }
}

/// One stretch with its own storage, (kv_heads, capacity, width) or, turned, (capacity, kv_heads, width).
struct Owned {
    k: Rows,
    v: Rows,
    len: usize,
    head_rows: usize,
    position_rows: usize,
}

impl Owned {
    fn stretch(&self) -> Stretch<'_> {
        Stretch {
            k: self.k.stored(),
            v: self.v.stored(),
            len: self.len,
            head_rows: self.head_rows,
            position_rows: self.position_rows,
        }
    }
}

/// A case: keys and values are (position, kv_head, width).
struct Case {
    heads: Heads,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    total: usize,
}

impl Case {
    fn random(heads: Heads, total: usize, seed: u64) -> Self {
        let count = heads.kv_heads * heads.width;
        Self {
            heads,
            q: numbers(count * heads.group * heads.rows, seed),
            k: numbers(count * total, seed + 1),
            v: numbers(count * total, seed + 2),
            total,
        }
    }

    /// Cuts the positions at these places, with room behind each stretch.
    fn cut(&self, kind: KvType, path: Path, cuts: &[usize], turned: bool) -> Vec<Owned> {
        let Heads { kv_heads, width, .. } = self.heads;
        let mut bounds = vec![0];
        bounds.extend(cuts.iter().map(|cut| cut % (self.total + 1)));
        bounds.push(self.total);
        bounds.sort_unstable();
        let stretches = bounds.windows(2).map(|bounds| {
            let (first, len) = (bounds[0], bounds[1] - bounds[0]);
            let capacity = len + 3;
            let (head_rows, position_rows) = if turned { (1, kv_heads) } else { (capacity, 1) };
            let mut k = Rows::new(kind, kv_heads * capacity, width);
            let mut v = Rows::new(kind, kv_heads * capacity, width);
            for position in 0..len {
                for head in 0..kv_heads {
                    let from = ((first + position) * kv_heads + head) * width..;
                    let row = head * head_rows + position * position_rows;
                    k.set(path, row, &self.k[from.clone()][..width]);
                    v.set(path, row, &self.v[from][..width]);
                }
            }
            Owned { k, v, len, head_rows, position_rows }
        });
        stretches.collect()
    }

    fn run(&self, stretches: &[Owned], how: How) -> Vec<f32> {
        let Heads { rows, width, .. } = self.heads;
        let q = HeadRows { numbers: &self.q, head: rows * width, row: width };
        let stretches: Vec<Stretch> = stretches.iter().map(Owned::stretch).collect();
        attention(q, self.heads, &stretches, how)
    }

    /// The slow, obvious attention.
    fn slow(&self, stretches: &[Owned], causal: bool) -> Vec<f64> {
        let Heads { kv_heads, group, rows, width } = self.heads;
        let all = kv_heads * group;
        let places: Vec<(&Owned, usize)> =
            stretches.iter().flat_map(|s| (0..s.len).map(move |position| (s, position))).collect();
        let mut out = vec![0f64; rows * all * width];
        for head in 0..all {
            for row in 0..rows {
                let seen = if causal { self.total - rows + row + 1 } else { self.total };
                let at = |(s, position): (&Owned, usize)| {
                    head / group * s.head_rows + position * s.position_rows
                };
                let q = &self.q[(head * rows + row) * width..][..width];
                let scores: Vec<f64> = places[..seen]
                    .iter()
                    .map(|&place| {
                        let key = |i: usize| place.0.k.number(at(place), width, i);
                        let dot: f64 = (0..width).map(|i| f64::from(q[i]) * key(i)).sum();
                        dot / (width as f64).sqrt()
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for i in 0..width {
                    let value: f64 = (weights.iter().zip(&places))
                        .map(|(weight, &place)| weight * place.0.v.number(at(place), width, i))
                        .sum();
                    out[(row * all + head) * width + i] = value / sum;
                }
            }
        }
        out
    }
}

/// Every path, both kinds of arithmetic, with the largest difference that each may have where numbers
/// are between −1 and 1: float32's sums, or a few roundings to bfloat16 (8 bits).
fn ways() -> impl Iterator<Item = (Path, Arithmetic, f64)> {
    Path::available().flat_map(|path| {
        let fast = if path == Path::Avx512Bf16 { 1.5e-2 } else { 2e-5 };
        [(path, Arithmetic::Exact, 2e-5), (path, Arithmetic::Fast, fast)]
    })
}

fn worst(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    // What is not a number is as far off as can be.
    let far = |f: f32, e: f64| if f.is_nan() { f64::INFINITY } else { (f64::from(f) - e).abs() };
    found.iter().zip(expected).map(|(f, e)| far(*f, *e)).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn it_equals_its_slow_twin(
        kv_heads in 1usize..4,
        group in 1usize..9,
        rows in prop_oneof![Just(1usize), 2usize..9, 9usize..150],
        width in prop_oneof![1usize..40, Just(64usize), Just(128usize)],
        past in prop_oneof![0usize..70, 200usize..700],
        cuts in proptest::collection::vec(0usize..1000, 0..4),
        turned: bool,
        causal: bool,
        seed in 0u64..1000,
    ) {
        let case = Case::random(Heads { kv_heads, group, rows, width }, past + rows, seed);
        for kind in KvType::ALL {
            let stretches = case.cut(kind, Path::Portable, &cuts, turned);
            let expected = case.slow(&stretches, causal);
            for (path, arithmetic, tolerance) in ways() {
                let found = case.run(&stretches, How { causal, arithmetic, path });
                let worst = worst(&found, &expected);
                prop_assert!(worst <= tolerance, "{path:?} {arithmetic:?} {kind:?}: {worst:e}");
            }
        }
    }

    #[test]
    fn cuts_change_nothing(
        rows in 1usize..70,
        past in 0usize..300,
        cuts in proptest::collection::vec(0usize..1000, 1..6),
        seed in 0u64..1000,
    ) {
        let case = Case::random(Heads { kv_heads: 2, group: 2, rows, width: 32 }, past + rows, seed);
        for kind in [KvType::F16, KvType::Q8] {
            for (path, arithmetic, _) in ways() {
                let how = How { causal: true, arithmetic, path };
                let whole = case.run(&case.cut(kind, path, &[], false), how);
                let pieces = case.run(&case.cut(kind, path, &cuts, true), how);
                // Tiles that lie together are multiplied before their scales, gathered ones after them.
                let tolerance = if kind == KvType::Q8 { 1e-5 } else { 0.0 };
                let off = |(a, b): (&f32, &f32)| (a - b).abs();
                let worst = whole.iter().zip(&pieces).map(off).fold(0f32, f32::max);
                prop_assert!(worst <= tolerance, "{path:?} {arithmetic:?} {kind:?}: {worst:e}");
            }
        }
    }
}

#[test]
fn extreme_scores_stay_finite() {
    for (rows, total) in [(1, 1), (1, 600), (2, 600), (100, 100), (100, 700)] {
        let mut case = Case::random(Heads { kv_heads: 1, group: 2, rows, width: 64 }, total, 5);
        // Scores up to ± 10⁵, rising and falling: each tile moves the largest, most weights vanish.
        for (position, k) in case.k.chunks_exact_mut(64).enumerate() {
            let factor =
                if position % 3 == 0 { -3e2 } else { 1e3 * position as f32 / total as f32 };
            k.iter_mut().for_each(|k| *k *= factor);
        }
        case.q.iter_mut().for_each(|q| *q = (*q * 100.0).round());
        for kind in KvType::ALL {
            let stretches = case.cut(kind, Path::Portable, &[77, 200], false);
            for (path, arithmetic, _) in ways() {
                let found = case.run(&stretches, How { causal: true, arithmetic, path });
                // A mean of values lies among them (and the rounding of one).
                assert!(found.iter().all(|f| f.abs() <= 1.01), "{path:?} {arithmetic:?} {kind:?}");
                if arithmetic == Arithmetic::Exact {
                    let worst = worst(&found, &case.slow(&stretches, true));
                    // Scores of 10⁵ have steps of 2⁻⁷ in float32.
                    assert!(worst <= 5e-2, "{path:?} {kind:?}: {worst}");
                }
            }
        }
    }
}

#[test]
fn one_key_returns_its_value() {
    for rows in [1, 40] {
        let heads = Heads { kv_heads: 2, group: 4, rows, width: 128 };
        let case = Case::random(heads, rows, 9);
        for kind in KvType::ALL {
            let stretches = case.cut(kind, Path::Portable, &[], false);
            for (path, arithmetic, tolerance) in ways() {
                let found = case.run(&stretches, How { causal: true, arithmetic, path });
                for head in 0..heads.count() {
                    for i in 0..heads.width {
                        let Owned { v, head_rows, .. } = &stretches[0];
                        let value = v.number(head / heads.group * head_rows, heads.width, i);
                        let off = (f64::from(found[head * heads.width + i]) - value).abs();
                        assert!(off <= tolerance / 3.0, "{path:?} {kind:?}: {off}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_paths_store_the_same_numbers() {
    let mut values = numbers(203, 3);
    let odd = [0.0, -0.0, 1e-30, -1e-30, 1e-6, 65504.0, 65520.0, 1e9, -1e9, 6e-8, 3e-8, -0.5];
    values[..odd.len()].copy_from_slice(&odd);
    for width in [1, 7, 16, 29, 203] {
        let values = &values[..width];
        for kind in KvType::ALL {
            let mut plain = Rows::new(kind, 1, width);
            plain.set(Path::Portable, 0, values);
            let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
            for (i, value) in values.iter().enumerate() {
                let off = (plain.number(0, width, i) - f64::from(*value)).abs();
                let tolerance = match kind {
                    KvType::F32 => 0.0,
                    KvType::F16 if value.abs() > 65504.0 => f64::INFINITY,
                    KvType::F16 => f64::from(value.abs()) / 2048.0 + 3e-8,
                    KvType::Q8 => f64::from(largest) / 253.9,
                };
                assert!(off <= tolerance, "{kind:?} {value}: {off}");
            }
            for path in Path::available() {
                let mut other = Rows::new(kind, 1, width);
                other.set(path, 0, values);
                #[expect(clippy::needless_range_loop, reason = "as the formula is written")]
                for i in 0..width {
                    assert_eq!(
                        plain.number(0, width, i),
                        other.number(0, width, i),
                        "{kind:?} {path:?} {}",
                        values[i]
                    );
                }
            }
        }
    }
}

#[test]
fn all_zeros_are_stored_in_8_bits() {
    let mut rows = Rows::new(KvType::Q8, 1, 20);
    rows.set(Path::Portable, 0, &[0.0; 20]);
    assert!((0..20).all(|i| rows.number(0, 20, i) == 0.0));
}

/// Rows and heads anywhere in memory, with what must never be read between them.
#[test]
fn queries_lie_anywhere() {
    for (rows, width) in [(1, 5), (3, 64), (50, 20), (70, 128)] {
        let case = Case::random(Heads { kv_heads: 2, group: 3, rows, width }, rows + 90, 7);
        for shift in [0, 1, 7, 13] {
            let (row, head) = (width + 3, rows * (width + 3) + 5);
            let mut apart = vec![f32::NAN; 6 * head];
            for (index, q) in case.q.chunks_exact(width).enumerate() {
                apart[index / rows * head + index % rows * row..][..width].copy_from_slice(q);
            }
            apart.truncate(5 * head + (rows - 1) * row + width);
            let apart = Shifted::new(&apart, shift);
            for (path, arithmetic, _) in ways() {
                let how = How { causal: true, arithmetic, path };
                let stretches = case.cut(KvType::F16, path, &[40], false);
                let together = case.run(&stretches, how);
                let stretches: Vec<Stretch> = stretches.iter().map(Owned::stretch).collect();
                let q = HeadRows { numbers: apart.values(), head, row };
                assert_eq!(attention(q, case.heads, &stretches, how), together, "{path:?}");
            }
        }
    }
}

/// A query, a key or a value that is not a number shows in all who see it, and in nobody else.
#[test]
fn what_is_not_a_number_is_not_averaged_away() {
    for rows in [1, 3, 40, 200] {
        let heads = Heads { kv_heads: 2, group: 2, rows, width: 40 };
        let (width, past) = (heads.width, 300);
        let sound = Case::random(heads, rows + past, 11);
        for (kind, (path, arithmetic, _)) in
            KvType::ALL.into_iter().flat_map(|kind| ways().map(move |way| (kind, way)))
        {
            let how = How { causal: true, arithmetic, path };
            let run = |case: &Case| case.run(&case.cut(kind, path, &[77], false), how);
            let before = run(&sound);
            // Of key head 1: a query of its second member, a key and a value at a position that the last
            // half of the rows see.
            let (row, position) = (rows / 2, past + rows / 2);
            let mut query = Case::random(heads, rows + past, 11);
            query.q[(3 * rows + row) * width + 9] = f32::NAN;
            let mut key = Case::random(heads, rows + past, 11);
            key.k[(position * 2 + 1) * width + 39] = f32::NAN;
            let mut value = Case::random(heads, rows + past, 11);
            value.v[(position * 2 + 1) * width + 3] = f32::NAN;
            let after = [run(&query), run(&key), run(&value)];
            for (index, before) in before.iter().enumerate() {
                let (at, head, i) = (index / (4 * width), index / width % 4, index % width);
                let what = format!("{kind:?} {path:?} {arithmetic:?}: row {at}, head {head}");
                let [of_query, of_key, of_value] =
                    [after[0][index], after[1][index], after[2][index]];
                if (at, head) == (row, 3) {
                    assert!(of_query.is_nan(), "query, {what}: {of_query}");
                } else {
                    assert!(same(of_query, *before), "query, {what}");
                }
                if head < 2 {
                    assert!(same(of_key, *before) && same(of_value, *before), "{what}");
                } else if at >= row {
                    assert!(of_key.is_nan(), "key, {what}: {of_key}");
                    // In 8 bits a row has one scale.
                    let spoiled = i == 3 || kind == KvType::Q8;
                    assert!(of_value.is_nan() || !spoiled, "value, {what}: {of_value}");
                    assert!(of_value.is_finite() || spoiled, "value, {what}: {of_value}");
                } else {
                    assert!(same(of_key, *before), "key, {what}: {of_key}");
                }
            }
        }
    }
}

/// Scores that are all the same, or as good as: each value counts alike.
#[test]
fn zeros_and_denormals_weigh_all_positions_alike() {
    for rows in [1, 60] {
        for (q, k) in [(0.0f32, 1.0f32), (-0.0, 0.0), (1e-42, 1.0), (1e-30, -1e-42)] {
            let mut case =
                Case::random(Heads { kv_heads: 1, group: 2, rows, width: 33 }, rows + 100, 3);
            case.q.fill(q);
            case.k.fill(k);
            for kind in KvType::ALL {
                let stretches = case.cut(kind, Path::Portable, &[50], false);
                let expected = case.slow(&stretches, true);
                for (path, arithmetic, tolerance) in ways() {
                    let found = case.run(&stretches, How { causal: true, arithmetic, path });
                    let worst = worst(&found, &expected);
                    assert!(worst <= tolerance, "{path:?} {kind:?} {q} {k}: {worst}");
                }
            }
        }
    }
}

/// Numbers that are none stay none in storage, on every path.
#[test]
fn what_is_not_a_number_is_stored_as_such() {
    for (bad, kind) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
        .into_iter()
        .flat_map(|bad| KvType::ALL.map(|kind| (bad, kind)))
    {
        for path in Path::available() {
            for (width, place) in [(1, 0), (20, 19), (64, 5), (67, 66)] {
                let mut values = numbers(width, 1);
                values[place] = bad;
                let mut rows = Rows::new(kind, 1, width);
                rows.set(path, 0, &values);
                let found = rows.number(0, width, place);
                // float16's largest number stands for what is larger.
                let cut = kind == KvType::F16 && bad.is_infinite();
                let right = if cut { found.abs() == 65504.0 } else { !found.is_finite() };
                assert!(right, "{bad} in {kind:?} on {path:?}: {found}");
            }
        }
    }
}

#[test]
fn sequences_behind_one_another_see_themselves_alone() {
    let lens = [3, 1, 40, 0, 7, 25, 90, 2, 2];
    let rows: usize = lens.iter().sum();
    for (kv_heads, group, width, beside) in [(2, 2, 16, false), (1, 3, 20, true), (4, 1, 64, true)]
    {
        let heads = Heads { kv_heads, group, rows, width };
        let lay = |count: usize, seed| {
            let numbers = numbers(count * rows * width, seed);
            let (head, row) = if beside { (width, count * width) } else { (rows * width, width) };
            (numbers, head, row)
        };
        let (q, k, v) = (lay(heads.count(), 1), lay(kv_heads, 2), lay(kv_heads, 3));
        let seen = |x: &(Vec<f32>, usize, usize), start: usize| x.0[start * x.2..].to_vec();
        for causal in [false, true] {
            for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
                let how = How { causal, arithmetic, path: ixc_kernels::cpu::path() };
                let all = [&q, &k, &v].map(|x| HeadRows { numbers: &x.0, head: x.1, row: x.2 });
                let found = attention_each(all, heads, &lens, how);
                let mut start = 0;
                for len in lens.into_iter().filter(|len| *len > 0) {
                    let (q_rows, k_rows, v_rows) =
                        (seen(&q, start), seen(&k, start), seen(&v, start));
                    let stretch = Stretch {
                        k: Stored::F32(&k_rows),
                        v: Stored::F32(&v_rows),
                        len,
                        head_rows: k.1 / width,
                        position_rows: k.2 / width,
                    };
                    let alone = attention(
                        HeadRows { numbers: &q_rows, head: q.1, row: q.2 },
                        Heads { rows: len, ..heads },
                        &[stretch],
                        how,
                    );
                    let place = start * heads.count() * width;
                    assert_eq!(found[place..place + alone.len()], alone);
                    start += len;
                }
            }
        }
    }
}
