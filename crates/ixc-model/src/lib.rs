//! ixc-model.
