//! Servers that do what none should: each time words that say who, what was expected, what came, what to do.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::server::*;

const KINDS: [&str; 4] = ["openai", "a1111", "comfyui", "search"];

/// What a service of this kind says is wrong with a server that gives one answer to everything.
fn words(kind: &str, reply: Reply, milliseconds: u64) -> String {
    let server = Server::saying(reply);
    let service = service(&configured(kind, &server.url()), milliseconds);
    let why = refusal(&*service);
    let start = format!("the service {} ({}): expected ", service.name(), server.addr);
    assert!(why.starts_with(&start) && why.contains("; "), "{why}");
    assert!(!why.contains(KEY) && !why.chars().any(char::is_control), "{why}");
    why
}

#[test]
fn other_answers_are_told_as_they_are() {
    let html = "<!DOCTYPE html>\n<html>\u{1b}[2J</html>";
    let deep = "[".repeat(100_000);
    let many = format!("{{\"data\": [{}]}}", vec!["{}"; 65].join(","));
    for kind in KINDS {
        for (reply, says) in [
            (
                Reply::new(200, html).with("Content-Type", "text/html"),
                "found text/html that begins",
            ),
            (Reply::new(200, ""), "empty"),
            (
                Reply::new(200, "{\"data\": NaN, \"images\": NaN, \"prompt_id\": NaN}"),
                "expected value",
            ),
            (Reply::new(200, "{\"data\": ["), "EOF while parsing"),
            (Reply::new(200, deep.clone()), "that begins with"),
            (Reply::new(200, "[1, 2]"), "that begins with"),
            (Reply::new(200, vec![0xff; 999]), "999 bytes"),
            (Reply::new(204, ""), "empty"),
            (
                Reply::new(500, "{\"detail\": \"out of memory\"}"),
                "status 500: out of memory; what went wrong",
            ),
            (
                Reply::new(404, "no"),
                "found status 404, something without a type that begins with \"no\"",
            ),
            (
                Reply::new(
                    401,
                    json!({"error": {"message": format!("wrong key {KEY}")}}).to_string(),
                ),
                "`key_env`",
            ),
            (Reply::new(429, "").with("Retry-After", "3600"), "asks to wait 3600 s"),
            (
                Reply::new(302, "").with("Location", "http://example.com/x?s=1"),
                "which leads to example.com; no redirect",
            ),
            (
                Reply::new(301, "").with("Location", "file:///etc/passwd"),
                "which leads to elsewhere",
            ),
            (Reply::new(200, "[1]").body(Body::Cut(1)), "the connection broke"),
            (Reply::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "is it running"),
            (Reply::raw(""), "is it running"),
        ] {
            let why = words(kind, reply, LONG);
            assert!(why.contains(says), "{kind}: {says}: {why}");
        }
    }
    assert!(words("openai", Reply::new(200, many), LONG).contains("a list of more than 64"));
    assert!(
        words("openai", Reply::json(json!({"data": []})), LONG).contains("found an empty list")
    );
    assert!(words("a1111", Reply::json(json!({"images": null})), LONG).contains("an empty list"));
    assert!(words("openai", Reply::json(json!({"data": [{}]})), LONG).contains("found neither"));
}

#[test]
fn what_never_ends_ends() {
    for kind in KINDS {
        for reply in [Reply::silence(), Reply::new(200, "").body(Body::Drip)] {
            let why = words(kind, reply, 100);
            assert!(why.contains("no end within 0.1 s; `timeout`"), "{kind}: {why}");
        }
        let endless = Reply::new(200, vec![b' '; 64 << 10]).body(Body::Endless);
        let why = words(kind, endless, LONG);
        assert!(why.contains("found more than ") && why.contains(" bytes; "), "{kind}: {why}");
    }
    // One that is asked again and again whether it is ready, and never is.
    let server = Server::start(|asked| match asked.line.as_str() {
        "POST /prompt" => Reply::json(json!({"prompt_id": "a"})),
        _ => Reply::json(json!({})),
    });
    let why = refusal(&*service(&configured("comfyui", &server.url()), 700));
    assert!(why.contains("no end within"), "{why}");
    assert!(server.lines().contains(&"POST /queue".into()), "it is told to give up");
}

#[test]
fn nobody_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for kind in KINDS {
        let why = refusal(&*service(&configured(kind, &url), LONG));
        assert!(why.contains("the connection was refused; is it running"), "{why}");
    }
}

#[test]
fn pictures_that_are_none() {
    let openai = |text: &str| Reply::json(json!({"data": [{"b64_json": text}]}));
    let whole = base64(&bmp(1));
    let large = base64(&vec![0; 65 << 10]);
    for (text, says) in [
        (whole[..whole.len() - 3].to_owned(), "text that ends in the middle"),
        ("AB$D".into(), "text that holds `$` at 2 of its data"),
        ("data:image/png,xx".into(), "text that has no `;base64,`"),
        (String::new(), "found 0 bytes in Base64"),
        (base64(b"<html>Bad gateway</html>"), "found 24 bytes in Base64"),
        (base64(&bmp(1)[..40]), "found 40 bytes in Base64"),
        (base64(&sized(20_000, 20_000, 1)), "in Base64"),
        (large, "found more than 65536 bytes; `picture_mb`"),
    ] {
        let why = words("openai", openai(&text), LONG);
        assert!(why.contains(says), "{says}: {why}");
    }
    let bomb = words("openai", openai(&base64(&sized(20_000, 20_000, 1))), LONG);
    assert!(bomb.contains("20000"), "refused by what it states: {bomb}");
    // The same behind an address.
    for (reply, says) in [
        (
            Reply::new(200, "<html>").with("Content-Type", "image/png"),
            "found image/png that begins with \"<html>\"",
        ),
        (Reply::new(200, sized(20_000, 20_000, 1)), "20000"),
        (Reply::new(200, vec![0; 64 << 10]).body(Body::Endless), "found more than 65536 bytes"),
        (Reply::new(302, "").with("Location", "http://127.0.0.1:1/"), "no redirect is followed"),
    ] {
        let answer = json!({"data": {"image_urls": ["/x"], "indices": [1]}});
        let server = Server::start(move |asked| match asked.line.as_str() {
            "GET /x" => reply.clone(),
            _ => Reply::json(answer.clone()),
        });
        let why = refusal(&*service(&configured("search", &server.url()), LONG));
        assert!(why.contains(says), "{says}: {why}");
    }
}

#[test]
fn addresses_that_lead_elsewhere_are_not_gone_to() {
    let elsewhere = Server::saying(Reply::new(200, bmp(1)));
    let port = elsewhere.addr.port();
    let links = [
        format!("http://127.0.0.1:{port}/x"),
        format!("http://localhost:{port}/x"),
        format!("http://[::1]:{port}/x"),
        format!("http://2130706433:{port}/x"),
        format!("http://0x7f.1:{port}/x"),
        format!("//127.0.0.1:{port}/x"),
        format!("http://own@127.0.0.1:{port}/x"),
        format!("http://own\\@127.0.0.1:{port}/x"),
        format!("https://127.0.0.1:{port}/x"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://[fd00::1]/".into(),
        "http://[::ffff:127.0.0.1]/".into(),
        "file:///etc/passwd".into(),
        "gopher://127.0.0.1/".into(),
        "data:image/png;base64,AAAA".into(),
    ];
    for link in links {
        let answer = json!({"data": {"image_urls": [link], "indices": [1]}});
        let server = Server::start(move |asked| match asked.line.starts_with("POST") {
            true => Reply::json(answer.clone()),
            false => Reply::new(404, ""),
        });
        refusal(&*service(&configured("search", &server.url()), LONG));
    }
    assert_eq!(elsewhere.log().len(), 0);
}

#[test]
fn a_busy_server_is_asked_again_and_no_other() {
    let answer = json!({"data": [{"b64_json": base64(&bmp(1))}]});
    for (status, times, comes) in [(429, 2, true), (503, 1, true), (429, 3, false), (500, 1, false)]
    {
        let (asked, answer) = (AtomicUsize::new(0), answer.clone());
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) < times {
            true => Reply::new(status, "").with("Retry-After", "0"),
            false => Reply::json(answer.clone()),
        });
        let service = service(&configured("openai", &server.url()), LONG);
        assert_eq!(ask(&*service, &[]).is_ok(), comes, "{status} {times}");
        let requests = if status == 500 { 1 } else { 3.min(times + 1) };
        assert_eq!(server.log().len(), requests, "{status} {times}");
    }
}
