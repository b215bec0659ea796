//! Where a line may end.
//!
//! A small part of UAX 14: after spaces and hyphens, and around wide characters but for those that must not begin or
//! end a line. Deliberately absent: hyphenation, and languages that need a dictionary (Thai, Khmer).

use super::fonts::is_mark;
use crate::text::is_wide;

/// Wide characters and others beside them that no line begins with (JIS X 4051, GB/T 15834).
const NO_START: &str = "、。，．・：；？！）］｝〕〉》」』】〙〗’”…—·％°℃々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}%»›‥";
/// Those that no line ends with.
const NO_END: &str = "（［｛〔〈《「『【〘〖‘“([{«‹$￥¥£";

/// Byte offsets after which a line may end, in order; the last is the text's end.
pub(super) fn breaks(text: &str) -> Vec<usize> {
    let mut breaks = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((_, character)) = characters.next() {
        match characters.peek() {
            Some(&(at, next)) if may_break(character, next) => breaks.push(at),
            Some(_) => {}
            None => breaks.push(text.len()),
        }
    }
    breaks
}

fn may_break(before: char, after: char) -> bool {
    let breaks_after = |character: char| {
        character.is_whitespace() && !matches!(character, '\u{a0}' | '\u{202f}' | '\u{2007}')
            || character == '\u{200b}'
    };
    if breaks_after(after) || !separable(before, after) {
        return false;
    }
    if breaks_after(before) {
        return true;
    }
    if NO_START.contains(after) || NO_END.contains(before) {
        return false;
    }
    let is_hyphen = matches!(before, '-' | '\u{2010}' | '/' | '\u{ad}') && after.is_alphabetic();
    // A closing mark beside wide characters belongs to the text that may break everywhere.
    let is_east =
        is_wide(before) || is_wide(after) || NO_START.contains(before) && before > '\u{2000}';
    is_hyphen || is_east
}

/// Whether two characters are not one sign: marks, joiners and variants stay with what they change.
pub(super) fn separable(before: char, after: char) -> bool {
    let joins = matches!(after, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}')
        || is_mark(after);
    let flag = |character| matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
    !(joins
        || matches!(before, '\u{200d}' | '\u{2060}' | '\u{feff}')
        || flag(before) && flag(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with a bar wherever a line may end.
    fn parts(text: &str) -> String {
        let mut from = 0;
        let parts: Vec<&str> = breaks(text)
            .into_iter()
            .map(|to| {
                let part = &text[from..to];
                from = to;
                part
            })
            .collect();
        parts.join("|")
    }

    #[test]
    fn lines_end_where_readers_expect_it() {
        for (text, wanted) in [
            ("two  words, one-half", "two  |words, |one-|half"),
            ("no\u{a0}break", "no\u{a0}break"),
            ("“回家吧！”他说。", "“回|家|吧！”|他|说。"),
            ("（一）二", "（一）|二"),
            ("用Rust写", "用|Rust|写"),
            ("-1 e\u{301}e", "-1 |e\u{301}e"),
            ("👩\u{200d}👧🇨🇭", "👩\u{200d}👧🇨🇭"),
            ("", ""),
        ] {
            assert_eq!(parts(text), wanted);
        }
    }
}
