//! The loss of a language model: cross-entropy of the words that are learned.
//!
//! The output layer is by far the widest: its scores exist for some rows at a time only, and their gradient
//! is carried back to these rows before the next ones' exist.
//! Deliberately absent: which words are learned.

use candle_core::Tensor;
use ixc_kernels::loss;

use crate::{
    Error,
    device::has_kernels,
    graph::{Gradient, Value},
    linear::{Linear, bail_shape},
    numbers::change,
    plora::{Acting, Noise},
};

/// Scores held at once: 64 MiB of float32.
const SCORES: usize = 1 << 24;

/// Rows of a chunk at least: fewer would read the output layer's weights too often.
const ROWS_MIN: usize = 32;

/// The sum of −log p over the targets of rows, (n, hidden) and n ids, and the gradient of that sum times
/// `scale` by the rows, if it is wanted. Trained weights of the output layer add to their gradients here.
///
/// # Errors
/// When there is not a target for each row, or a target is outside the vocabulary.
pub fn cross_entropy(
    rows: &Value,
    output: &Linear,
    acting: &Acting,
    targets: &[u32],
    scale: f32,
) -> Result<(f64, Option<Gradient>), Error> {
    let (count, vocabulary) = (rows.tensor().dim(0)?, output.weight().rows());
    if targets.len() != count {
        bail_shape("targets of the loss", &[count], &[targets.len()])?;
    }
    if let Some(&id) = targets.iter().find(|&&id| id as usize >= vocabulary) {
        return Err(Error::TokenOutsideVocabulary { id: id as usize, vocabulary });
    }
    let (mut sum, mut gradients) = (0.0, Vec::new());
    let height = (SCORES / vocabulary).max(ROWS_MIN);
    for (chunk, targets) in targets.chunks(height).enumerate() {
        let some = rows.tensor().narrow(0, chunk * height, targets.len())?;
        let x = if rows.wants_gradient() {
            Value::input(some)
        } else {
            Value::given(some, rows.is_recorded())
        };
        let behind = |noise: Noise| noise.behind(chunk * height);
        let acting = Acting { noise: acting.noise.map(behind), ..acting.clone() };
        let logits = output.forward(&x, &acting)?; // (chunk, vocabulary)
        let (loss, slope) = score(logits.tensor().clone(), targets, scale)?;
        sum += loss;
        if x.is_recorded() {
            gradients.extend(logits.back(slope.into())?.take(&x));
        }
    }
    let gradient = match gradients.len() {
        0 => None,
        1 => gradients.pop(),
        _ => {
            let parts: Vec<&Tensor> = gradients.iter().map(|gradient| &**gradient).collect();
            Some(Tensor::cat(&parts, 0)?.into())
        }
    };
    Ok((sum, gradient))
}

/// The loss of some rows' scores, and its gradient in their place.
fn score(logits: Tensor, targets: &[u32], scale: f32) -> Result<(f64, Tensor), Error> {
    if !has_kernels(&logits) {
        return composed_score(&logits, targets, scale);
    }
    let targets: Vec<Option<u32>> = targets.iter().copied().map(Some).collect();
    let mut sum = 0.0;
    let slope = change(logits, "cross_entropy", |logits| {
        sum = loss::cross_entropy(logits, &targets, scale);
    })?;
    Ok((sum, slope))
}

/// As above, of candle's operations: −log softmax at the targets, and (softmax − target) · scale.
fn composed_score(logits: &Tensor, targets: &[u32], scale: f32) -> Result<(f64, Tensor), Error> {
    let log = candle_nn::ops::log_softmax(logits, 1)?;
    let targets = Tensor::new(targets, logits.device())?.unsqueeze(1)?; // (n, 1)
    let sum = log.gather(&targets, 1)?.sum_all()?.to_scalar::<f32>()?;
    let one = Tensor::full(-1f32, targets.shape(), logits.device())?;
    let slope = (log.exp()?.scatter_add(&targets, &one, 1)? * f64::from(scale))?;
    Ok((-f64::from(sum), slope))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_kernel_equals_candles_operations() {
        let logits = Tensor::randn(0f32, 3f32, (5, 37), &Device::Cpu).unwrap();
        let targets = [3, 36, 0, 0, 12];
        let (expected, slope) = composed_score(&logits, &targets, 0.3).unwrap();
        let (found, other) = score(logits, &targets, 0.3).unwrap();
        assert!((found - expected).abs() < 1e-5 * expected);
        let off = (slope - other).unwrap().abs().unwrap().max_all().unwrap();
        assert!(off.to_scalar::<f32>().unwrap() < 1e-6);
    }
}
