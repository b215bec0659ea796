//! What the pictures of a library should show, place by place, each told of those before.
//!
//! Deliberately absent: captions of the user's own pictures, which the protocol does not ask for.

use ixc_input::composition;

use super::{How, Work};
use crate::{Composition, Error, Event, Stage, limits::CAPTION_WORDS, odd::Odd, record::Caption};

/// Captions of all places that no own picture is for.
pub(crate) fn captions(made: &Composition, work: &mut Work<'_, '_>) -> Result<Vec<Caption>, Error> {
    let places = made.places.as_ref().map_or(&[][..], |places| &places.places);
    let places = places.get(made.request.own.len()..).unwrap_or_default();
    let mut captions: Vec<Caption> = Vec::new();
    for (at, &place) in places.iter().enumerate() {
        work.watch.tell(Event::Begins { stage: Stage::Captions, at: at + 1, of: places.len() });
        let said = captions.iter().filter(|caption| !caption.caption.is_empty());
        let past: Vec<(usize, &str)> =
            said.map(|caption| (caption.place, caption.caption.as_str())).collect();
        let caption = asked_caption(made.sections(), &past, place, work)?;
        work.watch.tell(Event::Caption(&caption));
        work.watch.odd(&caption.odd);
        captions.push(caption);
    }
    Ok(captions)
}

/// Asks for one caption.
pub(crate) fn asked_caption(
    sections: &[String],
    past: &[(usize, &str)],
    place: usize,
    work: &mut Work<'_, '_>,
) -> Result<Caption, Error> {
    let step = composition::caption(sections, past, place);
    let how = How::greedy(CAPTION_WORDS, |answer| answer.contains('"'));
    let asked = work.ask(step, Vec::new(), &how)?;
    let mut odd = Vec::new();
    let asked = asked.map_err(|refusal| odd.push(Odd::Refused { reason: refusal.0 })).ok();
    let answer = asked.as_ref().map_or("", |asked| &asked.answer);
    // A caption is one line, whatever the answer has.
    let caption = composition::read_caption(answer).unwrap_or_default();
    let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
    if caption.is_empty() {
        odd.push(Odd::NoCaption { place });
    } else if !answer.contains('"') {
        odd.push(Odd::UnclosedCaption { place });
    }
    Ok(Caption { place, asked, caption, odd })
}
