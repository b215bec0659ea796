//! Sound files, damaged at random: an error or the tensors, never a panic.

use std::sync::Arc;

use ixc_nn::weights::Checkpoint;
use safetensors::SafeTensors;

use crate::gguf::Draft;
use crate::support::{
    Folder, Pickle, Random, SIX, View, archive, f32_bytes, read_everything, safetensors_with,
};

/// Damaged files of each form: seconds. Ten times as many were run before they landed.
const ROUNDS: usize = 5_000;

/// Numbers that readers trip over.
const EDGES: [u64; 12] =
    [0, 1, 7, 8, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, i64::MAX as u64, u64::MAX];

/// One to four changes: a byte, a bit, an edge number, a cut, a copy of another part, digits.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes[at] = random.bits() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => {
                let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&edge[..width]);
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..(at + random.below(16)).min(bytes.len()))),
            5 => {
                let from = random.below(bytes.len());
                let part = bytes[from..(from + random.below(64)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            6 => {
                // Another number where a text has one.
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    let edge = EDGES[random.below(EDGES.len())].to_string();
                    bytes.splice(at + digit..at + digit + 1, edge.bytes());
                }
            }
            _ => bytes[at] = b"{}[]\",:\n().RQcbu"[random.below(16)],
        }
    }
}

/// Damages `sound` and opens the result; `check` sees what opened.
fn rounds(name: &str, sound: &[u8], count: usize, check: impl Fn(&Checkpoint, &[u8])) {
    let folder = Folder::new();
    let path = folder.file(name);
    let (mut opened, mut random) = (0, Random::new(42));
    for _ in 0..count {
        let mut bytes = sound.to_vec();
        damage(&mut bytes, &mut random);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(checkpoint) = Checkpoint::open(&path) {
            opened += 1;
            let checkpoint = Arc::new(checkpoint);
            read_everything(&checkpoint);
            check(&checkpoint, &bytes);
        }
    }
    println!("{name}: {opened} of {count} damaged files still opened");
    assert!(opened > 0 && opened < count, "damage that never or always shows tests nothing");
}

fn headers(count: usize) {
    let sound = safetensors_with(&[
        ("model.tok_embeddings.weight", "F32", &[4, 6], f32_bytes(&[0.25; 24])),
        ("vit.bias", "BF16", &[8], vec![0x3f; 16]),
        ("wo.linear.g_idx", "I32", &[2, 1, 2], vec![1; 16]),
        ("byte", "U8", &[3], vec![1, 2, 3]),
    ]);
    // Whatever we accept, the reference reader accepts too, and reads the same.
    rounds("a.safetensors", &sound, count, |ours, bytes| {
        let other = SafeTensors::deserialize(bytes).unwrap();
        assert_eq!(ours.names().count(), other.len());
        for (name, view) in other.tensors() {
            assert_eq!(ours.info(&name).unwrap().shape, view.shape());
            assert_eq!(ours.buffer(&name).unwrap().bytes(), view.data());
        }
    });
}

fn pickles(count: usize) {
    let half = View { class: "HalfStorage", key: "1", count: 6, ..View::plain() };
    let transposed = View { shape: vec![3, 2], strides: vec![1, 3], ..View::plain() };
    let pickle = Pickle::state_dict(&[("a.weight", View::plain()), ("b", half), ("c", transposed)]);
    let sound = archive(&[
        ("data.pkl", &pickle),
        ("byteorder", b"little"),
        ("data/0", &f32_bytes(&SIX)),
        ("data/1", &[1; 12]),
    ]);
    rounds("a.bin", &sound, count, |_, _| ());
    // The same with the damage in the pickle alone, so that it is read and not only the container.
    let folder = Folder::new();
    let mut random = Random::new(43);
    for _ in 0..count {
        let mut bytes = pickle.clone();
        damage(&mut bytes, &mut random);
        let file =
            archive(&[("data.pkl", &bytes), ("data/0", &f32_bytes(&SIX)), ("data/1", &[1; 12])]);
        std::fs::write(folder.file("a.bin"), &file).unwrap();
        if let Ok(checkpoint) = Checkpoint::open(&folder.file("a.bin")) {
            read_everything(&Arc::new(checkpoint));
        }
    }
}

#[test]
fn damaged_safetensors_never_panic() {
    headers(ROUNDS);
}

#[test]
fn damaged_pickles_never_panic() {
    pickles(ROUNDS);
}

#[test]
fn damaged_gguf_never_panics() {
    rounds("a.gguf", &Draft::sound().bytes(), ROUNDS, |_, _| ());
}
