//! Solutions by cases: the terms that a function is compared with, each where the constraints hold of it.
//!
//! Where every constraint applies the function once, to the same variables, the constraints with a term in place of the
//! application say when the term is right (single invocation: Reynolds et al., CAV 2015, section 4). If some term is right
//! everywhere, a chain of `ite`s over the terms is a solution. It is seldom a small one, but it is there where decision trees over
//! a few hundred points are out of reach, and gives the search a bound.

use dsl::{Kernel, Node, Term};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::search::{Effort, Judge};
use crate::simple::simple;
use crate::spec::{Pointwise, names};
use crate::theory;
use crate::verify::Verification;

/// Terms that are considered.
const TERM_LIMIT: usize = 100;
/// Counterexamples.
const ROUNDS: usize = 60;

/// The constraints of a specification over the parameters and the name that stands for the function's value.
struct Conditions {
    formulas: Vec<Term>,
    value: Symbol,
    /// Whether they have to be terms of a grammar, which may not have their simple forms.
    has_grammar: bool,
}

impl Conditions {
    /// `None` if an application is to anything but different variables, or a constraint has other variables.
    fn new(spec: &Pointwise<'_>) -> Option<Self> {
        let function = &spec.problem.functions[spec.function];
        let value = Symbol::new("value of the function");
        let formula = |formula: &Term| {
            let used = names(formula);
            let application = spec.problem.applications.iter().find(|own| used.contains(&own.name))?;
            let mut params: FxHashMap<Symbol, Term> = FxHashMap::default();
            params.insert(application.name, Term::var(value));
            for (arg, (param, _)) in application.args.iter().zip(&function.params) {
                let Node::Var(name) = arg.node() else { return None };
                if params.insert(*name, Term::var(*param)).is_some() {
                    return None;
                }
            }
            let is_known = used.iter().all(|name| params.contains_key(name));
            is_known.then(|| formula.substitute(&|name| params.get(&name).cloned()))
        };
        let formulas = spec.formulas.iter().map(formula).collect::<Option<Vec<_>>>()?;
        Some(Self { formulas, value, has_grammar: function.has_grammar })
    }

    /// What has to hold for a term to be right.
    fn of(&self, term: &Term) -> Vec<Term> {
        let own = |formula: &Term| formula.substitute(&|name| (name == self.value).then(|| term.clone()));
        let formulas = self.formulas.iter().map(own);
        if self.has_grammar { formulas.collect() } else { formulas.map(|formula| simple(&formula)).collect() }
    }
}

/// A verified chain of cases of fewer nodes than `bound`; `None` if there is none, or none within the limits.
pub(crate) fn by_cases(
    spec: &mut Pointwise<'_>,
    hints: &[Term],
    bound: Option<u32>,
    judge: &mut Judge<'_>,
) -> Option<Term> {
    let conditions = Conditions::new(spec)?;
    let (terms, n_own) = terms(spec, hints);
    for _ in 0..ROUNDS {
        // Many points have a constant in common that says nothing of the others.
        let chain = chain(spec, &conditions, &terms[..n_own]).or_else(|| chain(spec, &conditions, &terms))?;
        // More points only make it larger.
        if bound.is_some_and(|bound| theory::tree_size(&chain) >= u64::from(bound)) {
            return None;
        }
        match (judge.verify)(&chain, Effort::Full) {
            Verification::Valid => return Some(chain),
            Verification::Counterexample(valuation) => {
                if spec.add(&[valuation])?.is_empty() || (judge.is_late)() {
                    return None;
                }
            }
            Verification::Unknown(_) => return None,
        }
    }
    None
}

/// Parameters and hints, then constants that are wanted at some point; how many are none of these.
fn terms(spec: &Pointwise<'_>, hints: &[Term]) -> (Vec<Term>, usize) {
    let function = &spec.problem.functions[spec.function];
    let params = function.params.iter().filter(|(_, sort)| *sort == function.sort).map(|(name, _)| Term::var(*name));
    let constants = crate::search::wanted(spec).into_iter().map(Term::constant);
    let own =
        hints.iter().filter(|hint| dsl::sort_of(hint, &spec.problem.language, &function.params) == Ok(function.sort));
    let mut terms: Vec<Term> = params.chain(own.cloned()).take(TERM_LIMIT).collect();
    let n_own = terms.len();
    terms.extend(constants.take(TERM_LIMIT - n_own));
    (terms, n_own)
}

/// A chain that is right at all points.
fn chain(spec: &Pointwise<'_>, conditions: &Conditions, terms: &[Term]) -> Option<Term> {
    let right: Vec<Option<Vec<bool>>> = terms.iter().map(|term| right_at(spec, term)).collect();
    let mut open: Vec<usize> = (0..spec.n_points()).collect();
    let mut cases: Vec<(Term, &Term)> = Vec::new();
    loop {
        // The term that is right at most of the points that are left.
        let served = |own: &Option<Vec<bool>>| own.as_ref().map_or(0, |own| open.iter().filter(|&&p| own[p]).count());
        let counts = right.iter().map(served).enumerate();
        let (best, n_right) = counts.max_by_key(|&(index, n)| (n, std::cmp::Reverse(index)))?;
        let own = right[best].as_ref()?;
        if n_right == open.len() {
            let last = terms[best].clone();
            let choice = |rest: Term, (condition, term): (Term, &Term)| {
                theory::apply(Kernel::Ite, vec![condition, term.clone(), rest])
            };
            return Some(cases.into_iter().rev().fold(last, choice));
        }
        if n_right == 0 {
            return None;
        }
        let (condition, holds) = condition(spec, &conditions.of(&terms[best]), own, &open)?;
        open.retain(|&point| !holds[point]);
        cases.push((condition, &terms[best]));
    }
}

/// Where a term is right.
fn right_at(spec: &Pointwise<'_>, term: &Term) -> Option<Vec<bool>> {
    let values = spec.evaluate(term, &spec.columns)?;
    Some(spec.accept.iter().zip(&values.codes).map(|(accept, &code)| accept.contains(code)).collect())
}

/// As few of the formulas as will do: at the open points where they all hold, the term is right. Also where they hold.
fn condition(spec: &Pointwise<'_>, formulas: &[Term], right: &[bool], open: &[usize]) -> Option<(Term, Vec<bool>)> {
    let holds = |formula: &Term| -> Option<Vec<bool>> {
        let column = spec.evaluate(formula, &spec.columns).filter(|column| column.sort == Sort::Bool)?;
        Some(column.codes.iter().map(|&code| code == 1).collect())
    };
    let mut kept: Vec<(&Term, Vec<bool>)> =
        formulas.iter().map(|formula| Some((formula, holds(formula)?))).collect::<Option<_>>()?;
    kept.sort_by_key(|(formula, _)| theory::tree_size(formula));
    let all_hold = |kept: &[(&Term, Vec<bool>)], point: usize| kept.iter().all(|(_, holds)| holds[point]);
    // Large ones go first.
    for at in (0..kept.len()).rev() {
        let dropped = kept.remove(at);
        if open.iter().any(|&point| all_hold(&kept, point) && !right[point]) {
            kept.insert(at, dropped);
        }
    }
    let parts: Vec<Term> = kept.iter().map(|(formula, _)| (*formula).clone()).collect();
    let condition = if parts.is_empty() { Term::constant(Value::Bool(true)) } else { theory::conjunction(&parts) };
    Some((condition, (0..spec.n_points()).map(|point| all_hold(&kept, point)).collect()))
}
