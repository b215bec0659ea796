//! What a model folder may claim at most, and why.

/// No published size comes near; beyond it a number is a mistake, not a model.
pub const EXTENT_MAX: usize = 1 << 20;

/// Blocks of a decoder or a tower: the largest published models have about 130.
pub const LAYERS_MAX: usize = 1024;

/// Largest square input, or tile of one: 4 times the largest published, so that attention fits in memory.
pub const SIDE_MAX: u32 = 2016;

/// Width of a vision tower: 8 times the published. Its position table is made anew for the pictures' size, so
/// a small file must not ask for a large one.
pub const TOWER_WIDTH_MAX: usize = 8192;

/// Bytes of a configuration. Published ones have under 2 000; everything in it is read into memory.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Characters of a complaint about a configuration: what it quotes may be as long as the file.
pub const PROBLEM_CHARS_MAX: usize = 600;
