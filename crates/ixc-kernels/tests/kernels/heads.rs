//! Heads taken apart, one number at a time.

use ixc_kernels::{
    attention::Heads,
    heads::{Angles, rope_split},
};

use crate::{Shifted, numbers, same};

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

/// Odd numbers go where they belong, wherever the rows begin; no rows make no heads.
#[test]
fn odd_numbers_pass_and_rows_begin_anywhere() {
    let heads = Heads { kv_heads: 2, group: 2, rows: 3, width: 10 };
    let mut x = numbers(3 * 2 * 4 * 10, 1);
    let odd = [f32::NAN, f32::INFINITY, -f32::MAX, 1e-45, -0.0];
    x.iter_mut().step_by(17).zip(odd).for_each(|(x, odd)| *x = odd);
    let (cos, sin) = (numbers(3 * 5, 2), numbers(3 * 5, 3));
    let here = rope_split(&x, heads, Angles { cos: &cos, sin: &sin });
    let (moved, cos, sin) = (Shifted::new(&x, 3), Shifted::new(&cos, 5), Shifted::new(&sin, 7));
    let angles = Angles { cos: cos.values(), sin: sin.values() };
    let there = rope_split(moved.values(), heads, angles);
    for (here, there) in [(&here.q, &there.q), (&here.k, &there.k), (&here.v, &there.v)] {
        assert!(here.iter().zip(there).all(|(a, b)| same(*a, *b)));
    }
    // Each row holds 40 numbers of a key head: two queries, a key and a value of 10 each.
    for (index, x) in x.iter().enumerate() {
        let (row, head, column, i) = (index / 80, index / 40 % 2, index / 10 % 4, index % 10);
        let place = |head: usize| (head * 3 + row) * 10 + i;
        let found = match column {
            0 | 1 => here.q[place(2 * head + column)],
            2 => here.k[place(head)],
            _ => here.v[place(head)],
        };
        if column == 3 {
            assert!(same(found, *x));
        } else if !x.is_finite() {
            assert!(!found.is_finite(), "{x} became {found}");
        }
    }
    let none = Heads { rows: 0, ..heads };
    let split = rope_split(&[], none, Angles { cos: &[], sin: &[] });
    assert!(split.q.is_empty() && split.k.is_empty() && split.v.is_empty());
}
