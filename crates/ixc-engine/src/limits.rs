//! How much one request may ask for, and why.

/// Rows read in one go: bounds the activations of a long prompt (at 7B about 0.6 GB) and lets a
/// caller see progress and stop between chunks. Enough for a photograph and a question in one go: each
/// chunk unpacks all weights once more.
pub const PREFILL_ROWS: usize = 1536;

/// Positions of one sequence when a text is read to calibrate a model: what words far away add to the size of
/// activations is little.
pub const TEXT_POSITIONS: usize = 1024;

/// Scores of the vocabulary held at a time when a model is judged, in rows: 24 MB at 7B for each model.
pub const SCORE_ROWS: usize = 64;

/// Beams side by side: published scores use 3 and 5; each costs a cache of its own.
pub const BEAMS_MAX: usize = 32;

/// Pictures in one request: at 1225 positions each, more do not fit the longest published context.
pub const IMAGES_MAX: usize = 64;

/// Bytes of features of pictures seen before that an engine keeps: at 7B a picture of 1225 positions
/// has 20 MB, one of 4KHD up to 130 MB, so that some are always there.
pub const FEATURE_BYTES: usize = 256 << 20;

/// Bytes of keys and values that an engine keeps of what other conversations have read: at 7B some
/// prompts with a picture each, and no more than a few percent of its weights.
pub const PREFIX_BYTES: usize = 1 << 30;
