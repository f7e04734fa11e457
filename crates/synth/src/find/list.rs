//! All cheapest terms for a function that was found, and the best fit of every cost.

use dsl::{Language, NonterminalId, Term, Wanted};
use samples::{Column, Value};
use smt::Solver;

use super::constants::literals;
use super::inputs::Inputs;
use super::{Evidence, FindConfig, FindError, FindReport, Finding, Judged, Task, grammar_of};
use crate::bank::{BankConfig, Found, Limits};
use crate::goal::Goal;
use crate::listing::{Listing, Question, Ruling, list};
use crate::solve::first_points;

/// Inputs of a meaning that terms are held against before they are run on all.
const MOST_POINTS: usize = 256;

/// All cheapest terms for a function that [`super::find`] found, and the best fit of every cost, over the constants that
/// it tried and those of the term that it found. Of examples all are looked at, of the inputs of a meaning some; `None` where there
/// is no term. `deadline` says when it is too late.
///
/// # Errors
/// As [`super::find`].
pub fn find_all(
    language: &Language,
    wanted: &Wanted,
    report: &FindReport,
    config: &FindConfig,
    solver: &mut Solver,
    deadline: &dyn Fn() -> bool,
) -> Result<Option<Listing<Evidence>>, FindError> {
    let Finding::Solved { term, cost, evidence, .. } = &report.finding else { return Ok(None) };
    let grammar = grammar_of(language, wanted)?;
    let task = Task { language, wanted, config, grammar: grammar.as_ref() };
    let inputs = Inputs::new(language, wanted, config)?;
    let all: Vec<usize> = (0..inputs.values.n_points()).collect();
    let points = match wanted.meaning {
        Some(_) => first_points(&all, &Goal::exact(&inputs.values), MOST_POINTS),
        None => all,
    };
    let (mut own, mut constants) = (Vec::new(), report.tried.constants.clone());
    literals(Some(term), &mut own);
    let is_open = |value: &Value| value.sort().is_some_and(|sort| language.constants.open_cost(sort).is_some());
    for value in own.into_iter().filter(is_open) {
        if !constants.contains(&value) {
            constants.push(value);
        }
    }
    let mut question = Terms { task, inputs, points, constants, solver };
    let limits = Limits { max_cost: *cost, ..config.limits };
    Ok(Some(list(language, &mut question, (term.clone(), evidence.clone()), &limits, deadline)?))
}

/// The terms for a function, held against its values at some inputs first.
struct Terms<'a> {
    task: Task<'a>,
    inputs: Inputs,
    /// Those looked at.
    points: Vec<usize>,
    constants: Vec<Value>,
    solver: &'a mut Solver,
}

impl Question for Terms<'_> {
    type Evidence = Evidence;

    fn bank(&self) -> BankConfig {
        let named = self.inputs.named(self.task.wanted).into_iter();
        let vars: Vec<_> = named.map(|(name, column): (_, Column)| (name, column.select(&self.points))).collect();
        self.task.bank(&vars, &self.constants, &[])
    }

    fn n_points(&self) -> usize {
        self.points.len()
    }

    fn is_whole(&self, found: &Found<'_>) -> bool {
        match self.task.grammar {
            Some(_) => found.nonterminal == NonterminalId(0),
            None => found.sort == self.task.wanted.result,
        }
    }

    fn is_right(&self, point: usize, code: i64) -> bool {
        self.inputs.values.codes[self.points[point]] == code
    }

    fn judge(&mut self, term: &Term) -> Ruling<Evidence> {
        let Self { task, inputs, points, solver, .. } = self;
        match inputs.mismatches(task.language, task.wanted, term) {
            Err(error) => return Ruling::Unknown(error.to_string()),
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => {
                points.extend(wrong);
                return Ruling::Refined;
            }
        }
        match task.judge(term, inputs, solver) {
            Judged::Holds(evidence) => Ruling::Right(evidence),
            Judged::Fails(point) => match inputs.add(task.language, task.wanted, &point) {
                Err(error) => Ruling::Unknown(error.to_string()),
                Ok(()) => {
                    points.push(inputs.values.n_points() - 1);
                    Ruling::Refined
                }
            },
        }
    }
}
