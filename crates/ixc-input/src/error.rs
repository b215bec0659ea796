//! What can be wrong with a user's picture, tokenizer or prompt.
//!
//! Each message says what was expected, what was found, where, and what to do. The texts hold no
//! address and no bytes of the input, so that a server may show them.

use thiserror::Error;

/// A mistake in what came from outside.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The tokenizer's file could not be read at all.
    #[error("cannot read the tokenizer model {}: {source}; expected the `tokenizer.model` that is published beside the checkpoint's config.json", path.display())]
    ReadTokenizer {
        /// Where it was looked for.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tokenizer's file is larger than any that the family uses.
    #[error("the tokenizer model has {found} bytes, the limit is {limit}; is it the right file?")]
    TokenizerTooLarge {
        /// Bytes found.
        found: u64,
        /// Bytes allowed ([`crate::limits::MAX_TOKENIZER_BYTES`]).
        limit: u64,
    },
    /// The tokenizer's file is not a SentencePiece model.
    #[error(
        "the tokenizer model is not a SentencePiece file: {reason}; expected the `tokenizer.model` that is published beside the checkpoint's config.json"
    )]
    TokenizerMalformed {
        /// What is wrong.
        reason: String,
    },
    /// A SentencePiece model, but of a kind that this family does not use.
    #[error(
        "the tokenizer model sets {setting} to {found}, only {expected} is read here; use the `tokenizer.model` of an InternLM-XComposer2 checkpoint"
    )]
    TokenizerUnsupported {
        /// The field of the file.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value that is understood.
        expected: &'static str,
    },
    /// One piece of the tokenizer's vocabulary is wrong.
    #[error(
        "piece {id} of the tokenizer model {problem}; the file is damaged or not of this family, fetch it again"
    )]
    TokenizerPiece {
        /// Position in the vocabulary.
        id: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The vocabulary has no piece that the conversation's layout needs.
    #[error(
        "the tokenizer has no piece `{piece}`, which the conversation is built with; use the `tokenizer.model` of an InternLM-XComposer2 checkpoint"
    )]
    TokenizerLacks {
        /// The missing piece.
        piece: &'static str,
    },
    /// A vocabulary cannot be learned from these texts.
    #[error("cannot learn a vocabulary of {size} pieces: {problem}")]
    TokenizerTraining {
        /// Pieces asked for.
        size: usize,
        /// What is in the way, and what to do.
        problem: String,
    },
    /// A token id that no piece has.
    #[error(
        "token id {id} is outside the tokenizer's vocabulary of {vocabulary} pieces; do the model and the tokenizer belong together?"
    )]
    TokenOutsideVocabulary {
        /// The id.
        id: u32,
        /// Number of pieces.
        vocabulary: usize,
    },
    /// The text of a prompt is larger than any context can hold.
    #[error("the conversation holds {found} bytes of text, the limit is {limit}; shorten it")]
    TextTooLong {
        /// Bytes of all text parts together.
        found: usize,
        /// Bytes allowed ([`crate::limits::MAX_PROMPT_BYTES`]).
        limit: usize,
    },
    /// The text marks more places than there are images.
    #[error(
        "the text has {markers} `<ImageHere>` but only {images} image(s) came with it; add images or remove markers"
    )]
    TooManyImageMarkers {
        /// Markers in the text.
        markers: usize,
        /// Images given.
        images: usize,
    },
    /// The text marks places for some of the images only.
    #[error(
        "{images} images came with a text that has only {markers} `<ImageHere>`; write one per image, or none at all to put all images before the text"
    )]
    TooFewImageMarkers {
        /// Markers in the text.
        markers: usize,
        /// Images given.
        images: usize,
    },
    /// A prompt has a place for an image that was not given.
    #[error("the prompt refers to image {index} (counted from 0) but {images} image(s) were given")]
    ImageOutOfRange {
        /// The image that the slot asks for.
        index: usize,
        /// Images given.
        images: usize,
    },
    /// Nothing to lay out.
    #[error("the conversation has no turn; give at least one question")]
    EmptyConversation,

    /// A file of conversations over the limit.
    #[error("it has {found} bytes, the limit is {limit}; give a part of it")]
    SamplesTooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed ([`crate::limits::MAX_SAMPLES_BYTES`]).
        limit: usize,
    },
    /// A file of conversations that is not JSON.
    #[error(
        "line {line}, column {column}: {what}; expected a list of conversations, or one on each line (JSONL)"
    )]
    SamplesJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// A file of conversations without any.
    #[error("it holds no conversation; expected at least one")]
    NoSamples,
    /// One conversation of a file is not of the form.
    #[error("sample {sample}: {problem}")]
    Sample {
        /// Counted from 1.
        sample: usize,
        /// What was expected and what was found.
        problem: String,
    },

    /// A picture inside a text that is not written as one is.
    #[error("the data: URL {problem}; expected `data:image/png;base64,` and the file in Base64")]
    DataUrl {
        /// What is wrong.
        problem: String,
    },

    // Pictures: a fixed list of texts, filled with numbers and names of ours only.
    /// A picture file without a byte.
    #[error("the picture file is empty; expected PNG, JPEG, WebP, GIF, BMP or TIFF")]
    PictureFileEmpty,
    /// A picture file over [`crate::limits::MAX_PICTURE_FILE_BYTES`].
    #[error("the picture file has {bytes} bytes, the limit is {limit}; make it smaller first", limit = crate::limits::MAX_PICTURE_FILE_BYTES)]
    PictureFileTooLarge {
        /// Bytes found.
        bytes: u64,
    },
    /// The first bytes belong to no format that we know.
    #[error(
        "not a picture: expected PNG, JPEG, WebP, GIF, BMP or TIFF, found bytes that start like none of them; is it the right file?"
    )]
    NotAPicture,
    /// A format that we know and do not read.
    #[error(
        "this is {found}; expected a picture as PNG, JPEG, WebP, GIF, BMP or TIFF: convert it first"
    )]
    PictureFormat {
        /// What it is, with its article.
        found: &'static str,
    },
    /// A kind of a format that we read, which we do not read.
    #[error("a {format} of an unusual kind: expected {expected}; save it as an ordinary PNG first")]
    PictureKind {
        /// The file's format.
        format: crate::image::Format,
        /// What is read instead.
        expected: &'static str,
    },
    /// A size over [`crate::limits::MAX_PICTURE_PIXELS`] or [`crate::limits::MAX_PICTURE_SIDE`].
    #[error("the picture's header states {width}x{height} pixels, the limit is {megapixels} megapixels and {side} a side; make it smaller first", megapixels = crate::limits::MAX_PICTURE_PIXELS / 1_000_000, side = crate::limits::MAX_PICTURE_SIDE)]
    PictureTooLarge {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A picture one of whose sides is 0.
    #[error(
        "the picture's header states {width}x{height}: a picture has at least one pixel a side"
    )]
    PictureWithoutPixels {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The file ends before its picture does.
    #[error(
        "the {format} file ends before its picture does: it was cut off; copy or download it again"
    )]
    PictureTruncated {
        /// The file's format.
        format: crate::image::Format,
    },
    /// The file breaks its format's rules.
    #[error(
        "the {format} file is damaged: its data is not what its header says; copy or download it again"
    )]
    PictureDamaged {
        /// The file's format.
        format: crate::image::Format,
    },
    /// Reading would take more than [`crate::limits::MAX_PICTURE_DECODE_BYTES`].
    #[error("reading the {format} file would take more than {limit} MiB of memory; save it in fewer pixels or without its metadata", limit = crate::limits::MAX_PICTURE_DECODE_BYTES >> 20)]
    PictureMemory {
        /// The file's format.
        format: crate::image::Format,
    },
    /// A picture so long and thin that nothing of its short side would be left.
    #[error(
        "the picture is {width}x{height} pixels: too long and thin for this model, which would see 0 pixels of its short side; cut it into parts"
    )]
    PictureTooThin {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A vision tower's picture size out of range.
    #[error("the model takes pictures of {side} pixels a side: expected {least} to {most}; look at img_size in the checkpoint's config.json", least = crate::prepare::PATCH, most = crate::limits::MAX_VIEW_SIDE)]
    ViewSide {
        /// Pixels a side.
        side: u32,
    },
    /// A tile budget out of range.
    #[error("{tiles} tiles a picture: expected 1 to {most}", most = crate::limits::MAX_TILES)]
    TileBudget {
        /// The budget (`hd_num`).
        tiles: u32,
    },
}
