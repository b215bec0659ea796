//! prepare.
