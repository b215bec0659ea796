//! Sound files with random damage, opened as a user's file is and asked a question.
//!
//! Whatever the damage, the answer is an error or words, soon and within little memory: never a panic, a
//! crash or an allocation by a number in the file. A number gives the same file on every machine, so what is
//! found comes again.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use ixc_engine::{Decoding, Engine, Error, LoadOptions, Request};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::Picture,
};
use ixc_model::gguf::{CONFIG_KEY, TOKENIZER_KEY};
use ixc_nn::{
    Arithmetic,
    cache::KvType,
    weights::{Keep, StoredType},
};

use crate::{
    common::{self, Eye},
    files::{ARRAY, LENGTH, Parts},
};

/// A small generator (xorshift).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit.max(1) as u64) as usize
    }

    fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A number that readers trip over, near `found` or anywhere.
    fn edge(&mut self, found: u64) -> u64 {
        const EDGES: [u64; 18] = [
            0,
            1,
            2,
            7,
            31,
            32,
            63,
            255,
            256,
            0xFFFF,
            0x7FFF_FFFF,
            0x8000_0000,
            0xFFFF_FFFF,
            1 << 32,
            1 << 62,
            1 << 63,
            i64::MAX as u64,
            u64::MAX,
        ];
        match self.below(6) {
            0 => found.wrapping_add(1),
            1 => found.wrapping_sub(1),
            2 => found.wrapping_mul(1 << self.below(40)),
            3 => found.wrapping_add(1 << 32), // the same in 32 bits
            4 => found ^ (1 << self.below(64)),
            _ => self.of(&EDGES),
        }
    }
}

/// The sound files that are damaged: every type of blocks, every kind of eye.
fn sound(folder: &Path) -> Vec<Parts> {
    [
        (StoredType::Q4K, Eye::Square),
        (StoredType::Q8_0, Eye::Tiles),
        (StoredType::Q6K, Eye::None),
        (StoredType::Q4_0, Eye::Square),
        (StoredType::Bf16, Eye::Tiles),
    ]
    .map(|(to, eye)| {
        let path = folder.join("sound.gguf");
        common::write_quantised(&common::small(eye), to, &path);
        Parts::of(&std::fs::read(&path).unwrap())
    })
    .into()
}

/// One change to a part.
fn damage(parts: &mut Parts, random: &mut Random) {
    let tensor = random.below(parts.tensors.len());
    let key = random.below(parts.keys.len());
    match random.below(16) {
        0 | 1 => tensor_entry(parts, tensor, random),
        2 => {
            let other = random.below(parts.tensors.len());
            match random.below(4) {
                0 => drop(parts.tensors.remove(tensor)),
                1 => parts.tensors.push(parts.tensors[tensor].clone()),
                2 => parts.tensors.swap(tensor, other),
                _ => {
                    let name = parts.tensors[other].name.clone();
                    parts.tensors[other].name =
                        std::mem::replace(&mut parts.tensors[tensor].name, name);
                }
            }
        }
        3 => match random.below(4) {
            0 => drop(parts.keys.remove(key)),
            1 => parts.keys.push(parts.keys[key].clone()),
            2 => parts.keys[key].kind = random.below(15) as u32,
            _ => bytes(&mut parts.keys[key].name, random),
        },
        4 => {
            let value = &mut parts.keys[key].value;
            let width = [4, 8][random.below(2)].min(value.len());
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(&value[..width]);
            let edge = random.edge(u64::from_le_bytes(wide));
            value[..width].copy_from_slice(&edge.to_le_bytes()[..width]);
        }
        5..=7 => config(parts, random),
        8 => within(parts, TOKENIZER_KEY, ARRAY, random),
        9 => {
            let count = random.edge(parts.tensors.len() as u64);
            match random.below(3) {
                0 => parts.tensor_count = Some(count),
                1 => parts.key_count = Some(count),
                _ => parts.version = random.below(6) as u32,
            }
        }
        10 => parts.data.truncate(random.below(parts.data.len() + 1)),
        _ => numbers(parts, tensor, random),
    }
}

/// Damage to a line of the table.
fn tensor_entry(parts: &mut Parts, tensor: usize, random: &mut Random) {
    let other = random.below(parts.tensors.len());
    let (kind, offset) = (parts.tensors[other].kind, parts.tensors[other].offset);
    let entry = &mut parts.tensors[tensor];
    let axis = random.below(entry.axes.len());
    match random.below(8) {
        0 | 1 if !entry.axes.is_empty() => entry.axes[axis] = random.edge(entry.axes[axis]),
        2 => entry.axes.reverse(),
        3 => entry.axes.push(random.edge(1)),
        4 => drop(entry.axes.pop()),
        5 => entry.kind = if random.below(2) == 0 { kind } else { random.below(42) as u32 },
        6 => entry.offset = if random.below(2) == 0 { offset } else { random.edge(entry.offset) },
        _ => bytes(&mut entry.name, random),
    }
}

/// Damage to the configuration: another number, another word, or broken JSON.
fn config(parts: &mut Parts, random: &mut Random) {
    const VALUES: [&str; 22] = [
        "0",
        "1",
        "2",
        "3",
        "63",
        "64",
        "257",
        "1025",
        "-1",
        "0.5",
        "1e-320",
        "1e308",
        "1e999",
        "NaN",
        "null",
        "true",
        "\"256\"",
        "[]",
        "{}",
        "4294967296",
        "18446744073709551615",
        "340282366920938463463374607431768211456",
    ];
    let Some(key) = parts.keys.iter_mut().find(|key| key.name == CONFIG_KEY.as_bytes()) else {
        return;
    };
    if key.value.len() < LENGTH || random.below(5) == 0 {
        return within(parts, CONFIG_KEY, LENGTH, random);
    }
    let text = String::from_utf8_lossy(&key.value[LENGTH..]).into_owned();
    let places: Vec<usize> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
    let at = if places.is_empty() { 0 } else { random.of(&places) };
    let end = text[at..].find([',', '\n', '}']).map_or(text.len(), |length| at + length);
    let value = if random.below(3) == 0 {
        let found = text[at..end].parse().unwrap_or(1);
        random.edge(found).to_string()
    } else {
        random.of(&VALUES).to_owned()
    };
    parts.set_text(CONFIG_KEY, format!("{}{value}{}", &text[..at], &text[end..]).as_bytes());
}

/// Damage to what follows the first bytes of a value; its length stays true.
fn within(parts: &mut Parts, key: &str, head: usize, random: &mut Random) {
    let Some(key) = parts.keys.iter_mut().find(|found| found.name == key.as_bytes()) else {
        return;
    };
    if key.value.len() < head {
        return;
    }
    let mut inner = key.value.split_off(head);
    bytes(&mut inner, random);
    key.value[head - 8..].copy_from_slice(&(inner.len() as u64).to_le_bytes());
    key.value.extend(inner);
}

/// Damage to a tensor's numbers: bytes, or scales that are infinite, none, huge or denormal.
fn numbers(parts: &mut Parts, tensor: usize, random: &mut Random) {
    let start = parts.tensors[tensor].offset as usize;
    let Some(left) = parts.data.len().checked_sub(start).filter(|&left| left > 1) else { return };
    const HALVES: [u16; 10] =
        [0x7C00, 0xFC00, 0x7E00, 0x7BFF, 0xFBFF, 0x0001, 0x8000, 0xFFFF, 0x7F80, 0xFF80];
    for _ in 0..=random.below(8) {
        let at = start + random.below(left.min(1 << 14) - 1);
        match random.below(3) {
            0 => parts.data[at] = random.bits() as u8,
            1 => parts.data[at..at + 2].copy_from_slice(&random.of(&HALVES).to_le_bytes()),
            _ => {
                let end = (at + random.below(300)).min(parts.data.len());
                parts.data[at..end].fill(random.of(&[0, 0x7F, 0x80, 0xFF]));
            }
        }
    }
}

/// Damage to any bytes: one changed, some taken out, some doubled, a cut.
fn bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let some = at..(at + 1 + random.below(16)).min(bytes.len());
    match random.below(6) {
        _ if bytes.is_empty() => bytes.push(random.bits() as u8),
        0 => bytes[at] = random.bits() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => drop(bytes.drain(some)),
        3 => {
            let doubled = bytes[some].to_vec();
            bytes.splice(at..at, doubled);
        }
        4 => {
            let edge = random.edge(0).to_le_bytes();
            let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&edge[..width]);
        }
        _ => bytes.truncate(at),
    }
}

/// One damaged file: one to three parts, or the bytes of the whole.
fn damaged(sound: &[Parts], random: &mut Random) -> Vec<u8> {
    let mut parts = random.of(sound);
    for _ in 0..=random.below(3) {
        if parts.tensors.is_empty() || parts.keys.is_empty() {
            break;
        }
        damage(&mut parts, random);
    }
    let mut file = parts.bytes();
    match random.below(8) {
        0 => {
            // The header's bytes, whatever they mean.
            let rest = file.split_off(file.len() - parts.data.len());
            bytes(&mut file, random);
            file.extend(rest);
        }
        1 => bytes(&mut file, random),
        _ => {}
    }
    file
}

/// What came of some files.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) files: usize,
    /// Those that answered.
    pub(crate) answered: usize,
    /// Errors by kind.
    pub(crate) refused: BTreeMap<String, usize>,
    pub(crate) panics: Vec<String>,
    /// The slowest refusal, and the slowest answer.
    pub(crate) slowest: [Duration; 2],
    /// Bytes by which one file raised what the process holds, and what it has asked the system for.
    pub(crate) held: usize,
    pub(crate) asked: usize,
}

/// Opens and asks `count` damaged files, made from `seed`. A file at work lies in `folder`, and stays there
/// if the process ends.
pub(crate) fn run(count: usize, seed: u64, folder: &Path) -> Report {
    let (path, sound) = (folder.join("damaged.gguf"), sound(folder));
    for parts in &sound {
        std::fs::write(&path, parts.bytes()).unwrap();
        open(&path, 0).expect("a sound file answers"); // and threads and buffers are there
    }
    let mut report = Report { files: count, ..Report::default() };
    let asked = status("VmPeak:");
    for number in 0..count {
        let mut random = Random((seed + number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.bits();
        std::fs::write(&path, damaged(&sound, &mut random)).unwrap();
        reset_peak();
        let (before, started) = (status("VmRSS:"), Instant::now());
        let outcome = catch_unwind(AssertUnwindSafe(|| open(&path, number)));
        let (took, held) = (started.elapsed(), status("VmHWM:").saturating_sub(before));
        report.held = report.held.max(held);
        let slowest = match outcome {
            Ok(Ok(())) => {
                report.answered += 1;
                1
            }
            Ok(Err(error)) => {
                let message = error.to_string();
                assert!(message.len() > 10 && message.len() < 8192, "file {number}: {message}");
                *report.refused.entry(kind(&error)).or_default() += 1;
                0
            }
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or(panic.downcast_ref::<&str>().map(|said| (*said).into()));
                report.panics.push(format!("seed {}: {said:?}", seed + number as u64));
                continue;
            }
        };
        report.slowest[slowest] = report.slowest[slowest].max(took);
    }
    report.asked = status("VmPeak:") - asked;
    report
}

/// Opens a file and asks it a question, with a picture where it can see; in a way that the number decides.
pub(crate) fn open(path: &Path, number: usize) -> Result<(), Error> {
    let of = |choices: usize, step: usize| number / step % choices;
    let options = LoadOptions {
        arithmetic: [Arithmetic::Fast, Arithmetic::Exact][of(4, 1) / 3],
        keep: [Keep::Stored, Keep::F32, Keep::Bf16][of(6, 4).saturating_sub(3)],
        kv: KvType::ALL[of(3, 2)],
        feature_bytes: 0,
        prefix_bytes: 0,
        ..LoadOptions::default()
    };
    let engine = Engine::load(path, &options)?;
    let sees = engine.model().config().vision.is_some();
    let pictures = sees.then(|| Picture::from_rgb(40, 30, vec![99; 40 * 30 * 3]));
    let parts = parts_from_marked("what is it", 0, usize::from(sees))?;
    let conversation = Conversation { turns: vec![Turn { role: Role::User, parts }] };
    let request = Request {
        decoding: Decoding::Greedy,
        max_new_tokens: 2,
        ..Request::new(conversation, pictures.into_iter().collect())
    };
    for event in engine.answer(&request)? {
        event?;
    }
    Ok(())
}

/// What kind of error it is: its variants' names.
fn kind(error: &Error) -> String {
    let first = |error: &dyn fmt::Debug| {
        let text = format!("{error:?}");
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    match error {
        Error::Model(ixc_model::Error::Numbers(ixc_nn::Error::Gguf { fault, .. })) => {
            format!("format: {}", first(fault))
        }
        Error::Model(ixc_model::Error::Numbers(error)) => format!("weights: {}", first(error)),
        Error::Model(ixc_model::Error::Input(error)) => format!("prompt: {}", first(error)),
        Error::Model(error) => format!("model: {}", first(error)),
        Error::Input(error) => format!("tokenizer: {}", first(error)),
        error => format!("engine: {}", first(error)),
    }
}

/// A field of the process's status, in bytes; 0 where the system has none.
fn status(field: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    number.unwrap_or(0) * 1024
}

/// Forgets the peak so far. Where the system forbids it, the bounds only hold the more strictly.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: usize = self.refused.values().sum();
        let [refusal, answer] = self.slowest;
        writeln!(
            out,
            "{} files: {} answered, {refused} refused, {} panics",
            self.files,
            self.answered,
            self.panics.len()
        )?;
        writeln!(out, "slowest refusal {refusal:.1?}, slowest answer {answer:.1?}")?;
        let mib = |bytes: usize| bytes as f64 / 1048576.0;
        writeln!(
            out,
            "one file raised what is held by at most {:.1} MiB; all together what was ever asked for by {:.1} MiB",
            mib(self.held),
            mib(self.asked)
        )?;
        for (kind, count) in &self.refused {
            writeln!(out, "{count:8}  {kind}")?;
        }
        self.panics.iter().try_for_each(|panic| writeln!(out, "PANIC {panic}"))
    }
}
