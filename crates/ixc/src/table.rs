//! Columns and figures as people read them.
//!
//! Deliberately absent: frames and colours; a table is also what another program cuts apart.

use std::time::Duration;

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading, each column as wide as its widest cell, two blanks between columns.
pub(crate) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in [&heading].into_iter().chain(rows) {
        let cells =
            row.iter().zip(columns).zip(&widths).map(|((cell, (_, align)), &width)| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Bytes, in powers of 1000 as disks are sold.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A number of things: `7.7 G`.
pub(crate) fn count(count: u64) -> String {
    scaled(count, &["", "k", "M", "G", "T", "P", "E"]).trim_end().to_owned()
}

fn scaled(count: u64, units: &[&str]) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    // 999.95 would be shown as 1000.0.
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} {}", units[0]) } else { format!("{value:.1} {}", units[unit]) }
}

/// A duration in milliseconds, as numbers in JSON and in tables.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A shape: `(1376, 64)`.
pub(crate) fn shape(extents: &[usize]) -> String {
    let extents: Vec<String> = extents.iter().map(ToString::to_string).collect();
    format!("({})", extents.join(", "))
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let rows = [vec!["wide cell".into(), "1".into()], vec!["é".into(), "1000".into()]];
        let found = table(&[("a", Align::Left), ("b", Align::Right)], &rows);
        assert_eq!(found, "a             b\nwide cell     1\né          1000\n");
        let found =
            table(&[("a", Align::Left), ("b", Align::Left)], &[vec!["x".into(), "".into()]]);
        assert_eq!(found, "a  b\nx\n");
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(15_600_000_000), "15.6 GB");
        assert_eq!(count(7_700_000_000), "7.7 G");
        assert_eq!(count(12), "12");
        assert_eq!(shape(&[2, 3]), "(2, 3)");
        assert_eq!(milliseconds(Duration::from_micros(1_234_567)), 1234.567);
        assert_eq!((counted(1, "file"), counted(2, "file")), ("1 file".into(), "2 files".into()));
    }
}
