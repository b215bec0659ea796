//! ixc-engine.
