//! The OpenAI images form: `POST /v1/images/generations`, as OpenAI and many others speak it.
//!
//! Pictures come in the answer, or from an address in it that the configuration allows. It has no seeds.

use ixc_compose::{
    Service,
    service::{About, Failed, Given, Made, Wanted},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    answer::Few,
    call::{Connection, Trouble},
    config,
    picture::{self, Gathered, PICTURE},
};

const EXPECTED: &str = "an answer of the OpenAI images form with a picture";

/// A service of this form.
#[derive(Debug)]
pub(crate) struct OpenAi {
    pub(crate) connection: Connection,
    pub(crate) kind: config::OpenAi,
}

#[derive(Deserialize)]
struct Answer {
    data: Few<Image>,
}

#[derive(Deserialize)]
struct Image {
    b64_json: Option<String>,
    url: Option<String>,
}

impl Service for OpenAi {
    fn name(&self) -> &str {
        &self.connection.name
    }

    fn host(&self) -> &str {
        &self.connection.host
    }

    fn pictures(&self, wanted: &Wanted<'_>, stop: &dyn Fn() -> bool) -> Result<Given, Failed> {
        self.made(wanted, stop).map_err(|trouble| self.connection.failed(trouble))
    }
}

impl OpenAi {
    fn made(&self, wanted: &Wanted<'_>, stop: &dyn Fn() -> bool) -> Result<Given, Trouble> {
        let (call, kind) = (self.connection.call(stop), &self.kind);
        let (prompt, most) = (kind.prompt.of(wanted.caption), kind.count.min(wanted.most));
        let mut body = json!({"model": kind.model, "prompt": prompt, "n": most});
        if let Some(size) = &kind.size {
            body["size"] = size.as_str().into();
        }
        if let Some(format) = &kind.response_format {
            body["response_format"] = format.as_str().into();
        }
        let limit = picture::json_bytes(most, &call);
        let answer: Answer = call.post("/v1/images/generations", &body, limit, EXPECTED)?;
        let mut gathered = Gathered::new();
        for image in answer.data.0.into_iter().take(most) {
            let bytes = match (&image.b64_json, &image.url) {
                (Some(text), _) => picture::encoded(text, &call),
                (None, Some(link)) => {
                    call.linked(link, PICTURE).and_then(|(answer, _)| picture::answered(answer))
                }
                (None, None) => Err(Trouble::told(
                    "`b64_json` or `url`",
                    "neither",
                    "`response_format` in its configuration says which it is asked for",
                )),
            };
            let (model, prompt) = (Some(kind.model.clone()), prompt.clone());
            let made = About::Made(Made { model, seed: None, prompt });
            gathered.take(bytes.map(|bytes| (bytes, made)), &call)?;
        }
        gathered.end(EXPECTED, &call)
    }
}
