//! Whether an article is what was asked for: sections, mentions, no repetition; places, captions, choice.
//!
//! Each check is separate, so that a table can show each. Deliberately absent: style and tone.

use ixc_input::composition;

use super::{
    facts::{Fact, stated},
    read::sentences,
};
use crate::text::article::{Article, Wants};

/// What was asked of an article and what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sections asked for: those of the outline, or the number alone.
    pub sections_asked: usize,
    /// Those that are there, in their order.
    pub sections_kept: usize,
    /// Mentions asked for.
    pub must_asked: usize,
    /// Those that are there.
    pub must_kept: usize,
    /// Sentences that occur again.
    pub repeated: usize,
}

/// Judges an article's text.
pub fn judge(wants: &Wants, text: &str) -> Report {
    let lines = composition::sections(text);
    let found = stated(text);
    let body = lines.get(1..).unwrap_or_default();
    let (sections_asked, sections_kept) = if wants.outline.is_empty() {
        // A number alone: a section too many is as wrong as one too few.
        (wants.sections, wants.sections.saturating_sub(body.len().abs_diff(wants.sections)))
    } else {
        (wants.outline.len(), in_order(&wants.outline, body))
    };
    let mut all = sentences(text);
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    Report {
        sections_asked,
        sections_kept,
        must_asked: wants.must.len(),
        must_kept: wants.must.iter().filter(|fact| found.contains(fact)).count(),
        repeated: count - all.len(),
    }
}

/// How many items of an outline have a section of their own, behind that of the item before.
fn in_order(outline: &[Vec<Fact>], sections: &[&str]) -> usize {
    let mut from = 0;
    let mut kept = 0;
    for item in outline {
        let states = |section: &&str| {
            let facts = stated(section);
            item.iter().all(|fact| facts.contains(fact))
        };
        if let Some(at) = sections[from..].iter().position(states) {
            kept += 1;
            from += at + 1;
        }
    }
    kept
}

/// Whether an answer about places names so many sections, all of which exist, none twice.
pub fn places(lines: usize, wanted: usize, answer: &str) -> bool {
    let places = composition::read_places(answer);
    let mut distinct = places.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() == places.len() && places.len() == wanted && places.iter().all(|&at| at < lines)
}

/// Whether a caption is there and states of the place's scene only what is true; how many facts, how many true.
pub fn caption(article: &Article, at: usize, answer: &str) -> (usize, usize) {
    let caption = composition::read_caption(answer).unwrap_or_default();
    let facts = super::facts::judge(caption, &article.scenes[at]);
    (facts.len(), facts.iter().filter(|(_, holds)| *holds).count())
}

/// Whether an answer chooses the right candidate.
pub fn choice(article: &Article, at: usize, answer: &str) -> bool {
    composition::read_choice(answer, article.candidates[at].len()) == Some(article.right[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kinds::Kind,
        places::Place,
        scene::{Colour, Hour},
    };

    fn wants() -> Wants {
        Wants {
            sections: 2,
            outline: vec![
                vec![Fact::Hour(Hour::Morning), Fact::Place(Place::Lake)],
                vec![Fact::Hour(Hour::Night), Fact::Place(Place::Lake)],
            ],
            must: vec![Fact::Exists(Kind::Boat), Fact::Colour(Kind::Boat, Colour::Red)],
        }
    }

    #[test]
    fn what_was_asked_for_is_counted() {
        let good = "Hours by the lake\nIt is a clear summer morning by the lake. A red boat floats there.\n\
                    It is a clear summer night by the lake. Nobody is in a hurry.";
        let report = judge(&wants(), good);
        assert_eq!((report.sections_kept, report.must_kept, report.repeated), (2, 2, 0));
        let swapped = "Hours by the lake\nIt is a clear night by the lake.\nIt is a clear morning by the lake.";
        let report = judge(&wants(), swapped);
        assert_eq!((report.sections_kept, report.must_kept), (1, 0));
        let again = "T\nA blue boat. It is morning by the lake.\nA blue boat! Night by the lake.";
        let report = judge(&wants(), again);
        assert_eq!((report.must_kept, report.repeated), (1, 1));
        assert_eq!(judge(&wants(), "").sections_kept, 0);
    }

    #[test]
    fn a_number_of_sections_is_exact() {
        let wants = Wants { outline: Vec::new(), must: Vec::new(), ..wants() };
        assert_eq!(judge(&wants, "T\na\nb").sections_kept, 2);
        assert_eq!(judge(&wants, "T\na").sections_kept, 1);
        assert_eq!(judge(&wants, "T\na\nb\nc\nd").sections_kept, 0);
    }

    #[test]
    fn places_exist_and_are_distinct() {
        assert!(places(4, 2, "<Seg1>, <Seg3>"));
        for answer in ["<Seg1>, <Seg1>", "<Seg1>", "<Seg1>, <Seg4>", "", "<Seg1>, <Seg2>, <Seg3>"] {
            assert!(!places(4, 2, answer), "{answer}");
        }
    }
}
