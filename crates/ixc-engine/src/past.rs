//! What a conversation has already read: a cache, and the record of what is in it.
//!
//! The next question of a conversation begins with all that was said before. `Past::keep` cuts the
//! cache back to the longest common beginning, so that only what is new is seen and read. Pictures are
//! compared pixel by pixel: nothing is reused for a picture that only looks like an earlier one.

use std::sync::Arc;

use ixc_input::{
    prepare::Pixels,
    prompt::{Prompt, Segment},
};
use ixc_nn::cache::KvCache;

/// One step of what was read: a word, or a whole picture.
#[derive(Clone, Debug)]
enum Step {
    Word(u32),
    Picture { pixels: Arc<Pixels>, rows: usize },
}

impl Step {
    fn rows(&self) -> usize {
        match self {
            Self::Word(_) => 1,
            Self::Picture { rows, .. } => *rows,
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Word(a), Self::Word(b)) => a == b,
            (Self::Picture { pixels: a, .. }, Self::Picture { pixels: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// What one sequence has read, and its keys and values.
#[derive(Debug)]
pub struct Past {
    steps: Vec<Step>,
    pub(crate) cache: KvCache,
}

/// A picture that a prompt shows, and the positions it takes.
pub(crate) type Shown = (Arc<Pixels>, usize);

impl Past {
    /// Nothing read yet.
    pub(crate) fn new(cache: KvCache) -> Self {
        Self { steps: Vec::new(), cache }
    }

    /// Positions that can be reused.
    pub fn positions(&self) -> usize {
        self.cache.len()
    }

    /// Cuts back to what `prompt` begins with, and records the prompt as read from there on. Returns
    /// what is left to read, its image slots renumbered, with the pictures that it shows. The last
    /// position is always left: its scores are needed.
    pub(crate) fn keep(&mut self, prompt: &Prompt, shown: &[Shown]) -> (Prompt, Vec<Arc<Pixels>>) {
        let steps = steps(prompt, shown);
        let most = steps.len().saturating_sub(1);
        let common = self.steps.iter().zip(&steps[..most]).take_while(|(a, b)| a.equals(b)).count();
        // Words that were chosen but not read yet are in the record and not in the cache.
        let mut kept = 0;
        let mut rows = 0;
        while kept < common && rows + steps[kept].rows() <= self.cache.len() {
            rows += steps[kept].rows();
            kept += 1;
        }
        self.cache.truncate(rows);
        let rest = unread(&steps[kept..]);
        self.steps = steps;
        rest
    }

    /// Records a word that was chosen after the prompt.
    pub(crate) fn push(&mut self, id: u32) {
        self.steps.push(Step::Word(id));
    }
}

/// A prompt, step by step.
fn steps(prompt: &Prompt, shown: &[Shown]) -> Vec<Step> {
    let mut steps = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids, .. } => steps.extend(ids.iter().map(|&id| Step::Word(id))),
            Segment::Image { index } => {
                let (pixels, rows) = &shown[*index];
                steps.push(Step::Picture { pixels: pixels.clone(), rows: *rows });
            }
        }
    }
    steps
}

/// Steps as a prompt again, with the pictures in the order of their slots.
fn unread(steps: &[Step]) -> (Prompt, Vec<Arc<Pixels>>) {
    let mut segments: Vec<Segment> = Vec::new();
    let mut pictures = Vec::new();
    for step in steps {
        match (step, segments.last_mut()) {
            (Step::Word(id), Some(Segment::Text { ids, .. })) => ids.push(*id),
            (Step::Word(id), _) => segments.push(Segment::Text { ids: vec![*id], learned: false }),
            (Step::Picture { pixels, .. }, _) => {
                segments.push(Segment::Image { index: pictures.len() });
                pictures.push(pixels.clone());
            }
        }
    }
    (Prompt { segments }, pictures)
}

#[cfg(test)]
mod tests {
    use ixc_input::prepare::Grid;
    use ixc_nn::cache::{CacheShape, KvType};

    use super::*;

    fn pixels(value: f32) -> Arc<Pixels> {
        let grid = Grid { rows: 1, columns: 1 };
        Arc::new(Pixels { width: 1, height: 1, grid, data: vec![value; 3] })
    }

    fn text(ids: &[u32]) -> Segment {
        Segment::Text { ids: ids.to_vec(), learned: false }
    }

    fn past(prompt: &Prompt, shown: &[Shown]) -> Past {
        let nothing = CacheShape { layers: 0, kv_heads: 1, width: 1, kind: KvType::F32 };
        let mut past = Past::new(KvCache::new(nothing));
        past.keep(prompt, shown);
        past.cache.advance(prompt.positions(&[4, 4]).unwrap());
        past
    }

    #[test]
    fn a_longer_prompt_reads_only_what_is_new() {
        let shown = [(pixels(1.0), 4)];
        let first =
            Prompt { segments: vec![text(&[1, 2]), Segment::Image { index: 0 }, text(&[3])] };
        let mut past = past(&first, &shown);
        past.push(9);
        let mut longer = first.clone();
        longer.segments.push(text(&[9, 5, 6]));
        let (rest, pictures) = past.keep(&longer, &shown);
        // The word 9 was chosen but never read, so it is read now.
        assert_eq!(rest.segments, [text(&[9, 5, 6])]);
        assert!(pictures.is_empty());
        assert_eq!(past.positions(), 7);
    }

    #[test]
    fn the_same_prompt_reads_its_last_position() {
        let prompt = Prompt { segments: vec![text(&[1, 2, 3])] };
        let mut past = past(&prompt, &[]);
        assert_eq!(past.keep(&prompt, &[]).0.segments, [text(&[3])]);
        assert_eq!(past.positions(), 2);
    }

    #[test]
    fn another_picture_is_seen_again() {
        let prompt = Prompt {
            segments: vec![text(&[1]), Segment::Image { index: 1 }, Segment::Image { index: 0 }],
        };
        let mut past = past(&prompt, &[(pixels(1.0), 4), (pixels(2.0), 4)]);
        let (rest, pictures) = past.keep(&prompt, &[(pixels(7.0), 4), (pixels(2.0), 4)]);
        assert_eq!(rest.segments, [Segment::Image { index: 0 }]);
        assert_eq!(pictures, [pixels(7.0)]);
        assert_eq!(past.positions(), 5);
    }

    #[test]
    fn another_beginning_keeps_nothing() {
        let mut past = past(&Prompt { segments: vec![text(&[1, 2, 3])] }, &[]);
        let (rest, _) = past.keep(&Prompt { segments: vec![text(&[2, 2, 3])] }, &[]);
        assert_eq!(rest.segments, [text(&[2, 2, 3])]);
        assert_eq!(past.positions(), 0);
    }
}
