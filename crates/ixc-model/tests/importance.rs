//! What layers are fed, beside a plain decoder of loops; and the file that keeps what came of it.

mod golden;

use std::{collections::BTreeMap, path::Path};

use golden::{prompt, see};
use ixc_goldens::{fixtures, tensors};
use ixc_model::{
    Error, ModelConfig, Stage, XComposer,
    decoder::{Outputs, Sequence},
    gguf,
    importance::Importance,
    load::Weights,
    stage::watching,
    tensors::{LINEARS, OUTPUT, TOWER},
};
use ixc_nn::{
    Arithmetic,
    inputs::{Inputs, Sums},
    weights::{Checkpoint, GgufPlan, GgufValue, Keep, StoredType, TensorPlan, write_gguf},
};

/// Rows of numbers.
type Rows = Vec<Vec<f64>>;

/// What each layer was fed, by the name of its weight.
type Fed = BTreeMap<String, Rows>;

/// The decoder as its definition has it, one row after the other in float64.
struct Plain<'a> {
    checkpoint: &'a Checkpoint,
    config: &'a ModelConfig,
    /// Which rows are image rows.
    images: Vec<bool>,
    fed: Fed,
}

impl Plain<'_> {
    fn numbers(&self, name: &str) -> Vec<f64> {
        let shape = &self.checkpoint.info(name).expect(name).shape;
        self.checkpoint.floats(name, shape).unwrap().into_iter().map(f64::from).collect()
    }

    /// x Wᵀ of the rows that `which` picks, 0 for the others; notes what the layer is fed.
    fn linear(&mut self, layer: &str, x: &Rows, which: impl Fn(usize) -> bool) -> Rows {
        let name = format!("{layer}.weight");
        let inputs = x[0].len();
        let weight = self.numbers(&name);
        let mut y = Vec::new();
        for (row, x) in x.iter().enumerate() {
            if which(row) {
                self.fed.entry(name.clone()).or_default().push(x.clone());
                let of = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum();
                y.push(weight.chunks(inputs).map(of).collect());
            } else {
                y.push(vec![0.0; weight.len() / inputs]);
            }
        }
        y
    }

    /// A layer with Partial LoRA: W x, and scale · B A x for image rows.
    fn plora(&mut self, block: usize, index: usize, x: &Rows) -> Rows {
        let layer = format!("model.layers.{block}.{}", LINEARS[index]);
        let (_, scale) = self.config.plora.as_ref().unwrap().ranks[index];
        let images = self.images.clone();
        let mut y = self.linear(&layer, x, |_| true);
        let mut inner = self.linear(&format!("{layer}.Plora_A"), x, |row| images[row]);
        inner.iter_mut().flatten().for_each(|value| *value *= scale);
        let more = self.linear(&format!("{layer}.Plora_B"), &inner, |row| images[row]);
        add(&mut y, &more);
        y
    }

    fn rms_norm(&self, name: &str, x: &Rows) -> Rows {
        let weight = self.numbers(&format!("{name}.weight"));
        let eps = self.config.language.eps;
        let norm = |row: &Vec<f64>| {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
            let by = 1.0 / (mean + eps).sqrt();
            row.iter().zip(&weight).map(|(x, w)| x * by * w).collect()
        };
        x.iter().map(norm).collect()
    }

    /// Rotates the halves of a head at a position.
    fn rotate(&self, head: &[f64], position: usize) -> Vec<f64> {
        let half = head.len() / 2;
        let mut out = head.to_vec();
        for i in 0..half {
            let power = -2.0 * i as f64 / head.len() as f64;
            let angle = position as f64 * self.config.language.rope_theta.powf(power);
            out[i] = head[i] * angle.cos() - head[half + i] * angle.sin();
            out[half + i] = head[half + i] * angle.cos() + head[i] * angle.sin();
        }
        out
    }

    /// Packed rows (for each key head its queries, its key, its value) → what each row sees.
    fn attend(&self, qkv: &Rows) -> Rows {
        let language = &self.config.language;
        let (width, group) = (language.hidden / language.heads, language.heads / language.kv_heads);
        let head = |row: usize, kv: usize, part: usize| {
            &qkv[row][(kv * (group + 2) + part) * width..][..width]
        };
        let mut seen = vec![Vec::new(); qkv.len()];
        for (row, seen) in seen.iter_mut().enumerate() {
            for kv in 0..language.kv_heads {
                for part in 0..group {
                    let q = self.rotate(head(row, kv, part), row);
                    let score = |key: usize| {
                        let k = self.rotate(head(key, kv, group), key);
                        let dot: f64 = q.iter().zip(&k).map(|(q, k)| q * k).sum();
                        (dot / (width as f64).sqrt()).exp()
                    };
                    let scores: Vec<f64> = (0..=row).map(score).collect();
                    let sum: f64 = scores.iter().sum();
                    let value = |at: usize| {
                        let of = |(key, score): (usize, &f64)| head(key, kv, group + 1)[at] * score;
                        scores.iter().enumerate().map(of).sum::<f64>() / sum
                    };
                    seen.extend((0..width).map(value));
                }
            }
        }
        seen
    }

    fn run(&mut self, mut x: Rows) {
        for block in 0..self.config.language.layers {
            let name = |norm: &str| format!("model.layers.{block}.{norm}");
            let qkv = self.plora(block, 0, &self.rms_norm(&name("attention_norm"), &x));
            let seen = self.attend(&qkv);
            let seen = self.plora(block, 1, &seen);
            add(&mut x, &seen);
            let normed = self.rms_norm(&name("ffn_norm"), &x);
            let mut inner = self.plora(block, 2, &normed);
            let up = self.plora(block, 4, &normed);
            for (gate, up) in inner.iter_mut().flatten().zip(up.iter().flatten()) {
                *gate = *gate / (1.0 + (-*gate).exp()) * up;
            }
            let down = self.plora(block, 3, &inner);
            add(&mut x, &down);
        }
        let normed = self.rms_norm("model.norm", &x);
        self.fed.insert(OUTPUT.into(), normed);
    }
}

fn add(x: &mut Rows, y: &Rows) {
    x.iter_mut().flatten().zip(y.iter().flatten()).for_each(|(x, y)| *x += y);
}

fn rows(tensor: &candle_core::Tensor) -> Rows {
    let width = tensor.dims()[tensor.rank() - 1];
    let flat: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    flat.chunks(width).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

/// The sums of some rows are those that were counted, within float32.
fn check(name: &str, found: &Sums, fed: &[Rows]) {
    let count: usize = fed.iter().map(Vec::len).sum();
    assert_eq!(found.rows, count as u64, "{name}");
    let mut expected = vec![0f64; found.squares.len()];
    for row in fed.iter().flatten() {
        expected.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
    }
    let most = expected.iter().copied().fold(0.0, f64::max);
    for (found, expected) in found.squares.iter().zip(&expected) {
        assert!((found - expected).abs() <= 2e-4 * most, "{name}: {found}, expected {expected}");
    }
}

#[test]
fn every_layer_counts_what_it_is_fed() {
    let form = fixtures().join("tiny-vl/pytorch_model.bin.index.json");
    let checkpoint = Checkpoint::open(&form).unwrap();
    let config = ModelConfig::read(form.parent().unwrap(), &checkpoint).unwrap();
    let inputs = Inputs::default();
    let weights = Weights::new(&checkpoint, Keep::Stored, Arithmetic::Exact).counting(&inputs);
    let model = XComposer::of(config.clone(), &weights).unwrap();
    let golden = tensors(&fixtures().join("tiny-vl/expected.safetensors"));
    let features = see(&model, &golden["pixel_values"]);
    let mut fed: BTreeMap<String, Vec<Rows>> = BTreeMap::new();
    let mut image_rows = 0;
    for run in ["text", "inter"] {
        let ids = golden[&format!("{run}.input_ids")].i64();
        let prompt = prompt(&ids, features[0].dim(0).unwrap());
        let spliced = model.splice(&prompt, &features, &mut watching(|_, _| {})).unwrap();
        let mut batch = [Sequence { rows: ids.len(), cache: None }];
        let mut unobserved = watching(|_, _| {});
        let hidden = model
            .forward(
                &spliced.embeddings,
                &spliced.images,
                &mut batch,
                Outputs::All,
                &mut unobserved,
            )
            .unwrap();
        model.logits(&hidden, &mut unobserved).unwrap();
        let images: Vec<bool> = ids.iter().map(|&id| id < 0).collect();
        image_rows += images.iter().filter(|image| **image).count();
        let mut plain =
            Plain { checkpoint: &checkpoint, config: &config, images, fed: Fed::default() };
        plain.run(rows(&spliced.embeddings));
        for (name, rows) in plain.fed {
            fed.entry(name).or_default().push(rows);
        }
    }
    let found = inputs.sums();
    let decoder = found.iter().filter(|(name, _)| name.starts_with("model.") || *name == OUTPUT);
    assert_eq!(decoder.count(), fed.len(), "no layer is left out");
    for (name, rows) in &fed {
        check(name, &found[name], rows);
    }
    assert!(image_rows > 0);
    assert_eq!(found["model.layers.0.attention.wo.Plora_A.weight"].rows, image_rows as u64);
}

/// The tower and the projector, as far as a stage shows what a layer is fed.
#[test]
fn the_tower_counts_too() {
    let form = fixtures().join("tiny-vl/pytorch_model.bin.index.json");
    let checkpoint = Checkpoint::open(&form).unwrap();
    let config = ModelConfig::read(form.parent().unwrap(), &checkpoint).unwrap();
    let layers = config.vision.as_ref().unwrap().layers;
    let inputs = Inputs::default();
    let weights = Weights::new(&checkpoint, Keep::Stored, Arithmetic::Exact).counting(&inputs);
    let model = XComposer::of(config, &weights).unwrap();
    let golden = tensors(&fixtures().join("tiny-vl/expected.safetensors"));
    let mut fed: BTreeMap<String, Vec<Rows>> = BTreeMap::new();
    let pictures = &golden["pixel_values"];
    for image in 0..pictures.shape[0] {
        let mut observe = watching(|stage: Stage, value| {
            let layer = match stage {
                Stage::TowerInput => 0,
                Stage::TowerLayer(layer) => layer + 1,
                Stage::TowerOutput => {
                    return fed.entry("vision_proj.0.weight".into()).or_default().push(rows(value));
                }
                _ => return,
            };
            if layer == layers {
                return;
            }
            let block = format!("{TOWER}.encoder.layers.{layer}");
            let norm = |side: &str| {
                let name = format!("{block}.layer_norm1.{side}");
                checkpoint.floats(&name, &checkpoint.info(&name).unwrap().shape).unwrap()
            };
            let (weight, bias) = (norm("weight"), norm("bias"));
            let normed = rows(value).iter().map(|row| layer_norm(row, &weight, &bias)).collect();
            for name in ["q_proj", "k_proj", "v_proj"] {
                let name = format!("{block}.self_attn.{name}.weight");
                fed.entry(name).or_default().push(Rows::clone(&normed));
            }
        });
        model.see(&golden::pixels(pictures, image), &mut observe).unwrap();
    }
    let found = inputs.sums();
    for (name, rows) in &fed {
        check(name, &found[name], rows);
    }
    let seen = found["vision_proj.0.weight"].rows;
    let every = ["self_attn.out_proj", "mlp.fc1", "mlp.fc2"];
    for (layer, name) in (0..layers).flat_map(|layer| every.map(|name| (layer, name))) {
        let name = format!("{TOWER}.encoder.layers.{layer}.{name}.weight");
        assert_eq!(found[&name].rows, seen + pictures.shape[0] as u64, "{name}: a class row each");
    }
    assert_eq!(found["vision_proj.2.weight"].rows, seen);
    assert_eq!(found[OUTPUT].rows, 0);
    let importance = Importance::of(&inputs, 0, 0).unwrap();
    assert!(!importance.mean_squares.contains_key(OUTPUT), "nothing is known of it");
}

fn layer_norm(row: &[f64], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    let by = 1.0 / (variance + 1e-5).sqrt();
    let pairs = row.iter().zip(weight).zip(bias);
    pairs.map(|((x, &w), &b)| (x - mean) * by * f64::from(w) + f64::from(b)).collect()
}

#[test]
fn an_unused_input_counts_a_little() {
    let layer = BTreeMap::from([("w".to_owned(), vec![0.0, 4.0, 0.0, 4.0])]);
    let importance = Importance { mean_squares: layer, positions: 1, image_positions: 0 };
    assert_eq!(importance.weights()["w"], [2e-4, 4.0, 2e-4, 4.0]);
}

/// The configuration of the fixture.
fn config() -> ModelConfig {
    let form = fixtures().join("tiny-vl/pytorch_model.bin.index.json");
    ModelConfig::read(form.parent().unwrap(), &Checkpoint::open(&form).unwrap()).unwrap()
}

#[test]
fn the_file_is_of_one_model() {
    let config = config();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("i.gguf");
    let hidden = config.language.hidden;
    let means: Vec<f32> = (0..hidden).map(|input| input as f32 / 7.0).collect();
    let mean_squares = BTreeMap::from([
        (OUTPUT.to_owned(), means.clone()),
        ("vision_proj.2.weight".into(), means),
    ]);
    let importance = Importance { mean_squares, positions: 12, image_positions: 3 };
    importance.write(&path, false, &[7; 32]).unwrap();
    assert_eq!(Importance::read(&path, &config, &[7; 32]).unwrap(), importance);
    assert!(importance.write(&path, false, &[7; 32]).is_err(), "it is there already");
    importance.write(&path, true, &[8; 32]).unwrap();
    let told = |path: &Path| Importance::read(path, &config, &[7; 32]).unwrap_err().to_string();
    let message = told(&path);
    assert!(message.contains("another checkpoint") && message.contains("i.gguf"), "{message}");
    // It is no model, and a model is none of these.
    let error = ModelConfig::read(folder.path(), &gguf::open(&path).unwrap()).unwrap_err();
    assert!(matches!(&error, Error::Config { problem, .. } if problem.contains("ixc.config")));
    let other = |key: &str, about: &str, name: &str, numbers: &[f32]| {
        let path = folder.path().join("other.gguf");
        let plan = GgufPlan {
            path: path.clone(),
            replace: true,
            metadata: vec![(key.into(), GgufValue::Text(about.into()))],
            tensors: vec![TensorPlan {
                name: name.into(),
                dtype: StoredType::F32,
                shape: vec![numbers.len()],
            }],
        };
        write_gguf::<ixc_nn::Error>(&plan, |_, sink| sink.f32(numbers)).unwrap();
        told(&path)
    };
    let about = |version: u32| {
        let model = "07".repeat(32);
        format!(
            r#"{{"version": {version}, "model": "{model}", "positions": 1, "image_positions": 0}}"#
        )
    };
    let (key, fits) = ("ixc.importance", vec![1.0; hidden]);
    for (message, part) in [
        (other("ixc.config", "{}", "output.weight", &fits), "is it a model?"),
        (other(key, "{}", "output.weight", &fits), "missing field"),
        (other(key, &about(2), "output.weight", &fits), "expected version 1"),
        (other(key, &about(1), "blk.99.ffn_up.weight", &fits), "is no layer of this model"),
        (other(key, &about(1), "output.weight", &fits[1..]), "expected shape"),
        (other(key, &about(1), "output.weight", &vec![f32::NAN; hidden]), "found NaN"),
        (other(key, &about(1), "output.weight", &vec![-1.0; hidden]), "found -1"),
    ] {
        assert!(message.contains(part) && message.contains("other.gguf"), "{part:?} in {message}");
    }
}
