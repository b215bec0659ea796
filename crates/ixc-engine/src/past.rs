//! What a conversation has already read: a cache, and the record of what is in it.
//!
//! The next question of a conversation begins with all that was said before. `Past::keep` cuts the
//! cache back to the longest common beginning, so that only what is new is seen and read. Pictures are
//! compared by every prepared pixel: nothing is reused for one that only looks like an earlier one.

use std::sync::Arc;

use ixc_input::{
    prepare::Pixels,
    prompt::{Prompt, Segment},
};
use ixc_nn::cache::KvCache;

use crate::features::Digest;

/// One step of what was read: a word, or a whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Word(u32),
    Picture { digest: Digest, rows: usize },
}

impl Step {
    /// Positions it takes.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Word(_) => 1,
            Self::Picture { rows, .. } => *rows,
        }
    }
}

/// What one sequence has read, and its keys and values.
#[derive(Debug)]
pub struct Past {
    /// May go on where the cache ends: with words that were chosen and not read yet.
    steps: Vec<Step>,
    pub(crate) cache: KvCache,
}

/// A picture that a prompt shows.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) pixels: Arc<Pixels>,
    /// Of the pixels.
    pub(crate) digest: Digest,
    /// Positions it takes.
    pub(crate) rows: usize,
}

impl Past {
    /// Nothing read yet.
    pub(crate) fn new(cache: KvCache) -> Self {
        Self { steps: Vec::new(), cache }
    }

    /// Steps whose keys and values a cache holds.
    pub(crate) fn of(steps: Vec<Step>, cache: KvCache) -> Self {
        Self { steps, cache }
    }

    /// Positions that can be reused.
    pub fn positions(&self) -> usize {
        self.cache.len()
    }

    /// Bytes of its keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.bytes() as usize
    }

    /// The steps that are in the cache as a whole.
    pub(crate) fn read(&self) -> &[Step] {
        &self.steps[..self.common(&self.steps).0]
    }

    /// What it has read and `steps` begin with alike: steps, and the positions they take.
    pub(crate) fn common(&self, steps: &[Step]) -> (usize, usize) {
        let (mut kept, mut rows) = (0, 0);
        let alike = self.steps.iter().zip(steps).take_while(|(a, b)| a == b);
        for (step, _) in alike {
            if rows + step.rows() > self.cache.len() {
                break;
            }
            kept += 1;
            rows += step.rows();
        }
        (kept, rows)
    }

    /// Cuts back to what `steps` begin with, and records them as read from there on. Returns how many
    /// are kept. The last one is always left to read: its scores are needed.
    pub(crate) fn keep(&mut self, steps: Vec<Step>) -> usize {
        let (kept, rows) = self.common(without_last(&steps));
        self.cache.truncate(rows);
        self.steps = steps;
        kept
    }

    /// Records a word that was chosen after the prompt.
    pub(crate) fn push(&mut self, id: u32) {
        self.steps.push(Step::Word(id));
    }

    /// What was read so far, sharing its keys and values with this past, which copies none of them.
    pub(crate) fn share(&self) -> Self {
        Self { steps: self.read().to_vec(), cache: self.cache.clone() }
    }
}

/// Positions that steps take.
pub(crate) fn rows(steps: &[Step]) -> usize {
    steps.iter().map(Step::rows).sum()
}

/// What may be known of steps beforehand: all but the last.
pub(crate) fn without_last(steps: &[Step]) -> &[Step] {
    &steps[..steps.len().saturating_sub(1)]
}

/// A prompt, step by step.
pub(crate) fn steps(prompt: &Prompt, shown: &[Shown]) -> Vec<Step> {
    let mut steps = Vec::new();
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids, .. } => steps.extend(ids.iter().map(|&id| Step::Word(id))),
            Segment::Image { index } => {
                let Shown { digest, rows, .. } = shown[*index];
                steps.push(Step::Picture { digest, rows });
            }
        }
    }
    steps
}

/// What is left of a prompt behind its first `read` steps, its slots renumbered, with the pictures in
/// the order of their slots.
pub(crate) fn unread(prompt: &Prompt, shown: &[Shown], read: usize) -> (Prompt, Vec<Shown>) {
    let (mut segments, mut pictures) = (Vec::new(), Vec::new());
    let mut read = read;
    for segment in &prompt.segments {
        match segment {
            Segment::Text { ids, .. } if read >= ids.len() => read -= ids.len(),
            Segment::Text { ids, learned } => {
                segments.push(Segment::Text { ids: ids[read..].to_vec(), learned: *learned });
                read = 0;
            }
            Segment::Image { .. } if read > 0 => read -= 1,
            Segment::Image { index } => {
                segments.push(Segment::Image { index: pictures.len() });
                pictures.push(shown[*index].clone());
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
    use crate::features::digest;

    fn picture(value: f32) -> Shown {
        let grid = Grid { rows: 1, columns: 1 };
        let pixels = Arc::new(Pixels { width: 1, height: 1, grid, data: vec![value; 3] });
        Shown { digest: digest(&pixels), pixels, rows: 4 }
    }

    fn text(ids: &[u32]) -> Segment {
        Segment::Text { ids: ids.to_vec(), learned: false }
    }

    fn past(prompt: &Prompt, shown: &[Shown]) -> Past {
        let nothing = CacheShape { layers: 0, kv_heads: 1, width: 1, kind: KvType::F32 };
        let mut past = Past::new(KvCache::new(nothing));
        past.keep(steps(prompt, shown));
        past.cache.advance(prompt.positions(&[4, 4]).unwrap());
        past
    }

    /// Goes on to another prompt; what is left to read of it.
    fn keep(past: &mut Past, prompt: &Prompt, shown: &[Shown]) -> (Vec<Segment>, Vec<Digest>) {
        let kept = past.keep(steps(prompt, shown));
        let (rest, pictures) = unread(prompt, shown, kept);
        (rest.segments, pictures.iter().map(|picture| picture.digest).collect())
    }

    #[test]
    fn a_longer_prompt_reads_only_what_is_new() {
        let shown = [picture(1.0)];
        let first =
            Prompt { segments: vec![text(&[1, 2]), Segment::Image { index: 0 }, text(&[3])] };
        let mut past = past(&first, &shown);
        past.push(9);
        assert_eq!(past.read().len(), 4, "the word 9 was chosen but never read");
        let mut longer = first.clone();
        longer.segments.push(text(&[9, 5, 6]));
        // So it is read now.
        assert_eq!(keep(&mut past, &longer, &shown), (vec![text(&[9, 5, 6])], vec![]));
        assert_eq!(past.positions(), 7);
    }

    #[test]
    fn the_same_prompt_reads_its_last_position() {
        let prompt = Prompt { segments: vec![text(&[1, 2, 3])] };
        let mut past = past(&prompt, &[]);
        assert_eq!(keep(&mut past, &prompt, &[]).0, [text(&[3])]);
        assert_eq!(past.positions(), 2);
    }

    #[test]
    fn another_picture_is_seen_again() {
        let prompt = Prompt {
            segments: vec![text(&[1]), Segment::Image { index: 1 }, Segment::Image { index: 0 }],
        };
        let mut past = past(&prompt, &[picture(1.0), picture(2.0)]);
        let (rest, pictures) = keep(&mut past, &prompt, &[picture(7.0), picture(2.0)]);
        assert_eq!(rest, [Segment::Image { index: 0 }]);
        assert_eq!(pictures, [picture(7.0).digest]);
        assert_eq!(past.positions(), 5);
    }

    #[test]
    fn another_beginning_keeps_nothing() {
        let mut past = past(&Prompt { segments: vec![text(&[1, 2, 3])] }, &[]);
        let (rest, _) = keep(&mut past, &Prompt { segments: vec![text(&[2, 2, 3])] }, &[]);
        assert_eq!(rest, [text(&[2, 2, 3])]);
        assert_eq!(past.positions(), 0);
    }

    #[test]
    fn a_picture_half_read_is_not_reused() {
        let shown = [picture(1.0)];
        let prompt = Prompt { segments: vec![text(&[1]), Segment::Image { index: 0 }, text(&[2])] };
        let mut past = past(&prompt, &shown);
        past.cache.truncate(3);
        assert_eq!(past.read().len(), 1);
        assert_eq!(keep(&mut past, &prompt, &shown).0.len(), 2);
        assert_eq!(past.positions(), 1);
    }
}
