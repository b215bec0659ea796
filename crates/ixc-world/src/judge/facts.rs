//! What a caption states, each fact true or false, and which of the scene's main facts it covers.
//!
//! Every mention is a fact, and so is each of its properties. Deliberately absent: how good the prose is.

use super::read::{Reading, read};
use crate::{
    kinds::Kind,
    places::Place,
    scene::{Colour, Depth, Hour, Scene, Season, Side, Size, Thing, Weather, Word},
};

/// One statement about a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// There is such a thing.
    Exists(Kind),
    /// There is none.
    Absent(Kind),
    /// There are so many.
    Count(Kind, u8),
    /// It has a colour.
    Colour(Kind, Colour),
    /// It has a size.
    Size(Kind, Size),
    /// It is on a side.
    Side(Kind, Side),
    /// It is so far back.
    Depth(Kind, Depth),
    /// Where it is.
    Place(Place),
    /// When in the year.
    Season(Season),
    /// When in the day.
    Hour(Hour),
    /// The weather.
    Weather(Weather),
    /// A sign says this.
    Word(Word),
}

impl Fact {
    /// Whether a fact holds in a scene.
    pub fn holds(self, scene: &Scene) -> bool {
        let of = |kind: Kind, holds: &dyn Fn(&Thing) -> bool| scene.find(kind).is_some_and(holds);
        match self {
            Self::Exists(kind) => {
                scene.find(kind).is_some() || scene.place.background().contains(&kind)
            }
            Self::Absent(kind) => scene.absent().any(|absent| absent == kind),
            Self::Count(kind, count) => of(kind, &|thing| thing.count == count),
            Self::Colour(kind, colour) => of(kind, &|thing| thing.colour == Some(colour)),
            Self::Size(kind, size) => of(kind, &|thing| thing.size == Some(size)),
            Self::Side(kind, side) => of(kind, &|thing| thing.side == Some(side)),
            Self::Depth(kind, depth) => of(kind, &|thing| thing.depth == depth),
            Self::Place(place) => scene.place == place,
            Self::Season(season) => scene.season == season,
            Self::Hour(hour) => scene.hour == hour,
            Self::Weather(weather) => scene.weather == weather,
            Self::Word(word) => scene.word() == Some(word),
        }
    }
}

/// All facts that a text states, in order, each once.
pub fn stated(text: &str) -> Vec<Fact> {
    let Reading { things, places, seasons, hours, weathers, words, .. } = read(text);
    let mut facts = Vec::new();
    let mut add = |fact: Fact| {
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    };
    for mention in things {
        let kind = mention.kind;
        if mention.count == Some(0) {
            add(Fact::Absent(kind));
            continue;
        }
        add(Fact::Exists(kind));
        mention.count.into_iter().for_each(|count| add(Fact::Count(kind, count)));
        mention.colour.into_iter().for_each(|colour| add(Fact::Colour(kind, colour)));
        mention.size.into_iter().for_each(|size| add(Fact::Size(kind, size)));
        mention.side.into_iter().for_each(|side| add(Fact::Side(kind, side)));
        mention.depth.into_iter().for_each(|depth| add(Fact::Depth(kind, depth)));
    }
    places.into_iter().for_each(|place| add(Fact::Place(place)));
    seasons.into_iter().for_each(|season| add(Fact::Season(season)));
    hours.into_iter().for_each(|hour| add(Fact::Hour(hour)));
    weathers.into_iter().for_each(|weather| add(Fact::Weather(weather)));
    words.into_iter().for_each(|word| add(Fact::Word(word)));
    facts
}

/// A caption's facts, each with whether it is true.
pub fn judge(text: &str, scene: &Scene) -> Vec<(Fact, bool)> {
    stated(text).into_iter().map(|fact| (fact, fact.holds(scene))).collect()
}

/// What a full description of a scene tells: place, season, hour, weather, and every kind of thing.
pub fn main_facts(scene: &Scene) -> Vec<Fact> {
    let mut facts = vec![
        Fact::Place(scene.place),
        Fact::Season(scene.season),
        Fact::Hour(scene.hour),
        Fact::Weather(scene.weather),
    ];
    facts.extend(scene.things.iter().map(|thing| Fact::Exists(thing.kind)));
    facts
}

/// How many of the main facts a text states, and how many there are.
pub fn coverage(text: &str, scene: &Scene) -> (usize, usize) {
    let (stated, main) = (stated(text), main_facts(scene));
    (main.iter().filter(|fact| stated.contains(fact)).count(), main.len())
}
