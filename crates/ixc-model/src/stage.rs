//! The stations of the main path, by name: what a trace prints and what the goldens compare.
//!
//! A forward pass reports each value as it is made to an [`Observer`]; observing changes nothing, but
//! an observer may break the pass off, which is how a long one is stopped between two stages.

use std::ops::ControlFlow;

use candle_core::Tensor;

use crate::Error;

/// One station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Patches with class row and positions, after the tower's first norm: (views, 1 + patches, C).
    TowerInput,
    /// Output of one tower block: (views, 1 + patches, C).
    TowerLayer(usize),
    /// The tower's result without the class row: (views, patches, C).
    TowerOutput,
    /// High resolution only: merged tiles with newlines and separator, (tokens, 4 C).
    TilesMerged,
    /// Image rows as the language model sees them: (views or 1, tokens, hidden).
    Projector,
    /// Text and image rows in the prompt's order: (n, hidden).
    Splice,
    /// Output of one decoder block: (n, hidden).
    DecoderLayer(usize),
    /// After the last norm: (n, hidden).
    DecoderOutput,
    /// Scores of the next token: (rows, vocabulary).
    Logits,
}

impl Stage {
    /// The file of this project in which the stage is computed.
    pub fn file(self) -> &'static str {
        match self {
            Self::TowerInput | Self::TowerLayer(_) | Self::TowerOutput => {
                "crates/ixc-model/src/vision.rs"
            }
            Self::TilesMerged => "crates/ixc-model/src/tiles.rs",
            Self::Projector | Self::Logits => "crates/ixc-model/src/xcomposer.rs",
            Self::Splice => "crates/ixc-model/src/splice.rs",
            Self::DecoderLayer(_) | Self::DecoderOutput => "crates/ixc-model/src/decoder.rs",
        }
    }

    /// The stage's name, with its layer's number.
    pub fn name(self) -> String {
        match self {
            Self::TowerInput => "tower input".into(),
            Self::TowerLayer(layer) => format!("tower layer {layer}"),
            Self::TowerOutput => "tower output".into(),
            Self::TilesMerged => "tiles merged".into(),
            Self::Projector => "projector".into(),
            Self::Splice => "splice".into(),
            Self::DecoderLayer(layer) => format!("decoder layer {layer}"),
            Self::DecoderOutput => "decoder output".into(),
            Self::Logits => "logits".into(),
        }
    }
}

/// Sees each stage's value as it is made, and says whether to go on.
pub type Observer<'a> = dyn FnMut(Stage, &Tensor) -> ControlFlow<()> + 'a;

/// The observer that looks away.
pub fn unobserved(_: Stage, _: &Tensor) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An observer that only looks.
pub fn watching(
    mut see: impl FnMut(Stage, &Tensor),
) -> impl FnMut(Stage, &Tensor) -> ControlFlow<()> {
    move |stage, value| {
        see(stage, value);
        ControlFlow::Continue(())
    }
}

/// Tells the observer; breaking off becomes [`Error::Cancelled`].
pub(crate) fn report(observe: &mut Observer, stage: Stage, value: &Tensor) -> Result<(), Error> {
    match observe(stage, value) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}
