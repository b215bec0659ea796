//! Times attention in the shapes of the 7B decoder and of the tower: milliseconds for all layers.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use half::f16;
use ixc_kernels::{
    Arithmetic,
    attention::{HeadRows, Heads, How, KvType, Stored, StoredMut, Stretch, attention},
    cpu,
};

struct Page {
    kind: KvType,
    f32s: Vec<f32>,
    f16s: Vec<f16>,
    i8s: Vec<i8>,
    scales: Vec<f32>,
}

impl Page {
    fn new(kind: KvType, rows: usize, width: usize, seed: &mut u32) -> Self {
        let mut page = Self {
            kind,
            f32s: vec![0.0; if kind == KvType::F32 { rows * width } else { 0 }],
            f16s: vec![f16::ZERO; if kind == KvType::F16 { rows * width } else { 0 }],
            i8s: vec![0; if kind == KvType::Q8 { rows * width } else { 0 }],
            scales: vec![0.0; if kind == KvType::Q8 { rows } else { 0 }],
        };
        for row in 0..rows {
            let values = random(width, seed);
            let mut out = match kind {
                KvType::F32 => StoredMut::F32(&mut page.f32s),
                KvType::F16 => StoredMut::F16(&mut page.f16s),
                KvType::Q8 => StoredMut::Q8 { numbers: &mut page.i8s, scales: &mut page.scales },
            };
            out.set_row(cpu::path(), row, &values);
        }
        page
    }

    fn stored(&self) -> Stored<'_> {
        match self.kind {
            KvType::F32 => Stored::F32(&self.f32s),
            KvType::F16 => Stored::F16(&self.f16s),
            KvType::Q8 => Stored::Q8 { numbers: &self.i8s, scales: &self.scales },
        }
    }
}

fn random(count: usize, seed: &mut u32) -> Vec<f32> {
    let mut next = || {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

const PAGE: usize = 64;

fn time(name: &str, layers: usize, heads: Heads, total: usize, kind: KvType, causal: bool) {
    let mut seed = 1;
    let pages: Vec<Vec<(Page, Page, usize)>> = (0..layers)
        .map(|_| {
            (0..total.div_ceil(PAGE))
                .map(|page| {
                    let rows = heads.kv_heads * PAGE;
                    let mut make = || Page::new(kind, rows, heads.width, &mut seed);
                    (make(), make(), PAGE.min(total - page * PAGE))
                })
                .collect()
        })
        .collect();
    let q = random(heads.count() * heads.rows * heads.width, &mut seed);
    let q = HeadRows { numbers: &q, head: heads.rows * heads.width, row: heads.width };
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
        if heads.rows == 1 && arithmetic == Arithmetic::Exact {
            continue;
        }
        let repeats =
            if heads.rows == 1 { 15 } else { 1 + 2 * (arithmetic == Arithmetic::Fast) as usize };
        let mut times = Vec::new();
        for _ in 0..repeats {
            let (started, before) = (Instant::now(), ran());
            for layer in &pages {
                let stretches: Vec<Stretch> = layer
                    .iter()
                    .map(|(k, v, len)| Stretch {
                        k: k.stored(),
                        v: v.stored(),
                        len: *len,
                        head_rows: PAGE,
                        position_rows: 1,
                    })
                    .collect();
                std::hint::black_box(attention(
                    q,
                    heads,
                    &stretches,
                    How { causal, arithmetic, path: cpu::path() },
                ));
            }
            times.push((started.elapsed().as_secs_f64() * 1e3, ran() - before));
        }
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (least, median) = (times[0], times[times.len() / 2]);
        let cpu = times.iter().map(|t| t.1).fold(f64::MAX, f64::min);
        println!(
            "{name} {} {arithmetic:?} {}: median {:.1} ms, least {:.1}; processor time at least {cpu:.1}",
            kind.name(),
            cpu::path().name(),
            median.0,
            least.0
        );
    }
}

/// Milliseconds that all threads have run, where Linux says.
fn ran() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let texts =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
    texts.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e6
}

fn main() {
    if let Some(threads) = std::env::args().nth(3) {
        ixc_kernels::pool::set_threads(threads.parse().unwrap());
    }
    let only = std::env::args().nth(1).unwrap_or_default();
    if let Some(path) = std::env::args().nth(2) {
        cpu::limit(cpu::Path::available().find(|p| p.name() == path).unwrap());
    }
    let decode = Heads { kv_heads: 8, group: 4, rows: 1, width: 128 };
    for kind in KvType::ALL {
        if only.contains('d') {
            time("decode 7B at 1300, 32 layers", 32, decode, 1300, kind, true);
        }
        if only.contains('c') {
            time("decode 7B at 1300, 1 layer", 1, decode, 1300, kind, true);
        }
        if only.contains('D') {
            time("decode 7B at 4096, 32 layers", 32, decode, 4096, kind, true);
        }
        if only.contains('p') && kind != KvType::F32 {
            time("prefill 7B 1275, 4 layers", 4, Heads { rows: 1275, ..decode }, 1275, kind, true);
        }
    }
    if only.contains('t') {
        let heads = Heads { kv_heads: 16, group: 1, rows: 1226, width: 64 };
        time("tower 490 px, 6 layers", 6, heads, 1226, KvType::F32, false);
    }
}
