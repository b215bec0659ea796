//! Help, version, manual pages and completions: they are there, and they tell what must be told.

use std::fs;

use crate::support::{fresh, ixc, text};

/// Every command but clap's own `help`.
const COMMANDS: [&str; 20] = [
    "run",
    "compose",
    "edit",
    "pull",
    "list",
    "rm",
    "inspect",
    "trace",
    "train",
    "merge",
    "quantize",
    "perplexity",
    "eval",
    "library",
    "world",
    "bench",
    "init",
    "tokenizer",
    "completions",
    "man",
];

#[test]
fn the_version() {
    assert_eq!(ixc(&["--version"]).ok(), format!("ixc {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_teaches() {
    let help = ixc(&["help"]).ok();
    for part in ["Examples:", "Environment:", "IXC_MODEL", "HF_TOKEN", "NO_COLOR", "Exit status:"] {
        assert!(help.contains(part), "{part}");
    }
    for code in ["  0    ", "  1    ", "  2    ", "  3    ", "  4    ", "  130  "] {
        assert!(help.contains(code), "{code}");
    }
    let places = COMMANDS.map(|command| help.find(&format!("\n  {command} ")).expect(command));
    assert!(places.is_sorted(), "the most important commands come first: {places:?}");
    for command in COMMANDS {
        let help = ixc(&[command, "--help"]).ok();
        assert!(help.contains(&format!("Usage: ixc {command}")), "{help}");
        assert!(help.contains("Examples:") || command == "list", "{command}");
        assert!(!help.contains('\u{1b}'), "no colours without a terminal");
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let ran = ixc(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("Usage: ixc"), "{}", ran.stderr);
    let message = ixc(&["dance"]).fails(2);
    assert!(message.contains("unrecognized subcommand 'dance'"), "{message}");
}

#[test]
fn manual_pages() {
    let page = ixc(&["man"]).ok();
    for part in [".TH ixc 1", ".SH EXAMPLES", ".SH ENVIRONMENT", ".SH \"EXIT STATUS\"", ".nf"] {
        let plain = part.replace('"', "");
        assert!(page.contains(part) || page.contains(&plain), "{part}");
    }
    let folder = fresh("man");
    let printed = ixc(&["man", "--out", text(&folder)]).ok();
    assert_eq!(printed.lines().count(), 1 + COMMANDS.len());
    for command in COMMANDS {
        let page = fs::read_to_string(folder.join(format!("ixc-{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH ixc-{command} 1")), "{command}");
        assert!(!page.contains("\n  ixc run -i"), "hyphens are escaped: {command}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = ixc(&["completions", shell]).ok();
        assert!(script.contains("repetition-penalty") && script.contains("inspect"), "{shell}");
    }
    ixc(&["completions", "cmd"]).fails(2);
}
