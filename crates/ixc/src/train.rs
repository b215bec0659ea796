//! What `ixc train` opens and shows: a recipe and its model, flags for its keys, a preview, a run as it goes.

pub(crate) mod flags;
pub(crate) mod show;
pub(crate) mod watch;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ixc_engine::engine::{model_folder, tokenizer};
use ixc_input::tokenizer::Tokenizer;
use ixc_model::{ModelConfig, gguf};
use ixc_nn::weights::Checkpoint;
use ixc_train::{Error, Recipe, result::Base, run::Start};

use self::flags::RecipeFlags;
use crate::{
    exit::{Exit, Failure},
    model::locate,
};

/// The recipe's file, where there is one, and the flags on top of it.
pub(crate) fn recipe(file: Option<&Path>, flags: &RecipeFlags) -> Result<Recipe, Failure> {
    let (text, place) = match file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::mistake(format!("{}: {error}", path.display())))?;
            (text, path.display().to_string())
        }
        None => (String::new(), "the flags".into()),
    };
    Recipe::parse(&text, &place, &flags.0).map_err(Failure::mistake)
}

/// What a recipe trains, opened but not loaded.
pub(crate) struct Opened {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) config: ModelConfig,
    /// Its file or folder.
    pub(crate) path: PathBuf,
    words: Arc<Tokenizer>,
}

impl Opened {
    /// Opens the recipe's model and its tokenizer.
    pub(crate) fn new(recipe: &Recipe, words: Option<&Path>) -> Result<Self, Failure> {
        let path = locate(Some(&recipe.model), "model = \"REF\" in the recipe")?;
        let not_loaded = |error: ixc_model::Error| {
            Failure::new(Exit::Model, error)
                .with_hint(format!("all that is wrong with it: ixc inspect {}", path.display()))
        };
        let folder = model_folder(&path);
        let checkpoint = gguf::open(&path).map_err(not_loaded)?;
        let config = ModelConfig::read(folder, &checkpoint).map_err(not_loaded)?;
        let words = tokenizer(folder, &checkpoint, words).map_err(Failure::of(Exit::Model))?;
        let (pieces, vocabulary) = (words.vocab_size(), config.language.vocabulary);
        if pieces != vocabulary {
            let error = ixc_engine::Error::TokenizerMismatch { pieces, vocabulary };
            return Err(Failure::mistake(error));
        }
        Ok(Self { checkpoint, config, path, words: Arc::new(words) })
    }

    /// What a run begins with.
    pub(crate) fn start<'a>(&'a self, recipe: &'a Recipe, resume: bool) -> Start<'a> {
        let folder = model_folder(&self.path);
        let base = Base { folder, checkpoint: &self.checkpoint, config: &self.config };
        Start { recipe, base, tokenizer: self.words.clone(), resume }
    }
}

/// Whose fault it is, and the exit code.
pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::Cancelled => Failure::new(Exit::Interrupted, error),
        other => Failure::mistake(other),
    }
}
