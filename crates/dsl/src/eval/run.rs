//! Running tapes.

use std::ops::Range;

use samples::{Column, Sort, UNDEFINED};

use crate::kernel::Kernel;

use super::compile::{Instr, Lookup, Pred, Reg, ScanPlan, Tape};
use super::{EvalError, Lane, Space, kernel, select};

/// A column of a running tape.
struct Buffer {
    sort: Sort,
    width: usize,
    codes: Vec<i64>,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { sort: Sort::Int, width: 1, codes: Vec::new() }
    }
}

/// The columns of a running tape, kept between runs so that their memory is.
#[derive(Default)]
pub(super) struct Machine {
    buffers: Vec<Buffer>,
}

/// The column of a register: an input or a buffer.
fn lane<'b>(tape: &Tape, buffers: &'b [Buffer], inputs: &[Lane<'b>], reg: Reg) -> Lane<'b> {
    match tape.instrs[reg] {
        Instr::Input(i) => inputs[i],
        _ => Lane { sort: buffers[reg].sort, width: buffers[reg].width, codes: &buffers[reg].codes },
    }
}

impl Machine {
    /// Computes every column of the tape.
    pub(super) fn run(&mut self, tape: &Tape, inputs: &[Lane<'_>], space: &Space<'_>) -> Result<(), EvalError> {
        self.buffers.resize_with(tape.instrs.len(), Buffer::default);
        let mut scans: Vec<Option<Vec<Column>>> = tape.scans.iter().map(|_| None).collect();
        for (reg, instr) in tape.instrs.iter().enumerate() {
            let mut out = std::mem::take(&mut self.buffers[reg]);
            let buffers = &self.buffers;
            let arg = |reg: Reg| lane(tape, buffers, inputs, reg);
            (out.sort, out.width) = match instr {
                Instr::Input(_) => (out.sort, out.width),
                Instr::Const(sort, code) => {
                    out.codes.clear();
                    out.codes.resize(space.n, *code);
                    (*sort, 1)
                }
                Instr::Kernel(kernel, args) => match args[..] {
                    [a] => kernel::apply(*kernel, &[arg(a)], space, &mut out.codes)?,
                    [a, b] => kernel::apply(*kernel, &[arg(a), arg(b)], space, &mut out.codes)?,
                    [a, b, c] => kernel::apply(*kernel, &[arg(a), arg(b), arg(c)], space, &mut out.codes)?,
                    _ => (out.sort, out.width),
                },
                Instr::Table(index, args) => {
                    let args: Vec<Lane<'_>> = args.iter().map(|&reg| arg(reg)).collect();
                    look_up(&tape.tables[*index], &args, space.n, &mut out.codes)
                }
                Instr::Guard(condition, value) => {
                    let (condition, value) = (arg(*condition), arg(*value));
                    guard(condition, value, &mut out.codes);
                    (value.sort, value.width)
                }
                Instr::Select(key, query, pred) => {
                    selection(&tape.preds[*pred], arg(*key), arg(*query), space, &mut out.codes)?;
                    (Sort::Selector, space.width)
                }
                Instr::Scan(index, output) => {
                    let plan = &tape.scans[*index];
                    if scans[*index].is_none() {
                        let steps: Vec<Lane<'_>> = plan.step_imports.iter().map(|&reg| arg(reg)).collect();
                        let outputs: Vec<Lane<'_>> = plan.output_imports.iter().map(|&reg| arg(reg)).collect();
                        scans[*index] = Some(scan(plan, &steps, &outputs, space)?);
                    }
                    let column = scans[*index].as_mut().map(|columns| &mut columns[*output]);
                    if let Some(column) = column {
                        out.codes = std::mem::take(&mut column.codes);
                        (column.sort, column.width)
                    } else {
                        (out.sort, out.width)
                    }
                }
            };
            self.buffers[reg] = out;
        }
        Ok(())
    }

    /// An output of the tape that was run last, for the last time.
    pub(super) fn output(mut self, tape: &Tape, inputs: &[Lane<'_>], output: usize) -> Column {
        let reg = tape.outputs[output];
        match tape.instrs[reg] {
            Instr::Input(_) => self.take(tape, inputs, output),
            _ => {
                let buffer = std::mem::take(&mut self.buffers[reg]);
                Column { sort: buffer.sort, width: buffer.width, codes: buffer.codes }
            }
        }
    }

    /// An output of the tape that was run last.
    pub(super) fn take(&mut self, tape: &Tape, inputs: &[Lane<'_>], output: usize) -> Column {
        let reg = tape.outputs[output];
        let lane = lane(tape, &self.buffers, inputs, reg);
        Column { sort: lane.sort, width: lane.width, codes: lane.codes.to_vec() }
    }
}

fn guard(condition: Lane<'_>, value: Lane<'_>, out: &mut Vec<i64>) {
    out.clear();
    let none = none_of(value.sort);
    for (&condition, words) in condition.codes.iter().zip(value.codes.chunks(value.width.max(1))) {
        out.extend(words.iter().map(|&word| if condition == 1 { word } else { none }));
    }
}

/// What stands where there is no value. Selectors have no undefined value: the empty selection stands for it. No
/// language lets bit-vectors be undefined.
fn none_of(sort: Sort) -> i64 {
    if matches!(sort, Sort::Selector | Sort::BitVec(_)) { 0 } else { UNDEFINED }
}

fn look_up(lookup: &Lookup, args: &[Lane<'_>], n: usize, out: &mut Vec<i64>) -> (Sort, usize) {
    out.clear();
    let none = none_of(lookup.result);
    match args {
        [a] => out.extend(a.codes.iter().map(|a| lookup.one.get(a).copied().unwrap_or(none))),
        [a, b] => {
            let pairs = a.codes.iter().zip(b.codes);
            out.extend(pairs.map(|(&a, &b)| lookup.two.get(&(a, b)).copied().unwrap_or(none)));
        }
        _ => {
            let mut keys = vec![0; lookup.arity];
            for point in 0..n {
                for (key, arg) in keys.iter_mut().zip(args) {
                    *key = arg.codes[point];
                }
                out.push(lookup.more.get(&keys).copied().unwrap_or(none));
            }
        }
    }
    (lookup.result, 1)
}

fn selection(
    pred: &Pred,
    key: Lane<'_>,
    query: Lane<'_>,
    space: &Space<'_>,
    out: &mut Vec<i64>,
) -> Result<(), EvalError> {
    use Kernel::{Distinct, Ge, Gt, Le, Lt};
    let ranges = space.ranges.ok_or_else(|| EvalError::NotPointwise("select".into()))?;
    for arg in [key, query] {
        if arg.sort == Sort::Selector {
            return Err(EvalError::WrongSort { func: "select".into(), found: arg.sort });
        }
    }
    let (k, q, causal, width) = (key.codes, query.codes, space.causal, space.width);
    // The codes of reals are not in the order of the reals; no code of a bit-vector is undefined.
    let ordered = key.sort != Sort::Real && query.sort != Sort::Real;
    let bits = |lane: Lane<'_>| matches!(lane.sort, Sort::BitVec(_));
    match pred {
        _ if bits(key) || bits(query) => by_values(pred, key, query, ranges, space, out)?,
        Pred::Compare(Kernel::Eq) => select::compare(k, q, ranges, causal, width, |a, b| a == b, out),
        Pred::Compare(Distinct) => select::compare(k, q, ranges, causal, width, |a, b| a != b, out),
        Pred::Compare(Lt) if ordered => select::compare(k, q, ranges, causal, width, |a, b| a < b, out),
        Pred::Compare(Le) if ordered => select::compare(k, q, ranges, causal, width, |a, b| a <= b, out),
        Pred::Compare(Gt) if ordered => select::compare(k, q, ranges, causal, width, |a, b| a > b, out),
        Pred::Compare(Ge) if ordered => select::compare(k, q, ranges, causal, width, |a, b| a >= b, out),
        _ => by_values(pred, key, query, ranges, space, out)?,
    }
    Ok(())
}

/// Evaluates the predicate on different keys and queries only, or on the pairs that occur, whichever are fewer.
fn by_values(
    pred: &Pred,
    key: Lane<'_>,
    query: Lane<'_>,
    ranges: &[Range<usize>],
    space: &Space<'_>,
    out: &mut Vec<i64>,
) -> Result<(), EvalError> {
    let ((key_ids, keys), (query_ids, queries)) = (select::dense(key.codes), select::dense(query.codes));
    let n_pairs: usize = ranges.iter().map(|range| range.len() * range.len()).sum();
    if keys.len() * queries.len() <= n_pairs {
        let pairs = || keys.iter().flat_map(|&k| queries.iter().map(move |&q| (k, q)));
        let truth = truth(pred, key.sort, query.sort, pairs().unzip())?;
        let ids = (&key_ids[..], &query_ids[..]);
        select::by_matrix(ids, (&truth, queries.len()), ranges, space.causal, space.width, out);
        return Ok(());
    }
    out.clear();
    for range in ranges {
        let (keys, queries) = (&key.codes[range.clone()], &query.codes[range.clone()]);
        let n = keys.len();
        let pairs = queries.iter().flat_map(|&q| keys.iter().map(move |&k| (k, q)));
        let truth = truth(pred, key.sort, query.sort, pairs.unzip())?;
        for position in 0..n {
            let visible = if space.causal { position + 1 } else { n };
            let base = out.len();
            out.resize(base + space.width, 0);
            for j in (0..visible).filter(|j| truth[position * n + j]) {
                out[base + j / 64] |= 1 << (j % 64);
            }
        }
    }
    Ok(())
}

/// The predicate on pairs; undefined counts as false.
fn truth(pred: &Pred, key: Sort, query: Sort, pairs: (Vec<i64>, Vec<i64>)) -> Result<Vec<bool>, EvalError> {
    let n = pairs.0.len();
    let lanes = [Lane { sort: key, width: 1, codes: &pairs.0 }, Lane { sort: query, width: 1, codes: &pairs.1 }];
    let codes = match pred {
        Pred::Compare(kernel) => {
            let mut codes = Vec::with_capacity(n);
            kernel::apply(*kernel, &lanes, &Space::pointwise(n), &mut codes)?;
            codes
        }
        Pred::Tape(tape) => {
            let mut machine = Machine::default();
            machine.run(tape, &lanes, &Space::pointwise(n))?;
            machine.take(tape, &lanes, 0).codes
        }
    };
    Ok(codes.into_iter().map(|code| code == 1).collect())
}

/// Runs a scan over all sequences at once, step by step; then its outputs for all steps at once.
fn scan(
    plan: &ScanPlan,
    step_imports: &[Lane<'_>],
    output_imports: &[Lane<'_>],
    space: &Space<'_>,
) -> Result<Vec<Column>, EvalError> {
    let ranges = space.ranges.ok_or_else(|| EvalError::NotPointwise("scan".into()))?;
    // Longest first: the sequences that still go on at a step are the first ones.
    let mut order: Vec<&Range<usize>> = ranges.iter().collect();
    order.sort_by_key(|range| std::cmp::Reverse(range.len()));
    let mut by_time: Vec<usize> = Vec::with_capacity(space.n);
    let mut starts: Vec<usize> = Vec::new();
    let n_steps = order.first().map_or(0, |range| range.len());
    for t in 0..n_steps {
        starts.push(by_time.len());
        by_time.extend(order.iter().take_while(|range| range.len() > t).map(|range| range.start + t));
    }
    starts.push(by_time.len());

    let imports: Vec<Buffer> = step_imports.iter().map(|lane| gather(*lane, &by_time)).collect();
    let mut states: Vec<Buffer> =
        plan.inits.iter().map(|&(sort, code)| Buffer { sort, width: 1, codes: vec![code; order.len()] }).collect();
    let fresh = |sort| Buffer { sort, width: 1, codes: Vec::with_capacity(space.n) };
    let mut before: Vec<Buffer> = plan.inits.iter().map(|&(sort, _)| fresh(sort)).collect();
    let mut after: Vec<Buffer> = plan.inits.iter().map(|&(sort, _)| fresh(sort)).collect();
    let mut machine = Machine::default();
    for t in 0..n_steps {
        let rows = starts[t]..starts[t + 1];
        let n = rows.len();
        let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(states.len() + imports.len());
        lanes.extend(states.iter().map(|state| Lane { sort: state.sort, width: 1, codes: &state.codes[..n] }));
        lanes.extend(imports.iter().map(|import| Lane {
            sort: import.sort,
            width: import.width,
            codes: &import.codes[rows.start * import.width..rows.end * import.width],
        }));
        let pointwise = Space { ranges: None, causal: space.causal, width: space.width, n };
        machine.run(&plan.step, &lanes, &pointwise)?;
        let updates: Vec<Column> = (0..states.len()).map(|i| machine.take(&plan.step, &lanes, i)).collect();
        for (i, update) in updates.into_iter().enumerate() {
            before[i].codes.extend_from_slice(&states[i].codes[..n]);
            after[i].codes.extend_from_slice(&update.codes);
            if update.sort != states[i].sort && update.codes.iter().any(|&code| !update.sort.is_undefined(code)) {
                // The initial value was undefined, so that its sort was a guess.
                states[i].sort = update.sort;
                before[i].sort = update.sort;
                after[i].sort = update.sort;
            }
            states[i].codes[..n].copy_from_slice(&update.codes);
        }
    }

    let imports: Vec<Buffer> = output_imports.iter().map(|lane| gather(*lane, &by_time)).collect();
    let lanes: Vec<Lane<'_>> = before
        .iter()
        .chain(&after)
        .chain(&imports)
        .map(|buffer| Lane { sort: buffer.sort, width: buffer.width, codes: &buffer.codes })
        .collect();
    machine.run(&plan.output, &lanes, &Space { ranges: None, causal: space.causal, width: space.width, n: space.n })?;
    let scatter = |k: usize| {
        let lane = machine_lane(&machine, &plan.output, &lanes, k);
        let mut codes = vec![0; lane.codes.len()];
        for (i, &point) in by_time.iter().enumerate() {
            codes[point * lane.width..(point + 1) * lane.width]
                .copy_from_slice(&lane.codes[i * lane.width..(i + 1) * lane.width]);
        }
        Column { sort: lane.sort, width: lane.width, codes }
    };
    Ok((0..plan.output.outputs.len()).map(scatter).collect())
}

fn machine_lane<'b>(machine: &'b Machine, tape: &Tape, inputs: &[Lane<'b>], output: usize) -> Lane<'b> {
    lane(tape, &machine.buffers, inputs, tape.outputs[output])
}

fn gather(lane: Lane<'_>, points: &[usize]) -> Buffer {
    let mut codes = Vec::with_capacity(points.len() * lane.width);
    for &point in points {
        codes.extend_from_slice(&lane.codes[point * lane.width..(point + 1) * lane.width]);
    }
    Buffer { sort: lane.sort, width: lane.width, codes }
}
