//! What holds of every scene: it repeats, it is sound, and its truth is its split's alone.

use std::collections::HashSet;

use ixc_world::{
    judge::facts::{Fact, main_facts},
    kinds::Kind,
    places::Place,
    sample,
    scene::{Colour, Depth, Scene, Season, Weather},
    split::{SceneId, Split, digest},
};

fn scenes(split: Split, count: u64) -> impl Iterator<Item = Scene> {
    (0..count).map(move |number| sample::scene(SceneId { split, seed: 1, number }))
}

#[test]
fn a_name_is_one_scene_for_ever() {
    for scene in scenes(Split::Train, 50) {
        assert_eq!(scene, sample::scene(scene.id));
        let text = serde_json::to_string(&scene).unwrap();
        assert_eq!(scene, serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn no_truth_of_one_split_occurs_in_another() {
    let truths = |split, count| {
        let scenes = scenes(split, count);
        scenes
            .inspect(|scene| assert_eq!(Split::of(scene), split))
            .map(|scene| digest(&scene))
            .collect()
    };
    let train: HashSet<u64> = truths(Split::Train, 5000);
    for split in [Split::Val, Split::Test, Split::Library] {
        assert!(train.is_disjoint(&truths(split, 300)));
    }
    assert!(train.len() > 4950, "the world is too small: {} truths", train.len());
}

#[test]
fn every_scene_is_sound() {
    for scene in scenes(Split::Train, 3000) {
        assert!(scene.things.len() > 1, "{scene:?}");
        sound(&scene);
    }
}

#[test]
fn a_scene_made_of_facts_is_sound_and_holds_them() {
    let (mut held, mut all) = (0, 0);
    for other in scenes(Split::Train, 500) {
        let mut facts = main_facts(&other);
        for thing in &other.things {
            let kind = thing.kind;
            facts.push(Fact::Count(kind, thing.count));
            facts.extend(thing.colour.map(|colour| Fact::Colour(kind, colour)));
            facts.extend(thing.size.map(|size| Fact::Size(kind, size)));
            facts.extend(thing.side.map(|side| Fact::Side(kind, side)));
            facts.extend(thing.word.map(Fact::Word));
        }
        // Chance may put two in one place, of which one is left out.
        let made = (0..20).map(|at| {
            let id = SceneId { split: Split::Library, seed: at, number: other.id.number };
            let scene = sample::of_facts(id, &facts);
            assert_eq!(scene, sample::of_facts(id, &facts));
            assert_eq!(Split::of(&scene), Split::Library);
            sound(&scene);
            facts.iter().filter(|fact| fact.holds(&scene)).count()
        });
        held += made.max().unwrap();
        all += facts.len();
    }
    assert!(all > 6000 && held * 100 >= all * 95, "{held} of {all}");
    // What cannot be is left out, the later of what contradicts.
    let facts = [
        Fact::Place(Place::Kitchen),
        Fact::Place(Place::Beach),
        Fact::Weather(Weather::Snowy),
        Fact::Season(Season::Summer),
        Fact::Exists(Kind::Cow),
        Fact::Exists(Kind::Cup),
        Fact::Colour(Kind::Cup, Colour::Blue),
    ];
    let id = SceneId { split: Split::Library, seed: 1, number: 0 };
    let scene = sample::of_facts(id, &facts);
    assert_eq!((scene.place, scene.season), (Place::Kitchen, Season::Summer));
    assert_eq!(facts.map(|fact| fact.holds(&scene)), [true, false, false, true, false, true, true]);
}

fn sound(scene: &Scene) {
    assert!((1..=5).contains(&scene.things.len()), "{scene:?}");
    let mut kinds = HashSet::new();
    for thing in &scene.things {
        let about = thing.kind.about();
        assert!(kinds.insert(thing.kind), "twice: {scene:?}");
        assert!((1..=about.most).contains(&thing.count), "{scene:?}");
        assert_eq!(thing.side.is_some(), thing.count == 1, "{scene:?}");
        assert_eq!(thing.colour.is_some(), !about.colours.is_empty());
        assert!(!scene.place.background().contains(&thing.kind));
    }
    for depth in [Depth::Sky, Depth::Far, Depth::Near] {
        let row: Vec<_> = scene.things.iter().filter(|thing| thing.depth == depth).collect();
        let sides: HashSet<_> = row.iter().map(|thing| thing.side).collect();
        assert_eq!(sides.len(), row.len(), "two in one place: {scene:?}");
        assert!(row.len() == 1 || !sides.contains(&None), "crowded: {scene:?}");
    }
}
