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

/// Numbers of a matrix of which row goes where, held at once: 256 MiB of float32.
const CHOICES: usize = 1 << 26;

/// Rows of several values, behind one another; a value may give several pieces.
///
/// # Errors
/// When there is none, rows are not there, or other extents differ.
pub fn cat(pieces: &[(Value, Range<usize>)]) -> Result<Value, Error> {
    let mut sources: Vec<&Value> = Vec::new();
    let mut places = Vec::with_capacity(pieces.len()); // (source, its rows)
    for (x, rows) in pieces {
        let known = sources.iter().position(|source| source.is(x));
        let source = known.unwrap_or_else(|| {
            sources.push(x);
            sources.len() - 1
        });
        places.push((source, rows.clone()));
    }
    let kernels = sources.iter().all(|x| x.has_kernels());
    let out = if kernels { narrowed(pieces)? } else { picked(&sources, &places)? };
    let extents: Vec<(Vec<usize>, bool)> =
        sources.iter().map(|x| (x.tensor().dims().to_vec(), x.wants_gradient())).collect();
    // One piece alone is not copied.
    Ok(Value::seen(out, &sources, false, move |gradient| {
        if !has_kernels(&gradient) {
            return cut_apart(&gradient, &places, &extents);
        }
        read(&gradient.contiguous()?, |from| taken_apart(from, &places, &extents))
    }))
}

fn narrowed(pieces: &[(Value, Range<usize>)]) -> Result<Tensor, Error> {
    let narrow = |(x, rows): &(Value, Range<usize>)| x.tensor().narrow(0, rows.start, rows.len());
    let tensors = pieces.iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(&tensors, 0)?)
}

/// As [`narrowed`], in as many operations as there are sources: a device takes its time for each.
fn picked(sources: &[&Value], places: &[(usize, Range<usize>)]) -> Result<Tensor, Error> {
    let mut starts = Vec::with_capacity(sources.len());
    let mut count = 0;
    for source in sources {
        starts.push(count);
        count += source.tensor().dim(0)?;
    }
    let rows = |(source, rows): &(usize, Range<usize>)| {
        let start = starts[*source];
        rows.clone().map(move |row| (start + row) as u32)
    };
    let rows: Vec<u32> = places.iter().flat_map(rows).collect();
    let tensors: Vec<&Tensor> = sources.iter().map(|source| source.tensor()).collect();
    let all = Tensor::cat(&tensors, 0)?;
    if rows.iter().copied().eq(0..count as u32) {
        return Ok(all);
    }
    Ok(all.index_select(&Tensor::new(rows.as_slice(), all.device())?, 0)?)
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
    let mut rows: Vec<Vec<(u32, u32)>> = vec![Vec::new(); extents.len()]; // (there, here)
    let mut start = 0;
    for (source, of) in places {
        rows[*source].extend((of.start as u32..of.end as u32).zip(start..));
        start += of.len() as u32;
    }
    let mut gradients = Vec::with_capacity(extents.len());
    for (pairs, (dims, wanted)) in rows.iter().zip(extents) {
        gradients.push(match wanted {
            true => Some(spread(from, pairs, dims[0])?.into()),
            false => None,
        });
    }
    Ok(gradients)
}

/// Adds rows to `count` rows of zeros, of candle's operations: pairs of the row there and the row here.
fn spread(from: &Tensor, pairs: &[(u32, u32)], count: usize) -> Result<Tensor, Error> {
    let (from, nothing) = (from.contiguous()?, from.dim(0)? as u32);
    let mut sources = vec![nothing; count];
    for &(there, here) in pairs {
        let source = &mut sources[there as usize];
        if *source != nothing {
            let (there, here): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
            let here = Tensor::new(here.as_slice(), from.device())?;
            return add_rows(&from.index_select(&here, 0)?, &there, count);
        }
        *source = here;
    }
    // Each row at most once: picking is much faster there than adding.
    let sources = Tensor::from_vec(sources, count, from.device())?;
    Ok(from.pad_with_zeros(0, 0, 1)?.index_select(&sources, 0)?)
}

/// Adds rows to `count` rows of zeros, each at its place: a product with a matrix of 0 and 1, since candle's own
/// addition takes the rows one after the other.
pub(crate) fn add_rows(from: &Tensor, places: &[u32], count: usize) -> Result<Tensor, Error> {
    let (device, dtype) = (from.device(), from.dtype());
    let mut dims = from.dims().to_vec();
    let width: usize = dims[1..].iter().product();
    let from = from.reshape((dims[0], width))?;
    let all = Tensor::arange(0, count as u32, device)?.unsqueeze(0)?;
    let mut sum = Tensor::zeros((count, width), dtype, device)?;
    let most = (CHOICES / count.max(1)).max(1);
    for (chunk, places) in places.chunks(most).enumerate() {
        let some = from.narrow(0, chunk * most, places.len())?;
        let chosen = Tensor::new(places, device)?.unsqueeze(1)?.broadcast_eq(&all)?; // (rows, count)
        sum = (sum + chosen.to_dtype(dtype)?.t()?.matmul(&some)?)?;
    }
    dims[0] = count;
    Ok(sum.reshape(dims)?)
}

/// Some rows of x, (n, width) → (rows, width), in their order; none twice.
///
/// # Errors
/// When there is no such row.
pub fn select(x: &Value, rows: &[u32]) -> Result<Value, Error> {
    let (count, width) = x.tensor().dims2()?;
    let indices = Tensor::new(rows, x.tensor().device())?;
    let out = x.tensor().index_select(&indices, 0)?;
    let rows = rows.to_vec();
    if !x.has_kernels() {
        return Ok(Value::made(out, &[x], false, move |gradient| {
            let pairs: Vec<(u32, u32)> = rows.into_iter().zip(0..).collect();
            Ok(vec![Some(spread(&gradient, &pairs, count)?.into())])
        }));
    }
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
