//! A language's rules, verified when they are first needed.

use std::collections::BTreeMap;

use dsl::{Language, Term};
use samples::Symbol;
use smt::Solver;

use super::{Known, RuleSet, SaturationLimits, Simplified, Step, simplify, simplify_explained};
use crate::verify::{Verdict, VerifyLimits, check_rule};

/// Simplifies with the rules of a language that verification confirms, and verifies only those that it has a use for:
/// verifying a whole language takes seconds, a simplification uses a handful of its rules.
#[derive(Debug)]
pub struct RuleBook<'l> {
    language: &'l Language,
    all: RuleSet,
    limits: VerifyLimits,
    solver: Solver,
    verdicts: BTreeMap<Symbol, Verdict>,
}

impl<'l> RuleBook<'l> {
    /// The rules and facts of a language, none of them verified yet.
    pub fn new(language: &'l Language, limits: VerifyLimits) -> Self {
        let all = RuleSet::assumed(language);
        Self { language, all, limits, solver: Solver::new(), verdicts: BTreeMap::new() }
    }

    /// The verdicts so far, by the rules' names.
    pub fn verdicts(&self) -> &BTreeMap<Symbol, Verdict> {
        &self.verdicts
    }

    /// The rules in the steps of an answer that were accepted unproved: whoever shows the answer says so.
    pub fn assumed(&self, answer: &Simplified) -> Vec<Symbol> {
        let is_assumed = |rule: &Symbol| matches!(self.verdicts.get(rule), Some(Verdict::Assumed { .. }));
        let mut rules: Vec<Symbol> = answer.steps().map(|step| step.rule).filter(is_assumed).collect();
        rules.sort_by_key(Symbol::to_string);
        rules.dedup();
        rules
    }

    /// The cheapest form of a term that rules which hold lead to, with the steps.
    ///
    /// Rules that are not refuted yet show where simplification could go; those on the way are verified, and the term is
    /// simplified again by these alone. So nothing unverified has a part in the answer, not even through what it would say
    /// of a condition.
    pub fn simplify(&mut self, term: &Term, known: &[Known], limits: &SaturationLimits) -> Simplified {
        // A rule that is refuted is not tried again, so this ends; few languages hold more than one.
        const MOST_REFUTED: usize = 8;
        for _ in 0..MOST_REFUTED {
            let hopeful = self.select(|verdict| verdict.is_none_or(Verdict::holds));
            let sketch = simplify_explained(term, self.language, &hopeful, known, limits);
            if sketch.term == *term {
                return sketch;
            }
            let used: Vec<Symbol> = sketch.steps().flat_map(rules_of).collect();
            if !used.iter().all(|&rule| self.verify(rule)) {
                continue;
            }
            let verified = self.select(|verdict| verdict.is_some_and(Verdict::holds));
            return simplify_explained(term, self.language, &verified, known, limits);
        }
        simplify(term, self.language, &RuleSet::empty(), known, limits)
    }

    fn select(&self, wanted: impl Fn(Option<&Verdict>) -> bool) -> RuleSet {
        let rules = self.all.rules.iter().filter(|rule| wanted(self.verdicts.get(&rule.name)));
        RuleSet { rules: rules.cloned().collect() }
    }

    /// Whether a rule holds. Names that are no rule's stand for what needs no verification.
    fn verify(&mut self, name: Symbol) -> bool {
        if let Some(verdict) = self.verdicts.get(&name) {
            return verdict.holds();
        }
        let Some(rule) = self.all.rules.iter().find(|rule| rule.name == name) else { return true };
        let verdict = check_rule(self.language, rule, &mut self.solver, &self.limits);
        let holds = verdict.holds();
        self.verdicts.insert(name, verdict);
        holds
    }
}

/// The rules of a step and of what it rests on.
fn rules_of(step: &Step) -> Vec<Symbol> {
    let grounds = step.grounds.iter().flat_map(|ground| &ground.steps);
    std::iter::once(step.rule).chain(grounds.flat_map(rules_of)).collect()
}
