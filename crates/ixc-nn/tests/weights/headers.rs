//! Safetensors files that break the format, each way of breaking it by name.

use std::time::{Duration, Instant};

use ixc_nn::{
    Error,
    limits::{MAX_AXES, MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_TENSORS},
    weights::HeaderFault,
};

use crate::support::{open, safetensors, safetensors_of};

/// Why a file is refused; the message must name the file.
fn fault(bytes: &[u8]) -> HeaderFault {
    let started = Instant::now();
    let error = open("a.safetensors", bytes).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(2), "{error}");
    assert!(error.to_string().contains("a.safetensors"), "{error}");
    match error {
        Error::Safetensors { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

/// Why a file with this header, and so many bytes behind it, is refused.
fn header(text: &str, data: usize) -> HeaderFault {
    fault(&safetensors(text, data))
}

/// The parser's own words.
fn json(text: &str) -> String {
    match header(text, 8) {
        HeaderFault::Json { reason } => reason,
        other => panic!("{other}"),
    }
}

fn tensor(name: &str, dtype: &str, shape: &str, start: usize, end: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
}

fn sound() -> Vec<u8> {
    let one = tensor("one", "F32", "[2,2]", 0, 16);
    let two = tensor("two", "BF16", "[4]", 16, 24);
    safetensors(&format!("{{{one},{two}}}"), 24)
}

#[test]
fn a_sound_file_opens() {
    let checkpoint = open("a.safetensors", &sound()).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(checkpoint.info("two").unwrap().shape, [4]);
}

#[test]
fn forms_that_the_format_allows_open() {
    for (what, text, data) in [
        ("no tensors", "{}".to_owned(), 0),
        (
            "metadata",
            format!(r#"{{"__metadata__":{{"a":"b"}},{}}}"#, tensor("t", "U8", "[1]", 0, 1)),
            1,
        ),
        ("a single number", format!("{{{}}}", tensor("t", "F32", "[]", 0, 4)), 4),
        ("an axis of none", format!("{{{}}}", tensor("t", "F32", "[3,0]", 0, 0)), 0),
        (
            "another order than the data's",
            format!("{{{},{}}}", tensor("b", "U8", "[2]", 3, 5), tensor("a", "U8", "[3]", 0, 3)),
            5,
        ),
        (
            "none between others",
            format!(
                "{{{},{},{}}}",
                tensor("a", "U8", "[2]", 0, 2),
                tensor("none", "F64", "[0]", 2, 2),
                tensor("b", "U8", "[2]", 2, 4)
            ),
            4,
        ),
        ("escapes in a name", format!("{{{}}}", tensor(r"\u0061\n", "U8", "[1]", 0, 1)), 1),
    ] {
        open("a.safetensors", &safetensors(&text, data))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = sound();
    for length in 0..whole.len() {
        let found = fault(&whole[..length]);
        let expected = match length {
            0..8 => matches!(found, HeaderFault::TooShort { .. }),
            _ if length < whole.len() - 24 => matches!(found, HeaderFault::HeaderPastEnd { .. }),
            _ => matches!(found, HeaderFault::PastEnd { .. }),
        };
        assert!(expected, "{length}: {found}");
    }
}

#[test]
fn a_header_over_the_limit_is_refused() {
    let mut file = (MAX_HEADER_BYTES as u64 + 1).to_le_bytes().to_vec();
    file.extend(b"{}      ");
    assert_eq!(fault(&file), HeaderFault::HeaderTooLong { bytes: MAX_HEADER_BYTES as u64 + 1 });
    for length in [u64::MAX, 1 << 63, i64::MAX as u64] {
        file[..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(fault(&file), HeaderFault::HeaderTooLong { bytes: length });
    }
    file[..8].copy_from_slice(&(MAX_HEADER_BYTES as u64).to_le_bytes());
    assert_eq!(fault(&file), HeaderFault::HeaderPastEnd { header: MAX_HEADER_BYTES, found: 8 });
}

#[test]
fn an_empty_header_is_refused() {
    assert_eq!(fault(&[0; 8]), HeaderFault::NotAnObject);
    assert_eq!(fault(&[0; 64]), HeaderFault::NotAnObject);
}

#[test]
fn a_header_that_is_no_object_is_refused() {
    for text in ["[]", "null", "\"{}\"", " {}", "\u{feff}{}", "\0\0\0\0", "NaN"] {
        assert_eq!(header(text, 0), HeaderFault::NotAnObject, "{text:?}");
    }
}

#[test]
fn json_that_is_broken_is_refused() {
    for text in [
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":{}",
        "{,}",
        "{}x",
        "{}{}",
        "{}\0\0\0\0\0\0",
        "{\"a\":NaN}",
        "{\"a\":nan}",
        "{\"a\":Infinity}",
        "{'a':{}}",
        "{\"a\":{}//\n}",
        "{\"\\ud800\":{}}",
    ] {
        let _: String = json(text);
    }
    let bytes = [b"{\"".as_slice(), &[0xff, 0xfe], b"\":{}} "].concat();
    let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
    file.extend(bytes);
    assert!(matches!(fault(&file), HeaderFault::Json { .. }));
}

#[test]
fn nesting_without_end_is_refused() {
    json(&format!("{{\"a\":{}", "[".repeat(200_000)));
    json(&format!("{{\"a\":{}", "{\"a\":".repeat(200_000)));
    json(&format!("{{\"__metadata__\":{}", "{\"a\":".repeat(200_000)));
    let shape = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    json(&format!("{{{}}}", tensor("t", "F32", &shape, 0, 4)));
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let twice =
        format!("{{{},{}}}", tensor("t", "U8", "[4]", 0, 4), tensor("t", "U8", "[4]", 4, 8));
    assert_eq!(header(&twice, 8), HeaderFault::DuplicateTensor { tensor: "t".into() });
    let same = format!("{{{},{}}}", tensor("t", "U8", "[8]", 0, 8), tensor("t", "U8", "[8]", 0, 8));
    assert_eq!(header(&same, 8), HeaderFault::DuplicateTensor { tensor: "t".into() });
    let escaped =
        format!("{{{},{}}}", tensor("t", "U8", "[4]", 0, 4), tensor("\\u0074", "U8", "[4]", 4, 8));
    assert_eq!(header(&escaped, 8), HeaderFault::DuplicateTensor { tensor: "t".into() });
    let metadata = r#"{"__metadata__":{},"__metadata__":{}}"#;
    assert_eq!(header(metadata, 0), HeaderFault::DuplicateTensor { tensor: "__metadata__".into() });
}

#[test]
fn a_field_given_twice_is_refused() {
    for field in [r#""dtype":"U8""#, r#""shape":[8]"#, r#""data_offsets":[0,8]"#] {
        let text = format!(r#"{{"t":{{"dtype":"U8","shape":[8],"data_offsets":[0,8],{field}}}}}"#);
        assert!(json(&text).contains("twice"));
    }
}

#[test]
fn a_missing_field_is_named() {
    for (field, rest) in [
        ("dtype", r#""shape":[8],"data_offsets":[0,8]"#),
        ("shape", r#""dtype":"U8","data_offsets":[0,8]"#),
        ("data_offsets", r#""dtype":"U8","shape":[8]"#),
    ] {
        let reason = json(&format!(r#"{{"some.tensor":{{{rest}}}}}"#));
        assert!(reason.contains(field) && reason.contains("some.tensor"), "{reason}");
    }
}

#[test]
fn an_unknown_field_is_named() {
    let text = r#"{"t":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"scale":2}}"#;
    assert!(json(text).contains("scale"));
}

#[test]
fn fields_of_another_kind_are_refused() {
    for text in [
        r#"{"t":1}"#,
        r#"{"t":[]}"#,
        r#"{"t":{"dtype":1,"shape":[8],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":8,"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":["8"],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8e0],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":null,"data_offsets":[0,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8],"data_offsets":[0]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8],"data_offsets":[-1,7]}}"#,
        r#"{"t":{"dtype":"U8","shape":[8],"data_offsets":{}}}"#,
        r#"{"__metadata__":1}"#,
        r#"{"__metadata__":{"a":1}}"#,
        r#"{"__metadata__":{"a":{"b":"c"}}}"#,
    ] {
        let _: String = json(text);
    }
}

#[test]
fn an_unknown_type_is_named() {
    for dtype in ["F8_E4M3", "f32", "float32", "", "F32 ", "C64"] {
        let text = format!("{{{}}}", tensor("t", dtype, "[1]", 0, 4));
        assert_eq!(
            header(&text, 4),
            HeaderFault::UnknownType { tensor: "t".into(), dtype: dtype.into() }
        );
    }
}

#[test]
fn a_shape_that_overflows_is_refused() {
    for shape in [
        "[18446744073709551615,2]",
        "[4294967296,4294967296]",
        "[9223372036854775807]",
        "[65536,65536,65536,65536]",
        "[4611686018427387904,4]",
    ] {
        let text = format!("{{{}}}", tensor("t", "F32", shape, 0, 0));
        assert!(matches!(header(&text, 0), HeaderFault::ShapeOverflow { .. }), "{shape}");
    }
    // One axis of none is no excuse for the others.
    let text = format!("{{{}}}", tensor("t", "F32", "[4294967296,4294967296,0]", 0, 0));
    assert!(matches!(header(&text, 0), HeaderFault::ShapeOverflow { .. }));
}

#[test]
fn too_many_axes_are_refused() {
    let shape = format!("[{}]", ["1"; MAX_AXES + 1].join(","));
    let text = format!("{{{}}}", tensor("t", "U8", &shape, 0, 1));
    assert_eq!(header(&text, 1), HeaderFault::TooManyAxes { tensor: "t".into() });
    let shape = format!("[{}]", vec!["1"; 1_000_000].join(","));
    let text = format!("{{{}}}", tensor("t", "U8", &shape, 0, 1));
    assert_eq!(header(&text, 1), HeaderFault::TooManyAxes { tensor: "t".into() });
}

#[test]
fn a_size_that_is_not_the_shapes_is_refused() {
    for (dtype, shape, end) in [
        ("F32", "[2]", 4),
        ("F32", "[2]", 16),
        ("U8", "[0]", 1),
        ("F64", "[]", 4),
        ("F16", "[3]", 3),
    ] {
        let text = format!("{{{}}}", tensor("t", dtype, shape, 0, end));
        assert!(
            matches!(header(&text, end), HeaderFault::Size { found, .. } if found == end),
            "{dtype} {shape}"
        );
    }
}

#[test]
fn offsets_that_run_backwards_are_refused() {
    let text = format!("{{{}}}", tensor("t", "U8", "[4]", 8, 4));
    assert_eq!(header(&text, 8), HeaderFault::Backwards { tensor: "t".into(), start: 8, end: 4 });
    let text = format!("{{{}}}", tensor("t", "U8", "[4]", usize::MAX, 4));
    assert!(matches!(header(&text, 8), HeaderFault::Backwards { .. }));
}

#[test]
fn a_tensor_past_the_end_is_refused() {
    let text = format!("{{{}}}", tensor("t", "U8", "[9]", 0, 9));
    assert_eq!(header(&text, 8), HeaderFault::PastEnd { tensor: "t".into(), end: 9, data: 8 });
    let end = usize::MAX;
    let text = format!("{{{}}}", tensor("t", "U8", &format!("[{end}]"), 0, end));
    assert_eq!(header(&text, 8), HeaderFault::PastEnd { tensor: "t".into(), end, data: 8 });
    let text = format!("{{{}}}", tensor("t", "U8", "[0]", 9, 9));
    assert!(matches!(header(&text, 8), HeaderFault::PastEnd { .. }));
}

#[test]
fn tensors_that_overlap_are_refused() {
    for (second, shape) in
        [((4, 12), "[8]"), ((0, 8), "[8]"), ((2, 6), "[4]"), ((7, 9), "[2]"), ((5, 5), "[0]")]
    {
        let one = tensor("one", "U8", "[8]", 0, 8);
        let two = tensor("two", "U8", shape, second.0, second.1);
        for text in [format!("{{{one},{two}}}"), format!("{{{two},{one}}}")] {
            assert!(matches!(header(&text, 12), HeaderFault::Overlap { .. }), "{text}");
        }
    }
}

#[test]
fn bytes_that_belong_to_no_tensor_are_refused() {
    let (one, two) = (tensor("one", "U8", "[4]", 0, 4), tensor("two", "U8", "[4]", 5, 9));
    let text = format!("{{{one},{two}}}");
    assert_eq!(header(&text, 9), HeaderFault::Hole { tensor: "two".into(), bytes: 1 });
    let text = format!("{{{}}}", tensor("t", "U8", "[4]", 4, 8));
    assert_eq!(header(&text, 8), HeaderFault::Hole { tensor: "t".into(), bytes: 4 });
    assert_eq!(header(&format!("{{{one}}}"), 5), HeaderFault::Trailing { bytes: 1 });
    assert_eq!(header("{}", 3), HeaderFault::Trailing { bytes: 3 });
}

#[test]
fn a_hundred_thousand_tensors_are_refused() {
    let many: Vec<_> = (0..100_000).map(|i| tensor(&i.to_string(), "U8", "[0]", 0, 0)).collect();
    assert_eq!(header(&format!("{{{}}}", many.join(",")), 0), HeaderFault::TooManyTensors);
    let limit = &many[..MAX_TENSORS];
    let text = format!(r#"{{"__metadata__":{{}},{}}}"#, limit.join(","));
    assert_eq!(open("a.safetensors", &safetensors(&text, 0)).unwrap().names().count(), MAX_TENSORS);
    let over = &many[..MAX_TENSORS + 1];
    assert_eq!(header(&format!("{{{}}}", over.join(",")), 0), HeaderFault::TooManyTensors);
}

#[test]
fn a_name_without_end_is_refused() {
    let name = "n".repeat(MAX_NAME_BYTES + 1);
    let text = format!("{{{}}}", tensor(&name, "U8", "[0]", 0, 0));
    assert_eq!(header(&text, 0), HeaderFault::NameTooLong { bytes: MAX_NAME_BYTES + 1 });
    let text = format!(r#"{{"{}":{{}}}}"#, "n".repeat(10_000_000));
    assert_eq!(header(&text, 0), HeaderFault::NameTooLong { bytes: 10_000_000 });
}

#[test]
fn messages_stay_short_and_escaped() {
    let long = "x".repeat(1_000_000);
    for text in [
        format!(r#"{{"t":"{long}"}}"#),
        format!(r#"{{"t":{{"{long}":1}}}}"#),
        format!("{{{}}}", tensor("t", &long, "[1]", 0, 4)),
    ] {
        assert!(header(&text, 4).to_string().len() < 1_000);
    }
    let text = format!("{{{}}}", tensor(r"\u001b[31m\u202e", "U8", "[1]", 0, 4));
    let message = header(&text, 4).to_string();
    assert!(!message.contains('\u{1b}') && !message.contains('\u{202e}'), "{message:?}");
}

#[test]
fn a_git_lfs_pointer_is_recognised() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert_eq!(fault(pointer), HeaderFault::LfsPointer);
}

#[test]
fn another_format_under_this_name_is_refused() {
    for bytes in
        [b"<!DOCTYPE html><html>".as_slice(), b"PK\x03\x04 and so on", b"GGUF\x03\0\0\0\0\0\0\0\0"]
    {
        let found = fault(bytes);
        assert!(
            matches!(found, HeaderFault::HeaderTooLong { .. } | HeaderFault::HeaderPastEnd { .. }),
            "{found}"
        );
    }
    assert!(matches!(fault(&safetensors_of("hello", &[])), HeaderFault::NotAnObject));
}
