//! Rows picked and put back.

use std::ops::Range;

use ixc_kernels::gather::{pick, put};
use proptest::prelude::*;

use crate::numbers;

/// The rows between every other two of the cuts.
fn runs(cuts: &[usize], count: usize) -> Vec<Range<usize>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (count + 1)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_go_and_come_back(
        count in 1usize..400, cols in 1usize..200, cuts in prop::collection::vec(0usize..400, 0..9),
    ) {
        let (values, runs) = (numbers(count * cols, 1), runs(&cuts, count));
        let rows: Vec<usize> = runs.iter().cloned().flatten().collect();
        let row = |row: usize| &values[row * cols..][..cols];
        let picked = pick(&values, cols, &runs);
        prop_assert_eq!(&picked, &rows.iter().flat_map(|&r| row(r)).copied().collect::<Vec<_>>());
        let all = put(&picked, cols, &runs, count);
        for (at, found) in all.chunks_exact(cols).enumerate() {
            let named = rows.contains(&at);
            let zeros = vec![0f32; cols];
            prop_assert_eq!(found, if named { row(at) } else { &zeros });
        }
    }
}

#[test]
#[should_panic(expected = "ascending")]
fn runs_that_overlap_are_refused() {
    pick(&[0.0; 8], 2, &[0..3, 2..4]);
}
