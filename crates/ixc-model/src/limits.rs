//! What a model folder may claim at most, and why.

/// No published size comes near; beyond it a number is a mistake, not a model.
pub const EXTENT_MAX: usize = 1 << 20;

/// Blocks of a decoder or a tower: the largest published models have about 130.
pub const LAYERS_MAX: usize = 1024;

/// Largest square input: 4 times the largest published, so that attention fits in memory.
pub const SIDE_MAX: u32 = 2016;
