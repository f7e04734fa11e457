//! Constants that are solved for: terms with holes, and what the holes must hold for the term to be right.
//!
//! A hole is a variable, and the bank enumerates terms over parameters and holes at the inputs, each with several settings
//! of the holes: so it needs to know nothing of holes, and two shapes are one class if they are the same function of both.
//! Where values at those settings show a shape to be linear in its holes at every input, the holes solve linear equations
//! ([`crate::linear`]); else the solver is asked, at a few inputs, to which those are added where its answer is wrong.
//! Whatever comes out is run on all inputs: that a shape looked linear is a guess, that a term is right is not.

use std::collections::BTreeMap;

use dsl::{Node, NonterminalId, SmtScript, Term};
use rand::Rng as _;
use samples::{Column, Points, Sort, Symbol, Value, decode_code};
use smt::{Answer, Model, Solver};

use super::constants::{Hole, Tried, constants};
use super::inputs::Inputs;
use super::{FindError, Task};
use crate::bank::{Bank, ClassId, Limits, StopReason, Watch};
use crate::goal::Goal;
use crate::linear::{self, Equation, Ring};
use crate::solve::first_points;
use crate::verify::model_code;

/// Holes of a sort in one shape, at most.
const MOST_HOLES: usize = 3;
/// Terms evaluated for each number of holes.
const CANDIDATES: u64 = 400_000;
/// Shapes that the solver is asked about, for each number of holes.
const MOST_ASKED: u64 = 120;
/// What it may spend on a question.
const QUESTION: smt::Limits = smt::Limits { resources: 20_000, timeout_ms: None };
/// Inputs at which shapes are evaluated, those the solver is given first, and how often some may be added.
const SAMPLES: usize = 16;
const FIRST_ASKED: usize = 4;
const ROUNDS: usize = 8;
/// Constants that one shape needs at several inputs, which are then tried like those of the examples.
const SUGGESTIONS: usize = 12;
const SUPPORT: usize = 4;

/// A term with holes.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    term: Term,
    /// Those of it and perhaps others.
    holes: Vec<Hole>,
    /// With the cheapest constants in the holes.
    cost: u32,
}

/// A shape with constants in its holes that is right at all inputs.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) term: Term,
    pub(super) cost: u32,
    pub(super) shape: Shape,
}

/// Looks for shapes, and for what fills them.
pub(super) struct HoleSearch<'a> {
    task: Task<'a>,
    solver: Solver,
    /// What was done so far.
    pub(super) tried: Tried,
    /// Constants with which a shape is right at several inputs; those of cheap shapes come first.
    suggested: Vec<Value>,
}

/// What the values of a shape at one input, at all settings, say of its holes.
enum Reading {
    Equation(Equation),
    /// No constants seem to make it right.
    Wrong,
    /// It is not linear.
    Hard,
}

/// The same of several inputs.
enum Verdict {
    Solved(Vec<i64>),
    Wrong,
    Hard,
}

impl<'a> HoleSearch<'a> {
    pub(super) fn new(task: Task<'a>) -> Self {
        let tried = Tried { constants: constants(task.language, task.wanted), ..Tried::default() };
        Self { task, solver: Solver::in_one_context(), tried, suggested: Vec::new() }
    }

    /// Whether there are constants to be solved for.
    pub(super) fn is_any(&self) -> bool {
        !Hole::all(self.task.language, 1).is_empty()
    }

    /// The cheapest shape below a cost that constants make right at all inputs, as far as the limits go.
    pub(super) fn search(
        &mut self,
        inputs: &Inputs,
        bound: u32,
        deadline: &dyn Fn() -> bool,
    ) -> Result<Option<Filled>, FindError> {
        let mut best: Option<Filled> = None;
        for n in 1..=MOST_HOLES {
            let holes = Hole::all(self.task.language, n);
            if holes.is_empty() || deadline() {
                break;
            }
            let bound = best.as_ref().map_or(bound, |best| best.cost);
            best = self.search_with(&holes, n, inputs, bound, deadline)?.or(best);
        }
        Ok(best)
    }

    /// Lets constants be tried that make a shape right at several inputs, if not at all: those of terms that conditions
    /// may join. Whether there are new ones.
    pub(super) fn suggest(&mut self) -> bool {
        let is_new = !self.suggested.is_empty();
        self.tried.constants.append(&mut self.suggested);
        is_new
    }

    fn search_with(
        &mut self,
        holes: &[Hole],
        n: usize,
        inputs: &Inputs,
        mut bound: u32,
        deadline: &dyn Fn() -> bool,
    ) -> Result<Option<Filled>, FindError> {
        let Task { language, wanted, config, .. } = self.task;
        let goal = Goal::exact(&inputs.values);
        let all: Vec<usize> = (0..goal.n_points()).collect();
        let samples = first_points(&all, &goal, SAMPLES);
        let settings = Settings::new(holes, config.seed);
        let columns = settings.columns(inputs, &samples, wanted.params.iter().map(|param| param.name));
        let (params, of_holes) = columns.split_at(wanted.params.len());
        let own: Vec<(Hole, Column)> =
            holes.iter().zip(of_holes).map(|(h, (_, column))| (*h, column.clone())).collect();
        let what = self.task.bank(params, &self.tried.constants, &own);
        let mut bank = Bank::new(language, &what)?.with_holes(holes.iter().map(|hole| hole.name).collect());
        let want: Vec<i64> = samples.iter().map(|&point| goal.codes[point].unwrap_or_default()).collect();
        let is_start = |nonterminal| wanted.grammar.is_none() || nonterminal == NonterminalId(0);
        let (mut best, mut n_asked) = (None, 0);
        self.tried.n_holes = self.tried.n_holes.max(n);
        for cost in 1.. {
            if cost >= bound {
                break;
            }
            let mut found: Vec<(ClassId, bool)> = Vec::new();
            let limits = Limits { max_cost: cost, max_candidates: CANDIDATES, ..self.task.config.limits };
            let reason = bank.run_until(&limits, deadline, &mut |class| {
                if class.sort == goal.sort && is_start(class.nonterminal) && settings.matter(&class.codes) {
                    self.tried.n_shapes += 1;
                    if n == 1 {
                        self.note(&settings, &class.codes, &want, goal.sort);
                    }
                    match settings.solve(&class.codes, &want, goal.sort) {
                        Verdict::Solved(_) => found.push((class.id, false)),
                        Verdict::Hard => found.push((class.id, true)),
                        Verdict::Wrong => {}
                    }
                }
                Watch::Keep
            });
            for (id, is_hard) in found {
                let shape = Shape { term: bank.term(id), holes: holes.to_vec(), cost: bank.cost(id) };
                if shape.cost >= bound || shape.n_holes() < n || (is_hard && n_asked >= MOST_ASKED) || deadline() {
                    continue;
                }
                n_asked += u64::from(is_hard);
                let first = if is_hard { &samples[..samples.len().min(FIRST_ASKED)] } else { &samples };
                if let Some(filled) = self.fill(&shape, inputs, first)?.filter(|filled| filled.cost < bound) {
                    bound = filled.cost;
                    best = Some(filled);
                }
            }
            if reason != StopReason::Cost {
                break;
            }
        }
        self.tried.n_asked += n_asked;
        Ok(best)
    }

    /// Constants with which a shape is right at all inputs, found from some of them.
    pub(super) fn fill(
        &mut self,
        shape: &Shape,
        inputs: &Inputs,
        first: &[usize],
    ) -> Result<Option<Filled>, FindError> {
        let mut points = first.to_vec();
        for _ in 0..ROUNDS {
            let Some(values) = self.values(shape, inputs, &points) else { return Ok(None) };
            let filled = shape.filled(&values, self.task.language);
            let wrong = inputs.mismatches(self.task.language, self.task.wanted, &filled.term)?;
            if wrong.is_empty() {
                return Ok(Some(filled));
            }
            let n_known = points.len();
            points.extend(wrong.into_iter().filter(|point| !first.contains(point)));
            points.dedup();
            if points.len() == n_known {
                // The solver's integers have no bounds.
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The same at the last inputs that were added, and some of the first.
    pub(super) fn refill(&mut self, shape: &Shape, inputs: &Inputs) -> Result<Option<Filled>, FindError> {
        let n_points = inputs.values.n_points();
        let mut points: Vec<usize> = (0..n_points.min(FIRST_ASKED)).collect();
        points.extend(n_points.saturating_sub(FIRST_ASKED).max(points.len())..n_points);
        self.fill(shape, inputs, &points)
    }

    /// Codes for the holes with which a shape is right at some inputs.
    fn values(&mut self, shape: &Shape, inputs: &Inputs, points: &[usize]) -> Option<Vec<i64>> {
        let Task { language, wanted, config, .. } = self.task;
        let settings = Settings::new(&shape.holes, config.seed);
        let vars = settings.columns(inputs, points, wanted.params.iter().map(|param| param.name));
        let n_points = Points::from_lengths([vars.first()?.1.n_points()]);
        let env = dsl::Env { language, points: &n_points, vars: &vars, causal: false };
        let codes = dsl::eval(&shape.term, &env).ok()?.codes;
        let want: Vec<i64> = points.iter().map(|&point| inputs.values.codes[point]).collect();
        match settings.solve(&codes, &want, inputs.values.sort) {
            Verdict::Solved(codes) => Some(codes),
            Verdict::Wrong => None,
            Verdict::Hard => self.ask(shape, inputs, points),
        }
    }

    /// The solver's codes for the holes, made small one after the other.
    fn ask(&mut self, shape: &Shape, inputs: &Inputs, points: &[usize]) -> Option<Vec<i64>> {
        let Task { language, wanted, .. } = self.task;
        let mut script = SmtScript::new(language);
        shape.holes.iter().try_for_each(|hole| script.declare(hole.name, hole.sort, false)).ok()?;
        for &point in points {
            let value = |name: Symbol| {
                let index = wanted.params.iter().position(|param| param.name == name)?;
                Some(Term::constant(inputs.arguments[index].value(point)))
            };
            let own = script.encode(&shape.term.substitute(&value)).ok()?;
            let assertion = match inputs.values.value(point) {
                Value::Undefined => format!("(assert (not {}))", own.defined),
                right => {
                    let right = script.encode(&Term::constant(right)).ok()?;
                    format!("(assert (and {} (= {} {})))", own.defined, own.value, right.value)
                }
            };
            script.push(assertion);
        }
        let text = script.text();
        let mut codes = self.answer(&text, shape)?;
        let used = (0..shape.holes.len()).filter(|&i| shape.occurrences(shape.holes[i].name) > 0);
        for index in used {
            while let Some(bound) = smaller(&shape.holes[index], codes[index]) {
                let Some(better) = self.answer(&format!("{text}\n(assert {bound})\n"), shape) else { break };
                codes = better;
            }
        }
        Some(codes)
    }

    fn answer(&mut self, text: &str, shape: &Shape) -> Option<Vec<i64>> {
        let Ok(Answer::Sat(model)) = self.solver.check_sat(text, QUESTION) else { return None };
        let code = |hole: &Hole, model: &Model| model_code(self.task.language, model, hole.name.as_str(), hole.sort);
        shape.holes.iter().map(|hole| code(hole, &model)).collect()
    }

    /// Notes constants with which a shape is right at several inputs, if not at all.
    fn note(&mut self, settings: &Settings, codes: &[i64], want: &[i64], sort: Sort) {
        let Some(ring) = ring(sort) else { return };
        let mut support: BTreeMap<i64, usize> = BTreeMap::new();
        for (codes, &want) in codes.chunks(settings.rows.len()).zip(want) {
            let Reading::Equation(equation) = settings.reading(codes, want, sort) else { continue };
            if equation.0.iter().all(|&factor| factor == 0) {
                continue;
            }
            if let Some(code) = linear::solve(ring, &[equation]).and_then(|values| code(sort, *values.first()?)) {
                *support.entry(code).or_default() += 1;
            }
        }
        let mut values: Vec<(usize, i64)> = support.into_iter().map(|(code, n)| (n, code)).collect();
        values.retain(|(n, _)| *n >= SUPPORT);
        values.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let listed = self.task.language.constants.values(sort);
        for value in values.into_iter().map(|(_, code)| decode_code(sort, code)) {
            let is_known = [&listed, &self.tried.constants, &self.suggested].iter().any(|own| own.contains(&value));
            if !is_known && self.suggested.len() < SUGGESTIONS {
                self.suggested.push(value);
            }
        }
    }
}

impl Shape {
    /// How often a hole stands in it.
    fn occurrences(&self, name: Symbol) -> u32 {
        fn count(term: &Term, name: Symbol) -> u32 {
            match term.node() {
                Node::Var(own) => u32::from(*own == name),
                Node::App(_, args) => args.iter().map(|arg| count(arg, name)).sum(),
                _ => 0,
            }
        }
        count(&self.term, name)
    }

    /// How many holes it has.
    fn n_holes(&self) -> usize {
        self.holes.iter().filter(|hole| self.occurrences(hole.name) > 0).count()
    }

    fn filled(&self, codes: &[i64], language: &dsl::Language) -> Filled {
        let values: Vec<(Hole, Value)> =
            self.holes.iter().zip(codes).map(|(hole, &code)| (*hole, decode_code(hole.sort, code))).collect();
        let constant = |name: Symbol| {
            let of_name = values.iter().find(|(hole, _)| hole.name == name);
            of_name.map(|(_, value)| Term::constant(*value))
        };
        let more = |(hole, value): &(Hole, Value)| {
            let each = i64::from(language.constants.cost(*value).max(1)) - i64::from(hole.cost);
            each * i64::from(self.occurrences(hole.name))
        };
        let cost = i64::from(self.cost) + values.iter().map(more).sum::<i64>();
        let cost = u32::try_from(cost.max(1)).unwrap_or(u32::MAX);
        Filled { term: self.term.substitute(&constant), cost, shape: self.clone() }
    }
}

/// Values that holes are given to see how a shape depends on them: 0 all, 1 each, then others of all sizes.
struct Settings {
    holes: Vec<Hole>,
    /// One code for each hole.
    rows: Vec<Vec<i64>>,
}

/// Up to how far from 0 the last settings lie.
const RADII: [i64; 5] = [5, 12, 150, 4000, 1_000_000];

impl Settings {
    fn new(holes: &[Hole], seed: u64) -> Self {
        let mut rng = samples::rng(seed, "settings of holes");
        let code = |sort: Sort, number: i64| match sort {
            Sort::BitVec(width) => number & samples::mask(width) as i64,
            _ => number,
        };
        let mut rows = vec![vec![0; holes.len()]];
        rows.extend((0..holes.len()).map(|unit| (0..holes.len()).map(|hole| i64::from(hole == unit)).collect()));
        for radius in RADII {
            rows.push(holes.iter().map(|hole| code(hole.sort, rng.random_range(-radius..=radius))).collect());
        }
        Self { holes: holes.to_vec(), rows }
    }

    /// The parameters at some inputs and the holes, at each input in all settings.
    fn columns(&self, inputs: &Inputs, points: &[usize], names: impl Iterator<Item = Symbol>) -> Vec<(Symbol, Column)> {
        let repeated: Vec<usize> =
            points.iter().flat_map(|&point| std::iter::repeat_n(point, self.rows.len())).collect();
        let params = names.zip(&inputs.arguments).map(|(name, column)| (name, column.select(&repeated)));
        let hole = |(index, hole): (usize, &Hole)| {
            let codes = points.iter().flat_map(|_| self.rows.iter().map(move |row| row[index])).collect();
            (hole.name, Column::new(hole.sort, codes))
        };
        params.chain(self.holes.iter().enumerate().map(hole)).collect()
    }

    /// Whether values depend on the holes.
    fn matter(&self, codes: &[i64]) -> bool {
        codes.chunks(self.rows.len()).any(|own| own.iter().any(|code| *code != own[0]))
    }

    /// Codes for the holes with which values are those wanted.
    fn solve(&self, codes: &[i64], want: &[i64], sort: Sort) -> Verdict {
        let mut equations: Vec<Equation> = Vec::new();
        let mut is_hard = false;
        for (own, &want) in codes.chunks(self.rows.len()).zip(want) {
            match self.reading(own, want, sort) {
                Reading::Wrong => return Verdict::Wrong,
                Reading::Hard => is_hard = true,
                Reading::Equation(equation) => equations.push(equation),
            }
        }
        let Some(ring) = ring(sort).filter(|_| !is_hard) else { return Verdict::Hard };
        let values = linear::solve(ring, &equations);
        let codes = |values: Vec<i128>| values.into_iter().map(|value| code(sort, value)).collect::<Option<Vec<i64>>>();
        values.and_then(codes).map_or(Verdict::Wrong, Verdict::Solved)
    }

    fn reading(&self, codes: &[i64], want: i64, sort: Sort) -> Reading {
        if codes.iter().all(|code| *code == codes[0]) {
            let same = vec![0; self.holes.len()];
            return if codes[0] == want { Reading::Equation((same, 0)) } else { Reading::Wrong };
        }
        let hard = || if is_plausible(codes, want, sort) { Reading::Hard } else { Reading::Wrong };
        let Some(ring) = ring(sort).filter(|_| !codes.iter().any(|&code| sort.is_undefined(code))) else {
            return hard();
        };
        let number = |code: i64| if sort == Sort::Int { i128::from(code) } else { i128::from(code as u64) };
        let base = number(codes[0]);
        let n_holes = self.holes.len();
        let factors: Vec<i128> = codes[1..=n_holes].iter().map(|&code| ring.reduce(number(code) - base)).collect();
        let predicted = |row: &Vec<i64>| {
            let products = factors.iter().zip(row).map(|(factor, &hole)| (*factor, hole));
            products.fold(base, |sum, (factor, hole)| sum.wrapping_add(factor.wrapping_mul(i128::from(hole))))
        };
        let rows = self.rows.iter().zip(codes).skip(1 + n_holes);
        let is_linear = rows.into_iter().all(|(row, &code)| ring.reduce(predicted(row)) == number(code));
        let is_own = factors.iter().zip(&self.holes).all(|(factor, own)| *factor == 0 || own.sort == sort);
        if !is_linear || !is_own {
            return hard();
        }
        if sort.is_undefined(want) {
            return Reading::Wrong;
        }
        Reading::Equation((factors, ring.reduce(number(want) - base)))
    }
}

/// Whether a value may well be taken: numbers lie between those seen, bits that never change are right.
fn is_plausible(codes: &[i64], want: i64, sort: Sort) -> bool {
    if sort.is_undefined(want) {
        return codes.contains(&want);
    }
    let seen = || codes.iter().copied().filter(|&code| !sort.is_undefined(code));
    match sort {
        Sort::Int => seen().min().is_some_and(|least| least <= want) && seen().max().is_some_and(|most| want <= most),
        Sort::BitVec(_) => {
            let (all, any) = seen().fold((-1, 0), |(all, any), code| (all & code, any | code));
            want & all == all && want & !any == 0
        }
        _ => true,
    }
}

/// The arithmetic of a sort, if it has one that is exact.
fn ring(sort: Sort) -> Option<Ring> {
    match sort {
        Sort::Int => Some(Ring::Integers),
        Sort::BitVec(width) => Some(Ring::Bits(width)),
        _ => None,
    }
}

/// The code of a number of a sort.
fn code(sort: Sort, number: i128) -> Option<i64> {
    match sort {
        Sort::BitVec(_) => u64::try_from(number).ok().map(|bits| bits as i64),
        _ => i64::try_from(number).ok().filter(|&code| !sort.is_undefined(code)),
    }
}

/// That a hole holds less than half of what it holds, if that is not 0.
fn smaller(hole: &Hole, code: i64) -> Option<String> {
    let name = format!("|{}|", hole.name);
    match hole.sort {
        Sort::BitVec(width) => {
            let half = Value::bit_vec(width, (code as u64) / 2);
            (code != 0).then(|| format!("(bvule {name} {})", dsl::print_value(half)))
        }
        _ => {
            let half = code.unsigned_abs() / 2;
            (code != 0).then(|| format!("(<= (- {half}) {name} {half})"))
        }
    }
}
