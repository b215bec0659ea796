//! The container of PyTorch's files: sound ones, and each way of breaking one.

use ixc_nn::{
    Error,
    weights::{ArchiveFault, Checkpoint, TorchFault},
};

use crate::support::{
    Pickle, SIX, View, archive, archive_with, bytes_of, f32_bytes, open, torch_file,
};

/// Why a file is refused; the message must name the file.
pub(crate) fn fault(bytes: &[u8]) -> TorchFault {
    let error = open("a.bin", bytes).unwrap_err();
    assert!(error.to_string().contains("a.bin"), "{error}");
    match error {
        Error::Torch { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

fn pickle() -> Vec<u8> {
    Pickle::state_dict(&[("t", View::plain())])
}

fn sound() -> Vec<u8> {
    torch_file(&pickle())
}

fn assert_six(checkpoint: &Checkpoint) {
    assert_eq!(bytes_of(checkpoint, "t"), f32_bytes(&SIX));
    assert_eq!(checkpoint.info("t").unwrap().shape, [2, 3]);
}

#[test]
fn what_torch_writes_opens() {
    assert_six(&open("a.bin", &sound()).unwrap());
    let six = f32_bytes(&SIX);
    let entries: [(&str, &[u8]); 2] = [("data.pkl", &pickle()), ("data/0", &six)];
    assert_six(&open("a.bin", &archive(&entries)).unwrap()); // no byteorder, as before 2.1
    // With 64-bit sizes in each entry, and without any alignment.
    assert_six(
        &open("a.bin", &archive_with(&entries, |options| options.large_file(true))).unwrap(),
    );
    let odd = archive_with(&entries, |options| options.with_alignment(1));
    let checkpoint = open("a.bin", &odd).unwrap();
    assert_six(&checkpoint);
    assert_eq!(checkpoint.floats("t", &[2, 3]).unwrap(), SIX);
}

/// Rewrites the end of an archive as PyTorch does: a 64-bit end record, its locator, and an end record
/// whose own numbers are saturated.
fn with_64_bit_end(mut file: Vec<u8>) -> Vec<u8> {
    let end = file.len() - 22;
    let field = |at: usize, bytes: usize| {
        let mut wide = [0; 8];
        wide[..bytes].copy_from_slice(&file[end + at..][..bytes]);
        u64::from_le_bytes(wide)
    };
    let (entries, size, start) = (field(10, 2), field(12, 4), field(16, 4));
    file.truncate(end);
    file.extend(0x0606_4b50u32.to_le_bytes());
    file.extend(44u64.to_le_bytes());
    file.extend([0; 12]);
    for number in [entries, entries, size, start] {
        file.extend(number.to_le_bytes());
    }
    file.extend(0x0706_4b50u32.to_le_bytes());
    file.extend([0; 4]);
    file.extend((end as u64).to_le_bytes());
    file.extend(1u32.to_le_bytes());
    file.extend(0x0605_4b50u32.to_le_bytes());
    file.extend([0; 4]);
    file.extend([0xff; 12]);
    file.extend([0; 2]);
    file
}

#[test]
fn a_64_bit_directory_opens() {
    let file = with_64_bit_end(sound());
    assert_six(&open("a.bin", &file).unwrap());
    let locator = file.len() - 22 - 20;
    let mut bad = file.clone();
    bad[locator] ^= 1;
    assert!(
        matches!(fault(&bad), TorchFault::Archive(ArchiveFault::Directory { .. })),
        "no locator"
    );
    for place in [u64::MAX, 0, file.len() as u64] {
        let mut bad = file.clone();
        bad[locator + 8..][..8].copy_from_slice(&place.to_le_bytes());
        assert!(
            matches!(fault(&bad), TorchFault::Archive(ArchiveFault::Directory { .. })),
            "record at {place}"
        );
    }
    let record = locator - 56;
    for (at, what) in [(32, "entries"), (40, "size"), (48, "start")] {
        for number in [u64::MAX, u64::MAX / 2, 1 << 32, 70_000] {
            let mut bad = file.clone();
            bad[record + at..][..8].copy_from_slice(&number.to_le_bytes());
            assert!(matches!(fault(&bad), TorchFault::Archive(_)), "{what} {number}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = sound();
    for length in 0..whole.len() {
        let found = fault(&whole[..length]);
        let expected = match length {
            0..2 => matches!(found, TorchFault::NotAnArchive),
            _ => matches!(found, TorchFault::Archive(ArchiveFault::NoEnd)),
        };
        assert!(expected, "{length}: {found}");
    }
}

#[test]
fn a_comment_is_allowed_and_bytes_behind_are_not() {
    let mut file = sound();
    let length = file.len();
    file[length - 2..].copy_from_slice(&5u16.to_le_bytes());
    file.extend(b"hello");
    assert_six(&open("a.bin", &file).unwrap());
    file.extend(b"!");
    assert_eq!(fault(&file), TorchFault::Archive(ArchiveFault::NoEnd));
}

#[test]
fn every_field_of_the_directory_is_checked() {
    // Each byte of the table and its end, set to four other values: never a panic, and the same tensor
    // or an error, for the fields that no reader needs (times, versions, attributes) may be anything.
    let whole = sound();
    let end = whole.len() - 22;
    let start = u32::from_le_bytes(whole[end + 16..][..4].try_into().unwrap()) as usize;
    for at in start..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut file = whole.clone();
            file[at] = value;
            if let Ok(checkpoint) = open("a.bin", &file) {
                assert_six(&checkpoint);
            }
        }
    }
}

#[test]
fn compressed_and_encrypted_entries_are_refused() {
    let whole = sound();
    let end = whole.len() - 22;
    let start = u32::from_le_bytes(whole[end + 16..][..4].try_into().unwrap()) as usize;
    for (at, value, what) in [(10, 8, "deflated"), (8, 1, "encrypted"), (20, 0xf0, "of two sizes")]
    {
        let mut file = whole.clone();
        file[start + at] = value;
        let found = fault(&file);
        assert!(
            matches!(found, TorchFault::Archive(ArchiveFault::NotStored { .. })),
            "{what}: {found}"
        );
    }
}

#[test]
fn an_entry_that_is_elsewhere_is_refused() {
    let whole = sound();
    let end = whole.len() - 22;
    let start = u32::from_le_bytes(whole[end + 16..][..4].try_into().unwrap()) as usize;
    for place in [1u32, end as u32, start as u32, u32::MAX - 1] {
        let mut file = whole.clone();
        file[start + 42..][..4].copy_from_slice(&place.to_le_bytes());
        assert!(
            matches!(fault(&file), TorchFault::Archive(ArchiveFault::Entry { .. })),
            "at {place}"
        );
    }
    // A size that runs into the directory.
    let mut file = whole.clone();
    file[start + 20..][..4].copy_from_slice(&0x00ff_ffffu32.to_le_bytes());
    file[start + 24..][..4].copy_from_slice(&0x00ff_ffffu32.to_le_bytes());
    assert!(matches!(fault(&file), TorchFault::Archive(ArchiveFault::Entry { .. })));
    // Another name at the place than in the directory.
    let mut file = whole.clone();
    file[30] = b'M';
    let found = fault(&file);
    assert!(found.to_string().contains("another name"), "{found}");
}

#[test]
fn an_entry_given_twice_is_refused() {
    let six = f32_bytes(&SIX);
    let mut file = archive(&[("data.pkl", &pickle()), ("data/0", &six), ("data/1", &six)]);
    let mut from = 0;
    while let Some(at) = file[from..].windows(6).position(|name| name == b"data/1") {
        file[from + at + 5] = b'0';
        from += at + 1;
    }
    let expected = ArchiveFault::DuplicateEntry { entry: "model/data/0".into() };
    assert_eq!(fault(&file), TorchFault::Archive(expected));
}

#[test]
fn none_or_several_pickles_are_refused() {
    assert_eq!(fault(&archive(&[("data/0", &[0; 24])])), TorchFault::Pickles { found: 0 });
    let two = archive(&[("data.pkl", &pickle()), ("inner/data.pkl", &pickle())]);
    assert_eq!(fault(&two), TorchFault::Pickles { found: 2 });
    assert_eq!(fault(&archive(&[])[..]), TorchFault::Pickles { found: 0 });
}

#[test]
fn a_missing_or_short_storage_is_named() {
    match fault(&archive(&[("data.pkl", &pickle())])) {
        TorchFault::NoStorage { tensor, entry } => {
            assert_eq!((tensor.as_str(), entry.as_str()), ("t", "model/data/0"))
        }
        other => panic!("{other}"),
    }
    for bytes in [0, 20, 23, 25, 48] {
        match fault(&archive(&[("data.pkl", &pickle()), ("data/0", &vec![0; bytes])])) {
            TorchFault::StorageSize { count, found, .. } => assert_eq!((count, found), (6, bytes)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn another_byte_order_is_refused() {
    let six = f32_bytes(&SIX);
    for order in [b"big".as_slice(), b"", b"little\n", b"\xff\xfe"] {
        let file = archive(&[("data.pkl", &pickle()), ("byteorder", order), ("data/0", &six)]);
        assert!(matches!(fault(&file), TorchFault::ByteOrder { .. }));
    }
}

#[test]
fn other_forms_are_recognised() {
    // What PyTorch wrote before 1.6 starts with its magic number as a bare pickle.
    let legacy =
        [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    assert_eq!(fault(&legacy), TorchFault::Legacy);
    assert!(fault(&legacy).to_string().contains("weights_only=True"));
    assert_eq!(fault(b"version https://git-lfs.github.com/spec/v1\n"), TorchFault::LfsPointer);
    for other in [b"".as_slice(), b"<html>", b"\x1f\x8b\x08", &[0; 1000]] {
        assert_eq!(fault(other), TorchFault::NotAnArchive);
    }
    assert_eq!(fault(b"PK and nothing else"), TorchFault::Archive(ArchiveFault::NoEnd));
}
