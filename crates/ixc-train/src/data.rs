//! Data: files of conversations and pictures become batches that a step can learn from.
//!
//! [`Source`]s → [`Dataset::open`] finds where each sample lies → [`Reader`] draws them in their order,
//! reads each when it is due ([`parse`] → [`Preparation::prepare`]: the prompt layout and the picture
//! preparation of inference) on threads ahead of the step → [`Batch`]. Order and content depend on the
//! files, the seed and the [`Position`] alone. A sample that cannot be learned from as it stands is a
//! [`Broken`]: counted, and skipped or fatal as asked; never cut, never learned as nothing.
//! Deliberately absent: tensors, the network, printing.

mod dataset;
mod describe;
mod draw;
mod error;
mod fault;
mod index;
mod labels;
pub mod limits;
mod list;
mod picture;
mod reader;
mod record;
mod sample;
mod scan;
mod shuffle;
mod summary;
mod turns;

pub use dataset::{Dataset, FileIdentity, Identity, ListNumbers, Share, Source};
pub use describe::{Description, Run, describe};
pub use draw::{Order, Position};
pub use error::Error;
pub use fault::{Broken, Fault, FaultKind};
pub use reader::{Batch, BatchSize, OnBroken, Options, Reader, survey};
pub use record::{ImageFile, Record, parse};
pub use sample::{Preparation, Sample, targets};
pub use summary::{FileSummary, Seen, Summary};
