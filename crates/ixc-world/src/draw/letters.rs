//! Capital letters as strokes, so that signs need no font.
//!
//! A letter is lines and arcs on a field 4 wide and 6 high, y down. Invariant: every letter of the closed list of
//! words is here. Deliberately absent: small letters, digits, spacing by pairs.

use tiny_skia::PathBuilder;

use super::{canvas::Canvas, colour::Rgb};

/// Strokes of a letter: points separated by blanks, strokes by `/`; a point with `*` is a curve's handle.
fn strokes(letter: char) -> &'static str {
    match letter {
        'A' => "0,6 2,0 4,6/0.7,4 3.3,4",
        'B' => "0,0 0,6 2,6 4,6* 4,4.5 4,3* 2,3 0,3/0,0 2,0 3.8,0* 3.8,1.5 3.8,3* 2,3",
        'C' => "4,1.2 3.4,0* 2.1,0 0,0* 0,3 0,6* 2.1,6 3.4,6* 4,4.8",
        'D' => "0,0 0,6 1.6,6 4,6* 4,3 4,0* 1.6,0 0,0",
        'E' => "4,0 0,0 0,6 4,6/0,3 3,3",
        'F' => "4,0 0,0 0,6/0,3 3,3",
        'G' => "4,1.2 3.4,0* 2.1,0 0,0* 0,3 0,6* 2.1,6 4,6* 4,3.4 2.4,3.4",
        'H' => "0,0 0,6/4,0 4,6/0,3 4,3",
        'I' => "2,0 2,6/0.8,0 3.2,0/0.8,6 3.2,6",
        'J' => "3.4,0 3.4,4 3.4,6* 1.7,6 0.2,6* 0,4.2",
        'K' => "0,0 0,6/4,0 0.2,3.4/1.4,2.4 4,6",
        'L' => "0,0 0,6 3.8,6",
        'M' => "0,6 0,0 2,3.6 4,0 4,6",
        'N' => "0,6 0,0 4,6 4,0",
        'O' => "2,0 0,0* 0,3 0,6* 2,6 4,6* 4,3 4,0* 2,0",
        'P' => "0,6 0,0 2.2,0 4,0* 4,1.7 4,3.4* 2.2,3.4 0,3.4",
        'R' => "0,6 0,0 2.2,0 4,0* 4,1.7 4,3.2* 2.2,3.2 0,3.2/1.8,3.2 4,6",
        'S' => "3.9,1.2 3.4,0* 2,0 0.1,0* 0.1,1.6 0.1,2.8* 2,3 4,3.2* 4,4.5 4,6* 2,6 0.4,6* 0,4.8",
        'T' => "0,0 4,0/2,0 2,6",
        'U' => "0,0 0,4 0,6* 2,6 4,6* 4,4 4,0",
        'V' => "0,0 2,6 4,0",
        'W' => "0,0 0.9,6 2,2.2 3.1,6 4,0",
        'X' => "0,0 4,6/4,0 0,6",
        'Y' => "0,0 2,3 4,0/2,3 2,6",
        'Z' => "0,0 4,0 0,6 4,6",
        _ => "",
    }
}

/// Width of a word, in heights of a letter.
pub(super) fn width(word: &str) -> f32 {
    (word.len() as f32 * 5.6 - 1.6) / 6.0
}

/// Draws a word so high, its left upper corner at (`x`, `y`).
pub(super) fn write(canvas: &mut Canvas, word: &str, (x, y): (f32, f32), height: f32, colour: Rgb) {
    let unit = height / 6.0;
    for (at, letter) in word.chars().enumerate() {
        let left = x + at as f32 * 5.6 * unit;
        for stroke in strokes(letter).split('/') {
            let mut path = PathBuilder::new();
            let mut handle = None;
            for point in stroke.split(' ') {
                let bare = point.trim_end_matches('*');
                let Some((across, down)) = bare.split_once(',') else { continue };
                let number = |text: &str| text.parse::<f32>().expect("a number of the table");
                let (px, py) = (left + number(across) * unit, y + number(down) * unit);
                if bare.len() < point.len() {
                    handle = Some((px, py));
                } else if let Some((hx, hy)) = handle.take() {
                    path.quad_to(hx, hy, px, py);
                } else if path.is_empty() {
                    path.move_to(px, py);
                } else {
                    path.line_to(px, py);
                }
            }
            if let Some(path) = path.finish() {
                canvas.line(&path, colour, unit * 1.15);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Word;

    #[test]
    fn every_word_can_be_written() {
        for word in Word::ALL {
            assert!((3..=5).contains(&word.english().len()), "{word:?}");
            for letter in word.english().chars() {
                assert!(!strokes(letter).is_empty(), "{letter}");
            }
        }
    }
}
