//! How much is taken from outside and asked of a model, and why.

/// Words of an article and of a changed paragraph at most, as published.
pub const ARTICLE_WORDS: usize = 4096;

/// Words of an answer about places at most, as published.
pub const PLACES_WORDS: usize = 200;

/// Words of a caption at most: a title of a picture is a line.
pub const CAPTION_WORDS: usize = 100;

/// Words of a choice at most: its letter may stand behind blanks.
pub const CHOICE_WORDS: usize = 8;

/// Pictures that are shown for a place, as published.
pub const CANDIDATES: usize = 4;

/// Bytes of text that a request may hold: more than any context reads.
pub const REQUEST_BYTES: usize = 1 << 20;
