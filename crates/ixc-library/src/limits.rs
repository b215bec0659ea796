//! Limits on everything that comes from a user's folders, each with its reason.
//!
//! What a picture itself may be is `ixc_input::limits`'. Deliberately absent: a number of pictures; what is kept
//! of one takes a kilobyte or so, and the disk is the limit.

/// Folders within each other. Deeper than any that people make, and no stack is used up on the way.
pub const MAX_DEPTH: usize = 64;

/// Bytes of a text beside a picture: a caption, or what a generator noted of its own accord.
pub const MAX_SIDECAR_BYTES: u64 = 64 << 10;

/// Bytes of a list of a folder's captions: a million pictures with a few hundred bytes each.
pub const MAX_LIST_BYTES: u64 = 512 << 20;

/// Bytes of one caption, tag, author and the like: pages of text are no caption.
pub const MAX_TEXT_BYTES: usize = 16 << 10;

/// Captions and tags of one picture: in every language, in every style, and still few.
pub const MAX_TEXTS: usize = 64;

/// Words of a caption that is searched for. Beyond, each further one only costs time.
pub const MAX_QUERY_WORDS: usize = 256;

/// Pictures of one answer.
pub const MAX_HITS: usize = 1000;

/// Entries of a picture's directory of metadata. Cameras write some sixty.
pub const MAX_EXIF_ENTRIES: usize = 1000;

/// Numbers of an encoder's vector. Published ones have from 512 to 1536.
pub const MAX_DIMENSIONS: usize = 4096;
