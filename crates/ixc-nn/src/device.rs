//! Where a model computes: the CPU with kernels of our own, or a device with candle's operations.
//!
//! A [`Place`] is a name, a [`Device`] is opened. Weights lie where their model computes, in the numbers that
//! products are made of; each layer has a form of candle's operations for them. [`Device::operations`] is that
//! form on the CPU's memory: what tests compare, and nothing else is told apart by it.
//! `cfg(feature = "cuda")` occurs here, and at the one call of the driver (`ixc_kernels::cuda`). Deliberately
//! absent: choosing a place for the caller.

use std::{cell::Cell, fmt, marker::PhantomData, str::FromStr, time::Instant};

use candle_core::{DType, Tensor};
use ixc_kernels::{Arithmetic, Matrix};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The name of a device: `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// The processor, with kernels of our own.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(usize),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = match text {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        number
            .map(Self::Cuda)
            .ok_or_else(|| format!("expected cpu, cuda or cuda:N, found {text:?}"))
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl Place {
    /// Opens the device.
    ///
    /// # Errors
    /// When this program was built without it, or the machine has no such device.
    pub fn open(self) -> Result<Device, Error> {
        match self {
            Self::Cpu => Ok(Device::default()),
            Self::Cuda(number) => cuda(number),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Device, Error> {
    // Products of float32 are made of float32: TF32 keeps 10 bits of each factor.
    candle_core::cuda::set_gemm_reduced_precision_f32(false);
    candle_core::cuda::set_gemm_reduced_precision_bf16(false);
    let opened = candle_core::Device::new_cuda(number).and_then(|device| {
        if let candle_core::Device::Cuda(device) = &device {
            let context = device.cuda_stream().context().clone();
            ixc_kernels::cuda::keep_memory(&context).map_err(candle_core::Error::wrap)?;
        }
        Ok(device)
    });
    match opened {
        Ok(device) => Ok(Device(Form::Operations(device))),
        Err(error) => Err(Error::NoDevice {
            device: Place::Cuda(number).to_string(),
            reason: format!(
                "{error}; expected an NVIDIA GPU and its driver: nvidia-smi lists them, and --device cpu \
                 needs none"
            ),
        }),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(number: usize) -> Result<Device, Error> {
    Err(Error::NoDevice {
        device: Place::Cuda(number).to_string(),
        reason: "this ixc was built without CUDA: build it with `cargo build --release --features cuda` \
                 (docs/gpu.md), or use --device cpu"
            .into(),
    })
}

/// An open device. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Device(Form);

#[derive(Clone, Debug, Default)]
enum Form {
    /// Our own kernels, over weights as files have them.
    #[default]
    Kernels,
    /// candle's operations, over weights in the device's memory.
    Operations(candle_core::Device),
}

thread_local! {
    /// Whether passes of this thread are made of candle's operations though their tensors are on the CPU.
    static OPERATIONS: Cell<bool> = const { Cell::new(false) };
}

/// Holds a thread to its device's form; see [`Device::enter`].
#[derive(Debug)]
pub struct Entered {
    before: bool,
    /// The form is the thread's.
    _here: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        OPERATIONS.set(self.before);
    }
}

impl Device {
    /// candle's operations on the CPU's memory: what a GPU runs, where there is none. For tests: it is slow.
    pub fn operations() -> Self {
        Self(Form::Operations(candle_core::Device::Cpu))
    }

    /// Whether kernels of our own compute, over weights as their files have them.
    pub fn has_kernels(&self) -> bool {
        matches!(self.0, Form::Kernels)
    }

    /// Where candle's tensors are.
    pub fn tensors(&self) -> &candle_core::Device {
        match &self.0 {
            Form::Kernels => &candle_core::Device::Cpu,
            Form::Operations(device) => device,
        }
    }

    /// Says, for as long as what it returns lives, that this thread's passes are this device's. A pass over
    /// a GPU's tensors needs no telling; one of [`Device::operations`] does.
    #[must_use]
    pub fn enter(&self) -> Entered {
        Entered { before: OPERATIONS.replace(!self.has_kernels()), _here: PhantomData }
    }

    /// Waits until all that was asked of the device is done: before a clock is read.
    ///
    /// # Errors
    /// When the device failed.
    pub fn wait(&self) -> Result<(), Error> {
        Ok(self.tensors().synchronize()?)
    }

    /// The device's memory, where it has one of its own.
    ///
    /// # Errors
    /// When the device failed.
    pub fn memory(&self) -> Result<Option<Memory>, Error> {
        memory(self.tensors())
    }

    /// Operations a second of a product of two square matrices of random numbers, `side` wide, in the type that
    /// products are made of: what a step's own can be held against. The median of some, behind one that does
    /// not count.
    ///
    /// # Errors
    /// When the device has no room for three of them.
    pub fn multiply_rate(&self, arithmetic: Arithmetic, side: usize) -> Result<f64, Error> {
        let random = || -> Result<Tensor, Error> {
            let numbers = Tensor::randn(0f32, 1f32, (side, side), self.tensors())?;
            Ok(numbers.to_dtype(product_type(arithmetic))?)
        };
        let (a, b) = (random()?, random()?);
        let mut seconds = Vec::with_capacity(PRODUCTS);
        for product in 0..=PRODUCTS {
            self.wait()?;
            let begun = Instant::now();
            let _product = a.matmul(&b)?;
            self.wait()?;
            if product > 0 {
                seconds.push(begun.elapsed().as_secs_f64());
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(2.0 * (side as f64).powi(3) / seconds[PRODUCTS / 2])
    }

    /// A frozen matrix in the device's memory, (rows, cols), in the numbers that products are made of:
    /// float32 in exact arithmetic, else bfloat16. Quantised ones are widened.
    ///
    /// # Errors
    /// When the device has no room for it.
    pub fn matrix(&self, matrix: &Matrix, arithmetic: Arithmetic) -> Result<Tensor, Error> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let dtype = product_type(arithmetic);
        let device = self.tensors();
        // What is stored as it is needed is copied once, from the mapped file.
        if let (DType::BF16, Some(numbers)) = (dtype, matrix.as_bf16()) {
            let numbers: &[half::bf16] = bytemuck::cast_slice(numbers);
            return Ok(Tensor::from_slice(numbers, (rows, cols), device)?);
        }
        let height = (WIDENED / cols.max(1)).clamp(1, rows.max(1));
        let mut parts = Vec::with_capacity(rows.div_ceil(height));
        for start in (0..rows).step_by(height) {
            let count = height.min(rows - start);
            let mut wide = vec![0f32; count * cols];
            matrix.widen(start..start + count, &mut wide);
            let part = Tensor::from_vec(wide, (count, cols), &candle_core::Device::Cpu)?;
            parts.push(part.to_dtype(dtype)?.to_device(device)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(&parts, 0)? })
    }
}

/// Bytes of a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// That nobody holds.
    pub free: u64,
    /// In all.
    pub total: u64,
}

#[cfg(feature = "cuda")]
fn memory(device: &candle_core::Device) -> Result<Option<Memory>, Error> {
    let candle_core::Device::Cuda(device) = device else { return Ok(None) };
    let (free, total) =
        device.cuda_stream().context().mem_get_info().map_err(candle_core::Error::wrap)?;
    Ok(Some(Memory { free: free as u64, total: total as u64 }))
}

#[cfg(not(feature = "cuda"))]
fn memory(_: &candle_core::Device) -> Result<Option<Memory>, Error> {
    Ok(None)
}

/// Products that count when a rate is measured.
const PRODUCTS: usize = 10;

/// Numbers widened at once on the way to a device: 64 MiB of float32.
const WIDENED: usize = 1 << 24;

/// What a device's products are made of.
pub(crate) fn product_type(arithmetic: Arithmetic) -> DType {
    match arithmetic {
        Arithmetic::Exact => DType::F32,
        Arithmetic::Fast => DType::BF16,
    }
}

/// The sum of rows, (n, width) → (width): a product, since candle's sum over rows reads them column by column.
///
/// # Errors
/// When the device has no room for it.
pub(crate) fn sum_of_rows(x: &Tensor) -> Result<Tensor, Error> {
    let ones = Tensor::ones((1, x.dim(0)?), x.dtype(), x.device())?;
    Ok(ones.matmul(&x.contiguous()?)?.squeeze(0)?)
}

/// Whether kernels of our own can work on a tensor here.
pub(crate) fn has_kernels(x: &Tensor) -> bool {
    x.device().is_cpu() && !OPERATIONS.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["cpu", "cuda", "cuda:1"] {
            assert_eq!(name.parse::<Place>().unwrap().to_string(), name);
        }
        assert_eq!("cuda:0".parse(), Ok(Place::Cuda(0)));
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CUDA"] {
            let refused = name.parse::<Place>().unwrap_err();
            assert!(refused.contains("cuda:N") && refused.contains(&format!("{name:?}")));
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let refused = Place::Cuda(1).open().unwrap_err().to_string();
        assert!(refused.contains("cuda:1") && refused.contains("--features cuda"), "{refused}");
    }

    #[test]
    fn a_form_lasts_as_long_as_it_was_entered() {
        let x = Tensor::zeros(1, DType::F32, &candle_core::Device::Cpu).unwrap();
        assert!(has_kernels(&x));
        {
            let _outer = Device::operations().enter();
            assert!(!has_kernels(&x));
            {
                let _inner = Device::default().enter();
                assert!(has_kernels(&x));
            }
            assert!(!has_kernels(&x));
        }
        assert!(has_kernels(&x));
    }

    #[test]
    fn a_rate_is_measured_and_memory_known_where_there_is_one() {
        let device = Device::operations();
        let rate = device.multiply_rate(Arithmetic::Exact, 64).unwrap();
        assert!(rate.is_finite() && rate > 0.0, "{rate}");
        assert_eq!(device.memory().unwrap(), None);
    }

    #[test]
    fn matrices_arrive_as_they_are() {
        let values: Vec<f32> = (0..12).map(|i| i as f32 - 5.5).collect();
        let matrix = Matrix::f32(3, 4, ixc_kernels::Buffer::from_slice(&values));
        for (arithmetic, dtype) in
            [(Arithmetic::Exact, DType::F32), (Arithmetic::Fast, DType::BF16)]
        {
            let found = Device::operations().matrix(&matrix, arithmetic).unwrap();
            assert_eq!(found.dtype(), dtype);
            let found = found.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
            assert_eq!(found.to_vec1::<f32>().unwrap(), values); // halves are exact
        }
    }
}
