//! The samples of one number: its conversations as lines of JSON, and its pictures as files.
//!
//! A picture that several files speak of has one name, and is drawn once. Deliberately absent: order between
//! numbers, which the caller keeps.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Options, What, picture};
use crate::{
    Error,
    dice::{Dice, Purpose},
    sample,
    scene::Scene,
    split::SceneId,
    text::{
        Exchange, article, caption, choosing,
        edit::{self, Action},
        language, matching, patches, question, refusal, talk, things, titles, two,
    },
};

/// What stands for a picture in a turn.
const MARKER: &str = ixc_input::conversation::IMAGE_MARKER;

/// Questions in one conversation about one picture.
const QUESTIONS: usize = 5;

/// Questions about a picture's single things in one conversation.
const THINGS: usize = 6;

/// Scenes whose pictures lie in one folder.
const FOLDER: u64 = 1000;

/// The folder of a number's pictures, below the world's.
pub(super) fn folder(number: u64) -> PathBuf {
    PathBuf::from("pictures").join(format!("{:05}", number / FOLDER))
}

/// The lines of a number in one file; draws its pictures.
pub(super) fn of(options: &Options, what: What, number: u64) -> Result<String, Error> {
    let id = SceneId { split: options.split, seed: options.seed, number };
    let scribe = Scribe { options, what, number };
    let about = |said: &dyn Fn(&Scene) -> Vec<Exchange>| {
        let scene = sample::scene(id);
        scribe.about(&scene, said(&scene))
    };
    match what {
        What::Captions => about(&|scene| caption::captions(scene, 2)),
        What::Patches => {
            let scene = sample::scene(id);
            scribe.patches(&scene, patches::patches(&scene, options.side), Vec::new())
        }
        What::Questions => about(&asked),
        What::Things => scribe.things(&sample::scene(id)),
        What::Sides => about(&|scene| exchanges(or_another(scene, things::sides(scene)))),
        What::Comparisons => {
            about(&|scene| exchanges(or_another(scene, things::comparisons(scene))))
        }
        What::Colours => about(&|scene| exchanges(or_another(scene, things::colours(scene)))),
        What::Whether => about(&|scene| exchanges(question::whether(scene))),
        What::Refusals => about(&refused),
        What::Signs => {
            let (scene, asked) = question::of_a_sign(id);
            let drawn = scribe.extra(&scene, "s", 0)?;
            Ok(scribe.line("", &[drawn], &marked(1, vec![asked.exchange])))
        }
        What::Matching => {
            let made = matching::matching(id);
            Ok(scribe.line("", &scribe.all(&made.pictures, "m")?, &made.exchanges))
        }
        What::Choosing => {
            let made = choosing::choosing(id);
            let drawn = scribe.all(&made.pictures, "c")?;
            let lessons = made.lessons.iter().enumerate().map(|(at, lesson)| {
                let shown = lesson.before.iter().chain(&lesson.shown);
                let shown: Vec<Drawn> = shown.map(|&at| drawn[at].clone()).collect();
                let exchanges: Vec<Exchange> =
                    lesson.questions.iter().map(|(_, exchange)| exchange.clone()).collect();
                scribe.line(&format!("/{at}"), &shown, &exchanges)
            });
            Ok(lessons.collect())
        }
        What::Titles => {
            let asked = titles::titles(id).questions.into_iter().map(|(_, exchange)| exchange);
            Ok(scribe.line("", &[], &asked.collect::<Vec<_>>()))
        }
        What::Two => {
            let pair = two::pair(id, 3);
            let drawn = [scribe.base(&pair.scenes[0])?, scribe.extra(&pair.scenes[1], "b", 0)?];
            let exchanges = pair.questions.into_iter().map(|one| one.exchange);
            Ok(scribe.line("", &drawn, &marked(2, exchanges.collect())))
        }
        What::Articles => scribe.article(&article::article(id), usize::MAX),
        What::Writing => scribe.article(&article::article(id), 1),
        What::Edits => {
            let action = Action::ALL[(number % Action::ALL.len() as u64) as usize];
            Ok(scribe.line("", &[], &[edit::edit(id, action).exchange]))
        }
        What::Language => Ok(scribe.line("", &[], &language::language(id))),
        What::Talk => Ok(scribe.line("", &[], &talk::talk(id, 3))),
        What::Truth => {
            let scene = sample::scene(id);
            let Drawn { name, .. } = scribe.base(&scene)?;
            Ok(format!("{}\n", json!({"image": name, "truth": scene})))
        }
    }
}

/// Questions about a scene, one of them in every third conversation about what is not there.
fn asked(scene: &Scene) -> Vec<Exchange> {
    let mut asked = exchanges(question::questions(scene, QUESTIONS));
    let mut dice = Dice::of(scene.id, Purpose::Mix);
    if dice.chance(33) {
        let at = dice.below(asked.len());
        asked[at] = refusal::refusals(scene, 1).remove(0).exchange;
    }
    asked
}

/// Questions about what is not there, beside answers, or a picture would come to mean a refusal.
fn refused(scene: &Scene) -> Vec<Exchange> {
    let refused = refusal::refusals(scene, 2).into_iter().map(|one| one.exchange);
    let mut asked: Vec<Exchange> =
        refused.chain(exchanges(question::questions(scene, 2))).collect();
    Dice::of(scene.id, Purpose::Mix).shuffle(&mut asked);
    asked
}

fn exchanges(questions: Vec<question::Question>) -> Vec<Exchange> {
    questions.into_iter().map(|question| question.exchange).collect()
}

/// The questions, and another one about a thing where there are none, since every number has a sample.
fn or_another(scene: &Scene, asked: Vec<question::Question>) -> Vec<question::Question> {
    if asked.is_empty() { things::things(scene, 1) } else { asked }
}

/// Puts places for pictures before the first question.
fn marked(pictures: usize, mut exchanges: Vec<Exchange>) -> Vec<Exchange> {
    if let Some(first) = exchanges.first_mut() {
        first.ask = format!("{}{}", MARKER.repeat(pictures), first.ask);
    }
    exchanges
}

/// A picture that was drawn.
#[derive(Clone)]
struct Drawn {
    /// Its path below the world's folder.
    name: String,
    /// A word for each of its patches, where samples have them.
    labels: Option<Vec<&'static str>>,
}

/// Writes one number's samples.
struct Scribe<'a> {
    options: &'a Options,
    what: What,
    number: u64,
}

impl Scribe<'_> {
    /// Questions about single things; with labels half of them beside one about every patch's side.
    fn things(&self, scene: &Scene) -> Result<String, Error> {
        let asked = exchanges(things::things(scene, THINGS));
        let mut dice = Dice::of(scene.id, Purpose::Mix);
        if self.options.labels && dice.chance(50) {
            // A tower says where it looks only when it is asked for it at every row.
            let side = patches::Asked::Side;
            let about = patches::asking(scene, self.options.side, side, &mut dice);
            return self.patches(scene, about, asked);
        }
        self.about(scene, asked)
    }

    /// Further pictures of the number, one of each scene.
    fn all(&self, scenes: &[Scene], letter: &str) -> Result<Vec<Drawn>, Error> {
        scenes.iter().enumerate().map(|(at, scene)| self.extra(scene, letter, at)).collect()
    }

    /// A conversation about the number's own picture.
    fn about(&self, scene: &Scene, exchanges: Vec<Exchange>) -> Result<String, Error> {
        let drawn = self.base(scene)?;
        Ok(self.line("", &[drawn], &marked(1, exchanges)))
    }

    /// A question about every patch of the number's own picture, then others.
    fn patches(
        &self,
        scene: &Scene,
        mut about: patches::Patches,
        others: Vec<Exchange>,
    ) -> Result<String, Error> {
        about.exchange.ask.push_str(MARKER);
        let drawn = Drawn { labels: Some(about.words), ..self.base(scene)? };
        let exchanges: Vec<Exchange> = [about.exchange].into_iter().chain(others).collect();
        Ok(self.line("", &[drawn], &exchanges))
    }

    /// Every step of an article is a conversation of its own.
    fn article(&self, article: &article::Article, lessons: usize) -> Result<String, Error> {
        let mut drawn: Vec<(Scene, Drawn)> = Vec::new();
        let mut text = String::new();
        for (step, lesson) in article.lessons().into_iter().take(lessons).enumerate() {
            let mut pictures = Vec::new();
            for scene in lesson.pictures {
                let known = drawn.iter().find(|(other, _)| *other == scene);
                let picture = match known {
                    Some((_, picture)) => picture.clone(),
                    None => {
                        let picture = self.extra(&scene, "a", drawn.len())?;
                        drawn.push((scene, picture.clone()));
                        picture
                    }
                };
                pictures.push(picture);
            }
            let exchange = Exchange { ask: lesson.ask, say: lesson.say };
            text.push_str(&self.line(&format!("/{step}"), &pictures, &[exchange]));
        }
        Ok(text)
    }

    /// The number's own picture; drawn unless it is there already.
    fn base(&self, scene: &Scene) -> Result<Drawn, Error> {
        self.draw(scene, &format!("{:08}.png", self.number))
    }

    /// A further picture of the number.
    fn extra(&self, scene: &Scene, letter: &str, at: usize) -> Result<Drawn, Error> {
        self.draw(scene, &format!("{:08}-{letter}{at}.png", self.number))
    }

    fn draw(&self, scene: &Scene, file: &str) -> Result<Drawn, Error> {
        let name = folder(self.number).join(file);
        let path = self.options.out.join(&name);
        // The file appears whole: a drawing that was broken off is under another name.
        if !path.is_file() {
            let beside = path.with_extension(self.what.english());
            picture::draw_to(&beside, scene, self.options.side)?;
            std::fs::rename(&beside, &path)
                .map_err(Error::io("rename into place the picture", &path))?;
        }
        let parts: Vec<_> = name.iter().filter_map(|part| part.to_str()).collect();
        let labels = self.options.labels.then(|| patches::kinds(scene, self.options.side));
        Ok(Drawn { name: parts.join("/"), labels })
    }

    /// A sample in the published form, as a line.
    fn line(&self, step: &str, pictures: &[Drawn], exchanges: &[Exchange]) -> String {
        let turn = |from: &str, value: &str| json!({"from": from, "value": value});
        let turns: Vec<Value> = exchanges
            .iter()
            .flat_map(|exchange| [turn("user", &exchange.ask), turn("assistant", &exchange.say)])
            .collect();
        let id = format!(
            "{}/{}/{}{step}",
            self.options.split.english(),
            self.what.english(),
            self.number
        );
        let mut sample = json!({"id": id, "conversations": turns});
        if !pictures.is_empty() {
            let names: Vec<&str> = pictures.iter().map(|picture| picture.name.as_str()).collect();
            sample["image"] = json!(names);
            let labels: Option<Vec<_>> =
                pictures.iter().map(|picture| picture.labels.as_ref()).collect();
            if let Some(labels) = labels {
                sample["image_labels"] = json!(labels);
            }
        }
        format!("{sample}\n")
    }
}
