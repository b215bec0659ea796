//! What the libraries have for each caption: a few pictures, none that was shown before in this article.

use super::Work;
use crate::{
    Composition, Error, Event, Stage,
    limits::CANDIDATES,
    odd::Odd,
    record::Candidates,
    source::{Found, Origin},
};

/// Searches for each caption.
pub(crate) fn candidates(
    made: &Composition,
    work: &mut Work<'_, '_>,
) -> Result<Vec<Candidates>, Error> {
    let captions = made.captions.as_deref().unwrap_or_default();
    let mut shown: Vec<Origin> = Vec::new();
    let mut all = Vec::new();
    for (at, caption) in captions.iter().enumerate() {
        if (work.watch.stop)() {
            return Err(Error::Cancelled);
        }
        let (stage, of) = (Stage::Candidates, captions.len());
        work.watch.tell(Event::Begins { stage, at: at + 1, of });
        let place = caption.place;
        let query = match caption.caption.as_str() {
            "" => made.sections()[place].clone(),
            caption => caption.to_owned(),
        };
        let mut odd = Vec::new();
        let found = searched(&query, &shown, work, &mut odd, place);
        shown.extend(found.iter().map(|found| found.origin.clone()));
        let candidates = Candidates { place, query, found, odd };
        work.watch.tell(Event::Candidates(&candidates));
        work.watch.odd(&candidates.odd);
        all.push(candidates);
    }
    Ok(all)
}

/// The best pictures for a caption, none of `shown`.
pub(crate) fn searched(
    query: &str,
    shown: &[Origin],
    work: &Work<'_, '_>,
    odd: &mut Vec<Odd>,
    place: usize,
) -> Vec<Found> {
    let found = work.sources.search(query, shown, CANDIDATES);
    found.unwrap_or_else(|error| {
        odd.push(Odd::SearchFailed { place, reason: error.to_string() });
        Vec::new()
    })
}
