//! Rotary position embedding in the rotate-half form, with dynamic NTK scaling.
//!
//! Angles are position · base^(−2i/d). Beyond the trained length, "dynamic" scaling enlarges the base
//! with the total length (published `InternLM2DynamicNTKScalingRotaryEmbedding`): it is computed for
//! the length at hand each time, never kept from an earlier, longer sequence.

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

/// Cosines and sines of some positions, each (positions, width / 2).
#[derive(Clone, Debug)]
pub struct RopeTables {
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

    /// Tables for positions `start..start + count`.
    pub fn tables(&self, start: usize, count: usize) -> RopeTables {
        let base = self.base_at(start + count);
        let half = self.width / 2;
        // The published code rounds the frequencies and the angles to float32, and so do we.
        let frequencies: Vec<f32> =
            (0..half).map(|i| base.powf(-2.0 * i as f64 / self.width as f64) as f32).collect();
        let angles = (start..start + count)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
        let (sin, cos) = angles.map(f32::sin_cos).unzip();
        RopeTables { cos, sin, positions: count, width: self.width }
    }
}

impl RopeTables {
    /// Takes one sequence's packed rows apart and rotates its queries and keys: (t, …) of
    /// kv_heads · (group + 2) · d numbers a row, each key head's group of queries, then its key, then its
    /// value → queries (kv_heads, group, t, d), keys and values (kv_heads, t, d).
    ///
    /// # Errors
    /// When t is not the tables' count of positions, or a row has another length.
    pub fn split(
        &self,
        rows: &Tensor,
        kv_heads: usize,
        group: usize,
    ) -> Result<(Tensor, Tensor, Tensor), Error> {
        let (count, width) = (self.positions, self.width);
        let packed = kv_heads * (group + 2) * width;
        if rows.dim(0)? != count || rows.elem_count() != count * packed {
            bail_shape("packed queries, keys and values", &[count, packed], rows.dims())?;
        }
        let heads = Heads { kv_heads, group, rows: count, width };
        let angles = Angles { cos: &self.cos, sin: &self.sin };
        let Split { q, k, v } = read(&rows.contiguous()?, |x| Ok(rope_split(x, heads, angles)))?;
        let keys = |k| Tensor::from_vec(k, (kv_heads, count, width), &Device::Cpu);
        let q = Tensor::from_vec(q, (kv_heads, group, count, width), &Device::Cpu)?;
        Ok((q, keys(k)?, keys(v)?))
    }
}
