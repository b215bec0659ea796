//! `ixc man`: the manual pages, made from the same help texts.
//!
//! Examples, environment and exit codes are set line by line as the help has them, each under a
//! heading of its own.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use crate::{cli::Cli, exit::Failure, output};

const EXAMPLES: &str = "\
Examples:
  ixc man | man -l -
  ixc man --out ~/.local/share/man/man1";

/// Print the manual page, or write all of them into a folder
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write ixc.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes.
pub(crate) fn run(args: ManArgs) -> Result<(), Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = args.out else {
        return output::print_bytes(&page(&root)?);
    };
    let cannot = |error| Failure::mistake(format!("cannot write to {}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(cannot)?;
    for command in [&root].into_iter().chain(root.get_subcommands()) {
        let path = folder.join(Path::new(&Man::new(command.clone()).get_filename()));
        std::fs::write(&path, page(command)?).map_err(cannot)?;
        output::print_line(&path.display().to_string())?;
    }
    Ok(())
}

/// One page.
fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let man = Man::new(command.clone()).manual("ixc");
    let mut page = Vec::new();
    let written = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ]
    .into_iter()
    .try_for_each(|section| section(&man, &mut page))
    .and_then(|()| {
        if command.has_subcommands() { man.render_subcommands_section(&mut page) } else { Ok(()) }
    });
    written.map_err(|error| Failure::mistake(format!("cannot make the page: {error}")))?;
    if let Some(text) = command.get_after_help() {
        page.extend(sections(&text.to_string()).into_bytes());
    }
    Ok(page)
}

/// The help's closing text in roff: a line that ends in a colon begins a section, lines that are set
/// in stay as they are, the rest is running text.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut verbatim = false;
    for line in text.lines() {
        let set_in = line.starts_with(' ');
        if set_in != verbatim && !line.is_empty() {
            roff.push_str(if set_in { ".nf\n" } else { ".fi\n" });
            verbatim = set_in;
        }
        match line.strip_suffix(':') {
            Some(heading) if !set_in => {
                roff.push_str(&format!(".SH {}\n", heading.to_uppercase()));
            }
            _ if line.is_empty() => roff.push_str(".PP\n"),
            _ => roff.push_str(&format!("{}\n", escaped(line))),
        }
    }
    if verbatim {
        roff.push_str(".fi\n");
    }
    roff
}

/// A line of text that roff does not obey.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn closing_text_becomes_sections() {
        let found = sections("Examples:\n  ixc run -i a\\ b\n\nMore text.\n.odd");
        assert_eq!(
            found,
            ".SH EXAMPLES\n.nf\n  ixc run \\-i a\\e b\n.PP\n.fi\nMore text.\n\\&.odd\n"
        );
    }
}
