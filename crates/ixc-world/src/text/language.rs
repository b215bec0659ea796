//! Language without pictures: knowledge, stories, dialogues, letters, descriptions, reading, articles.
//!
//! What a language model learns before it sees: the world's words, how its texts are made, and to answer from what
//! it was told. Each text hangs on a scene that nobody draws. Deliberately absent: images.

use super::{
    Exchange, Language, article,
    caption::{self, Style},
    grammar::{any, fill, list, sentence, tidy},
    nouns::{self, Detail},
    phrases::{knowledge, stories as table},
    question::{self, Question, Type},
};
use crate::{
    closed::closed,
    dice::{Dice, Purpose},
    kinds::Kind,
    sample,
    scene::{Scene, Thing, Word},
    split::SceneId,
};

closed! {
    /// A kind of text.
    Genre {
        Knowledge "knowledge" "知识",
        Story "story" "故事",
        Dialogue "dialogue" "对话",
        Letter "letter" "信",
        Description "description" "描写",
        Reading "reading" "阅读",
        Article "article" "文章",
    }
}

/// One conversation of a name: an exchange, or for a reading several.
pub fn language(id: SceneId) -> Vec<Exchange> {
    let mut dice = Dice::of(id, Purpose::Texts);
    let genre = *dice.weighted(&[
        (Genre::Knowledge, 12),
        (Genre::Story, 20),
        (Genre::Dialogue, 8),
        (Genre::Letter, 6),
        (Genre::Description, 20),
        (Genre::Reading, 22),
        (Genre::Article, 12),
    ]);
    of_genre(id, genre, &mut dice)
}

/// A conversation of a genre.
pub fn of_genre(id: SceneId, genre: Genre, dice: &mut Dice) -> Vec<Exchange> {
    let scene = sample::scene(id);
    let language = Language::draw(dice);
    if language == Language::Chinese
        && matches!(genre, Genre::Dialogue | Genre::Letter | Genre::Story)
    {
        return vec![chinese_story(&scene, dice)];
    }
    match genre {
        Genre::Knowledge => know(language, dice),
        Genre::Description => vec![description(&scene, language, dice)],
        Genre::Reading => reading(&scene, language, dice),
        Genre::Article => {
            let article = article::in_words(id);
            vec![Exchange { ask: article.instruction, say: article.lines.join("\n") }]
        }
        genre => vec![tale(&scene, genre, dice)],
    }
}

fn know(language: Language, dice: &mut Dice) -> Vec<Exchange> {
    if language == Language::Chinese {
        let word = *dice.pick(Word::ALL);
        let ask =
            fill("{\"$word\"是什么意思？|$word 用中文怎么说？}", &[("word", word.english())], dice);
        return vec![Exchange {
            ask,
            say: format!("{}的意思是“{}”。", word.english(), word.chinese()),
        }];
    }
    if dice.chance(30) {
        let (ask, say) = dice.pick(knowledge::GENERAL);
        return vec![Exchange {
            ask: sentence(&[ask], &[], dice),
            say: sentence(&[say], &[], dice),
        }];
    }
    let (kind, facts): &(Kind, &[&str]) = dice.pick(knowledge::FACTS);
    let slots = [("one", kind.about().one), ("many", kind.about().many)];
    let ask = sentence(knowledge::ASK, &slots, dice);
    let mut facts = facts.to_vec();
    if dice.chance(50) {
        facts.truncate(1);
    }
    vec![Exchange { ask, say: facts.join(" ") }]
}

/// The slots that stories share.
struct Cast {
    name: &'static str,
    friend: &'static str,
    at: &'static str,
    the_place: &'static str,
    moment: String,
    location: String,
    things: [String; 2],
    definite: [String; 2],
}

impl Cast {
    fn of(scene: &Scene, dice: &mut Dice) -> Self {
        let name = *dice.pick(table::NAMES);
        let others: Vec<&'static str> =
            table::NAMES.iter().copied().filter(|other| *other != name).collect();
        let mut things: Vec<&Thing> = scene.things.iter().collect();
        dice.shuffle(&mut things);
        let [first, second] = [things[0], things[1]];
        let location = nouns::location(first, scene.place.indoors(), dice);
        Self {
            name,
            friend: *dice.pick(&others),
            at: nouns::at(scene.place),
            the_place: nouns::the(scene.place),
            moment: nouns::moment(scene, dice),
            location: if location.is_empty() { "right there".to_owned() } else { location },
            things: [first, second].map(|thing| nouns::indefinite(thing, Detail::Full)),
            definite: [first, second].map(|thing| nouns::definite(thing, Detail::Plain)),
        }
    }

    fn slots(&self) -> [(&'static str, &str); 9] {
        [
            ("name", self.name),
            ("friend", self.friend),
            ("at", self.at),
            ("moment", &self.moment),
            ("where", &self.location),
            ("thing", &self.things[0]),
            ("second", &self.things[1]),
            ("the", &self.definite[0]),
            ("thesecond", &self.definite[1]),
        ]
    }
}

fn tale(scene: &Scene, genre: Genre, dice: &mut Dice) -> Exchange {
    let cast = Cast::of(scene, dice);
    let slots = cast.slots();
    match genre {
        Genre::Story => {
            let ask = sentence(table::ASK_STORY, &slots, dice);
            let mut text = vec![any(table::BEGIN, &slots, dice)];
            let mut middle: Vec<usize> = (0..table::MIDDLE.len()).collect();
            dice.shuffle(&mut middle);
            middle.truncate(dice.between(3, 5));
            middle.sort_unstable();
            text.extend(middle.into_iter().map(|at| fill(table::MIDDLE[at], &slots, dice)));
            text.push(any(table::END, &slots, dice));
            Exchange { ask, say: tidy(&text.join(" ")) }
        }
        Genre::Dialogue => {
            let ask = sentence(table::ASK_DIALOGUE, &slots, dice);
            let lines: Vec<String> =
                table::LINES.iter().map(|phrases| tidy(&any(phrases, &slots, dice))).collect();
            Exchange { ask, say: lines.join("\n") }
        }
        _ => {
            let ask = sentence(table::ASK_LETTER, &slots, dice);
            let mut slots = slots.to_vec();
            slots.push(("theplace", cast.the_place));
            let letter = any(table::LETTER, &slots, dice);
            let lines: Vec<String> = letter.lines().map(tidy).collect();
            Exchange { ask, say: lines.join("\n") }
        }
    }
}

fn chinese_story(scene: &Scene, dice: &mut Dice) -> Exchange {
    let name = *dice.pick(table::NAMES_CHINESE);
    let mut things: Vec<&Thing> = scene.things.iter().collect();
    dice.shuffle(&mut things);
    let moment = nouns::chinese_moment(scene);
    let names = [things[0], things[1]].map(|thing| nouns::chinese(thing, Detail::Full));
    let slots = [
        ("name", name),
        ("place", scene.place.chinese()),
        ("moment", moment.as_str()),
        ("thing", names[0].as_str()),
        ("second", names[1].as_str()),
    ];
    let (ask, say) = table::STORY_CHINESE;
    Exchange { ask: any(ask, &slots, dice), say: any(say, &slots, dice) }
}

/// A scene told from the words that name it.
fn description(scene: &Scene, language: Language, dice: &mut Dice) -> Exchange {
    let style = *dice.pick(&[Style::Detailed, Style::Detailed, Style::Poetic, Style::Short]);
    if language == Language::Chinese {
        let names: Vec<String> =
            scene.things.iter().map(|thing| nouns::chinese(thing, Detail::Full)).collect();
        let ask = format!(
            "请描写{}的{}，要有{}。",
            nouns::chinese_moment(scene),
            scene.place.chinese(),
            names.join("、")
        );
        return Exchange { ask, say: caption::caption(scene, style, language, dice) };
    }
    let names: Vec<String> =
        scene.things.iter().map(|thing| nouns::indefinite(thing, Detail::Full)).collect();
    let (moment, things) = (nouns::moment(scene, dice), list(&names));
    let slots = [("moment", moment.as_str()), ("at", nouns::at(scene.place)), ("things", &things)];
    let ask = sentence(table::ASK_SCENE, &slots, dice);
    let style_words = match style {
        Style::Short => " One sentence.",
        Style::Poetic => " Be poetic.",
        _ => "",
    };
    Exchange { ask: ask + style_words, say: caption::caption(scene, style, language, dice) }
}

/// A description, and questions that it answers.
fn reading(scene: &Scene, language: Language, dice: &mut Dice) -> Vec<Exchange> {
    let text = caption::caption(scene, Style::Detailed, language, dice);
    let mut types: Vec<Type> =
        Type::ALL.iter().copied().filter(|about| *about != Type::Distance).collect();
    dice.shuffle(&mut types);
    let asked =
        types.into_iter().filter_map(|about| question::question(scene, about, language, dice));
    let of_text = |words: &str| {
        let words = words.replace(" of the picture", "").replace("picture", "text");
        words.replace("图中", "文中").replace("图的", "").replace("画面", "文")
    };
    let mut exchanges: Vec<Exchange> = asked
        .take(4)
        .map(|Question { exchange: Exchange { ask, say }, .. }| Exchange {
            ask: of_text(&ask),
            say: of_text(&say),
        })
        .collect();
    let intro = any(table::READ, &[("text", &text)], dice);
    if let Some(first) = exchanges.first_mut() {
        first.ask = format!("{intro}\n{}", first.ask);
    }
    exchanges
}
