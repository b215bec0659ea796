//! Every text that the world makes is true, and its own judge says so.

use std::collections::HashSet;

use ixc_input::{composition, conversation::IMAGE_MARKER};
use ixc_world::{
    dice::{Dice, Purpose},
    judge::{
        answer, article as article_judge, edit as edit_judge,
        facts::{self, Fact},
        refusal as refusal_judge,
    },
    kinds::Kind,
    sample,
    scene::Scene,
    split::{SceneId, Split},
    text::{
        Exchange, Language,
        article::article,
        caption::{self, Style},
        choosing::{Step, choosing},
        edit::{Action, edit},
        language::language,
        matching::matching,
        question::{Question, Type, Value, of_a_sign, question, questions, whether},
        refusal::refusals,
        talk::talk,
        things::{colours, comparisons, sides, things},
        titles::titles,
        two::{Pairing, pair},
    },
};

fn id(split: Split, number: u64) -> SceneId {
    SceneId { split, seed: 3, number }
}

fn scenes(count: u64) -> impl Iterator<Item = Scene> {
    (0..count).map(|number| sample::scene(id(Split::Val, number)))
}

#[test]
fn every_caption_is_true() {
    for scene in scenes(400) {
        let mut dice = Dice::of(scene.id, Purpose::Captions);
        for &style in Style::ALL {
            for &language in Language::ALL {
                let caption = caption::caption(&scene, style, language, &mut dice);
                for (fact, holds) in facts::judge(&caption, &scene) {
                    assert!(holds, "{fact:?} in {caption:?} of {scene:?}");
                }
                assert!(!facts::stated(&caption).is_empty(), "{caption:?}");
            }
        }
    }
}

#[test]
fn full_descriptions_and_lists_have_all_main_facts() {
    for scene in scenes(400) {
        let mut dice = Dice::of(scene.id, Purpose::Captions);
        for style in [Style::Detailed, Style::List] {
            for &language in Language::ALL {
                let caption = caption::caption(&scene, style, language, &mut dice);
                let (covered, main) = facts::coverage(&caption, &scene);
                assert_eq!(covered, main, "{caption:?} of {scene:?}");
            }
        }
    }
}

#[test]
fn every_answer_is_accepted_and_another_is_not() {
    let mut seen = HashSet::new();
    for scene in scenes(400) {
        let mut dice = Dice::of(scene.id, Purpose::Questions);
        for &about in Type::ALL {
            for &language in Language::ALL {
                let Some(question) = question(&scene, about, language, &mut dice) else { continue };
                let said = &question.exchange.say;
                assert!(answer::judge(&question, said), "{question:?}");
                assert!(!answer::judge(&question, "I do not know."), "{question:?}");
                seen.insert((about, language));
            }
        }
        let some = questions(&scene, 5);
        assert_eq!(some.len(), 5, "{scene:?}");
        assert!(some.iter().all(|question| answer::judge(question, &question.exchange.say)));
    }
    assert_eq!(seen.len(), 2 * Type::ALL.len() - 1, "all types in both languages but comparisons");
}

#[test]
fn questions_about_things_are_several_and_true() {
    let mut asked = 0;
    for scene in scenes(200) {
        let questions = things(&scene, 6);
        asked += questions.len();
        let mut asks: Vec<&str> = questions.iter().map(|one| one.exchange.ask.as_str()).collect();
        for question in &questions {
            assert!(answer::judge(question, &question.exchange.say), "{question:?}");
        }
        asks.sort_unstable();
        asks.dedup();
        assert_eq!(asks.len(), questions.len());
        assert_eq!(questions, things(&scene, 6));
    }
    assert!(asked > 200 * 5, "{asked}");
}

#[test]
fn sides_are_asked_for_once_each() {
    let mut asked = 0;
    for scene in scenes(200) {
        let questions = sides(&scene);
        let with_side = scene.things.iter().filter(|thing| thing.side.is_some()).count();
        assert_eq!(questions.len(), with_side, "{scene:?}");
        for question in &questions {
            assert_eq!(question.about, Type::Position);
            assert!(answer::judge(question, &question.exchange.say), "{question:?}");
        }
        asked += with_side;
        assert_eq!(questions, sides(&scene));
    }
    assert!(asked > 200, "{asked}");
}

#[test]
fn things_are_compared_two_by_two() {
    let (mut asked, mut alike) = (0, [0, 0]);
    for scene in scenes(400) {
        let questions = comparisons(&scene);
        let things = scene.things.len();
        assert!(questions.len() <= things * things.saturating_sub(1) / 2, "{scene:?}");
        for question in &questions {
            assert_eq!(question.about, Type::Comparison);
            assert!(answer::judge(question, &question.exchange.say), "{question:?}");
            if let Value::Truth(truth) = question.value {
                alike[usize::from(truth)] += 1;
            }
        }
        asked += questions.len();
        assert_eq!(questions, comparisons(&scene));
        let of_colours = |asked: &Question| matches!(asked.value, Value::Truth(_));
        let expected: Vec<Question> = questions.into_iter().filter(of_colours).collect();
        assert_eq!(colours(&scene), expected);
    }
    assert!(asked > 300, "{asked}");
    // Colours that differ are not most of what is asked, though most pairs have such.
    assert!(alike[0] < 2 * alike[1] && alike[1] < 2 * alike[0], "{alike:?}");
}

#[test]
fn a_matching_s_texts_fit_one_picture_each() {
    for number in 0..60 {
        let made = matching(id(Split::Val, number));
        assert_eq!((made.pictures.len(), made.exchanges.len()), (4, 4));
        let markers = made.exchanges.iter().map(|one| one.ask.matches(IMAGE_MARKER).count());
        assert_eq!(markers.collect::<Vec<_>>(), [4, 0, 0, 0]);
        let mut letters = HashSet::new();
        for exchange in &made.exchanges {
            let said = exchange.say.strip_prefix(composition::CHOICE_PREFIX).unwrap();
            let right = composition::read_choice(said, 4).unwrap();
            letters.insert(right);
            let text = exchange.ask.split('：').nth(1).unwrap().lines().next().unwrap();
            for (at, scene) in made.pictures.iter().enumerate() {
                let fits = facts::judge(text, scene).iter().all(|(_, holds)| *holds);
                assert_eq!(fits, at == right, "{text} of {scene:?}");
            }
        }
        assert_eq!(letters.len(), 4);
        assert_eq!(made, matching(id(Split::Val, number)));
    }
}

#[test]
fn whether_it_is_so_is_answered_both_ways() {
    let mut truths = [0, 0];
    for scene in scenes(150) {
        let questions = whether(&scene);
        assert_eq!(questions.len(), 4);
        for asked in questions {
            assert!(answer::judge(&asked, &asked.exchange.say), "{asked:?}");
            let Value::Truth(truth) = asked.value else { panic!("{asked:?}") };
            truths[usize::from(truth)] += 1;
        }
    }
    assert!(truths.iter().all(|&count| count > 200), "{truths:?}");
}

#[test]
fn signs_are_read() {
    let mut words = HashSet::new();
    for number in 0..150 {
        let (scene, asked) = of_a_sign(id(Split::Val, number));
        assert_eq!((Split::of(&scene), asked.about), (Split::Val, Type::Sign));
        assert_eq!(Some(asked.value), scene.word().map(Value::Word));
        assert!(answer::judge(&asked, &asked.exchange.say), "{asked:?}");
        words.insert(scene.word().unwrap().english());
    }
    assert!(words.len() > 30, "{words:?}");
}

#[test]
fn what_is_chosen_is_meant_alone() {
    let mut steps = HashSet::new();
    let (mut texts, mut found_first, mut in_articles) = (0, 0, 0);
    for number in 0..200 {
        let made = choosing(id(Split::Val, number));
        assert_eq!(made.lessons.len(), 3);
        assert_eq!(made, choosing(id(Split::Val, number)));
        for lesson in &made.lessons {
            steps.insert(lesson.step);
            assert!(lesson.shown.iter().all(|&at| at < 4), "{lesson:?}");
            assert!(lesson.before.iter().all(|&at| (4..made.pictures.len()).contains(&at)));
            in_articles += usize::from(!lesson.before.is_empty());
            if lesson.questions[1].1.ask.starts_with("根据给定上下文") {
                texts += 1;
                found_first += usize::from(lesson.questions[0].0 == 0);
            }
            for (at, (right, Exchange { ask, say })) in lesson.questions.iter().enumerate() {
                let shown = if at == 0 { lesson.before.len() + lesson.shown.len() } else { 0 };
                assert_eq!(ask.matches(IMAGE_MARKER).count(), shown, "{ask}");
                let holds = match lesson.step {
                    Step::Order => *say == ["First", "Second"][*right],
                    _ => say.ends_with(char::from(b'A' + *right as u8)),
                };
                assert!(holds, "{lesson:?}");
                // What is said holds of the right picture and of no other that is shown; "a dog" counts none.
                let mut text =
                    ask.rsplit('：').next().unwrap().split("候选").next().unwrap().to_owned();
                for fixed in ["A.", "B.", "C.", "D.", ""] {
                    text = text.replace(&format!("{fixed}{IMAGE_MARKER}"), " ");
                }
                // Of an article's paragraphs, it is the last that matters.
                let last = text.trim().rsplit('\n').next().unwrap();
                let said = facts::stated(if lesson.step == Step::Choice { last } else { &text });
                let said = said.iter().filter(|fact| !matches!(fact, Fact::Count(..)));
                for (at, &shown) in lesson.shown.iter().enumerate() {
                    let fits = said.clone().all(|fact| fact.holds(&made.pictures[shown]));
                    assert_eq!(fits, at == *right, "{ask} of {:?}", made.pictures[shown]);
                }
            }
        }
    }
    assert_eq!(steps.len(), Step::ALL.len());
    // As a search finds the pictures of a text: the right one first, now and then second.
    assert!(texts > 100 && found_first * 10 > texts * 8, "{found_first} of {texts}");
    assert!(found_first < texts && in_articles * 4 > texts, "{in_articles} of {texts}");
}

#[test]
fn captions_of_sections_state_what_is_true_of_theirs() {
    for number in 0..200 {
        let made = titles(id(Split::Val, number));
        assert_eq!(made, titles(id(Split::Val, number)));
        assert_eq!(made.questions.len(), made.scenes.len());
        for (turn, (at, Exchange { ask, say })) in made.questions.iter().enumerate() {
            assert!(
                ask.ends_with(&format!("给出适合在<Seg{at}>后插入的图像对应的标题。")),
                "{ask}"
            );
            // The first shows all sections.
            assert_eq!(
                ask.matches("\n<Seg").count(),
                if turn == 0 { made.scenes.len() } else { 0 }
            );
            let said = say.strip_prefix(composition::CAPTION_PREFIX).unwrap();
            let judged =
                facts::judge(composition::read_caption(said).unwrap(), &made.scenes[at - 1]);
            assert!(
                judged.len() > 3 && judged.iter().all(|(_, holds)| *holds),
                "{say}: {judged:?}"
            );
        }
    }
}

#[test]
fn answers_about_two_pictures_are_accepted() {
    let mut seen = HashSet::new();
    for number in 0..600 {
        let pair = pair(id(Split::Test, number), 3);
        assert!(pair.scenes.iter().all(|scene| Split::of(scene) == Split::Test));
        assert!(!pair.questions.is_empty());
        for question in &pair.questions {
            let (value, form) = (question.value, question.form);
            assert!(answer::value_is(value, form, &question.exchange.say), "{question:?}");
            seen.insert(question.about);
        }
    }
    assert_eq!(seen.len(), Pairing::ALL.len());
}

#[test]
fn refusals_refuse_and_answers_do_not() {
    for scene in scenes(300) {
        for refusal in refusals(&scene, 3) {
            assert!(scene.absent().any(|kind| kind == refusal.kind));
            assert!(refusal_judge::judge(refusal.kind, &refusal.exchange.say), "{refusal:?}");
        }
        for thing in &scene.things {
            let mut dice = Dice::of(scene.id, Purpose::Captions);
            let caption = caption::caption(&scene, Style::Short, Language::English, &mut dice);
            assert!(!refusal_judge::judge(thing.kind, &caption), "{caption}");
        }
    }
}

#[test]
fn every_article_is_as_asked() {
    let mut texts = HashSet::new();
    for number in 0..150 {
        let article = article(id(Split::Test, number));
        let text = article.lines.join("\n");
        let report = article_judge::judge(&article.wants, &text);
        assert_eq!(report.sections_kept, report.sections_asked, "{article:?}");
        assert_eq!(report.must_kept, report.must_asked, "{article:?}");
        assert_eq!(report.repeated, 0, "{text}");
        let lessons = article.lessons();
        let places = lessons[1].say.strip_prefix(composition::PLACES_PREFIX).unwrap();
        assert!(
            article_judge::places(article.lines.len(), article.places.len(), places),
            "{places}"
        );
        for (at, scene) in article.scenes.iter().enumerate() {
            let (stated, true_ones) = article_judge::caption(&article, at, &article.captions[at]);
            assert!(stated > 0 && stated == true_ones, "{:?} {scene:?}", article.captions[at]);
            let letter = char::from(b'A' + article.right[at] as u8).to_string();
            assert!(article_judge::choice(&article, at, &letter));
            assert!(!article_judge::choice(&article, at, "Z"));
            assert!(article.candidates[at].iter().all(|scene| Split::of(scene) == Split::Test));
        }
        for lesson in &lessons {
            let pictures = lesson.ask.matches("<ImageHere>").count();
            assert_eq!(pictures, lesson.pictures.len(), "{}", lesson.ask);
        }
        texts.insert(text);
    }
    assert_eq!(texts.len(), 150);
}

#[test]
fn an_article_s_lessons_have_the_prompts_of_the_protocol() {
    let number = (0..).find(|&number| article(id(Split::Val, number)).supplied.is_empty()).unwrap();
    let article = article(id(Split::Val, number));
    let lessons = article.lessons();
    assert_eq!(lessons[0].ask, article.instruction);
    let count = article.places.len();
    let numbered = composition::numbered(&article.lines);
    assert_eq!(
        lessons[1].ask,
        format!("给定文章\"{numbered}\" 根据上述文章，选择适合插入图像的{count}行")
    );
    assert!(lessons[1].say.starts_with("适合插入图像的行是<Seg"));
    assert!(lessons[2].ask.starts_with("给定文章\"<Seg0> "));
    assert!(
        lessons[2]
            .ask
            .ends_with(&format!("给出适合在<Seg{}>后插入的图像对应的标题。", article.places[0]))
    );
    assert_eq!(lessons[2].say, format!("标题是\"{}\"", article.captions[0]));
    assert!(lessons[3].ask.starts_with("根据给定上下文和候选图像，选择合适的配图："));
    assert!(
        lessons[3]
            .ask
            .ends_with("候选图像包括: A.<ImageHere>\nB.<ImageHere>\nC.<ImageHere>\nD.<ImageHere>")
    );
    assert!(lessons[3].say.starts_with("最合适的图是"));
}

#[test]
fn every_edit_is_obeyed_and_the_paragraph_itself_is_not() {
    for number in 0..300 {
        for &action in Action::ALL {
            let edit = edit(id(Split::Val, number), action);
            assert!(edit_judge::judge(&edit, &edit.exchange.say), "{edit:?}");
            assert!(!edit_judge::judge(&edit, &edit.before.join("\n")), "{edit:?}");
        }
    }
}

#[test]
fn language_is_made_for_every_name_and_repeats() {
    let mut texts = HashSet::new();
    for number in 0..400 {
        let id = id(Split::Train, number);
        let exchanges = language(id);
        assert_eq!(exchanges, language(id));
        assert!(!exchanges.is_empty());
        for exchange in exchanges.iter().chain(&talk(id, 2)) {
            assert!(!exchange.ask.is_empty() && !exchange.say.is_empty());
            assert!(!format!("{} {}", exchange.ask, exchange.say).contains(['$', '{', '}', '|']));
        }
        texts.insert(exchanges[0].say.clone());
    }
    assert!(texts.len() > 320, "{} different texts of 400", texts.len());
}

#[test]
fn every_kind_is_known_in_general() {
    let scenes: Vec<Scene> = scenes(3000).collect();
    for &kind in Kind::ALL {
        assert!(scenes.iter().any(|scene| scene.find(kind).is_some()), "{kind:?} never occurs");
    }
}
