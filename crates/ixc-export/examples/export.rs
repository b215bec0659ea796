//! A text with pictures as every format: `export TEXT OUT.html OUT.epub …`.
//!
//! The text's first line is the title; lines that begin with `## ` are headings, lines such as
//! `picture.jpg | caption | author | licence | source` are pictures. Deliberately absent: flags.

#![allow(clippy::print_stdout)] // an example is a program

use std::{env, error::Error, fs, path::Path};

use ixc_export::{Block, Credit, Document, Format, Options, Picture, Source, write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let from = arguments.next().ok_or("expected a text and the files to write")?;
    let text = fs::read_to_string(&from)?;
    let folder = Path::new(&from).parent().unwrap_or(Path::new("."));
    let (title, text) = text.split_once('\n').ok_or("expected a title and a text below it")?;
    let is_chinese = title.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
    let document = Document {
        title: title.to_owned(),
        language: if is_chinese { "zh-Hans" } else { "en" }.to_owned(),
        author: None,
        blocks: text.lines().map(|line| block(line, folder)).collect(),
        created: 1_795_725_534,
        generator: "export, an example".to_owned(),
    };
    let options = Options {
        overwrite: true,
        font_folders: vec!["/usr/share/fonts".into()],
        ..Options::default()
    };
    for to in arguments {
        let to = Path::new(&to);
        let written = write(&document, Format::of(to)?, to, &options)?;
        println!("{}: {} bytes, {} pictures", to.display(), written.bytes, written.pictures);
        if !written.without_glyph.is_empty() {
            println!("  no font has {:?}", written.without_glyph);
        }
    }
    Ok(())
}

fn block(line: &str, folder: &Path) -> Block {
    if let Some(heading) = line.strip_prefix("## ") {
        return Block::Heading(heading.to_owned());
    }
    let mut parts = line.split('|').map(str::trim);
    let file = folder.join(parts.next().unwrap_or_default());
    if !line.contains('|') || !file.is_file() {
        return Block::Paragraph(line.to_owned());
    }
    let mut next = || parts.next().map(str::to_owned).filter(|part| !part.is_empty());
    let caption = next().unwrap_or_default();
    let credit = Credit { author: next(), licence: next(), source: next() };
    let generated = next();
    Block::Picture(Picture {
        source: Source::File(file),
        alternative: caption.clone(),
        caption,
        credit: Some(credit).filter(|credit| *credit != Credit::default()),
        generated,
    })
}
