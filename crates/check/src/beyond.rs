//! Beyond the lengths of the domain: does the network still compute the program, and if not, on which short input does
//! it first fail?

use dsl::{Language, Term};
use graph::{Matrix, Network, Recurrence};
use rand::Rng as _;
use samples::{Batch, Column, Decode, Rng, Value, rng};

use crate::{Counterexample, Error, Machine, Oracle, agrees, compare, difference, integer, run_network, run_program};

/// What longer inputs show.
#[derive(Clone, PartialEq, Debug)]
pub struct Beyond {
    /// Elements of the sequences that were run.
    pub length: usize,
    /// Sequences: as many uniform ones as periodic ones.
    pub sequences: usize,
    /// Counted outputs of the uniform ones.
    pub outputs: u64,
    /// Those at which the two differ.
    pub mismatches: u64,
    /// The shortest input found on which both differ, at its last element; searched for by following the inputs that
    /// bring the outputs closest to being read wrongly.
    pub departure: Option<Counterexample>,
}

/// Sequences of each kind, and elements that they have together at most, if they are not few.
const SEQUENCES: usize = 400;
const ELEMENTS: usize = 400_000;
/// Inputs that are followed side by side, for so many elements at most.
const BEAM: usize = 192;
const FOLLOWED: usize = 1_000;
/// Elements that each is continued with, at most.
const BRANCHES: usize = 16;
/// Sequences that are run very far, how far at most, and the multiply-adds that this may cost, about.
const FAR_SEQUENCES: usize = 64;
const FAR_LENGTH: usize = 20_000;
const FAR_WORK: f64 = 2e8;
/// Periods of periodic sequences.
const PERIODS: usize = 8;

/// Runs a recurrent network and its program on sequences of `length` elements, and searches for a short input on which
/// they differ. `None` where the network is not recurrent or the program no machine, or time was up before both were run.
///
/// # Errors
/// Where one of the two cannot be run.
pub fn beyond(
    network: &Network,
    program: &Term,
    language: &Language,
    length: usize,
    (seed, deadline): (u64, &(dyn Fn() -> bool + Sync)),
) -> Result<Option<Beyond>, Error> {
    let Some(net) = network.recurrence() else { return Ok(None) };
    let Some(machine) = Machine::new(program, language, &network.domain) else { return Ok(None) };
    let n = (ELEMENTS / length.max(1)).clamp(PERIODS, SEQUENCES);
    let uniform = network.domain.sample_of_length(n, length, &mut rng(seed, "beyond uniform"));
    let periodic = periodic(network, (n, length), &mut rng(seed, "beyond periodic"));
    let (run_net, run_prog) = (run_network(network), run_program(network, program, language));
    let mut first: Option<Vec<i64>> = None;
    let mut counts = (0, 0);
    for (batch, counted) in [(&uniform, true), (&periodic, false)] {
        if deadline() {
            return Ok(None);
        }
        let (tally, wrong) =
            compare(&network.domain.decode, &batch.points(), &run_net(batch)?, &run_prog(batch)?, None);
        if counted {
            counts = (tally.outputs, tally.wrong_outputs);
        }
        let earliest = wrong.into_iter().map(|point| batch.points().locate(point)).min_by_key(|&(row, at)| (at, row));
        if let Some((row, at)) = earliest {
            let input = batch.sequence(row)[..(at + 1) * batch.dim()].to_vec();
            if first.as_ref().is_none_or(|known| input.len() < known.len()) {
                first = Some(input);
            }
        }
    }
    if first.is_none() && !deadline() {
        first = far(network, length, seed, &run_net, &run_prog)?;
    }
    let most = first.as_ref().map_or(length, |input| (input.len() / net.dim() - 1).min(length)).min(FOLLOWED);
    if let Some(shorter) = beam(network, net, &machine, (most, deadline), &mut rng(seed, "beyond beam"))? {
        first = Some(shorter);
    }
    let departure = match first {
        None => None,
        Some(input) => {
            let batch = Batch::from_sequences(net.dim(), [&input]);
            difference(network, program, language, &batch)?
        }
    };
    Ok(Some(Beyond { length, sequences: 2 * n, outputs: counts.0, mismatches: counts.1, departure }))
}

/// Very long periodic sequences, on which a slow drift shows: the shortest input among them that is read wrongly.
fn far(
    network: &Network,
    length: usize,
    seed: u64,
    run_net: Oracle<'_>,
    run_prog: Oracle<'_>,
) -> Result<Option<Vec<i64>>, Error> {
    let cost = (network.n_parameters() * FAR_SEQUENCES) as f64;
    let length = ((FAR_WORK / cost) as usize).clamp(length, FAR_LENGTH.max(length));
    let all = periodic(network, (SEQUENCES, length), &mut rng(seed, "beyond far"));
    // Constant sequences first: every eighth one.
    let mut rows: Vec<usize> = (0..SEQUENCES).collect();
    rows.sort_by_key(|row| (row % PERIODS, *row));
    let batch = all.select(&rows[..FAR_SEQUENCES]);
    let wrong = compare(&network.domain.decode, &batch.points(), &run_net(&batch)?, &run_prog(&batch)?, None).1;
    let earliest = wrong.into_iter().map(|point| batch.points().locate(point)).min_by_key(|&(row, at)| (at, row));
    Ok(earliest.map(|(row, at)| batch.sequence(row)[..(at + 1) * batch.dim()].to_vec()))
}

/// Sequences that repeat a few elements.
fn periodic(network: &Network, (n, length): (usize, usize), rng: &mut Rng) -> Batch {
    let heads = network.domain.sample_of_length(n, PERIODS, rng);
    let dim = heads.dim();
    let row = |row: usize| {
        let period = 1 + row % PERIODS;
        heads.sequence(row)[..period * dim].iter().copied().cycle().take(length * dim).collect::<Vec<i64>>()
    };
    Batch::from_sequences(dim, (0..n).map(row))
}

/// How far a raw output is from being surely read as the program's at a point.
type Off<'a> = Box<dyn Fn(&[f32], &[Column], usize) -> f64 + 'a>;

/// The measure of a network's kind of output, and from where on it is read wrongly; `None` where there is no such measure.
fn off(network: &Network) -> Option<(Off<'_>, f64)> {
    let decode = &network.domain.decode;
    match decode {
        Decode::Round => Some((
            Box::new(|raw, program, point| {
                let distance = |(&raw, column): (&f32, &Column)| {
                    integer(column, point).map_or(f64::INFINITY, |v| (f64::from(raw) - v as f64).abs())
                };
                raw.iter().zip(program).map(distance).fold(0.0, f64::max)
            }),
            0.5,
        )),
        Decode::Argmax(values) => Some((
            Box::new(move |raw, program, point| {
                let said = program.first().map_or(Value::Undefined, |column| column.value(point));
                let (mut own, mut others) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
                for (&raw, &value) in raw.iter().zip(values) {
                    let of = if agrees(decode, value, said) { &mut own } else { &mut others };
                    *of = of.max(raw);
                }
                f64::from(others - own)
            }),
            Decode::TIE,
        )),
        _ => None,
    }
}

/// Follows the inputs whose outputs come closest to being read wrongly; an input of at most `most` elements on which
/// the network departs from the program.
fn beam(
    network: &Network,
    net: &Recurrence,
    machine: &Machine<'_>,
    (most, deadline): (usize, &(dyn Fn() -> bool + Sync)),
    rng: &mut Rng,
) -> Result<Option<Vec<i64>>, Error> {
    let Some((off, limit)) = off(network) else { return Ok(None) };
    let (dim, n_states) = (net.dim(), machine.names().len());
    let alphabet = crate::proof::alphabet(network);
    let mut hidden = net.initial(1);
    let mut states: Vec<Vec<i64>> = machine.initial().iter().map(|&code| vec![code]).collect();
    let mut paths: Vec<Vec<i64>> = vec![Vec::new()];
    for _ in 0..most {
        if deadline() {
            break;
        }
        let mut parents = Vec::new();
        let mut elements: Vec<Vec<i64>> = vec![Vec::new(); dim];
        for parent in 0..paths.len() {
            let chosen: Vec<Vec<i64>> = match &alphabet {
                Some(all) if all.len() <= BRANCHES => all.clone(),
                _ => {
                    let drawn = network.domain.sample_of_length(1, BRANCHES, rng);
                    drawn.sequence(0).chunks(dim).map(<[i64]>::to_vec).collect()
                }
            };
            for element in chosen {
                parents.push(parent);
                elements.iter_mut().zip(element).for_each(|(axis, v)| axis.push(v));
            }
        }
        let n = parents.len();
        let x = Matrix::new(n, dim, (0..n).flat_map(|i| elements.iter().map(move |axis| axis[i] as f32)).collect());
        let next = net.step(&hidden.select(&parents), &x);
        let y = net.readout(&next);
        let before: Vec<Vec<i64>> = states.iter().map(|column| parents.iter().map(|&p| column[p]).collect()).collect();
        let stepped = machine.step(&before, &elements)?;
        let path = |i: usize| -> Vec<i64> {
            paths[parents[i]].iter().copied().chain(elements.iter().map(|axis| axis[i])).collect()
        };
        let mut order: Vec<(f64, usize)> = (0..n).map(|i| (off(y.row(i), &stepped.outputs, i), i)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        if let Some(&(distance, i)) = order.first()
            && (distance > limit || distance.is_nan())
        {
            return Ok(Some(path(i)));
        }
        // The closest ones, and others at random, so that slow drifts are followed too.
        let mut kept: Vec<usize> = order.iter().take(BEAM / 2).map(|&(_, i)| i).collect();
        let rest = order.len().saturating_sub(kept.len());
        kept.extend((0..(BEAM / 2).min(rest)).map(|_| order[BEAM / 2 + rng.random_range(0..rest)].1));
        paths = kept.iter().map(|&i| path(i)).collect();
        hidden = next.select(&kept);
        states = (0..n_states).map(|k| kept.iter().map(|&i| stepped.states[k][i]).collect()).collect();
    }
    Ok(None)
}
