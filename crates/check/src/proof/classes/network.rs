//! A transformer's nodes at one position as functions of atoms, within bounds.

use std::rc::Rc;

use graph::{Activation, Graph, Matrix, NodeId, Op};
use rustc_hash::FxHashMap;

use super::atoms::{Atom, Atoms, Choice, Made, Table, union};
use crate::proof::forms::{SINGLE, TINY, UP};

/// Vectors, one for every cell of a table, each number known within a radius.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) atoms: Vec<Atom>,
    pub(super) width: usize,
    /// `width` numbers a cell.
    pub(super) center: Vec<f64>,
    pub(super) radius: Vec<f64>,
}

impl Values {
    fn constant(center: Vec<f64>) -> Self {
        Self { atoms: Vec::new(), width: center.len(), radius: vec![0.0; center.len()], center }
    }

    pub(super) fn n_cells(&self) -> usize {
        self.center.len() / self.width.max(1)
    }

    pub(super) fn cell(&self, cell: usize) -> (&[f64], &[f64]) {
        let range = cell * self.width..(cell + 1) * self.width;
        (&self.center[range.clone()], &self.radius[range])
    }

    /// The greatest size of each number.
    fn sizes(&self) -> Vec<f64> {
        let mut sizes = vec![0.0_f64; self.width];
        for (at, (c, r)) in self.center.iter().zip(&self.radius).enumerate() {
            let size = &mut sizes[at % self.width];
            *size = size.max((c.abs() + r) * UP);
        }
        sizes
    }

    /// One vector that holds all cells.
    fn hull(&self) -> Self {
        let mut hull: Option<(Vec<f64>, Vec<f64>)> = None;
        for cell in 0..self.n_cells() {
            let (c, r) = self.cell(cell);
            match &mut hull {
                None => hull = Some((c.to_vec(), r.to_vec())),
                Some((center, radius)) => {
                    for k in 0..self.width {
                        (center[k], radius[k]) = joined((center[k], radius[k]), (c[k], r[k]));
                    }
                }
            }
        }
        let (center, radius) = hull.unwrap_or_default();
        Self { atoms: Vec::new(), width: self.width, center, radius }
    }

    /// The same vectors over fewer atoms, each number within `slack` and what is not known anyway.
    fn reduced(mut self, slack: f64, atoms: &Atoms) -> Self {
        let mut at = 0;
        while at < self.atoms.len() {
            let rest: Vec<Atom> = self.atoms.iter().copied().filter(|&atom| atom != self.atoms[at]).collect();
            let Some(n) = atoms.cells(&rest) else { break };
            let places = atoms.places(&self.atoms, &rest);
            let mut bounds = vec![(f64::INFINITY, f64::NEG_INFINITY, 0.0_f64); n * self.width];
            for (cell, place) in places.iter().enumerate() {
                for k in 0..self.width {
                    let (c, r) = (self.center[cell * self.width + k], self.radius[cell * self.width + k]);
                    let (lo, hi, most) = &mut bounds[place * self.width + k];
                    (*lo, *hi, *most) = (lo.min(c), hi.max(c), most.max(r));
                }
            }
            if bounds.iter().all(|(lo, hi, most)| hi - lo <= slack + 2.0 * most) {
                let middle = |&(lo, hi, _): &(f64, f64, f64)| (lo + hi) / 2.0;
                let half =
                    |&(lo, hi, most): &(f64, f64, f64)| ((hi - lo) / 2.0 + most + 1e-15 * (lo.abs() + hi.abs())) * UP;
                self = Self {
                    center: bounds.iter().map(middle).collect(),
                    radius: bounds.iter().map(half).collect(),
                    atoms: rest,
                    width: self.width,
                };
            } else {
                at += 1;
            }
        }
        self
    }

    /// The sum of both.
    fn plus(&self, other: &Self, atoms: &Atoms) -> Option<Self> {
        let all = union([&self.atoms[..], &other.atoms[..]]);
        let n = atoms.cells(&all)?;
        let (left, right) = (atoms.places(&all, &self.atoms), atoms.places(&all, &other.atoms));
        let mut sum = Self {
            atoms: all,
            width: self.width,
            center: Vec::with_capacity(n * self.width),
            radius: Vec::with_capacity(n * self.width),
        };
        for (l, r) in left.into_iter().zip(right) {
            let ((lc, lr), (rc, rr)) = (self.cell(l), other.cell(r));
            for k in 0..self.width {
                sum.center.push(lc[k] + rc[k]);
                sum.radius.push((lr[k] + rr[k] + 2e-16 * (lc[k].abs() + rc[k].abs())) * UP);
            }
        }
        Some(sum)
    }

    /// Whether cells differ by more than is unknown.
    fn varies(&self) -> bool {
        !self.atoms.is_empty()
    }
}

/// The least interval around two.
fn joined((c, r): (f64, f64), (d, s): (f64, f64)) -> (f64, f64) {
    let (lo, hi) = ((c - r).min(d - s), (c + r).max(d + s));
    let middle = (lo + hi) / 2.0;
    (middle, ((hi - middle).max(middle - lo) + 1e-15 * (lo.abs() + hi.abs())) * UP)
}

/// What atoms may change in a sum, as a share of its size, without being kept apart.
const SLACK: f64 = 1e-5;
/// The same of attention scores.
const SCORE_SLACK: f64 = 1e-3;
/// How far a score lies from that of BOS if it does.
const MARGIN: f64 = 2.0;
/// How far at most if it does not.
const LEVEL: f64 = 0.5;

/// Shares of attention below this are not followed.
const FAINT: f64 = 1e-4;

/// How a key stands to BOS in the eyes of a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stand {
    Below,
    Level,
    Above,
}

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
    fn spend(&mut self, cells: usize, rows: usize, cols: usize) -> Option<()> {
        self.left -= cells as f64 * rows as f64 * cols as f64;
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
                        Some(Values { atoms: vec![atom], width: table.cols, radius: vec![0.0; center.len()], center })
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
                for (c, r) in sum.center.iter_mut().zip(&mut sum.radius) {
                    let (lo, hi) = ((*c - *r).max(0.0), (*c + *r).max(0.0));
                    if *c - *r < 0.0 {
                        *c = (lo + hi) / 2.0;
                        *r = (hi - lo) / 2.0 * UP + 1e-15 * hi;
                    }
                }
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
        // Of every number that is read: its size, and how many sources write something other than 0 there.
        let mut sizes = vec![(0.0, 0); weight.rows];
        for value in &values {
            if value.width != weight.rows {
                return None;
            }
            for ((to, sources), size) in sizes.iter_mut().zip(value.sizes()) {
                *to += size;
                *sources += usize::from(size > 0.0);
            }
        }
        let bias = |o: usize| bias.map_or(0.0, |bias| f64::from(bias.data[o]));
        let rounding = |o: usize| {
            let weighed = sizes.iter().enumerate().map(|(i, &of)| (of, f64::from(weight.at(i, o)).abs()));
            let (mut total, mut terms, mut most) = (0.0, 0, 0);
            // What is 0, or is weighed with 0, rounds nothing.
            for ((size, sources), w) in weighed.filter(|((size, _), w)| *size > 0.0 && *w > 0.0) {
                (total, terms, most) = (total + size * w, terms + 1, sources.max(most));
            }
            (self.gamma(terms + most + 4) * (total + bias(o).abs()) + (terms + 4) as f64 * TINY) * UP
        };
        let mut sum = Values {
            atoms: Vec::new(),
            width: weight.cols,
            center: (0..weight.cols).map(bias).collect(),
            radius: (0..weight.cols).map(rounding).collect(),
        };
        for value in values {
            self.spend(value.n_cells() + sum.n_cells(), weight.rows, weight.cols)?;
            let seen = product(&value, weight);
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
        let mut size = vec![0.0_f64; w_o.rows];
        for key in 0..keys {
            let value = self.value(v, key, atoms)?;
            size.iter_mut().zip(value.sizes()).for_each(|(to, size)| *to = to.max(size));
            self.spend(value.n_cells(), w_o.rows, w_o.cols)?;
            let seen = product(&value, w_o);
            written.push(seen);
        }
        let slack = SLACK * written.iter().flat_map(|seen| &seen.center).fold(0.0_f64, |most, c| most.max(c.abs()));
        let mut written: Vec<Values> = written.into_iter().map(|seen| seen.reduced(slack, atoms)).collect();
        let rounding = |o: usize| {
            let products = size.iter().enumerate().map(|(i, size)| size * f64::from(w_o.at(i, o)).abs());
            let products: Vec<f64> = products.filter(|&product| product > 0.0).collect();
            // Shares are quotients by a sum over keys, so that they add up to 1 but for its rounding; then as many are added.
            let terms = 2 * keys + products.len();
            self.gamma(terms + 8) * products.iter().sum::<f64>() + terms as f64 * TINY
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
            self.spend(query.n_cells() * key.n_cells(), query.width, 1)?;
            scores.push(self.score(&query, &key, &first, f64::from(*scale), atoms)?);
        }
        let slack_of_exp = if self.single { 1.0 + 4e-6 } else { 1.0 + 1e-12 };
        let heard = Heard { written, scores, everything, slack, slack_of_exp };
        heard.mixed(atoms).or_else(|| heard.weighted(atoms)).or(Some(heard.everything))
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
        Some(Values { atoms: all, width: 1, center, radius }.reduced(SCORE_SLACK, atoms))
    }
}

/// Vectors under a matrix, without the rounding of their sum.
fn product(value: &Values, weight: &Matrix) -> Values {
    let n = value.n_cells();
    let mut out = Values {
        atoms: value.atoms.clone(),
        width: weight.cols,
        center: vec![0.0; n * weight.cols],
        radius: vec![0.0; n * weight.cols],
    };
    for cell in 0..n {
        let (c, r) = value.cell(cell);
        let range = cell * weight.cols..(cell + 1) * weight.cols;
        let (center, radius) = (&mut out.center[range.clone()], &mut out.radius[range]);
        for (i, (&c, &r)) in c.iter().zip(r).enumerate() {
            if c == 0.0 && r == 0.0 {
                continue;
            }
            for ((center, radius), &w) in center.iter_mut().zip(radius.iter_mut()).zip(weight.row(i)) {
                let w = f64::from(w);
                *center += c * w;
                *radius += r * w.abs();
            }
        }
        radius.iter_mut().for_each(|r| *r *= UP);
    }
    out
}

/// One vector that holds whatever any key writes.
fn everything(written: &[Values]) -> Values {
    let mut all = written[0].hull();
    for seen in &written[1..] {
        let hull = seen.hull();
        for k in 0..all.width {
            (all.center[k], all.radius[k]) = joined((all.center[k], all.radius[k]), (hull.center[k], hull.radius[k]));
        }
    }
    all
}

/// What a head attends to, and what it would write.
struct Heard {
    /// For every key, BOS first.
    written: Vec<Values>,
    /// For every key but BOS, by how much its score exceeds that of BOS.
    scores: Vec<Values>,
    everything: Values,
    slack: f64,
    /// See [`Shares::slack`].
    slack_of_exp: f64,
}

/// The range of a score or of the weight that comes of it.
type Range = (f64, f64);

impl Heard {
    /// What is written where every key's stand is clear.
    fn mixed(&self, atoms: &mut Atoms) -> Option<Values> {
        let stands = self.scores.iter().map(stands).collect::<Option<Vec<Table<Stand>>>>()?;
        let stands: Vec<Table<Stand>> = stands.into_iter().map(|table| atoms.reduced(table)).collect();
        let any = |wanted: Stand| stands.iter().any(|table| table.cells.contains(&wanted));
        let above = any(Stand::Above);
        if above && any(Stand::Level) {
            return None;
        }
        let wanted = if above { Stand::Above } else { Stand::Level };
        let fixed = stands.iter().all(|table| table.cells.len() == 1);
        let of_selected = |wants: bool| {
            let mut range: Option<Range> = None;
            for (score, stand) in self.scores.iter().zip(&stands) {
                let places = atoms.places(&score.atoms, &stand.atoms);
                for (cell, &place) in places.iter().enumerate() {
                    if (stand.cells[place] == wanted) == wants {
                        let (lo, hi) = range.unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
                        let (c, r) = (score.center[cell], score.radius[cell]);
                        range = Some((lo.min(c - r), hi.max(c + r)));
                    }
                }
            }
            range
        };
        let (chosen, left) = (of_selected(true), of_selected(false));
        let shares = Shares::new((chosen, left), self.written.len(), above, self.slack_of_exp);
        let selected: Vec<usize> = (0..stands.len()).filter(|&j| stands[j].cells.contains(&wanted)).collect();
        if fixed {
            let alone = selected.len() <= 1 && above;
            if alone || selected.iter().all(|&j| !self.written[j + 1].varies()) {
                return self.fixed(&selected, &shares, atoms);
            }
        }
        self.counted(&stands, wanted, &shares, atoms)
    }

    /// The scores are always the same, whatever they are: every key gets its own share.
    fn weighted(&self, atoms: &Atoms) -> Option<Values> {
        if self.scores.iter().any(Values::varies) {
            return None;
        }
        // BOS has the score 0.
        let slack = self.slack_of_exp;
        // Relative to the greatest score, so that nothing overflows.
        let base = self.scores.iter().map(|score| score.center[0]).fold(0.0, f64::max);
        let range = |score: &Values| {
            let (c, r) = (score.center[0] - base, score.radius[0]);
            ((c - r).exp() / slack, (c + r).exp() * slack)
        };
        let mut ranges = vec![((-base).exp() / slack, (-base).exp() * slack)];
        ranges.extend(self.scores.iter().map(range));
        let (least, most) = ranges.iter().fold((0.0, 0.0), |(least, most), (lo, hi)| (least + lo, most + hi));
        let shares: Vec<Range> =
            ranges.iter().map(|(lo, hi)| (lo / (lo + most - hi), hi / (hi + least - lo))).collect();
        let total: f64 = shares.iter().map(|(lo, hi)| lo + hi).sum();
        let mut sum = Values::constant(vec![0.0; self.everything.width]);
        let mut deviation = 0.0;
        let mut nominal: Vec<f64> = shares.iter().map(|(lo, hi)| (lo + hi) / total).collect();
        // What gets hardly anything is held within the radius: its share goes to the one that gets most.
        let first = (0..nominal.len()).max_by(|&a, &b| nominal[a].total_cmp(&nominal[b]))?;
        for key in 0..nominal.len() {
            if nominal[key] < FAINT && key != first {
                nominal[first] += nominal[key];
                nominal[key] = 0.0;
            }
        }
        for ((seen, &share), (lo, hi)) in self.written.iter().zip(&nominal).zip(&shares) {
            if share > 0.0 {
                sum = sum.plus(&scaled(seen, share), atoms)?;
            }
            deviation += (share - lo).abs().max((hi - share).abs()) * UP + 1e-14;
        }
        if !deviation.is_finite() {
            return None;
        }
        let around: Vec<f64> = self.everything.radius.iter().map(|r| deviation * r * UP).collect();
        Some(widened(sum, &around))
    }

    /// The keys selected are always the same.
    fn fixed(&self, selected: &[usize], shares: &Shares, atoms: &Atoms) -> Option<Values> {
        let m = selected.len();
        let share = shares.nominal(m);
        let of_bos = shares.nominal_bos(m);
        let mut sum = match of_bos > 0.0 {
            true => scaled(&self.written[0], of_bos),
            false => Values::constant(vec![0.0; self.everything.width]),
        };
        for &j in selected {
            sum = sum.plus(&scaled(&self.written[j + 1], share), atoms)?;
        }
        let around = shares.around(m, &self.everything);
        Some(widened(sum, &around))
    }

    /// The keys selected depend on the input: what is written depends on how many are, with which values.
    fn counted(&self, stands: &[Table<Stand>], wanted: Stand, shares: &Shares, atoms: &mut Atoms) -> Option<Values> {
        let mut classes: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        for (stand, seen) in stands.iter().zip(&self.written[1..]) {
            let all = union([&stand.atoms[..], &seen.atoms[..]]);
            atoms.cells(&all)?;
            let (chosen, valued) = (atoms.places(&all, &stand.atoms), atoms.places(&all, &seen.atoms));
            let mut cells = Vec::with_capacity(chosen.len());
            for (chosen, valued) in chosen.into_iter().zip(valued) {
                if stand.cells[chosen] != wanted {
                    cells.push(0);
                    continue;
                }
                let (c, r) = seen.cell(valued);
                let near = |(known, _): &(Vec<f64>, Vec<f64>)| {
                    known.iter().zip(c).all(|(a, b)| (a - b).abs() <= 20.0 * self.slack)
                };
                let class = classes.iter().position(near).unwrap_or_else(|| {
                    classes.push((c.to_vec(), r.to_vec()));
                    classes.len() - 1
                });
                // The class holds all its members.
                let (center, radius) = &mut classes[class];
                for k in 0..c.len() {
                    radius[k] = radius[k].max(((c[k] - center[k]).abs() + r[k]) * UP);
                }
                cells.push(u16::try_from(class + 1).ok()?);
            }
            choices.push(Table { atoms: all, cells });
        }
        let (atom, order) = atoms.selection(choices)?;
        let class = |k: usize| &classes[usize::from(order[k]) - 1];
        let width = self.everything.width;
        let made = atoms.made(atom).to_vec();
        let mut out = Values { atoms: vec![atom], width, center: Vec::new(), radius: Vec::new() };
        let bos = self.written[0].hull();
        for made in &made {
            let counts = match made {
                Made::Of(counts) => counts.clone(),
                Made::Only(only) if shares.above => {
                    // All that are selected write the same, however many they are; the least share is that of one.
                    (0..order.len()).map(|k| u16::from(k == usize::from(*only))).collect()
                }
                _ => {
                    out.center.extend(&self.everything.center);
                    out.radius.extend(&self.everything.radius);
                    continue;
                }
            };
            let m: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let of_bos = shares.nominal_bos(m);
            let mut center: Vec<f64> = bos.center.iter().map(|c| c * of_bos).collect();
            let mut radius: Vec<f64> = bos.radius.iter().map(|r| r * of_bos).collect();
            for (k, &n) in counts.iter().enumerate() {
                let share = f64::from(n) * shares.nominal(m);
                let (c, r) = class(k);
                center.iter_mut().zip(c).for_each(|(to, c)| *to += c * share);
                radius.iter_mut().zip(r).for_each(|(to, r)| *to += r * share);
            }
            // Of several that write the same, it does not matter which gets more.
            let several = matches!(made, Made::Only(_));
            let around = if several { shares.leaked(&self.everything) } else { shares.around(m, &self.everything) };
            radius.iter_mut().zip(&around).for_each(|(to, more)| *to = (*to + more) * UP);
            out.center.extend(center);
            out.radius.extend(radius);
        }
        Some(out)
    }
}

/// How the softmax divides itself up.
struct Shares {
    /// Whether BOS is left out where any key is selected.
    above: bool,
    chosen: Range,
    left: Range,
    keys: usize,
    /// The relative error of an exponential. In single precision it is taken to be computed within 2^-20, of a difference to
    /// the greatest score that is rounded: for what gets more than nothing, within 2^-24 of 20 or so.
    slack: f64,
}

impl Shares {
    fn new((chosen, left): (Option<Range>, Option<Range>), keys: usize, above: bool, slack: f64) -> Self {
        let chosen = chosen.unwrap_or((0.0, 0.0));
        let left = left.unwrap_or((f64::NEG_INFINITY, f64::NEG_INFINITY));
        Self { above, chosen, left, keys, slack }
    }

    /// What one selected key gets, if all went as it should, where `m` are selected.
    fn nominal(&self, m: usize) -> f64 {
        let all = if self.above { m } else { m + 1 };
        if all == 0 { 0.0 } else { 1.0 / all as f64 }
    }

    /// What BOS gets.
    fn nominal_bos(&self, m: usize) -> f64 {
        if self.above && m > 0 { 0.0 } else { 1.0 / if self.above { 1.0 } else { m as f64 + 1.0 } }
    }

    /// The sum, at most, of how far all shares are from the nominal ones, where `m` are selected. Among those that are meant to
    /// share it is twice what some of them can have above their due: most where these have their greatest weights and all others
    /// their least. What leaks to the rest counts twice, for what it gets and for what is missing elsewhere.
    fn deviation(&self, m: usize) -> f64 {
        let ((lo, hi), (_, out)) = (self.chosen, self.left);
        let with_bos = !(self.above && m > 0);
        // Relative to the greatest score of those that share, so that nothing overflows.
        let base = if with_bos { hi.max(0.0) } else { hi };
        let weights = |lo: f64, hi: f64| ((lo - base).exp() / self.slack, (hi - base).exp() * self.slack);
        let ((least, most), (bos_least, bos_most)) = (weights(lo, hi), weights(0.0, 0.0));
        let (n, bos) = (m as f64, f64::from(u8::from(with_bos)));
        let beyond = |k: usize, b: f64| {
            let (k, up) = (k as f64, k as f64 * most + b * bos_most);
            let down = (n - k) * least + (bos - b) * bos_least;
            up / (up + down) - (k + b) / (n + bos)
        };
        // Where none are taken nothing is beyond its due.
        let sets = (0..=m).flat_map(|k| [(k, 0.0), (k, bos)]).filter(|&(k, b)| k > 0 || b > 0.0);
        let beyond = sets.map(|(k, b)| beyond(k, b)).fold(0.0, f64::max);
        let rest = (self.keys - 1).saturating_sub(m) as f64 * weights(out, out).1;
        let rest = if with_bos { rest / (bos_least + n * least) } else { (bos_most + rest) / (n * least) };
        let total = (2.0 * beyond + 2.0 * rest / (1.0 + rest)) * UP + 1e-12;
        // What is no number bounds nothing.
        if most.is_finite() && total.is_finite() { total } else { f64::INFINITY }
    }

    /// How far what is written may be from what the nominal shares make of it: shares sum to 1, so what they differ by
    /// counts times the distance from the middle of everything that is written.
    fn around(&self, m: usize, everything: &Values) -> Vec<f64> {
        let deviation = self.deviation(m);
        everything.radius.iter().map(|r| deviation * r * UP).collect()
    }

    /// The same where at least one key is selected and all that are write the same.
    fn leaked(&self, everything: &Values) -> Vec<f64> {
        // Relative to the least score that is selected.
        let least = self.chosen.0;
        let others =
            ((-least).exp() + (self.keys - 1) as f64 * (self.left.1 - least).exp()) * (1.0 + 2.0 * (self.slack - 1.0));
        let share = others / (others + 1.0);
        everything.radius.iter().map(|r| 2.0 * share * r * UP + 1e-12).collect()
    }
}

fn scaled(value: &Values, share: f64) -> Values {
    let times = |numbers: &[f64]| numbers.iter().map(|number| number * share).collect();
    let mut radius: Vec<f64> = times(&value.radius);
    radius.iter_mut().zip(&value.center).for_each(|(r, c)| *r = (*r + 1e-15 * c.abs()) * UP);
    Values { atoms: value.atoms.clone(), width: value.width, center: times(&value.center), radius }
}

fn widened(mut value: Values, around: &[f64]) -> Values {
    let width = value.width;
    value.radius.iter_mut().enumerate().for_each(|(at, r)| *r = (*r + around[at % width]) * UP);
    value
}

/// How a key stands to BOS, for all that its score depends on; `None` where that is not clear.
fn stands(score: &Values) -> Option<Table<Stand>> {
    let stand = |cell: usize| {
        let (c, r) = (score.center[cell], score.radius[cell]);
        if c - r >= MARGIN {
            Some(Stand::Above)
        } else if c + r <= -MARGIN {
            Some(Stand::Below)
        } else if c.abs() + r <= LEVEL {
            Some(Stand::Level)
        } else {
            None
        }
    };
    let cells = (0..score.n_cells()).map(stand).collect::<Option<Vec<_>>>()?;
    Some(Table { atoms: score.atoms.clone(), cells })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng as _;
    use samples::rng;

    use super::*;

    /// How far the shares of some scores, BOS first, are from the nominal ones in sum; the first `m` keys are selected.
    fn apart(shares: &Shares, scores: &[f64], m: usize) -> f64 {
        let total: f64 = scores.iter().map(|score| score.exp()).sum();
        let due = |key: usize| match key {
            0 => shares.nominal_bos(m),
            key if key <= m => shares.nominal(m),
            _ => 0.0,
        };
        scores.iter().enumerate().map(|(key, score)| (score.exp() / total - due(key)).abs()).sum()
    }

    proptest! {
        /// Whatever the scores are within their ranges, shares are no farther from the nominal ones than is said; and where those
        /// that are not selected get next to nothing, some scores come close to it.
        #[test]
        fn shares_stay_within_what_is_said(seed in 0_u64..1_000_000, keys in 2_usize..9, above: bool) {
            let mut rng = rng(seed, "shares");
            let m = rng.random_range(0..keys);
            let middle = if above { rng.random_range(2.0..20.0) } else { rng.random_range(-0.4..0.4) };
            let half = 10_f64.powf(rng.random_range(-6.0..0.0));
            let (lo, hi) = (middle - half, middle + half);
            let out = if above { 0.0 } else { middle } - rng.random_range(2.0..40.0);
            let shares = Shares::new((Some((lo, hi)), Some((f64::NEG_INFINITY, out))), keys, above, 1.0);
            let (said, mut most) = (shares.deviation(m), 0.0_f64);
            for _ in 0..60 {
                let ends = rng.random::<bool>();
                let selected = |rng: &mut samples::Rng| match ends {
                    true => if rng.random() { lo } else { hi },
                    false => rng.random_range(lo..=hi),
                };
                let score = |key: usize, rng: &mut samples::Rng| match key {
                    0 => 0.0,
                    key if key <= m => selected(rng),
                    _ => out,
                };
                let scores: Vec<f64> = (0..keys).map(|key| score(key, &mut rng)).collect();
                let apart = apart(&shares, &scores, m);
                prop_assert!(apart <= said, "{apart} > {said}");
                most = most.max(apart);
            }
            prop_assert!(said <= 2.5 * most + 1e-9, "{said} where {most} was seen");
        }
    }
}
