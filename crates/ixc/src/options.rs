//! How an answer is found: flags on one side, the engine's request on the other.
//!
//! Invariants: a flag that would have no effect beside another is refused with the reason, before any
//! work; defaults are the published `chat`'s. Deliberately absent: ranges, which the request checks.

use std::hash::{BuildHasher, Hasher, RandomState};

use clap::{Args, ValueEnum};
use ixc_engine::{Decoding, Request, beam::Beams, request::SAMPLING_DEFAULT, sample::Sampling};
use ixc_input::{text_stream::Spacing, tokenizer::Markers};

use crate::{cli, exit::Failure};

/// How an answer is found.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Answer", allow_negative_numbers = true)]
pub(crate) struct AnswerArgs {
    /// Always take the best word: the same answer every time
    #[arg(long)]
    greedy: bool,
    /// Search with N answers side by side (published scores: 3, multiple choice 5)
    #[arg(long, value_name = "N")]
    beams: Option<usize>,
    /// With --beams: above 0 favours long answers, below 0 short ones [default: 1]
    #[arg(long, value_name = "X")]
    length_penalty: Option<f32>,
    /// Below 1 more predictable, above 1 more varied [default: 1]
    #[arg(long, value_name = "X")]
    temperature: Option<f32>,
    /// Draw from the best words that together reach this probability [default: 0.8]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Draw from the K best words only; 0 for all [default: 0]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Above 1 makes words that were said less likely
    #[arg(long, value_name = "X", default_value_t = 1.005)]
    repetition_penalty: f32,
    /// Words (tokens) at most
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_new_tokens: usize,
    /// Decides the random draws; the same seed gives the same answer [default: random, see --json]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Blanks of the answer: `published` tidies them as the published code does, `exact` leaves them
    ///
    /// The published code drops blanks before punctuation, which reads better and damages text such as
    /// `ls .`.
    #[arg(long, value_name = "HOW", default_value = "published")]
    spacing: SpacingArg,
    /// Tiles at most for each picture (hd_num), for 4KHD and 2.5 [default: as published]
    ///
    /// More tiles show finer print and take more of the context. Published: 25 for 4KHD (55 for
    /// documents, 16 for general pictures), 24 for 2.5 (6 when there are several pictures).
    #[arg(long, value_name = "N")]
    pub(crate) tiles: Option<u32>,
    /// Let typed control marks such as `[UNUSED_TOKEN_146]` or `</s>` steer the model
    ///
    /// The published code lets anyone who writes the text do so; here they are ordinary text, as are
    /// places for pictures in piped text. Only for comparing with the published code: never together
    /// with text that someone else wrote.
    #[arg(long)]
    pub(crate) typed_markers: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpacingArg {
    Exact,
    Published,
}

/// Seeds up to here survive every JSON reader, which may hold numbers as float64.
const SEED_BITS: u32 = 53;

/// A seed that nobody chose.
pub(crate) fn random_seed() -> u64 {
    // Rust seeds every hash map from the system's randomness; that is all that is needed here.
    RandomState::new().build_hasher().finish() >> (u64::BITS - SEED_BITS)
}

impl AnswerArgs {
    /// Refuses flags that exclude each other.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let drawing = [
            ("--temperature", self.temperature.is_some()),
            ("--top-p", self.top_p.is_some()),
            ("--top-k", self.top_k.is_some()),
            ("--seed", self.seed.is_some()),
        ];
        let drawing = drawing.into_iter().find(|(_, given)| *given).map(|(name, _)| name);
        let message = match (self.greedy, self.beams, drawing) {
            (true, Some(_), _) => {
                "--greedy cannot be used with --beams: the one takes the best word each \
                 time, the other keeps several answers side by side"
                    .to_owned()
            }
            (true, _, Some(name)) => format!(
                "--greedy cannot be used with {name}: it always takes the best word, so nothing is drawn \
                 at random"
            ),
            (_, Some(_), Some(name)) => {
                format!("--beams cannot be used with {name}: a search draws nothing at random")
            }
            (_, None, _) if self.length_penalty.is_some() => {
                "--length-penalty needs --beams: only a search \
                 compares answers of different lengths"
                    .to_owned()
            }
            _ => return Ok(()),
        };
        Err(cli::conflict(message))
    }

    /// Whether words are drawn at random.
    pub(crate) fn draws(&self) -> bool {
        !self.greedy && self.beams.is_none()
    }

    /// The first answer's seed: the given one, or a random one.
    pub(crate) fn first_seed(&self) -> u64 {
        self.seed.unwrap_or_else(random_seed)
    }

    /// Sets a request's options.
    pub(crate) fn apply(&self, request: &mut Request, seed: u64) {
        request.decoding = match self.beams {
            Some(count) => {
                let length_penalty = self.length_penalty.unwrap_or(1.0);
                Decoding::Beams(Beams { count, length_penalty })
            }
            None if self.greedy => Decoding::Greedy,
            None => Decoding::Sample(Sampling {
                temperature: self.temperature.unwrap_or(SAMPLING_DEFAULT.temperature),
                top_k: self.top_k.unwrap_or(SAMPLING_DEFAULT.top_k),
                top_p: self.top_p.unwrap_or(SAMPLING_DEFAULT.top_p),
                seed,
            }),
        };
        request.repetition_penalty = self.repetition_penalty;
        request.max_new_tokens = self.max_new_tokens;
        request.tiles_max = self.tiles;
        request.markers = if self.typed_markers { Markers::Typed } else { Markers::Literal };
        request.spacing = match self.spacing {
            SpacingArg::Exact => Spacing::Exact,
            SpacingArg::Published => Spacing::Published,
        };
    }
}
