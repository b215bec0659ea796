//! Where pictures go: as the model says, as far as it can be done.
//!
//! Invariant: the places are sections of the article, rising, each once; if a number was asked for, so many as there
//! are sections for. Deliberately absent: what the pictures show.

use ixc_input::{composition, image::Picture};

use super::{How, Work};
use crate::{
    Composition, Error, Event, Stage, limits::PLACES_WORDS, odd::Odd, record::Places,
    request::Images,
};

/// Finds the places.
pub(crate) fn places(made: &Composition, work: &mut Work<'_, '_>) -> Result<Places, Error> {
    let (request, sections) = (&made.request, made.sections());
    if request.images == Images::None || sections.is_empty() {
        let places = Places::default();
        work.watch.tell(Event::Places(&places));
        return Ok(places);
    }
    work.watch.tell(Event::Begins { stage: Stage::Places, at: 1, of: 1 });
    let wanted = request.wanted();
    let step = composition::places(request.own.len(), sections, wanted);
    let sources = work.sources;
    let pictures: Vec<&Picture> = sources.own.iter().map(|own| &*own.picture).collect();
    let asked = work.ask(step, pictures, &How::greedy(PLACES_WORDS, |_| false))?;
    let mut odd = Vec::new();
    let asked = asked.map_err(|refusal| odd.push(Odd::Refused { reason: refusal.0 })).ok();
    let answer = asked.as_ref().map_or("", |asked| &asked.answer);
    let named = named(answer, sections.len(), &mut odd);
    // Where nothing else can fill them, places that the model made up beyond the pictures have no use.
    let only_own = !sources.own.is_empty() && !sources.has_others(request.generate);
    let own = (only_own && wanted.is_none()).then_some(sources.own.len());
    let places = settled(named, sections.len(), wanted, own, &mut odd);
    let places = Places { asked, places, odd };
    work.watch.tell(Event::Places(&places));
    work.watch.odd(&places.odd);
    Ok(places)
}

/// The sections that an answer names, in its order, each once.
fn named(answer: &str, sections: usize, odd: &mut Vec<Odd>) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for place in composition::read_places(answer) {
        let new = if place >= sections {
            Odd::PlaceOutOfRange { place, sections }
        } else if places.contains(&place) {
            Odd::PlaceRepeated { place }
        } else {
            places.push(place);
            continue;
        };
        // An answer may repeat itself to its end; once is enough to know.
        if !odd.contains(&new) {
            odd.push(new);
        }
    }
    if places.is_empty() {
        odd.push(Odd::NoPlaces);
    }
    places
}

/// The places, rising: so many as are wanted, or at most as many as there are own pictures.
fn settled(
    mut places: Vec<usize>,
    sections: usize,
    wanted: Option<usize>,
    own: Option<usize>,
    odd: &mut Vec<Odd>,
) -> Vec<usize> {
    let found = places.len();
    if let Some(wanted) = wanted {
        if wanted > sections {
            odd.push(Odd::MoreThanSections { wanted, sections });
        }
        if found > wanted {
            odd.push(Odd::MorePlaces { wanted, found });
            places.truncate(wanted);
        }
        let added = spread(&mut places, sections, wanted);
        if !added.is_empty() {
            odd.push(Odd::FewerPlaces { wanted, found, added });
        }
    }
    if let Some(pictures) = own.filter(|own| found > *own) {
        odd.push(Odd::MorePlacesThanPictures { places: found, pictures });
        places.truncate(pictures);
    }
    places.sort_unstable();
    places
}

/// Adds places until there are so many: each time the section farthest from all that have one, the title (the
/// first line) last. Returns them.
fn spread(places: &mut Vec<usize>, sections: usize, wanted: usize) -> Vec<usize> {
    let mut added = Vec::new();
    while places.len() < wanted.min(sections) {
        let free = (0..sections).filter(|at| !places.contains(at));
        let distance = |at: &usize| {
            let nearest = places.iter().map(|place| place.abs_diff(*at)).min();
            (*at > 0, nearest.unwrap_or(0), std::cmp::Reverse(*at))
        };
        let Some(best) = free.max_by_key(distance) else { break };
        places.push(best);
        added.push(best);
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(answer: &str, sections: usize, wanted: Option<usize>) -> (Vec<usize>, Vec<Odd>) {
        let mut odd = Vec::new();
        let places = named(answer, sections, &mut odd);
        (settled(places, sections, wanted, None, &mut odd), odd)
    }

    #[test]
    fn what_can_be_done_is_done() {
        assert_eq!(settle("<Seg3>, <Seg1>", 4, None), (vec![1, 3], vec![]));
        assert_eq!(settle("nowhere", 4, None), (vec![], vec![Odd::NoPlaces]));
        let (places, odd) = settle("<Seg99><Seg2><Seg2><Seg99>", 4, None);
        assert_eq!(places, [2]);
        let expected =
            [Odd::PlaceOutOfRange { place: 99, sections: 4 }, Odd::PlaceRepeated { place: 2 }];
        assert_eq!(odd, expected);
    }

    #[test]
    fn a_number_is_kept() {
        let (places, odd) = settle("<Seg3><Seg1><Seg2>", 5, Some(2));
        assert_eq!((places, odd), (vec![1, 3], vec![Odd::MorePlaces { wanted: 2, found: 3 }]));
        let (places, odd) = settle("", 7, Some(3));
        assert_eq!(places, [1, 3, 6]);
        let added = vec![1, 6, 3];
        assert_eq!(odd, [Odd::NoPlaces, Odd::FewerPlaces { wanted: 3, found: 0, added }]);
        let (places, odd) = settle("<Seg1>", 2, Some(9));
        assert_eq!(places, [0, 1], "a title at last");
        assert_eq!(odd[0], Odd::MoreThanSections { wanted: 9, sections: 2 });
    }
}
