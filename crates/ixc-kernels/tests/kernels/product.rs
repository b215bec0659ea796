//! Products in low precision: each processor path against the plain one, and all against float64.

use half::f16;
use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Quant,
    cpu::{self, Path},
    matmul,
    product::{Term, gated, gated_kept, product, product_onto, rows::Rows},
};

use crate::{alone, numbers};

/// A matrix in blocks whose scales are sound and whose codes are anything.
pub(crate) fn blocks(quant: Quant, rows: usize, cols: usize) -> Matrix {
    let mut bytes: Vec<u8> = numbers(rows * quant.row_bytes(cols), 5)
        .into_iter()
        .map(|value| ((value + 1.0) * 127.9) as u8)
        .collect();
    for (index, block) in bytes.chunks_exact_mut(quant.block_bytes()).enumerate() {
        // 0.004 to 0.06 in float16, and a block of zeros now and then.
        let scale = if index % 23 == 7 { 0 } else { 0x1C00 + (index % 600) as u16 * 97 % 0x0F00 };
        let at = if quant == Quant::Q6K { 208 } else { 0 };
        block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        if quant == Quant::Q4K {
            block[2..4].copy_from_slice(&(scale / 2).to_le_bytes());
        }
    }
    Matrix::blocks(quant, rows, cols, Buffer::copied(&bytes))
}

/// Matrices of each type that is not quantised.
pub(crate) fn dense(rows: usize, cols: usize) -> [Matrix; 3] {
    let values = numbers(rows * cols, 6);
    let rounded: Vec<u16> = values.iter().map(|value| (value.to_bits() >> 16) as u16).collect();
    let halves: Vec<u16> = values.iter().map(|value| f16::from_f32(*value).to_bits()).collect();
    [
        Matrix::bf16(rows, cols, Buffer::from_slice(&rounded)),
        Matrix::f16(rows, cols, Buffer::from_slice(&halves)),
        Matrix::f32(rows, cols, Buffer::from_slice(&values)),
    ]
}

pub(crate) fn fast(x: &[f32], weight: &Matrix) -> Vec<f32> {
    let rows = Rows::new(x, weight.cols());
    product(&[Term { rows: &rows, weight: weight.into() }], None, Arithmetic::Fast)
}

/// ‖found − expected‖ / ‖expected‖.
pub(crate) fn deviation(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = || found.iter().zip(expected).map(|(f, e)| (f64::from(*f), f64::from(*e)));
    let difference: f64 = pairs().map(|(f, e)| (f - e).powi(2)).sum();
    let size: f64 = pairs().map(|(_, e)| e * e).sum();
    (difference / size.max(1e-30)).sqrt()
}

#[test]
fn every_path_is_near_the_float32_product() {
    let _turn = alone();
    let widest = cpu::path();
    let shapes =
        [(1, 1, 32), (3, 33, 256), (4, 70, 288), (8, 5, 1056), (9, 31, 512), (40, 97, 800)];
    for (m, n, cols) in shapes {
        for quant in Quant::ALL {
            let cols = usize::next_multiple_of(cols, quant.block_elements());
            let (weight, x) = (blocks(quant, n, cols), numbers(m * cols, 9));
            let exact = matmul(&x, &weight);
            for path in Path::available() {
                cpu::limit(path);
                let found = deviation(&fast(&x, &weight), &exact);
                // 8-bit rows lose about 0.4 %, requantised weights as much again; few outputs vary more.
                assert!(found < 0.03, "{m}×{n}×{cols} {quant:?} {path:?}: {found}");
            }
            cpu::limit(widest);
        }
        let x = numbers(m * (cols + 3), 9);
        for weight in dense(n, cols + 3) {
            let exact = matmul(&x, &weight);
            for path in Path::available() {
                cpu::limit(path);
                let found = deviation(&fast(&x, &weight), &exact);
                let rounds = weight.is_bf16() && path == Path::Avx512Bf16;
                let (most, kind) = (if rounds { 0.01 } else { 1e-6 }, weight.precision());
                assert!(found < most, "{m}×{n}×{cols} {kind} {path:?}: {found}");
            }
            cpu::limit(widest);
        }
    }
}

#[test]
fn dot_products_are_the_same_on_every_path_but_for_the_order_of_sums() {
    let _turn = alone();
    let widest = cpu::path();
    for quant in Quant::ALL {
        for m in [1, 2, 3, 4, 7, 8] {
            let cols = if quant.block_elements() == 32 { 800 } else { 1024 };
            let (weight, x) = (blocks(quant, 37, cols), numbers(m * cols, 3));
            cpu::limit(Path::Portable);
            let plain = fast(&x, &weight);
            for path in Path::available() {
                cpu::limit(path);
                let found = deviation(&fast(&x, &weight), &plain);
                assert!(found < 2e-6, "{m} rows, {quant:?} {path:?}: {found}");
            }
        }
    }
    cpu::limit(widest);
}

#[test]
fn terms_add_up_and_a_gate_gates() {
    let _turn = alone();
    for m in [2, 30] {
        let (first, second) = (blocks(Quant::Q4K, 70, 512), blocks(Quant::Q8_0, 70, 256));
        let (x, y) = (numbers(m * 512, 1), numbers(m * 256, 2));
        let bias = numbers(70, 3);
        let (of_x, of_y) = (Rows::new(&x, 512), Rows::new(&y, 256));
        let terms = [
            Term { rows: &of_x, weight: (&first).into() },
            Term { rows: &of_y, weight: (&second).into() },
        ];
        let both = product(&terms, Some(&bias), Arithmetic::Fast);
        let (a, b) = (fast(&x, &first), fast(&y, &second));
        let sums: Vec<f32> =
            a.iter().zip(&b).enumerate().map(|(i, (a, b))| a + b + bias[i % 70]).collect();
        assert!(deviation(&both, &sums) < 1e-6);
        let inner = gated(&terms, &terms[..1], Arithmetic::Fast);
        let expected: Vec<f32> = a
            .iter()
            .zip(&b)
            .map(|(a, b)| {
                let gate = f64::from(a + b);
                (gate / (1.0 + (-gate).exp()) * f64::from(*a)) as f32
            })
            .collect();
        assert!(deviation(&inner, &expected) < 1e-5);
    }
}

#[test]
fn outputs_on_top_and_a_gate_that_is_kept() {
    let _turn = alone();
    let (n, cols) = (70, 512);
    let [bf16, f16, f32] = dense(n, cols);
    for m in [2, 30] {
        let (x, onto, bias) = (numbers(m * cols, 1), numbers(m * n, 2), numbers(n, 3));
        let rows = Rows::new(&x, cols);
        let quantised = (blocks(Quant::Q4K, n, cols), blocks(Quant::Q8_0, n, cols));
        for (first, second) in [(&bf16, &f16), (&f32, &f32), (&quantised.0, &quantised.1)] {
            let terms = [first, second].map(|weight| Term { rows: &rows, weight: weight.into() });
            for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
                let plain = product(&terms, Some(&bias), arithmetic);
                let on_top = product_onto(&terms, Some(&bias), &onto, arithmetic);
                let sums: Vec<f32> = plain.iter().zip(&onto).map(|(a, b)| a + b).collect();
                assert_eq!(on_top, sums);
                let [gate, up] = terms.each_ref().map(std::slice::from_ref);
                let kept = gated_kept(gate, up, arithmetic);
                assert_eq!(kept.gate, product(gate, None, arithmetic));
                assert_eq!(kept.up, product(up, None, arithmetic));
                assert_eq!(kept.inner, gated(gate, up, arithmetic));
            }
        }
    }
}

#[test]
fn rows_of_zeros_denormals_and_no_numbers() {
    let _turn = alone();
    let weight = blocks(Quant::Q4K, 40, 512);
    for m in [3, 20] {
        let mut x = numbers(m * 512, 1);
        x[..512].fill(0.0);
        x[512..1024].fill(1e-41);
        x[1024 + 300] = f32::NAN;
        let found = fast(&x, &weight);
        assert!(found[..40].iter().all(|value| *value == 0.0));
        assert!(found[40..80].iter().all(|value| value.abs() < 1e-30));
        assert!(found[80..120].iter().all(|value| value.is_nan()));
        assert!(found[120..].iter().all(|value| value.is_finite()));
    }
}
