//! Systems of linear equations, solved exactly: over the integers, and modulo a power of two.

/// What the numbers of a system are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ring {
    /// Integers; what leaves 128 bits ends the computation.
    Integers,
    /// Integers modulo 2 to so many bits, 1 to 64; written as 0 and above.
    Bits(u8),
}

impl Ring {
    /// The number that stands for another.
    pub(crate) fn reduce(self, number: i128) -> i128 {
        match self {
            Self::Integers => number,
            Self::Bits(width) => number & i128::from(samples::mask(width)),
        }
    }

    /// `a - factor * b`.
    pub(crate) fn minus(self, a: i128, factor: i128, b: i128) -> Option<i128> {
        match self {
            Self::Integers => a.checked_sub(factor.checked_mul(b)?),
            Self::Bits(_) => Some(self.reduce(a.wrapping_sub(factor.wrapping_mul(b)))),
        }
    }

    /// How far a number is from dividing all others: its size, or the greatest power of two that divides it.
    fn norm(self, number: i128) -> u128 {
        match self {
            Self::Integers => number.unsigned_abs(),
            Self::Bits(_) => 1 << number.trailing_zeros(),
        }
    }

    /// A quotient by a number that is not 0, such that the rest is 0 or has a lesser norm than the divisor, where the
    /// divisor's norm is not greater.
    fn quotient(self, a: i128, divisor: i128) -> i128 {
        match self {
            Self::Integers => a.div_euclid(divisor),
            Self::Bits(_) => {
                let twos = divisor.trailing_zeros();
                let odd = divisor >> twos;
                // Newton's iteration: each step doubles the number of right bits, of which an odd number has three to begin with.
                let inverse = (0..5).fold(odd, |inverse, _| {
                    let rest = 2_i128.wrapping_sub(odd.wrapping_mul(inverse));
                    inverse.wrapping_mul(rest) & i128::from(u64::MAX)
                });
                self.reduce((a >> twos).wrapping_mul(inverse))
            }
        }
    }

    /// The exact quotient by a number that is not 0, if there is one.
    fn exact(self, a: i128, divisor: i128) -> Option<i128> {
        let quotient = self.quotient(a, divisor);
        (self.minus(a, quotient, divisor) == Some(0)).then_some(quotient)
    }
}

/// An equation: the coefficients of the unknowns, and the right side.
pub(crate) type Equation = (Vec<i128>, i128);

/// A solution of some equations over as many unknowns each, if there is one; unknowns that are not determined are 0 as far
/// as that goes. Rows and columns are reduced until the matrix is diagonal (Smith 1861), which decides whether there is a
/// solution, since every step can be taken back. `None` too where numbers grow beyond 128 bits.
pub(crate) fn solve(ring: Ring, equations: &[Equation]) -> Option<Vec<i128>> {
    let n_unknowns = equations.first()?.0.len();
    let mut system = System {
        ring,
        rows: equations.to_vec(),
        change: (0..n_unknowns).map(|i| (0..n_unknowns).map(|j| i128::from(i == j)).collect()).collect(),
    };
    let rank = system.diagonalise()?;
    let mut values = vec![0; n_unknowns];
    for (index, (row, right)) in system.rows.iter().enumerate() {
        match values.get_mut(index).filter(|_| index < rank) {
            Some(value) => *value = ring.exact(*right, row[index])?,
            None if *right != 0 => return None,
            None => {}
        }
    }
    let back = |row: &Vec<i128>| {
        row.iter().zip(&values).try_fold(0, |sum, (factor, value)| ring.minus(sum, factor.checked_neg()?, *value))
    };
    system.change.iter().map(back).collect()
}

struct System {
    ring: Ring,
    rows: Vec<Equation>,
    /// The unknowns in terms of those that the rows now speak of.
    change: Vec<Vec<i128>>,
}

impl System {
    /// Brings the matrix to a form in which only the diagonal is not 0; how much of it is not.
    fn diagonalise(&mut self) -> Option<usize> {
        let n_steps = self.rows.len().min(self.change.len());
        for step in 0..n_steps {
            while let Some((row, column)) = self.least(step) {
                self.rows.swap(step, row);
                self.rows.iter_mut().for_each(|(own, _)| own.swap(step, column));
                self.change.iter_mut().for_each(|own| own.swap(step, column));
                if self.clear(step)? {
                    break;
                }
            }
            if self.rows[step].0[step] == 0 {
                return Some(step);
            }
        }
        Some(n_steps)
    }

    /// Where the number of least norm is, of those from a row and column on that are not 0.
    fn least(&self, from: usize) -> Option<(usize, usize)> {
        let places = (from..self.rows.len()).flat_map(|row| (from..self.change.len()).map(move |column| (row, column)));
        let places = places.filter(|&(row, column)| self.rows[row].0[column] != 0);
        places.min_by_key(|&(row, column)| self.ring.norm(self.rows[row].0[column]))
    }

    /// Takes multiples of the pivot's row and column from the others; whether nothing is left beside the pivot.
    fn clear(&mut self, step: usize) -> Option<bool> {
        let ring = self.ring;
        let pivot = self.rows[step].0[step];
        let (pivot_row, pivot_right) = self.rows[step].clone();
        for (row, right) in &mut self.rows[step + 1..] {
            let factor = ring.quotient(row[step], pivot);
            for (own, other) in row.iter_mut().zip(&pivot_row) {
                *own = ring.minus(*own, factor, *other)?;
            }
            *right = ring.minus(*right, factor, pivot_right)?;
        }
        for column in step + 1..self.change.len() {
            let factor = ring.quotient(self.rows[step].0[column], pivot);
            for row in self.rows.iter_mut().map(|(row, _)| row).chain(&mut self.change) {
                row[column] = ring.minus(row[column], factor, row[step])?;
            }
        }
        let is_zero = |row: &[i128]| row[step + 1..].iter().all(|&own| own == 0);
        Some(is_zero(&self.rows[step].0) && self.rows[step + 1..].iter().all(|(row, _)| row[step] == 0))
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[track_caller]
    fn check(ring: Ring, equations: &[(&[i128], i128)], expected: Option<&[i128]>) {
        let equations: Vec<Equation> = equations.iter().map(|(row, right)| (row.to_vec(), *right)).collect();
        assert_eq!(solve(ring, &equations).as_deref(), expected);
    }

    #[test]
    fn integers_are_solved_for_and_fractions_are_no_solutions() {
        check(Ring::Integers, &[(&[1, 1], 40), (&[5, 1], 188), (&[-2, 1], -71)], Some(&[37, 3]));
        check(Ring::Integers, &[(&[1, 1], 40), (&[5, 1], 188), (&[-2, 1], -70)], None);
        check(Ring::Integers, &[(&[2], 7)], None);
        check(Ring::Integers, &[(&[0, 1], 5)], Some(&[0, 5]));
        // 6a + 10b + 15c = 1 has solutions, none of which has a 0.
        let row = vec![6, 10, 15];
        let values = solve(Ring::Integers, &[(row.clone(), 1)]).expect("the coefficients have no common divisor");
        assert_eq!(row.iter().zip(values).map(|(a, b)| a * b).sum::<i128>(), 1);
        check(Ring::Integers, &[(&[i128::MAX, 2], 1), (&[2, i128::MAX], 1)], None);
    }

    #[test]
    fn bit_vectors_wrap_around() {
        // 3 * 171 = 513 = 1 modulo 256.
        check(Ring::Bits(8), &[(&[3], 1)], Some(&[171]));
        check(Ring::Bits(8), &[(&[4], 2)], None);
        check(Ring::Bits(64), &[(&[1, 1], 0), (&[0, 1], i128::from(u64::MAX))], Some(&[1, i128::from(u64::MAX)]));
    }

    #[test]
    fn whatever_has_a_solution_is_solved() {
        let mut rng = samples::rng(0, "linear");
        for ring in [Ring::Integers, Ring::Bits(1), Ring::Bits(8), Ring::Bits(64)] {
            for _ in 0..200 {
                let mut number = || ring.reduce(i128::from(rng.random_range(-20..=20_i64)));
                let hidden: Vec<i128> = (0..3).map(|_| number()).collect();
                let rows: Vec<Vec<i128>> = (0..4).map(|_| (0..3).map(|_| number()).collect()).collect();
                let value = |row: &[i128], values: &[i128]| {
                    ring.reduce(row.iter().zip(values).map(|(a, b)| a.wrapping_mul(*b)).fold(0, i128::wrapping_add))
                };
                let equations: Vec<Equation> = rows.iter().map(|row| (row.clone(), value(row, &hidden))).collect();
                let found = solve(ring, &equations).expect("there is one");
                assert!(equations.iter().all(|(row, right)| value(row, &found) == *right), "{ring:?} {equations:?}");
            }
        }
    }
}
