//! `ixc completions`: a script that teaches a shell the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, exit::Failure, output};

const EXAMPLES: &str = "\
Examples:
  ixc completions bash > ~/.local/share/bash-completion/completions/ixc
  ixc completions zsh > \"${fpath[1]}/_ixc\"
  ixc completions fish > ~/.config/fish/completions/ixc.fish";

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::print_bytes(&script)
}
