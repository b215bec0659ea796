//! ComfyUI: a workflow of the user's own is queued, asked after until it is done, and its pictures are fetched.
//!
//! Invariant: what is queued and not waited for any more is taken out of the queue, or interrupted when it runs.
//! Deliberately absent: the websocket, which says the same earlier and needs a second protocol.

use std::{collections::BTreeMap, time::Instant};

use ixc_compose::service::{About, Given, Made, Wanted};
use ixc_net::{address::segment, words::quoted};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Form,
    answer::Few,
    call::{Call, Trouble},
    config::ComfyUi,
    limits::JSON_BYTES,
    picture::{self, Gathered, PICTURE},
    workflow::Slots,
};

const QUEUED: &str = "ComfyUI's `prompt_id`";
const DONE: &str = "ComfyUI's history with a picture";

#[derive(Deserialize)]
struct Queued {
    prompt_id: String,
}

/// What is being made: lists of a number, an id, and more.
#[derive(Deserialize)]
struct Queue {
    queue_running: Few<Vec<Value>>,
}

/// What became of a workflow.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    outputs: BTreeMap<String, Output>,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    status_str: String,
    #[serde(default)]
    messages: Few<(String, Message)>,
}

#[derive(Default, Deserialize)]
struct Message {
    exception_message: Option<String>,
}

/// What a node put out.
#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    images: Few<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    #[serde(default)]
    subfolder: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl Form for ComfyUi {
    fn ask(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Given, Trouble> {
        let prompt = self.prompt.of(wanted.caption);
        let seed = wanted.seed & u64::from(u32::MAX);
        let slots = Slots {
            prompt: &prompt,
            negative: &self.negative,
            seed,
            width: self.width,
            height: self.height,
        };
        let body = json!({"prompt": self.workflow.filled(&slots)});
        let queued: Queued = call.post("/prompt", &body, JSON_BYTES, QUEUED)?;
        let id = queued.prompt_id;
        let files = waited(&id, call).inspect_err(|trouble| {
            // Otherwise it is done with it itself.
            let is_late = Instant::now() + call.connection.patience.poll >= call.deadline();
            if matches!(trouble, Trouble::Stopped) || is_late {
                give_up(&id, call);
            }
        })?;
        let made = Made {
            model: self.model.clone(),
            seed: self.workflow.has_seed().then_some(seed),
            prompt: prompt.clone(),
        };
        let mut gathered = Gathered::new();
        for file in files.iter().take(wanted.most) {
            let path = format!(
                "/view?filename={}&subfolder={}&type={}",
                segment(&file.filename),
                segment(&file.subfolder),
                segment(&file.kind)
            );
            let bytes = call.file(&path, PICTURE).and_then(picture::answered);
            gathered.take(bytes.map(|bytes| (bytes, About::Made(made.clone()))), call)?;
        }
        gathered.end(DONE, call)
    }
}

/// Takes a workflow out of the queue. What runs is interrupted only if it is this one: older servers interrupt
/// whatever it is.
fn give_up(id: &str, call: &Call<'_>) {
    call.farewell("/queue", Some(&json!({"delete": [id]})));
    let Some(answer) = call.farewell("/queue", None) else { return };
    let queue = serde_json::from_slice::<Queue>(&answer.bytes).ok();
    let mut running = queue.into_iter().flat_map(|queue| queue.queue_running.0);
    if running.any(|run| run.iter().any(|part| part == id)) {
        call.farewell("/interrupt", Some(&json!({"prompt_id": id})));
    }
}

/// The pictures that are there when it is done: those that were to be kept, else previews.
fn waited(id: &str, call: &Call<'_>) -> Result<Vec<File>, Trouble> {
    loop {
        let mut history: BTreeMap<String, Entry> =
            call.get(&format!("/history/{}", segment(id)), DONE)?;
        if let Some(entry) = history.remove(id) {
            return done(entry);
        }
        if Instant::now() + call.connection.patience.poll > call.deadline() {
            return Err(call.late(DONE));
        }
        call.pause(call.connection.patience.poll)?;
    }
}

fn done(entry: Entry) -> Result<Vec<File>, Trouble> {
    if entry.status.status_str == "error" {
        let mut messages = entry.status.messages.0.into_iter();
        let said = messages.find_map(|(_, message)| message.exception_message);
        let said = said.map_or(String::new(), |said| format!(": {}", quoted(said.trim())));
        let advice = "run the workflow in ComfyUI itself, where it shows the node";
        return Err(Trouble::told(DONE, format!("an error in the workflow{said}"), advice));
    }
    let files = entry.outputs.into_values().flat_map(|output| output.images.0);
    let (previews, kept): (Vec<File>, Vec<File>) = files.partition(|file| file.kind == "temp");
    Ok(if kept.is_empty() { previews } else { kept })
}
