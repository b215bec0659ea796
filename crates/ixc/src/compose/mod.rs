//! Composing at the door: what `ixc compose` and `ixc edit` have in common.
//!
//! Deliberately absent: flags (`commands/`), and everything that the editor decides (`ixc-compose`).

pub(crate) mod files;
mod keeper;
pub(crate) mod services;
pub(crate) mod show;
pub(crate) mod sources;
pub(crate) mod speaker;
