//! Numbers in another precision, against plain twins; shapes and types that do not fit.

use half::{bf16, f16};
use ixc_nn::{
    Error,
    weights::{Checkpoint, Keep, StoredType},
};

use crate::support::{Folder, Random, f32_bytes, open, safetensors_with};

/// Float32 numbers of all kinds: every exponent, ties of both roundings, subnormals.
fn numbers(count: usize, largest: f32) -> Vec<f32> {
    let mut random = Random::new(7);
    let mut numbers =
        vec![0.0, -0.0, 1.0, f32::MIN_POSITIVE, 1e-40, 6e-8, 5.9e-8, 65504.0, -65519.9];
    // Half way between neighbours in both types, just above and just below.
    for half_way in [0x3f80_8000u32, 0x3f81_8000, 0x3f80_1000, 0x3f80_3000] {
        numbers.extend([half_way - 1, half_way, half_way + 1].map(f32::from_bits));
    }
    numbers.retain(|number: &f32| number.abs() <= largest);
    while numbers.len() < count {
        let number = f32::from_bits(random.bits() as u32);
        if number.abs() <= largest {
            numbers.push(number);
        }
    }
    numbers.truncate(count);
    numbers
}

/// To bfloat16 by the definition: the nearer of the two neighbours, the even one on a tie.
fn to_bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    let (low, high) = (bits & 0xffff_0000, (bits & 0xffff_0000) + 0x1_0000);
    let neighbour = |bits: u32| f64::from(f32::from_bits(bits));
    let (down, up) = (f64::from(value) - neighbour(low), neighbour(high) - f64::from(value));
    let (down, up) = (down.abs(), up.abs());
    let even = if low & 0x1_0000 == 0 { low } else { high };
    f32::from_bits(if down < up {
        low
    } else if up < down {
        high
    } else {
        even
    })
}

/// To float16 by the definition, in steps of its unit in the last place.
fn to_f16(value: f32) -> f32 {
    let value = f64::from(value);
    let exponent = if value == 0.0 { -14 } else { (value.abs().log2().floor() as i32).max(-14) };
    let unit = 2f64.powi(exponent - 10);
    ((value / unit).round_ties_even() * unit) as f32
}

fn matrix(
    bytes: &[u8],
    rows: usize,
    cols: usize,
    keep: Keep,
) -> Result<(&'static str, Vec<f32>), Error> {
    let matrix = open("a.safetensors", bytes)?.matrix("w", rows, cols, keep)?;
    let mut out = vec![0f32; rows * cols];
    matrix.widen(0..rows, &mut out);
    Ok((matrix.precision(), out))
}

/// Equal bits, so that the sign of zero counts.
fn assert_bits(found: &[f32], expected: &[f32]) {
    let differs = found.iter().zip(expected).position(|(f, e)| f.to_bits() != e.to_bits());
    assert_eq!(differs, None, "{:?}", differs.map(|at| (found[at], expected[at])));
    assert_eq!(found.len(), expected.len());
}

// Enough for several blocks of every loop and a ragged end.
const ROWS: usize = 331;
const COLS: usize = 211;

#[test]
fn f32_to_bf16_equals_the_definition() {
    let values = numbers(ROWS * COLS, 1e38);
    let file = safetensors_with(&[("w", "F32", &[ROWS, COLS], f32_bytes(&values))]);
    let (precision, found) = matrix(&file, ROWS, COLS, Keep::Bf16).unwrap();
    assert_eq!(precision, "bf16");
    assert_bits(&found, &values.iter().map(|&value| to_bf16(value)).collect::<Vec<_>>());
}

#[test]
fn f32_to_f16_equals_the_definition() {
    let values = numbers(ROWS * COLS, 65519.99);
    let file = safetensors_with(&[("w", "F32", &[ROWS, COLS], f32_bytes(&values))]);
    let (precision, found) = matrix(&file, ROWS, COLS, Keep::F16).unwrap();
    assert_eq!(precision, "f16");
    assert_bits(&found, &values.iter().map(|&value| to_f16(value)).collect::<Vec<_>>());
}

#[test]
fn every_half_number_widens_exactly() {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    for (name, widen) in [
        ("BF16", (|bits| bf16::from_bits(bits).to_f32()) as fn(u16) -> f32),
        ("F16", |bits| f16::from_bits(bits).to_f32()),
    ] {
        let file = safetensors_with(&[("w", name, &[256, 256], bytes.clone())]);
        let checkpoint = open("a.safetensors", &file).unwrap();
        let (_, as_matrix) = matrix(&file, 256, 256, Keep::F32).unwrap();
        for found in [checkpoint.floats("w", &[256, 256]).unwrap(), as_matrix] {
            for (&found, &bits) in found.iter().zip(&bits) {
                let expected = widen(bits);
                assert!(
                    found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan()),
                    "{bits:#x}"
                );
            }
        }
        let special = bits.iter().filter(|&&bits| !widen(bits).is_finite()).count();
        assert_eq!(checkpoint.non_finite("w").unwrap(), special);
    }
}

#[test]
fn bf16_to_f16_and_back_go_through_f32() {
    let values: Vec<bf16> =
        numbers(64, 60000.0).iter().map(|&value| bf16::from_f32(value)).collect();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let file = safetensors_with(&[("w", "BF16", &[8, 8], bytes)]);
    let (_, found) = matrix(&file, 8, 8, Keep::F16).unwrap();
    assert_bits(&found, &values.iter().map(|value| to_f16(value.to_f32())).collect::<Vec<_>>());
    let values: Vec<f16> = numbers(64, 60000.0).iter().map(|&value| f16::from_f32(value)).collect();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let file = safetensors_with(&[("w", "F16", &[8, 8], bytes)]);
    let (_, found) = matrix(&file, 8, 8, Keep::Bf16).unwrap();
    assert_bits(&found, &values.iter().map(|value| to_bf16(value.to_f32())).collect::<Vec<_>>());
}

#[test]
fn a_number_too_large_for_the_type_is_refused() {
    for (value, keep, name) in
        [(65520.0f32, Keep::F16, "f16"), (-1e9, Keep::F16, "f16"), (f32::MAX, Keep::Bf16, "bf16")]
    {
        let mut values = vec![1.0; 64];
        values[17] = value;
        let file = safetensors_with(&[("w", "F32", &[8, 8], f32_bytes(&values))]);
        match matrix(&file, 8, 8, keep) {
            Err(Error::Overflow { tensor, count: 1, largest, target, .. }) => {
                assert_eq!(
                    (tensor.as_str(), largest, target.to_string().as_str()),
                    ("w", value.abs(), name)
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn infinities_and_nans_pass_and_are_counted() {
    let values = [1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, 0.0, 2.0, 3.0];
    let file = safetensors_with(&[("w", "F32", &[1, 8], f32_bytes(&values))]);
    for keep in [Keep::Stored, Keep::F32, Keep::Bf16, Keep::F16] {
        let (_, found) = matrix(&file, 1, 8, keep).unwrap();
        for (&found, &value) in found.iter().zip(&values) {
            assert!(found == value || (found.is_nan() && value.is_nan()), "{found} of {value}");
        }
    }
    let wide = [1.0, f64::NAN, 1e300, f64::INFINITY]
        .iter()
        .flat_map(|value: &f64| value.to_le_bytes())
        .collect();
    let file = safetensors_with(&[
        ("w", "F32", &[1, 8], f32_bytes(&values)),
        ("wide", "F64", &[4], wide),
        ("whole", "I64", &[1], vec![0xff; 8]),
    ]);
    let checkpoint = open("a.safetensors", &file).unwrap();
    let count = |name: &str| checkpoint.non_finite(name).unwrap();
    assert_eq!((count("w"), count("wide"), count("whole")), (4, 2, 0));
}

#[test]
fn misaligned_data_is_read_all_the_same() {
    // One byte of another tensor first: everything behind it is odd.
    let values: Vec<f32> = numbers(12, 60000.0);
    let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
    let file = safetensors_with(&[
        ("byte", "U8", &[1], vec![9]),
        ("w", "F32", &[3, 4], f32_bytes(&values)),
        ("h", "F16", &[3, 4], halves.iter().flat_map(|half| half.to_le_bytes()).collect()),
    ]);
    let checkpoint = open("a.safetensors", &file).unwrap();
    assert_bits(&checkpoint.floats("w", &[3, 4]).unwrap(), &values);
    assert_bits(checkpoint.buffer("w").unwrap().numbers(), &values);
    assert!(!checkpoint.buffer("w").unwrap().is_mapped());
    let expected: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
    assert_bits(&checkpoint.floats("h", &[3, 4]).unwrap(), &expected);
    let mut found = vec![0f32; 12];
    checkpoint.matrix("h", 3, 4, Keep::Bf16).unwrap().widen(0..3, &mut found);
    assert_bits(&found, &expected.iter().map(|&value| to_bf16(value)).collect::<Vec<_>>());
}

#[test]
fn a_wrong_shape_names_both_shapes_and_the_file() {
    let folder = Folder::with(&[(
        "model.safetensors",
        &safetensors_with(&[("a.w", "F32", &[2, 3], vec![0; 24])]),
    )]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    for shape in [&[3usize, 2][..], &[6], &[2, 3, 1], &[]] {
        let error = checkpoint.floats("a.w", shape).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Shape { .. }), "{message}");
        for part in
            [format!("{shape:?}"), "[2, 3]".into(), "a.w".into(), "model.safetensors".into()]
        {
            assert!(message.contains(&part), "{message}: {part}");
        }
    }
    assert!(matches!(checkpoint.matrix("a.w", 3, 2, Keep::F32), Err(Error::Shape { .. })));
    match checkpoint.matrix("a.v", 3, 2, Keep::F32) {
        Err(Error::MissingTensor { tensor, total: 1, .. }) => assert_eq!(tensor, "a.v"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn whole_and_double_numbers_are_no_weights() {
    let file =
        safetensors_with(&[("i", "I32", &[1, 2], vec![0; 8]), ("d", "F64", &[1, 1], vec![0; 8])]);
    let checkpoint = open("a.safetensors", &file).unwrap();
    for (name, cols, dtype) in [("i", 2, StoredType::I32), ("d", 1, StoredType::F64)] {
        match checkpoint.matrix(name, 1, cols, Keep::F32) {
            Err(Error::Type { found, .. }) => assert_eq!(found, dtype),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_convolution_becomes_a_matrix_of_its_first_axis() {
    let values: Vec<f32> = (0..24).map(|value| value as f32).collect();
    let file = safetensors_with(&[("conv", "F32", &[2, 3, 2, 2], f32_bytes(&values))]);
    let checkpoint = open("a.safetensors", &file).unwrap();
    let matrix = checkpoint.matrix_of("conv", &[2, 3, 2, 2], Keep::Stored).unwrap();
    assert_eq!((matrix.rows(), matrix.cols()), (2, 12));
    assert!(matches!(checkpoint.matrix("conv", 2, 12, Keep::Stored), Err(Error::Shape { .. })));
}

/// A quantised layer of 8 outputs and 16 inputs in two groups, as (name, type, shape, bytes).
fn gptq(change: impl Fn(&mut Vec<(&'static str, &'static str, Vec<usize>, Vec<u8>)>)) -> Vec<u8> {
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut parts = vec![
        ("wo.linear.qweight", "I32", vec![2, 8], words(&[0x7654_3210; 16])),
        ("wo.linear.qzeros", "I32", vec![2, 1], words(&[0x3333_3333, 0x4444_4444])),
        ("wo.linear.scales", "F16", vec![2, 8], f16::from_f32(0.5).to_le_bytes().repeat(16)),
        (
            "wo.linear.g_idx",
            "I32",
            vec![16],
            words(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]),
        ),
    ];
    change(&mut parts);
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, *dtype, shape.as_slice(), bytes.clone()))
        .collect();
    safetensors_with(&parts)
}

#[test]
fn gptq_reads_groups_with_and_without_their_index() {
    let expected: Vec<f32> =
        (0..16).map(|i| (i % 8) as f32 - if i < 8 { 4.0 } else { 5.0 }).map(|v| v / 2.0).collect();
    for file in [gptq(|_| ()), gptq(|parts| drop(parts.pop()))] {
        let matrix = open("a.safetensors", &file).unwrap().gptq_matrix("wo", 8, 16).unwrap();
        let mut found = vec![0f32; 16];
        matrix.widen(5..6, &mut found);
        assert_eq!(found, expected);
        assert_eq!(matrix.precision(), "gptq-4bit");
        assert!(matrix.is_mapped(), "weights are used where they lie");
    }
}

#[test]
fn gptq_groups_in_any_order_are_sorted_into_memory() {
    let words = [1u32, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let file = gptq(|parts| parts[3].3 = bytes.clone());
    let matrix = open("a.safetensors", &file).unwrap().gptq_matrix("wo", 8, 16).unwrap();
    assert!(!matrix.is_mapped());
    let expected: Vec<f32> = words
        .iter()
        .enumerate()
        .map(|(i, group)| ((i % 8) as f32 - if *group == 0 { 4.0 } else { 5.0 }) / 2.0)
        .collect();
    let mut found = vec![0f32; 16];
    matrix.widen(5..6, &mut found);
    assert_eq!(found, expected);
}

#[test]
fn gptq_parts_that_do_not_fit_are_refused() {
    let error = |file: Vec<u8>, rows, cols| {
        open("a.safetensors", &file).unwrap().gptq_matrix("wo", rows, cols).unwrap_err()
    };
    // Groups out of range, above and below.
    for group in [2i32, -1, i32::MAX] {
        let file = gptq(|parts| parts[3].3[20..24].copy_from_slice(&group.to_le_bytes()));
        match error(file, 8, 16) {
            Error::Gptq { layer, reason, .. } => {
                assert_eq!(
                    (layer.as_str(), reason),
                    ("wo", format!("input 5 is in group {group} of 2"))
                );
            }
            other => panic!("{other}"),
        }
    }
    // Another layer size than the file's.
    assert!(matches!(error(gptq(|_| ()), 16, 16), Error::Gptq { .. }));
    assert!(matches!(error(gptq(|_| ()), 8, 24), Error::Shape { .. }));
    assert!(matches!(error(gptq(|_| ()), 8, 12), Error::Gptq { .. }));
    assert!(matches!(error(gptq(|parts| parts[0].2 = vec![16]), 8, 16), Error::Shape { .. }));
    assert!(matches!(error(gptq(|parts| parts[1].2 = vec![1, 2]), 8, 16), Error::Shape { .. }));
    assert!(matches!(error(gptq(|parts| parts[2].2 = vec![16]), 8, 16), Error::Gptq { .. }));
    assert!(matches!(error(gptq(|parts| parts[3].2 = vec![4, 4]), 8, 16), Error::Shape { .. }));
    // Other types of the same size.
    assert!(matches!(error(gptq(|parts| parts[0].1 = "F32"), 8, 16), Error::Type { .. }));
    assert!(matches!(error(gptq(|parts| parts[2].1 = "BF16"), 8, 16), Error::Type { .. }));
    assert!(matches!(error(gptq(|parts| parts[3].1 = "U32"), 8, 16), Error::Type { .. }));
    // Missing parts; and no index where the groups cannot be equal.
    assert!(matches!(
        error(gptq(|parts| drop(parts.remove(0))), 8, 16),
        Error::MissingTensor { .. }
    ));
    assert!(matches!(
        error(gptq(|parts| drop(parts.remove(2))), 8, 16),
        Error::MissingTensor { .. }
    ));
    let uneven = gptq(|parts| {
        parts.pop();
        parts[1] = ("wo.linear.qzeros", "I32", vec![3, 1], vec![0; 12]);
        parts[2] = ("wo.linear.scales", "F16", vec![3, 8], vec![0; 48]);
    });
    assert!(error(uneven, 8, 16).to_string().contains("unequal groups"));
    let none = gptq(|parts| {
        parts[1] = ("wo.linear.qzeros", "I32", vec![0, 1], vec![]);
        parts[2] = ("wo.linear.scales", "F16", vec![0, 8], vec![]);
    });
    assert!(matches!(error(none, 8, 16), Error::Gptq { .. }));
}
