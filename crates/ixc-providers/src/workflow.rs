//! A ComfyUI workflow of the user's own, in the form that ComfyUI exports for its API, with named slots.
//!
//! Slots are filled in the parsed graph, never in its text, so whatever a caption holds stays inside its value. A
//! value that is a slot and nothing else takes the slot's type; inside a longer text all of them are words.
//! Invariant: what is filled in is not looked through again.

use serde_json::{Map, Value};

/// What goes into the slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<'a> {
    pub(crate) prompt: &'a str,
    pub(crate) negative: &'a str,
    pub(crate) seed: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
}

const PROMPT: &str = "{prompt}";
const SEED: &str = "{seed}";
const NAMES: [&str; 5] = [PROMPT, "{negative}", SEED, "{width}", "{height}"];

/// A graph with slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow(Value);

impl Workflow {
    /// A graph from its JSON.
    ///
    /// # Errors
    /// When it is not in the API's form, or has no slot for the words; in words that follow a file's name.
    pub fn parse(json: &str) -> Result<Self, String> {
        let graph: Value =
            serde_json::from_str(json).map_err(|error| format!("it is no JSON: {error}"))?;
        let nodes = graph.as_object().filter(|nodes| !nodes.is_empty());
        let is_node = |node: &Value| node.get("class_type").is_some_and(Value::is_string);
        if !nodes.is_some_and(|nodes| nodes.values().all(is_node)) {
            return Err(
                "expected a workflow in the API's form, nodes by their numbers, each with a \
                        `class_type`; in ComfyUI: Export (API)"
                    .into(),
            );
        }
        let workflow = Self(graph);
        if !workflow.has(PROMPT) {
            return Err(format!(
                "it has no {PROMPT} in any of its values; put it where the words go (and {}, where you want them)",
                NAMES[1..].join(", ")
            ));
        }
        Ok(workflow)
    }

    /// Whether a seed goes into it.
    pub(crate) fn has_seed(&self) -> bool {
        self.has(SEED)
    }

    fn has(&self, slot: &str) -> bool {
        fn within(value: &Value, slot: &str) -> bool {
            match value {
                Value::String(text) => text.contains(slot),
                Value::Array(values) => values.iter().any(|value| within(value, slot)),
                Value::Object(values) => values.values().any(|value| within(value, slot)),
                _ => false,
            }
        }
        within(&self.0, slot)
    }

    /// The graph with its slots filled.
    pub(crate) fn filled(&self, slots: &Slots<'_>) -> Value {
        filled(&self.0, slots)
    }
}

fn filled(value: &Value, slots: &Slots<'_>) -> Value {
    match value {
        Value::String(text) => match text.as_str() {
            SEED => slots.seed.into(),
            "{width}" => slots.width.into(),
            "{height}" => slots.height.into(),
            text => words(text, slots).into(),
        },
        Value::Array(values) => values.iter().map(|value| filled(value, slots)).collect(),
        Value::Object(values) => {
            let all = values.iter().map(|(key, value)| (key.clone(), filled(value, slots)));
            Value::Object(all.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// A text with its slots filled, from left to right.
fn words(text: &str, slots: &Slots<'_>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    loop {
        let next = NAMES.iter().filter_map(|name| Some((rest.find(name)?, *name)));
        let Some((at, name)) = next.min() else {
            out.push_str(rest);
            return out;
        };
        out.push_str(&rest[..at]);
        match name {
            PROMPT => out.push_str(slots.prompt),
            "{negative}" => out.push_str(slots.negative),
            SEED => out.push_str(&slots.seed.to_string()),
            "{width}" => out.push_str(&slots.width.to_string()),
            _ => out.push_str(&slots.height.to_string()),
        }
        rest = &rest[at + name.len()..];
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slots_are_values_or_words_and_nothing_leaks() {
        let graph = json!({
            "3": {"class_type": "KSampler", "inputs": {"seed": "{seed}", "cfg": 7.5, "model": ["4", 0]}},
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": "{width}", "height": "{height}"}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "oil, {prompt}, {seed}, {other} {prompt}"}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "{negative}"}},
            "{prompt}": {"class_type": "Note"},
        });
        let workflow = Workflow::parse(&graph.to_string()).unwrap();
        assert!(workflow.has_seed());
        let hostile = "a \"quoted\" \\ dog\",\n\"x\": {seed} {negative}";
        let slots =
            Slots { prompt: hostile, negative: "{prompt}", seed: 7, width: 640, height: 480 };
        let made = workflow.filled(&slots);
        assert_eq!(made["3"]["inputs"], json!({"seed": 7, "cfg": 7.5, "model": ["4", 0]}));
        assert_eq!(made["5"]["inputs"], json!({"width": 640, "height": 480}));
        let text = format!("oil, {hostile}, 7, {{other}} {hostile}");
        assert_eq!(made["6"]["inputs"]["text"], text);
        assert_eq!(made["7"]["inputs"]["text"], "{prompt}");
        assert_eq!(made["{prompt}"], json!({"class_type": "Note"}), "names are not filled");
        let again: Value = serde_json::from_str(&made.to_string()).unwrap();
        assert_eq!(again, made);
    }

    #[test]
    fn other_files_are_refused_with_the_way_to_the_right_one() {
        for (json, says) in [
            ("{", "no JSON"),
            ("[]", "Export (API)"),
            ("{}", "Export (API)"),
            (r#"{"nodes": [], "links": []}"#, "Export (API)"),
            (r#"{"1": {"class_type": "X", "inputs": {}}}"#, "it has no {prompt}"),
            (r#"{"1": {"class_type": "X", "inputs": {"seed": NaN}}}"#, "no JSON"),
        ] {
            let error = Workflow::parse(json).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
