//! Whether rules show two terms to be equal: both in one store, saturated.

use dsl::{Language, Term};
use samples::Value;

use super::{Equalities, Known, RuleSet, SaturationLimits};

/// Whether rules show two terms to be equal within the limits, under facts that are taken as true.
pub(crate) fn merged(
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    facts: &[Term],
    (left, right): (&Term, &Term),
    limits: &SaturationLimits,
) -> bool {
    let mut store = Equalities::new(language, rules, known);
    let (left, right) = (store.add(left), store.add(right));
    let yes = store.add(&Term::constant(Value::Bool(true)));
    for fact in facts {
        let fact = store.add(fact);
        store.assume_equal(fact, yes);
    }
    store.saturate(limits);
    store.same(left, right)
}
