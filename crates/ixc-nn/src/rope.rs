//! Rotary position embedding in the rotate-half form, with dynamic NTK scaling.
//!
//! Angles are position · base^(−2i/d). Beyond the trained length, "dynamic" scaling enlarges the base
//! with the total length (published `InternLM2DynamicNTKScalingRotaryEmbedding`): it is computed for
//! the length at hand each time, never kept from an earlier, longer sequence.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Tensor};
use candle_nn::rotary_emb::rope;
use ixc_kernels::{
    attention::Heads,
    heads::{Angles, Split, rope_split},
};

use crate::{Error, linear::bail_shape, numbers::read};

/// What decides the angles.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Head width d.
    pub width: usize,
    /// θ.
    pub base: f64,
    /// Positions the model was trained on.
    pub positions_max: usize,
    /// The factor of dynamic NTK scaling, when the model has it.
    pub dynamic_factor: Option<f64>,
}

/// Cosines and sines of some positions, each (positions, width / 2). Clones share them.
#[derive(Clone, Debug)]
pub struct RopeTables(Arc<Tables>);

#[derive(Debug)]
struct Tables {
    cos: Vec<f32>,
    sin: Vec<f32>,
    positions: usize,
    width: usize,
    /// The same in a device's memory, from the first time on that they are needed there.
    on_device: OnceLock<[Tensor; 2]>,
}

impl Rope {
    /// The base in use when the sequence has `total` positions.
    fn base_at(&self, total: usize) -> f64 {
        match self.dynamic_factor {
            Some(factor) if total > self.positions_max => {
                let width = self.width as f64;
                let stretch = factor * total as f64 / self.positions_max as f64 - (factor - 1.0);
                self.base * stretch.powf(width / (width - 2.0))
            }
            _ => self.base,
        }
    }

    /// Tables for sequences behind one another, (start, count) each: positions `start..start + count`.
    pub fn tables(&self, sequences: impl IntoIterator<Item = (usize, usize)>) -> RopeTables {
        let half = self.width / 2;
        let mut tables = Tables {
            cos: Vec::new(),
            sin: Vec::new(),
            positions: 0,
            width: self.width,
            on_device: OnceLock::new(),
        };
        for (start, count) in sequences {
            let base = self.base_at(start + count);
            // The published code rounds the frequencies and the angles to float32, and so do we.
            let frequencies: Vec<f32> =
                (0..half).map(|i| base.powf(-2.0 * i as f64 / self.width as f64) as f32).collect();
            for position in start..start + count {
                for frequency in &frequencies {
                    let (sin, cos) = (position as f32 * frequency).sin_cos();
                    tables.sin.push(sin);
                    tables.cos.push(cos);
                }
            }
            tables.positions += count;
        }
        RopeTables(Arc::new(tables))
    }
}

impl RopeTables {
    /// The extents of packed rows' heads.
    ///
    /// # Errors
    /// When there are not as many rows as positions, or a row is not of kv_heads · (group + 2) · d numbers.
    pub(crate) fn heads(
        &self,
        rows: &Tensor,
        kv_heads: usize,
        group: usize,
    ) -> Result<Heads, Error> {
        let (count, width) = (self.0.positions, self.0.width);
        let packed = kv_heads * (group + 2) * width;
        if rows.dim(0)? != count || rows.elem_count() != count * packed {
            bail_shape("packed queries, keys and values", &[count, packed], rows.dims())?;
        }
        Ok(Heads { kv_heads, group, rows: count, width })
    }

    /// The angles, for kernels.
    pub(crate) fn angles(&self) -> Angles<'_> {
        Angles { cos: &self.0.cos, sin: &self.0.sin }
    }

    /// Takes packed rows apart and rotates queries and keys: (n, …) of kv_heads · (group + 2) · d numbers a
    /// row, each key head's group of queries, then its key, then its value → queries (kv_heads, group, n, d),
    /// keys and values (kv_heads, n, d).
    ///
    /// # Errors
    /// When n is not the tables' count of positions, or a row has another length.
    pub fn split(
        &self,
        rows: &Tensor,
        kv_heads: usize,
        group: usize,
    ) -> Result<(Tensor, Tensor, Tensor), Error> {
        let heads = self.heads(rows, kv_heads, group)?;
        let (count, width) = (heads.rows, heads.width);
        let split = |x: &[f32]| Ok(rope_split(x, heads, self.angles()));
        let Split { q, k, v } = read(&rows.contiguous()?, split)?;
        let keys = |k| Tensor::from_vec(k, (kv_heads, count, width), &Device::Cpu);
        let q = Tensor::from_vec(q, (kv_heads, group, count, width), &Device::Cpu)?;
        Ok((q, keys(k)?, keys(v)?))
    }

    /// Cosines and sines beside a tensor, (positions, width / 2) each.
    fn beside(&self, x: &Tensor) -> Result<&[Tensor; 2], Error> {
        if let Some(there) = self.0.on_device.get() {
            return Ok(there);
        }
        let table = |values: &[f32]| {
            Tensor::from_slice(values, (self.0.positions, self.0.width / 2), x.device())
        };
        let made = [table(&self.0.cos)?, table(&self.0.sin)?];
        Ok(self.0.on_device.get_or_init(|| made))
    }

    /// [`RopeTables::split`] on a device, of float32.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn split_on_device(
        &self,
        rows: &Tensor,
        kv_heads: usize,
        group: usize,
    ) -> Result<(Tensor, Tensor, Tensor), Error> {
        let Heads { rows: count, width, .. } = self.heads(rows, kv_heads, group)?;
        let [cos, sin] = self.beside(rows)?;
        let packed = rows.reshape((count, kv_heads, group + 2, width))?.permute((1, 2, 0, 3))?;
        let member = |first, members| packed.narrow(1, first, members)?.contiguous();
        let q = rope(&member(0, group)?, cos, sin)?; // (kv, group, n, d)
        let k = rope(&member(group, 1)?, cos, sin)?.squeeze(1)?;
        Ok((q, k, member(group + 1, 1)?.squeeze(1)?))
    }

    /// The way back: gradients of queries (kv, group, n, d), keys and values (kv, n, d) → of packed rows,
    /// (n, kv · (group + 2) · d), float32.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub(crate) fn split_back_on_device(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Tensor, Error> {
        let (kv_heads, group, count, width) = q.dims4()?;
        let [cos, sin] = self.beside(q)?;
        let float = |x: &Tensor| x.to_dtype(DType::F32)?.contiguous();
        // A rotation's way back is the rotation back.
        let back = sin.neg()?;
        let q = rope(&float(q)?, cos, &back)?;
        let k = rope(&float(&k.unsqueeze(1)?)?, cos, &back)?;
        let packed = Tensor::cat(&[q, k, float(&v.unsqueeze(1)?)?], 1)?; // (kv, group + 2, n, d)
        Ok(packed.permute((2, 0, 1, 3))?.reshape((count, kv_heads * (group + 2) * width))?)
    }

    /// [`RopeTables::split`] of candle's operations.
    ///
    /// # Errors
    /// As there.
    pub fn composed(
        &self,
        rows: &Tensor,
        kv_heads: usize,
        group: usize,
    ) -> Result<(Tensor, Tensor, Tensor), Error> {
        let Heads { rows: count, width, .. } = self.heads(rows, kv_heads, group)?;
        let half = width / 2;
        let table = |values: &[f32]| Tensor::from_slice(values, (count, 1, half), rows.device());
        let (cos, sin) = (table(&self.0.cos)?, table(&self.0.sin)?);
        let packed = rows.reshape((count, kv_heads, group + 2, width))?;
        let rotated = |first: usize, members: usize| -> Result<Tensor, Error> {
            let x =
                packed.narrow(2, first, members)?.reshape((count, kv_heads * members, width))?;
            let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
            let parts = [
                (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?,
                (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?,
            ];
            Ok(Tensor::cat(&parts, 2)?.transpose(0, 1)?.contiguous()?) // (heads, n, d)
        };
        let q = rotated(0, group)?.reshape((kv_heads, group, count, width))?;
        let v = packed.narrow(2, group + 1, 1)?.squeeze(2)?.transpose(0, 1)?;
        Ok((q, rotated(group, 1)?, v.contiguous()?))
    }
}
