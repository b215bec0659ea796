//! Weights that are trained, and layers' weights that may be.
//!
//! A trained weight is a float32 master with a gradient of its own, which steps back add to in place, so
//! that no gradient is held twice but for lanes ([`crate::lanes`]). A frozen weight stays as its file has it. On a device without our kernels
//! masters, gradients and frozen weights are its tensors, the latter in the type that products are made of.
//! Deliberately absent: names (the model's matter), the optimiser's rule and its state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Tensor};
use ixc_kernels::{Arithmetic, Matrix, elementwise};

use crate::{
    Error,
    device::Device,
    graph::{Gradient, Value},
    lanes,
    linear::bail_shape,
    numbers::{Lent, change, change_by, copied, lend, read},
};

/// A trained weight. Clones are the same weight.
#[derive(Clone, Debug)]
pub struct Trained(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: Device,
    /// float32, contiguous, nobody else's.
    master: Tensor,
    /// Each lane's.
    gradient: Mutex<Vec<Sum>>,
}

/// A gradient so far.
#[derive(Debug, Default)]
struct Sum {
    /// Of the master's shape; none until the first step back, then kept for the next ones.
    tensor: Option<Tensor>,
    begun: bool,
}

impl Trained {
    /// A weight of these values, for the CPU's kernels.
    ///
    /// # Errors
    /// When there are not as many as the shape says.
    pub fn new(values: Vec<f32>, shape: &[usize]) -> Result<Self, Error> {
        Self::on(&Device::default(), values, shape)
    }

    /// A weight of these values on a device.
    ///
    /// # Errors
    /// When there are not as many as the shape says, or the device has no room for them.
    pub fn on(device: &Device, values: Vec<f32>, shape: &[usize]) -> Result<Self, Error> {
        let master = Tensor::from_vec(values, shape, device.tensors())?;
        let device = device.clone();
        Ok(Self(Arc::new(Inner { device, master, gradient: Mutex::default() })))
    }

    /// Where it is.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// The gradient so far, of the master's shape; none where no step back came by since the last change.
    pub(crate) fn gradient_tensor(&self) -> Option<Tensor> {
        let sums = self.sums();
        sums.first().filter(|sum| sum.begun).and_then(|sum| sum.tensor.clone())
    }

    /// The master, which changes when the weight is trained: copy it to keep it.
    pub fn master(&self) -> &Tensor {
        &self.0.master
    }

    /// Its extents.
    pub fn dims(&self) -> &[usize] {
        self.0.master.dims()
    }

    /// Replaces the master's numbers.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn set(&self, values: &[f32]) -> Result<(), Error> {
        if values.len() != self.0.master.elem_count() {
            bail_shape("a trained weight", self.dims(), &[values.len()])?;
        }
        if self.0.device.has_kernels() {
            change(self.0.master.clone(), "set", |master| master.copy_from_slice(values))?;
            return Ok(());
        }
        self.replace(&Tensor::from_slice(values, self.dims(), self.0.device.tensors())?)
    }

    /// Puts a tensor's numbers in the place of a device's master.
    pub(crate) fn replace(&self, with: &Tensor) -> Result<(), Error> {
        Ok(self.0.master.slice_set(with, 0, 0)?)
    }

    /// Lends the master's numbers, which must not be changed meanwhile; a copy of a device's.
    ///
    /// # Errors
    /// None on the CPU.
    pub fn numbers(&self) -> Result<Lent<'_>, Error> {
        if self.0.device.has_kernels() { lend(&self.0.master) } else { copied(&self.0.master) }
    }

    /// Changes the master by the gradient so far, zeros where no step back came by, which is forgotten
    /// afterwards.
    ///
    /// # Errors
    /// None on the CPU, where it must be.
    pub(crate) fn update(&self, change: impl FnOnce(&mut [f32], &[f32])) -> Result<(), Error> {
        self.add(|_| ())?;
        if let Some(gradient) = self.gradient_tensor() {
            change_by(self.0.master.clone(), &gradient, "update", change)?;
        }
        self.forget_gradient();
        Ok(())
    }

    /// Looks at the gradient so far; none where no step back came by since the last change.
    ///
    /// # Errors
    /// None on the CPU.
    pub fn gradient<R>(&self, with: impl FnOnce(Option<&[f32]>) -> R) -> Result<R, Error> {
        match self.gradient_tensor() {
            Some(tensor) if !self.0.device.has_kernels() => Ok(with(Some(&copied(&tensor)?))),
            Some(tensor) => read(&tensor, |gradient| Ok(with(Some(gradient)))),
            None => Ok(with(None)),
        }
    }

    /// Forgets the gradient so far.
    pub fn forget_gradient(&self) {
        self.sums().iter_mut().for_each(|sum| sum.begun = false);
    }

    /// Adds to this lane's gradient: `add` gets what is there, zeros at first.
    pub(crate) fn add(&self, add: impl FnOnce(&mut [f32])) -> Result<(), Error> {
        let lane = lanes::current();
        let Sum { tensor, begun } = self.take(lane);
        let tensor = match tensor {
            Some(tensor) => tensor,
            None => Tensor::zeros(self.dims(), DType::F32, &candle_core::Device::Cpu)?,
        };
        let tensor = change(tensor, "gradient", |values| {
            if !begun {
                values.fill(0.0);
            }
            add(values);
        })?;
        self.put(lane, Sum { tensor: Some(tensor), begun: true });
        Ok(())
    }

    /// Adds the other lanes' gradients to the first one's, in their order: to be called when all lanes have ended.
    ///
    /// # Errors
    /// None on the CPU, where alone there are lanes.
    pub fn gather(&self) -> Result<(), Error> {
        let lanes = self.sums().len();
        for lane in 1..lanes {
            let Sum { tensor, begun } = self.take(lane);
            if let Some(tensor) = tensor.as_ref().filter(|_| begun) {
                read(tensor, |new| self.add(|sum| elementwise::add(sum, new)))?;
            }
            self.put(lane, Sum { tensor, begun: false });
        }
        Ok(())
    }

    /// Adds a gradient of as many numbers.
    ///
    /// # Errors
    /// When it has another length, or is on another device.
    pub(crate) fn add_tensor(&self, gradient: Gradient) -> Result<(), Error> {
        if gradient.elem_count() != self.0.master.elem_count() {
            bail_shape("a gradient", self.dims(), gradient.dims())?;
        }
        let new = gradient.to_dtype(DType::F32)?.contiguous()?;
        if self.0.device.has_kernels() {
            return read(&new, |new| self.add(|sum| elementwise::add(sum, new)));
        }
        let new = new.reshape(self.dims())?;
        let lane = lanes::current();
        let Sum { tensor, begun } = self.take(lane);
        let tensor = match tensor.filter(|_| begun) {
            Some(before) => (before + new)?,
            None => new,
        };
        self.put(lane, Sum { tensor: Some(tensor), begun: true });
        Ok(())
    }

    /// The weight as a value beside another one, recorded where that is.
    pub(crate) fn value(&self, beside: &Value) -> Value {
        if !beside.is_recorded() {
            return Value::plain(self.0.master.clone());
        }
        let weight = self.clone();
        Value::grown(self.0.master.clone(), move |gradient| weight.add_tensor(gradient))
    }

    fn sums(&self) -> MutexGuard<'_, Vec<Sum>> {
        // Whoever panicked, the numbers are only numbers.
        self.0.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane's gradient, which is nobody else's until it is put back.
    fn take(&self, lane: usize) -> Sum {
        let mut sums = self.sums();
        if sums.len() <= lane {
            sums.resize_with(lane + 1, Sum::default);
        }
        std::mem::take(&mut sums[lane])
    }

    fn put(&self, lane: usize, sum: Sum) {
        self.sums()[lane] = sum;
    }
}

/// The matrix of a layer: as its file has it, or trained.
#[derive(Clone, Debug)]
pub enum Weight {
    /// Never changed, in any storage.
    Frozen(Matrix),
    /// Never changed, (outputs, inputs) in a device's memory ([`Device::matrix`]).
    Resident(Tensor),
    /// A float32 master whose first extent are outputs, and all others inputs.
    Trained(Trained),
}

impl From<Matrix> for Weight {
    fn from(matrix: Matrix) -> Self {
        Self::Frozen(matrix)
    }
}

impl Weight {
    /// Outputs.
    pub fn rows(&self) -> usize {
        match self {
            Self::Frozen(matrix) => matrix.rows(),
            Self::Resident(tensor) => tensor.dims()[0],
            Self::Trained(trained) => trained.dims()[0],
        }
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        match self {
            Self::Frozen(matrix) => matrix.cols(),
            Self::Resident(tensor) => tensor.dims()[1],
            Self::Trained(trained) => trained.dims()[1..].iter().product(),
        }
    }

    /// The trained weight, if it is one.
    pub fn trained(&self) -> Option<&Trained> {
        match self {
            Self::Frozen(_) | Self::Resident(_) => None,
            Self::Trained(trained) => Some(trained),
        }
    }

    /// The weight where a device's layers want it: a frozen matrix goes into its memory.
    ///
    /// # Errors
    /// When the device has no room for it.
    pub fn placed(self, device: &Device, arithmetic: Arithmetic) -> Result<Self, Error> {
        match self {
            Self::Frozen(matrix) if !device.has_kernels() => {
                Ok(Self::Resident(device.matrix(&matrix, arithmetic)?))
            }
            other => Ok(other),
        }
    }

    /// The matrix as a device multiplies it: (outputs, inputs) of `dtype`.
    ///
    /// # Errors
    /// When it is not in a device's memory.
    pub(crate) fn factor(&self, dtype: DType) -> Result<Tensor, Error> {
        match self {
            Self::Frozen(_) => Err(not_placed()),
            Self::Resident(tensor) => Ok(tensor.to_dtype(dtype)?),
            Self::Trained(trained) => {
                let shape = (self.rows(), self.cols());
                Ok(trained.master().reshape(shape)?.to_dtype(dtype)?)
            }
        }
    }

    /// The matrix as a value, (outputs, inputs), for candle's operations beside another one.
    pub(crate) fn value(&self, beside: &Value) -> Result<Value, Error> {
        match self {
            Self::Frozen(matrix) => {
                let (rows, cols) = (matrix.rows(), matrix.cols());
                let mut values = vec![0f32; rows * cols];
                matrix.widen(0..rows, &mut values);
                let tensor = Tensor::from_vec(values, (rows, cols), beside.tensor().device())?;
                Ok(Value::given(tensor, beside.is_recorded()))
            }
            Self::Resident(tensor) => {
                Ok(Value::given(tensor.to_dtype(DType::F32)?, beside.is_recorded()))
            }
            Self::Trained(trained) => Ok(trained.value(beside)),
        }
    }

    /// Lends the weight to kernels.
    ///
    /// # Errors
    /// When it is in a device's memory.
    pub(crate) fn lend(&self) -> Result<LentWeight<'_>, Error> {
        Ok(match self {
            Self::Frozen(matrix) => LentWeight::Stored(matrix),
            Self::Resident(_) => return Err(not_placed()),
            Self::Trained(trained) => LentWeight::Trained(trained.numbers()?, self.cols()),
        })
    }
}

/// The error of a weight that is not where its layer computes.
fn not_placed() -> Error {
    let message =
        "a layer's rows and its weight are on two devices; load the model for one of them";
    candle_core::Error::Msg(message.into()).into()
}

/// A weight while kernels read it.
pub(crate) enum LentWeight<'a> {
    Stored(&'a Matrix),
    Trained(Lent<'a>, usize),
}

impl LentWeight<'_> {
    pub(crate) fn weight(&self) -> ixc_kernels::Weight<'_> {
        match self {
            Self::Stored(matrix) => (*matrix).into(),
            Self::Trained(lent, cols) => ixc_kernels::Weight::trained(lent, *cols),
        }
    }
}

/// A small weight that is no matrix (a norm's, a bias, a table of positions): float32, frozen or trained.
#[derive(Clone, Debug)]
pub enum Small {
    /// Never changed.
    Frozen(Tensor),
    /// Trained.
    Trained(Trained),
}

impl From<Tensor> for Small {
    fn from(tensor: Tensor) -> Self {
        Self::Frozen(tensor)
    }
}

impl Small {
    /// The weight where a device's layers want it.
    ///
    /// # Errors
    /// When the device has no room for it.
    pub fn placed(self, device: &Device) -> Result<Self, Error> {
        match self {
            Self::Frozen(tensor) => Ok(Self::Frozen(tensor.to_device(device.tensors())?)),
            trained @ Self::Trained(_) => Ok(trained),
        }
    }

    /// Its numbers.
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Frozen(tensor) => tensor,
            Self::Trained(trained) => trained.master(),
        }
    }

    /// Its extents.
    pub fn dims(&self) -> &[usize] {
        self.tensor().dims()
    }

    /// The trained weight, if it is one.
    pub fn trained(&self) -> Option<&Trained> {
        match self {
            Self::Frozen(_) => None,
            Self::Trained(trained) => Some(trained),
        }
    }

    /// Hands `add` the numbers and, where they are trained, their gradient to be added to.
    ///
    /// # Errors
    /// When they are not on the CPU.
    pub(crate) fn add_with(
        &self,
        add: impl FnOnce(&[f32], Option<&mut [f32]>),
    ) -> Result<(), Error> {
        let numbers = lend(self.tensor())?;
        match self.trained() {
            Some(trained) => trained.add(|gradient| add(&numbers, Some(gradient))),
            None => {
                add(&numbers, None);
                Ok(())
            }
        }
    }

    /// The numbers as a value beside another one, recorded where that is.
    pub fn value(&self, beside: &Value) -> Value {
        match self {
            Self::Frozen(tensor) => Value::given(tensor.clone(), beside.is_recorded()),
            Self::Trained(trained) => trained.value(beside),
        }
    }
}
