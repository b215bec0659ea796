//! Limits on a document, each with its reason.
//!
//! Pictures meet the limits of [`ixc_input::limits`] one by one; here is what all of them together may be.

/// Pictures of one article. The longest article has 60 sections; a photo book of a thousand pages still fits,
/// and all prepared pictures are held in memory at once.
pub const MAX_PICTURES: usize = 1000;

/// Bytes of all text of one article: some ten thick novels.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Bytes of all prepared pictures: a ZIP entry and a JavaScript-free page are still handled by what people have.
pub const MAX_ASSET_BYTES: u64 = 1 << 30;

/// Bytes of a font file. Collections of all Chinese, Japanese and Korean weights have 120 MB.
pub const MAX_FONT_BYTES: u64 = 256 << 20;

/// Font files that are looked at in folders. A designer's machine has thousands.
pub const MAX_FONT_FILES: usize = 20_000;

/// Bytes of fonts that one search reads: a few seconds on a slow disk.
pub const MAX_FONT_SEARCH_BYTES: u64 = 2 << 30;
