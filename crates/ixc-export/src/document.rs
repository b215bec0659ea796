//! What is exported: an article as plain data, and how it shall be written.
//!
//! Deliberately absent: how the article came about, and everything about one format.

use std::{path::PathBuf, sync::Arc};

/// An illustrated article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// One line; not empty.
    pub title: String,
    /// The language of the text as a BCP 47 tag (`en`, `zh-Hans`, `ar`): it goes into the files, and chooses
    /// fonts and the few words that are not the author's.
    pub language: String,
    /// Who wrote it, where that shall be said.
    pub author: Option<String>,
    /// The article, from top to bottom.
    pub blocks: Vec<Block>,
    /// Seconds since 1970-01-01 UTC: the caller's clock, so that the same document gives the same bytes.
    pub created: u64,
    /// The program that made it, with its version.
    pub generator: String,
}

/// A part of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading, one level below the title.
    Heading(String),
    /// Text. A line break is a line break, a blank line begins another paragraph.
    Paragraph(String),
    /// A picture with what is said about it.
    Picture(Picture),
}

/// A picture of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its file, in any format that [`ixc_input::image`] reads.
    pub source: Source,
    /// What stands below it; may be empty.
    pub caption: String,
    /// What is read to those who do not see it; where it is empty, the caption is.
    pub alternative: String,
    /// Whose it is.
    pub credit: Option<Credit>,
    /// For a generated picture: by what, as in `model: prompt`. It is marked as such wherever it is shown.
    pub generated: Option<String>,
}

/// Where a picture's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// On the disk.
    File(PathBuf),
}

/// Whose a picture is and what may be done with it, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Who made it.
    pub author: Option<String>,
    /// Under which licence it is used.
    pub licence: Option<String>,
    /// Where it is from; an `http` or `https` address becomes a link, anything else stays text.
    pub source: Option<String>,
}

/// How to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Pixels of a picture's width at most; wider ones are made smaller. At least 16.
    pub max_width: u32,
    /// Quality of pictures that become JPEG, 1 to 100.
    pub jpeg_quality: u8,
    /// Keep what cameras and programs wrote into JPEG and PNG files (place, time, serial numbers, prompts).
    /// A picture that must be made anew has none all the same; [`crate::Written`] names those.
    pub keep_metadata: bool,
    /// Replace what is there already.
    pub overwrite: bool,
    /// Where a PDF looks for fonts with the characters that the packaged ones lack; one that is not there is no error.
    pub font_folders: Vec<PathBuf>,
}

impl Default for Options {
    /// Pictures of 1600 pixels (a column of 36 em on a fine screen), without metadata; nothing is replaced, no font is
    /// looked for.
    fn default() -> Self {
        Options {
            max_width: 1600,
            jpeg_quality: 85,
            keep_metadata: false,
            overwrite: false,
            font_folders: Vec::new(),
        }
    }
}
