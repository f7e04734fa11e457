//! The same network without what training gave it: whoever explains this explains too much.
//!
//! Architecture, sizes and the numbers' spread stay, so that whatever a procedure finds here it finds for lack of something
//! better. What it finds may still be right: some networks of random weights compute simple functions.

use std::collections::BTreeMap;
use std::ops::Range;

use graph::Network;
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use safetensors::tensor::{Dtype, SafeTensors};
use samples::{Elements, Rng, rng};
use serde_json::Value as Json;

use crate::{File, LoadError, ModelFiles, load};

/// How the meaning is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaningless {
    /// Every tensor's numbers are drawn anew, normal with its own mean and spread: weights as before training.
    Redrawn,
    /// Every tensor's numbers are permuted.
    PermutedInTensors,
    /// The numbers of all tensors of a layer are permuted together.
    PermutedInLayers,
    /// The weights are as they were, and the words of the vocabulary (special ones aside) and of the outputs, or the numbers
    /// that are fed, go by each other's names: a nonsense labelling. Where nothing has a name nothing is renamed.
    Renamed,
}

impl Meaningless {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Redrawn, Self::PermutedInTensors, Self::PermutedInLayers, Self::Renamed];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redrawn => "weights drawn anew",
            Self::PermutedInTensors => "weights permuted within tensors",
            Self::PermutedInLayers => "weights permuted within layers",
            Self::Renamed => "nonsense labelling",
        }
    }
}

/// A network without meaning, from the files of one; `None` where there is nothing to rename.
///
/// # Errors
/// As for [`load`].
pub fn meaningless(files: &ModelFiles, how: Meaningless, seed: u64) -> Result<Option<Network>, LoadError> {
    if how != Meaningless::Renamed {
        let weights = meaningless_weights(files, how, seed)?;
        return load(&ModelFiles { weights, ..files.clone() }).map(Some);
    }
    let mut rng = rng(seed, how.name());
    let network = load(files)?;
    if let (Some(net), Elements::Integers { lo, hi, .. }) = (network.recurrence(), &network.domain.elements) {
        let Some(width) = hi.checked_sub(*lo).and_then(|most| usize::try_from(most + 1).ok()) else { return Ok(None) };
        let mut order: Vec<usize> = (0..width.min(NAMES + 1)).collect();
        order.shuffle(&mut rng);
        let renamed = if width <= NAMES { net.renamed(*lo, &order) } else { None };
        return Ok(renamed.map(|net| Network::recurrent(network.domain.clone(), net)));
    }
    let Some(task) = files.task.as_ref().and_then(|task| renamed(task, &mut rng)) else { return Ok(None) };
    load(&ModelFiles { task: Some(task), ..files.clone() }).map(Some)
}

/// The weights of a network without meaning, as a safetensors file; renaming changes none.
///
/// # Errors
/// A file that is no safetensors file.
pub fn meaningless_weights(files: &ModelFiles, how: Meaningless, seed: u64) -> Result<Vec<u8>, LoadError> {
    match how {
        Meaningless::Renamed => Ok(files.weights.clone()),
        _ => weights(&files.weights, how, &mut rng(seed, how.name())),
    }
}

/// Numbers of a range that are renamed at most.
const NAMES: usize = 1 << 12;

/// task.json with words under each other's names.
fn renamed(task: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut task: Json = serde_json::from_slice(task).ok()?;
    let input = task.get("input")?;
    let mut kept: Vec<usize> = Vec::new();
    let ids = input.get("special").and_then(Json::as_object).into_iter().flatten().map(|(_, id)| id);
    let named = ["bos_id", "pad_id"].into_iter().filter_map(|key| input.get(key));
    kept.extend(ids.chain(named).filter_map(Json::as_u64).filter_map(|id| usize::try_from(id).ok()));
    let words = task.pointer_mut("/input/vocab").and_then(Json::as_array_mut)?;
    let places: Vec<usize> = (0..words.len()).filter(|place| !kept.contains(place)).collect();
    shuffle(words, &places, rng);
    if let Some(values) = task.pointer_mut("/output/values").and_then(Json::as_array_mut) {
        let places: Vec<usize> = (0..values.len()).collect();
        shuffle(values, &places, rng);
    }
    serde_json::to_vec(&task).ok()
}

/// Permutes what stands at some places.
fn shuffle<T: Clone>(list: &mut [T], places: &[usize], rng: &mut Rng) {
    let mut there: Vec<T> = places.iter().map(|&place| list[place].clone()).collect();
    there.shuffle(rng);
    places.iter().zip(there).for_each(|(&place, value)| list[place] = value);
}

/// A safetensors file with other numbers of the same tensors. Tensors that hold no real numbers stay.
fn weights(bytes: &[u8], how: Meaningless, rng: &mut Rng) -> Result<Vec<u8>, LoadError> {
    let header =
        |error: safetensors::SafeTensorError| LoadError::Header { file: File::Weights, message: error.to_string() };
    let parsed = SafeTensors::deserialize(bytes).map_err(header)?;
    let mut tensors: BTreeMap<String, (Dtype, Range<usize>)> = BTreeMap::new();
    for (name, view) in parsed.iter() {
        // Where the tensor's bytes lie in the file's.
        let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        tensors.insert(name.to_owned(), (view.dtype(), start..start + view.data().len()));
    }
    let mut groups: BTreeMap<(String, usize), Vec<Range<usize>>> = BTreeMap::new();
    for (name, (dtype, range)) in tensors {
        let Some(width) = width(dtype) else { continue };
        let group = if how == Meaningless::PermutedInLayers { layer(&name) } else { name };
        groups.entry((group, width)).or_default().push(range);
    }
    let mut bytes = bytes.to_vec();
    for ((_, width), ranges) in groups {
        if how == Meaningless::Redrawn && width >= 4 {
            ranges.into_iter().for_each(|range| redraw(&mut bytes[range], width, rng));
            continue;
        }
        let mut entries: Vec<Vec<u8>> =
            ranges.iter().flat_map(|range| bytes[range.clone()].chunks(width).map(<[u8]>::to_vec)).collect();
        match how {
            // Numbers of half precision are drawn from those that are there.
            Meaningless::Redrawn => {
                let own = entries.clone();
                entries.iter_mut().for_each(|entry| entry.clone_from(&own[rng.random_range(0..own.len())]));
            }
            _ => entries.shuffle(rng),
        }
        let mut entries = entries.into_iter();
        for range in ranges {
            bytes[range].chunks_mut(width).zip(&mut entries).for_each(|(place, entry)| place.copy_from_slice(&entry));
        }
    }
    Ok(bytes)
}

/// The bytes of a real number.
fn width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F64 => Some(8),
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

/// The layer that a tensor belongs to: its name up to the first number; names without one are layers of their own.
fn layer(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    // torch.nn ends the names of recurrent layers in l0, l1, ...
    if let Some((_, number)) = name.rsplit_once("_l")
        && is_number(number)
    {
        return format!("l{number}");
    }
    let parts: Vec<&str> = name.split('.').collect();
    match parts.iter().position(|part| is_number(part)) {
        Some(at) => parts[..=at].join("."),
        None => name.to_owned(),
    }
}

/// Numbers drawn anew, with the mean and the spread of those that are there.
fn redraw(bytes: &mut [u8], width: usize, rng: &mut Rng) {
    let read = |chunk: &[u8]| match <[u8; 8]>::try_from(chunk) {
        Ok(eight) => f64::from_le_bytes(eight),
        Err(_) => <[u8; 4]>::try_from(chunk).map_or(0.0, |four| f64::from(f32::from_le_bytes(four))),
    };
    let numbers: Vec<f64> = bytes.chunks(width).map(read).collect();
    let n = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let spread = (numbers.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    for place in bytes.chunks_mut(width) {
        // Box and Muller (1958).
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        let normal = (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let number = mean + spread * normal;
        match width {
            8 => place.copy_from_slice(&number.to_le_bytes()),
            _ => place.copy_from_slice(&(number as f32).to_le_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> ModelFiles {
        let config = r#"{"model_type": "rnn", "cell": "mlp", "input_dim": 1, "hidden_dim": 2, "output_dim": 1,
            "hidden_mlp_depth": 2, "hidden_mlp_width": 3, "output_mlp_depth": 1, "output_mlp_width": 0,
            "activation": "relu", "h0": "zeros"}"#;
        let task = r#"{"input": {"kind": "integers", "dim": 1, "range": [0, 3], "encoding": "scalar", "length": 5},
            "output": {"kind": "integers", "dim": 1, "decode": "round"}}"#;
        let shapes: [(&str, &[usize]); 6] = [
            ("hmlp.layers.0.weight", &[3, 3]),
            ("hmlp.layers.0.bias", &[3]),
            ("hmlp.layers.1.weight", &[2, 3]),
            ("hmlp.layers.1.bias", &[2]),
            ("ymlp.layers.0.weight", &[1, 2]),
            ("ymlp.layers.0.bias", &[1]),
        ];
        let mut at = 0.0_f32;
        let data: Vec<Vec<u8>> = shapes
            .iter()
            .map(|(_, shape)| {
                let numbers = (0..shape.iter().product::<usize>()).map(|_| {
                    at += 0.5;
                    at
                });
                numbers.flat_map(f32::to_le_bytes).collect()
            })
            .collect();
        let views = shapes.iter().zip(&data).map(|((name, shape), data)| {
            let view = safetensors::tensor::TensorView::new(Dtype::F32, shape.to_vec(), data).expect("sizes fit");
            ((*name).to_owned(), view)
        });
        let weights = safetensors::serialize(views.collect::<Vec<_>>(), None).expect("it can be written");
        ModelFiles { config: config.into(), task: Some(task.into()), weights, inputs: None }
    }

    fn numbers(bytes: &[u8]) -> BTreeMap<String, Vec<f32>> {
        let parsed = SafeTensors::deserialize(bytes).expect("a safetensors file");
        let read = |data: &[u8]| data.chunks(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        parsed.iter().map(|(name, view)| (name.to_owned(), read(view.data()))).collect()
    }

    fn sorted(mut numbers: Vec<f32>) -> Vec<f32> {
        numbers.sort_by(f32::total_cmp);
        numbers
    }

    #[test]
    fn permutations_keep_the_numbers_of_a_tensor_or_of_a_layer() {
        let files = files();
        let own = numbers(&files.weights);
        let made = |how| numbers(&weights(&files.weights, how, &mut rng(1, "test")).expect("it can be changed"));
        let within = made(Meaningless::PermutedInTensors);
        assert_ne!(within, own);
        assert!(own.iter().all(|(name, numbers)| sorted(numbers.clone()) == sorted(within[name].clone())));
        let layers = made(Meaningless::PermutedInLayers);
        let of = |all: &BTreeMap<String, Vec<f32>>, layer: &str| {
            sorted(all.iter().filter(|(name, _)| name.starts_with(layer)).flat_map(|(_, n)| n.clone()).collect())
        };
        assert!(["hmlp.layers.0", "hmlp.layers.1", "ymlp.layers.0"].iter().all(|l| of(&own, l) == of(&layers, l)));
        assert!(own.iter().any(|(name, numbers)| sorted(numbers.clone()) != sorted(layers[name].clone())));
        let redrawn = made(Meaningless::Redrawn);
        assert!(own.iter().filter(|(_, n)| n.len() > 1).all(|(name, numbers)| *numbers != redrawn[name]));
    }

    #[test]
    fn the_same_seed_takes_the_meaning_away_in_the_same_way() {
        let files = files();
        for how in Meaningless::ALL {
            let made = |seed| meaningless(&files, how, seed).expect("it loads").expect("there are names");
            let batch = made(0).domain.sample(50, &mut rng(0, "test"));
            let outputs = |network: &Network| network.raw_outputs(&batch).expect("it runs");
            assert_eq!(outputs(&made(0)).data, outputs(&made(0)).data);
            assert_ne!(outputs(&made(0)).data, outputs(&load(&files).expect("it loads")).data, "{how:?}");
        }
    }

    #[test]
    fn a_renamed_network_is_the_same_on_renamed_inputs() {
        let files = files();
        let own = load(&files).expect("it loads");
        let net = own.recurrence().expect("it is recurrent");
        let order = [2, 0, 3, 1];
        let renamed = Network::recurrent(own.domain.clone(), net.renamed(0, &order).expect("it has a range"));
        let batch = own.domain.sample(20, &mut rng(0, "test"));
        let other = samples::Batch::from_sequences(
            1,
            (0..batch.n_sequences())
                .map(|row| batch.sequence(row).iter().map(|&v| order[v as usize] as i64).collect::<Vec<i64>>()),
        );
        let (a, b) = (renamed.raw_outputs(&batch).expect("it runs"), own.raw_outputs(&other).expect("it runs"));
        assert!(a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()), "{a:?} {b:?}");
    }

    #[test]
    fn special_words_keep_their_names() {
        let task = r#"{"input": {"vocab": ["<bos>", "a", "b", "c", "<pad>"], "special": {"bos": 0, "pad": 4}},
            "output": {"values": [1, 2, 3]}}"#;
        let other: Json =
            serde_json::from_slice(&renamed(task.as_bytes(), &mut rng(2, "test")).expect("there are words"))
                .expect("JSON");
        let words = other["input"]["vocab"].as_array().expect("a list");
        assert_eq!((&words[0], &words[4]), (&Json::from("<bos>"), &Json::from("<pad>")));
        assert_eq!(words.len(), 5);
    }

    #[test]
    fn layers_go_by_the_first_number() {
        for (name, of) in [
            ("blocks.0.attn.W_Q", "blocks.0"),
            ("transformer.h.1.mlp.c_fc.weight", "transformer.h.1"),
            ("rnn.weight_ih_l0", "l0"),
            ("embed.W_E", "embed.W_E"),
        ] {
            assert_eq!(layer(name), of);
        }
    }
}
