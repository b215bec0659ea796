//! Questions over two pictures.
//!
//! Pairs are of one split. Invariant: exactly one answer is right, and the truth of the second scene still belongs
//! to its split, also where it is the first one with a change. Deliberately absent: three pictures.

use serde::{Deserialize, Serialize};

use super::{
    Exchange, Language,
    grammar::{any, sentence},
    phrases::questions as table,
    question::{Form, Value, capital, with_form},
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    kinds::Kind,
    sample,
    scene::{Hour, Scene, Season, Weather},
    split::{SceneId, Split},
};

closed! {
    /// What may differ between two pictures.
    Aspect {
        Weather "weather" "天气",
        Season "season" "季节",
        Hour "time of day" "时间",
        Colour "colour" "颜色",
    }
}

closed! {
    /// What is asked of two pictures.
    Pairing {
        More "more" "更多",
        Which "which" "哪张",
        Same "same" "一样",
        Differs "differs" "不同",
    }
}

/// Two scenes and what is asked about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The first picture's scene, and the second's.
    pub scenes: [Scene; 2],
    /// The questions; several about one pair of pictures.
    pub questions: Vec<PairQuestion>,
}

/// A question over two pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairQuestion {
    /// What is asked.
    pub about: Pairing,
    /// The wanted form.
    pub form: Form,
    /// The right answer.
    pub value: Value,
    /// The words.
    pub exchange: Exchange,
}

/// The pair of a name: two scenes of their split, and up to `count` questions, at least one.
pub fn pair(id: SceneId, count: usize) -> Pair {
    let mut dice = Dice::of(id, Purpose::Two);
    let language = Language::of(id);
    let first = sample::scene(id);
    if dice.chance(30)
        && let Some((second, aspect)) = changed(&first, &mut dice)
    {
        let question = differs(aspect, &mut dice);
        return Pair { scenes: [first, second], questions: vec![question] };
    }
    let second = sample::scene(SceneId { number: companion(id.number, &mut dice), ..id });
    let scenes = [first, second];
    let mut kinds = [Pairing::More, Pairing::Which, Pairing::Same];
    dice.shuffle(&mut kinds);
    let mut questions: Vec<PairQuestion> = Vec::new();
    for about in kinds.into_iter().cycle().take(9) {
        if questions.len() == count.max(1) {
            break;
        }
        let question = match about {
            Pairing::More => more(&scenes, language, &mut dice),
            Pairing::Which => which(&scenes, language, &mut dice),
            _ => Some(same(&scenes, language, &mut dice)),
        };
        questions.extend(
            question.filter(|new| questions.iter().all(|old| old.exchange.ask != new.exchange.ask)),
        );
    }
    Pair { scenes, questions }
}

/// Another scene's number, far from those that are counted through.
fn companion(number: u64, dice: &mut Dice) -> u64 {
    (1 << 40) + (number << 8) + dice.below(256) as u64
}

/// The scene with one aspect changed, if one of some attempts stays in its split.
fn changed(scene: &Scene, dice: &mut Dice) -> Option<(Scene, Aspect)> {
    for _ in 0..400 {
        let mut other = scene.clone();
        let aspect = *dice.pick(Aspect::ALL);
        match aspect {
            // Snow is winter's and rain is not: a change of the one would be a change of both.
            Aspect::Weather => {
                let weathers: &[_] = match scene.season {
                    Season::Winter => {
                        &[Weather::Clear, Weather::Cloudy, Weather::Snowy, Weather::Foggy]
                    }
                    _ => &[
                        Weather::Clear,
                        Weather::Cloudy,
                        Weather::Rainy,
                        Weather::Foggy,
                        Weather::Stormy,
                    ],
                };
                other.weather = *dice.pick(weathers);
            }
            Aspect::Season
                if matches!(scene.weather, Weather::Clear | Weather::Cloudy | Weather::Foggy) =>
            {
                other.season = *dice.pick(Season::ALL);
            }
            Aspect::Season => continue,
            Aspect::Hour => other.hour = *dice.pick(Hour::ALL),
            Aspect::Colour => {
                let at = dice.below(other.things.len());
                let thing = &mut other.things[at];
                if thing.colour.is_some() {
                    thing.colour = Some(*dice.pick(thing.kind.about().colours));
                }
            }
        }
        if other != *scene && Split::of(&other) == scene.id.split && seasonable(&other) {
            return Some((other, aspect));
        }
    }
    None
}

/// Whether nothing stands in a season that it does not belong to.
fn seasonable(scene: &Scene) -> bool {
    scene.things.iter().all(|thing| {
        let mut without = scene.clone();
        without.things.retain(|other| other.kind != thing.kind);
        sample::fits(&without, thing.kind)
    })
}

fn built(
    about: Pairing,
    ask: String,
    value: Value,
    (word, say): (String, String),
    language: Language,
    dice: &mut Dice,
) -> PairQuestion {
    let form = *dice.weighted(&[(Form::Word, 50), (Form::Sentence, 25), (Form::Open, 25)]);
    let say = if form == Form::Word { word } else { say };
    let exchange = Exchange { ask: with_form(ask, form, language, dice), say };
    PairQuestion { about, form, value, exchange }
}

fn differs(aspect: Aspect, dice: &mut Dice) -> PairQuestion {
    let ask = sentence(table::TWO_DIFFERS, &[], dice);
    let say = sentence(table::TWO_DIFFERS_SAY, &[("answer", aspect.english())], dice);
    let answer = (capital(aspect.english()), say);
    built(Pairing::Differs, ask, Value::Aspect(aspect), answer, Language::English, dice)
}

/// The words for the first or the second picture.
fn picture(number: u8, language: Language, dice: &mut Dice) -> (String, String) {
    if language == Language::Chinese {
        let word = if number == 1 { "第一张" } else { "第二张" };
        return (word.to_owned(), format!("是{word}图片。"));
    }
    let word = if number == 1 { "first" } else { "second" };
    (capital(word), sentence(table::TWO_SAY, &[("answer", word)], dice))
}

fn more(scenes: &[Scene; 2], language: Language, dice: &mut Dice) -> Option<PairQuestion> {
    let fitting: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|&kind| {
            let [first, second] = scenes.each_ref().map(|scene| scene.count(kind));
            let hidden = scenes.iter().any(|scene| scene.place.background().contains(&kind));
            first != second && !hidden && first.max(second) > 1
        })
        .collect();
    let kind = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
    let number = if scenes[0].count(kind) > scenes[1].count(kind) { 1 } else { 2 };
    let ask = match language {
        Language::English => sentence(table::TWO_MORE, &[("many", kind.about().many)], dice),
        Language::Chinese => any(table::TWO_CHINESE_MORE, &[("name", kind.about().chinese)], dice),
    };
    let answer = picture(number, language, dice);
    Some(built(Pairing::More, ask, Value::Picture(number), answer, language, dice))
}

fn which(scenes: &[Scene; 2], language: Language, dice: &mut Dice) -> Option<PairQuestion> {
    let at = dice.below(2);
    let (here, there) = (&scenes[at], &scenes[1 - at]);
    let fitting: Vec<Kind> = here
        .things
        .iter()
        .map(|thing| thing.kind)
        .filter(|&kind| there.absent().any(|absent| absent == kind))
        .collect();
    let kind = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
    let number = at as u8 + 1;
    let ask = match language {
        Language::English => sentence(table::TWO_WHICH, &[("one", kind.about().one)], dice),
        Language::Chinese => any(table::TWO_CHINESE_WHICH, &[("name", kind.about().chinese)], dice),
    };
    let answer = picture(number, language, dice);
    Some(built(Pairing::Which, ask, Value::Picture(number), answer, language, dice))
}

fn same(scenes: &[Scene; 2], language: Language, dice: &mut Dice) -> PairQuestion {
    let [first, second] = scenes;
    let equal = |aspect: &Aspect| match aspect {
        Aspect::Weather => first.weather == second.weather,
        Aspect::Season => first.season == second.season,
        _ => first.hour == second.hour,
    };
    let aspects = [Aspect::Weather, Aspect::Season, Aspect::Hour];
    // Equal ones are the rarer: where there are some, half of the questions are about them.
    let alike: Vec<Aspect> = aspects.iter().copied().filter(equal).collect();
    let unlike: Vec<Aspect> = aspects.iter().copied().filter(|aspect| !equal(aspect)).collect();
    let truth = unlike.is_empty() || (!alike.is_empty() && dice.chance(70));
    let aspect = *dice.pick(if truth { &alike } else { &unlike });
    if language == Language::Chinese {
        let ask = any(table::TWO_CHINESE_SAME, &[("aspect", aspect.chinese())], dice);
        let answer = if truth {
            ("一样".to_owned(), format!("两张图片的{}一样。", aspect.chinese()))
        } else {
            ("不一样".to_owned(), format!("两张图片的{}不一样。", aspect.chinese()))
        };
        return built(Pairing::Same, ask, Value::Truth(truth), answer, language, dice);
    }
    let slots = [("aspect", aspect.english())];
    let ask = sentence(table::TWO_SAME, &slots, dice);
    let say = if truth { table::TWO_SAME_YES } else { table::TWO_SAME_NO };
    let word = if truth { "Yes" } else { "No" };
    let answer = (word.to_owned(), sentence(say, &slots, dice));
    built(Pairing::Same, ask, Value::Truth(truth), answer, language, dice)
}
