//! The crate against a hub that runs in this process, behaves as the real one, or misbehaves.
//!
//! Nothing here leaves 127.0.0.1. `fake.rs` is the hub, `server.rs` what it stands on; the other
//! files are the tests, by what they are about.

mod access;
mod cached;
mod fake;
mod hostile;
mod pulls;
mod server;
mod trouble;
