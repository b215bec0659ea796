//! A world becomes a folder of pictures and conversations, in the form in which training files are published.
//!
//! Numbers are written a thousand at a time, each thousand under its final name when it is complete; what is there
//! is not written again, so the same command goes on where it stopped. The files do not depend on the number of
//! threads. Deliberately absent: the terminal, and mixing (a list file says how; training mixes).

mod library;
mod lines;
mod picture;
mod sheet;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde::{Deserialize, Serialize};

use crate::{Error, closed::closed, draw, split::Split};
pub use library::library;
pub use picture::png;
pub use sheet::sheet;

closed! {
    /// What is written, a file each.
    What {
        Captions "captions" "标题",
        Questions "questions" "问题",
        Two "two" "两图",
        Refusals "refusals" "拒答",
        Articles "articles" "文章",
        Edits "edits" "编辑",
        Language "language" "语言",
        Talk "talk" "闲谈",
        Truth "truth" "真相",
    }
}

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder.
    pub out: PathBuf,
    /// Which world.
    pub split: Split,
    /// The user's seed.
    pub seed: u64,
    /// Scenes, from number 0 on.
    pub count: u64,
    /// Pixels a side.
    pub side: u32,
    /// Which files; each once.
    pub what: Vec<What>,
    /// Threads to draw with; 0 counts as 1.
    pub threads: usize,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Samples in it.
    pub samples: u64,
}

/// Called with the numbers done and all numbers; a break stops the writing.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// What a folder holds, so that two worlds do not mix.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    split: Split,
    seed: u64,
    side: u32,
    /// Changes when the same name becomes another scene, picture or text.
    generation: u32,
}

/// Counts up with every change of what is generated.
const GENERATION: u32 = 1;

/// Scenes of one part and of one folder of pictures.
const PART: u64 = 1000;

/// Scenes of a folder: beyond lie the numbers of companions ([`crate::text::two`]).
pub const MAX_COUNT: u64 = 100_000_000;

/// Writes pictures and conversations, and a list file that names them all.
///
/// # Errors
/// When the size or the count cannot be, the folder holds another world, a file cannot be written, or `progress`
/// breaks off.
pub fn write(options: &Options, progress: Progress<'_>) -> Result<Vec<Written>, Error> {
    check(options)?;
    let parts = options.out.join("parts");
    fs::create_dir_all(&parts).map_err(Error::io("make the folder", &parts))?;
    claim(options)?;
    for from in (0..options.count).step_by(PART as usize) {
        let to = (from + PART).min(options.count);
        part(options, &parts, from..to)?;
        if progress(to, options.count).is_break() {
            return Err(Error::Cancelled);
        }
    }
    let mut written = Vec::new();
    for &what in &options.what {
        written.push(join(options, &parts, what)?);
    }
    list(options, &written)?;
    Ok(written)
}

fn check(options: &Options) -> Result<(), Error> {
    if !draw::SIDES.contains(&options.side) {
        return Err(Error::Side { found: options.side });
    }
    if !(1..=MAX_COUNT).contains(&options.count) {
        return Err(Error::Count { found: options.count, limit: MAX_COUNT });
    }
    Ok(())
}

/// Writes down which world the folder holds, or checks that it is this one.
fn claim(options: &Options) -> Result<(), Error> {
    let wanted = Manifest {
        split: options.split,
        seed: options.seed,
        side: options.side,
        generation: GENERATION,
    };
    let path = options.out.join("world.json");
    let told = |manifest: &Manifest| {
        format!(
            "the {} world of seed {} at {} px (generation {})",
            manifest.split.english(),
            manifest.seed,
            manifest.side,
            manifest.generation
        )
    };
    match fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(found) if found == wanted => Ok(()),
            found => Err(Error::OtherWorld {
                path: options.out.clone(),
                found: found.map_or("an unreadable world.json".to_owned(), |found| told(&found)),
                wanted: told(&wanted),
            }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = serde_json::to_string_pretty(&wanted).expect("plain data");
            fs::write(&path, text + "\n").map_err(Error::io("write the file", &path))
        }
        Err(error) => Err(Error::io("read the file", &path)(error)),
    }
}

/// The name of a part: its first number and one past its last.
fn part_path(parts: &Path, what: What, numbers: &std::ops::Range<u64>) -> PathBuf {
    parts.join(format!("{}-{:08}-{:08}.jsonl", what.english(), numbers.start, numbers.end))
}

/// Writes what is missing of some numbers.
fn part(options: &Options, parts: &Path, numbers: std::ops::Range<u64>) -> Result<(), Error> {
    for &what in &options.what {
        let path = part_path(parts, what, &numbers);
        if path.is_file() {
            continue;
        }
        let folder = options.out.join(lines::folder(numbers.start));
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        let text = all_lines(options, what, numbers.clone())?;
        let beside = path.with_extension("new");
        fs::write(&beside, text).map_err(Error::io("write the file", &beside))?;
        fs::rename(&beside, &path).map_err(Error::io("rename into place the file", &path))?;
    }
    Ok(())
}

/// The lines of all numbers in their order, made by threads that take the next number each.
fn all_lines(
    options: &Options,
    what: What,
    numbers: std::ops::Range<u64>,
) -> Result<String, Error> {
    let count = (numbers.end - numbers.start) as usize;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return Ok(made);
            }
            made.push((at, lines::of(options, what, numbers.start + at as u64)?));
        }
    };
    let made: Result<Vec<Vec<(usize, String)>>, Error> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("drawing does not panic")).collect()
    });
    let mut made: Vec<(usize, String)> = made?.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(at, _)| *at);
    Ok(made.into_iter().map(|(_, text)| text).collect())
}

/// Puts a file together from its parts.
fn join(options: &Options, parts: &Path, what: What) -> Result<Written, Error> {
    let path = options.out.join(format!("{}.jsonl", what.english()));
    let mut text = Vec::new();
    for from in (0..options.count).step_by(PART as usize) {
        let part = part_path(parts, what, &(from..(from + PART).min(options.count)));
        text.extend(fs::read(&part).map_err(Error::io("read the part", &part))?);
    }
    let samples = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
    let beside = path.with_extension("new");
    fs::write(&beside, text).map_err(Error::io("write the file", &beside))?;
    fs::rename(&beside, &path).map_err(Error::io("rename into place the file", &path))?;
    Ok(Written { path, samples })
}

/// A list file over the conversations: all of each, to be changed to taste.
fn list(options: &Options, written: &[Written]) -> Result<(), Error> {
    let conversations = written.iter().filter(|file| !file.path.ends_with("truth.jsonl"));
    let names = conversations.filter_map(|file| file.path.file_name()?.to_str());
    let text: String = names.map(|name| format!("{name}\n")).collect();
    let path = options.out.join("data.txt");
    fs::write(&path, text).map_err(Error::io("write the file", &path))
}
