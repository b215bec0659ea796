//! ixc-providers: services that find or make pictures, asked over HTTP.
//!
//! The flow: a file says which services there are ([`Config`]); [`open`] makes each a
//! [`Service`], as the editor sees them; one is asked through a `call`, whose
//! every wait ends by itself and can be stopped, and what it gives is held to be a picture before anyone sees it.
//! Invariants: nothing is sent that is not configured; a key goes to its service's own origin only; pictures come
//! from that origin, or from one that the file names; no redirect is followed. Deliberately absent: printing, the
//! process's environment, async, websockets.

mod a1111;
mod answer;
mod call;
mod comfyui;
mod config;
mod error;
pub mod limits;
mod openai;
mod picture;
mod search;
mod workflow;

use std::{ffi::OsString, fmt};

use ixc_compose::{
    Service,
    service::{Failed, Given, Wanted},
};
use ixc_net::Token;

pub use call::Patience;
pub use config::{A1111, ComfyUi, Config, Entry, KINDS, Kind, OpenAi, Prompt};
pub use error::Error;
pub use workflow::Workflow;

use call::{Call, Connection, Trouble};

/// Services that can be asked.
#[derive(Debug, Default)]
pub struct Services {
    /// Those that make pictures, in the file's order.
    pub generators: Vec<Box<dyn Service>>,
    /// Those that have some.
    pub searches: Vec<Box<dyn Service>>,
}

/// What a service speaks.
trait Form: fmt::Debug {
    /// Pictures for a caption, as [`Service::pictures`] has it.
    fn ask(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Given, Trouble>;
}

/// A service that is reached over a connection.
#[derive(Debug)]
struct Remote<F> {
    connection: Connection,
    form: F,
}

impl<F: Form> Service for Remote<F> {
    fn name(&self) -> &str {
        &self.connection.name
    }

    fn host(&self) -> &str {
        &self.connection.host
    }

    fn pictures(&self, wanted: &Wanted<'_>, stop: &dyn Fn() -> bool) -> Result<Given, Failed> {
        let given = self.form.ask(&self.connection.call(stop), wanted);
        given.map_err(|trouble| self.connection.failed(trouble))
    }
}

/// Makes what is configured ready. Connects to nothing yet.
///
/// `get` looks a variable up: keys by the names that the file gives, proxies by the usual ones.
///
/// # Errors
/// When an address, a key or a proxy cannot be used.
pub fn open(config: Config, get: &dyn Fn(&str) -> Option<OsString>) -> Result<Services, Error> {
    let mut services = Services::default();
    for entry in config.services {
        let key = key(&entry, get)?;
        let connection = Connection::new(&entry, key, get)?;
        match entry.kind {
            Kind::OpenAi(form) => services.generators.push(Box::new(Remote { connection, form })),
            Kind::A1111(form) => services.generators.push(Box::new(Remote { connection, form })),
            Kind::ComfyUi(form) => services.generators.push(Box::new(Remote { connection, form })),
            Kind::Search => {
                services.searches.push(Box::new(Remote { connection, form: search::Search }));
            }
        }
    }
    Ok(services)
}

/// The key that an entry names, if it names one.
fn key(entry: &Entry, get: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Token>, Error> {
    let Some(name) = &entry.key_env else { return Ok(None) };
    let value = ixc_net::settings::text(get, name).map_err(|unusable| entry.unusable(unusable))?;
    let token = value.map(|value| Token::new(name, &value)).transpose();
    match token.map_err(|unusable| entry.unusable(unusable))?.flatten() {
        Some(token) => Ok(Some(token)),
        None => Err(entry.bad(format!(
            "`key_env` names the variable {name}, which is not set; export it, or take `key_env` out"
        ))),
    }
}
