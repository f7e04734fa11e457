//! Blocks of candidates: columns computed, fingerprinted and looked up together, so that no step is paid per candidate
//! that can be paid per block, and reads of memory overlap.

use super::columns::{Columns, Packed, Place};
use super::production::{Code, Context, Production, Scratch};
use super::queue::{Lists, Unit};
use super::store::{MAX_ARITY, NONE, Node, Store};

/// Codes per block and argument: a few buffers of this size fit the innermost caches.
const WORDS: usize = 2048;

/// The next combinations of a unit's ranges, in order.
#[derive(Clone, Debug)]
pub(crate) struct Odometer<'a> {
    unit: &'a Unit,
    /// What comes next; none at the end.
    pub(crate) at: Option<[usize; MAX_ARITY]>,
}

impl<'a> Odometer<'a> {
    pub(crate) fn new(unit: &'a Unit, from: Option<[usize; MAX_ARITY]>) -> Self {
        let first = || {
            let mut at = [0; MAX_ARITY];
            for (a, range) in at.iter_mut().zip(&unit.args) {
                *a = range.low;
            }
            if unit.ordered {
                at[1] = at[1].max(at[0]);
            }
            at
        };
        Self { unit, at: Some(from.unwrap_or_else(first)) }
    }

    pub(crate) fn production(&self) -> u16 {
        self.unit.production
    }

    /// Steps to the next combination; no combination at the end.
    fn step(&mut self) {
        let Some(at) = &mut self.at else { return };
        let args = &self.unit.args;
        for i in (0..args.len()).rev() {
            at[i] += 1;
            if at[i] >= args[i].high {
                continue;
            }
            for (later, range) in at.iter_mut().zip(args).skip(i + 1) {
                *later = range.low;
            }
            // A second position that must not precede the first has no place in a range that ends before.
            if self.unit.ordered {
                at[1] = at[1].max(at[0]);
                if at[1] >= args[1].high {
                    break;
                }
            }
            return;
        }
        self.at = None;
    }

    pub(crate) fn skip(mut self, n: usize) -> Option<[usize; MAX_ARITY]> {
        for _ in 0..n {
            self.step();
        }
        self.at
    }
}

/// A term that was built of classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) node: Node,
    pub(crate) codes: &'a [i64],
    pub(super) packed: Packed<'a>,
    pub(crate) fingerprint: u32,
    /// Its class, if that is known already.
    pub(crate) known: Option<u32>,
}

/// Candidates of one unit.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Classes of each argument of each candidate.
    args: [Vec<u32>; MAX_ARITY],
    gathered: [Vec<i64>; MAX_ARITY],
    columns: Vec<i64>,
    packed: Columns,
    /// Where each candidate's column lies packed, and its fingerprint.
    keys: Vec<(Place, u32)>,
    /// The class of each candidate, as far as it was there before the block was looked up.
    found: Vec<u32>,
    arity: usize,
    len: usize,
    scratch: Scratch,
}

impl Block {
    /// How many candidates a block holds.
    pub(crate) fn capacity(n_points: usize) -> usize {
        (WORDS / n_points.max(1)).clamp(1, 512)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes the next candidates, at most `n`.
    pub(crate) fn fill(&mut self, odometer: &mut Odometer<'_>, lists: &Lists, n: usize) {
        let unit = odometer.unit;
        let mut sources: [&[u32]; MAX_ARITY] = [&[]; MAX_ARITY];
        for (source, range) in sources.iter_mut().zip(&unit.args) {
            *source = lists.get(range.kind, range.nonterminal, range.cost);
        }
        self.arity = unit.args.len();
        for args in &mut self.args {
            args.clear();
        }
        self.len = 0;
        let last = self.arity - 1;
        while self.len < n
            && let Some(at) = &mut odometer.at
        {
            // A row: all but the last argument stay.
            let row = (unit.args[last].high - at[last]).min(n - self.len);
            for ((args, source), &position) in self.args.iter_mut().zip(&sources).zip(&*at).take(last) {
                args.resize(args.len() + row, source[position]);
            }
            self.args[last].extend_from_slice(&sources[last][at[last]..at[last] + row]);
            self.len += row;
            at[last] += row - 1;
            odometer.step();
        }
    }

    /// Computes the columns and looks them up.
    pub(crate) fn run(&mut self, production: &Production, context: &Context<'_>, store: &Store) {
        let n = store.n_points();
        self.columns.resize(self.len * n, 0);
        let mut inputs: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
        for ((input, classes), gathered) in inputs.iter_mut().zip(&self.args).zip(&mut self.gathered).take(self.arity) {
            *input = gather(store, classes, gathered);
        }
        let inputs = &inputs[..self.arity];
        if matches!(production.code, Code::Interpreted) && n > 0 {
            // What is interpreted might look at the number of points.
            for (i, out) in self.columns.chunks_exact_mut(n).enumerate() {
                let mut one: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
                for (one, all) in one.iter_mut().zip(inputs) {
                    *one = &all[i * n..(i + 1) * n];
                }
                production.code.run(production, context, &one[..inputs.len()], &mut self.scratch, out);
            }
        } else {
            production.code.run(production, context, inputs, &mut self.scratch, &mut self.columns);
        }
        self.packed.clear(n);
        self.keys.clear();
        for i in 0..self.len {
            let place = self.packed.push(&self.columns[i * n..(i + 1) * n]);
            self.keys.push((place, store.fingerprint(production.result, self.packed.packed(place))));
        }
        store.find_all(production.result, &self.packed, &self.keys, &mut self.found);
    }

    /// A candidate: its node, its column, its fingerprint and the class that it had when the block was looked up.
    pub(crate) fn candidate(&self, i: usize, production: u16) -> Candidate<'_> {
        let mut args = [0; MAX_ARITY];
        for (arg, classes) in args.iter_mut().zip(&self.args).take(self.arity) {
            *arg = classes[i];
        }
        let n = self.packed.n_points();
        let (place, fingerprint) = self.keys[i];
        Candidate {
            node: Node { production, args },
            codes: &self.columns[i * n..(i + 1) * n],
            packed: self.packed.packed(place),
            fingerprint,
            known: Some(self.found[i]).filter(|&class| class != NONE),
        }
    }
}

/// The columns of classes one after the other.
fn gather<'a>(store: &Store, classes: &[u32], gathered: &'a mut Vec<i64>) -> &'a [i64] {
    let n = store.n_points();
    gathered.resize(classes.len() * n, 0);
    let mut at = 0;
    // All but the last argument stay the same in a row.
    for row in classes.chunk_by(|a, b| a == b) {
        let (start, len) = (at * n, row.len() * n);
        store.read(row[0], &mut gathered[start..start + n]);
        let mut done = n;
        while done < len {
            let next = done.min(len - done);
            gathered.copy_within(start..start + next, start + done);
            done += next;
        }
        at += row.len();
    }
    gathered
}
