//! Packed rows' gradients: the way back of what takes them apart.

use ixc_kernels::{
    attention::Heads,
    heads::{Angles, Split, rope_split, rope_split_backward},
};

use super::{dot, numbers, on_any_threads, wide};

fn angles(count: usize) -> (Vec<f32>, Vec<f32>) {
    numbers(count, 7).iter().map(|x| ((x * 3.0).cos(), (x * 3.0).sin())).unzip()
}

fn gradients(heads: Heads) -> Split {
    let keys = heads.kv_heads * heads.rows * heads.width;
    Split { q: numbers(keys * heads.group, 4), k: numbers(keys, 5), v: numbers(keys, 6) }
}

#[test]
fn the_way_back_is_the_way_there_transposed() {
    for (kv_heads, group, rows, width) in
        [(1, 1, 1, 2), (2, 3, 5, 6), (8, 4, 1, 128), (3, 2, 40, 34), (8, 4, 19, 128)]
    {
        let heads = Heads { kv_heads, group, rows, width };
        let packed = kv_heads * (group + 2) * width;
        let (cos, sin) = angles(rows * width / 2);
        let angles = Angles { cos: &cos, sin: &sin };
        let (x, slopes) = (numbers(rows * packed, 1), gradients(heads));
        let back = rope_split_backward(&slopes, heads, angles);
        // Taking apart is linear: ⟨split(x), g⟩ = ⟨x, back(g)⟩ for any x and g.
        let split = rope_split(&x, heads, angles);
        let there = dot(&wide(&split.q), &wide(&slopes.q))
            + dot(&wide(&split.k), &wide(&slopes.k))
            + dot(&wide(&split.v), &wide(&slopes.v));
        let here = dot(&wide(&x), &wide(&back));
        assert!((there - here).abs() < 1e-4 * (1.0 + there.abs()), "{there} and {here}");
        // And a rotation loses nothing: there and back is where it began.
        let again = rope_split_backward(&split, heads, angles);
        assert!(again.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[test]
fn threads_change_nothing() {
    let heads = Heads { kv_heads: 2, group: 2, rows: 300, width: 64 };
    let (cos, sin) = angles(300 * 32);
    let slopes = gradients(heads);
    on_any_threads(|| rope_split_backward(&slopes, heads, Angles { cos: &cos, sin: &sin }));
}
