//! What a bank is given and what it answers: configuration, limits, reasons to stop.

use std::borrow::Cow;

use dsl::{Grammar, Language, Node as TermNode, NonterminalId, OpId, Term};
use samples::{Column, Sort, Symbol, Value};

use super::ClassId;
use super::production::{Extra, Leaf};

/// What a bank enumerates: all terms over some leaves, or those of a grammar.
#[derive(Clone, Debug)]
pub struct BankConfig {
    /// Which terms: where a grammar is given, `operators`, `extra` and `sorts` do not matter, and leaves are the columns of
    /// the variables that the grammar names. `AnyConstant` is passed over: who wants certain constants gives the grammar
    /// leaves for them.
    pub grammar: Option<Grammar>,
    /// The operators used (a profile); `None` for all of the language.
    pub operators: Option<Vec<OpId>>,
    /// Functions beside those of the language, such as tables.
    pub extra: Vec<Extra>,
    /// Variables, constants, and other terms whose columns are known. The number of points is that of their columns.
    pub leaves: Vec<Leaf>,
    /// The sorts that terms may have; `None` for all that leaves and operators lead to.
    pub sorts: Option<Vec<Sort>>,
    /// How many of the terms that a class absorbed are kept, for points that come later.
    pub alternatives: u8,
}

impl BankConfig {
    /// All operators and all listed constants of a language, over some variables.
    pub fn new(language: &Language, variables: Vec<Leaf>) -> Self {
        let n_points = variables.first().map_or(0, |leaf| leaf.column.n_points());
        let mut leaves = variables;
        let groups = &language.constants.groups;
        let mut constants: Vec<Value> = Vec::new();
        for value in groups.iter().flat_map(|group| language.constants.values(group.sort)) {
            if !constants.contains(&value) {
                constants.push(value);
            }
        }
        leaves.extend(constants.into_iter().filter_map(|value| Leaf::constant(language, value, n_points)));
        Self { grammar: None, operators: None, extra: Vec::new(), leaves, sorts: None, alternatives: 4 }
    }

    /// The terms of a grammar over variables with these columns.
    pub fn from_grammar(grammar: Grammar, variables: Vec<(Symbol, Column)>) -> Self {
        let leaf = |(name, column): (Symbol, Column)| Leaf { term: Term::var(name), column, cost: 1 };
        let leaves = variables.into_iter().map(leaf).collect();
        Self { grammar: Some(grammar), operators: None, extra: Vec::new(), leaves, sorts: None, alternatives: 4 }
    }

    /// The same with these operators only; names that the language lacks are passed over.
    pub fn with_operators(mut self, language: &Language, names: &[&str]) -> Self {
        self.operators = Some(names.iter().filter_map(|name| language.operator(name)).collect());
        self
    }

    /// The same with these constants in place of those listed.
    pub fn with_constants(mut self, language: &Language, values: &[Value]) -> Self {
        let n_points = self.leaves.first().map_or(0, |leaf| leaf.column.n_points());
        self.leaves.retain(|leaf| !is_constant(&leaf.term));
        self.leaves.extend(values.iter().filter_map(|&value| Leaf::constant(language, value, n_points)));
        self
    }
}

/// Why a bank cannot be set up or extended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BankError {
    /// The columns of two leaves differ in length.
    #[error("the column of leaf {leaf} has {found} points, the first one has {expected}")]
    Lengths {
        /// Which leaf.
        leaf: usize,
        /// Points of the first leaf.
        expected: usize,
        /// Points of this one.
        found: usize,
    },
    /// A leaf is of a sort that is not enumerated.
    #[error("leaf {leaf} is of sort {sort}, which a bank does not hold")]
    Sort {
        /// Which leaf.
        leaf: usize,
        /// Its sort.
        sort: Sort,
    },
    /// A grammar has a production that a bank cannot use.
    #[error("the grammar's nonterminal `{nonterminal}` cannot be enumerated: {problem}")]
    Grammar {
        /// The nonterminal.
        nonterminal: Symbol,
        /// What is wrong.
        problem: &'static str,
    },
    /// A bank over sequences has its points once and for all.
    #[error("a bank over sequences has no values at other points; evaluate its terms instead")]
    Sequences,
    /// More sorts, or an operator with more arguments, than the bank's structures hold.
    #[error("{0} exceeds what a bank holds")]
    TooLarge(&'static str),
    /// Columns for new points must be given for every leaf that is not a constant, in order.
    #[error("new points need {expected} columns of equal length, one for each leaf; {found} given")]
    NewPoints {
        /// Leaves.
        expected: usize,
        /// Columns given.
        found: usize,
    },
}

/// Where a run ends at the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Terms of greater cost are not built.
    pub max_cost: u32,
    /// Classes in the bank.
    pub max_classes: usize,
    /// Candidates in all runs of the bank.
    pub max_candidates: u64,
    /// Memory for classes.
    pub max_bytes: usize,
}

impl Limits {
    /// A million candidates and up to a quarter of a gigabyte.
    pub fn new(max_cost: u32) -> Self {
        Self { max_cost, max_classes: 1_000_000, max_candidates: 1_000_000, max_bytes: 1 << 28 }
    }
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// The watcher wanted it.
    Watch,
    /// All terms up to the greatest cost were built.
    Cost,
    /// The limit of classes was reached.
    Classes,
    /// The limit of candidates was reached.
    Candidates,
    /// The limit of memory was reached.
    Memory,
    /// The client's deadline passed.
    Deadline,
    /// No term, of whatever cost, has other values than those found.
    Closed,
}

/// What fired, in the words of the command line.
impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Watch => "watch",
            Self::Cost => "cost",
            Self::Classes => "classes",
            Self::Candidates => "candidates",
            Self::Memory => "memory",
            Self::Deadline => "time",
            Self::Closed => "operators and constants tried",
        })
    }
}

/// What is to be done with a class just found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// Keep it as a part of greater terms.
    Keep,
    /// Do not build on it.
    Drop,
    /// Keep it and end the run; the next run goes on behind it.
    Stop,
}

/// A class just found.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The class.
    pub id: ClassId,
    /// Its nonterminal; without a grammar, one for each sort.
    pub nonterminal: NonterminalId,
    /// Its sort.
    pub sort: Sort,
    /// The cost of its cheapest term.
    pub cost: u32,
    /// Its values.
    pub codes: Cow<'a, [i64]>,
}

/// Whether a term is a constant.
pub(crate) fn is_constant(term: &Term) -> bool {
    matches!(term.node(), TermNode::Const(_))
}
