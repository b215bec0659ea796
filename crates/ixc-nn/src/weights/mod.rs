//! Weight files: checkpoints as they are published, read by mapping, and written in the same form.
//!
//! [`Checkpoint`] finds the files, reads three formats (safetensors, GGUF, and PyTorch's pickled `.bin` by a
//! reader that executes nothing), and hands out numbers: mapped where the file has them contiguous,
//! converted a block at a time where they are asked for in another precision. [`ShardWriter`] and
//! [`write_gguf`] are the way back. Everything read from a file is checked before it is used; a malformed file is an error,
//! never a panic. Deliberately absent: what the tensors mean, and `config.json`.

mod archive;
mod checkpoint;
mod convert;
mod discover;
mod gguf;
mod numbers;
mod pickle;
mod rebuild;
mod safetensors;
mod torch;
mod write;

use std::{fmt, path::PathBuf};

use ixc_kernels::Quant;

pub use archive::ArchiveFault;
pub use checkpoint::Checkpoint;
pub use gguf::{GgufFault, GgufPlan, GgufValue, NAME_BYTES_MAX, write_gguf};
pub use pickle::PickleFault;
pub use safetensors::HeaderFault;
pub use torch::TorchFault;
pub use write::{SHARD_BYTES, ShardWriter, Sink, TensorPlan, Written};

// Numbers in files are little-endian and are used in place.
const _: () =
    assert!(cfg!(target_endian = "little"), "weights are mapped as little-endian numbers");

/// The type of a stored tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum StoredType {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    U64,
    I32,
    U32,
    I16,
    U16,
    I8,
    U8,
    Bool,
    Q4_0,
    Q8_0,
    Q4K,
    Q6K,
}

impl StoredType {
    /// Every type with its names: ours (as in a matrix's precision) and that of safetensors headers.
    /// Blocks come last: safetensors has no name for them.
    const NAMES: [(Self, &'static str, &'static str); 13] = [
        (Self::F64, "f64", "F64"),
        (Self::F32, "f32", "F32"),
        (Self::F16, "f16", "F16"),
        (Self::Bf16, "bf16", "BF16"),
        (Self::I64, "i64", "I64"),
        (Self::U64, "u64", "U64"),
        (Self::I32, "i32", "I32"),
        (Self::U32, "u32", "U32"),
        (Self::I16, "i16", "I16"),
        (Self::U16, "u16", "U16"),
        (Self::I8, "i8", "I8"),
        (Self::U8, "u8", "U8"),
        (Self::Bool, "bool", "BOOL"),
    ];

    /// What a safetensors header calls the type; none for blocks.
    fn header_name(self) -> Option<&'static str> {
        Self::NAMES.get(self as usize).map(|&(.., header)| header)
    }

    /// The type of quantised blocks, where it is one.
    pub fn quant(self) -> Option<Quant> {
        match self {
            Self::Q4_0 => Some(Quant::Q4_0),
            Self::Q8_0 => Some(Quant::Q8_0),
            Self::Q4K => Some(Quant::Q4K),
            Self::Q6K => Some(Quant::Q6K),
            _ => None,
        }
    }

    /// The type that a safetensors header calls so.
    fn from_header(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, _, header)| *header == name).map(|&(found, ..)| found)
    }

    /// How many numbers are stored together: a block's, or one.
    pub fn block(self) -> usize {
        self.quant().map_or(1, Quant::block_elements)
    }

    /// How many numbers some bytes hold.
    pub fn numbers(self, bytes: usize) -> usize {
        bytes / self.size() * self.block()
    }

    /// A multiple of which the address of the numbers must be.
    fn align(self) -> usize {
        if self.quant().is_some() { 2 } else { self.size() } // a block begins or ends with an f16
    }

    /// Bytes of one number, or of one block.
    pub fn size(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q8_0 | Self::Q4K | Self::Q6K => {
                self.quant().map_or(0, Quant::block_bytes)
            }
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether weights can be stored in it: each of its numbers stands for a float32.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16) || self.quant().is_some()
    }
}

impl From<Quant> for StoredType {
    fn from(quant: Quant) -> Self {
        match quant {
            Quant::Q4_0 => Self::Q4_0,
            Quant::Q8_0 => Self::Q8_0,
            Quant::Q4K => Self::Q4K,
            Quant::Q6K => Self::Q6K,
        }
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.quant(), Self::NAMES.get(*self as usize)) {
            (Some(quant), _) => out.write_str(quant.name()),
            (None, Some((_, ours, _))) => out.write_str(ours),
            (None, None) => unreachable!("only blocks have no row"),
        }
    }
}

/// How a weight file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON header and plain numbers.
    Safetensors,
    /// PyTorch's zip archive of a pickle and its storages.
    Pickle,
    /// Keys, a table, and blocks or plain numbers.
    Gguf,
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Pickle => "pickle",
            Self::Gguf => "gguf",
        })
    }
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightFile {
    /// Where it was opened.
    pub path: PathBuf,
    /// Its length.
    pub bytes: usize,
    /// How it is written.
    pub format: Format,
}

/// What a file says about one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the checkpoint.
    pub name: String,
    /// The type of its numbers.
    pub dtype: StoredType,
    /// Extents, slowest first; empty for a single number.
    pub shape: Vec<usize>,
    /// Bytes of its numbers, laid out row by row.
    pub bytes: usize,
    /// Which of [`Checkpoint::files`] holds it.
    pub file: usize,
}

impl TensorInfo {
    /// How many numbers it holds.
    pub fn numbers(&self) -> usize {
        self.dtype.numbers(self.bytes)
    }
}

/// In which precision a matrix is wanted. Quantised blocks stay as they are unless float32 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As the file has it: mapped, nothing copied.
    Stored,
    /// float32. Exact from every float type.
    F32,
    /// bfloat16, rounded to nearest even.
    Bf16,
    /// float16, rounded to nearest even; numbers over 65504 are an error.
    F16,
}

/// A tensor found in a file: checked to lie within it.
#[derive(Debug)]
struct Located {
    name: String,
    dtype: StoredType,
    shape: Vec<usize>,
    /// The byte of the file where its first number is.
    start: usize,
    /// In numbers, for each axis, when the tensor is not laid out row by row.
    strides: Option<Vec<usize>>,
}

/// How many numbers a shape holds and how many bytes they take, or `None` when that overflows. Blocks lie
/// along the last axis, which the caller has seen to be a whole number of them.
fn extent(shape: &[usize], dtype: StoredType) -> Option<(usize, usize)> {
    let count = shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis))?;
    Some((count, (count / dtype.block()).checked_mul(dtype.size())?))
}

#[cfg(test)]
mod tests {
    use super::StoredType;

    #[test]
    fn the_table_of_names_is_in_the_order_of_the_types() {
        for (row, (dtype, ours, header)) in StoredType::NAMES.into_iter().enumerate() {
            assert_eq!(dtype as usize, row);
            assert_eq!(dtype.to_string(), ours);
            assert_eq!(StoredType::from_header(header), Some(dtype));
        }
    }
}
