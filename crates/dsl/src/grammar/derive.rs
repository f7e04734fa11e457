//! Which terms a grammar derives.

use rustc_hash::FxHashMap;
use samples::Symbol;

use crate::term::{Func, Node, Term};

use super::{Grammar, Nonterminal, Production};

/// The nonterminals that derive a term, by index.
type Set = Vec<bool>;

impl Grammar {
    /// Whether the start derives a term; names that a `let` gives stand for what they name. Scans and selections are
    /// derived by no grammar.
    pub fn derives(&self, term: &Term) -> bool {
        self.derived_from(term).first().copied().unwrap_or(false)
    }

    /// For every nonterminal, whether it derives a term.
    pub fn derived_from(&self, term: &Term) -> Vec<bool> {
        Walk { grammar: self, scope: Vec::new(), memo: FxHashMap::default() }.set(term)
    }

    /// For every nonterminal, whether it derives any term at all.
    pub fn productive(&self) -> Vec<bool> {
        let mut known = vec![false; self.nonterminals.len()];
        self.close(&mut known, |production, known| match production {
            Production::Leaf { .. } | Production::AnyConstant { .. } => true,
            Production::Apply { args, .. } => args.iter().all(|arg| known[arg.0 as usize]),
            Production::Chain(id) => known[id.0 as usize],
        });
        known
    }

    /// Adds nonterminals with a production that a test accepts, until nothing changes.
    fn close(&self, known: &mut Set, accepts: impl Fn(&Production, &[bool]) -> bool) {
        loop {
            let mut changed = false;
            for (index, nonterminal) in self.nonterminals.iter().enumerate() {
                if !known[index] && nonterminal.productions.iter().any(|production| accepts(production, known)) {
                    known[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }
}

struct Walk<'a> {
    grammar: &'a Grammar,
    /// What names of enclosing lets stand for.
    scope: Vec<(Symbol, Set)>,
    /// By address; names mean the same wherever it is used.
    memo: FxHashMap<usize, Set>,
}

impl Walk<'_> {
    fn set(&mut self, term: &Term) -> Set {
        if let Some(known) = self.memo.get(&term.address()) {
            return known.clone();
        }
        let set = match term.node() {
            Node::Var(name) => match self.scope.iter().rev().find(|(own, _)| own == name) {
                Some((_, set)) => set.clone(),
                None => self.leaf(term),
            },
            Node::Const(_) => self.leaf(term),
            Node::App(func, args) => {
                let args: Vec<Set> = args.iter().map(|arg| self.set(arg)).collect();
                self.application(func, &args)
            }
            Node::Let(bindings, body) => return self.under(bindings, body),
            Node::Scan(_) | Node::Select { .. } => vec![false; self.grammar.nonterminals.len()],
        };
        self.memo.insert(term.address(), set.clone());
        set
    }

    fn leaf(&self, term: &Term) -> Set {
        self.chained(|nonterminal, production| match (production, term.node()) {
            (Production::Leaf { term: own, .. }, _) => own == term,
            (Production::AnyConstant { .. }, Node::Const(value)) => value.sort() == Some(nonterminal.sort),
            _ => false,
        })
    }

    fn application(&self, func: &Func, args: &[Set]) -> Set {
        self.chained(|_, production| match production {
            Production::Apply { func: own, args: from, .. } => {
                own == func && from.len() == args.len() && from.iter().zip(args).all(|(id, set)| set[id.0 as usize])
            }
            _ => false,
        })
    }

    fn chained(&self, accepts: impl Fn(&Nonterminal, &Production) -> bool) -> Set {
        let direct = |own: &Nonterminal| own.productions.iter().any(|production| accepts(own, production));
        let mut set: Set = self.grammar.nonterminals.iter().map(direct).collect();
        self.grammar.close(&mut set, |production, known| match production {
            Production::Chain(id) => known[id.0 as usize],
            _ => false,
        });
        set
    }

    fn under(&mut self, bindings: &[(Symbol, Term)], body: &Term) -> Set {
        let depth = self.scope.len();
        // Shared terms may mean something else under other names.
        let outer = std::mem::take(&mut self.memo);
        for (name, value) in bindings {
            let set = self.set(value);
            self.scope.push((*name, set));
            self.memo.clear();
        }
        let set = self.set(body);
        self.scope.truncate(depth);
        self.memo = outer;
        set
    }
}
