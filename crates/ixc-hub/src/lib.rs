//! ixc-hub.
