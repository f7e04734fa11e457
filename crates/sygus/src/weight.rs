//! Weights of terms: what `(_ w f)` is, and what productions cost for a search that makes weights small.
//!
//! SyGuS-IF 2.1 gives productions weights by attributes; the weight of a body is their sum over its derivation, the least
//! one where there are several. A search has one cost for each production, whole and positive: one for its head, and for each
//! unit of a weighted sum that is to be small a number of nodes.

use std::collections::BTreeMap;

use dsl::{Grammar, Node, NonterminalId, Production, Term};
use rustc_hash::FxHashMap;

use crate::problem::{Problem, SynthFun, Weight, WeightSum};

/// Nodes that a unit of the least important sum costs.
pub(crate) const UNIT: u32 = 64;
/// The greatest charge of a production: a search goes through costs one by one.
const CHARGE_LIMIT: u32 = 100_000;

/// The weights of productions, by nonterminal and place, each in the order of [`Problem::weights`]; those that are not
/// there have none.
pub(crate) type Weights = BTreeMap<(NonterminalId, usize), Vec<u32>>;

/// What a unit of each sum costs in nodes, the most important first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tariff<'a> {
    rates: Vec<(&'a WeightSum, u32)>,
}

impl<'a> Tariff<'a> {
    /// For one sum.
    pub(crate) fn of_one(sum: &'a WeightSum) -> Self {
        Self { rates: vec![(sum, UNIT)] }
    }

    /// For sums of which the earlier ones matter more, given what the later ones are in a solution that is known: one unit
    /// of a sum costs more than all units of those after it. `None` where that is more than a search can count.
    pub(crate) fn of_order(sums: &[&'a WeightSum], known: &[i64]) -> Option<Self> {
        let mut unit = UNIT;
        let mut rates = Vec::new();
        for (&sum, value) in sums.iter().zip(known).rev() {
            rates.push((sum, unit));
            unit = u32::try_from(value.checked_add(1)?).ok()?.checked_mul(unit)?;
        }
        rates.reverse();
        (unit <= CHARGE_LIMIT).then_some(Self { rates })
    }

    /// The charge for the weights of a production of a function; `None` where it is too great.
    fn charge(&self, function: usize, weights: &[u32]) -> Option<u32> {
        let mut charge = 0_i64;
        for (sum, unit) in &self.rates {
            for &(weight, factor) in sum.weights.iter().filter(|(weight, _)| weight.function == function) {
                let amount = i64::from(*weights.get(weight.attribute)?).checked_mul(factor)?;
                charge = charge.checked_add(amount.checked_mul(i64::from(*unit))?)?;
            }
        }
        u32::try_from(charge).ok().filter(|&charge| charge <= CHARGE_LIMIT)
    }
}

impl Problem {
    /// What a search makes small, the most important first: what the file asks for; else what it bounds, or all weights.
    pub(crate) fn targets(&self) -> Vec<WeightSum> {
        if let Some(objective) = &self.objective {
            return objective.targets.clone();
        }
        let mut sum = WeightSum::default();
        let bounded = self.weight_bounds.iter().flat_map(|bound| bound.sum.weights.iter().copied());
        sum.weights.extend(bounded);
        if sum.weights.is_empty() {
            let all = |function| (0..self.weights.len()).map(move |attribute| (Weight { attribute, function }, 1));
            sum.weights.extend((0..self.functions.len()).flat_map(all));
        }
        vec![sum]
    }

    /// Has productions cost what a tariff says; `false` where that is too much.
    pub(crate) fn charge(&mut self, tariff: &Tariff<'_>) -> bool {
        for (index, function) in self.functions.iter_mut().enumerate() {
            for ((nonterminal, place), weights) in &function.weights {
                let Some(charge) = tariff.charge(index, weights) else { return false };
                let production = &mut function.grammar.nonterminals[nonterminal.0 as usize].productions[*place];
                if let Production::Leaf { cost, .. } | Production::Apply { cost, .. } = production {
                    *cost = 1 + charge;
                }
            }
        }
        true
    }

    /// What a sum is for some bodies, one for each function; `None` for bodies that the grammars do not derive.
    pub(crate) fn value(&self, sum: &WeightSum, bodies: &[Term]) -> Option<i64> {
        sum.weights.iter().try_fold(sum.constant, |value, (weight, factor)| {
            let own = self.functions[weight.function].weight(weight.attribute, &bodies[weight.function])?;
            value.checked_add(own.checked_mul(*factor)?)
        })
    }

    /// A number of nodes that no bodies exceed for which a sum is at most this; `None` where there may be any number.
    pub(crate) fn most_nodes(&self, sum: &WeightSum, most: i64) -> Option<i64> {
        let units = most.checked_sub(sum.constant)?;
        self.functions.iter().enumerate().try_fold(0_i64, |nodes, (index, function)| {
            let own = sum.weights.iter().filter(|(weight, _)| weight.function == index);
            let own: Vec<(usize, i64)> = own.map(|(weight, factor)| (weight.attribute, *factor)).collect();
            if own.is_empty() { Some(nodes) } else { nodes.checked_add(function.most_nodes(&own, units)?) }
        })
    }
}

impl SynthFun {
    /// The sum of a weight over a derivation of a body, the least one; `None` if the grammar does not derive it.
    pub(crate) fn weight(&self, attribute: usize, body: &Term) -> Option<i64> {
        if !self.has_grammar {
            return Some(0);
        }
        Derivations { function: self, attribute, memo: FxHashMap::default() }.of(body).first().copied().flatten()
    }

    /// Whether any production has a weight.
    pub(crate) fn has_weight(&self, attribute: usize) -> bool {
        self.weights.values().any(|weights| weights[attribute] > 0)
    }

    /// A number of nodes that no body exceeds whose weights, times factors, are at most some units in sum.
    fn most_nodes(&self, factors: &[(usize, i64)], units: i64) -> Option<i64> {
        let (mut parts, mut holes) = (1_i64, 0_i64);
        for (index, own) in self.grammar.nonterminals.iter().enumerate().filter(|(_, own)| !own.made) {
            for (place, production) in own.productions.iter().enumerate() {
                let (own_parts, own_holes) = extent(&self.grammar, production)?;
                let weights = self.weights.get(&(NonterminalId(index as u32), place));
                let weight = |&(attribute, _): &(usize, i64)| weights.is_some_and(|weights| weights[attribute] > 0);
                if own_holes > 0 && !matches!(production, Production::Chain(_)) && !factors.iter().any(weight) {
                    return None;
                }
                (parts, holes) = (parts.max(own_parts), holes.max(own_holes));
            }
        }
        // Each production with nonterminals costs a unit at least and leads to that many others.
        parts.checked_mul(units.max(0).checked_mul(holes + 1)?.checked_add(1)?)
    }
}

/// Functions and leaves of a production, and nonterminals, those made for its parts taken apart.
fn extent(grammar: &Grammar, production: &Production) -> Option<(i64, i64)> {
    match production {
        Production::Leaf { .. } | Production::AnyConstant { .. } => Some((1, 0)),
        Production::Chain(id) => hole(grammar, *id),
        Production::Apply { args, .. } => args.iter().try_fold((1_i64, 0_i64), |(parts, holes), &id| {
            let (own_parts, own_holes) = hole(grammar, id)?;
            Some((parts.checked_add(own_parts)?, holes.checked_add(own_holes)?))
        }),
    }
}

fn hole(grammar: &Grammar, id: NonterminalId) -> Option<(i64, i64)> {
    let own = grammar.nonterminal(id);
    if own.made { extent(grammar, own.productions.first()?) } else { Some((0, 1)) }
}

/// The least weight of derivations from each nonterminal.
type Least = Vec<Option<i64>>;

struct Derivations<'a> {
    function: &'a SynthFun,
    attribute: usize,
    /// By address.
    memo: FxHashMap<usize, Least>,
}

impl Derivations<'_> {
    fn of(&mut self, term: &Term) -> Least {
        if let Some(known) = self.memo.get(&term.address()) {
            return known.clone();
        }
        let args: Vec<Least> = match term.node() {
            Node::App(_, args) => args.iter().map(|arg| self.of(arg)).collect(),
            _ => Vec::new(),
        };
        let grammar = &self.function.grammar;
        let mut least: Least = vec![None; grammar.nonterminals.len()];
        // Until nothing becomes less: nonterminals pass on to others.
        let mut changed = true;
        while changed {
            changed = false;
            for (index, own) in grammar.nonterminals.iter().enumerate() {
                for (place, production) in own.productions.iter().enumerate() {
                    let below = match (production, term.node()) {
                        (Production::Leaf { term: leaf, .. }, _) if leaf == term => Some(0),
                        (Production::AnyConstant { .. }, Node::Const(value)) if value.sort() == Some(own.sort) => {
                            Some(0)
                        }
                        (Production::Chain(id), _) => least[id.0 as usize],
                        (Production::Apply { func, args: ids, .. }, Node::App(head, _)) if func == head => {
                            sum(ids, &args)
                        }
                        _ => None,
                    };
                    let weights = self.function.weights.get(&(NonterminalId(index as u32), place));
                    let weight = weights.map_or(0, |weights| i64::from(weights[self.attribute]));
                    let Some(total) = below.and_then(|below| below.checked_add(weight)) else { continue };
                    if least[index].is_none_or(|known| total < known) {
                        least[index] = Some(total);
                        changed = true;
                    }
                }
            }
        }
        self.memo.insert(term.address(), least.clone());
        least
    }
}

fn sum(ids: &[NonterminalId], args: &[Least]) -> Option<i64> {
    if ids.len() != args.len() {
        return None;
    }
    ids.iter().zip(args).try_fold(0_i64, |sum, (id, least)| sum.checked_add(least[id.0 as usize]?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(productions: &str, objective: &str) -> Problem {
        let text = format!(
            "(set-logic LIA) (declare-weight a) (declare-weight b :default 2)
             (synth-fun f ((x Int)) Int ((I Int) (J Int)) ((I Int ({productions})) (J Int ((! x :b 0)))))
             (optimize-synth ({objective}))"
        );
        Problem::parse("case.sl", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plus(a: &Term, b: &Term) -> Term {
        crate::theory::apply(dsl::Kernel::Add, vec![a.clone(), b.clone()])
    }

    #[test]
    fn the_weight_of_a_body_is_that_of_its_lightest_derivation() {
        let problem = problem("(! x :a 5 :b 0) (! (+ I J) :a 3) (! (+ J I) :a 4) (! (+ (+ J J) I) :a 1)", "(_ a f)");
        let f = &problem.functions[0];
        let x = Term::var("x");
        assert_eq!((f.weight(1, &x), f.weight(2, &x)), (Some(5), Some(0)));
        let two = plus(&x, &x);
        assert_eq!((f.weight(1, &two), f.weight(2, &two)), (Some(8), Some(2)));
        assert_eq!(f.weight(1, &plus(&two, &x)), Some(6), "as a whole");
        assert_eq!(f.weight(1, &Term::int(1)), None);
        // However many nodes there are.
        let many = (0..100).fold(x.clone(), |sum, _| plus(&sum, &x));
        assert_eq!(f.weight(1, &many), Some(6 + 98 * 3));
    }

    #[test]
    fn terms_of_bounded_weight_are_bounded_where_nothing_grows_for_nothing() {
        let heavy = problem("x (! (+ I (+ I 1)) :a 2) (! (- I J) :a 1)", "(_ a f)");
        let target = &heavy.targets()[0];
        // Each production with nonterminals has at most two of them, and three parts.
        assert_eq!(heavy.most_nodes(target, 2), Some(3 * (2 * 3 + 1)));
        let free = problem("x (! (+ I I) :a 2) (! (- I J) :b 1)", "(_ a f)");
        assert_eq!(free.most_nodes(&free.targets()[0], 2), None);
    }

    #[test]
    fn a_unit_of_what_matters_more_outweighs_all_of_the_rest() {
        let problem = problem("x (! (+ I I) :a 1)", "(_ a f) (_ b f)");
        let targets = problem.targets();
        let sums: Vec<&WeightSum> = targets.iter().collect();
        let tariff = Tariff::of_order(&sums, &[7, 9]).expect("small");
        assert_eq!(tariff.charge(0, &[0, 1, 0]), Some(10 * UNIT));
        assert_eq!(tariff.charge(0, &[0, 1, 9]), Some(19 * UNIT));
        assert_eq!(Tariff::of_order(&sums, &[7, 1 << 40]), None);
    }
}
