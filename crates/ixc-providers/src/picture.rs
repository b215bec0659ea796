//! Bytes that a service gives as a picture: they are one, or that is told.
//!
//! Invariant: what passes is read by the same decoder, within the same limits, as a picture of the user's own. The
//! bytes decide, not the type that a server states for them.

use ixc_compose::service::{About, Given, Offered};
use ixc_input::{
    Error, data_url,
    image::{Orientation, load},
};

use crate::{
    answer::described,
    call::{Answer, Call, Trouble},
    limits::JSON_BYTES,
};

/// What is expected where one is.
pub(crate) const PICTURE: &str = "a picture";

const ADVICE: &str =
    "expected are PNG, JPEG, WebP and other pictures that ixc reads; it is left out";

/// The picture of an answer.
pub(crate) fn answered(answer: Answer) -> Result<Vec<u8>, Trouble> {
    match load(&answer.bytes, Orientation::Exif) {
        Ok(_) => Ok(answer.bytes),
        Err(error) => {
            let found = format!("{} ({error})", described(&answer));
            Err(Trouble::told(PICTURE, found, ADVICE))
        }
    }
}

/// The picture that Base64 stands for, in a `data:` URL or bare.
pub(crate) fn encoded(text: &str, call: &Call<'_>) -> Result<Vec<u8>, Trouble> {
    let limit = call.connection.picture_bytes;
    if text.len() as u64 / 4 * 3 > limit {
        let found = format!("more than {limit} bytes");
        return Err(Trouble::told(PICTURE, found, "`picture_mb` in its configuration allows more"));
    }
    let bytes = match data_url::is_data_url(text) {
        true => data_url::decode(text),
        false => data_url::base64(text.as_bytes()),
    };
    let bytes = bytes.map_err(|error| match error {
        Error::DataUrl { problem } => {
            Trouble::told("a picture in Base64", format!("text that {problem}"), ADVICE)
        }
        error => Trouble::told("a picture in Base64", error.to_string(), ADVICE),
    })?;
    match load(&bytes, Orientation::Exif) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let found = format!("{} bytes in Base64 ({error})", bytes.len());
            Err(Trouble::told(PICTURE, found, ADVICE))
        }
    }
}

/// Bytes of JSON with so many pictures in Base64.
pub(crate) fn json_bytes(pictures: usize, call: &Call<'_>) -> u64 {
    JSON_BYTES + pictures as u64 * (call.connection.picture_bytes / 3 * 4 + 4)
}

/// Pictures as they come, with the trouble of those that do not.
pub(crate) struct Gathered {
    given: Given,
    first: Option<Trouble>,
}

impl Gathered {
    pub(crate) fn new() -> Self {
        Self { given: Given::default(), first: None }
    }

    /// Takes one; a stop ends all.
    pub(crate) fn take(
        &mut self,
        picture: Result<(Vec<u8>, About), Trouble>,
        call: &Call<'_>,
    ) -> Result<(), Trouble> {
        match picture {
            Ok((bytes, about)) => self.given.pictures.push(Offered { bytes, about }),
            Err(trouble) => {
                let words = call.connection.words(trouble.clone()).ok_or(Trouble::Stopped)?;
                match self.first {
                    // Told as the error if nothing else comes.
                    None => self.first = Some(trouble),
                    Some(_) => self.given.left_out.push(words),
                }
            }
        }
        Ok(())
    }

    /// What came; trouble when nothing did.
    pub(crate) fn end(mut self, expected: &str, call: &Call<'_>) -> Result<Given, Trouble> {
        match self.first {
            None if self.given.pictures.is_empty() => Err(Trouble::told(
                expected,
                "an empty list",
                "it may have refused these words without saying so; its own log may tell",
            )),
            Some(first) if self.given.pictures.is_empty() => Err(first),
            first => {
                let words = first.and_then(|first| call.connection.words(first));
                self.given.left_out.splice(0..0, words);
                Ok(self.given)
            }
        }
    }
}
