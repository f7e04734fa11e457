//! Bodies of a given shape whose constants the solver finds: polynomials for integers, conjunctions and disjunctions of
//! linear inequalities for truth values.
//!
//! The constants are existential, the variables universal. As in [`crate::joint`] the variables are taken at finitely
//! many valuations, to which counterexamples are added (CEGIS, Solar-Lezama 2008): the solver only ever sees questions
//! without quantifiers, on the file's own text.

use dsl::{Kernel, Term};
use samples::{Sort, Value};
use smt::{Answer, Limits, Model, Solver};

use crate::polynomial::Monomials;
use crate::problem::Problem;
use crate::theory;
use crate::verify::{self, Verification};

/// Counterexamples that one shape may need.
const ROUNDS: usize = 20;
/// Valuations to begin with.
const FIRST_VALUATIONS: usize = 6;
/// The greatest factor of a monomial: small ones first, which the solver finds sooner and people read more easily.
const FACTOR_LIMITS: [i64; 3] = [1, 5, 1000];

/// How the inequalities of a truth value are joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// `and` or `or`.
    pub(crate) join: Kernel,
    /// Equations.
    pub(crate) equations: usize,
    /// Inequalities.
    pub(crate) inequalities: usize,
    /// Of polynomials that are integers; inequalities are linear.
    pub(crate) degree: usize,
}

impl Shape {
    /// All shapes that are tried, simple ones first.
    pub(crate) fn all(problem: &Problem, functions: &[usize]) -> Vec<Self> {
        let degree = problem.logic.degree();
        let is_truth = |index: &usize| problem.functions[*index].sort == Sort::Bool;
        let shape = |(join, equations, inequalities)| Self { join, equations, inequalities, degree };
        if !functions.iter().any(is_truth) {
            return vec![shape((Kernel::And, 0, 1))];
        }
        let all = [
            (Kernel::And, 0, 1),
            (Kernel::And, 0, 2),
            (Kernel::And, 1, 1),
            (Kernel::Or, 0, 2),
            (Kernel::And, 2, 1),
            (Kernel::And, 0, 3),
            (Kernel::Or, 0, 3),
        ];
        all.into_iter().map(shape).collect()
    }
}

/// A body with holes.
struct Template {
    monomials: Monomials,
    /// Polynomials: one for an integer, the equations and inequalities of a truth value.
    n: usize,
    /// How many are equations.
    equations: usize,
    join: Kernel,
    sort: Sort,
    slot: usize,
}

impl Template {
    fn new(problem: &Problem, function: usize, slot: usize, shape: Shape) -> Option<Self> {
        let own = &problem.functions[function];
        let (n, degree) = match own.sort {
            Sort::Int => (1, shape.degree),
            Sort::Bool => (shape.equations + shape.inequalities, 1),
            _ => return None,
        };
        let monomials = Monomials::new(own, degree)?;
        Some(Self { monomials, n, equations: shape.equations, join: shape.join, sort: own.sort, slot })
    }

    fn hole(&self, polynomial: usize, monomial: usize) -> String {
        format!("|hole {} {polynomial} {monomial}|", self.slot)
    }

    fn holes(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.n).flat_map(move |p| (0..self.monomials.len()).map(move |m| self.hole(p, m)))
    }

    /// The body as SMT-LIB text over the holes.
    fn smt(&self) -> String {
        let polynomial = |p: usize| {
            let products = self.monomials.smt().enumerate().map(|(m, text)| format!("(* {} {text})", self.hole(p, m)));
            format!("(+ {})", products.collect::<Vec<_>>().join(" "))
        };
        if self.sort == Sort::Int {
            return polynomial(0);
        }
        let part = |p: usize| format!("({} {} 0)", if p < self.equations { "=" } else { ">=" }, polynomial(p));
        let parts: Vec<String> = (0..self.n).map(part).collect();
        format!("({} {} {})", self.join.name(), parts.join(" "), self.join == Kernel::And)
    }

    /// The body with the values that a model gives the holes; `None` where one leaves 64 bits.
    fn body(&self, model: &Model) -> Option<Term> {
        let coefficient = |p: usize, m: usize| {
            let name = self.hole(p, m);
            let name = name.trim_matches('|');
            model.value(name).map_or(Some(0), |_| model.int(name))
        };
        let row = |p: usize| (0..self.monomials.len()).map(|m| coefficient(p, m)).collect::<Option<Vec<i64>>>();
        let rows = (0..self.n).map(row).collect::<Option<Vec<_>>>()?;
        if self.sort == Sort::Int {
            return Some(self.monomials.term(&rows[0]));
        }
        let mut parts = rows.iter().enumerate().filter_map(|(p, row)| self.comparison(row, p < self.equations));
        let first = parts.next().unwrap_or_else(|| Term::constant(Value::Bool(self.join == Kernel::And)));
        Some(parts.fold(first, |sum, next| theory::apply(self.join, vec![sum, next])))
    }

    /// The negative part equals, or is at most, the positive one; `None` where it does not matter.
    fn comparison(&self, row: &[i64], is_equation: bool) -> Option<Term> {
        if row[1..].iter().all(|&c| c == 0) {
            let holds = if is_equation { row[0] == 0 } else { row[0] >= 0 };
            return (holds != (self.join == Kernel::And)).then(|| Term::constant(Value::Bool(holds)));
        }
        Some(self.monomials.comparison(if is_equation { Kernel::Eq } else { Kernel::Le }, row))
    }
}

/// What the solver may spend, and whether time is up.
pub(crate) struct Means<'a> {
    pub(crate) solver: &'a mut Solver,
    pub(crate) limits: Limits,
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

/// Verified bodies of a shape for functions that constraints tie together, one for each; `None` if there are none, or none
/// was found within the limits.
pub(crate) fn solve(
    problem: &Problem,
    functions: &[usize],
    valuations: &[Vec<i64>],
    means: &mut Means<'_>,
) -> Option<Vec<Term>> {
    for shape in Shape::all(problem, functions) {
        let templates =
            functions.iter().enumerate().map(|(slot, &function)| Template::new(problem, function, slot, shape));
        let templates = templates.collect::<Option<Vec<_>>>()?;
        let valuations = valuations.iter().take(FIRST_VALUATIONS).cloned().collect();
        let mut holes = Holes { problem, functions, templates, valuations };
        for limit in FACTOR_LIMITS {
            let bounds = holes.bounds(limit);
            if let Some(found) = holes.fill(&bounds, means) {
                return Some(holes.thin(bounds, found, means));
            }
            if (means.is_late)() {
                return None;
            }
        }
    }
    None
}

/// Templates, and the valuations at which they are held against the constraints.
struct Holes<'p> {
    problem: &'p Problem,
    functions: &'p [usize],
    templates: Vec<Template>,
    valuations: Vec<Vec<i64>>,
}

impl Holes<'_> {
    /// Assertions that factors are small.
    fn bounds(&self, limit: i64) -> Vec<String> {
        let of = |template: &Template| -> Vec<String> {
            let factors = (0..template.n).flat_map(|p| (1..template.monomials.len()).map(move |m| (p, m)));
            factors.map(|(p, m)| format!("(<= (- {limit}) {} {limit})", template.hole(p, m))).collect()
        };
        self.templates.iter().flat_map(of).collect()
    }

    /// Verified bodies that satisfy assertions about the holes.
    fn fill(&mut self, assertions: &[String], means: &mut Means<'_>) -> Option<Vec<Term>> {
        for _ in 0..ROUNDS {
            let text = self.question(assertions);
            let Ok(Answer::Sat(model)) = means.solver.check_sat(&text, means.limits) else { return None };
            let bodies = self.templates.iter().map(|template| template.body(&model)).collect::<Option<Vec<_>>>()?;
            let all = crate::solve::bodies(self.problem, self.functions, &bodies);
            match verify::verify(self.problem, self.functions, &all, means.solver, means.limits) {
                Verification::Valid => return Some(bodies),
                Verification::Counterexample(valuation) if !self.valuations.contains(&valuation) => {
                    self.valuations.push(valuation);
                }
                _ => return None,
            }
            if (means.is_late)() {
                return None;
            }
        }
        None
    }

    /// Sets holes to 0, one after the other, as long as there are bodies.
    fn thin(&mut self, mut assertions: Vec<String>, mut found: Vec<Term>, means: &mut Means<'_>) -> Vec<Term> {
        let names: Vec<String> =
            self.templates.iter().flat_map(|template| template.holes().collect::<Vec<_>>()).collect();
        for name in names.iter().rev() {
            assertions.push(format!("(= {name} 0)"));
            match self.fill(&assertions, means) {
                Some(thinner) => found = thinner,
                None => drop(assertions.pop()),
            }
        }
        found
    }

    /// Whether holes can be filled so that the constraints hold at the valuations.
    fn question(&self, assertions: &[String]) -> String {
        let holes = self.templates.iter().flat_map(|template| template.holes().collect::<Vec<_>>());
        let mut text: String = holes.map(|name| format!("(declare-const {name} Int)\n")).collect();
        let define = |index: usize| {
            let slot = self.functions.iter().position(|&own| own == index);
            match slot {
                Some(slot) => verify::definition_of(self.problem, index, &self.templates[slot].smt()),
                None => verify::definition(self.problem, index, &crate::solve::placeholder(self.problem, index)),
            }
        };
        text.push_str(&verify::instances(self.problem, self.functions, &define, &self.valuations));
        text.extend(assertions.iter().map(|assertion| format!("(assert {assertion})\n")));
        text
    }
}
