//! An article's pictures, each made ready once: turned, not too wide, JPEG or PNG, nothing in it but the picture.
//!
//! Invariant: the same file, and files that come out the same, are one asset. What needs no change keeps its
//! pixels to the last bit: only parts of the file are left out. Deliberately absent: captions and places.

use std::{collections::HashMap, fs, io::Read, path::Path, sync::Arc};

use ixc_input::{
    image::{self, Picture, Seen},
    limits::MAX_PICTURE_FILE_BYTES,
    resize::{Filter, resize},
};
use sha2::{Digest, Sha256};

use crate::{Error, Options, Source, encode, limits::MAX_ASSET_BYTES, strip};

/// A PNG goes to JPEG where that takes under one part in so many of its bytes: a photograph, not a drawing.
const WORTH_LOSING: usize = 3;

/// What a picture's file has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Kind::Jpeg => "jpg",
            Kind::Png => "png",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Kind::Jpeg => "image/jpeg",
            Kind::Png => "image/png",
        }
    }
}

/// A picture's file as it goes into the export.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// Its number among the assets and the beginning of its digest: other bytes, another name.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: Arc<[u8]>,
    /// Pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// All assets, in the order of their first use.
#[derive(Debug)]
pub(crate) struct Album<'a> {
    options: &'a Options,
    pub(crate) assets: Vec<Asset>,
    /// The asset of a file, by the digest of what was read or of what was made of it.
    known: HashMap<[u8; 32], usize>,
    bytes: u64,
    /// Numbers of the pictures that lost what was to be kept.
    pub(crate) without_metadata: Vec<usize>,
}

impl<'a> Album<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Album {
            options,
            assets: Vec::new(),
            known: HashMap::new(),
            bytes: 0,
            without_metadata: Vec::new(),
        }
    }

    /// The asset of picture `number` of the article.
    pub(crate) fn add(&mut self, number: usize, source: &Source) -> Result<usize, Error> {
        let file = match source {
            Source::Bytes(bytes) => bytes.clone(),
            Source::File(path) => {
                let refused = |source| Error::PictureFile { number, path: path.clone(), source };
                read(path).map_err(refused)?.into()
            }
        };
        let digest = Sha256::digest(&file).into();
        if let Some(&asset) = self.known.get(&digest) {
            return Ok(asset);
        }
        let path = match source {
            Source::Bytes(_) => None,
            Source::File(path) => Some(path.clone()),
        };
        let seen = image::see(&file).map_err(|source| Error::Picture { number, path, source })?;
        let (asset, is_original) = self.made(&file, seen);
        if self.options.keep_metadata && !is_original {
            self.without_metadata.push(number);
        }
        let place = self.store(asset)?;
        self.known.insert(digest, place);
        Ok(place)
    }

    fn store(&mut self, mut asset: Asset) -> Result<usize, Error> {
        let digest: [u8; 32] = Sha256::digest(&asset.bytes).into();
        if let Some(&place) = self.known.get(&digest) {
            return Ok(place);
        }
        self.bytes += asset.bytes.len() as u64;
        if self.bytes > MAX_ASSET_BYTES {
            let what = "bytes of pictures";
            return Err(Error::TooLarge { what, found: self.bytes, limit: MAX_ASSET_BYTES });
        }
        let place = self.assets.len();
        let start: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        asset.name = format!("{:02}-{start}.{}", place + 1, asset.kind.ending());
        self.assets.push(asset);
        self.known.insert(digest, place);
        Ok(place)
    }

    /// The asset (without its name), and whether it is the file that was given, with all that is in it.
    fn made(&self, file: &Arc<[u8]>, seen: Seen) -> (Asset, bool) {
        let picture = &seen.picture;
        let asset = |kind, bytes: Vec<u8>, picture: &Picture| Asset {
            name: String::new(),
            kind,
            bytes: bytes.into(),
            width: picture.width(),
            height: picture.height(),
        };
        let stripped = match seen.format {
            image::Format::Jpeg => strip::jpeg(file).map(|bytes| (Kind::Jpeg, bytes)),
            image::Format::Png => strip::png(file).map(|bytes| (Kind::Png, bytes)),
            _ => None,
        };
        let fits = !seen.turned && picture.width() <= self.options.max_width;
        match &stripped {
            Some((kind, _)) if fits && self.options.keep_metadata => {
                return (asset(*kind, file.to_vec(), picture), true);
            }
            Some((Kind::Jpeg, bytes)) if fits => {
                return (asset(Kind::Jpeg, bytes.clone(), picture), false);
            }
            Some((Kind::Png, bytes)) if fits => {
                let is_transparent = strip::png_is_transparent(bytes);
                let profile = seen.profile.as_deref();
                return self.smaller(picture, bytes.clone(), is_transparent, profile, asset);
            }
            _ => {}
        }
        let narrow = narrowed(picture, self.options.max_width);
        let picture = narrow.as_ref().unwrap_or(picture);
        let profile = seen.profile.as_deref();
        if seen.format == image::Format::Jpeg {
            let bytes = encode::jpeg(picture, self.options.jpeg_quality, profile);
            return (asset(Kind::Jpeg, bytes, picture), false);
        }
        self.smaller(picture, encode::png(picture, profile), false, profile, asset)
    }

    /// The PNG, or a JPEG where that is much smaller and nothing shines through.
    fn smaller(
        &self,
        picture: &Picture,
        png: Vec<u8>,
        is_transparent: bool,
        profile: Option<&[u8]>,
        asset: impl Fn(Kind, Vec<u8>, &Picture) -> Asset,
    ) -> (Asset, bool) {
        if !is_transparent {
            let jpeg = encode::jpeg(picture, self.options.jpeg_quality, profile);
            if jpeg.len() < png.len() / WORTH_LOSING {
                return (asset(Kind::Jpeg, jpeg, picture), false);
            }
        }
        (asset(Kind::Png, png, picture), false)
    }
}

/// The picture at the width, its height in proportion; `None` where it is not wider.
fn narrowed(picture: &Picture, width: u32) -> Option<Picture> {
    let height = u64::from(picture.height()) * u64::from(width);
    let height = (height + u64::from(picture.width()) / 2) / u64::from(picture.width());
    (picture.width() > width)
        .then(|| resize(picture, width, (height as u32).max(1), Filter::Bicubic))
}

/// A picture's file; one byte more than may be is enough for the decoder to say so.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_PICTURE_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
