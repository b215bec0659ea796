//! What a server says, and what goes wrong below HTTP, in words that are fit for a message.
//!
//! Invariants: nothing of it can drive a terminal or hide text; no failure repeats an address, which may hold a
//! secret. Deliberately absent: whether another attempt could help, which each client decides.

use std::io::ErrorKind;

use crate::limits::MAX_QUOTED_CHARS;

/// Control characters and those that reorder or hide the text around them.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text of a server made fit for a message: control and direction characters escaped, cut to
/// [`MAX_QUOTED_CHARS`].
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == MAX_QUOTED_CHARS {
            out.push('…');
            break;
        }
        if is_invisible(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A transport error in words.
pub fn reason(error: &ureq::Error) -> String {
    use ureq::Error::{
        ConnectProxyFailed, ConnectionFailed, HostNotFound, InvalidProxyUrl, Io,
        LargeResponseHeader, Protocol, Rustls, Timeout, Tls, TlsRequired,
    };
    match error {
        Timeout(_) => "the server was silent for too long".to_owned(),
        HostNotFound => "its name is not known (DNS)".to_owned(),
        ConnectionFailed => "no connection".to_owned(),
        Io(error) => io_reason(error),
        Protocol(error) => format!("the answer is not HTTP: {}", quoted(&error.to_string())),
        Rustls(error) => format!("the encrypted connection failed: {error}"),
        Tls(_) | TlsRequired => "the encrypted connection failed".to_owned(),
        LargeResponseHeader(found, limit) => {
            format!("the head of its answer has {found} bytes, the limit is {limit}")
        }
        InvalidProxyUrl | ConnectProxyFailed(_) => "the proxy does not let us through".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

/// A failure while a body was read, in words.
pub fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the connection broke".to_owned()
        }
        ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            "the server was silent for too long".to_owned()
        }
        _ => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(ureq::Error::Timeout(_)) => "the server was silent for too long".to_owned(),
            _ => quoted(&error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_has_one_name() {
        use std::io::Error as IoError;
        for kind in [ErrorKind::TimedOut, ErrorKind::WouldBlock] {
            assert_eq!(io_reason(&IoError::from(kind)), "the server was silent for too long");
        }
        assert_eq!(io_reason(&IoError::from(ErrorKind::UnexpectedEof)), "the connection broke");
    }

    #[test]
    fn a_server_s_text_drives_no_terminal() {
        let shown = quoted("a\u{1b}[2Jb\u{202e}c\n");
        assert!(!shown.chars().any(is_invisible), "{shown}");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), MAX_QUOTED_CHARS + 1);
    }
}
