//! Harm is found: to pictures, to the index, to records, to the file itself.

use std::{fs, path::Path};

use ixc_library::{Error, FILE, Fault, Id, Library};

use crate::support::{assert_clean, bmp, entries, folder, go_on, library_of, names, put};

fn five(place: &Path) -> Library {
    let pictures = place.join("p");
    for seed in 0..5 {
        put(&pictures, &format!("p{seed}"), seed, &format!("a fox, number n{seed}"));
    }
    library_of(&pictures, &place.join("l"))
}

fn faults(library: &Library) -> Vec<Fault> {
    library.verify(2, &mut go_on).unwrap().faults
}

fn change(place: &Path, sql: &str) {
    let db = rusqlite::Connection::open(place.join("l").join(FILE)).unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn missing_and_changed_files_are_found() {
    let place = folder();
    let library = five(place.path());
    assert_clean(&library);
    let at = |number: usize| place.path().join(format!("p/p{number}.bmp"));
    fs::remove_file(at(0)).unwrap();
    let mut same_size = bmp(1);
    *same_size.last_mut().unwrap() ^= 1;
    fs::write(at(1), same_size).unwrap();
    fs::write(at(2), b"shorter").unwrap();
    fs::remove_file(at(3)).unwrap();
    fs::create_dir(at(3)).unwrap();
    let found = faults(&library);
    assert!(matches!(found[0], Fault::Missing { id: Id(1), .. }), "{found:?}");
    assert!(matches!(found[1], Fault::Changed { id: Id(2), .. }), "{found:?}");
    assert!(matches!(found[2], Fault::Changed { id: Id(3), .. }), "{found:?}");
    assert!(matches!(found[3], Fault::Changed { id: Id(4), .. }), "{found:?}");
    assert_eq!(found.len(), 4);
    assert_eq!(library.gone().unwrap(), [Id(1)]);
}

#[test]
fn a_wrong_index_is_found_and_made_anew() {
    let place = folder();
    let mut library = five(place.path());
    for harm in [
        "DELETE FROM posting WHERE id = (SELECT max(id) FROM posting)",
        "DELETE FROM word WHERE word = 'fox'",
        "UPDATE word SET pictures = 4 WHERE word = 'fox'",
        "UPDATE total SET words = words + 1",
        "UPDATE posting SET entries = x'000001000100' WHERE id = (SELECT min(id) FROM posting)",
        "INSERT INTO posting (id, entries) VALUES (1 << 40, x'000001000100')",
        "UPDATE caption SET text = 'a wolf' WHERE picture = 3",
    ] {
        change(place.path(), harm);
        let found = faults(&library);
        assert!(matches!(found[..], [Fault::Index { .. }]), "{harm}: {found:?}");
        assert!(library.search("fox", &[], 9).is_ok(), "{harm}");
        library.rebuild(2, &mut go_on).unwrap();
        assert_clean(&library);
    }
    assert_eq!(names(&library, "fox", 9), ["p0", "p1", "p3", "p4"]);
    assert_eq!(names(&library, "wolf", 9), ["p2"]);
}

#[test]
fn damaged_records_and_files_are_told() {
    let place = folder();
    let library = five(place.path());
    for (harm, mend, what) in [
        ("look = x'00'", "look = zeroblob(78)", "look"),
        ("tags = '{'", "tags = '[]'", "tags"),
        ("generated = '7'", "generated = NULL", "generated"),
        ("width = -1", "width = 24", "size"),
        ("digest = x'00'", "digest = zeroblob(32)", "digest"),
    ] {
        let sql = |set: &str| format!("UPDATE picture SET {set} WHERE id = 2");
        change(place.path(), &sql(harm));
        let found = faults(&library);
        let told = found.iter().any(|fault| {
            matches!(fault, Fault::Record { id: Id(2), what: found } if found.contains(what))
        });
        assert!(told, "{harm}: {found:?}");
        let error = library.get(Id(2)).unwrap_err().to_string();
        assert!(error.contains("damaged record") && error.contains(what), "{harm}: {error}");
        change(place.path(), &sql(mend));
    }
    drop(library);
    let file = place.path().join("l").join(FILE);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, b"not a database at all, but long enough to be looked at as if it were one")
        .unwrap();
    let error = Library::open(&place.path().join("l")).unwrap_err();
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
    let mut other = whole.clone();
    other[68..72].fill(0); // the header's application id
    fs::write(&file, &other).unwrap();
    let error = Library::open(&place.path().join("l")).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
    let mut later = whole.clone();
    later[60..64].copy_from_slice(&9u32.to_be_bytes()); // the user version
    fs::write(&file, &later).unwrap();
    let error = Library::open(&place.path().join("l")).unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
    let mut torn = whole;
    let middle = torn.len() / 2;
    torn[middle..].fill(0xa5);
    fs::write(&file, &torn).unwrap();
    // Found when it is opened, or when it is checked.
    let said = match Library::open(&place.path().join("l")) {
        Err(error) => error.to_string(),
        Ok(library) => match library.verify(1, &mut go_on) {
            Err(error) => error.to_string(),
            Ok(verified) => verified.faults.first().expect("found").to_string(),
        },
    };
    assert!(said.contains("SQLite") || said.contains("cannot"), "{said}");
}

#[test]
fn what_is_removed_is_gone_and_its_file_stays() {
    let place = folder();
    let mut library = five(place.path());
    let error = library.remove(&[Id(1), Id(77)]).unwrap_err();
    assert!(matches!(error, Error::NoPicture { id: Id(77) }), "{error}");
    assert_eq!(entries(&library).len(), 5, "all of them or none");
    let removed = library.remove(&[Id(2), Id(2)]).unwrap();
    assert_eq!(removed.len(), 1);
    assert!(library.path_of(&removed[0]).is_file());
    assert_eq!(names(&library, "n1", 9), [""; 0]);
    assert_eq!(library.below(&place.path().join("p")).unwrap(), [1, 3, 4, 5].map(Id));
    assert_eq!(library.below(&place.path().join("p/p3.bmp")).unwrap(), [Id(4)]);
    assert_eq!(library.below(&place.path().join("p/p3")).unwrap(), []);
    library.remove(&[1, 3, 4, 5].map(Id)).unwrap();
    assert_clean(&library);
    let summary = library.summary().unwrap();
    assert_eq!((summary.pictures, summary.words), (0, 0));
}
