//! Text from a model or a person becomes text that every format can hold.
//!
//! Invariant: what comes out has no control character but the line break, and XML can say every character of
//! it; what cannot be said is shown as U+FFFD, never dropped in silence. Deliberately absent: escaping, which is
//! each format's own.

/// What stands for a character that no document can hold.
const UNSAYABLE: char = '\u{fffd}';

/// The paragraphs of a text, each as its lines: blank lines part them, lines are trimmed.
pub(crate) fn paragraphs(text: &str) -> Vec<Vec<String>> {
    let text = sayable(text);
    let lines: Vec<&str> = text.split('\n').map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.iter().map(|&line| line.to_owned()).collect())
        .collect()
}

/// A text as one line: a line break is a space.
pub(crate) fn line(text: &str) -> String {
    let text = sayable(text);
    let lines: Vec<&str> =
        text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// The text with one kind of line break, spaces for tabs, and [`UNSAYABLE`] for what XML has no way to say.
fn sayable(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let character = |character| match character {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        '\t' => ' ',
        // XML 1.0, section 2.2; and, since a reader may take them for anything, the other controls.
        '\u{fffe}' | '\u{ffff}' => UNSAYABLE,
        other if other.is_control() => UNSAYABLE,
        other => other,
    };
    text.chars().map(character).collect()
}

/// Whether a text is to be read from right to left: its first letter that has a direction decides (UAX 9, P2).
pub(crate) fn is_right_to_left(text: &str) -> bool {
    let right = |character| {
        matches!(character,
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}' | '\u{200f}')
    };
    let first = text.chars().find(|&character| right(character) || character.is_alphabetic());
    first.is_some_and(right)
}

/// Whether a language, by its tag, is written from right to left.
pub(crate) fn is_right_to_left_language(tag: &str) -> bool {
    let tag = tag.to_ascii_lowercase();
    let parts: Vec<&str> = tag.split('-').collect();
    let script = parts.iter().skip(1).find(|part| part.len() == 4);
    match script {
        Some(script) => ["arab", "hebr", "syrc", "thaa", "nkoo", "adlm"].contains(script),
        None => ["ar", "he", "fa", "ur", "yi", "ps", "sd", "ug", "ckb", "dv"].contains(&parts[0]),
    }
}

/// Whether a character is written in the square cells of Chinese, Japanese and Korean type.
pub(crate) fn is_wide(character: char) -> bool {
    matches!(character,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3fffd}')
}

/// An address that a link may lead to: `http` or `https`, and nothing in it that ends an attribute or a line.
pub(crate) fn address(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let plain = |character: char| {
        !character.is_whitespace() && !character.is_control() && !"<>\"'`\\{}|^".contains(character)
    };
    (known && !rest.is_empty() && rest.chars().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_paragraphs() {
        let parts = paragraphs("\u{3000}\u{3000}一\r\n 二 \n\n\t\n三\u{2028}四\n");
        assert_eq!(parts, [vec!["一", "二"], vec!["三", "四"]]);
        assert_eq!(paragraphs(" \n\n"), Vec::<Vec<String>>::new());
        assert_eq!(line("a\nb\n\n c"), "a b c");
    }

    #[test]
    fn what_xml_cannot_say_is_shown() {
        assert_eq!(line("a\0b\u{1b}[31m\u{ffff}\u{9b}"), "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}");
        assert_eq!(line("a\tb👩‍👩‍👧‍👦"), "a b👩‍👩‍👧‍👦");
    }

    #[test]
    fn the_first_letter_gives_the_direction() {
        assert!(is_right_to_left("1. שלום world"));
        assert!(is_right_to_left("«مرحبا»"));
        assert!(!is_right_to_left("hello שלום"));
        assert!(!is_right_to_left("冬 123"));
        assert!(!is_right_to_left("123 …"));
    }

    #[test]
    fn only_plain_addresses_become_links() {
        assert_eq!(address("https://example.com/a?b=c&d"), Some("https://example.com/a?b=c&d"));
        for text in [
            "javascript:alert(1)",
            "JAVASCRIPT://x",
            "data:text/html,x",
            "http://",
            "https://a b",
            "https://a\"onclick=",
            "//example.com",
            "example.com",
            " https://example.com",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
