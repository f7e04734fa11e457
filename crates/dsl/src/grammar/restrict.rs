//! Restrictions on the use of operators and variables, compiled into the grammar.
//!
//! Every restriction is a small deterministic automaton that reads terms from the leaves up: whether something was used,
//! how often, what lies within what. The product of grammar and automata is a plain grammar: its nonterminals are pairs
//! of a nonterminal and the states that its terms end in.

use rustc_hash::FxHashMap;
use samples::Symbol;

use crate::language::OpId;
use crate::term::{Func, Node};

use super::{Grammar, GrammarError, NONTERMINAL_LIMIT, NonterminalId, PRODUCTION_LIMIT, Production};

/// Something whose use is restricted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Used {
    /// An operator.
    Op(OpId),
    /// A variable.
    Var(Symbol),
}

/// What is asked of the terms of a grammar or of one nonterminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Demand {
    /// It occurs.
    MustUse(Used),
    /// It occurs at most so many times.
    AtMost(Used, u32),
    /// The second does not occur within the first, at whatever depth.
    NoNesting(Used, Used),
}

/// A restriction of a grammar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restriction {
    /// The nonterminal each of whose terms is restricted, wherever it stands; `None`: the terms of the start as a whole.
    pub within: Option<Symbol>,
    /// What is asked.
    pub demand: Demand,
}

impl Used {
    fn is(self, production: &Production) -> bool {
        match (self, production) {
            (Self::Op(id), Production::Apply { func, .. }) => *func == Func::Op(id),
            (Self::Var(name), Production::Leaf { term, .. }) => matches!(term.node(), Node::Var(own) if *own == name),
            _ => false,
        }
    }
}

impl Demand {
    /// The state of a term from its head and the states of its arguments.
    fn step(&self, production: &Production, args: impl Iterator<Item = u32>) -> u32 {
        match *self {
            Self::MustUse(used) => args.fold(u32::from(used.is(production)), u32::max),
            Self::AtMost(used, k) => args.fold(u32::from(used.is(production)), |sum, n| (sum + n).min(k + 1)),
            Self::NoNesting(outer, inner) => match args.fold(0, u32::max) {
                1 if outer.is(production) => BAD,
                below => below.max(u32::from(inner.is(production))),
            },
        }
    }

    fn accepts(&self, state: u32) -> bool {
        match *self {
            Self::MustUse(_) => state == 1,
            Self::AtMost(_, k) => state <= k,
            Self::NoNesting(..) => state != BAD,
        }
    }

    /// Whether terms that are not accepted are part of none that is.
    fn is_hereditary(&self) -> bool {
        !matches!(self, Self::MustUse(_))
    }
}

/// The state of terms with a forbidden nesting; 1 says that the inner one occurs.
const BAD: u32 = 2;
/// The greatest count that a restriction may name.
pub(crate) const COUNT_LIMIT: u32 = 100;

impl Grammar {
    /// The grammar of those of its terms that satisfy all restrictions. A name that the grammar has no nonterminal for
    /// restricts nothing.
    ///
    /// # Errors
    /// If no term is left, or the product is too large.
    pub fn restricted(&self, restrictions: &[Restriction]) -> Result<Self, GrammarError> {
        if restrictions.is_empty() {
            return self.pruned().ok_or(GrammarError::Empty);
        }
        let mut product = Product::new(self, restrictions);
        product.saturate()?;
        product.finish().pruned().ok_or(GrammarError::Empty)
    }

    /// Without nonterminals that derive nothing or are not reached; `None` if the start derives nothing.
    pub(crate) fn pruned(&self) -> Option<Self> {
        let productive = self.productive();
        let useful = |production: &&Production| parts(production).iter().all(|id| productive[id.0 as usize]);
        if !productive.first().copied().unwrap_or(false) {
            return None;
        }
        let mut reached = vec![false; self.nonterminals.len()];
        let mut open = vec![0];
        reached[0] = true;
        while let Some(index) = open.pop() {
            for id in self.nonterminals[index].productions.iter().filter(useful).flat_map(parts) {
                if !std::mem::replace(&mut reached[id.0 as usize], true) {
                    open.push(id.0 as usize);
                }
            }
        }
        let mut renumbered = vec![0_u32; reached.len()];
        for (next, index) in (0..).zip((0..reached.len()).filter(|&index| reached[index])) {
            renumbered[index] = next;
        }
        let kept = self.nonterminals.iter().zip(&reached).filter(|(_, reached)| **reached).map(|(own, _)| {
            let mut own = own.clone();
            own.productions.retain(|production| useful(&production));
            own.productions.iter_mut().flat_map(parts_mut).for_each(|id| id.0 = renumbered[id.0 as usize]);
            own
        });
        Some(Self { nonterminals: kept.collect() })
    }
}

/// The nonterminals of a production.
fn parts(production: &Production) -> &[NonterminalId] {
    match production {
        Production::Apply { args, .. } => args,
        Production::Chain(id) => std::slice::from_ref(id),
        Production::Leaf { .. } | Production::AnyConstant { .. } => &[],
    }
}

fn parts_mut(production: &mut Production) -> &mut [NonterminalId] {
    match production {
        Production::Apply { args, .. } => args,
        Production::Chain(id) => std::slice::from_mut(id),
        Production::Leaf { .. } | Production::AnyConstant { .. } => &mut [],
    }
}

/// One state for each restriction.
type States = Vec<u32>;

struct Product<'a> {
    grammar: &'a Grammar,
    restrictions: &'a [Restriction],
    /// Nonterminal and states of each nonterminal of the product, in the order found.
    pairs: Vec<(usize, States)>,
    index: FxHashMap<(usize, States), usize>,
    of_nonterminal: Vec<Vec<usize>>,
    productions: Vec<Vec<Production>>,
    n_productions: usize,
}

impl<'a> Product<'a> {
    fn new(grammar: &'a Grammar, restrictions: &'a [Restriction]) -> Self {
        let of_nonterminal = vec![Vec::new(); grammar.nonterminals.len()];
        let (pairs, index, productions) = (Vec::new(), FxHashMap::default(), Vec::new());
        Self { grammar, restrictions, pairs, index, of_nonterminal, productions, n_productions: 0 }
    }

    /// Finds every pair that derives a term, with its productions.
    fn saturate(&mut self) -> Result<(), GrammarError> {
        let grammar = self.grammar;
        for (nonterminal, own) in grammar.nonterminals.iter().enumerate() {
            for production in own.productions.iter().filter(|production| parts(production).is_empty()) {
                self.combine(nonterminal, production, &[])?;
            }
        }
        let mut next = 0;
        while next < self.pairs.len() {
            for (nonterminal, own) in grammar.nonterminals.iter().enumerate() {
                for production in &own.productions {
                    self.with_newest(nonterminal, production, next)?;
                }
            }
            next += 1;
        }
        Ok(())
    }

    /// All ways to fill a production with known pairs, of which `newest` is the last: it stands first at one place,
    /// pairs before it at the places before, so that every way comes up once.
    fn with_newest(&mut self, nonterminal: usize, production: &Production, newest: usize) -> Result<(), GrammarError> {
        let args = parts(production);
        let own = self.pairs[newest].0;
        for place in (0..args.len()).filter(|&place| args[place].0 as usize == own) {
            let mut fillings: Vec<Vec<usize>> = vec![Vec::new()];
            for (i, arg) in args.iter().enumerate() {
                let known = &self.of_nonterminal[arg.0 as usize];
                let fits = |pair: &usize| match i.cmp(&place) {
                    std::cmp::Ordering::Less => *pair < newest,
                    std::cmp::Ordering::Equal => *pair == newest,
                    std::cmp::Ordering::Greater => *pair <= newest,
                };
                let chosen: Vec<usize> = known.iter().copied().filter(fits).collect();
                if fillings.len().saturating_mul(chosen.len()) > PRODUCTION_LIMIT {
                    return Err(too_large());
                }
                let with = |filling: Vec<usize>| {
                    chosen.iter().map(move |&pair| [filling.clone(), vec![pair]].concat()).collect::<Vec<_>>()
                };
                fillings = fillings.into_iter().flat_map(with).collect();
            }
            for filling in fillings {
                self.combine(nonterminal, production, &filling)?;
            }
        }
        Ok(())
    }

    /// Adds the production filled with pairs to the pair that it derives, if a term of it may be part of an answer.
    fn combine(&mut self, nonterminal: usize, production: &Production, filling: &[usize]) -> Result<(), GrammarError> {
        let states: States = (0..)
            .zip(self.restrictions)
            .map(|(i, own)| own.demand.step(production, filling.iter().map(|&pair| self.pairs[pair].1[i])))
            .collect();
        let name = self.grammar.nonterminals[nonterminal].name;
        let refused = self.restrictions.iter().zip(&states).any(|(own, &state)| {
            let applies = own.within.map_or(own.demand.is_hereditary(), |within| within == name);
            applies && !own.demand.accepts(state)
        });
        if refused {
            return Ok(());
        }
        let pair = self.pair(nonterminal, states);
        let mut production = production.clone();
        for (id, &own) in parts_mut(&mut production).iter_mut().zip(filling) {
            id.0 = own as u32;
        }
        self.productions[pair].push(production);
        self.n_productions += 1;
        let fits = self.n_productions <= PRODUCTION_LIMIT && self.pairs.len() <= NONTERMINAL_LIMIT;
        if fits { Ok(()) } else { Err(too_large()) }
    }

    fn pair(&mut self, nonterminal: usize, states: States) -> usize {
        let key = (nonterminal, states);
        if let Some(&known) = self.index.get(&key) {
            return known;
        }
        let pair = self.pairs.len();
        self.index.insert(key.clone(), pair);
        self.of_nonterminal[nonterminal].push(pair);
        self.pairs.push(key);
        self.productions.push(Vec::new());
        pair
    }

    /// The product: a start of its own, which passes on to the accepted pairs of the old one, then every pair.
    fn finish(self) -> Grammar {
        let mut grammar = Grammar::default();
        let Some(start) = self.grammar.nonterminals.first() else { return grammar };
        grammar.add(start.name, start.sort);
        let shift = |id: &mut NonterminalId| id.0 += 1;
        for (pair, ((nonterminal, states), mut productions)) in (1..).zip(self.pairs.iter().zip(self.productions)) {
            let own = &self.grammar.nonterminals[*nonterminal];
            let id = grammar.add(Symbol::new(&format!("{}#{pair}", own.name)), own.sort);
            productions.iter_mut().flat_map(parts_mut).for_each(shift);
            grammar.nonterminals[pair].productions = productions;
            let accepted =
                self.restrictions.iter().zip(states).all(|(own, &q)| own.within.is_some() || own.demand.accepts(q));
            if *nonterminal == 0 && accepted {
                grammar.nonterminals[0].productions.push(Production::Chain(id));
            }
        }
        grammar
    }
}

fn too_large() -> GrammarError {
    GrammarError::TooLarge { hint: "; fewer or smaller restrictions may help" }
}
