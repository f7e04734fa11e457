//! How much of what is measured may be noise.
//!
//! Compiled weights are exact to float32, and then the finest thresholds are right: they tell apart values that blend.
//! Weights that were trained or disturbed carry noise in every direction. A reading is tried with growing allowances
//! ([`RUNGS`]), and the outputs decide: a reading whose variables do not give the network's outputs on the samples is
//! none.

/// Allowances for noise, as shares of the spread of what is measured, from none to as much as a reading bears.
pub(super) const RUNGS: [f64; 4] = [0.0, 0.003, 0.01, 0.02];

/// Thresholds that follow from an allowance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Tolerance {
    noise: f64,
}

impl Tolerance {
    /// The thresholds for noise of a share of the spread.
    pub(super) fn of(noise: f64) -> Self {
        Self { noise }
    }

    /// For weights without noise.
    pub(super) fn exact() -> Self {
        Self::of(0.0)
    }

    /// The least spread of a writer's values, under a reading of unit norm, that counts as being read. Values in compiled
    /// residual streams are about 1, float noise below 2e-4; noise in the writer and in the reader adds up.
    pub(super) fn read(self) -> f64 {
        (5.0 * self.noise).max(2e-3)
    }

    /// Attention logits within this of each other are level, where they range up to `range`: gaps between levels are 5
    /// and more once ramps are snapped, float noise is below 0.01, and blended keys can come as close as half a unit.
    pub(super) fn level(self, range: f64) -> f64 {
        (10.0 * self.noise * range).max(0.1)
    }

    /// The least part of an attention logit that counts, where logits range up to `range`.
    pub(super) fn logit(self, range: f64) -> f64 {
        (10.0 * self.noise * range).max(1.0)
    }

    /// The greatest distance of equal values, as a share of the spread of all.
    pub(super) fn equal(self) -> f64 {
        (10.0 * self.noise).max(1e-3)
    }

    /// How far the cosine of two directions may be from one for them to count as the same.
    pub(super) fn parallel(self) -> f64 {
        (10.0 * self.noise * self.noise).max(1e-7)
    }

    /// The greatest relative error of two effects that cancel.
    pub(super) fn cancel(self) -> f64 {
        (5.0 * self.noise).max(1e-2)
    }

    /// The greatest distance from a line, or from a whole number, as a share of the largest.
    pub(super) fn number(self) -> f64 {
        (5.0 * self.noise).max(1e-3)
    }
}
