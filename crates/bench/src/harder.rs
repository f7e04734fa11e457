//! Harder versions of a compiled transformer: other weights that compute the same, or nearly the same.
//!
//! A reading of a network may only depend on what the network computes and how, never on how it happens to be written
//! down. Each [`Hardening`] changes the weights of a `hooked_transformer` folder in a way that a compiler never would
//! and leaves the computation as it is ([`Hardening::Noise`]: almost). [`harden`] says beside the new weights which
//! component of the new network does the work of which component of the old one.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use safetensors::SafeTensors;
use samples::Rng;
use serde_json::Value;

use crate::folder::{Folder, FolderError, Weights};

/// How a network is made harder to read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Hardening {
    /// The residual stream in another orthonormal basis.
    Rotated,
    /// The residual stream in a basis that is not orthogonal: axes stretched by factors from 1/2 to 2 between two
    /// rotations.
    Sheared,
    /// Head dimensions padded and in another basis, queries and values apart.
    Heads,
    /// The heads of every layer in another order.
    Reordered,
    /// Every live head split in two that attend alike, each with a part of its output.
    Shared,
    /// Heads and neurons without effect get random weights, and more of them are added; what they write goes to new
    /// residual dimensions that nothing on the way to the output reads. The stream is rotated.
    Unused,
    /// Gaussian noise on every entry of every tensor, as a share of the standard deviation of that tensor's entries. The
    /// stream is rotated first, so that no zeros are left to tell noise from weights.
    Noise(f64),
}

impl Hardening {
    /// All kinds, with noise of 1 %.
    pub const ALL: [Self; 7] =
        [Self::Rotated, Self::Sheared, Self::Heads, Self::Reordered, Self::Shared, Self::Unused, Self::Noise(0.01)];

    /// A name for tables and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Sheared => "sheared",
            Self::Heads => "heads",
            Self::Reordered => "reordered",
            Self::Shared => "shared",
            Self::Unused => "unused",
            Self::Noise(_) => "noise",
        }
    }
}

/// What became of a network.
#[derive(Clone, Debug)]
pub struct Hardened {
    /// Contents of `model.safetensors`.
    pub weights: Vec<u8>,
    /// Contents of `config.json`.
    pub config: String,
    /// For every head of the old network, by its name `aL.hH`, those that do its work in the new one; all other
    /// components keep their names.
    pub heads: BTreeMap<String, Vec<String>>,
}

impl Hardened {
    /// The edges of the new network's circuit for an edge `(writer, reader)` of the old one's; readers are `aL.hH.q|k|v`,
    /// `mL` and `output`.
    pub fn edges(&self, (writer, reader): (&str, &str)) -> Vec<(String, String)> {
        let renamed = |name: &str| self.heads.get(name).cloned().unwrap_or_else(|| vec![name.to_owned()]);
        let readers = match reader.rsplit_once('.').filter(|(head, _)| self.heads.contains_key(*head)) {
            Some((head, slot)) => renamed(head).into_iter().map(|head| format!("{head}.{slot}")).collect(),
            None => vec![reader.to_owned()],
        };
        let pairs =
            renamed(writer).into_iter().flat_map(|from| readers.iter().map(move |to| (from.clone(), to.clone())));
        pairs.collect()
    }

    /// The folder of the new network with the old one's `task.json`.
    pub fn folder(self, task: &str) -> Folder {
        Folder { weights: self.weights, config: self.config, task: task.to_owned() }
    }
}

/// Makes a harder version of the network with the given `model.safetensors` and `config.json`.
///
/// # Errors
/// Where the bytes are no float32 safetensors file, or a tensor or a key of a `hooked_transformer` is missing.
pub fn harden(weights: &[u8], config: &str, how: Hardening, rng: &mut Rng) -> Result<Hardened, FolderError> {
    let mut net = Net::of(weights, config)?;
    let mut heads: Vec<Vec<Vec<usize>>> =
        (0..net.n_layers).map(|_| (0..net.n_heads()).map(|head| vec![head]).collect()).collect();
    match how {
        Hardening::Rotated => net.turn(false, rng)?,
        Hardening::Sheared => net.turn(true, rng)?,
        Hardening::Heads => net.turn_heads(rng),
        Hardening::Reordered => heads = net.reorder(rng),
        Hardening::Shared => heads = net.share(rng),
        Hardening::Unused => {
            net.fill_unused(rng)?;
            net.turn(false, rng)?;
        }
        Hardening::Noise(share) => {
            net.turn(false, rng)?;
            net.blur(share, rng);
        }
    }
    let name = |layer: usize, head: usize| format!("a{layer}.h{head}");
    let heads = heads.iter().enumerate().flat_map(|(layer, heads)| {
        heads
            .iter()
            .enumerate()
            .map(move |(head, now)| (name(layer, head), now.iter().map(|&head| name(layer, head)).collect::<Vec<_>>()))
    });
    let heads = heads.collect();
    let (weights, config) = net.bytes()?;
    Ok(Hardened { weights, config, heads })
}

type Mat = DMatrix<f64>;

/// The matrices of one layer; those of heads one by one.
#[derive(Clone)]
struct Layer {
    heads: Vec<Head>,
    b_o: DVector<f64>,
    /// `[d_model, d_mlp]`.
    w_in: Mat,
    b_in: DVector<f64>,
    /// `[d_mlp, d_model]`.
    w_out: Mat,
    b_out: DVector<f64>,
}

/// Queries, keys, values `[d_model, d_head]` with their biases, and `[d_head, d_model]`.
#[derive(Clone)]
struct Head {
    q: (Mat, DVector<f64>),
    k: (Mat, DVector<f64>),
    v: (Mat, DVector<f64>),
    o: Mat,
}

impl Head {
    fn is_dead(&self) -> bool {
        (&self.v.0 * &self.o).amax() < 1e-9
    }
}

/// A transformer as matrices.
struct Net {
    config: Value,
    n_layers: usize,
    embed: Mat,
    positions: Mat,
    layers: Vec<Layer>,
    unembed: Mat,
    b_u: DVector<f64>,
}

impl Net {
    fn of(weights: &[u8], config: &str) -> Result<Self, FolderError> {
        let config: Value = serde_json::from_str(config).map_err(|_| FolderError::Missing("a config.json".into()))?;
        let key = |name: &str| {
            let number = config.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            number.ok_or_else(|| FolderError::Missing(format!("the number `{name}` in config.json")))
        };
        let (n_layers, n_heads, d_head) = (key("n_layers")?, key("n_heads")?, key("d_head")?);
        let file = SafeTensors::deserialize(weights)?;
        let read = |name: &str, rows: usize| matrix(&file, name, rows);
        let vector = |name: &str| Ok::<_, FolderError>(DVector::from_vec(read(name, 1)?.as_slice().to_vec()));
        let layer = |l: usize| -> Result<Layer, FolderError> {
            let attention = |part: &str| format!("blocks.{l}.attn.{part}");
            let stacked = |part: &str| -> Result<Vec<Mat>, FolderError> {
                let all = read(&attention(part), n_heads * key("d_model")?)?;
                Ok((0..n_heads).map(|h| all.rows(h * all.nrows() / n_heads, all.nrows() / n_heads).into()).collect())
            };
            let biases = |part: &str| read(&attention(part), n_heads);
            let (q, k, v) = (stacked("W_Q")?, stacked("W_K")?, stacked("W_V")?);
            let (b_q, b_k, b_v) = (biases("b_Q")?, biases("b_K")?, biases("b_V")?);
            let o = read(&attention("W_O"), n_heads * d_head)?;
            let bias = |m: &Mat, h: usize| m.row(h).transpose();
            let heads = (0..n_heads).map(|h| Head {
                q: (q[h].clone(), bias(&b_q, h)),
                k: (k[h].clone(), bias(&b_k, h)),
                v: (v[h].clone(), bias(&b_v, h)),
                o: o.rows(h * d_head, d_head).into(),
            });
            let mlp = |part: &str| format!("blocks.{l}.mlp.{part}");
            Ok(Layer {
                heads: heads.collect(),
                b_o: vector(&attention("b_O"))?,
                w_in: read(&mlp("W_in"), key("d_model")?)?,
                b_in: vector(&mlp("b_in"))?,
                w_out: read(&mlp("W_out"), key("d_mlp")?)?,
                b_out: vector(&mlp("b_out"))?,
            })
        };
        Ok(Self {
            n_layers,
            embed: read("embed.W_E", key("d_vocab")?)?,
            positions: read("pos_embed.W_pos", key("n_ctx")?)?,
            layers: (0..n_layers).map(layer).collect::<Result<_, _>>()?,
            unembed: read("unembed.W_U", key("d_model")?)?,
            b_u: vector("unembed.b_U")?,
            config,
        })
    }

    fn n_heads(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.heads.len())
    }

    fn d_model(&self) -> usize {
        self.embed.ncols()
    }

    /// The residual stream as `x -> x M` for an orthogonal or, if `shear`, any well-conditioned M.
    fn turn(&mut self, shear: bool, rng: &mut Rng) -> Result<(), FolderError> {
        let n = self.d_model();
        let mut m = rotation(n, rng);
        if shear {
            let stretch = DVector::from_fn(n, |_, _| rng.random_range(0.5..2.0));
            m = m * Mat::from_diagonal(&stretch) * rotation(n, rng);
        }
        let inverse = m.clone().try_inverse().ok_or_else(|| FolderError::Missing("an invertible matrix".into()))?;
        self.embed *= &m;
        self.positions *= &m;
        for layer in &mut self.layers {
            for head in &mut layer.heads {
                for (weight, _) in [&mut head.q, &mut head.k, &mut head.v] {
                    *weight = &inverse * &*weight;
                }
                head.o *= &m;
            }
            layer.b_o = m.tr_mul(&layer.b_o);
            layer.w_in = &inverse * &layer.w_in;
            layer.w_out *= &m;
            layer.b_out = m.tr_mul(&layer.b_out);
        }
        self.unembed = &inverse * &self.unembed;
        Ok(())
    }

    fn turn_heads(&mut self, rng: &mut Rng) {
        for head in self.layers.iter_mut().flat_map(|layer| &mut layer.heads) {
            let n = head.o.nrows() + PADDING;
            let (one, other) = (rotation(n, rng), rotation(n, rng));
            for ((weight, bias), turn) in [(&mut head.q, &one), (&mut head.k, &one), (&mut head.v, &other)] {
                *weight = weight.clone().resize_horizontally(n, 0.0) * turn;
                *bias = turn.tr_mul(&bias.clone().resize_vertically(n, 0.0));
            }
            head.o = other.tr_mul(&head.o.clone().resize_vertically(n, 0.0));
        }
    }

    /// Where every head of every layer is now.
    fn reorder(&mut self, rng: &mut Rng) -> Vec<Vec<Vec<usize>>> {
        let mut places = Vec::new();
        for layer in &mut self.layers {
            let mut order: Vec<usize> = (0..layer.heads.len()).collect();
            order.shuffle(rng);
            layer.heads = order.iter().map(|&old| layer.heads[old].clone()).collect();
            let place = |old: usize| order.iter().position(|&other| other == old).into_iter().collect();
            places.push((0..order.len()).map(place).collect());
        }
        places
    }

    /// Splits live heads; the heads that do each one's work.
    fn share(&mut self, rng: &mut Rng) -> Vec<Vec<Vec<usize>>> {
        let mut places = Vec::new();
        for layer in &mut self.layers {
            let n = layer.heads.len();
            let mut twins = Vec::new();
            let mut now = Vec::new();
            for (at, head) in layer.heads.iter_mut().enumerate() {
                let mut twin = head.clone();
                if head.is_dead() {
                    now.push(vec![at]);
                } else {
                    let part = rng.random_range(0.3..0.7);
                    head.o *= part;
                    twin.o *= 1.0 - part;
                    now.push(vec![at, n + at]);
                }
                twins.push(twin);
            }
            layer.heads.extend(twins);
            places.push(now);
        }
        places
    }

    fn fill_unused(&mut self, rng: &mut Rng) -> Result<(), FolderError> {
        let (width, d_head) = (self.d_model(), self.layers.first().map_or(1, |layer| layer.heads[0].o.nrows()));
        let wide = width + SPARE;
        let widen = |m: &mut Mat| *m = m.clone().resize_horizontally(wide, 0.0);
        widen(&mut self.embed);
        widen(&mut self.positions);
        self.unembed = self.unembed.clone().resize_vertically(wide, 0.0);
        // They read what the program's components write, and not each other: no growth from layer to layer.
        let random = |cols: usize, size: f64, rng: &mut Rng| {
            Mat::from_fn(wide, cols, |row, _| if row < width { size * normal(rng) } else { 0.0 })
        };
        let aside = |rows: usize, rng: &mut Rng| {
            let mut m = Mat::zeros(rows, wide);
            m.columns_mut(width, SPARE).copy_from(&Mat::from_fn(rows, SPARE, |_, _| normal(rng)));
            m
        };
        for layer in &mut self.layers {
            let dead = |rng: &mut Rng| Head {
                q: (random(d_head, 3.0, rng), DVector::zeros(d_head)),
                k: (random(d_head, 3.0, rng), DVector::zeros(d_head)),
                v: (random(d_head, 1.0, rng), DVector::zeros(d_head)),
                o: aside(d_head, rng),
            };
            for head in &mut layer.heads {
                if head.is_dead() {
                    *head = dead(rng);
                    continue;
                }
                for (weight, _) in [&mut head.q, &mut head.k, &mut head.v] {
                    *weight = weight.clone().resize_vertically(wide, 0.0);
                }
                widen(&mut head.o);
            }
            layer.heads.push(dead(rng));
            layer.b_o = layer.b_o.clone().resize_vertically(wide, 0.0);
            layer.b_out = layer.b_out.clone().resize_vertically(wide, 0.0);
            let n = layer.w_in.ncols();
            layer.w_in = layer.w_in.clone().resize(wide, n + SPARE, 0.0);
            layer.b_in = layer.b_in.clone().resize_vertically(n + SPARE, 0.0);
            layer.w_out = layer.w_out.clone().resize(n + SPARE, wide, 0.0);
            for unit in 0..n + SPARE {
                if layer.w_out.row(unit).amax() < 1e-9 {
                    layer.w_in.set_column(unit, &random(1, 1.0, rng).column(0));
                    layer.b_in[unit] = normal(rng);
                    layer.w_out.set_row(unit, &aside(1, rng).row(0));
                }
            }
        }
        Ok(())
    }

    fn blur(&mut self, share: f64, rng: &mut Rng) {
        blur(share, &mut [self.embed.as_mut_slice()], rng);
        blur(share, &mut [self.positions.as_mut_slice()], rng);
        for layer in &mut self.layers {
            for slot in 0..3 {
                let parts = |head: &mut Head| match slot {
                    0 => std::mem::replace(&mut head.q, (Mat::zeros(0, 0), DVector::zeros(0))),
                    1 => std::mem::replace(&mut head.k, (Mat::zeros(0, 0), DVector::zeros(0))),
                    _ => std::mem::replace(&mut head.v, (Mat::zeros(0, 0), DVector::zeros(0))),
                };
                let mut taken: Vec<(Mat, DVector<f64>)> = layer.heads.iter_mut().map(parts).collect();
                let (weights, biases): (Vec<_>, Vec<_>) =
                    taken.iter_mut().map(|(w, b)| (w.as_mut_slice(), b.as_mut_slice())).unzip();
                blur(share, &mut { weights }, rng);
                blur(share, &mut { biases }, rng);
                for (head, part) in layer.heads.iter_mut().zip(taken) {
                    match slot {
                        0 => head.q = part,
                        1 => head.k = part,
                        _ => head.v = part,
                    }
                }
            }
            blur(share, &mut layer.heads.iter_mut().map(|head| head.o.as_mut_slice()).collect::<Vec<_>>(), rng);
            for part in [layer.b_o.as_mut_slice(), layer.b_in.as_mut_slice(), layer.b_out.as_mut_slice()] {
                blur(share, &mut [part], rng);
            }
            blur(share, &mut [layer.w_in.as_mut_slice()], rng);
            blur(share, &mut [layer.w_out.as_mut_slice()], rng);
        }
        blur(share, &mut [self.unembed.as_mut_slice()], rng);
        blur(share, &mut [self.b_u.as_mut_slice()], rng);
    }

    fn bytes(mut self) -> Result<(Vec<u8>, String), FolderError> {
        let first = self.layers.first().and_then(|layer| Some((layer.heads.len(), layer.heads.first()?.o.nrows())));
        let (n_heads, d_head) = first.unwrap_or_default();
        let d_mlp = self.layers.first().map_or(0, |layer| layer.w_in.ncols());
        let sizes = [("d_model", self.d_model()), ("n_heads", n_heads), ("d_head", d_head), ("d_mlp", d_mlp)];
        for (key, value) in sizes {
            self.config[key] = Value::from(value);
        }
        let mut weights = Weights::new();
        let mut put = |name: String, shape: &[usize], parts: &[&Mat]| {
            let rows = parts
                .iter()
                .flat_map(|m| m.row_iter().flat_map(|row| row.iter().map(|&v| v as f32).collect::<Vec<_>>()));
            weights.insert(name, (shape.to_vec(), rows.collect()));
        };
        let column = |v: &DVector<f64>| Mat::from_column_slice(1, v.len(), v.as_slice());
        let d_model = self.d_model();
        put("embed.W_E".into(), &[self.embed.nrows(), d_model], &[&self.embed]);
        put("pos_embed.W_pos".into(), &[self.positions.nrows(), d_model], &[&self.positions]);
        for (l, layer) in self.layers.iter().enumerate() {
            let name = |part: &str| format!("blocks.{l}.attn.{part}");
            for (part, of) in [("Q", 0), ("K", 1), ("V", 2)] {
                let slot = |head: &Head| match of {
                    0 => head.q.clone(),
                    1 => head.k.clone(),
                    _ => head.v.clone(),
                };
                let (weights, biases): (Vec<Mat>, Vec<Mat>) =
                    layer.heads.iter().map(slot).map(|(w, b)| (w, column(&b))).unzip();
                put(name(&format!("W_{part}")), &[n_heads, d_model, d_head], &weights.iter().collect::<Vec<_>>());
                put(name(&format!("b_{part}")), &[n_heads, d_head], &biases.iter().collect::<Vec<_>>());
            }
            put(name("W_O"), &[n_heads, d_head, d_model], &layer.heads.iter().map(|head| &head.o).collect::<Vec<_>>());
            put(name("b_O"), &[d_model], &[&column(&layer.b_o)]);
            let name = |part: &str| format!("blocks.{l}.mlp.{part}");
            put(name("W_in"), &[d_model, d_mlp], &[&layer.w_in]);
            put(name("b_in"), &[d_mlp], &[&column(&layer.b_in)]);
            put(name("W_out"), &[d_mlp, d_model], &[&layer.w_out]);
            put(name("b_out"), &[d_model], &[&column(&layer.b_out)]);
        }
        put("unembed.W_U".into(), &[d_model, self.unembed.ncols()], &[&self.unembed]);
        put("unembed.b_U".into(), &[self.b_u.len()], &[&column(&self.b_u)]);
        let folder = Folder::new(&weights, &self.config, &Value::Null)?;
        Ok((folder.weights, folder.config))
    }
}

/// Dimensions that heads are padded with.
const PADDING: usize = 3;
/// Residual dimensions and neurons that are added for what has no effect.
const SPARE: usize = 4;

/// A tensor as a matrix of so many rows.
fn matrix(file: &SafeTensors<'_>, name: &str, rows: usize) -> Result<Mat, FolderError> {
    let tensor = file.tensor(name)?;
    let values: Vec<f64> = tensor
        .data()
        .chunks_exact(4)
        .map(|bytes| f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
        .collect();
    if tensor.dtype() != safetensors::Dtype::F32 || rows == 0 || !values.len().is_multiple_of(rows) {
        return Err(FolderError::Missing(format!("the tensor `{name}` in float32 with {rows} rows")));
    }
    Ok(Mat::from_row_slice(rows, values.len() / rows, &values))
}

/// Adds noise to the parts of one tensor.
fn blur(share: f64, parts: &mut [&mut [f64]], rng: &mut Rng) {
    let n = parts.iter().map(|part| part.len()).sum::<usize>().max(1) as f64;
    let mean = parts.iter().flat_map(|part| part.iter()).sum::<f64>() / n;
    let variance = parts.iter().flat_map(|part| part.iter()).map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    let size = share * variance.sqrt();
    for value in parts.iter_mut().flat_map(|part| part.iter_mut()) {
        *value += size * normal(rng);
    }
}

/// A standard normal draw (Box and Muller 1958).
fn normal(rng: &mut Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

/// A random orthogonal matrix.
fn rotation(n: usize, rng: &mut Rng) -> Mat {
    Mat::from_fn(n, n, |_, _| normal(rng)).qr().q()
}
