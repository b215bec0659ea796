//! A layer's keys and values in a device's memory: one tensor each, grown by copying.
//!
//! A copy of a cache shares them, and nothing changes them. Copying what was seen costs a device a small part
//! of reading its weights. Saved caches come and go through pages, whose form files have.
//! Deliberately absent: 8-bit storage.

use std::borrow::Cow;

use candle_core::{DType, Device, Tensor};

use super::{KvType, LayerCache, Numbers, PAGE};
use crate::Error;

/// Keys and values, (kv_heads, len, width) each.
pub(super) type Resident = [Tensor; 2];

impl LayerCache {
    /// Appends new positions, each (kv_heads, t, width), keys already rotated; returns all there are.
    ///
    /// # Errors
    /// When the shapes are not the cache's, the device has no room, or the cache is of 8 bits.
    pub(crate) fn append_on_device(
        &mut self,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<(Tensor, Tensor), Error> {
        self.check(k, v)?;
        let dtype = match self.shape.kind {
            KvType::F32 => DType::F32,
            KvType::F16 => DType::F16,
            KvType::Q8 => {
                let message = "keys and values of 8 bits are the CPU's alone; a device has f16 (--kv f16) \
                               and f32";
                return Err(candle_core::Error::Msg(message.into()).into());
            }
        };
        let before = match (self.resident.take(), self.len) {
            (_, 0) => None,
            (Some(there), _) => Some(there),
            (None, _) => Some(self.moved(k.device(), dtype)?),
        };
        let new = [k.to_dtype(dtype)?, v.to_dtype(dtype)?];
        let all = match before {
            None => new,
            Some([k, v]) => [Tensor::cat(&[&k, &new[0]], 1)?, Tensor::cat(&[&v, &new[1]], 1)?],
        };
        self.pages.clear();
        self.len += k.dim(1)?;
        let (k, v) = (all[0].clone(), all[1].clone());
        self.resident = Some(all);
        Ok((k, v))
    }

    /// What pages hold, in a device's memory.
    fn moved(&self, device: &Device, dtype: DType) -> Result<Resident, Error> {
        let rows = self.shape.kv_heads * PAGE;
        let mut sides = [Vec::new(), Vec::new()];
        for page in &self.pages {
            for (side, numbers) in sides.iter_mut().zip([&page.k, &page.v]) {
                let shape = (self.shape.kv_heads, PAGE, self.shape.width);
                side.push(Tensor::from_vec(
                    numbers.widened(rows, self.shape.width),
                    shape,
                    device,
                )?);
            }
        }
        let [k, v] = sides.map(|side| -> Result<Tensor, Error> {
            Ok(Tensor::cat(&side, 1)?.narrow(1, 0, self.len)?.to_dtype(dtype)?)
        });
        Ok([k?, v?])
    }

    /// The same layer in pages.
    pub(super) fn in_pages(&self) -> Result<Cow<'_, Self>, Error> {
        let Some([k, v]) = &self.resident else { return Ok(Cow::Borrowed(self)) };
        let mut pages = Self { shape: self.shape, pages: Vec::new(), len: 0, resident: None };
        let here = |x: &Tensor| -> Result<Tensor, Error> {
            Ok(x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?)
        };
        pages.append(&here(k)?, &here(v)?)?;
        Ok(Cow::Owned(pages))
    }
}

impl Numbers {
    /// All numbers as float32: `rows` rows of `width`.
    fn widened(&self, rows: usize, width: usize) -> Vec<f32> {
        let all: Vec<f32> = match self {
            Self::F32(numbers) => numbers.clone(),
            Self::F16(numbers) => numbers.iter().map(|number| number.to_f32()).collect(),
            Self::Q8 { numbers, scales } => {
                let scales = scales.iter().flat_map(|&scale| std::iter::repeat_n(scale, width));
                numbers.iter().zip(scales).map(|(&n, scale)| f32::from(n) * scale).collect()
            }
        };
        debug_assert_eq!(all.len(), rows * width);
        all
    }
}
