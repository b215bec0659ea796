//! Times what a training step is made of, at the shapes of a small model and of one block of a large one:
//! milliseconds, and the share of the machine's measured rate where work is products.
//! Usage: gradients [what: p(roducts), l(arge), e(lementwise), a(ttention), o(ptimiser)] [threads] [rows]
#![allow(clippy::print_stdout)]

use std::time::Instant;

use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Weight,
    adamw::{AdamW, Parameters, squares},
    attention::{Gradients, HeadRows, Heads, How, Passed, backward},
    cpu,
    dropout::Dropout,
    elementwise::{gelu_backward, silu_mul, silu_mul_backward},
    heads::{Angles, rope_split, rope_split_backward},
    loss::cross_entropy,
    matrix::round_to_bf16,
    measure::{Numbers, multiply_rate},
    norm::{rms_norm, rms_norm_backward},
    pool,
    product::{
        Term,
        gradient::{input_gradient, weight_gradient},
        product,
        rows::Rows,
    },
    recycle,
};

fn random(count: usize) -> Vec<f32> {
    let mut seed = count as u32 | 1;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The least and the median of some runs, in milliseconds: on a busy machine the least is the one to look at,
/// where a run is shorter than a turn of the processor.
fn time(mut work: impl FnMut()) -> (f64, f64) {
    work();
    let mut times: Vec<f64> = Vec::new();
    let since = Instant::now();
    while times.len() < 5 || (since.elapsed().as_millis() < 300 && times.len() < 200) {
        let started = Instant::now();
        work();
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn report(name: &str, operations: f64, rate: f64, (least, median): (f64, f64)) {
    let speed = operations / (least * 1e-3);
    println!(
        "{name:<44} least {least:8.3} ms, median {median:8.3}; {:6.1} Gop/s, {:3.0} %",
        speed * 1e-9,
        100.0 * speed / rate
    );
}

fn products(m: usize, n: usize, k: usize, rate: f64) {
    let _buffers = recycle::pass();
    let (x, dy, values) = (random(m * k), random(m * n), random(n * k));
    let mut bits = vec![0u16; n * k];
    round_to_bf16(&values, &mut bits);
    let stored = Matrix::bf16(n, k, Buffer::from_slice(&bits));
    let operations = 2.0 * (m * n * k) as f64;
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
        for (name, weight) in
            [("bf16", Weight::from(&stored)), ("trained", Weight::trained(&values, k))]
        {
            let name = format!("{m}×{n}×{k} {name} {arithmetic:?}");
            let forward = time(|| {
                let rows = Rows::new(&x, k);
                recycle::give(product(&[Term { rows: &rows, weight }], None, arithmetic));
            });
            report(&format!("{name} forward"), operations, rate, forward);
            let input = time(|| {
                let rows = Rows::new(&dy, n);
                recycle::give(input_gradient(&[Term { rows: &rows, weight }], arithmetic));
            });
            report(&format!("{name} dx"), operations, rate, input);
        }
        let mut out = vec![0f32; n * k];
        let of_weight = time(|| {
            let (dy, x) = (Rows::new(&dy, n), Rows::new(&x, k));
            weight_gradient(&dy, &x, std::slice::from_ref(&(0..m)), arithmetic, &mut out);
        });
        report(&format!("{m}×{n}×{k} {arithmetic:?} dW"), operations, rate, of_weight);
    }
}

fn elementwise(rows: usize, hidden: usize, inner: usize) {
    let print = |name: &str, bytes: usize, (least, median): (f64, f64)| {
        let rate = bytes as f64 / least * 1e-6;
        println!("{name:<44} least {least:8.3} ms, median {median:8.3}; {rate:6.1} GB/s");
    };
    let (gate, up, dy) = (random(rows * inner), random(rows * inner), random(rows * inner));
    let (mut a, mut b) = (gate.clone(), up.clone());
    let wide = 4 * rows * inner;
    print("silu·mul", 3 * wide, time(|| silu_mul(&mut a, &up)));
    let t = time(|| silu_mul_backward(&gate, &up, &dy, &mut a, &mut b));
    print("silu·mul backward", 5 * wide, t);
    print("gelu backward", 3 * wide, time(|| gelu_backward(&gate, &dy, &mut a)));
    let (x, dy, weight) = (random(rows * hidden), random(rows * hidden), random(hidden));
    let (mut dx, mut dw) = (x.clone(), weight.clone());
    let narrow = 4 * rows * hidden;
    print("rms norm", 2 * narrow, time(|| rms_norm(&x, &weight, 1e-5, &mut dx)));
    let t = time(|| rms_norm_backward(&x, &weight, 1e-5, &dy, &mut dx, Some(&mut dw)));
    print("rms norm backward", 3 * narrow, t);
    let noise = Dropout { share: 0.05, seed: 1, step: 1, layer: 1 };
    print("dropout", 2 * narrow, time(|| noise.apply(0, &mut dx)));
    let heads = Heads { kv_heads: 2, group: 2, rows, width: 64 };
    let packed = heads.kv_heads * (heads.group + 2) * heads.width;
    let (cos, sin) = (random(rows * 32), random(rows * 32));
    let angles = Angles { cos: &cos, sin: &sin };
    let x = random(rows * packed);
    let _buffers = recycle::pass();
    let t = time(|| {
        let split = rope_split(&x, heads, angles);
        [split.q, split.k, split.v].into_iter().for_each(recycle::give);
    });
    print("rope split", 8 * rows * packed, t);
    let split = rope_split(&x, heads, angles);
    let t = time(|| recycle::give(rope_split_backward(&split, heads, angles)));
    print("rope split backward", 8 * rows * packed, t);
}

fn attention(name: &str, heads: Heads, sequences: &[usize], causal: bool, rate: f64) {
    let count = heads.count() * heads.rows * heads.width;
    let keys = heads.kv_heads * heads.rows * heads.width;
    let (q, k, v, dout) = (random(count), random(keys), random(keys), random(count));
    let behind = |numbers| HeadRows { numbers, head: heads.rows * heads.width, row: heads.width };
    let beside = HeadRows { numbers: &dout, head: heads.width, row: heads.count() * heads.width };
    let passed = Passed { q: behind(&q), k: behind(&k), v: behind(&v), dout: beside };
    let (mut dq, mut dk, mut dv) = (vec![0f32; count], vec![0f32; keys], vec![0f32; keys]);
    let scores: usize = sequences.iter().map(|len| len * len).sum();
    let operations = 10.0 * (scores * heads.count() * heads.width) as f64;
    let operations = if causal { operations / 2.0 } else { operations };
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
        let how = How { causal, arithmetic, path: cpu::path() };
        let t = time(|| {
            let gradients = Gradients { q: &mut dq, k: &mut dk, v: &mut dv };
            backward(passed, heads, sequences, how, gradients);
        });
        report(&format!("{name} {arithmetic:?}"), operations, rate, t);
    }
}

fn optimiser() {
    let len = 5_000_000;
    let gradient = random(len);
    let [mut values, mut mean, mut square] = [random(len), vec![0f32; len], vec![0f32; len]];
    let rule = AdamW { rate: 1e-4, betas: (0.9, 0.95), eps: 1e-8, decay: 0.1 };
    let (least, _) = time(|| {
        let parameters = Parameters { values: &mut values, mean: &mut mean, square: &mut square };
        rule.step(3, parameters, &gradient, 1.0);
    });
    println!("AdamW, 5 M parameters: {least:.3} ms, {:.1} GB/s", 28.0 * len as f64 / least * 1e-6);
    let (least, _) = time(|| {
        std::hint::black_box(squares(&gradient));
    });
    println!("norm of 5 M: {least:.3} ms, {:.1} GB/s", 4.0 * len as f64 / least * 1e-6);
    let (rows, entries) = (64, 92_544);
    let mut logits = random(rows * entries);
    let targets: Vec<Option<u32>> = (0..rows as u32).map(Some).collect();
    let (least, _) = time(|| {
        std::hint::black_box(cross_entropy(&mut logits, &targets, 1.0));
    });
    let bytes = 4.0 * (rows * entries) as f64;
    println!(
        "cross-entropy, {rows} × {entries}: {least:.3} ms, {:.1} GB/s read",
        bytes / least * 1e-6
    );
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_else(|| "peao".into());
    if let Some(threads) = std::env::args().nth(2) {
        pool::set_threads(threads.parse().expect("a number of threads"));
    }
    let rows: usize = std::env::args().nth(3).map_or(4000, |rows| rows.parse().expect("rows"));
    let [exact, fast] = [Numbers::F32, Numbers::Bf16].map(|numbers| multiply_rate(numbers).all);
    let rate = f64::max(exact, fast);
    println!("measured: f32 {:.0} Gop/s, bf16 {:.0}", exact * 1e-9, fast * 1e-9);
    if what.contains('p') {
        for (n, k) in [(256, 256), (704, 256), (256, 704), (256, 16), (16, 256)] {
            products(rows, n, k, rate);
        }
    }
    if what.contains('l') {
        products(1275, 4096, 4096, rate);
        products(1275, 4096, 64, rate);
        products(1275, 64, 4096, rate);
    }
    if what.contains('e') {
        elementwise(rows, 256, 704);
    }
    if what.contains('a') {
        let small = Heads { kv_heads: 2, group: 2, rows: 32 * 120, width: 64 };
        attention("small attention, 32 × 120", small, &[120; 32], true, rate);
        let large = Heads { kv_heads: 8, group: 4, rows: 1275, width: 128 };
        attention("7B attention, 1275", large, &[1275], true, rate);
        let tower = Heads { kv_heads: 16, group: 1, rows: 1226, width: 64 };
        attention("tower attention, 1226", tower, &[1226], false, rate);
    }
    if what.contains('o') {
        optimiser();
    }
}
