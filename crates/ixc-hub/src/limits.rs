//! Limits on everything that a hub, a cache folder or a variable hands to this crate.
//!
//! Each constant carries its reason. A remote server is never trusted with memory, disk or time
//! that is not bounded here; what a user may want to change (timeouts, retries) is in `Settings`.
//! Deliberately absent: the limits of the weight files' own formats, which belong to their readers.

use std::time::Duration;

/// Largest model description read from the hub, in bytes. A repository of 20 000 files lists in
/// about 6 MB; five times that leaves room for long names and cards.
pub const MAX_LISTING_BYTES: u64 = 32 << 20;

/// Most files a repository may list. The published ones have 15 to 60.
pub const MAX_LISTED_FILES: usize = 20_000;

/// Longest file name inside a repository, all segments and slashes together, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// Longest single segment of a file name, in bytes: what the common file systems allow.
pub const MAX_SEGMENT_BYTES: usize = 255;

/// Longest organisation or model name, in bytes: the hub's own rule.
pub const MAX_ID_PART_BYTES: usize = 96;

/// Longest revision, in bytes: it becomes a file name below `refs/`.
pub const MAX_REVISION_BYTES: usize = 200;

/// Longest model reference accepted on a command line, in bytes: the longest path of Linux.
pub const MAX_REFERENCE_BYTES: usize = 4096;

/// Largest single file, in bytes. The largest published shard has 10 GB; an unsharded float32
/// checkpoint of the 7B size has 35 GB.
pub const MAX_FILE_BYTES: u64 = 256 << 30;

/// Largest sum of the files of one download, in bytes: ten float32 checkpoints of the 7B size.
pub const MAX_TOTAL_BYTES: u64 = 512 << 30;

/// Largest file that is not weights (configuration, tokenizer, index, card), in bytes. The
/// tokenizer of the family has 1.5 MB, the longest index 0.2 MB.
pub const MAX_SMALL_FILE_BYTES: u64 = 64 << 20;

/// Part of a model card that is read to find the licence, in bytes.
pub const MAX_CARD_BYTES: u64 = 1 << 20;

/// Longest licence text taken from a card, in bytes: a paragraph to show, not a document.
pub const MAX_LICENCE_BYTES: usize = 2000;

/// Largest file below `refs/`, in bytes. It holds 40.
pub const MAX_REF_BYTES: u64 = 256;

/// Largest manifest of a blob shared between repositories, in bytes: some 50 000 references.
pub const MAX_MANIFEST_BYTES: u64 = 8 << 20;

/// Deepest folder below a snapshot that is walked. Published repositories have at most 6.
pub const MAX_DEPTH: usize = 32;

/// Most entries of one repository's folder that are walked: ten full listings.
pub const MAX_CACHE_ENTRIES: usize = 10 * MAX_LISTED_FILES;

/// Most redirects followed for one request. The hub uses two.
pub const MAX_REDIRECTS: usize = 8;

/// Longest wait that a server may ask for with `Retry-After`; a longer one is told to the user.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Longest pause between two attempts.
pub const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Retries of the first question to the hub: a machine without network should say so soon.
pub const MAX_LISTING_RETRIES: u32 = 2;

/// Longest duration of the answer to a small question (listing, headers).
pub const MAX_SMALL_ANSWER: Duration = Duration::from_secs(120);

/// New bytes after which a broken connection counts as progress and the retries start anew, so
/// that a server which gives one byte per attempt cannot hold us forever.
pub const FRESH_BYTES: u64 = 1 << 20;

/// Bytes moved from the network to the disk in one step.
pub const CHUNK_BYTES: usize = 256 << 10;

/// Pause between two looks at a lock that another process holds, and between two questions to
/// the caller whether to go on while nothing moves.
pub const POLL: Duration = Duration::from_millis(100);
