//! What a weight file may hold at most, and why.
//!
//! Weight files come from strangers. Each limit is far above anything the published family holds and
//! far below what would exhaust a machine before an error could be said.

/// Bytes of a safetensors header: the format's own limit. Of a GGUF file's keys and table too, where a
/// tokenizer of the family takes 2 MB.
pub const MAX_HEADER_BYTES: usize = 100_000_000;

/// Tensors of a checkpoint, in one file or in all. The largest of the family (GPTQ with all adapters)
/// has under 4 000; a header may be padded with many more empty ones only to eat memory.
pub const MAX_TENSORS: usize = 32_768;

/// Keys of a GGUF file. Published ones have under 100.
pub const MAX_KEYS: usize = 4_096;

/// Bytes of a tensor's name. The longest published one has under 100.
pub const MAX_NAME_BYTES: usize = 1_024;

/// Axes of a tensor. Images need four, and a shape must not be a way to write a million numbers.
pub const MAX_AXES: usize = 8;

/// Files of a checkpoint. 7 billion parameters in float32 are published in under ten; each file is
/// kept mapped.
pub const MAX_FILES: usize = 1_000;

/// Bytes of an index file. One line for each tensor: the largest has under 400 kB.
pub const MAX_INDEX_BYTES: usize = 16 << 20;

/// Entries of a PyTorch archive: one for each storage and a few beside them.
pub const MAX_ARCHIVE_ENTRIES: usize = MAX_TENSORS + 64;

/// Bytes of the pickle in a PyTorch archive. About 60 are spent on each tensor, and its name.
pub const MAX_PICKLE_BYTES: usize = 8 << 20;

/// Values on the pickle machine's stack. PyTorch writes batches of a thousand pairs.
pub const MAX_PICKLE_STACK: usize = 65_536;

/// Containers, tensors and remembered values of one pickle: about 20 for each tensor.
pub const MAX_PICKLE_OBJECTS: usize = 1 << 20;

/// Bytes of an identifier (module, class, function) in a pickle.
pub const MAX_IDENTIFIER_BYTES: usize = 256;
