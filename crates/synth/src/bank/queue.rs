//! What is left to combine at a cost: units of work over lists of classes, and where the work stands.

use super::production::Production;
use super::store::MAX_ARITY;

/// Which classes an argument ranges over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// All of a nonterminal and cost.
    Any,
    /// Those whose representative is a constant.
    Constant,
    /// The others.
    Other,
}

/// A range of a list of classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) kind: Kind,
    pub(crate) nonterminal: u16,
    pub(crate) cost: u32,
    pub(crate) low: usize,
    pub(crate) high: usize,
}

/// One production with one split of the cost over its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) production: u16,
    pub(crate) args: Vec<Range>,
    /// Whether the second position must not precede the first: both range over the same list, and their order does not
    /// matter.
    pub(crate) ordered: bool,
}

/// The lists of classes: by kind, nonterminal and cost, in order of discovery.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    lists: Vec<Vec<[Vec<u32>; 3]>>,
    /// Whether constants are told from other classes, for operators that charge for the latter.
    split: bool,
    bytes: usize,
}

impl Lists {
    pub(crate) fn new(n_nonterminals: usize, split: bool) -> Self {
        Self { lists: vec![Vec::new(); n_nonterminals], split, bytes: 0 }
    }

    pub(crate) fn get(&self, kind: Kind, nonterminal: u16, cost: u32) -> &[u32] {
        self.lists[nonterminal as usize].get(cost as usize).map_or(&[], |kinds| kinds[kind as usize].as_slice())
    }

    pub(crate) fn push(&mut self, nonterminal: u16, cost: u32, constant: bool, class: u32) {
        let levels = &mut self.lists[nonterminal as usize];
        while levels.len() <= cost as usize {
            levels.push(Default::default());
        }
        let kinds = &mut levels[cost as usize];
        let second = if constant { Kind::Constant } else { Kind::Other };
        for kind in [Kind::Any, second].into_iter().take(if self.split { 2 } else { 1 }) {
            let list = &mut kinds[kind as usize];
            let before = list.capacity();
            list.push(class);
            self.bytes += (list.capacity() - before) * size_of::<u32>();
        }
    }

    /// Memory allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The lengths of all lists, for telling old entries from new ones later.
    pub(crate) fn marks(&self) -> Marks {
        Marks(
            self.lists
                .iter()
                .map(|levels| levels.iter().map(|k| [k[0].len(), k[1].len(), k[2].len()]).collect())
                .collect(),
        )
    }
}

/// Lengths of lists at some moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<Vec<[usize; 3]>>);

impl Marks {
    fn get(&self, kind: Kind, nonterminal: u16, cost: u32) -> usize {
        self.0.get(nonterminal as usize).and_then(|levels| levels.get(cost as usize)).map_or(0, |k| k[kind as usize])
    }
}

/// The units that build the terms of a cost from classes before `upto` of which at least one is not before `since`; all
/// of them where `since` is absent.
pub(crate) fn units(
    productions: &[Production],
    cost: u32,
    lists: &Lists,
    upto: &Marks,
    since: Option<&Marks>,
) -> Vec<Unit> {
    let mut units = Vec::new();
    for (index, production) in productions.iter().enumerate() {
        let arity = production.params.len();
        // Only chains are free of charge; a class follows them when it is found.
        if arity == 0 || production.cost == 0 || production.cost >= cost {
            continue;
        }
        let mut kinds = vec![Kind::Any; arity];
        each_kind(production, 0, &mut kinds, &mut |kinds, charge| {
            let Some(rest) = cost.checked_sub(production.cost + charge) else { return };
            let mut split = vec![0; arity];
            each_split(rest, 0, &mut split, &mut |split| {
                let full: Vec<Range> = (0..arity)
                    .map(|i| {
                        let (kind, nonterminal, cost) = (kinds[i], production.params[i], split[i]);
                        let high = upto.get(kind, nonterminal, cost).min(lists.get(kind, nonterminal, cost).len());
                        Range { kind, nonterminal, cost, low: 0, high }
                    })
                    .collect();
                let symmetric = production.commutative
                    && arity == 2
                    && kinds[0] == kinds[1]
                    && production.params[0] == production.params[1];
                // The costlier argument first: (+ (* x y) 1).
                if symmetric && split[0] < split[1] {
                    return;
                }
                let ordered = symmetric && split[0] == split[1];
                let production = index as u16;
                let Some(since) = since else { return push(&mut units, Unit { production, args: full, ordered }) };
                for newest in 0..arity {
                    // Of an unordered pair, the second position is the later one: it has to be new.
                    if ordered && newest == 0 {
                        continue;
                    }
                    let mut args = full.clone();
                    for (i, range) in args.iter_mut().enumerate() {
                        let old = since.get(range.kind, range.nonterminal, range.cost);
                        match i.cmp(&newest) {
                            std::cmp::Ordering::Less if !ordered => range.high = range.high.min(old),
                            std::cmp::Ordering::Equal => range.low = old,
                            _ => {}
                        }
                    }
                    push(&mut units, Unit { production, args, ordered });
                }
            });
        });
    }
    units
}

fn push(units: &mut Vec<Unit>, unit: Unit) {
    if unit.args.iter().all(|range| range.low < range.high) {
        units.push(unit);
    }
}

/// Every choice of constant or other for the arguments that are charged, with the charge.
fn each_kind(production: &Production, charge: u32, kinds: &mut Vec<Kind>, visit: &mut impl FnMut(&[Kind], u32)) {
    fn go(charges: &[u32], at: usize, charge: u32, kinds: &mut Vec<Kind>, visit: &mut dyn FnMut(&[Kind], u32)) {
        match charges.get(at) {
            None => visit(kinds, charge),
            Some(0) => go(charges, at + 1, charge, kinds, visit),
            Some(&extra) => {
                kinds[at] = Kind::Constant;
                go(charges, at + 1, charge, kinds, visit);
                kinds[at] = Kind::Other;
                go(charges, at + 1, charge + extra, kinds, visit);
                kinds[at] = Kind::Any;
            }
        }
    }
    go(&production.charges, 0, charge, kinds, visit);
}

/// Every way to split a cost into positive parts.
fn each_split(rest: u32, at: usize, split: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
    let left = (split.len() - at) as u32;
    if rest < left {
        return;
    }
    if left == 1 {
        split[at] = rest;
        return visit(split);
    }
    for part in 1..=rest - (left - 1) {
        split[at] = part;
        each_split(rest - part, at + 1, split, visit);
    }
}

/// How far the work on a list of units has come.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) units: Vec<Unit>,
    pub(crate) unit: usize,
    /// The next positions to combine, in the lists of the current unit; empty at its start.
    pub(crate) positions: Option<[usize; MAX_ARITY]>,
}

impl Cursor {
    pub(crate) fn new(units: Vec<Unit>) -> Self {
        Self { units, unit: 0, positions: None }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.unit >= self.units.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_all_and_positive() {
        let mut seen = Vec::new();
        each_split(5, 0, &mut vec![0; 3], &mut |split| seen.push(split.to_vec()));
        assert_eq!(seen, [[1, 1, 3], [1, 2, 2], [1, 3, 1], [2, 1, 2], [2, 2, 1], [3, 1, 1]]);
        each_split(2, 0, &mut vec![0; 3], &mut |_| panic!("two does not split in three"));
    }
}
