//! The search for certificates. Nothing here is trusted: what it returns has passed [`verify`].
//!
//! Regions come from the fewest distinctions that do: first one for every state of the program, then one for every
//! state and last element, state and last two elements, and so on, because the hidden state of a network that forgets
//! depends on little more than its recent inputs. Each is a box in the principal axes of sampled hidden states, grown
//! from the initial state until every element maps every box into the next. Where no such boxes exist within reach,
//! the same steps are followed as far as the outputs stay right, which proves a length.

use std::collections::BTreeMap;

use dsl::{Language, Term};
use graph::{Matrix, Network, Recurrence};
use nalgebra::DMatrix;
use rand::Rng as _;
use samples::{Rng, Sort, UNDEFINED, rng};

use super::boxes::{Basis, MAX_PASSED, alphabet, carried, cut, hold, inside, transitions, within};
use super::forms::{self, Forms};
use super::linear::{MAX_LENGTH, Mover, Place, initial, input_range};
use super::rule::Rule;
use super::{Arithmetic, BoxNode, Boxes, Decoder, LATER, Moving, Proof, Refused, Regions, verify, verify_in_time};
use crate::Machine;

/// How hard to search.
#[derive(Clone, Copy)]
pub struct ProveConfig<'a> {
    /// The seed of sampled hidden states.
    pub seed: u64,
    /// Multiply-adds that the search may cost, about.
    pub work: f64,
    /// The length that a proof of some length should reach; no effort is spent to find one that reaches further.
    pub length: usize,
    /// The longest length for which none is refuted, where an input is known on which the two differ.
    pub refuted_beyond: Option<usize>,
    /// True once time is up.
    pub deadline: &'a (dyn Fn() -> bool + Sync),
}

/// Nodes of a certificate.
const MAX_NODES: usize = 30_000;
/// States of a program that are listed.
const MAX_STATES: usize = 8_000;
/// Transitions between the nodes of one layer.
const MAX_TRANSITIONS: usize = 400_000;
/// Rounds in which regions grow.
const ROUNDS: usize = 200;
/// Into how many pieces regions are cut: a network is followed more closely on small ones, where activations bend less.
const PIECES: [usize; 2] = [1, 6];
/// Words of so many, at most, are followed from region to region: what a network forgets in several steps need not
/// shrink in each.
const WORDS: [usize; 3] = [1, 100, 300];
/// What a proof for all lengths may cost, in shares of the work: where none is refuted, it is worth more than any length.
const UNBOUNDED: f64 = 0.8;
/// What checking a proof may cost once time is up, in multiply-adds.
const SOON: f64 = 3e8;
/// Shares of all work that one attempt may take.
const SHARE: f64 = 0.5;

/// What was proved.
#[derive(Clone, PartialEq, Debug)]
pub struct Proofs {
    /// The one that reaches furthest; of those that reach as far, the one about single precision.
    pub best: Proof,
    /// Where that is about exact arithmetic alone: how far single precision was proved, at least.
    pub float32: Option<usize>,
}

impl Proofs {
    /// The length up to which the two agree in single precision, if a length is proved.
    pub fn float32(&self) -> Option<usize> {
        match self.best.arithmetic {
            Arithmetic::Float32 => self.best.length,
            Arithmetic::Real => self.float32,
        }
    }
}

impl Proofs {
    /// The length up to which the two agree in single precision, as far as it was proved.
    fn reach_single(&self) -> usize {
        match self.best.arithmetic {
            Arithmetic::Float32 => self.best.length.unwrap_or(usize::MAX),
            Arithmetic::Real => self.float32.unwrap_or(0),
        }
    }

    /// Of what certificates and a solver prove, the one that reaches further; of those that reach as far, a certificate.
    pub fn further(certified: Option<Self>, asked: Option<Self>) -> Option<Self> {
        let reach = |proofs: &Option<Self>| {
            proofs.as_ref().map_or((0, 0), |proofs| {
                let single = proofs.reach_single();
                (proofs.best.length.unwrap_or(usize::MAX).max(single), single)
            })
        };
        let (a, b) = (reach(&certified), reach(&asked));
        let single = a.1.max(b.1);
        let mut best = if b > a { asked } else { certified }?;
        if best.best.arithmetic == Arithmetic::Real && single > 0 {
            best.float32 = Some(single);
        }
        Some(best)
    }

    /// Whether single precision is proved for sequences of so many elements.
    pub fn covers(&self, length: usize) -> bool {
        self.reach_single() >= length
    }
}

/// Searches for proofs, first about single precision, then about exact arithmetic; `None` where none is found within
/// the budget.
pub fn prove(network: &Network, program: &Term, language: &Language, config: &ProveConfig<'_>) -> Option<Proofs> {
    let found = furthest(network, program, language, config)?;
    Some(Proofs { best: found.best.with_gap(network, config.deadline), ..found })
}

fn furthest(network: &Network, program: &Term, language: &Language, config: &ProveConfig<'_>) -> Option<Proofs> {
    let net = network.recurrence()?;
    let machine = Machine::new(program, language, &network.domain)?;
    let decoder = Decoder::of(&network.domain.decode).ok()?;
    let search = Search::new(network, net, &machine, &decoder, config);
    let holds = |proof: &Proof| verify_in_time(network, program, language, proof, config.deadline);
    // No proof reaches beyond a known difference.
    let length = config.length.min(config.refuted_beyond.unwrap_or(usize::MAX));
    let all = |arithmetic: Arithmetic, share: f64| {
        let moving = moving(network, net, &machine, arithmetic, config).filter(|proof| holds(proof).is_ok());
        if moving.as_ref().is_some_and(|proof| proof.length.is_none()) {
            return moving;
        }
        let boxes = search.as_ref().and_then(|search| search.unbounded(arithmetic, share));
        let boxes = boxes.filter(|proof| holds(proof).is_ok());
        boxes.or(moving)
    };
    let bounded = |search: &Search<'_>, arithmetic: Arithmetic, share: f64| {
        let proof = search.bounded(arithmetic, length, share)?;
        match holds(&proof) {
            Ok(()) => Some(proof),
            // What holds for a length holds for a smaller one, which takes less to check.
            Err(Refused::Late) => {
                search.shortened(proof).filter(|proof| verify(network, program, language, proof).is_ok())
            }
            Err(_) => None,
        }
    };
    let reach = |proof: &Option<Proof>| proof.as_ref().map_or(0, |proof| proof.length.unwrap_or(usize::MAX));
    // What is listed up to some depth proves no more than that.
    let listed = |proof: &Option<Proof>| {
        let least = reach(proof);
        search.as_ref().filter(|search| search.automaton.is_closed() || search.automaton.depth > least)
    };
    let further = |a: Option<Proof>, b: Option<Proof>| if reach(&b) > reach(&a) { b } else { a };
    let can_close = search.as_ref().is_some_and(|search| search.automaton.is_closed());
    let mut single = all(Arithmetic::Float32, UNBOUNDED);
    if reach(&single) < length {
        let share = if can_close && config.refuted_beyond.is_none() { 0.25 } else { 0.65 };
        let more = listed(&single).and_then(|search| bounded(search, Arithmetic::Float32, share));
        single = further(single, more);
    }
    if reach(&single) == usize::MAX {
        return Some(Proofs { best: single?, float32: None });
    }
    let mut real = all(Arithmetic::Real, UNBOUNDED / 8.0);
    if reach(&single) < length && reach(&real) < length {
        let more = listed(&real).and_then(|search| bounded(search, Arithmetic::Real, 0.15));
        real = further(real, more);
    }
    if reach(&real) <= reach(&single) || (reach(&single) >= length && reach(&real) != usize::MAX) {
        return single.map(|best| Proofs { best, float32: None });
    }
    let float32 = single.and_then(|proof| proof.length);
    real.map(|best| Proofs { best, float32 })
}

// --- a box that moves with the state --------------------------------------------------------------------------------

/// Steps after which the influence of the start should have died out.
const SETTLED: usize = 64;

fn moving(
    network: &Network,
    net: &Recurrence,
    machine: &Machine<'_>,
    arithmetic: Arithmetic,
    config: &ProveConfig<'_>,
) -> Option<Proof> {
    let rule = Rule::of(machine)?.extended();
    let init = initial(machine, &rule);
    let input = input_range(network, net)?;
    let d = net.hidden_dim();
    let mut matrix = fit(net, &rule, input, &init, &mut rng(config.seed, "proof sequences"))?;
    let reference = i64::midpoint(input[0], input[1]);
    let steps = config.length.max(SETTLED);
    let (mut states, mut offsets) = track(net, &rule, &matrix, &init, reference, steps);
    let mut settled = settling(&offsets);
    if settled.is_none()
        && let Some(nearer) = refined(&rule, &matrix, &offsets, &init, &vec![reference; net.dim()])
    {
        matrix = nearer;
        (states, offsets) = track(net, &rule, &matrix, &init, reference, steps);
        settled = settling(&offsets);
    }
    let basis = schur(net, &states[states.len().min(8) - 1], reference)?;
    let offsets: Vec<Vec<f64>> = offsets[..settled.map_or(offsets.len(), |t| t + 1)].to_vec();
    let single = arithmetic == Arithmetic::Float32;
    let mover = Mover { net, rule: &rule, input, matrix: &matrix, basis: Basis::new(&basis, d)?, single };
    let proof = |length, region, ranges| Proof {
        arithmetic,
        length,
        gap: Err(LATER),
        regions: Regions::Moving(Moving {
            matrix: matrix.clone(),
            offsets: offsets.clone(),
            basis: basis.clone(),
            region,
            ranges,
        }),
    };
    let last = offsets.last()?;
    let mut place = mover.start(&init, &offsets[0]);
    let mut steps = 0;
    while steps + 1 < offsets.len() && !(config.deadline)() {
        let Some(next) = mover.step(&place, &offsets[steps], &offsets[steps + 1]) else { break };
        (place, steps) = (next, steps + 1);
    }
    if settled.is_some() && steps + 1 == offsets.len() {
        if config.refuted_beyond.is_none()
            && let Some(whole) = closed(&mover, &place, last)
        {
            return Some(proof(None, whole.region, whole.states));
        }
        while steps < MAX_LENGTH && !(config.deadline)() {
            let Some(next) = mover.step(&place, last, last) else { break };
            (place, steps) = (next, steps + 1);
        }
    }
    (steps > 0).then(|| proof(Some(steps), Vec::new(), Vec::new()))
}

/// From which step on offsets no longer change.
fn settling(offsets: &[Vec<f64>]) -> Option<usize> {
    (1..offsets.len()).find(|&t| {
        let scale = 1e-11 * (1.0 + offsets[t].iter().map(|v| v.abs()).fold(0.0, f64::max));
        offsets[t].iter().zip(&offsets[t - 1]).all(|(a, b)| (a - b).abs() <= scale)
    })
}

/// The matrix, corrected by what the offsets along a constant input still owe to the program's state: where inputs leave
/// a trace that the program does not have, a fit over random inputs is a little off.
fn refined(rule: &Rule, matrix: &[f64], offsets: &[Vec<f64>], init: &[i64], element: &[i64]) -> Option<Vec<f64>> {
    let (n, d) = (rule.n_states, offsets.first()?.len());
    let mut s = init.to_vec();
    let mut visited = Vec::with_capacity(offsets.len());
    for _ in offsets {
        visited.push(s.clone());
        s = advance_rule(rule, &s, element);
    }
    let half = offsets.len() / 2;
    let rows = offsets.len() - half;
    let states = DMatrix::from_fn(rows, n + 1, |t, j| visited[half + t].get(j).map_or(1.0, |&v| v as f64));
    let owed = DMatrix::from_fn(rows, d, |t, i| offsets[half + t][i]);
    let solution = states.svd(true, true).solve(&owed, 1e-9).ok()?;
    let cell = |at: usize| matrix[at] + solution[(at % n.max(1), at / n.max(1))];
    Some((0..matrix.len()).map(cell).collect())
}

/// A place that holds the given one and is mapped into itself, with some room: what forgets everything in a few steps is
/// otherwise mapped onto its very bounds, and whoever checks the certificate with roundings of their own sees it leave them.
fn closed(mover: &Mover<'_>, place: &Place, offset: &[f64]) -> Option<Place> {
    let with_room = |region: &[[f64; 2]]| region.iter().map(|&side| widened(side, 1e-6)).collect::<Vec<_>>();
    let mut whole = Place { region: with_room(&place.region), ..place.clone() };
    for round in 0..ROUNDS {
        let next = mover.step(&whole, offset, offset)?;
        let arrived = with_room(&next.region);
        let states_hold = next.states.iter().zip(&whole.states).all(|(a, b)| b[0] <= a[0] && a[1] <= b[1]);
        if states_hold && within(&arrived, &whole.region) {
            return Some(whole);
        }
        for (a, b) in whole.states.iter_mut().zip(&next.states) {
            *a = [a[0].min(b[0]), a[1].max(b[1])];
        }
        hold(&mut whole.region, &arrived);
        if round > 2 {
            whole.region.iter_mut().for_each(|side| *side = widened(*side, 0.1));
        }
        if !states_hold && round > SETTLED {
            return None;
        }
    }
    None
}

fn widened([lo, hi]: [f64; 2], share: f64) -> [f64; 2] {
    let more = share * (hi - lo) + 1e-9 * (1.0 + lo.abs().max(hi.abs()));
    [lo - more, hi + more]
}

/// One step of a single state in double precision.
fn advance(net: &Recurrence, h: &[f64], element: &[i64]) -> Vec<f64> {
    forms::step(net, &Forms::exact(h.to_vec(), 0), forms::fed(net, element, 0)).center
}

fn advance_rule(rule: &Rule, s: &[i64], element: &[i64]) -> Vec<i64> {
    let value = |row: &Vec<i64>| {
        let terms = row.iter().zip(s.iter().chain(element).chain(&[1]));
        terms.fold(0_i64, |sum, (&a, &v)| sum.saturating_add(a.saturating_mul(v)))
    };
    rule.updates.iter().map(value).collect()
}

/// How hidden states differ where program states differ: least squares over pairs of sequences, `[d, n]`.
fn fit(net: &Recurrence, rule: &Rule, input: [i64; 2], init: &[i64], rng: &mut Rng) -> Option<Vec<f64>> {
    let (d, n) = (net.hidden_dim(), rule.n_states);
    let (pairs, steps) = (8 * (n + 2), n + d.min(16) + 6);
    let mut run = || {
        let (mut h, mut s) = (vec![0.0; d], init.to_vec());
        for _ in 0..steps {
            let element: Vec<i64> = (0..net.dim()).map(|_| rng.random_range(input[0]..=input[1])).collect();
            h = advance(net, &h, &element);
            s = advance_rule(rule, &s, &element);
        }
        (h, s)
    };
    let ends: Vec<_> = (0..2 * pairs).map(|_| run()).collect();
    if n == 0 {
        return Some(Vec::new());
    }
    let states = DMatrix::from_fn(pairs, n, |i, j| (ends[2 * i].1[j] - ends[2 * i + 1].1[j]) as f64);
    let hidden = DMatrix::from_fn(pairs, d, |i, j| ends[2 * i].0[j] - ends[2 * i + 1].0[j]);
    let solution = states.svd(true, true).solve(&hidden, 1e-12).ok()?;
    Some((0..d).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| solution[(j, i)]).collect())
}

/// Along a constant input: hidden states, and what of them the program's state does not explain.
fn track(
    net: &Recurrence,
    rule: &Rule,
    matrix: &[f64],
    init: &[i64],
    reference: i64,
    steps: usize,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (d, n) = (net.hidden_dim(), rule.n_states);
    let (mut h, mut s) = (vec![0.0; d], init.to_vec());
    let element = vec![reference; net.dim()];
    let (mut states, mut offsets) = (Vec::new(), Vec::new());
    for _ in 0..=steps {
        let explained = |i: usize| (0..n).map(|j| matrix[i * n + j] * s[j] as f64).sum::<f64>();
        offsets.push((0..d).map(|i| h[i] - explained(i)).collect());
        states.push(h.clone());
        h = advance(net, &h, &element);
        s = advance_rule(rule, &s, &element);
    }
    (states, offsets)
}

/// The basis in which the derivative of a step is upper triangular: there what is forgotten over several steps
/// shrinks within them.
fn schur(net: &Recurrence, h: &[f64], reference: i64) -> Option<Vec<f64>> {
    let d = h.len();
    let element = vec![reference; net.dim()];
    let scale = 1e-4 * (1.0 + h.iter().map(|v| v.abs()).fold(0.0, f64::max));
    let column = |j: usize| {
        let moved = |sign: f64| {
            let mut h = h.to_vec();
            h[j] += sign * scale;
            advance(net, &h, &element)
        };
        let (up, down) = (moved(1.0), moved(-1.0));
        (0..d).map(move |i| (up[i] - down[i]) / (2.0 * scale)).collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = (0..d).map(column).collect();
    let derivative = DMatrix::from_fn(d, d, |i, j| columns[j][i]);
    if derivative.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let (q, _) = derivative.try_schur(1e-14, 10_000)?.unpack();
    Some((0..d).flat_map(|i| (0..d).map(move |j| (i, j))).map(|(i, j)| q[(j, i)]).collect())
}

// --- boxes -----------------------------------------------------------------------------------------------------------

/// A program's states as far as they were listed.
struct Automaton {
    states: Vec<Vec<i64>>,
    /// For every state whose successors were listed, those.
    next: Vec<Vec<usize>>,
    /// For every such state, the outputs: columns and where in them it starts.
    outputs: Vec<samples::Column>,
    /// Steps from the initial state within which all states were listed.
    depth: usize,
}

impl Automaton {
    fn of(machine: &Machine<'_>, alphabet: &[Vec<i64>], steps: usize) -> Option<Self> {
        let mut automaton =
            Self { states: vec![machine.initial().to_vec()], next: Vec::new(), outputs: Vec::new(), depth: 0 };
        let mut known: BTreeMap<Vec<i64>, usize> = BTreeMap::from([(machine.initial().to_vec(), 0)]);
        for _ in 0..=steps {
            let from = automaton.next.len();
            let layer: Vec<Vec<i64>> = automaton.states[from..].to_vec();
            if layer.is_empty() || layer.len() * alphabet.len() > MAX_TRANSITIONS / 2 {
                break;
            }
            let views: Vec<&[i64]> = layer.iter().map(Vec::as_slice).collect();
            let stepped = transitions(machine, &views, alphabet).ok()?;
            for at in 0..layer.len() {
                let mut row = Vec::with_capacity(alphabet.len());
                for symbol in 0..alphabet.len() {
                    let point = at * alphabet.len() + symbol;
                    let state: Vec<i64> = stepped.states.iter().map(|column| column[point]).collect();
                    if state
                        .iter()
                        .zip(machine.sorts())
                        .any(|(&code, sort)| code == UNDEFINED && *sort != Sort::Selector)
                    {
                        return None;
                    }
                    let fresh = automaton.states.len();
                    let index = *known.entry(state.clone()).or_insert(fresh);
                    if index == fresh {
                        automaton.states.push(state);
                    }
                    row.push(index);
                }
                automaton.next.push(row);
            }
            for (k, column) in stepped.outputs.into_iter().enumerate() {
                match automaton.outputs.get_mut(k) {
                    Some(all) => all.codes.extend(column.codes),
                    None => automaton.outputs.push(column),
                }
            }
            automaton.depth += 1;
            if automaton.states.len() > MAX_STATES {
                break;
            }
        }
        Some(automaton)
    }

    fn is_closed(&self) -> bool {
        self.next.len() == self.states.len()
    }
}

/// Nodes: a state of the program with the last few elements.
struct Nodes {
    state: Vec<usize>,
    next: Vec<Vec<usize>>,
    /// Whether the node is passed through, see [`BoxNode::region`].
    passed: Vec<bool>,
}

impl Nodes {
    /// Distinguishes by the last `k` elements, with regions every `stride` steps; at most so many nodes, the last layers
    /// left without successors.
    fn of(automaton: &Automaton, n_symbols: usize, (k, stride): (usize, usize), most: usize) -> Option<Self> {
        let full = u64::try_from(n_symbols).ok()?.checked_pow(u32::try_from(k).ok()?)?;
        let mut known: BTreeMap<(usize, usize, u64, usize), usize> = BTreeMap::from([((0, 0, 0, 0), 0)]);
        let mut keys = vec![(0_usize, 0_usize, 0_u64, 0_usize)];
        let nodes = |keys: &[(usize, usize, u64, usize)], next| Self {
            state: keys.iter().map(|key| key.0).collect(),
            next,
            passed: keys.iter().map(|key| key.3 > 0).collect(),
        };
        let mut next: Vec<Vec<usize>> = Vec::new();
        let mut layer = 0..1;
        while !layer.is_empty() && keys.len() <= most && layer.len() * n_symbols <= MAX_TRANSITIONS {
            for at in layer.clone() {
                let (state, length, word, phase) = keys[at];
                let Some(targets) = automaton.next.get(state) else {
                    return Some(nodes(&keys, next));
                };
                let mut row = Vec::with_capacity(n_symbols);
                for (symbol, &target) in targets.iter().enumerate() {
                    let word = if k == 0 { 0 } else { (word * n_symbols as u64 + symbol as u64) % full };
                    let key = (target, (length + 1).min(k), word, (phase + 1) % stride);
                    let fresh = keys.len();
                    let index = *known.entry(key).or_insert(fresh);
                    if index == fresh {
                        keys.push(key);
                    }
                    row.push(index);
                }
                next.push(row);
            }
            layer = layer.end..keys.len();
        }
        Some(nodes(&keys, next))
    }

    fn len(&self) -> usize {
        self.state.len()
    }

    fn is_closed(&self) -> bool {
        self.next.len() == self.len()
    }
}

struct Search<'a> {
    network: &'a Network,
    net: &'a Recurrence,
    decoder: &'a Decoder,
    config: &'a ProveConfig<'a>,
    alphabet: Vec<Vec<i64>>,
    automaton: Automaton,
}

/// How an attempt at regions ended.
enum Grown {
    /// Every element maps every region into another.
    Closed(Vec<Vec<[f64; 2]>>),
    /// An output may be read wrongly, or there is no end within the budget.
    Failed,
}

impl<'a> Search<'a> {
    fn new(
        network: &'a Network,
        net: &'a Recurrence,
        machine: &'a Machine<'a>,
        decoder: &'a Decoder,
        config: &'a ProveConfig<'a>,
    ) -> Option<Self> {
        let alphabet = alphabet(network)?;
        let automaton = Automaton::of(machine, &alphabet, config.length)?;
        Some(Self { network, net, decoder, config, alphabet, automaton })
    }

    /// What one transition costs, in multiply-adds, beside what every one takes.
    fn cost(&self) -> f64 {
        self.cost_of(self.net.hidden_dim())
    }

    /// The same for a set of so many symbols.
    fn cost_of(&self, width: usize) -> f64 {
        3.0 * (self.network.n_parameters() * (width + 2)) as f64 + 3000.0
    }

    fn node_limit(&self, share: f64) -> usize {
        let transitions = self.config.work * share / self.cost();
        ((transitions / self.alphabet.len() as f64) as usize).clamp(1, MAX_NODES)
    }

    /// A proof for all lengths.
    fn unbounded(&self, arithmetic: Arithmetic, share: f64) -> Option<Proof> {
        if !self.automaton.is_closed() || self.config.refuted_beyond.is_some() {
            return None;
        }
        let mut left = self.config.work * share;
        let strides = self.strides();
        for k in 0..=24 {
            for &stride in &strides {
                let nodes = Nodes::of(&self.automaton, self.alphabet.len(), (k, stride), self.node_limit(share / 8.0))?;
                if left <= 0.0 || (self.config.deadline)() || (stride == 1 && !nodes.is_closed()) {
                    return None;
                }
                if !nodes.is_closed() {
                    continue;
                }
                let (bases, basis) = self.bases(&nodes);
                for pieces in if stride == 1 { &PIECES[..] } else { &PIECES[..1] } {
                    let grown = self.grow(&nodes, (&bases, &basis), *pieces, arithmetic, &mut left);
                    if let Grown::Closed(regions) = grown {
                        return Some(self.proof(&nodes, (bases, &basis), regions, (*pieces, arithmetic, None)));
                    }
                }
            }
        }
        None
    }

    /// Steps from region to region that are tried, ascending.
    fn strides(&self) -> Vec<usize> {
        let stride = |&words: &usize| {
            let mut stride = 1;
            while stride < MAX_PASSED && self.alphabet.len().pow(stride as u32 + 1) <= words {
                stride += 1;
            }
            stride
        };
        let mut strides: Vec<usize> = WORDS.iter().map(stride).collect();
        strides.dedup();
        strides
    }

    /// Principal axes of sampled hidden states: one basis for all, and one for every node that was visited often.
    fn bases(&self, nodes: &Nodes) -> (Vec<Vec<f64>>, Vec<usize>) {
        let d = self.net.hidden_dim();
        let identity: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i / d == i % d))).collect();
        if d == 1 {
            return (vec![identity], vec![0; nodes.len()]);
        }
        let visited = self.visit(nodes);
        let all: Vec<&[f32]> = visited.iter().flatten().map(Vec::as_slice).collect();
        let pooled = axes(&all.iter().step_by((all.len() / 2000).max(1)).copied().collect::<Vec<_>>(), d);
        let mut bases = vec![pooled.unwrap_or(identity)];
        let mut basis = vec![0; nodes.len()];
        for (at, states) in visited.iter().enumerate() {
            let own: Vec<&[f32]> = states.iter().take(400).map(Vec::as_slice).collect();
            if own.len() >= 2 * d
                && let Some(found) = axes(&own, d)
            {
                basis[at] = bases.len();
                bases.push(found);
            }
        }
        (bases, basis)
    }

    /// Hidden states on random walks, half of them periodic, by node.
    fn visit(&self, nodes: &Nodes) -> Vec<Vec<Vec<f32>>> {
        const WALKS: usize = 256;
        const KEPT: usize = 100;
        let mut rng = rng(self.config.seed, "proof walks");
        let steps = (40 * nodes.len() / WALKS).clamp(64, 2000);
        let n_symbols = self.alphabet.len();
        let mut at = vec![0; WALKS];
        let mut period: Vec<Vec<usize>> = vec![vec![0]; WALKS];
        let mut state = self.net.initial(WALKS);
        let mut visited = vec![Vec::new(); nodes.len()];
        for step in 0..steps {
            let mut x = Matrix::zeros(WALKS, self.net.dim());
            for walk in 0..WALKS {
                if step % 24 == 0 {
                    let length = rng.random_range(1..=7);
                    period[walk] = (0..length).map(|_| rng.random_range(0..n_symbols)).collect();
                }
                let symbol = if walk % 2 == 0 {
                    period[walk][step % period[walk].len()]
                } else {
                    rng.random_range(0..n_symbols)
                };
                at[walk] = nodes.next[at[walk]][symbol];
                x.row_mut(walk).iter_mut().zip(&self.alphabet[symbol]).for_each(|(to, &v)| *to = v as f32);
            }
            state = self.net.step(&state, &x);
            for walk in 0..WALKS {
                let kept: &mut Vec<Vec<f32>> = &mut visited[at[walk]];
                if kept.len() < KEPT {
                    kept.push(state.row(walk).to_vec());
                }
            }
        }
        visited
    }

    /// Grows regions from the initial state until nothing leaves them.
    fn grow(
        &self,
        nodes: &Nodes,
        (bases, basis): (&[Vec<f64>], &[usize]),
        pieces: usize,
        arithmetic: Arithmetic,
        left: &mut f64,
    ) -> Grown {
        let single = arithmetic == Arithmetic::Float32;
        let d = self.net.hidden_dim();
        let Some(bases) = bases.iter().map(|rows| Basis::new(rows, d)).collect::<Option<Vec<_>>>() else {
            return Grown::Failed;
        };
        let mut regions: Vec<Vec<[f64; 2]>> = vec![Vec::new(); nodes.len()];
        let mut dirty = vec![false; nodes.len()];
        dirty[0] = true;
        // What an attempt may spend: the early ones are the cheap ones.
        let mut own = *left * SHARE;
        for _ in 0..ROUNDS {
            let mut changed = false;
            for at in 0..nodes.len() {
                if !std::mem::take(&mut dirty[at]) {
                    continue;
                }
                let mut arrived: BTreeMap<usize, Vec<[f64; 2]>> = BTreeMap::new();
                for piece in cut(&regions[at], pieces) {
                    let set = inside(&bases[basis[at]], &piece, d, single);
                    let before = *left;
                    let followed = self.pass(nodes, at, &set, left, &mut |to, image| {
                        let piece = bases[basis[to]].coordinates(image);
                        arrived.entry(to).and_modify(|all| hold(all, &piece)).or_insert(piece);
                    });
                    own -= before - *left;
                    if followed.is_none() {
                        return Grown::Failed;
                    }
                }
                for (to, coordinates) in arrived {
                    let region = &mut regions[to];
                    if region.is_empty() {
                        let start = if to == 0 { vec![[0.0, 0.0]; d] } else { coordinates.clone() };
                        *region = start;
                        hold(region, &coordinates);
                        region.iter_mut().for_each(|side| *side = widened(*side, 1e-3));
                    } else if within(&coordinates, region) {
                        continue;
                    } else {
                        for (side, new) in region.iter_mut().zip(&coordinates) {
                            if new[0] < side[0] || new[1] > side[1] {
                                *side = widened([side[0].min(new[0]), side[1].max(new[1])], 1e-3);
                            }
                        }
                    }
                    (dirty[to], changed) = (true, true);
                }
                if own < 0.0 || (self.config.deadline)() {
                    return Grown::Failed;
                }
            }
            if !changed {
                return Grown::Closed(regions);
            }
        }
        Grown::Failed
    }

    /// Follows a set from a node to the next regions; `None` where an output may be read wrongly.
    fn pass(
        &self,
        nodes: &Nodes,
        at: usize,
        set: &Forms,
        left: &mut f64,
        arrive: &mut dyn FnMut(usize, &Forms),
    ) -> Option<()> {
        for (symbol, &to) in nodes.next[at].iter().enumerate() {
            *left -= self.cost_of(set.width);
            let image = self.image(nodes.state[at], symbol, set)?;
            if nodes.passed[to] {
                self.pass(nodes, to, &carried(image), left, arrive)?;
            } else {
                arrive(to, &image);
            }
        }
        (*left > 0.0).then_some(())
    }

    /// The image of a set under an element, if it is decoded rightly.
    fn image(&self, state: usize, symbol: usize, set: &Forms) -> Option<Forms> {
        let image = forms::step(self.net, set, forms::fed(self.net, &self.alphabet[symbol], 0));
        let y = forms::read(self.net, &image);
        let point = state * self.alphabet.len() + symbol;
        (self.decoder.margin(&y, &self.automaton.outputs, point) > 0.0 && image.is_finite()).then_some(image)
    }

    /// A proof for a length, as far as one reaches.
    fn bounded(&self, arithmetic: Arithmetic, wanted: usize, share: f64) -> Option<Proof> {
        let single = arithmetic == Arithmetic::Float32;
        let mut left = self.config.work * share;
        let most = self.node_limit(share / 3.0);
        let mut best: Option<(usize, usize)> = None;
        for k in 0..=24 {
            let Some(nodes) = Nodes::of(&self.automaton, self.alphabet.len(), (k, 1), most) else { break };
            if left <= 0.0 || (self.config.deadline)() {
                break;
            }
            let length = self.follow(&nodes, wanted.max(1), single, &mut left);
            if best.is_none_or(|(most, _)| length > most) {
                best = Some((length, k));
            }
            // Finer distinctions reach less far once nodes run out.
            if length >= wanted || (!nodes.is_closed() && best.is_some_and(|(_, of)| of + 3 < k)) {
                break;
            }
        }
        let (mut length, k) = best.filter(|(length, _)| *length > 0)?;
        let nodes = Nodes::of(&self.automaton, self.alphabet.len(), (k, 1), most)?;
        if length >= wanted && self.config.refuted_beyond != Some(wanted) && left > 0.0 {
            length = length.max(self.follow(&nodes, MAX_LENGTH, single, &mut left));
        }
        let d = self.net.hidden_dim();
        let identity = (0..d * d).map(|i| f64::from(u8::from(i / d == i % d))).collect();
        let regions = vec![Vec::new(); nodes.len()];
        let basis = vec![0; nodes.len()];
        Some(self.proof(&nodes, (vec![identity], &basis), regions, (1, arithmetic, Some(length))))
    }

    /// A proof for a length that is checked soon.
    fn shortened(&self, proof: Proof) -> Option<Proof> {
        let Regions::Boxes(boxes) = &proof.regions else { return None };
        let step = self.cost() * (boxes.nodes.len() * self.alphabet.len()) as f64;
        let length = proof.length?.min((SOON / step) as usize);
        (length > 0).then_some(Proof { length: Some(length), ..proof })
    }

    /// The length up to which outputs stay right, by boxes along the axes.
    fn follow(&self, nodes: &Nodes, most: usize, single: bool, left: &mut f64) -> usize {
        let d = self.net.hidden_dim();
        let identity: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i / d == i % d))).collect();
        let Some(basis) = Basis::new(&identity, d) else { return 0 };
        let mut now: Vec<Option<Vec<[f64; 2]>>> = vec![None; nodes.len()];
        now[0] = Some(Vec::new());
        for step in 0..most {
            let mut after: Vec<Option<Vec<[f64; 2]>>> = vec![None; nodes.len()];
            for (at, region) in now.iter().enumerate() {
                let Some(region) = region else { continue };
                let set = inside(&basis, region, d, single);
                // States whose successors were not listed end the proof.
                if self.automaton.next.get(nodes.state[at]).is_none() {
                    return step;
                }
                // A step that was not followed from everywhere proves nothing.
                if *left < 0.0 || (self.config.deadline)() {
                    return step;
                }
                for symbol in 0..self.alphabet.len() {
                    *left -= self.cost();
                    let Some(image) = self.image(nodes.state[at], symbol, &set) else { return step };
                    let Some(&to) = nodes.next.get(at).and_then(|row| row.get(symbol)) else { continue };
                    let coordinates = basis.coordinates(&image);
                    match &mut after[to] {
                        Some(outer) => hold(outer, &coordinates),
                        empty => *empty = Some(coordinates),
                    }
                }
            }
            if (self.config.deadline)() {
                return step + 1;
            }
            // Beyond the listed nodes nothing was followed.
            let lost = now.iter().enumerate().any(|(at, region)| region.is_some() && nodes.next.get(at).is_none());
            if lost {
                return step + 1;
            }
            now = after;
        }
        most
    }

    fn proof(
        &self,
        nodes: &Nodes,
        (bases, basis): (Vec<Vec<f64>>, &[usize]),
        regions: Vec<Vec<[f64; 2]>>,
        (pieces, arithmetic, length): (usize, Arithmetic, Option<usize>),
    ) -> Proof {
        let node = |(at, region): (usize, Vec<[f64; 2]>)| BoxNode {
            state: self.automaton.states[nodes.state[at]].clone(),
            basis: basis[at],
            region,
            next: nodes.next.get(at).cloned().unwrap_or_default(),
        };
        let nodes: Vec<BoxNode> = regions.into_iter().enumerate().map(node).collect();
        Proof { arithmetic, length, gap: Err(LATER), regions: Regions::Boxes(Boxes { bases, pieces, nodes }) }
    }
}

/// Principal axes, row by row: `d * d` numbers.
fn axes(states: &[&[f32]], d: usize) -> Option<Vec<f64>> {
    let n = states.len();
    if n < 2 || states.iter().any(|state| state.iter().any(|v| !v.is_finite())) {
        return None;
    }
    let mean: Vec<f64> = (0..d).map(|i| states.iter().map(|s| f64::from(s[i])).sum::<f64>() / n as f64).collect();
    let covariance = DMatrix::from_fn(d, d, |i, j| {
        states.iter().map(|s| (f64::from(s[i]) - mean[i]) * (f64::from(s[j]) - mean[j])).sum::<f64>()
    });
    let eigen = covariance.symmetric_eigen();
    Some((0..d).flat_map(|k| (0..d).map(move |i| (k, i))).map(|(k, i)| eigen.eigenvectors[(i, k)]).collect())
}
