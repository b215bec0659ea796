//! The mini model that this program carries, so that it works where nothing was downloaded.
//!
//! `models/mini.gguf` is part of the program (feature `mini`). An empty file stands for none: then a model must
//! be named. How it is made: docs/mini-model.md. Deliberately absent: loading, which is as any other file's.

/// What the mini model is called, also as `--model mini`.
pub(crate) const NAME: &str = "mini";

/// What is said when it answers because no model was named.
pub(crate) const INTRODUCTION: &str = "\
No model was named: this is ixc's mini model. It has 9 million numbers and knows one small world, of drawn
scenes (`ixc world` draws some); of photographs and of anything else it knows nothing. A real one:
  ixc pull internlm/internlm-xcomposer2-vl-1_8b
  ixc run --model internlm/internlm-xcomposer2-vl-1_8b …";

/// Bytes that begin where weights may begin in memory: numbers are then used where they lie.
#[repr(C, align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

/// The GGUF file; empty where there is none.
#[cfg(feature = "mini")]
pub(crate) static FILE: &[u8] = {
    static HELD: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/mini.gguf"));
    &HELD.0
};

/// As above, of a program that was built without it.
#[cfg(not(feature = "mini"))]
pub(crate) static FILE: &[u8] = &[];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path};

    use ixc_engine::{Decoding, LoadOptions, Request};
    use ixc_input::tokenizer::train;
    use ixc_model::{
        ModelConfig, gguf,
        init::{self, Like, Purpose},
        quantise::{self, Options},
    };
    use ixc_nn::weights::StoredType;

    use crate::model::{Place, open};

    /// A mini model's file with random weights, as the shipped one is made.
    fn file(folder: &Path) -> std::path::PathBuf {
        let tokenizer = train(["What is there? A red house, a green tree."], 300).unwrap();
        fs::write(folder.join("t.model"), &tokenizer).unwrap();
        let config = Like::Mini { vocabulary: 300 }.config();
        let mut on = |_, _| ControlFlow::Continue(());
        let weights = folder.join("weights");
        let (purpose, own) = (Purpose::Measure, folder.join("t.model"));
        init::write_for(purpose, &config, StoredType::Bf16, 1, Some(&own), &weights, &mut on)
            .unwrap();
        let (checkpoint, out) = (gguf::open(&weights).unwrap(), folder.join("mini.gguf"));
        let options = Options {
            to: StoredType::Q8_0,
            out: out.clone(),
            replace: false,
            tokenizer: Some(tokenizer),
            name: "mini".into(),
            importance: BTreeMap::new(),
        };
        let plan = quantise::plan(&config, &checkpoint, options.to);
        let made = quantise::file(&weights, &config, &checkpoint, &plan, &options).unwrap();
        quantise::write(&made, &checkpoint, &plan, &BTreeMap::new(), &mut on).unwrap();
        out
    }

    #[test]
    fn a_carried_file_answers_as_the_file_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let carried = Place::Mini(Vec::leak(fs::read(&path).unwrap()));
        let itself = Place::Path(path);
        let config =
            |place: &Place| ModelConfig::read(place.folder(), &place.open().unwrap()).unwrap();
        assert_eq!(config(&carried), config(&itself));
        let answer = |place: &Place| {
            let engine = open(place, &LoadOptions::default()).unwrap();
            assert_eq!(engine.instruction(), "", "it is asked as it was taught");
            let request = Request {
                decoding: Decoding::Greedy,
                max_new_tokens: 8,
                ..Request::text("What is there?")
            };
            let events: Result<Vec<_>, _> = engine.answer(&request).unwrap().collect();
            let Some(ixc_engine::Event::End(answer)) = events.unwrap().pop() else { panic!() };
            answer.ids
        };
        assert_eq!(answer(&carried), answer(&itself));
    }
}
