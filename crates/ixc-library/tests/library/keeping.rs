//! A picture that is no file yet gets one, once, and what is said of it stays with it.

use std::fs;

use ixc_library::{About, Added, Caption, Generated, KEPT, Library, Origin};

use crate::support::{add, assert_clean, bmp, entries, folder, put};

fn about(words: &str) -> About {
    let caption =
        Caption { text: words.into(), language: None, origin: Origin::Given, model: None };
    About {
        captions: vec![caption],
        source: Some("painter".into()),
        generated: Some(Generated {
            model: Some("brush".into()),
            seed: Some("7".into()),
            prompt: Some("a lake at dawn".into()),
        }),
        ..About::default()
    }
}

#[test]
fn a_picture_is_kept_once_with_what_is_said_of_it() {
    let place = folder();
    let mut library = Library::create(&place.path().join("l")).unwrap();
    assert_eq!(library.keep(&bmp(1), about("a lake")).unwrap().added, 1);
    let again = library.keep(&bmp(1), about("another lake")).unwrap();
    assert_eq!(again, Added { unchanged: 1, ..Added::default() });
    let all = entries(&library);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].about, about("a lake"));
    assert!(all[0].path.starts_with(KEPT) && all[0].path.extension().unwrap() == "bmp");
    assert_eq!(fs::read(library.path_of(&all[0])).unwrap(), bmp(1));
    assert_eq!(library.search("lake", &[], 4).unwrap().len(), 1);

    // One that it knows from a folder gets no second file; one whose file was lost comes back.
    let pictures = place.path().join("p");
    put(&pictures, "two", 2, "a hill");
    add(&mut library, &pictures);
    assert_eq!(library.keep(&bmp(2), about("a hill")).unwrap().unchanged, 1);
    fs::remove_file(library.path_of(&all[0])).unwrap();
    library.keep(&bmp(1), about("a lake")).unwrap();
    assert_eq!(fs::read(library.path_of(&all[0])).unwrap(), bmp(1));
    assert_eq!(fs::read_dir(library.folder().join(KEPT)).unwrap().count(), 1);
    assert_eq!(entries(&library).len(), 2);
    assert_clean(&library);
}

#[test]
fn what_is_no_picture_is_not_taken_and_leaves_no_file() {
    let place = folder();
    let mut library = Library::create(place.path()).unwrap();
    let refused = library.keep(b"<html>quota exceeded</html>", About::default()).unwrap();
    assert_eq!((refused.added, refused.skipped.len()), (0, 1));
    assert_eq!(fs::read_dir(library.folder().join(KEPT)).unwrap().count(), 0);
    assert!(entries(&library).is_empty());
    assert_clean(&library);
}
