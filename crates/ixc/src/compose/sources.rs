//! Files and names as the sources of pictures.
//!
//! Deliberately absent: which library a name means (`crate::library`).

use std::path::PathBuf;

use ixc_compose::{
    Sources,
    source::{Library, Own},
};
use ixc_providers::Services;

use crate::{exit::Failure, library, picture};

/// Opens pictures and libraries; each keeps the name that it was given.
pub(crate) fn open(
    own: &[PathBuf],
    libraries: &[String],
    services: Services,
) -> Result<Sources, Failure> {
    let own = own.iter().map(|path| {
        let name = path.display().to_string();
        Own::new(&name, picture::read(path)?).map_err(Failure::mistake)
    });
    let libraries = libraries.iter().map(|name| {
        let library = library::open_to_search(Some(name))?;
        Ok(Library { name: name.clone(), library })
    });
    Ok(Sources {
        own: own.collect::<Result<_, Failure>>()?,
        libraries: libraries.collect::<Result<_, Failure>>()?,
        searches: services.searches,
        generators: services.generators,
        ..Sources::default()
    })
}
