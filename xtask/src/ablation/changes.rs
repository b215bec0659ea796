//! What a run changed of the weights that it began with: tensors, their differences, and back.
//!
//! Differences are kept in bfloat16: half as many bytes, and an error of at most 1/256 of what was learned. Invariant:
//! a tensor that no bit of has changed is not among them. Files are safetensors, in memory as a whole.
//! Deliberately absent: weights in anything but float32.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// To what a tensor belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    Tower,
    Projector,
    Plora,
    Lora,
    Language,
}

impl Part {
    /// By a tensor's name, a checkpoint's or an adapter's.
    fn of(name: &str) -> Self {
        let has = |piece| name.contains(piece);
        match name {
            _ if has("Plora_") => Self::Plora,
            _ if has(".lora_A.") || has(".lora_B.") => Self::Lora,
            _ if has("vision_proj.") => Self::Projector,
            _ if has("vision_tower.") => Self::Tower,
            _ => Self::Language,
        }
    }
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

/// A file of tensors, by their names.
#[derive(Clone, PartialEq)]
pub(super) struct Tensors(BTreeMap<String, Tensor>);

impl fmt::Debug for Tensors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl Tensors {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("{}: not a file of tensors", path.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (header, data) =
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let header: BTreeMap<String, Value> = serde_json::from_slice(header).ok()?;
        let tensor = |(name, about): (String, Value)| {
            let whole = |value: &Value| -> Option<Vec<u64>> {
                value.as_array()?.iter().map(Value::as_u64).collect()
            };
            let ends = whole(&about["data_offsets"])?;
            let &[from, to] = &ends[..] else { return None };
            let tensor = Tensor {
                dtype: about["dtype"].as_str()?.into(),
                shape: whole(&about["shape"])?,
                bytes: data.get(from as usize..to as usize)?.into(),
            };
            Some((name, tensor))
        };
        let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
        tensors.map(tensor).collect::<Option<_>>().map(Self)
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (mut header, mut at) = (serde_json::Map::new(), 0);
        for (name, tensor) in &self.0 {
            let Tensor { dtype, shape, bytes } = tensor;
            let to = at + bytes.len();
            let about = json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, to] });
            header.insert(name.clone(), about);
            at = to;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut all = (header.len() as u64).to_le_bytes().to_vec();
        all.extend(header);
        self.0.values().for_each(|tensor| all.extend(&tensor.bytes));
        all
    }

    /// The numbers of some tensors, one after another.
    pub(super) fn numbers(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for (name, tensor) in self.0.iter().filter(|(name, _)| wanted(name)) {
            all.extend(tensor.floats().with_context(|| name.clone())?);
        }
        Ok(all)
    }

    /// How many numbers there are of each part.
    pub(super) fn by_part(&self) -> BTreeMap<Part, u64> {
        let mut numbers = BTreeMap::new();
        for (name, tensor) in &self.0 {
            *numbers.entry(Part::of(name)).or_default() += tensor.shape.iter().product::<u64>();
        }
        numbers
    }

    /// What `trained` has that these have not.
    pub(super) fn difference(&self, trained: &Self) -> Result<Self> {
        ensure!(
            self.0.keys().eq(trained.0.keys()),
            "expected the tensors that training began with"
        );
        let mut changes = BTreeMap::new();
        for ((name, before), after) in self.0.iter().zip(trained.0.values()) {
            ensure!(before.shape == after.shape, "{name}: the shape has changed");
            if before == after {
                continue;
            }
            let pairs = before.floats()?.zip(after.floats()?);
            let bytes =
                pairs.flat_map(|(before, after)| bf16(after - before).to_le_bytes()).collect();
            let (dtype, shape) = ("BF16".into(), before.shape.clone());
            changes.insert(name.clone(), Tensor { dtype, shape, bytes });
        }
        Ok(Self(changes))
    }

    /// These with differences added.
    pub(super) fn with(mut self, changes: &Self) -> Result<Self> {
        for (name, change) in &changes.0 {
            let tensor =
                self.0.get_mut(name).with_context(|| format!("{name} is no tensor of it"))?;
            ensure!(tensor.shape == change.shape, "{name}: another shape");
            let pairs = tensor.floats()?.zip(change.floats()?);
            tensor.bytes = pairs.flat_map(|(before, by)| (before + by).to_le_bytes()).collect();
        }
        Ok(self)
    }

    /// A digest of everything (FNV-1a): against mistakes, not against malice.
    pub(super) fn digest(&self) -> String {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        format!("{:016x}", self.bytes().iter().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

impl Tensor {
    fn floats(&self) -> Result<Box<dyn Iterator<Item = f32> + '_>> {
        let halves = self.bytes.chunks_exact(2);
        match self.dtype.as_str() {
            "F32" => Ok(Box::new(
                self.bytes
                    .chunks_exact(4)
                    .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("4 bytes"))),
            )),
            "BF16" => Ok(Box::new(halves.map(|bytes| {
                f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16)
            }))),
            other => anyhow::bail!("expected F32 or BF16, found {other}"),
        }
    }
}

/// Rounded to the nearest, ties to even.
fn bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(all: &[(&str, &[f32])]) -> Tensors {
        let tensor = |numbers: &[f32]| Tensor {
            dtype: "F32".into(),
            shape: vec![numbers.len() as u64],
            bytes: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        };
        Tensors(all.iter().map(|(name, numbers)| ((*name).into(), tensor(numbers))).collect())
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let all = tensors(&[("a", &[1.0, -2.5]), ("b", &[3.0])]);
        let bytes = all.bytes();
        assert_eq!(Tensors::parse(&bytes), Some(all));
        assert_eq!(Tensors::parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Tensors::parse(b""), None);
    }

    #[test]
    fn a_difference_holds_what_changed_and_leads_back() {
        let before = tensors(&[("model.x", &[1.0, 2.0]), ("vision_proj.0.weight", &[0.5, 0.1])]);
        let after = tensors(&[("model.x", &[1.0, 2.0]), ("vision_proj.0.weight", &[0.5, 0.37])]);
        let changes = before.difference(&after).unwrap();
        assert_eq!(changes.by_part(), [(Part::Projector, 2)].into());
        assert_ne!(before.digest(), after.digest());
        let back = before.clone().with(&changes).unwrap().numbers(|_| true).unwrap();
        for (back, after) in back.iter().zip(after.numbers(|_| true).unwrap()) {
            assert!((back - after).abs() <= 0.27 / 256.0, "{back} {after}");
        }
        assert!(before.difference(&tensors(&[("model.x", &[1.0, 2.0])])).is_err());
        assert!(tensors(&[("model.x", &[1.0])]).with(&changes).is_err());
    }

    #[test]
    fn parts_are_told_from_names() {
        for (name, part) in [
            ("vit.vision_tower.vision_model.pre_layrnorm.weight", Part::Tower),
            ("vision_proj.2.bias", Part::Projector),
            ("base_model.model.vision_proj.2.bias", Part::Projector),
            ("model.layers.5.feed_forward.w3.Plora_B.weight", Part::Plora),
            ("base_model.model.model.layers.0.attention.wo.lora_A.weight", Part::Lora),
            ("model.layers.0.attention.wo.weight", Part::Language),
            ("output.weight", Part::Language),
        ] {
            assert_eq!(Part::of(name), part, "{name}");
        }
    }
}
