//! GPTQ's 4-bit storage: words of eight inputs of one output, outputs next to each other.
//!
//! Products read a word as a whole, so its eight inputs must share a scale and a zero point. In published
//! files they do, and the words stay where they lie. In a file whose groups follow the activations' order
//! (`desc_act`) neighbours belong to different groups: there the inputs are sorted by group once, at load, into
//! memory of our own, which replaces the file's, and activations are brought into that order for each product.
//! Deliberately absent: products ([`crate::product`]), files.

use std::ops::Range;

use half::f16;

use crate::{
    Buffer,
    pool::{self, Shared},
    product::{rows::GROUP, tile::GROUP_BYTES},
};

/// Inputs of a word.
pub(crate) const WORD_INPUTS: usize = 8;

/// Words along the inputs that share a scale of activations.
pub(crate) const GROUP_WORDS: usize = GROUP / WORD_INPUTS;

/// A place that no input has: what is there is multiplied by 0.
const NONE: u32 = u32::MAX;

/// The parts of a layer as files have them. Value = (nibble − (stored zero + 1)) · scale.
#[derive(Clone, Debug)]
pub struct Gptq {
    /// int32, (cols / 8, rows): nibble i of a word is input 8·row + i.
    pub qweight: Buffer,
    /// int32, (groups, rows / 8): nibble i of a word is the zero point of output 8·column + i, less one.
    pub qzeros: Buffer,
    /// f16, (groups, rows).
    pub scales: Buffer,
    /// The group of each input, (cols).
    pub groups: Vec<u32>,
}

/// The parts of a layer as products read them: all inputs of a word are of one group.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// Outputs.
    rows: usize,
    /// (words, rows).
    qweight: Buffer,
    qzeros: Buffer,
    scales: Buffer,
    /// The group of each word, (words).
    groups: Vec<u32>,
    /// Where inputs went; none where they are in their own order.
    order: Option<Order>,
}

/// An order of inputs in which each word has one group.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The input at each place, or [`NONE`]: whole words.
    inputs: Vec<u32>,
    /// The place of each input.
    places: Vec<u32>,
}

/// Words behind one another that share their scales, the activations' included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) words: Range<usize>,
    pub(crate) group: usize,
}

impl Words {
    /// # Panics
    /// When the parts do not fit `rows` and each other: readers check first.
    pub(crate) fn new(rows: usize, parts: Gptq) -> Self {
        let Gptq { qweight, qzeros, scales, groups } = parts;
        assert!(groups.len().is_multiple_of(WORD_INPUTS) && rows.is_multiple_of(8));
        let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
        assert_eq!(qweight.numbers::<u32>().len(), groups.len() / WORD_INPUTS * rows);
        assert!(qzeros.numbers::<u32>().len() >= count * (rows / 8));
        assert!(scales.numbers::<u16>().len() >= count * rows);
        let words = groups.as_chunks::<WORD_INPUTS>().0;
        if words.iter().all(|word| word.iter().all(|group| *group == word[0])) {
            let groups = words.iter().map(|word| word[0]).collect();
            return Self { rows, qweight, qzeros, scales, groups, order: None };
        }
        let order = Order::by_group(&groups);
        let sorted = order.sorted(rows, qweight.numbers());
        qweight.release();
        let of_word = |word: &[u32; WORD_INPUTS]| groups[word[0] as usize]; // NONE is never first
        let groups = order.inputs.as_chunks().0.iter().map(of_word).collect();
        Self { rows, qweight: sorted, qzeros, scales, groups, order: Some(order) }
    }

    /// Bytes that a product reads.
    pub(crate) fn bytes(&self) -> usize {
        self.qweight.bytes().len() + self.qzeros.bytes().len() + self.scales.bytes().len()
    }

    /// Whether the words are the file's own.
    pub(crate) fn is_mapped(&self) -> bool {
        self.qweight.is_mapped() && self.qzeros.is_mapped() && self.scales.is_mapped()
    }

    /// Outputs.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Words along the inputs.
    pub(crate) fn count(&self) -> usize {
        self.groups.len()
    }

    /// In which order the words have their inputs; none where it is the inputs' own.
    pub(crate) fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Some words of each output, (words, rows).
    pub(crate) fn words(&self, words: Range<usize>) -> &[u32] {
        &self.qweight.numbers()[words.start * self.rows..words.end * self.rows]
    }

    /// A group's scales in float16, (rows).
    pub(crate) fn scales(&self, group: usize) -> &[u16] {
        &self.scales.numbers()[group * self.rows..][..self.rows]
    }

    /// A group's zero points less one, eight in a word, (rows / 8).
    pub(crate) fn zeros(&self, group: usize) -> &[u32] {
        &self.qzeros.numbers()[group * (self.rows / 8)..][..self.rows / 8]
    }

    /// Zero point and scale of one output in a group.
    fn zero_and_scale(&self, group: usize, output: usize) -> (i32, f32) {
        let zero = nibble(self.zeros(group)[output / 8], output) + 1;
        (zero, f16::from_bits(self.scales(group)[output]).to_f32())
    }

    /// Some words, cut where their scales change.
    pub(crate) fn spans(&self, words: Range<usize>) -> impl Iterator<Item = Span> {
        let mut next = words.start;
        std::iter::from_fn(move || {
            let first = next;
            let end = words.end.min((first / GROUP_WORDS + 1) * GROUP_WORDS);
            let group = *self.groups[..end].get(first)?;
            next += self.groups[first..end].iter().take_while(|other| **other == group).count();
            Some(Span { words: first..next, group: group as usize })
        })
    }

    /// Some inputs of one output as float32. Exact.
    pub(crate) fn widen_part(&self, output: usize, inputs: Range<usize>, out: &mut [f32]) {
        let qweight = self.qweight.numbers::<u32>();
        let (mut group, mut zero, mut scale) = (NONE, 0, 0.0);
        for (input, out) in inputs.zip(out) {
            let place = self.order.as_ref().map_or(input, |order| order.places[input] as usize);
            let word = place / WORD_INPUTS;
            if self.groups[word] != group {
                group = self.groups[word];
                (zero, scale) = self.zero_and_scale(group as usize, output);
            }
            *out = (nibble(qweight[word * self.rows + output], place) - zero) as f32 * scale;
        }
    }
}

fn nibble(word: u32, index: usize) -> i32 {
    (word >> (4 * (index % 8)) & 15) as i32
}

impl Order {
    /// Inputs by group, each group filled up to whole words.
    fn by_group(groups: &[u32]) -> Self {
        let mut sorted: Vec<u32> = (0..groups.len() as u32).collect();
        sorted.sort_by_key(|&input| groups[input as usize]);
        let mut order = Self { inputs: Vec::new(), places: vec![0; groups.len()] };
        for run in sorted.chunk_by(|a, b| groups[*a as usize] == groups[*b as usize]) {
            for &input in run {
                order.places[input as usize] = order.inputs.len() as u32;
                order.inputs.push(input);
            }
            order.inputs.resize(order.inputs.len().next_multiple_of(WORD_INPUTS), NONE);
        }
        order
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }

    /// The words of `rows` outputs in this order.
    fn sorted(&self, rows: usize, qweight: &[u32]) -> Buffer {
        let sort = |bytes: &mut [u8]| {
            pool::run_parts(bytemuck::cast_slice_mut::<u8, u32>(bytes), rows, |word, out| {
                let inputs = &self.inputs[word * WORD_INPUTS..][..WORD_INPUTS];
                for (index, &input) in inputs.iter().enumerate().filter(|(_, i)| **i != NONE) {
                    let (from, nibble) =
                        (input as usize / WORD_INPUTS, input as usize % WORD_INPUTS);
                    for (out, word) in out.iter_mut().zip(&qweight[from * rows..][..rows]) {
                        *out |= (word >> (4 * nibble) & 15) << (4 * index);
                    }
                }
            });
        };
        Buffer::build(self.len() / WORD_INPUTS * rows * size_of::<u32>(), sort)
    }

    /// Rows of as many numbers as there are inputs, brought into this order.
    pub(crate) fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let (cols, count) = (self.places.len(), rows.len() / self.places.len());
        let mut out = vec![0f32; count * self.len()];
        let target = Shared::new(&mut out);
        pool::run(count, &|row| {
            // SAFETY: each task takes its own row.
            let out = unsafe { target.part(row * self.len(), self.len()) };
            let row = &rows[row * cols..][..cols];
            for (out, &input) in out.iter_mut().zip(&self.inputs) {
                *out = row.get(input as usize).copied().unwrap_or(0.0);
            }
        });
        out
    }
}

const _: () = assert!(GROUP == GROUP_BYTES && GROUP.is_multiple_of(WORD_INPUTS));

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer of 8 outputs, whose inputs have these groups.
    fn words(groups: &[u32]) -> Words {
        let count = *groups.iter().max().unwrap() as usize + 1;
        let qweight: Vec<u32> =
            (0..groups.len() as u32).map(|word| word.wrapping_mul(0x9E37_79B9)).collect();
        let parts = Gptq {
            qweight: Buffer::from_slice(&qweight),
            qzeros: Buffer::from_slice(&vec![0x0123_4567u32; count]),
            scales: Buffer::from_slice(&vec![0x3C00u16; count * 8]),
            groups: groups.to_vec(),
        };
        Words::new(8, parts)
    }

    #[test]
    fn spans_end_where_a_group_or_256_inputs_end() {
        let groups: Vec<u32> = (0..720).map(|input| input / 320).collect();
        let words = words(&groups);
        assert!(words.order().is_none());
        let spans: Vec<_> = words.spans(0..90).map(|span| (span.words, span.group)).collect();
        assert_eq!(spans, [(0..32, 0), (32..40, 0), (40..64, 1), (64..80, 1), (80..90, 2)]);
        let part: Vec<_> = words.spans(36..41).map(|span| (span.words, span.group)).collect();
        assert_eq!(part, [(36..40, 0), (40..41, 1)]);
        assert_eq!(words.spans(90..90).count(), 0);
    }

    #[test]
    fn an_order_has_each_input_once_and_one_group_a_word() {
        let groups: Vec<u32> = (0..40).map(|input| input * 7 % 3).collect();
        let words = words(&groups);
        let order = words.order().unwrap();
        assert_eq!((order.len(), words.count()), (48, 6)); // 14, 13 and 13 inputs
        for (input, &place) in order.places.iter().enumerate() {
            assert_eq!(order.inputs[place as usize], input as u32);
            assert_eq!(words.groups[place as usize / 8], groups[input]);
        }
        assert_eq!(order.inputs.iter().filter(|input| **input == NONE).count(), 8);
        let row: Vec<f32> = (1..=40).map(|value| value as f32).collect();
        let sorted = order.apply(&row);
        assert_eq!(sorted.iter().sum::<f32>(), row.iter().sum());
        assert_eq!(sorted[order.places[17] as usize], 18.0);
    }
}
