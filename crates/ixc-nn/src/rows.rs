//! Rows of several values behind one another, and some rows of one.

use std::ops::Range;

use candle_core::{Device, Tensor};
use ixc_kernels::{elementwise, reduce::scatter_add};

use crate::{
    Error,
    device::has_kernels,
    graph::{Gradient, Value},
    numbers::read,
};

/// Rows of several values, behind one another; a value may give several pieces.
///
/// # Errors
/// When there is none, rows are not there, or other extents differ.
pub fn cat(pieces: &[(Value, Range<usize>)]) -> Result<Value, Error> {
    let narrow = |(x, rows): &(Value, Range<usize>)| x.tensor().narrow(0, rows.start, rows.len());
    let tensors = pieces.iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    let out = Tensor::cat(&tensors, 0)?;
    let mut sources: Vec<&Value> = Vec::new();
    let mut places = Vec::with_capacity(pieces.len()); // (source, its rows)
    for (x, rows) in pieces.iter().filter(|_| pieces.iter().any(|(x, _)| x.is_recorded())) {
        let known = sources.iter().position(|source| source.is(x));
        let source = known.unwrap_or_else(|| {
            sources.push(x);
            sources.len() - 1
        });
        places.push((source, rows.clone()));
    }
    let extents: Vec<(Vec<usize>, bool)> =
        sources.iter().map(|x| (x.tensor().dims().to_vec(), x.wants_gradient())).collect();
    Ok(Value::made(out, &sources.clone(), false, move |gradient| {
        if !has_kernels(&gradient) {
            return cut_apart(&gradient, &places, &extents);
        }
        read(&gradient.contiguous()?, |from| taken_apart(from, &places, &extents))
    }))
}

/// The way back from [`cat`].
fn taken_apart(
    from: &[f32],
    places: &[(usize, Range<usize>)],
    extents: &[(Vec<usize>, bool)],
) -> Result<Vec<Option<Gradient>>, Error> {
    let mut gradients = Vec::with_capacity(extents.len());
    for (source, (dims, wanted)) in extents.iter().enumerate() {
        if !wanted {
            gradients.push(None);
            continue;
        }
        let width: usize = dims[1..].iter().product();
        let mut all = vec![0f32; dims[0] * width];
        let mut start = 0;
        for (place, rows) in places {
            let numbers = rows.len() * width;
            if *place == source {
                let target = &mut all[rows.start * width..rows.end * width];
                elementwise::add(target, &from[start..start + numbers]);
            }
            start += numbers;
        }
        let gradient = Tensor::from_vec(all, dims.as_slice(), &Device::Cpu)?;
        gradients.push(Some(gradient.into()));
    }
    Ok(gradients)
}

/// As [`taken_apart`], of candle's operations.
fn cut_apart(
    from: &Tensor,
    places: &[(usize, Range<usize>)],
    extents: &[(Vec<usize>, bool)],
) -> Result<Vec<Option<Gradient>>, Error> {
    let mut sums: Vec<Option<Tensor>> = vec![None; extents.len()];
    let mut start = 0;
    for (source, rows) in places {
        let (dims, wanted) = &extents[*source];
        if *wanted {
            let piece = from.narrow(0, start, rows.len())?;
            let piece = piece.pad_with_zeros(0, rows.start, dims[0] - rows.end)?;
            let sum = &mut sums[*source];
            *sum = Some(match sum.take() {
                Some(before) => (before + piece)?,
                None => piece.contiguous()?,
            });
        }
        start += rows.len();
    }
    Ok(sums.into_iter().map(|sum| sum.map(Gradient::from)).collect())
}

/// Some rows of x, (n, width) → (rows, width), in their order; none twice.
///
/// # Errors
/// When there is no such row.
pub fn select(x: &Value, rows: &[u32]) -> Result<Value, Error> {
    let (count, width) = x.tensor().dims2()?;
    let indices = Tensor::new(rows, x.tensor().device())?;
    let out = x.tensor().index_select(&indices, 0)?;
    if !x.has_kernels() {
        return Ok(Value::made(out, &[x], false, move |gradient| {
            let all = Tensor::zeros((count, width), gradient.dtype(), gradient.device())?;
            Ok(vec![Some(all.index_add(&indices, &gradient.contiguous()?, 0)?.into())])
        }));
    }
    let rows = rows.to_vec();
    Ok(Value::made(out, &[x], false, move |gradient| {
        let mut all = vec![0f32; count * width];
        read(&gradient.contiguous()?, |some| {
            scatter_add(some, &rows, width, &mut all);
            Ok(())
        })?;
        gradient.recycle();
        Ok(vec![Some(Tensor::from_vec(all, (count, width), &Device::Cpu)?.into())])
    }))
}
