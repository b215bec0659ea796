//! ixc-kernels.
