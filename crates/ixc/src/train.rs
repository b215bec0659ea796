//! What `ixc train` shows: flags for a recipe's keys, a preview, and a run as it goes.

pub(crate) mod flags;
pub(crate) mod show;
pub(crate) mod watch;
