//! Rotary position embedding in the rotate-half form, with dynamic NTK scaling.
//!
//! Angles are position · base^(−2i/d). Beyond the trained length, "dynamic" scaling enlarges the base
//! with the total length (published `InternLM2DynamicNTKScalingRotaryEmbedding`): it is computed for
//! the length at hand each time, never kept from an earlier, longer sequence.

use std::sync::Arc;

use candle_core::{Device, Tensor};
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
        let mut tables =
            Tables { cos: Vec::new(), sin: Vec::new(), positions: 0, width: self.width };
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
