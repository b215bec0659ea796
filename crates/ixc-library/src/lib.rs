//! The picture library: any folder of pictures becomes searchable, and stays so whatever happens to the program.
//!
//! folders → `walk` → files, what lies beside them (`sidecar`) and in them (`embedded`) → [`Entry`]s in one SQLite
//! file ([`Library`]) → their words in its index, and where the caller has an [`Encoder`] their vectors in its tables
//! → [`Library::search`]: caption → pictures. Pictures stay where they are and are never written to; one that is no file yet gets one in the library's folder (`keep`). Invariants: the tables are the truth and the index is made of them
//! ([`Library::rebuild`], [`Library::verify`]); every change is one transaction. Deliberately absent: models (a
//! caption's writer is a function of the caller's, an encoder is a trait), tensors, the terminal, the network.

mod add;
mod describe;
mod embedded;
pub mod entry;
mod error;
mod export;
mod index;
mod keep;
pub mod limits;
mod look;
mod remove;
mod rows;
mod search;
mod sidecar;
mod store;
mod summary;
pub mod vectors;
mod verify;
mod walk;
pub mod words;

pub use add::{Add, Added, Progress};
pub use describe::{Described, Which};
pub use entry::{About, Caption, Complaint, Digest, Entry, Generated, Id, Origin};
pub use error::Error;
pub use export::Exported;
pub use keep::KEPT;
pub use look::Look;
pub use search::{Hit, Query};
pub use sidecar::LISTS;
pub use store::{FILE, Library};
pub use summary::{Embeddings, Summary};
pub use vectors::{Encoder, Identity, embed::Embedded};
pub use verify::{Fault, Rebuilt, Verified};
