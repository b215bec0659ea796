//! Keys and values of the positions a sequence has already seen.
//!
//! They lie in pages of a fixed number of positions, made when they are needed: nothing is copied when a
//! sequence grows, and memory follows its length. A copy of a cache ([`Clone`]: a beam, a conversation over
//! the same picture) shares all pages, and copies the last one when it first writes to it.
//! Deliberately absent: positions of more than one sequence (a batch is a list of caches), attention itself
//! (see [`crate::attention`]), files (see `saved`), devices (see `device`).

use std::sync::Arc;

use candle_core::Tensor;
use half::f16;
use ixc_kernels::{
    attention::{Stored, StoredMut, Stretch},
    cpu,
};

pub use ixc_kernels::attention::KvType;

use crate::{Error, attention::rows};

mod device;
mod saved;

/// Positions of a page. The blocks of the kernels divide it, so none lies across pages.
pub const PAGE: usize = 64;

/// What a cache holds for each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// Layers of the model.
    pub layers: usize,
    /// Key and value heads of a layer.
    pub kv_heads: usize,
    /// Width of a head.
    pub width: usize,
    /// How the numbers are stored.
    pub kind: KvType,
}

impl CacheShape {
    /// Bytes of one position, in all layers.
    pub fn bytes_per_position(&self) -> u64 {
        let row = self.kind.row_bytes(self.width) as u64;
        2 * row * (self.kv_heads as u64) * (self.layers as u64)
    }

    /// Bytes that so many positions take, in whole pages.
    pub fn bytes(&self, positions: usize) -> u64 {
        let positions = (positions.div_ceil(PAGE) as u64).saturating_mul(PAGE as u64);
        positions.saturating_mul(self.bytes_per_position())
    }
}

/// New rows of keys or values: head h of position i starts at h · `head` + i · `position`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The numbers.
    pub numbers: &'a [f32],
    /// Numbers from one head to the next.
    pub head: usize,
    /// Numbers from one position to the next.
    pub position: usize,
}

/// Rows in storage: (kv_heads, PAGE, width).
#[derive(Clone, Debug)]
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Q8 { numbers: Vec<i8>, scales: Vec<f32> },
}

impl Numbers {
    fn zeros(kind: KvType, rows: usize, width: usize) -> Self {
        match kind {
            KvType::F32 => Self::F32(vec![0.0; rows * width]),
            KvType::F16 => Self::F16(vec![f16::ZERO; rows * width]),
            KvType::Q8 => Self::Q8 { numbers: vec![0; rows * width], scales: vec![0.0; rows] },
        }
    }

    fn stored(&self) -> Stored<'_> {
        match self {
            Self::F32(numbers) => Stored::F32(numbers),
            Self::F16(numbers) => Stored::F16(numbers),
            Self::Q8 { numbers, scales } => Stored::Q8 { numbers, scales },
        }
    }

    fn stored_mut(&mut self) -> StoredMut<'_> {
        match self {
            Self::F32(numbers) => StoredMut::F32(numbers),
            Self::F16(numbers) => StoredMut::F16(numbers),
            Self::Q8 { numbers, scales } => StoredMut::Q8 { numbers, scales },
        }
    }
}

/// Keys and values of `PAGE` positions in one layer.
#[derive(Clone, Debug)]
struct Page {
    k: Numbers,
    v: Numbers,
}

impl Page {
    fn new(shape: &CacheShape) -> Self {
        let zeros = || Numbers::zeros(shape.kind, shape.kv_heads * PAGE, shape.width);
        Self { k: zeros(), v: zeros() }
    }
}

/// One layer's keys and values.
#[derive(Clone, Debug)]
pub struct LayerCache {
    shape: CacheShape,
    pages: Vec<Arc<Page>>,
    len: usize,
    /// In place of pages, where a device computes.
    resident: Option<device::Resident>,
}

impl LayerCache {
    /// What it holds for each position.
    pub fn shape(&self) -> &CacheShape {
        &self.shape
    }

    /// Appends `count` new positions, keys already rotated.
    ///
    /// # Panics
    /// When the rows hold fewer numbers.
    pub fn append_rows(&mut self, k: Rows, v: Rows, count: usize) {
        let CacheShape { kv_heads, width, .. } = self.shape;
        let path = cpu::path();
        let mut done = 0;
        while done < count {
            let inside = self.len % PAGE;
            let some = (PAGE - inside).min(count - done);
            let page = self.last_page();
            for (target, rows) in [(&mut page.k, k), (&mut page.v, v)] {
                let mut target = target.stored_mut();
                for head in 0..kv_heads {
                    for position in 0..some {
                        let start = head * rows.head + (done + position) * rows.position;
                        let row = head * PAGE + inside + position;
                        target.set_row(path, row, &rows.numbers[start..start + width]);
                    }
                }
            }
            self.len += some;
            done += some;
        }
    }

    /// Appends new positions, each (kv_heads, t, width), keys already rotated.
    ///
    /// # Errors
    /// When the shapes are not the cache's, or the tensors not float32 on the CPU.
    pub fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<(), Error> {
        self.check(k, v)?;
        let count = k.dim(1)?;
        rows(k, |k| rows(v, |v| self.append_rows(k, v, count)))??;
        Ok(())
    }

    /// Checks that keys and values are those of some positions of this cache.
    fn check(&self, k: &Tensor, v: &Tensor) -> Result<(), Error> {
        let found = k.dims3()?;
        let expected = (self.shape.kv_heads, found.1, self.shape.width);
        if found == expected && v.dims3()? == expected {
            return Ok(());
        }
        Err(candle_core::Error::Msg(format!(
            "cache: expected keys and values of {} heads of {}, found {:?} and {:?}",
            self.shape.kv_heads,
            self.shape.width,
            k.dims(),
            v.dims()
        ))
        .into())
    }

    /// The page that the next position belongs to, this cache's own.
    fn last_page(&mut self) -> &mut Page {
        let index = self.len / PAGE;
        if index == self.pages.len() {
            self.pages.push(Arc::new(Page::new(&self.shape)));
        }
        Arc::make_mut(&mut self.pages[index])
    }

    /// All positions in order, for attention.
    pub fn stretches(&self) -> Vec<Stretch<'_>> {
        let pages = self.pages.iter().enumerate().map(|(index, page)| Stretch {
            k: page.k.stored(),
            v: page.v.stored(),
            len: PAGE.min(self.len - index * PAGE),
            head_rows: PAGE,
            position_rows: 1,
        });
        pages.collect()
    }

    fn truncate(&mut self, len: usize) {
        if len < self.len {
            // A view, which the next positions copy.
            let cut = |x: Tensor| x.narrow(1, 0, len).expect("fewer than there are");
            self.resident = self.resident.take().map(|sides| sides.map(cut));
        }
        self.len = self.len.min(len);
        self.pages.truncate(self.len.div_ceil(PAGE));
    }
}

/// The keys and values of one sequence, in every layer.
#[derive(Clone, Debug)]
pub struct KvCache {
    shape: CacheShape,
    layers: Vec<LayerCache>,
    len: usize,
}

impl KvCache {
    /// An empty cache.
    pub fn new(shape: CacheShape) -> Self {
        let layer = LayerCache { shape, pages: Vec::new(), len: 0, resident: None };
        Self { shape, layers: vec![layer; shape.layers], len: 0 }
    }

    /// What it holds for each position.
    pub fn shape(&self) -> &CacheShape {
        &self.shape
    }

    /// How many positions it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of its pages, those included that copies share.
    pub fn bytes(&self) -> u64 {
        let positions = |layer: &LayerCache| match &layer.resident {
            Some([k, _]) => k.dims()[1],
            None => layer.pages.len() * PAGE,
        };
        let positions: usize = self.layers.iter().map(positions).sum();
        let row = self.shape.kind.row_bytes(self.shape.width);
        2 * (positions * self.shape.kv_heads * row) as u64
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

    /// Forgets all positions from `len` on, and those that a pass which did not end has left in some
    /// layers.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.layers.iter_mut().for_each(|layer| layer.truncate(self.len));
    }
}
