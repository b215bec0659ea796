//! Finds where each sample of a data file lies, in one pass over its bytes and without holding any sample.
//!
//! A JSON list is cut at the commas between its elements; JSON Lines at line ends. Only what separates
//! samples is checked: strings, escapes and the depth of brackets, in constant memory whatever the depth.
//! Deliberately absent: whether a sample is sound JSON, which is found out when it is read.

/// Where samples lie: 12 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Spans {
    starts: Vec<u64>,
    /// Saturated: what has 4 GB or more is over every limit anyway.
    lengths: Vec<u32>,
}

impl Spans {
    /// How many samples there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The first byte and the number of bytes of one.
    pub(super) fn get(&self, sample: usize) -> Option<(u64, u64)> {
        Some((*self.starts.get(sample)?, u64::from(*self.lengths.get(sample)?)))
    }

    fn push(&mut self, start: u64, end: u64) {
        self.starts.push(start);
        self.lengths.push(u32::try_from(end - start).unwrap_or(u32::MAX));
    }
}

/// Why a file cannot be cut into samples.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It begins with neither `[` nor `{`, so that it is no data but may be a list of data files.
    NotData,
    /// At this byte.
    At(u64, String),
}

/// What comes next in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// White space, then `[` of a list or `{` of the first line's object.
    Begin,
    /// In JSON Lines.
    Lines,
    /// The list's first element, or its end.
    First,
    /// An element, after a comma.
    Element,
    /// The rest of an element.
    Inside,
    /// White space behind the list's end.
    After,
}

/// The pass over a file, block by block.
#[derive(Debug)]
pub(super) struct Scanner {
    spans: Spans,
    place: Place,
    /// Bytes seen.
    seen: u64,
    /// Where the element or line at hand begins.
    start: Option<u64>,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Scanner {
    /// A pass that has seen nothing.
    pub(super) fn new() -> Self {
        Self {
            spans: Spans::default(),
            place: Place::Begin,
            seen: 0,
            start: None,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Takes the file's next bytes; the first block holds at least three of them where the file does.
    pub(super) fn feed(&mut self, block: &[u8]) -> Result<(), Problem> {
        let mut offset = if self.seen == 0 && block.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
        while let Some(&byte) = block.get(offset) {
            let at = self.seen + offset as u64;
            match self.place {
                Place::Inside | Place::Lines => {
                    // Most of a file is the inside of strings, or of lines: passed over at once.
                    offset += self.dull(&block[offset..]);
                    let Some(&byte) = block.get(offset) else { break };
                    let at = self.seen + offset as u64;
                    if self.place == Place::Lines {
                        self.line(byte, at)
                    } else {
                        self.inside(byte, at)
                    }
                }
                _ if byte.is_ascii_whitespace() => {}
                Place::Begin if byte == b'[' => self.place = Place::First,
                Place::Begin if byte == b'{' => {
                    self.place = Place::Lines;
                    self.start = Some(at);
                }
                Place::Begin => return Err(Problem::NotData),
                Place::First if byte == b']' => self.place = Place::After,
                Place::First | Place::Element => self.begin(byte, at)?,
                Place::After => {
                    return Err(problem(at, "nothing behind the list's end", byte));
                }
            }
            offset += 1;
        }
        self.seen += block.len() as u64;
        Ok(())
    }

    /// How many of the next bytes decide nothing.
    fn dull(&self, bytes: &[u8]) -> usize {
        let next = match self.place {
            Place::Lines if self.start.is_some() => bytes.iter().position(|&byte| byte == b'\n'),
            Place::Inside if self.in_string && !self.escaped => {
                bytes.iter().position(|&byte| byte == b'"' || byte == b'\\')
            }
            _ => return 0,
        };
        next.unwrap_or(bytes.len())
    }

    fn line(&mut self, byte: u8, at: u64) {
        if byte == b'\n' {
            if let Some(start) = self.start.take() {
                self.spans.push(start, at);
            }
        } else if !byte.is_ascii_whitespace() {
            self.start.get_or_insert(at);
        }
    }

    fn begin(&mut self, byte: u8, at: u64) -> Result<(), Problem> {
        if matches!(byte, b',' | b']' | b'}' | b':') {
            return Err(problem(at, "a sample", byte));
        }
        self.start = Some(at);
        (self.depth, self.in_string, self.escaped) = (0, false, false);
        self.place = Place::Inside;
        self.inside(byte, at);
        Ok(())
    }

    fn inside(&mut self, byte: u8, at: u64) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b',' | b']' if self.depth == 0 => {
                self.spans.push(self.start.take().expect("an element began"), at);
                self.place = if byte == b',' { Place::Element } else { Place::After };
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// The samples, once the file has ended.
    pub(super) fn finish(mut self) -> Result<Spans, Problem> {
        match (self.place, self.start) {
            (Place::Begin, _) if self.seen > 0 => return Err(Problem::NotData),
            (Place::Begin | Place::After, _) => {}
            (Place::Lines, None) => {}
            (Place::Lines, Some(start)) => self.spans.push(start, self.seen),
            (Place::First | Place::Element, _) => {
                let what =
                    "expected a sample or the list's `]`, found the file's end; was it cut off?";
                return Err(Problem::At(self.seen, what.into()));
            }
            (Place::Inside, start) => {
                let what = format!(
                    "expected the end of sample {} (counted from 0), which begins here, found the file's \
                     end: it was cut off, or a bracket or quote is missing in this sample",
                    self.spans.len()
                );
                return Err(Problem::At(start.unwrap_or(self.seen), what));
            }
        }
        Ok(self.spans)
    }
}

fn problem(at: u64, expected: &str, found: u8) -> Problem {
    Problem::At(at, format!("expected {expected}, found `{}`", found.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of a file, fed in blocks of this size.
    fn cut(file: &[u8], block: usize) -> Result<Vec<&[u8]>, Problem> {
        let mut scanner = Scanner::new();
        let (head, rest) = file.split_at(file.len().min(3)); // the first block holds three bytes
        scanner.feed(head)?;
        rest.chunks(block).try_for_each(|block| scanner.feed(block))?;
        let spans = scanner.finish()?;
        let sample = |at| {
            let (start, length) = spans.get(at).unwrap();
            &file[start as usize..][..length as usize]
        };
        Ok((0..spans.len()).map(sample).collect())
    }

    fn texts(file: &str) -> Vec<String> {
        let found = cut(file.as_bytes(), 1).unwrap();
        for block in [2, 3, 7, 1000] {
            assert_eq!(cut(file.as_bytes(), block).unwrap(), found);
        }
        found.iter().map(|sample| String::from_utf8(sample.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_list_is_cut_at_its_own_commas() {
        let file = "\u{feff} [ {\"a\": [1, {\"b\": \"],}\\\"{\"}]} ,\n7, \"x,]\\\\\",[[],{}]\n]\n";
        let samples = ["{\"a\": [1, {\"b\": \"],}\\\"{\"}]} ", "7", "\"x,]\\\\\"", "[[],{}]\n"];
        assert_eq!(texts(file), samples);
        assert_eq!(texts("[]"), [""; 0]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn lines_are_cut_at_line_ends() {
        assert_eq!(texts("\n{\"a\": 1}\r\n\n  {]\n{}"), ["{\"a\": 1}\r", "{]", "{}"]);
        assert_eq!(texts("{}\n"), ["{}"]);
    }

    #[test]
    fn what_cannot_be_cut_says_where() {
        let at = |file: &str| match cut(file.as_bytes(), 4).unwrap_err() {
            Problem::At(at, what) => (at, what),
            Problem::NotData => panic!("{file}"),
        };
        assert_eq!(at("[{},,{}]"), (4, "expected a sample, found `,`".into()));
        assert_eq!(at("[{},]"), (4, "expected a sample, found `]`".into()));
        assert_eq!(at("[1] x"), (4, "expected nothing behind the list's end, found `x`".into()));
        let (byte, what) = at("[{}, {\"a\": \"b]");
        assert!(byte == 5 && what.contains("sample 1 (counted from 0)"), "{byte} {what}");
        assert!(at("[{},").1.contains("cut off"));
        for other in ["data.json 10", "\u{0}", "   ", "\"text\""] {
            assert_eq!(cut(other.as_bytes(), 4).unwrap_err(), Problem::NotData);
        }
    }

    #[test]
    fn depth_takes_no_memory() {
        let deep = format!("[{}]", "[".repeat(1 << 20) + &"]".repeat(1 << 20));
        assert_eq!(cut(deep.as_bytes(), 1 << 16).unwrap(), [&deep.as_bytes()[1..deep.len() - 1]]);
    }
}
