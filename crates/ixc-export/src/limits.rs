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
