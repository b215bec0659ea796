//! Labels of patches are where things are, and say what is true of them.

use std::collections::HashSet;

use ixc_world::{
    dice::{Dice, Purpose},
    draw::patches::{Shown, grid, patches},
    kinds::Kind,
    sample,
    scene::{Depth, Scene, Side, Size, Thing},
    split::{SceneId, Split},
    text::patches::{self as words, Asked},
};

fn scene(number: u64) -> Scene {
    sample::scene(SceneId { split: Split::Val, seed: 4, number })
}

/// A scene outdoors with one large house.
fn lonely(side: Side) -> Scene {
    let outdoors = |scene: &Scene| !scene.place.indoors() && scene.place.background().is_empty();
    let mut scene = (0..).map(scene).find(outdoors).unwrap();
    scene.things = vec![Thing {
        kind: Kind::House,
        colour: Kind::House.about().colours.first().copied(),
        count: 1,
        size: Some(Size::Large),
        depth: Depth::Near,
        side: Some(side),
        word: None,
    }];
    scene
}

#[test]
fn a_lone_thing_is_where_it_was_put() {
    for (side, middle) in [(Side::Left, 1.5), (Side::Middle, 3.5), (Side::Right, 5.5)] {
        let shown = patches(&lonely(side), 112);
        assert_eq!(shown.len(), 64);
        let of = |wanted: Shown| {
            let places = shown.iter().enumerate();
            places.filter(move |(_, shown)| **shown == Some(wanted)).map(|(at, _)| (at / 8, at % 8))
        };
        let house: Vec<(usize, usize)> = of(Shown::Thing(0)).collect();
        let mean = house.iter().map(|(_, x)| *x as f32).sum::<f32>() / house.len() as f32;
        assert!((6..=24).contains(&house.len()), "{house:?}");
        assert!((mean - middle).abs() < 1.0, "{side:?}: {mean}");
        // In one piece, its foot near the lower edge; sky above, ground below the horizon.
        assert!(house.iter().all(|(y, _)| (2..=7).contains(y)), "{house:?}");
        assert!(of(Shown::Sky).all(|(y, _)| y <= 4) && of(Shown::Sky).count() >= 12);
        assert!(of(Shown::Place).all(|(y, _)| y >= 1) && of(Shown::Place).count() >= 12);
    }
}

#[test]
fn what_is_shown_does_not_hang_on_the_size() {
    for number in 0..40 {
        let scene = scene(number);
        let (small, large) = (patches(&scene, 112), patches(&scene, 113));
        assert_eq!((grid(112), grid(113), grid(490), small.len()), (8, 8, 35, large.len()));
        let same = small.iter().zip(&large).filter(|(small, large)| small == large).count();
        assert!(same >= 58, "{same} of 64 are the same");
        assert_eq!(small, patches(&scene, 112));
    }
}

#[test]
fn nearly_every_thing_is_seen_and_words_are_true_of_it() {
    let (mut things, mut seen, mut asked) = (0, 0, HashSet::new());
    for number in 0..300 {
        let scene = scene(number);
        let found: HashSet<usize> = patches(&scene, 112)
            .into_iter()
            .filter_map(|shown| match shown {
                Some(Shown::Thing(index)) => Some(index),
                _ => None,
            })
            .collect();
        things += scene.things.len();
        seen += found.len();
        let told = words::patches(&scene, 112);
        assert_eq!(told, words::patches(&scene, 112));
        assert!(told.words.iter().any(|word| !word.is_empty()), "{told:?}");
        asked.insert(told.asked);
        let colours: HashSet<&str> = (scene.things.iter())
            .filter_map(|thing| thing.colour)
            .flat_map(|colour| [colour.english(), colour.chinese()])
            .collect();
        if told.asked == Asked::Colour {
            assert!(told.words.iter().all(|word| word.is_empty() || colours.contains(word)));
        }
        let mut dice = Dice::of(scene.id, Purpose::Mix);
        let sided = words::asking(&scene, 112, Asked::Side, &mut dice);
        asked.insert(sided.asked);
        if sided.asked == Asked::Side {
            let sides = ["left", "middle", "right", "左边", "中间", "右边", ""];
            assert!(sided.words.iter().all(|word| sides.contains(word)), "{sided:?}");
        }
        let kinds = words::kinds(&scene, 112);
        assert_eq!(kinds.len(), 64);
        let sign = scene.word().map(|word| word.english());
        let signs = patches(&scene, 112).into_iter().zip(&kinds).filter(|(shown, _)| {
            matches!(shown, Some(Shown::Thing(at)) if scene.things[*at].word.is_some())
        });
        signs.for_each(|(_, word)| assert_eq!(Some(*word), sign));
        assert!(!told.exchange.ask.contains(['$', '{', '}', '|']) && !told.exchange.say.is_empty());
    }
    assert!(seen * 100 >= things * 95, "{seen} of {things} things have a patch");
    assert_eq!(asked.len(), Asked::ALL.len());
}
