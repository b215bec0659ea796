//! What can be wrong with a request or with what it is asked of.

use thiserror::Error;

/// A mistake in a model folder or a request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint, its tensors, or a prompt's slots.
    #[error(transparent)]
    Model(#[from] ixc_model::Error),
    /// A picture, the tokenizer, or the conversation.
    #[error(transparent)]
    Input(#[from] ixc_input::Error),
    /// The folder has no tokenizer.
    #[error(
        "{folder}: expected a tokenizer.model beside the weights, found none; copy the one of the \
         published checkpoint there or name it with --tokenizer"
    )]
    NoTokenizer {
        /// Where it was looked for.
        folder: String,
    },
    /// The tokenizer is of another model.
    #[error(
        "the tokenizer has {pieces} pieces, but the model's vocabulary has {vocabulary} rows; use the \
         tokenizer.model that came with these weights"
    )]
    TokenizerMismatch {
        /// Pieces of the tokenizer.
        pieces: usize,
        /// Rows of the embedding table.
        vocabulary: usize,
    },
    /// The prompt does not fit.
    #[error(
        "the prompt takes {positions} positions, but the context holds {context} and an answer needs at \
         least one of them; shorten the text, use fewer pictures{hint}"
    )]
    PromptTooLong {
        /// Positions of the prompt.
        positions: usize,
        /// Positions of the context.
        context: usize,
        /// What else may help.
        hint: &'static str,
    },
    /// A file, or a sample in one, that a model cannot be calibrated with or judged by.
    #[error("{place}: {problem}")]
    Sample {
        /// Which.
        place: String,
        /// Expected, found, and what to do.
        problem: String,
    },
    /// A sequence that is read as a whole does not fit.
    #[error(
        "it takes {positions} positions, but the context holds {context}; shorten the text or use fewer \
         pictures"
    )]
    SequenceTooLong {
        /// Positions of the sequence.
        positions: usize,
        /// Positions of the context.
        context: usize,
    },
    /// Too few words to judge a model by.
    #[error(
        "expected at least {least} words (tokens) that count, found {found}: a standard error needs them; \
         give a longer text"
    )]
    TooFewWords {
        /// How many are needed.
        least: usize,
        /// How many there are.
        found: usize,
    },
    /// Two models that do not speak of the same words.
    #[error(
        "the two models have different vocabularies: {difference}; their probabilities cannot be compared"
    )]
    OtherVocabulary {
        /// The first difference.
        difference: String,
    },
    /// The model's numbers have come to nothing.
    #[error(
        "the next word's scores: expected finite numbers, found {found} of {words} that are none; weights \
         that are none are named by `ixc inspect --check-values`: download or quantise them again"
    )]
    Scores {
        /// How many are infinite or not numbers.
        found: usize,
        /// How many there are.
        words: usize,
    },
    /// A past that was written to a file does not fit or is damaged.
    #[error("what was kept of the model's reading: {0}")]
    Past(String),
    /// An option outside its range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// Which.
        option: &'static str,
        /// Its range.
        expected: String,
        /// The value.
        found: String,
    },
}

impl From<ixc_nn::Error> for Error {
    fn from(error: ixc_nn::Error) -> Self {
        Self::Model(error.into())
    }
}
