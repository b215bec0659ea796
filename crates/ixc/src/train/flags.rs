//! A recipe's keys as flags, made of the table that says what keys there are.
//!
//! Invariant: one table, so that files, flags and help cannot differ. Values are read by the recipe.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use ixc_train::recipe::{KEYS, Key, ValueKind};

/// The flags that were given: keys and their values' text.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecipeFlags(pub(crate) Vec<(String, String)>);

/// The heading of these flags in the help.
const HEADING: &str = "Recipe (see also --print-recipe)";

fn flag(key: &Key) -> Arg {
    let arg = Arg::new(key.name)
        .long(key.name.replace('_', "-"))
        .help(capitalised(key.help))
        .help_heading(HEADING)
        .allow_negative_numbers(true);
    match key.kind {
        ValueKind::Choice(words) => arg.value_name(words.join("|")),
        ValueKind::Text => arg.value_name("TEXT"),
        ValueKind::Device => arg.value_name("DEVICE"),
        ValueKind::Whole => arg.value_name("N"),
        ValueKind::Number => arg.value_name("X"),
        ValueKind::Flag => {
            arg.value_name("true|false").num_args(0..=1).default_missing_value("true")
        }
        ValueKind::Words => arg.value_name("NAME,…"),
        // May be given several times, as several files.
        ValueKind::Sources => arg.value_name("FILE[:samples=N|:ratio=X]").action(ArgAction::Append),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl Args for RecipeFlags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| command.arg(flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RecipeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &Key| {
            let values: Vec<String> = matches.get_many(key.name)?.cloned().collect();
            Some((key.name.to_owned(), values.join(",")))
        };
        Ok(Self(KEYS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
