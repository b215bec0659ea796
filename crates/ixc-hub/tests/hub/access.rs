//! Who may see what: tokens, refusals, redirects, proxies, and working without a network.

use ixc_hub::{Error, Found, Proxy, Reference, Token, find, locate, pull};

use crate::fake::{COMMIT, Hub, TAKEN, error, go_on, is_for, model, repo, tree, words};
use crate::server::{Response, Server};

const WEIGHTS: &str = "model-00001-of-00002.safetensors";
const TOKEN: &str = "hf_SECRETSECRET";

fn with_token(hub: &Hub) -> ixc_hub::Settings {
    let mut settings = hub.settings();
    settings.token = Token::new("HF_TOKEN", TOKEN).unwrap();
    settings
}

#[test]
fn the_token_goes_to_the_hub_only() {
    let hub = Hub::new(model());
    hub.state.lock().unwrap().bare_listing = true;
    pull(&repo(), None, &with_token(&hub), &mut go_on).unwrap();
    let bearer = format!("Bearer {TOKEN}");
    assert!(hub.hub.log().len() > TAKEN.len());
    for request in hub.hub.log() {
        assert_eq!(request.header("authorization"), Some(bearer.as_str()), "{request:?}");
    }
    assert!(!hub.store.log().is_empty());
    for request in hub.store.log() {
        assert!(!format!("{request:?}").contains("SECRETSECRET"), "{request:?}");
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn the_token_does_not_come_back_after_a_detour() {
    // Hub, elsewhere, hub again: at the hub it may be sent, elsewhere never.
    let hub = Hub::new(model());
    let (home, store) = (hub.hub.url(), hub.store.url());
    hub.intercept(move |request| {
        if !is_for(request, "config.json")
            || request.target.contains("back")
            || request.target.contains("resolve-cache")
        {
            return None;
        }
        let next = if request.target.starts_with("/detour") {
            format!("{home}/org/model/resolve/{COMMIT}/config.json?back")
        } else {
            format!("{store}/detour/config.json")
        };
        Some(Response::new(302).with("Location", next))
    });
    pull(&repo(), None, &with_token(&hub), &mut go_on).unwrap();
    let detour = hub.store.log().into_iter().find(|r| r.target.starts_with("/detour")).unwrap();
    assert_eq!(detour.header("authorization"), None);
}

#[test]
fn no_message_repeats_the_token() {
    for status in [400, 401, 403, 404, 429, 500] {
        for code in ["", "GatedRepo", "RepoNotFound"] {
            let hub = Hub::new(model());
            hub.intercept(move |request| {
                let said = request.header("authorization").unwrap_or_default().to_owned();
                Some(
                    Response::new(status)
                        .with("X-Error-Code", code)
                        .with("X-Error-Message", format!("you sent {said}"))
                        .with("Retry-After", "0")
                        .body(format!("{{\"error\": \"{said}\"}}")),
                )
            });
            words(pull(&repo(), None, &with_token(&hub), &mut go_on));
        }
    }
    let hub = Hub::new(model());
    hub.intercept(|request| {
        let said = request.header("authorization").unwrap_or_default();
        Some(Response::new(200).body(format!("{{\"sha\": 7, \"siblings\": \"{said}\"}}")))
    });
    words(pull(&repo(), None, &with_token(&hub), &mut go_on));
    let hub = Hub::new(model());
    hub.intercept(|request| {
        let said = request.header("authorization").unwrap_or_default();
        is_for(request, "config.json").then(|| Response::new(200).with("X-Repo-Commit", said))
    });
    words(pull(&repo(), None, &with_token(&hub), &mut go_on));
}

#[test]
fn gated_models_say_where_to_accept() {
    for (status, token) in [(401, false), (403, true)] {
        let hub = Hub::new(model());
        hub.intercept(move |request| {
            let is_file = request.target.contains("/resolve/");
            is_file.then(|| Response::new(status).with("X-Error-Code", "GatedRepo"))
        });
        let settings = if token { with_token(&hub) } else { hub.settings() };
        let text = words(pull(&repo(), None, &settings, &mut go_on));
        assert!(text.contains(&format!("{}/org/model", hub.hub.url())), "{text}");
        assert!(text.contains("gated"), "{text}");
        let hint = if token { "belongs to no account" } else { "set HF_TOKEN" };
        assert!(text.contains(hint), "{text}");
        assert_eq!(hub.hub.log().len(), 2, "a refusal is not repeated");
    }
}

#[test]
fn refusals_say_what_to_check() {
    for (status, token, part) in
        [(401, false, "set HF_TOKEN"), (401, true, "has run out"), (403, true, "has run out")]
    {
        let hub = Hub::new(model());
        hub.intercept(move |_| Some(Response::new(status).with("X-Error-Message", "go away")));
        let settings = if token { with_token(&hub) } else { hub.settings() };
        let text = words(pull(&repo(), None, &settings, &mut go_on));
        assert!(text.contains(part) && text.contains("go away"), "{text}");
        assert!(text.contains(&status.to_string()), "{text}");
        assert_eq!(hub.hub.log().len(), 1);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let hub = Hub::new(model());
    let other = ixc_hub::RepoId::new("org/other").unwrap();
    let text = words(pull(&other, None, &hub.settings(), &mut go_on));
    assert!(
        text.contains("no model org/other") && text.contains("if a folder was meant"),
        "{text}"
    );
    let text = words(hub.pull_at(Some("v9")));
    assert!(text.contains("no revision v9 of org/model"), "{text}");
    let text = words(hub.pull_at(Some(&"e".repeat(40))));
    assert!(text.contains("no revision eee"), "{text}");
    hub.intercept(|request| is_for(request, "config.json").then(|| Response::new(404)));
    let text = words(hub.pull());
    assert!(text.contains("no file config.json in org/model"), "{text}");
}

#[test]
fn a_hub_that_gives_another_commit_is_refused() {
    let hub = Hub::new(model());
    let asked = "d".repeat(40);
    hub.state.lock().unwrap().refs.insert(asked.clone(), COMMIT.to_owned());
    let text = words(hub.pull_at(Some(&asked)));
    assert!(text.contains(&asked) && text.contains(COMMIT), "{text}");
}

#[test]
fn a_signed_address_that_ran_out_is_signed_anew() {
    let hub = Hub::new(model());
    let mut refused = 0;
    hub.intercept(move |request| {
        let at_store = is_for(request, WEIGHTS) && !request.target.contains("resolve");
        if !at_store || refused == 2 {
            return None;
        }
        refused += 1;
        Some(Response::new(403))
    });
    hub.pull().unwrap();
    let asked = hub.hub.log().iter().filter(|r| is_for(r, WEIGHTS)).count();
    assert_eq!(asked, 3);
}

#[test]
fn redirects_that_are_not_followed() {
    for location in [
        "",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "https://user@127.0.0.1/x",
        "http://127.0.0.1\\@evil.test/",
    ] {
        let hub = Hub::new(model());
        hub.intercept(move |request| {
            let response = Response::new(302);
            let has_location = !location.is_empty();
            let response =
                if has_location { response.with("Location", location) } else { response };
            is_for(request, "config.json").then_some(response)
        });
        let error = error(hub.pull());
        assert!(matches!(error, Error::Redirect { .. }), "{location}: {error}");
        assert!(!error.to_string().contains("passwd"), "{error}");
    }
    let hub = Hub::new(model());
    hub.intercept(|request| {
        let again = request.target.clone();
        is_for(request, "config.json").then(|| Response::new(307).with("Location", again))
    });
    let text = words(hub.pull());
    assert!(text.contains("redirects"), "{text}");
    assert!(hub.hub.log().len() < 15, "{}", hub.hub.log().len());
}

#[test]
fn offline_asks_nobody() {
    let hub = Hub::new(model());
    let mut offline = hub.settings();
    offline.offline = true;
    let text = words(pull(&repo(), None, &offline, &mut go_on));
    assert!(text.contains("nothing of it") && text.contains("HF_HUB_OFFLINE"), "{text}");
    assert!(!hub.cache().exists());

    let online = hub.pull().unwrap();
    hub.forget();
    let before = tree(&hub.cache());
    let pulled = pull(&repo(), None, &offline, &mut go_on).unwrap();
    assert_eq!((&pulled.path, &pulled.commit), (&online.path, &online.commit));
    assert_eq!(pulled.files.len(), TAKEN.len());
    assert_eq!(pulled.licence.text, online.licence.text);
    assert_eq!(tree(&hub.cache()), before);

    std::fs::remove_file(hub.blob(WEIGHTS)).unwrap();
    let text = words(pull(&repo(), None, &offline, &mut go_on));
    assert!(text.contains(&format!("{WEIGHTS} missing")), "{text}");
    let text = words(pull(&repo(), Some("dev"), &offline, &mut go_on));
    assert!(text.contains("org/model@dev"), "{text}");
    assert!(hub.hub.log().is_empty() && hub.store.log().is_empty());
}

#[test]
fn locating_never_asks_the_network() {
    let hub = Hub::new(model());
    let reference = Reference::parse("hf:org/model").unwrap();
    let text = words(locate(&reference, &hub.settings()));
    assert!(text.contains("ixc pull org/model@main"), "{text}");
    let pulled = hub.pull().unwrap();
    hub.forget();
    assert_eq!(locate(&reference, &hub.settings()).unwrap(), pulled.path);
    let local = Reference::parse(pulled.path.to_str().unwrap()).unwrap();
    assert_eq!(locate(&local, &hub.settings()).unwrap(), pulled.path);
    std::fs::remove_file(pulled.path.join("config.json")).unwrap();
    assert!(words(locate(&reference, &hub.settings())).contains("config.json missing"));
    assert!(matches!(
        find(&hub.cache(), &repo(), None).unwrap(),
        Found::Incomplete { missing, .. } if missing == ["config.json"]
    ));
    assert!(hub.hub.log().is_empty());
}

#[test]
fn everything_goes_through_the_proxy_but_the_exceptions() {
    let hub = Hub::new(model());
    let proxy = Server::start(|_| Response::new(500));
    let url = proxy.url().replace("http://", "http://user:SECRET@");
    let mut settings = hub.settings();
    settings.proxy = Some(Proxy { url, except: Vec::new() });
    pull(&repo(), None, &settings, &mut go_on).unwrap();
    let asked = proxy.log();
    assert!(asked.iter().all(|r| r.method == "CONNECT"), "{asked:?}");
    for server in [&hub.hub, &hub.store] {
        let target = server.addr.to_string();
        let through = asked.iter().filter(|r| r.target == target).count();
        assert_eq!(through, server.log().len(), "{target}");
    }
    proxy.forget();
    settings.proxy.as_mut().unwrap().except = vec!["127.0.0.1".to_owned()];
    pull(&repo(), None, &settings, &mut go_on).unwrap();
    assert!(proxy.log().is_empty());

    for url in ["", "socks5://x", "http://SECRET SECRET"] {
        settings.proxy = Some(Proxy { url: url.to_owned(), except: Vec::new() });
        let text = words(pull(&repo(), None, &settings, &mut go_on));
        assert!(text.contains("HTTPS_PROXY"), "{url}: {text}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let hub = Hub::new(model());
    let mut settings = hub.settings();
    settings.proxy =
        Some(Proxy { url: "http://user:SECRET@127.0.0.1:9".to_owned(), except: Vec::new() });
    words(pull(&repo(), None, &settings, &mut go_on));
}
