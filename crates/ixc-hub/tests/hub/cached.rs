//! Listing and removing what the cache holds, whoever put it there.

use std::fs;
use std::path::Path;

use ixc_hub::{Error, RepoId, list, remove};

use crate::fake::{COMMIT, Hub, TAKEN, error, large, model, repo, small, tree, words};

/// A second commit: another config, one shard exchanged, the rest shared.
fn second_commit(hub: &Hub) -> String {
    let next = "f".repeat(40);
    let mut files = model();
    files[0] = small("config.json", r#"{"hidden_size": 8}"#);
    let at = files.iter().position(|f| f.name == "model-00002-of-00002.safetensors").unwrap();
    files[at] = large("model-00002-of-00002.safetensors", 200_002);
    let mut state = hub.state.lock().unwrap();
    state.commits.insert(next.clone(), files);
    state.refs.insert("dev".to_owned(), next.clone());
    state.refs.insert("v2".to_owned(), next.clone());
    next
}

fn sizes(names: &[&str]) -> u64 {
    let size = |name: &&str| model().iter().find(|f| f.name == **name).unwrap().bytes.len() as u64;
    names.iter().map(size).sum()
}

#[test]
fn an_empty_cache_lists_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(list(folder.path()).unwrap().is_empty());
    assert!(list(&folder.path().join("none")).unwrap().is_empty());
    fs::write(folder.path().join("file"), b"").unwrap();
    assert!(matches!(error(list(&folder.path().join("file"))), Error::Io { .. }));
}

#[test]
fn revisions_files_and_sizes() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    let next = second_commit(&hub);
    hub.pull_at(Some("dev")).unwrap();
    hub.pull_at(Some("v2")).unwrap();
    fs::write(hub.model().join("blobs").join("0".repeat(64) + ".incomplete"), [0; 77]).unwrap();
    // What else lies in a cache is passed over.
    for other in ["datasets--a--b/snapshots", "models--..--x", ".locks", "blobs/aa", "version.txt"]
    {
        fs::create_dir_all(hub.cache().join(other)).unwrap();
    }
    let listed = list(&hub.cache()).unwrap();
    assert_eq!(listed.len(), 1);
    let model = &listed[0];
    assert_eq!((model.repo.as_str(), model.partial), ("org/model", 77));
    assert_eq!(model.size, sizes(&TAKEN) + 200_002 + 18, "shared blobs count once");
    assert_eq!(model.revisions.len(), 2);
    for revision in &model.revisions {
        let names: Vec<_> = revision.files.iter().map(|f| f.name.as_str()).collect();
        let mut wanted = TAKEN;
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        assert!(revision.missing.is_empty() && revision.modified.is_some());
        let refs: &[&str] = if revision.commit == next { &["dev", "v2"] } else { &["main"] };
        assert_eq!(revision.refs, refs);
    }
    let main = model.revisions.iter().find(|r| r.commit == COMMIT).unwrap();
    assert_eq!(main.size, sizes(&TAKEN));
}

#[test]
fn damage_is_listed_as_what_is_missing() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    fs::remove_file(hub.blob("model-00002-of-00002.safetensors")).unwrap();
    let revision = &list(&hub.cache()).unwrap()[0].revisions[0];
    assert_eq!(revision.missing, ["model-00002-of-00002.safetensors"]);
    let file = revision.files.iter().find(|f| f.size.is_none()).unwrap();
    assert_eq!(file.name, "model-00002-of-00002.safetensors");
    // A model of which only a broken download is left can be seen and removed.
    let other = hub.cache().join("models--org--other/blobs");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("aa.incomplete"), [0; 5]).unwrap();
    let listed = list(&hub.cache()).unwrap();
    assert_eq!((listed[1].partial, listed[1].revisions.len()), (5, 0));
    let removed = remove(&hub.cache(), &RepoId::new("org/other").unwrap(), None).unwrap();
    assert_eq!((removed.freed, removed.whole), (5, true));
    assert!(!other.exists());
}

#[test]
fn removing_a_revision_keeps_what_others_use() {
    let hub = Hub::new(model());
    let pulled = hub.pull().unwrap();
    let next = second_commit(&hub);
    hub.pull_at(Some("dev")).unwrap();
    hub.pull_at(Some("v2")).unwrap();

    let removed = remove(&hub.cache(), &repo(), Some("dev")).unwrap();
    assert_eq!(removed.commits, std::slice::from_ref(&next));
    assert_eq!((removed.freed, removed.whole), (200_002 + 18, false));
    assert!(!hub.model().join("snapshots").join(&next).exists());
    assert!(!hub.model().join("refs/dev").exists() && !hub.model().join("refs/v2").exists());
    assert!(hub.model().join("refs/main").exists());
    for name in TAKEN {
        assert_eq!(fs::read(pulled.path.join(name)).unwrap(), hub.file(name).bytes, "{name}");
    }
    assert_eq!(fs::read_dir(hub.model().join("blobs")).unwrap().count(), TAKEN.len());

    let removed = remove(&hub.cache(), &repo(), Some(&COMMIT[..10])).unwrap();
    assert_eq!((removed.freed, removed.whole), (sizes(&TAKEN), true));
    assert!(!hub.model().exists());
    hub.pull().unwrap();
}

#[test]
fn removing_a_model_removes_all_of_it() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    second_commit(&hub);
    hub.pull_at(Some("dev")).unwrap();
    let removed = remove(&hub.cache(), &repo(), None).unwrap();
    assert_eq!(removed.commits, [COMMIT.to_owned(), "f".repeat(40)]);
    assert_eq!((removed.freed, removed.whole), (sizes(&TAKEN) + 200_002 + 18, true));
    assert!(!hub.model().exists() && hub.cache().exists());
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let hub = Hub::new(model());
    assert!(words(remove(&hub.cache(), &repo(), None)).contains("does not hold org/model"));
    hub.pull().unwrap();
    let before = tree(&hub.cache());
    let text = words(remove(&hub.cache(), &repo(), Some("v9")));
    assert!(
        text.contains("org/model@v9") && text.contains("main") && text.contains(COMMIT),
        "{text}"
    );
    for revision in ["../..", "", "..", "/", "x/../../y"] {
        assert!(matches!(
            error(remove(&hub.cache(), &repo(), Some(revision))),
            Error::Revision { .. }
        ));
    }
    assert_eq!(tree(&hub.cache()), before);
}

#[cfg(unix)]
#[test]
fn removal_never_leaves_the_models_folder() {
    use std::os::unix::fs::symlink;
    let hub = Hub::new(model());
    let pulled = hub.pull().unwrap();
    second_commit(&hub);
    hub.pull_at(Some("dev")).unwrap();
    let victim = hub.folder.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), b"precious").unwrap();
    let neighbour = hub.cache().join("models--org--neighbour/blobs");
    fs::create_dir_all(&neighbour).unwrap();
    fs::write(neighbour.join("blob"), b"precious").unwrap();
    for (name, target) in [
        ("absolute", victim.join("file").as_path()),
        ("climbing", Path::new("../../../../../victim/file")),
        ("folder", victim.as_path()),
        ("neighbour", Path::new("../../../models--org--neighbour/blobs/blob")),
        ("self", Path::new("../../blobs/../../models--org--neighbour/blobs/blob")),
    ] {
        symlink(target, pulled.path.join(name)).unwrap();
    }
    assert!(list(&hub.cache()).is_ok());
    remove(&hub.cache(), &repo(), Some("main")).unwrap();
    remove(&hub.cache(), &repo(), None).unwrap();
    assert_eq!(fs::read(victim.join("file")).unwrap(), b"precious");
    assert_eq!(fs::read(neighbour.join("blob")).unwrap(), b"precious");

    symlink(&victim, hub.model()).unwrap();
    let error = error(remove(&hub.cache(), &repo(), None));
    assert!(matches!(error, Error::NotRemoved { .. }), "{error}");
    assert!(victim.join("file").exists());
}

/// A cache in which two models share a payload, as `huggingface_hub` lays it out.
#[cfg(unix)]
fn shared_cache(cache: &Path, manifest: bool) -> std::path::PathBuf {
    use std::os::unix::fs::symlink;
    let hash = "ab".repeat(32);
    let store = cache.join("blobs").join("ab");
    fs::create_dir_all(&store).unwrap();
    fs::write(cache.join("blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    let payload = store.join(&hash);
    fs::write(&payload, [7; 1000]).unwrap();
    let mut refs = String::from("models--gone--gone/blobs/x\n../../etc/passwd\n\n");
    for name in ["one", "two"] {
        let folder = cache.join(format!("models--org--{name}"));
        let snapshot = folder.join("snapshots").join(COMMIT);
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(folder.join("blobs")).unwrap();
        let etag = "cd".repeat(32);
        symlink(format!("../../blobs/ab/{hash}"), folder.join("blobs").join(&etag)).unwrap();
        symlink(format!("../../blobs/{etag}"), snapshot.join("model.safetensors")).unwrap();
        refs += &format!("models--org--{name}/blobs/{etag}\n");
    }
    if manifest {
        fs::write(store.join(format!("{hash}.refs")), refs).unwrap();
    }
    payload
}

#[cfg(unix)]
#[test]
fn shared_bytes_go_with_the_last_model_that_uses_them() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let payload = shared_cache(cache, true);
    let listed = list(cache).unwrap();
    assert_eq!(listed.iter().map(|r| r.size).collect::<Vec<_>>(), [1000, 1000]);
    let one = remove(cache, &RepoId::new("org/one").unwrap(), None).unwrap();
    assert_eq!(one.freed, 0);
    assert!(payload.exists());
    let two = remove(cache, &RepoId::new("org/two").unwrap(), None).unwrap();
    assert_eq!(two.freed, 1000);
    assert!(!payload.exists());
}

#[cfg(unix)]
#[test]
fn shared_bytes_stay_where_nobody_knows_who_uses_them() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let payload = shared_cache(cache, false);
    for name in ["org/one", "org/two"] {
        remove(cache, &RepoId::new(name).unwrap(), None).unwrap();
    }
    assert!(payload.exists());
    // A folder `blobs` that is not marked as the store is nobody's business here.
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let payload = shared_cache(cache, true);
    fs::remove_file(cache.join("blobs/.huggingface-shared-blobs")).unwrap();
    for name in ["org/one", "org/two"] {
        remove(cache, &RepoId::new(name).unwrap(), None).unwrap();
    }
    assert!(payload.exists());
}
