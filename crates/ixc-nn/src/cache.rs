//! Keys and values of the positions a sequence has already seen.
//!
//! Each layer holds frozen segments, shared between forks (beams, conversations over one image),
//! and a tail of its own that grows in place. [`KvCache::fork`] copies only the tail.
//! Deliberately absent: positions of more than one sequence; a batch is a list of caches.

use std::io::{self, Read, Write};

use candle_core::{DType, Device, Tensor};

use crate::Error;

/// The tail grows by doubling from here, so that appending costs amortised constant time.
const TAIL_POSITIONS_MIN: usize = 64;

/// One stretch of positions: keys and values, each (kv_heads, capacity, width), `len` of them in use.
#[derive(Clone, Debug)]
struct Segment {
    k: Tensor,
    v: Tensor,
    len: usize,
}

impl Segment {
    fn empty(
        kv_heads: usize,
        capacity: usize,
        width: usize,
        device: &Device,
    ) -> Result<Self, Error> {
        let zeros = || Tensor::zeros((kv_heads, capacity, width), DType::F32, device);
        Ok(Self { k: zeros()?, v: zeros()?, len: 0 })
    }

    /// A copy of the positions in use with room for `capacity`; shares nothing with the original.
    fn moved(&self, capacity: usize) -> Result<Self, Error> {
        let (kv_heads, _, width) = self.k.dims3()?;
        let moved = Self::empty(kv_heads, capacity, width, self.k.device())?;
        if self.len > 0 {
            moved.k.slice_set(&self.k.narrow(1, 0, self.len)?.contiguous()?, 1, 0)?;
            moved.v.slice_set(&self.v.narrow(1, 0, self.len)?.contiguous()?, 1, 0)?;
        }
        Ok(Self { len: self.len, ..moved })
    }

    /// The positions in use: keys and values, each (kv_heads, len, width).
    fn used(&self) -> Result<(Tensor, Tensor), Error> {
        Ok((self.k.narrow(1, 0, self.len)?, self.v.narrow(1, 0, self.len)?))
    }
}

/// One layer's keys and values.
#[derive(Clone, Debug, Default)]
pub struct LayerCache {
    frozen: Vec<Segment>,
    tail: Option<Segment>,
}

impl LayerCache {
    /// Appends new positions, each (kv_heads, t, width), keys already rotated.
    ///
    /// # Errors
    /// When the shapes differ from those before.
    pub fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<(), Error> {
        let (kv_heads, count, width) = k.dims3()?;
        let tail = match self.tail.take() {
            Some(tail) => tail,
            None => Segment::empty(kv_heads, count.max(TAIL_POSITIONS_MIN), width, k.device())?,
        };
        let needed = tail.len + count;
        let capacity = tail.k.dim(1)?;
        let mut tail = if needed > capacity { tail.moved(needed.max(2 * capacity))? } else { tail };
        tail.k.slice_set(&k.contiguous()?, 1, tail.len)?;
        tail.v.slice_set(&v.contiguous()?, 1, tail.len)?;
        tail.len = needed;
        self.tail = Some(tail);
        Ok(())
    }

    /// The stretches of keys and values in order, each (kv_heads, len, width).
    ///
    /// # Errors
    /// When candle cannot narrow them.
    pub fn segments(&self) -> Result<Vec<(Tensor, Tensor)>, Error> {
        self.frozen.iter().chain(&self.tail).filter(|s| s.len > 0).map(Segment::used).collect()
    }

    fn freeze(&mut self) {
        self.frozen.extend(self.tail.take().filter(|tail| tail.len > 0));
    }

    fn fork(&self) -> Result<Self, Error> {
        let tail = match &self.tail {
            Some(tail) => Some(tail.moved(tail.k.dim(1)?)?),
            None => None,
        };
        Ok(Self { frozen: self.frozen.clone(), tail })
    }

    fn truncate(&mut self, len: usize) {
        let mut left = len;
        for segment in self.frozen.iter_mut().chain(&mut self.tail) {
            segment.len = segment.len.min(left);
            left -= segment.len;
        }
        self.frozen.retain(|segment| segment.len > 0);
    }
}

/// The keys and values of one sequence, in every layer.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
}

impl KvCache {
    /// An empty cache for a model of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { layers: vec![LayerCache::default(); layers], len: 0 }
    }

    /// How many positions it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One layer's part, to be appended to and read by attention.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn layer(&mut self, layer: usize) -> &mut LayerCache {
        &mut self.layers[layer]
    }

    /// Says that every layer has now been given `count` more positions.
    pub fn advance(&mut self, count: usize) {
        self.len += count;
    }

    /// Makes all positions so far a shared, immutable prefix of later forks.
    pub fn freeze(&mut self) {
        self.layers.iter_mut().for_each(LayerCache::freeze);
    }

    /// A cache with the same positions, independent from here on. Frozen positions are shared.
    ///
    /// # Errors
    /// When memory for the copied tail cannot be had.
    pub fn fork(&self) -> Result<Self, Error> {
        let layers = self.layers.iter().map(LayerCache::fork).collect::<Result<_, _>>()?;
        Ok(Self { layers, len: self.len })
    }

    /// Forgets all positions from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.layers.iter_mut().for_each(|layer| layer.truncate(len));
        self.len = self.len.min(len);
    }

    /// Writes all positions, layer by layer: keys, then values, each (kv_heads, len, width) in float32.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let numbers = |part: Vec<Tensor>| {
            let whole = Tensor::cat(&part, 1)?.contiguous()?; // (kv_heads, len, width)
            whole.flatten_all()?.to_vec1::<f32>()
        };
        for layer in &self.layers {
            let segments = layer.segments().map_err(io::Error::other)?;
            if segments.is_empty() {
                continue;
            }
            let (k, v): (Vec<Tensor>, Vec<Tensor>) = segments.into_iter().unzip();
            for part in [k, v] {
                for number in numbers(part).map_err(io::Error::other)? {
                    out.write_all(&number.to_le_bytes())?;
                }
            }
        }
        Ok(())
    }

    /// Reads what [`KvCache::write_to`] wrote, into an empty cache: `len` positions, each of kv_heads ·
    /// width in either part. Takes no more memory than there are bytes.
    ///
    /// # Errors
    /// When `input` ends early or cannot be read.
    pub fn read_from(
        mut self,
        input: &mut impl Read,
        len: usize,
        kv_heads: usize,
        width: usize,
    ) -> io::Result<Self> {
        let bytes = kv_heads * len * width * size_of::<f32>();
        let mut part = || {
            let mut read = Vec::new();
            input.by_ref().take(bytes as u64).read_to_end(&mut read)?;
            if read.len() < bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Tensor::from_raw_buffer(&read, DType::F32, &[kv_heads, len, width], &Device::Cpu)
                .map_err(io::Error::other)
        };
        if len > 0 {
            for layer in &mut self.layers {
                let (k, v) = (part()?, part()?);
                layer.append(&k, &v).map_err(io::Error::other)?;
            }
        }
        self.len = len;
        Ok(self)
    }
}
