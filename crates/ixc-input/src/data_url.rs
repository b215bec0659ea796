//! A `data:` URL becomes the bytes it holds: how pictures travel inside JSON.
//!
//! Invariant: what is not Base64 of RFC 4648's ordinary alphabet is an error, never skipped; only white
//! space is passed over, which tools that wrap lines put in. Deliberately absent: percent-encoded data
//! (nobody writes pictures that way) and the media type, since a picture's own first bytes tell what it is.

use crate::{Error, limits::MAX_PICTURE_FILE_BYTES};

/// How a `data:` URL begins.
const SCHEME: &str = "data:";
/// What stands before the comma when the data is Base64.
const BASE64: &str = ";base64";

/// Whether a text is a `data:` URL, whatever is in it.
pub fn is_data_url(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// The bytes of a `data:…;base64,…` URL.
///
/// # Errors
/// When it is no such URL, when its data is not Base64, or when it holds more than
/// [`MAX_PICTURE_FILE_BYTES`].
pub fn decode(url: &str) -> Result<Vec<u8>, Error> {
    let head = || Error::DataUrl { problem: "has no `;base64,` before its data".into() };
    let (kind, data) = url.split_once(',').ok_or_else(head)?;
    let end = kind.len().checked_sub(BASE64.len()).ok_or_else(head)?;
    let marked = kind.get(end..).is_some_and(|end| end.eq_ignore_ascii_case(BASE64));
    if !is_data_url(kind) || !marked {
        return Err(head());
    }
    let bytes = data.len() as u64 / 4 * 3;
    if bytes > MAX_PICTURE_FILE_BYTES {
        return Err(Error::PictureFileTooLarge { bytes });
    }
    base64(data.as_bytes())
}

/// The bytes that Base64 stands for.
///
/// # Errors
/// [`Error::DataUrl`] when it is none, or was cut off.
pub fn base64(data: &[u8]) -> Result<Vec<u8>, Error> {
    let wrong = |problem: String| Error::DataUrl { problem };
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3);
    let (mut bits, mut symbols, mut padding) = (0u32, 0usize, 0usize);
    for (at, &symbol) in data.iter().enumerate() {
        if symbol.is_ascii_whitespace() {
            continue;
        }
        if symbol == b'=' {
            padding += 1;
            continue;
        }
        let value = value(symbol).filter(|_| padding == 0).ok_or_else(|| {
            wrong(format!("holds a character at {at} of its data that is not Base64"))
        })?;
        bits = bits << 6 | value;
        symbols += 1;
        if symbols.is_multiple_of(4) {
            bytes.extend(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    // What is left over of a group of four: 2 symbols hold one byte, 3 hold two.
    let left = symbols % 4;
    let whole = left != 1 && (padding == 0 || left > 0 && left + padding == 4);
    if !whole {
        return Err(wrong("ends in the middle of a Base64 group: it was cut off".into()));
    }
    let rest = bits << (6 * (4 - left) % 24);
    bytes.extend(&rest.to_be_bytes()[1..left.max(1)]);
    Ok(bytes)
}

fn value(symbol: u8) -> Option<u32> {
    Some(match symbol {
        b'A'..=b'Z' => u32::from(symbol - b'A'),
        b'a'..=b'z' => u32::from(symbol - b'a') + 26,
        b'0'..=b'9' => u32::from(symbol - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, bits counted one by one: the slow twin.
    fn encode(bytes: &[u8], padded: bool) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        let mut text = String::new();
        for start in (0..8 * bytes.len()).step_by(6) {
            let value = (0..6).fold(0, |value, at| value << 1 | usize::from(bit(start + at)));
            text.push(char::from(ALPHABET[value]));
        }
        while padded && !text.len().is_multiple_of(4) {
            text.push('=');
        }
        text
    }

    #[test]
    fn bytes_of_every_length_come_back() {
        for length in 0..70usize {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 89 + length * 7) as u8).collect();
            for padded in [true, false] {
                let url = format!("data:image/png;base64,{}", encode(&bytes, padded));
                assert_eq!(decode(&url).unwrap(), bytes);
            }
        }
        assert_eq!(decode("DATA:;BASE64,Zm9v\r\nYmFy\n").unwrap(), b"foobar");
        assert!(is_data_url("Data:x") && !is_data_url("dat") && !is_data_url("\u{e9}\u{e9}\u{e9}"));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        let problem = |url: &str| decode(url).unwrap_err().to_string();
        for url in
            ["data:image/png,abc", "data:image/png;base64", "http;base64,AA==", "", ";base64,"]
        {
            assert!(problem(url).contains("has no `;base64,`"), "{url}");
        }
        for data in ["A", "AAAAA", "AA=", "AAA==", "AAAA=", "AAAA====", "="] {
            assert!(problem(&format!("data:;base64,{data}")).contains("cut off"), "{data}");
        }
        for data in ["A-_A", "AA==AA==", "A\u{e9}AA", "AA%3D"] {
            assert!(problem(&format!("data:;base64,{data}")).contains("not Base64"), "{data}");
        }
    }
}
