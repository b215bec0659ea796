//! Rotary position embedding in the rotate-half form, with dynamic NTK scaling.
//!
//! Angles are position · base^(−2i/d). Beyond the trained length, "dynamic" scaling enlarges the base
//! with the total length (published `InternLM2DynamicNTKScalingRotaryEmbedding`): it is computed for
//! the length at hand each time, never kept from an earlier, longer sequence.

use candle_core::{Device, Tensor};

use crate::Error;

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
    cos: Tensor,
    sin: Tensor,
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
    ///
    /// # Errors
    /// When memory for them cannot be had.
    pub fn tables(&self, start: usize, count: usize) -> Result<RopeTables, Error> {
        let base = self.base_at(start + count);
        let half = self.width / 2;
        // The published code rounds the frequencies and the angles to float32, and so do we.
        let frequencies: Vec<f32> =
            (0..half).map(|i| base.powf(-2.0 * i as f64 / self.width as f64) as f32).collect();
        let angles: Vec<f32> = (start..start + count)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .collect();
        let angles = Tensor::from_vec(angles, (count, half), &Device::Cpu)?; // (t, d/2)
        Ok(RopeTables { cos: angles.cos()?, sin: angles.sin()? })
    }
}

impl RopeTables {
    /// Rotates heads: (heads, t, d) → (heads, t, d).
    ///
    /// # Errors
    /// When t is not the tables' count of positions.
    pub fn rotate(&self, x: &Tensor) -> Result<Tensor, Error> {
        let x = x.unsqueeze(0)?.contiguous()?; // (1, heads, t, d)
        Ok(candle_nn::rotary_emb::rope(&x, &self.cos, &self.sin)?.squeeze(0)?)
    }
}
