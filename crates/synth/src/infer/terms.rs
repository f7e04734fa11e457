//! Terms of the workload: shared nodes with what the loop asks of them all the time.

use std::cmp::Ordering;

use dsl::{Func, Language, OpId, SortPattern, Term};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::saturate::abstraction::{Abstract, of_application};

/// A node of [`Terms`]: its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct TermId(pub(super) u32);

/// The head of a node. The order breaks ties between terms of equal size and cost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Head {
    Const(u16),
    Var(u16),
    Op(OpId),
}

struct Entry {
    head: Head,
    children: Vec<TermId>,
    sort: Sort,
    size: u32,
    cost: u32,
    /// The variables in it, one bit each.
    vars: u64,
    /// What is known of its values where all variables have one.
    known: Option<Abstract>,
}

/// Hash-consed terms over a fixed list of variables.
pub(super) struct Terms<'l> {
    pub(super) language: &'l Language,
    pub(super) vars: Vec<(Symbol, Sort)>,
    constants: Vec<Value>,
    entries: Vec<Entry>,
    index: FxHashMap<(Head, Vec<TermId>), TermId>,
}

impl<'l> Terms<'l> {
    pub(super) fn new(language: &'l Language, vars: Vec<(Symbol, Sort)>) -> Self {
        Self { language, vars, constants: Vec::new(), entries: Vec::new(), index: FxHashMap::default() }
    }

    pub(super) fn var(&mut self, index: usize) -> TermId {
        let sort = self.vars[index].1;
        let known = Abstract { defined: true, ..Abstract::top(sort) };
        let head = Head::Var(index as u16);
        self.add(Entry { head, children: Vec::new(), sort, size: 1, cost: 1, vars: 1 << index, known: Some(known) })
    }

    /// A constant; `None` for the undefined one, which has no sort.
    pub(super) fn constant(&mut self, value: Value) -> Option<TermId> {
        let sort = value.sort()?;
        let index = self.constants.iter().position(|other| *other == value).unwrap_or_else(|| {
            self.constants.push(value);
            self.constants.len() - 1
        });
        let (cost, known) = (self.language.constants.cost(value), Abstract::constant(value));
        let head = Head::Const(index as u16);
        Some(self.add(Entry { head, children: Vec::new(), sort, size: 1, cost, vars: 0, known }))
    }

    /// An application; `None` where the sorts do not fit.
    pub(super) fn op(&mut self, id: OpId, children: Vec<TermId>) -> Option<TermId> {
        let key = (Head::Op(id), children);
        if let Some(&known) = self.index.get(&key) {
            return Some(known);
        }
        let children = key.1;
        let operator = self.language.op(id);
        let mut choice: Vec<(Symbol, Sort)> = Vec::new();
        for ((_, pattern), &child) in operator.params.iter().zip(&children) {
            bind(*pattern, self.sort(child), &mut choice)?;
        }
        let sort = operator.result.instantiate(&choice)?;
        let known: Option<Vec<Abstract>> = children.iter().map(|&child| self.entry(child).known).collect();
        let known = known.and_then(|known| of_application(self.language, &Func::Op(id), &known));
        let sum = |of: fn(&Entry) -> u32| children.iter().map(|&child| of(self.entry(child))).sum::<u32>();
        let (size, cost) = (1 + sum(|entry| entry.size), operator.cost + sum(|entry| entry.cost));
        let vars = children.iter().fold(0, |vars, &child| vars | self.entry(child).vars);
        Some(self.add(Entry { head: Head::Op(id), children, sort, size, cost, vars, known }))
    }

    fn add(&mut self, entry: Entry) -> TermId {
        let next = TermId(self.entries.len() as u32);
        let id = *self.index.entry((entry.head, entry.children.clone())).or_insert(next);
        if id == next {
            self.entries.push(entry);
        }
        id
    }

    fn entry(&self, id: TermId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    pub(super) fn head(&self, id: TermId) -> Head {
        self.entry(id).head
    }

    pub(super) fn children(&self, id: TermId) -> &[TermId] {
        &self.entry(id).children
    }

    pub(super) fn sort(&self, id: TermId) -> Sort {
        self.entry(id).sort
    }

    pub(super) fn size(&self, id: TermId) -> u32 {
        self.entry(id).size
    }

    pub(super) fn vars(&self, id: TermId) -> u64 {
        self.entry(id).vars
    }

    /// Whether it has a value wherever its variables have one.
    pub(super) fn is_total(&self, id: TermId) -> bool {
        self.entry(id).known.is_some_and(|known| known.defined)
    }

    /// Whether it is true wherever its variables have a value.
    pub(super) fn is_true(&self, id: TermId) -> bool {
        self.entry(id).known.is_some_and(|known| known.is_true())
    }

    pub(super) fn n_constants(&self, id: TermId) -> usize {
        let own = usize::from(matches!(self.head(id), Head::Const(_)));
        own + self.children(id).iter().map(|&child| self.n_constants(child)).sum::<usize>()
    }

    /// A total order of terms that replacing a subterm by a smaller one respects: by size, then cost, then heads.
    pub(super) fn compare(&self, a: TermId, b: TermId) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (x, y) = (self.entry(a), self.entry(b));
        let by_weight = (x.size, x.cost, x.head).cmp(&(y.size, y.cost, y.head));
        let mut pairs = x.children.iter().zip(&y.children);
        by_weight.then_with(|| {
            pairs.find_map(|(&c, &d)| Some(self.compare(c, d)).filter(|o| o.is_ne())).unwrap_or(Ordering::Equal)
        })
    }

    /// The term, with its variables under the names given.
    pub(super) fn term(&self, id: TermId, name: &dyn Fn(usize) -> Symbol) -> Term {
        match self.head(id) {
            Head::Var(index) => Term::var(name(usize::from(index))),
            Head::Const(index) => Term::constant(self.constants[usize::from(index)]),
            Head::Op(op) => Term::op(op, self.children(id).iter().map(|&child| self.term(child, name)).collect()),
        }
    }

    /// The variables in order of first occurrence.
    pub(super) fn occurrences(&self, id: TermId, seen: &mut Vec<usize>) {
        match self.head(id) {
            Head::Var(index) if !seen.contains(&usize::from(index)) => seen.push(usize::from(index)),
            Head::Op(_) => self.children(id).iter().for_each(|&child| self.occurrences(child, seen)),
            _ => {}
        }
    }
}

/// Makes a pattern stand for a sort; `None` where it cannot.
pub(super) fn bind(pattern: SortPattern, sort: Sort, choice: &mut Vec<(Symbol, Sort)>) -> Option<()> {
    if !pattern.admits(sort) {
        return None;
    }
    if let SortPattern::Var(name) = pattern {
        match choice.iter().find(|(other, _)| *other == name) {
            Some((_, known)) => return (*known == sort).then_some(()),
            None => choice.push((name, sort)),
        }
    }
    Some(())
}
