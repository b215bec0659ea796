//! Servers and lines that break, stall, repeat, refuse or send something else.

use std::fs;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ixc_hub::{Error, Progress, pull};

use crate::fake::{COMMIT, Hub, error, go_on, is_for, large, model, ranged, repo, small, words};
use crate::server::Response;

const WEIGHTS: &str = "model-00001-of-00002.safetensors";

/// A counter that a server's function and a test share.
fn counter() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let counter = Arc::new(AtomicUsize::new(0));
    (counter.clone(), counter)
}

#[test]
fn a_broken_connection_is_resumed_where_it_broke() {
    let hub = Hub::new(model());
    let bytes = hub.file(WEIGHTS).bytes;
    let (count, counted) = counter();
    let total = bytes.len();
    hub.intercept(move |request| {
        if !is_for(request, WEIGHTS) || request.target.contains("resolve") {
            return None;
        }
        let mut response = ranged(&bytes, request.range());
        // Breaks twice, each time after another third.
        if count.fetch_add(1, Ordering::SeqCst) < 2 {
            response.cut = Some(total / 3);
        }
        Some(response)
    });
    let pulled = hub.pull().unwrap();
    assert_eq!(fs::read(pulled.path.join(WEIGHTS)).unwrap(), hub.file(WEIGHTS).bytes);
    assert_eq!(counted.load(Ordering::SeqCst), 3);
    let asked = hub.store.log().into_iter().filter(|r| is_for(r, WEIGHTS));
    let ranges: Vec<_> = asked.map(|r| r.range()).collect();
    assert_eq!(ranges, [None, Some(total / 3), Some(2 * (total / 3))]);
    let sum: usize = pulled.files.iter().map(|f| f.size as usize).sum();
    assert_eq!(pulled.transferred, sum as u64, "nothing came twice");
}

#[test]
fn a_pull_goes_on_where_an_earlier_one_was_stopped() {
    let hub = Hub::new(model());
    let result =
        pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| match progress {
            Progress::Advanced { file: WEIGHTS, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    assert!(matches!(result, Err(Error::Cancelled)));
    let had = fs::metadata(hub.partial(WEIGHTS)).unwrap().len();
    assert!(had > 0 && had < hub.file(WEIGHTS).bytes.len() as u64);
    assert!(!hub.model().join("refs/main").exists(), "a ref is written last");

    hub.forget();
    let mut resumed_at = None;
    let pulled = pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| {
        if let Progress::Started { file: WEIGHTS, resumed, .. } = progress {
            resumed_at = Some(resumed);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(resumed_at, Some(had));
    assert_eq!(fs::read(pulled.path.join(WEIGHTS)).unwrap(), hub.file(WEIGHTS).bytes);
    let first = hub.store.log().into_iter().find(|r| is_for(r, WEIGHTS)).unwrap();
    assert_eq!(first.range(), Some(had as usize));
}

#[test]
fn a_store_that_cannot_resume_sends_it_all_again() {
    let hub = Hub::new(model());
    hub.state.lock().unwrap().ignores_range = true;
    fs::create_dir_all(hub.model().join("blobs")).unwrap();
    fs::write(hub.partial(WEIGHTS), &hub.file(WEIGHTS).bytes[..1000]).unwrap();
    let pulled = hub.pull().unwrap();
    assert_eq!(fs::read(pulled.path.join(WEIGHTS)).unwrap(), hub.file(WEIGHTS).bytes);
    let asked = hub.store.log().into_iter().filter(|r| is_for(r, WEIGHTS));
    assert_eq!(asked.map(|r| r.range()).collect::<Vec<_>>(), [Some(1000)]);
}

#[test]
fn bad_leftovers_are_thrown_away() {
    let whole = model().iter().find(|f| f.name == WEIGHTS).unwrap().bytes.clone();
    let wrong = vec![7; whole.len()];
    let longer: Vec<u8> = whole.iter().copied().chain([1, 2, 3]).collect();
    for leftover in [&wrong[..], &wrong[..100], &longer, &whole, b""] {
        let hub = Hub::new(model());
        fs::create_dir_all(hub.model().join("blobs")).unwrap();
        fs::write(hub.partial(WEIGHTS), leftover).unwrap();
        let pulled = hub.pull().unwrap();
        assert_eq!(fs::read(pulled.path.join(WEIGHTS)).unwrap(), whole, "{}", leftover.len());
        assert!(!hub.partial(WEIGHTS).exists());
        let asked = hub.store.log().iter().filter(|r| is_for(r, WEIGHTS)).count();
        assert_eq!(asked == 0, leftover == whole, "a whole leftover needs no request");
    }
}

#[test]
fn a_server_that_cannot_go_on_there_is_asked_from_the_beginning() {
    for status in [416, 206] {
        let hub = Hub::new(model());
        let bytes = hub.file(WEIGHTS).bytes;
        fs::create_dir_all(hub.model().join("blobs")).unwrap();
        fs::write(hub.partial(WEIGHTS), &bytes[..500]).unwrap();
        hub.intercept(move |request| {
            let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
            (at_store && request.range().is_some()).then(|| match status {
                416 => Response::new(416),
                // Another part than the one that was asked for.
                _ => {
                    Response::new(206).with("Content-Range", "bytes 0-9/700000").body(&bytes[..10])
                }
            })
        });
        let pulled = hub.pull().unwrap();
        assert_eq!(fs::read(pulled.path.join(WEIGHTS)).unwrap(), hub.file(WEIGHTS).bytes);
    }
}

#[test]
fn a_server_that_always_breaks_is_given_up() {
    let hub = Hub::new(model());
    let bytes = hub.file(WEIGHTS).bytes;
    hub.intercept(move |request| {
        if !is_for(request, WEIGHTS) || request.target.contains("resolve") {
            return None;
        }
        // One byte at each attempt: progress, but not of a kind that should hold us forever.
        let mut response = ranged(&bytes, request.range());
        response.cut = Some(1);
        Some(response)
    });
    let text = words(hub.pull());
    assert!(text.contains(WEIGHTS) && text.contains("4 attempt(s)"), "{text}");
    assert!(text.contains("HTTPS_PROXY") && text.contains("goes on where it stopped"), "{text}");
    assert_eq!(hub.store.log().iter().filter(|r| is_for(r, WEIGHTS)).count(), 4);
    assert_eq!(fs::metadata(hub.partial(WEIGHTS)).unwrap().len(), 4, "what arrived is kept");
    assert!(!hub.blob(WEIGHTS).exists());
}

#[test]
fn real_progress_keeps_a_bad_line_alive() {
    // Breaks every 1.5 MB, far more often than the retries allow in a row.
    let hub = Hub::new(vec![small("config.json", "{}"), large("model.safetensors", 12_000_000)]);
    let bytes = hub.file("model.safetensors").bytes;
    hub.intercept(move |request| {
        if request.target.contains("resolve") || !is_for(request, "model.safetensors") {
            return None;
        }
        let mut response = ranged(&bytes, request.range());
        response.cut = Some(1_500_000);
        Some(response)
    });
    let pulled = hub.pull().unwrap();
    let bytes = fs::read(pulled.path.join("model.safetensors")).unwrap();
    assert!(bytes == hub.file("model.safetensors").bytes);
    assert_eq!(hub.store.log().len(), 8);
}

#[test]
fn wrong_bytes_never_get_a_name() {
    for name in [WEIGHTS, "config.json"] {
        let hub = Hub::new(model());
        let mut wrong = hub.file(name).bytes;
        let middle = wrong.len() / 2;
        wrong[middle] ^= 1;
        let found = if hub.file(name).large {
            crate::fake::sha256(&wrong)
        } else {
            crate::fake::git_blob(&wrong)
        };
        let owned = name.to_owned();
        hub.intercept(move |request| {
            let is_body =
                !request.target.starts_with("/org/model/resolve") || owned == "config.json";
            (is_for(request, &owned) && is_body).then(|| Response::new(200).body(wrong.clone()))
        });
        let text = words(hub.pull());
        assert!(text.contains(&hub.file(name).digest()) && text.contains(&found), "{text}");
        assert!(text.contains(name), "{text}");
        assert!(!hub.blob(name).exists() && !hub.partial(name).exists());
        let pointer = hub.model().join("snapshots").join(COMMIT).join(name);
        assert!(fs::symlink_metadata(pointer).is_err());
        assert!(!hub.model().join("refs/main").exists());
    }
}

#[test]
fn wrong_lengths_are_refused() {
    // Announces more or fewer bytes than the listing promised.
    for change in [-1i64, 1] {
        let hub = Hub::new(model());
        let mut bytes = hub.file(WEIGHTS).bytes;
        bytes.resize((bytes.len() as i64 + change) as usize, 0);
        hub.intercept(move |request| {
            let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
            at_store.then(|| Response::new(200).body(bytes.clone()))
        });
        let error = error(hub.pull());
        assert!(matches!(error, Error::Size { expected: 700_000, .. }), "{error}");
    }
    // Announces nothing and does not stop.
    let hub = Hub::new(model());
    hub.intercept(|request| {
        let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
        at_store
            .then(|| Response { unsized_body: true, ..Response::new(200).body(vec![0; 2_000_000]) })
    });
    let text = words(hub.pull());
    assert!(text.contains("more than 700000"), "{text}");
    // Announces nothing, and is right.
    let hub = Hub::new(model());
    let bytes = hub.file(WEIGHTS).bytes;
    hub.intercept(move |request| {
        let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
        at_store.then(|| Response { unsized_body: true, ..Response::new(200).body(bytes.clone()) })
    });
    hub.pull().unwrap();
}

#[test]
fn compressed_answers_are_refused() {
    let hub = Hub::new(model());
    hub.intercept(|request| {
        let is_config = is_for(request, "config.json");
        is_config.then(|| Response::new(200).with("Content-Encoding", "gzip").body("xx"))
    });
    let text = words(hub.pull());
    assert!(text.contains("config.json compressed"), "{text}");
    let asked = hub.hub.log().into_iter().find(|r| is_for(r, "config.json")).unwrap();
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
}

#[test]
fn headers_that_contradict_the_listing_are_refused() {
    let other = "9".repeat(40);
    let cases = [
        ("X-Repo-Commit", other.clone(), "of commit"),
        ("ETag", format!("\"{other}\""), "headers say"),
    ];
    for (name, value, part) in cases {
        let hub = Hub::new(model());
        hub.intercept(move |request| {
            is_for(request, "config.json")
                .then(|| Response::new(200).with(name, value.clone()).body(r#"{"hidden_size": 4}"#))
        });
        let text = words(hub.pull());
        assert!(text.contains(part) && text.contains(&other), "{text}");
    }
}

#[test]
fn errors_that_may_pass_are_tried_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        for name in ["main", "config.json", WEIGHTS] {
            let hub = Hub::new(model());
            let (count, counted) = counter();
            hub.intercept(move |request| {
                if !is_for(request, name) || count.fetch_add(1, Ordering::SeqCst) >= 2 {
                    return None;
                }
                Some(Response::new(status).with("Retry-After", "0"))
            });
            let mut told = 0;
            pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| {
                if let Progress::Retrying { failed, allowed, why, .. } = progress {
                    told += 1;
                    assert!(failed == told && failed <= allowed, "{failed} {allowed}");
                    assert!(why.contains(&status.to_string()), "{why}");
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(counted.load(Ordering::SeqCst) >= 3 && told == 2, "{status} {name}");
        }
    }
}

#[test]
fn errors_that_stay_are_told() {
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(503).with("X-Error-Message", "down for repair")));
    let text = words(hub.pull());
    assert!(text.contains("503: down for repair") && text.contains("the listing"), "{text}");
    assert_eq!(hub.hub.log().len(), 3, "the first question is repeated twice only");
    assert!(!hub.cache().exists());

    let hub = Hub::new(model());
    hub.intercept(|request| is_for(request, WEIGHTS).then(|| Response::new(500)));
    let text = words(hub.pull());
    assert!(text.contains(WEIGHTS) && text.contains("500") && text.contains("4 attempt"), "{text}");

    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(418)));
    assert!(words(hub.pull()).contains("418"));
}

#[test]
fn too_many_requests() {
    // Longer than we wait: told at once.
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(429).with("Retry-After", "3600")));
    let text = words(hub.pull());
    assert!(text.contains("asks to wait 3600 s") && text.contains("HF_TOKEN"), "{text}");
    assert_eq!(hub.hub.log().len(), 1);
    // Short: waited for, and in the end told as what it is.
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(429).with("Retry-After", "0")));
    assert!(words(hub.pull()).contains("429, too many requests"));
    assert_eq!(hub.hub.log().len(), 3);
    // The pause is the one asked for.
    let hub = Hub::new(model());
    let (count, _) = counter();
    hub.intercept(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| Response::new(429).with("Retry-After", "1"))
    });
    let start = Instant::now();
    hub.pull().unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_pause_can_be_stopped() {
    let hub = Hub::new(model());
    hub.intercept(|_| Some(Response::new(503).with("Retry-After", "50")));
    let start = Instant::now();
    let result =
        pull(&repo(), None, &hub.settings(), &mut |progress: Progress<'_>| match progress {
            Progress::Waiting { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    assert!(matches!(result, Err(Error::Cancelled)));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn silence_ends_in_time() {
    let stalls = [
        Response { stall_head: Some(Duration::from_secs(20)), ..Response::new(200) },
        Response {
            stall_body: Some(Duration::from_secs(20)),
            ..Response::new(200).body(vec![0; 700_000])
        },
    ];
    for stall in stalls {
        let hub = Hub::new(model());
        hub.intercept(move |request| {
            let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
            at_store.then(|| stall.clone())
        });
        let mut settings = hub.settings();
        settings.read_timeout = Duration::from_millis(200);
        settings.retries = 1;
        let start = Instant::now();
        let text = words(pull(&repo(), None, &settings, &mut go_on));
        assert!(text.contains("silent for too long") && text.contains("2 attempt(s)"), "{text}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

#[test]
fn a_server_that_is_not_there() {
    let hub = Hub::new(model());
    let mut settings = hub.settings();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    settings.endpoint = format!("http://127.0.0.1:{port}");
    let text = words(pull(&repo(), None, &settings, &mut go_on));
    assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains("refused"), "{text}");
    assert!(text.contains("HF_ENDPOINT"), "{text}");
}

#[test]
fn a_server_that_is_no_hub() {
    for body in ["<html>hello</html>", "", "{}", "[]", "null", "{\"sha\":"] {
        let hub = Hub::new(model());
        hub.intercept(move |_| Some(Response::new(200).body(body)));
        let text = words(hub.pull());
        assert!(text.contains("HF_ENDPOINT"), "{body}: {text}");
        assert!(!hub.cache().exists());
    }
}

#[test]
fn an_endpoint_that_is_no_address() {
    let hub = Hub::new(model());
    for endpoint in
        ["", "hub", "ftp://hub", "https://user:SECRET@hub", "https://hub?x=1", "https://"]
    {
        let mut settings = hub.settings();
        settings.endpoint = endpoint.to_owned();
        let text = words(pull(&repo(), None, &settings, &mut go_on));
        assert!(text.contains("HF_ENDPOINT is not usable"), "{endpoint}: {text}");
    }
}

#[test]
fn a_disk_that_is_too_small() {
    let hub = Hub::new(model());
    let free = fs4::available_space(hub.folder.path()).unwrap();
    let size = free + (1 << 30);
    hub.intercept(move |request| {
        let listing = format!(
            r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"config.json","size":2}},
            {{"rfilename":"model.safetensors","size":{size}}}]}}"#
        );
        request.target.contains("/revision/").then(|| Response::new(200).body(listing))
    });
    let error = error(hub.pull());
    // On a disk with more free space than any download may have, that limit speaks first.
    let is_expected = match &error {
        Error::NoSpace { .. } => error.to_string().contains("HF_HUB_CACHE"),
        Error::TooLarge { .. } => size > ixc_hub::limits::MAX_FILE_BYTES,
        _ => false,
    };
    assert!(is_expected, "{error}");
    assert!(!hub.cache().exists());
}

#[test]
fn a_cache_that_cannot_be_written() {
    let hub = Hub::new(model());
    fs::write(hub.folder.path().join("outer"), b"a file where a folder should be").unwrap();
    let error = error(hub.pull());
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().contains("cannot make the cache folder"), "{error}");
}
