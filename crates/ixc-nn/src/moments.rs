//! AdamW beside trained weights: where a weight is, its two running means are, and there a step is taken.
//!
//! On the CPU by one kernel, on a device by candle's operations in the same order. Deliberately absent: rates,
//! which parameter has which decay, clipping's limit.

use std::borrow::Cow;

use candle_core::{DType, Tensor};
use ixc_kernels::adamw::{AdamW, Parameters, squares};

use crate::{Error, trained::Trained};

/// The running means of a weight's gradients and of their squares.
#[derive(Clone, Debug)]
pub struct Moments(Side);

#[derive(Clone, Debug)]
enum Side {
    Cpu { mean: Vec<f32>, square: Vec<f32> },
    Device { mean: Tensor, square: Tensor },
}

impl Moments {
    /// Those of a weight that was never changed.
    ///
    /// # Errors
    /// When the weight's device has no room for them.
    pub fn zeros(weight: &Trained) -> Result<Self, Error> {
        let master = weight.master();
        Ok(Self(match weight.device().has_kernels() {
            true => {
                let zeros = vec![0f32; master.elem_count()];
                Side::Cpu { mean: zeros.clone(), square: zeros }
            }
            false => Side::Device { mean: master.zeros_like()?, square: master.zeros_like()? },
        }))
    }

    /// The same of these numbers: the mean and that of squares, in the weight's order.
    ///
    /// # Errors
    /// When there are not as many as the weight has.
    pub fn set(&mut self, weight: &Trained, mean: Vec<f32>, square: Vec<f32>) -> Result<(), Error> {
        let tensor =
            |values: Vec<f32>| Tensor::from_vec(values, weight.dims(), weight.device().tensors());
        self.0 = match self.0 {
            Side::Cpu { .. } => Side::Cpu { mean, square },
            Side::Device { .. } => Side::Device { mean: tensor(mean)?, square: tensor(square)? },
        };
        Ok(())
    }

    /// The mean, and that of squares.
    ///
    /// # Errors
    /// When the weight's device failed.
    pub fn numbers(&self) -> Result<[Cow<'_, [f32]>; 2], Error> {
        let copied = |x: &Tensor| -> Result<Cow<'_, [f32]>, Error> {
            Ok(Cow::Owned(x.flatten_all()?.to_vec1()?))
        };
        Ok(match &self.0 {
            Side::Cpu { mean, square } => [Cow::Borrowed(mean), Cow::Borrowed(square)],
            Side::Device { mean, square } => [copied(mean)?, copied(square)?],
        })
    }

    /// Takes step `number`, counted from 1, against the weight's gradient times `scale`; a weight that no step
    /// back came by has zeros. The gradient is forgotten.
    ///
    /// # Errors
    /// When the weight's device failed.
    pub fn step(
        &mut self,
        weight: &Trained,
        adamw: &AdamW,
        number: u64,
        scale: f32,
    ) -> Result<(), Error> {
        match &mut self.0 {
            Side::Cpu { mean, square } => weight.update(|values, gradient| {
                adamw.step(number, Parameters { values, mean, square }, gradient, scale);
            }),
            Side::Device { mean, square } => {
                let gradient = match weight.gradient_tensor() {
                    Some(gradient) => (gradient * f64::from(scale))?,
                    None => weight.master().zeros_like()?,
                };
                let (beta, beta_square) = adamw.betas;
                let corrected = |beta: f64| 1.0 - beta.powf(number as f64);
                *mean = (&*mean + ((&gradient - &*mean)? * (1.0 - beta))?)?;
                *square = ((&*square * beta_square)? + (gradient.sqr()? * (1.0 - beta_square))?)?;
                let root = corrected(beta_square).sqrt();
                let spread = square.sqrt()?.affine(1.0 / root, adamw.eps)?;
                let kept = (weight.master() * (1.0 - adamw.rate * adamw.decay))?;
                let moved = ((&*mean / spread)? * (adamw.rate / corrected(beta)))?;
                weight.replace(&(kept - moved)?)?;
                weight.forget_gradient();
                Ok(())
            }
        }
    }
}

/// The squared length of all weights' gradients together, read from a device at once.
///
/// # Errors
/// When a device failed.
pub fn squared_length<'a>(weights: impl Iterator<Item = &'a Trained>) -> Result<f64, Error> {
    let (mut sum, mut parts) = (0.0, Vec::new());
    for weight in weights {
        if weight.device().has_kernels() {
            sum += weight.gradient(|gradient| gradient.map_or(0.0, squares))?;
        } else if let Some(gradient) = weight.gradient_tensor() {
            parts.push(gradient.sqr()?.sum_all()?.reshape(1)?.to_dtype(DType::F64)?);
        }
    }
    if !parts.is_empty() {
        sum += Tensor::cat(&parts, 0)?.to_vec1::<f64>()?.iter().sum::<f64>();
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, graph::Gradient};

    #[test]
    fn a_device_takes_the_kernels_steps() {
        let values: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin()).collect();
        let adamw = AdamW { rate: 1e-2, betas: (0.9, 0.95), eps: 1e-8, decay: 0.1 };
        let mut found = Vec::new();
        for device in [Device::default(), Device::operations()] {
            let weight = Trained::on(&device, values.clone(), &[6, 10]).unwrap();
            let mut moments = Moments::zeros(&weight).unwrap();
            for step in 1..=4u64 {
                if step != 3 {
                    let slope = (weight.master() * (0.3 * step as f64)).unwrap();
                    weight.add_tensor(Gradient::from(slope)).unwrap();
                }
                let length = squared_length(std::iter::once(&weight)).unwrap();
                assert_eq!(length == 0.0, step == 3);
                moments.step(&weight, &adamw, step, 0.5).unwrap();
            }
            let master = weight.numbers().unwrap().to_vec();
            let [mean, square] = moments.numbers().unwrap().map(Cow::into_owned);
            moments.set(&weight, mean.clone(), square.clone()).unwrap();
            assert_eq!(*moments.numbers().unwrap()[0], mean);
            found.push([master, mean, square]);
        }
        for (one, other) in found[0].iter().flatten().zip(found[1].iter().flatten()) {
            assert!((one - other).abs() <= 1e-6, "{one} and {other}");
        }
        assert!(
            found[0][0].iter().zip(&values).all(|(now, before)| now != before || *before == 0.0)
        );
    }
}
