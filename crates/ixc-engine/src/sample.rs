//! From scores to the next word: penalty, temperature, top-k, top-p, choice.
//!
//! The order and the borders of each step are those of the published stack (Hugging Face
//! transformers 4.3x), so that the same scores give the same probabilities. Everything is a function
//! of its arguments; the random numbers come from a named generator with a stated seed.

use std::collections::HashSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How sampling bends the distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the scores; 1 leaves them.
    pub temperature: f32,
    /// Keeps the k best words; 0 keeps all.
    pub top_k: usize,
    /// Keeps the best words that together reach this probability; 1 keeps all.
    pub top_p: f32,
    /// Decides the random numbers.
    pub seed: u64,
}

/// Makes words that were already said less likely: positive scores are divided by the penalty,
/// negative ones multiplied. A word counts once, however often it was said.
pub fn penalise(scores: &mut [f32], said: &HashSet<u32>, penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    for &id in said {
        if let Some(score) = scores.get_mut(id as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

/// The word with the highest score; the first of equals, as torch's argmax.
///
/// # Panics
/// When there are no scores.
pub fn argmax(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (id, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = id;
        }
    }
    best as u32
}

/// The logarithms of the softmax, in place; the sum is taken in f64.
pub fn log_softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|&score| f64::from(score - max).exp()).sum();
    let log = sum.ln() as f32 + max;
    scores.iter_mut().for_each(|score| *score -= log);
}

/// The probabilities after temperature, top-k and top-p.
pub fn probabilities(scores: &[f32], sampling: &Sampling) -> Vec<f32> {
    let mut scores: Vec<f32> = scores.iter().map(|score| score / sampling.temperature).collect();
    keep_top_k(&mut scores, sampling.top_k);
    keep_top_p(&mut scores, sampling.top_p);
    softmax(&scores)
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Most words of a bent distribution are gone: no exponential for them.
    let exp =
        |score: f32| if score > f32::NEG_INFINITY { f64::from(score - max).exp() } else { 0.0 };
    let exps: Vec<f64> = scores.iter().map(|&score| exp(score)).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|exp| (exp / sum) as f32).collect()
}

/// Removes all words whose score is below the k-th best; equals of the k-th stay.
fn keep_top_k(scores: &mut [f32], k: usize) {
    if k == 0 || k >= scores.len() {
        return;
    }
    let mut sorted = scores.to_vec();
    let (_, &mut border, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    scores.iter_mut().filter(|score| **score < border).for_each(|score| *score = f32::NEG_INFINITY);
}

/// Removes the worst words whose probabilities, summed from the worst, stay within 1 − p. The best
/// word always stays.
fn keep_top_p(scores: &mut [f32], p: f32) {
    if p >= 1.0 {
        return;
    }
    let probabilities = softmax(scores);
    // All words below this share together are half of what may go: only the others need sorting.
    let share = 0.5 * (1.0 - p) / scores.len() as f32;
    let mut sum = 0f64;
    let mut order = Vec::new();
    for (id, &probability) in probabilities.iter().enumerate() {
        if probability < share {
            sum += f64::from(probability);
            scores[id] = f32::NEG_INFINITY;
        } else {
            order.push(id);
        }
    }
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    for &id in &order[..order.len().saturating_sub(1)] {
        sum += f64::from(probabilities[id]);
        if sum as f32 > 1.0 - p {
            break;
        }
        scores[id] = f32::NEG_INFINITY;
    }
}

/// Draws words.
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler at the start of its seed's numbers.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, random: ChaCha8Rng::seed_from_u64(sampling.seed) }
    }

    /// Draws the next word from scores.
    pub fn draw(&mut self, scores: &[f32]) -> u32 {
        let probabilities = probabilities(scores, &self.sampling);
        // 53 random bits make a uniform number in [0, 1).
        let at = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut sum = 0f64;
        for (id, &probability) in probabilities.iter().enumerate() {
            sum += f64::from(probability);
            if at < sum {
                return id as u32;
            }
        }
        // Rounding can leave the sum a hair below 1: then the number fell on the last likely word.
        argmax(&probabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published order of things: all words sorted, summed from the worst.
    fn slow_top_p(scores: &[f32], p: f32) -> Vec<f32> {
        let probabilities = softmax(scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let best = *order.last().unwrap();
        let (mut sum, mut kept) = (0f64, scores.to_vec());
        for id in order {
            sum += f64::from(probabilities[id]);
            if id != best && sum as f32 <= 1.0 - p {
                kept[id] = f32::NEG_INFINITY;
            }
        }
        kept
    }

    #[test]
    fn top_p_equals_summing_all_words() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for words in [1, 2, 10, 3000] {
            for spread in [0.0, 0.1, 3.0, 20.0] {
                let mut number = || random.next_u32() as f32 / u32::MAX as f32;
                let mut scores: Vec<f32> = (0..words).map(|_| spread * number()).collect();
                scores[words / 2] = f32::NEG_INFINITY; // as top-k leaves them
                scores[0] = spread;
                for p in [0.0, 0.05, 0.5, 0.8, 0.999] {
                    let mut found = scores.clone();
                    keep_top_p(&mut found, p);
                    assert_eq!(found, slow_top_p(&scores, p), "{words} words, {spread}, {p}");
                }
            }
        }
    }
}
