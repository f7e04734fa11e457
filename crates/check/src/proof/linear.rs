//! Certificates of a box that moves with the program's state: nothing is listed, so that ranges may be wide.
//!
//! The hidden state is `h = M s + offset + e`, and `e` has coordinates `u = Q e` within a box. One step maps it to
//! `M s' + offset' + e'`; because `s'` is affine in state and input, both are affine forms over the same symbols, and
//! what the network and the program have in common cancels.

use graph::{Encoding, Network, Recurrence};
use samples::Elements;

use super::boxes::{Basis, within};
use super::forms::{self, Forms};
use super::rule::{Row, Rule};
use super::{Decoder, Moving, Refused, rounding_margin};
use crate::Machine;

/// States beyond this are not followed.
const MAX_STATE: i128 = 1 << 50;
/// Steps that a certificate may claim.
pub(super) const MAX_LENGTH: usize = 20_000;

/// Where the network and the program are, as sets, after some steps.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Place {
    /// The range of every state variable.
    pub(super) states: Vec<[i64; 2]>,
    /// The box of the coordinates u.
    pub(super) region: Vec<[f64; 2]>,
}

/// A certificate at work.
pub(super) struct Mover<'a> {
    pub(super) net: &'a Recurrence,
    pub(super) rule: &'a Rule,
    pub(super) input: [i64; 2],
    pub(super) matrix: &'a [f64],
    pub(super) basis: Basis<'a>,
    pub(super) single: bool,
}

impl Mover<'_> {
    /// The hidden states around a place: symbols for states, inputs and coordinates, in this order.
    fn around(&self, place: &Place, offset: &[f64]) -> Forms {
        let (n, p, d) = (self.rule.n_states, self.rule.n_inputs, offset.len());
        let rest = self.basis.region(&place.region);
        let width = n + p + d;
        let mut state = Forms::exact(offset.to_vec(), width).computed(self.single);
        for (i, offset) in offset.iter().enumerate() {
            let row = &mut state.coef[i * width..(i + 1) * width];
            let mut size = offset.abs() + rest.center[i].abs();
            for ((to, &m), &states) in row.iter_mut().zip(&self.matrix[i * n..(i + 1) * n]).zip(&place.states) {
                let (middle, radius) = middle(states);
                state.center[i] += m * middle;
                *to = m * radius;
                size += m.abs() * (middle.abs() + radius);
            }
            state.center[i] += rest.center[i];
            row[n + p..].copy_from_slice(rest.row(i));
            state.error[i] = (rest.error[i] + (n as f64 + 3.0) * 1e-15 * size) * (1.0 + 1e-9);
        }
        state
    }

    /// Subtracts an affine function of states and inputs, scaled, from a number.
    fn subtract(&self, forms: &mut Forms, at: usize, row: &Row, scale: f64, place: &Place) {
        let ranges = place.states.iter().copied().chain(std::iter::repeat_n(self.input, self.rule.n_inputs));
        let constant = row.last().map_or(0.0, |&v| v as f64);
        let mut size = forms.center[at].abs() + forms.radius(at) + (scale * constant).abs();
        forms.center[at] -= scale * constant;
        let width = forms.width;
        for (j, (range, &a)) in ranges.zip(row).enumerate() {
            let (middle, radius) = middle(range);
            forms.center[at] -= scale * a as f64 * middle;
            forms.coef[at * width + j] -= scale * a as f64 * radius;
            size += (scale * a as f64).abs() * (middle.abs() + radius);
        }
        forms.error[at] = (forms.error[at] + (row.len() as f64 + 4.0) * 1e-15 * size) * (1.0 + 1e-9);
    }

    /// One step from a place with one offset to the next one; `None` where the output may be another than the
    /// program's.
    pub(super) fn step(&self, place: &Place, from: &[f64], to: &[f64]) -> Option<Place> {
        let (n, p, _d) = (self.rule.n_states, self.rule.n_inputs, from.len());
        let state = self.around(place, from);
        let (middle, radius) = middle(self.input);
        let mut fed = Forms::exact(vec![middle; p], state.width);
        for j in 0..p {
            fed.coef[j * state.width + n + j] = radius;
        }
        let mut image = forms::step(self.net, &state, fed);
        let mut y = forms::read(self.net, &image);
        if y.len() != self.rule.outputs.len() || !image.is_finite() {
            return None;
        }
        for (k, row) in self.rule.outputs.iter().enumerate() {
            self.subtract(&mut y, k, row, 1.0, place);
            if rounding_margin(&y, k, 0.0) <= 0.0 {
                return None;
            }
        }
        for (i, to) in to.iter().enumerate() {
            image.error[i] += 2e-16 * (image.center[i].abs() + to.abs());
            image.center[i] -= to;
            for j in 0..n {
                self.subtract(&mut image, i, &self.rule.updates[j], self.matrix[i * n + j], place);
            }
        }
        let states = self.rule.updates.iter().map(|row| {
            let [lo, hi] = self.rule.range(row, &place.states, self.input);
            (lo.abs().max(hi.abs()) <= MAX_STATE).then_some([lo as i64, hi as i64])
        });
        Some(Place { states: states.collect::<Option<_>>()?, region: self.basis.coordinates(&image) })
    }

    /// Where every sequence starts.
    pub(super) fn start(&self, init: &[i64], offset: &[f64]) -> Place {
        let n = self.rule.n_states;
        let mut rest = Forms::exact(offset.iter().map(|v| -v).collect(), 0);
        for (i, offset) in offset.iter().enumerate() {
            let mut size = offset.abs();
            for (j, &s) in init.iter().enumerate() {
                rest.center[i] -= self.matrix[i * n + j] * s as f64;
                size += (self.matrix[i * n + j] * s as f64).abs();
            }
            rest.error[i] = (n as f64 + 2.0) * 1e-15 * size;
        }
        Place { states: init.iter().map(|&s| [s, s]).collect(), region: self.basis.coordinates(&rest) }
    }
}

/// The states before the first element, those of the extended rule among them.
pub(super) fn initial(machine: &Machine<'_>, rule: &Rule) -> Vec<i64> {
    let mut states = machine.initial().to_vec();
    states.resize(rule.n_states, 0);
    states
}

/// The middle of a range and the distance to its ends, both exact.
fn middle([lo, hi]: [i64; 2]) -> (f64, f64) {
    let (lo, hi) = (lo as f64, hi as f64);
    ((lo + hi) / 2.0, (hi - lo) / 2.0)
}

/// The range of every coordinate of an element, for networks that are fed numbers as they are.
pub(super) fn input_range(network: &Network, net: &Recurrence) -> Option<[i64; 2]> {
    match (&network.domain.elements, net.encoding()) {
        (Elements::Integers { lo, hi, .. }, Encoding::Scalar) => Some([*lo, *hi]),
        _ => None,
    }
}

/// Checks a certificate; see [`super::verify`].
pub(super) fn verify(
    net: &Recurrence,
    network: &Network,
    machine: &Machine<'_>,
    decoder: &Decoder,
    proof: &Moving,
    (length, single): (Option<usize>, bool),
) -> Result<(), Refused> {
    if !matches!(decoder, Decoder::Round) {
        return Err(Refused::Unsupported("classes, with a box that moves"));
    }
    let input = input_range(network, net).ok_or(Refused::Unsupported("inputs that are not fed as numbers"))?;
    let rule = Rule::of(machine).ok_or_else(|| Refused::Program("its updates are not affine".to_owned()))?;
    let rule = rule.extended();
    let (d, n) = (net.hidden_dim(), rule.n_states);
    let finite = proof.matrix.iter().chain(proof.offsets.iter().flatten()).all(|v| v.is_finite());
    let fits = proof.matrix.len() == d * n && proof.offsets.iter().all(|offset| offset.len() == d) && finite;
    let basis = Basis::new(&proof.basis, d).ok_or(Refused::Shape("the basis is not orthonormal"))?;
    let Some(last) = proof.offsets.last().filter(|_| fits) else {
        return Err(Refused::Shape("matrix and offsets have another size than the hidden state"));
    };
    let steps = length.unwrap_or(proof.offsets.len());
    let work = steps as f64 * (network.n_parameters() * (2 * d + n + 2)) as f64;
    if steps > MAX_LENGTH || work > super::boxes::MAX_WORK {
        return Err(Refused::Shape("it is too large to be checked"));
    }
    let mover = Mover { net, rule: &rule, input, matrix: &proof.matrix, basis, single };
    let mut place = mover.start(&initial(machine, &rule), &proof.offsets[0]);
    let at = |step: usize| proof.offsets.get(step).unwrap_or(last);
    let wrong =
        |step: usize| Refused::Fails(format!("after {step} elements the output may be another than the program's"));
    let before = length.unwrap_or(proof.offsets.len() - 1);
    for step in 0..before {
        place = mover.step(&place, at(step), at(step + 1)).ok_or_else(|| wrong(step + 1))?;
    }
    if length.is_some() {
        return Ok(());
    }
    let ranges_fit = proof.ranges.len() == n && proof.region.len() == d;
    let inside = |place: &Place| {
        let in_ranges = place.states.iter().zip(&proof.ranges).all(|(a, b)| b[0] <= a[0] && a[1] <= b[1]);
        in_ranges && within(&place.region, &proof.region)
    };
    if !ranges_fit || !inside(&place) {
        return Err(Refused::Fails("the first steps do not lead into the region".to_owned()));
    }
    let whole = Place { states: proof.ranges.clone(), region: proof.region.clone() };
    let sane = whole.region.iter().all(|[lo, hi]| lo.is_finite() && hi.is_finite() && lo <= hi);
    if !sane || whole.states.iter().any(|[lo, hi]| lo > hi || i128::from(lo.abs_diff(*hi)) > MAX_STATE) {
        return Err(Refused::Shape("a range is empty or too wide"));
    }
    let next = mover.step(&whole, last, last).ok_or_else(|| wrong(before + 1))?;
    if !inside(&next) {
        return Err(Refused::Fails("the region is not mapped into itself".to_owned()));
    }
    Ok(())
}
