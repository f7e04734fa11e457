//! A language's rules, verified when they are first needed.

use std::collections::BTreeMap;

use dsl::{Language, Term};
use samples::Symbol;
use smt::Solver;

use super::{Known, RuleSet, SaturationLimits, Simplified, Step, simplify_explained};
use crate::verify::{Verdict, VerifyLimits, check_rule};

/// Simplifies with the rules of a language that are proved, and verifies only those that it has a use for: verifying a whole
/// language takes seconds, a simplification uses a handful of its rules. Rules that held in a scope alone, or are assumed, have
/// no part in it, so that nobody has to be told of them.
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

    /// The cheapest form of a term that proved rules lead to, with the steps.
    ///
    /// Rules that may yet be proved show where simplification could go; those on the way are verified, and the term is
    /// simplified again by these alone. So nothing unproved has a part in the answer, not even through what it would say
    /// of a condition.
    pub fn simplify(&mut self, term: &Term, known: &[Known], limits: &SaturationLimits) -> Simplified {
        // A rule that is not proved is not tried again, so this ends; few languages hold more on the way of one term.
        const MOST_UNPROVED: usize = 8;
        for _ in 0..MOST_UNPROVED {
            let hopeful = self.select(|verdict| verdict.is_none_or(Verdict::is_proved));
            let sketch = simplify_explained(term, self.language, &hopeful, known, limits);
            if sketch.term == *term {
                return sketch;
            }
            let used: Vec<Symbol> = sketch.steps().flat_map(Step::rules).collect();
            // All of them, so that none of those that are not proved is in the way again.
            let n_unproved = used.into_iter().filter(|&rule| !self.proves(rule)).count();
            if n_unproved == 0 {
                break;
            }
        }
        let proved = self.select(|verdict| verdict.is_some_and(Verdict::is_proved));
        simplify_explained(term, self.language, &proved, known, limits)
    }

    fn select(&self, wanted: impl Fn(Option<&Verdict>) -> bool) -> RuleSet {
        let rules = self.all.rules.iter().filter(|rule| wanted(self.verdicts.get(&rule.name)));
        RuleSet { rules: rules.cloned().collect() }
    }

    /// Whether a rule or a fact is proved. Names that are no rule's stand for what needs no verification.
    pub fn proves(&mut self, name: Symbol) -> bool {
        if let Some(verdict) = self.verdicts.get(&name) {
            return verdict.is_proved();
        }
        let Some(rule) = self.all.rules.iter().find(|rule| rule.name == name) else { return true };
        let verdict = check_rule(self.language, rule, &mut self.solver, &self.limits);
        let is_proved = verdict.is_proved();
        self.verdicts.insert(name, verdict);
        is_proved
    }
}
