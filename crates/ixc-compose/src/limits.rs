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

/// Pictures that are made for a place beside what was found: the letters are shared.
pub const MADE_BESIDE: usize = CANDIDATES / 2;

/// Bytes of all pictures that services give for one article: what its project could hold, by far.
pub const KEPT_BYTES: u64 = 1 << 30;

/// Bytes of text that a request may hold: more than any context reads.
pub const REQUEST_BYTES: usize = 1 << 20;

/// Bytes of a project's file, and of what it unpacks to: some hundred photographs.
pub const PROJECT_BYTES: u64 = 2 << 30;

/// Bytes of a project's versions as JSON: thousands of edits of a long article.
pub const JSON_BYTES: u64 = 64 << 20;

/// Bytes of one picture of a project: as of any picture's file.
pub const ASSET_BYTES: u64 = ixc_input::limits::MAX_PICTURE_FILE_BYTES;

/// Pictures of a project: all that its versions ever showed.
pub const ASSETS_MAX: usize = 4096;
