//! The linear layer, over weights in whatever precision they are stored.
//!
//! y = x · Wᵀ + b. Activations are float32 tensors; the weight stays a [`Matrix`] as its file has it, and
//! [`Arithmetic`] says what their products are made of. A layer may be summed with others over other rows
//! in one product (`Linear::term`), which is how adapters join it.
//! Deliberately absent: adapters (see [`crate::plora`]).

use candle_core::{D, Device, Tensor};
use ixc_kernels::{
    Arithmetic, Matrix,
    product::{Term, product, rows::Rows},
};

use crate::{Error, numbers::read};

/// A weight of `outputs` × `inputs`, and perhaps a bias.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>, // (outputs)
    arithmetic: Arithmetic,
}

impl Linear {
    /// A layer from its parts.
    ///
    /// # Errors
    /// When the bias is not as long as the weight has rows.
    pub fn new(
        weight: Matrix,
        bias: Option<Tensor>,
        arithmetic: Arithmetic,
    ) -> Result<Self, Error> {
        if let Some(bias) = &bias
            && bias.dims() != [weight.rows()]
        {
            bail_shape("a linear layer's bias", &[weight.rows()], bias.dims())?;
        }
        Ok(Self { weight, bias, arithmetic })
    }

    /// The weight, (outputs, inputs).
    pub fn weight(&self) -> &Matrix {
        &self.weight
    }

    /// What its products are made of.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// Multiplies rows: (…, inputs) → (…, outputs).
    ///
    /// # Errors
    /// When the last extent is not the layer's inputs.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.forward_rows(x, |rows| self.multiply(rows))
    }

    /// Three layers over the same rows, which are brought into their products' form once:
    /// (…, inputs) → (…, outputs) of each.
    ///
    /// # Errors
    /// When the last extent is not each layer's inputs.
    pub fn forward_three(layers: [&Self; 3], x: &Tensor) -> Result<[Tensor; 3], Error> {
        let [a, b, c] = layers;
        let x = x.contiguous()?;
        layers.into_iter().try_for_each(|layer| layer.check(&x))?;
        let [y, z, w] = read(&x, |values| {
            let rows = Rows::new(values, a.weight.cols());
            Ok([a.multiply(&rows)?, b.multiply(&rows)?, c.multiply(&rows)?])
        })?;
        Ok([a.shaped(&x, y)?, b.shaped(&x, z)?, c.shaped(&x, w)?])
    }

    /// The product with the bias.
    fn multiply(&self, rows: &Rows) -> Result<Vec<f32>, Error> {
        let terms = [self.term(rows)];
        match &self.bias {
            Some(bias) => read(bias, |b| Ok(product(&terms, Some(b), self.arithmetic))),
            None => Ok(product(&terms, None, self.arithmetic)),
        }
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        let inputs = self.weight.cols();
        if x.dim(D::Minus1)? == inputs {
            return Ok(());
        }
        bail_shape("a linear layer's rows", &[inputs], &x.dims()[x.rank() - 1..])
    }

    /// Rows of outputs in the shape of the inputs x.
    fn shaped(&self, x: &Tensor, out: Vec<f32>) -> Result<Tensor, Error> {
        let mut dims = x.dims().to_vec();
        dims[x.rank() - 1] = self.weight.rows();
        Ok(Tensor::from_vec(out, dims, &Device::Cpu)?)
    }

    /// Hands the rows of x, (…, inputs), to `multiply`, and gives what it returns x's shape again, with
    /// this layer's outputs: (…, outputs).
    ///
    /// # Errors
    /// When the last extent is not the layer's inputs, and what `multiply` says.
    pub(crate) fn forward_rows(
        &self,
        x: &Tensor,
        multiply: impl FnOnce(&Rows) -> Result<Vec<f32>, Error>,
    ) -> Result<Tensor, Error> {
        self.check(x)?;
        let out = read(&x.contiguous()?, |x| multiply(&Rows::new(x, self.weight.cols())))?;
        self.shaped(x, out)
    }

    /// The layer, without its bias, as a summand over these rows.
    pub(crate) fn term<'a>(&'a self, rows: &'a Rows<'a>) -> Term<'a> {
        Term { rows, weight: (&self.weight).into() }
    }
}

/// The error of two shapes that should be one.
pub(crate) fn bail_shape(what: &str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    Err(candle_core::Error::Msg(format!("{what}: expected shape {expected:?}, found {found:?}"))
        .into())
}
