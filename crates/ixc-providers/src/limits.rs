//! Limits on what a service and its configuration hand to us, with their reasons.
//!
//! A service is never trusted with memory or time that is not bounded here; what a user may want to change is in
//! the configuration.

use std::time::Duration;

/// Longest wait for a connection, names and TLS included.
pub const CONNECT: Duration = Duration::from_secs(10);

/// Longest answer of a service that makes pictures, in all its requests, unless `timeout` says otherwise: a large
/// model on a small card takes minutes.
pub const MAKING: Duration = Duration::from_secs(300);

/// Longest answer of a service that has pictures, as [`MAKING`].
pub const SEARCHING: Duration = Duration::from_secs(60);

/// Largest `timeout` of a configuration, in seconds.
pub const TIMEOUT_MAX: u64 = 86_400;

/// Pause between two questions whether a picture is ready.
pub const POLL: Duration = Duration::from_millis(500);

/// Pause between two looks at whether to go on while nothing moves: Ctrl-C is heard within it.
pub const TICK: Duration = Duration::from_millis(50);

/// Pause before a refused request is repeated, when the service does not say how long.
pub const BACKOFF: Duration = Duration::from_secs(2);

/// Longest wait that a service may ask for with `Retry-After`; a longer one is told to the user.
pub const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often a request is repeated that the service was too busy for.
pub const RETRIES: u32 = 2;

/// Longest that a service is asked to give up what nobody waits for any more.
pub const FAREWELL: Duration = Duration::from_millis(250);

/// Largest picture file unless `picture_mb` says otherwise, in bytes: four megapixels of RGBA as PNG, at its worst.
pub const PICTURE_BYTES: u64 = 32 << 20;

/// Largest JSON answer beside the pictures in it, in bytes.
pub const JSON_BYTES: u64 = 4 << 20;

/// Part of a refusal that is read for its words, in bytes.
pub const REFUSAL_BYTES: u64 = 16 << 10;

/// Most things in a list of an answer. We ask for four.
pub const LISTED: usize = 64;

/// Most pictures that are asked for at once: as many as are shown for a place.
pub const COUNT_MAX: u64 = 4;

/// Characters of a caption that a searching service gets: the published demo's number.
pub const CAPTION_CHARS: usize = 53;

/// Largest configuration, in bytes.
pub const CONFIG_BYTES: u64 = 1 << 20;

/// Largest workflow, in bytes. Elaborate ones have some 100 kB.
pub const WORKFLOW_BYTES: u64 = 4 << 20;

/// Most services of a configuration.
pub const SERVICES_MAX: usize = 32;
