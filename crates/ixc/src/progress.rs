//! What is going on, on stderr, while one waits, and only where a person can see it.
//!
//! Without a terminal nothing is drawn at all. Everything drawn is cleared again, so that what stays
//! on the screen is the result. Deliberately absent: colours.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the clock moves.
const TICK: Duration = Duration::from_millis(120);

/// A line that says what the program is doing.
pub(crate) struct Working(ProgressBar);

impl Working {
    /// Begins.
    pub(crate) fn start(message: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {msg} [{elapsed}]"));
        bar.set_message(message.into());
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// Says what it is doing now.
    pub(crate) fn say(&self, message: impl Into<String>) {
        self.0.set_message(message.into());
    }

    /// Takes the line away, for the result to come.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A bar over bytes, with speed and remaining time.
pub(crate) fn bytes(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(bytes_style());
    bar
}

/// A bar over things that are counted, with remaining time.
pub(crate) fn items(message: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(
        style("{msg} {bar:24} {human_pos:>9} / {human_len:<9} {eta}").progress_chars("=> "),
    );
    bar.set_message(message.into());
    bar
}

/// How bars over bytes look.
pub(crate) fn bytes_style() -> ProgressStyle {
    style("{msg:32!} {bar:24} {decimal_bytes:>10} / {decimal_total_bytes:<10} {decimal_bytes_per_sec:>12} {eta}")
        .progress_chars("=> ")
}

/// A template of ours.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are sound")
}
