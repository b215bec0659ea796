//! Which services pictures are asked of: a file of the user's, and nothing without one.
//!
//! Deliberately absent: what is asked of them and how (`ixc_compose`, `ixc_providers`).

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ixc_compose::Generate;
use ixc_providers::{Config, Services};

use super::keeper::Keeper;
use crate::{environment, exit::Failure};

/// Services of pictures.
#[derive(Args, Debug)]
pub(crate) struct ServiceArgs {
    /// A file of services that find or make pictures; captions go to them [default: ixc/providers.toml in your
    /// configuration folder, if it is there]
    #[arg(long, value_name = "FILE.toml")]
    providers: Option<PathBuf>,
    /// Ask no service, even if ixc/providers.toml is there
    #[arg(long, conflicts_with = "providers")]
    no_providers: bool,
    /// When services make pictures [default: missing]
    #[arg(long, value_name = "WHEN")]
    generate: Option<GenerateArg>,
    /// Put the pictures that services make into this library, with the words, model and seed they were made from; it
    /// is made where there is none
    #[arg(long, value_name = "NAME|DIR")]
    keep_generated: Option<String>,
}

/// When services make pictures.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum GenerateArg {
    /// Where nothing else has a picture
    Missing,
    /// At each place, beside what is found
    Always,
    /// Not at all
    Never,
}

impl ServiceArgs {
    /// When services make pictures, if it was said.
    pub(crate) fn generate(&self) -> Option<Generate> {
        self.generate.map(|when| match when {
            GenerateArg::Missing => Generate::Missing,
            GenerateArg::Always => Generate::Always,
            GenerateArg::Never => Generate::Never,
        })
    }

    /// Whether what is made is to be kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keep_generated.is_some()
    }

    /// The library that keeps what is made, if there is to be one.
    pub(crate) fn keeper(&self) -> Result<Option<Keeper>, Failure> {
        self.keep_generated.as_deref().map(Keeper::open).transpose()
    }

    /// The services, ready to be asked.
    pub(crate) fn open(&self) -> Result<Services, Failure> {
        let usual = || environment::providers().filter(|path| path.is_file());
        let path = match &self.providers {
            _ if self.no_providers => None,
            Some(path) => Some(path.clone()),
            None => usual(),
        };
        let Some(path) = path else { return Ok(Services::default()) };
        let services = Config::read(&path)
            .and_then(|config| ixc_providers::open(config, &environment::variable))
            .map_err(Failure::mistake);
        services.map_err(|failure| match self.providers {
            Some(_) => failure,
            None => failure.with_hint("--no-providers goes on without it"),
        })
    }
}
