//! What converting and writing hold in memory. Alone in its process, because it reads the process's peak.

#![cfg(target_os = "linux")]

use ixc_nn::weights::{Checkpoint, Keep, ShardWriter, StoredType, TensorPlan};

const MIB: usize = 1 << 20;

/// A field of the process's status, in bytes.
fn status(field: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Forgets the peak so far. Where the system forbids it, the bounds below only hold the more strictly.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[test]
fn a_checkpoint_is_never_held_twice() {
    // 12 tensors of 32 MiB in float32.
    const ROWS: usize = 4096;
    const COLS: usize = 2048;
    let folder = tempfile::tempdir().unwrap();
    let plans: Vec<_> = (0..12)
        .map(|i| TensorPlan {
            name: format!("w{i}"),
            dtype: StoredType::F32,
            shape: vec![ROWS, COLS],
        })
        .collect();
    reset_peak();
    let before = status("VmRSS");
    let row = vec![0.5f32; COLS];
    ShardWriter::new(folder.path(), plans.clone(), 128 * MIB)
        .unwrap()
        .write(|_, sink| (0..ROWS).try_for_each(|_| sink.f32(&row)))
        .unwrap();
    let writing = status("VmHWM") - before;
    assert!(writing < 16 * MIB, "writing shards of 128 MiB held {} MiB", writing / MIB);

    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let before = status("VmRSS");
    reset_peak();
    let matrices: Vec<_> = plans
        .iter()
        .map(|plan| checkpoint.matrix(&plan.name, ROWS, COLS, Keep::Bf16).unwrap())
        .collect();
    let held: usize = matrices.iter().map(|matrix| matrix.bytes()).sum();
    assert_eq!(held, 192 * MIB);
    // The result, one piece of the file being read, and what the threads work in.
    let converting = status("VmHWM") - before;
    assert!(
        converting < held + 48 * MIB,
        "converting 384 MiB to 192 MiB held {} MiB",
        converting / MIB
    );

    let before = status("VmRSS");
    reset_peak();
    assert!(plans.iter().all(|plan| checkpoint.non_finite(&plan.name).unwrap() == 0));
    let looking = status("VmHWM") - before;
    assert!(looking < 48 * MIB, "looking at 384 MiB held {} MiB", looking / MIB);
    println!(
        "writing {} MiB, converting {} MiB, looking {} MiB",
        writing / MIB,
        converting / MIB,
        looking / MIB
    );
}
