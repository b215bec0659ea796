//! The ladder's first rung: every golden checkpoint, in both file forms, number by number.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use ixc_goldens::folders;
use ixc_nn::weights::{Checkpoint, Format, Keep, StoredType};
use safetensors::{Dtype, SafeTensors};

/// The weight files of a golden folder: everything but the expectations.
fn safetensors_in(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let weights = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".safetensors") && name != "expected.safetensors"
    };
    files.filter(weights).collect()
}

fn dtype(found: StoredType) -> Dtype {
    match found {
        StoredType::F32 => Dtype::F32,
        StoredType::F16 => Dtype::F16,
        StoredType::Bf16 => Dtype::BF16,
        StoredType::I32 => Dtype::I32,
        StoredType::I64 => Dtype::I64,
        other => panic!("no golden holds {other}"),
    }
}

/// The plain twin of widening, number by number.
fn widened(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
        Dtype::F16 => {
            data.chunks(2).map(|b| f16::from_le_bytes(b.try_into().unwrap()).to_f32()).collect()
        }
        Dtype::BF16 => {
            data.chunks(2).map(|b| bf16::from_le_bytes(b.try_into().unwrap()).to_f32()).collect()
        }
        _ => return None,
    })
}

#[test]
fn weights_equal_another_reader() {
    let mut tensors = 0;
    for folder in folders("tiny") {
        for path in safetensors_in(&folder) {
            let bytes = std::fs::read(&path).unwrap();
            let other = SafeTensors::deserialize(&bytes).unwrap();
            let ours = Checkpoint::open(&path).unwrap();
            let names: Vec<_> = ours.names().collect();
            let mut expected = other.names();
            expected.sort_unstable();
            assert_eq!(names, expected, "{}", path.display());
            assert_eq!((ours.files().len(), ours.files()[0].bytes), (1, bytes.len()));
            for (name, view) in other.tensors() {
                let info = ours.info(&name).unwrap();
                assert_eq!(
                    (info.shape.as_slice(), dtype(info.dtype)),
                    (view.shape(), view.dtype()),
                    "{name}"
                );
                assert_eq!(ours.buffer(&name).unwrap().bytes(), view.data(), "{name}");
                assert_eq!(ours.non_finite(&name).unwrap(), 0, "{name}");
                match widened(view.dtype(), view.data()) {
                    Some(floats) => {
                        assert_eq!(ours.floats(&name, view.shape()).unwrap(), floats, "{name}")
                    }
                    None => assert!(ours.floats(&name, view.shape()).is_err(), "{name}"),
                }
                tensors += 1;
            }
        }
    }
    println!("{tensors} tensors equal in every bit");
}

#[test]
fn both_file_forms_hold_the_same_numbers() {
    let mut compared = 0;
    for folder in folders("tiny") {
        let index = folder.join("pytorch_model.bin.index.json");
        if !index.exists() {
            continue;
        }
        let pickled = Checkpoint::open(&index).unwrap();
        assert!(pickled.files().iter().all(|file| file.format == Format::Pickle));
        let promised = ixc_goldens::json(&index)["weight_map"].as_object().unwrap().clone();
        for (name, file) in &promised {
            let info = pickled.info(name).unwrap_or_else(|| panic!("{name} of the index"));
            assert_eq!(pickled.files()[info.file].path, folder.join(file.as_str().unwrap()));
        }
        assert_eq!(pickled.names().count(), promised.len());
        assert!(
            pickled.names().all(|name| pickled.buffer(name).unwrap().is_mapped()),
            "nothing is copied"
        );
        if !folder.join("model.safetensors").exists() {
            // The folder itself must then mean the pickled form, whatever else lies there.
            let opened = Checkpoint::open(&folder).unwrap();
            assert_eq!(opened.files(), pickled.files());
            continue;
        }
        let plain = Checkpoint::open(&folder).unwrap();
        assert_eq!(plain.files()[0].format, Format::Safetensors, "the folder means the plain form");
        assert!(plain.names().eq(pickled.names()), "{}", folder.display());
        for name in plain.names() {
            let (one, other) = (plain.info(name).unwrap(), pickled.info(name).unwrap());
            assert_eq!(
                (&one.shape, one.dtype, one.bytes),
                (&other.shape, other.dtype, other.bytes),
                "{name}"
            );
            let (one, other) = (plain.buffer(name).unwrap(), pickled.buffer(name).unwrap());
            assert_eq!(one.bytes(), other.bytes(), "{name}");
            compared += 1;
        }
    }
    println!("{compared} tensors equal in both forms");
}

/// Every 4-bit layer against the formula of the format, loop by loop in f64.
#[test]
fn gptq_layers_equal_the_formula() {
    let mut layers = 0;
    for folder in folders("tiny") {
        for path in safetensors_in(&folder) {
            let bytes = std::fs::read(&path).unwrap();
            let raw = SafeTensors::deserialize(&bytes).unwrap();
            let ours = Checkpoint::open(&path).unwrap();
            for name in ours.names() {
                let Some(layer) = name.strip_suffix(".linear.qweight") else { continue };
                let part = |part: &str| raw.tensor(&format!("{layer}.linear.{part}")).unwrap();
                let (qweight, qzeros, scales, g_idx) =
                    (part("qweight"), part("qzeros"), part("scales"), part("g_idx"));
                let (cols, rows) = (g_idx.shape()[0], qweight.shape()[1]);
                let word = |data: &[u8], at: usize| {
                    u32::from_le_bytes(data[4 * at..][..4].try_into().unwrap())
                };
                let scales: Vec<f32> = widened(Dtype::F16, scales.data()).unwrap();
                let matrix = ours.gptq_matrix(layer, rows, cols).unwrap();
                assert_eq!((matrix.rows(), matrix.cols()), (rows, cols));
                let mut found = vec![0f32; rows * cols];
                matrix.widen(0..rows, &mut found);
                for row in 0..rows {
                    for col in 0..cols {
                        let group = word(g_idx.data(), col) as usize;
                        let value =
                            word(qweight.data(), col / 8 * rows + row) >> (4 * (col % 8)) & 15;
                        let zero = word(qzeros.data(), group * (rows / 8) + row / 8)
                            >> (4 * (row % 8))
                            & 15;
                        let scale = f64::from(scales[group * rows + row]);
                        let expected = (f64::from(value) - f64::from(zero) - 1.0) * scale;
                        assert_eq!(
                            f64::from(found[row * cols + col]),
                            expected,
                            "{layer} {row} {col}"
                        );
                    }
                }
                layers += 1;
            }
        }
    }
    assert!(layers > 0, "no golden folder holds a quantised layer");
}

/// Matrices keep the file's numbers, mapped, whatever the file form.
#[test]
fn matrices_are_mapped_as_stored() {
    for folder in folders("tiny") {
        let mut paths = safetensors_in(&folder);
        paths
            .extend(Some(folder.join("pytorch_model.bin.index.json")).filter(|path| path.exists()));
        for path in paths {
            let checkpoint = Checkpoint::open(&path).unwrap();
            let mut kinds = BTreeMap::new();
            for name in checkpoint.names() {
                let info = checkpoint.info(name).unwrap();
                let &[rows, cols] = info.shape.as_slice() else { continue };
                if !info.dtype.is_float() {
                    continue;
                }
                let matrix = checkpoint.matrix(name, rows, cols, Keep::Stored).unwrap();
                assert_eq!(matrix.precision(), info.dtype.to_string());
                assert_eq!(matrix.bytes(), info.bytes);
                let mut widened = vec![0f32; rows * cols];
                matrix.widen(0..rows, &mut widened);
                assert_eq!(widened, checkpoint.floats(name, &[rows, cols]).unwrap(), "{name}");
                *kinds.entry(matrix.precision()).or_insert(0) += 1;
            }
            println!("{}: {kinds:?}", path.display());
        }
    }
}
