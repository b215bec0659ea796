//! A `data:` URL becomes the bytes it holds: how pictures travel inside JSON.
//!
//! Invariant: what is not Base64 of RFC 4648's ordinary alphabet is an error, never skipped; only white
//! space is passed over, which tools that wrap lines put in. Deliberately absent: percent-encoded data
//! (nobody writes pictures that way) and the media type, since a picture's own first bytes tell what it is.

use base64::{
    DecodeError, Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

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

/// The bytes that Base64 stands for, with padding or without.
///
/// # Errors
/// [`Error::DataUrl`] when it is none, or was cut off.
pub fn base64(data: &[u8]) -> Result<Vec<u8>, Error> {
    const fn engine(padding: DecodePaddingMode) -> GeneralPurpose {
        let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
        GeneralPurpose::new(&alphabet::STANDARD, config.with_decode_padding_mode(padding))
    }
    const BARE: GeneralPurpose = engine(DecodePaddingMode::RequireNone);
    const PADDED: GeneralPurpose = engine(DecodePaddingMode::RequireCanonical);
    // Half of the padding is a sign of what was cut off, as half of a group is.
    let engine = if data.contains(&b'=') { PADDED } else { BARE };
    let decoded = match data.iter().any(u8::is_ascii_whitespace) {
        true => {
            let mut data = data.to_vec();
            data.retain(|byte| !byte.is_ascii_whitespace());
            engine.decode(data)
        }
        false => engine.decode(data),
    };
    decoded.map_err(|error| Error::DataUrl {
        problem: match error {
            // White space is not counted.
            DecodeError::InvalidByte(at, byte) => {
                let byte = byte.escape_ascii();
                format!("holds `{byte}` at {at} of its data, which is not Base64 there")
            }
            _ => "ends in the middle of a Base64 group: it was cut off".into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

    use super::*;

    #[test]
    fn bytes_of_every_length_come_back() {
        for length in 0..70usize {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 89 + length * 7) as u8).collect();
            for text in [BASE64_STANDARD.encode(&bytes), BASE64_STANDARD_NO_PAD.encode(&bytes)] {
                let url = format!("data:image/png;base64,{text}");
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
        for data in ["A", "AAAAA", "AA="] {
            assert!(problem(&format!("data:;base64,{data}")).contains("cut off"), "{data}");
        }
        for data in ["AAA==", "AAAA=", "AAAA====", "=", "A-_A", "AA==AA==", "A\u{e9}AA", "AA%3D"] {
            assert!(problem(&format!("data:;base64,{data}")).contains("not Base64"), "{data}");
        }
        assert!(problem("data:;base64,AA%3D").contains("holds `%` at 2 of its data"));
    }
}
