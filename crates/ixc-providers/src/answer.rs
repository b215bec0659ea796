//! JSON of a service, and other things in its place, in words.
//!
//! Answers are read into the few fields that are used, so that what stands beside them costs no memory; lists are
//! bounded. Deliberately absent: what any field means.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, SeqAccess, Visitor},
};

use crate::{
    call::{Answer, Trouble},
    limits::LISTED,
};

/// Characters of an answer that are shown when it is another one than expected.
const SHOWN: usize = 60;

/// A list of at most [`LISTED`] things; `null` is an empty one.
#[derive(Debug)]
pub(crate) struct Few<T>(pub(crate) Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Visit<T> {
            type Value = Few<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a list of at most {LISTED}")
            }

            fn visit_unit<E>(self) -> Result<Few<T>, E> {
                Ok(Few::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
                let mut few = Vec::new();
                while let Some(next) = list.next_element()? {
                    if few.len() == LISTED {
                        return Err(A::Error::custom(format!("a list of more than {LISTED}")));
                    }
                    few.push(next);
                }
                Ok(Few(few))
            }
        }
        deserializer.deserialize_any(Visit(PhantomData))
    }
}

/// The JSON of an answer.
pub(crate) fn json<T: DeserializeOwned>(answer: &Answer, expected: &str) -> Result<T, Trouble> {
    serde_json::from_slice(&answer.bytes).map_err(|error| {
        let found = format!("{} ({})", described(answer), answer.quoted(&error.to_string()));
        Trouble::told(expected, found, "is `url` its address, and does it speak this protocol?")
    })
}

/// What an answer looks like.
pub(crate) fn described(answer: &Answer) -> String {
    let kind = match answer.kind.as_str() {
        "" => "something without a type".into(),
        kind => answer.quoted(kind),
    };
    match std::str::from_utf8(&answer.bytes) {
        _ if answer.bytes.is_empty() => format!("{kind}, empty"),
        Ok(text) => {
            // The key goes before the text is cut, or half of it would stay.
            let start: String = answer.quoted(text.trim_start()).chars().take(SHOWN).collect();
            format!("{kind} that begins with {start:?}")
        }
        Err(_) => format!("{kind}, {} bytes", answer.bytes.len()),
    }
}

/// What a refusal says, behind its status.
pub(crate) fn said(answer: &Answer) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Reason {
        Words(String),
        Told { message: String },
    }
    #[derive(Deserialize)]
    struct Refusal {
        error: Option<Reason>,
        detail: Option<Reason>,
        message: Option<String>,
    }
    let refusal = serde_json::from_slice::<Refusal>(&answer.bytes).ok();
    let reason = refusal.and_then(|refusal| {
        let reason = refusal.error.or(refusal.detail).map(|reason| match reason {
            Reason::Words(words) | Reason::Told { message: words } => words,
        });
        reason.or(refusal.message)
    });
    match reason {
        Some(reason) => format!(": {}", answer.quoted(reason.trim())),
        None if answer.bytes.is_empty() => String::new(),
        None => format!(", {}", described(answer)),
    }
}
