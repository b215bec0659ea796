//! What programs that generate pictures write into them.
//!
//! Two forms: the text `parameters` (AUTOMATIC1111's, and what took it over), and ComfyUI's graph as JSON.
//! Deliberately absent: everything but model, seed and prompt.

use serde_json::Value;

use super::worth;
use crate::Generated;

/// The prompt, then `Negative prompt: …`, then `Steps: 20, Seed: 1, Model: x`.
pub(super) fn parameters(text: &str) -> Option<Generated> {
    let settings = text.lines().rev().find(|line| line.starts_with("Steps: "))?;
    let of = |name: &str| {
        let found = settings.split(", ").find_map(|setting| setting.strip_prefix(name));
        found.and_then(worth)
    };
    let prompt: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Negative prompt: ") && *line != settings)
        .collect();
    Some(Generated { model: of("Model: "), seed: of("Seed: "), prompt: worth(&prompt.join(" ")) })
}

/// A graph of nodes: the model from where it is loaded, the seed from the sampler. Which of the texts was wanted
/// and which unwanted only the graph's edges tell, so the first one that the sampler names is followed.
pub(super) fn workflow(text: &str) -> Option<Generated> {
    let Value::Object(nodes) = serde_json::from_str(text).ok()? else { return None };
    let inputs = |node: &Value, name: &str| node.get("inputs")?.get(name).cloned();
    let sampler = nodes.values().find(|node| inputs(node, "positive").is_some())?;
    let seed = ["seed", "noise_seed"].iter().find_map(|name| inputs(sampler, name)?.as_u64());
    let wanted = inputs(sampler, "positive").and_then(|edge| {
        let node = nodes.get(edge.get(0)?.as_str()?)?;
        worth(inputs(node, "text")?.as_str()?)
    });
    let model = nodes.values().find_map(|node| worth(inputs(node, "ckpt_name")?.as_str()?));
    Some(Generated { model, seed: seed.map(|seed| seed.to_string()), prompt: wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let text = "a red fox,\nsnow\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 42, Model: sd_xl, Version: 1";
        let found = parameters(text).unwrap();
        assert_eq!(found.prompt.as_deref(), Some("a red fox, snow"));
        assert_eq!((found.seed.as_deref(), found.model.as_deref()), (Some("42"), Some("sd_xl")));
        assert_eq!(parameters("anything"), None);
        let graph = r#"{"3":{"inputs":{"seed":7,"positive":["6",0]}},"4":{"inputs":{"ckpt_name":"m.safetensors"}},
            "6":{"inputs":{"text":"a lake"}}}"#;
        let found = workflow(graph).unwrap();
        assert_eq!(found.prompt.as_deref(), Some("a lake"));
        assert_eq!(
            (found.seed.as_deref(), found.model.as_deref()),
            (Some("7"), Some("m.safetensors"))
        );
        for wrong in ["", "[]", "{}", "{\"1\":3}", "{\"1\":{\"inputs\":{\"positive\":[]}}}"] {
            let _ = workflow(wrong);
        }
    }
}
