//! The inputs at which a function that is asked for is looked at: all, those of its examples, or some.

use std::collections::BTreeSet;

use dsl::{Env, EvalError, Language, Term, Wanted, WantedParam};
use rand::Rng as _;
use samples::{Column, Points, Rng, Sort, Symbol, Value, encode_value};

use super::constants::literals;
use super::{FindConfig, FindError};
use crate::verify::mentions_selection;

/// Inputs of the function that are looked at, and its values there.
pub(super) struct Inputs {
    /// One column for each parameter.
    pub(super) arguments: Vec<Column>,
    pub(super) values: Column,
    /// Whether there are no others.
    pub(super) is_whole: bool,
}

/// Mismatches of a term that are told.
const MISMATCHES: usize = 2;

/// The most inputs that are run for being all that there are.
const MOST_INPUTS: usize = 1 << 16;

impl Inputs {
    pub(super) fn new(language: &Language, wanted: &Wanted, config: &FindConfig) -> Result<Self, FindError> {
        let domains: Option<Vec<Vec<i64>>> = wanted.params.iter().map(|param| domain(language, param)).collect();
        let n_inputs = |domains: &[Vec<i64>]| domains.iter().fold(1_usize, |n, domain| n.saturating_mul(domain.len()));
        let domains = domains.filter(|domains| n_inputs(domains) <= MOST_INPUTS);
        if wanted.meaning.is_none() {
            let given = |i: usize| wanted.examples.iter().map(|(arguments, _)| encode_value(arguments[i])).collect();
            let columns = wanted.params.iter().enumerate();
            let arguments: Vec<Column> = columns.map(|(i, param)| Column::new(param.sort, given(i))).collect();
            let codes = wanted.examples.iter().map(|(_, value)| encode_value(*value)).collect();
            let is_whole = domains.is_some_and(|domains| {
                let row = |(arguments, _): &(Vec<Value>, Value)| -> Vec<i64> {
                    arguments.iter().map(|&value| encode_value(value)).collect()
                };
                let is_input = |row: &Vec<i64>| row.iter().zip(&domains).all(|(code, domain)| domain.contains(code));
                let rows: BTreeSet<Vec<i64>> = wanted.examples.iter().map(row).filter(is_input).collect();
                n_inputs(&domains) == rows.len()
            });
            return Ok(Self { arguments, values: Column::new(wanted.result, codes), is_whole });
        }
        let arguments = match &domains {
            Some(domains) => product(wanted, domains),
            None => {
                let mut rng = samples::rng(config.seed, "inputs of a function that is asked for");
                let mut known = Vec::new();
                literals(wanted.meaning.as_ref(), &mut known);
                let draw = |param: &WantedParam| {
                    let code = |i| value(language, param, &known, i, &mut rng);
                    Column::new(param.sort, (0..config.n_points).map(code).collect())
                };
                wanted.params.iter().map(draw).collect()
            }
        };
        let mut inputs =
            Self { values: Column::new(wanted.result, Vec::new()), arguments, is_whole: domains.is_some() };
        inputs.run(language, wanted)?;
        Ok(inputs)
    }

    pub(super) fn named(&self, wanted: &Wanted) -> Vec<(Symbol, Column)> {
        wanted.params.iter().map(|param| param.name).zip(self.arguments.iter().cloned()).collect()
    }

    /// Runs the meaning.
    fn run(&mut self, language: &Language, wanted: &Wanted) -> Result<(), FindError> {
        let Some(meaning) = &wanted.meaning else { return Ok(()) };
        if mentions_selection(language, meaning) {
            return Err(FindError::Sequences);
        }
        self.values = self.run_term(language, wanted, meaning)?;
        Ok(())
    }

    /// The values of a term over the parameters.
    fn run_term(&self, language: &Language, wanted: &Wanted, term: &Term) -> Result<Column, EvalError> {
        let n_points = self.arguments.first().map_or(1, Column::n_points);
        let (points, vars) = (Points::from_lengths([n_points]), self.named(wanted));
        dsl::eval(term, &Env { language, points: &points, vars: &vars, causal: false })
    }

    /// The first inputs, a few, at which a term over the parameters has not the value wanted.
    pub(super) fn mismatches(
        &self,
        language: &Language,
        wanted: &Wanted,
        term: &Term,
    ) -> Result<Vec<usize>, FindError> {
        let found = self.run_term(language, wanted, term)?;
        let pairs = found.codes.iter().zip(&self.values.codes).enumerate();
        Ok(pairs.filter(|(_, (a, b))| a != b).map(|(point, _)| point).take(MISMATCHES).collect())
    }

    pub(super) fn add(&mut self, language: &Language, wanted: &Wanted, point: &[i64]) -> Result<(), FindError> {
        self.arguments.iter_mut().zip(point).for_each(|(column, &code)| column.codes.push(code));
        self.run(language, wanted)
    }

    pub(super) fn contradiction(&self, a: usize, b: usize) -> String {
        let text = |point: usize| {
            let shown = |column: &Column| dsl::print_value(column.value(point));
            let arguments: Vec<String> = self.arguments.iter().map(shown).collect();
            (arguments.join(" "), shown(&self.values))
        };
        let ((arguments, first), (_, second)) = (text(a), text(b));
        format!("two examples have the arguments {arguments}, and the values {first} and {second}")
    }
}

/// All values of a sort, if they are few.
fn domain(language: &Language, param: &WantedParam) -> Option<Vec<i64>> {
    match (param.sort, param.range) {
        (Sort::Int, Some((low, high))) => Some((low..=high).collect()),
        (Sort::Bool, _) => Some(vec![0, 1]),
        (Sort::BitVec(width), _) if width <= 16 => Some((0..1 << width).collect()),
        (Sort::Enum(name), _) => {
            let declared = language.enums.iter().find(|declared| declared.name == name)?;
            Some(declared.values.iter().map(|value| value.code()).collect())
        }
        _ => None,
    }
}

/// One column for each parameter, of all combinations.
fn product(wanted: &Wanted, domains: &[Vec<i64>]) -> Vec<Column> {
    let n_points: usize = domains.iter().map(Vec::len).product();
    let mut repeat = 1;
    let column = |(domain, param): (&Vec<i64>, &WantedParam)| {
        let codes = (0..n_points).map(|point| domain[point / repeat % domain.len()]).collect();
        repeat *= domain.len();
        Column::new(param.sort, codes)
    };
    domains.iter().zip(&wanted.params).map(column).collect()
}

/// The value of a parameter at a drawn input: of numbers every other one is small, some are those of the meaning, or lie
/// next to them.
fn value(language: &Language, param: &WantedParam, known: &[Value], index: usize, rng: &mut Rng) -> i64 {
    if let Some(all) = domain(language, param).filter(|all| !all.is_empty()) {
        return all[rng.random_range(0..all.len())];
    }
    let near: Vec<i64> = known.iter().filter(|v| v.sort() == Some(param.sort)).map(|v| encode_value(*v)).collect();
    let is_near = index % 4 == 1 && !near.is_empty();
    let number = |rng: &mut Rng| match index {
        _ if is_near => near[rng.random_range(0..near.len())].saturating_add(rng.random_range(-1..=1)).max(-i64::MAX),
        _ if index.is_multiple_of(2) => rng.random_range(-3..=3),
        _ => rng.random_range(-99..=99),
    };
    match param.sort {
        Sort::Real if is_near => near[rng.random_range(0..near.len())],
        Sort::Real => encode_value(Value::Real(number(rng) as f64 / 2.0)),
        Sort::Symbol => Symbol::new(["a", "b", "c"][rng.random_range(0..3)]).code(),
        Sort::BitVec(width) if is_near || index.is_multiple_of(2) => number(rng) & samples::mask(width) as i64,
        Sort::BitVec(width) => (rng.random::<u64>() & samples::mask(width)) as i64,
        _ => number(rng),
    }
}
