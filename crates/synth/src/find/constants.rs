//! Which constants a search for a function tries, beside those that the file lists.

use dsl::{Constants, Grammar, Language, Node, Production, Term, Wanted};
use samples::{Sort, Symbol, Value};

use crate::bank::Leaf;

/// Of which terms a lower bound on cost speaks; the later ones say less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum BoundScope {
    /// Of all terms of a grammar.
    Grammar,
    /// Of those with the constants that were tried, where a grammar has any constant.
    ConstantsTried,
    /// Of those with the operators and constants that were tried, where there is no grammar.
    TermsTried,
}

impl BoundScope {
    /// What holds of a search over a grammar, if it is one, that tried every constant of some sorts.
    pub fn of(grammar: Option<&Grammar>, are_all_tried: impl Fn(Sort) -> bool) -> Self {
        let Some(grammar) = grammar else { return Self::TermsTried };
        let is_any = |production: &Production| matches!(production, Production::AnyConstant { .. });
        let mut own = grammar.nonterminals.iter();
        match own.any(|own| !are_all_tried(own.sort) && own.productions.iter().any(is_any)) {
            true => Self::ConstantsTried,
            false => Self::Grammar,
        }
    }

    /// What follows on "no solution" or "no others", in words.
    pub fn among(self) -> &'static str {
        match self {
            Self::Grammar => "",
            Self::ConstantsTried => " with the constants tried",
            Self::TermsTried => " with the operators and constants tried",
        }
    }
}

/// The constants beside those listed that a search tries.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Tried {
    /// Those of the examples and of the meaning, and all values of a finite sort that are to be solved for.
    pub constants: Vec<Value>,
    /// Constants in one term that were solved for, at most.
    pub n_holes: usize,
    /// Terms whose constants were solved for, as shapes: with places for the constants.
    pub n_shapes: u64,
    /// Shapes that were too hard for linear algebra, and were given to the solver.
    pub n_asked: u64,
}

/// Constants of the examples and of the meaning that are tried.
const MOST_CONSTANTS: usize = 32;

/// All values of a finite sort: these need no solving.
pub(super) fn members(language: &Language, sort: Sort) -> Option<Vec<Value>> {
    match sort {
        Sort::Bool => Some(vec![Value::Bool(false), Value::Bool(true)]),
        Sort::Enum(name) => {
            let declared = language.enums.iter().find(|declared| declared.name == name)?;
            Some(declared.values.iter().map(|&value| Value::Enum(name, value)).collect())
        }
        _ => None,
    }
}

/// Whether every constant that a term may hold of a sort is tried.
pub(super) fn are_all_tried(language: &Language, sort: Sort) -> bool {
    let constants: &Constants = &language.constants;
    constants.open_cost(sort).is_none() || (constants.solve(sort) && members(language, sort).is_some())
}

/// The constants of the examples and of the meaning, of sorts that may have others than those listed, and all members of
/// finite sorts that are to be solved for.
pub(super) fn constants(language: &Language, wanted: &Wanted) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    literals(wanted.meaning.as_ref(), &mut all);
    all.extend(wanted.examples.iter().map(|(_, value)| *value));
    all.extend(wanted.examples.iter().flat_map(|(arguments, _)| arguments.iter().copied()));
    let mut different: Vec<Value> = Vec::new();
    for value in all {
        let is_open = value.sort().is_some_and(|sort| language.constants.open_cost(sort).is_some());
        if is_open && !different.contains(&value) && different.len() < MOST_CONSTANTS {
            different.push(value);
        }
    }
    for group in language.constants.groups.iter().filter(|group| group.solve) {
        let members = members(language, group.sort).unwrap_or_default();
        let new: Vec<Value> = members.into_iter().filter(|value| !different.contains(value)).collect();
        different.extend(new);
    }
    different
}

pub(super) fn literals(term: Option<&Term>, found: &mut Vec<Value>) {
    match term.map(Term::node) {
        Some(Node::Const(value)) => found.push(*value),
        Some(Node::App(_, args)) => args.iter().for_each(|arg| literals(Some(arg), found)),
        Some(Node::Let(bindings, body)) => {
            bindings.iter().for_each(|(_, bound)| literals(Some(bound), found));
            literals(Some(body), found);
        }
        _ => {}
    }
}

/// Puts leaves in the places of a grammar for any constant, where they have the sort and are not there yet.
pub(super) fn fill(grammar: &mut Grammar, leaves: &[Leaf]) {
    for own in &mut grammar.nonterminals {
        if !own.productions.iter().any(|production| matches!(production, Production::AnyConstant { .. })) {
            continue;
        }
        for leaf in leaves.iter().filter(|leaf| leaf.column.sort == own.sort) {
            let is_there =
                own.productions.iter().any(|p| matches!(p, Production::Leaf { term, .. } if *term == leaf.term));
            if !is_there {
                own.productions.push(Production::Leaf { term: leaf.term.clone(), cost: leaf.cost });
            }
        }
    }
}

/// A place for a constant that is solved for: a variable of no program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hole {
    pub(super) name: Symbol,
    pub(super) sort: Sort,
    /// What the cheapest constant costs.
    pub(super) cost: u32,
}

impl Hole {
    /// So many holes of every sort whose constants are solved for.
    pub(super) fn all(language: &Language, n: usize) -> Vec<Self> {
        let mut holes: Vec<Self> = Vec::new();
        for sort in language.constants.groups.iter().filter(|group| group.solve).map(|group| group.sort) {
            let is_number = matches!(sort, Sort::Int | Sort::BitVec(_));
            if is_number && holes.iter().all(|hole| hole.sort != sort) {
                let cost = language.constants.open_cost(sort).unwrap_or(1).max(1);
                let hole = |i| Self { name: Symbol::new(&format!("(hole {i} {sort})")), sort, cost };
                holes.extend((0..n).map(hole));
            }
        }
        holes
    }
}
