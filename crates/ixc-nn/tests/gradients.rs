//! The way back of every layer: against its plain twin of candle's operations, and against finite differences
//! of its own forward pass. Recording changes no bit of what comes out. A device's form, which has a way back of
//! its own, against the same twins.

use candle_core::{DType, Device, Tensor};
use ixc_nn::{
    Arithmetic, Buffer, Error, Matrix,
    activation::{composed_gelu, composed_quick_gelu, gelu, quick_gelu},
    attention::{Span, composed_packed, composed_views, packed, views},
    embedding::Embedding,
    graph::{Value, checkpoint, record},
    linear::Linear,
    loss::cross_entropy,
    norm::{LayerNorm, RmsNorm},
    plora::{Acting, Adapter, ImageRows, Noise, Reach},
    rope::Rope,
    rows::{cat, select},
    trained::{Small, Trained, Weight},
};

/// Numbers around 0 that nothing repeats in.
fn numbers(count: usize, salt: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|i| {
            let mixed = (i.wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(0x9E37_79B9))
                .wrapping_mul(0x85EB_CA6B);
            ((mixed ^ (mixed >> 15)) & 0xFFFF) as f32 / 32_768.0 - 1.0
        })
        .collect()
}

fn tensor(dims: &[usize], salt: u32) -> Tensor {
    Tensor::from_vec(numbers(dims.iter().product(), salt), dims, &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn trained(dims: &[usize], salt: u32) -> Trained {
    Trained::new(numbers(dims.iter().product(), salt), dims).unwrap()
}

fn frozen(rows: usize, cols: usize, salt: u32) -> Weight {
    Matrix::f32(rows, cols, Buffer::from_slice(&numbers(rows * cols, salt))).into()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-6f32, |most, value| most.max(value.abs()));
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * scale, "{what}: {f} against {e} at {at} (of {scale})");
    }
}

type Forward<'a> = &'a dyn Fn(&[Value]) -> Result<Value, Error>;

/// The gradients of the inputs and of the weights, where the result's is `dy`.
fn gradients(
    forward: Forward,
    inputs: &[Tensor],
    weights: &[&Trained],
    dy: &Tensor,
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    weights.iter().for_each(|weight| weight.forget_gradient());
    let inputs: Vec<Value> = inputs.iter().cloned().map(Value::input).collect();
    let mut found = forward(&inputs).unwrap().backward(dy).unwrap();
    let of_inputs = inputs.iter().map(|x| values(&found.take(x).expect("a gradient")));
    let of_weights = weights
        .iter()
        .map(|weight| weight.gradient(|gradient| gradient.expect("a gradient").to_vec()).unwrap());
    (of_inputs.collect(), of_weights.collect())
}

/// Checks a layer as it is on the CPU and as it is on a device.
fn check(name: &str, inputs: &[Tensor], weights: &[&Trained], forward: Forward, twin: Forward) {
    check_kernels(name, inputs, weights, forward, twin);
    check_on_device(name, inputs, weights, forward, twin, [2e-5, 5e-5]);
}

/// Checks a device's form against `twin`: what comes out, and the gradients.
fn check_on_device(
    name: &str,
    inputs: &[Tensor],
    weights: &[&Trained],
    forward: Forward,
    twin: Forward,
    [tolerance, of_gradients]: [f32; 2],
) {
    let _form = operations().enter();
    let plain: Vec<Value> = inputs.iter().cloned().map(Value::plain).collect();
    let given: Vec<Value> = inputs.iter().cloned().map(Value::input).collect();
    let out = forward(&plain).unwrap().into_tensor();
    let expected = twin(&given).unwrap().into_tensor();
    let name = format!("{name} on a device");
    assert_close(&name, &values(&out), &values(&expected), tolerance);
    let dy = tensor(out.dims(), 77);
    let (found, of_weights) = gradients(forward, inputs, weights, &dy);
    let (expected, expected_of_weights) = gradients(twin, inputs, weights, &dy);
    let all = expected.iter().chain(&expected_of_weights);
    for (index, (found, expected)) in found.iter().chain(&of_weights).zip(all).enumerate() {
        assert_close(&format!("{name}: gradient {index}"), found, expected, of_gradients);
    }
}

fn operations() -> ixc_nn::device::Device {
    ixc_nn::device::Device::operations()
}

/// Checks a layer: `forward` against `twin`, and both ways back.
fn check_kernels(
    name: &str,
    inputs: &[Tensor],
    weights: &[&Trained],
    forward: Forward,
    twin: Forward,
) {
    let plain = |x: &[Tensor]| {
        // In memory of their own: some layers work in place.
        let x: Vec<Value> = x.iter().map(|x| Value::plain(x.force_contiguous().unwrap())).collect();
        forward(&x).unwrap().into_tensor()
    };
    let out = plain(inputs);
    let recorded: Vec<Value> = inputs.iter().cloned().map(Value::input).collect();
    let recorded = forward(&recorded).unwrap();
    assert!(values(recorded.tensor()) == values(&out), "{name}: recording changes bits");
    let constants: Vec<Value> = inputs.iter().cloned().map(Value::constant).collect();
    let constant = forward(&constants).unwrap();
    assert_eq!(constant.wants_gradient(), !weights.is_empty(), "{name}: only what is trained");

    let dy = tensor(out.dims(), 77);
    let (found, of_weights) = gradients(forward, inputs, weights, &dy);
    let expected_out: Vec<Value> = inputs.iter().cloned().map(Value::input).collect();
    assert_close(name, &values(&out), &values(twin(&expected_out).unwrap().tensor()), 2e-5);
    let (expected, expected_of_weights) = gradients(twin, inputs, weights, &dy);
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_close(&format!("{name}: gradient of input {index}"), found, expected, 5e-5);
    }
    for (index, (found, expected)) in of_weights.iter().zip(&expected_of_weights).enumerate() {
        assert_close(&format!("{name}: gradient of weight {index}"), found, expected, 5e-5);
    }

    // Finite differences along a direction.
    let result = |x: &[Tensor]| dot(&values(&plain(x)), &values(&dy));
    let step = 4e-3;
    for (index, input) in inputs.iter().enumerate() {
        let direction = tensor(input.dims(), 5 + index as u32);
        let moved = |by: f64| {
            let mut inputs = inputs.to_vec();
            inputs[index] = (input + (&direction * by).unwrap()).unwrap();
            result(&inputs)
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        assert_slope(name, slope, &found[index], &values(&direction));
    }
    for (index, weight) in weights.iter().enumerate() {
        let before = values(weight.master());
        let direction = numbers(before.len(), 50 + index as u32);
        let moved = |by: f64| {
            let there: Vec<f32> =
                before.iter().zip(&direction).map(|(x, d)| x + d * by as f32).collect();
            weight.set(&there).unwrap();
            result(inputs)
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        weight.set(&before).unwrap();
        assert_slope(&format!("{name}, weight {index}"), slope, &of_weights[index], &direction);
    }
}

fn assert_slope(name: &str, slope: f64, gradient: &[f32], direction: &[f32]) {
    let expected = dot(gradient, direction);
    // What float32 leaves of a difference, against the slope that the gradient's length allows.
    let length = dot(gradient, gradient).sqrt() * dot(direction, direction).sqrt();
    assert!((slope - expected).abs() <= 3e-3 * length + 1e-4, "{name}: {slope} against {expected}");
}

#[test]
fn norms() {
    let x = tensor(&[3, 5, 24], 1);
    let (weight, bias) = (trained(&[24], 2), trained(&[24], 3));
    let rms = RmsNorm { weight: Small::Trained(weight.clone()), eps: 1e-5 };
    check("rms_norm", std::slice::from_ref(&x), &[&weight], &|x| rms.forward(&x[0]), &|x| {
        rms.composed(&x[0])
    });
    let layer = LayerNorm {
        weight: Small::Trained(weight.clone()),
        bias: Small::Trained(bias.clone()),
        eps: 1e-5,
    };
    let forward: Forward = &|x| layer.forward(&x[0]);
    check("layer_norm", std::slice::from_ref(&x), &[&weight, &bias], forward, &|x| {
        layer.composed(&x[0])
    });
    let fixed = RmsNorm { weight: tensor(&[24], 2).into(), eps: 1e-5 };
    check("frozen rms_norm", std::slice::from_ref(&x), &[], &|x| fixed.forward(&x[0]), &|x| {
        fixed.composed(&x[0])
    });
    // One of the two alone.
    let half = LayerNorm { weight: tensor(&[24], 2).into(), ..layer };
    check("layer_norm's bias", &[x], &[&bias], &|x| half.forward(&x[0]), &|x| half.composed(&x[0]));
}

#[test]
fn activations_and_a_value_used_twice() {
    let x = (tensor(&[7, 33], 1) * 4.0).unwrap();
    let own = |x: &Value| x.clone();
    let forward: Forward = &|x| quick_gelu(own(&x[0]));
    check("quick_gelu", std::slice::from_ref(&x), &[], forward, &|x| composed_quick_gelu(&x[0]));
    check("gelu", std::slice::from_ref(&x), &[], &|x| gelu(own(&x[0])), &|x| composed_gelu(&x[0]));
    // Both sides of a sum, and a sum used twice: gradients add up.
    let twice: Forward = &|x| {
        let y = gelu(x[0].clone())?;
        sum(&select(&y, &[0, 1, 2, 3, 4, 5, 6])?, &y.reshape(&[7, 33])?)
    };
    check("a value used twice", &[x], &[], twice, &|x| {
        let y = composed_gelu(&x[0])?;
        ixc_nn::graph::compose([&y], |[y]| Ok((&y + &y)?))
    });
}

/// A layer with adapters of both reaches, and all of its trained weights.
fn layer(
    inputs: usize,
    outputs: usize,
    salt: u32,
    base: Base,
    dropout: f64,
) -> (Linear, Vec<Trained>) {
    layer_in(inputs, outputs, salt, base, dropout, Arithmetic::Exact)
}

fn layer_in(
    inputs: usize,
    outputs: usize,
    salt: u32,
    base: Base,
    dropout: f64,
    arithmetic: Arithmetic,
) -> (Linear, Vec<Trained>) {
    let mut all = Vec::new();
    let mut weight = |dims: &[usize], salt| {
        let weight = trained(dims, salt);
        all.push(weight.clone());
        weight
    };
    let adapters = [(Reach::Images, 4), (Reach::All, 3)].map(|(reach, rank)| Adapter {
        a: Weight::Trained(weight(&[rank, inputs], salt + 1)),
        b: Weight::Trained(weight(&[outputs, rank], salt + 2)),
        scale: 0.7,
        reach,
        dropout,
        site: salt,
        tallies: None,
    });
    let (base, bias) = match base {
        Base::Trained => {
            let bias = Small::Trained(weight(&[outputs], salt + 3));
            (Weight::Trained(weight(&[outputs, inputs], salt + 4)), Some(bias))
        }
        Base::Frozen => {
            (frozen(outputs, inputs, salt + 4), Some(tensor(&[outputs], salt + 3).into()))
        }
        Base::Resident => {
            let base = frozen(outputs, inputs, salt + 4).placed(&operations(), arithmetic).unwrap();
            (base, None)
        }
        Base::Unbiased => (Weight::Trained(weight(&[outputs, inputs], salt + 4)), None),
    };
    let layer = Linear::new(base, bias, adapters.into(), arithmetic).unwrap();
    (layer, all)
}

#[derive(Clone, Copy)]
enum Base {
    Trained,
    Frozen,
    Unbiased,
    Resident,
}

fn sum(a: &Value, b: &Value) -> Result<Value, Error> {
    ixc_nn::graph::compose([a, b], |[a, b]| Ok((a + b)?))
}

/// No image rows, few, many in several runs, all; with and without noise.
fn actings(count: usize) -> Vec<Acting> {
    let masks: [fn(usize) -> bool; 4] = [|_| false, |row| row == 3, |row| row % 4 > 0, |_| true];
    let noise = Noise { seed: 9, step: 2, first_row: 100 };
    masks
        .iter()
        .flat_map(|mask| {
            let images = ImageRows::from_mask((0..count).map(mask));
            [None, Some(noise)].map(|noise| Acting { images: images.clone(), noise })
        })
        .collect()
}

#[test]
fn linear_layers_with_adapters() {
    for acting in actings(40) {
        for base in [Base::Trained, Base::Frozen] {
            let (layer, weights) = layer(24, 20, 10, base, 0.25);
            // Partial LoRA without image rows is not touched, so it has no gradient.
            let touched = if acting.images.is_empty() { 2 } else { 0 };
            let weights: Vec<&Trained> = weights[touched..].iter().collect();
            let forward: Forward = &|x| layer.forward(&x[0], &acting);
            let x = tensor(&[40, 24], 1);
            let check = if matches!(base, Base::Frozen) { check_kernels } else { check };
            check("linear", std::slice::from_ref(&x), &weights, forward, &|x| {
                layer.composed(&x[0], &acting)
            });
            let onto: Forward = &|x| layer.forward_onto(&x[0], &x[1], &acting);
            let past = tensor(&[40, 20], 2);
            check("linear, on top", &[x, past], &weights, onto, &|x| {
                sum(&layer.composed(&x[0], &acting)?, &x[1])
            });
        }
    }
}

#[test]
fn frozen_layers_in_a_devices_memory() {
    for acting in actings(40) {
        for (arithmetic, tolerances) in
            [(Arithmetic::Exact, [2e-5, 5e-5]), (Arithmetic::Fast, [2e-2, 3e-2])]
        {
            let of = |salt| layer_in(24, 20, salt, Base::Resident, 0.25, arithmetic);
            let ((gate, mut weights), (up, more)) = (of(10), of(20));
            let x = [tensor(&[2, 20, 24], 1)];
            let touched = if acting.images.is_empty() { 2 } else { 0 };
            {
                let weights: Vec<&Trained> = weights[touched..].iter().collect();
                let forward: Forward = &|x| gate.forward(&x[0], &acting);
                let twin: Forward = &|x| gate.composed(&x[0], &acting);
                check_on_device("linear", &x, &weights, forward, twin, tolerances);
            }
            weights = [&weights[touched..], &more[touched..]].concat();
            let weights: Vec<&Trained> = weights.iter().collect();
            let forward: Forward = &|x| Linear::gated(&gate, &up, &x[0], &acting);
            let twin: Forward = &|x| Linear::composed_gated(&gate, &up, &x[0], &acting);
            check_on_device("gated", &x, &weights, forward, twin, tolerances);
        }
    }
    // The kernels have no part in it.
    let (resident, _) = layer(24, 20, 1, Base::Resident, 0.0);
    let x = Value::plain(tensor(&[3, 24], 1));
    let refused = resident.forward(&x, &Acting::default()).unwrap_err().to_string();
    assert!(refused.contains("two devices"), "{refused}");
}

#[test]
fn gated_layers_with_adapters() {
    for acting in actings(37) {
        let (gate, mut weights) = layer(24, 20, 10, Base::Unbiased, 0.25);
        let (up, more) = layer(24, 20, 20, Base::Unbiased, 0.25);
        if acting.images.is_empty() {
            weights = weights.split_off(2);
            weights.extend_from_slice(&more[2..]);
        } else {
            weights.extend(more);
        }
        let weights: Vec<&Trained> = weights.iter().collect();
        let forward: Forward = &|x| Linear::gated(&gate, &up, &x[0], &acting);
        let x = tensor(&[37, 24], 1);
        check("gated", &[x], &weights, forward, &|x| {
            Linear::composed_gated(&gate, &up, &x[0], &acting)
        });
    }
    let (biased, _) = layer(24, 20, 10, Base::Trained, 0.0);
    let x = Value::plain(tensor(&[3, 24], 1));
    assert!(Linear::gated(&biased, &biased, &x, &Acting::default()).is_err());
}

#[test]
fn three_layers_over_the_same_rows() {
    let layers = [1, 2, 3].map(|salt| layer(24, 12, 30 * salt, Base::Trained, 0.0));
    let acting = &actings(10)[4];
    let weights: Vec<&Trained> = layers.iter().flat_map(|(_, weights)| weights).collect();
    let sum = |parts: [Value; 3]| {
        let [a, b, c] = parts;
        self::sum(&self::sum(&a, &b)?, &c)
    };
    let forward: Forward =
        &|x| sum(Linear::forward_three([&layers[0].0, &layers[1].0, &layers[2].0], &x[0], acting)?);
    let x = tensor(&[2, 5, 24], 1);
    check("three layers", &[x], &weights, forward, &|x| {
        let [a, b, c] = [0, 1, 2].map(|layer: usize| layers[layer].0.composed(&x[0], acting));
        sum([a?, b?, c?])
    });
}

#[test]
fn attention_of_packed_sequences() {
    let rope = Rope { width: 8, base: 1e4, positions_max: 100, dynamic_factor: None };
    for lengths in [&[19][..], &[1, 12, 6]] {
        for (kv_heads, group) in [(2, 3), (4, 1)] {
            let count: usize = lengths.iter().sum();
            let tables = rope.tables(lengths.iter().map(|&length| (0, length)));
            let spans =
                || -> Vec<Span> { lengths.iter().map(|&rows| Span { rows, past: None }).collect() };
            let x = tensor(&[count, kv_heads * (group + 2) * 8], 1);
            let forward: Forward = &|x| {
                let rows = x[0].clone();
                packed(rows, &tables, kv_heads, group, &mut spans(), Arithmetic::Exact)
            };
            let twin: Forward = &|x| composed_packed(&x[0], &tables, kv_heads, group, &spans());
            check("packed attention", std::slice::from_ref(&x), &[], forward, twin);
            let fast: Forward = &|x| {
                let rows = x[0].clone();
                packed(rows, &tables, kv_heads, group, &mut spans(), Arithmetic::Fast)
            };
            check_on_device("packed attention, bf16", &[x], &[], fast, twin, [2e-2, 4e-2]);
        }
    }
}

#[test]
fn attention_of_views() {
    let rows = |salt| tensor(&[3, 11, 32], salt);
    let forward: Forward =
        &|x| views(x[0].clone(), x[1].clone(), x[2].clone(), 4, Arithmetic::Exact);
    check("attention of views", &[rows(1), rows(2), rows(3)], &[], forward, &|x| {
        composed_views(&x[0], &x[1], &x[2], 4)
    });
}

#[test]
fn rows_put_together_and_picked() {
    let (x, y) = (tensor(&[9, 6], 1), tensor(&[4, 6], 2));
    let forward: Forward = &|x| {
        let pieces = [
            (x[0].clone(), 2..5),
            (x[1].clone(), 0..4),
            (x[0].clone(), 0..3),
            (x[1].clone(), 3..4),
        ];
        select(&cat(&pieces)?, &[0, 3, 4, 8, 10])
    };
    check("rows", &[x, y], &[], forward, &|x| {
        ixc_nn::graph::compose([&x[0], &x[1]], |[x, y]| {
            let all = [x.narrow(0, 2, 3)?, y.clone(), x.narrow(0, 0, 3)?, y.narrow(0, 3, 1)?];
            let rows = Tensor::new(&[0u32, 3, 4, 8, 10], &Device::Cpu)?;
            Ok(Tensor::cat(&all, 0)?.index_select(&rows, 0)?)
        })
    });
}

#[test]
fn embeddings_add_up_where_an_id_comes_again() {
    let table = trained(&[10, 6], 1);
    let words = Embedding::new(Weight::Trained(table.clone()));
    let rows = words.forward(&[3, 9, 3], true).unwrap();
    let dy = tensor(&[3, 6], 2);
    rows.backward(&dy).unwrap();
    let dy = values(&dy);
    let gradient = table.gradient(|gradient| gradient.unwrap().to_vec()).unwrap();
    let mut expected = vec![0f32; 60];
    for (place, id) in [3, 9, 3].into_iter().enumerate() {
        (0..6).for_each(|i| expected[id * 6 + i] += dy[place * 6 + i]);
    }
    assert_eq!(gradient, expected);
    // Not recorded, or frozen: nothing to go back to.
    assert!(!words.forward(&[3], false).unwrap().is_recorded());
    let Weight::Frozen(matrix) = frozen(10, 6, 1) else { unreachable!() };
    let rows = Embedding::new(matrix).forward(&[3], true).unwrap();
    assert!(rows.is_recorded() && !rows.wants_gradient());
    assert!(words.forward(&[10], true).is_err());
}

#[test]
fn the_loss_and_its_gradient() {
    let (output, weights) = layer(16, 50, 10, Base::Trained, 0.0);
    let acting = Acting::default();
    let targets = [3, 49, 0, 0, 12, 7];
    let x = tensor(&[6, 16], 1);
    let loss = |x: &Value| cross_entropy(x, &output, &acting, &targets, 0.25).unwrap();
    let (sum, none) = loss(&Value::plain(x.clone()));
    assert!(none.is_none(), "no gradient that nobody asked for");
    let recorded = Value::input(x.clone());
    let (again, gradient) = loss(&recorded);
    assert_eq!(sum, again);
    let gradient = values(&gradient.unwrap());
    // By hand, of candle's operations.
    let logits = output.composed(&Value::plain(x.clone()), &acting).unwrap();
    let log = candle_nn::ops::log_softmax(logits.tensor(), 1).unwrap().to_vec2::<f32>().unwrap();
    let expected: f64 =
        targets.iter().zip(&log).map(|(&id, log)| -f64::from(log[id as usize])).sum();
    assert!((sum - expected).abs() < 1e-5 * expected, "{sum} against {expected}");
    // Finite differences of all that is trained.
    let direction = tensor(&[6, 16], 2);
    let moved = |by: f64| {
        let x = (&x + (&direction * by).unwrap()).unwrap();
        0.25 * loss(&Value::plain(x)).0
    };
    let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
    assert_slope("loss", slope, &gradient, &values(&direction));
    for weight in weights.iter().skip(2) {
        let gradient = weight.gradient(|gradient| gradient.unwrap().to_vec()).unwrap();
        let before = values(weight.master());
        let direction = numbers(before.len(), 8);
        let moved = |by: f32| {
            let there: Vec<f32> = before.iter().zip(&direction).map(|(x, d)| x + d * by).collect();
            weight.set(&there).unwrap();
            0.25 * loss(&Value::plain(x.clone())).0
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        weight.set(&before).unwrap();
        assert_slope("loss, weights", slope, &gradient, &direction);
    }
    assert!(cross_entropy(&recorded, &output, &acting, &[1], 1.0).is_err());
    assert!(cross_entropy(&recorded, &output, &acting, &[50; 6], 1.0).is_err());
}

#[test]
fn what_is_computed_again_gives_the_same_bits() {
    let (gate, weights) = layer(24, 20, 10, Base::Unbiased, 0.25);
    let (up, _) = layer(24, 20, 20, Base::Unbiased, 0.25);
    let acting = actings(30).pop().unwrap();
    let block = move |x: &Value| gelu(Linear::gated(&gate, &up, x, &acting)?);
    let x = tensor(&[30, 24], 1);
    let dy = tensor(&[30, 20], 2);
    let weights: Vec<&Trained> = weights.iter().collect();
    let straight = gradients(&|x| block(&x[0]), std::slice::from_ref(&x), &weights, &dy);
    let kept = block.clone();
    let again = gradients(&|x| checkpoint(&x[0], true, kept.clone()), &[x], &weights, &dy);
    assert_eq!(straight, again);
}

#[test]
fn memory_that_goes_round_changes_no_bit() {
    let (count, width) = (300, 256); // large enough to be kept
    let (gate, weights) = layer(width, width, 10, Base::Unbiased, 0.25);
    let (up, _) = layer(width, width, 20, Base::Unbiased, 0.25);
    let (down, _) = layer(width, width, 30, Base::Unbiased, 0.25);
    let norm = RmsNorm { weight: Small::Trained(trained(&[width], 40)), eps: 1e-5 };
    let acting = actings(count).pop().unwrap();
    let (x, dy) = (tensor(&[count, width], 1), tensor(&[count, width], 2));
    let step = || {
        weights.iter().for_each(Trained::forget_gradient);
        let x = Value::input(x.clone());
        let normed = norm.forward(&x).unwrap();
        let inner = quick_gelu(Linear::gated(&gate, &up, &normed, &acting).unwrap()).unwrap();
        let y = down.forward_onto(&inner, &x, &acting).unwrap();
        let seen = values(y.tensor()); // behind the way back it may be anything
        let dx = y.backward(&dy).unwrap().take(&x).map(|dx| values(&dx)).unwrap();
        let of_weights = weights.iter().map(|w| w.gradient(|g| g.unwrap().to_vec()).unwrap());
        (seen, dx, of_weights.collect::<Vec<_>>())
    };
    let expected = step();
    let steps = ixc_nn::steps();
    // Whatever is in the memory that a step begins with.
    (0..40).for_each(|_| ixc_kernels::recycle::give(vec![f32::NAN; count * width]));
    for _ in 0..3 {
        let _made = record();
        assert!(step() == expected);
        steps.next();
    }
    assert_eq!(values(&x), values(&tensor(&[count, width], 1)), "what was given is not taken");
    assert_eq!(values(&dy), values(&tensor(&[count, width], 2)));
}

#[test]
fn a_pass_goes_back_once() {
    let y = gelu(Value::input(tensor(&[2, 3], 1))).unwrap();
    y.backward(&tensor(&[2, 3], 2)).unwrap();
    let message = y.backward(&tensor(&[2, 3], 2)).unwrap_err().to_string();
    assert!(message.contains("once"), "{message}");
}

#[test]
fn a_gradient_keeps_nothing_of_how_it_was_made() {
    // candle's own do: a weight's gradient, and the optimiser's moments behind it, would keep every step's memory.
    let x = Value::input(tensor(&[3, 5], 1));
    let y = composed_quick_gelu(&x).unwrap();
    let found = y.backward(&tensor(&[3, 5], 2)).unwrap().take(&x).unwrap();
    assert!(!found.track_op());
}
