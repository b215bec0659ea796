//! A tensor's numbers as slices, for the kernels: read, changed in place, taken.
//!
//! Tensors are counted references, and candle does not say how many there are. A function that changes
//! or takes a tensor's numbers therefore takes the tensor itself, and its caller promises that no other
//! tensor (a clone, a view) shares them.

use std::{
    cell::Cell,
    ops::{Deref, Range},
};

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Storage, Tensor, bail};

use crate::{Error, device::has_kernels};

/// A tensor's numbers, lent; those of a device's tensor are a copy.
pub struct Lent<'a>(Lender<'a>);

enum Lender<'a> {
    Tensor { storage: Box<dyn Deref<Target = Storage> + 'a>, range: Range<usize> },
    Copy(Vec<f32>),
}

impl Deref for Lent<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Lender::Copy(values) => values,
            Lender::Tensor { storage, range } => match &***storage {
                Storage::Cpu(CpuStorage::F32(values)) => &values[range.clone()],
                _ => unreachable!("checked when it was lent"),
            },
        }
    }
}

/// Lends the numbers of a contiguous tensor.
///
/// # Errors
/// When the tensor is not contiguous float32 on the CPU.
pub(crate) fn lend(x: &Tensor) -> Result<Lent<'_>, Error> {
    read(x, |_| Ok(()))?;
    let (storage, layout) = x.storage_and_layout();
    let start = layout.start_offset();
    let range = start..start + x.elem_count();
    Ok(Lent(Lender::Tensor { range, storage: Box::new(storage) }))
}

/// Copies the numbers of a float32 tensor, wherever it is.
///
/// # Errors
/// When it is of another type, or its device failed.
pub(crate) fn copied(x: &Tensor) -> Result<Lent<'static>, Error> {
    Ok(Lent(Lender::Copy(x.flatten_all()?.to_vec1()?)))
}

/// Calls `read` with the numbers of a contiguous tensor.
///
/// # Errors
/// As [`lend`], and what `read` says.
pub(crate) fn read<R>(
    x: &Tensor,
    read: impl FnOnce(&[f32]) -> Result<R, Error>,
) -> Result<R, Error> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(candle_core::Error::Msg("expected a tensor on the CPU".into()).into());
    };
    read(slice(storage, layout)?)
}

/// Changes the tensor's numbers and returns it. `name` stands in candle's messages.
///
/// # Errors
/// When the tensor is not float32 on the CPU.
pub(crate) fn change(
    x: Tensor,
    name: &'static str,
    change: impl FnOnce(&mut [f32]),
) -> Result<Tensor, Error> {
    let x = x.contiguous()?;
    x.inplace_op1(&Change { name, change: Cell::new(Some(change)) })?;
    Ok(x)
}

/// As [`change`], looking at another tensor's numbers.
///
/// # Errors
/// When they share their numbers or are not float32 on the CPU.
pub(crate) fn change_by(
    x: Tensor,
    y: &Tensor,
    name: &'static str,
    change: impl FnOnce(&mut [f32], &[f32]),
) -> Result<Tensor, Error> {
    let x = x.contiguous()?;
    x.inplace_op2(&y.contiguous()?, &ChangeBy { name, change: Cell::new(Some(change)) })?;
    Ok(x)
}

/// Gives a large tensor's memory to the next one of this pass (see [`ixc_kernels::recycle`]). The caller
/// promises that no other tensor shares it: such a one would be left without numbers. A tensor that is
/// not float32 on the CPU is dropped, and so are those of candle's operations, which share what they can.
pub fn recycle(x: Tensor) {
    if !has_kernels(&x) {
        return;
    }
    let taken = Cell::new(Vec::new());
    // Refused for other types, where there is nothing to take.
    if x.inplace_op1(&Take(&taken)).is_ok() {
        ixc_kernels::recycle::give(taken.into_inner());
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("expected contiguous numbers, found strides {:?}", layout.stride())
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn slice_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("expected contiguous float32 numbers"),
    }
}

/// candle lends an operation, and calls it once.
struct Change<F> {
    name: &'static str,
    change: Cell<Option<F>>,
}

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let change = self.change.take().expect("called once");
        change(slice_mut(storage, layout)?);
        Ok(())
    }
}

/// As [`Change`].
struct ChangeBy<F> {
    name: &'static str,
    change: Cell<Option<F>>,
}

impl<F: FnOnce(&mut [f32], &[f32])> InplaceOp2 for ChangeBy<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        storage: &mut CpuStorage,
        layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> candle_core::Result<()> {
        let change = self.change.take().expect("called once");
        change(slice_mut(storage, layout)?, slice(other, other_layout)?);
        Ok(())
    }
}

struct Take<'a>(&'a Cell<Vec<f32>>);

impl InplaceOp1 for Take<'_> {
    fn name(&self) -> &'static str {
        "recycle"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        if let CpuStorage::F32(values) = storage {
            self.0.set(std::mem::take(values));
        }
        Ok(())
    }
}
