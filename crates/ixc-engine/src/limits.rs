//! How much one request may ask for, and why.

/// Rows read in one go: bounds the activations of a long prompt (at 7B about 0.5 GB) and lets a
/// caller see progress and stop between chunks.
pub const PREFILL_ROWS: usize = 1024;

/// Beams side by side: published scores use 3 and 5; each costs a cache of its own.
pub const BEAMS_MAX: usize = 32;

/// Pictures in one request: at 1225 positions each, more do not fit the longest published context.
pub const IMAGES_MAX: usize = 64;
