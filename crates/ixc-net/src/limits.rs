//! Limits on what any server or variable hands to a client of ours, with their reasons.

/// Largest head of an answer (status and headers), in bytes. Signed addresses have about 2 kB.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

/// Longest text of a server that is repeated in an error message, in characters.
pub const MAX_QUOTED_CHARS: usize = 300;

/// Longest token, in bytes. Tokens have about 40 characters.
pub const MAX_TOKEN_BYTES: u64 = 4096;
