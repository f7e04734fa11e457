//! Terms on columns: the value of a term at every point of a batch.
//!
//! A term is compiled to a tape of instructions on whole columns: operators are replaced by their meanings down to the
//! kernel, equal subterms are computed once, and what does not depend on the state of a scan is computed outside of it.
//! The tape then runs over blocks of whole sequences, small enough for the cache.

mod compile;
mod kernel;
mod run;
mod select;
mod texts;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use samples::{Column, Points, Sort, Symbol};

use crate::language::{Language, OpId, Operator};
use crate::term::{Func, Term};

use self::compile::{Compiler, Tape};
use self::run::Machine;

/// What a term is evaluated against.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The language whose operators the term holds.
    pub language: &'a Language,
    /// Where the sequences lie.
    pub points: &'a Points,
    /// The variables of the term, one value per point.
    pub vars: &'a [(Symbol, Column)],
    /// Whether selections see only positions up to their own.
    pub causal: bool,
}

/// Why a term has no value. None of these happens to terms that have a sort.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvalError {
    /// A variable that the environment lacks.
    #[error("the variable {0} is not bound")]
    Unbound(Symbol),
    /// A variable has another number of values than there are points.
    #[error("the variable {name} has {found} values for {expected} points")]
    Points {
        /// The variable.
        name: Symbol,
        /// Points of the batch.
        expected: usize,
        /// Values of the column.
        found: usize,
    },
    /// A function got an argument of a sort that it does not take.
    #[error("{func} does not take a {found}")]
    WrongSort {
        /// The function.
        func: String,
        /// The sort that it got.
        found: Sort,
    },
    /// A function got the wrong number of arguments.
    #[error("{func} takes {expected} arguments, not {found}")]
    Arity {
        /// The function.
        func: String,
        /// What it takes.
        expected: usize,
        /// What it got.
        found: usize,
    },
    /// Something that looks at other positions stands where there are none: in the update of a scan's state, or in a
    /// call of [`apply`].
    #[error("{0} looks at other positions, and there are none here")]
    NotPointwise(String),
    /// A scan with several outputs where one value is wanted.
    #[error("a scan with {0} outputs is a program of its own")]
    Outputs(usize),
    /// An operator that the language does not have.
    #[error("an operator of another language")]
    MissingOperator,
}

/// The values of a term: one column.
///
/// # Errors
/// See [`EvalError`].
pub fn eval(term: &Term, env: &Env<'_>) -> Result<Column, EvalError> {
    let mut columns = eval_program(term, env)?;
    match columns.len() {
        1 => Ok(columns.remove(0)),
        n => Err(EvalError::Outputs(n)),
    }
}

/// The values of a program: a column for each output of its top-level scan, else one column.
///
/// # Errors
/// See [`EvalError`].
pub fn eval_program(term: &Term, env: &Env<'_>) -> Result<Vec<Column>, EvalError> {
    let mut compiler = Compiler::new(env.language, env.vars.iter().map(|(name, _)| *name));
    let outputs = compiler.program(term)?;
    let tape = compiler.finish(&outputs);
    for (i, (name, column)) in env.vars.iter().enumerate() {
        if tape.reads(i) && column.n_points() != env.points.len() {
            let (expected, found) = (env.points.len(), column.n_points());
            return Err(EvalError::Points { name: *name, expected, found });
        }
    }
    let columns: Vec<&Column> = env.vars.iter().map(|(_, column)| column).collect();
    run_blocks(&tape, &columns, env.points, env.causal)
}

/// A function of the language applied point by point: what a search calls in its innermost loop. Without arguments, its value at
/// one point.
///
/// # Errors
/// [`EvalError::NotPointwise`] for functions that look at other positions; see [`apply_in`] for these.
pub fn apply(language: &Language, func: &Func, args: &[&Column]) -> Result<Column, EvalError> {
    let n = args.first().map_or(1, |arg| arg.n_points());
    if let Some(kernel) = direct(language, func)? {
        let lanes: Vec<Lane<'_>> = args.iter().map(|arg| Lane::of(arg)).collect();
        let mut codes = Vec::with_capacity(n);
        let (sort, width) = kernel::apply(kernel, &lanes, &Space::pointwise(n), &mut codes)?;
        return Ok(Column { sort, width, codes });
    }
    let kept = match func {
        Func::Op(id) if language.op(*id).params.len() == args.len() => language.tapes.of(*id),
        _ => None,
    };
    let compiled = if kept.is_none() { Some(Compiler::function(language, func, args.len())?) } else { None };
    let lanes: Vec<Lane<'_>> = args.iter().map(|arg| Lane::of(arg)).collect();
    let mut machine = Machine::default();
    if let Some(tape) = kept.or(compiled.as_ref()) {
        machine.run(tape, &lanes, &Space::pointwise(n))?;
        return Ok(machine.output(tape, &lanes, 0));
    }
    Err(EvalError::MissingOperator)
}

/// The tapes of a language's operators, so that [`apply`] need not compile them; they are part of no comparison.
#[derive(Clone, Default)]
pub(crate) struct Tapes(Vec<Option<Arc<Tape>>>);

impl Tapes {
    /// `sizes` are the sizes of the operators' meanings: the tapes of large ones are not kept.
    pub(crate) fn new(language: &Language, sizes: impl Iterator<Item = usize>) -> Self {
        let tape = |((id, operator), size): ((OpId, &Operator), usize)| {
            let small = size <= 64;
            let compile = || Compiler::function(language, &Func::Op(id), operator.params.len()).ok().map(Arc::new);
            small.then(compile).flatten()
        };
        Self(language.operators().zip(sizes).map(tape).collect())
    }

    /// The tape of an operator.
    pub(crate) fn tape_of(language: &Language, id: OpId) -> Self {
        let n_params = language.op(id).params.len();
        Self(vec![Compiler::function(language, &Func::Op(id), n_params).ok().map(Arc::new)])
    }

    /// Adds the tapes of operators that were added.
    pub(crate) fn push(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    fn of(&self, id: OpId) -> Option<&Tape> {
        self.0.get(id.0 as usize)?.as_deref()
    }
}

impl PartialEq for Tapes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Tapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tapes", self.0.len())
    }
}

/// A function applied to columns over a batch, where it may look at other positions of a sequence.
///
/// # Errors
/// See [`EvalError`].
pub fn apply_in(
    language: &Language,
    func: &Func,
    args: &[&Column],
    points: &Points,
    causal: bool,
) -> Result<Column, EvalError> {
    for (i, arg) in args.iter().enumerate() {
        if arg.n_points() != points.len() {
            let name = Symbol::new(&format!("argument {}", i + 1));
            return Err(EvalError::Points { name, expected: points.len(), found: arg.n_points() });
        }
    }
    let kept = match func {
        Func::Op(id) if language.operators.get(id.0 as usize).is_some_and(|op| op.params.len() == args.len()) => {
            language.tapes.of(*id)
        }
        _ => None,
    };
    let compiled = if kept.is_none() { Some(Compiler::function(language, func, args.len())?) } else { None };
    match kept.or(compiled.as_ref()) {
        Some(tape) => Ok(run_blocks(tape, args, points, causal)?.remove(0)),
        None => Err(EvalError::MissingOperator),
    }
}

/// The selector of a key, a query and a predicate of both.
///
/// # Errors
/// See [`EvalError`].
pub fn apply_select(
    language: &Language,
    pred: &Func,
    (key, query): (&Column, &Column),
    points: &Points,
    causal: bool,
) -> Result<Column, EvalError> {
    let tape = Compiler::selection(language, pred)?;
    Ok(run_blocks(&tape, &[key, query], points, causal)?.remove(0))
}

fn direct(language: &Language, func: &Func) -> Result<Option<crate::Kernel>, EvalError> {
    Ok(match func {
        Func::Kernel(kernel) => Some(*kernel),
        Func::Op(id) => {
            let operator = language.operators.get(id.0 as usize).ok_or(EvalError::MissingOperator)?;
            operator.kernel().filter(|_| operator.condition.is_none())
        }
        Func::Table(_) | Func::Lambda(..) => None,
    })
}

/// Points of a block: columns of this length stay in the cache.
const BLOCK_POINTS: usize = 1 << 14;

/// Runs a tape over blocks of whole sequences.
fn run_blocks(tape: &Tape, columns: &[&Column], points: &Points, causal: bool) -> Result<Vec<Column>, EvalError> {
    let ranges: Vec<Range<usize>> = points.ranges().collect();
    let width = points.max_length().div_ceil(64).max(1);
    let mut results: Vec<Option<Column>> = vec![None; tape.outputs.len()];
    let mut machine = Machine::default();
    let mut first = 0;
    loop {
        let start = ranges.get(first).map_or(0, |range| range.start);
        let mut last = first;
        while last < ranges.len() && (last == first || ranges[last].end - start <= BLOCK_POINTS) {
            last += 1;
        }
        let block: Vec<Range<usize>> =
            ranges[first..last].iter().map(|range| range.start - start..range.end - start).collect();
        let n = block.last().map_or(0, |range| range.end);
        let lanes: Vec<Lane<'_>> = columns.iter().map(|column| part(column, start, n)).collect();
        machine.run(tape, &lanes, &Space { ranges: Some(&block), causal, width, n })?;
        for (i, result) in results.iter_mut().enumerate() {
            let part = machine.take(tape, &lanes, i);
            match result {
                None => {
                    let mut part = part;
                    part.codes.reserve((points.len() - n) * part.width);
                    *result = Some(part);
                }
                Some(whole) => append(whole, part),
            }
        }
        first = last;
        if first >= ranges.len() {
            return Ok(results.into_iter().flatten().collect());
        }
    }
}

/// Some of the points of a column; none of a column that is not read and has other points.
fn part(column: &Column, start: usize, n: usize) -> Lane<'_> {
    let codes = column.codes.get(start * column.width..(start + n) * column.width).unwrap_or(&[]);
    Lane { sort: column.sort, width: column.width, codes }
}

/// Appends a block. Where nothing was defined so far the sort was a guess.
fn append(whole: &mut Column, part: Column) {
    if whole.sort != part.sort && whole.codes.iter().all(|&code| whole.sort.is_undefined(code)) {
        whole.sort = part.sort;
    }
    whole.codes.extend(part.codes);
}

/// A column that is read: borrowed codes.
#[derive(Clone, Copy)]
struct Lane<'a> {
    sort: Sort,
    width: usize,
    codes: &'a [i64],
}

impl<'a> Lane<'a> {
    fn of(column: &'a Column) -> Self {
        Self { sort: column.sort, width: column.width, codes: &column.codes }
    }
}

/// Where a tape runs.
#[derive(Clone, Copy)]
struct Space<'a> {
    /// The points of each sequence, if positions may look at each other.
    ranges: Option<&'a [Range<usize>]>,
    causal: bool,
    /// Words of a selector.
    width: usize,
    /// Points.
    n: usize,
}

impl Space<'_> {
    fn pointwise(n: usize) -> Self {
        Self { ranges: None, causal: false, width: 1, n }
    }
}
