//! The weights of a small model as they lie in its folder, to change them between stages.
//!
//! Deliberately absent: other types than float32, more than one file, and anything that trains.

use std::{borrow::Cow, collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use safetensors::{Dtype, SafeTensors, View, tensor::TensorView};

/// Files of a model that are not its weights.
const BESIDE: [&str; 2] = ["config.json", "tokenizer.model"];

/// A matrix of float32 numbers, row by row; a vector is one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

impl Tensor {
    pub(super) fn columns(&self) -> usize {
        self.shape[1..].iter().product()
    }

    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.columns()..][..self.columns()]
    }

    pub(super) fn column(&self, at: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(at).step_by(self.columns()).map(|x| f64::from(*x))
    }
}

/// By name.
pub(super) type Tensors = BTreeMap<String, Tensor>;

/// Writes a model that is made of others' weights, in their order, into another folder; what is beside the first's weights
/// comes along.
///
/// # Errors
/// When one of them is no model in float32 and one file, `make` fails, or the disk refuses.
pub(super) fn write(
    from: &[&Path],
    to: &Path,
    make: impl FnOnce(Vec<Tensors>) -> Result<Tensors>,
) -> Result<()> {
    let made = make(from.iter().map(|folder| read(folder)).collect::<Result<_>>()?)?;
    fs::create_dir_all(to)?;
    for name in BESIDE {
        fs::copy(from[0].join(name), to.join(name)).with_context(|| name.to_owned())?;
    }
    let format = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(&made, Some(format), &to.join("model.safetensors"))?;
    Ok(())
}

fn read(folder: &Path) -> Result<Tensors> {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let read = |(name, view): (String, TensorView<'_>)| {
        ensure!(view.dtype() == Dtype::F32, "{name}: expected F32, found {:?}", view.dtype());
        let values = view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
        Ok((name, Tensor { shape: view.shape().to_vec(), values: values.collect() }))
    };
    SafeTensors::deserialize(&bytes)?.tensors().into_iter().map(read).collect()
}

/// Numbers that look like none in particular.
#[cfg(test)]
pub(super) fn tensor(shape: &[usize], seed: u32) -> Tensor {
    let values = (0..shape.iter().product::<usize>() as u32)
        .map(|at| ((at + seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8e6 - 1.0);
    Tensor { shape: shape.to_vec(), values: values.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_what_is_beside_it() {
        let folder = std::env::temp_dir().join(format!("ixc-weights-{}", std::process::id()));
        let (one, other) = (folder.join("one"), folder.join("other"));
        fs::create_dir_all(&one).unwrap();
        for name in BESIDE {
            fs::write(one.join(name), name).unwrap();
        }
        let weights: Tensors = [("a".to_owned(), tensor(&[2, 3], 1))].into();
        safetensors::serialize_to_file(&weights, None, &one.join("model.safetensors")).unwrap();
        write(&[&one], &other, |mut all| Ok(all.remove(0))).unwrap();
        assert_eq!(read(&other).unwrap(), weights);
        assert_eq!(fs::read(other.join(BESIDE[1])).unwrap(), BESIDE[1].as_bytes());
        assert!(write(&[&folder.join("none")], &other, |mut all| Ok(all.remove(0))).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
