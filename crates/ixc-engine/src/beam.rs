//! Beam search, as the published scores used it (Hugging Face transformers 4.3x semantics).
//!
//! Each step looks at the 2·beams best continuations; one that ends is kept as a hypothesis with the
//! score sum of log-probabilities / length^penalty; the rest fill the beams. The search ends when no
//! running beam can beat the worst kept hypothesis, or at the length limit. Pure bookkeeping: scores
//! come in, ids come out; the model is not known here.

use std::collections::HashSet;

use crate::sample::{log_softmax, penalise};

/// What decides a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beams {
    /// How many continuations run side by side.
    pub count: usize,
    /// Exponent of the length by which a hypothesis' sum is divided.
    pub length_penalty: f32,
}

/// A finished continuation.
#[derive(Clone, Debug)]
struct Hypothesis {
    ids: Vec<u32>,
    score: f64,
    ended: bool,
}

/// A running continuation.
#[derive(Clone, Debug)]
struct Beam {
    ids: Vec<u32>,
    sum: f32,
}

/// One choice of a step: which beam goes on, with which word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index of the beam that is continued.
    pub beam: usize,
    /// The word.
    pub id: u32,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// New ids, without the stop.
    pub ids: Vec<u32>,
    /// Whether the answer ended by itself rather than at the length limit.
    pub ended: bool,
}

/// The state of one search.
pub struct Search {
    options: Beams,
    penalty: f32,
    /// Ids before the first new one: they count for the penalty.
    history: Vec<u32>,
    beams: Vec<Beam>,
    finished: Vec<Hypothesis>,
    done: bool,
}

impl Search {
    /// A search that continues `history`.
    pub fn new(options: Beams, penalty: f32, history: Vec<u32>) -> Self {
        Self {
            options,
            penalty,
            history,
            beams: vec![Beam { ids: Vec::new(), sum: 0.0 }],
            finished: Vec::new(),
            done: false,
        }
    }

    /// Whether no running beam can improve the result.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Words each running beam has so far.
    pub fn words(&self) -> usize {
        self.beams.first().map_or(0, |beam| beam.ids.len())
    }

    /// Takes one step: `scores` holds the logits of each running beam (one beam at first). Returns
    /// the beams that go on, in their new order.
    ///
    /// # Panics
    /// When there are not as many rows of scores as beams.
    pub fn step(&mut self, scores: Vec<Vec<f32>>, stops: &[u32]) -> Vec<Choice> {
        assert_eq!(scores.len(), self.beams.len(), "a row of scores for each beam");
        let count = self.options.count;
        // Enough candidates that all beams go on even if every stop is among them.
        let candidates = self.candidates(scores, count * (1 + stops.len()).max(2));
        let best = candidates.first().map_or(f32::NEG_INFINITY, |&(sum, _)| sum);
        let mut choices = Vec::with_capacity(count);
        let mut beams = Vec::with_capacity(count);
        for (rank, (sum, choice)) in candidates.into_iter().enumerate() {
            let ids = &self.beams[choice.beam].ids;
            if stops.contains(&choice.id) {
                // A stop that is not among the best continuations does not end anything.
                if rank < count {
                    let (ids, sum) = (ids.clone(), sum);
                    self.keep(ids, sum, true);
                }
                continue;
            }
            beams.push(Beam { ids: ids.iter().copied().chain([choice.id]).collect(), sum });
            choices.push(choice);
            if choices.len() == count {
                break;
            }
        }
        self.beams = beams;
        self.done = self.done || self.cannot_improve(best);
        choices
    }

    /// The best continuations of all beams, best first.
    fn candidates(&self, scores: Vec<Vec<f32>>, most: usize) -> Vec<(f32, Choice)> {
        let mut all = Vec::new();
        for (beam, mut scores) in scores.into_iter().enumerate() {
            log_softmax(&mut scores);
            let said: HashSet<u32> =
                self.history.iter().chain(&self.beams[beam].ids).copied().collect();
            penalise(&mut scores, &said, self.penalty);
            let sum = self.beams[beam].sum;
            let mut own: Vec<(f32, Choice)> = scores
                .into_iter()
                .enumerate()
                .map(|(id, score)| (sum + score, Choice { beam, id: id as u32 }))
                .collect();
            let order = |a: &(f32, Choice), b: &(f32, Choice)| {
                b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id))
            };
            if own.len() > most {
                own.select_nth_unstable_by(most, order);
                own.truncate(most);
            }
            all.extend(own);
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1.beam, a.1.id).cmp(&(b.1.beam, b.1.id))));
        all.truncate(most);
        all
    }

    /// So many generated ids, the stop included, to the power of the penalty. The history does not
    /// count: goldens with a running beam against an ended one tell the two readings apart.
    fn divisor(&self, length: usize) -> f64 {
        (length as f64).powf(f64::from(self.options.length_penalty))
    }

    fn keep(&mut self, ids: Vec<u32>, sum: f32, ended: bool) {
        let score = f64::from(sum) / self.divisor(ids.len() + usize::from(ended));
        if self.finished.len() == self.options.count {
            let worst = self.worst();
            if score <= self.finished[worst].score {
                return;
            }
            self.finished.remove(worst);
        }
        self.finished.push(Hypothesis { ids, score, ended });
    }

    /// The index of the worst kept hypothesis.
    fn worst(&self) -> usize {
        (0..self.finished.len())
            .min_by(|&a, &b| self.finished[a].score.total_cmp(&self.finished[b].score))
            .expect("at least one hypothesis")
    }

    /// Whether the best continuation of this step, `best`, stays behind the worst kept hypothesis.
    fn cannot_improve(&self, best: f32) -> bool {
        if self.finished.len() < self.options.count {
            return false;
        }
        self.finished[self.worst()].score >= f64::from(best) / self.divisor(self.words())
    }

    /// Ends the search: the best of the kept hypotheses and, unless the search was done, the beams.
    pub fn finish(mut self) -> Found {
        if !self.done {
            for beam in std::mem::take(&mut self.beams) {
                self.keep(beam.ids, beam.sum, false);
            }
        }
        // The last of equals, as the published code pops from a stable ascending sort.
        let best = self.finished.into_iter().max_by(|a, b| a.score.total_cmp(&b.score));
        best.map_or(Found { ids: Vec::new(), ended: true }, |best| Found {
            ids: best.ids,
            ended: best.ended,
        })
    }
}
