//! `--session`: a conversation in a file together with what the model has read of it.
//!
//! Invariants: a file that is no session is never written over; what was there stays whole until the
//! new one is. Deliberately absent: the file's form, which is `talk::saved`'s and the engine's.

use std::path::{Path, PathBuf};

use ixc_engine::{Engine, Past};
use ixc_input::image::Orientation;

use crate::{
    exit::Failure,
    talk::{
        Instruction, Talk,
        saved::{self, Rest},
    },
};

/// A session's file.
pub(crate) struct Session {
    path: PathBuf,
    /// What the model has read, in a file that is there and was not read to its end yet.
    rest: Option<Rest>,
}

impl Session {
    /// The conversation of a session, a new one if there is no such file.
    pub(crate) fn open(path: &Path, orientation: Orientation) -> Result<(Self, Talk), Failure> {
        let (talk, rest) = if path.exists() {
            let (talk, rest) = saved::read_session(path, orientation)?;
            (talk, Some(rest))
        } else {
            // Whether it can be written is known before the model is asked.
            saved::check_place(path)?;
            (Talk::new(Instruction::Published), None)
        };
        Ok((Self { path: path.into(), rest }, talk))
    }

    /// What the model has read of it.
    pub(crate) fn past(&mut self, engine: &Engine) -> Result<Past, Failure> {
        let Some(mut rest) = self.rest.take() else {
            return Ok(engine.past());
        };
        engine.read_past(&mut rest).map_err(|error| {
            let path = self.path.display();
            Failure::mistake(format!("{path}: {error}")).with_hint(format!(
                "to go on with its conversation, reading everything again: --load {path}\n\
                 to begin anew: remove the file, or name another"
            ))
        })
    }

    /// Writes the conversation and what the model has read.
    pub(crate) fn save(
        &self,
        talk: &Talk,
        engine: &Engine,
        past: &mut Past,
    ) -> Result<(), Failure> {
        saved::write_session(talk, &self.path, |out| engine.write_past(past, out))
    }
}
