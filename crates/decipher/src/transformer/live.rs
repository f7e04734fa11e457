//! The backward slice: which components and hidden units reach the output, and through which directions they are read.

use samples::Decode;

use super::tolerance::Tolerance;
use super::trace::{Layout, Mat, Trace, apply, mean_of};
use super::wiring::{Head, Mlp, Part, Slot, Wiring};

/// What every component's output is read through, from the output backwards.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Per writer the directions (rows, `[readings, width]`) of its readers; `None` where nothing reads it.
    pub(super) views: Vec<Option<Mat>>,
    /// Per writer the views of its own slots, where it is live: values, queries, keys for heads, hidden units for layers.
    pub(super) slots: Vec<SlotViews>,
    /// The view of the read-out.
    pub(super) readout: Mat,
    /// Of the readings of a writer by a reader that are not nothing, the share that is too faint for a signal: about none in
    /// exact weights, most in noisy ones.
    pub(super) haze: f64,
}

/// The directions that a live component's slots read, scaled so that [`Tolerance::read`] is the threshold.
#[derive(Clone, Debug)]
pub(super) enum SlotViews {
    /// Not live, or reads nothing.
    None,
    /// A head's.
    Head {
        /// Queries, in attention logits over the least that counts.
        q: Mat,
        /// Keys, likewise.
        k: Mat,
        /// Values.
        v: Mat,
    },
    /// The hidden units that can fire and are read, and their directions.
    Hidden {
        /// Units.
        units: Vec<usize>,
        /// One row per unit.
        view: Mat,
    },
}

/// Rows scaled to unit norm; rows of nothing stay nothing.
pub(super) fn normalised(mut rows: Mat) -> Mat {
    let largest = rows.row_iter().map(|row| row.norm()).fold(0.0, f64::max);
    for mut row in rows.row_iter_mut() {
        let norm = row.norm();
        if norm > 1e-6 * largest {
            row /= norm;
        } else {
            row.fill(0.0);
        }
    }
    rows
}

/// Spreads between these are neither the noise of floats nor a signal.
const HAZY: std::ops::Range<f64> = 3e-4..3e-2;

/// The rows of `view` under which the given columns of `values` vary by more than `least`.
pub(super) fn varying(view: &Mat, values: &Mat, columns: Option<&[usize]>, least: f64) -> Vec<usize> {
    let spreads = spreads(view, values, columns);
    (0..spreads.len()).filter(|&row| spreads[row] > least).collect()
}

/// How much the given columns of `values` vary under each row of `view`.
fn spreads(view: &Mat, values: &Mat, columns: Option<&[usize]>) -> Vec<f64> {
    let seen = view * values;
    let spread = |row: usize| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut take = |v: f64| (low, high) = (low.min(v), high.max(v));
        match columns {
            Some(columns) => columns.iter().for_each(|&c| take(seen[(row, c)])),
            None => seen.row(row).iter().for_each(|&v| take(v)),
        }
        high - low
    };
    (0..view.nrows()).map(spread).collect()
}

/// The directions of an unembedding that decide the output.
pub(super) fn readout_view(readout: &Slot, decode: &Decode) -> Mat {
    let mut rows = readout.weight.clone();
    if matches!(decode, Decode::Argmax(_)) {
        let mean = rows.row_mean();
        for mut row in rows.row_iter_mut() {
            row -= &mean;
        }
    }
    normalised(rows)
}

/// Slices backwards over the samples of a trace.
pub(super) fn slice(wiring: &Wiring, trace: &Trace, layout: &Layout, decode: &Decode, tolerance: Tolerance) -> Live {
    let n = wiring.writers.len();
    let mut rows: Vec<Vec<Mat>> = vec![Vec::new(); n];
    let mut slots = vec![SlotViews::None; n];
    let points = &layout.point_rows;
    let ranges = unit_ranges(wiring, trace, layout);
    let (mut hazy, mut seen) = (0_usize, 0_usize);
    let mut read = |rows: &mut Vec<Vec<Mat>>, view: &Mat, reads: &[usize]| {
        for &writer in reads {
            let spreads = spreads(view, &trace.values[writer], Some(points));
            seen += spreads.iter().filter(|&&spread| spread > HAZY.start).count();
            hazy += spreads.iter().filter(|&spread| HAZY.contains(spread)).count();
            let live: Vec<usize> = (0..spreads.len()).filter(|&row| spreads[row] > tolerance.read()).collect();
            if !live.is_empty() {
                rows[writer].push(view.select_rows(&live));
            }
        }
    };
    let readout = readout_view(&wiring.readout, decode);
    read(&mut rows, &readout, &wiring.readout.reads);
    for writer in (0..n).rev() {
        if rows[writer].is_empty() {
            continue;
        }
        let view = stack(&rows[writer]);
        match &wiring.writers[writer].part {
            Part::Head(head) => {
                let (q, k) = logit_views(head, wiring.width, trace, layout, tolerance);
                let v = normalised(&view * &head.out * &head.v.weight);
                read(&mut rows, &q, &head.q.reads);
                read(&mut rows, &k, &head.k.reads);
                read(&mut rows, &v, &head.v.reads);
                slots[writer] = SlotViews::Head { q, k, v };
            }
            Part::Mlp(mlp) => {
                let units = live_units(wiring, mlp, &view, trace, &ranges, points, tolerance.read());
                let hidden = normalised(mlp.hidden.weight.select_rows(&units));
                read(&mut rows, &hidden, &mlp.hidden.reads);
                slots[writer] = SlotViews::Hidden { units, view: hidden };
            }
            _ => {}
        }
    }
    let views = rows.iter().map(|rows| (!rows.is_empty()).then(|| stack(rows))).collect();
    let haze = hazy as f64 / seen.max(1) as f64;
    Live { views, slots, readout, haze }
}

pub(super) fn stack(parts: &[Mat]) -> Mat {
    let total = parts.iter().map(Mat::nrows).sum();
    let mut all = Mat::zeros(total, parts.first().map_or(0, Mat::ncols));
    let mut at = 0;
    for part in parts {
        all.rows_mut(at, part.nrows()).copy_from(part);
        at += part.nrows();
    }
    all
}

/// Directions of the stream that a head's queries and keys read: the logit against BOS as a function of the query, for
/// a set of keys that spans those seen; the logit as a function of the key, for queries that span those seen.
fn logit_views(head: &Head, width: usize, trace: &Trace, layout: &Layout, tolerance: Tolerance) -> (Mat, Mat) {
    let (q, k) = (&head.q, &head.k);
    let rows = layout.n_rows();
    let queries = apply(q, &trace.sum(&q.reads, width, rows)).select_columns(&layout.point_rows);
    let all_keys = apply(k, &trace.sum(&k.reads, width, rows));
    let mut keys = all_keys.select_columns(&layout.point_rows);
    let bos = mean_of(&all_keys, &layout.bos_rows);
    for mut key in keys.column_iter_mut() {
        key -= &bos;
    }
    let (some_keys, some_queries) = (spanning(&keys), spanning(&queries));
    let range = some_keys.tr_mul(&some_queries).amax() / head.scale;
    let unit = tolerance.read() / (head.scale * tolerance.logit(range));
    ((some_keys.transpose() * &q.weight) * unit, (some_queries.transpose() * &k.weight) * unit)
}

/// Some columns that span all of them, largest first (pivoted Gram-Schmidt).
pub(super) fn spanning(columns: &Mat) -> Mat {
    let mut rest = columns.clone();
    let mut chosen = Vec::new();
    let mut largest = 0.0_f64;
    while chosen.len() < columns.nrows() {
        let norms = rest.column_iter().map(|column| column.norm_squared());
        let Some((at, size)) = norms.enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else { break };
        largest = largest.max(size);
        if size <= 1e-8 * largest || size == 0.0 {
            break;
        }
        let direction = rest.column(at) / size.sqrt();
        let along = rest.tr_mul(&direction);
        rest.ger(-1.0, &direction, &along, 1.0);
        chosen.push(at);
    }
    columns.select_columns(&chosen)
}

/// Units that can fire, differently on different inputs, and whose effect is read.
///
/// What can be is bounded by every writer's range, a hidden layer's by the range of each of its units: a layer carries
/// several variables, and a sample that shows every combination of their values is not to be had.
fn live_units(
    wiring: &Wiring,
    mlp: &Mlp,
    view: &Mat,
    trace: &Trace,
    ranges: &[Option<UnitRanges>],
    points: &[usize],
    least: f64,
) -> Vec<usize> {
    let n = mlp.hidden.weight.nrows();
    let (mut low, mut high) = (mlp.hidden.bias.clone(), mlp.hidden.bias.clone());
    for &writer in &mlp.hidden.reads {
        if let (Part::Mlp(source), Some((lowest, most))) = (&wiring.writers[writer].part, &ranges[writer]) {
            let gains = &mlp.hidden.weight * &source.out;
            let constant = &mlp.hidden.weight * &source.bias;
            for unit in 0..n {
                let mut bounds = (constant[unit], constant[unit]);
                for (other, &gain) in gains.row(unit).iter().enumerate() {
                    let (a, b) = (gain * lowest[other], gain * most[other]);
                    bounds = (bounds.0 + a.min(b), bounds.1 + a.max(b));
                }
                low[unit] += bounds.0;
                high[unit] += bounds.1;
            }
            continue;
        }
        let values = &mlp.hidden.weight * &trace.values[writer];
        for unit in 0..n {
            let (mut lowest, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for &point in points {
                let v = values[(unit, point)];
                (lowest, most) = (lowest.min(v), most.max(v));
            }
            low[unit] += lowest;
            high[unit] += most;
        }
    }
    let effects = view * &mlp.out;
    (0..n)
        .filter(|&unit| {
            let range = high[unit].max(0.0) - low[unit].max(0.0);
            effects.column(unit).amax() * range > least
        })
        .collect()
}

/// Least and greatest activation of every unit of a layer.
type UnitRanges = (Vec<f64>, Vec<f64>);

fn unit_ranges(wiring: &Wiring, trace: &Trace, layout: &Layout) -> Vec<Option<UnitRanges>> {
    let of = |mlp: &Mlp| {
        let input = trace.sum(&mlp.hidden.reads, wiring.width, layout.n_rows()).select_columns(&layout.point_rows);
        let mut hidden = apply(&mlp.hidden, &input);
        mlp.activate(&mut hidden);
        let least = hidden.row_iter().map(|row| row.min()).collect();
        (least, hidden.row_iter().map(|row| row.max()).collect())
    };
    let part = |part: &Part| match part {
        Part::Mlp(mlp) if !mlp.is_dead() => Some(of(mlp)),
        _ => None,
    };
    wiring.writers.iter().map(|writer| part(&writer.part)).collect()
}
