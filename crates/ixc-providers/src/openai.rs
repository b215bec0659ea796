//! The OpenAI images form: `POST /v1/images/generations`, as OpenAI and many others speak it.
//!
//! Pictures come in the answer, or from an address in it that the configuration allows. It has no seeds.

use ixc_compose::service::{About, Given, Made, Wanted};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Form,
    answer::Few,
    call::{Call, Trouble},
    config::OpenAi,
    picture::{self, Gathered, PICTURE},
};

const EXPECTED: &str = "an answer of the OpenAI images form with a picture";

#[derive(Deserialize)]
struct Answer {
    data: Few<Image>,
}

#[derive(Deserialize)]
struct Image {
    b64_json: Option<String>,
    url: Option<String>,
}

impl Form for OpenAi {
    fn ask(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Given, Trouble> {
        let (prompt, most) = (self.prompt.of(wanted.caption), self.count.min(wanted.most));
        let mut body = json!({"model": self.model, "prompt": prompt, "n": most});
        if let Some(size) = &self.size {
            body["size"] = size.as_str().into();
        }
        if let Some(format) = &self.response_format {
            body["response_format"] = format.as_str().into();
        }
        let limit = picture::json_bytes(most, call);
        let answer: Answer = call.post("/v1/images/generations", &body, limit, EXPECTED)?;
        let mut gathered = Gathered::new();
        for image in answer.data.0.into_iter().take(most) {
            let bytes = match (&image.b64_json, &image.url) {
                (Some(text), _) => picture::encoded(text, call),
                (None, Some(link)) => {
                    call.linked(link, PICTURE).and_then(|(answer, _)| picture::answered(answer))
                }
                (None, None) => Err(Trouble::told(
                    "`b64_json` or `url`",
                    "neither",
                    "`response_format` in its configuration says which it is asked for",
                )),
            };
            let (model, prompt) = (Some(self.model.clone()), prompt.clone());
            let made = About::Made(Made { model, seed: None, prompt });
            gathered.take(bytes.map(|bytes| (bytes, made)), call)?;
        }
        gathered.end(EXPECTED, call)
    }
}
