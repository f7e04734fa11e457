//! Expressions in the cheapest form that the language's rules show to be equal.
//!
//! The bank finds the cheapest expression within its budget; what is put together from several searches (choices between
//! pieces, cases of their own) may have a shorter form that no enumeration reaches. The e-graph takes it there, and by
//! proved equalities alone: unlike the bank's, they hold at every value that the variables can have.

use dsl::{Language, Term};
use samples::{Sort, Value};
use synth::{Known, RuleBook, SaturationLimits, VerifyLimits};

use super::labels::{Labels, sort_of_values};
use super::program::{Expressions, name};

/// The same expressions, each simplified by itself, so that variables keep the terms that their carriers carry.
pub(super) fn simplified(found: Expressions, labels: &Labels, language: &Language) -> Expressions {
    let known: Vec<Known> = labels.iter().enumerate().map(|(id, values)| known(id, values)).collect();
    let mut rules = RuleBook::new(language, VerifyLimits::new());
    let mut simpler = |term: Term| rules.simplify(&term, &known, &SaturationLimits::new()).term;
    let Expressions { maps, selects, numbers, readout } = found;
    let maps = maps.into_iter().map(|term| term.map(&mut simpler)).collect();
    let numbers = numbers.into_iter().map(|term| term.map(&mut simpler)).collect();
    let readout = readout.map(&mut simpler);
    let mut sides = |(key, query, pred)| (simpler(key), simpler(query), pred);
    let selects =
        selects.into_iter().map(|all| all.map(|all: Vec<_>| all.into_iter().map(&mut sides).collect())).collect();
    Expressions { maps, selects, numbers, readout }
}

/// What is known of a variable: its sort, and the range of its values where all are numbers.
fn known(id: usize, values: &[Value]) -> Known {
    let sort = sort_of_values(values);
    let numbers = || values.iter().filter_map(|value| if let Value::Int(i) = value { Some(*i) } else { None });
    match (sort, numbers().min(), numbers().max()) {
        _ if values.contains(&Value::Undefined) => Known::partial(name(id), sort),
        (Sort::Int, Some(low), Some(high)) => Known::range(name(id), low, high),
        _ => Known::input(name(id), sort),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rasp() -> Language {
        let include = |name: &str| Language::shipped(name).map(str::to_owned);
        Language::parse("rasp", Language::shipped("rasp").expect("shipped"), &include).expect("it parses")
    }

    fn simplify(term: Term, labels: &Labels) -> String {
        let language = rasp();
        let found = Expressions {
            maps: vec![None; labels.len()],
            selects: vec![None; labels.len()],
            numbers: vec![None; labels.len()],
            readout: Some(term),
        };
        let found = simplified(found, labels, &language);
        dsl::print(&found.readout.expect("it stays"), &language)
    }

    #[test]
    fn what_rules_show_to_be_equal_gets_its_shortest_form() {
        let language = rasp();
        let op = |kernel| language.kernel_operator(kernel).expect("rasp has it");
        let v0 = Term::var(name(0));
        let difference = Term::op(op(dsl::Kernel::Sub), vec![v0.clone(), v0]);
        let counts: Vec<Value> = (0..5).map(Value::Int).collect();
        assert_eq!(simplify(difference.clone(), &vec![counts.clone()]), "0");
        let partial = [counts, vec![Value::Undefined]].concat();
        assert_eq!(simplify(difference, &vec![partial]), "(- v0 v0)");
    }
}
