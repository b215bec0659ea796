//! What libraries and services have for each caption: a few pictures, none that is shown for another of this article.
//!
//! What fits a caption best is kept for it, so that it is no earlier caption's fourth. Libraries and services that
//! search are one after another in each rank; services that make pictures are asked where nothing was found, or at
//! each place when told so. Invariant: what fails is told, and the others go on.

use super::Work;
use crate::{
    Composition, Error, Event, Stage,
    limits::{CANDIDATES, MADE_BESIDE},
    odd::Odd,
    record::Candidates,
    service::{Failed, Generate, Given, Key, Service, Wanted},
    source::{Found, Origin},
};

/// Searches for each caption.
pub(crate) fn candidates(
    made: &Composition,
    work: &mut Work<'_, '_>,
) -> Result<Vec<Candidates>, Error> {
    let captions = made.captions.as_deref().unwrap_or_default();
    let queries = captions.iter().map(|caption| match caption.caption.as_str() {
        "" => made.sections()[caption.place].clone(),
        words => words.to_owned(),
    });
    let queries: Vec<String> = queries.collect();
    let mut best = best(&queries, work)?;
    let mut shown: Vec<Origin> = Vec::new();
    let mut all = Vec::new();
    for (at, (caption, query)) in captions.iter().zip(queries).enumerate() {
        if (work.watch.stop)() {
            return Err(Error::Cancelled);
        }
        let (stage, of) = (Stage::Candidates, captions.len());
        work.watch.tell(Event::Begins { stage, at: at + 1, of });
        let place = caption.place;
        let mut odd = Vec::new();
        let (generate, seed) = (made.request.generate, made.request.seed);
        best[at].clear();
        let taken: Vec<Origin> = shown.iter().chain(best.iter().flatten()).cloned().collect();
        let asked = Query { words: &query, shown: &taken, place, generate, seed };
        let found = searched(&asked, work, &mut odd)?;
        shown.extend(found.iter().map(|found| found.origin.clone()));
        let candidates = Candidates { place, query, found, odd };
        work.watch.tell(Event::Candidates(&candidates));
        work.watch.odd(&candidates.odd);
        all.push(candidates);
    }
    Ok(all)
}

/// What each library has best for each query, none of it best for an earlier one. A search that fails is told when it
/// fails again.
fn best(queries: &[String], work: &Work<'_, '_>) -> Result<Vec<Vec<Origin>>, Error> {
    let mut all: Vec<Vec<Origin>> = Vec::new();
    for query in queries {
        if (work.watch.stop)() {
            return Err(Error::Cancelled);
        }
        let earlier: Vec<Origin> = all.iter().flatten().cloned().collect();
        let found = work.sources.libraries.iter().filter_map(|library| {
            let found = library.search(query, &library.known(&earlier), 1).ok()?;
            found.into_iter().next().map(|found| found.origin)
        });
        all.push(found.collect());
    }
    Ok(all)
}

/// What is searched for.
pub(crate) struct Query<'a> {
    /// The caption, or a section's words.
    pub(crate) words: &'a str,
    /// What the article showed or offered before.
    pub(crate) shown: &'a [Origin],
    /// The section before it.
    pub(crate) place: usize,
    /// When pictures are made.
    pub(crate) generate: Generate,
    /// What pictures of this article are made from.
    pub(crate) seed: u64,
}

/// The best pictures for a caption, none of those shown.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn searched(
    query: &Query<'_>,
    work: &mut Work<'_, '_>,
    odd: &mut Vec<Odd>,
) -> Result<Vec<Found>, Error> {
    let sources = work.sources;
    let mut ranks = Vec::new();
    for library in &sources.libraries {
        let found = library.search(query.words, &library.known(query.shown), CANDIDATES);
        let found = found.unwrap_or_else(|error| {
            odd.push(Odd::SearchFailed { place: query.place, reason: error.to_string() });
            Vec::new()
        });
        ranks.extend(found.into_iter().enumerate());
    }
    for service in &sources.searches {
        let found = asked(&**service, query, CANDIDATES, work, odd)?;
        ranks.extend(found.into_iter().enumerate());
    }
    // Stable: of one rank the source named first goes first.
    ranks.sort_by_key(|(rank, _)| *rank);
    let mut found: Vec<Found> = ranks.into_iter().map(|(_, found)| found).collect();
    found.truncate(CANDIDATES);
    let most = match query.generate {
        Generate::Never => 0,
        Generate::Missing if found.is_empty() => CANDIDATES,
        Generate::Missing => 0,
        Generate::Always if found.is_empty() => CANDIDATES,
        Generate::Always => MADE_BESIDE,
    };
    for service in sources.generators.iter().filter(|_| most > 0) {
        let made = asked(&**service, query, most, work, odd)?;
        // The next one stands in where this one fails.
        if !made.is_empty() {
            found.truncate(CANDIDATES - made.len());
            found.extend(made);
            break;
        }
    }
    Ok(found)
}

/// Asks one service; its pictures' files are kept.
fn asked(
    service: &dyn Service,
    query: &Query<'_>,
    most: usize,
    work: &mut Work<'_, '_>,
    odd: &mut Vec<Odd>,
) -> Result<Vec<Found>, Error> {
    let (name, place) = (service.name(), query.place);
    work.watch.tell(Event::Asks { service: name, host: service.host() });
    let exclude: Vec<Key> = query.shown.iter().filter_map(|shown| shown.key(name)).collect();
    let seed = query.seed.wrapping_add(place as u64);
    let wanted = Wanted { caption: query.words, exclude: &exclude, most, seed };
    let mut told = |reason: String| odd.push(Odd::ServiceFailed { place, reason });
    let given = match service.pictures(&wanted, work.watch.stop) {
        Ok(given) => given,
        Err(Failed::Stopped) => return Err(Error::Cancelled),
        Err(Failed::Because(reason)) => {
            told(reason);
            Given::default()
        }
    };
    given.left_out.into_iter().for_each(&mut told);
    let mut found: Vec<Found> = Vec::new();
    for offered in given.pictures.into_iter().take(most) {
        match work.sources.offered(service, query.words, offered) {
            // The same file under another name is no other picture.
            Ok(new) => {
                let known = query.shown.iter().chain(found.iter().map(|found| &found.origin));
                if !known.filter_map(Origin::kept).any(|digest| new.origin.kept() == Some(digest)) {
                    found.push(new);
                }
            }
            Err(error) => told(error.to_string()),
        }
    }
    Ok(found)
}
