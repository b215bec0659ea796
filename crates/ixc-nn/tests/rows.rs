//! What the wrappers around the kernels promise of tensors: shapes, places, refusals. The numbers are the
//! kernels' own tests' matter.

use candle_core::{DType, Device, Tensor};
use ixc_nn::{
    Arithmetic, Buffer, Matrix,
    activation::{gelu, quick_gelu},
    graph::Value,
    linear::Linear,
    norm::{LayerNorm, RmsNorm},
    plora::Acting,
    rope::Rope,
};

fn rows(rows: usize, width: usize) -> Tensor {
    let numbers = (0..rows * width).map(|i| ((i * 37) % 41) as f32 / 10.0 - 2.0);
    Tensor::from_iter(numbers, &Device::Cpu).unwrap().reshape((rows, width)).unwrap()
}

fn plain(x: &Tensor) -> Value {
    Value::plain(x.clone())
}

/// The same numbers, whose memory nobody shares.
fn own(x: &Tensor) -> Value {
    Value::plain(x.force_contiguous().unwrap())
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(found: &Value, expected: &Tensor) {
    let found = found.tensor();
    assert_eq!(found.dims(), expected.dims());
    for (f, e) in values(found).iter().zip(values(expected)) {
        assert!((f - e).abs() <= 1e-5 * (1.0 + e.abs()), "{f} against {e}");
    }
}

#[test]
fn activations_equal_the_tensors_own() {
    let x = rows(5, 24);
    assert_close(&gelu(own(&x)).unwrap(), &x.gelu_erf().unwrap());
    let sigmoid = candle_nn::ops::sigmoid(&(&x * 1.702).unwrap()).unwrap();
    assert_close(&quick_gelu(own(&x)).unwrap(), &(&x * sigmoid).unwrap());
}

#[test]
fn norms_take_any_leading_extents_and_views() {
    let x = rows(12, 24).reshape((3, 4, 24)).unwrap().narrow(1, 1, 2).unwrap();
    let weight = rows(1, 24).flatten_all().unwrap();
    let bias = (&weight * 0.5).unwrap();
    let dense = x.contiguous().unwrap();
    let rms = RmsNorm { weight: weight.clone().into(), eps: 1e-5 };
    let expected = candle_nn::ops::rms_norm(&dense, &weight, 1e-5).unwrap();
    assert_close(&rms.forward(&plain(&x)).unwrap(), &expected);
    let layer = LayerNorm { weight: weight.clone().into(), bias: bias.clone().into(), eps: 1e-5 };
    let expected = candle_nn::ops::layer_norm(&dense, &weight, &bias, 1e-5).unwrap();
    assert_close(&layer.forward(&plain(&x)).unwrap(), &expected);
}

#[test]
fn three_layers_over_the_same_rows_equal_each_alone() {
    let layer = |outputs: usize, inputs: usize, seed: f32| {
        let numbers: Vec<f32> = (0..outputs * inputs).map(|i| (i as f32 * seed).sin()).collect();
        let weight = Matrix::f32(outputs, inputs, Buffer::from_slice(&numbers));
        let bias = Tensor::from_iter((0..outputs).map(|i| i as f32), &Device::Cpu).unwrap();
        Linear::new(weight, Some(bias.into()), Vec::new(), Arithmetic::Exact).unwrap()
    };
    let (a, b, c) = (layer(5, 24, 0.7), layer(3, 24, 1.3), layer(24, 24, 2.1));
    let x = rows(6, 24).reshape((2, 3, 24)).unwrap().transpose(0, 1).unwrap();
    let (x, acting) = (plain(&x), Acting::default());
    let found = Linear::forward_three([&a, &b, &c], &x, &acting).unwrap();
    for (found, layer) in found.iter().zip([&a, &b, &c]) {
        let alone = layer.forward(&x, &acting).unwrap();
        let (found, alone) = (found.tensor(), alone.tensor());
        assert_eq!((found.dims(), values(found)), (alone.dims(), values(alone)));
    }
    assert!(Linear::forward_three([&a, &b, &layer(5, 23, 1.0)], &x, &acting).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = rows(4, 6);
    let square = Matrix::f32(6, 6, Buffer::from_slice(&[0.5f32; 36]));
    let square = Linear::new(square, None, Vec::new(), Arithmetic::Exact).unwrap();
    let past = |rows| square.forward_onto(&plain(&x), &plain(&rows), &Acting::default());
    let message = past(rows(6, 4)).unwrap_err().to_string();
    assert!(message.contains("expected shape [4, 6], found [6, 4]"), "{message}");
    // What goes past lies transposed: its numbers are brought into order first.
    let turned = rows(6, 4).t().unwrap();
    let alone = square.forward(&plain(&x), &Acting::default()).unwrap();
    assert_close(&past(turned.clone()).unwrap(), &(alone.tensor() + turned).unwrap());
    assert!(gelu(plain(&x.to_dtype(DType::F64).unwrap())).is_err());
    let weight = rows(1, 5).flatten_all().unwrap();
    assert!(RmsNorm { weight: weight.clone().into(), eps: 0.0 }.forward(&plain(&x)).is_err());
    let bias = rows(1, 6).flatten_all().unwrap();
    assert!(
        LayerNorm { weight: bias.into(), bias: weight.into(), eps: 0.0 }
            .forward(&plain(&x))
            .is_err()
    );
    let rope = Rope { width: 2, base: 1e4, positions_max: 100, dynamic_factor: None };
    assert!(rope.tables([(0, 4)]).split(&x, 1, 1).is_ok());
    assert!(rope.tables([(0, 3)]).split(&x, 1, 1).is_err());
    assert!(rope.tables([(0, 4)]).split(&x, 1, 2).is_err());
}

#[test]
fn recycled_memory_serves_the_next_tensor_of_the_pass() {
    let _pass = ixc_nn::pass();
    let weight = Tensor::ones(1 << 19, DType::F32, &Device::Cpu).unwrap();
    let norm = RmsNorm { weight: weight.into(), eps: 1e-5 };
    let x = rows(1, 1 << 19);
    let first = norm.forward(&plain(&x)).unwrap();
    let expected = values(first.tensor());
    first.recycle();
    assert_eq!(values(norm.forward(&plain(&x)).unwrap().tensor()), expected);
    plain(&rows(2, 3).to_dtype(DType::F64).unwrap()).recycle(); // dropped
}
