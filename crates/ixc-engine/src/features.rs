//! What the tower made of pictures seen before, found by their pixels.
//!
//! Invariants: a picture is known only if every prepared pixel and its tiles are the same (SHA-256);
//! the lock is never held while a picture is looked at, so two requests may look at the same one at
//! once. Deliberately absent: preparation, which is cheap beside the tower and decides the pixels.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;
use ixc_input::prepare::Pixels;
use sha2::{Digest as _, Sha256};

use crate::recent::Recent;

/// SHA-256.
pub(crate) type Digest = [u8; 32];

/// Stands for the pixels, their shape and their tiles.
pub(crate) fn digest(pixels: &Pixels) -> Digest {
    let Pixels { width, height, grid, data } = pixels;
    let mut hash = Sha256::new();
    for number in [width, height, &grid.rows, &grid.columns] {
        hash.update(number.to_le_bytes());
    }
    hash.update(bytemuck::cast_slice(data));
    hash.finalize().into()
}

/// Features of pictures, each (tokens, hidden).
#[derive(Debug)]
pub(crate) struct Features(Mutex<Recent<(Digest, Tensor)>>);

impl Features {
    /// None yet; at most so many bytes ever.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Mutex::new(Recent::new(bytes_max)))
    }

    /// The features of the picture with this digest.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Tensor> {
        let mut held = self.lock();
        let index = held.values().position(|(known, _)| known == digest)?;
        Some(held.touch(index).1.clone())
    }

    /// Keeps what was seen.
    pub(crate) fn add(&self, digest: Digest, features: &Tensor) {
        let mut held = self.lock();
        // Another request may have seen the same meanwhile.
        let known = held.values().any(|(known, _)| *known == digest);
        if !known {
            let bytes = features.elem_count() * features.dtype().size_in_bytes();
            held.add(bytes, (digest, features.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recent<(Digest, Tensor)>> {
        // Nothing under the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ixc_input::prepare::Grid;

    use super::*;

    #[test]
    fn every_pixel_and_the_shape_count() {
        let grid = Grid { rows: 1, columns: 1 };
        let pixels = Pixels { width: 2, height: 1, grid, data: vec![0.5; 6] };
        let mut other = pixels.clone();
        assert_eq!(digest(&other), digest(&pixels));
        other.data[5] = 0.500_001;
        assert_ne!(digest(&other), digest(&pixels));
        let turned = Pixels { width: 1, height: 2, ..pixels.clone() };
        assert_ne!(digest(&turned), digest(&pixels));
        let tiled = Pixels { grid: Grid { rows: 1, columns: 2 }, ..pixels.clone() };
        assert_ne!(digest(&tiled), digest(&pixels));
    }

    #[test]
    fn features_are_found_until_the_room_is_needed() {
        let rows = |value: f64| Tensor::full(value as f32, (4, 2), &Device::Cpu).unwrap();
        let features = Features::new(70);
        for number in 0..3 {
            features.add([number; 32], &rows(f64::from(number)));
            features.add([number; 32], &rows(9.0));
        }
        assert!(features.get(&[0; 32]).is_none(), "two of 32 bytes fit");
        for number in 1..3 {
            let found = features.get(&[number; 32]).unwrap();
            assert_eq!(found.dtype(), DType::F32);
            assert_eq!(found.to_vec2::<f32>().unwrap(), vec![vec![f32::from(number); 2]; 4]);
        }
    }
}
