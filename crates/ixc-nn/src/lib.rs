//! ixc-nn.
