//! Which format a path asks for, and whether anything can be written there.
//!
//! Deliberately absent: writing (`put.rs` and each format's own file).

use std::path::{Path, PathBuf};

use ixc_files::folder_of;

use crate::Error;

/// How an article is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// CommonMark beside a folder of pictures.
    Markdown,
    /// One page that holds everything.
    Html,
    /// A book for reading devices, EPUB 3.
    Epub,
    /// A document for office programs.
    Docx,
    /// Pages that look the same everywhere.
    Pdf,
}

/// Endings and what they mean; the first of each is the usual one.
const ENDINGS: &[(&str, Format)] = &[
    ("md", Format::Markdown),
    ("markdown", Format::Markdown),
    ("html", Format::Html),
    ("htm", Format::Html),
    ("epub", Format::Epub),
    ("docx", Format::Docx),
    ("pdf", Format::Pdf),
];
const EXPECTED: &str = ".md, .html, .epub, .docx or .pdf";

impl Format {
    /// What the path's ending asks for; no ending, or a folder that is there, asks for Markdown in a folder.
    ///
    /// # Errors
    /// When the ending is of another format.
    pub fn of(path: &Path) -> Result<Format, Error> {
        let Some(ending) = path.extension().filter(|_| !path.is_dir()) else {
            return Ok(Format::Markdown);
        };
        let known = ENDINGS
            .iter()
            .find(|(known, _)| ending.eq_ignore_ascii_case(std::ffi::OsStr::new(known)));
        known
            .map(|(_, format)| *format)
            .ok_or(Error::UnknownFormat { path: path.into(), expected: EXPECTED })
    }
}

/// Where Markdown and its pictures go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    /// The text.
    pub(crate) text: PathBuf,
    /// The folder of pictures, beside the text.
    pub(crate) assets: PathBuf,
    /// The folder that holds both, where that is what was named.
    pub(crate) folder: Option<PathBuf>,
}

impl Pages {
    /// `DIR/article.md` with `DIR/assets`, or `NAME.md` with `NAME.assets`.
    pub(crate) fn at(to: &Path) -> Pages {
        let is_file = !to.is_dir() && to.extension().is_some();
        if is_file {
            return Pages { text: to.into(), assets: to.with_extension("assets"), folder: None };
        }
        let inside = Pages::inside(to);
        Pages { folder: Some(to.into()), ..inside }
    }

    pub(crate) fn inside(folder: &Path) -> Pages {
        Pages { text: folder.join("article.md"), assets: folder.join("assets"), folder: None }
    }
}

/// Finds out whether an article can be written somewhere, before anything is made for it.
///
/// # Errors
/// When something is there that may not (`overwrite`) or cannot be replaced, or the folder around is not there or
/// takes no files.
pub fn check_target(to: &Path, format: Format, overwrite: bool) -> Result<(), Error> {
    let other = |path: &Path, found, wanted| Error::OtherKind { path: path.into(), found, wanted };
    let mut file = to.to_owned();
    if format == Format::Markdown {
        let pages = Pages::at(to);
        if pages.folder.is_some() && to.exists() && !to.is_dir() {
            return Err(other(to, "a file", "a folder"));
        }
        if pages.assets.exists() && !pages.assets.is_dir() {
            return Err(other(&pages.assets, "a file", "a folder of pictures"));
        }
        file = pages.text;
    }
    if file.is_dir() {
        return Err(other(&file, "a folder", "a file"));
    }
    if file.exists() && !overwrite {
        return Err(Error::Exists { path: file });
    }
    let around = folder_of(to);
    if !around.is_dir() {
        return Err(Error::NoFolder { path: around.into() });
    }
    // Better now than when an article has been written for it.
    let folder = if to.is_dir() { to } else { around };
    ixc_files::beside(folder).map(drop).map_err(Error::file("make a file in the folder", folder))
}
