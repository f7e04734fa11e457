//! The workload: terms by size over the smallest term of every class, and the pairs of terms with equal values.

use std::rc::Rc;

use dsl::{Func, Language, OpId};
use rustc_hash::{FxHashMap, FxHasher};
use samples::{Column, Sort, Symbol, UNDEFINED, Value, encode_value};
use std::hash::Hasher as _;

use super::rewrite::{Facts, Rewriter};
use super::terms::{Head, TermId, Terms};

/// Points where every variable has a value, and then points where some have none.
const N_TOTAL: usize = 160;
const N_PARTIAL: usize = 160;

/// The sample points: one column for each variable.
pub(super) struct Points {
    columns: Vec<Column>,
}

impl Points {
    /// Points over all variables, the same ones every time.
    pub(super) fn new(language: &Language, vars: &[(Symbol, Sort)]) -> Self {
        let columns = vars
            .iter()
            .enumerate()
            .map(|(var, &(_, sort))| {
                let codes = (0..N_TOTAL + N_PARTIAL).map(|point| {
                    let draw = mix((var as u64) << 32 | point as u64);
                    let is_missing = point >= N_TOTAL && draw % 5 < 2 && sort.is_undefined(UNDEFINED);
                    if is_missing { UNDEFINED } else { value(language, sort, draw / 5) }
                });
                Column::new(sort, codes.collect())
            })
            .collect();
        Self { columns }
    }

    pub(super) fn len(&self) -> usize {
        N_TOTAL + N_PARTIAL
    }

    /// Whether a variable has a value at a point.
    pub(super) fn is_defined(&self, var: usize, point: usize) -> bool {
        !self.columns[var].sort.is_undefined(self.columns[var].codes[point])
    }
}

/// The value of a sort for a draw: numbers mostly near zero.
fn value(language: &Language, sort: Sort, draw: u64) -> i64 {
    let number = |draw: u64| {
        let (far, rest) = (draw.is_multiple_of(4), draw / 4);
        if far { (rest % 61) as i64 - 30 } else { (rest % 10) as i64 - 4 }
    };
    match sort {
        Sort::Bool => (draw % 2) as i64,
        Sort::Int => number(draw),
        Sort::Real => encode_value(Value::Real(number(draw) as f64 / 2.0)),
        Sort::Enum(name) => match language.enums.iter().find(|declared| declared.name == name) {
            Some(declared) if !declared.values.is_empty() => {
                declared.values[(draw % declared.values.len() as u64) as usize].code()
            }
            _ => ["u", "v", "w"].map(|text| Symbol::new(text).code())[(draw % 3) as usize],
        },
        Sort::Symbol => ["u", "v", "w"].map(|text| Symbol::new(text).code())[(draw % 3) as usize],
        Sort::BitVec(width) => (mix(draw) & (u64::MAX >> (64 - u32::from(width.clamp(1, 64))))) as i64,
        Sort::Selector => 0,
    }
}

/// A number that looks random, from its index (the finaliser of splitmix64).
fn mix(index: u64) -> u64 {
    let mut z = index.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 8
}

/// What a part of the workload is made of.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) operators: Vec<OpId>,
    pub(super) atoms: Vec<TermId>,
    pub(super) max_size: u32,
    /// Whether the terms of the last size are kept, with their values.
    pub(super) keeps_all: bool,
}

/// Two terms with equal values wherever all variables have one; the greater one first.
pub(super) type Pair = (TermId, TermId);

/// The classes of one profile.
pub(super) struct Workload {
    pub(super) profile: Profile,
    /// Smallest terms of their classes, by size.
    levels: Vec<Vec<TermId>>,
    classes: FxHashMap<(Sort, u64), TermId>,
    columns: FxHashMap<TermId, Rc<Column>>,
}

impl Workload {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile, levels: vec![Vec::new()], classes: FxHashMap::default(), columns: FxHashMap::default() }
    }

    /// The next size: pairs that it brings, found here or among the classes of `others`; `false` if the limit of terms cut
    /// it short.
    pub(super) fn grow(
        &mut self,
        terms: &mut Terms<'_>,
        points: &Points,
        rewriter: &Rewriter,
        others: Option<&Self>,
        max_terms: usize,
    ) -> (Vec<Pair>, bool) {
        let size = self.levels.len() as u32;
        let mut level = Vec::new();
        let mut whole = true;
        if size == 1 {
            level.clone_from(&self.profile.atoms);
        } else {
            // Variables are taken to have values: what is reduced then is a candidate already.
            let facts = Facts { defined: u64::MAX, holds: Vec::new() };
            for &op in &self.profile.operators.clone() {
                let arity = terms.language.op(op).params.len();
                let mut children = Vec::with_capacity(arity);
                whole &= self.apply(terms, rewriter, &facts, op, arity, size - 1, &mut children, &mut level, max_terms);
            }
        }
        level.sort_by(|&a, &b| terms.compare(a, b));
        level.dedup();
        let is_last = size == self.profile.max_size && !self.profile.keeps_all;
        let (mut pairs, mut kept) = (Vec::new(), Vec::new());
        for term in level {
            let Some(column) = self.column(terms, points, term) else { continue };
            let key = (column.sort, signature(&column.codes[..N_TOTAL]));
            let known = others.and_then(|others| others.classes.get(&key)).or_else(|| self.classes.get(&key));
            match known {
                Some(&known) if known != term => pairs.push((term, known)),
                Some(_) if self.classes.contains_key(&key) => {}
                _ => {
                    self.classes.insert(key, term);
                    if !is_last {
                        self.columns.insert(term, column);
                        kept.push(term);
                    }
                }
            }
        }
        self.levels.push(kept);
        (pairs, whole)
    }

    /// Adds the irreducible applications of an operator to the level.
    #[expect(clippy::too_many_arguments, reason = "the state of one recursion")]
    fn apply(
        &self,
        terms: &mut Terms<'_>,
        rewriter: &Rewriter,
        facts: &Facts,
        op: OpId,
        arity: usize,
        left: u32,
        children: &mut Vec<TermId>,
        level: &mut Vec<TermId>,
        max_terms: usize,
    ) -> bool {
        let missing = (arity - children.len()) as u32;
        if missing == 0 {
            if left > 0 {
                return true;
            }
            if level.len() >= max_terms {
                return false;
            }
            if let Some(term) = terms.op(op, children.clone())
                && rewriter.reduce(terms, term, facts).is_none()
            {
                level.push(term);
            }
            return true;
        }
        let pattern = terms.language.op(op).params[children.len()].1;
        let sizes = if missing == 1 { left..=left } else { 1..=(left + 1).saturating_sub(missing) };
        for size in sizes {
            for &child in self.levels.get(size as usize).map_or(&[][..], Vec::as_slice) {
                if pattern.admits(terms.sort(child)) {
                    children.push(child);
                    let whole = self.apply(terms, rewriter, facts, op, arity, left - size, children, level, max_terms);
                    children.pop();
                    if !whole {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn column(&self, terms: &Terms<'_>, points: &Points, term: TermId) -> Option<Rc<Column>> {
        if let Some(known) = self.columns.get(&term) {
            return Some(known.clone());
        }
        column(terms, points, term, &|child| self.columns.get(&child).cloned())
    }

    /// How many points, the first ones, have a value for every variable.
    pub(super) fn n_total(&self) -> usize {
        N_TOTAL
    }

    /// The terms kept so far, with their columns, by ascending size.
    pub(super) fn kept(&self) -> impl Iterator<Item = (TermId, &Column)> {
        self.levels.iter().flatten().filter_map(|term| self.columns.get(term).map(|column| (*term, &**column)))
    }
}

/// The values of a term at the points.
pub(super) fn column(
    terms: &Terms<'_>,
    points: &Points,
    term: TermId,
    known: &dyn Fn(TermId) -> Option<Rc<Column>>,
) -> Option<Rc<Column>> {
    if let Some(known) = known(term) {
        return Some(known);
    }
    match terms.head(term) {
        Head::Var(var) => Some(Rc::new(points.columns[usize::from(var)].clone())),
        Head::Const(_) => {
            let dsl::Node::Const(value) = *terms.term(term, &|_| Symbol::new("")).node() else { return None };
            Some(Rc::new(Column::constant(value.sort()?, value, points.len())))
        }
        Head::Op(op) => {
            let children: Option<Vec<Rc<Column>>> =
                terms.children(term).iter().map(|&child| column(terms, points, child, known)).collect();
            let children = children?;
            let args: Vec<&Column> = children.iter().map(|child| &**child).collect();
            dsl::apply(terms.language, &Func::Op(op), &args).ok().map(Rc::new)
        }
    }
}

/// A number for some values: equal for equal ones.
pub(super) fn signature(codes: &[i64]) -> u64 {
    let mut hasher = FxHasher::default();
    codes.iter().for_each(|&code| hasher.write_i64(code));
    hasher.finish()
}
