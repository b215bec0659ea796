//! Every path of the product against its slow twin: loops in f64 over the widened weights.

use half::{bf16, f16};
use ixc_kernels::{Buffer, Gptq, Matrix, matmul};
use proptest::prelude::*;

use crate::{gptq::layer, numbers};

/// The slow, obvious product.
fn slow(x: &[f32], w: &Matrix) -> Vec<f64> {
    let (k, n) = (w.cols(), w.rows());
    let mut weights = vec![0f32; n * k];
    w.widen(0..n, &mut weights);
    x.chunks_exact(k)
        .flat_map(|x| {
            weights
                .chunks_exact(k)
                .map(|w| x.iter().zip(w).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn check(x: &[f32], w: &Matrix) {
    let found = matmul(x, w);
    let expected = slow(x, w);
    let scale = expected.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(&expected) {
        assert!((f64::from(*f) - e).abs() <= 1e-5 * scale, "{f} against {e} at scale {scale}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_storage_equals_its_slow_twin(m in 1usize..20, n in 1usize..90, k in 1usize..300, seed in 0u64..1000) {
        let x = numbers(m * k, seed);
        let values = numbers(n * k, seed + 7);
        check(&x, &Matrix::f32(n, k, Buffer::from_slice(&values)));
        let bits: Vec<u16> = values.iter().map(|&v| bf16::from_f32(v).to_bits()).collect();
        check(&x, &Matrix::bf16(n, k, Buffer::from_slice(&bits)));
        let bits: Vec<u16> = values.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
        check(&x, &Matrix::f16(n, k, Buffer::from_slice(&bits)));
    }

    #[test]
    fn gptq_equals_its_slow_twin(m in 1usize..12, n in 1usize..12, k in 1usize..40, seed in 0u64..1000) {
        let (n, k) = (n * 8, k * 8);
        check(&numbers(m * k, seed), &layer(n, &(0..k as u32).map(|i| i / 32).collect::<Vec<_>>(), seed));
    }
}

#[test]
fn gptq_widens_nibbles_as_published() {
    // One group, one word of inputs 0..8, outputs 0..8: value − (zero + 1), times the scale.
    let qweight: Vec<u32> = (0..8).map(|_| 0x7654_3210).collect();
    let scales: Vec<u16> = (1..=8).map(|s| f16::from_f32(s as f32).to_bits()).collect();
    let w = Matrix::gptq(
        8,
        8,
        Gptq {
            qweight: Buffer::from_slice(&qweight),
            qzeros: Buffer::from_slice(&[0x7654_3210u32]),
            scales: Buffer::from_slice(&scales),
            groups: vec![0; 8],
        },
    );
    let mut out = vec![0f32; 64];
    w.widen(0..8, &mut out);
    for row in 0..8 {
        for col in 0..8 {
            let expected = (col as f32 - (row as f32 + 1.0)) * (row as f32 + 1.0);
            assert_eq!(out[row * 8 + col], expected, "output {row}, input {col}");
        }
    }
}

#[test]
fn large_shapes_cross_block_borders() {
    for (m, n, k) in [(1, 1000, 2048), (7, 1300, 2048), (33, 515, 4100)] {
        let bits: Vec<u16> =
            numbers(n * k, 5).iter().map(|&v| bf16::from_f32(v).to_bits()).collect();
        check(&numbers(m * k, 9), &Matrix::bf16(n, k, Buffer::from_slice(&bits)));
    }
}

#[test]
fn a_row_alone_equals_a_row_among_others() {
    let (n, k) = (64, 512);
    let w = Matrix::f32(n, k, Buffer::from_slice(&numbers(n * k, 1)));
    let x = numbers(6 * k, 2);
    let together = matmul(&x, &w);
    for row in 0..6 {
        assert_eq!(matmul(&x[row * k..(row + 1) * k], &w), together[row * n..(row + 1) * n]);
    }
}

#[test]
fn misaligned_maps_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    std::fs::write(&path, (0u8..64).collect::<Vec<_>>()).unwrap();
    let file = std::sync::Arc::new(ixc_kernels::MappedFile::open(&path).unwrap());
    let aligned = Buffer::mapped(file.clone(), 4..12, 4);
    let misaligned = Buffer::mapped(file, 3..11, 4);
    assert!(aligned.is_mapped() && !misaligned.is_mapped());
    assert_eq!(misaligned.numbers::<u32>()[0], u32::from_le_bytes([3, 4, 5, 6]));
    aligned.release();
    assert_eq!(aligned.bytes()[0], 4);
}
