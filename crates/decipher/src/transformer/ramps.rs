//! Ramps to steps: hidden units that come in pairs and decode a number by steep ramps.
//!
//! A layer that decodes 1/(1+n) into n does so by pairs of hidden units with equal and opposite slopes, flat on both
//! sides. Where the values come closer than a ramp is wide, the layer's output is a blend of two neighbouring values,
//! and the blend spreads. A pair is found by its geometry alone (pre-activations that are affine images of one number,
//! breakpoints next to each other, opposite effects) and its output moved to the nearer plateau.

use super::tolerance::Tolerance;
use super::trace::Mat;
use super::wiring::{Mlp, Step};

/// The pairs of `mlp`, from some of its pre-activations (`columns` of `pre`). All pairs count, not only those that a
/// sample finds on their ramp: the values that lie there are the rare ones.
pub(super) fn steps(mlp: &Mlp, pre: &Mat, columns: &[usize], tolerance: Tolerance) -> Vec<Step> {
    let columns = &columns[..columns.len().min(4000)];
    let mut found = Vec::new();
    for group in collinear(pre, columns, tolerance) {
        let mut units: Vec<&Unit> = group.units.iter().collect();
        units.sort_by(|a, b| a.breakpoint().total_cmp(&b.breakpoint()));
        let mut used = vec![false; units.len()];
        for first in 0..units.len() {
            if used[first] {
                continue;
            }
            let partner = (first + 1..units.len())
                .find(|&second| !used[second] && opposite(mlp, units[first], units[second], tolerance));
            let Some(second) = partner else { continue };
            (used[first], used[second]) = (true, true);
            let (a, b) = (units[first], units[second]);
            let width = b.breakpoint() - a.breakpoint();
            if width <= 0.0 {
                continue;
            }
            // For rising units the earlier breakpoint fires first, for falling ones the later.
            let (lead, other) = if a.slope > 0.0 { (a, b) } else { (b, a) };
            let step = Step {
                lead: lead.index,
                other: other.index,
                lead_slope: lead.slope.abs(),
                other_slope: other.slope.abs(),
                width,
            };
            found.push(step);
        }
    }
    found
}

/// A hidden unit whose pre-activation is `slope * t + offset`, t being its group's number.
struct Unit {
    index: usize,
    slope: f64,
    offset: f64,
}

impl Unit {
    fn breakpoint(&self) -> f64 {
        -self.offset / self.slope
    }
}

/// Units that see one and the same number.
struct Group {
    /// The number at each of the columns, centred and of unit norm.
    direction: Vec<f64>,
    units: Vec<Unit>,
}

fn collinear(pre: &Mat, columns: &[usize], tolerance: Tolerance) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for index in 0..pre.nrows() {
        let mean = columns.iter().map(|&c| pre[(index, c)]).sum::<f64>() / columns.len().max(1) as f64;
        let mut centred: Vec<f64> = columns.iter().map(|&c| pre[(index, c)] - mean).collect();
        let norm = centred.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm < 1e-3 {
            continue;
        }
        centred.iter_mut().for_each(|v| *v /= norm);
        let cosine = |group: &Group| group.direction.iter().zip(&centred).map(|(a, b)| a * b).sum::<f64>();
        let found = groups.iter().map(cosine).enumerate().find(|(_, cosine)| 1.0 - cosine.abs() < tolerance.parallel());
        match found {
            Some((at, cosine)) => groups[at].units.push(Unit { index, slope: norm * cosine.signum(), offset: mean }),
            None => groups.push(Group { direction: centred, units: vec![Unit { index, slope: norm, offset: mean }] }),
        }
    }
    groups.retain(|group| group.units.len() > 1);
    groups
}

/// Whether the two units cancel beyond both breakpoints.
fn opposite(mlp: &Mlp, a: &Unit, b: &Unit, tolerance: Tolerance) -> bool {
    if a.slope * b.slope <= 0.0 {
        return false;
    }
    let (one, other) = (mlp.out.column(a.index) * a.slope, mlp.out.column(b.index) * b.slope);
    let size = one.norm().max(other.norm());
    size > 0.0 && (one + other).norm() < tolerance.cancel() * size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformer::wiring::Slot;
    use nalgebra::DVector;

    /// One number in, the steps at 1/3 and 2/3 out, in one direction, with ramps of width 0.2 that end there.
    fn staircase() -> Mlp {
        let breaks = [1.0 / 3.0 - 0.2, 1.0 / 3.0, 2.0 / 3.0 - 0.2, 2.0 / 3.0];
        Mlp {
            hidden: Slot {
                weight: Mat::from_element(4, 1, 5.0),
                bias: DVector::from_iterator(4, breaks.iter().map(|b| -5.0 * b)),
                reads: vec![0],
            },
            out: Mat::from_row_slice(1, 4, &[1.0, -1.0, 1.0, -1.0]),
            bias: DVector::zeros(1),
            steps: Vec::new(),
        }
    }

    #[test]
    fn values_on_a_ramp_move_to_the_nearer_plateau() {
        let mut mlp = staircase();
        let inputs = [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0];
        let pre = |mlp: &Mlp| Mat::from_fn(4, inputs.len(), |row, col| 5.0 * inputs[col] + mlp.hidden.bias[row]);
        let columns: Vec<usize> = (0..inputs.len()).collect();
        mlp.steps = steps(&mlp, &pre(&mlp), &columns, Tolerance::exact());
        assert_eq!(mlp.steps.len(), 2);
        let mut hidden = pre(&mlp);
        mlp.activate(&mut hidden);
        let out = &mlp.out * hidden;
        let expected = [0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0];
        for (got, want) in out.iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{out}");
        }
    }

    /// One number in, `n` out for the n-th of the thresholds that it is above, all in one direction; ramps are so wide that
    /// neighbours overlap.
    fn overlapping(thresholds: &[f64], slope: f64) -> Mlp {
        let n = thresholds.len();
        let offsets = [0.5, -0.5];
        Mlp {
            hidden: Slot {
                weight: Mat::from_element(2 * n, 1, slope),
                bias: DVector::from_fn(2 * n, |unit, _| offsets[unit % 2] - slope * thresholds[unit / 2]),
                reads: vec![0],
            },
            out: Mat::from_fn(1, 2 * n, |_, unit| if unit % 2 == 0 { 1.0 } else { -1.0 }),
            bias: DVector::zeros(1),
            steps: Vec::new(),
        }
    }

    #[test]
    fn ramps_that_overlap_in_one_direction_become_one_step_each() {
        // Between 1/5, 1/6, ... 1/9: the ramps are 1/25 wide, three times as wide as the last gap.
        let values: Vec<f64> = (5..10).map(|n| 1.0 / f64::from(n)).collect();
        let thresholds: Vec<f64> = values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        let mut mlp = overlapping(&thresholds, 25.0);
        let pre = |mlp: &Mlp| Mat::from_fn(8, values.len(), |row, col| 25.0 * values[col] + mlp.hidden.bias[row]);
        let columns: Vec<usize> = (0..values.len()).collect();
        mlp.steps = steps(&mlp, &pre(&mlp), &columns, Tolerance::exact());
        assert_eq!(mlp.steps.len(), 4);
        let mut hidden = pre(&mlp);
        mlp.activate(&mut hidden);
        let out = &mlp.out * hidden;
        for (got, want) in out.iter().zip([4.0, 3.0, 2.0, 1.0, 0.0]) {
            assert!((got - want).abs() < 1e-6, "{out}");
        }
    }
}
