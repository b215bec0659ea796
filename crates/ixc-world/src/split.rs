//! Training, validation, test and library: four worlds that share no scene.
//!
//! Disjoint twice over: the split is part of the key of every random stream, and a digest of a scene's truth
//! belongs to one split alone, so that what is asked about in a test was never drawn in training, however it
//! might have been drawn ([`crate::sample`] draws until the digest is the split's own).
//! Deliberately absent: files and counts.

use crate::closed::closed;
use crate::scene::Scene;

closed! {
    /// Which world a scene belongs to.
    Split {
        Train "train" "训练",
        Val "val" "验证",
        Test "test" "测试",
        Library "library" "图库",
    }
}

/// A scene's name: the same name is the same scene for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct SceneId {
    /// Its world.
    pub split: Split,
    /// The user's seed.
    pub seed: u64,
    /// Counted from 0.
    pub number: u64,
}

/// Parts of all truths; training has what the others leave.
const PARTS: u64 = 20;

impl Split {
    /// The split that a truth belongs to.
    pub fn of(scene: &Scene) -> Self {
        match digest(scene) % PARTS {
            0 | 1 => Self::Test,
            2 => Self::Val,
            3 => Self::Library,
            _ => Self::Train,
        }
    }
}

/// A digest of what is true of a scene; its name and its look do not enter. (FNV-1a, then a finaliser that
/// spreads the last bytes, since only a remainder is used.)
pub fn digest(scene: &Scene) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| digest = (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    add(scene.place as u8);
    add(scene.season as u8);
    add(scene.hour as u8);
    add(scene.weather as u8);
    for thing in &scene.things {
        add(thing.kind as u8);
        add(thing.colour.map_or(u8::MAX, |colour| colour as u8));
        add(thing.count);
        add(thing.size.map_or(u8::MAX, |size| size as u8));
        add(thing.depth as u8);
        add(thing.side.map_or(u8::MAX, |side| side as u8));
        add(thing.word.map_or(u8::MAX, |word| word as u8));
    }
    digest ^= digest >> 33;
    digest = digest.wrapping_mul(0xff51_afd7_ed55_8ccd);
    digest ^ (digest >> 33)
}
