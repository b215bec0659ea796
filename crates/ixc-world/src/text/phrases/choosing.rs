//! Questions that say which of some pictures is meant.
//!
//! Slots: `$word` a place, a weather, a season or an hour; `$colour`, which may be empty, and `$one` "dog".

pub(crate) const PLACE: &[&str] =
    &["{Which|What} picture shows the $word?", "Where do you see the $word?", "The $word."];
pub(crate) const WEATHER: &[&str] =
    &["In which picture is it $word?", "Where is the weather $word?", "It is $word."];
pub(crate) const SEASON: &[&str] =
    &["{Which|What} picture shows $word?", "Where is it $word?", "A $word scene."];
pub(crate) const HOUR: &[&str] =
    &["{Which|What} picture shows the $word?", "Where is it $word?", "The $word."];
pub(crate) const THING: &[&str] = &[
    "Which picture {has|shows} a $colour $one?",
    "Where do you see a $colour $one?",
    "In which of the pictures is there a $colour $one?",
    "A $colour $one.",
];

/// What may stand before a letter.
pub(crate) const LEADS: &[&str] = &[
    "",
    "It is ",
    "It is picture ",
    "In picture ",
    "The picture ",
    "The picture is ",
    "是",
    "图是",
    "最合适的图是",
];
