//! How well a model predicts words, and how far its predictions are from a reference's.
//!
//! Perplexity is e to the mean of −ln p over the words that count; the standard error is that of the mean,
//! words taken as independent. Against a reference, usually the same model before it was quantised: the
//! Kullback-Leibler divergence of the two distributions at each word, how often the likeliest word is the
//! same, and the ratio of the perplexities, whose error is small because both read the same words.
//! Probabilities are float64. Both models see a few thousand positions before either sees the next, and
//! scores of the vocabulary are held for a few rows. Deliberately absent: words that are chosen.

use std::{ops::ControlFlow, path::Path, sync::Mutex};

use candle_core::Tensor;
use ixc_input::{
    prompt::{Prompt, Segment},
    tokenizer::Markers,
};
use ixc_model::{Stage, stage::unobserved};
use ixc_nn::pool;

use crate::{
    Engine, Error,
    corpus::{Corpus, read_text},
    limits::SCORE_ROWS,
    sample::argmax,
    whole::{Sequence, tensor, together},
};

/// Words that a standard error needs.
const WORDS_LEAST: usize = 2;

/// What is read.
#[derive(Clone, Debug)]
pub struct Passages(Read);

#[derive(Clone, Debug)]
enum Read {
    Text(Vec<Prompt>),
    Conversations(Corpus),
}

impl Passages {
    /// A text file, cut into windows of up to `context` positions that begin with `<s>`. The next window
    /// begins `stride` words after the last (without one, behind it); a word counts where it is read first,
    /// so that each counts once.
    ///
    /// # Errors
    /// When the file cannot be read, a number is out of range, or the text has too few words.
    pub fn text(
        path: &Path,
        engine: &Engine,
        context: usize,
        stride: Option<usize>,
    ) -> Result<Self, Error> {
        let option = |option, expected: String, found: usize| {
            Err(Error::Option { option, expected, found: found.to_string() })
        };
        if context < 2 || context > engine.context() {
            return option("context", format!("2 to {}", engine.context()), context);
        }
        let window = context - 1; // `<s>` takes one
        let stride = stride.unwrap_or(window);
        if stride == 0 || stride > window {
            return option("stride", format!("1 to {window}, one less than the context"), stride);
        }
        let ids = engine.tokenizer().encode(&read_text(path)?, Markers::Literal);
        if ids.len() < WORDS_LEAST {
            let problem = Error::TooFewWords { least: WORDS_LEAST, found: ids.len() };
            let place = path.display().to_string();
            return Err(Error::Sample { place, problem: problem.to_string() });
        }
        Ok(Self(Read::Text(windows(&ids, window, stride, engine.special().bos))))
    }

    /// A file of conversations, of which the answers count.
    ///
    /// # Errors
    /// As [`Corpus::open`].
    pub fn conversations(path: &Path) -> Result<Self, Error> {
        Ok(Self(Read::Conversations(Corpus::conversations(path)?)))
    }

    /// How many there are: windows of a text, or conversations.
    pub fn count(&self) -> usize {
        match &self.0 {
            Read::Text(windows) => windows.len(),
            Read::Conversations(corpus) => corpus.samples.len(),
        }
    }

    /// Keeps the first `most`.
    pub fn keep(&mut self, most: usize) {
        match &mut self.0 {
            Read::Text(windows) => windows.truncate(most),
            Read::Conversations(corpus) => corpus.samples.truncate(most),
        }
    }

    /// One of them, as a model reads it.
    fn sequence(&self, index: usize, engine: &Engine) -> Result<Sequence, Error> {
        match &self.0 {
            Read::Text(windows) => Ok(Sequence::words(windows[index].clone())),
            Read::Conversations(corpus) => {
                let mut sequences = engine.sequences(&corpus.samples[index])?;
                Ok(sequences.swap_remove(0)) // a conversation is one
            }
        }
    }
}

/// Windows of up to `window` words behind `<s>`, the next one `stride` further; words that an earlier window
/// has are only read.
fn windows(ids: &[u32], window: usize, stride: usize, bos: u32) -> Vec<Prompt> {
    let mut windows = Vec::new();
    let mut counted = 0;
    for start in (0..ids.len()).step_by(stride) {
        let end = ids.len().min(start + window);
        let known = [&[bos], &ids[start..counted]].concat();
        let new = ids[counted..end].to_vec();
        windows.push(Prompt {
            segments: vec![
                Segment::Text { ids: known, learned: false },
                Segment::Text { ids: new, learned: true },
            ],
        });
        counted = end;
        if counted == ids.len() {
            break;
        }
    }
    windows
}

/// A figure and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Figure {
    /// The mean of some numbers, at least two.
    fn mean(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let count = numbers.clone().count() as f64;
        let mean = numbers.clone().sum::<f64>() / count;
        let squares: f64 = numbers.map(|number| (number - mean).powi(2)).sum();
        Self { value: mean, error: (squares / (count - 1.0) / count).sqrt() }
    }

    /// e to it, with the error that follows from its own.
    fn exp(self) -> Self {
        let value = self.value.exp();
        Self { value, error: value * self.error }
    }
}

/// How well a model predicts.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// Words that counted.
    pub words: usize,
    /// Windows or conversations.
    pub passages: usize,
    /// Positions that were read for them.
    pub positions: usize,
    /// The mean of −ln p.
    pub loss: Figure,
    /// e to the loss.
    pub perplexity: Figure,
    /// Beside a reference.
    pub against: Option<Against>,
}

/// A model's predictions beside a reference's.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Against {
    /// The reference's perplexity.
    pub perplexity: Figure,
    /// The model's perplexity over the reference's.
    pub ratio: Figure,
    /// Σ p ln(p / q) in nats at each word, p being the reference's distribution and q the model's.
    pub divergence: Figure,
    /// Its median.
    pub divergence_median: f64,
    /// What 99 % of the words are below.
    pub divergence_99: f64,
    /// Its greatest.
    pub divergence_max: f64,
    /// The part of the words at which both have the same likeliest word.
    pub same_best: Figure,
}

/// What is known of one word.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Word {
    /// −ln q.
    loss: f64,
    /// The reference's −ln p, the divergence, and whether the likeliest word is the same.
    against: Option<(f64, f64, bool)>,
}

/// How far it is: passages read, and the perplexity over their words where there are enough.
pub type Progress<'a> = dyn FnMut(usize, Option<f64>) -> ControlFlow<()> + 'a;

/// Reads passages with a model, and with a reference of the same vocabulary where there is one. `progress`
/// is asked between any two stages whether to go on.
///
/// # Errors
/// When the vocabularies differ, a passage cannot be read or has no word that counts, or `progress` breaks
/// off.
pub fn measure(
    model: &Engine,
    reference: Option<&Engine>,
    passages: &Passages,
    progress: &mut Progress,
) -> Result<Report, Error> {
    let mut engines = vec![model];
    if let Some(reference) = reference {
        check_vocabulary(model, reference)?;
        engines.push(reference);
    }
    let (mut words, mut positions, mut next) = (Vec::new(), 0, 0);
    while next < passages.count() {
        let mut batch: Vec<Vec<Sequence>> = Vec::new();
        let (first, mut rows) = (next, 0);
        while next < passages.count() {
            let one = engines.iter().map(|engine| passages.sequence(next, engine));
            let one: Vec<Sequence> = one.collect::<Result<_, _>>()?;
            let most = one.iter().map(|sequence| sequence.positions).max().unwrap_or(0);
            if !together(rows, most) {
                break;
            }
            positions += one[0].positions;
            rows += most;
            batch.push(one);
            next += 1;
        }
        let known = perplexity(&words);
        let mut observe = |_: Stage, _: &Tensor| progress(first, known);
        let mut hidden = Vec::with_capacity(engines.len());
        for (which, engine) in engines.iter().enumerate() {
            let sequences: Vec<&Sequence> = batch.iter().map(|one| &one[which]).collect();
            hidden.push(predicting(engine, &sequences, &mut observe)?);
        }
        let ids: Vec<u32> =
            batch.iter().flat_map(|one| one[0].counted()).map(|(_, id)| id).collect();
        words.extend(judge(&engines, &hidden, &ids)?);
        if progress(next, perplexity(&words)).is_break() {
            return Err(ixc_model::Error::Cancelled.into());
        }
    }
    if words.len() < WORDS_LEAST {
        return Err(Error::TooFewWords { least: WORDS_LEAST, found: words.len() });
    }
    Ok(report(&words, next, positions))
}

/// Both have the same pieces under the same ids.
fn check_vocabulary(model: &Engine, reference: &Engine) -> Result<(), Error> {
    let (ours, theirs) = (model.tokenizer(), reference.tokenizer());
    let (count, other) = (ours.vocab_size(), theirs.vocab_size());
    let difference = if count != other {
        format!("{count} words and {other}")
    } else {
        let differs = |id: &u32| ours.piece(*id) != theirs.piece(*id);
        let Some(id) = (0..count as u32).find(differs) else { return Ok(()) };
        let name = |piece: Option<&str>| piece.unwrap_or_default().to_owned();
        format!("word {id} is {:?} and {:?}", name(ours.piece(id)), name(theirs.piece(id)))
    };
    Err(Error::OtherVocabulary { difference })
}

/// The last hidden states that predict the words that count, (words, hidden).
fn predicting(
    engine: &Engine,
    sequences: &[&Sequence],
    observe: &mut ixc_model::stage::Observer,
) -> Result<Tensor, Error> {
    let spliced = sequences
        .iter()
        .map(|sequence| sequence.splice(engine, observe))
        .collect::<Result<Vec<_>, _>>()?;
    let hidden = engine.hidden(&spliced, observe)?;
    let mut picked = Vec::with_capacity(sequences.len());
    for (sequence, hidden) in sequences.iter().zip(&hidden) {
        let rows: Vec<u32> = sequence.counted().into_iter().map(|(row, _)| row).collect();
        let rows = tensor(Tensor::new(rows, hidden.device()))?;
        picked.push(tensor(hidden.index_select(&rows, 0))?);
    }
    tensor(Tensor::cat(&picked, 0))
}

/// What the models, the reference last, say of each word from their (words, hidden).
fn judge(engines: &[&Engine], hidden: &[Tensor], ids: &[u32]) -> Result<Vec<Word>, Error> {
    let mut words = Vec::with_capacity(ids.len());
    for (block, ids) in ids.chunks(SCORE_ROWS).enumerate() {
        let mut scores = Vec::with_capacity(engines.len());
        for (engine, hidden) in engines.iter().zip(hidden) {
            let rows = tensor(hidden.narrow(0, block * SCORE_ROWS, ids.len()))?;
            let logits = engine.model().logits(&rows, &mut unobserved)?; // (rows, vocabulary)
            scores.push(tensor(logits.flatten_all().and_then(|all| all.to_vec1::<f32>()))?);
        }
        let vocabulary = scores[0].len() / ids.len();
        let judged: Vec<Mutex<Option<Word>>> = ids.iter().map(|_| Mutex::new(None)).collect();
        pool::run(ids.len(), &|row| {
            let of_row = row * vocabulary..(row + 1) * vocabulary;
            let ours = &scores[0][of_row.clone()];
            let theirs = scores.get(1).map(|scores| &scores[of_row]);
            *judged[row].lock().expect("each task has a word of its own") =
                word(ours, theirs, ids[row]);
        });
        for word in judged {
            let word = word.into_inner().expect("no task has failed");
            let word = word.ok_or_else(|| {
                let found = scores.iter().flatten().filter(|score| !score.is_finite()).count();
                Error::Scores { found, words: scores.iter().map(Vec::len).sum() }
            })?;
            words.push(word);
        }
    }
    Ok(words)
}

/// What a row of scores, and perhaps a reference's, say of the word that came; none where they are no numbers.
fn word(ours: &[f32], theirs: Option<&[f32]>, id: u32) -> Option<Word> {
    let sum = log_sum_exp(ours)?;
    let loss = sum - f64::from(ours[id as usize]);
    let Some(theirs) = theirs else { return Some(Word { loss, against: None }) };
    let their_sum = log_sum_exp(theirs)?;
    let their_loss = their_sum - f64::from(theirs[id as usize]);
    let divergence: f64 = ours
        .iter()
        .zip(theirs)
        .map(|(&q, &p)| {
            let (p, q) = (f64::from(p) - their_sum, f64::from(q) - sum);
            p.exp() * (p - q)
        })
        .sum();
    let same = argmax(ours) == argmax(theirs);
    // Rounding can leave a hair below 0.
    Some(Word { loss, against: Some((their_loss, divergence.max(0.0), same)) })
}

/// ln Σ eˣ; none where a score is no number.
fn log_sum_exp(scores: &[f32]) -> Option<f64> {
    if !scores.iter().all(|score| score.is_finite()) {
        return None;
    }
    let most = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = scores.iter().map(|&score| (f64::from(score) - most).exp()).sum();
    Some(sum.ln() + most)
}

/// The perplexity so far.
fn perplexity(words: &[Word]) -> Option<f64> {
    let loss: f64 = words.iter().map(|word| word.loss).sum();
    (!words.is_empty()).then(|| (loss / words.len() as f64).exp())
}

fn report(words: &[Word], passages: usize, positions: usize) -> Report {
    let loss = Figure::mean(words.iter().map(|word| word.loss));
    let pairs: Vec<(f64, (f64, f64, bool))> =
        words.iter().filter_map(|word| Some((word.loss, word.against?))).collect();
    let against = (!pairs.is_empty()).then(|| {
        let mut divergences: Vec<f64> = pairs.iter().map(|(_, (_, kl, _))| *kl).collect();
        divergences.sort_by(f64::total_cmp);
        Against {
            perplexity: Figure::mean(pairs.iter().map(|(_, (loss, ..))| *loss)).exp(),
            ratio: Figure::mean(pairs.iter().map(|(ours, (theirs, ..))| ours - theirs)).exp(),
            divergence: Figure::mean(divergences.iter().copied()),
            divergence_median: quantile(&divergences, 0.5),
            divergence_99: quantile(&divergences, 0.99),
            divergence_max: quantile(&divergences, 1.0),
            same_best: Figure::mean(pairs.iter().map(|(_, (.., same))| f64::from(u8::from(*same)))),
        }
    });
    Report { words: words.len(), passages, positions, loss, perplexity: loss.exp(), against }
}

/// What a part of some sorted numbers is below: between two of them, the line that joins them.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word of 1 to 100 counts once, behind all words of its window before it.
    #[test]
    fn windows_lose_nothing() {
        let ids: Vec<u32> = (1..=100).collect();
        for (window, stride) in [(7, 7), (7, 3), (7, 1), (50, 50), (99, 98), (100, 100), (500, 1)] {
            let mut counted: Vec<u32> = Vec::new();
            for Prompt { segments } in windows(&ids, window, stride, 1000) {
                let [Segment::Text { ids: known, .. }, Segment::Text { ids: new, learned: true }] =
                    segments.as_slice()
                else {
                    panic!("{segments:?}")
                };
                let all = [known.as_slice(), new].concat();
                assert_eq!(all[0], 1000);
                assert!(all.len() <= window + 1 && !new.is_empty());
                assert!(all[1..].windows(2).all(|pair| pair[0] + 1 == pair[1]));
                let most = if counted.is_empty() { window } else { stride };
                assert!(new.len() <= most, "{} of {most}", new.len());
                counted.extend(new);
            }
            assert_eq!(counted, ids, "{window} {stride}");
        }
    }

    /// The definitions, without care for overflow or speed.
    fn twin(ours: &[f32], theirs: &[f32], id: u32) -> Word {
        let probabilities = |scores: &[f32]| -> Vec<f64> {
            let all: Vec<f64> = scores.iter().map(|&score| f64::from(score).exp()).collect();
            let sum: f64 = all.iter().sum();
            all.into_iter().map(|one| one / sum).collect()
        };
        let (q, p) = (probabilities(ours), probabilities(theirs));
        let best = |all: &[f64]| (0..all.len()).max_by(|&a, &b| all[a].total_cmp(&all[b])).unwrap();
        let kl = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
        let losses = [&q, &p].map(|all| -all[id as usize].ln());
        Word { loss: losses[0], against: Some((losses[1], kl, best(&q) == best(&p))) }
    }

    #[test]
    fn scores_become_probabilities_as_defined() {
        let mut state = 1u32;
        let mut random = |scale: f32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
        };
        for (count, scale) in [(2, 1.0), (500, 4.0), (3000, 60.0)] {
            let theirs: Vec<f32> = (0..count).map(|_| random(scale)).collect();
            let ours: Vec<f32> = theirs.iter().map(|score| score + random(0.5)).collect();
            for id in [0, count - 1] {
                let found = word(&ours, Some(&theirs), id).unwrap();
                let expected = twin(&ours, &theirs, id);
                assert!((found.loss - expected.loss).abs() < 1e-9);
                let (found, expected) = (found.against.unwrap(), expected.against.unwrap());
                assert!((found.0 - expected.0).abs() < 1e-9 && (found.1 - expected.1).abs() < 1e-9);
                assert_eq!(found.2, expected.2);
            }
            assert_eq!(word(&ours, Some(&ours), 0).unwrap().against.unwrap().1, 0.0);
            // Scores far from 0 are the same distribution.
            let far: Vec<f32> = theirs.iter().map(|score| score.round() + 4096.0).collect();
            let near: Vec<f32> = far.iter().map(|score| score - 4096.0).collect();
            assert!(word(&far, Some(&near), 1).unwrap().against.unwrap().1 < 1e-12);
        }
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(word(&[0.0, broken], None, 0), None);
            assert_eq!(word(&[0.0, 1.0], Some(&[broken, 0.0]), 0), None);
        }
    }

    #[test]
    fn figures_are_those_of_the_words() {
        let word =
            |loss: f64, their: f64, kl: f64, same| Word { loss, against: Some((their, kl, same)) };
        let words =
            [word(1.0, 1.0, 0.1, true), word(3.0, 2.0, 0.3, false), word(2.0, 3.0, 0.2, true)];
        let found = report(&words, 1, 4);
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}")
        };
        // Losses 1, 2, 3: mean 2, deviation 1.
        near(found.loss.value, 2.0);
        near(found.loss.error, 1.0 / 3f64.sqrt());
        near(found.perplexity.value, 2f64.exp());
        near(found.perplexity.error, 2f64.exp() / 3f64.sqrt());
        let against = found.against.unwrap();
        near(against.perplexity.value, 2f64.exp());
        near(against.ratio.value, 1.0);
        near(against.ratio.error, 1.0 / 3f64.sqrt());
        near(against.divergence.value, 0.2);
        near(against.divergence_median, 0.2);
        near(against.divergence_99, 0.298);
        near(against.divergence_max, 0.3);
        near(against.same_best.value, 2.0 / 3.0);
        near(against.same_best.error, 1.0 / 3.0);
        let alone = report(&words.map(|word| Word { against: None, ..word }), 1, 4);
        assert_eq!((alone.loss, alone.against), (found.loss, None));
    }
}
