//! Limits on what a dataset may ask for, each with its reason.
//!
//! Pictures and prompts meet those of `ixc_input::limits` on the way. Deliberately absent: a limit on a
//! file's length; samples are read one at a time.

/// Bytes of one sample in its file. The largest picture file, written into it in Base64, has 340 MB; a
/// sample is held in memory about three times while it is read.
pub const MAX_SAMPLE_BYTES: u64 = 360 << 20;

/// Bytes of a list file (`path number` lines). A thousand lines have some 100 KB.
pub const MAX_LIST_BYTES: u64 = 4 << 20;

/// Samples that an epoch draws from one file. What is counted beyond that is a typing error, and sums of
/// a few of them still fit 64 bits.
pub const MAX_DRAWN: u64 = 1 << 40;

/// Names of keys that had no use, kept for the summary of one file.
pub const MAX_UNUSED_KEYS: usize = 64;

/// Samples that one thread may be ahead of the step. A picture of the largest geometry has 74 MB.
pub const AHEAD: usize = 4;

/// Threads that read ahead. More than a machine has cores is a typing error.
pub const MAX_THREADS: usize = 256;
