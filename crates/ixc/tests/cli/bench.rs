//! `ixc bench`: every row on a tiny model, JSON that adds up, and a rival made of a shell script.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{fresh, ixc, text, tiny};

/// As little as shows every row.
const QUICK: [&str; 10] = [
    "--repetitions",
    "2",
    "--warm-up",
    "0",
    "--positions",
    "24",
    "--words",
    "2",
    "--depths",
    "0,16",
];

fn bench(arguments: &[&str]) -> crate::support::Ran {
    ixc(&[&["bench", "-m", tiny()], &QUICK[..], arguments].concat())
}

fn rows(report: &Value) -> Vec<&str> {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().map(|row| row["row"].as_str().unwrap()).collect()
}

#[test]
fn every_row_of_a_model_with_a_tower() {
    let report = bench(&["--json", "--threads", "1", "--simd", "portable"]).json();
    assert_eq!(report["machine"]["threads"], 1);
    assert_eq!(report["machine"]["instructions"], "portable");
    assert_eq!(report["model"]["products"], "bf16");
    let mut expected = vec![
        "load",
        "load-first",
        "tower",
        "projector",
        "first-word",
        "memory",
        "second-question",
        "same-picture",
        "prefill-image",
        "prefill-text",
        "decode-0",
        "decode-16",
    ];
    if !cfg!(target_os = "linux") {
        expected.retain(|row| *row != "memory");
    }
    assert_eq!(rows(&report), expected);
    for row in report["rows"].as_array().unwrap() {
        assert_eq!(row["samples"].as_array().unwrap().len(), 2, "{row}");
        let figure = |name: &str| row[name].as_f64().unwrap();
        assert!(0.0 < figure("min") && figure("min") <= figure("median"), "{row}");
        assert!(figure("median") <= figure("max"), "{row}");
        let name = row["row"].as_str().unwrap();
        let limited = ["tower", "projector", "first-word"].contains(&name)
            || name.starts_with("prefill")
            || name.starts_with("decode");
        assert_eq!(row["reached"].is_f64(), limited, "{row}");
    }
    let limits = report["limits"].as_array().unwrap();
    let names: Vec<&str> = limits.iter().map(|limit| limit["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["read", "int8", "bf16", "f32"]);
}

#[test]
fn the_table_fits_a_terminal() {
    let table = bench(&["--only", "decode,text"]).ok();
    for part in [
        "reading memory",
        "multiplying and adding in int8",
        "reached",
        "decode, after 16 positions",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!table.contains("tower"), "{table}");
    let model = table.lines().nth(1).unwrap();
    assert!(model.contains("of weights"), "{table}");
    for line in table.lines().filter(|line| *line != model) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn sizes_and_instructions_that_cannot_be() {
    for (arguments, part) in [
        (&["--positions", "5000"][..], "the context holds 4096"),
        (&["--depths", "4090,1"], "the context holds 4096"),
        (&["--repetitions", "0"], "--repetitions: expected 1 or more, found 0"),
        (&["--words", "0"], "--words: expected 1 or more, found 0"),
    ] {
        let message = ixc(&[&["bench", "-m", tiny()], arguments].concat()).fails(1);
        assert!(message.contains(part), "{part}: {message}");
    }
    let other = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
    let message = bench(&["--simd", other]).fails(1);
    assert!(message.contains("this processor does not have it; it has portable"), "{message}");
    bench(&["--only", "dance"]).fails(2);
}

/// A program that knows llama-bench's flags as far as `help` says, and prints `body`.
#[cfg(unix)]
fn rival(name: &str, help: &str, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let program = fresh(name).join("llama-bench");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> \"$0.log\"\ncase \"$1\" in --help) echo '{help}'; exit;; esac\n{body}\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(program.with_file_name("other.gguf"), "").unwrap();
    program
}

#[cfg(unix)]
fn beside(program: &std::path::Path, arguments: &[&str]) -> crate::support::Ran {
    let model = program.with_file_name("other.gguf");
    let rival = ["--against-llama-bench", text(program), "--against-model", text(&model)];
    bench(&[&["--only", "text,decode"], &rival[..], arguments].concat())
}

#[cfg(unix)]
const HELP: &str = "  -p, --n-prompt <n>  --no-warmup  --repack <0|1>";

/// Reads twice as fast with `--repack 0` as without.
#[cfg(unix)]
const BODY: &str = r#"rate=4
case "$*" in *"--repack 0"*) rate=8;; esac
echo 'some backend was loaded'
case "$*" in
*"-n 0"*) echo '[{"n_prompt": 32, "n_gen": 0, "n_depth": 0, "avg_ts": 100},
  {"n_prompt": 24, "n_gen": 0, "n_depth": 0, "avg_ts": '$rate', "n_threads": 1}]';;
*) echo '[{"n_prompt": 0, "n_gen": 2, "n_depth": 0, "avg_ts": 2}, {"n_prompt": 0, "n_gen": 2, "n_depth": 16, "avg_ts": 1}]';;
esac"#;

#[cfg(unix)]
#[test]
fn a_rival_runs_at_its_best_setting() {
    let program = rival("rival", HELP, BODY);
    let report = beside(&program, &["--json", "--threads", "1"]).json();
    let found = report["comparisons"].as_array().unwrap();
    let told: Vec<(&str, &str, f64)> = found
        .iter()
        .map(|c| {
            (
                c["row"].as_str().unwrap(),
                c["setting"].as_str().unwrap(),
                c["median"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("prefill-text", "--repack 0", 8.0),
            ("decode-0", "default", 2.0),
            ("decode-16", "default", 1.0)
        ]
    );
    for (comparison, row) in found.iter().zip(["prefill-text", "decode-0", "decode-16"]) {
        let rows = report["rows"].as_array().unwrap();
        let ours = rows.iter().find(|r| r["row"] == row).unwrap()["samples"].as_array().unwrap();
        // Two samples of seconds a position or a word: their median is the mean of the reciprocals.
        let seconds = ours.iter().map(|rate| 1.0 / rate.as_f64().unwrap()).sum::<f64>() / 2.0;
        let ratio = 1.0 / seconds / comparison["median"].as_f64().unwrap();
        assert!((comparison["ratio"].as_f64().unwrap() / ratio - 1.0).abs() < 1e-9, "{comparison}");
        assert_eq!(comparison["samples"].as_array().unwrap().len(), 2);
    }
    let log = fs::read_to_string(program.with_file_name("llama-bench.log")).unwrap();
    let runs: Vec<&str> = log.lines().collect();
    assert_eq!(runs.len(), 1 + 2 * 3, "{log}");
    assert!(runs[1].ends_with("-t 1 -r 1 -o json -p 32,24 -n 0 --no-warmup"), "{log}");
    assert!(runs[3].ends_with("-p 0 -n 2 -d 0,16"), "{log}");
    let table = beside(&program, &[]).ok();
    let heading = table.lines().find(|line| line.contains("ours/its")).expect("a second table");
    assert!(heading.chars().count() <= 100 && table.contains("other.gguf"), "{table}");
}

#[cfg(unix)]
#[test]
fn a_rival_that_is_older_gets_no_flags_it_does_not_know() {
    let program = rival("rival-old", "-p, --n-prompt <n>", BODY);
    beside(&program, &[]).ok();
    let log = fs::read_to_string(program.with_file_name("llama-bench.log")).unwrap();
    assert!(!log.contains("--repack") && !log.contains("--no-warmup"), "{log}");
}

#[cfg(unix)]
#[test]
fn a_rival_that_is_none_is_refused_with_what_it_said() {
    for (name, help, body, parts) in [
        (
            "rival-other",
            "usage: dance",
            "",
            &["expected llama.cpp's llama-bench", "usage: dance"][..],
        ),
        ("rival-fails", HELP, "echo 'cannot load' >&2; exit 3", &["it failed", "3", "cannot load"]),
        ("rival-table", HELP, "echo '| model | t/s |'", &["expected JSON", "| model | t/s |"]),
        ("rival-empty", HELP, "echo '[]'", &["expected a rate for Prompt(24)", "[]"]),
        ("rival-silent", HELP, "", &["expected JSON", "nothing"]),
    ] {
        let message = beside(&rival(name, help, body), &[]).fails(1);
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    let program = rival("rival-gone", HELP, BODY);
    fs::remove_file(&program).unwrap();
    let message = beside(&program, &[]).fails(1);
    assert!(message.contains("cannot run it") && message.contains("hint: "), "{message}");
    fs::remove_file(program.with_file_name("other.gguf")).unwrap();
    assert!(beside(&program, &[]).fails(1).contains("no such file"));
    let one = ["--against-llama-bench", "x"];
    assert!(bench(&one).fails(2).contains("--against-model"));
}

#[test]
fn a_training_step_is_measured_without_data() {
    let quick = ["bench", "train", "--model", tiny(), "--kind", "lora", "--lora-r", "2"];
    let few = ["--gradient-accumulation-steps", "2", "--repetitions", "2", "--warm-up", "0"];
    let report = ixc(&[&quick[..], &few, &["--words", "3", "--json"]].concat()).json();
    let mut expected = vec!["step", "positions", "memory"];
    expected.retain(|row| cfg!(target_os = "linux") || *row != "memory");
    assert_eq!(rows(&report), expected);
    for row in report["rows"].as_array().unwrap().iter().take(2) {
        assert_eq!(row["samples"].as_array().unwrap().len(), 2, "{row}");
        assert!(row["reached"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert_eq!(report["model"]["products"], "bf16");
    let text = ixc(&[&quick[..], &few, &["--precision", "f32"]].concat()).ok();
    assert!(text.contains("Trained:\ngroup") && text.contains("a step: "), "{text}");
    let message = ixc(&[&quick[..], &["--repetitions", "0"]].concat()).fails(1);
    assert!(message.contains("--repetitions: expected 1 or more, found 0"), "{message}");
}
