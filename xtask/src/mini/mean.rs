//! A mean of models, so that a stage that taught one thing well costs little of the rest.
//!
//! A stage about one thing alone forgets others; most of what it taught is already there on a part of the way, where
//! little is forgotten yet, and parts of several ways add up (docs/mini-model.md; Wortsman and others, arXiv 2109.01903;
//! Ilharco and others, 2212.04089).

use anyhow::{Context, Result, ensure};

use super::weights::Tensors;

/// Each model's share, number by number.
///
/// # Errors
/// When the shares are not one for each model, their sum is not 1, or the models are not of one shape.
pub(super) fn mean(models: &[Tensors], shares: &[f32]) -> Result<Tensors> {
    ensure!(models.len() == shares.len(), "{} shares of {} models", shares.len(), models.len());
    let sum: f32 = shares.iter().sum();
    ensure!((sum - 1.0).abs() < 1e-5, "shares add up to {sum}");
    let mut made = models[0].clone();
    for (name, tensor) in &mut made {
        tensor.values.fill(0.0);
        for (at, (model, share)) in models.iter().zip(shares).enumerate() {
            let found = model.get(name).filter(|found| found.shape == tensor.shape);
            let found =
                found.with_context(|| format!("{name}: model {at} has it in another form"))?;
            for (value, other) in tensor.values.iter_mut().zip(&found.values) {
                *value += share * other;
            }
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::{super::weights::tensor, *};

    #[test]
    fn it_lies_between() {
        let model = |seed| Tensors::from([("a".to_owned(), tensor(&[2, 3], seed))]);
        let models = [model(1), model(5), model(9)];
        let made = mean(&models, &[0.25, 0.4, 0.35]).unwrap();
        for at in 0..6 {
            let [a, b, c] = models.each_ref().map(|model| model["a"].values[at]);
            let wanted = 0.25 * a + 0.4 * b + 0.35 * c;
            assert!((made["a"].values[at] - wanted).abs() < 1e-6);
        }
        assert!(mean(&models, &[0.5, 0.5]).is_err());
        assert!(mean(&models, &[0.5, 0.5, 0.5]).is_err());
        assert!(mean(&[model(1), [].into()], &[0.5, 0.5]).is_err());
    }
}
