//! Text becomes lines of glyphs.
//!
//! The flow: the text is parted into pieces of one direction, face and script; their widths and the breaks between
//! words give the lines; each line's pieces are put into the order in which they are seen (UAX 9, L1 and L2) and
//! shaped. Lengths are in points. Deliberately absent: where on a page a line stands.

use std::{ops::Range, rc::Rc};

use krilla::text::{GlyphId, KrillaGlyph};
use rustybuzz::{Direction, ShapePlan, UnicodeBuffer, shape_with_plan};
use unicode_bidi::{BidiInfo, Level};
use unicode_script::{Script, UnicodeScript};

use super::{breaks::breaks, fonts::Faces};
use crate::text::is_right_to_left;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Points.
    pub(super) size: f32,
    pub(super) is_bold: bool,
    /// Red, green, blue.
    pub(super) ink: [u8; 3],
}

/// A text that is to be set.
#[derive(Clone, Debug)]
pub(super) struct Passage<'a> {
    pub(super) text: &'a str,
    pub(super) look: Look,
    /// The bytes of it that are a link; may be empty.
    pub(super) link: Range<usize>,
}

/// Glyphs of one face, from left to right.
pub(super) struct Run {
    pub(super) face: usize,
    /// What the glyphs stand for; their ranges are of this text.
    pub(super) text: String,
    /// Where in the passage this text begins.
    start: usize,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) width: f32,
    pub(super) is_link: bool,
}

/// A line, its runs from left to right.
pub(super) struct Line {
    pub(super) runs: Vec<Run>,
    pub(super) look: Look,
    /// Without the space that ends it.
    pub(super) width: f32,
    /// Whether its text is read from right to left, and so begins at the right margin.
    pub(super) is_rtl: bool,
}

/// A part of a text that is shaped as one.
#[derive(Clone)]
struct Piece {
    range: Range<usize>,
    level: Level,
    face: usize,
    is_link: bool,
}

/// Bytes of a piece after which the next space begins another: a shaper holds all of a piece at once.
const LONG_PIECE: usize = 4096;

/// More of a gap in a justified line than this part of the text's size is seen as a hole.
const WIDEST_GAP: f32 = 0.3;

/// A passage as lines of at most `width` points.
pub(super) fn lines(passage: &Passage<'_>, width: f32, faces: &Faces<'_>) -> Vec<Line> {
    let text = passage.text;
    let is_rtl = is_right_to_left(text);
    let base = if is_rtl { Level::rtl() } else { Level::ltr() };
    let levels = BidiInfo::new(text, Some(base)).levels;
    let pieces = pieces(passage, &levels, faces);
    let breaks = breaks(text);
    let ranges = fitted(text, &breaks, &advances(passage, &pieces, faces), width);
    let count = ranges.len();
    let line = |(at, range): (usize, Range<usize>)| {
        let mut line = line(passage, &pieces, range.clone(), base, faces);
        if faces.is_justified && !is_rtl && at + 1 < count {
            stretch(&mut line, &breaks, range.end, width);
        }
        line
    };
    ranges.into_iter().enumerate().map(line).collect()
}

/// The passage in pieces, in the order of its bytes.
fn pieces(passage: &Passage<'_>, levels: &[Level], faces: &Faces<'_>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut script = Script::Common;
    let mut before = None;
    let mut characters = passage.text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let after = characters.peek().map(|&(_, after)| after);
        let range = at..at + character.len_utf8();
        let now = family(character);
        let (level, is_link) = (levels[at], passage.link.contains(&at));
        let goes_along = before.is_some_and(|before| are_one(before, character));
        let face = match pieces.last() {
            Some(last) if goes_along => last.face,
            _ => faces.choose(character, [before, after], passage.look.is_bold),
        };
        let has_script = !matches!(now, Script::Common | Script::Inherited);
        match pieces.last_mut() {
            Some(last)
                if (last.level, last.face, last.is_link) == (level, face, is_link)
                    && (!has_script || script == Script::Common || now == script)
                    && !(character == ' ' && at - last.range.start > LONG_PIECE) =>
            {
                last.range.end = range.end;
            }
            _ => {
                pieces.push(Piece { range, level, face, is_link });
                script = Script::Common;
            }
        }
        if has_script {
            script = now;
        }
        before = Some(character);
    }
    pieces
}

/// The script, those that stand together in Chinese, Japanese and Korean as one.
fn family(character: char) -> Script {
    match character.script() {
        Script::Hiragana | Script::Katakana | Script::Bopomofo => Script::Han,
        other => other,
    }
}

/// Whether two characters are one sign: marks, joiners and variants stay with what they change.
fn are_one(before: char, after: char) -> bool {
    let flag = |character| matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
    after.script() == Script::Inherited
        || matches!(after, '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
        || before == '\u{200d}'
        || flag(before) && flag(after)
}

/// For each byte the width of the cluster that begins there.
fn advances(passage: &Passage<'_>, pieces: &[Piece], faces: &Faces<'_>) -> Vec<Option<f32>> {
    let mut advances = vec![None; passage.text.len()];
    for piece in pieces {
        let run = shaped(passage, piece, faces);
        for glyph in run.glyphs {
            let advance = &mut advances[run.start + glyph.text_range.start];
            *advance = Some(advance.unwrap_or(0.0) + glyph.x_advance * passage.look.size);
        }
    }
    advances
}

/// The byte ranges of the lines, without the spaces at their ends.
fn fitted(text: &str, breaks: &[usize], advances: &[Option<f32>], width: f32) -> Vec<Range<usize>> {
    let sum = |range: Range<usize>| advances[range].iter().flatten().sum::<f32>();
    let mut ranges = Vec::new();
    let (mut start, mut end, mut filled) = (0, 0, 0.0);
    for &to in breaks {
        let seen_end = end + text[end..to].trim_end().len();
        let seen = sum(end..seen_end);
        if filled + seen > width && end > start {
            ranges.push(start..end);
            (start, filled) = (end, 0.0);
        }
        if seen > width {
            // One word longer than a line: it is cut between its signs.
            let signs = (end..seen_end).zip(&advances[end..seen_end]);
            for (at, advance) in signs.filter_map(|(at, advance)| Some((at, (*advance)?))) {
                if filled + advance > width && at > start {
                    ranges.push(start..at);
                    (start, filled) = (at, 0.0);
                }
                filled += advance;
            }
            filled += sum(seen_end..to);
        } else {
            filled += sum(end..to);
        }
        end = to;
    }
    if start < end {
        ranges.push(start..end);
    }
    let trimmed =
        |range: Range<usize>| range.start..range.start + text[range.clone()].trim_end().len();
    ranges.into_iter().map(trimmed).filter(|range| !range.is_empty()).collect()
}

/// The line of a range of the passage.
fn line(
    passage: &Passage<'_>,
    pieces: &[Piece],
    range: Range<usize>,
    base: Level,
    faces: &Faces<'_>,
) -> Line {
    let first = pieces.partition_point(|piece| piece.range.end <= range.start);
    let inside = pieces[first..].iter().take_while(|piece| piece.range.start < range.end);
    let clipped = |piece: &Piece| Piece {
        range: piece.range.start.max(range.start)..piece.range.end.min(range.end),
        ..piece.clone()
    };
    let mut own: Vec<Piece> = inside.map(clipped).collect();
    reorder(&mut own);
    let mut runs: Vec<Run> = own.iter().map(|piece| shaped(passage, piece, faces)).collect();
    let width = runs.iter().map(|run| run.width).sum();
    // Who copies the text, or has it read, needs the space between the last word and the next line's first.
    let has_space = passage.text[range.end..].starts_with(' ');
    if has_space && base.is_ltr() {
        let face = faces.choose(' ', [None, None], passage.look.is_bold);
        let is_link = own.last().is_some_and(|last| last.is_link);
        let space = Piece { range: range.end..range.end + 1, level: base, face, is_link };
        runs.push(shaped(passage, &space, faces));
    }
    Line { runs, look: passage.look, width, is_rtl: base.is_rtl() }
}

/// From the order in which pieces are read to that in which they are seen (UAX 9, L2).
fn reorder(pieces: &mut [Piece]) {
    let levels = || pieces.iter().map(|piece| piece.level);
    let Some(highest) = levels().max() else { return };
    let Some(lowest) = levels().filter(Level::is_rtl).min() else { return };
    for level in (lowest.number()..=highest.number()).rev() {
        for part in pieces.chunk_by_mut(|one, other| {
            (one.level.number() >= level) == (other.level.number() >= level)
        }) {
            if part[0].level.number() >= level {
                part.reverse();
            }
        }
    }
}

/// Spreads what is left of a line over the places where it could have ended, if that is little enough not to be seen.
fn stretch(line: &mut Line, breaks: &[usize], end: usize, width: f32) {
    let is_gap = |run: &Run, at: usize| {
        let range = &run.glyphs[at].text_range;
        let after = run.start + range.end;
        let ends = run.glyphs.get(at + 1).is_none_or(|next| next.text_range != *range);
        ends && after < end && breaks.binary_search(&after).is_ok()
    };
    let gaps_of =
        |run: &Run| (0..run.glyphs.len()).filter(|&at| is_gap(run, at)).collect::<Vec<_>>();
    let gaps: Vec<Vec<usize>> = line.runs.iter().map(gaps_of).collect();
    let each = (width - line.width) / gaps.iter().map(Vec::len).sum::<usize>().max(1) as f32;
    if each <= 0.0 || each > WIDEST_GAP * line.look.size {
        return;
    }
    for (run, gaps) in line.runs.iter_mut().zip(gaps) {
        for &at in &gaps {
            run.glyphs[at].x_advance += each / line.look.size;
        }
        run.width += each * gaps.len() as f32;
    }
    line.width = width;
}

/// The glyphs of a piece.
fn shaped(passage: &Passage<'_>, piece: &Piece, faces: &Faces<'_>) -> Run {
    let text = &passage.text[piece.range.clone()];
    let shaper = &faces.faces[piece.face].shaper;
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    let is_rtl = piece.level.is_rtl();
    let direction = if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight };
    buffer.set_direction(direction);
    if let Some(language) = &faces.language {
        buffer.set_language(language.clone());
    }
    let script = Some(buffer.script());
    let plan = faces.plans.borrow().get(&(piece.face, is_rtl, script)).cloned();
    let plan = plan.unwrap_or_else(|| {
        let plan = ShapePlan::new(shaper, direction, script, faces.language.as_ref(), &[]);
        let plan = Rc::new(plan);
        faces.plans.borrow_mut().insert((piece.face, is_rtl, script), plan.clone());
        plan
    });
    let output = shape_with_plan(shaper, &plan, buffer);
    let unit = shaper.units_per_em() as f32;
    let infos = output.glyph_infos();
    let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).collect();
    starts.sort_unstable();
    let glyph = |(info, place): (&rustybuzz::GlyphInfo, &rustybuzz::GlyphPosition)| {
        let from = info.cluster as usize;
        // A cluster reaches to where the next one begins.
        let next = starts.get(starts.partition_point(|start| *start <= from));
        let range = from..next.copied().unwrap_or(text.len());
        let [advance, up, right, rise] =
            [place.x_advance, place.y_advance, place.x_offset, place.y_offset]
                .map(|length| length as f32 / unit);
        KrillaGlyph::new(GlyphId::new(info.glyph_id), advance, right, rise, up, range, None)
    };
    let glyphs: Vec<KrillaGlyph> = infos.iter().zip(output.glyph_positions()).map(glyph).collect();
    let width = glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * passage.look.size;
    let Piece { face, is_link, ref range, .. } = *piece;
    Run { face, text: text.to_owned(), start: range.start, glyphs, width, is_link }
}
