//! ixc, the door: flags become options, options become one call, results become words.
//!
//! `cli` names the commands, `commands/` holds one file for each. Invariants: only this crate prints
//! and reads the environment; stdout is data, stderr is everything else; the user's mistake is a
//! message and an exit code (`exit`), never a panic. Deliberately absent: arithmetic, file formats,
//! the network; those are the rooms below.

mod answer;
mod bench;
mod calibration;
mod chat;
mod cli;
mod commands;
mod compose;
mod environment;
mod exit;
mod inspect;
mod interrupt;
mod library;
mod machine;
mod memory;
mod mini;
mod model;
mod options;
mod output;
mod picture;
mod progress;
mod session;
mod style;
mod table;
mod talk;
mod train;

use std::process::ExitCode;

use clap::Parser;

use crate::exit::Exit;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|bug| {
        output::complain(style::ERROR, &format!("this is a bug in ixc, not your mistake: {bug}"));
    }));
    let cli = cli::Cli::parse();
    let threads = environment::threads().map(|said| said.map(ixc_nn::pool::set_threads));
    match threads.and_then(|_| cli.command.run()) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.tell().into(),
    }
}
