//! Scrubbing a recurrent network: the hidden state after every element carries the variables, and nothing else.
//!
//! The network unrolled in time is a chain, so the treeified computation of an output is a chain too: at every step the
//! state that the next step reads comes from another sequence on which the variables have the same values, and the
//! state that the read-out reads from one on which the program has the same output. Doing this for all sequences of a batch at once, step by step, gives
//! every sequence an independent draw at every occurrence.

use std::sync::atomic::{AtomicUsize, Ordering};

use graph::{Matrix, Recurrence};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use samples::{Batch, Column, Decode, Rng, UNDEFINED, rng};

use crate::classes::{ClassSizes, Classes};
use crate::controls::{Draws, Extent, Families};
use crate::statistics::{Effect, Losses, losses, recovered};
use crate::{CONTROLS, Error, ScrubConfig, Usable, usable};

/// Raw outputs, step by step: `[n, outputs]` each.
type Steps = Vec<Matrix>;

/// For every element the classes that the next step draws from, and those that the read-out draws from.
type StepClasses = Vec<(Classes, Classes)>;

/// The states of random machines on the sequences of a chain, whose updates cost so much more; none where one cannot be drawn
/// or run.
pub(crate) type RandomStates<'r> = &'r (dyn Fn(usize, &mut Rng) -> Option<Vec<Column>> + Sync);

/// Random machines that are drawn until one says less than the variables.
const DRAWN: usize = 16;

/// What is claimed of a recurrent network's states, on sequences of one length: the next step reads the variables `carried`,
/// the read-out the program's outputs `shown`.
///
/// Outputs that are rounded to integers are compared as these: what rounding takes away is no behaviour.
///
/// That the read-out gives equal outputs for equal outputs of the program adds nothing to their agreement; the content
/// is in the chain of states: what counts are outputs after a state that had another donor than itself. Without a variable nothing is claimed to be carried from step to step, and the controls
/// permute the outputs.
pub(crate) struct Chain<'a> {
    net: &'a Recurrence,
    decode: &'a Decode,
    batch: Batch,
    length: usize,
    carried: Vec<Column>,
    shown: Vec<Column>,
    x: Steps,
    /// The network's own outputs.
    own: Steps,
    /// Another sequence for every one, for comparison.
    partner: Vec<usize>,
    seed: u64,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(
        net: &'a Recurrence,
        decode: &'a Decode,
        batch: Batch,
        carried: Vec<Column>,
        shown: Vec<Column>,
        seed: u64,
    ) -> Self {
        let n = batch.n_sequences();
        let length = if n == 0 { 0 } else { batch.length(0) };
        let x = elements(&batch, length);
        let own = read(plain(net, &x), decode);
        let partner = derangement(n, &mut rng(seed, "scrub shuffle"));
        Self { net, decode, batch, length, carried, shown, x, own, partner, seed }
    }

    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The first of the sequences.
    pub(crate) fn first(&self, n: usize) -> Batch {
        self.batch.select(&(0..n.min(self.batch.n_sequences())).collect::<Vec<_>>())
    }

    /// What scrubbing does, with an interval from so many resamples.
    ///
    /// # Errors
    /// [`Error::Constant`], [`Error::Vacuous`].
    pub(crate) fn effect(&self, bootstrap: usize) -> Result<Effect, Error> {
        Effect::of(&self.observed(), bootstrap, &mut rng(self.seed, "scrub bootstrap"))
    }

    /// The sizes of the classes that the next step draws from, after every element but the last.
    pub(crate) fn sizes(&self) -> ClassSizes {
        let mut sizes = ClassSizes::default();
        let steps = self.steps(&self.carried, None);
        steps.iter().take(self.length.saturating_sub(1)).for_each(|(carried, _)| sizes.add(carried));
        sizes
    }

    /// Variables permuted over the sequences, and random machines in the place of the program.
    ///
    /// # Errors
    /// [`Error::Constant`].
    pub(crate) fn controls(
        &self,
        random: Option<RandomStates<'_>>,
        config: &ScrubConfig<'_>,
    ) -> Result<Families, Error> {
        let observed = recovered(&self.observed()).ok_or(Error::Constant)?;
        let draws =
            Draws { n: CONTROLS.min(config.controls), extent: Extent::Sample, seed: self.seed, late: config.late };
        let permuted = |draw: usize| {
            let mut rng = rng(self.seed, &format!("scrub control {draw}"));
            let permutation = permutation(self.batch.n_sequences(), &mut rng);
            Ok(recovered(&self.losses(&self.steps(&self.carried, Some(&permutation)), &mut rng)))
        };
        let columns = draws.run(observed, permuted)?;
        let (own, roles) = (self.all(&self.carried), self.all(&[]));
        let dropped = AtomicUsize::new(0);
        let other = |random: RandomStates<'_>, draw: usize| {
            let mut rng = rng(self.seed, &format!("scrub program {draw}"));
            for at in 0..DRAWN {
                // Few terms are as small as some variables' updates: larger ones are drawn where these are used up.
                let Some(columns) = random(at / 4, &mut rng) else { continue };
                match usable(&self.all(&columns), &own, &roles) {
                    Usable::SaysNothing => {}
                    Usable::SaysAsMuch => _ = dropped.fetch_add(1, Ordering::Relaxed),
                    Usable::Control => return Ok(recovered(&self.losses(&self.steps(&columns, None), &mut rng))),
                }
            }
            Ok(None)
        };
        let programs = match random {
            Some(random) if draws.n > 0 => Some(draws.run(observed, |draw| other(random, draw))?),
            _ => None,
        };
        let dropped = dropped.into_inner();
        Ok(Families::new(columns, None, None, programs.map(|found| found.of_few(draws.n).without(dropped))))
    }

    fn observed(&self) -> Vec<Losses> {
        self.losses(&self.steps(&self.carried, None), &mut rng(self.seed, "scrub donors"))
    }

    fn losses(&self, classes: &StepClasses, rng: &mut Rng) -> Vec<Losses> {
        let scrubbed = read(scrubbed(self.net, &self.x, classes, rng), self.decode);
        let (own, other) = (|row, at: usize| self.own[at].row(row), |row, at: usize| scrubbed[at].row(row));
        let tested = |row, at: usize| at.checked_sub(1).is_some_and(|before| classes[before].0.has_donor(row));
        losses(self.decode, self.batch.n_sequences(), self.length, own, other, tested, &self.partner)
    }

    /// Classes by some variables, step by step. One permutation for all variables of a site, so that their joint classes keep
    /// their sizes. Where nothing is carried, it is the outputs that controls permute.
    fn steps(&self, carried: &[Column], permutation: Option<&[usize]>) -> StepClasses {
        let of_columns = |columns: &[Column], at: usize, permutation: Option<&[usize]>| -> Classes {
            let key = |row: usize| codes(columns, permutation.map_or(row, |p| p[row]) * self.length + at);
            Classes::from_keys((0..self.batch.n_sequences()).map(key))
        };
        let of_outputs = permutation.filter(|_| carried.is_empty());
        let step = |at| (of_columns(carried, at, permutation), of_columns(&self.shown, at, of_outputs));
        (0..self.length).map(step).collect()
    }

    /// Classes of all points by some variables, within elements.
    fn all(&self, columns: &[Column]) -> Classes {
        let n = self.batch.n_sequences() * self.length;
        Classes::from_keys((0..n).map(|point| (point % self.length.max(1), codes(columns, point))))
    }
}

/// The values of some columns at a point.
fn codes(columns: &[Column], point: usize) -> Vec<i64> {
    columns.iter().map(|column| column.codes.get(point).copied().unwrap_or(UNDEFINED)).collect()
}

fn permutation(n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(rng);
    order
}

/// For every sample another one: a random cycle through all.
pub(crate) fn derangement(n: usize, rng: &mut Rng) -> Vec<usize> {
    let order = permutation(n, rng);
    let mut partner = vec![0; n];
    for (i, &sample) in order.iter().enumerate() {
        partner[sample] = order[(i + 1) % n];
    }
    partner
}

/// Input elements, step by step: `[n, dim]` each.
fn elements(batch: &Batch, length: usize) -> Steps {
    let (n, dim) = (batch.n_sequences(), batch.dim());
    (0..length)
        .map(|step| {
            let element = |row| batch.sequence(row)[step * dim..(step + 1) * dim].iter().map(|&v| v as f32);
            Matrix::new(n, dim, (0..n).flat_map(element).collect())
        })
        .collect()
}

/// The outputs as they are.
fn plain(net: &Recurrence, x: &[Matrix]) -> Steps {
    let mut state = net.initial(x.first().map_or(0, |m| m.rows));
    x.iter()
        .map(|x| {
            state = net.step(&state, x);
            net.readout(&state)
        })
        .collect()
}

/// The outputs when every state comes from a donor of its class at that step: the first class for the next step, the
/// second for the read-out.
fn scrubbed(net: &Recurrence, x: &[Matrix], classes: &StepClasses, rng: &mut Rng) -> Steps {
    let mut state = net.initial(x.first().map_or(0, |m| m.rows));
    x.iter()
        .zip(classes)
        .map(|(x, (carried, shown))| {
            let next = net.step(&state, x);
            let output = net.readout(&next.select(&shown.draw(rng)));
            state = next.select(&carried.draw(rng));
            output
        })
        .collect()
}

/// Outputs as they are read: rounded where the domain says so.
fn read(mut steps: Steps, decode: &Decode) -> Steps {
    if matches!(decode, Decode::Round) {
        steps.iter_mut().for_each(|y| y.data.iter_mut().for_each(|v| *v = v.round()));
    }
    steps
}

/// Uniform sequences of `kinds` different elements of the domain, the same ones for all.
pub(crate) fn few_elements(network: &graph::Network, n: usize, kinds: usize, seed: u64) -> Batch {
    let mut rng = rng(seed, "scrub few elements");
    let length = check::longest_length(&network.domain);
    let chosen = network.domain.sample_of_length(1, kinds, &mut rng);
    let dim = chosen.dim();
    let pick = |rng: &mut Rng| -> Vec<i64> {
        (0..length)
            .flat_map(|_| chosen.sequence(0).chunks(dim).nth(rng.random_range(0..kinds)))
            .flatten()
            .copied()
            .collect()
    };
    Batch::from_sequences(dim, (0..n).map(|_| pick(&mut rng)))
}
