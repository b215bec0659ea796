//! Limits on everything that comes from outside, each with its reason.
//!
//! A limit is checked before the memory or the time it guards is spent. Deliberately absent: limits
//! of a deployment (bytes of a request, images per request), which belong to the server.

/// Bytes of a tokenizer's file. The family's have 1.4 MiB; decoding one takes some twenty times its
/// size when it is made of empty pieces, and that must stay affordable.
pub const MAX_TOKENIZER_BYTES: u64 = 8 << 20;

/// Pieces of a vocabulary. The family has 92 544; ids travel as 32 bits with room to spare.
pub const MAX_PIECES: usize = 1 << 20;

/// Bytes of one piece. The family's longest has 384 (128 blanks of three bytes each); the merges
/// look up no text that is longer than the longest piece, so this bounds the work per character.
pub const MAX_PIECE_BYTES: usize = 1024;

/// Bytes of text in one conversation. A context of 32 768 positions filled with words holds about
/// 200 KB; beyond this the merges would only take memory before the context refuses the prompt.
pub const MAX_PROMPT_BYTES: usize = 8 << 20;

/// Bytes of a file of conversations, or of a text to be read as a whole: hundreds of times what a model is
/// calibrated or judged by, and what parsing makes of it still fits in memory.
pub const MAX_SAMPLES_BYTES: usize = 256 << 20;

/// Bytes of a picture file. The largest picture allowed, uncompressed with alpha, has 200 MB.
pub const MAX_PICTURE_FILE_BYTES: u64 = 256 << 20;

/// Pixels of a picture. Cameras reach 50 megapixels; the models see at most 17 of them, and a
/// 757 KiB PNG of 256 megapixels would otherwise take over 1 GB.
pub const MAX_PICTURE_PIXELS: u64 = 50_000_000;

/// Pixels of a picture's longer side: what JPEG and GIF can state at most.
pub const MAX_PICTURE_SIDE: u32 = 65_535;

/// Bytes that decoding one picture may take: the largest raster, RGBA of 16 bits, has 400 MB.
pub const MAX_PICTURE_DECODE_BYTES: u64 = 512 << 20;

/// Bytes that a picture's profiles and texts may unpack to. Real ones stay under 4 MiB.
pub const MAX_PICTURE_METADATA_BYTES: u64 = 8 << 20;

/// Pixels a side of what a vision tower sees at once. Published: 560 at most; the attention over
/// its patches grows with the fourth power of the side.
pub const MAX_VIEW_SIDE: u32 = 2048;

/// Tiles of one picture. Published: 55 at most, for documents; 100 tiles of 560 pixels are
/// 40 000 positions, more than the longest context.
pub const MAX_TILES: u32 = 100;
