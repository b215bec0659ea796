//! Picture files of every format and kind, good and bad: what is read is what Pillow reads, what is
//! not read gives one of a fixed list of texts, and nothing panics.
#![allow(clippy::print_stdout)] // the figures belong in the test's output

mod files;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use files::{
    Dice, Frame, bmp_claim, chunk, encode, encode_image, exif, gif, jpeg_claim, png, sample,
    stored, tiff, webp, webp_canvas, webp_claim,
};
use image::{DynamicImage, ImageBuffer, ImageFormat};
use ixc_input::{
    Error,
    image::{Format, Orientation, Picture, load},
    limits::MAX_PICTURE_FILE_BYTES,
    prepare::{Geometry, TileStyle, canvas, prepare},
};
use tiff::encoder::colortype::{CMYK8, Gray8, Gray16, RGB8, RGBA8};

const AS_STORED: Orientation = Orientation::AsStored;

/// A palette of 16 colours that are all different.
fn palette() -> Vec<u8> {
    (0..16u8).flat_map(|index| [index * 16, 255 - index * 16, index * 5]).collect()
}

/// The same small picture in every format; GIF by indices, the rest by pixels.
fn seeds() -> Vec<(Format, Vec<u8>)> {
    let picture = sample(23, 17);
    let frame = Frame {
        left: 2,
        top: 1,
        width: 20,
        height: 12,
        indices: (0..240).map(|at| at as u8 % 16).collect(),
        transparent: Some(3),
    };
    let map: Vec<u16> = (0..768).map(|value| value * 85).collect();
    let indices: Vec<u8> = (0..23 * 17).map(|at| (at % 251) as u8).collect();
    let paletted = [&[0][..], &[0x6f; 12]].concat().repeat(17); // filter byte, 24 pixels of 4 bits
    let plte = chunk(b"PLTE", &palette());
    vec![
        (Format::Png, encode(&picture, ImageFormat::Png)),
        (Format::Png, png((24, 17), (4, 3), &[plte, chunk(b"eXIf", &exif(6))], &stored(&paletted))),
        (Format::Jpeg, encode(&picture, ImageFormat::Jpeg)),
        (Format::WebP, encode(&picture, ImageFormat::WebP)),
        (Format::Gif, gif(23, 17, &palette(), vec![frame])),
        (Format::Bmp, encode(&picture, ImageFormat::Bmp)),
        (Format::Tiff, tiff::<RGB8>(23, 17, picture.rgb(), &[])),
        (Format::Tiff, tiff::<Gray8>(23, 17, &indices, &[(262, &[3]), (320, &map)])),
    ]
}

fn read(file: &[u8]) -> Picture {
    load(file, AS_STORED).expect("a good picture")
}

fn refused(file: &[u8]) -> Error {
    load(file, AS_STORED).expect_err("a bad picture")
}

#[test]
fn lossless_formats_keep_every_pixel() {
    for (width, height) in [(1, 1), (1, 9), (9, 1), (37, 29)] {
        let picture = sample(width, height);
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
            assert_eq!(read(&encode(&picture, format)), picture, "{format:?} of {picture:?}");
        }
        let file = tiff::<RGB8>(width, height, picture.rgb(), &[]);
        assert_eq!(read(&file), picture, "TIFF of {picture:?}");
    }
}

#[test]
fn jpeg_stays_near() {
    let picture = sample(64, 48);
    let found = read(&encode(&picture, ImageFormat::Jpeg));
    assert_eq!((found.width(), found.height()), (64, 48));
    let differences = found.rgb().iter().zip(picture.rgb()).map(|(a, b)| u32::from(a.abs_diff(*b)));
    let mean = f64::from(differences.sum::<u32>()) / picture.rgb().len() as f64;
    assert!(mean < 8.0, "mean difference {mean}");
}

#[test]
fn one_pixel_is_a_picture() {
    let picture = sample(1, 1);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp] {
        let found = read(&encode(&picture, format));
        let pixels = prepare(&found, Geometry::Square { side: 28 }).unwrap();
        assert_eq!(pixels.data.len(), 3 * 28 * 28, "{format:?}");
        let first = pixels.data[0];
        assert!(pixels.data[..28 * 28].iter().all(|&value| value == first), "{format:?}: one red");
    }
}

#[test]
fn alpha_is_dropped_not_composited() {
    let rgba = [10, 20, 30, 0, 40, 50, 60, 7, 70, 80, 90, 255];
    let opaque = [10, 20, 30, 40, 50, 60, 70, 80, 90];
    let image = DynamicImage::ImageRgba8(ImageBuffer::from_raw(3, 1, rgba.to_vec()).unwrap());
    assert_eq!(read(&encode_image(&image, ImageFormat::Png)).rgb(), opaque);
    assert_eq!(read(&encode_image(&image, ImageFormat::WebP)).rgb(), opaque);
    assert_eq!(read(&tiff::<RGBA8>(3, 1, &rgba, &[(338, &[2])])).rgb(), opaque);
    let gray = ImageBuffer::from_raw(2, 1, vec![9, 0, 200, 128]).unwrap();
    let file = encode_image(&DynamicImage::ImageLumaA8(gray), ImageFormat::Png);
    assert_eq!(read(&file).rgb(), [9, 9, 9, 200, 200, 200]);
}

#[test]
fn premultiplied_alpha_is_divided_out() {
    // Pillow: 255 * colour / alpha, cut off, at most 255; black where the alpha is 0.
    let rgba = [10, 20, 30, 0, 40, 50, 60, 7, 70, 80, 90, 100];
    let file = tiff::<RGBA8>(3, 1, &rgba, &[(338, &[1])]);
    assert_eq!(read(&file).rgb(), [0, 0, 0, 255, 255, 255, 178, 204, 229]);
}

#[test]
fn sixteen_bits_keep_their_high_byte() {
    let words = [0x0000, 0x00ff, 0x0100, 0x7fff, 0x80ff, 0xffff];
    let high: Vec<u8> = words.iter().map(|word| (word >> 8) as u8).collect();
    let thrice: Vec<u8> = high.iter().flat_map(|&byte| [byte; 3]).collect();
    let gray = DynamicImage::ImageLuma16(ImageBuffer::from_raw(6, 1, words.to_vec()).unwrap());
    assert_eq!(read(&encode_image(&gray, ImageFormat::Png)).rgb(), thrice);
    let rgb = DynamicImage::ImageRgb16(ImageBuffer::from_raw(2, 1, words.to_vec()).unwrap());
    assert_eq!(read(&encode_image(&rgb, ImageFormat::Png)).rgb(), high);
    assert_eq!(read(&tiff::<Gray16>(6, 1, &words, &[])).rgb(), thrice);
}

#[test]
fn few_bits_of_gray_are_spread() {
    // A filter byte, then 3 pixels: black, something between (1 bit has nothing), white.
    for (depth, row, levels) in [
        (1, &[0, 0b0110_0000][..], [0, 255, 255]),
        (2, &[0, 0b0001_1100], [0, 85, 255]),
        (4, &[0, 0x07, 0xf0], [0, 119, 255]),
    ] {
        let found = read(&png((3, 1), (depth, 0), &[], &stored(row)));
        assert_eq!(found.rgb(), levels.map(|level| [level; 3]).as_flattened(), "{depth} bits");
    }
}

#[test]
fn palettes_are_looked_up() {
    let colors = [[1, 2, 3], [200, 100, 50], [0, 255, 9]];
    // Filter byte, then 2 bits a pixel: 0, 1, 2, and 3 which the palette lacks.
    let row = stored(&[0, 0b0001_1011]);
    let chunks = [chunk(b"PLTE", colors.as_flattened()), chunk(b"tRNS", &[0, 128])];
    let expected = [1, 2, 3, 200, 100, 50, 0, 255, 9, 0, 0, 0];
    assert_eq!(read(&png((4, 1), (2, 3), &chunks, &row)).rgb(), expected, "alpha says nothing");

    let map: Vec<u16> = (0..768u16).map(|value| value.wrapping_mul(331)).collect();
    let file = tiff::<Gray8>(3, 1, &[0, 7, 255], &[(262, &[3]), (320, &map)]);
    let channel = |index: usize, channel: usize| (map[256 * channel + index] >> 8) as u8;
    let expected = [0, 7, 255].map(|index| [0, 1, 2].map(|c| channel(index, c)));
    assert_eq!(read(&file).rgb(), expected.as_flattened());
}

#[test]
fn cmyk_becomes_rgb() {
    let inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255, 100, 50, 200, 30];
    // Pillow: (255 - black) minus its product with the ink over 255, rounded.
    let expected = [255, 255, 255, 0, 255, 255, 0, 0, 0, 137, 181, 49];
    assert_eq!(read(&tiff::<CMYK8>(4, 1, &inks, &[])).rgb(), expected);
}

#[test]
fn a_gif_is_its_first_frame_on_its_canvas() {
    let frame = |left, width, height, index, transparent| Frame {
        left,
        top: 1,
        width,
        height,
        indices: vec![index; usize::from(width) * usize::from(height)],
        transparent,
    };
    let color = |index: usize| palette()[3 * index..3 * index + 3].to_vec();
    let at = |picture: &Picture, x: usize, y: usize| {
        picture.rgb()[3 * (y * picture.width() as usize + x)..][..3].to_vec()
    };
    let second = frame(0, 6, 4, 9, None);
    let found = read(&gif(6, 5, &palette(), vec![frame(2, 3, 2, 7, None), second]));
    assert_eq!((found.width(), found.height()), (6, 5));
    assert_eq!(at(&found, 2, 1), color(7));
    assert_eq!(at(&found, 1, 1), color(0), "free places have index 0");
    let found = read(&gif(6, 5, &palette(), vec![frame(2, 3, 2, 7, Some(4))]));
    assert_eq!(at(&found, 5, 4), color(4), "or the transparent index");
    let found = read(&gif(6, 5, &palette(), vec![frame(2, 9, 8, 7, None)]));
    assert_eq!((found.width(), found.height()), (11, 9), "a large frame enlarges the canvas");
    assert_eq!(at(&found, 10, 8), color(7));
}

/// Where pixel (x, y) of a picture of `width` by `height` goes under an EXIF orientation: the
/// table of the EXIF standard, as places and not as turns.
fn turned(orientation: u8, (x, y): (u32, u32), (width, height): (u32, u32)) -> (u32, u32) {
    let (right, bottom) = (width - 1 - x, height - 1 - y);
    match orientation {
        2 => (right, y),
        3 => (right, bottom),
        4 => (x, bottom),
        5 => (y, x),
        6 => (bottom, x),
        7 => (bottom, right),
        8 => (y, right),
        _ => (x, y),
    }
}

fn assert_turned(found: &Picture, picture: &Picture, orientation: u8) {
    let size = (picture.width(), picture.height());
    let swapped = if (5..=8).contains(&orientation) { (size.1, size.0) } else { size };
    assert_eq!((found.width(), found.height()), swapped, "orientation {orientation}");
    for y in 0..size.1 {
        for x in 0..size.0 {
            let (to_x, to_y) = turned(orientation, (x, y), size);
            let from = 3 * (y * size.0 + x) as usize;
            let to = 3 * (to_y * swapped.0 + to_x) as usize;
            let what = format!("orientation {orientation}, pixel {x}, {y}");
            assert_eq!(found.rgb()[to..to + 3], picture.rgb()[from..from + 3], "{what}");
        }
    }
}

#[test]
fn exif_orientation_is_a_switch() {
    let picture = sample(5, 3);
    let rows: Vec<u8> = picture.rgb().chunks(15).flat_map(|row| [&[0], row].concat()).collect();
    for orientation in 0..=9 {
        let file = png((5, 3), (8, 2), &[chunk(b"eXIf", &exif(orientation))], &stored(&rows));
        assert_eq!(read(&file), picture, "ignored unless asked for");
        assert_turned(&load(&file, Orientation::Exif).unwrap(), &picture, orientation);
    }
}

#[test]
fn exif_orientation_of_a_jpeg() {
    let file = encode(&sample(24, 16), ImageFormat::Jpeg);
    let block = [&b"Exif\0\0"[..], &exif(6)].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    let file = [&file[..2], &[0xff, 0xe1], &length, &block, &file[2..]].concat();
    let stored = read(&file);
    assert_eq!((stored.width(), stored.height()), (24, 16));
    assert_turned(&load(&file, Orientation::Exif).unwrap(), &stored, 6);
}

#[test]
fn a_tiffs_own_orientation_is_always_obeyed() {
    let picture = sample(5, 3);
    for orientation in 1..=8 {
        let file = tiff::<RGB8>(5, 3, picture.rgb(), &[(274, &[u16::from(orientation)])]);
        assert_turned(&read(&file), &picture, orientation);
    }
}

#[test]
fn an_empty_file() {
    assert!(matches!(refused(b""), Error::PictureFileEmpty));
}

#[test]
fn not_a_picture() {
    for bytes in [&b"hello, this is a text"[..], &[0; 4096], b"\x89PN", b"RIFF\x04\0\0\0WAVE", b"G"]
    {
        assert!(matches!(refused(bytes), Error::NotAPicture), "{bytes:?}");
    }
}

#[test]
fn known_formats_that_are_not_read_are_named() {
    for (bytes, expected) in [
        (&b"%PDF-1.7"[..], "a PDF document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- a drawing -->\n<svg/>", "an SVG drawing"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "an AVIF picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"\xff\x0a\x00", "a JPEG XL picture"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
    ] {
        let error = refused(bytes);
        assert!(matches!(error, Error::PictureFormat { found } if found == expected), "{error}");
        assert!(error.to_string().contains("PNG, JPEG, WebP, GIF, BMP or TIFF"), "{error}");
    }
}

#[test]
fn a_file_over_the_limit() {
    let bytes = vec![0; MAX_PICTURE_FILE_BYTES as usize + 1];
    assert!(matches!(refused(&bytes), Error::PictureFileTooLarge { .. }));
}

#[test]
fn a_picture_without_pixels() {
    let gif = gif(0, 0, &palette(), Vec::new());
    let frameless = [&gif[..gif.len() - 1], b",\0\0\0\0\0\0\0\0\0\x02\x01\x44\0;"].concat();
    for (name, file) in [
        ("PNG 0x5", png((0, 5), (8, 2), &[], &stored(&[]))),
        ("PNG 5x0", png((5, 0), (8, 2), &[], &stored(&[]))),
        ("JPEG 0x16", jpeg_claim(0, 16)),
        ("JPEG 16x0", jpeg_claim(16, 0)),
        ("BMP 0x9", bmp_claim(0, 9)),
        ("BMP 9x0", bmp_claim(9, 0)),
        ("GIF 0x0", frameless),
    ] {
        let error = refused(&file);
        assert!(matches!(error, Error::PictureWithoutPixels { .. }), "{name}: {error}");
    }
}

#[test]
fn truncated_files_are_refused() {
    for (format, file) in seeds() {
        let whole = read(&file);
        for length in 0..file.len() {
            match load(&file[..length], AS_STORED) {
                // What comes after the pixels may be missing where the format does not need it.
                Ok(picture) => assert_eq!(picture, whole, "{format}: {length} of {}", file.len()),
                Err(Error::NotAPicture | Error::PictureFileEmpty) if length < 12 => {}
                Err(Error::PictureTruncated { .. } | Error::PictureDamaged { .. }) => {}
                Err(error) => panic!("{format}, {length} of {} bytes: {error}", file.len()),
            }
        }
        let half = refused(&file[..file.len() / 2]);
        assert!(matches!(half, Error::PictureTruncated { .. }), "{format}: {half}");
    }
}

#[test]
fn what_follows_the_picture_is_ignored() {
    for (format, file) in seeds() {
        let whole = read(&file);
        for more in [&b"\n"[..], b"PK\x03\x04 and more", &[0xff; 5000]] {
            assert_eq!(read(&[&file[..], more].concat()), whole, "{format}");
        }
    }
}

#[test]
fn a_broken_check_sum() {
    let mut file = encode(&sample(9, 9), ImageFormat::Png);
    let data = file.windows(4).position(|name| name == b"IDAT").expect("pixels");
    file[data + 10] ^= 1;
    assert!(matches!(refused(&file), Error::PictureDamaged { format: Format::Png }));
}

/// png 0.18.1 panics on a palette that is no whole number of colours, or of too many.
#[test]
fn a_palette_of_broken_length() {
    for length in [0, 1, 2, 4, 5, 46, 769, 774] {
        let file = png((2, 1), (8, 3), &[chunk(b"PLTE", &vec![7; length])], &stored(&[0, 0, 0]));
        let error = refused(&file);
        assert!(
            matches!(error, Error::PictureDamaged { format: Format::Png }),
            "{length}: {error}"
        );
    }
}

#[test]
fn webp_chunks_past_the_end() {
    let claim = webp_claim(4, 4);
    let canvas = webp_canvas(8, 4, 4);
    let mut file = webp(&[(b"VP8X", &canvas), (b"VP8L", &claim), (b"EXIF", &[0; 8])]);
    let length = file.len() - 12;
    file[length..length + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = load(&file, Orientation::Exif).unwrap_err();
    assert!(matches!(error, Error::PictureTruncated { format: Format::WebP }), "{error}");
}

#[test]
fn kinds_that_are_not_read() {
    let floats = tiff::<tiff::encoder::colortype::Gray32Float>(2, 1, &[0.5, 1.0], &[]);
    let compressed = tiff::<Gray8>(2, 1, &[1, 2], &[(259, &[7])]); // JPEG inside
    for file in [floats, compressed] {
        let error = refused(&file);
        assert!(matches!(error, Error::PictureKind { format: Format::Tiff, .. }), "{error}");
    }
}

#[test]
fn a_picture_too_thin_for_tiles() {
    let thin = sample(3000, 1);
    for style in [TileStyle::Centered, TileStyle::Bottom] {
        let geometry = Geometry::Tiles { tile: 28, tiles_max: 9, style };
        for picture in [&thin, &thin.transposed()] {
            let error = canvas(picture, geometry).unwrap_err();
            assert!(matches!(error, Error::PictureTooThin { .. }), "{error}");
        }
    }
    let squashed = canvas(&thin, Geometry::Square { side: 28 }).unwrap();
    assert_eq!((squashed.width(), squashed.height()), (28, 28), "a square takes any");
}

#[test]
fn geometries_out_of_range() {
    let picture = sample(4, 4);
    for side in [0, 13, 100_000] {
        let tiles = Geometry::Tiles { tile: side, tiles_max: 4, style: TileStyle::Bottom };
        for geometry in [Geometry::Square { side }, tiles] {
            let error = prepare(&picture, geometry).unwrap_err();
            assert!(matches!(error, Error::ViewSide { .. }), "{error}");
        }
    }
    for tiles_max in [0, 101, u32::MAX] {
        let geometry = Geometry::Tiles { tile: 28, tiles_max, style: TileStyle::Centered };
        let error = prepare(&picture, geometry).unwrap_err();
        assert!(matches!(error, Error::TileBudget { .. }), "{error}");
    }
}

/// Changes a file in one to six places: bytes, bits, numbers that break things, cuts, repeats.
fn mutate(file: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..1 + dice.below(6) {
        if file.len() < 16 {
            return;
        }
        // Half of all changes hit the header.
        let reach = if dice.below(2) == 0 { file.len().min(120) } else { file.len() };
        let at = dice.below(reach);
        let length = dice.below(32).min(file.len() - at);
        match dice.below(7) {
            0 => file[at] = dice.roll() as u8,
            1 => file[at] ^= 1 << dice.below(8),
            2 => file.truncate(at.max(8)),
            3 => drop(file.drain(at..at + length)),
            4 => drop(file.splice(at..at, vec![dice.roll() as u8; length])),
            5 => {
                let part = file[at..at + length].to_vec();
                let to = dice.below(file.len() - length);
                file[to..to + length].copy_from_slice(&part);
            }
            _ => {
                let number = [0, 1, 0xff, 0xffff, 0x8000, 0x7fff_ffff, u32::MAX][dice.below(7)];
                let bytes = number.to_le_bytes();
                let big = number.to_be_bytes();
                let bytes = if dice.below(2) == 0 { bytes } else { big };
                let end = file.len().min(at + 4);
                file[at..end].copy_from_slice(&bytes[..end - at]);
            }
        }
    }
}

/// Mends the check sums of a PNG's chunks, so that the changes get past them.
fn mend_check_sums(file: &mut [u8]) {
    let mut offset = 8;
    while let Some(head) = file.get(offset..offset + 8) {
        let length = u32::from_be_bytes(head[..4].try_into().expect("4 bytes")) as usize;
        let name = head[4..].try_into().expect("4 bytes");
        let Some(data) = file.get(offset + 8..offset + 8 + length) else { return };
        let mended = chunk(name, data);
        let Some(old) = file.get_mut(offset..offset + mended.len()) else { return };
        old.copy_from_slice(&mended);
        offset += mended.len();
    }
}

#[test]
fn thousands_of_mutations_never_panic() {
    const EACH: usize = 5000;
    let mut texts = BTreeSet::new();
    for (number, (format, seed)) in seeds().into_iter().enumerate() {
        let mut dice = Dice::new(number as u64 + 1);
        let mut read = 0;
        for round in 0..EACH {
            let mut file = seed.clone();
            mutate(&mut file, &mut dice);
            if format == Format::Png && round % 4 != 0 {
                mend_check_sums(&mut file);
            }
            let orientation = [Orientation::AsStored, Orientation::Exif][round % 2];
            match catch_unwind(AssertUnwindSafe(|| load(&file, orientation))) {
                Ok(Ok(picture)) => {
                    let pixels = picture.width() as usize * picture.height() as usize;
                    assert_eq!(picture.rgb().len(), 3 * pixels);
                    read += 1;
                }
                Ok(Err(error)) => {
                    let text = error.to_string();
                    texts.insert(text.replace(|c: char| c.is_ascii_digit(), ""));
                }
                Err(_) => panic!("{format}, round {round} panicked: {file:02x?}"),
            }
        }
        println!("{format}: {read} of {EACH} mutations still read");
    }
    // The texts are a fixed list: a handful for each format, numbers aside, of plain characters.
    assert!(texts.len() <= 40, "{} texts: {texts:#?}", texts.len());
    for text in &texts {
        assert!(text.is_ascii() && !text.contains(['/', '\\', '\n']), "{text}");
    }
}
