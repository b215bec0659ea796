//! Small files that state, or unpack to, very much: refused or read in little memory.
//!
//! One test in a binary of its own, so that the process's peak memory is this test's.
#![allow(clippy::print_stdout)] // the figures belong in the test's output

mod files;

use files::{
    Frame, bmp_claim, chunk, encode, gif, jpeg_claim, png, sample, stored, webp, webp_canvas,
    webp_claim, zeros,
};
use image::ImageFormat;
use ixc_input::{
    Error,
    image::{Orientation, load},
};

/// The most memory that a bomb may take beside what is already there.
const MAX_RISE_KIB: u64 = 64 << 10;

/// The process's peak resident memory.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What must come of a bomb.
enum Fate {
    TooLarge,
    Damaged,
    Truncated,
    /// The bomb is beside the picture, which is read.
    Read(u32, u32),
}

fn bombs() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let black = stored(&[0; 4 * 13]); // 4x4 RGB
    let beside = |name, head: &[u8]| {
        let data = [head, &zeros(400_000)].concat(); // 100 MB of zeros
        png((4, 4), (8, 2), &[chunk(name, &data)], &black)
    };
    let text = chunk(b"zTXt", &[&b"k\0\0"[..], &zeros(40_000)].concat());
    let large = webp_claim(16383, 16383);
    let frame = |width: u16, height: u16| Frame {
        left: 0,
        top: 0,
        width,
        height,
        indices: vec![1; usize::from(width) * usize::from(height)],
        transparent: None,
    };
    let mut gif_claim = gif(4, 4, &[0; 6], vec![frame(4, 4)]);
    gif_claim[6..10].fill(0xff);
    let frames = (0..1000).map(|_| frame(64, 64)).collect();
    let still = [webp_frame(16, 16), webp_chunk(b"VP8L", &large)].concat();
    vec![
        ("PNG 16000²", png((16000, 16000), (8, 6), &[], &zeros(4_000_000)), Fate::TooLarge),
        ("PNG 40000², 1 bit", png((40000, 40000), (1, 0), &[], &zeros(700_000)), Fate::TooLarge),
        ("PNG 2^31", png((1 << 31, 1 << 31), (8, 2), &[], &[]), Fate::TooLarge),
        ("PNG 70000x1", png((70_000, 1), (8, 0), &[], &zeros(300)), Fate::TooLarge),
        ("PNG 1x65535", png((1, 65535), (8, 0), &[], &stored(&[0; 131_070])), Fate::Read(1, 65535)),
        ("PNG profile", beside(b"iCCP", b"p\0\0"), Fate::Read(4, 4)),
        ("PNG text", beside(b"zTXt", b"k\0\0"), Fate::Read(4, 4)),
        ("PNG XMP", beside(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0"), Fate::Read(4, 4)),
        ("PNG 100 texts", png((4, 4), (8, 2), &vec![text; 100], &black), Fate::Read(4, 4)),
        ("PNG raster", png((4, 4), (8, 2), &[], &zeros(400_000)), Fate::Read(4, 4)),
        ("JPEG 65535²", jpeg_claim(65535, 65535), Fate::TooLarge),
        ("GIF 65535²", gif_claim, Fate::TooLarge),
        ("GIF of 1000 frames", gif(64, 64, &[7; 6], frames), Fate::Read(64, 64)),
        ("BMP 65535²", bmp_claim(65535, 65535), Fate::TooLarge),
        ("BMP 2^31 rows", bmp_claim(5, i32::MIN), Fate::TooLarge),
        ("BMP cut", bmp_claim(7000, 7000), Fate::Truncated),
        ("WebP 16383²", webp(&[(b"VP8L", &large)]), Fate::TooLarge),
        (
            "WebP 16383² on a canvas of 16²",
            webp(&[(b"VP8X", &webp_canvas(0, 16, 16)), (b"VP8L", &large)]),
            Fate::Damaged,
        ),
        (
            "WebP 16383² as a frame of 16²",
            webp(&[(b"VP8X", &webp_canvas(2, 16, 16)), (b"ANIM", &[0; 6]), (b"ANMF", &still)]),
            Fate::Damaged,
        ),
        ("TIFF 65535²", tiff_claim(65535), Fate::TooLarge),
        ("TIFF cut", tiff_claim(7000), Fate::Truncated),
    ]
}

fn webp_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&name[..], &(data.len() as u32).to_le_bytes(), data].concat()
}

/// An animation frame's header: at the corner, so large, at once.
fn webp_frame(width: u32, height: u32) -> Vec<u8> {
    let mut header = vec![0; 6];
    header.extend(&(width - 1).to_le_bytes()[..3]);
    header.extend(&(height - 1).to_le_bytes()[..3]);
    header.extend([0; 4]);
    header
}

/// A gray TIFF of `side` squared that holds no raster.
fn tiff_claim(side: u16) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0\x07\0".to_vec();
    let tags: [(u16, u16); 7] =
        [(256, side), (257, side), (258, 8), (262, 1), (273, 98), (278, side), (279, 9)];
    for (tag, value) in tags {
        file.extend([tag, 3, 1, 0, value, 0].map(u16::to_le_bytes).concat());
    }
    file.extend([0; 4]);
    file
}

#[test]
fn bombs_are_defused() {
    let bombs = bombs();
    // What a picture of ordinary size takes is not the bombs' doing.
    let picture = encode(&sample(64, 64), ImageFormat::Png);
    load(&picture, Orientation::AsStored).unwrap();
    let before = peak_kib();
    for (name, file, fate) in &bombs {
        for orientation in [Orientation::AsStored, Orientation::Exif] {
            let found = load(file, orientation);
            let as_fated = match (fate, &found) {
                (Fate::TooLarge, Err(Error::PictureTooLarge { .. }))
                | (Fate::Damaged, Err(Error::PictureDamaged { .. }))
                | (Fate::Truncated, Err(Error::PictureTruncated { .. })) => true,
                (Fate::Read(width, height), Ok(picture)) => {
                    (picture.width(), picture.height()) == (*width, *height)
                }
                _ => false,
            };
            assert!(as_fated, "{name}: {found:?}");
        }
    }
    let (Some(before), Some(after)) = (before, peak_kib()) else {
        eprintln!("SKIPPED: this system does not say a process's peak memory");
        return;
    };
    println!("peak memory rose by {} KiB", after - before);
    assert!(after - before < MAX_RISE_KIB, "peak memory rose by {} KiB", after - before);
}
