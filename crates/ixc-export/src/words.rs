//! The few words in an article that are not its author's, in the article's language.
//!
//! Deliberately absent: every language that nobody here can check. Chinese is written in its two scripts, all
//! else has English words, which are marked as such where a format can.

/// Words of one language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The tag of this language.
    pub(crate) language: &'static str,
    /// The heading above the list of whose the pictures are.
    pub(crate) credits: &'static str,
    /// The table of contents.
    pub(crate) contents: &'static str,
    /// A book's first page.
    pub(crate) cover: &'static str,
    /// A picture of which nothing is said.
    pub(crate) picture: &'static str,
    /// Before what generated a picture.
    pub(crate) generated: &'static str,
    /// Between the parts of a credit.
    pub(crate) and: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    credits: "Picture credits",
    contents: "Contents",
    cover: "Cover",
    picture: "Picture",
    generated: "Generated picture: ",
    and: " · ",
};

const SIMPLIFIED: Words = Words {
    language: "zh-Hans",
    credits: "图片来源",
    contents: "目录",
    cover: "封面",
    picture: "图片",
    generated: "生成的图片：",
    and: " · ",
};

const TRADITIONAL: Words = Words {
    language: "zh-Hant",
    credits: "圖片來源",
    contents: "目錄",
    cover: "封面",
    picture: "圖片",
    generated: "生成的圖片：",
    and: " · ",
};

/// The words for a language tag.
pub(crate) fn of(language: &str) -> &'static Words {
    let tag = language.to_ascii_lowercase();
    let has = |wanted: &[&str]| tag.split('-').any(|part| wanted.contains(&part));
    match tag.split('-').next() {
        Some("zh" | "yue" | "cmn") if has(&["hans"]) => &SIMPLIFIED,
        Some("zh" | "yue" | "cmn") if has(&["hant", "tw", "hk", "mo"]) => &TRADITIONAL,
        Some("zh" | "cmn") => &SIMPLIFIED,
        Some("yue") => &TRADITIONAL,
        _ => &ENGLISH,
    }
}

/// Whether a text is a language tag of BCP 47, by its form: a language, then parts of up to eight letters or digits.
pub(crate) fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or("");
    (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_chooses_its_words() {
        for (tag, words) in [
            ("en", &ENGLISH),
            ("pt-BR", &ENGLISH),
            ("zh", &SIMPLIFIED),
            ("zh-CN", &SIMPLIFIED),
            ("zh-Hans-HK", &SIMPLIFIED),
            ("zh-TW", &TRADITIONAL),
            ("ZH-HANT", &TRADITIONAL),
        ] {
            assert_eq!(of(tag), words, "{tag}");
        }
    }

    #[test]
    fn tags_have_a_form() {
        assert!(["en", "zh-Hans", "pt-BR", "sr-Latn-RS", "yue"].into_iter().all(is_tag));
        assert!(
            !["", "e", "en_US", "english!", "zh-", "-en", "12", "zh Hans", "abcdefghi"]
                .into_iter()
                .any(is_tag)
        );
    }
}
