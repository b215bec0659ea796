//! The article as one web page that holds everything.
//!
//! Invariants: nothing is fetched and nothing runs: there is no script, and a policy in the page forbids what the
//! text could not smuggle in anyway; the one style sheet is allowed by its digest, pictures as data only. A picture
//! that is shown twice is held once. Deliberately absent: fonts (the reader's own are used).

use std::{collections::BTreeSet, path::Path};

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

use crate::{
    Error, Written,
    album::Asset,
    article::{Article, Figure},
    date,
    markup::{self, escaped},
    put, text,
};

const STYLE: &str = include_str!("html/page.css");

/// Writes the page.
pub(crate) fn write(article: &Article, to: &Path, overwrite: bool) -> Result<Written, Error> {
    put::whole(article, to, page(article).as_bytes(), overwrite)
}

fn page(article: &Article) -> String {
    let repeated = repeated(article);
    let body = markup::body(article, |figure, alternative| {
        let asset = &article.assets[figure.asset];
        let Asset { width, height, .. } = asset;
        if repeated.contains(&figure.asset) {
            format!(
                "<svg role=\"img\" aria-label=\"{alternative}\" width=\"{width}\" height=\"{height}\" \
                 viewBox=\"0 0 {width} {height}\"><use href=\"#asset-{}\"/></svg>",
                figure.asset
            )
        } else {
            let address = data(asset);
            format!(
                "<img src=\"{address}\" alt=\"{alternative}\" width=\"{width}\" height=\"{height}\"/>"
            )
        }
    });
    let direction = if text::is_right_to_left_language(&article.language) { "rtl" } else { "ltr" };
    let author = article.author.as_ref().map_or(String::new(), |author| {
        format!("<meta name=\"author\" content=\"{}\"/>\n", escaped(author))
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\" dir=\"{direction}\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta name=\"generator\" content=\"{generator}\"/>\n{author}\
         <meta name=\"dcterms.created\" content=\"{created}\"/>\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{shared}{body}</body>\n</html>\n",
        language = article.language,
        policy = policy(),
        generator = escaped(&article.generator),
        created = date::instant(article.created),
        title = escaped(&article.title),
        shared = shared(article, &repeated),
    )
}

/// Assets that more than one figure shows.
fn repeated(article: &Article) -> BTreeSet<usize> {
    let mut once = BTreeSet::new();
    article
        .figures()
        .map(|Figure { asset, .. }| *asset)
        .filter(|asset| !once.insert(*asset))
        .collect()
}

/// What several figures show, defined once where it is not seen.
fn shared(article: &Article, repeated: &BTreeSet<usize>) -> String {
    if repeated.is_empty() {
        return String::new();
    }
    let image = |at: &usize| {
        let asset = &article.assets[*at];
        let Asset { width, height, .. } = asset;
        let address = data(asset);
        format!(
            "<image id=\"asset-{at}\" href=\"{address}\" width=\"{width}\" height=\"{height}\"/>\n"
        )
    };
    let images: String = repeated.iter().map(image).collect();
    format!(
        "<svg class=\"shared\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n{images}</defs></svg>\n"
    )
}

/// What the page may do: show its own pictures in its own style.
fn policy() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    )
}

fn data(asset: &Asset) -> String {
    format!("data:{};base64,{}", asset.kind.media_type(), BASE64_STANDARD.encode(&asset.bytes))
}
