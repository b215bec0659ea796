//! Files that are wrong in one chosen way, each with the words it must be met with.
//!
//! The first tests are named after what other readers of the format were broken with.

use std::path::Path;

use ixc_model::gguf::{CONFIG_KEY, TOKENIZER_KEY};
use ixc_nn::{limits::MAX_TENSORS, weights::StoredType};

use crate::{
    common::{self, Eye},
    files::{ARRAY, Entry, LENGTH, Parts, TEXT, text},
    random::open,
};

/// A sound file's parts, and a folder for what is made of them.
struct Bench {
    folder: tempfile::TempDir,
    sound: Parts,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gguf");
        common::write_quantised(&common::small(Eye::Square), StoredType::Q4K, &path);
        Self { sound: Parts::of(&std::fs::read(&path).unwrap()), folder }
    }

    /// The message that the file with one change is met with.
    fn refused(&self, change: impl FnOnce(&mut Parts)) -> String {
        let mut parts = self.sound.clone();
        change(&mut parts);
        self.refused_bytes(&parts.bytes())
    }

    fn refused_bytes(&self, bytes: &[u8]) -> String {
        let path = self.folder.path().join("file.gguf");
        std::fs::write(&path, bytes).unwrap();
        message(&path)
    }

    /// The file with one change is refused in words that hold all of these.
    #[track_caller]
    fn check(&self, words: &[&str], change: impl FnOnce(&mut Parts)) {
        let message = self.refused(change);
        for word in words {
            assert!(message.contains(word), "{word:?} is missing in: {message}");
        }
        assert!(
            message.contains("file.gguf") || !message.contains("GGUF"),
            "which file: {message}"
        );
        assert!(message.len() < 2000, "{} bytes of message", message.len());
    }
}

fn message(path: &Path) -> String {
    open(path, 0).expect_err("a broken file").to_string()
}

/// CVE-2025-53630 and, around its cure, CVE-2026-27940: sizes, rounded up or added up, begin again at 0.
#[test]
fn sizes_that_wrap_when_they_are_added() {
    let bench = Bench::new();
    let words = ["past the file's end"];
    // Almost all of the address space, so that rounding up to the alignment wraps.
    for numbers in [(1 << 62) - 1, (1 << 62) - 4, (1 << 62) - 15, (1 << 61) - 1] {
        bench.check(&words, |parts| parts.tensor("output_norm.weight").axes = vec![numbers]);
    }
    // Two halves of it, whose sum is 0, and the rest of the table behind them.
    for count in [2, 4, 8] {
        bench.check(&words, |parts| {
            for index in 0..count {
                let half = Entry {
                    name: format!("half.{index}").into(),
                    axes: vec![1 << 61],
                    kind: 0,
                    offset: (index << 63) & !63,
                };
                parts.tensors.insert(0, half);
            }
        });
    }
    // Offsets whose sum with the start of the data wraps back into the file.
    for back in [64, 128, 4096, 1 << 20] {
        let offset = u64::MAX - back + 1;
        // Where it was, nothing is left.
        bench.check(&["belong to no tensor"], |parts| parts.tensors[3].offset = offset);
        bench.check(&words, |parts| parts.tensors.iter_mut().for_each(|t| t.offset = offset));
    }
    // Products that wrap to the true number of elements.
    bench.check(&["overflows"], |parts| {
        parts.tensor("output_norm.weight").axes = vec![256, 1 << 32, 1 << 32, 1];
    });
    bench.check(&["overflows"], |parts| {
        parts.tensor("output_norm.weight").axes = vec![1 << 63, 2, 1, 256];
    });
}

/// CVE-2026-7482: more than the file holds, by a byte or by far; a reader would show what lies behind.
#[test]
fn tensors_that_reach_past_the_end() {
    let bench = Bench::new();
    let length = bench.sound.data.len();
    for cut in [64, 65, 128, 1000, length / 2, length] {
        bench.check(&["past the file's end"], |parts| parts.data.truncate(length - cut));
    }
    let last = bench.sound.tensors.len() - 1;
    for axis in [1, 2, 1 << 20, 1 << 40] {
        bench.check(&["past the file's end"], |parts| {
            *parts.tensors[last].axes.last_mut().unwrap() += axis;
        });
    }
    for offset in [length as u64, length as u64 + 64, 1 << 32, 1 << 40, 1 << 62] {
        bench.check(&["past the file's end"], |parts| {
            parts.tensors[last].offset = offset.next_multiple_of(64);
        });
    }
}

/// CVE-2026-53923: extents that are sound once their upper half is cut off.
#[test]
fn extents_are_not_cut_to_32_bits() {
    let bench = Bench::new();
    for index in 0..bench.sound.tensors.len() {
        for axis in 0..bench.sound.tensors[index].axes.len() {
            let message = bench.refused(|parts| parts.tensors[index].axes[axis] += 1 << 32);
            let known = ["past the file's end", "overflows"];
            assert!(known.iter().any(|words| message.contains(words)), "{message}");
        }
    }
    for count in [1 << 32, (1 << 32) + bench.sound.tensors.len() as u64] {
        bench.check(&["tensors, the limit is"], |parts| parts.tensor_count = Some(count));
        bench.check(&["keys, the limit is"], |parts| parts.key_count = Some(count));
    }
}

#[test]
fn tables_without_end() {
    let bench = Bench::new();
    // As many as may be, and a hundred thousand: all are there, and none holds a number of its own.
    for count in [MAX_TENSORS - bench.sound.tensors.len(), 100_000] {
        let refused = if count > MAX_TENSORS { "the limit is" } else { "overlap" };
        bench.check(&[refused], |parts| {
            parts.tensors.extend((0..count).map(|index| Entry {
                name: format!("{index}{}", "x".repeat(40)).into(),
                axes: vec![1],
                kind: 0,
                offset: 0,
            }));
        });
    }
    // Arrays in arrays, a thousand deep, and lengths that no file has.
    let nested = (0..1000).fold(vec![0; 12], |inner, _| {
        [&9u32.to_le_bytes()[..], &1u64.to_le_bytes(), &inner].concat()
    });
    bench.check(&["arrays more than"], |parts| {
        let key = parts.key("general.name");
        (key.kind, key.value) = (9, nested);
    });
    for length in [1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        for items in [0u32, 4, 8, 9, 10] {
            let message = bench.refused(|parts| {
                let key = parts.key("general.name");
                key.kind = 9;
                key.value = [&items.to_le_bytes()[..], &length.to_le_bytes()].concat();
            });
            assert!(message.contains("not a sound GGUF file"), "{items} {length}: {message}");
        }
        bench.check(&["not a sound GGUF file"], |parts| {
            parts.key("general.name").value[..8].copy_from_slice(&length.to_le_bytes());
        });
    }
}

#[test]
fn what_is_there_twice_or_in_another_form() {
    let bench = Bench::new();
    bench.check(&["described twice", "output_norm.weight"], |parts| {
        let again = parts.tensor("output_norm.weight").clone();
        parts.tensors.push(again);
    });
    // Under its published name as well: the model would have two.
    bench.check(&["model.norm.weight", "again in"], |parts| {
        add(parts, "model.norm.weight", 0, &[16], 64);
    });
    bench.check(&["is there twice", CONFIG_KEY], |parts| {
        let again = parts.key(CONFIG_KEY).clone();
        parts.keys.push(again);
    });
    for version in [1, 4] {
        bench.check(&["version"], |parts| parts.version = version);
    }
    bench.check(&["big-endian"], |parts| parts.version = 3u32.swap_bytes());
    bench.check(&["does not start with"], |parts| parts.magic = *b"FUGG");
    for alignment in [0u32, 1, 48, 1 << 30] {
        bench.check(&["power of two"], |parts| {
            parts.key("general.alignment").value = alignment.to_le_bytes().to_vec();
        });
    }
    for kind in [4, 5, 31, 40, u32::MAX] {
        bench.check(&["has type", "ixc quantize"], |parts| parts.tensors[0].kind = kind);
    }
}

#[test]
fn a_configuration_that_is_none() {
    let bench = Bench::new();
    bench.check(&["expected the key ixc.config", "ixc quantize"], |parts| {
        parts.keys.retain(|key| key.name != CONFIG_KEY.as_bytes());
    });
    // Bytes instead of text.
    bench.check(&["expected the key ixc.config"], |parts| {
        let key = parts.key(CONFIG_KEY);
        key.kind = 9;
        key.value.splice(..0, 0u32.to_le_bytes());
    });
    for broken in ["", "{", "[]", "null", "{}", "\"text\"", "{\"vocab_size\": }"] {
        bench.check(&[CONFIG_KEY, "expected the configuration"], |parts| {
            parts.set_text(CONFIG_KEY, broken.as_bytes());
        });
    }
    bench.check(&["not UTF-8"], |parts| parts.set_text(CONFIG_KEY, &[b'{', 0xFF, b'}']));
    bench.check(&["up to 1 MiB"], |parts| parts.set_text(CONFIG_KEY, &vec![b' '; 3 << 20]));
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    bench.check(&["expected the configuration"], |parts| {
        parts.set_text(CONFIG_KEY, deep.as_bytes())
    });
    let long = format!("{{\"vocab_size\": \"{}\"", "9".repeat(500_000));
    bench.check(&["expected the configuration"], |parts| {
        parts.set_text(CONFIG_KEY, long.as_bytes())
    });
}

/// The configuration with one key's value as it stands.
fn set(parts: &mut Parts, key: &str, value: &str) {
    let text = String::from_utf8(parts.key(CONFIG_KEY).value[LENGTH..].to_vec()).unwrap();
    let start = text.find(&format!("\"{key}\": ")).expect(key) + key.len() + 4;
    let end = start + text[start..].find([',', '\n', '}']).unwrap();
    parts.set_text(CONFIG_KEY, format!("{}{value}{}", &text[..start], &text[end..]).as_bytes());
}

#[test]
fn numbers_of_a_configuration_that_no_model_has() {
    let bench = Bench::new();
    for (key, value, word) in [
        ("rms_norm_eps", "NaN", "NaN"),
        ("rms_norm_eps", "Infinity", "Infinity"),
        ("rms_norm_eps", "1e999", "out of range"),
        ("rms_norm_eps", "-1e-5", "rms_norm_eps"),
        ("rms_norm_eps", "0", "rms_norm_eps"),
        ("rope_theta", "-0.0", "rope_theta"),
        ("hidden_size", "18446744073709551615", "hidden_size"),
        ("hidden_size", "1e3", "floating point"),
        ("num_hidden_layers", "4294967297", "num_hidden_layers"),
        ("num_attention_heads", "0", "num_attention_heads"),
        ("num_attention_heads", "3", "even multiple"),
        ("num_key_value_heads", "8", "divisor"),
        ("vocab_size", "4294967296", "vocab_size"),
        ("img_size", "4294967295", "img_size"),
        ("img_size", "2030", "img_size"),
    ] {
        bench.check(&[CONFIG_KEY, "expected", word], |parts| set(parts, key, value));
    }
    // Sound by themselves, but of another model than the tensors.
    for (key, value, word) in [
        ("hidden_size", "512", "shape"),
        ("intermediate_size", "512", "shape"),
        ("num_key_value_heads", "4", "shape"),
        ("num_hidden_layers", "2", "missing"),
        ("vocab_size", "319", "320 pieces"),
    ] {
        bench.check(&[word], |parts| set(parts, key, value));
    }
    // Rows and columns the other way round: as many numbers, in the same bytes.
    bench.check(&["expected shape", "found", "wqkv"], |parts| {
        parts.tensor("blk.0.attn_qkv.weight").axes.reverse();
    });
    bench.check(&["attention.wo", "missing"], |parts| {
        parts.tensor("blk.0.attn_output.weight").name = b"blk.1.attn_output.weight".to_vec();
    });
}

/// One more tensor, of zeros.
fn add(parts: &mut Parts, name: &str, kind: u32, axes: &[u64], bytes: u64) {
    let offset = parts.data.len() as u64;
    parts.tensors.push(Entry { name: name.into(), axes: axes.into(), kind, offset });
    parts.data.resize((offset + bytes).next_multiple_of(64) as usize, 0);
}

#[test]
fn a_tower_that_no_model_has() {
    // A table of positions for tiles, or of a width, that would ask for all memory.
    let bench = Bench::new();
    let positions = |parts: &mut Parts, axes: [u64; 2]| {
        parts.tensor("v.position_embd.weight").name = b"not.read".to_vec();
        add(parts, "v.position_embd.weight", 2, &axes, axes[0] * axes[1] / 32 * 18);
    };
    bench.check(&["at most 8192"], |parts| positions(parts, [64 * 129, 2]));
    bench.check(&["tiles of up to 2016"], |parts| {
        positions(parts, [64, 145 * 145 + 1]);
        add(parts, "v.glb_gn", 0, &[16], 64);
    });
}

#[test]
fn a_tokenizer_that_is_none() {
    let bench = Bench::new();
    bench.check(&["tokenizer.model", "--tokenizer"], |parts| {
        parts.keys.retain(|key| key.name != TOKENIZER_KEY.as_bytes());
    });
    bench.check(&["tokenizer.model", "--tokenizer"], |parts| {
        let key = parts.key(TOKENIZER_KEY);
        (key.kind, key.value) = (TEXT, text(b"not bytes"));
    });
    let sound = bench.sound.clone().key(TOKENIZER_KEY).value[ARRAY..].to_vec();
    let with = |bytes: &[u8]| {
        bench.refused(|parts| {
            let length = (bytes.len() as u64).to_le_bytes();
            parts.key(TOKENIZER_KEY).value = [&[0; 4][..], &length, bytes].concat();
        })
    };
    for (bytes, word) in [
        (&b""[..], "no pieces"),
        (b"not a tokenizer", "tokenizer"),
        (&sound[..sound.len() / 2], "tokenizer"),
        (&sound[..sound.len() - 6], "tokenizer"),
        (&[0xFF; 64], "tokenizer"),
    ] {
        let message = with(bytes);
        assert!(message.contains(word), "{word:?} is missing in: {message}");
    }
}
