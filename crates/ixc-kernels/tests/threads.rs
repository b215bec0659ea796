//! The number of threads changes no bit of any kernel's result.
//!
//! Alone in its process and one test, so that nothing else has the workers meanwhile: tasks really are
//! shared. Sizes are such that every kernel has several tasks, the last of them a short one.

use half::{bf16, f16};
use ixc_kernels::{
    Arithmetic, Buffer, Gptq, Matrix, Quant,
    attention::{HeadRows, Heads, How, KvType, Stored, StoredMut, Stretch, attention},
    cpu::{self, Path},
    elementwise::{add, add_bias, gelu, quick_gelu, silu_mul},
    heads::{Angles, rope_split},
    matmul,
    norm::{layer_norm, rms_norm},
    pool,
    product::{Term, gated, product, rows::Rows},
};

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// Numbers between −1 and 1 that look random.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Runs `kernel` with each number of threads: all results must be the first one's, bit for bit.
fn alike(what: &str, kernel: impl Fn() -> Vec<f32>) {
    let mut first: Option<Vec<u32>> = None;
    for threads in THREADS {
        pool::set_threads(threads);
        let bits: Vec<u32> = kernel().iter().map(|value| value.to_bits()).collect();
        let first = first.get_or_insert_with(|| bits.clone());
        assert!(!bits.is_empty() && bits == *first, "{what} with {threads} threads");
    }
}

/// A matrix of every storage.
fn matrices(rows: usize, cols: usize) -> Vec<Matrix> {
    let values = numbers(rows * cols, 3);
    let words = |to: fn(f32) -> u16| {
        Buffer::from_slice(&values.iter().map(|&value| to(value)).collect::<Vec<u16>>())
    };
    let integers = |count: usize| {
        Buffer::from_slice(
            &(0..count as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect::<Vec<_>>(),
        )
    };
    let scales: Vec<u16> =
        numbers(rows * 2, 4).into_iter().map(|v| f16::from_f32(v).to_bits()).collect();
    let gptq = Gptq {
        qweight: integers(cols / 8 * rows),
        qzeros: integers(2 * rows / 8),
        scales: Buffer::from_slice(&scales),
        groups: (0..cols).map(|input| (input % 2) as u32).collect(),
    };
    let mut all = vec![
        Matrix::f32(rows, cols, Buffer::from_slice(&values)),
        Matrix::bf16(rows, cols, words(|value| bf16::from_f32(value).to_bits())),
        Matrix::f16(rows, cols, words(|value| f16::from_f32(value).to_bits())),
        Matrix::gptq(rows, cols, gptq),
    ];
    for quant in Quant::ALL {
        let mut blocks = vec![0; rows * quant.row_bytes(cols)];
        quant.quantise(&values, cols, None, &mut blocks).unwrap();
        all.push(Matrix::blocks(quant, rows, cols, Buffer::copied(&blocks)));
    }
    all
}

fn products() {
    let cols = 512;
    // Few rows take many outputs in a task, many rows few.
    for (n, rows) in [(704, [1, 8]), (200, [9, 40])] {
        let bias = numbers(n, 7);
        for (weight, m) in matrices(n, cols).iter().flat_map(|weight| rows.map(|m| (weight, m))) {
            let x = numbers(m * cols, 5);
            let what = format!("{m} rows with {}", weight.precision());
            alike(&what, || matmul(&x, weight));
            for path in Path::available() {
                cpu::limit(path);
                alike(&format!("{what} on {}", path.name()), || {
                    let rows = Rows::new(&x, cols);
                    let terms = [Term { rows: &rows, weight: weight.into() }; 2];
                    product(&terms, Some(&bias), Arithmetic::Fast)
                });
            }
            alike(&format!("{what}, gated"), || {
                let rows = Rows::new(&x, cols);
                let term = [Term { rows: &rows, weight: weight.into() }];
                gated(&term, &term, Arithmetic::Fast)
            });
        }
    }
}

fn attentions() {
    let total = 700;
    // A few queries, which share out positions, and many, which share out themselves.
    for rows in [1, 8, 150] {
        let heads = Heads { kv_heads: 2, group: 3, rows, width: 20 };
        let (width, count) = (heads.width, heads.kv_heads * total);
        let q = numbers(heads.count() * rows * width, 1);
        let (k, v) = (numbers(count * width, 2), numbers(count * width, 3));
        for (kind, path) in
            KvType::ALL.into_iter().flat_map(|kind| Path::available().map(move |path| (kind, path)))
        {
            let [k, v] = [&k, &v].map(|values| Kept::new(kind, values, width));
            for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
                let how = How { causal: true, arithmetic, path };
                alike(&format!("attention of {rows} rows, {kind:?}, {how:?}"), || {
                    let (k, v) = (k.stored(), v.stored());
                    let stretch = Stretch { k, v, len: total, head_rows: total, position_rows: 1 };
                    let q = HeadRows { numbers: &q, head: rows * width, row: width };
                    attention(q, heads, &[stretch], how)
                });
            }
        }
    }
}

/// Rows of keys or values in storage.
enum Kept {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Q8(Vec<i8>, Vec<f32>),
}

impl Kept {
    fn new(kind: KvType, values: &[f32], width: usize) -> Self {
        let rows = values.len() / width;
        let mut kept = match kind {
            KvType::F32 => Self::F32(vec![0.0; values.len()]),
            KvType::F16 => Self::F16(vec![f16::ZERO; values.len()]),
            KvType::Q8 => Self::Q8(vec![0; values.len()], vec![0.0; rows]),
        };
        let mut stored = match &mut kept {
            Self::F32(numbers) => StoredMut::F32(numbers),
            Self::F16(numbers) => StoredMut::F16(numbers),
            Self::Q8(numbers, scales) => StoredMut::Q8 { numbers, scales },
        };
        for (row, values) in values.chunks_exact(width).enumerate() {
            stored.set_row(Path::Portable, row, values);
        }
        kept
    }

    fn stored(&self) -> Stored<'_> {
        match self {
            Self::F32(numbers) => Stored::F32(numbers),
            Self::F16(numbers) => Stored::F16(numbers),
            Self::Q8(numbers, scales) => Stored::Q8 { numbers, scales },
        }
    }
}

fn rows_and_numbers() {
    let (rows, width) = (30, 4100);
    let x = numbers(rows * width, 1);
    let (y, weight, bias) = (numbers(rows * width, 2), numbers(width, 3), numbers(width, 4));
    let changed = |change: &dyn Fn(&mut [f32])| {
        let mut x = x.clone();
        change(&mut x);
        x
    };
    alike("rms", || changed(&|out| rms_norm(&x, &weight, 1e-5, out)));
    alike("layer", || changed(&|out| layer_norm(&x, &weight, &bias, 1e-5, out)));
    alike("silu", || changed(&|x| silu_mul(x, &y)));
    alike("quick gelu", || changed(&|x| quick_gelu(x)));
    alike("gelu", || changed(&|x| gelu(x)));
    alike("add", || changed(&|x| add(x, &y)));
    alike("bias", || changed(&|x| add_bias(x, &bias)));
    let heads = Heads { kv_heads: 4, group: 3, rows: 500, width: 34 };
    let x = numbers(500 * 4 * 5 * 34, 5);
    let (cos, sin) = (numbers(500 * 17, 6), numbers(500 * 17, 7));
    alike("heads", || {
        let split = rope_split(&x, heads, Angles { cos: &cos, sin: &sin });
        [split.q, split.k, split.v].concat()
    });
}

fn packing() {
    for quant in Quant::ALL {
        let (rows, cols) = (300, 512);
        let (x, importance) = (numbers(rows * cols, 1), numbers(cols, 2));
        let importance: Vec<f32> = importance.iter().map(|weight| weight.abs()).collect();
        alike(quant.name(), || {
            let mut out = vec![0; rows * quant.row_bytes(cols)];
            quant.quantise(&x, cols, Some(&importance), &mut out).unwrap();
            out.into_iter().map(f32::from).collect()
        });
    }
}

#[test]
fn threads_change_nothing() {
    products();
    attentions();
    rows_and_numbers();
    packing();
}
