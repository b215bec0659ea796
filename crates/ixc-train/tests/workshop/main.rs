//! The workshop's parts around the step: each against what it promises, on tiny models.

mod adapters;
mod checkpoints;
mod logs;
mod recipes;
mod results;
mod runs;
mod support;
mod trainable;
