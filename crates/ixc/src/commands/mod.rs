//! The commands, one file each: its flags, its help, and the one call that they become.

pub(crate) mod bench;
pub(crate) mod bench_train;
pub(crate) mod completions;
pub(crate) mod compose;
pub(crate) mod edit;
pub(crate) mod eval;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod library;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod perplexity;
pub(crate) mod pull;
pub(crate) mod quantize;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod tokenizer;
pub(crate) mod trace;
pub(crate) mod train;
pub(crate) mod world;
