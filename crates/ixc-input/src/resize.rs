//! Pillow's resampling of 8-bit pictures, equal to the last bit.
//!
//! A filter as wide as the source demands when shrinking (antialiasing), two passes with 8-bit pixels
//! between them, weights in fixed point of 22 fractional bits. A pass along a side that keeps its
//! length is left out. The order of the passes is Pillow 13's; earlier ones always began with the
//! horizontal one, which rounds tall pictures differently. Source: Pillow's `Resample.c`.
//! Deliberately absent: torch's resampling (no antialiasing, another cubic), which works on tensors.

use std::borrow::Cow;

use crate::image::Picture;

/// How a pixel of the result is drawn from its neighbours in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle over 2 pixels.
    Bilinear,
    /// Keys' cubic with a = -0.5 over 4 pixels.
    Bicubic,
}

impl Filter {
    /// Half the filter's width, in pixels of the coarser side.
    pub fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    /// The filter's value at a distance, in pixels of the coarser side.
    pub fn weight(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Filter::Bilinear if x < 1.0 => 1.0 - x,
            Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// Fractional bits of a weight: a product with a byte and the sum's overshoot still fit 32 bits.
const PRECISION: u32 = 32 - 8 - 2;
/// Half a unit, so that the shift rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// The picture at another size; its aspect ratio is the caller's to keep or not.
///
/// # Panics
/// When a side is 0.
pub fn resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Picture {
    assert!(width > 0 && height > 0, "a picture has pixels, found {width}x{height}");
    let (width, height) = (width as usize, height as usize);
    let mut now = (picture.width() as usize, picture.height() as usize);
    let mut rgb = Cow::Borrowed(picture.rgb()); // (rows, columns, 3)
    for pass in order(now, (width, height)) {
        match pass {
            Pass::Across if now.0 != width => {
                rgb = across(&rgb, now.0, &Taps::new(now.0, width, filter)).into();
                now.0 = width;
            }
            Pass::Down if now.1 != height => {
                rgb = down(&rgb, 3 * now.0, &Taps::new(now.1, height, filter)).into();
                now.1 = height;
            }
            _ => {}
        }
    }
    Picture::from_rgb(width as u32, height as u32, rgb.into_owned())
}

/// One of the two passes.
#[derive(Clone, Copy)]
enum Pass {
    Across,
    Down,
}

/// The vertical pass goes first when it takes away more than twice the pixels a column that the
/// horizontal one takes away a row: the second pass then has less to do.
fn order(old: (usize, usize), new: (usize, usize)) -> [Pass; 2] {
    let columns_lost = old.0 as i64 - new.0 as i64;
    let rows_lost = old.1 as i64 - new.1 as i64;
    if rows_lost > 0 && rows_lost > 2 * columns_lost {
        [Pass::Down, Pass::Across]
    } else {
        [Pass::Across, Pass::Down]
    }
}

/// For every place of the result: which places of the source it is drawn from, and how much of each.
struct Taps {
    /// First source place and number of places.
    spans: Vec<(usize, usize)>,
    /// `stride` weights for each span, those beyond its number unused.
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    /// The taps that turn `old` places into `new` ones, in Pillow's own order of operations.
    fn new(old: usize, new: usize, filter: Filter) -> Taps {
        let scale = old as f64 / new as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let stride = support.ceil() as usize * 2 + 1;
        let mut spans = Vec::with_capacity(new);
        let mut weights = vec![0; new * stride];
        let mut exact = Vec::with_capacity(stride);
        for place in 0..new {
            let center = (place as f64 + 0.5) * scale;
            // Casts truncate towards 0, and a negative start becomes 0.
            let first = (center - support + 0.5) as usize;
            let count = ((center + support + 0.5) as usize).min(old) - first;
            exact.clear();
            exact.extend((0..count).map(|tap| {
                filter.weight((tap as f64 + first as f64 - center + 0.5) * (1.0 / stretch))
            }));
            let sum: f64 = exact.iter().sum();
            for (weight, &exact) in weights[place * stride..].iter_mut().zip(&exact) {
                let normal = if sum != 0.0 { exact / sum } else { exact };
                let scaled = normal * f64::from(1 << PRECISION);
                *weight = (scaled + if normal < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            spans.push((first, count));
        }
        Taps { spans, weights, stride }
    }

    /// Each place's first source place and its weights.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let weights = self.weights.chunks_exact(self.stride);
        self.spans.iter().zip(weights).map(|(&(first, count), all)| (first, &all[..count]))
    }
}

/// The horizontal pass: (rows, width, 3) to (rows, places, 3).
fn across(rgb: &[u8], width: usize, taps: &Taps) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let mut out = Vec::with_capacity(pixels.len() / width * taps.spans.len() * 3);
    for row in pixels.chunks_exact(width) {
        for (first, weights) in taps.iter() {
            let mut sums = [HALF; 3];
            for (pixel, &weight) in row[first..].iter().zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.map(clip));
        }
    }
    out
}

/// The vertical pass: (height, row) bytes to (places, row) bytes.
fn down(rgb: &[u8], row: usize, taps: &Taps) -> Vec<u8> {
    let mut out = Vec::with_capacity(taps.spans.len() * row);
    let mut sums = vec![HALF; row];
    for (first, weights) in taps.iter() {
        sums.fill(HALF);
        for (line, &weight) in rgb[first * row..].chunks_exact(row).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += i32::from(value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| clip(sum)));
    }
    out
}

/// Back from fixed point, saturated to a byte.
fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}
