//! The article as CommonMark beside a folder of its pictures.
//!
//! Invariant: read back by any CommonMark reader, the text is the same blocks with the same words: whatever looks
//! like markup in it is escaped. Extensions of CommonMark that common programs have (tables, strikethrough, math,
//! comments, templates) are escaped with it. Pictures are named by their content, and the text comes last, so at
//! every moment the text that is there shows the pictures that belong to it.
//! Deliberately absent: front matter, which CommonMark does not have.

use std::{fs, io, path::Path};

use ixc_files::folder_of;

use crate::{
    Error, Written,
    article::{Article, Figure, Piece},
    format::Pages,
    put, text,
};

/// Writes the text and its pictures; a folder that is not there yet appears with all that is in it.
pub(crate) fn write(article: &Article, to: &Path, overwrite: bool) -> Result<Written, Error> {
    let pages = Pages::at(to);
    let Some(folder) = pages.folder.as_ref().filter(|folder| !folder.exists()) else {
        return write_at(article, &pages, overwrite);
    };
    let around = folder_of(folder);
    let beside =
        ixc_files::folder_beside(around).map_err(Error::file("make a folder in", around))?;
    let written = write_at(article, &Pages::inside(beside.path()), false)?;
    fs::rename(beside.path(), folder).map_err(Error::file("rename into place", folder))?;
    // The folder has its name now; there is nothing left to clear away.
    let _ = beside.keep();
    ixc_files::sync_folder(around).map_err(Error::file("bring to the disk", around))?;
    Ok(Written { path: pages.text, ..written })
}

fn write_at(article: &Article, pages: &Pages, overwrite: bool) -> Result<Written, Error> {
    let folder = pages.assets.file_name().unwrap_or_default().to_string_lossy();
    let text = page(article, &folder);
    let mut bytes = text.len() as u64;
    if !article.assets.is_empty() {
        fs::create_dir_all(&pages.assets).map_err(Error::file("make the folder", &pages.assets))?;
    }
    for asset in &article.assets {
        let path = pages.assets.join(&asset.name);
        bytes += asset.bytes.len() as u64;
        let is_there = fs::read(&path).is_ok_and(|found| *found == *asset.bytes);
        if !is_there {
            put::put(&path, &asset.bytes, true)?;
        }
    }
    put::put(&pages.text, text.as_bytes(), overwrite)?;
    clear(article, &pages.assets)?;
    Ok(Written {
        path: pages.text.clone(),
        bytes,
        pictures: article.assets.len(),
        without_metadata: article.without_metadata.clone(),
        without_glyph: Vec::new(),
    })
}

/// Removes pictures of an article that stood here before; only files with names as this crate gives them.
fn clear(article: &Article, assets: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(assets) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("look into the folder", assets)(error)),
    };
    for entry in entries {
        let path = entry.map_err(Error::file("look into the folder", assets))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_of_use = article.assets.iter().any(|asset| asset.name == name);
        if is_ours(name) && !is_of_use {
            fs::remove_file(&path).map_err(Error::file("remove the old picture", &path))?;
        }
    }
    Ok(())
}

/// Whether a name is two digits or more, a dash, eight digits of a digest, and an ending.
fn is_ours(name: &str) -> bool {
    let Some((stem, "jpg" | "png")) = name.rsplit_once('.') else { return false };
    let Some((number, digest)) = stem.split_once('-') else { return false };
    number.len() >= 2
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && digest.len() == 8
        && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The whole text; pictures lie in `folder`.
fn page(article: &Article, folder: &str) -> String {
    let mut blocks = vec![format!("# {}", escaped(&article.title))];
    if let Some(author) = &article.author {
        blocks.push(format!("*{}*", escaped(author)));
    }
    for piece in &article.pieces {
        match piece {
            Piece::Heading(heading) => blocks.push(format!("## {}", escaped(heading))),
            Piece::Paragraph(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
                blocks.push(lines.join("\\\n"));
            }
            Piece::Figure(figure) => blocks.extend(shown(article, figure, folder)),
        }
    }
    let credited = article.credited();
    if !credited.is_empty() {
        blocks.push("---".to_owned());
        blocks.push(format!("## {}", article.words.credits));
        let entries: Vec<String> = credited.iter().map(|figure| entry(article, figure)).collect();
        blocks.push(entries.join("\n"));
    }
    blocks.join("\n\n") + "\n"
}

/// A picture; below it, in a paragraph of their own, its caption, credit and mark.
fn shown(article: &Article, figure: &Figure, folder: &str) -> Vec<String> {
    let name = &article.assets[figure.asset].name;
    let address = format!("{}/{name}", percent_encoded(folder));
    let picture = format!("![{}]({address})", escaped(&figure.alternative));
    let caption = Some(&figure.caption).filter(|caption| !caption.is_empty());
    let lines = [caption.cloned(), figure.credit(article.words), figure.mark(article.words)];
    let lines: Vec<String> =
        lines.iter().flatten().map(|line| format!("*{}*", escaped(line))).collect();
    let below = Some(lines.join("\\\n")).filter(|lines| !lines.is_empty());
    [Some(picture), below].into_iter().flatten().collect()
}

/// A line of the list at the end.
fn entry(article: &Article, figure: &Figure) -> String {
    let source = figure.source.as_ref().map(|source| match text::address(source) {
        Some(address) => format!("<{address}>"),
        None => escaped(source),
    });
    let told = [figure.credit(article.words), figure.mark(article.words)];
    let told: Vec<String> = told.iter().flatten().map(|text| escaped(text)).chain(source).collect();
    format!("- {}: {}", escaped(&figure.label(article.words)), told.join(article.words.and))
}

/// A line of text in which nothing is markup.
fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 8);
    let characters: Vec<char> = line.chars().collect();
    let leading_digits =
        characters.iter().take_while(|character| character.is_ascii_digit()).count();
    for (at, &character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| characters[before]);
        let next = characters.get(at + 1);
        let is_markup = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' | '$' | '{' | '}' => {
                true
            }
            '#' => before.is_none_or(|before| !before.is_alphanumeric()),
            '+' | '-' => at == 0,
            '.' | ')' => at == leading_digits && at > 0,
            // Doubled, or below a line, they mean something to some program.
            '=' | '%' | ':' | '^' => {
                at == 0 || before == Some(character) || next == Some(&character)
            }
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A folder's name as part of an address.
fn percent_encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}
