//! Files made to hurt: whatever their bytes, samples come out or a message does, in bounded time.

use std::{fs, time::Duration};

use ixc_input::prompt::Segment;
use ixc_train::data::{
    Dataset, FaultKind, ListNumbers, Position, Reader, Share, Source, limits::MAX_SAMPLE_BYTES,
};

use crate::{
    support::{Folder, open, preparation, stored, tokenizer},
    words::{Dice, hostile},
};

/// Reads a file through: how many samples are sound, and what is said of the others.
fn read(source: Source) -> Result<(usize, Vec<(FaultKind, String)>), String> {
    let dataset =
        Dataset::open(&[source], ListNumbers::Thousands).map_err(|error| error.to_string())?;
    let mut reader =
        Reader::new(&dataset, &preparation(300), stored(), Position::default()).unwrap();
    let (mut sound, mut said) = (0, Vec::new());
    loop {
        let batch = reader.next_batch();
        said.extend(reader.broken().iter().map(|b| (b.fault.kind(), b.fault.to_string())));
        match batch {
            Ok(Some(batch)) => sound += batch.samples.len(),
            Ok(None) => break,
            Err(error) => {
                assert!(error.to_string().contains("nothing would be learned"), "{error}");
                break;
            }
        }
    }
    Ok((sound, said))
}

#[test]
fn deep_long_and_garbled_samples_are_broken_samples() {
    let folder = Folder::new();
    let sound =
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}]}"#;
    let deep = format!(r#"{{"messages": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let long = sound.replace("Yo", &"a".repeat(9 << 20));
    let mut file = b"[".to_vec();
    file.extend(
        [sound, &deep, &long, r#"{"messages": [{"role": "user", "content": "\ud800"}]}"#]
            .join(",")
            .bytes(),
    );
    file.extend(b",{\"messages\": \"\xff\xfe\"}, {\"messages\": [}]}, ");
    file.extend(sound.bytes());
    file.extend(b"]");
    let (found, said) = read(folder.write("data.json", file)).unwrap();
    assert_eq!(found, 2);
    use FaultKind::{Json, TooLong};
    let kinds: Vec<FaultKind> = said.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Json, TooLong, Json, Json, Json], "{said:?}");
    assert!(said[0].1.contains("recursion limit"), "{said:?}");
    assert!(said[1].1.contains("bytes of text"), "{said:?}");
}

#[test]
fn a_sample_over_the_limit_is_not_read() {
    let folder = Folder::new();
    // A sparse file: the sample's bytes are holes, and take no disk.
    let source = folder.write("data.json", "[\"");
    let file = fs::OpenOptions::new().write(true).open(&source.path).unwrap();
    file.set_len(MAX_SAMPLE_BYTES + 2).unwrap();
    drop(file);
    let mut file = fs::OpenOptions::new().append(true).open(&source.path).unwrap();
    std::io::Write::write_all(&mut file, b"\"]").unwrap();
    let (_, said) = read(source).unwrap();
    let expected =
        format!("the sample has {} bytes, the limit is {MAX_SAMPLE_BYTES}", MAX_SAMPLE_BYTES + 2);
    assert_eq!(said, [(FaultKind::Json, expected)]);
}

#[test]
#[cfg(unix)]
fn loops_pipes_and_devices_do_not_hold_a_run_up() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(folder.path("loop.png"), folder.path("loop.png")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path("zero.png")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path("pipe.png")).status().unwrap();
    assert!(made.success());
    let about = |image: &str| {
        format!(
            r#"{{"image": "{image}", "messages": [{{"role": "user", "content": "?"}}, {{"role": "assistant", "content": "Yes."}}]}}"#
        )
    };
    let lines =
        ["loop.png", "pipe.png", "zero.png", "../../../../../../no/such.png", "a\\u0000.png"]
            .map(about)
            .join("\n");
    let (answer, waiting) = std::sync::mpsc::channel();
    let source = folder.write("data.jsonl", lines);
    let names = ["pipe.png", "loop.png", "zero.png"].map(|name| folder.path(name));
    std::thread::spawn(move || {
        let as_data = names.map(|path| {
            let source = Source { path, images: None, share: Share::All };
            Dataset::open(&[source], ListNumbers::Thousands).unwrap_err().to_string()
        });
        answer.send((read(source), as_data)).unwrap();
    });
    let (read, as_data) = waiting.recv_timeout(Duration::from_secs(60)).expect("nothing waits");
    let (sound, said) = read.unwrap();
    assert_eq!(sound, 0);
    let kinds: Vec<FaultKind> = said.iter().map(|(kind, _)| *kind).collect();
    use FaultKind::{ImageMissing, ImageUnreadable};
    let unreadable = ImageUnreadable;
    assert_eq!(kinds, [unreadable, unreadable, unreadable, ImageMissing, unreadable], "{said:?}");
    assert!(said[1].1.ends_with("found a pipe or a device"), "{said:?}");
    assert!(said[2].1.ends_with("found a pipe or a device"), "{said:?}");
    for message in [&as_data[0], &as_data[2]] {
        assert!(message.contains("expected a file, found a pipe or a device"), "{message}");
    }
    assert!(as_data[1].starts_with("cannot read the data file"), "{}", as_data[1]);
}

#[test]
fn no_words_of_a_sample_become_control_ids() {
    let folder = Folder::new();
    let mut dice = Dice(21);
    let mut lines = Vec::new();
    for _ in 0..200 {
        let mut say = || hostile(&mut dice).replace("<ImageHere>", "<Image Here>") + ".";
        let turns = serde_json::json!([
            {"from": "system", "value": say()}, {"from": "user", "value": say()},
            {"from": "assistant", "value": say()}
        ]);
        lines.push(serde_json::json!({ "conversations": turns }).to_string());
    }
    let dataset = open(&[folder.write("data.jsonl", lines.join("\n"))]);
    let mut reader =
        Reader::new(&dataset, &preparation(2000), stored(), Position::default()).unwrap();
    let tokenizer = tokenizer();
    let mut samples = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        for segment in &batch.samples[0].prompt.segments {
            assert!(matches!(segment, Segment::Text { .. }));
        }
        let steering = batch.samples[0].prompt.segments.iter().flat_map(|segment| match segment {
            Segment::Text { ids, .. } => ids.clone(),
            Segment::Image { .. } => Vec::new(),
        });
        let steering: Vec<u32> = steering.filter(|&id| tokenizer.is_reserved(id)).collect();
        // `<s>`, three turns, `</s>`: the layout's own, and nothing else.
        assert_eq!(steering, [1, 92543, 92542, 92543, 92542, 92543, 92542, 2]);
        samples += 1;
    }
    assert_eq!(samples, 200, "{:?}", reader.summary());
}

/// Sound files of every format, to be spoilt.
fn seeds() -> Vec<Vec<u8>> {
    let list = r#"[{"id": "1", "image": ["a.png", "c.gif"], "conversations": [
        {"from": "user", "value": "<ImageHere>\u4e2d <ImageHere> \"x\""}, {"from": "assistant", "value": "Yes."}]},
        {"image": "b.png", "conversations": [{"from": "system", "value": "S"},
        {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A \\ cat."}]}]"#;
    let lines = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}, {"role": "assistant", "content": "Hello"}]}
{"images": ["a.png"], "messages": [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "Yes"}]}"#;
    [list, lines, "good.jsonl 0.002\ngood.jsonl"].map(|seed| seed.as_bytes().to_vec()).into()
}

#[test]
fn spoilt_files_never_panic() {
    let rounds = ixc_goldens::fuzz_rounds(600);
    let folder = Folder::new();
    folder.numbered("good.jsonl", 3);
    let seeds = seeds();
    let mut dice = Dice(33);
    let (mut opened, mut sound, mut broken) = (0, 0, 0);
    for _ in 0..rounds {
        let mut file = dice.one(&seeds).clone();
        for _ in 0..dice.below(4) {
            let at = dice.below(file.len().max(1));
            if file.is_empty() {
                break;
            }
            match dice.below(5) {
                0 => file[at] = dice.below(256) as u8,
                1 => drop(file.remove(at)),
                2 => file.truncate(at + 1),
                3 => file.insert(at, *dice.one(b"{}[]\",:\\\n0<")),
                _ => {
                    let piece = file[at..(at + 1 + dice.below(30)).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        if let Ok((good, said)) = read(folder.write("data", file)) {
            opened += 1;
            sound += good;
            broken += said.len();
        }
    }
    // The spoiling reaches everything: files that do not open, samples that are broken, and sound ones.
    assert!(opened < rounds && opened > rounds / 4, "{opened} of {rounds} opened");
    assert!(sound > rounds / 10 && broken > rounds / 10, "{sound} sound, {broken} broken");
}
