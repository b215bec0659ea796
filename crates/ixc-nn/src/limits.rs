//! What a weight file may hold at most, and why.
