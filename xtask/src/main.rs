//! ixc.
fn main() {}
