//! What each place gets, in the order of the text: the model sees the text, the pictures before it, and letters.
//!
//! Places go to the user's own pictures while there are any: the choice is among those not used. Invariant: a
//! picture is used once; where an answer names none, the best-ranked one is taken and that is told.

use std::sync::Arc;

use ixc_input::{composition, image::Picture};

use super::{How, Work};
use crate::{
    Composition, Error, Event, Stage,
    limits::CHOICE_WORDS,
    odd::Odd,
    record::{Choice, Exchange},
    request::Images,
    source::{Credit, Found, Origin},
};

/// A picture that stands in the article, for those behind it.
pub(crate) type Standing = (usize, Arc<Picture>);

/// Chooses for every place.
pub(crate) fn choices(made: &Composition, work: &mut Work<'_, '_>) -> Result<Vec<Choice>, Error> {
    let places = made.places.as_ref().map_or(&[][..], |places| &places.places);
    let mut unused: Vec<usize> = (0..work.sources.own.len()).collect();
    let mut standing: Vec<Standing> = Vec::new();
    let mut choices = Vec::new();
    for (at, &place) in places.iter().enumerate() {
        work.watch.tell(Event::Begins { stage: Stage::Choices, at: at + 1, of: places.len() });
        let (found, caption) = if unused.is_empty() {
            offered(made, place)
        } else {
            (unused.iter().map(|&own| known(work, own)).collect(), String::new())
        };
        let choice = chosen(made.sections(), &standing, place, found, caption, work)?;
        if let Some(Found { origin, .. }) = choice.taken.map(|at| &choice.shown[at]) {
            unused.retain(|own| *origin != Origin::Own(*own));
            standing.push((place, work.sources.picture(origin)?));
        }
        work.watch.tell(Event::Choice(&choice));
        work.watch.odd(&choice.odd);
        choices.push(choice);
    }
    if made.request.images == Images::All {
        choices.extend(left(made, &unused, work));
    }
    Ok(choices)
}

/// What was found for a place, and the caption.
fn offered(made: &Composition, place: usize) -> (Vec<Found>, String) {
    let candidates = made.candidates.iter().flatten().find(|found| found.place == place);
    let caption = made.captions.iter().flatten().find(|caption| caption.place == place);
    (
        candidates.map(|candidates| candidates.found.clone()).unwrap_or_default(),
        caption.map(|caption| caption.caption.clone()).unwrap_or_default(),
    )
}

fn known(work: &Work<'_, '_>, own: usize) -> Found {
    let caption = work.sources.own[own].stem().to_owned();
    Found { origin: Origin::Own(own), caption, credit: Credit::default() }
}

/// Own pictures that no section was left for, where all are to be used: behind the last section.
fn left(made: &Composition, unused: &[usize], work: &mut Work<'_, '_>) -> Vec<Choice> {
    let Some(place) = made.sections().len().checked_sub(1) else { return Vec::new() };
    let mut choices = Vec::new();
    for &own in unused {
        let (shown, odd) = (vec![known(work, own)], Vec::new());
        let choice = Choice { place, asked: None, shown, taken: Some(0), caption: "".into(), odd };
        work.watch.tell(Event::Choice(&choice));
        choices.push(choice);
    }
    choices
}

/// Chooses among what was found for the place, behind pictures that stand in the article.
pub(crate) fn chosen(
    sections: &[String],
    standing: &[Standing],
    place: usize,
    found: Vec<Found>,
    caption: String,
    work: &mut Work<'_, '_>,
) -> Result<Choice, Error> {
    let mut odd = Vec::new();
    let (mut shown, mut seen) = (Vec::new(), Vec::new());
    for found in found {
        match work.sources.picture(&found.origin) {
            Ok(picture) => {
                seen.push(picture);
                shown.push(found);
            }
            Err(error) => {
                let picture = found.origin.to_string();
                odd.push(Odd::Unreadable { picture, reason: error.to_string() });
            }
        }
    }
    let (asked, taken) = match shown.len() {
        0 => {
            odd.push(Odd::NoPicture { place });
            (None, None)
        }
        1 => (None, Some(0)),
        _ => {
            let asked = ask(sections, standing, place, &seen, work, &mut odd)?;
            let answer = asked.as_ref().map_or("", |asked| &asked.answer);
            let named = composition::read_choice(answer, shown.len());
            if named.is_none() {
                odd.push(Odd::NoChoice { place, answer: answer.into() });
            }
            (asked, Some(named.unwrap_or(0)))
        }
    };
    Ok(Choice { place, asked, shown, taken, caption, odd })
}

/// The question with its letters.
fn ask(
    sections: &[String],
    standing: &[Standing],
    place: usize,
    candidates: &[Arc<Picture>],
    work: &mut Work<'_, '_>,
    odd: &mut Vec<Odd>,
) -> Result<Option<Exchange>, Error> {
    let places: Vec<usize> = standing.iter().map(|(place, _)| *place).chain([place]).collect();
    let step = composition::choice(&composition::pieces(sections, &places), candidates.len());
    let standing = standing.iter().map(|(_, picture)| &**picture);
    let pictures = standing.chain(candidates.iter().map(|picture| &**picture)).collect();
    let letter = How::greedy(CHOICE_WORDS, |answer| !answer.trim_start().is_empty());
    let asked = work.ask(step, pictures, &letter)?;
    Ok(asked.map_err(|refusal| odd.push(Odd::Refused { reason: refusal.0 })).ok())
}
