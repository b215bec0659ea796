//! Questions about one picture, of twelve types, with answers as a word or as a sentence.
//!
//! The wanted form is said in the question, or left open, which means a sentence. Invariant: the answer is the
//! only right one, and [`crate::judge::answer`] accepts it. Deliberately absent: what is not there, but for the
//! existence questions ([`super::refusal`]).

use super::{
    Exchange, Language,
    article::scene_with,
    grammar::{any, casual, fill, list, sentence},
    nouns::{self, Detail},
    phrases::questions as table,
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    kinds::{Family, Kind},
    places::Place,
    scene::{Colour, Depth, Hour, Scene, Season, Side, Size, Thing, Weather, Word},
    split::SceneId,
};
use serde::{Deserialize, Serialize};

mod chinese;

closed! {
    /// What is asked for.
    Type {
        Existence "existence" "存在",
        Colour "colour" "颜色",
        Count "count" "数量",
        Position "position" "位置",
        Distance "distance" "远近",
        Size "size" "大小",
        Comparison "comparison" "比较",
        Weather "weather" "天气",
        Hour "time" "时间",
        Season "season" "季节",
        Place "place" "地点",
        Sign "sign" "牌子",
    }
}

closed! {
    /// The form that an answer is to have.
    Form {
        Word "word" "词",
        Sentence "sentence" "句子",
        Open "open" "不限",
    }
}

/// The right answer, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Yes or no.
    Truth(bool),
    /// A colour.
    Colour(Colour),
    /// A number.
    Count(u8),
    /// A side.
    Side(Side),
    /// Near or far.
    Depth(Depth),
    /// A size.
    Size(Size),
    /// A kind of thing.
    Kind(Kind),
    /// A weather.
    Weather(Weather),
    /// A time of day.
    Hour(Hour),
    /// A season.
    Season(Season),
    /// A place.
    Place(Place),
    /// A sign's word.
    Word(Word),
    /// The first or the second of two pictures.
    Picture(u8),
    /// What differs between two.
    Aspect(super::two::Aspect),
}

/// A question with its right answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked for.
    pub about: Type,
    /// The wanted form.
    pub form: Form,
    /// The language.
    pub language: Language,
    /// The right answer.
    pub value: Value,
    /// The words.
    pub exchange: Exchange,
}

/// Some questions about a scene, of different types as far as the scene has them.
pub fn questions(scene: &Scene, count: usize) -> Vec<Question> {
    let mut dice = Dice::of(scene.id, Purpose::Questions);
    let language = Language::of(scene.id);
    let mut types = Type::ALL.to_vec();
    dice.shuffle(&mut types);
    // Types that every scene has are asked less often, so that the rare ones have their share.
    types.sort_by_key(|kind| match kind {
        Type::Sign => 0,
        Type::Size | Type::Distance => dice.below(2),
        Type::Weather | Type::Hour | Type::Season | Type::Place => dice.below(4),
        _ => dice.below(3),
    });
    let mut found = Vec::new();
    for about in types.into_iter().cycle().take(2 * Type::ALL.len()) {
        if found.len() == count {
            break;
        }
        let Some(question) = question(scene, about, language, &mut dice) else { continue };
        if found.iter().all(|other: &Question| other.exchange.ask != question.exchange.ask) {
            found.push(question);
        }
    }
    found
}

/// A scene of the name's split that has a sign, one in twenty, and a question about what it says.
pub fn of_a_sign(id: SceneId) -> (Scene, Question) {
    let mut dice = Dice::of(id, Purpose::Signs);
    loop {
        let scene = scene_with(id, &mut dice, |scene| scene.word().is_some());
        let language = Language::of(scene.id);
        if let Some(asked) = question(&scene, Type::Sign, language, &mut dice) {
            return (scene, asked);
        }
    }
}

/// Whether it is a certain weather, hour, season and place, each once, in English: what a fifth of the questions for
/// these asks.
pub fn whether(scene: &Scene) -> Vec<Question> {
    let mut dice = Dice::of(scene.id, Purpose::Whether);
    let mut types = [Type::Weather, Type::Hour, Type::Season, Type::Place];
    dice.shuffle(&mut types);
    let ask = |about| {
        let form = form(&mut dice);
        let asked = is_it(scene, about, &mut dice);
        worded(asked, (about, form), &mut dice)
    };
    types.map(ask).into()
}

/// A question of a type, where the scene has something to ask for.
pub fn question(
    scene: &Scene,
    about: Type,
    language: Language,
    dice: &mut Dice,
) -> Option<Question> {
    let form = form(dice);
    if language == Language::Chinese {
        return chinese::question(scene, about, form, dice);
    }
    let asked = ask(scene, about, dice)?;
    Some(worded(asked, (about, form), dice))
}

/// How long an answer is to be.
fn form(dice: &mut Dice) -> Form {
    *dice.weighted(&[(Form::Word, 45), (Form::Sentence, 30), (Form::Open, 25)])
}

/// An English question in its form.
fn worded(asked: Asked, (about, form): (Type, Form), dice: &mut Dice) -> Question {
    let language = Language::English;
    let ask = with_form(asked.ask, form, language, dice);
    let say = if form == Form::Word { asked.word } else { asked.sentence };
    let exchange = Exchange { ask: casual(ask, dice), say };
    Question { about, form, language, value: asked.value, exchange }
}

/// The question with the wanted form said before or behind.
pub(crate) fn with_form(ask: String, form: Form, language: Language, dice: &mut Dice) -> String {
    let phrases = match (form, language) {
        (Form::Open, _) => return ask,
        (Form::Word, Language::English) => table::SHORT,
        (Form::Sentence, Language::English) => table::SENTENCE,
        (Form::Word, Language::Chinese) => table::SHORT_CHINESE,
        (Form::Sentence, Language::Chinese) => table::SENTENCE_CHINESE,
    };
    let form = any(phrases, &[], dice);
    let blank = if language == Language::English { " " } else { "" };
    format!("{ask}{blank}{form}")
}

/// A question's words before its form is chosen.
pub(crate) struct Asked {
    pub(crate) ask: String,
    pub(crate) value: Value,
    pub(crate) word: String,
    pub(crate) sentence: String,
}

fn ask(scene: &Scene, about: Type, dice: &mut Dice) -> Option<Asked> {
    match about {
        Type::Weather | Type::Hour | Type::Season | Type::Place if dice.chance(20) => {
            Some(is_it(scene, about, dice))
        }
        Type::Existence if dice.chance(15) => {
            Some(family(scene, dice).unwrap_or_else(|| existence(scene, dice)))
        }
        Type::Existence => Some(existence(scene, dice)),
        Type::Comparison => comparison(scene, dice),
        Type::Weather => {
            let word = scene.weather.english();
            Some(of_scene(
                table::WEATHER,
                table::WEATHER_SAY,
                Value::Weather(scene.weather),
                word,
                dice,
            ))
        }
        Type::Hour => {
            let word = scene.hour.english();
            Some(of_scene(table::HOUR, table::HOUR_SAY, Value::Hour(scene.hour), word, dice))
        }
        Type::Season => {
            let word = scene.season.english();
            Some(of_scene(
                table::SEASON,
                table::SEASON_SAY,
                Value::Season(scene.season),
                word,
                dice,
            ))
        }
        Type::Place => {
            let word = scene.place.english();
            Some(of_scene(table::PLACE, table::PLACE_SAY, Value::Place(scene.place), word, dice))
        }
        Type::Sign => {
            let word = scene.word()?;
            Some(of_scene(table::SIGN, table::SIGN_SAY, Value::Word(word), word.english(), dice))
        }
        Type::Colour | Type::Count | Type::Position | Type::Distance | Type::Size => {
            let fitting: Vec<&Thing> =
                scene.things.iter().filter(|thing| can_ask(scene, thing, about)).collect();
            let thing = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
            of_thing(thing, about, dice)
        }
    }
}

/// Whether a type can be asked of a thing.
pub(crate) fn can_ask(scene: &Scene, thing: &Thing, about: Type) -> bool {
    match about {
        Type::Colour => thing.colour.is_some(),
        Type::Position => thing.side.is_some(),
        Type::Distance => thing.depth != Depth::Sky && !scene.place.indoors(),
        Type::Size => thing.size.is_some(),
        _ => true,
    }
}

fn of_scene(ask: &[&str], say: &[&str], value: Value, word: &str, dice: &mut Dice) -> Asked {
    Asked {
        ask: sentence(ask, &[], dice),
        value,
        word: capital(word),
        sentence: sentence(say, &[("answer", word)], dice),
    }
}

/// Whether the weather, the hour, the season or the place is a certain one.
fn is_it(scene: &Scene, about: Type, dice: &mut Dice) -> Asked {
    let (answer, all): (&str, Vec<&str>) = match about {
        Type::Weather => {
            (scene.weather.english(), Weather::ALL.iter().map(|one| one.english()).collect())
        }
        Type::Hour => (scene.hour.english(), Hour::ALL.iter().map(|one| one.english()).collect()),
        Type::Season => {
            (scene.season.english(), Season::ALL.iter().map(|one| one.english()).collect())
        }
        _ => (scene.place.english(), Place::ALL.iter().map(|one| one.english()).collect()),
    };
    let truth = dice.chance(50);
    let others: Vec<&str> = all.into_iter().filter(|one| *one != answer).collect();
    let what = if truth { answer } else { *dice.pick(&others) };
    let said =
        |word: &str| if about == Type::Place { format!("the {word}") } else { word.to_owned() };
    let what = match what {
        "rainy" if dice.chance(50) => "raining".to_owned(),
        "snowy" if dice.chance(50) => "snowing".to_owned(),
        word => said(word),
    };
    let (what, answer) = (what.as_str(), said(answer));
    let say = if truth { table::IS_IT_YES } else { table::IS_IT_NO };
    Asked {
        ask: sentence(table::IS_IT, &[("what", what)], dice),
        value: Value::Truth(truth),
        word: if truth { "Yes" } else { "No" }.to_owned(),
        sentence: sentence(say, &[("answer", &answer)], dice),
    }
}

/// Whether there is anything of a family, where the scene leaves no doubt.
fn family(scene: &Scene, dice: &mut Dice) -> Option<Asked> {
    const FAMILIES: [(Family, &str); 3] =
        [(Family::People, "people"), (Family::Animals, "animals"), (Family::Vehicles, "vehicles")];
    let of = |family: Family| {
        scene.things.iter().filter(move |thing| thing.kind.about().family == family)
    };
    let truth = dice.chance(50);
    let fitting: Vec<(Family, &str)> =
        FAMILIES.into_iter().filter(|(family, _)| of(*family).next().is_some() == truth).collect();
    let (family, name) = (!fitting.is_empty()).then(|| *dice.pick(&fitting))?;
    let things: Vec<String> =
        of(family).map(|thing| nouns::indefinite(thing, Detail::Full)).collect();
    let things = list(&things);
    let first = of(family).next().map_or(1, |thing| thing.count);
    let slots = [("family", name), ("things", &things), ("is", nouns::is(first))];
    Some(Asked {
        ask: sentence(table::FAMILY, &slots, dice),
        value: Value::Truth(truth),
        word: if truth { "Yes" } else { "No" }.to_owned(),
        sentence: sentence(
            if truth { table::EXISTENCE_YES } else { table::FAMILY_NO },
            &slots,
            dice,
        ),
    })
}

/// A word as an answer by itself.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or(String::new(), |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// A kind that the scene does not have.
pub(crate) fn absent(scene: &Scene, dice: &mut Dice) -> Kind {
    let absent: Vec<Kind> = scene.absent().collect();
    let stock = scene.place.stock();
    let here =
        |kind: &&Kind| [stock.sky, stock.far, stock.near].iter().any(|row| row.contains(kind));
    let likely: Vec<Kind> = absent.iter().filter(here).copied().collect();
    // Half of them might well have been here, so that the place does not tell.
    if dice.chance(60) && !likely.is_empty() { *dice.pick(&likely) } else { *dice.pick(&absent) }
}

fn existence(scene: &Scene, dice: &mut Dice) -> Asked {
    let truth = dice.chance(50);
    let (kind, sentence_of): (Kind, String) = if truth {
        let thing = dice.pick(&scene.things);
        let things = nouns::indefinite(thing, Detail::Full);
        let slots = [("things", things.as_str()), ("is", nouns::is(thing.count))];
        (thing.kind, sentence(table::EXISTENCE_YES, &slots, dice))
    } else {
        let kind = absent(scene, dice);
        let slots = [("one", kind.about().one), ("many", kind.about().many)];
        (kind, sentence(table::EXISTENCE_NO, &slots, dice))
    };
    let slots = [("one", kind.about().one), ("many", kind.about().many)];
    Asked {
        ask: sentence(table::EXISTENCE, &slots, dice),
        value: Value::Truth(truth),
        word: if truth { "Yes" } else { "No" }.to_owned(),
        sentence: sentence_of,
    }
}

/// Questions of one thing's property.
fn of_thing(thing: &Thing, about: Type, dice: &mut Dice) -> Option<Asked> {
    let the = nouns::definite(thing, Detail::Plain);
    let row = thing.kind.about();
    let people = row.family == Family::People;
    let several = thing.count > 1;
    let (ask, say, value, word): (&[&str], &[&str], Value, &str) = match about {
        Type::Colour => {
            let colour = thing.colour?;
            let (ask, say) = if people {
                (table::COLOUR_PEOPLE, table::COLOUR_SAY_PEOPLE)
            } else {
                (table::COLOUR, table::COLOUR_SAY)
            };
            (ask, say, Value::Colour(colour), colour.english())
        }
        Type::Count => {
            (table::COUNT, table::COUNT_SAY, Value::Count(thing.count), nouns::number(thing.count))
        }
        Type::Position => {
            let side = thing.side?;
            (table::POSITION, table::POSITION_SAY, Value::Side(side), side.english())
        }
        Type::Distance => {
            let say =
                if thing.depth == Depth::Far { table::DISTANCE_FAR } else { table::DISTANCE_NEAR };
            (table::DISTANCE, say, Value::Depth(thing.depth), thing.depth.english())
        }
        _ => {
            let size = thing.size?;
            (table::SIZE, table::SIZE_SAY, Value::Size(size), size.english())
        }
    };
    let phrase = thing.side.filter(|_| about == Type::Position).map_or(word, nouns::side);
    let slots = [
        ("the", the.as_str()),
        ("one", row.one),
        ("many", row.many),
        ("noun", thing.kind.english(thing.count)),
        ("is", nouns::is(thing.count)),
        ("does", if several { "do" } else { "does" }),
        ("wear", if several { "wear" } else { "wears" }),
        ("own", if several { "their" } else { "its" }),
        ("answer", phrase),
    ];
    Some(Asked {
        ask: sentence(ask, &slots, dice),
        value,
        word: capital(word),
        sentence: sentence(say, &slots, dice),
    })
}

/// More of these or of those; the same colour or not.
fn comparison(scene: &Scene, dice: &mut Dice) -> Option<Asked> {
    let mut things: Vec<&Thing> = scene.things.iter().collect();
    dice.shuffle(&mut things);
    let pairs = || {
        let things = &things;
        things.iter().flat_map(move |&one| things.iter().map(move |&other| (one, other)))
    };
    let differ = pairs().find(|(one, other)| one.count != other.count);
    let coloured: Vec<(&Thing, &Thing)> = pairs()
        .filter(|(one, other)| {
            one.kind != other.kind && one.colour.is_some() && other.colour.is_some()
        })
        .collect();
    let same = coloured.iter().find(|(one, other)| one.colour == other.colour).copied();
    if let Some((one, other)) = differ.filter(|_| coloured.is_empty() || dice.chance(60)) {
        let more = if one.count > other.count { one } else { other };
        let slots = [("many", one.kind.about().many), ("others", other.kind.about().many)];
        let word = more.kind.about().many;
        return Some(Asked {
            ask: sentence(table::MORE, &slots, dice),
            value: Value::Kind(more.kind),
            word: capital(word),
            sentence: sentence(table::MORE_SAY, &[("answer", word)], dice),
        });
    }
    // Equal colours are rare; where there are some, they are asked for.
    let (one, other) = same.or_else(|| coloured.first().copied())?;
    let (the, of_other) =
        (nouns::definite(one, Detail::Plain), nouns::definite(other, Detail::Plain));
    let truth = one.colour == other.colour;
    let say = if truth { table::SAME_COLOUR_YES } else { table::SAME_COLOUR_NO };
    let answer = one.colour?.english();
    Some(Asked {
        ask: sentence(table::SAME_COLOUR, &[("the", &the), ("other", &of_other)], dice),
        value: Value::Truth(truth),
        word: if truth { "Yes" } else { "No" }.to_owned(),
        sentence: fill(&sentence(say, &[("answer", answer)], dice), &[], dice),
    })
}
