//! Text becomes lines of glyphs.
//!
//! The flow: breaks part the text into pieces, pieces fill lines while they fit, and each line is put into the order
//! in which it is seen (UAX 9) and shaped. Widths are in points. Deliberately absent: where on a page a line stands.

use krilla::text::{GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use unicode_bidi::{BidiInfo, Level};

use super::{
    breaks::{breaks, separable},
    fonts::{Faces, is_mark, is_unseen},
};
use crate::text::is_right_to_left;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Points.
    pub(super) size: f32,
    pub(super) is_bold: bool,
    /// From 0, black, to 255.
    pub(super) gray: u8,
}

/// Glyphs of one face, from left to right.
pub(super) struct Run {
    pub(super) face: usize,
    /// What the glyphs stand for; their ranges are of this text.
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// Points.
    pub(super) width: f32,
}

/// A line, its runs from left to right.
pub(super) struct Line {
    pub(super) runs: Vec<Run>,
    pub(super) look: Look,
    pub(super) width: f32,
    /// Whether its text is read from right to left, and so begins at the right margin.
    pub(super) is_rtl: bool,
}

/// A text as lines of at most `width` points.
pub(super) fn lines(text: &str, look: Look, width: f32, faces: &Faces<'_>) -> Vec<Line> {
    // The order on a line is not the caller's to override: such characters are for plain text.
    let is_rtl = is_right_to_left(text);
    let level = if is_rtl { Level::rtl() } else { Level::ltr() };
    let bidi = BidiInfo::new(text, Some(level));
    let ranges = fitted(text, look, width, faces);
    let count = ranges.len();
    let line = |(at, range): (usize, std::ops::Range<usize>)| {
        let mut runs = Vec::new();
        for paragraph in &bidi.paragraphs {
            let from = range.start.max(paragraph.range.start);
            let to = range.end.min(paragraph.range.end);
            if from >= to {
                continue;
            }
            let (levels, pieces) = bidi.visual_runs(paragraph, from..to);
            for piece in pieces {
                let mut shaped =
                    shaped(&text[piece.clone()], look, levels[piece.start].is_rtl(), faces);
                runs.append(&mut shaped);
            }
        }
        let mut line = Line { width: runs.iter().map(|run| run.width).sum(), runs, look, is_rtl };
        if faces.is_east && at + 1 < count {
            stretch(&mut line, width);
        }
        line
    };
    ranges.into_iter().enumerate().map(line).collect()
}

/// Spreads what is left of a line over its glyphs, where that is little enough not to be seen.
fn stretch(line: &mut Line, width: f32) {
    let glyphs: usize = line.runs.iter().map(|run| run.glyphs.len()).sum();
    let left = width - line.width;
    let each = left / (glyphs.max(2) - 1) as f32;
    if left <= 0.0 || each > 0.15 * line.look.size {
        return;
    }
    let last = line.runs.len() - 1;
    for (at, run) in line.runs.iter_mut().enumerate() {
        let skipped = usize::from(at == last);
        let count = run.glyphs.len() - skipped.min(run.glyphs.len());
        for glyph in &mut run.glyphs[..count] {
            glyph.x_advance += each / line.look.size;
        }
        run.width += each * count as f32;
    }
    line.width = width;
}

/// The byte ranges of the lines, without the spaces at their ends.
fn fitted(text: &str, look: Look, width: f32, faces: &Faces<'_>) -> Vec<std::ops::Range<usize>> {
    let measure =
        |part: &str| -> f32 { shaped(part, look, false, faces).iter().map(|run| run.width).sum() };
    let mut ranges = Vec::new();
    let (mut start, mut end, mut filled) = (0, 0, 0.0);
    for to in breaks(text) {
        let piece = &text[end..to];
        let seen = measure(piece.trim_end());
        if filled + seen > width && end > start {
            ranges.push(start..end);
            (start, filled) = (end, 0.0);
        }
        if seen > width {
            // One word longer than a line: it is cut where it must be.
            for cut in cuts(piece, width, measure) {
                ranges.push(start..end + cut);
                start = end + cut;
            }
            filled = measure(&text[start..to]);
        } else {
            filled += measure(piece);
        }
        end = to;
    }
    if start < end {
        ranges.push(start..end);
    }
    let trimmed = |range: std::ops::Range<usize>| {
        range.start..range.start + text[range.clone()].trim_end().len()
    };
    ranges.into_iter().map(trimmed).filter(|range| !range.is_empty()).collect()
}

/// Offsets in a long word at which a line is full.
fn cuts(word: &str, width: f32, measure: impl Fn(&str) -> f32) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut filled = 0.0;
    let mut before = None;
    let mut sign = 0; // where the last sign of its own began
    for (at, character) in word.char_indices() {
        let is_new = before.is_none_or(|before| separable(before, character));
        before = Some(character);
        if !is_new {
            continue;
        }
        filled += measure(&word[sign..at]);
        sign = at;
        let next = measure(character.encode_utf8(&mut [0; 4]));
        if filled + next > width && at > cuts.last().copied().unwrap_or(0) {
            cuts.push(at);
            filled = 0.0;
        }
    }
    cuts
}

/// A text of one direction as runs of one face each, from left to right.
fn shaped(text: &str, look: Look, is_rtl: bool, faces: &Faces<'_>) -> Vec<Run> {
    let mut parts: Vec<(usize, usize)> = Vec::new(); // where a face begins, and which
    for (at, character) in text.char_indices() {
        let goes_along = is_unseen(character) || is_mark(character);
        let now = parts.last().map(|(_, face)| *face);
        let face = match now {
            Some(face) if goes_along => face,
            _ => faces.choose(character, look.is_bold),
        };
        if now != Some(face) {
            parts.push((at, face));
        }
    }
    let ends = parts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let ranges: Vec<_> =
        parts.iter().zip(ends).map(|(&(from, face), to)| (from..to, face)).collect();
    let run = |(range, face): &(std::ops::Range<usize>, usize)| {
        glyphs(&text[range.clone()], *face, look.size, is_rtl, faces)
    };
    if is_rtl { ranges.iter().rev().map(run).collect() } else { ranges.iter().map(run).collect() }
}

/// The glyphs of a text of one face and direction.
fn glyphs(text: &str, face: usize, size: f32, is_rtl: bool, faces: &Faces<'_>) -> Run {
    let shaper = &faces.faces[face].shaper;
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight });
    let output = rustybuzz::shape(shaper, &[], buffer);
    let unit = shaper.units_per_em() as f32;
    let infos = output.glyph_infos();
    let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).collect();
    starts.sort_unstable();
    let glyph = |(info, place): (&rustybuzz::GlyphInfo, &rustybuzz::GlyphPosition)| {
        let from = info.cluster as usize;
        // A cluster reaches to where the next one begins.
        let to = starts
            .get(starts.partition_point(|start| *start <= from))
            .copied()
            .unwrap_or(text.len());
        KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            place.x_advance as f32 / unit,
            place.x_offset as f32 / unit,
            place.y_offset as f32 / unit,
            place.y_advance as f32 / unit,
            from..to,
            None,
        )
    };
    let glyphs: Vec<KrillaGlyph> = infos.iter().zip(output.glyph_positions()).map(glyph).collect();
    let width = glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * size;
    Run { face, text: text.to_owned(), glyphs, width }
}
