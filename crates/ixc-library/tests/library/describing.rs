//! Captions by a model: only where they are wanted, kept one by one, and never instead of a person's.

use std::{fs, ops::ControlFlow};

use ixc_input::image::Picture;
use ixc_library::{Error, Origin, Which};

use crate::support::{add, assert_clean, bmp, entries, folder, go_on, library_of, names, put};

fn say(picture: &Picture) -> Result<String, String> {
    Ok(format!(" a picture\nof {} pixels ", picture.width()))
}

#[test]
fn missing_captions_are_written_and_kept() {
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "a", 1, "by a person");
    for seed in 2..6 {
        put(&pictures, &format!("p{seed}"), seed, "");
    }
    let mut library = library_of(&pictures, &place.path().join("l"));
    assert_eq!(library.undescribed(Which::Missing, "m").unwrap(), 4);
    // Stopped before the third: two are kept.
    let mut stop =
        |done, _| if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let error = library.describe(Which::Missing, "m", &mut say, &mut stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(library.undescribed(Which::Missing, "m").unwrap(), 2);
    let done = library.describe(Which::Missing, "m", &mut say, &mut go_on).unwrap();
    assert_eq!((done.described, done.skipped.len()), (2, 0));
    let all = entries(&library);
    assert_eq!(all[0].caption(), Some("by a person"));
    let caption = &all[4].about.captions[0];
    assert_eq!((caption.text.as_str(), caption.origin), ("a picture of 24 pixels", Origin::Model));
    assert_eq!(caption.model.as_deref(), Some("m"));
    assert_eq!(names(&library, "pixel", 9).len(), 4);
    // Adding again takes nothing away.
    assert_eq!(add(&mut library, &pictures).unchanged, 5);
    assert_eq!(entries(&library), all);

    let done = library.describe(Which::All, "m", &mut say, &mut go_on).unwrap();
    assert_eq!(done.described, 1, "only what this model has not described");
    assert_eq!(entries(&library)[0].caption(), Some("by a person"), "which stays first");
    assert_eq!(entries(&library)[0].about.captions.len(), 2);
    assert_eq!(add(&mut library, &pictures).unchanged, 5);
    // A new caption beside the picture goes before the model's.
    fs::write(pictures.join("p2.txt"), "said later").unwrap();
    assert_eq!(add(&mut library, &pictures).updated, 1);
    assert_eq!(entries(&library)[1].caption(), Some("said later"));
    assert_eq!(entries(&library)[1].about.captions.len(), 2);
    assert_clean(&library);
}

#[test]
fn pictures_that_cannot_be_described_are_told() {
    let place = folder();
    let pictures = place.path().join("p");
    for seed in 0..4 {
        put(&pictures, &format!("p{seed}"), seed, "");
    }
    let mut library = library_of(&pictures, &place.path().join("l"));
    fs::remove_file(pictures.join("p0.bmp")).unwrap();
    fs::write(pictures.join("p1.bmp"), bmp(77)).unwrap();
    let mut answers = vec![Ok("  ".to_owned()), Err("too large for the context".to_owned())];
    let mut odd = |_: &Picture| answers.pop().expect("asked twice");
    let done = library.describe(Which::Missing, "m", &mut odd, &mut go_on).unwrap();
    assert_eq!(done.described, 0);
    let reasons: Vec<&str> = done.skipped.iter().map(|one| one.reason.as_str()).collect();
    assert!(reasons[0].starts_with("cannot be read"), "{reasons:?}");
    assert!(reasons[1].starts_with("has changed"), "{reasons:?}");
    assert_eq!(reasons[2..], ["too large for the context", "the model said nothing about it"]);
    assert_eq!(library.undescribed(Which::Missing, "m").unwrap(), 4);
}
