//! What the mini model learns from and is held against: the worlds that `ixc world` draws for its stages.
//!
//! Deliberately absent: which stage takes what, which the recipes say.

use super::SEED;

/// A folder of the world.
pub(super) struct World {
    /// Its name.
    pub(super) folder: &'static str,
    /// Of these scenes.
    pub(super) split: &'static str,
    /// And of this seed.
    pub(super) seed: &'static str,
    /// How many.
    pub(super) scenes: u64,
    /// Which files.
    pub(super) what: &'static str,
    /// Whether every picture has labels.
    pub(super) labels: bool,
}

/// All of them, in the order in which stages came to want them.
pub(super) const WORLDS: [World; 21] = [
    World {
        folder: "train",
        split: "train",
        seed: SEED,
        scenes: 100_000,
        what: "captions,patches,questions,two,refusals,edits,language,talk",
        labels: true,
    },
    // Articles have pictures of their own, several each, so there are fewer of them.
    World {
        folder: "articles",
        split: "train",
        seed: "2",
        scenes: 10_000,
        what: "articles",
        labels: true,
    },
    World {
        folder: "val",
        split: "val",
        seed: SEED,
        scenes: 400,
        what: "captions,patches,questions,language",
        labels: true,
    },
    // What the later stages learn from, when the tower is no longer asked what each patch shows: answers alone, as labels
    // of 64 rows would count for more than an answer's one word.
    World {
        folder: "more",
        split: "train",
        seed: "31",
        scenes: 24_000,
        what: "things,sides,comparisons,questions,captions,refusals,edits,language,talk",
        labels: false,
    },
    World {
        folder: "more-two",
        split: "train",
        seed: "32",
        scenes: 12_000,
        what: "two",
        labels: false,
    },
    World {
        folder: "more-matching",
        split: "train",
        seed: "33",
        scenes: 10_000,
        what: "matching",
        labels: false,
    },
    World {
        folder: "more-articles",
        split: "train",
        seed: "34",
        scenes: 6_000,
        what: "articles,writing",
        labels: false,
    },
    World {
        folder: "val2",
        split: "val",
        seed: "2",
        scenes: 150,
        what: "sides,comparisons,colours,questions,signs,two,matching,choosing,titles",
        labels: false,
    },
    World {
        folder: "writing",
        split: "train",
        seed: "51",
        scenes: 12_000,
        what: "writing",
        labels: false,
    },
    World {
        folder: "pairs",
        split: "train",
        seed: "62",
        scenes: 10_000,
        what: "two,comparisons",
        labels: false,
    },
    World {
        folder: "choosing",
        split: "train",
        seed: "71",
        scenes: 9_000,
        what: "choosing",
        labels: false,
    },
    World {
        folder: "alike",
        split: "train",
        seed: "75",
        scenes: 16_000,
        what: "choosing,titles",
        labels: false,
    },
    // Rows learn to read when each is asked what it reads.
    World {
        folder: "signs",
        split: "train",
        seed: "61",
        scenes: 12_000,
        what: "signs",
        labels: true,
    },
    World {
        folder: "worded",
        split: "train",
        seed: "41",
        scenes: 12_000,
        what: "captions,questions,refusals,whether,signs,talk",
        labels: false,
    },
    // Samples that no stage before had: what it had seen often, it said by heart.
    World {
        folder: "fresh",
        split: "train",
        seed: "90",
        scenes: 24_000,
        what: "questions,two,comparisons,captions,refusals,edits,writing,whether,titles,signs",
        labels: false,
    },
    World {
        folder: "fresh-articles",
        split: "train",
        seed: "91",
        scenes: 30_000,
        what: "articles",
        labels: false,
    },
    World {
        folder: "fresh-choosing",
        split: "train",
        seed: "93",
        scenes: 24_000,
        what: "choosing",
        labels: false,
    },
    World {
        folder: "colours",
        split: "train",
        seed: "94",
        scenes: 60_000,
        what: "comparisons,colours",
        labels: false,
    },
    World { folder: "val3", split: "val", seed: "51", scenes: 150, what: "writing", labels: false },
    // What the ablation learns from: pictures that the tower has not seen, and answers alone, as data usually is.
    World {
        folder: "ablation",
        split: "train",
        seed: "3",
        scenes: 20_000,
        what: "captions,questions",
        labels: false,
    },
    World {
        folder: "ablation-val",
        split: "val",
        seed: "3",
        scenes: 200,
        what: "questions",
        labels: false,
    },
];
