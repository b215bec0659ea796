//! The text: drawn from the instruction, or searched with beams; its lines are the sections.

use ixc_input::{
    composition::{self, MAX_SECTIONS},
    image::Picture,
};

use super::{How, Work};
use crate::{Error, Event, Stage, chat::Ended, odd::Odd, record::Draft, request::Request};

/// Writes the article.
pub(crate) fn article(request: &Request, work: &mut Work<'_, '_>) -> Result<Draft, Error> {
    work.watch.tell(Event::Begins { stage: Stage::Article, at: 1, of: 1 });
    let step = composition::article(request.own.len(), &request.asked());
    let sources = work.sources;
    let pictures: Vec<&Picture> = sources.own.iter().map(|own| &*own.picture).collect();
    let how = How::writing(request.decoding());
    let asked = work.ask(step, pictures, &how)?.map_err(Error::NoArticle)?;
    let mut odd = Vec::new();
    if asked.ended == Ended::Length {
        odd.push(Odd::CutShort);
    }
    let lines = asked.answer.lines().filter(|line| !line.trim().is_empty()).count();
    match lines {
        0 => odd.push(Odd::NoText),
        1..=MAX_SECTIONS => {}
        found => odd.push(Odd::TooManySections { found }),
    }
    let sections = composition::sections(&asked.answer).into_iter().map(str::to_owned).collect();
    let article = Draft { asked, sections, odd };
    work.watch.tell(Event::Article(&article));
    work.watch.odd(&article.odd);
    Ok(article)
}
