//! Heads taken apart, one number at a time.

use ixc_kernels::{
    attention::Heads,
    heads::{Angles, rope_split},
};

use crate::numbers;

#[test]
fn packed_rows_come_apart_rotated() {
    for (kv_heads, group, rows, width) in
        [(1, 1, 1, 2), (2, 3, 5, 6), (8, 4, 1, 128), (3, 2, 40, 34), (8, 4, 19, 128)]
    {
        let heads = Heads { kv_heads, group, rows, width };
        let (members, half) = (group + 2, width / 2);
        let x = numbers(rows * kv_heads * members * width, 1);
        let (cos, sin) = (numbers(rows * half, 2), numbers(rows * half, 3));
        let split = rope_split(&x, heads, Angles { cos: &cos, sin: &sin });
        let at = |row: usize, head: usize, member: usize, i: usize| {
            f64::from(x[((row * kv_heads + head) * members + member) * width + i])
        };
        let rotated = |row: usize, head: usize, member: usize, i: usize| {
            let angle = row * half + i % half;
            let (c, s) = (f64::from(cos[angle]), f64::from(sin[angle]));
            let x = |i| at(row, head, member, i);
            if i < half { x(i) * c - x(i + half) * s } else { x(i) * c + x(i - half) * s }
        };
        let (q, k, v) = (&split.q, &split.k, &split.v);
        assert_eq!(
            (q.len(), k.len(), v.len()),
            (k.len() * group, rows * kv_heads * width, k.len())
        );
        for head in 0..kv_heads {
            for row in 0..rows {
                for i in 0..width {
                    let place = (head * rows + row) * width + i;
                    assert!((f64::from(k[place]) - rotated(row, head, group, i)).abs() < 3e-7);
                    assert_eq!(f64::from(v[place]), at(row, head, group + 1, i));
                    for member in 0..group {
                        let place = ((head * group + member) * rows + row) * width + i;
                        assert!((f64::from(q[place]) - rotated(row, head, member, i)).abs() < 3e-7);
                    }
                }
            }
        }
    }
}
