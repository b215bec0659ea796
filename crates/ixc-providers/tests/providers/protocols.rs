//! Each protocol as its services speak it: what is sent, and what is made of the answer.

use ixc_compose::service::{About, Failed, Key, Made, Offered, Wanted};
use serde_json::{Value, json};

use crate::server::*;

fn made(red: u8, model: Option<&str>, seed: Option<u64>, prompt: &str) -> Offered {
    let (model, prompt) = (model.map(Into::into), prompt.into());
    Offered { bytes: bmp(red), about: About::Made(Made { model, seed, prompt }) }
}

#[test]
fn openai_s_form() {
    let images = json!({"created": 1, "data": [
        {"b64_json": base64(&bmp(1)), "revised_prompt": "x"}, {"b64_json": base64(&bmp(2))},
        {"b64_json": "more than asked for"},
    ]});
    let server = Server::saying(Reply::json(images));
    let service = service(&configured("openai", &server.url()), LONG);
    let given = ask(&*service, &[]).unwrap();
    let model = Some("brush-2");
    assert_eq!(given.pictures, [1, 2].map(|red| made(red, model, None, CAPTION)));
    assert_eq!((given.left_out.len(), service.name()), (0, "painter"));
    assert_eq!(service.host(), server.addr.to_string());
    let [asked] = &server.log()[..] else { panic!() };
    assert_eq!(asked.line, "POST /v1/images/generations");
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let expected = json!({"model": "brush-2", "prompt": CAPTION, "n": 2, "size": "512x512",
                          "response_format": "b64_json"});
    assert_eq!(asked.json(), expected);
}

#[test]
fn openai_s_addresses_are_fetched_from_allowed_places_without_the_key() {
    let elsewhere = Server::saying(Reply::new(200, bmp(3)));
    let link = format!("{}/made/3.png?signed=SECRET", elsewhere.url());
    let own = "/files/1.png";
    let links = json!({"data": [{"url": own}, {"url": link}]});
    let server = Server::start(move |asked| match asked.line.as_str() {
        "GET /files/1.png" => Reply::new(200, bmp(1)),
        _ => Reply::json(links.clone()),
    });
    let toml = configured("openai", &server.url());
    let refused = ask(&*service(&toml, LONG), &[]).unwrap();
    assert_eq!(refused.pictures.len(), 1, "that of its own");
    let [why] = &refused.left_out[..] else { panic!() };
    assert!(why.contains(&format!("found an address at {}", elsewhere.addr)), "{why}");
    assert!(why.contains("`pictures_from`") && !why.contains("SECRET"), "{why}");
    assert_eq!(elsewhere.log().len(), 0, "nobody went there");
    let log = server.log();
    assert!(log.iter().all(|asked| asked.header("authorization").is_some()), "its own origin");

    let allowed = format!("{toml}\npictures_from = [\"{}\"]", elsewhere.url());
    assert_eq!(ask(&*service(&allowed, LONG), &[]).unwrap().pictures.len(), 2);
    assert_eq!(elsewhere.log()[0].header("authorization"), None);
}

#[test]
fn automatic1111_s_form() {
    let info = json!({"seed": 7, "all_seeds": [7, 8], "sd_model_name": "dream", "index_of_first_image": 1});
    let images = [bmp(9), bmp(1), bmp(2)].map(|bytes| base64(&bytes));
    let answer = json!({"images": images, "parameters": {"x": 1}, "info": info.to_string()});
    let server = Server::saying(Reply::json(answer));
    let service = service(&configured("a1111", &server.url()), LONG);
    let given = ask(&*service, &[]).unwrap();
    let expected =
        [(1, 7), (2, 8)].map(|(red, seed)| made(red, Some("dream"), Some(seed), CAPTION));
    assert_eq!(given.pictures, expected, "behind the contact sheet");
    let [asked] = &server.log()[..] else { panic!() };
    assert_eq!(asked.line, "POST /sdapi/v1/txt2img");
    let expected = json!({"prompt": CAPTION, "seed": 7, "batch_size": 2, "negative_prompt": "text",
                          "width": 640, "steps": 20, "cfg_scale": 7.0});
    assert_eq!(asked.json(), expected);
}

#[test]
fn a_name_and_a_password_go_as_basic_and_stand_in_no_message() {
    let (key, sent) = ("Aladdin:open-sesame", "QWxhZGRpbjpvcGVuLXNlc2FtZQ==");
    let server = Server::saying(Reply::new(401, format!("no {sent}, {key}")));
    let service = service_as(key, &configured("a1111", &server.url()), LONG);
    let Err(Failed::Because(why)) = ask(&*service, &[]) else { panic!() };
    assert_eq!(server.log()[0].header("authorization"), Some(format!("Basic {sent}").as_str()));
    assert!(why.contains("status 401") && why.contains("name:password"), "{why}");
    assert!(!why.contains(sent) && !why.contains("sesame"), "{why}");
}

#[test]
fn what_automatic1111_says_of_a_picture_may_be_broken() {
    for info in [json!("{\"seed\": NaN}"), json!("nothing"), json!(null), json!("{\"seed\": -1}")] {
        let answer = json!({"images": [base64(&bmp(1))], "info": info});
        let server = Server::saying(Reply::json(answer));
        let given = ask(&*service(&configured("a1111", &server.url()), LONG), &[]).unwrap();
        assert_eq!(given.pictures, [made(1, None, Some(7), CAPTION)], "{info}");
    }
}

/// A ComfyUI that is done when it is asked the third time.
fn comfy(asked: &Asked, seen: &[String]) -> Reply {
    let (method, path) = asked.line.split_once(' ').unwrap();
    match (method, path.split('?').next().unwrap()) {
        ("POST", "/prompt") => Reply::json(json!({"prompt_id": "a-1/../x", "node_errors": {}})),
        ("GET", "/history/a-1%2F..%2Fx") if seen.len() < 3 => Reply::json(json!({})),
        ("GET", "/history/a-1%2F..%2Fx") => Reply::json(json!({"a-1/../x": {
            "prompt": [1, {"6": "unused"}],
            "outputs": {
                "9": {"images": [{"filename": "p &1.png", "subfolder": "", "type": "temp"}]},
                "12": {"images": [{"filename": "k &1.png", "subfolder": "sub/x", "type": "output"}]},
                "13": {"text": ["something else"]},
            },
            "status": {"status_str": "success", "completed": true,
                       "messages": [["execution_start", {"prompt_id": "a", "timestamp": 1}]]},
        }})),
        ("GET", "/view") => Reply::new(200, bmp(5)).with("Content-Type", "text/plain"),
        _ => Reply::new(404, ""),
    }
}

#[test]
fn comfyui_s_way() {
    let seen = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |asked| {
        let mut seen = seen.lock().unwrap();
        let reply = comfy(asked, &seen);
        seen.push(asked.line.clone());
        reply
    });
    let service = service(&configured("comfyui", &server.url()), LONG);
    let given = ask(&*service, &[]).unwrap();
    assert_eq!(given.pictures, [made(5, None, Some(7), CAPTION)], "the kept one, by its bytes");
    let lines = server.lines();
    let view = "GET /view?filename=k%20%261.png&subfolder=sub%2Fx&type=output";
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[4], view);
    let sent = &server.log()[0].json()["prompt"];
    assert_eq!(sent["6"]["inputs"]["text"], format!("oil, {CAPTION}"));
    assert_eq!(sent["3"]["inputs"]["seed"], 7);
    assert_eq!(sent["5"]["inputs"], json!({"width": 640, "height": 480}));
}

#[test]
fn comfyui_s_errors_are_repeated() {
    let refused =
        json!({"error": {"type": "x", "message": "Prompt has no outputs"}, "node_errors": {}});
    let server = Server::saying(Reply::new(400, refused.to_string()));
    let why = refusal(&*service(&configured("comfyui", &server.url()), LONG));
    assert!(why.contains("found status 400: Prompt has no outputs"), "{why}");
    let server = Server::start(|asked| match asked.line.starts_with("POST") {
        true => Reply::json(json!({"prompt_id": "a"})),
        false => Reply::json(json!({"a": {"status": {"status_str": "error", "messages": [
            ["execution_start", {}],
            ["execution_error", {"exception_message": "no memory\u{1b}[2J"}]]}}})),
    });
    let why = refusal(&*service(&configured("comfyui", &server.url()), LONG));
    assert!(why.contains("an error in the workflow: no memory\\u{1b}[2J"), "{why}");
}

/// Stops as soon as the server was asked something that begins so.
fn stopped(kind: &str, server: &Server, line: &str) {
    let service = service(&configured(kind, &server.url()), LONG);
    let wanted = Wanted { caption: CAPTION, exclude: &[], most: 4, seed: 7 };
    let stop = || server.lines().iter().any(|asked| asked.starts_with(line));
    assert_eq!(service.pictures(&wanted, &stop), Err(Failed::Stopped), "{kind}");
}

#[test]
fn a_stop_is_heard_while_it_waits_and_the_server_is_told() {
    let server = Server::start(|asked| match asked.line.as_str() {
        "POST /prompt" => Reply::json(json!({"prompt_id": "a"})),
        "GET /queue" => Reply::json(json!({"queue_running": [[1, "a", {}]], "queue_pending": []})),
        _ => Reply::json(json!({})),
    });
    stopped("comfyui", &server, "GET /history/a");
    let log = server.log();
    let end: Vec<_> = log.iter().filter(|asked| !asked.line.contains("/history/")).collect();
    let lines: Vec<&str> = end.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, ["POST /prompt", "POST /queue", "GET /queue", "POST /interrupt"]);
    assert_eq!(end[1].json(), json!({"delete": ["a"]}));
    assert_eq!(end[3].json(), json!({"prompt_id": "a"}));

    // Another's work is not interrupted.
    let server = Server::start(|asked| match asked.line.as_str() {
        "POST /prompt" => Reply::json(json!({"prompt_id": "a"})),
        "GET /queue" => Reply::json(json!({"queue_running": [[1, "b", {}]]})),
        _ => Reply::json(json!({})),
    });
    stopped("comfyui", &server, "GET /history/a");
    assert!(!server.lines().iter().any(|line| line.contains("interrupt")));

    let server = Server::start(|asked| match asked.line.contains("interrupt") {
        true => Reply::json(json!({})),
        false => Reply::silence(),
    });
    stopped("a1111", &server, "POST");
    assert_eq!(server.lines(), ["POST /sdapi/v1/txt2img", "POST /sdapi/v1/interrupt"]);
    for kind in ["openai", "search"] {
        stopped(kind, &Server::saying(Reply::silence()), "POST");
        stopped(kind, &Server::saying(Reply::new(200, "").body(Body::Drip)), "POST");
    }
}

#[test]
fn the_demo_s_search() {
    let urls = ["/a.png", "b.png", "/gone.png", "/c.png", "/d.png", "/e.png"];
    let answer = json!({"data": {"image_urls": urls, "indices": [11, "x-2", 13, 14, 15, 16]}});
    let server = Server::start(move |asked| match asked.line.as_str() {
        "POST /image/similar" => Reply::json(answer.clone()),
        "GET /gone.png" => Reply::new(404, "gone"),
        line => Reply::new(200, bmp(line.as_bytes()[5])),
    });
    let service = service(&configured("search", &server.url()), LONG);
    let exclude = [Key::Number(14), Key::Text("y".into())];
    let given = ask(&*service, &exclude).unwrap();
    let keys: Vec<Key> = given
        .pictures
        .iter()
        .map(|picture| match &picture.about {
            About::Found { key, .. } => key.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    // Four are tried, none of those excluded; the address of one is relative, that of another leads nowhere.
    assert_eq!(keys, [Key::Number(11), Key::Text("x-2".into()), Key::Number(15)]);
    let About::Found { address, .. } = &given.pictures[1].about else { panic!() };
    assert_eq!(*address, format!("{}/image/b.png", server.url()));
    let [why] = &given.left_out[..] else { panic!("{given:?}") };
    assert!(why.contains("expected a picture, found status 404"), "{why}");
    let sent = server.log()[0].json();
    let caption: String = CAPTION.chars().take(53).collect();
    assert_eq!(sent, json!({"caption": caption, "exclude": [14, "y"], "need_idxs": true}));
}

#[test]
fn a_search_that_has_nothing_more_is_no_failure() {
    for (urls, keys) in
        [(json!([]), json!([])), (json!(null), json!(null)), (json!(["/a"]), json!([1]))]
    {
        let answer = json!({"data": {"image_urls": urls, "indices": keys}});
        let server = Server::saying(Reply::json(answer));
        let service = service(&configured("search", &server.url()), LONG);
        let given = ask(&*service, &[Key::Number(1)]).unwrap();
        assert_eq!((given.pictures.len(), given.left_out.len()), (0, 0));
    }
    let answer: Value = json!({"data": {"image_urls": ["/a", "/b"], "indices": [1]}});
    let server = Server::saying(Reply::json(answer));
    let why = refusal(&*service(&configured("search", &server.url()), LONG));
    assert!(why.contains("found 2 and 1"), "{why}");
}
