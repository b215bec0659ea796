//! The pool: every task once, panics handed on, nothing lost between kernels.

use std::sync::atomic::{AtomicUsize, Ordering};

use ixc_kernels::pool::{run, run_parts};

#[test]
fn every_task_is_done_once() {
    for round in 0..3000 {
        let tasks = round % 37;
        let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        run(tasks, &|task| {
            done[task].fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        if round % 500 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(3)); // so that workers fall asleep
        }
    }
}

#[test]
fn kernels_within_kernels_and_beside_them() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let sum = AtomicUsize::new(0);
                    run(8, &|outer| {
                        run(4, &|inner| {
                            sum.fetch_add(outer * 4 + inner, Ordering::Relaxed);
                        });
                    });
                    assert_eq!(sum.load(Ordering::Relaxed), (0..32).sum());
                }
            });
        }
    });
}

#[test]
fn parts_cover_a_slice() {
    let mut numbers = vec![0usize; 1001];
    run_parts(&mut numbers, 64, |part, numbers| {
        numbers.iter_mut().enumerate().for_each(|(i, number)| *number = part * 64 + i);
    });
    assert!(numbers.iter().enumerate().all(|(i, &number)| i == number));
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    for _ in 0..20 {
        let done = AtomicUsize::new(0);
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(16, &|task| {
                done.fetch_add(1, Ordering::Relaxed);
                assert!(task != 5, "task five");
            });
        }));
        assert!(failed.is_err());
    }
    every_task_is_done_once();
}
