//! A library of larger pictures, each with its caption beside it.
//!
//! The scenes are the library's own split, one place after the other, so that every place has its share.
//! Deliberately absent: an index for searching; whoever owns a library makes one.

use std::fs;

use serde_json::{Value, json};

use super::{Options, Progress, Written, check, picture};
use crate::{
    Error,
    dice::{Dice, Purpose},
    places::Place,
    sample,
    scene::Scene,
    split::{SceneId, Split},
    text::{
        Language,
        caption::{self, Style},
    },
};

/// Draws `options.count` pictures as `0000-lake.png`, a caption beside each as `0000-lake.txt`, and
/// `library.jsonl` with captions in both languages and tags. What of `options` names a split or files is not
/// used: a library has its own.
///
/// # Errors
/// As [`super::write`]'s; a folder's earlier files of the same names are replaced.
pub fn library(options: &Options, progress: Progress<'_>) -> Result<Vec<Written>, Error> {
    check(options)?;
    fs::create_dir_all(&options.out).map_err(Error::io("make the folder", &options.out))?;
    let mut index = String::new();
    for number in 0..options.count {
        let scene = member(options.seed, number);
        let place = scene.place.english().replace(' ', "-");
        let stem = options.out.join(format!("{number:04}-{place}"));
        picture::draw_to(&stem.with_extension("png"), &scene, options.side)?;
        let mut known = known(&scene);
        let text = stem.with_extension("txt");
        let caption = known["caption"].as_str().unwrap_or_default();
        fs::write(&text, format!("{caption}\n")).map_err(Error::io("write the file", &text))?;
        known["file"] = format!("{number:04}-{place}.png").into();
        index.push_str(&format!("{known}\n"));
        if progress(number + 1, options.count).is_break() {
            return Err(Error::Cancelled);
        }
    }
    let path = options.out.join("library.jsonl");
    fs::write(&path, index).map_err(Error::io("write the file", &path))?;
    Ok(vec![Written { path, samples: options.count }])
}

/// What a library knows of a scene's picture: short captions in both languages, a full description, tags; the keys
/// are those that `ixc library add` reads.
pub fn known(scene: &Scene) -> Value {
    let mut dice = Dice::of(scene.id, Purpose::Captions);
    let [english, chinese] = [Language::English, Language::Chinese]
        .map(|language| caption::caption(scene, Style::Short, language, &mut dice));
    let full = caption::caption(scene, Style::Detailed, Language::English, &mut dice);
    json!({ "caption": english, "caption_zh": chinese, "description": full, "tags": tags(scene) })
}

/// The scene of a number of a library: the first of its stream that is at the number's place.
pub fn member(seed: u64, number: u64) -> Scene {
    let place = Place::ALL[(number % Place::ALL.len() as u64) as usize];
    let scenes = (0..).map(|at| {
        sample::scene(SceneId { split: Split::Library, seed, number: (number << 16) + at })
    });
    scenes.into_iter().find(|scene| scene.place == place).expect("every place occurs")
}

fn tags(scene: &Scene) -> Vec<&'static str> {
    let moment = [
        scene.place.english(),
        scene.season.english(),
        scene.hour.english(),
        scene.weather.english(),
    ];
    moment.into_iter().chain(scene.things.iter().map(|thing| thing.kind.about().one)).collect()
}
