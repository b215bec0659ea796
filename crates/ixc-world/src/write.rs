//! A world becomes a folder of pictures and conversations, in the form in which training files are published.
//!
//! Numbers are written some hundreds at a time, each part under its final name when it is complete; what is there
//! is not written again, so the same command goes on where it stopped. The files do not depend on the number of
//! threads. Deliberately absent: the terminal, and mixing (a list file says how; training mixes).

mod library;
mod lines;
mod picture;
mod sheet;

use std::{
    fs,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use serde::{Deserialize, Serialize};

use crate::{Error, closed::closed, draw, split::Split};
pub use library::{known, library, member};
pub use picture::png;
pub use sheet::sheet;

closed! {
    /// What is written, a file each.
    What {
        Captions "captions" "标题",
        Patches "patches" "图块",
        Questions "questions" "问题",
        Things "things" "事物",
        Sides "sides" "左右",
        Comparisons "comparisons" "比较",
        Colours "colours" "颜色",
        Whether "whether" "是否",
        Signs "signs" "牌子",
        Two "two" "两图",
        Refusals "refusals" "拒答",
        Matching "matching" "配图",
        Choosing "choosing" "选图",
        Titles "titles" "图题",
        Articles "articles" "文章",
        Writing "writing" "写作",
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
    /// Whether every sample with pictures also has a word for each patch of them, not only [`What::Patches`].
    pub labels: bool,
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

/// Called by every thread with what is done and all there is to do, in samples' numbers; a break stops the
/// writing within a few pictures.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> ControlFlow<()> + Sync);

/// What a folder holds, so that two worlds do not mix.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    split: Split,
    seed: u64,
    side: u32,
    #[serde(default)]
    labels: bool,
    /// Changes when the same name becomes another scene, picture or text.
    generation: u32,
}

/// Counts up with every change of what is generated.
const GENERATION: u32 = 6;

/// Scenes of one part: what a stop costs at most.
const PART: u64 = 500;

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
    let run = Run { options, parts, progress, done: AtomicU64::new(0) };
    for from in (0..options.count).step_by(PART as usize) {
        for &what in &options.what {
            run.part(what, from..(from + PART).min(options.count))?;
        }
    }
    let written: Result<Vec<Written>, Error> =
        options.what.iter().map(|&what| run.join(what)).collect();
    let written = written?;
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
        labels: options.labels,
        generation: GENERATION,
    };
    let path = options.out.join("world.json");
    let told = |manifest: &Manifest| {
        format!(
            "the {} world of seed {} at {} px{} (generation {})",
            manifest.split.english(),
            manifest.seed,
            manifest.side,
            if manifest.labels { " with labels" } else { "" },
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

/// One call of [`write`].
struct Run<'a> {
    options: &'a Options,
    /// The folder of the parts.
    parts: PathBuf,
    progress: Progress<'a>,
    /// Samples' numbers that are written.
    done: AtomicU64,
}

impl Run<'_> {
    /// The path of a part, which names its first number and one past its last.
    fn path(&self, what: What, numbers: &Range<u64>) -> PathBuf {
        let name = format!("{}-{:08}-{:08}.jsonl", what.english(), numbers.start, numbers.end);
        self.parts.join(name)
    }

    /// Counts and tells; an error where the caller breaks off.
    fn advance(&self, by: u64) -> Result<(), Error> {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        let all = self.options.count * self.options.what.len() as u64;
        if (self.progress)(done, all).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Writes a part, unless it is there.
    fn part(&self, what: What, numbers: Range<u64>) -> Result<(), Error> {
        let path = self.path(what, &numbers);
        if path.is_file() {
            return self.advance(numbers.end - numbers.start);
        }
        let folder = self.options.out.join(lines::folder(numbers.start));
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        put(&path, self.lines(what, numbers)?.as_bytes())
    }

    /// The lines of all numbers in their order, made by threads that take the next number each.
    fn lines(&self, what: What, numbers: Range<u64>) -> Result<String, Error> {
        let next = AtomicU64::new(numbers.start);
        let work = || {
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok(made);
                }
                made.push((number, lines::of(self.options, what, number)?));
                self.advance(1)?;
            }
        };
        let made: Result<Vec<Vec<(u64, String)>>, Error> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.options.threads.max(1)).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("drawing does not panic"))
                .collect()
        });
        let mut made: Vec<(u64, String)> = made?.into_iter().flatten().collect();
        made.sort_unstable_by_key(|(number, _)| *number);
        Ok(made.into_iter().map(|(_, text)| text).collect())
    }

    /// Puts a file together from its parts.
    fn join(&self, what: What) -> Result<Written, Error> {
        let mut text = Vec::new();
        for from in (0..self.options.count).step_by(PART as usize) {
            let part = self.path(what, &(from..(from + PART).min(self.options.count)));
            text.extend(fs::read(&part).map_err(Error::io("read the part", &part))?);
        }
        let path = self.options.out.join(format!("{}.jsonl", what.english()));
        put(&path, &text)?;
        let samples = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(Written { path, samples })
    }
}

/// Writes a file that appears when it is complete.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).map_err(Error::io("write the file", &beside))?;
    fs::rename(&beside, path).map_err(Error::io("rename into place the file", path))
}

/// A list file over the conversations: all of each, to be changed to taste.
fn list(options: &Options, written: &[Written]) -> Result<(), Error> {
    let conversations = written.iter().filter(|file| !file.path.ends_with("truth.jsonl"));
    let names = conversations.filter_map(|file| file.path.file_name()?.to_str());
    let text: String = names.map(|name| format!("{name}\n")).collect();
    let path = options.out.join("data.txt");
    fs::write(&path, text).map_err(Error::io("write the file", &path))
}
