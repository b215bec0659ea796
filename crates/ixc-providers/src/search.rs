//! The published demo's search service: a caption in, addresses and numbers of pictures out.
//!
//! JSON `{caption, exclude, need_idxs}` goes to one address; `data.image_urls` and `data.indices` come back, of which
//! so many are used as are shown. Pictures are then fetched from the service's own origin, or from those that the
//! configuration names.

use ixc_compose::service::{About, Given, Key, Wanted};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Form,
    answer::Few,
    call::{Call, Trouble},
    limits::{CAPTION_CHARS, JSON_BYTES},
    picture::{self, Gathered, PICTURE},
};

const EXPECTED: &str = "`data` with `image_urls` and as many `indices`";

/// A service of this form.
#[derive(Debug)]
pub(crate) struct Search;

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    image_urls: Few<String>,
    indices: Few<Key>,
}

impl Form for Search {
    fn ask(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Given, Trouble> {
        let caption: String = wanted.caption.chars().take(CAPTION_CHARS).collect();
        let body = json!({"caption": caption, "exclude": wanted.exclude, "need_idxs": true});
        let answer: Answer = call.post("", &body, JSON_BYTES, EXPECTED)?;
        let (links, keys) = (answer.data.image_urls.0, answer.data.indices.0);
        if links.len() != keys.len() {
            let found = format!("{} and {}", links.len(), keys.len());
            return Err(Trouble::told(EXPECTED, found, "does it speak the demo's protocol?"));
        }
        let mut gathered = Gathered::new();
        // A service that has nothing more says so with an empty list, or with what was shown before.
        let new = links.into_iter().zip(keys).filter(|(_, key)| !wanted.exclude.contains(key));
        let new: Vec<(String, Key)> = new.take(wanted.most).collect();
        if new.is_empty() {
            return Ok(Given::default());
        }
        for (link, key) in new {
            let picture = call.linked(&link, PICTURE).and_then(|(answer, address)| {
                Ok((picture::answered(answer)?, About::Found { key, address }))
            });
            gathered.take(picture, call)?;
        }
        gathered.end(EXPECTED, call)
    }
}
