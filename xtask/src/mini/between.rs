//! A part of the way from one model to the next, so that a stage that taught one thing well costs little of the rest.
//!
//! A stage about one thing alone forgets others; most of what it taught is already there on a part of the way, where
//! little is forgotten yet (docs/mini-model.md; Wortsman and others, arXiv 2109.01903; Ilharco and others, 2212.04089).

use anyhow::{Context, Result, bail};

use super::weights::Tensors;

/// Of the way from the first of three models to the second, and from the second to the third.
const PARTS: [f32; 2] = [0.75, 0.35];

/// first + 0.75 (second − first) + 0.35 (third − second), number by number.
///
/// # Errors
/// When they are not three of one shape.
pub(super) fn between(models: &[Tensors]) -> Result<Tensors> {
    let [first, second, third] = models else { bail!("found {} models", models.len()) };
    let mut made = first.clone();
    for (name, tensor) in &mut made {
        let same = |model: &str, of: &Tensors| {
            let found = of.get(name).filter(|found| found.shape == tensor.shape);
            found.cloned().with_context(|| format!("{name}: the {model} has it in another form"))
        };
        let (second, third) = (same("second", second)?, same("third", third)?);
        let further = second.values.into_iter().zip(third.values);
        for (value, (second, third)) in tensor.values.iter_mut().zip(further) {
            *value += PARTS[0] * (second - *value) + PARTS[1] * (third - second);
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
        let made = between(&models).unwrap();
        for at in 0..6 {
            let [a, b, c] = models.each_ref().map(|model| model["a"].values[at]);
            let wanted = 0.25 * a + 0.4 * b + 0.35 * c;
            assert!((made["a"].values[at] - wanted).abs() < 1e-6);
        }
        assert!(between(&models[..2]).is_err());
        assert!(between(&[model(1), model(5), [].into()]).is_err());
    }
}
