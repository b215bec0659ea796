//! The editor: from an instruction to an illustrated article, and changes of it.
//!
//! request → *article* → *places* → *captions* → *candidates* → *choices* ([`compose`]). Each
//! stage is plain data ([`record`]) and can be made again from those before it. What is odd in an answer is told
//! and kept, and ends nothing ([`odd`]): there is always an article. The model is seen through one trait
//! ([`Chat`]), and asked in the prompts that it was trained on ([`ixc_input::composition`]).
//! Deliberately absent: tensors, the terminal, the network, state that two articles could share.

pub mod article;
pub mod chat;
pub mod document;
pub mod edit;
pub mod error;
pub mod event;
mod found;
pub mod limits;
pub mod odd;
pub mod project;
pub mod record;
pub mod request;
pub mod service;
pub mod source;
mod stage;

pub use article::{Article, Assets, assemble};
pub use chat::Chat;
pub use document::{Imprint, document};
pub use edit::{Edit, edit};
pub use error::Error;
pub use event::{Event, Watch};
pub use project::Project;
pub use record::{Composition, Stage};
pub use request::Request;
pub use service::{Generate, Service};
pub use source::Sources;

use stage::Work;

/// Makes what a composition does not have: all of it, or the stages that were cut out. The picture of a place
/// comes from the user's own while there are any that are not used, then from the libraries and services that
/// search, then from services that make some; where none has one, the place stays open under its caption.
///
/// # Errors
/// When the request or the pictures are not as they should be, the article itself is refused, or `watch` stops it:
/// then the composition has the stages that were made.
pub fn compose(
    made: &mut Composition,
    chat: &dyn Chat,
    sources: &Sources,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    made.request.check()?;
    sources.check(&made.request.own)?;
    let mut work = Work { chat, sources, watch };
    if made.article.is_none() {
        made.article = Some(stage::article(&made.request, &mut work)?);
    }
    if made.places.is_none() {
        made.places = Some(stage::places(made, &mut work)?);
    }
    if made.captions.is_none() {
        made.captions = Some(stage::captions(made, &mut work)?);
    }
    if made.candidates.is_none() {
        made.candidates = Some(stage::candidates(made, &mut work)?);
    }
    if made.choices.is_none() {
        made.choices = Some(stage::choices(made, &mut work)?);
    }
    Ok(())
}
