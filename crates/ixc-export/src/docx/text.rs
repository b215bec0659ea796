//! Paragraphs of a DOCX document and the runs in them.
//!
//! Invariant: a run has one direction, since office programs choose a run's font and the side it is written from
//! by its own mark. Deliberately absent: emphasis, lists, tables; an article has none.

use crate::{
    markup::escaped,
    text::{is_right_to_left, is_wide},
};

/// A paragraph that is being written.
pub(super) struct Paragraph {
    style: &'static str,
    is_kept_with_next: bool,
    /// What has been written of its text, for its direction.
    text: String,
    runs: String,
}

impl Paragraph {
    pub(super) fn new(style: &'static str) -> Self {
        Paragraph { style, is_kept_with_next: false, text: String::new(), runs: String::new() }
    }

    /// Whether it stays on the page of the next paragraph.
    pub(super) fn keep(mut self, is_kept_with_next: bool) -> Self {
        self.is_kept_with_next = is_kept_with_next;
        self
    }

    /// Adds a run that is already XML.
    pub(super) fn run(mut self, xml: &str) -> Self {
        self.runs += &format!("<w:r>{xml}</w:r>");
        self
    }

    /// Adds text.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.text += text;
        self.runs += &runs(text, "");
        self
    }

    /// Adds lines of text.
    pub(super) fn lines(mut self, lines: &[String]) -> Self {
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                self = self.run("<w:br/>");
            }
            self = self.text(line);
        }
        self
    }

    /// Adds a link along a relationship.
    pub(super) fn link(mut self, relationship: &str, text: &str) -> Self {
        self.text += text;
        let runs = runs(text, "<w:rStyle w:val=\"Hyperlink\"/>");
        self.runs += &format!("<w:hyperlink r:id=\"{relationship}\">{runs}</w:hyperlink>");
        self
    }

    pub(super) fn xml(self) -> String {
        let keep = if self.is_kept_with_next { "<w:keepNext/>" } else { "" };
        let direction = if is_right_to_left(&self.text) { "<w:bidi/>" } else { "" };
        format!(
            "<w:p><w:pPr><w:pStyle w:val=\"{}\"/>{keep}{direction}</w:pPr>{}</w:p>\n",
            self.style, self.runs
        )
    }
}

/// Text as runs of one direction each; `style` is XML that every run begins with.
fn runs(text: &str, style: &str) -> String {
    // Quotation marks and dashes are in Chinese and in Latin type; beside Chinese they are Chinese.
    let hint = if text.chars().any(is_wide) { "<w:rFonts w:hint=\"eastAsia\"/>" } else { "" };
    let run = |(is_rtl, text): &(bool, String)| {
        let direction = if *is_rtl { "<w:rtl/>" } else { "" };
        let text = escaped(text);
        format!(
            "<w:r><w:rPr>{style}{hint}{direction}</w:rPr><w:t xml:space=\"preserve\">{text}</w:t></w:r>"
        )
    };
    directed(text).iter().map(run).collect()
}

/// The text in pieces of one direction; what has none goes with what stands before it, at the start with what follows.
fn directed(text: &str) -> Vec<(bool, String)> {
    let mut pieces: Vec<(bool, String)> = Vec::new();
    let mut now = is_right_to_left(text);
    for character in text.chars() {
        if character.is_alphabetic() {
            now = is_right_to_left(character.encode_utf8(&mut [0; 4]));
        }
        match pieces.last_mut() {
            Some((is_rtl, piece)) if *is_rtl == now => piece.push(character),
            _ => pieces.push((now, character.to_string())),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_direction() {
        let piece = |is_rtl, text: &str| (is_rtl, text.to_owned());
        assert_eq!(directed("12 plain"), [piece(false, "12 plain")]);
        assert_eq!(
            directed("(שלום) and مرحبا!"),
            [piece(true, "(שלום) "), piece(false, "and "), piece(true, "مرحبا!")]
        );
        assert_eq!(directed(""), []);
    }
}
