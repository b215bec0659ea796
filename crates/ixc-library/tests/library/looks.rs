//! Looks: the same picture in another size is known, others are not taken for it.

use ixc_input::image::{Orientation, Picture, load};
use ixc_library::Look;

use crate::support::{mixed, sized_bmp};

fn look(bytes: &[u8]) -> Look {
    Look::of(&load(bytes, Orientation::AsStored).unwrap())
}

#[test]
fn size_brightness_and_noise_do_not_hide_a_picture() {
    for seed in 0..20 {
        let picture = load(&sized_bmp(seed, 120), Orientation::AsStored).unwrap();
        let own = Look::of(&picture);
        assert!(own.resembles(&look(&sized_bmp(seed, 480))), "seed {seed}: larger");
        assert!(own.resembles(&look(&sized_bmp(seed, 60))), "seed {seed}: smaller");
        let noisy = picture.rgb().iter().zip(0..).map(|(&level, at)| {
            level.saturating_add((mixed(at + seed) % 9) as u8) // as a strong compression leaves it
        });
        let noisy = Picture::from_rgb(120, 120, noisy.collect());
        assert!(own.resembles(&Look::of(&noisy)), "seed {seed}: noisy");
    }
}

#[test]
fn other_pictures_are_others() {
    let looks: Vec<Look> = (0..60).map(|seed| look(&sized_bmp(seed, 60))).collect();
    for (at, one) in looks.iter().enumerate() {
        assert!(looks[at + 1..].iter().all(|other| !one.resembles(other)), "picture {at}");
    }
    // Plain ones have no shapes to differ by.
    let plain = |level: u8| Look::of(&Picture::from_rgb(9, 9, vec![level; 243]));
    assert!(!plain(0).resembles(&plain(255)));
    assert!(plain(100).resembles(&plain(104)));
}

#[test]
fn any_size_has_a_look() {
    for (width, height) in [(1, 1), (1, 500), (500, 1), (3, 5), (17, 16)] {
        let rgb = (0..3 * width * height).map(|at| mixed(at.into()) as u8).collect();
        let picture = Picture::from_rgb(width, height, rgb);
        assert!(Look::of(&picture).resembles(&Look::of(&picture)));
    }
}
