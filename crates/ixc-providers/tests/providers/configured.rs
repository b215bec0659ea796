//! The configuration: what is told of every mistake in it, and that the page's examples are none.

use std::{ffi::OsString, fs, path::Path};

use ixc_providers::{Config, Kind, open};

use crate::server::parsed;

#[test]
fn every_mistake_says_where_and_what() {
    let search = "[[search]]\nurl = \"http://h/x\"\n";
    let painter = "[[generate]]\nkind = \"openai\"\nmodel = \"m\"\nurl = \"http://h\"\n";
    let here = "providers.toml, [[generate]] number 1: ";
    for (toml, says) in [
        ("= 1", "providers.toml: it is no TOML"),
        ("[painter]\n", "unknown key `painter`; expected [[generate]] and [[search]]"),
        ("generate = 1\n", "`generate`: expected [[generate]], found a integer"),
        (
            "[[generate]]\n",
            &format!(
                "{here}`kind`: expected one of \"openai\", \"a1111\", \"comfyui\", found none"
            ),
        ),
        ("[[generate]]\nkind = \"dalle\"\n", "found \"dalle\""),
        ("[[generate]]\nkind = \"openai\"\nurl = \"http://h\"\n", "`model` is missing"),
        ("[[generate]]\nkind = \"a1111\"\n", "`url` is missing"),
        ("[[generate]]\nkind = \"comfyui\"\nurl = \"http://h\"\n", "`workflow` is missing"),
        (
            "[[generate]]\nkind = \"comfyui\"\nurl = \"http://h\"\nworkflow = \"gone.json\"\n",
            "gone.json",
        ),
        (
            &format!("{painter}steps = 3\n"),
            "unknown key `steps`; known: name, url, key_env, timeout, picture_mb",
        ),
        (&format!("{painter}api_key = \"x\"\n"), "unknown key `api_key`"),
        (&format!("{painter}count = 5\n"), "`count`: expected a whole number from 1 to 4, found 5"),
        (
            &format!("{painter}timeout = -1\n"),
            "`timeout`: expected a whole number from 1 to 86400, found -1",
        ),
        (&format!("{painter}timeout = \"9\"\n"), "found \"9\""),
        (&format!("{painter}size = \"\"\n"), "`size`: expected a text that is not empty"),
        (&format!("{painter}prompt = \"a dog\"\n"), "`prompt`: expected {caption}"),
        (&format!("{painter}response_format = \"png\"\n"), "`response_format`: expected"),
        (&format!("{painter}pictures_from = \"x\"\n"), "`pictures_from`: expected a list"),
        (
            "[[generate]]\nkind = \"a1111\"\nurl = \"http://h\"\ncfg_scale = nan\n",
            "`cfg_scale`: expected a number from 0 to 100",
        ),
        (
            &format!("{search}{search}"),
            "[[search]] number 2: a second service is called \"search\"",
        ),
        (&search.repeat(33), "33 services, the limit is 32"),
        (&format!("{search}kind = \"x\"\n"), "unknown key `kind`"),
    ] {
        let error = parsed(toml).map(drop).unwrap_err();
        assert!(error.contains(says), "{toml}: {error}");
    }
}

#[test]
fn addresses_and_keys_that_cannot_be_used_are_told_at_once() {
    let none = |_: &str| None;
    let opened = |more: &str, get: &dyn Fn(&str) -> Option<OsString>| {
        open(parsed(&format!("[[search]]\n{more}")).unwrap(), get)
            .map(drop)
            .map_err(|e| e.to_string())
    };
    for url in ["h", "ftp://h/x", "file:///x", "http://u:p@h/", "http://h/?q=1", "http:///x", "//h"]
    {
        let error = opened(&format!("url = \"{url}\""), &none).unwrap_err();
        assert!(error.contains("[[search]] number 1: `url`: "), "{url}: {error}");
    }
    let url = "url = \"https://h/x\"\n";
    for origin in ["h", "https://h/x", "https://h/?x", "ftp://h", "*"] {
        let error = opened(&format!("{url}pictures_from = [\"{origin}\"]"), &none).unwrap_err();
        assert!(error.contains("`pictures_from`: expected an origin"), "{origin}: {error}");
    }
    let keyed = format!("{url}key_env = \"MY_KEY\"");
    let error = opened(&keyed, &none).unwrap_err();
    assert!(error.contains("MY_KEY, which is not set"), "{error}");
    let error = opened(&keyed, &|_| Some(OsString::from("SEC RET"))).unwrap_err();
    assert!(
        error.contains("MY_KEY: a token has only visible") && !error.contains("SEC"),
        "{error}"
    );
    opened(&keyed, &|name| (name == "MY_KEY").then(|| "x".into())).unwrap();
}

#[test]
fn plain_http_to_another_machine_is_said() {
    let host = |url: &str| {
        let config = parsed(&format!("[[search]]\nurl = \"{url}\"")).unwrap();
        open(config, &|_| None).unwrap().searches[0].host().to_owned()
    };
    assert_eq!(host("http://10.0.0.7:8188"), "10.0.0.7:8188, not encrypted");
    assert_eq!(host("https://example.org/image"), "example.org");
    assert_eq!(host("http://localhost:7860"), "localhost:7860");
}

#[test]
fn the_page_s_examples_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/composition.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("evening.json"), crate::server::WORKFLOW).unwrap();
    let mut kinds = [0; 4];
    for block in &blocks {
        let config = Config::parse(block, &folder.path().join("providers.toml")).unwrap();
        for entry in config.services {
            kinds[match entry.kind {
                Kind::OpenAi(_) => 0,
                Kind::A1111(_) => 1,
                Kind::ComfyUi(_) => 2,
                Kind::Search => 3,
            }] += 1;
        }
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?} in {blocks:?}");
}
