//! Texts become the words that are searched for, the same way for captions and for questions.
//!
//! Latin and other spaced scripts: words in small letters, English plurals as singulars, without the words that
//! say nothing about a picture. Chinese, Japanese and Korean have no spaces between words: each sign, and each
//! two neighbours. A dictionary would cut better and would be larger than all else here; two neighbours find
//! nearly as much. Deliberately absent: ranking.

use std::collections::BTreeMap;

/// English words that say nothing about what a picture shows.
const SILENT: &[&str] = &[
    "a", "also", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "did",
    "do", "does", "for", "from", "had", "has", "have", "he", "her", "here", "his", "i", "if", "in",
    "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she", "so", "some", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us", "was",
    "we", "were", "what", "which", "who", "with", "you", "your",
];

/// Chinese signs that only join others.
const JOINING: &[char] = &['的', '了', '着', '是', '在', '和', '与', '及', '这', '那', '之'];

/// Plurals that no rule below makes singular.
const PLURALS: &[(&str, &str)] = &[
    ("buses", "bus"),
    ("canoes", "canoe"),
    ("children", "child"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("halves", "half"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("loaves", "loaf"),
    ("mice", "mouse"),
    ("movies", "movie"),
    ("oxen", "ox"),
    ("people", "person"),
    ("pies", "pie"),
    ("series", "series"),
    ("shelves", "shelf"),
    ("shoes", "shoe"),
    ("teeth", "tooth"),
    ("ties", "tie"),
    ("wives", "wife"),
    ("wolves", "wolf"),
];

/// The words of a text, with how often each stands in it, and how many there are together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Each once, in order.
    pub counts: BTreeMap<String, u32>,
    /// All of them.
    pub length: u32,
}

impl Words {
    /// Of one text.
    pub fn of(text: &str) -> Self {
        let mut words = Self::default();
        words.add(text);
        words
    }

    /// Those of one more text.
    pub fn add(&mut self, text: &str) {
        let mut latin = String::new();
        let mut signs: Vec<char> = Vec::new();
        for letter in text.chars().map(narrow).chain([' ']) {
            let sign = is_sign(letter);
            if !sign || JOINING.contains(&letter) {
                self.signs(&mut signs);
            }
            // An apostrophe stays, to be cut off with what follows it.
            if sign || !(letter.is_alphanumeric() || letter == '\'') {
                self.latin(&mut latin);
            }
            if sign && !JOINING.contains(&letter) {
                signs.push(letter);
            } else if !sign && (letter.is_alphanumeric() || letter == '\'') {
                latin.extend(letter.to_lowercase());
            }
        }
    }

    fn signs(&mut self, signs: &mut Vec<char>) {
        for pair in signs.windows(2) {
            self.count(pair.iter().collect());
        }
        for sign in signs.drain(..) {
            self.count(sign.into());
        }
    }

    fn latin(&mut self, word: &mut String) {
        let whole = std::mem::take(word);
        let stem = whole.trim_matches('\'').split('\'').next().unwrap_or_default();
        if !stem.is_empty() && !SILENT.contains(&stem) {
            self.count(singular(stem));
        }
    }

    fn count(&mut self, word: String) {
        *self.counts.entry(word).or_default() += 1;
        self.length += 1;
    }
}

/// Letters as wide as Chinese signs, as their usual forms; typographic apostrophes as the plain one.
fn narrow(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(letter as u32 - 0xff01 + 0x21).expect("printable ASCII")
        }
        '\u{2019}' | '\u{2bc}' => '\'',
        other => other,
    }
}

/// Whether words of this script stand without spaces between them.
pub(crate) fn is_sign(letter: char) -> bool {
    matches!(letter,
        '\u{3005}'..='\u{3007}'       // 々〆〇
        | '\u{3040}'..='\u{30ff}'     // kana
        | '\u{3400}'..='\u{4dbf}'     // Han, extension A
        | '\u{4e00}'..='\u{9fff}'     // Han
        | '\u{ac00}'..='\u{d7a3}'     // Hangul: spaces stand between phrases, particles within
        | '\u{f900}'..='\u{faff}'     // Han, compatibility
        | '\u{20000}'..='\u{3ffff}') // Han, further extensions
}

/// A word without the ending of an English plural. The same is done to both sides, so that a wrong guess
/// (`glass` keeps its s, `lens` does not) still meets itself.
fn singular(word: &str) -> String {
    if let Some((_, one)) = PLURALS.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    let Some(stem) = word.strip_suffix('s').filter(|stem| stem.len() >= 3 && stem.is_ascii())
    else {
        // Men and women, snowmen, firemen.
        let men = word.strip_suffix("men").filter(|before| *before != "speci");
        return men.map_or_else(|| word.to_owned(), |before| format!("{before}man"));
    };
    if stem.ends_with(['s', 'u', 'i']) {
        return word.to_owned(); // glass, octopus, tennis
    }
    if let Some(before) = stem.strip_suffix("ie") {
        return format!("{before}y"); // berries
    }
    if ["che", "she", "sse", "xe", "zze", "oe"].iter().any(|end| stem.ends_with(end)) {
        return stem[..stem.len() - 1].to_owned(); // benches, bushes, dresses, boxes, potatoes
    }
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Words::of(text).counts.into_keys().collect()
    }

    #[test]
    fn english_is_cut_into_singulars() {
        assert_eq!(
            words("The two horses' benches, and the child's FOXES!"),
            ["bench", "child", "fox", "horse", "two"]
        );
        for (many, one) in [
            ("houses", "house"),
            ("snowmen", "snowman"),
            ("berries", "berry"),
            ("glass", "glass"),
            ("glasses", "glass"),
            ("buses", "bus"),
            ("people", "person"),
            ("boats", "boat"),
            ("bus", "bus"),
            ("tennis", "tennis"),
            ("as", "as"),
        ] {
            assert_eq!(singular(many), one);
        }
        let counted = Words::of("a dog, two dogs");
        assert_eq!((counted.counts["dog"], counted.length), (2, 3));
    }

    #[test]
    fn chinese_is_cut_into_signs_and_neighbours() {
        assert_eq!(words("白色的狗"), ["狗", "白", "白色", "色"]);
        assert_eq!(words("ＡＢ１２，雪山"), ["ab12", "山", "雪", "雪山"]);
        assert_eq!(words("iPhone照片2"), ["2", "iphone", "照", "照片", "片"]);
        assert_eq!(words("的了是"), [""; 0]);
    }

    #[test]
    fn any_text_gives_words_that_are_no_blanks() {
        for text in ["", " ", "'''", "\u{0}\u{202e}\n", "é É ß İ", "👩‍👩‍👧", "a'b'c", "’s", "סוס"]
        {
            let words = Words::of(text);
            assert!(words.counts.keys().all(|word| !word.trim().is_empty()), "{text:?}: {words:?}");
            assert_eq!(words.counts.values().sum::<u32>(), words.length);
        }
    }
}
