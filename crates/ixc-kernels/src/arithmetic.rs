//! How exactly products are computed: a choice of the caller, the same for every kernel.
//!
//! Deliberately absent: which instructions carry it out (see [`crate::cpu`]).

/// The numbers that products are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Float32 products of the stored numbers: what published numbers are compared with.
    Exact,
    /// The processor's native products of low precision, with sums of full precision.
    #[default]
    Fast,
}
