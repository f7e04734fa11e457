//! Every network of the shared collection computes here what it computes elsewhere: outputs and inner activations agree
//! with those recorded beside it. Skipped, with a message, where the collection is not there.

#![allow(clippy::print_stderr, reason = "the test says what it skipped and how close it came")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graph::{Matrix, Network};
use safetensors::SafeTensors;
use samples::Batch;

/// Largest absolute difference over largest absolute value that is accepted, per tensor.
const TOLERANCE: f32 = 1e-4;

struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Array {
    /// The row of the last dimension at a flat index.
    fn row(&self, index: usize) -> &[f64] {
        let width = self.shape.last().copied().unwrap_or(1);
        &self.data[index * width..(index + 1) * width]
    }
}

fn arrays(path: &Path) -> BTreeMap<String, Array> {
    let Ok(bytes) = std::fs::read(path) else { return BTreeMap::new() };
    let file = SafeTensors::deserialize(&bytes).expect("the collection's files are sound");
    let read = |view: &safetensors::tensor::TensorView| -> Vec<f64> {
        let data = view.data();
        match view.dtype() {
            safetensors::Dtype::F32 => {
                data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().expect("4 bytes")))).collect()
            }
            safetensors::Dtype::I64 => {
                data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8 bytes")) as f64).collect()
            }
            _ => data.iter().map(|&b| f64::from(b)).collect(),
        }
    };
    file.iter()
        .map(|(name, view)| (name.to_owned(), Array { shape: view.shape().to_vec(), data: read(&view) }))
        .collect()
}

/// The networks of one family of the collection.
fn folders(family: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models").join(family);
    let Ok(entries) = std::fs::read_dir(&root) else {
        eprintln!("SKIPPED: {} is not there", root.display());
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}

/// The largest difference so far and the largest value, over the rows that count.
#[derive(Default)]
struct Gap {
    difference: f64,
    scale: f64,
}

impl Gap {
    fn compare(&mut self, found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "widths");
        for (&a, &b) in found.iter().zip(expected) {
            assert!(a.is_finite(), "a value that is not finite");
            self.difference = self.difference.max((f64::from(a) - b).abs());
            self.scale = self.scale.max(b.abs());
        }
    }

    fn relative(&self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.scale }
    }
}

#[derive(Default)]
struct Worst {
    gap: f64,
    place: String,
    tensors: usize,
}

impl Worst {
    fn add(&mut self, gap: &Gap, place: String) {
        self.tensors += 1;
        let relative = gap.relative();
        assert!(relative <= f64::from(TOLERANCE), "{place}: relative difference {relative:e}");
        if relative >= self.gap {
            (self.gap, self.place) = (relative, place);
        }
    }

    fn tell(&self, family: &str, networks: usize) {
        eprintln!("{family}: {networks} networks, {} tensors, worst {:.2e} at {}", self.tensors, self.gap, self.place);
    }
}

fn load(folder: &Path) -> (String, Network) {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let network = model::load_dir(folder).unwrap_or_else(|error| panic!("{name}: {error}; {}", error.help()));
    (name, network)
}

#[test]
fn recurrent_networks() {
    let folders = folders("rnn");
    let mut worst = Worst::default();
    for folder in &folders {
        let (name, network) = load(folder);
        let samples = arrays(&folder.join("samples.safetensors"));
        let x = &samples["x"];
        let &[n, length, dim] = x.shape.as_slice() else { panic!("{name}: shape of x") };
        let flat = |row: usize| -> Vec<i64> {
            x.data[row * length * dim..(row + 1) * length * dim].iter().map(|&v| v as i64).collect()
        };
        let batch = Batch::from_sequences(dim, (0..n).map(flat));
        let graph = network.graph(length);
        let nodes = [graph.find("h[0]").expect("h[0]"), graph.find("y[0]").expect("y[0]")];
        let activations = network.activations(&batch, &nodes).expect("runs");
        let trace = network.trace(&batch).expect("runs");
        for (key, kind, fast) in [("h_net", "h", &activations[0].points), ("y_net", "y", &activations[1].points)] {
            let (mut rolled, mut traced) = (Gap::default(), Gap::default());
            for step in 0..length {
                let node = graph.find(&format!("{kind}[{step}]")).expect("unrolled");
                let value = trace.matrix(node).expect("recorded");
                for row in 0..n {
                    let expected = samples[key].row(row * length + step);
                    rolled.compare(fast.row(row * length + step), expected);
                    traced.compare(value.row(row), expected);
                }
            }
            worst.add(&rolled, format!("{name} {key}"));
            worst.add(&traced, format!("{name} {key}, on the graph"));
        }
        let y = network.raw_outputs(&batch).expect("runs");
        assert_eq!(y, activations[1].points, "{name}");
    }
    worst.tell("rnn", folders.len());
}

/// The sum of everything written to the residual stream up to and including layer `layer`, over all positions.
fn residual(network: &Network, batch: &Batch, layer: usize) -> (Matrix, Option<Matrix>) {
    let graph = network.graph(0);
    let belongs = |name: &str| -> bool {
        let of = |text: &str| text.parse::<usize>().is_ok_and(|found| found <= layer);
        match name.split_once('.') {
            _ if name == "embed" || name == "pos_embed" => true,
            None => name.strip_prefix('m').is_some_and(of),
            Some((a, part)) => {
                a.strip_prefix('a').is_some_and(of)
                    && (part == "bias" || (part.starts_with('h') && !part.contains('.')))
            }
        }
    };
    let writers: Vec<_> = graph.nodes().filter(|&id| belongs(graph.name(id))).collect();
    let all = network.activations(batch, &writers).expect("runs");
    let sum = |parts: Vec<&Matrix>| {
        let mut total = Matrix::zeros(parts[0].rows, parts[0].cols);
        for part in parts {
            total.data.iter_mut().zip(&part.data).for_each(|(a, b)| *a += b);
        }
        total
    };
    let bos: Option<Vec<&Matrix>> = all.iter().map(|a| a.bos.as_ref()).collect();
    (sum(all.iter().map(|a| &a.points).collect()), bos.map(sum))
}

#[test]
fn compiled_transformers() {
    let folders = folders("compiled");
    let mut worst = Worst::default();
    for folder in &folders {
        let (name, network) = load(folder);
        let samples = arrays(&folder.join("samples.safetensors"));
        let mut sets = vec![(name.clone(), &samples["tokens"], &samples["logits"])];
        let shorter = arrays(&folder.join("samples_shorter.safetensors"));
        for (key, tokens) in &shorter {
            if let Some(n) = key.strip_prefix("tokens.") {
                sets.push((format!("{name}, {n} tokens"), tokens, &shorter[&format!("logits.{n}")]));
            }
        }
        for (index, (place, tokens, logits)) in sets.iter().enumerate() {
            let wide = tokens.shape[1];
            let sequences =
                (0..tokens.shape[0]).map(|i| tokens.row(i)[1..].iter().map(|&v| v as i64).collect::<Vec<_>>());
            let batch = Batch::from_sequences(1, sequences);
            let y = network.raw_outputs(&batch).expect("runs");
            let mut gap = Gap::default();
            for point in 0..y.rows {
                let (row, at) = batch.points().locate(point);
                gap.compare(y.row(point), logits.row(row * wide + at + 1));
            }
            worst.add(&gap, format!("{place}: logits"));
            if index > 0 {
                continue;
            }
            for (key, expected) in &samples {
                let Some(layer) = key.strip_prefix("resid_post.").and_then(|l| l.parse().ok()) else { continue };
                let (found, bos) = residual(&network, &batch, layer);
                let bos = bos.expect("these networks have a BOS");
                let mut gap = Gap::default();
                for point in 0..found.rows {
                    let (row, at) = batch.points().locate(point);
                    gap.compare(found.row(point), expected.row(row * wide + at + 1));
                }
                for row in 0..bos.rows {
                    gap.compare(bos.row(row), expected.row(row * wide));
                }
                worst.add(&gap, format!("{place}: {key}"));
            }
        }
    }
    worst.tell("compiled", folders.len());
}

#[test]
fn trained_transformers() {
    let folders = folders("trained");
    let mut worst = Worst::default();
    for folder in &folders {
        let (name, network) = load(folder);
        let task: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("task.json")).expect("there")).expect("JSON");
        let pad = task["input"]["special"]["pad"].as_f64().expect("an id");
        for file in ["samples.safetensors", "samples_offset.safetensors"] {
            let samples = arrays(&folder.join(file));
            let (tokens, positions, logits) = (&samples["tokens"], &samples["position_ids"], &samples["logits"]);
            let wide = tokens.shape[1];
            let mut batch = Batch::new(1);
            for i in 0..tokens.shape[0] {
                let row = tokens.row(i);
                let length = row.iter().rposition(|&id| id != pad).map_or(0, |last| last + 1);
                let sequence: Vec<i64> = row[..length].iter().map(|&id| id as i64).collect();
                batch.push_at(&sequence, positions.row(i)[0] as i64);
            }
            let y = network.raw_outputs(&batch).expect("runs");
            let mut gap = Gap::default();
            for point in 0..y.rows {
                let (row, at) = batch.points().locate(point);
                gap.compare(y.row(point), logits.row(row * wide + at));
            }
            worst.add(&gap, format!("{name} {file}"));
        }
    }
    worst.tell("trained", folders.len());
}
