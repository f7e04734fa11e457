//! The circuit: which component's output which reader needs, constants included.
//!
//! This graph is larger than the program: a component that always adds the same vector is folded into the program's
//! tables, yet its readers would compute something else without it. An edge is there when what the reader takes from
//! the writer varies, or (for writers other than the embedding, which carries the constant direction) when it is a
//! constant that BOS does not have, or, for queries and keys, when it moves attention logits at all.

use super::live::{normalised, readout_view, spanning, varying};
use super::tolerance::Tolerance;
use super::trace::{Layout, Mat, Trace, mean_of};
use super::wiring::{Mlp, Part, Wiring};
use samples::Decode;

/// The edges (writer, reader) over the samples of a trace; readers are `aL.hH.q|k|v`, `mL` and `output`.
pub(super) fn edges(
    wiring: &Wiring,
    trace: &Trace,
    layout: &Layout,
    decode: &Decode,
    tolerance: Tolerance,
) -> Vec<(String, String)> {
    let pass = Pass { wiring, trace, layout, tolerance };
    let n = wiring.writers.len();
    let mut rows: Vec<Vec<Mat>> = vec![Vec::new(); n];
    let mut edges = Vec::new();
    pass.linear(&readout_view(&wiring.readout, decode), &wiring.readout.reads, "output", &mut rows, &mut edges);
    for writer in (0..n).rev() {
        if rows[writer].is_empty() {
            continue;
        }
        let view = super::live::stack(&rows[writer]);
        let name = &wiring.writers[writer].name;
        match &wiring.writers[writer].part {
            Part::Head(head) => {
                let v = normalised(&view * &head.out * &head.v.weight);
                pass.linear(&v, &head.v.reads, &format!("{name}.v"), &mut rows, &mut edges);
                for (query, key) in pass.logits(head) {
                    for (source, slot) in [(query, "q"), (key, "k")] {
                        let edge = (wiring.writers[source].name.clone(), format!("{name}.{slot}"));
                        if !edges.contains(&edge) {
                            edges.push(edge);
                        }
                        let slot = if slot == "q" { &head.q } else { &head.k };
                        rows[source].push(normalised(slot.weight.clone()));
                    }
                }
            }
            Part::Mlp(mlp) => {
                let units = pass.units(mlp, &view);
                let hidden = normalised(mlp.hidden.weight.select_rows(&units));
                let read = pass.linear(&hidden, &mlp.hidden.reads, name, &mut rows, &mut edges);
                pass.lonely(&hidden, &read, &mlp.hidden.reads, name, &mut rows, &mut edges);
            }
            _ => {}
        }
    }
    edges.sort();
    edges
}

struct Pass<'a> {
    wiring: &'a Wiring,
    trace: &'a Trace,
    layout: &'a Layout,
    tolerance: Tolerance,
}

impl Pass<'_> {
    /// Edges into a reader that takes `view` of the stream; gives, per row of the view, whether any writer is read.
    fn linear(
        &self,
        view: &Mat,
        reads: &[usize],
        reader: &str,
        rows: &mut [Vec<Mat>],
        edges: &mut Vec<(String, String)>,
    ) -> Vec<bool> {
        let mut read = vec![false; view.nrows()];
        for &writer in reads {
            let values = &self.trace.values[writer];
            let mut live = varying(view, values, Some(&self.layout.point_rows), self.tolerance.read());
            if !matches!(self.wiring.writers[writer].part, Part::Tokens(_)) && !self.layout.bos_rows.is_empty() {
                let shift = mean_of(values, &self.layout.point_rows) - mean_of(values, &self.layout.bos_rows);
                let shifted = view * shift;
                live.extend((0..view.nrows()).filter(|&row| shifted[row].abs() > self.tolerance.read()));
                live.sort_unstable();
                live.dedup();
            }
            if !live.is_empty() {
                live.iter().for_each(|&row| read[row] = true);
                rows[writer].push(view.select_rows(&live));
                edges.push((self.wiring.writers[writer].name.clone(), reader.to_owned()));
            }
        }
        read
    }

    /// Units that read nothing but tell BOS from the rest by the token: a constant function of tokens.
    fn lonely(
        &self,
        view: &Mat,
        read: &[bool],
        reads: &[usize],
        reader: &str,
        rows: &mut [Vec<Mat>],
        edges: &mut Vec<(String, String)>,
    ) {
        for &writer in reads {
            if !matches!(self.wiring.writers[writer].part, Part::Tokens(_)) {
                continue;
            }
            let values = &self.trace.values[writer];
            let shift = view * (mean_of(values, &self.layout.point_rows) - mean_of(values, &self.layout.bos_rows));
            let found: Vec<usize> =
                (0..view.nrows()).filter(|&row| !read[row] && shift[row].abs() > self.tolerance.read()).collect();
            let edge = (self.wiring.writers[writer].name.clone(), reader.to_owned());
            if !found.is_empty() && !edges.contains(&edge) {
                rows[writer].push(view.select_rows(&found));
                edges.push(edge);
            }
        }
    }

    /// Pairs of writers at query and key whose contributions meet in a logit, BOS apart.
    fn logits(&self, head: &super::wiring::Head) -> Vec<(usize, usize)> {
        let at_points = |writer: usize, weight: &Mat| {
            spanning(&(weight * self.trace.values[writer].select_columns(&self.layout.point_rows)))
        };
        let queries: Vec<(usize, Mat)> = head.q.reads.iter().map(|&w| (w, at_points(w, &head.q.weight))).collect();
        let keys: Vec<(usize, Mat)> = head.k.reads.iter().map(|&w| (w, at_points(w, &head.k.weight))).collect();
        let pairs = queries.iter().flat_map(|(_, q)| keys.iter().map(move |(_, k)| (q, k)));
        let meeting =
            |q: &Mat, k: &Mat| if q.ncols() > 0 && k.ncols() > 0 { q.tr_mul(k).amax() / head.scale } else { 0.0 };
        let range = pairs.map(|(q, k)| meeting(q, k)).fold(0.0, f64::max);
        let mut met = Vec::new();
        for (query, q) in &queries {
            for (key, k) in &keys {
                if meeting(q, k) > self.tolerance.logit(range) {
                    met.push((*query, *key));
                }
            }
        }
        met
    }

    /// Units that fire somewhere, constant or not, and whose effect is read.
    fn units(&self, mlp: &Mlp, view: &Mat) -> Vec<usize> {
        let n = mlp.hidden.weight.nrows();
        let mut high = mlp.hidden.bias.clone();
        for &writer in &mlp.hidden.reads {
            let values = &mlp.hidden.weight * &self.trace.values[writer];
            for unit in 0..n {
                high[unit] +=
                    self.layout.point_rows.iter().map(|&p| values[(unit, p)]).fold(f64::NEG_INFINITY, f64::max);
            }
        }
        let effects = view * &mlp.out;
        (0..n).filter(|&unit| effects.column(unit).amax() * high[unit].max(0.0) > self.tolerance.read()).collect()
    }
}
