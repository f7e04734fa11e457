//! Regular tree grammars: which terms a search may build.
//!
//! A grammar is in normal form: every production applies one function to nonterminals, is a leaf, or passes on to another
//! nonterminal. Nested right-hand sides, as SyGuS-IF has them, get nonterminals of their own; so do restrictions on how
//! often an operator may be used. Whoever searches sees nothing but this.

use samples::{Sort, Symbol};

use crate::term::{Func, Term};

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
        self.nonterminals.push(Nonterminal { name: name.into(), sort, productions: Vec::new() });
        id
    }
}
