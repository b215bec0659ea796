//! Picture files for the tests: by the encoders of the crates we read with, and by hand.
//!
//! Deliberately absent: files from elsewhere; those are the goldens'.
#![allow(dead_code)] // each test binary uses its part

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use ixc_input::image::Picture;

/// A small generator of numbers: the same for the same seed, forever.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.roll() >> 11) as usize % count.max(1)
    }
}

/// A picture of smooth colours with some noise on them.
pub(crate) fn sample(width: u32, height: u32) -> Picture {
    let mut dice = Dice::new(u64::from(width) << 16 | u64::from(height));
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let smooth = [x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)];
            rgb.extend(smooth.map(|level| (level as u8).saturating_add(dice.below(20) as u8)));
        }
    }
    Picture::from_rgb(width, height, rgb)
}

/// The picture as a file of a format that `image` writes.
pub(crate) fn encode(picture: &Picture, format: ImageFormat) -> Vec<u8> {
    let rgb = RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec());
    encode_image(&DynamicImage::ImageRgb8(rgb.expect("a full raster")), format)
}

pub(crate) fn encode_image(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).expect("the encoder takes it");
    file.into_inner()
}

/// One frame of a GIF: place, size and palette indices.
pub(crate) struct Frame {
    pub(crate) left: u16,
    pub(crate) top: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) indices: Vec<u8>,
    pub(crate) transparent: Option<u8>,
}

/// A GIF with one palette for all frames.
pub(crate) fn gif(width: u16, height: u16, palette: &[u8], frames: Vec<Frame>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, width, height, palette).expect("a GIF");
    for frame in frames {
        let frame = gif::Frame {
            left: frame.left,
            top: frame.top,
            width: frame.width,
            height: frame.height,
            buffer: frame.indices.into(),
            transparent: frame.transparent,
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    file
}

/// A TIFF of one page, with more tags of 16-bit values.
pub(crate) fn tiff<C>(width: u32, height: u32, data: &[C::Inner], tags: &[(u16, &[u16])]) -> Vec<u8>
where
    C: tiff::encoder::colortype::ColorType,
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).expect("a TIFF");
    let mut page = encoder.new_image::<C>(width, height).expect("a page");
    for &(tag, values) in tags {
        page.encoder().write_tag(tiff::tags::Tag::from_u16_exhaustive(tag), values).expect("a tag");
    }
    page.write_data(data).expect("a raster");
    file.into_inner()
}

/// A PNG chunk with its check sum.
pub(crate) fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(data);
    let sum = crc(&chunk[4..]);
    chunk.extend(sum.to_be_bytes());
    chunk
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 != 0 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

/// A PNG by hand: `kind` is the colour type, `chunks` stand before the pixels, `data` is compressed.
pub(crate) fn png(
    (width, height): (u32, u32),
    (depth, kind): (u8, u8),
    chunks: &[Vec<u8>],
    data: &[u8],
) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, kind, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(chunk(b"IHDR", &header));
    file.extend(chunks.concat());
    file.extend(chunk(b"IDAT", data));
    file.extend(chunk(b"IEND", &[]));
    file
}

/// A zlib stream that stores its bytes as they are.
pub(crate) fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut parts = bytes.chunks(0xffff).peekable();
    while let Some(part) = parts.next() {
        let length = part.len() as u16;
        stream.push(u8::from(parts.peek().is_none()));
        stream.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        stream.extend(part);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// A zlib stream of `1 + 258 * runs` zeros, 158 times smaller. Its check sum is left out.
pub(crate) fn zeros(runs: usize) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let (mut buffer, mut held) = (0u64, 0);
    // Huffman codes go highest bit first into bytes that fill from the lowest.
    let mut write = |code: u64, bits: u32| {
        for bit in (0..bits).rev() {
            buffer |= (code >> bit & 1) << held;
            held += 1;
            if held == 8 {
                stream.push(buffer as u8);
                (buffer, held) = (0, 0);
            }
        }
    };
    write(0b110, 3); // the last block, fixed codes (1, then 01 lowest bit first)
    write(0b0011_0000, 8); // the byte 0
    for _ in 0..runs {
        write(0b1100_0101, 8); // 258 times
        write(0, 5); // the byte before
    }
    write(0, 7); // the end
    write(0, 7);
    stream
}

/// A RIFF file of the WebP kind.
pub(crate) fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(*data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

/// The `VP8X` chunk's data: flags and the canvas.
pub(crate) fn webp_canvas(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let mut data = vec![flags, 0, 0, 0];
    data.extend(&(width - 1).to_le_bytes()[..3]);
    data.extend(&(height - 1).to_le_bytes()[..3]);
    data
}

/// A lossless WebP chunk that states a size and holds no picture.
pub(crate) fn webp_claim(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | (height - 1) << 14;
    [&[0x2f][..], &bits.to_le_bytes(), &[0; 16]].concat()
}

/// A BMP header of 24 bits a pixel with nothing behind it.
pub(crate) fn bmp_claim(width: i32, height: i32) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for number in [54, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file
}

/// A JPEG whose frame header states another size.
pub(crate) fn jpeg_claim(width: u16, height: u16) -> Vec<u8> {
    let mut file = encode(&sample(16, 16), ImageFormat::Jpeg);
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

/// An EXIF block that holds an orientation only, as it stands in a PNG.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0".to_vec();
    block.extend([1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}
