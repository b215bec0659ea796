//! The prompts of free-form text-image composition, letter by letter, and how their answers are read.
//!
//! The composition checkpoint was trained on these strings: an article, places for pictures in it, their captions,
//! a choice among candidates, changes of a paragraph. Each step is one user turn, and a beginning of the answer
//! that is put into the model's mouth. Invariant: text from a user or a model stays text; pictures are parts.
//! Reading never fails and never guesses: what an answer does not hold is absent from the result.
//! Deliberately absent: deciding what to do with such an answer, sampling, the markers between turns
//! ([`crate::prompt`]).

use crate::conversation::{IMAGE_MARKER, Part};

/// Sections of an article at most, as published.
pub const MAX_SECTIONS: usize = 60;
/// Pictures that a user may supply, as published; also the candidates that have a letter.
pub const MAX_SUPPLIED: usize = 10;

/// How the answer about places begins.
pub const PLACES_PREFIX: &str = "适合插入图像的行是";
/// How the answer about a caption begins; it ends with the next quotation mark.
pub const CAPTION_PREFIX: &str = "标题是\"";
/// How the answer about a choice begins.
pub const CHOICE_PREFIX: &str = "最合适的图是";

/// A step: the user's turn, and how the answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The turn; its pictures are counted from 0 in their order.
    pub parts: Vec<Part>,
    /// What the answer begins with; may be empty.
    pub prefix: &'static str,
}

/// An article: one picture after another, then the user's instruction.
pub fn article(supplied: usize, instruction: &str) -> Step {
    let mut writer = Writer::default();
    writer.supplied(supplied);
    writer.text(instruction);
    writer.step("")
}

/// The sections of an article: its lines, blank ones folded away, [`MAX_SECTIONS`] at most.
pub fn sections(article: &str) -> Vec<&str> {
    let lines = article.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(MAX_SECTIONS).collect()
}

/// Sections with their numbers, as the prompts show them.
pub fn numbered<T: AsRef<str>>(sections: &[T]) -> String {
    let line = |(at, section): (usize, &T)| format!("<Seg{at}> {}\n", section.as_ref());
    sections.iter().enumerate().map(line).collect()
}

/// Which sections are to be followed by a picture: so many, or as many as the model wants.
pub fn places<T: AsRef<str>>(supplied: usize, sections: &[T], wanted: Option<usize>) -> Step {
    let mut writer = Writer::default();
    writer.supplied(supplied);
    let wanted = wanted.map_or(String::new(), |wanted| wanted.to_string());
    writer.text(&format!(
        "给定文章\"{}\" 根据上述文章，选择适合插入图像的{wanted}行",
        numbered(sections)
    ));
    writer.step(PLACES_PREFIX)
}

/// Every number that an answer names as `<Seg3>`, in the answer's order, whether such a section exists or not.
/// A number too large for the machine is left out.
pub fn read_places(answer: &str) -> Vec<usize> {
    let after_marker = answer.split("<Seg").skip(1);
    after_marker
        .filter_map(|rest| {
            let (digits, _) = rest.split_once('>')?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok())?
        })
        .collect()
}

/// The caption of the picture after section `at`, given those of earlier places.
pub fn caption<T: AsRef<str>, C: AsRef<str>>(
    sections: &[T],
    past: &[(usize, C)],
    at: usize,
) -> Step {
    // The published context: everything up to the place, and one section more.
    let context = numbered(&sections[..sections.len().min(at + 2)]);
    let joint = |(place, caption): &(usize, C)| {
        format!("<Seg{place}>后插入图像对应的标题是\"{}\"", caption.as_ref())
    };
    let past: Vec<String> = past.iter().map(joint).collect();
    let past =
        if past.is_empty() { String::new() } else { format!("现在{}。", past.join("， ")) };
    let mut writer = Writer::default();
    writer
        .text(&format!("给定文章\"{context}\" {past}给出适合在<Seg{at}>后插入的图像对应的标题。"));
    writer.step(CAPTION_PREFIX)
}

/// The caption in an answer that began with [`CAPTION_PREFIX`] (which is not part of `answer`), if there is one.
pub fn read_caption(answer: &str) -> Option<&str> {
    let caption = answer.split('"').next().unwrap_or_default().trim();
    (!caption.is_empty()).then_some(caption)
}

/// Which of `candidates` pictures fits where the last of `texts` ends. Each text reaches from one place to the
/// next; a picture chosen before stands between two of them. Pictures in order: those chosen, the candidates.
///
/// # Panics
/// When there are more candidates than [`MAX_SUPPLIED`], or no text.
pub fn choice<T: AsRef<str>>(texts: &[T], candidates: usize) -> Step {
    assert!(candidates <= MAX_SUPPLIED && !texts.is_empty(), "letters A to J, and some text");
    let mut writer = Writer::default();
    writer.text("根据给定上下文和候选图像，选择合适的配图：");
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            writer.picture();
        }
        writer.text(text.as_ref());
    }
    writer.text("候选图像包括: ");
    for (at, letter) in ('A'..).take(candidates).enumerate() {
        writer.text(&format!("{}{letter}.", if at > 0 { "\n" } else { "" }));
        writer.picture();
    }
    writer.step(CHOICE_PREFIX)
}

/// The texts between places, as [`choice`] wants them: each section with its line end, cut behind each place.
pub fn pieces<T: AsRef<str>>(sections: &[T], places: &[usize]) -> Vec<String> {
    let mut from = 0;
    let piece = |&place: &usize| {
        let lines = sections.iter().take(place + 1).skip(from);
        from = place + 1;
        lines.map(|section| format!("{}\n", section.as_ref())).collect()
    };
    places.iter().map(piece).collect()
}

/// The candidate that an answer names: its first character, if that is one of `candidates` letters.
pub fn read_choice(answer: &str, candidates: usize) -> Option<usize> {
    let letter = answer.trim_start().chars().next()?;
    ('A'..).take(candidates.min(MAX_SUPPLIED)).position(|candidate| candidate == letter)
}

/// A longer paragraph, with material.
pub fn expand(paragraph: &str, material: &str) -> Step {
    plain(&format!("扩写以下段落：{paragraph}\n基于以下素材：{material}"))
}

/// Another paragraph, as told.
pub fn rewrite(paragraph: &str, material: &str) -> Step {
    plain(&format!("改写以下段落：{paragraph}\n基于以下素材：{material}"))
}

/// A shorter paragraph.
pub fn shorten(paragraph: &str) -> Step {
    plain(&format!("缩写以下段落：{paragraph}"))
}

/// A new paragraph between two, of which either may be absent (empty).
pub fn insert(before: &str, after: &str, outline: &str) -> Step {
    plain(&format!(
        "在以下两段中插入一段。\n第一段：{before}\n第二段：{after}\n插入段的大纲：{outline}"
    ))
}

/// A step's turn as training files write it: pictures as `<ImageHere>`.
pub fn marked(parts: &[Part]) -> String {
    let piece = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Image(_) | Part::Unplaced(_) => IMAGE_MARKER.to_owned(),
    };
    parts.iter().map(piece).collect()
}

fn plain(text: &str) -> Step {
    Step { parts: vec![Part::Text(text.to_owned())], prefix: "" }
}

/// Collects a turn; neighbouring texts become one.
#[derive(Default)]
struct Writer {
    parts: Vec<Part>,
    pictures: usize,
}

impl Writer {
    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn picture(&mut self) {
        self.parts.push(Part::Image(self.pictures));
        self.pictures += 1;
    }

    fn supplied(&mut self, count: usize) {
        for _ in 0..count {
            self.picture();
            self.text(" ");
        }
    }

    fn step(self, prefix: &'static str) -> Step {
        Step { parts: self.parts, prefix }
    }
}
