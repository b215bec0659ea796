//! L2: a folder of traps. Each is passed over with its reason, and what is good beside it is taken.

use std::{fs, path::Path};

use ixc_library::{Library, limits::MAX_DEPTH};

use crate::support::{add, assert_clean, bmp, folder, put};

/// The complaint about a file, or nothing.
fn reasons(library: &mut Library, folder: &Path) -> Vec<(String, String)> {
    let added = add(library, folder);
    let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    added
        .skipped
        .iter()
        .chain(&added.unread)
        .map(|one| (name(&one.path), one.reason.clone()))
        .collect()
}

#[test]
fn broken_pictures_are_told_apart() {
    let place = folder();
    let folder = place.path().join("p");
    put(&folder, "good", 1, "a fox");
    let png = fs::read(ixc_goldens::fixtures().join("images/rgb_9_337x336.png")).unwrap();
    let mut bomb = png[..64].to_vec();
    bomb[16..24].copy_from_slice(&[0, 0, 0xf0, 0, 0, 0, 0xf0, 0]); // 61440 x 61440
    let mut no_pixels = png.clone();
    no_pixels[16..24].fill(0);
    let files: [(&str, &[u8], &str); 9] = [
        ("empty.png", b"", "empty"),
        ("text.png", b"hello, this is a text", "not a picture"),
        ("page.jpg", b"<!doctype html><html>", "a web page"),
        ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        ("half.png", &png[..png.len() / 2], "ends"),
        ("bomb.png", &bomb, "61440"),
        ("none.png", &no_pixels, "0x0"),
        ("video.gif", b"\x1a\x45\xdf\xa3", "a video"),
    ];
    for (name, bytes, _) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let mut library = Library::create(&place.path().join("l")).unwrap();
    let reasons = reasons(&mut library, &folder);
    for (name, _, expected) in files {
        let found = reasons.iter().find(|(found, _)| found == name);
        let (_, reason) = found.unwrap_or_else(|| panic!("{name} is told: {reasons:?}"));
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    assert_eq!(reasons.len(), files.len(), "{reasons:?}");
    assert_eq!(library.ids().unwrap().len(), 1);
    assert_clean(&library);
}

#[test]
fn what_lies_beside_pictures_may_be_broken_as_well() {
    let place = folder();
    let folder = place.path().join("p");
    for (seed, name) in (0..).zip(["a", "b", "c", "d", "e", "f"]) {
        put(&folder, name, seed, "");
    }
    fs::write(folder.join("a.json"), "{\"caption\": ").unwrap();
    fs::write(folder.join("b.json"), "[1]").unwrap();
    fs::write(folder.join("c.txt"), b"\xff\xfea\0b\0").unwrap();
    fs::write(folder.join("d.txt"), "long ".repeat(20_000)).unwrap();
    fs::write(folder.join("e.json"), "{\"captions\": 3, \"license\": 1}").unwrap();
    fs::create_dir(folder.join("f.txt")).unwrap();
    fs::write(
        folder.join("library.jsonl"),
        "{\"caption\": \"no file\"}\n{\"file\": \"../../up.png\"}\nnonsense\n",
    )
    .unwrap();
    let mut library = Library::create(&place.path().join("l")).unwrap();
    let reasons = reasons(&mut library, &folder);
    for name in ["a.json", "b.json", "c.txt", "d.txt", "e.json", "library.jsonl"] {
        assert!(reasons.iter().any(|(found, _)| found == name), "{name} is told: {reasons:?}");
    }
    assert_eq!(reasons.len(), 7, "two lines of the list: {reasons:?}");
    assert_eq!(library.ids().unwrap().len(), 6, "the pictures are taken");
}

#[cfg(unix)]
#[test]
fn a_folder_of_traps_ends() {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::symlink},
        process::Command,
    };
    let place = folder();
    let folder = place.path().join("p");
    put(&folder, "good", 1, "a fox");
    let at = |name: &str| folder.join(name);
    symlink(&folder, at("loop")).unwrap();
    symlink(at("b.png"), at("a.png")).unwrap();
    symlink(at("a.png"), at("b.png")).unwrap();
    symlink(at("nowhere"), at("dangling.png")).unwrap();
    symlink("/dev/zero", at("zeros.png")).unwrap();
    assert!(
        Command::new("mkfifo").args([at("pipe.png"), at("good.json")]).status().unwrap().success()
    );
    fs::File::create(at("sparse.png")).unwrap().set_len(5 << 30).unwrap();
    fs::create_dir(at("folder.png")).unwrap();
    fs::write(folder.join(OsStr::from_bytes(b"\xff\xfe.bmp")), bmp(2)).unwrap();
    fs::write(at("two\nlines.bmp"), bmp(3)).unwrap();
    fs::write(at("right\u{202e}gpj.bmp"), bmp(4)).unwrap();
    fs::write(at("'; DROP TABLE picture; --.bmp"), bmp(5)).unwrap();
    fs::create_dir(at(".hidden")).unwrap();
    fs::write(at(".hidden/p.bmp"), bmp(6)).unwrap();
    symlink(at("good.bmp"), at("linked.bmp")).unwrap();
    let mut deep = folder.clone();
    for _ in 0..MAX_DEPTH + 2 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();

    let mut library = Library::create(&place.path().join("l")).unwrap();
    let reasons = reasons(&mut library, &folder);
    for (name, expected) in [
        ("loop", "a link to a folder"),
        ("a.png", "cannot be opened"),
        ("b.png", "cannot be opened"),
        ("dangling.png", "cannot be opened"),
        ("zeros.png", "no file but"),
        ("pipe.png", "no file but"),
        ("sparse.png", "5368709120 bytes"),
        (".hidden", "hidden"),
        ("\u{fffd}\u{fffd}.bmp", "not UTF-8"),
        ("d/d/d", "folders deep"),
    ] {
        let told = |(found, reason): &(String, String)| {
            found.starts_with(name) && reason.contains(expected)
        };
        assert!(reasons.iter().any(told), "{name}: {reasons:?}");
    }
    assert_eq!(reasons.len(), 10, "{reasons:?}");
    // The good one, and the three whose names are only odd; the link is the good one again.
    assert_eq!(library.ids().unwrap().len(), 4);
    assert_clean(&library);
}
