//! The rung `preprocess`: every published resize of every picture of the goldens, to the last bit.
//!
//! Invariant: pictures of lossless formats equal exactly; JPEG, whose decoders round differently,
//! within a mean of 1 level and 99.9 % within 8. Nothing about the present cases is built in.
//! Also here: the plain twin of the resampling, in loops and f64.
#![allow(clippy::print_stdout)] // the figures belong in the test's output

use std::path::Path;

use ixc_input::{
    image::{Orientation, Picture, load},
    prepare::{Geometry, TileStyle, canvas, prepare},
    resize::{Filter, resize},
};
use serde_json::Value;

/// The roots that have this rung's folder: at least one.
fn roots() -> Vec<std::path::PathBuf> {
    let roots: Vec<_> = ixc_goldens::roots()
        .into_iter()
        .filter(|root| root.join("preprocess/cases.json").is_file())
        .collect();
    assert!(!roots.is_empty(), "no root has the folder preprocess");
    roots
}

fn picture(path: &Path) -> Picture {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    load(&bytes, Orientation::AsStored)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An expected PNG, read without our own loader.
fn expected_png(path: &Path) -> image::RgbImage {
    let image = image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    image.into_rgb8()
}

/// `squash_bicubic` with `size`; `hd_336_bilinear_centered` and `hd_560_bilinear_top` with `hd_num`.
fn geometry(case: &Value) -> Geometry {
    let number = |key: &str| case[key].as_u64().expect("a number") as u32;
    let transform = case["transform"].as_str().expect("a transform");
    if transform == "squash_bicubic" {
        return Geometry::Square { side: number("size") };
    }
    let words: Vec<&str> = transform.split('_').collect();
    let ["hd", tile, "bilinear", place] = words[..] else { panic!("transform {transform}?") };
    let style = match place {
        "centered" => TileStyle::Centered,
        "top" => TileStyle::Bottom, // the picture at the top, the white at the bottom
        _ => panic!("transform {transform}?"),
    };
    Geometry::Tiles { tile: tile.parse().expect("pixels"), tiles_max: number("hd_num"), style }
}

/// The differences between two rasters, in levels.
struct Levels {
    mean: f64,
    max: u8,
    within_8: f64,
}

fn levels(found: &[u8], expected: &[u8]) -> Levels {
    assert_eq!(found.len(), expected.len());
    let differences = || found.iter().zip(expected).map(|(f, e)| f.abs_diff(*e));
    let count = found.len() as f64;
    Levels {
        mean: differences().map(f64::from).sum::<f64>() / count,
        max: differences().max().unwrap_or(0),
        within_8: differences().filter(|&difference| difference <= 8).count() as f64 / count,
    }
}

#[test]
fn preprocess_every_case() {
    for root in roots() {
        let folder = root.join("preprocess");
        let cases = ixc_goldens::json(&folder.join("cases.json"));
        let cases = cases["cases"].as_array().expect("a list of cases");
        assert!(!cases.is_empty(), "{}: no case", folder.display());
        for case in cases {
            check_case(&root, case);
        }
    }
}

fn check_case(root: &Path, case: &Value) {
    let name = case["image"].as_str().expect("a picture");
    let what = format!("{name}, {case}");
    let picture = picture(&root.join("images").join(name));
    let geometry = geometry(case);
    let (width, height) = geometry.canvas_size(picture.width(), picture.height()).unwrap();
    if let (Some(w), Some(h)) = (case["width"].as_u64(), case["height"].as_u64()) {
        assert_eq!((u64::from(width), u64::from(height)), (w, h), "{what}: canvas");
    }
    if let Some(tokens) = case["image_tokens"].as_u64() {
        let found = geometry.image_tokens(picture.width(), picture.height()).unwrap();
        assert_eq!(found as u64, tokens, "{what}: image tokens");
    }
    let Some(expected) = case["expected"].as_str() else { return };
    let expected = expected_png(&root.join("preprocess").join(expected));
    let found = canvas(&picture, geometry).unwrap();
    assert_eq!((found.width(), found.height()), (width, height), "{what}: canvas as announced");
    assert_eq!(expected.dimensions(), (width, height), "{what}: size");
    if name.ends_with(".jpg") || name.ends_with(".jpeg") {
        let Levels { mean, max, within_8 } = levels(found.rgb(), expected.as_raw());
        println!("{name}: mean {mean:.4}, max {max} levels");
        assert!(mean <= 1.0 && within_8 >= 0.999, "{what}: mean {mean}, within 8: {within_8}");
    } else {
        assert!(found.rgb() == expected.as_raw().as_slice(), "{what}: pixels");
    }
}

/// Tensors named `normalised.first_image_<side>.rows_<first>_<last>` hold those rows of the
/// normalised picture that `normalised_image` names.
#[test]
fn preprocess_normalised_pixels() {
    let mut checked = 0;
    for root in roots() {
        let folder = root.join("preprocess");
        let cases = ixc_goldens::json(&folder.join("cases.json"));
        let tensors = folder.join("tensors.safetensors");
        let (Some(name), true) = (cases["normalised_image"].as_str(), tensors.is_file()) else {
            continue;
        };
        let picture = picture(&root.join("images").join(name));
        for (tensor, expected) in ixc_goldens::tensors(&tensors) {
            let Some(rest) = tensor.strip_prefix("normalised.first_image_") else { continue };
            let (side, rows) = rest.split_once(".rows_").expect("rows");
            let (first, last) = rows.split_once('_').expect("a range of rows");
            let [side, first, last] =
                [side, first, last].map(|number| number.parse::<usize>().expect("a number"));
            let pixels = prepare(&picture, Geometry::Square { side: side as u32 }).unwrap();
            let rows = last - first + 1;
            assert_eq!(expected.shape, [3, rows, side], "{tensor}");
            let found: Vec<f32> = (0..3)
                .flat_map(|channel| {
                    let start = (channel * side + first) * side;
                    pixels.data[start..start + rows * side].to_vec()
                })
                .collect();
            let worst = found
                .iter()
                .zip(expected.f32())
                .fold(0f32, |worst, (found, expected)| worst.max((found - expected).abs()));
            println!("{tensor}: largest deviation {worst:e}");
            assert_eq!(found, expected.f32(), "{tensor}: largest deviation {worst:e}");
            checked += 1;
        }
    }
    assert!(checked > 0, "no root has a normalised picture");
}

/// The resampling as its definition reads, one pixel at a time, weights rounded to fixed point.
fn plain_resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Vec<u8> {
    let (old_width, old_height) = (picture.width() as usize, picture.height() as usize);
    let (width, height) = (width as usize, height as usize);
    let across = |rows: usize, source: &[u8]| -> Vec<u8> {
        (0..rows * width * 3)
            .map(|at| {
                let (y, x, c) = (at / 3 / width, at / 3 % width, at % 3);
                plain_pixel(x, old_width, width, filter, |x| source[(y * old_width + x) * 3 + c])
            })
            .collect()
    };
    let down = |columns: usize, source: &[u8]| -> Vec<u8> {
        (0..height * columns * 3)
            .map(|at| {
                let (y, x, c) = (at / 3 / columns, at / 3 % columns, at % 3);
                plain_pixel(y, old_height, height, filter, |y| source[(y * columns + x) * 3 + c])
            })
            .collect()
    };
    let saved = |old: usize, new: usize| old as f64 - new as f64;
    if saved(old_height, height) > f64::max(0.0, 2.0 * saved(old_width, width)) {
        across(height, &down(old_width, picture.rgb()))
    } else {
        down(width, &across(old_height, picture.rgb()))
    }
}

fn plain_pixel(
    place: usize,
    old: usize,
    new: usize,
    filter: Filter,
    value: impl Fn(usize) -> u8,
) -> u8 {
    if old == new {
        return value(place); // a pass that changes nothing is left out
    }
    let kernel = |x: f64| match filter {
        Filter::Bilinear => (1.0 - x.abs()).max(0.0),
        Filter::Bicubic if x.abs() < 1.0 => (1.5 * x.abs() - 2.5) * x * x + 1.0,
        Filter::Bicubic if x.abs() < 2.0 => {
            -0.5 * (((x.abs() - 5.0) * x.abs() + 8.0) * x.abs() - 4.0)
        }
        Filter::Bicubic => 0.0,
    };
    let scale = old as f64 / new as f64;
    let stretch = f64::max(scale, 1.0);
    let reach = stretch * if filter == Filter::Bicubic { 2.0 } else { 1.0 };
    let center = (place as f64 + 0.5) * scale;
    let from = f64::max(center - reach + 0.5, 0.0) as usize;
    let until = usize::min((center + reach + 0.5) as usize, old);
    let weights: Vec<f64> =
        (from..until).map(|x| kernel((x as f64 - center + 0.5) * (1.0 / stretch))).collect();
    let whole: f64 = weights.iter().sum();
    let one = f64::from(1 << 22);
    let sum: i64 = (from..until)
        .zip(&weights)
        .map(|(x, weight)| i64::from(value(x)) * (weight / whole * one).round() as i64)
        .sum();
    (sum + (1 << 21)).div_euclid(1 << 22).clamp(0, 255) as u8
}

/// A picture of noise, the same for the same seed.
fn noise(width: u32, height: u32, seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let rgb = (0..3 * width * height)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Mostly extremes, so that the cubic's overshoot must be clipped.
            match state >> 62 {
                0 => 0,
                1 => 255,
                _ => (state >> 40) as u8,
            }
        })
        .collect();
    Picture::from_rgb(width, height, rgb)
}

#[test]
fn resize_equals_its_plain_twin() {
    let sizes = [1, 2, 3, 7, 16, 33, 61];
    for (seed, filter) in [Filter::Bilinear, Filter::Bicubic].into_iter().enumerate() {
        for old in sizes {
            for new in sizes {
                let picture = noise(old, new + 2, seed as u64 + 1);
                for (width, height) in [(new, old), (new, new + 2), (old, new), (old, new + 2)] {
                    let found = resize(&picture, width, height, filter);
                    let expected = plain_resize(&picture, width, height, filter);
                    assert!(found.rgb() == expected, "{picture:?} to {width}x{height}, {filter:?}");
                }
            }
        }
    }
}

#[test]
fn resize_keeps_a_flat_picture_flat() {
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        let flat = Picture::from_rgb(31, 17, [10u8, 200, 255].repeat(31 * 17));
        let large = resize(&flat, 97, 5, filter);
        assert_eq!(large.rgb(), [10u8, 200, 255].repeat(97 * 5), "{filter:?}");
    }
}

#[test]
fn transposing_twice_changes_nothing() {
    let picture = noise(13, 5, 3);
    let transposed = picture.transposed();
    assert_eq!((transposed.width(), transposed.height()), (5, 13));
    assert_eq!(transposed.rgb()[3 * 5..][..3], picture.rgb()[3..6], "row 1 starts with column 1");
    assert_eq!(transposed.transposed(), picture);
}

const TALL_AND_WIDE: [(u32, u32); 8] =
    [(1, 1), (1, 20), (20, 1), (33, 500), (500, 33), (640, 427), (427, 640), (1203, 97)];

#[test]
fn tiles_of_a_transposed_picture_are_the_transposed_tiles() {
    for style in [TileStyle::Centered, TileStyle::Bottom] {
        let geometry = Geometry::Tiles { tile: 28, tiles_max: 9, style };
        for (width, height) in TALL_AND_WIDE.into_iter().filter(|(w, h)| w != h) {
            let picture = noise(width, height, 5);
            let found = canvas(&picture.transposed(), geometry).unwrap();
            let expected = canvas(&picture, geometry).unwrap().transposed();
            assert_eq!(found, expected, "{picture:?}, {style:?}");
        }
    }
}

#[test]
fn tiles_stay_in_their_budget() {
    for style in [TileStyle::Centered, TileStyle::Bottom] {
        for tiles_max in [1, 2, 4, 9, 16, 25, 55] {
            let geometry = Geometry::Tiles { tile: 336, tiles_max, style };
            for (width, height) in TALL_AND_WIDE {
                let grid = geometry.grid(width, height).unwrap();
                let what = format!("{width}x{height}, {tiles_max} tiles, {style:?}: {grid:?}");
                assert!((1..=tiles_max).contains(&(grid.rows * grid.columns)), "{what}");
                // One position a 2x2 patches, and the separators.
                let (h, w) = (grid.rows as usize, grid.columns as usize);
                let tokens = (h * w + 1) * 144 + 1 + (h + 1) * 12;
                assert_eq!(geometry.image_tokens(width, height).unwrap(), tokens, "{what}");
            }
        }
    }
}

#[test]
fn prepared_pixels_are_planes_of_the_canvas() {
    let geometry = Geometry::Tiles { tile: 28, tiles_max: 4, style: TileStyle::Bottom };
    let picture = noise(50, 20, 9);
    let canvas = canvas(&picture, geometry).unwrap();
    let pixels = prepare(&picture, geometry).unwrap();
    assert_eq!((pixels.width, pixels.height), (canvas.width(), canvas.height()));
    assert_eq!((pixels.grid.columns * 28, pixels.grid.rows * 28), (pixels.width, pixels.height));
    let plane = (pixels.width * pixels.height) as usize;
    assert_eq!(pixels.data.len(), 3 * plane);
    let means = [0.48145466, 0.4578275, 0.40821073];
    let deviations = [0.26862954, 0.26130258, 0.27577711];
    for (at, &found) in pixels.data.iter().enumerate() {
        let byte = canvas.rgb()[3 * (at % plane) + at / plane];
        let expected = (f64::from(byte) / 255.0 - means[at / plane]) / deviations[at / plane];
        assert!((f64::from(found) - expected).abs() < 1e-6, "{at}: {found}, not {expected}");
    }
}
