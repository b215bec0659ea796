//! Neither the way a step is cut, nor how many threads take it, nor what is computed again is felt.

use ixc_model::training::Sample;
use ixc_nn::{Arithmetic, pool};
use ixc_train::step::{Step, evaluate, gradients};

use super::{Files, PLAIN, all_with_lora, assert_close, borrowed, found};

#[test]
fn a_batch_is_its_samples_however_a_step_is_cut() {
    for tiled in [false, true] {
        let files = Files::new(tiled);
        let model = files.load(&all_with_lora());
        let samples = files.samples();
        let samples = borrowed(&samples);
        // With noise too: it strikes by place, wherever passes begin.
        for seed in [None, Some(11)] {
            let told = Step { seed, ..PLAIN };
            let run = |passes: &[&[Sample]]| {
                let (loss, extent) = gradients(&model, passes, told, 4).unwrap();
                (loss, extent, found(&model))
            };
            let (loss, extent, whole) = run(&[&samples]);
            assert_eq!(extent.words, 4 + 7 + 8 + 5);
            let singles: Vec<&[Sample]> = samples.chunks(1).collect();
            for passes in
                [singles, vec![&samples[..1], &samples[1..]], vec![&samples[..3], &samples[3..]]]
            {
                let (other, same, cut) = run(&passes);
                assert!((loss - other).abs() < 1e-5 * loss, "{loss} against {other}");
                assert_eq!(extent, same);
                assert_close("cut", &cut, &whole);
            }
            // Each alone, by its share of the words: members of a pack never see each other.
            let mut sum = 0.0;
            for sample in &samples {
                sum += gradients(&model, &[&[*sample]], Step { seed: None, ..told }, 4).unwrap().0
                    * sample.words() as f64;
                found(&model);
            }
            if seed.is_none() {
                assert!((sum / extent.words as f64 - loss).abs() < 1e-5 * loss);
            } else {
                assert!((sum / extent.words as f64 - loss).abs() > 1e-5 * loss, "noise is felt");
            }
        }
    }
}

#[test]
fn lanes_are_not_felt_and_threads_not_at_all() {
    for tiled in [false, true] {
        let files = Files::new(tiled);
        let model = files.load(&all_with_lora());
        let samples = files.samples();
        let few = borrowed(&samples);
        let extents = few.iter().map(|sample| {
            let told = sample.extent(files.config.vision.as_ref()).unwrap();
            assert_eq!(model.loss(&[*sample], None).unwrap().extent, told);
            told.rows
        });
        // Rows for three lanes.
        let times = 3100usize.div_ceil(extents.sum());
        let many = few.repeat(times);
        let run = |passes: &[&[Sample]]| {
            let told = Step { checkpointing: true, ..PLAIN };
            let (loss, extent) = gradients(&model, passes, told, 4).unwrap();
            (loss, extent, found(&model))
        };
        let threads = pool::threads();
        let whole = run(&[&many]);
        for count in [1, 2, 7] {
            pool::set_threads(count);
            assert!(run(&[&many]) == whole, "{count} threads change a number");
        }
        pool::set_threads(threads);
        // Passes of one lane each.
        let passes: Vec<&[Sample]> = many.chunks(4).collect();
        let (loss, extent, cut) = run(&passes);
        assert!((loss - whole.0).abs() < 1e-5 * loss, "{loss} against {}", whole.0);
        assert_eq!(extent, whole.1);
        assert_close("lanes", &whole.2, &cut);
    }
}

#[test]
fn what_is_computed_again_is_not_felt() {
    for tiled in [false, true] {
        let files = Files::new(tiled);
        let samples = files.samples();
        let samples = borrowed(&samples);
        for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
            let model = files.load_as(files.config.clone(), arithmetic, &all_with_lora()).unwrap();
            let run = |checkpointing| {
                let told = Step { seed: Some(2), checkpointing, ..PLAIN };
                let (loss, _) = gradients(&model, &[&samples], told, 1).unwrap();
                (loss, found(&model))
            };
            let (straight, again) = (run(false), run(true));
            assert_eq!(straight.0, again.0);
            for ((name, one), (_, other)) in straight.1.iter().zip(&again.1) {
                assert!(one == other, "{name} differs when computed again");
            }
            assert!(run(true) == again, "a step repeats itself bit for bit");
        }
    }
}

#[test]
fn noise_is_of_the_step_and_not_of_evaluation() {
    let files = Files::new(false);
    let model = files.load(&all_with_lora());
    let samples = files.samples();
    let samples = borrowed(&samples);
    let loss = |seed, number| {
        let told = Step { seed, ..PLAIN };
        let (loss, _) = gradients(&model, &[&samples], told, number).unwrap();
        found(&model);
        loss
    };
    let still = loss(None, 0);
    assert_eq!(evaluate(&model, &samples).unwrap(), (still, 24));
    let losses = [still, loss(Some(1), 0), loss(Some(1), 1), loss(Some(2), 0)];
    for (index, one) in losses.iter().enumerate() {
        assert!(losses[..index].iter().all(|other| other != one), "{losses:?}");
    }
}
