//! The mini model that this program carries, so that it works where nothing was downloaded.
//!
//! `models/mini.gguf` is part of the program (feature `mini`). An empty file stands for none: then a model must
//! be named. How it is made: docs/mini-model.md. Deliberately absent: loading, which is as any other file's.

/// What the mini model is called, also as `--model mini`.
pub(crate) const NAME: &str = "mini";

/// What is said when it answers because no model was named.
pub(crate) const INTRODUCTION: &str = "\
No model was named: this is ixc's mini model. It has 9 million numbers and knows one small world, of drawn
scenes (`ixc world` draws some); of photographs and of anything else it knows nothing. A real one:
  ixc pull internlm/internlm-xcomposer2-vl-1_8b
  ixc run --model internlm/internlm-xcomposer2-vl-1_8b …";

/// Bytes that begin where weights may begin in memory: numbers are then used where they lie.
#[repr(C, align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

/// The GGUF file; empty where there is none.
#[cfg(feature = "mini")]
pub(crate) static FILE: &[u8] = {
    static HELD: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/mini.gguf"));
    &HELD.0
};

/// As above, of a program that was built without it.
#[cfg(not(feature = "mini"))]
pub(crate) static FILE: &[u8] = &[];
