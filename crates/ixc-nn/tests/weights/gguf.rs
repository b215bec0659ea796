//! GGUF: what is sound is read and comes back, what is not is refused by name.
//!
//! Files are built byte by byte, so that each number can be wrong on its own: the refusals hold what
//! readers elsewhere were once broken with (sizes that overflow, offsets beyond the end, counts that ask
//! for memory, alignments of 0).

use ixc_nn::{
    Error, Quant,
    limits::{MAX_KEYS, MAX_NAME_BYTES, MAX_TENSORS},
    weights::{
        Checkpoint, Format, GgufFault, GgufPlan, GgufValue, Keep, StoredType, TensorPlan,
        write_gguf,
    },
};

use crate::support::{Folder, f32_bytes, open};

/// A file to be, each number as it will stand there.
#[derive(Clone)]
pub(crate) struct Draft {
    version: u32,
    tensor_count: Option<u64>,
    key_count: Option<u64>,
    /// Keys as bytes, type number and value included.
    keys: Vec<Vec<u8>>,
    tensors: Vec<Tensor>,
    alignment: usize,
    data: Vec<u8>,
}

#[derive(Clone)]
struct Tensor {
    name: String,
    /// Fastest first, as in the file.
    axes: Vec<u64>,
    dtype: u32,
    offset: u64,
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes
}

/// A key with a value of this type and these bytes.
fn key(name: &str, number: u32, value: &[u8]) -> Vec<u8> {
    [text(name), number.to_le_bytes().to_vec(), value.to_vec()].concat()
}

fn array(items: u32, length: u64, bytes: &[u8]) -> Vec<u8> {
    [&items.to_le_bytes()[..], &length.to_le_bytes(), bytes].concat()
}

fn tensor(name: &str, axes: &[u64], dtype: u32, offset: u64) -> Tensor {
    Tensor { name: name.into(), axes: axes.to_vec(), dtype, offset }
}

impl Draft {
    /// Some keys of every type, and three tensors: f32, Q4_0, bf16.
    pub(crate) fn sound() -> Self {
        let strings = [text("a"), text("bc")].concat();
        let nested = [array(0, 2, &[1, 2]), array(8, 2, &strings)].concat();
        let mut data = f32_bytes(&[0.5; 12]);
        data.resize(64, 0);
        data.extend([7; 4 * 18]);
        data.resize(160, 0);
        data.extend([0x3f; 16]);
        Self {
            version: 3,
            tensor_count: None,
            key_count: None,
            keys: vec![
                key("general.architecture", 8, &text("internlm-xcomposer2")),
                key("numbers", 9, &array(5, 3, &[0; 12])),
                key("strings", 9, &array(8, 2, &strings)),
                key("nested", 9, &array(9, 2, &nested)),
                key("bytes", 9, &array(0, 5, b"12345")),
                key("yes", 7, &[1]),
                key("half", 6, &0.5f32.to_le_bytes()),
                key("wide", 12, &0.5f64.to_le_bytes()),
            ],
            tensors: vec![
                tensor("a.weight", &[4, 3], 0, 0),
                tensor("b.weight", &[64, 2], 2, 64),
                tensor("c.bias", &[8], 30, 160),
            ],
            alignment: 32,
            data,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes());
        out.extend(self.keys.concat());
        for tensor in &self.tensors {
            out.extend(text(&tensor.name));
            out.extend((tensor.axes.len() as u32).to_le_bytes());
            tensor.axes.iter().for_each(|axis| out.extend(axis.to_le_bytes()));
            out.extend(tensor.dtype.to_le_bytes());
            out.extend(tensor.offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(&self.data);
        out
    }
}

fn fault(bytes: &[u8]) -> GgufFault {
    match open("a.gguf", bytes).expect_err("a broken file") {
        Error::Gguf { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

/// What is said about the sound file with one thing changed.
fn changed(change: impl FnOnce(&mut Draft)) -> GgufFault {
    let mut draft = Draft::sound();
    change(&mut draft);
    fault(&draft.bytes())
}

#[test]
fn a_sound_file_is_read() {
    for version in [2, 3] {
        let bytes = Draft { version, ..Draft::sound() }.bytes();
        // By its name, and by its first bytes where the name says nothing.
        for name in ["a.gguf", "0123abcd"] {
            let checkpoint = open(name, &bytes).unwrap();
            assert!(checkpoint.is_gguf() && checkpoint.files()[0].format == Format::Gguf);
            assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a.weight", "b.weight", "c.bias"]);
            let info = checkpoint.info("b.weight").unwrap();
            assert_eq!((info.dtype, info.bytes), (StoredType::Q4_0, 72));
            assert_eq!((info.shape.as_slice(), info.numbers()), (&[2, 64][..], 128));
            assert_eq!(
                checkpoint.metadata_text("general.architecture"),
                Some("internlm-xcomposer2")
            );
            assert_eq!(checkpoint.metadata_bytes("bytes"), Some(&b"12345"[..]));
            assert_eq!(checkpoint.metadata_text("bytes"), None);
            assert_eq!(checkpoint.metadata_bytes("numbers"), None);
        }
    }
    // A larger alignment, and none where no key says so.
    let mut draft = Draft::sound();
    draft.keys.push(key("general.alignment", 4, &64u32.to_le_bytes()));
    draft.alignment = 64;
    draft.tensors[2].offset = 192;
    draft.data.splice(160..160, [0; 32]);
    assert_eq!(open("a.gguf", &draft.bytes()).unwrap().floats("c.bias", &[8]).unwrap().len(), 8);
}

#[test]
fn blocks_stay_mapped_unless_float32_is_asked_for() {
    let folder = Folder::with(&[("a.gguf", &Draft::sound().bytes())]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert!(checkpoint.buffer("b.weight").unwrap().is_mapped());
    let mut widened = vec![0f32; 128];
    Quant::Q4_0.dequantise(&[7; 72], &mut widened);
    for (keep, precision) in
        [(Keep::Stored, "q4_0"), (Keep::Bf16, "q4_0"), (Keep::F16, "q4_0"), (Keep::F32, "f32")]
    {
        let matrix = checkpoint.matrix("b.weight", 2, 64, keep).unwrap();
        assert_eq!(matrix.precision(), precision);
        let mut found = vec![0f32; 128];
        matrix.widen(0..2, &mut found);
        assert_eq!(found, widened);
    }
    assert_eq!(checkpoint.floats("b.weight", &[2, 64]).unwrap(), widened);
    let error = checkpoint.matrix("b.weight", 64, 2, Keep::Stored).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }));
}

#[test]
fn infinite_scales_are_found() {
    let mut draft = Draft::sound();
    draft.data[64..66].copy_from_slice(&0x7c00u16.to_le_bytes());
    let checkpoint = open("a.gguf", &draft.bytes()).unwrap();
    assert_eq!(checkpoint.non_finite("b.weight").unwrap(), 32);
    assert_eq!(checkpoint.non_finite("a.weight").unwrap(), 0);
}

#[test]
fn containers_of_another_kind_are_named() {
    assert_eq!(fault(b"GGUX\x03\0\0\0"), GgufFault::NoMagic);
    for version in [0, 1, 4, u32::MAX] {
        assert_eq!(changed(|draft| draft.version = version), GgufFault::Version { version });
    }
    assert_eq!(changed(|draft| draft.version = 3 << 24), GgufFault::BigEndian);
    assert_eq!(fault(b"GG"), GgufFault::Truncated { at: 0, wanted: 4, left: 2 });
}

/// Wherever a file is cut, that is said, and nothing else happens.
#[test]
fn every_truncation_is_refused() {
    let sound = Draft::sound().bytes();
    for length in 1..sound.len() {
        let fault = fault(&sound[..length]);
        assert!(
            matches!(fault, GgufFault::Truncated { .. } | GgufFault::PastEnd { .. }),
            "{length}: {fault}"
        );
    }
}

#[test]
fn counts_that_ask_for_memory_are_refused() {
    for found in [MAX_TENSORS as u64 + 1, 1 << 32, 1 << 63, u64::MAX] {
        let fault = changed(|draft| draft.tensor_count = Some(found));
        assert_eq!(fault, GgufFault::TooMany { what: "tensors", found, limit: MAX_TENSORS });
    }
    for found in [MAX_KEYS as u64 + 1, 1 << 61, u64::MAX] {
        let fault = changed(|draft| draft.key_count = Some(found));
        assert_eq!(fault, GgufFault::TooMany { what: "keys", found, limit: MAX_KEYS });
    }
    // Within the limits, but more than the file holds: some later bytes are read as what they are not.
    for claimed in [4, 1000] {
        changed(|draft| draft.tensor_count = Some(claimed));
        changed(|draft| draft.key_count = Some(claimed * 8));
    }
}

#[test]
fn strings_and_arrays_that_reach_too_far_are_refused() {
    let long = |length: u64| [&length.to_le_bytes()[..], b"abc"].concat();
    for length in [u64::MAX, 1 << 63, 1 << 40, 10_000] {
        let refused = changed(|draft| draft.keys[0] = long(length));
        let limit = MAX_NAME_BYTES;
        assert_eq!(refused, GgufFault::TooLong { what: "a key", bytes: length, limit });
        let refused = changed(|draft| draft.keys.push(key("k", 8, &long(length))));
        assert!(
            matches!(refused, GgufFault::TooLong { .. } | GgufFault::Truncated { .. }),
            "{refused}"
        );
        for items in 0..=12 {
            // Of lengths that overflow when multiplied with the item's width, and of those that do not.
            for length in [length, u64::MAX / 8 + 1, u64::MAX / 4 + 1, i64::MAX as u64] {
                let refused = changed(|draft| {
                    draft.keys.push(key("k", 9, &array(items, length, &[])));
                });
                assert!(
                    matches!(
                        refused,
                        GgufFault::Truncated { .. }
                            | GgufFault::TooLong { .. }
                            | GgufFault::NotBool { .. }
                            | GgufFault::UnknownValue { .. }
                    ),
                    "{items} {length}: {refused}"
                );
            }
        }
    }
}

#[test]
fn values_that_are_none_are_refused() {
    let refused = |number, value: &[u8]| changed(|draft| draft.keys.push(key("k", number, value)));
    for number in [13, 99, u32::MAX] {
        assert_eq!(refused(number, &[0; 64]), GgufFault::UnknownValue { key: "k".into(), number });
        let value = array(number, 1, &[0; 64]);
        assert_eq!(refused(9, &value), GgufFault::UnknownValue { key: "k".into(), number });
    }
    assert_eq!(refused(7, &[2]), GgufFault::NotBool { key: "k".into(), found: 2 });
    let value = array(7, 3, &[0, 1, 9]);
    assert_eq!(refused(9, &value), GgufFault::NotBool { key: "k".into(), found: 9 });
    let nested = (0..6).fold(vec![0], |inner, _| array(9, 1, &inner));
    assert_eq!(refused(9, &nested), GgufFault::Nested { key: "k".into(), limit: 4 });
    let not_text = [&3u64.to_le_bytes()[..], &[0xff; 3]].concat();
    assert!(matches!(refused(8, &not_text), GgufFault::NotText { .. }));
    let twice = changed(|draft| draft.keys.push(draft.keys[0].clone()));
    assert_eq!(twice, GgufFault::DuplicateKey { key: "general.architecture".into() });
}

#[test]
fn alignments_that_are_none_are_refused() {
    for found in [0u32, 1, 3, 4, 24, 48, 8192, 1 << 31, u32::MAX] {
        let refused = changed(|draft| {
            draft.keys.push(key("general.alignment", 4, &found.to_le_bytes()));
        });
        assert_eq!(refused, GgufFault::Alignment { found: found.into() });
    }
    let wide = |found: u64| key("general.alignment", 10, &found.to_le_bytes());
    for found in [0, 1 << 32, 1 << 63, u64::MAX] {
        let refused = changed(|draft| draft.keys.push(wide(found)));
        assert_eq!(refused, GgufFault::Alignment { found });
    }
    let refused = changed(|draft| draft.keys.push(key("general.alignment", 8, &text("32"))));
    assert!(matches!(refused, GgufFault::WrongValue { .. }));
}

#[test]
fn tensors_that_are_none_are_refused() {
    let refused = |change: fn(&mut Tensor)| changed(|draft| change(&mut draft.tensors[0]));
    let tensor = || "a.weight".to_owned();
    assert_eq!(refused(|t| t.axes = vec![]), GgufFault::Axes { tensor: tensor(), axes: 0 });
    assert_eq!(refused(|t| t.axes = vec![1; 5]), GgufFault::Axes { tensor: tensor(), axes: 5 });
    assert_eq!(refused(|t| t.axes = vec![0, 3]), GgufFault::EmptyTensor { tensor: tensor() });
    for axes in [
        vec![u64::MAX, 1],
        vec![1 << 63, 2],
        vec![1 << 32, 1 << 32],
        vec![1 << 31, 1 << 31, 4, 1],
        vec![3, 6_148_914_691_236_517_206],
        vec![1 << 62, 1],
    ] {
        let refused = changed(|draft| draft.tensors[0].axes = axes.clone());
        let found = matches!(refused, GgufFault::ShapeOverflow { .. } | GgufFault::PastEnd { .. });
        assert!(found, "{axes:?}: {refused}");
    }
    for number in [3, 4, 5, 6, 7, 9, 10, 11, 13, 15, 16, 29, 31, 40, 1000, u32::MAX] {
        let refused = changed(|draft| draft.tensors[0].dtype = number);
        assert_eq!(refused, GgufFault::UnknownType { tensor: tensor(), number });
    }
    let broken = refused(|t| (t.axes, t.dtype) = (vec![12], 2));
    assert!(matches!(broken, GgufFault::BrokenBlock { found: 12, block: 32, .. }));
    // The number of all is a whole number of blocks, the rows are not.
    let broken = refused(|t| (t.axes, t.dtype) = (vec![16, 2], 8));
    assert!(matches!(broken, GgufFault::BrokenBlock { found: 16, block: 32, .. }));
    let twice = changed(|draft| draft.tensors[1].name = tensor());
    assert_eq!(twice, GgufFault::DuplicateTensor { tensor: tensor() });
    let long = changed(|draft| draft.tensors[0].name = "x".repeat(MAX_NAME_BYTES + 1));
    assert!(matches!(long, GgufFault::TooLong { what: "a tensor's name", .. }));
}

#[test]
fn tensors_elsewhere_than_in_the_data_are_refused() {
    let moved = |index: usize, offset| changed(|draft| draft.tensors[index].offset = offset);
    for offset in [1, 31, 33, u64::MAX] {
        assert!(matches!(moved(2, offset), GgufFault::Misaligned { .. }));
    }
    for offset in [192, 1 << 40, 1 << 63, u64::MAX - 31] {
        assert!(matches!(moved(2, offset), GgufFault::PastEnd { .. }), "{offset}");
    }
    for offset in [0, 32, 64, 128] {
        assert!(matches!(moved(2, offset), GgufFault::Overlap { .. }), "{offset}");
    }
    let hole = changed(|draft| {
        draft.tensors[2].offset = 224;
        draft.data.resize(240, 0);
    });
    assert_eq!(hole, GgufFault::Hole { tensor: "c.bias".into(), bytes: 64 });
    let trailing = changed(|draft| draft.data.resize(176 + 32, 0));
    assert_eq!(trailing, GgufFault::Trailing { bytes: 32 });
    let mut padded = Draft::sound();
    padded.data.resize(192, 0);
    open("a.gguf", &padded.bytes()).unwrap();
}

#[test]
fn which_file_of_a_folder() {
    let gguf = Draft::sound().bytes();
    let folder = Folder::with(&[("a.gguf", &gguf), ("b.gguf", &gguf)]);
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("2 GGUF files lie side by side"), "{error}");
    Checkpoint::open(&folder.file("b.gguf")).unwrap();
    let other = |name: &str| name.strip_suffix(".weight").map(|name| format!("renamed.{name}"));
    let renamed = Checkpoint::open(&folder.file("a.gguf")).unwrap().renamed(other).unwrap();
    assert_eq!(renamed.names().collect::<Vec<_>>(), ["c.bias", "renamed.a", "renamed.b"]);
    assert_eq!(renamed.info("renamed.a").unwrap().name, "renamed.a");
    assert_eq!(renamed.floats("renamed.a", &[3, 4]).unwrap(), [0.5; 12]);
    let same = |_: &str| Some("one".to_owned());
    let error = Checkpoint::open(&folder.file("a.gguf")).unwrap().renamed(same).unwrap_err();
    assert!(matches!(error, Error::DuplicateTensor { .. }));
}

fn plan(folder: &Folder, tensors: &[(&str, StoredType, &[usize])]) -> GgufPlan {
    let tensor = |&(name, dtype, shape): &(&str, StoredType, &[usize])| TensorPlan {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
    };
    GgufPlan {
        path: folder.file("out.gguf"),
        replace: false,
        metadata: vec![
            ("text".into(), GgufValue::Text("words".into())),
            ("bytes".into(), GgufValue::Bytes(vec![1, 2, 3])),
            ("number".into(), GgufValue::U32(7)),
            ("fraction".into(), GgufValue::F32(0.25)),
        ],
        tensors: tensors.iter().map(tensor).collect(),
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = Folder::new();
    let plan = plan(
        &folder,
        &[
            ("norm", StoredType::F32, &[5]),
            ("blocks", StoredType::Q6K, &[3, 512]),
            ("half", StoredType::Bf16, &[2, 3, 1, 1]),
        ],
    );
    let numbers = |count: usize| (0..count).map(|i| i as f32 - 2.0).collect::<Vec<_>>();
    let blocks: Vec<u8> = (0..3 * 420).map(|byte| byte as u8).collect();
    let bytes = write_gguf::<Error>(&plan, |tensor, sink| match tensor.name.as_str() {
        "blocks" => blocks.chunks(100).try_for_each(|part| sink.bytes(part)),
        _ => sink.f32(&numbers(tensor.shape.iter().product())),
    })
    .unwrap();
    assert_eq!(bytes, plan.bytes().unwrap());
    assert_eq!(bytes, std::fs::metadata(&plan.path).unwrap().len());
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.metadata_text("text"), Some("words"));
    assert_eq!(checkpoint.metadata_bytes("bytes"), Some(&[1, 2, 3][..]));
    assert_eq!(checkpoint.floats("norm", &[5]).unwrap(), numbers(5));
    assert_eq!(checkpoint.floats("half", &[2, 3, 1, 1]).unwrap(), numbers(6));
    let stored = checkpoint.buffer("blocks").unwrap();
    assert_eq!(stored.bytes(), blocks);
    assert!(stored.bytes().as_ptr().addr().is_multiple_of(64));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let folder = Folder::new();
    let mut plan = plan(&folder, &[("a", StoredType::F32, &[4]), ("b", StoredType::F32, &[4])]);
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let cut = write_gguf::<Error>(&plan, |_, sink| sink.f32(&[1.0; 3])).unwrap_err();
    assert!(matches!(cut, Error::Unwritable { .. }));
    let long = write_gguf::<Error>(&plan, |_, sink| sink.f32(&[1.0; 5])).unwrap_err();
    assert!(matches!(long, Error::Unwritable { .. }));
    assert_eq!(files(), 0);
    std::fs::write(&plan.path, "old").unwrap();
    let occupied = write_gguf::<Error>(&plan, |_, sink| sink.f32(&[1.0; 4])).unwrap_err();
    assert!(matches!(occupied, Error::Exists { .. }));
    plan.replace = true;
    write_gguf::<Error>(&plan, |_, sink| sink.f32(&[1.0; 5])).unwrap_err();
    assert_eq!(std::fs::read(&plan.path).unwrap(), b"old");
    write_gguf::<Error>(&plan, |_, sink| sink.f32(&[1.0; 4])).unwrap();
    assert_eq!(files(), 1);
    Checkpoint::open(&plan.path).unwrap();
}

#[test]
fn what_public_tools_could_not_read_is_not_written() {
    let folder = Folder::new();
    let long = "x".repeat(64);
    for tensors in [
        &[(long.as_str(), StoredType::F32, &[1][..])][..],
        &[("", StoredType::F32, &[1])],
        &[("a", StoredType::F32, &[1]), ("a", StoredType::F32, &[1])],
        &[("a", StoredType::F32, &[1; 5])],
        &[("a", StoredType::F32, &[0, 2])],
        &[("a", StoredType::Q4K, &[2, 128])],
        &[("a", StoredType::Bool, &[2])],
        &[("a", StoredType::F32, &[usize::MAX, 2])],
    ] {
        let plan = plan(&folder, tensors);
        let error = write_gguf::<Error>(&plan, |_, _| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
