//! What becomes of pictures: stripped, turned, made smaller, stored once.

use std::{fs, path::Path};

use ixc_export::{Block, Document, Error, Format, Options, Source, write};
use ixc_input::image::{self as input, Orientation};

use crate::samples::{document, drawing, grain, jpeg, picture};

const SECRET: &[u8] = b"GPS 46.5N 8.0E";

/// A JPEG with an orientation, a place, a comment, and a film behind its end.
fn from_a_camera(orientation: u8, width: u32, height: u32) -> Vec<u8> {
    let plain = jpeg(7, width, height);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend(SECRET);
    let mut bytes = plain[..2].to_vec();
    for (marker, body) in [(0xe1, &exif[..]), (0xed, SECRET), (0xfe, SECRET)] {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    }
    bytes.extend(&plain[2..]);
    bytes.extend(SECRET);
    bytes
}

/// A PNG with a text chunk and an EXIF chunk.
fn with_texts(plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain[..33].to_vec();
    for name in [b"tEXt", b"eXIf", b"prVt"] {
        bytes.extend((SECRET.len() as u32).to_be_bytes());
        let mut body = name.to_vec();
        body.extend(SECRET);
        bytes.extend(&body);
        bytes.extend(checksum(&body).to_be_bytes());
    }
    bytes.extend(&plain[33..]);
    bytes
}

/// CRC-32, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (0xedb8_8320 * (sum & 1)))
    };
    !bytes.iter().fold(!0, step)
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The files of the pictures, as a Markdown export holds them.
fn exported(pictures: Vec<Vec<u8>>, options: &Options) -> Vec<Vec<u8>> {
    let blocks = pictures.into_iter().map(|bytes| Block::Picture(picture(bytes, ""))).collect();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    write(&document("T", "en", blocks), Format::Markdown, &to, options).unwrap();
    files(&to.join("assets"))
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn pixels(bytes: &[u8]) -> input::Picture {
    input::load(bytes, Orientation::AsStored).unwrap()
}

#[test]
fn metadata_is_left_out_and_pixels_are_not_touched() {
    let camera = from_a_camera(1, 48, 32);
    let texts = with_texts(&drawing(3, 40, 30));
    assert!(holds(&camera, SECRET) && holds(&texts, SECRET));
    let files = exported(vec![camera.clone(), texts.clone()], &Options::default());
    assert!(files.iter().all(|file| !holds(file, SECRET)));
    assert_eq!(
        files[0],
        jpeg(7, 48, 32),
        "a JPEG without its notes is what it was before they came"
    );
    assert_eq!(files[1], drawing(3, 40, 30));

    let options = Options { keep_metadata: true, ..Options::default() };
    assert_eq!(exported(vec![camera.clone(), texts.clone()], &options), [camera, texts]);
}

#[test]
fn a_picture_is_turned_as_its_note_says() {
    let turned = exported(vec![from_a_camera(6, 48, 32)], &Options::default());
    assert!(!holds(&turned[0], SECRET));
    let wanted = input::load(&from_a_camera(6, 48, 32), Orientation::Exif).unwrap();
    let found = pixels(&turned[0]);
    assert_eq!((found.width(), found.height()), (32, 48));
    let differences = found.rgb().iter().zip(wanted.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b)));
    assert!(differences.sum::<u64>() / (found.rgb().len() as u64) < 8, "not the same picture");

    let blocks = vec![Block::Picture(picture(from_a_camera(6, 48, 32), ""))];
    let folder = tempfile::tempdir().unwrap();
    let options = Options { keep_metadata: true, ..Options::default() };
    let to = folder.path().join("x");
    let written = write(&document("T", "en", blocks), Format::Markdown, &to, &options).unwrap();
    assert_eq!(written.without_metadata, [1]);
}

#[test]
fn a_wide_picture_becomes_as_wide_as_asked() {
    let options = Options { max_width: 100, ..Options::default() };
    let files =
        exported(vec![jpeg(1, 300, 201), drawing(2, 300, 200), drawing(3, 100, 400)], &options);
    let sizes: Vec<_> =
        files.iter().map(|file| (pixels(file).width(), pixels(file).height())).collect();
    assert_eq!(sizes, [(100, 67), (100, 67), (100, 400)]);
    assert!(files[0].starts_with(b"\xff\xd8") && files[1].starts_with(b"\x89PNG"));
}

#[test]
fn grain_becomes_jpeg_and_a_drawing_stays_exact() {
    let files = exported(vec![grain(200, 200), drawing(1, 200, 200)], &Options::default());
    assert!(files[0].starts_with(b"\xff\xd8"), "a photograph in a PNG wastes space");
    assert_eq!(pixels(&files[1]), pixels(&drawing(1, 200, 200)));
    let rough =
        exported(vec![grain(200, 200)], &Options { jpeg_quality: 20, ..Options::default() });
    assert!(rough[0].len() < files[0].len());
}

#[test]
fn other_formats_become_ones_that_everybody_reads() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/images");
    let mut paths: Vec<_> = fs::read_dir(images)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "json"))
        .collect();
    paths.sort();
    let mut tried = 0;
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let Ok(seen) = input::see(&bytes) else { continue };
        tried += 1;
        let file = &exported(vec![bytes], &Options::default())[0];
        assert!(
            file.starts_with(b"\xff\xd8") || file.starts_with(b"\x89PNG"),
            "{}",
            path.display()
        );
        let found = pixels(file);
        let ratio = |width: u32, height: u32| f64::from(width) / f64::from(height);
        let wanted = ratio(seen.picture.width(), seen.picture.height());
        assert!((ratio(found.width(), found.height()) / wanted - 1.0).abs() < 0.02);
    }
    assert!(tried >= 10, "only {tried} pictures were tried");
}

#[test]
fn what_shines_through_lies_on_white_where_it_must_be_made_anew() {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let half = [[0, 0, 0, 0_u8], [0, 0, 0, 255]].concat().repeat(8 * 16);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&half, 16, 16, ExtendedColorType::Rgba8).unwrap();
    assert_eq!(
        exported(vec![bytes.clone()], &Options::default())[0],
        bytes,
        "it stays transparent"
    );
    let seen = input::see(&bytes).unwrap().picture;
    assert_eq!(seen.rgb()[..6], [255, 255, 255, 0, 0, 0]);
}

#[test]
fn the_same_picture_is_stored_once() {
    let files = exported(
        vec![
            drawing(1, 20, 20),
            with_texts(&drawing(1, 20, 20)),
            drawing(2, 20, 20),
            drawing(1, 20, 20),
        ],
        &Options::default(),
    );
    assert_eq!(files.len(), 2);
}

#[test]
fn a_file_on_the_disk_is_read_and_named_when_it_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    fs::write(&path, drawing(1, 20, 20)).unwrap();
    let with = |path: &Path| -> Document {
        let mut missing = picture(Vec::new(), "");
        missing.source = Source::File(path.into());
        let good = Block::Picture(picture(drawing(5, 9, 9), ""));
        document("T", "en", vec![good, Block::Picture(missing)])
    };
    let to = folder.path().join("out");
    let options = Options::default();
    assert_eq!(write(&with(&path), Format::Markdown, &to, &options).unwrap().pictures, 2);

    fs::remove_dir_all(&to).unwrap();
    for (name, bytes) in
        [("gone.png", None), ("page.png", Some("<html>")), ("cut.png", Some("\u{89}PNG"))]
    {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let error = write(&with(&path), Format::Markdown, &to, &options).unwrap_err();
        assert!(matches!(
            error,
            Error::Picture { number: 2, .. } | Error::PictureFile { number: 2, .. }
        ));
        assert!(error.to_string().contains(name), "{error}");
        assert!(!to.exists());
    }
    let error = write(&with(folder.path()), Format::Markdown, &to, &options).unwrap_err();
    assert!(error.to_string().contains("no file"), "{error}");
}
