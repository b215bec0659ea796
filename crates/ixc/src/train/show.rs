//! What a run would do, in words: a sample with its mask, what is trained, how long and how much.

use std::{fmt::Write, time::Duration};

use ixc_train::{
    Recipe,
    data::Run,
    result::Form,
    run::{Memory, Preview},
};

use crate::table::{Align, bytes, count, counted, table};

/// Characters of one stretch of a sample that are shown.
const SHOWN: usize = 400;

/// The whole preview.
pub(crate) fn preview(recipe: &Recipe, shown: &Preview, available: Option<u64>) -> String {
    let mut text = sample(shown);
    text.push_str("\nTrained:\n");
    text.push_str(&groups(shown));
    let form = match shown.form {
        Form::Adapter => "a LoRA adapter in PEFT's form",
        Form::Model => "a whole model in the published form",
    };
    let samples = recipe.batch_size * recipe.gradient_accumulation_steps;
    let _ = writeln!(
        text,
        "\nResult: {form}, in {}\nSteps: {} of {} ({} in an epoch)",
        recipe.out.display(),
        shown.steps,
        if recipe.packing { "packed samples".into() } else { counted(samples, "sample") },
        counted(shown.samples_per_epoch as usize, "sample"),
    );
    text.push_str(&memory(shown.memory, available));
    let all = shown.seconds_per_step * shown.steps as f64;
    let _ = writeln!(
        text,
        "Time: about {} a step, {} in all (counted operations at this machine's measured rate)",
        duration(shown.seconds_per_step),
        duration(all)
    );
    text
}

/// The first sample, learned stretches marked.
fn sample(shown: &Preview) -> String {
    let description = &shown.sample;
    let id = description.id.as_ref().map(|id| format!(", id {id:?}")).unwrap_or_default();
    let mut text = format!(
        "Sample {}{id}: {} positions, {} of them learned (marked |)\n",
        description.index, description.positions, description.learned
    );
    for run in &description.runs {
        match run {
            Run::Text { text: words, learned, .. } => {
                let mark = if *learned { '|' } else { ' ' };
                cut(words).lines().for_each(|line| {
                    let _ = writeln!(text, "{mark} {line}");
                });
            }
            Run::Image { name, width, height, positions, labels } => {
                let _ =
                    writeln!(text, "  [{name}: {width}×{height} pixels, {positions} positions]");
                text.push_str(&grid(labels));
            }
        }
    }
    text
}

/// Image rows' labels as the patches lie, each cut to a few letters.
fn grid(labels: &[String]) -> String {
    const LETTERS: usize = 6;
    let across = labels.len().isqrt().max(1);
    let mut text = String::new();
    for row in labels.chunks(across) {
        let cell = |label: &String| match label.trim() {
            "" => format!("{:LETTERS$}", "·"),
            label => format!("{:LETTERS$.LETTERS$}", label),
        };
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(text, "|   {}", cells.join(" ").trim_end());
    }
    text
}

/// A long stretch without its middle, which is said.
fn cut(words: &str) -> String {
    let all = words.chars().count();
    if all <= SHOWN {
        return words.into();
    }
    let from: String = words.chars().take(SHOWN / 2).collect();
    let to: String = words.chars().skip(all - SHOWN / 2).collect();
    format!("{from} [… {} characters …] {to}", all - SHOWN)
}

/// What is trained, group by group.
pub(crate) fn groups(shown: &Preview) -> String {
    let row = |group: &ixc_train::trainable::Summary| {
        let (low, high) = group.rates;
        let rate =
            if low == high { format!("{high:.2e}") } else { format!("{low:.2e} to {high:.2e}") };
        vec![
            group.group.name().to_owned(),
            group.tensors.to_string(),
            count(group.numbers as u64),
            rate,
            count(group.decayed as u64),
        ]
    };
    let columns = [
        ("group", Align::Left),
        ("tensors", Align::Right),
        ("numbers", Align::Right),
        ("rate", Align::Right),
        ("with weight decay", Align::Right),
    ];
    table(&columns, &shown.groups.iter().map(row).collect::<Vec<_>>())
}

fn memory(memory: Memory, available: Option<u64>) -> String {
    let Memory { frozen, trained, activations } = memory;
    let free = available.map(|free| format!(" of {} available", bytes(free))).unwrap_or_default();
    format!(
        "Memory: about {}{free}: {} frozen weights, {} trained ones with gradients and moments, {} \
         activations\n",
        bytes(memory.total()),
        bytes(frozen),
        bytes(trained),
        bytes(activations)
    )
}

/// `45 s`, `12 min`, `3.5 h`, `2.1 days`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{seconds:.2} s"),
        ..90.0 => format!("{seconds:.0} s"),
        ..5_400.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// Time that is left, as [`duration`].
pub(crate) fn left(left: Duration) -> String {
    duration(left.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{cut, duration};

    #[test]
    fn times_read_well() {
        let times = [(0.25, "0.25 s"), (45.0, "45 s"), (720.0, "12 min"), (12_600.0, "3.5 h")];
        for (seconds, text) in times.into_iter().chain([(181_440.0, "2.1 days")]) {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_long_stretch_says_how_much_is_not_shown() {
        assert_eq!(cut("short"), "short");
        assert!(cut(&"é".repeat(1_000)).contains("[… 600 characters …]"));
    }
}
