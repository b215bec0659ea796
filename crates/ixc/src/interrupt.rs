//! Ctrl-C as a request to stop what is being done, not the program.
//!
//! [`watch`] is called by commands that can stop cleanly; the others end as any program does.
//! Whoever never gets an answer may insist: the third press in a row ends the program.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::{exit::Exit, output};

/// Presses since the last [`reset`].
static PRESSES: AtomicUsize = AtomicUsize::new(0);

/// A single step of a large model may take minutes, so the program must be possible to leave.
const PRESSES_THAT_END: usize = 3;

/// From here on Ctrl-C is counted. Without the system's help it keeps its usual effect.
pub(crate) fn watch() {
    // A second handler is refused: the first one counts already.
    let _ = ctrlc::set_handler(|| match PRESSES.fetch_add(1, SeqCst) + 1 {
        PRESSES_THAT_END.. => std::process::exit(Exit::Interrupted.code().into()),
        presses if presses + 1 == PRESSES_THAT_END => {
            output::note("\nStopping, after a step that takes long. Ctrl-C once more leaves ixc.");
        }
        _ => {}
    });
}

/// Whether Ctrl-C was pressed since the last [`reset`].
pub(crate) fn pressed() -> bool {
    PRESSES.load(SeqCst) > 0
}

/// Forgets earlier presses.
pub(crate) fn reset() {
    PRESSES.store(0, SeqCst);
}
