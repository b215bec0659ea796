//! What holds of every scene: it repeats, it is sound, and its truth is its split's alone.

use std::collections::HashSet;

use ixc_world::{
    sample,
    scene::{Depth, Scene},
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
        assert!((2..=5).contains(&scene.things.len()), "{scene:?}");
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
}
