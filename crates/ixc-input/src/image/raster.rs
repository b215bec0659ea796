//! Decoded samples of any layout become 8-bit RGB.
//!
//! Invariants: alpha is dropped, 16 bits keep their high byte, gray is repeated; where a pixel
//! takes three bytes or more the work happens in place, so that a large picture is held once.
//! Deliberately absent: palettes and CMYK, whose pixels need more than picking bytes.

use ::image::ColorType;

/// Which bytes of a pixel are its red, green and blue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes from one pixel to the next.
    pub(super) step: usize,
    /// The offsets of red, green and blue (thrice the same one: gray).
    pub(super) offsets: [usize; 3],
    /// The offset of its opacity.
    alpha: Option<usize>,
}

/// Where the high byte of a native 16-bit sample lies.
const HIGH: usize = if cfg!(target_endian = "little") { 1 } else { 0 };

impl Layout {
    /// Pixels of `samples` samples of one or two bytes, the first three (or the first) of which
    /// are colour.
    pub(super) fn new(samples: usize, bytes: usize, gray: bool) -> Layout {
        let high = if bytes == 2 { HIGH } else { 0 };
        let place = |sample: usize| if gray { high } else { sample * bytes + high };
        let alpha = matches!(samples, 2 | 4).then_some((samples - 1) * bytes + high);
        Layout { step: samples * bytes, offsets: [place(0), place(1), place(2)], alpha }
    }

    /// The layout of a decoder's output; `None` for floating point.
    pub(super) fn of(color: ColorType) -> Option<Layout> {
        Some(match color {
            ColorType::L8 => Layout::new(1, 1, true),
            ColorType::La8 => Layout::new(2, 1, true),
            ColorType::Rgb8 => Layout::new(3, 1, false),
            ColorType::Rgba8 => Layout::new(4, 1, false),
            ColorType::L16 => Layout::new(1, 2, true),
            ColorType::La16 => Layout::new(2, 2, true),
            ColorType::Rgb16 => Layout::new(3, 2, false),
            ColorType::Rgba16 => Layout::new(4, 2, false),
            _ => return None,
        })
    }
}

/// Mixes the colours with white by their opacity, where the layout has one. (Of 16 bits the high bytes, which
/// alone are kept.)
pub(super) fn lay_on_white(samples: &mut [u8], layout: Layout) {
    let Some(alpha) = layout.alpha else { return };
    let [red, green, blue] = layout.offsets;
    let colors = if red == green { &[red][..] } else { &[red, green, blue][..] };
    for pixel in samples.chunks_exact_mut(layout.step) {
        let opacity = u32::from(pixel[alpha]);
        for &color in colors {
            let mixed = u32::from(pixel[color]) * opacity + 255 * (255 - opacity);
            pixel[color] = ((mixed + 127) / 255) as u8;
        }
    }
}

/// The samples as RGB, three bytes a pixel.
pub(super) fn to_rgb(mut samples: Vec<u8>, layout: Layout) -> Vec<u8> {
    let Layout { step, offsets: [red, green, blue], .. } = layout;
    if step < 3 {
        return samples
            .chunks_exact(step)
            .flat_map(|pixel| [pixel[red], pixel[green], pixel[blue]])
            .collect();
    }
    if step == 3 {
        return samples;
    }
    let pixels = samples.len() / step;
    for pixel in 0..pixels {
        let at = pixel * step;
        let rgb = [samples[at + red], samples[at + green], samples[at + blue]];
        samples[3 * pixel..3 * pixel + 3].copy_from_slice(&rgb);
    }
    samples.truncate(3 * pixels);
    samples.shrink_to_fit();
    samples
}

/// Pillow's CMYK to RGB: `(255 - ink) * (255 - black) / 255`, rounded.
pub(super) fn cmyk_to_rgb(cmyk: [u8; 4]) -> [u8; 3] {
    let white = 255 - i32::from(cmyk[3]);
    [cmyk[0], cmyk[1], cmyk[2]].map(|ink| {
        // Pillow's MULDIV255, an exact rounded division by 255.
        let product = i32::from(ink) * white + 128;
        (white - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
    })
}
