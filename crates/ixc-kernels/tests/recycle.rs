//! Buffers used again. Alone in its process and one test: the buffers are the process's.

use ixc_kernels::recycle::{floats, give, pass, steps};

#[test]
fn a_pass_keeps_buffers_and_its_end_frees_them() {
    let (large, small) = (3 << 20, 1000);
    let outer = pass();
    let inner = pass();
    let mut buffer = floats(large);
    assert!(buffer.len() == large && buffer.iter().all(|&x| x == 0.0));
    buffer.fill(7.0);
    let place = buffer.as_ptr();
    give(buffer);
    give(vec![7.0; small]);
    drop(inner);
    assert!(floats(small).iter().all(|&x| x == 0.0), "small buffers are not kept");
    let (third, longer) = (floats(large / 3), floats(large + 1));
    assert_ne!(third.as_ptr(), place, "a third would waste most of it");
    assert_ne!(longer.as_ptr(), place, "too small for that");
    let shorter = floats(large / 2 + 1);
    assert!(shorter.as_ptr() == place && shorter.len() == large / 2 + 1);
    give(shorter);
    let again = floats(large);
    assert!(again.as_ptr() == place && again.len() == large);
    give(again);
    // Seventeen are one too many: the one that waited longest goes.
    (0..16).for_each(|_| give(vec![7.0; large / 4]));
    assert!(floats(large).iter().all(|&x| x == 0.0), "the first of seventeen was kept");
    drop(outer);
    let fresh = floats(large);
    assert!(fresh.iter().all(|&x| x == 0.0), "kept behind the last pass");
    give(fresh);
    steps_leave_buffers_to_one_another();
}

fn steps_leave_buffers_to_one_another() {
    let (len, count) = (1 << 17, 40); // more than a pass alone keeps
    let steps = steps();
    let place = |buffer: &Vec<f32>| buffer.as_ptr().addr();
    let taken = |len: usize| -> Vec<Vec<f32>> { (0..count).map(|_| floats(len)).collect() };
    let mut places = Vec::new();
    for _ in 0..2 {
        let _pass = pass();
        let mut buffers = taken(len);
        buffers.iter_mut().for_each(|buffer| buffer.fill(7.0));
        let mut here: Vec<usize> = buffers.iter().map(place).collect();
        here.sort_unstable();
        places.push(here);
        buffers.into_iter().for_each(give);
        steps.next();
    }
    assert_eq!(places[0], places[1], "a step takes what the one before it gave");
    // Two steps that want none let them go.
    steps.next();
    steps.next();
    assert!(floats(len).iter().all(|&x| x == 0.0), "kept for steps that did not want it");
    give(vec![7.0; len]);
    drop(steps);
    assert!(floats(len).iter().all(|&x| x == 0.0), "kept behind the last step");
}
