//! Bicubic interpolation as PyTorch computes it: a = −0.75, corners not aligned, no antialiasing.
//!
//! Used twice: to resize a vision tower's position table, and for the global view of a
//! high-resolution picture. Pillow's antialiased resampling of pictures lives with the pictures.

use candle_core::{Device, Tensor};

use crate::Error;

/// One output coordinate: four clamped source positions and their weights.
struct Taps {
    at: [usize; 4],
    weights: [f32; 4],
}

/// The taps of every output coordinate along one axis.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0; // |x| ≤ 1
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A; // 1 < |x| < 2
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|out| {
            let source = scale * (out as f32 + 0.5) - 0.5;
            let floor = source.floor();
            let t = source - floor;
            let clamp = |offset: i64| (floor as i64 + offset).clamp(0, from as i64 - 1) as usize;
            Taps {
                at: [clamp(-1), clamp(0), clamp(1), clamp(2)],
                weights: [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)],
            }
        })
        .collect()
}

/// Resizes planes: (c, h, w) → (c, height, width).
///
/// # Errors
/// When the input is not three-dimensional float32 or an extent is zero.
pub fn bicubic(x: &Tensor, height: usize, width: usize) -> Result<Tensor, Error> {
    let (channels, h, w) = x.dims3()?;
    if channels * h * w * height * width == 0 {
        return Err(candle_core::Error::Msg("bicubic: an extent is zero".into()).into());
    }
    let source = x.flatten_all()?.to_vec1::<f32>()?;
    let (rows, cols) = (taps(h, height), taps(w, width));
    let mut out = Vec::with_capacity(channels * height * width);
    for plane in source.chunks_exact(h * w) {
        for row in &rows {
            for col in &cols {
                let line = |y: usize| -> f32 {
                    (0..4).map(|i| plane[y * w + col.at[i]] * col.weights[i]).sum()
                };
                out.push((0..4).map(|i| line(row.at[i]) * row.weights[i]).sum::<f32>());
            }
        }
    }
    Ok(Tensor::from_vec(out, (channels, height, width), &Device::Cpu)?)
}
