//! Vectors: by an encoder of the test's, kept and searched, one encoder's alone, and with a graph that may be harmed.

use std::{fs, ops::ControlFlow, path::Path};

use ixc_input::image::Picture;
use ixc_library::{Digest, Encoder, Error, FILE, Fault, Hit, Id, Identity, Library, Query};

use crate::support::{
    DIMENSIONS, add, assert_clean, bmp, folder, go_on, library_of, mixed, names, picture, put,
    scripted,
};

/// So many pictures, the first ones with captions, embedded.
fn embedded(place: &Path, pictures: u64) -> Library {
    for seed in 0..pictures {
        let caption = if seed < 5 { format!("a fox, number n{seed}") } else { String::new() };
        put(&place.join("p"), &format!("p{seed:03}"), seed, &caption);
    }
    let mut library = library_of(&place.join("p"), &place.join("l"));
    library.embed(&scripted("eyes"), &mut go_on).unwrap();
    library.see_with(Box::new(scripted("eyes"))).unwrap();
    library
}

fn found(hits: &[Hit]) -> Vec<i64> {
    hits.iter().map(|hit| hit.entry.id.0).collect()
}

fn graphs(place: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(place.join("l")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "hnsw")).collect()
}

fn change(place: &Path, sql: &str) {
    let db = rusqlite::Connection::open(place.join("l").join(FILE)).unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn meanings_find_what_words_do_not() {
    let place = folder();
    let library = embedded(place.path(), 12);
    // Numbers begin with 1. No caption has any of these words.
    let hits = library.search("like 7", &[], 3).unwrap();
    assert_eq!((hits[0].entry.id, hits.len()), (Id(8), 3));
    assert!((hits[0].cosine.unwrap() - 1.0).abs() < 1e-3, "{hits:?}");
    assert!(hits[0].score > hits[1].score && hits[1].score > hits[2].score);
    assert_eq!(found(&library.search("like 7", &[Id(8)], 12).unwrap()).len(), 11);
    // A picture that words and meaning agree about goes first, then each one's best.
    let hits = found(&library.search("the fox n2 like 2", &[], 12).unwrap());
    assert_eq!((hits[0], hits.len()), (3, 12));
    // By a picture, which need not be the library's, and by both.
    let seven = picture(7);
    let by = |caption, picture| library.search_for(Query { caption, picture }, &[], 2).unwrap();
    assert_eq!(by("", Some(&seven))[0].entry.id, Id(8));
    assert_eq!(by("like 7", Some(&seven))[0].entry.id, Id(8));
    assert_eq!(by("like 7", Some(&picture(50))).len(), 2);
    let error = library.search("nothing of this", &[], 2).unwrap_err();
    assert!(matches!(error, Error::Encoder { .. }), "{error}");
    assert_clean(&library);
}

#[test]
fn without_an_encoder_words_rank_as_before() {
    let place = folder();
    let library = embedded(place.path(), 8);
    drop(library);
    let library = Library::open(&place.path().join("l")).unwrap();
    let other = folder();
    for seed in 0..5 {
        put(
            &other.path().join("p"),
            &format!("p{seed:03}"),
            seed,
            &format!("a fox, number n{seed}"),
        );
    }
    let plain = library_of(&other.path().join("p"), &other.path().join("l"));
    for caption in ["a fox", "n3 n1", "foxes n4", "like 7"] {
        let [with, without] = [&library, &plain].map(|one| one.search(caption, &[], 9).unwrap());
        assert_eq!(found(&with), found(&without), "{caption}");
        assert!(with.iter().all(|hit| hit.cosine.is_none()));
    }
    assert_eq!(names(&library, "like 7", 9), [""; 0]);
    let query = Query { picture: Some(&picture(1)), ..Query::default() };
    for (library, says) in [(&library, "is not at hand"), (&plain, "has none")] {
        let error = library.search_for(query, &[], 2).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(library.encoder().unwrap().unwrap(), scripted("eyes").0);
    assert_eq!(plain.encoder().unwrap(), None);
}

#[test]
fn embedding_goes_on_where_it_stopped_and_follows_changes() {
    let place = folder();
    let pictures = place.path().join("p");
    for seed in 0..20 {
        put(&pictures, &format!("p{seed:03}"), seed, "");
    }
    let mut library = library_of(&pictures, &place.path().join("l"));
    let eyes = scripted("eyes");
    assert_eq!(library.unembedded(&eyes.0).unwrap(), 20);
    let mut stop = |done, all| {
        assert_eq!(all, 20);
        if done == 18 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert!(matches!(library.embed(&eyes, &mut stop), Err(Error::Cancelled)));
    assert_eq!(library.unembedded(&eyes.0).unwrap(), 3, "two, and the unlucky one");
    let done = library.embed(&eyes, &mut go_on).unwrap();
    assert_eq!((done.embedded, done.skipped.len()), (2, 1));
    assert_eq!(done.skipped[0].reason, "an unlucky picture");
    library.see_with(Box::new(eyes.clone())).unwrap();
    assert_eq!(found(&library.search("like 7", &[], 1).unwrap()), [8]);

    // Another picture under the old number has no vector until it is embedded.
    fs::write(pictures.join("p007.bmp"), bmp(107)).unwrap();
    assert_eq!(add(&mut library, &pictures).updated, 1);
    assert_ne!(found(&library.search("like 7", &[], 1).unwrap()), [8]);
    assert_eq!(library.search("like 7", &[], 50).unwrap().len(), 18);
    assert_eq!(library.summary().unwrap().vectors.unwrap().pictures, 18);
    assert_eq!(library.embed(&eyes, &mut go_on).unwrap().embedded, 1);
    assert_eq!(found(&library.search("like 107", &[], 1).unwrap()), [8]);
    // One that left is not found.
    library.remove(&[Id(8)]).unwrap();
    assert_eq!(library.search("like 107", &[], 50).unwrap().len(), 18);
    assert_clean(&library);
    // What another process embeds is seen.
    let mut other = Library::open(&place.path().join("l")).unwrap();
    put(&pictures, "new", 31, "");
    add(&mut other, &pictures);
    other.embed(&eyes, &mut go_on).unwrap();
    assert_eq!(
        library.search("like 31", &[], 1).unwrap()[0].entry.path.file_stem().unwrap(),
        "new"
    );
}

#[test]
fn two_encoders_are_not_mixed() {
    let place = folder();
    let mut library = embedded(place.path(), 4);
    let others = scripted("other eyes");
    for error in [
        library.unembedded(&others.0).unwrap_err(),
        library.embed(&others, &mut go_on).unwrap_err(),
        library.see_with(Box::new(others.clone())).unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(
            said.contains("of eyes (weights") && said.contains("of other eyes (weights"),
            "{said}"
        );
    }
    // The same weights elsewhere are the same.
    let mut moved = scripted("eyes");
    moved.0.name = "/mnt/eyes".into();
    library.see_with(Box::new(moved)).unwrap();
    let mut fed_otherwise = scripted("eyes");
    fed_otherwise.0.preprocessing = Digest([7; 32]);
    assert!(library.see_with(Box::new(fed_otherwise)).is_err());
    library.forget_vectors().unwrap();
    assert_eq!(library.encoder().unwrap(), None);
    assert_eq!(library.search("like 3", &[], 4).unwrap(), []);
    assert_eq!(library.embed(&others, &mut go_on).unwrap().embedded, 4);
    library.see_with(Box::new(others)).unwrap();
    assert_eq!(found(&library.search("like 3", &[], 1).unwrap()), [4]);
}

#[test]
fn what_an_encoder_must_not_give_is_told() {
    #[derive(Debug)]
    struct Odd(Identity, Vec<f32>);
    impl Encoder for Odd {
        fn identity(&self) -> &Identity {
            &self.0
        }
        fn text(&self, _: &str) -> Result<Vec<f32>, String> {
            Ok(self.1.clone())
        }
        fn picture(&self, _: &Picture) -> Result<Vec<f32>, String> {
            Ok(self.1.clone())
        }
    }
    let place = folder();
    put(&place.path().join("p"), "a", 1, "a fox");
    let mut library = library_of(&place.path().join("p"), &place.path().join("l"));
    for (vector, says) in [
        (vec![1.0; DIMENSIONS - 1], "gave 23 numbers, where 24 were expected"),
        (vec![f32::NAN; DIMENSIONS], "has no direction"),
        (vec![f32::INFINITY; DIMENSIONS], "has no direction"),
        (vec![0.0; DIMENSIONS], "has no direction"),
    ] {
        let odd = Odd(scripted("eyes").0, vector);
        let done = library.embed(&odd, &mut go_on).unwrap();
        assert!(done.skipped[0].reason.contains(says), "{:?}", done.skipped);
    }
    let mut wide = scripted("eyes");
    wide.0.dimensions = 1 << 20;
    assert!(matches!(library.embed(&wide, &mut go_on), Err(Error::TooMany { .. })));
    assert_eq!(library.encoder().unwrap(), None, "nothing was kept");
}

#[test]
fn a_graph_finds_what_comparing_all_finds() {
    let place = folder();
    let mut library = embedded(place.path(), 300);
    let questions: Vec<String> = (0..300).step_by(7).map(|seed| format!("like {seed}")).collect();
    let all = |library: &Library| -> Vec<Vec<i64>> {
        let one = |question: &String| found(&library.search(question, &[], 10).unwrap());
        questions.iter().filter(|question| *question != "like 13").map(one).collect()
    };
    let exact = all(&library);
    library.make_graph_from(100);
    assert_eq!(library.index_vectors(2, &mut go_on).unwrap(), 299);
    assert_eq!(graphs(place.path()).len(), 1);
    assert_eq!(library.summary().unwrap().vectors.unwrap().graph, 299);
    // The graph holds fewer vectors than a search looks at, so none is missed.
    assert_eq!(all(&library), exact);
    assert_clean(&library);

    // What is newer is found beside it, until there is much of it, which is put in.
    for seed in 300..360 {
        put(&place.path().join("p"), &format!("p{seed:03}"), seed, "");
    }
    add(&mut library, &place.path().join("p"));
    library.embed(&scripted("eyes"), &mut go_on).unwrap();
    assert_eq!(library.index_vectors(2, &mut go_on).unwrap(), 299);
    let new = found(&library.search("like 350", &[], 1).unwrap());
    assert_eq!(library.get(Id(new[0])).unwrap().path.file_stem().unwrap(), "p350");
    library.make_graph_from(50);
    let before = graphs(place.path());
    assert_eq!(library.index_vectors(2, &mut go_on).unwrap(), 359);
    assert_ne!(graphs(place.path()), before, "another file in its place");
    assert_eq!(found(&library.search("like 350", &[], 1).unwrap()), new);
    assert_clean(&library);
    // What has gone is not given; when much has, the graph is made without it.
    let ids = library.ids().unwrap();
    library.remove(&ids[..200]).unwrap();
    assert!(library.search("like 20", &[], 300).unwrap().iter().all(|hit| hit.entry.id.0 > 200));
    assert_eq!(library.index_vectors(2, &mut go_on).unwrap(), 160);
    assert_clean(&library);
    // With few left there is none.
    library.make_graph_from(1000);
    assert_eq!(library.index_vectors(2, &mut go_on).unwrap(), 0);
    assert_eq!(graphs(place.path()).len(), 0);
    assert_eq!(found(&library.search("like 350", &[], 1).unwrap()), new);
}

#[test]
fn a_graph_that_is_harmed_is_found_not_used_and_mended() {
    let place = folder();
    let mut library = embedded(place.path(), 120);
    let exact = found(&library.search("like 7", &[], 10).unwrap());
    library.make_graph_from(100);
    library.index_vectors(2, &mut go_on).unwrap();
    drop(library);
    let path = graphs(place.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let open = || {
        let mut library = Library::open(&place.path().join("l")).unwrap();
        library.see_with(Box::new(scripted("eyes"))).unwrap();
        library.make_graph_from(100);
        library
    };
    // A digest that fits says nothing about what is in it: the numbers that are followed are checked.
    let harmed = |bytes: &[u8], digest: bool| {
        fs::write(&path, bytes).unwrap();
        if digest {
            use sha2::Digest as _;
            let digest: String =
                sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            change(place.path(), &format!("UPDATE graph SET digest = x'{digest}'"));
        }
        let library = open();
        let hits = found(&library.search("like 7", &[], 10).unwrap());
        (hits, library.verify(2, &mut go_on).unwrap().faults)
    };
    let with = |at: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let head = 8 + 119 * 2 * DIMENSIONS;
    let nodes = head + 64 + 40;
    let neighbours = nodes + 2 * 119 + 10;
    let huge = u32::MAX.to_le_bytes();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("an end too early", whole[..whole.len() - 1].to_vec()),
        ("bytes behind the end", [&whole[..], b"more"].concat()),
        ("another number of vectors", with(0, &huge)),
        ("another width", with(4, &huge)),
        ("a vector of NaN", with(8, &[0xff; 2])),
        ("another head", with(head, b"x")),
        ("another version", with(head + 7, &[9])),
        ("another metric", with(head + 13, b"c")),
        ("another number in the head", with(head + 17, &huge)),
        ("another number of nodes", with(head + 64, &huge)),
        ("another connectivity", with(head + 72, &huge)),
        ("another top level", with(head + 64 + 24, &[31])),
        ("another entry", with(head + 64 + 32, &huge)),
        ("a level below all", with(nodes, &[0xff; 2])),
        ("a level above all", with(nodes, &[0xff, 0x7f])),
        ("too many neighbours", with(neighbours, &[33])),
        ("a neighbour that is not there", with(neighbours + 4, &[119])),
        ("a neighbour far away", with(neighbours + 4, &huge)),
    ] {
        for digest in [false, true] {
            let (hits, faults) = harmed(&bytes, digest);
            assert_eq!(hits, exact, "{what}");
            assert!(matches!(faults[..], [Fault::Graph { .. }]), "{what}: {faults:?}");
        }
    }
    fs::remove_file(&path).unwrap();
    let mut library = open();
    assert_eq!(found(&library.search("like 7", &[], 10).unwrap()), exact);
    assert_eq!(library.rebuild(2, &mut go_on).unwrap().vectors, 119);
    assert_clean(&library);
    // Of a name that leads elsewhere nothing is read.
    change(place.path(), "UPDATE graph SET file = '../elsewhere'");
    let faults = library.verify(2, &mut go_on).unwrap().faults;
    assert!(matches!(faults[..], [Fault::Graph { .. }]), "{faults:?}");
    assert_eq!(found(&open().search("like 7", &[], 10).unwrap()), exact);
}

#[test]
fn any_changed_byte_of_a_graph_gives_no_wrong_picture() {
    let place = folder();
    let mut library = embedded(place.path(), 40);
    let exact = found(&library.search("like 7", &[], 40).unwrap());
    library.make_graph_from(10);
    library.index_vectors(1, &mut go_on).unwrap();
    let path = graphs(place.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for round in 0..ixc_goldens::fuzz_rounds(200) as u64 {
        use sha2::Digest as _;
        let mut bytes = whole.clone();
        for change in 0..=round % 3 {
            let dice = mixed(round * 4 + change);
            let at = dice as usize % bytes.len();
            bytes[at] ^= 1 << (dice >> 61);
        }
        // As one would who wants it to be taken.
        let digest: String =
            sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(&path, &bytes).unwrap();
        change(place.path(), &format!("UPDATE graph SET digest = x'{digest}'"));
        let hits = found(&library.search("like 7", &[], 40).unwrap());
        // Some may be missing; those that are found stand in their order.
        let mut order = exact.iter();
        assert!(hits.iter().all(|hit| order.any(|id| id == hit)), "round {round}: {hits:?}");
    }
}

#[test]
fn damaged_vectors_are_found_and_made_again() {
    let place = folder();
    let mut library = embedded(place.path(), 6);
    change(place.path(), "UPDATE embedding SET vector = x'00' WHERE picture = 2");
    change(place.path(), "UPDATE embedding SET vector = zeroblob(48) WHERE picture = 3");
    assert_eq!(library.search("like 1", &[], 9).unwrap().len(), 4);
    let faults = library.verify(2, &mut go_on).unwrap().faults;
    assert_eq!(faults, [Fault::Vectors { vectors: 2 }]);
    library.rebuild(2, &mut go_on).unwrap();
    assert_clean(&library);
    assert_eq!(library.embed(&scripted("eyes"), &mut go_on).unwrap().embedded, 2);
    assert_eq!(found(&library.search("like 1", &[], 1).unwrap()), [2]);
    for harm in ["UPDATE encoder SET weights = x'00'", "UPDATE encoder SET dimensions = -1"] {
        change(place.path(), harm);
        assert!(matches!(library.encoder(), Err(Error::DamagedVectors { .. })));
        let faults = library.verify(2, &mut go_on).unwrap().faults;
        assert!(matches!(faults[..], [Fault::Graph { .. }]), "{faults:?}");
    }
    library.forget_vectors().unwrap();
    assert_clean(&library);
}
