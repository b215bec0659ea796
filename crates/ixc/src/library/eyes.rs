//! A dual encoder as what a library sees with.
//!
//! A library remembers whose vectors it has and where that encoder was; what searches opens it by itself. Invariant:
//! where it is not there any more, or is another now, that is said, and words alone are searched. Deliberately
//! absent: how vectors are compared.

use std::fs;

use ixc_embed::DualEncoder;
use ixc_hub::Reference;
use ixc_input::image::Picture;
use ixc_library::{Digest, Encoder, Identity, Library};

use crate::{exit::Failure, model, output};

/// An encoder, and what it is called.
#[derive(Debug)]
struct Eyes {
    identity: Identity,
    encoder: DualEncoder,
}

impl Encoder for Eyes {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn text(&self, text: &str) -> Result<Vec<f32>, String> {
        self.encoder.text(text).map_err(|error| error.to_string())
    }

    fn picture(&self, picture: &Picture) -> Result<Vec<f32>, String> {
        self.encoder.picture(picture).map_err(|error| error.to_string())
    }
}

/// Loads the encoder that a reference names: a folder, or an id on the hub that was pulled.
pub(crate) fn load(reference: &str) -> Result<Box<dyn Encoder>, Failure> {
    let folder = model::locate(Some(reference), "--embed REF")?;
    let encoder = DualEncoder::load(&folder).map_err(|error| {
        Failure::mistake(error).with_hint(
            "an encoder is a folder of a published CLIP or SigLIP checkpoint, or its id on the hub:\n  \
             ixc pull openai/clip-vit-large-patch14\n  \
             ixc library add ~/Pictures -l photos --embed openai/clip-vit-large-patch14",
        )
    })?;
    // What the library remembers must mean the same from any folder.
    let name = match Reference::parse(reference) {
        Ok(Reference::Local(path)) => {
            fs::canonicalize(&path).unwrap_or(path).to_string_lossy().into_owned()
        }
        _ => reference.to_owned(),
    };
    let identity = Identity {
        name,
        weights: Digest(encoder.weights_digest()),
        preprocessing: Digest(encoder.preprocessing_digest()),
        dimensions: encoder.dimensions(),
    };
    Ok(Box::new(Eyes { identity, encoder }))
}

/// Gives a library with vectors the encoder whose they are.
pub(super) fn open(library: &mut Library) -> Result<(), Failure> {
    let Some(known) = library.encoder().map_err(Failure::mistake)? else { return Ok(()) };
    let seen =
        load(&known.name).and_then(|encoder| library.see_with(encoder).map_err(Failure::mistake));
    let Err(failure) = seen else { return Ok(()) };
    let reason = match failure {
        Failure::Told { message, .. } => message,
        other => return Err(other),
    };
    output::warn(&format!(
        "words alone are searched, since the encoder of the library's vectors, {}, cannot be used: {reason}",
        known.name
    ));
    Ok(())
}
