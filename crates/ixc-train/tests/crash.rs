//! What a run loses when it is killed, or the disk refuses: nothing but the checkpoint that was being
//! written (T1, S13).
//!
//! The children are this program again: one writes checkpoints until it is killed, the other writes one
//! under a limit on the size of files. So `main` reads its words itself, where other tests have a harness.
//! `IXC_FUZZ_ROUNDS=200` kills as often as before a release.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use ixc_train::{
    Recipe,
    checkpoint::{Position, Slot, prune, resume, write},
    data::Identity,
};

/// Tensors of a child's checkpoints, and numbers in each: 1.5 MB with their moments.
const TENSORS: usize = 8;
const NUMBERS: usize = 16_384;

/// The child's exit status when a write was refused as it should be.
const REFUSED: i32 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", out] => write_until_killed(Path::new(out)),
        ["once", out] => return write_once(Path::new(out)),
        ["--list", ..] => {} // what asks for tests to list finds none: they run together
        _ => {
            kills();
            #[cfg(unix)]
            refusals();
        }
    }
    ExitCode::SUCCESS
}

fn recipe() -> Recipe {
    let text = "kind = \"full\"\nmodel = \"m\"\ndata = [\"d\"]\nout = \"o\"\n";
    Recipe::parse(text, "recipe", &[]).unwrap()
}

/// The numbers of a tensor at a step; its moments are those of the two following tensors.
fn numbers(step: u64, tensor: usize) -> Vec<f32> {
    let start = (step as usize * 31 + tensor * 7) as f32;
    (0..NUMBERS).map(|index| start + index as f32 / 64.0).collect()
}

fn write_step(out: &Path, step: u64) -> Result<(), ixc_train::Error> {
    let numbers: Vec<_> = (0..TENSORS + 2).map(|tensor| numbers(step, tensor)).collect();
    let names: Vec<_> = (0..TENSORS).map(|tensor| format!("tensor.{tensor}")).collect();
    let slot = |tensor: usize| Slot {
        name: &names[tensor],
        shape: &[NUMBERS],
        master: &numbers[tensor],
        exp_avg: &numbers[tensor + 1],
        exp_avg_sq: &numbers[tensor + 2],
    };
    let slots: Vec<_> = (0..TENSORS).map(slot).collect();
    let position =
        Position { step, samples: step * 3, ..Position::new(Identity { files: Vec::new() }) };
    write(out, &recipe(), &position, &slots).map(drop)
}

/// The step of the newest whole checkpoint, whose numbers are those of its step; 0 without one.
fn newest(out: &Path) -> u64 {
    let resumed = resume(out).unwrap();
    assert!(
        resumed.passed_over.is_empty(),
        "what has the name is whole: {:?}",
        resumed.passed_over
    );
    let Some(saved) = resumed.saved else { return 0 };
    let step = saved.position.step;
    assert_eq!(saved.position.samples, step * 3);
    for tensor in 0..TENSORS {
        let found = saved.slot(&format!("tensor.{tensor}"), &[NUMBERS]).unwrap();
        assert_eq!(found, [0, 1, 2].map(|next| numbers(step, tensor + next)), "step {step}");
    }
    step
}

fn write_until_killed(out: &Path) {
    for step in newest(out) + 1.. {
        write_step(out, step).unwrap();
        prune(out, 2, &[]).unwrap();
        // The parent may be gone; then nobody kills us.
        if writeln!(std::io::stdout(), "{step}").is_err() {
            return;
        }
    }
}

fn child(words: &[&str], out: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).arg(out);
    command
}

/// T1, as far as checkpoints go: killed at random moments, most of them inside a write.
fn kills() {
    let rounds = ixc_goldens::fuzz_rounds(20);
    let out = tempfile::tempdir().unwrap();
    let (mut inside, mut reached) = (0, 0);
    for round in 0..rounds {
        let mut writer = child(&["write"], out.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Every other round waits for a first write, and so gets further; the moment behind it is any.
        let waits = round % 2 == 0;
        let mut told: u64 =
            if waits { lines.next().unwrap().unwrap().parse().unwrap() } else { reached };
        std::thread::sleep(Duration::from_micros((round as u64 * 7_919) % 50_000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            told = line.parse().unwrap_or(told); // the last line may be half a number
        }
        let hidden = |name: &String| name.starts_with(".checkpoint-");
        inside += usize::from(names_in(out.path()).iter().any(hidden));
        let step = newest(out.path());
        assert!(step >= told, "step {told} was written, step {step} is what can be resumed");
        assert!(step >= reached + u64::from(waits), "round {round} began at step {reached}");
        reached = step;
    }
    println!("{rounds} kills, {inside} of them inside a write or a removal; {reached} checkpoints");
    assert!(inside * 4 >= rounds, "{inside} of {rounds} kills were inside a write");
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn write_once(out: &Path) -> ExitCode {
    match write_step(out, 2) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(REFUSED as u8)
        }
    }
}

/// A disk that refuses at any point of a write: the error says where, and nothing else changes.
#[cfg(unix)]
fn refusals() {
    let out = tempfile::tempdir().unwrap();
    write_step(out.path(), 1).unwrap();
    let mut refused = 0;
    // Blocks of 512 or 1024 bytes, as the shell counts them; above the last, all is written.
    for blocks in [0, 1, 2, 64, 500, 1_000, 1_030, 2_000, 4_000] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let exe = std::env::current_exe().unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(exe).arg("once").arg(out.path());
        let result = shell.output().unwrap();
        let said = String::from_utf8_lossy(&result.stderr);
        match result.status.code() {
            Some(0) => {
                assert_eq!(newest(out.path()), 2);
                std::fs::remove_dir_all(out.path().join("checkpoint-2")).unwrap();
            }
            Some(REFUSED) => {
                assert!(said.contains("checkpoint-2") && said.contains("write"), "{said}");
                refused += 1;
            }
            other => panic!("{blocks} blocks: {other:?}, {said}"),
        }
        assert_eq!(newest(out.path()), 1, "{blocks} blocks");
        assert_eq!(names_in(out.path()), ["checkpoint-1"], "{blocks} blocks: nothing is left");
    }
    println!("{refused} writes refused, each with an error and nothing else");
    assert!(refused >= 5, "{refused} writes were refused");
}
