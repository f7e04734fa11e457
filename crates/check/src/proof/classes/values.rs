//! Vectors within bounds, as functions of atoms.

use super::atoms::{Atom, Atoms, union};
use super::behind::Behind;
use crate::proof::forms::UP;

/// Vectors, one for every cell of a table, each number known within a radius.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) atoms: Vec<Atom>,
    pub(super) width: usize,
    /// `width` numbers a cell.
    pub(super) center: Vec<f64>,
    pub(super) radius: Vec<f64>,
    /// Of a hidden layer.
    pub(super) behind: Option<Behind>,
}

impl Values {
    pub(super) fn new((atoms, width): (Vec<Atom>, usize), center: Vec<f64>, radius: Vec<f64>) -> Self {
        Self { atoms, width, center, radius, behind: None }
    }

    pub(super) fn constant(center: Vec<f64>) -> Self {
        Self::new((Vec::new(), center.len()), center.clone(), vec![0.0; center.len()])
    }

    pub(super) fn n_cells(&self) -> usize {
        self.center.len() / self.width.max(1)
    }

    pub(super) fn cell(&self, cell: usize) -> (&[f64], &[f64]) {
        let range = cell * self.width..(cell + 1) * self.width;
        (&self.center[range.clone()], &self.radius[range])
    }

    /// The greatest size of each number.
    pub(super) fn sizes(&self) -> Vec<f64> {
        let mut sizes = vec![0.0_f64; self.width];
        for (at, (c, r)) in self.center.iter().zip(&self.radius).enumerate() {
            let size = &mut sizes[at % self.width];
            *size = size.max((c.abs() + r) * UP);
        }
        sizes
    }

    /// One vector that holds all cells.
    pub(super) fn hull(&self) -> Self {
        let mut hull: Option<(Vec<f64>, Vec<f64>)> = None;
        for cell in 0..self.n_cells() {
            let (c, r) = self.cell(cell);
            match &mut hull {
                None => hull = Some((c.to_vec(), r.to_vec())),
                Some((center, radius)) => {
                    for k in 0..self.width {
                        (center[k], radius[k]) = joined((center[k], radius[k]), (c[k], r[k]));
                    }
                }
            }
        }
        let (center, radius) = hull.unwrap_or_default();
        Self::new((Vec::new(), self.width), center, radius)
    }

    /// The same vectors over fewer atoms, each number within `slack` and what is not known anyway.
    pub(super) fn reduced(mut self, slack: f64, atoms: &Atoms) -> Self {
        let mut at = 0;
        while at < self.atoms.len() {
            let rest: Vec<Atom> = self.atoms.iter().copied().filter(|&atom| atom != self.atoms[at]).collect();
            let Some(n) = atoms.cells(&rest) else { break };
            let places = atoms.places(&self.atoms, &rest);
            let mut bounds = vec![(f64::INFINITY, f64::NEG_INFINITY, 0.0_f64); n * self.width];
            for (cell, place) in places.iter().enumerate() {
                for k in 0..self.width {
                    let (c, r) = (self.center[cell * self.width + k], self.radius[cell * self.width + k]);
                    let (lo, hi, most) = &mut bounds[place * self.width + k];
                    (*lo, *hi, *most) = (lo.min(c), hi.max(c), most.max(r));
                }
            }
            if bounds.iter().all(|(lo, hi, most)| hi - lo <= slack + 2.0 * most) {
                let middle = |&(lo, hi, _): &(f64, f64, f64)| (lo + hi) / 2.0;
                let apart = |&(lo, hi, _): &(f64, f64, f64)| (hi - lo) / 2.0 + 1e-15 * (lo.abs() + hi.abs());
                let behind =
                    self.behind.map(|behind| behind.merged(&places, &bounds.iter().map(apart).collect::<Vec<_>>()));
                self = Self {
                    center: bounds.iter().map(middle).collect(),
                    radius: bounds.iter().map(|all| (apart(all) + all.2) * UP).collect(),
                    atoms: rest,
                    width: self.width,
                    behind,
                };
            } else {
                at += 1;
            }
        }
        self
    }

    /// The sum of both.
    pub(super) fn plus(&self, other: &Self, atoms: &Atoms) -> Option<Self> {
        let all = union([&self.atoms[..], &other.atoms[..]]);
        let n = atoms.cells(&all)?;
        let (left, right) = (atoms.places(&all, &self.atoms), atoms.places(&all, &other.atoms));
        let room = || Vec::with_capacity(n * self.width);
        let mut sum = Self::new((all, self.width), room(), room());
        for (&l, &r) in left.iter().zip(&right) {
            let ((lc, lr), (rc, rr)) = (self.cell(l), other.cell(r));
            for k in 0..self.width {
                sum.center.push(lc[k] + rc[k]);
                sum.radius.push((lr[k] + rr[k] + 2e-16 * (lc[k].abs() + rc[k].abs())) * UP);
            }
        }
        if let (Some(one), Some(another)) = (&self.behind, &other.behind) {
            sum.behind = Some(one.plus(another, (&left, &right), &sum.center));
        }
        Some(sum)
    }

    /// How far each number is from its centre, at most.
    pub(super) fn off(&self) -> Vec<f64> {
        let mut off = vec![0.0; self.width];
        self.radius.chunks(self.width.max(1)).for_each(|radius| larger(&mut off, radius));
        off
    }

    /// Whether cells differ by more than is unknown.
    pub(super) fn varies(&self) -> bool {
        !self.atoms.is_empty()
    }
}

/// Raises numbers to others.
pub(super) fn larger(numbers: &mut [f64], others: &[f64]) {
    numbers.iter_mut().zip(others).for_each(|(number, other)| *number = number.max(*other));
}

/// The least interval around two.
pub(super) fn joined((c, r): (f64, f64), (d, s): (f64, f64)) -> (f64, f64) {
    let (lo, hi) = ((c - r).min(d - s), (c + r).max(d + s));
    let middle = (lo + hi) / 2.0;
    (middle, ((hi - middle).max(middle - lo) + 1e-15 * (lo.abs() + hi.abs())) * UP)
}
