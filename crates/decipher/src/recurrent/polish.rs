//! A program's expressions replaced by cheaper ones that have the same values: where a strategy built an expression by
//! hand, the user's language may say it more briefly.

use dsl::{Node, Scan, Term};
use samples::{Column, Sort, Symbol};

use super::Task;
use super::build::primed;
use super::rows::Rows;
use super::solve::Budget;
use crate::Error;

/// Terms tried per profile and expression.
const CANDIDATES: u64 = 60_000;

/// The program with every update and output replaced by the cheapest expression found that agrees with it on the
/// recording; `None` where nothing is cheaper. Whether the two agree elsewhere is for the caller to judge.
///
/// # Errors
/// Where the program cannot be evaluated.
pub(crate) fn polish(task: &Task, program: &Term) -> Result<Option<Term>, Error> {
    let scan = match program.node() {
        Node::Scan(scan) => scan.clone(),
        _ => Scan { states: Vec::new(), outputs: vec![program.clone()] },
    };
    let Some(table) = Values::of(task, program, &scan)? else { return Ok(None) };
    let mut changed = false;
    let mut improve = |term: &Term, column: &Column, variables: &[(Symbol, Vec<i64>)]| {
        let better = cheaper(task, term, column, variables);
        changed |= better.is_some();
        better.unwrap_or_else(|| term.clone())
    };
    let before = &table.variables[..task.inputs.len() + scan.states.len()];
    let states = scan.states.iter().zip(&table.after);
    let states = states.map(|((name, init, update), after)| (*name, *init, improve(update, after, before))).collect();
    let outputs = scan.outputs.iter().zip(&table.outputs);
    let outputs: Vec<Term> = outputs.map(|(term, column)| improve(term, column, &table.variables)).collect();
    if !changed {
        return Ok(None);
    }
    Ok(match program.node() {
        Node::Scan(_) => Some(Term::new(Node::Scan(Scan { states, outputs }))),
        _ => outputs.into_iter().next(),
    })
}

/// The values of everything in a scan, per point of the recording.
struct Values {
    /// Inputs, states before the element, states after it.
    variables: Vec<(Symbol, Vec<i64>)>,
    after: Vec<Column>,
    outputs: Vec<Column>,
}

impl Values {
    /// `None` where a state is no integer.
    fn of(task: &Task, program: &Term, scan: &Scan) -> Result<Option<Self>, Error> {
        let recording = &task.recording;
        let batch = recording.batch();
        let outputs = task.evaluate(program, &batch)?;
        let after = if scan.states.is_empty() {
            Vec::new()
        } else {
            let shown = scan.states.iter().map(|(name, _, _)| Term::var(primed(*name))).collect();
            let shown = Term::new(Node::Scan(Scan { states: scan.states.clone(), outputs: shown }));
            task.evaluate(&shown, &batch)?
        };
        if after.iter().any(|column| column.sort != Sort::Int) {
            return Ok(None);
        }
        let inputs = task.inputs.iter().enumerate().map(|(axis, &name)| (name, batch.coordinate(axis)));
        let mut variables: Vec<(Symbol, Vec<i64>)> = inputs.collect();
        for ((name, init, _), column) in scan.states.iter().zip(&after) {
            let init = samples::encode_value(*init);
            let before =
                |point: usize| if point.is_multiple_of(recording.length) { init } else { column.codes[point - 1] };
            variables.push((*name, (0..recording.n_points()).map(before).collect()));
        }
        for ((name, _, _), column) in scan.states.iter().zip(&after) {
            variables.push((primed(*name), column.codes.clone()));
        }
        Ok(Some(Self { variables, after, outputs }))
    }
}

fn cheaper(task: &Task, term: &Term, column: &Column, variables: &[(Symbol, Vec<i64>)]) -> Option<Term> {
    let cost = task.build().cost(term);
    let has_state_table = !matches!(column.sort, Sort::Int | Sort::Bool);
    if cost < 3.0 || has_state_table || column.codes.contains(&samples::UNDEFINED) {
        return None;
    }
    let names = variables.iter().map(|(name, _)| *name).collect();
    let values = |point: usize| variables.iter().map(|(_, codes)| codes[point]).collect();
    let rows = Rows::of(names, 0..column.codes.len(), values, |point| column.codes[point]);
    let budget = Budget { candidates: CANDIDATES, max_cost: cost as u32 - 1, agreement: 1.0 };
    task.solver().solve(&rows, &[column.sort], budget)
}
