//! The crate against services that run in this process and behave as the real ones, or misbehave.
//!
//! Nothing here leaves 127.0.0.1, and time limits are those of the test. `server.rs` is what the services stand on;
//! the other files are the tests, by what they are about.

mod configured;
mod hostile;
mod protocols;
mod server;
