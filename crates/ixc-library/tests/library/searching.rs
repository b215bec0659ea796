//! Searching: the order is BM25's by a slow twin, in two languages, and nothing is given twice.

use ixc_library::{About, Add, Entry, Id, Library, words::Words};

use crate::support::{add, entries, folder, go, go_on, library_of, mixed, names, put, sized_bmp};

const WORDS: [&str; 12] =
    ["fox", "lake", "red", "two", "horses", "snow", "狗", "雪山", "bench", "of", "street", "kite"];

fn caption(seed: u64) -> String {
    let count = 1 + mixed(seed) % 9;
    let word = |at| WORDS[(mixed(seed * 31 + at) % (mixed(seed + 7) % 12 + 1)) as usize];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// BM25 as it is written down, over everything.
fn plain(entries: &[Entry], question: &str) -> Vec<(Id, f64)> {
    let documents: Vec<Words> = entries
        .iter()
        .map(|entry| {
            let mut words = Words::default();
            entry.about.captions.iter().for_each(|caption| words.add(&caption.text));
            words
        })
        .collect();
    let with_words = documents.iter().filter(|words| words.length > 0).count() as f64;
    let mean = documents.iter().map(|words| f64::from(words.length)).sum::<f64>() / with_words;
    let score = |document: &Words| {
        let mut score = 0.0;
        for word in Words::of(question).counts.keys() {
            let having =
                documents.iter().filter(|other| other.counts.contains_key(word)).count() as f64;
            let count = f64::from(document.counts.get(word).copied().unwrap_or(0));
            let idf = (1.0 + (with_words - having + 0.5) / (having + 0.5)).ln();
            let length = f64::from(document.length) / mean;
            score += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length));
        }
        score
    };
    let scored = entries.iter().zip(&documents).map(|(entry, words)| (entry.id, score(words)));
    let mut scored: Vec<_> = scored.filter(|(_, score)| *score > 0.0).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored
}

#[test]
fn the_index_ranks_as_its_slow_twin() {
    let place = folder();
    let pictures = place.path().join("p");
    for seed in 0..200 {
        put(&pictures, &format!("p{seed:03}"), seed, &caption(seed));
    }
    let mut library = library_of(&pictures, &place.path().join("l"));
    let check = |library: &Library| {
        let all = entries(library);
        for question in (1000..1040).map(caption) {
            let hits = library.search(&question, &[], 20).unwrap();
            let expected = plain(&all, &question);
            assert_eq!(hits.len(), expected.len().min(20), "{question}");
            for (at, (hit, (id, score))) in hits.iter().zip(&expected).enumerate() {
                assert!((hit.score - score).abs() < 1e-9, "{question}: place {at}");
                // Sums in another order may differ in the last bit, and then so may equal scores' order.
                let equal =
                    expected.iter().filter(|(_, other)| (other - score).abs() < 1e-9).count();
                assert!(hit.entry.id == *id || equal > 1, "{question}: place {at}");
            }
            let ties = hits.windows(2).filter(|pair| pair[0].score == pair[1].score);
            assert!(ties.into_iter().all(|pair| pair[0].entry.id < pair[1].entry.id), "{question}");
            assert_eq!(library.search(&question, &[], 20).unwrap(), hits, "the same each time");
        }
    };
    check(&library);
    let ids = library.ids().unwrap();
    library.remove(&ids.iter().copied().step_by(3).collect::<Vec<_>>()).unwrap();
    check(&library);
    library.rebuild(2, &mut go_on).unwrap();
    check(&library);
}

#[test]
fn both_languages_are_found() {
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "horses", 1, "Two brown horses stand in a meadow.");
    put(&pictures, "boats", 2, "Three boats on a lake in the evening");
    put(&pictures, "狗", 3, "草地里有两只白色的狗。");
    put(&pictures, "雪山", 4, "冬天早晨的雪山");
    put(&pictures, "silent", 5, "");
    let library = library_of(&pictures, &place.path().join("l"));
    assert_eq!(names(&library, "A horse.", 4), ["horses"]);
    assert_eq!(names(&library, "the BOAT", 4), ["boats"]);
    assert_eq!(names(&library, "白狗", 4), ["狗"]);
    assert_eq!(names(&library, "雪", 4), ["雪山"]);
    assert_eq!(names(&library, "雪山 and two horses", 4), ["雪山", "horses"]);
    assert_eq!(names(&library, "submarine", 4), [""; 0]);
    for nothing in ["", "the of", "'\" OR *", "\u{0}", "NEAR("] {
        assert_eq!(names(&library, nothing, 4), [""; 0], "{nothing:?}");
    }
    assert_eq!(names(&library, "horse", 0), [""; 0]);
    assert!(library.search("horse", &[], 1_000_000).is_err());
    let endless: String = (0..1000).map(|word| format!("w{word} ")).collect();
    assert!(library.search(&endless, &[], 4).is_err());
}

#[test]
fn nothing_is_given_twice() {
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "small", 1, "a red fox in the snow");
    std::fs::write(pictures.join("large.bmp"), sized_bmp(1, 96)).unwrap();
    std::fs::write(pictures.join("large.txt"), "a red fox in the snow").unwrap();
    put(&pictures, "other", 2, "a red fox in the rain");
    let library = library_of(&pictures, &place.path().join("l"));
    assert_eq!(library.ids().unwrap().len(), 3, "both sizes are kept");
    assert_eq!(names(&library, "red fox, snow", 9), ["large", "other"], "and one is shown");
    let all = library.search("red fox, snow", &[], 9).unwrap();
    let rest = library.search("red fox, snow", &[all[0].entry.id], 9).unwrap();
    assert_eq!(rest.len(), 1, "what looks like a picture to leave out is left out as well");
    assert_eq!(rest[0].entry.id, all[1].entry.id);
    assert_eq!(library.search("fox", &[Id(99)], 9).unwrap().len(), 2, "an unknown number is none");
    assert_eq!(library.alike(all[0].entry.id).unwrap().len(), 1);
    assert_eq!(library.alike(all[1].entry.id).unwrap(), []);
}

#[test]
fn tags_and_every_caption_are_searched() {
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "p", 1, "");
    std::fs::write(
        pictures.join("p.json"),
        r#"{"caption": "one", "caption_zh": "一只狐狸", "description": "longer", "tags": ["winter"]}"#,
    )
    .unwrap();
    let mut library = Library::create(&place.path().join("l")).unwrap();
    add(&mut library, &pictures);
    for question in ["one", "狐狸", "longer", "winter"] {
        assert_eq!(names(&library, question, 4), ["p"], "{question}");
    }
    let tagged = About { tags: vec!["summer".into()], ..About::default() };
    let request = Add { from: vec![pictures], given: tagged, threads: 1 };
    library.add(&request, &mut go).unwrap();
    assert_eq!(names(&library, "summer", 4), ["p"]);
    assert_eq!(names(&library, "winter", 4), [""; 0]);
}
