//! What is asked about a scene, with all that its judge needs.
//!
//! Invariant: a function of split, seed and number alone. Deliberately absent: drawing, which only an answer needs.

use super::What;
use ixc_input::{
    composition::{self, Step},
    conversation::Part,
};
use ixc_world::{
    kinds::Kind,
    sample,
    scene::Scene,
    split::{SceneId, Split},
    text::{
        Exchange,
        article::{self, Article},
        caption,
        edit::{self, Action, Edit},
        question::{self, Form, Value},
        refusal, two,
    },
};

/// Questions about one scene.
const QUESTIONS: usize = 4;

/// Questions about a pair of scenes.
const PAIR_QUESTIONS: usize = 2;

/// Every so many scenes an article is written, with its places, captions and choices.
const ARTICLE_EVERY: u64 = 5;

/// Every so many scenes a paragraph is changed.
const EDIT_EVERY: u64 = 2;

/// Words of an answer at most; the longest right ones have half of them.
const ANSWER_WORDS: usize = 64;

/// Words of a caption at most.
const CAPTION_WORDS: usize = 256;

/// Words of an article at most.
const ARTICLE_WORDS: usize = 1024;

/// Something that is asked.
pub(super) struct Item {
    /// Its name in the file of answers.
    pub(super) key: String,
    pub(super) parts: Vec<Part>,
    /// The scenes of its pictures.
    pub(super) scenes: Vec<Scene>,
    pub(super) prefix: &'static str,
    pub(super) words_max: usize,
    /// A right answer, without the prefix.
    pub(super) right: String,
    pub(super) judge: Judge,
}

/// How an answer is judged.
pub(super) enum Judge {
    /// A value in a form, among the questions of this name; `blind` if no picture was shown.
    Value { about: String, value: Value, form: Form, blind: bool },
    /// What is asked about is not there.
    Refusal(Kind),
    /// A description of a scene.
    Caption(Box<Scene>),
    /// An article.
    Article(Box<Article>),
    /// An article from words alone.
    Writing(Box<Article>),
    /// Places for its pictures.
    Places(Box<Article>),
    /// The caption of one of them.
    PlaceCaption(Box<Article>, usize),
    /// The choice of one of them.
    Choice(Box<Article>, usize),
    /// A changed paragraph.
    Edit(Box<Edit>),
}

/// Everything that is asked about a scene, in these parts of an examination, in [`What::ALL`]'s order.
pub(super) fn of(what: &[What], split: Split, seed: u64, number: u64) -> Vec<Item> {
    let id = SceneId { split, seed, number };
    what.iter()
        .flat_map(|what| match what {
            What::Questions => questions(id),
            What::Refusals => refusals(id),
            What::Captions => captions(id),
            What::Two => about_two(id),
            What::Articles if number.is_multiple_of(ARTICLE_EVERY) => about_article(id),
            What::Edits if number.is_multiple_of(EDIT_EVERY) => vec![changed(id)],
            What::Articles | What::Edits => Vec::new(),
            What::Writing => vec![written(id)],
        })
        .collect()
}

/// A question over some pictures, which stand before it.
fn item(key: String, asked: &Exchange, scenes: Vec<Scene>, judge: Judge) -> Item {
    let mut parts: Vec<Part> = (0..scenes.len()).map(Part::Image).collect();
    parts.push(Part::Text(asked.ask.clone()));
    let right = asked.say.clone();
    Item { key, parts, scenes, prefix: "", words_max: ANSWER_WORDS, right, judge }
}

/// A question with and without its pictures.
fn seen_and_blind(
    key: &str,
    asked: &Exchange,
    scenes: &[Scene],
    judge: impl Fn(bool) -> Judge,
) -> [Item; 2] {
    [
        item(key.into(), asked, scenes.to_vec(), judge(false)),
        item(format!("{key}/blind"), asked, Vec::new(), judge(true)),
    ]
}

fn questions(id: SceneId) -> Vec<Item> {
    let (scene, number) = (sample::scene(id), id.number);
    let mut items = Vec::new();
    for (at, asked) in question::questions(&scene, QUESTIONS).into_iter().enumerate() {
        let judge = |blind| Judge::Value {
            about: asked.about.english().into(),
            value: asked.value,
            form: asked.form,
            blind,
        };
        let key = format!("{number}/question/{at}");
        items.extend(seen_and_blind(&key, &asked.exchange, std::slice::from_ref(&scene), judge));
    }
    items
}

fn refusals(id: SceneId) -> Vec<Item> {
    let scene = sample::scene(id);
    let of = |asked: refusal::Refusal| {
        let (key, judge) = (format!("{}/refusal", id.number), Judge::Refusal(asked.kind));
        item(key, &asked.exchange, vec![scene.clone()], judge)
    };
    refusal::refusals(&scene, 1).into_iter().map(of).collect()
}

fn captions(id: SceneId) -> Vec<Item> {
    let scene = sample::scene(id);
    let of = |asked: Exchange| {
        let judge = Judge::Caption(Box::new(scene.clone()));
        let item = item(format!("{}/caption", id.number), &asked, vec![scene.clone()], judge);
        Item { words_max: CAPTION_WORDS, ..item }
    };
    caption::captions(&scene, 1).into_iter().map(of).collect()
}

/// A paragraph to be changed, the kinds of change in turn.
fn changed(id: SceneId) -> Item {
    let number = id.number;
    let action = Action::ALL[(number / EDIT_EVERY) as usize % Action::ALL.len()];
    let edit = edit::edit(id, action);
    let asked = edit.exchange.clone();
    let item = item(format!("{number}/edit"), &asked, Vec::new(), Judge::Edit(Box::new(edit)));
    Item { words_max: CAPTION_WORDS, ..item }
}

/// An article from words alone.
fn written(id: SceneId) -> Item {
    let made = article::in_words(id);
    let asked = Exchange { ask: made.instruction.clone(), say: made.lines.join("\n") };
    let judge = Judge::Writing(Box::new(made));
    let item = item(format!("{}/writing", id.number), &asked, Vec::new(), judge);
    Item { words_max: ARTICLE_WORDS, ..item }
}

fn about_two(id: SceneId) -> Vec<Item> {
    let pair = two::pair(id, PAIR_QUESTIONS);
    let mut items = Vec::new();
    for (at, asked) in pair.questions.iter().enumerate() {
        let judge = |blind| Judge::Value {
            about: format!("two pictures: {}", asked.about.english()),
            value: asked.value,
            form: asked.form,
            blind,
        };
        let key = format!("{}/pair/{at}", id.number);
        items.extend(seen_and_blind(&key, &asked.exchange, &pair.scenes, judge));
    }
    items
}

/// The steps of an article, each on top of right answers to those before.
fn about_article(id: SceneId) -> Vec<Item> {
    let made = article::article(id);
    let number = id.number;
    let step = |key: &str, step: Step, scenes: Vec<Scene>, right: String, judge: Judge| Item {
        key: format!("{number}/{key}"),
        parts: step.parts,
        scenes,
        prefix: step.prefix,
        words_max: if matches!(judge, Judge::Article(_)) { ARTICLE_WORDS } else { ANSWER_WORDS },
        right,
        judge,
    };
    let whole = || Box::new(made.clone());
    let supplied = made.supplied.len();
    let mut items = vec![
        step(
            "article",
            composition::article(supplied, &made.instruction),
            made.supplied.clone(),
            made.lines.join("\n"),
            Judge::Article(whole()),
        ),
        step(
            "places",
            composition::places(supplied, &made.lines, Some(made.places.len())),
            made.supplied.clone(),
            made.places.iter().map(|place| format!("<Seg{place}>")).collect::<Vec<_>>().join(", "),
            Judge::Places(whole()),
        ),
    ];
    let texts = composition::pieces(&made.lines, &made.places);
    for at in 0..made.places.len() {
        let past: Vec<(usize, &str)> = made.places[..at]
            .iter()
            .copied()
            .zip(made.captions.iter().map(String::as_str))
            .collect();
        if supplied == 0 {
            items.push(step(
                &format!("place/{at}/caption"),
                composition::caption(&made.lines, &past, made.places[at]),
                Vec::new(),
                format!("{}\"", made.captions[at]),
                Judge::PlaceCaption(whole(), at),
            ));
        }
        let candidates = &made.candidates[at];
        if candidates.len() > 1 {
            items.push(step(
                &format!("place/{at}/choice"),
                composition::choice(&texts[..=at], candidates.len()),
                made.scenes[..at].iter().chain(candidates).cloned().collect(),
                char::from(b'A' + made.right[at] as u8).into(),
                Judge::Choice(whole(), at),
            ));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Options, What, judge::Tallies};

    #[test]
    fn right_answers_have_every_point_and_no_answer_none() {
        let (mut right, mut silent) = (Tallies::default(), Tallies::default());
        for item in (0..40).flat_map(|number| of(What::ALL, Split::Test, 3, number)) {
            right.judge(&item, &item.right);
            silent.judge(&item, "");
        }
        let options = Options { what: What::ALL, seed: 3, scenes: 40, words_max: 1 };
        let report = right.report(options, String::new());
        let names: Vec<&str> = report.figures.iter().map(|figure| figure.name.as_str()).collect();
        for name in ["existence", "sign", "questions, all types", "two pictures, all types"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        for figure in report.figures {
            // Short captions leave facts out, and may.
            let least = if figure.name.ends_with("main facts stated") { 0.5 } else { 1.0 };
            assert!(figure.share.share >= least, "{figure:?}");
            assert!(
                figure.chance.is_none_or(|chance| (0.01..=0.5).contains(&chance)),
                "{figure:?}"
            );
        }
        for figure in silent.report(options, String::new()).figures {
            let nothing =
                figure.share.share == 0.0 || figure.name.ends_with("no sentence repeated");
            assert!(nothing, "{figure:?}");
        }
    }
}
