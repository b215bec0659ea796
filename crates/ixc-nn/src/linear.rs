//! The linear layer, over weights in whatever precision they are stored, with its adapters.
//!
//! y = x · Wᵀ + b + the adapters' parts ([`crate::plora`]), summed in one product. Activations are float32;
//! a frozen weight stays as its file has it, a trained one is a float32 master, and [`Arithmetic`] says what
//! their products are made of. A layer may count what it is fed ([`crate::inputs`]). The steps back are in
//! `back`; a device's layer is `device`.
//! Deliberately absent: what the layers are for.

mod back;
mod composed;
mod device;

use std::sync::Arc;

use candle_core::{D, Device, Tensor};
use ixc_kernels::{
    Arithmetic, elementwise,
    product::{Gated, Term, gated, gated_kept, product, product_onto, rows::Rows},
    recycle::{floats, give},
};

use crate::{
    Error,
    graph::{Gradient, Value},
    inputs::Tally,
    numbers::read,
    plora::{Acting, Adapter},
    trained::{Small, Weight},
};
use back::Kept;

/// A weight of `outputs` × `inputs`, and perhaps a bias and adapters. Clones are the same layer.
#[derive(Clone, Debug)]
pub struct Linear(Arc<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    weight: Weight,
    bias: Option<Small>, // (outputs)
    adapters: Vec<Adapter>,
    arithmetic: Arithmetic,
    tally: Option<Arc<Tally>>,
}

impl Linear {
    /// A layer from its parts.
    ///
    /// # Errors
    /// When the bias is not as long as the weight has rows, or an adapter is not the layer's size.
    pub fn new(
        weight: impl Into<Weight>,
        bias: Option<Small>,
        adapters: Vec<Adapter>,
        arithmetic: Arithmetic,
    ) -> Result<Self, Error> {
        let weight = weight.into();
        if let Some(bias) = &bias
            && bias.dims() != [weight.rows()]
        {
            bail_shape("a linear layer's bias", &[weight.rows()], bias.dims())?;
        }
        for Adapter { a, b, .. } in &adapters {
            let rank = a.rows();
            let found = [a.rows(), a.cols(), b.rows(), b.cols()];
            let expected = [rank, weight.cols(), weight.rows(), rank];
            if found != expected {
                bail_shape("an adapter's A and B", &expected, &found)?;
            }
        }
        Ok(Self(Arc::new(Parts { weight, bias, adapters, arithmetic, tally: None })))
    }

    /// The layer, adding every row that it multiplies to a tally of as many inputs.
    pub fn counting(self, tally: Arc<Tally>) -> Self {
        Self(Arc::new(Parts { tally: Some(tally), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The weight, (outputs, inputs).
    pub fn weight(&self) -> &Weight {
        &self.0.weight
    }

    /// Its adapters.
    pub fn adapters(&self) -> &[Adapter] {
        &self.0.adapters
    }

    /// What its products are made of.
    pub fn arithmetic(&self) -> Arithmetic {
        self.0.arithmetic
    }

    /// Whether any of its weights is trained.
    pub fn is_trained(&self) -> bool {
        let adapters = self.adapters().iter().flat_map(|adapter| [&adapter.a, &adapter.b]);
        let bias = self.0.bias.as_ref().and_then(Small::trained);
        bias.is_some() || adapters.chain([self.weight()]).any(|weight| weight.trained().is_some())
    }

    /// Whether a pass has something to teach it: as above, less adapters without rows to act on.
    pub fn learns(&self, acting: &Acting) -> bool {
        let adapters = self.active(acting).flat_map(|adapter| [&adapter.a, &adapter.b]);
        let bias = self.0.bias.as_ref().and_then(Small::trained);
        bias.is_some() || adapters.chain([self.weight()]).any(|weight| weight.trained().is_some())
    }

    /// Multiplies rows: (…, inputs) → (…, outputs). Adapters act on the rows that `acting` names.
    ///
    /// # Errors
    /// When the last extent is not the layer's inputs.
    pub fn forward(&self, x: &Value, acting: &Acting) -> Result<Value, Error> {
        let [out] = Self::over([self], x, acting)?;
        Ok(out)
    }

    /// As [`Linear::forward`], on top of what goes past the layer: `onto` + its outputs.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward_onto(&self, x: &Value, onto: &Value, acting: &Acting) -> Result<Value, Error> {
        self.check(x.tensor())?;
        let dims = self.outputs_of(x.tensor());
        if onto.tensor().dims() != dims {
            bail_shape("what goes past a linear layer", &dims, onto.tensor().dims())?;
        }
        if !x.has_kernels() {
            let [out] = Self::over_on_device([self], x, acting)?;
            let sum = (out.tensor() + onto.tensor())?;
            let back = |dy: Gradient| Ok(vec![Some(dy.clone()), Some(dy)]);
            return Ok(Value::made(sum, &[&out, onto], false, back));
        }
        let rows = x.tensor().contiguous()?;
        let past = onto.tensor().contiguous()?;
        let (out, inners) = read(&rows, |values| {
            read(&past, |past| {
                let rows = Rows::new(values, self.weight().cols());
                self.multiply(&rows, Some(past), acting)
            })
        })?;
        let out = self.shaped(x.tensor(), out)?;
        let kept = Kept::new(self, x, &rows, acting, inners);
        if !x.is_recorded() && !onto.is_recorded() {
            kept.give();
            return Ok(Value::plain(out));
        }
        Ok(Value::made(out, &[x, onto], self.learns(acting), move |dy| {
            let dx = read(&dy.contiguous()?, |dy| back::back(&[(&kept, dy)]))?;
            kept.give();
            Ok(vec![dx.map(Into::into), Some(dy)])
        }))
    }

    /// Three layers over the same rows, which are brought into their products' form once:
    /// (…, inputs) → (…, outputs) of each.
    ///
    /// # Errors
    /// When the last extent is not each layer's inputs.
    pub fn forward_three(
        layers: [&Self; 3],
        x: &Value,
        acting: &Acting,
    ) -> Result<[Value; 3], Error> {
        Self::over(layers, x, acting)
    }

    fn over<const N: usize>(
        layers: [&Self; N],
        x: &Value,
        acting: &Acting,
    ) -> Result<[Value; N], Error> {
        layers.iter().try_for_each(|layer| layer.check(x.tensor()))?;
        if !x.has_kernels() {
            return Self::over_on_device(layers, x, acting);
        }
        let rows = x.tensor().contiguous()?;
        let products = read(&rows, |values| {
            let rows = Rows::new(values, layers[0].weight().cols());
            Ok(layers.map(|layer| layer.multiply(&rows, None, acting)))
        })?;
        let outs = layers.iter().zip(products).map(|(layer, product)| {
            let (out, inners) = product?;
            let out = layer.shaped(x.tensor(), out)?;
            Ok(layer.made(out, x, acting, Kept::new(layer, x, &rows, acting, inners)))
        });
        Ok(array(outs.collect::<Result<Vec<_>, Error>>()?))
    }

    /// The inner rows of a gated feed-forward layer: silu(gate x) · up x, (n, inputs) → (n, outputs).
    ///
    /// # Errors
    /// When shapes do not fit, or one of the two has a bias, which the kernel has no place for.
    pub fn gated(gate: &Self, up: &Self, x: &Value, acting: &Acting) -> Result<Value, Error> {
        for layer in [gate, up] {
            layer.check(x.tensor())?;
            if let Some(bias) = &layer.0.bias {
                bail_shape("a gated layer's bias", &[], bias.dims())?;
            }
        }
        if !x.has_kernels() {
            return Self::gated_on_device(gate, up, x, acting);
        }
        let rows = x.tensor().contiguous()?;
        if x.is_recorded() {
            return Self::gated_recorded(gate, up, x, &rows, acting);
        }
        let out = read(&rows, |values| {
            let rows = Rows::new(values, gate.weight().cols());
            let (out, inners) = gate.with_terms(&rows, acting, |gates| {
                up.with_terms(&rows, acting, |ups| gated(gates, ups, gate.arithmetic()))
            })?;
            let (out, more) = out?;
            inners.into_iter().chain(more).for_each(give);
            Ok(out)
        })?;
        Ok(Value::plain(gate.shaped(x.tensor(), out)?))
    }

    /// As above, keeping both products: they decide the way back.
    fn gated_recorded(
        gate: &Self,
        up: &Self,
        x: &Value,
        rows: &Tensor,
        acting: &Acting,
    ) -> Result<Value, Error> {
        let (made, gate_inners, up_inners) = read(rows, |values| {
            let rows = Rows::new(values, gate.weight().cols());
            let (made, gate_inners) = gate.with_terms(&rows, acting, |gates| {
                up.with_terms(&rows, acting, |ups| gated_kept(gates, ups, gate.arithmetic()))
            })?;
            let (made, up_inners) = made?;
            Ok((made, gate_inners, up_inners))
        })?;
        let Gated { gate: gates, up: ups, inner } = made;
        let out = gate.shaped(x.tensor(), inner)?;
        let learns = gate.learns(acting) || up.learns(acting);
        let gate = Kept::new(gate, x, rows, acting, gate_inners);
        let up = Kept::new(up, x, rows, acting, up_inners);
        Ok(Value::made(out, &[x], learns, move |dy| {
            let (mut dgate, mut dup) = (floats(gates.len()), floats(ups.len()));
            read(&dy.contiguous()?, |dy| {
                elementwise::silu_mul_backward(&gates, &ups, dy, &mut dgate, &mut dup);
                Ok(())
            })?;
            dy.recycle();
            [gates, ups].into_iter().for_each(give);
            let dx = back::back(&[(&gate, &dgate), (&up, &dup)])?;
            [dgate, dup].into_iter().for_each(give);
            [gate, up].into_iter().for_each(Kept::give);
            Ok(vec![dx.map(Into::into)])
        }))
    }

    /// The product with the bias, on top of other rows perhaps, and the adapters' inner rows.
    fn multiply(
        &self,
        rows: &Rows,
        onto: Option<&[f32]>,
        acting: &Acting,
    ) -> Result<(Vec<f32>, Vec<Vec<f32>>), Error> {
        let arithmetic = self.arithmetic();
        let sum = |terms: &[Term], bias: Option<&[f32]>| match onto {
            Some(onto) => product_onto(terms, bias, onto, arithmetic),
            None => product(terms, bias, arithmetic),
        };
        match &self.0.bias {
            Some(bias) => read(bias.tensor(), |bias| {
                self.with_terms(rows, acting, |terms| sum(terms, Some(bias)))
            }),
            None => self.with_terms(rows, acting, |terms| sum(terms, None)),
        }
    }

    /// Hands the layer's summands to `multiply`: W, and the B of each adapter that has rows to act on.
    /// Returns these adapters' inner rows too.
    fn with_terms<R>(
        &self,
        rows: &Rows,
        acting: &Acting,
        multiply: impl FnOnce(&[Term]) -> R,
    ) -> Result<(R, Vec<Vec<f32>>), Error> {
        if let Some(tally) = &self.0.tally {
            tally.add(rows.values(), std::slice::from_ref(&(0..rows.count())));
        }
        let lent = self.weight().lend()?;
        let base = Term { rows, weight: lent.weight() };
        let adapters: Vec<&Adapter> = self.active(acting).collect();
        if adapters.is_empty() {
            return Ok((multiply(&[base]), Vec::new()));
        }
        let inner = |adapter: &&Adapter| adapter.inner(rows, acting, self.arithmetic());
        let inners = adapters.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
        let lent =
            adapters.iter().map(|adapter| adapter.b.lend()).collect::<Result<Vec<_>, _>>()?;
        for (adapter, inner) in adapters.iter().zip(&inners) {
            if let Some([_, tally]) = &adapter.tallies {
                tally.add(inner, adapter.rows(acting, rows.count()).runs());
            }
        }
        let rows: Vec<Rows> = inners
            .iter()
            .zip(&adapters)
            .map(|(inner, adapter)| Rows::new(inner, adapter.b.cols()))
            .collect();
        let parts = rows.iter().zip(&lent).map(|(rows, b)| Term { rows, weight: b.weight() });
        let terms: Vec<Term> = std::iter::once(base).chain(parts).collect();
        let result = multiply(&terms);
        drop(rows);
        Ok((result, inners))
    }

    /// The adapters that have rows to act on.
    fn active(&self, acting: &Acting) -> impl Iterator<Item = &Adapter> {
        self.adapters().iter().filter(|adapter| adapter.acts(acting))
    }

    fn made(&self, out: Tensor, x: &Value, acting: &Acting, kept: Kept) -> Value {
        if !x.is_recorded() {
            kept.give();
            return Value::plain(out);
        }
        Value::made(out, &[x], self.learns(acting), move |dy| {
            let dx = read(&dy.contiguous()?, |dy| back::back(&[(&kept, dy)]))?;
            dy.recycle();
            kept.give();
            Ok(vec![dx.map(Into::into)])
        })
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        let inputs = self.weight().cols();
        if x.dim(D::Minus1)? == inputs {
            return Ok(());
        }
        bail_shape("a linear layer's rows", &[inputs], &x.dims()[x.rank() - 1..])
    }

    /// Rows of outputs in the shape of the inputs x.
    fn shaped(&self, x: &Tensor, out: Vec<f32>) -> Result<Tensor, Error> {
        Ok(Tensor::from_vec(out, self.outputs_of(x), &Device::Cpu)?)
    }

    /// The extents of the outputs for inputs x.
    fn outputs_of(&self, x: &Tensor) -> Vec<usize> {
        let mut dims = x.dims().to_vec();
        dims[x.rank() - 1] = self.weight().rows();
        dims
    }
}

fn array<T, const N: usize>(values: Vec<T>) -> [T; N] {
    values.try_into().ok().expect("one for each layer")
}

/// The error of two shapes that should be one.
pub(crate) fn bail_shape(what: &str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    Err(candle_core::Error::Msg(format!("{what}: expected shape {expected:?}, found {found:?}"))
        .into())
}
