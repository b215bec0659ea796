//! The library as a whole: what goes in, what is found, what comes out, and what harm does to it.
//!
//! One binary, because linking each file apart would take longer than running them. Pictures are drawn by
//! `support`, a few hundred bytes each.

mod concurrent;
mod describing;
mod embedded;
mod exporting;
mod hostile;
mod importing;
mod keeping;
mod looks;
mod meanings;
mod searching;
mod support;
mod verifying;
