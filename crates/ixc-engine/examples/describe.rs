//! Describes a picture: `cargo run --release --example describe -- MODEL_FOLDER PICTURE [QUESTION]`.

#![allow(clippy::print_stdout)] // an example talks to its reader

use std::{env, error::Error, fs, io::Write};

use ixc_engine::{Engine, Event, LoadOptions, Request};
use ixc_input::{
    conversation::{Conversation, Role, Turn, parts_from_marked},
    image::{self, Orientation},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(model), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("expected a model folder and a picture".into());
    };
    let question = arguments.next().unwrap_or("Describe this picture.".into());

    let engine = Engine::load(model.as_ref(), &LoadOptions::default())?;
    let picture = image::load(&fs::read(picture)?, Orientation::AsStored)?;
    let mut conversation = Conversation::with_instruction(&engine.instruction());
    conversation.turns.push(Turn { role: Role::User, parts: parts_from_marked(&question, 0, 1)? });

    for event in engine.answer(&Request::new(conversation, vec![picture]))? {
        match event? {
            Event::Text(piece) => print!("{piece}"),
            Event::End(answer) => println!("\n({} words)", answer.ids.len()),
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
