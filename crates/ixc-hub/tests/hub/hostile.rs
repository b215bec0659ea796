//! Repositories made to do harm: names, digests, commits and sizes.

use std::fs;

use ixc_hub::{Error, Progress, pull};

use crate::fake::{
    COMMIT, Hub, TAKEN, error, go_on, is_for, large, listing, model, repo, small, tree, words,
};
use crate::server::Response;

/// Names that no honest repository has, each alone enough to refuse it.
const NAMES: [&str; 34] = [
    "../evil.json",
    "../../../../../../tmp/evil.json",
    "..",
    ".",
    "./config.json",
    "a/../../evil.safetensors",
    "a/./b.json",
    "a/..",
    "/etc/passwd",
    "//server/share/x.json",
    "/",
    "",
    "a//b.json",
    "a/",
    "..\\evil.json",
    "a\\..\\..\\evil.json",
    "\\\\server\\share\\x.json",
    "C:\\Windows\\evil.json",
    "C:evil.json",
    "c:/evil.json",
    "config.json:stream",
    "sub/D:x.json",
    "evil\0.json",
    "evil\n.json",
    "evil\r.json",
    "\u{1b}[2Jevil.json",
    "evil\u{202e}nosj.exe",
    "zero\u{200b}width.json",
    "...",
    ".. ",
    "a/. ./b",
    " ",
    "a/ /b.json",
    "....",
];

#[test]
fn dangerous_names_write_nothing() {
    let long_segment = "x".repeat(256) + ".json";
    let long_name = "y/".repeat(512) + "x.json";
    for name in NAMES.into_iter().chain([long_segment.as_str(), &long_name]) {
        let mut files = model();
        files.insert(3, small(name, "{\"evil\": true}"));
        let hub = Hub::new(files);
        let outside = hub.folder.path().join("outer");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("canary"), b"alive").unwrap();
        let before = tree(hub.folder.path());
        let error = error(hub.pull());
        assert!(matches!(error, Error::HostileName { .. }), "{name:?}: {error}");
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        assert!(error.to_string().contains("Nothing was written"), "{error}");
        assert_eq!(tree(hub.folder.path()), before, "{name:?}");
        assert_eq!(hub.hub.log().len(), 1, "no file was asked for");
    }
}

#[test]
fn a_name_listed_twice_is_refused() {
    let mut files = model();
    files.push(small("config.json", "{}"));
    let error = error(Hub::new(files).pull());
    assert!(matches!(error, Error::HostileName { why: "it is listed twice", .. }), "{error}");
}

#[test]
fn devices_of_windows_are_not_fetched() {
    let mut files = model();
    files.push(small("examples/aux.txt", "harmless"));
    Hub::new(files.clone()).pull().unwrap();
    files.push(small("con.json", "{}"));
    let error = error(Hub::new(files).pull());
    assert!(matches!(error, Error::HostileName { .. }), "{error}");
}

#[test]
fn digests_that_are_paths_are_no_digests() {
    let evil = "../../../../outer/evil";
    // In the listing: the head is asked instead, and gives the right one.
    let hub = Hub::new(model());
    hub.intercept(move |request| {
        let json = format!(
            r#"{{"sha":"{COMMIT}","siblings":[
            {{"rfilename":"config.json","size":18,"blobId":"{evil}"}},
            {{"rfilename":"model-00002-of-00002.safetensors","size":300001,
              "lfs":{{"sha256":"{evil}","size":300001}}}}]}}"#
        );
        request.target.contains("/revision/").then(|| Response::new(200).body(json))
    });
    let pulled = hub.pull().unwrap();
    assert_eq!(pulled.files.len(), 2);
    assert!(hub.blob("config.json").is_file());
    // In the head too: refused.
    let hub = Hub::new(model());
    hub.state.lock().unwrap().bare_listing = true;
    hub.intercept(move |request| {
        let etag = || Response::new(200).with("ETag", format!("\"{evil}\"")).body("{}");
        is_for(request, "README.md").then(etag)
    });
    let error = error(hub.pull());
    assert!(matches!(error, Error::NoDigest { .. }), "{error}");
    let written = tree(hub.folder.path());
    let outside: Vec<_> = written.keys().filter(|p| p.to_string_lossy().contains("evil")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

#[test]
fn commits_that_are_paths_are_no_commits() {
    for sha in [
        "../../../evil",
        "main",
        "",
        &"a".repeat(39),
        &"A".repeat(40),
        &format!("{}/", "a".repeat(39)),
    ] {
        let hub = Hub::new(model());
        let json = format!(r#"{{"sha":"{sha}","siblings":[{{"rfilename":"config.json"}}]}}"#);
        hub.intercept(move |_| Some(Response::new(200).body(json.clone())));
        let text = words(hub.pull());
        assert!(text.contains("no commit of 40"), "{text}");
        assert!(!hub.cache().exists());
    }
}

#[test]
fn a_huge_listing_is_not_read_to_its_end() {
    // Announced, and not announced.
    for unsized_body in [false, true] {
        let hub = Hub::new(model());
        let body = vec![b' '; (ixc_hub::limits::MAX_LISTING_BYTES + 10) as usize];
        hub.intercept(move |_| {
            Some(Response { unsized_body, ..Response::new(200).body(body.clone()) })
        });
        let error = error(hub.pull());
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains("the listing of org/model"), "{error}");
    }
}

#[test]
fn deep_or_numerous_listings_are_refused() {
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(200).body("[".repeat(1 << 20))));
    assert!(matches!(error(hub.pull()), Error::Protocol { .. }));
    let hub = Hub::new(model());
    let files: Vec<_> = (0..=ixc_hub::limits::MAX_LISTED_FILES)
        .map(|n| format!(r#"{{"rfilename":"{n}"}}"#))
        .collect();
    let json = format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, files.join(","));
    hub.intercept(move |_| Some(Response::new(200).body(json.clone())));
    let text = words(hub.pull());
    assert!(text.contains("number of files") && text.contains("20000"), "{text}");
}

#[test]
fn huge_heads_are_refused() {
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(200).with("X-Filler", "x".repeat(100_000))));
    let error = error(hub.pull());
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn sizes_beyond_reason_are_refused_before_anything_is_fetched() {
    let refused = |files: &str| {
        let hub = Hub::new(model());
        let json = format!(r#"{{"sha":"{COMMIT}","siblings":[{files}]}}"#);
        hub.intercept(move |_| Some(Response::new(200).body(json.clone())));
        let error = error(hub.pull());
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert!(!hub.cache().exists());
        error.to_string()
    };
    let config = r#"{"rfilename":"config.json","size":2}"#;
    let max = u64::MAX;
    let text = refused(&format!(r#"{config},{{"rfilename":"model.safetensors","size":{max}}}"#));
    assert!(text.contains("model.safetensors of org/model"), "{text}");
    let shard =
        |n: u32| format!(r#"{{"rfilename":"model-{n}.safetensors","size":{}}}"#, 250u64 << 30);
    refused(&format!("{config},{},{},{}", shard(1), shard(2), shard(3)));
    refused(
        r#"{"rfilename":"config.json","size":99999999999},{"rfilename":"model.safetensors","size":1}"#,
    );
}

#[test]
fn large_texts_are_left_out() {
    let hub = Hub::new(model());
    let size = ixc_hub::limits::MAX_SMALL_FILE_BYTES + 1;
    hub.intercept(move |request| {
        let files = model();
        let listing = listing(COMMIT, &files, false);
        let text = format!(r#""siblings":[{{"rfilename":"LICENSE","size":{size}}},"#);
        let listing = listing.replace(r#""siblings":["#, &text);
        request.target.contains("/revision/").then(|| Response::new(200).body(listing))
    });
    let pulled = hub.pull().unwrap();
    assert_eq!(pulled.files.len(), TAKEN.len());
    assert_eq!(pulled.left_out, model().len() + 1 - TAKEN.len());
}

#[test]
fn a_text_that_never_ends_is_cut_off() {
    // A mirror that does not tell sizes.
    let hub = Hub::new(vec![small("config.json", "{}"), large("model.safetensors", 10)]);
    hub.state.lock().unwrap().bare_listing = true;
    let endless = vec![b'x'; ixc_hub::limits::MAX_SMALL_FILE_BYTES as usize + 10];
    hub.intercept(move |request| {
        (is_for(request, "config.json") && request.target.contains("cache")).then(|| {
            let body = if request.method == "HEAD" { Vec::new() } else { endless.clone() };
            let response = Response::new(200).with("ETag", "1".repeat(40)).body(body);
            Response { unsized_body: true, ..response }
        })
    });
    let text = words(hub.pull());
    assert!(text.contains("more than 67108864"), "{text}");
}

#[test]
fn a_planted_link_is_not_written_through() {
    #[cfg(unix)]
    {
        let hub = Hub::new(model());
        let victim = hub.folder.path().join("victim");
        fs::write(&victim, b"precious").unwrap();
        let blobs = hub.model().join("blobs");
        let snapshot = hub.model().join("snapshots").join(COMMIT);
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir_all(&snapshot).unwrap();
        std::os::unix::fs::symlink(&victim, hub.partial("config.json")).unwrap();
        std::os::unix::fs::symlink(&victim, hub.blob("README.md")).unwrap();
        std::os::unix::fs::symlink(&victim, snapshot.join("tokenizer.model")).unwrap();
        let pulled = hub.pull().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        for name in ["config.json", "README.md", "tokenizer.model"] {
            assert_eq!(fs::read(pulled.path.join(name)).unwrap(), hub.file(name).bytes, "{name}");
        }
    }
}

#[test]
fn file_names_in_progress_are_those_that_were_checked() {
    let hub = Hub::new(model());
    let mut names = Vec::new();
    pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| {
        if let Progress::Started { file, .. } = progress {
            names.push(file.to_owned());
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert!(names.iter().all(|name| !name.contains('/') && !name.contains("..")), "{names:?}");
    assert!(names.iter().all(|name| !name.ends_with(".py")));
    assert!(pull(&repo(), None, &hub.settings(), &mut go_on).is_ok());
}
