//! Regular tree grammars: which terms a search may build.
//!
//! A grammar is in normal form: every production applies one function to nonterminals, is a leaf, or passes on to another
//! nonterminal. Nested right-hand sides, as SyGuS-IF has them, get nonterminals of their own; so do restrictions on how
//! often an operator may be used. Whoever searches sees nothing but this.

mod build;
mod derive;
mod restrict;
#[cfg(test)]
mod tests;
mod whole;

use samples::{Sort, Symbol};

pub(crate) use restrict::COUNT_LIMIT;
pub use restrict::{Demand, Restriction, Used};
pub(crate) use whole::placeholder;
pub use whole::{GrammarDefinition, NonterminalDefinition};

use crate::infer::SortError;
use crate::term::{Func, Term};

/// Nonterminals that a grammar may have.
const NONTERMINAL_LIMIT: usize = 20_000;
/// Productions that a grammar may have.
const PRODUCTION_LIMIT: usize = 200_000;

/// A nonterminal of a [`Grammar`]: its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NonterminalId(pub u32);

/// What a nonterminal may be replaced by.
#[derive(Clone, PartialEq, Debug)]
pub enum Production {
    /// A variable or a constant.
    Leaf {
        /// The leaf.
        term: Term,
        /// What one use costs.
        cost: u32,
    },
    /// A function applied to terms of nonterminals.
    Apply {
        /// The function.
        func: Func,
        /// Where its arguments come from.
        args: Vec<NonterminalId>,
        /// What one use costs, without its arguments.
        cost: u32,
    },
    /// Any term of another nonterminal, free of charge.
    Chain(NonterminalId),
    /// Any constant of the nonterminal's sort, to be solved for: SyGuS-IF's `(Constant S)`.
    AnyConstant {
        /// What one use costs.
        cost: u32,
    },
}

/// A nonterminal: the terms of one sort that its productions build.
#[derive(Clone, PartialEq, Debug)]
pub struct Nonterminal {
    /// What it is called.
    pub name: Symbol,
    /// The sort of its terms.
    pub sort: Sort,
    /// In the order of the file.
    pub productions: Vec<Production>,
    /// Whether it was made for a part of a nested production: it has exactly one then, or any constant.
    pub made: bool,
}

/// A regular tree grammar; the first nonterminal is the start.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Grammar {
    /// [`NonterminalId`] is the index.
    pub nonterminals: Vec<Nonterminal>,
}

impl Grammar {
    /// A nonterminal by its index.
    ///
    /// # Panics
    /// If the index comes from another grammar.
    pub fn nonterminal(&self, id: NonterminalId) -> &Nonterminal {
        &self.nonterminals[id.0 as usize]
    }

    /// Adds a nonterminal without productions.
    pub fn add(&mut self, name: impl Into<Symbol>, sort: Sort) -> NonterminalId {
        let id = NonterminalId(u32::try_from(self.nonterminals.len()).expect("fewer than 2^32 nonterminals"));
        self.nonterminals.push(Nonterminal { name: name.into(), sort, productions: Vec::new(), made: false });
        id
    }

    /// The nonterminal with a name.
    pub fn named(&self, name: Symbol) -> Option<NonterminalId> {
        self.nonterminals.iter().position(|own| own.name == name).map(|index| NonterminalId(index as u32))
    }
}

/// Why there is no such grammar.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrammarError {
    /// The sorts in a production do not fit.
    #[error("in a production of {nonterminal}: {error}")]
    Sort {
        /// The nonterminal.
        nonterminal: Symbol,
        /// What does not fit.
        error: SortError,
    },
    /// A production builds terms of another sort than its nonterminal has.
    #[error("a production of {nonterminal} has the sort {found}, expected {expected}")]
    ResultSort {
        /// The nonterminal.
        nonterminal: Symbol,
        /// Its sort.
        expected: Sort,
        /// The sort of the production.
        found: Sort,
    },
    /// Productions are made of functions, variables and constants.
    #[error("a production of {nonterminal} holds {found}, expected functions, variables and constants")]
    Form {
        /// The nonterminal.
        nonterminal: Symbol,
        /// What has no place there.
        found: &'static str,
    },
    /// Every part of a production costs at least 1, and passing on costs nothing.
    #[error("a production of {nonterminal} costs {found}, expected {expected}")]
    Cost {
        /// The nonterminal.
        nonterminal: Symbol,
        /// What it may cost.
        expected: String,
        /// What it was said to cost.
        found: u32,
    },
    /// There is no such term.
    #[error("no term satisfies the grammar and its restrictions")]
    Empty,
    /// Too many nonterminals or productions.
    #[error(
        "the grammar becomes too large: expected at most {NONTERMINAL_LIMIT} nonterminals and {PRODUCTION_LIMIT} productions{hint}"
    )]
    TooLarge {
        /// What may help.
        hint: &'static str,
    },
}
