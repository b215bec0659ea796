//! The cache against a plain list of positions, and its saved form against every way to break it.

use candle_core::{Device, Tensor};
use ixc_kernels::attention::{Stored, Stretch};
use ixc_nn::cache::{CacheShape, KvCache, KvType, PAGE, Rows};
use proptest::prelude::*;

const LAYERS: usize = 2;
const HEADS: usize = 3;
const WIDTH: usize = 5;
const ROW: usize = HEADS * WIDTH;

fn shape(kind: KvType) -> CacheShape {
    CacheShape { layers: LAYERS, kv_heads: HEADS, width: WIDTH, kind }
}

/// Numbers that every type holds exactly: small integers, the largest of each row 127.
fn position(number: usize, salt: usize) -> Vec<f32> {
    let value = |i: usize| match i % WIDTH {
        0 => 127.0,
        _ => ((number * 31 + i * 7 + salt * 13) % 255) as f32 - 127.0,
    };
    (0..ROW).map(value).collect()
}

/// Appends positions as (t, kv_heads, width) or (kv_heads, t, width).
fn append(cache: &mut KvCache, numbers: std::ops::Range<usize>, rows_first: bool) {
    let count = numbers.len();
    for layer in 0..LAYERS {
        let make = |salt: usize| -> Vec<f32> {
            numbers.clone().flat_map(|n| position(n, 2 * layer + salt)).collect()
        };
        let (k, v) = (make(0), make(1));
        if rows_first {
            let rows = |numbers| Rows { numbers, head: WIDTH, position: ROW };
            cache.layer(layer).append_rows(rows(&k), rows(&v), count);
        } else {
            let tensor = |numbers: &[f32]| {
                let t = Tensor::from_slice(numbers, (count, HEADS, WIDTH), &Device::Cpu).unwrap();
                t.transpose(0, 1).unwrap().contiguous().unwrap()
            };
            cache.layer(layer).append(&tensor(&k), &tensor(&v)).unwrap();
        }
    }
    cache.advance(count);
}

fn number(stored: Stored, row: usize, i: usize) -> f32 {
    match stored {
        Stored::F32(numbers) => numbers[row * WIDTH + i],
        Stored::F16(numbers) => numbers[row * WIDTH + i].to_f32(),
        Stored::Q8 { numbers, scales } => f32::from(numbers[row * WIDTH + i]) * scales[row],
    }
}

/// Says that the cache holds these positions.
fn check(cache: &mut KvCache, expected: &[usize]) {
    assert_eq!(cache.len(), expected.len());
    for layer in 0..LAYERS {
        let stretches = cache.layer(layer).stretches();
        let places: Vec<(&Stretch, usize)> =
            stretches.iter().flat_map(|s| (0..s.len).map(move |p| (s, p))).collect();
        assert_eq!(places.len(), expected.len());
        for ((stretch, at), n) in places.into_iter().zip(expected) {
            for (salt, stored) in [stretch.k, stretch.v].into_iter().enumerate() {
                let values = position(*n, 2 * layer + salt);
                for head in 0..HEADS {
                    let row = head * stretch.head_rows + at * stretch.position_rows;
                    for i in 0..WIDTH {
                        assert_eq!(number(stored, row, i), values[head * WIDTH + i]);
                    }
                }
            }
        }
    }
}

fn saved(cache: &KvCache) -> Vec<u8> {
    let mut bytes = Vec::new();
    cache.write_to(&mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_is_a_list_of_positions(
        steps in proptest::collection::vec((0usize..4, 0usize..150, any::<bool>()), 1..8),
        kind in proptest::sample::select(KvType::ALL.to_vec()),
    ) {
        let mut cache = KvCache::new(shape(kind));
        let mut list: Vec<usize> = Vec::new();
        let mut before: Option<(KvCache, Vec<usize>)> = None;
        for (number, (what, count, rows_first)) in steps.into_iter().enumerate() {
            match what {
                0 => {
                    let len = count.min(list.len());
                    cache.truncate(len);
                    list.truncate(len);
                }
                1 => before = Some((cache.clone(), list.clone())),
                _ => {
                    let new = number * 1000..number * 1000 + count;
                    append(&mut cache, new.clone(), rows_first || count == 0);
                    list.extend(new);
                }
            }
            check(&mut cache, &list);
            if let Some((copy, list)) = &mut before {
                check(copy, list);
            }
        }
        let pages = list.len().div_ceil(PAGE) * PAGE;
        prop_assert_eq!(cache.bytes(), shape(kind).bytes_per_position() * pages as u64);
        prop_assert_eq!(cache.bytes(), shape(kind).bytes(list.len()));
        let bytes = saved(&cache);
        let mut restored = KvCache::read_from(&mut &bytes[..], shape(kind), list.len()).unwrap();
        check(&mut restored, &list);
        prop_assert_eq!(saved(&restored), bytes);
        append(&mut restored, 7..9, true);
        list.extend([7, 8]);
        check(&mut restored, &list);
    }
}

#[test]
fn what_a_broken_pass_left_is_forgotten() {
    let mut cache = KvCache::new(shape(KvType::F16));
    append(&mut cache, 0..70, true);
    let numbers = vec![1.0; 80 * ROW];
    let rows = Rows { numbers: &numbers, head: WIDTH, position: ROW };
    cache.layer(0).append_rows(rows, rows, 80);
    cache.truncate(cache.len());
    append(&mut cache, 70..75, true);
    check(&mut cache, &(0..75).collect::<Vec<_>>());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let mut cache = KvCache::new(shape(KvType::F32));
    let zeros = |dims: (usize, usize, usize)| {
        Tensor::zeros(dims, candle_core::DType::F32, &Device::Cpu).unwrap()
    };
    let good = zeros((HEADS, 2, WIDTH));
    for bad in [zeros((HEADS, 2, 4)), zeros((2, 2, WIDTH)), zeros((HEADS, 3, WIDTH))] {
        assert!(cache.layer(0).append(&good, &bad).is_err());
    }
    let half = good.to_dtype(candle_core::DType::F16).unwrap();
    assert!(cache.layer(0).append(&half, &half).is_err());
}

#[test]
fn a_broken_saved_cache_is_refused_with_the_reason() {
    let kind = KvType::F16;
    let mut cache = KvCache::new(shape(kind));
    append(&mut cache, 0..70, true);
    let bytes = saved(&cache);
    let read = |bytes: &[u8], shape, len| {
        let read = KvCache::read_from(&mut &bytes[..], shape, len);
        read.err().map_or("none".into(), |error| error.to_string())
    };
    assert_eq!(read(&bytes, shape(kind), 70), "none");
    for cut in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        assert!(read(&bytes[..cut], shape(kind), 70).contains("ends early"), "cut at {cut}");
    }
    for other in [0, 69, 71] {
        let message = format!("expected {other} positions, found 70");
        assert!(read(&bytes, shape(kind), other).contains(&message), "{other}");
    }
    assert!(read(&bytes, shape(KvType::Q8), 70).contains("in q8, found"));
    let other = CacheShape { layers: 9, ..shape(kind) };
    assert!(read(&bytes, other, 70).contains("expected 9 layers"));
    let mut wrong = bytes.clone();
    wrong[0] = b'\x1b';
    assert!(read(&wrong, shape(kind), 70).contains("\\u{1b}xc kv 1"));
    // A length that no machine holds, and bytes that end: refused before anything is allocated.
    let mut endless = bytes[..48].to_vec();
    endless[40..48].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(read(&endless, shape(kind), 1 << 40).contains("ends early"));
    assert!(read(&endless, shape(kind), 4096).contains("expected 4096 positions"));
}
