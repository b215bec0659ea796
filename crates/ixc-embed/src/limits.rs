//! Limits on everything that comes from a checkpoint's folder, each with its reason.
//!
//! What weight files and pictures may be is the limits of `ixc-nn` and `ixc-input`.

/// Bytes of a configuration. Published ones have under 10 kB.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Bytes of a tokenizer's file. SigLIP 2's, with a vocabulary of 256 000, has 34 MB.
pub const MAX_TOKENIZER_BYTES: u64 = 128 << 20;

/// Bytes of a text. Encoders read its first 77 words or so; the rest only costs time.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// Layers of a tower. Published ones have at most 48.
pub const MAX_LAYERS: usize = 256;

/// Numbers of a row, within the layers and between them. Published ones have at most 8192.
pub const MAX_WIDTH: usize = 1 << 16;

/// Tokens of a text that a tower reads. Published: 77 and 64.
pub const MAX_POSITIONS: usize = 4096;

/// Patches of a picture. Published: 729 at most; attention grows with the square.
pub const MAX_PATCHES: usize = 1 << 14;
