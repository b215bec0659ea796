//! Names of fonts for a language, as office programs ship them.
//!
//! A document names fonts and does not hold them; a program that has none of a name takes another that has the
//! characters. Deliberately absent: looking for fonts on this machine.

use crate::text::is_right_to_left_language;

/// The styles with their fonts and languages filled in.
pub(super) fn filled(styles: &str, language: &str) -> String {
    let tag = language.to_ascii_lowercase();
    let is_traditional = tag.split('-').any(|part| matches!(part, "hant" | "tw" | "hk" | "mo"))
        || tag.starts_with("yue");
    // Text, headings, and the language in the form that these programs know.
    let (text, heading, east) = match &tag[..2] {
        "ja" => ("Yu Mincho", "Yu Gothic", "ja-JP"),
        "ko" => ("Batang", "Malgun Gothic", "ko-KR"),
        "zh" | "yu" | "cm" if is_traditional => ("PMingLiU", "Microsoft JhengHei", "zh-TW"),
        _ => ("SimSun", "Microsoft YaHei", "zh-CN"),
    };
    let is_east = matches!(&tag[..2], "ja" | "ko" | "zh" | "yu" | "cm");
    let is_right = is_right_to_left_language(language);
    let (latin, complex) = match (is_east, is_right) {
        (true, _) => ("en-US", "ar-SA"),
        (_, true) => ("en-US", language),
        _ => (language, "ar-SA"),
    };
    styles
        .replace("@text@", text)
        .replace("@heading@", heading)
        .replace("@latin@", latin)
        .replace("@east@", east)
        .replace("@complex@", complex)
}
