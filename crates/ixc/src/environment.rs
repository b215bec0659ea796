//! The process's environment: the only file that reads it.
//!
//! One variable is ours, `IXC_MODEL` (clap reads it for `--model`); the others are conventions of the
//! hub, of terminals and of where a user's files go, or hold the keys of services that such a file names.
//! Everything else is a flag.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use ixc_hub::Settings;

use crate::exit::{Exit, Failure};

/// The model that is used when none is named.
pub(crate) const MODEL: &str = "IXC_MODEL";

/// rayon's own variable, which the threads of our kernels obey as well.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The variables as help and man pages state them.
pub(crate) const HELP: &str = "\
Environment:
  IXC_MODEL        the model when --model is not given: a folder, a file, or an id on the hub
  HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, HTTPS_PROXY
                   where models are kept, who asks, and which hub is asked, as for huggingface_hub
  RAYON_NUM_THREADS
                   how many processor cores to use; all of them by default
  XDG_STATE_HOME   where the history of your questions is kept (in ixc/history)
  XDG_CONFIG_HOME  where the services that find or make pictures are named (in ixc/providers.toml)
  XDG_DATA_HOME    where libraries of pictures are kept by name (in ixc/libraries), and fonts of yours (in fonts)
  NO_COLOR         no colours";

/// How many threads are to compute, if that is said (0 says nothing, as for rayon).
pub(crate) fn threads() -> Result<Option<usize>, Failure> {
    let Some(said) = env::var_os(THREADS).filter(|said| !said.is_empty()) else {
        return Ok(None);
    };
    let count = said.to_str().and_then(|said| said.parse::<usize>().ok());
    let count = count.ok_or_else(|| {
        let found = said.display();
        Failure::mistake(format!("{THREADS}: expected a whole number, found {found:?}"))
    })?;
    Ok((count > 0).then_some(count))
}

/// Whether colours are wanted at all (no-color.org: set and not empty means no).
pub(crate) fn wants_colours() -> bool {
    let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// Where the hub's cache is and how the hub is asked.
pub(crate) fn hub_settings() -> Result<Settings, Failure> {
    Settings::from_variables(|name| env::var_os(name), home().as_deref())
        .map_err(Failure::of(Exit::Mistake))
}

/// The user's home folder.
pub(crate) fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// The file that remembers questions from one conversation to the next.
pub(crate) fn history_file() -> Option<PathBuf> {
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("ixc").join("history"))
}

/// Where a user's libraries of pictures are kept by their names.
pub(crate) fn libraries() -> Option<PathBuf> {
    let data = absolute("XDG_DATA_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| Some(home()?.join(".local/share")))?;
    Some(data.join("ixc").join("libraries"))
}

/// Where fonts are kept on this system: the user's own first, then everybody's.
pub(crate) fn font_folders() -> Vec<PathBuf> {
    let at_home = |inside: &str| home().map(|home| home.join(inside));
    let folders = if cfg!(target_os = "macos") {
        vec![
            at_home("Library/Fonts"),
            Some("/Library/Fonts".into()),
            Some("/System/Library/Fonts".into()),
        ]
    } else if cfg!(windows) {
        let own = absolute("LOCALAPPDATA")
            .map(|data| data.join("Microsoft").join("Windows").join("Fonts"));
        vec![own, absolute("WINDIR").map(|windows| windows.join("Fonts"))]
    } else {
        let data = absolute("XDG_DATA_HOME").or_else(|| at_home(".local/share"));
        let shared = ["/usr/local/share/fonts", "/usr/share/fonts"].map(|path| Some(path.into()));
        let own = [data.map(|data| data.join("fonts")), at_home(".fonts")];
        own.into_iter().chain(shared).collect()
    };
    folders.into_iter().flatten().collect()
}

/// The file that names the services that find or make pictures.
pub(crate) fn providers() -> Option<PathBuf> {
    let configuration = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| Some(home()?.join(".config")))?;
    Some(configuration.join("ixc").join("providers.toml"))
}

/// A variable that a user's file names, or that every program heeds.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// A folder that a variable names; what is relative to wherever one is means nothing.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// A path as a person types it where no shell reads it: with a leading `~` for home.
pub(crate) fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).into(),
    }
}
