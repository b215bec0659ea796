//! A list of data files: a path a line, with how much is drawn from it (the published `data.txt`).
//!
//! The number stands behind the last white space of its line, so paths may hold blanks; a line without a
//! number draws the whole file. Relative paths are read from the list's own folder.
//! Deliberately absent: what the number means, which its caller says ([`super::ListNumbers`]).

use std::path::{Path, PathBuf};

use super::{Error, fault::quoted};

/// One line.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// The data file.
    pub(super) path: PathBuf,
    /// How much, where the line says so.
    pub(super) share: Option<f64>,
}

/// Reads a list.
///
/// # Errors
/// When it is not UTF-8, holds no line, or names what is not there.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let at = |line: usize, problem: String| Error::List { path: path.into(), line, problem };
    let not_data = "expected a JSON list of samples, JSON Lines, or a list of data files with a \
                    `path number` a line";
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        at(line, format!("{not_data}; found bytes that are not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (name, share) = cut(line);
        let data = folder.join(name);
        if let Err(error) = data.metadata() {
            let problem = format!("{not_data}; found {:?}: {error}", quoted(line));
            return Err(at(index + 1, problem));
        }
        lines.push(Line { number: index + 1, path: data, share });
    }
    if lines.is_empty() {
        return Err(at(1, format!("{not_data}; found nothing")));
    }
    Ok(lines)
}

/// The path and the number of a line.
fn cut(line: &str) -> (&str, Option<f64>) {
    let numbered = line.rsplit_once(char::is_whitespace).and_then(|(name, number)| {
        Some((name.trim_end(), number.parse::<f64>().ok()?)) // "nan" and "inf" are refused as shares
    });
    numbered.map_or((line, None), |(name, number)| (name, Some(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_last_word() {
        assert_eq!(cut("a.json 10"), ("a.json", Some(10.0)));
        assert_eq!(cut("my data.json \t 0.5"), ("my data.json", Some(0.5)));
        assert_eq!(cut("my data.json"), ("my data.json", None));
        assert_eq!(cut("10"), ("10", None));
    }
}
