//! The inputs that a mechanism is looked for on, and the other ones that it is confirmed on.

use std::collections::BTreeMap;

use graph::{Graph, Network};
use rand::seq::SliceRandom as _;
use samples::{Batch, Column, Decode, Elements, Points, Sort, Symbol, rng};
use scrub::{Classes, Pool};

use super::flat::Inputs;
use crate::{Config, Error};

/// Sequences are cut to so many elements, in turn, where every prefix is an input.
const LENGTHS: [usize; 5] = [12, 8, 16, 24, 40];
/// Longer sequences are left out where they cannot be cut, as long as there are others.
const LONGEST: usize = 32;
/// Sequences at least, where there are so many.
const SEQUENCES: usize = 100;
/// Outputs that count at least.
const OUTPUTS: usize = 600;
/// For either a sample may have so many times as many points.
const AT_MOST: (usize, usize) = (4, 2);

/// Inputs with the network's values on them, and what a program and the network see.
pub(super) struct Sample {
    pub(super) points: Points,
    /// What a program sees, then [`POSITIONS`].
    pub(super) vars: Vec<(Symbol, Column)>,
    pub(super) pool: Pool,
    /// The part that a point plays in its sequence.
    role: Vec<u32>,
    parts: Vec<Role>,
    pub(super) roles: Classes,
}

/// A part of a sequence: how many dividing tokens were passed, which one stands here, whether the output counts.
pub(super) type Role = (usize, Option<i64>, bool);

/// What a sample is for: the networks come with inputs of their own for each, see [`crate::Halves`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Explore,
    Confirm,
}

impl Sample {
    /// A sample of about so many points of what the domain shows.
    ///
    /// # Errors
    /// Where the network cannot be run.
    pub(super) fn draw(
        network: &Network,
        graph: &Graph,
        half: Half,
        n_points: usize,
        config: &Config<'_>,
    ) -> Result<Self, Error> {
        let (batch, scored) = recorded(network, half, n_points, config);
        let pool = Pool::new(network, graph, &batch, Some(&scored)).map_err(super::failed)?;
        let mut vars = network.domain.columns(&batch);
        vars.push(positions(&batch));
        let parts = roles(&batch, &scored);
        let role = samples::Partition::from_keys(parts.iter().copied()).classes().to_vec();
        let roles = pool.classes(|point| role[point]);
        Ok(Self { points: batch.points(), vars, pool, role, parts, roles })
    }

    /// The part that a point plays.
    pub(super) fn part(&self, point: usize) -> Role {
        self.parts[point]
    }

    pub(super) fn inputs<'a>(&'a self, config: &Config<'a>) -> Inputs<'a> {
        Inputs { language: config.language, points: &self.points, vars: &self.vars }
    }

    /// Classes of equal values of some columns, within roles.
    pub(super) fn classes(&self, columns: &[&Column]) -> Classes {
        self.pool.classes(|point| {
            let codes: Vec<i64> = columns.iter().map(|column| column.codes[point]).collect();
            (self.role[point], codes)
        })
    }
}

/// What the network sees beside what a program does, by name: the absolute position of every element.
pub(super) const POSITIONS: &str = "positions";

fn positions(batch: &Batch) -> (Symbol, Column) {
    let row = |row| (0..batch.length(row) as i64).map(move |index| batch.origin(row) + index);
    (POSITIONS.into(), Column::new(Sort::Int, (0..batch.n_sequences()).flat_map(row).collect()))
}

/// Some recorded inputs (drawn ones where none are recorded) and whether their outputs count.
fn recorded(network: &Network, half: Half, n_points: usize, config: &Config<'_>) -> (Batch, Vec<bool>) {
    let (all, scored) = match &network.domain.elements {
        Elements::Recorded { inputs, scored, .. } => (inputs.clone(), scored.clone()),
        _ => {
            let purpose = match half {
                Half::Explore => "mechanism: inputs",
                Half::Confirm => "mechanism: other inputs",
            };
            let batch = network.domain.sample(500, &mut rng(config.seed, purpose));
            let n = batch.points().len();
            (batch, vec![true; n])
        }
    };
    let mut rows: Vec<usize> = (0..all.n_sequences()).collect();
    rows.shuffle(&mut rng(config.seed, "mechanism: rows"));
    let cut = network.domain.decode == Decode::LegalTokens;
    if !cut {
        rows.sort_by_key(|&row| all.length(row).max(LONGEST));
    }
    let points = all.points();
    let (mut batch, mut counts, mut n_outputs) = (Batch::new(all.dim()), Vec::new(), 0);
    for row in rows {
        let most = match (n_outputs < OUTPUTS, batch.n_sequences() < SEQUENCES) {
            (true, _) => AT_MOST.0,
            (false, true) => AT_MOST.1,
            (false, false) => 1,
        };
        if counts.len() >= most * n_points {
            break;
        }
        let longest = if cut { LENGTHS[batch.n_sequences() % LENGTHS.len()] } else { usize::MAX };
        let length = all.length(row).min(longest);
        batch.push_at(&all.sequence(row)[..length * all.dim()], all.origin(row));
        counts.extend(points.range(row).take(length).map(|point| scored[point]));
        n_outputs += points.range(row).take(length).filter(|&point| scored[point]).count();
    }
    (batch, counts)
}

/// The part that every point plays: tokens that stand exactly once in every sequence that is long enough to show it divide
/// a sequence into parts, and play a part of their own; and outputs count or do not.
fn roles(batch: &Batch, scored: &[bool]) -> Vec<Role> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    let mut repeated: BTreeMap<i64, bool> = BTreeMap::new();
    for row in 0..batch.n_sequences() {
        let mut here: BTreeMap<i64, usize> = BTreeMap::new();
        batch.sequence(row).iter().for_each(|&token| *here.entry(token).or_insert(0) += 1);
        for (token, n) in here {
            *counts.entry(token).or_insert(0) += 1;
            *repeated.entry(token).or_insert(false) |= n > 1;
        }
    }
    let divides = |token: i64| counts.get(&token) == Some(&batch.n_sequences()) && repeated.get(&token) == Some(&false);
    let mut keys = Vec::new();
    let mut point = 0;
    for row in 0..batch.n_sequences() {
        let mut passed = 0;
        for &token in batch.sequence(row) {
            let divider = divides(token).then_some(token);
            passed += usize::from(divider.is_some());
            keys.push((passed, divider, scored.get(point).copied().unwrap_or(false)));
            point += 1;
        }
    }
    keys
}
