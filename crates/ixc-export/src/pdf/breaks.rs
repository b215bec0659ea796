//! Where a line may end.
//!
//! UAX 14, and one rule more: its version here takes a curly quotation mark for one that may open or close, so that
//! Chinese text beside one could not break; there the mark's form says which it is. Deliberately absent: hyphenation,
//! and languages that need a dictionary (Thai, Khmer), whose lines end at spaces.

use unicode_linebreak::linebreaks;

use crate::text::is_wide;

/// Byte offsets after which a line may end, in order; the last is the text's end.
pub(super) fn breaks(text: &str) -> Vec<usize> {
    let mut breaks: Vec<usize> = linebreaks(text).map(|(at, _)| at).collect();
    let mut characters = text.char_indices().peekable();
    let mut wide = None;
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        match character {
            // Between two wide characters: before the opening mark, behind the closing one.
            '\u{2018}' | '\u{201c}' if wide.is_some_and(|before| !opens(before)) => {
                breaks.extend(next.filter(|&next| is_wide(next)).map(|_| at));
            }
            '\u{2019}' | '\u{201d}' if wide.is_some() => {
                let after = at + character.len_utf8();
                breaks.extend(next.filter(|&next| is_wide(next) && !closes(next)).map(|_| after));
            }
            _ => {}
        }
        wide = Some(character).filter(|&character| is_wide(character));
    }
    breaks.sort_unstable();
    breaks.dedup();
    breaks
}

/// Wide characters that no line ends with.
fn opens(character: char) -> bool {
    "（［｛〔〈《「『【〘〖".contains(character)
}

/// Wide characters that no line begins with (JIS X 4051, GB/T 15834).
fn closes(character: char) -> bool {
    "、。，．：；？！）］｝〕〉》」』】〙〗々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ"
        .contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with a bar wherever a line may end.
    fn parts(text: &str) -> String {
        let mut from = 0;
        let mut part = |to: usize| {
            let part = &text[from..to];
            from = to;
            part
        };
        breaks(text).into_iter().map(&mut part).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn lines_end_where_readers_expect_it() {
        for (text, wanted) in [
            ("two  words, one-half", "two  |words, |one-|half"),
            ("no\u{a0}break", "no\u{a0}break"),
            ("他说：“回家吧！”然后走了。", "他|说：|“回|家|吧！”|然|后|走|了。"),
            ("（“一”）二", "（“一”）|二"),
            ("用Rust写", "用|Rust|写"),
            ("いっしょに、コーヒー。", "いっ|しょ|に、|コー|ヒー。"),
            ("한국어 문장", "한|국|어 |문|장"),
            ("-1 e\u{301}e", "-1 |e\u{301}e"),
            ("👩\u{200d}👧🇨🇭", "👩\u{200d}👧|🇨🇭"),
            ("it’s “so” said", "it’s |“so” |said"),
        ] {
            assert_eq!(parts(text), wanted);
        }
    }
}
