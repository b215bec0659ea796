//! Small pictures, each unlike all others, and short ways to make and read libraries.

use std::{fs, ops::ControlFlow, path::Path};

use tempfile::TempDir;

use ixc_input::image::{self, Orientation, Picture};
use ixc_library::{About, Add, Added, Digest, Encoder, Entry, Identity, Library, Progress};

/// A new folder, in memory where the system has such a place: SQLite waits for the disk at each commit, and it is
/// not the disk that is tested.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

/// A picture of blocks in colours that the seed decides, as a BMP.
pub(crate) fn bmp(seed: u64) -> Vec<u8> {
    sized_bmp(seed, 24)
}

/// As [`bmp`], with so many pixels a side; the same blocks whatever the size.
pub(crate) fn sized_bmp(seed: u64, side: u32) -> Vec<u8> {
    let row = (3 * side).next_multiple_of(4);
    let mut file = b"BM".to_vec();
    for word in [54 + row * side, 0, 54, 40, side, side, 1 | 24 << 16, 0, row * side, 0, 0, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for y in 0..side {
        for x in 0..side {
            let block = u64::from(y * 6 / side * 6 + x * 6 / side);
            file.extend(&mixed(seed * 64 + block).to_le_bytes()[..3]);
        }
        file.resize(54 + (row * (y + 1)) as usize, 0);
    }
    file
}

/// A number that looks like no other (SplitMix64).
pub(crate) fn mixed(seed: u64) -> u64 {
    let mut z = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes a picture with its caption beside it.
pub(crate) fn put(folder: &Path, name: &str, seed: u64, caption: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("{name}.bmp")), bmp(seed)).unwrap();
    if !caption.is_empty() {
        fs::write(folder.join(format!("{name}.txt")), caption).unwrap();
    }
}

pub(crate) fn go(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn go_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Everything of a folder into a library.
pub(crate) fn add(library: &mut Library, from: &Path) -> Added {
    add_given(library, from, About::default())
}

pub(crate) fn add_given(library: &mut Library, from: &Path, given: About) -> Added {
    let add = Add { from: vec![from.into()], given, threads: 2 };
    library.add(&add, &mut go).unwrap()
}

/// All entries, in the order of their numbers.
pub(crate) fn entries(library: &Library) -> Vec<Entry> {
    library.ids().unwrap().into_iter().map(|id| library.get(id).unwrap()).collect()
}

/// A new library with the pictures of a folder, beside it.
pub(crate) fn library_of(pictures: &Path, at: &Path) -> Library {
    let mut library = Library::create(at).unwrap();
    add(&mut library, pictures);
    library
}

/// That nothing is wrong with it.
pub(crate) fn assert_clean(library: &Library) {
    let verified = library.verify(2, &mut go_on).unwrap();
    assert_eq!(verified.faults, []);
}

/// What a search gives, as the pictures' names.
pub(crate) fn names(library: &Library, caption: &str, k: usize) -> Vec<String> {
    let hits = library.search(caption, &[], k).unwrap();
    let name = |entry: &Entry| entry.path.file_stem().unwrap().to_str().unwrap().to_owned();
    hits.iter().map(|hit| name(&hit.entry)).collect()
}

/// Of [`Scripted`]'s vectors.
pub(crate) const DIMENSIONS: usize = 24;

/// Sees a picture as numbers that its pixels decide, and reads a caption "like 7" as what the picture of seed 7 looks
/// like. Of the picture of seed 13 it has no idea.
#[derive(Clone, Debug)]
pub(crate) struct Scripted(pub(crate) Identity);

pub(crate) fn scripted(name: &str) -> Scripted {
    let digest = |of: &str| Digest(std::array::from_fn(|at| *of.as_bytes().get(at).unwrap_or(&0)));
    Scripted(Identity {
        name: name.into(),
        weights: digest(name),
        preprocessing: digest("plain"),
        dimensions: DIMENSIONS,
    })
}

pub(crate) fn picture(seed: u64) -> Picture {
    image::load(&bmp(seed), Orientation::Exif).unwrap()
}

impl Encoder for Scripted {
    fn identity(&self) -> &Identity {
        &self.0
    }

    fn text(&self, text: &str) -> Result<Vec<f32>, String> {
        let seed = text.rsplit(' ').next().and_then(|seed| seed.parse().ok());
        self.picture(&picture(seed.ok_or_else(|| format!("{text:?} means nothing to it"))?))
    }

    fn picture(&self, picture: &Picture) -> Result<Vec<f32>, String> {
        if *picture == self::picture(13) {
            return Err("an unlucky picture".into());
        }
        let sum = |sum: u64, byte: &u8| mixed(sum ^ u64::from(*byte));
        let seed = picture.rgb().iter().fold(self.0.name.len() as u64, sum);
        let number = |at: usize| (mixed(seed.wrapping_add(at as u64)) >> 40) as f32 / 1e6 - 8.0;
        Ok((0..DIMENSIONS).map(number).collect())
    }
}
