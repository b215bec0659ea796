//! Several at one file: imports beside each other, and searches beside an import.

use std::{fs, thread};

use ixc_library::Library;

use crate::support::{add, assert_clean, folder, library_of, put};

#[test]
fn imports_and_searches_go_on_beside_each_other() {
    let place = folder();
    let at = |name: &str| place.path().join(name);
    for (folder, seeds) in [("a", 0..200), ("b", 150..350)] {
        for seed in seeds {
            put(&at(folder), &format!("p{seed}"), seed, "a red fox");
        }
    }
    Library::create(&at("l")).unwrap();
    thread::scope(|scope| {
        for folder in ["a", "b"] {
            let (library, folder) = (at("l"), at(folder));
            scope.spawn(move || add(&mut Library::open(&library).unwrap(), &folder));
        }
        let library = at("l");
        scope.spawn(move || {
            let library = Library::open(&library).unwrap();
            let mut before = 0;
            for _ in 0..50 {
                let found = library.search("red fox", &[], 500).unwrap().len();
                assert!(found >= before, "{before}, then {found}");
                before = found;
            }
        });
    });
    let library = Library::open(&at("l")).unwrap();
    assert_clean(&library);
    assert_eq!(library.ids().unwrap().len(), 350, "what both have is there once");
}

#[cfg(unix)]
#[test]
fn a_library_that_may_only_be_read_can_be_searched() {
    use std::os::unix::fs::PermissionsExt;
    let place = folder();
    let pictures = place.path().join("p");
    put(&pictures, "p", 1, "a red fox");
    drop(library_of(&pictures, &pictures));
    let set = |mode| fs::set_permissions(&pictures, fs::Permissions::from_mode(mode)).unwrap();
    let file = pictures.join(ixc_library::FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    set(0o555);
    let library = Library::open(&pictures).unwrap();
    assert_eq!(library.search("fox", &[], 4).unwrap().len(), 1);
    assert_clean(&library);
    drop(library);
    set(0o755);
}
