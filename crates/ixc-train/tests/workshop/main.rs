//! The workshop's parts around the step: each against what it promises, on tiny models.

mod adapters;
mod checkpoints;
mod logs;
mod parameters;
mod recipes;
mod results;
mod support;
