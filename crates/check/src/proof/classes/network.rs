//! A transformer's nodes at one position as functions of atoms, within bounds.

use std::rc::Rc;

use graph::{Activation, Graph, Matrix, NodeId, Op};
use rustc_hash::FxHashMap;

use super::atoms::{Atoms, union};
use super::attention::{Heard, everything};
use super::behind::Behind;
use super::values::{Values, larger};
use crate::proof::forms::{SINGLE, TINY, UP};

/// What atoms may change in a sum, as a share of its size, without being kept apart.
const SLACK: f64 = 1e-5;
/// The same of attention scores.
const SCORE_SLACK: f64 = 1e-3;

/// The nodes of a transformer on sequences of one length.
pub(super) struct Net<'a> {
    graph: &'a Graph,
    /// The number of positions, BOS included.
    n: usize,
    bos: usize,
    /// Token ids that inputs hold.
    tokens: &'a [usize],
    single: bool,
    matrices: &'a FxHashMap<(NodeId, &'static str), Matrix>,
    known: FxHashMap<(NodeId, usize), Option<Rc<Values>>>,
    /// Multiply-adds that may still be spent, about.
    left: f64,
}

impl<'a> Net<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        (n, bos): (usize, usize),
        tokens: &'a [usize],
        single: bool,
        matrices: &'a FxHashMap<(NodeId, &'static str), Matrix>,
        left: f64,
    ) -> Self {
        Self { graph, n, bos, tokens, single, matrices, known: FxHashMap::default(), left }
    }

    /// What is left of the work allowed.
    pub(super) fn left(&self) -> f64 {
        self.left
    }

    /// Takes note of so many multiply-adds; `None` where they are too many.
    fn spend(&mut self, rows: usize, cols: usize) -> Option<()> {
        self.left -= rows as f64 * cols as f64;
        (self.left > 0.0).then_some(())
    }

    /// The relative error of a sum of so many products.
    fn gamma(&self, terms: usize) -> f64 {
        let terms = terms as f64;
        if self.single { 1.01 * terms * SINGLE + terms * 1e-15 } else { terms * 1e-15 }
    }

    /// A node's value at a position; `None` where it is of a kind that is not followed, or depends on too much.
    pub(super) fn value(&mut self, id: NodeId, at: usize, atoms: &mut Atoms) -> Option<Rc<Values>> {
        if let Some(known) = self.known.get(&(id, at)) {
            return known.clone();
        }
        let found = self
            .fresh(id, at, atoms)
            .filter(|values| values.center.iter().chain(&values.radius).all(|number| number.is_finite()));
        let found = found.map(Rc::new);
        self.known.insert((id, at), found.clone());
        found
    }

    fn fresh(&mut self, id: NodeId, at: usize, atoms: &mut Atoms) -> Option<Values> {
        let graph = self.graph;
        match graph.op(id) {
            Op::Lookup { .. } => {
                let [[from]] = graph.slots(id).iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else { return None };
                let table = self.matrices.get(&(id, "table"))?;
                let row = |row: usize| -> Option<Vec<f64>> {
                    (row < table.rows).then(|| table.row(row).iter().map(|&v| f64::from(v)).collect())
                };
                match graph.op(*from) {
                    Op::Positions => row(at).map(Values::constant),
                    Op::Tokens if at == 0 => row(self.bos).map(Values::constant),
                    Op::Tokens => {
                        let atom = atoms.token(at - 1, self.tokens.len());
                        let rows = self.tokens.iter().map(|&token| row(token)).collect::<Option<Vec<_>>>()?;
                        let center = rows.concat();
                        let radius = vec![0.0; center.len()];
                        Some(Values::new((vec![atom], table.cols), center, radius))
                    }
                    _ => None,
                }
            }
            Op::Constant { .. } => {
                let vector = self.matrices.get(&(id, "vector"))?;
                Some(Values::constant(vector.data.iter().map(|&v| f64::from(v)).collect()))
            }
            Op::Linear { norm: None, .. } => self.linear(id, at, atoms),
            Op::Hidden { norm: None, activation: Activation::Relu, .. } => {
                let mut sum = self.linear(id, at, atoms)?;
                let on = sum.center.iter().zip(&sum.radius).map(|(c, r)| c - r >= 0.0).collect::<Vec<bool>>();
                for ((c, r), _) in sum.center.iter_mut().zip(&mut sum.radius).zip(&on).filter(|(_, on)| !**on) {
                    let hi = (*c + *r).max(0.0);
                    (*c, *r) = (hi / 2.0, hi / 2.0 * UP + 1e-15 * hi);
                }
                sum.behind = sum.behind.map(|behind| behind.activated(on, &sum.radius));
                Some(sum)
            }
            Op::Mix { .. } => self.head(id, at, atoms),
            _ => None,
        }
    }

    /// What a slot's sources add up to under a matrix, plus a bias.
    fn linear(&mut self, id: NodeId, at: usize, atoms: &mut Atoms) -> Option<Values> {
        let graph = self.graph;
        let sources = graph.slots(id).first()?;
        let values = sources.iter().map(|&source| self.value(source, at, atoms)).collect::<Option<Vec<_>>>()?;
        let weight = self.matrices.get(&(id, "weight"))?;
        let bias = self.matrices.get(&(id, "bias"));
        let hidden = matches!(graph.op(id), Op::Hidden { .. });
        let mut seen = Vec::with_capacity(values.len());
        for (value, source) in values.iter().zip(sources) {
            if value.width != weight.rows {
                return None;
            }
            let mut product = Product::new(value, weight);
            self.spend(product.read, weight.cols)?;
            if hidden {
                product.values.behind = Some(Behind::new(value.radius.clone(), vec![0.0; product.values.radius.len()]));
            }
            if let (Some(behind), Some(inner)) = (&value.behind, self.matrices.get(&(*source, "weight"))) {
                // No more than a part of the work: without it bounds are wider.
                let most = self.left / 8.0;
                self.left -= behind.narrow(&mut product.values.radius, (inner, weight), most);
            }
            seen.push(product);
        }
        let terms = terms(&values, &seen, weight);
        let bias = |o: usize| bias.map_or(0.0, |bias| f64::from(bias.data[o]));
        let gammas: Vec<f64> = terms.iter().map(|terms| self.gamma(terms + 4)).collect();
        // What an underflow loses in each of them.
        let tiny: Vec<f64> = terms.iter().map(|terms| (terms + 4) as f64 * TINY).collect();
        let rounding = |o: usize| match bias(o) {
            bias if bias != 0.0 && terms[o] > 0 => (gammas[o] * bias.abs() + tiny[o]) * UP,
            _ => 0.0,
        };
        let mut sum = Values::constant((0..weight.cols).map(bias).collect());
        sum.radius = (0..weight.cols).map(rounding).collect();
        sum.behind = hidden.then(|| Behind::new(vec![0.0; weight.rows], sum.radius.clone()));
        for product in seen {
            self.spend(sum.n_cells(), weight.cols)?;
            let seen = product.rounded(&gammas, &tiny);
            let slack = SLACK * seen.center.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
            sum = sum.plus(&seen.reduced(slack, atoms), atoms)?;
        }
        let slack = SLACK * sum.center.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
        Some(sum.reduced(slack, atoms))
    }

    /// What an attention head writes.
    fn head(&mut self, id: NodeId, at: usize, atoms: &mut Atoms) -> Option<Values> {
        let graph = self.graph;
        let [pattern, v] = graph.slots(id).iter().map(|slot| slot.first().copied()).collect::<Option<Vec<_>>>()?[..]
        else {
            return None;
        };
        let [q, k] = graph.slots(pattern).iter().map(|slot| slot.first().copied()).collect::<Option<Vec<_>>>()?[..]
        else {
            return None;
        };
        let Op::Pattern { scale, causal } = graph.op(pattern) else { return None };
        let keys = if *causal { at + 1 } else { self.n };
        let w_o = self.matrices.get(&(id, "w_o"))?;
        // What each key would write if it were attended to alone.
        let mut written = Vec::with_capacity(keys);
        let (mut size, mut terms) = (vec![0.0_f64; w_o.cols], vec![false; w_o.rows]);
        for key in 0..keys {
            let value = self.value(v, key, atoms)?;
            let product = Product::new(&value, w_o);
            self.spend(product.read, w_o.cols)?;
            product.sizes.chunks(w_o.cols).for_each(|sizes| larger(&mut size, sizes));
            terms.iter_mut().zip(value.sizes()).for_each(|(term, size)| *term |= size > 0.0);
            written.push(product.values);
        }
        let slack = SLACK * written.iter().flat_map(|seen| &seen.center).fold(0.0_f64, |most, c| most.max(c.abs()));
        let mut written: Vec<Values> = written.into_iter().map(|seen| seen.reduced(slack, atoms)).collect();
        let rounding = |o: usize| {
            let products = terms.iter().enumerate().filter(|(i, term)| **term && w_o.at(*i, o) != 0.0).count();
            // Shares are quotients by a sum over keys, so that they add up to 1 but for its rounding; then as many are added. What
            // is written is a mean, so the sizes of its terms add up to no more than those of one key.
            let terms = 2 * keys + products;
            if products == 0 { 0.0 } else { self.gamma(terms + 8) * size[o] + terms as f64 * TINY }
        };
        let rounding: Vec<f64> = (0..w_o.cols).map(rounding).collect();
        for seen in &mut written {
            for (radius, rounding) in seen.radius.iter_mut().zip(rounding.iter().cycle()) {
                *radius = (*radius + rounding) * UP;
            }
        }
        let everything = everything(&written);
        if written.iter().all(|seen| !seen.varies()) && everything.radius.iter().all(|&r| r <= slack) {
            return Some(everything);
        }
        let query = self.value(q, at, atoms)?;
        let mut scores = Vec::with_capacity(keys);
        let first = self.value(k, 0, atoms)?.hull();
        for key in 1..keys {
            let key = self.value(k, key, atoms)?;
            self.spend(query.n_cells() * key.n_cells(), query.width)?;
            scores.push(self.score(&query, &key, &first, f64::from(*scale), atoms)?);
        }
        let slack_of_exp = if self.single { 1.0 + 4e-6 } else { 1.0 + 1e-12 };
        let heard = Heard { written, scores, everything, slack, slack_of_exp };
        Some(heard.followed(atoms))
    }

    /// By how much a key's score exceeds that of BOS.
    fn score(&self, query: &Values, key: &Values, first: &Values, scale: f64, atoms: &Atoms) -> Option<Values> {
        let all = union([&query.atoms[..], &key.atoms[..]]);
        let n = atoms.cells(&all)?;
        let (qs, ks) = (atoms.places(&all, &query.atoms), atoms.places(&all, &key.atoms));
        let (mut center, mut radius) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let (fc, fr) = first.cell(0);
        for (q, k) in qs.into_iter().zip(ks) {
            let ((qc, qr), (kc, kr)) = (query.cell(q), key.cell(k));
            let (mut c, mut r) = (0.0, 0.0);
            let (mut total, mut terms) = (0.0, 0);
            for i in 0..query.width {
                let (difference, unknown) = (kc[i] - fc[i], kr[i] + fr[i]);
                c += qc[i] * difference;
                let most = qc[i].abs() + qr[i];
                r += qr[i] * difference.abs() + most * unknown;
                let size = most * (kc[i].abs() + kr[i] + fc[i].abs() + fr[i]);
                total += size;
                terms += usize::from(size > 0.0);
            }
            r += self.gamma(terms + 8) * total;
            center.push(c / scale);
            radius.push((r / scale + 1e-14 * c.abs()) * UP);
        }
        Some(Values::new((all, 1), center, radius).reduced(SCORE_SLACK, atoms))
    }
}

/// How many terms other than 0 each sum has at most in a cell. The numbers that are read and what writes to one of them, which are
/// added up first, are no more than these, nor than those that are not 0 in any cell.
fn terms(values: &[Rc<Values>], seen: &[Product], weight: &Matrix) -> Vec<usize> {
    let mut writers = vec![0; weight.rows];
    for value in values {
        writers.iter_mut().zip(value.sizes()).for_each(|(n, size)| *n += usize::from(size > 0.0));
    }
    let read = |o: usize| {
        let read = writers.iter().enumerate().filter(|(i, n)| **n > 0 && weight.at(*i, o) != 0.0);
        let (read, most) = read.fold((0, 0), |(read, most), (_, n)| (read + 1, most.max(*n)));
        read + most
    };
    (0..weight.cols).map(|o| seen.iter().map(|product| product.terms[o]).sum::<usize>().min(read(o))).collect()
}

/// Vectors under a matrix.
struct Product {
    /// Without the rounding of sums.
    values: Values,
    /// The sum of the sizes of all terms, in each cell.
    sizes: Vec<f64>,
    /// How many terms other than 0 a cell has at most, for every number. What is 0, or is weighed with 0, rounds nothing.
    terms: Vec<usize>,
    /// How many numbers other than 0 were read, in all cells.
    read: usize,
}

impl Product {
    fn new(value: &Values, weight: &Matrix) -> Self {
        let (n, cols) = (value.n_cells(), weight.cols);
        let zeros = || vec![0.0; n * cols];
        let mut out = Values::new((value.atoms.clone(), cols), zeros(), zeros());
        let (mut sizes, mut most, mut read) = (zeros(), vec![0; cols], 0);
        for cell in 0..n {
            let (c, r) = value.cell(cell);
            let range = cell * cols..(cell + 1) * cols;
            let (center, radius) = (&mut out.center[range.clone()], &mut out.radius[range.clone()]);
            let sizes = &mut sizes[range];
            let mut terms = vec![0; cols];
            for (i, (&c, &r)) in c.iter().zip(r).enumerate() {
                if c == 0.0 && r == 0.0 {
                    continue;
                }
                read += 1;
                for (o, w) in weight.row(i).iter().map(|&w| f64::from(w)).enumerate() {
                    center[o] += c * w;
                    radius[o] += r * w.abs();
                    sizes[o] += (c.abs() + r) * w.abs();
                    terms[o] += usize::from(w != 0.0);
                }
            }
            radius.iter_mut().chain(sizes).for_each(|r| *r *= UP);
            most.iter_mut().zip(terms).for_each(|(most, terms): (&mut usize, usize)| *most = terms.max(*most));
        }
        Self { values: out, sizes, terms: most, read }
    }

    /// With the rounding of every sum, relative to the sizes of its terms and absolute.
    fn rounded(self, gammas: &[f64], tiny: &[f64]) -> Values {
        let Self { mut values, sizes, .. } = self;
        let rounding = |(at, size): (usize, &f64)| match at % gammas.len() {
            o if *size > 0.0 => size * gammas[o] + tiny[o],
            _ => 0.0,
        };
        let rounding: Vec<f64> = sizes.iter().enumerate().map(rounding).collect();
        values.radius.iter_mut().zip(&rounding).for_each(|(radius, rounding)| *radius = (*radius + rounding) * UP);
        values.behind = values.behind.map(|behind| behind.with_errors(&rounding));
        values
    }
}
