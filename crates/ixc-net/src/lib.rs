//! ixc-net: what every client of ours needs to know of the network, and none of its protocols.
//!
//! Addresses and which of them are one origin ([`address`]), secrets and proxies that do not print ([`settings`]),
//! failures below HTTP and a server's text as words that are fit for a terminal ([`words`]), headers ([`header`]).
//! Deliberately absent: requests, which are made where it is known what they are for; the process's environment.

pub mod address;
pub mod header;
pub mod limits;
pub mod settings;
pub mod words;

pub use address::Origin;
pub use settings::{Proxy, Token, Unusable};
