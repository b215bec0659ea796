//! Rust source with its words taken out: what is left is code, line for line and column for column.
//!
//! Comments and the contents of literals become spaces, so that a check which looks for `unsafe` finds
//! the keyword and not a sentence about it. Deliberately absent: a parser. The checks look at text that
//! rustfmt has laid out, and a list of tokens would say nothing more.

/// `text` with every comment and literal replaced by spaces; line ends stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < source.len() {
        let (end, is_code) = token(&source, at);
        for &symbol in &source[at..end] {
            code.push(if is_code || symbol == '\n' { symbol } else { ' ' });
        }
        at = end;
    }
    code
}

/// Where the token that starts at `at` ends, and whether it is code.
fn token(source: &[char], at: usize) -> (usize, bool) {
    let next = |offset: usize| source.get(at + offset).copied().unwrap_or('\0');
    match (source[at], next(1)) {
        ('/', '/') => (position(source, at, |rest| rest[0] == '\n'), false),
        ('/', '*') => (block_comment_end(source, at), false),
        ('"', _) => (quoted_end(source, at + 1, '"'), false),
        ('\'', '\\') => (quoted_end(source, at + 1, '\''), false),
        ('\'', _) if next(2) == '\'' => (at + 3, false), // otherwise a lifetime
        (first, _) if is_word(first) => {
            let end = position(source, at, |rest| !is_word(rest[0]));
            literal_with_prefix(source, at, end).map_or((end, true), |end| (end, false))
        }
        _ => (at + 1, true),
    }
}

/// The end of a literal whose prefix (`r`, `b`, `br`, `c`, `cr`) is the word `start..end`.
fn literal_with_prefix(source: &[char], start: usize, end: usize) -> Option<usize> {
    let prefix: String = source[start..end].iter().collect();
    let hashes = source[end..].iter().take_while(|&&symbol| symbol == '#').count();
    let quote = *source.get(end + hashes)?;
    match prefix.as_str() {
        "r" | "br" | "cr" if quote == '"' => {
            let body = end + hashes + 1;
            let closes = |rest: &[char]| {
                rest[0] == '"'
                    && rest[1..].iter().take_while(|&&symbol| symbol == '#').count() >= hashes
            };
            Some((position(source, body, closes) + 1 + hashes).min(source.len()))
        }
        "b" | "c" if hashes == 0 && quote == '"' => Some(quoted_end(source, end + 1, '"')),
        "b" if hashes == 0 && quote == '\'' => Some(quoted_end(source, end + 1, '\'')),
        _ => None,
    }
}

/// One past the quote that closes a literal whose contents start at `from`.
fn quoted_end(source: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < source.len() && source[at] != quote {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

/// One past the end of a block comment; such comments nest.
fn block_comment_end(source: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at + 1 < source.len() {
        match (source[at], source[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    source.len()
}

/// The first place from `from` on where `found` holds of the rest, or the end.
fn position(source: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..source.len()).find(|&at| found(&source[at..])).unwrap_or(source.len())
}

/// Whether `symbol` can be part of an identifier.
pub(crate) fn is_word(symbol: char) -> bool {
    symbol.is_alphanumeric() || symbol == '_'
}

/// The byte offsets at which `word` stands by itself in `line`, not inside a longer word.
pub(crate) fn word_offsets<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    line.match_indices(word).map(|(offset, _)| offset).filter(move |&offset| {
        let alone = |neighbour: Option<char>, edge: Option<char>| {
            !(neighbour.is_some_and(is_word) && edge.is_some_and(is_word))
        };
        alone(line[..offset].chars().next_back(), word.chars().next())
            && alone(line[offset + word.len()..].chars().next(), word.chars().next_back())
    })
}

/// How many lines stand before the unit tests at the end of the file (all, where there are none).
pub(crate) fn lines_before_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let opens_tests = |pair: &[&str]| {
        pair[0].trim_end() == "#[cfg(test)]"
            && pair[1].starts_with("mod ")
            && pair[1].trim_end().ends_with('{')
    };
    lines.windows(2).position(opens_tests).unwrap_or(lines.len())
}

/// Whether the whole file is test code or an example: nothing in it reaches a user's binary.
pub(crate) fn is_test_file(path: &str) -> bool {
    ["/tests/", "/benches/", "/examples/"].iter().any(|folder| path.contains(folder))
        || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_and_code_stays_in_its_column() {
        let text = "let a = \"un\\\"safe\"; // unsafe\nlet b = 'u'; /* a /* b */ unsafe */ c\n";
        let code = "let a =           ;          \nlet b =    ;                        c\n";
        assert_eq!(code_only(text), code);
    }

    #[test]
    fn raw_strings_bytes_and_lifetimes_are_told_apart() {
        let text = r###"f::<'a>(r#"un"safe"#, br"x", b'\'', b"y", r#type, '\u{41}', "é")"###;
        let code = "f::<'a>(            ,      ,      ,     , r#type,         ,    )";
        assert_eq!(code_only(text), code);
    }

    #[test]
    fn what_never_closes_runs_to_the_end() {
        assert_eq!(code_only("a \"b\nc"), "a   \n ");
        assert_eq!(code_only("a /* b"), "a     ");
        assert_eq!(code_only("r#\"b"), "    ");
    }

    #[test]
    fn a_word_is_found_only_by_itself() {
        let offsets = |line| word_offsets(line, "unsafe").collect::<Vec<_>>();
        assert_eq!(offsets("unsafe fn unsafe_code(unsafe)"), [0, 22]);
        assert_eq!(word_offsets("a::env::var_os", "env::var").count(), 0);
    }

    #[test]
    fn the_tail_of_unit_tests_is_not_counted() {
        assert_eq!(lines_before_tests("a\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(lines_before_tests("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
    }
}
