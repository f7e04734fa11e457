//! Conjunctions for a joint search, learned from counterexamples: what invariants mostly are.
//!
//! The search is by counterexamples, as that of [`super`] is, but proposes conjunctions of what the bank holds instead of its
//! terms one by one, and so comes to invariants of five and more parts.

use dsl::{Func, Kernel, Node, NonterminalId, Term};
use samples::Column;
use synth::ClassId;

use super::{Joint, JointJudge, greatest_cost};
use crate::clauses::Examples;
use crate::conjunction::{Condition, Points, choose, step};
use crate::polynomial::Monomials;
use crate::search::Failure;
use crate::spec::evaluate;
use crate::theory;
use crate::verify::Verification;

/// Costs up to which conjunctions are made of the bank's terms, beginning with what it holds.
const CONJUNCTION_LEVELS: u32 = 3;
/// Counterexamples to conjunctions of terms of one cost.
const CONJUNCTION_ROUNDS: usize = 80;
/// Terms of the bank that are paired, or of which all that stay true are sought.
const FEW: usize = 250;

/// The conditions of conjunctions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pool {
    All,
    Few,
    /// Few, and disjunctions of two of them.
    Pairs,
}

/// A condition of a conjunction.
enum Piece {
    Class(ClassId),
    /// A term beside the bank.
    Term(Term),
    /// One of two others.
    Either(usize, usize),
}

impl Joint<'_> {
    /// Looks for a conjunction of `hints`, equations that examples satisfy, and terms of the bank, or of disjunctions of two of
    /// these: the small ones, then greater ones. `None` where constraints are no examples and implications, or there is none.
    pub(crate) fn conjoin(&mut self, hints: &[Term], judge: &mut JointJudge<'_>) -> Result<Option<Term>, Failure> {
        let first = greatest_cost(&self.banks[0]);
        for cost in first..first + CONJUNCTION_LEVELS {
            for pool in [Pool::All, Pool::Few, Pool::Pairs] {
                // Where there are few, all that stay true together are found first: a choice among them errs less.
                let is_ready = pool != Pool::Few
                    || (cost == first && self.refine_conjunction(&|own| own.strongest(hints), judge)?.is_some());
                if is_ready && let Some(body) = self.refine_conjunction(&|own| own.conjunction(hints, pool), judge)? {
                    return Ok(Some(body));
                }
            }
            match self.fill(0, cost + 1, judge) {
                Err(Failure::Limit(stopped)) if stopped.limit == "candidates" => break,
                other => other?,
            };
        }
        Ok(None)
    }

    /// A proposal that is right for all inputs, by counterexamples.
    fn refine_conjunction(
        &mut self,
        propose: &dyn Fn(&Self) -> Option<Term>,
        judge: &mut JointJudge<'_>,
    ) -> Result<Option<Term>, Failure> {
        for _ in 0..CONJUNCTION_ROUNDS {
            let Some(body) = propose(self) else { return Ok(None) };
            match (judge.verify)(std::slice::from_ref(&body)) {
                Verification::Valid => return Ok(Some(body)),
                Verification::Counterexample(valuation) if !self.active.contains(&valuation) => {
                    self.activate(vec![valuation])?;
                }
                _ => return Ok(None),
            }
            if (judge.is_late)() {
                return Err(Failure::limit("time"));
            }
        }
        Ok(None)
    }

    /// A small conjunction that is right at the active valuations.
    fn conjunction(&self, hints: &[Term], pool: Pool) -> Option<Term> {
        let examples = self.clauses.as_ref()?.examples()?;
        let most = if pool == Pool::All { usize::MAX } else { FEW };
        let (mut pieces, mut conditions, known) = self.conditions(hints, &examples, most);
        if pool == Pool::Pairs {
            for at in 0..pieces.len() {
                for other in 0..at {
                    let [a, b] = [at, other].map(|i| &conditions[i]);
                    let either = Condition { cost: a.cost + b.cost + 1, holds: a.holds.or(&b.holds) };
                    let is_single = [a, b].iter().any(|own| known.is_within(&own.holds));
                    if !is_single && known.is_within(&either.holds) {
                        pieces.push(Piece::Either(at, other));
                        conditions.push(either);
                    }
                }
            }
        }
        let chosen = choose(&conditions, &examples, self.banks[0].n_points())?;
        Some(self.joined(&pieces, chosen))
    }

    /// The conjunction of all conditions, out of few, that hold where the function has to.
    fn strongest(&self, hints: &[Term]) -> Option<Term> {
        let examples = self.clauses.as_ref()?.examples()?;
        let (pieces, conditions, known) = self.conditions(hints, &examples, FEW);
        let usable: Vec<usize> = (0..pieces.len()).filter(|&i| known.is_within(&conditions[i].holds)).collect();
        let is_excluded = |&point: &usize| usable.iter().any(|&i| !conditions[i].holds.contains(point));
        examples.fail.iter().all(is_excluded).then(|| self.joined(&pieces, usable))
    }

    /// The conjunction in the first of these forms that the grammar has, or else the first: `and`s that begin at the left, or at
    /// the right; the same without `or`, and without `and`.
    fn joined(&self, pieces: &[Piece], chosen: Vec<usize>) -> Term {
        let terms: Vec<Term> = chosen.into_iter().map(|i| self.piece(pieces, i)).collect();
        let leftward = theory::conjunction(&terms);
        if !self.problem.functions[self.functions[0]].has_grammar {
            return leftward;
        }
        let both = |a: Term, b| theory::apply(Kernel::And, vec![b, a]);
        let rightward = terms.into_iter().rev().reduce(both).unwrap_or_else(|| leftward.clone());
        let by_others = |kernel| [&leftward, &rightward].map(|term| without(kernel, term));
        let [a, b] = by_others(Kernel::Or);
        let [c, d] = by_others(Kernel::And);
        let forms = [leftward.clone(), rightward.clone(), a, b, c, d];
        forms.into_iter().find(|term| self.grammars[0].derives(term)).unwrap_or(leftward)
    }

    fn piece(&self, pieces: &[Piece], i: usize) -> Term {
        match &pieces[i] {
            Piece::Class(class) => self.banks[0].term(*class),
            Piece::Term(term) => term.clone(),
            Piece::Either(a, b) => theory::apply(Kernel::Or, vec![self.piece(pieces, *a), self.piece(pieces, *b)]),
        }
    }

    /// What conjunctions are made of: the cheapest classes of the bank, hints, and equations; and where the function has to
    /// hold, as far as that is known.
    fn conditions(&self, hints: &[Term], examples: &Examples, most: usize) -> (Vec<Piece>, Vec<Condition>, Points) {
        let bank = &self.banks[0];
        let n = bank.n_points();
        let columns = self.columns();
        let condition = |cost: u32, codes: &[i64]| Condition { cost, holds: Points::new(n, |i| codes[i] == 1) };
        let of_term = |term: &Term| {
            let column = self.evaluate(term, &columns)?;
            Some((Piece::Term(term.clone()), condition(theory::nodes(term) as u32, &column.codes)))
        };
        let classes = bank.ids_of(NonterminalId(0)).take(most);
        let classes = classes.map(|(id, cost)| (Piece::Class(id), condition(cost, &bank.class(id).codes)));
        let (mut pieces, mut conditions): (Vec<Piece>, Vec<Condition>) =
            classes.chain(hints.iter().filter_map(of_term)).unzip();
        let n_given = pieces.len();
        let mut known = Points::new(n, |i| examples.hold.contains(&i));
        // What follows from examples leaves other equations, without which more follows.
        loop {
            pieces.truncate(n_given);
            conditions.truncate(n_given);
            for (piece, condition) in self.equations(&columns, &known).iter().filter_map(of_term) {
                pieces.push(piece);
                conditions.push(condition);
            }
            if !step(&conditions, &mut known, &examples.implied, n) {
                return (pieces, conditions, known);
            }
        }
    }

    /// The points of the first function, as columns.
    fn columns(&self) -> Vec<Column> {
        let mut rows: Vec<(&Vec<i64>, usize)> = self.points[0].iter().map(|(args, &point)| (args, point)).collect();
        rows.sort_unstable_by_key(|&(_, point)| point);
        let params = self.problem.functions[self.functions[0]].params.iter().enumerate();
        params.map(|(i, (_, sort))| Column::new(*sort, rows.iter().map(|(args, _)| args[i]).collect())).collect()
    }

    /// The values of a term over the parameters of the first function.
    fn evaluate(&self, term: &Term, points: &[Column]) -> Option<Column> {
        let n = points.first().map_or(1, Column::n_points);
        let bindings = self.problem.functions[self.functions[0]].bindings(points, n);
        evaluate(term, &self.problem.language, &bindings, n)
    }

    /// Equations between the integer parameters of the first function that hold at some points.
    fn equations(&self, points: &[Column], at: &Points) -> Vec<Term> {
        let function = &self.problem.functions[self.functions[0]];
        let Some(monomials) = Monomials::new(function, 1) else { return Vec::new() };
        let row = |point: usize| {
            let params = function.params.iter().zip(points);
            params.map(|((name, _), column)| (*name, column.codes[point])).collect::<Vec<_>>()
        };
        let rows: Vec<_> = (0..self.banks[0].n_points()).filter(|&point| at.contains(point)).map(row).collect();
        let zeros = if rows.is_empty() { Vec::new() } else { monomials.zeros(&rows) };
        let terms = zeros.iter().map(|zero| monomials.comparison(Kernel::Eq, zero));
        terms.filter(|term| !function.has_grammar || self.grammars[0].derives(term)).collect()
    }
}

/// A truth value with one of `and` and `or` written by the other and `not` (De Morgan).
fn without(kernel: Kernel, term: &Term) -> Term {
    let Node::App(Func::Kernel(own @ (Kernel::And | Kernel::Or | Kernel::Not)), args) = term.node() else {
        return term.clone();
    };
    let args = args.iter().map(|arg| without(kernel, arg));
    if *own != kernel {
        return theory::apply(*own, args.collect());
    }
    let other = if kernel == Kernel::And { Kernel::Or } else { Kernel::And };
    negated(&theory::apply(other, args.map(|arg| negated(&arg)).collect()))
}

fn negated(term: &Term) -> Term {
    match term.node() {
        Node::App(Func::Kernel(Kernel::Not), args) => args[0].clone(),
        _ => theory::apply(Kernel::Not, vec![term.clone()]),
    }
}
