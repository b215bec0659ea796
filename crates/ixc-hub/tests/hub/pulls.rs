//! Downloads that go well: what is fetched, where it ends up, and what is not fetched twice.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Barrier;

use ixc_hub::{Error, Found, Progress, find, pull};

use crate::fake::{COMMIT, Hub, TAKEN, go_on, is_for, large, model, repo, small};

#[test]
fn a_model_comes_into_the_standard_layout() {
    let hub = Hub::new(model());
    let pulled = hub.pull().unwrap();

    let names: Vec<&str> = pulled.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, TAKEN);
    assert!(pulled.files.iter().all(|f| !f.cached));
    assert_eq!(pulled.left_out, model().len() - TAKEN.len());
    assert_eq!(pulled.commit, COMMIT);
    assert_eq!(pulled.path, hub.model().join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(hub.model().join("refs/main")).unwrap(), COMMIT);

    let mut on_disk: Vec<String> = fs::read_dir(&pulled.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    on_disk.sort();
    let mut wanted = TAKEN.map(str::to_owned);
    wanted.sort();
    assert_eq!(on_disk, wanted);
    for name in TAKEN {
        let file = hub.file(name);
        assert_eq!(fs::read(pulled.path.join(name)).unwrap(), file.bytes, "{name}");
        #[cfg(unix)]
        {
            let target = fs::read_link(pulled.path.join(name)).unwrap();
            assert_eq!(target, Path::new("../../blobs").join(file.digest()), "{name}");
        }
        assert!(hub.blob(name).is_file() && !hub.partial(name).exists());
    }
    assert_eq!(fs::read_dir(hub.model().join("blobs")).unwrap().count(), TAKEN.len());
    let total: usize = TAKEN.iter().map(|name| hub.file(name).bytes.len()).sum();
    assert_eq!(pulled.transferred, total as u64);
}

#[test]
fn the_licence_is_told_in_the_publishers_words() {
    let licence = Hub::new(model()).pull().unwrap().licence;
    assert_eq!(licence.id.as_deref(), Some("other"));
    assert_eq!(licence.name.as_deref(), Some("acme-weights"));
    let text = licence.text.unwrap();
    assert_eq!(text, "The code is one thing, the weights are another.");
}

#[test]
fn a_second_pull_asks_only_for_the_listing() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    hub.forget();
    let again = hub.pull().unwrap();
    assert!(again.files.iter().all(|f| f.cached));
    assert_eq!(again.transferred, 0);
    assert_eq!(hub.hub.log().len(), 1, "{:?}", hub.hub.log());
    assert_eq!(hub.store.log().len(), 0);
}

#[test]
fn progress_tells_every_file_from_start_to_finish() {
    let hub = Hub::new(model());
    let mut events = Vec::new();
    let mut at = std::collections::BTreeMap::new();
    pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| {
        match progress {
            Progress::Resolved { commit, files, total, to_fetch } => {
                assert_eq!((commit, files), (COMMIT, TAKEN.len()));
                assert_eq!(total, to_fetch);
                events.push(("resolved".to_owned(), total));
            }
            Progress::Started { file, size, resumed } => {
                assert_eq!(resumed, 0);
                events.push((format!("started {file}"), size.unwrap()));
            }
            Progress::Advanced { file, done } => {
                assert!(done > at.insert(file.to_owned(), done).unwrap_or(0), "{file} {done}");
            }
            Progress::Finished { file, size } => {
                assert_eq!(at.get(file), Some(&size));
                events.push((format!("finished {file}"), size));
            }
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let size = |name: &str| hub.file(name).bytes.len() as u64;
    let mut wanted = vec![("resolved".to_owned(), TAKEN.iter().map(|n| size(n)).sum())];
    for name in TAKEN {
        wanted.push((format!("started {name}"), size(name)));
        wanted.push((format!("finished {name}"), size(name)));
    }
    assert_eq!(events, wanted);
}

#[test]
fn a_commit_needs_no_ref_and_a_branch_gets_one() {
    let hub = Hub::new(model());
    hub.state.lock().unwrap().refs.insert("feature/x".to_owned(), COMMIT.to_owned());
    hub.pull_at(Some(COMMIT)).unwrap();
    assert!(!hub.model().join("refs").exists());
    let pulled = hub.pull_at(Some("feature/x")).unwrap();
    assert_eq!((pulled.revision.as_str(), pulled.transferred), ("feature/x", 0));
    assert_eq!(fs::read_to_string(hub.model().join("refs/feature/x")).unwrap(), COMMIT);
    assert!(hub.hub.log().iter().any(|r| r.target.contains("/revision/feature%2Fx?blobs=true")));
}

#[test]
fn a_branch_that_moved_costs_only_what_changed() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    let next = "f".repeat(40);
    let mut files = model();
    files[0] = small("config.json", r#"{"hidden_size": 8}"#);
    {
        let mut state = hub.state.lock().unwrap();
        state.commits.insert(next.clone(), files);
        state.refs.insert("main".to_owned(), next.clone());
    }
    hub.forget();
    let pulled = hub.pull().unwrap();
    let fetched: Vec<_> = pulled.files.iter().filter(|f| !f.cached).collect();
    assert_eq!(fetched.len(), 1);
    assert_eq!(fetched[0].name, "config.json");
    assert_eq!(hub.store.log().len(), 0);
    assert_eq!(fs::read_to_string(hub.model().join("refs/main")).unwrap(), next);
    let old = hub.model().join("snapshots").join(COMMIT).join("config.json");
    assert_eq!(fs::read_to_string(old).unwrap(), r#"{"hidden_size": 4}"#);
    let new = pulled.path.join("config.json");
    assert_eq!(fs::read_to_string(new).unwrap(), r#"{"hidden_size": 8}"#);
}

#[test]
fn a_mirror_with_a_bare_listing_is_asked_for_heads() {
    let hub = Hub::new(model());
    hub.state.lock().unwrap().bare_listing = true;
    let pulled = hub.pull().unwrap();
    assert_eq!(pulled.files.len(), TAKEN.len());
    for name in TAKEN {
        assert_eq!(fs::read(pulled.path.join(name)).unwrap(), hub.file(name).bytes, "{name}");
        assert!(hub.blob(name).is_file());
    }
    assert!(hub.hub.log().iter().any(|r| r.method == "HEAD"));
    assert!(hub.store.log().iter().all(|r| r.method == "GET"), "a head does not leave the hub");
    hub.forget();
    assert_eq!(hub.pull().unwrap().transferred, 0);
    assert_eq!(hub.hub.log().len(), 1);
}

#[test]
fn pickles_are_taken_where_there_is_nothing_better() {
    let files: Vec<_> = model().into_iter().filter(|f| !f.name.starts_with("model-000")).collect();
    let hub = Hub::new(files);
    let pulled = hub.pull().unwrap();
    let names: Vec<&str> = pulled.files.iter().map(|f| f.name.as_str()).collect();
    assert!(names.contains(&"pytorch_model-00001-of-00001.bin"));
    assert!(names.contains(&"pytorch_model.bin.index.json"));
    assert!(!names.contains(&"model.safetensors.index.json"));
}

#[test]
fn what_is_no_model_is_refused_with_what_it_is() {
    let only = |names: &[&str]| {
        let hub = Hub::new(names.iter().map(|n| small(n, "x")).collect());
        let error = hub.pull().unwrap_err();
        assert!(matches!(error, Error::NotAModel { .. }), "{error}");
        assert!(!hub.cache().exists());
        error.to_string()
    };
    assert!(only(&[]).contains("it is empty"));
    assert!(only(&["model.safetensors", "x"]).contains("config.json"));
    let text = only(&["config.json", "model.gguf", "sub/model.safetensors"]);
    assert!(text.contains("model.gguf") && text.contains("*.safetensors"), "{text}");
}

#[test]
fn a_damaged_blob_is_fetched_again() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    let name = "model-00001-of-00002.safetensors";
    fs::write(hub.blob(name), b"short").unwrap();
    let again = hub.pull().unwrap();
    assert_eq!(again.transferred, hub.file(name).bytes.len() as u64);
    assert_eq!(fs::read(again.path.join(name)).unwrap(), hub.file(name).bytes);
}

#[test]
fn a_blob_that_is_a_dead_link_is_fetched_again() {
    let hub = Hub::new(model());
    hub.pull().unwrap();
    let name = "model-00002-of-00002.safetensors";
    fs::remove_file(hub.blob(name)).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../../blobs/aa/gone", hub.blob(name)).unwrap();
    let again = hub.pull().unwrap();
    assert_eq!(fs::read(again.path.join(name)).unwrap(), hub.file(name).bytes);
    assert!(!fs::symlink_metadata(hub.blob(name)).unwrap().is_symlink());
}

#[test]
fn many_pulls_at_once_fetch_each_file_once() {
    let hub = Hub::new(model());
    let all = 6;
    let start = Barrier::new(all);
    std::thread::scope(|scope| {
        for _ in 0..all {
            scope.spawn(|| {
                start.wait();
                let pulled = hub.pull().unwrap();
                for name in TAKEN {
                    let bytes = fs::read(pulled.path.join(name)).unwrap();
                    assert_eq!(bytes, hub.file(name).bytes, "{name}");
                }
            });
        }
    });
    for name in ["model-00001-of-00002.safetensors", "tokenizer.model"] {
        let asked = hub.store.log().iter().filter(|r| is_for(r, name)).count();
        assert_eq!(asked, 1, "{name}");
    }
    let leftovers: Vec<_> = crate::fake::tree(&hub.cache())
        .into_keys()
        .filter(|p| {
            p.to_string_lossy().contains("incomplete") || p.to_string_lossy().contains(".new")
        })
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[test]
fn waiting_for_another_process_can_be_stopped() {
    let hub = Hub::new(model());
    let digest = hub.file("config.json").digest();
    let locks = hub.cache().join(".locks/models--org--model");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join(format!("{digest}.lock"))).unwrap();
    lock.lock().unwrap();
    let mut waited = 0;
    let result = pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| {
        if matches!(progress, Progress::Waiting { what: "config.json" }) {
            waited += 1;
        }
        if waited > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(result, Err(Error::Cancelled)));
    drop(lock);
    hub.pull().unwrap();
}

#[test]
fn empty_files_are_files() {
    let mut files = model();
    files.push(small("LICENSE", ""));
    let hub = Hub::new(files);
    let pulled = hub.pull().unwrap();
    assert_eq!(fs::read(pulled.path.join("LICENSE")).unwrap(), b"");
}

#[test]
fn names_are_encoded_in_addresses() {
    let files = vec![
        small("config.json", "{}"),
        small("NOTICE a+b%.txt", "n"),
        large("model.safetensors", 10),
    ];
    let hub = Hub::new(files);
    hub.intercept(|request| {
        let encoded = format!("/org/model/resolve/{COMMIT}/NOTICE%20a%2Bb%25.txt");
        (request.target == encoded).then(|| crate::server::Response::new(200).body("n"))
    });
    let pulled = hub.pull().unwrap();
    assert_eq!(fs::read(pulled.path.join("NOTICE a+b%.txt")).unwrap(), b"n");
}

#[test]
fn a_pulled_model_is_found() {
    let hub = Hub::new(model());
    assert!(matches!(find(&hub.cache(), &repo(), None).unwrap(), Found::Absent));
    let pulled = hub.pull().unwrap();
    for revision in [None, Some("main"), Some(COMMIT), Some(&COMMIT[..8])] {
        match find(&hub.cache(), &repo(), revision).unwrap() {
            Found::Complete { commit, path } => {
                assert_eq!((commit.as_str(), path), (COMMIT, pulled.path.clone()));
            }
            other => panic!("{revision:?}: {other:?}"),
        }
    }
    assert!(pull(&repo(), Some("../x"), &hub.settings(), &mut go_on).is_err());
}
