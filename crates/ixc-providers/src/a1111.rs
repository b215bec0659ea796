//! The AUTOMATIC1111 form: `POST /sdapi/v1/txt2img`, as stable-diffusion-webui and Forge speak it.
//!
//! The answer comes when the pictures are made; a stop asks the server to give up. Keys that are not configured are
//! not sent, so that the server's own settings hold.

use ixc_compose::service::{About, Given, Made, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Form,
    answer::Few,
    call::{Call, Trouble},
    config::A1111,
    picture::{self, Gathered},
};

const EXPECTED: &str = "an answer of the AUTOMATIC1111 form with a picture";

#[derive(Deserialize)]
struct Answer {
    images: Few<String>,
    /// JSON in a text.
    info: Option<String>,
}

/// What a server says of how it made them.
#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    all_seeds: Few<u64>,
    seed: Option<u64>,
    sd_model_name: Option<String>,
    /// A contact sheet of them may stand first.
    #[serde(default)]
    index_of_first_image: usize,
}

impl Form for A1111 {
    fn ask(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Given, Trouble> {
        let (prompt, most) = (self.prompt.of(wanted.caption), self.count.min(wanted.most));
        // Seeds of 32 bits are what every sampler of theirs takes.
        let seed = wanted.seed & u64::from(u32::MAX);
        let body = self.body(&prompt, seed, most);
        // A contact sheet may come beside them.
        let limit = picture::json_bytes(most + 1, call);
        let answer: Answer = match call.post("/sdapi/v1/txt2img", &body, limit, EXPECTED) {
            Ok(answer) => answer,
            Err(trouble) => {
                if matches!(trouble, Trouble::Stopped) {
                    call.farewell("/sdapi/v1/interrupt", Some(&json!({})));
                }
                return Err(trouble);
            }
        };
        // How it was made is worth less than the picture: where that cannot be read, what was asked for holds.
        let info = answer.info.as_deref().map(serde_json::from_str::<Info>);
        let info = info.and_then(Result::ok).unwrap_or_default();
        let mut gathered = Gathered::new();
        let images = answer.images.0.iter().skip(info.index_of_first_image).take(most);
        for (at, text) in images.enumerate() {
            let asked = seed + at as u64;
            let seed = info.all_seeds.0.get(at).copied().or(info.seed.filter(|_| at == 0));
            let made = About::Made(Made {
                model: info.sd_model_name.clone().or_else(|| self.model.clone()),
                seed: seed.or(Some(asked)),
                prompt: prompt.clone(),
            });
            gathered.take(picture::encoded(text, call).map(|bytes| (bytes, made)), call)?;
        }
        gathered.end(EXPECTED, call)
    }
}

impl A1111 {
    fn body(&self, prompt: &str, seed: u64, most: usize) -> Value {
        let mut body = json!({"prompt": prompt, "seed": seed, "batch_size": most});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[key] = value;
            }
        };
        set("negative_prompt", self.negative.as_deref().map(Value::from));
        set("width", self.width.map(Value::from));
        set("height", self.height.map(Value::from));
        set("steps", self.steps.map(Value::from));
        set("cfg_scale", self.cfg_scale.map(Value::from));
        set("sampler_name", self.sampler.as_deref().map(Value::from));
        let model = self.model.as_deref();
        set("override_settings", model.map(|model| json!({"sd_model_checkpoint": model})));
        body
    }
}
