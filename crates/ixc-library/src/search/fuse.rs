//! Rankings put together by the ranks alone (reciprocal rank fusion; Cormack, Clarke and Büttcher, 2009).
//!
//! BM25 and cosines have no common measure, ranks have: of each ranking a picture gets 1 / ([`K`] + rank). So what
//! two rankings hold to be good stands before what one holds to be best. Deliberately absent: weights; nobody has
//! measured which of the two knows a user's pictures better.

use std::collections::{BinaryHeap, HashMap};

use super::Scored;
use crate::{Id, vectors::Near};

/// How little a first rank counts more than a tenth: the authors' number.
const K: f64 = 60.0;

/// The first `depth` of a ranking by words and of rankings by vectors, together.
pub(super) fn fuse(scores: &[(Id, f64)], near: &[Near], depth: usize) -> BinaryHeap<Scored> {
    let mut sums: HashMap<Id, f64> = HashMap::new();
    let mut words: BinaryHeap<Scored> =
        scores.iter().map(|&(id, score)| Scored(score, id)).collect();
    let words = (0..depth).map_while(|_| words.pop()).map(|Scored(_, id)| id).enumerate();
    let near = near.iter().flat_map(|near| near.iter().take(depth).map(|(id, _)| *id).enumerate());
    for (rank, id) in words.chain(near) {
        *sums.entry(id).or_default() += 1.0 / (K + 1.0 + rank as f64);
    }
    sums.into_iter().map(|(id, score)| Scored(score, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_good_ranks_stand_before_one_best() {
        let scores = [(Id(1), 9.0), (Id(2), 8.0), (Id(3), 7.0)];
        let near = vec![vec![(Id(4), 0.9), (Id(3), 0.8), (Id(2), 0.7)]];
        let order = |depth| {
            let mut best = fuse(&scores, &near, depth);
            std::iter::from_fn(|| best.pop()).map(|Scored(_, id)| id.0).collect::<Vec<_>>()
        };
        // 2: second and third; 3: third and second, the same sum; then the two that are first once.
        assert_eq!(order(9), [2, 3, 1, 4]);
        assert_eq!(order(1), [1, 4], "what lies behind the depth does not count");
        let mut alone = fuse(&scores, &[], 9);
        let Some(Scored(score, Id(1))) = alone.pop() else { panic!("the best of words") };
        assert!((score - 1.0 / 61.0).abs() < 1e-12);
    }
}
