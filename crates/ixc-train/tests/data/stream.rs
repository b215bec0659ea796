//! The order of samples: the same whatever the threads do, and whole from any position on.

use ixc_input::prompt::Segment;
use ixc_train::data::{
    BatchSize, Dataset, ListNumbers, OnBroken, Options, Order, Position, Reader, Share, Source,
    survey,
};

use crate::support::{Folder, drain, open, options, preparation, stored};

fn mixed(folder: &Folder) -> Vec<Source> {
    let mut sources = vec![folder.numbered("a.jsonl", 23), folder.numbered("b.jsonl", 5)];
    sources[1].share = Share::Count(12);
    sources.push(Source { share: Share::Ratio(0.5), ..folder.numbered("c.jsonl", 8) });
    let pictures = r#"[{"image": "a.png", "conversations": [{"from": "human", "value": "<image>?"},
        {"from": "gpt", "value": "A dot."}]}, {"conversations": []}]"#;
    sources.push(Source { share: Share::Ratio(3.0), ..folder.write("d.json", pictures) });
    sources
}

fn reader(dataset: &Dataset, options: Options, position: Position) -> Reader {
    Reader::new(dataset, &preparation(200), options, position).unwrap()
}

#[test]
fn the_order_depends_on_nothing_but_data_and_seed() {
    let folder = Folder::new();
    let dataset = open(&mixed(&folder));
    let base = options(BatchSize::Samples(4), 3);
    let expected = drain(&mut reader(&dataset, base, Position::default()));
    // 23 + 12 + 4 + 6 an epoch, of which 3 are broken.
    assert_eq!(expected.0.len(), 3 * (23 + 12 + 4 + 6 - 3));
    assert!(expected.1[..expected.1.len() - 1].iter().all(|&size| size == 4));
    for threads in [1, 3, 7] {
        let options = Options { threads, ..base };
        assert_eq!(drain(&mut reader(&dataset, options, Position::default())), expected);
    }
    let other = Options { order: Order::Shuffled { seed: 4 }, ..base };
    assert_ne!(drain(&mut reader(&dataset, other, Position::default())).0, expected.0);
    let mut counted = reader(&dataset, base, Position::default());
    drain(&mut counted);
    let summary = counted.summary();
    let samples: Vec<u64> = summary.files.iter().map(|file| file.seen.samples).collect();
    assert_eq!(samples, [69, 36, 12, 9]);
    assert_eq!(summary.broken().values().sum::<u64>(), 9);
    assert_eq!(summary.seen().images, 9);
}

#[test]
fn a_resumed_stream_is_the_uninterrupted_one() {
    let folder = Folder::new();
    let dataset = open(&mixed(&folder));
    for batch in [BatchSize::Samples(3), BatchSize::Positions(200)] {
        let options = options(batch, 2);
        let key = |batch: &ixc_train::data::Batch| {
            let samples = batch.samples.iter();
            samples.map(|sample| (sample.file, sample.index, sample.prompt.clone())).collect()
        };
        let mut whole: Vec<Vec<_>> = Vec::new();
        let mut positions = vec![Position::default()];
        let mut uninterrupted = reader(&dataset, options, Position::default());
        while let Some(batch) = uninterrupted.next_batch().unwrap() {
            whole.push(key(&batch));
            positions.push(batch.next);
        }
        assert_eq!(positions.last().unwrap(), &Position { epoch: 2, index: 0 });
        for (gone, position) in positions.into_iter().enumerate() {
            // Through its written form, as a checkpoint keeps it.
            let written = serde_json::to_string(&position).unwrap();
            let mut resumed = reader(&dataset, options, serde_json::from_str(&written).unwrap());
            let mut rest = Vec::new();
            while let Some(batch) = resumed.next_batch().unwrap() {
                rest.push(key(&batch));
            }
            assert_eq!(rest, whole[gone..], "{batch:?} {position:?}");
        }
    }
}

#[test]
fn packing_keeps_order_and_wastes_no_row() {
    let folder = Folder::new();
    let mut lines = Vec::new();
    for number in 0..60 {
        let words = "word ".repeat(1 + number * 37 % 50);
        lines.push(format!(
            r#"{{"messages": [{{"role": "user", "content": "?"}}, {{"role": "assistant", "content": "{words}"}}]}}"#
        ));
    }
    let dataset = open(&[folder.write("data.jsonl", lines.join("\n"))]);
    let one = options(BatchSize::Samples(1), 1);
    let mut single = reader(&dataset, one, Position::default());
    let mut lengths = Vec::new();
    while let Some(batch) = single.next_batch().unwrap() {
        lengths.push(batch.positions());
    }
    let mut packed =
        reader(&dataset, Options { batch: BatchSize::Positions(200), ..one }, Position::default());
    let mut taken = 0;
    while let Some(batch) = packed.next_batch().unwrap() {
        let here = &lengths[taken..][..batch.samples.len()];
        // Each sample is whole, begins with `<s>` and ends with `</s>`: a sequence of its own.
        for (sample, length) in batch.samples.iter().zip(here) {
            assert_eq!(sample.positions, *length);
            let ids = |segment: &Segment| match segment {
                Segment::Text { ids, .. } => ids.clone(),
                Segment::Image { .. } => Vec::new(),
            };
            let ids: Vec<u32> = sample.prompt.segments.iter().flat_map(ids).collect();
            assert_eq!((ids[0], ids[ids.len() - 1]), (1, 2));
            assert_eq!(ids.iter().filter(|id| [1, 2].contains(*id)).count(), 2);
        }
        taken += here.len();
        let positions: usize = here.iter().sum();
        assert_eq!(batch.positions(), positions);
        let more = lengths.get(taken).is_none_or(|next| positions + next > 200);
        assert!(positions <= 200 && more, "{positions} of 200, next {:?}", lengths.get(taken));
        assert!(batch.learned() > 0 && batch.learned() < positions);
    }
    assert_eq!(taken, 60);
}

#[test]
fn impossible_options_and_positions_are_refused() {
    let folder = Folder::new();
    let dataset = open(&[folder.numbered("a.jsonl", 3)]);
    let base = options(BatchSize::Samples(1), 1);
    let message = |options, index| {
        let position = Position { epoch: 0, index };
        Reader::new(&dataset, &preparation(200), options, position).err().unwrap().to_string()
    };
    let expected = "positions in a batch: expected at least the context's 200, found 199";
    assert_eq!(message(Options { batch: BatchSize::Positions(199), ..base }, 0), expected);
    let expected = "samples in a batch: expected at least 1, found 0";
    assert_eq!(message(Options { batch: BatchSize::Samples(0), ..base }, 0), expected);
    let expected = "data threads: expected 1 to 256, found 0";
    assert_eq!(message(Options { threads: 0, ..base }, 0), expected);
    let expected = "expected a position below 3 in the epoch, found 3; is it of another dataset?";
    assert_eq!(message(base, 3), expected);

    for (share, found) in [
        (Share::Count(0), "a count of 0"),
        (Share::Ratio(0.1), "a ratio of 0.1"),
        (Share::Ratio(-1.0), "a ratio of -1"),
        (Share::Ratio(f64::NAN), "a ratio of NaN"),
        (Share::Ratio(f64::INFINITY), "a ratio of inf"),
        (Share::Count(u64::MAX), "a count of 18446744073709551615"),
    ] {
        let source = Source { share, ..folder.numbered("a.jsonl", 3) };
        let message = Dataset::open(&[source], ListNumbers::Ratio).unwrap_err().to_string();
        assert!(message.ends_with(&format!("found {found} of 3")), "{message}");
    }
    let message = Dataset::open(&[], ListNumbers::Ratio).unwrap_err().to_string();
    assert_eq!(message, "expected at least one data file, found none");
}

#[test]
fn another_dataset_is_told_from_the_first() {
    let folder = Folder::new();
    let (a, b) = (folder.numbered("a.jsonl", 3), folder.numbered("b.jsonl", 4));
    let identity = open(&[a.clone(), b.clone()]).identity();
    let written = serde_json::to_string(&identity).unwrap();
    let earlier = serde_json::from_str(&written).unwrap();
    let differs = |sources: &[Source]| open(sources).expect(&earlier).err().map(|e| e.to_string());
    assert_eq!(differs(&[a.clone(), b.clone()]), None);
    let moved = folder.write("moved.jsonl", std::fs::read(&a.path).unwrap());
    assert_eq!(differs(&[moved, b.clone()]), None);
    assert!(
        differs(std::slice::from_ref(&a)).unwrap().contains("expected 2 data file(s), found 1")
    );
    assert!(differs(&[b.clone(), a.clone()]).unwrap().contains("expected the 3 samples of"));
    let more = Source { share: Share::Count(9), ..b.clone() };
    let message = differs(&[a.clone(), more]).unwrap();
    assert!(message.contains("b.jsonl: expected 4 samples an epoch, found 9"), "{message}");
    // One word of the same length: only the digest notices.
    let text = std::fs::read_to_string(&b.path).unwrap().replacen("3?", "4?", 1);
    assert!(differs(&[a, folder.write("b.jsonl", text)]).unwrap().contains("SHA-256"));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    let source = folder.numbered("a.jsonl", 40);
    let dataset = open(&[source]);
    let mut reader = reader(&dataset, stored(), Position::default());
    assert!(reader.next_batch().unwrap().is_some());
    folder.numbered("a.jsonl", 41);
    let error = std::iter::from_fn(|| reader.next_batch().transpose()).find_map(Result::err);
    let message = error.unwrap().to_string();
    assert!(message.contains("a.jsonl changed while it was read"), "{message}");
    assert!(reader.next_batch().unwrap().is_none(), "the stream has ended");
}

#[test]
fn a_survey_counts_every_sample_once() {
    let folder = Folder::new();
    let dataset = open(&mixed(&folder));
    let order = Order::Shuffled { seed: 1 };
    let whole = survey(&dataset, &preparation(200), 2, order, None).unwrap();
    let seen: Vec<u64> = whole.files.iter().map(|file| file.seen.samples).collect();
    assert_eq!(seen, [23, 5, 8, 1]);
    assert_eq!(whole.broken().values().sum::<u64>(), 1);
    let part = survey(&dataset, &preparation(200), 2, order, Some(10)).unwrap();
    assert_eq!(part.seen().samples + part.broken().values().sum::<u64>(), 10);
    let all = survey(&dataset, &preparation(200), 2, order, Some(1000)).unwrap();
    assert_eq!(all.seen().samples, 23 + 12 + 4 + 3);
}

#[test]
fn a_reader_can_be_dropped_at_any_time() {
    let folder = Folder::new();
    let dataset = open(&mixed(&folder));
    for batches in 0..5 {
        let options = Options { epochs: None, threads: 3, ..options(BatchSize::Samples(2), 1) };
        let mut reader = reader(&dataset, options, Position::default());
        (0..batches).for_each(|_| assert!(reader.next_batch().unwrap().is_some()));
    }
}

#[test]
fn a_broken_sample_can_be_fatal() {
    let folder = Folder::new();
    let dataset = open(&mixed(&folder));
    let options = Options { on_broken: OnBroken::Fail, ..options(BatchSize::Samples(2), 1) };
    let mut reader = reader(&dataset, options, Position::default());
    let error = std::iter::from_fn(|| reader.next_batch().transpose()).find_map(Result::err);
    let message = error.unwrap().to_string();
    assert!(message.contains("d.json, sample 1 (counted from 0): expected at least one turn"));
}
