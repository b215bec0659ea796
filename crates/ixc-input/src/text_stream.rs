//! text_stream.
