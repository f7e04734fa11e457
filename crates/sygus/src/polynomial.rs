//! Polynomials with integer coefficients over a function's parameters: the form in which constants are solved for,
//! by linear algebra from values at points here, by the solver in [`crate::template`].

use dsl::{Kernel, Term};
use nalgebra::{DMatrix, DVector};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use samples::{Rng, Sort, Symbol, Value, rng};

use crate::problem::SynthFun;
use crate::spec::Pointwise;
use crate::theory::apply;

/// Parameters, at most, and monomials of a polynomial.
const PARAMETER_LIMIT: usize = 8;
const MONOMIAL_LIMIT: usize = 16;
/// Systems of equations that are solved.
const DRAWS: usize = 120;
/// Polynomials that are kept.
const FITS: usize = 6;
/// The greatest coefficient that a solution in floating point is trusted with.
const COEFFICIENT_LIMIT: f64 = 1e9;

/// The monomials of a polynomial: products of parameters, the empty one first.
#[derive(Clone, Debug)]
pub(crate) struct Monomials(Vec<Vec<Symbol>>);

impl Monomials {
    /// Of degree at most 1, or 2, over a function's integer parameters; `None` if there are none or too many.
    pub(crate) fn new(function: &SynthFun, degree: usize) -> Option<Self> {
        let params: Vec<Symbol> =
            function.params.iter().filter(|(_, sort)| *sort == Sort::Int).map(|(name, _)| *name).collect();
        if params.is_empty() || params.len() > PARAMETER_LIMIT {
            return None;
        }
        let mut all = vec![Vec::new()];
        all.extend(params.iter().map(|&name| vec![name]));
        if degree > 1 {
            let pairs = (0..params.len()).flat_map(|i| (i..params.len()).map(move |j| (i, j)));
            all.extend(pairs.map(|(i, j)| vec![params[i], params[j]]));
        }
        (all.len() <= MONOMIAL_LIMIT).then_some(Self(all))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The monomials as SMT-LIB terms; the empty one is 1.
    pub(crate) fn smt(&self) -> impl Iterator<Item = String> + '_ {
        let quoted = |name: &Symbol| dsl::sexpr::quote_symbol(name.as_str());
        self.0.iter().map(move |factors| match factors.as_slice() {
            [] => "1".to_owned(),
            [one] => quoted(one),
            many => format!("(* {})", many.iter().map(quoted).collect::<Vec<_>>().join(" ")),
        })
    }

    /// The polynomial with these coefficients: positive terms first, the others subtracted.
    pub(crate) fn term(&self, coefficients: &[i64]) -> Term {
        let part = |factors: &[Symbol], factor: i64| {
            let mut factors = factors.iter().map(|&name| Term::var(name));
            let constant = || Term::constant(Value::Int(factor));
            let Some(first) = factors.next() else { return constant() };
            let product = factors.fold(first, |a, b| apply(Kernel::Mul, vec![a, b]));
            if factor == 1 { product } else { apply(Kernel::Mul, vec![constant(), product]) }
        };
        // The constant comes last, as people write it, except where all else is subtracted from it.
        let mut parts: Vec<(&[Symbol], i64)> =
            self.0.iter().map(Vec::as_slice).zip(coefficients.iter().copied()).collect();
        if coefficients[1..].iter().any(|&c| c > 0) {
            parts.rotate_left(1);
        }
        let mut parts = parts.into_iter().filter(|(_, factor)| *factor != 0).peekable();
        // A negative constant is a literal; another term has nothing to be taken from.
        let is_literal = |(factors, factor): &(&[Symbol], i64)| *factor > 0 || factors.is_empty() || *factor < -1;
        let (first, rest): (Vec<_>, Vec<_>) = match parts.peek() {
            None => return Term::constant(Value::Int(0)),
            Some(first) if is_literal(first) && coefficients[1..].iter().all(|&c| c <= 0) => {
                let first = *first;
                (vec![first], parts.skip(1).collect())
            }
            Some(_) => parts.partition(|(_, factor)| *factor > 0),
        };
        let sum = first.into_iter().map(|(factors, c)| part(factors, c)).reduce(|a, b| apply(Kernel::Add, vec![a, b]));
        let sum = sum.unwrap_or_else(|| Term::constant(Value::Int(0)));
        rest.into_iter().fold(sum, |sum, (factors, c)| apply(Kernel::Sub, vec![sum, part(factors, -c)]))
    }

    /// That a polynomial is 0, or with [`Kernel::Le`] at least 0: its negative part against its positive one.
    pub(crate) fn comparison(&self, kernel: Kernel, coefficients: &[i64]) -> Term {
        let left: Vec<i64> = coefficients.iter().map(|&c| if c < 0 { c.saturating_neg() } else { 0 }).collect();
        let right: Vec<i64> = coefficients.iter().map(|&c| c.max(0)).collect();
        apply(kernel, vec![self.term(&left), self.term(&right)])
    }

    /// Polynomials that are 0 wherever parameters have these values, of which all such are sums: for each monomial that
    /// follows from those before it, how. None where numbers leave 64 bits (Karr, Acta Informatica 1976, from samples).
    pub(crate) fn zeros(&self, rows: &[Vec<(Symbol, i64)>]) -> Vec<Vec<i64>> {
        let values = |row: &Vec<(Symbol, i64)>| {
            let value = |name| row.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
            self.values(&value).map(|values| values.into_iter().map(i128::from).collect())
        };
        let rows = rows.iter().map(values).collect::<Option<Vec<Vec<i128>>>>();
        rows.and_then(|rows| null_space(rows, self.len())).unwrap_or_default()
    }

    /// The values of the monomials where the parameters have these values; `None` on overflow.
    fn values(&self, value: &dyn Fn(Symbol) -> Option<i64>) -> Option<Vec<i64>> {
        let product = |factors: &Vec<Symbol>| factors.iter().try_fold(1_i64, |p, &name| p.checked_mul(value(name)?));
        self.0.iter().map(product).collect()
    }
}

/// One point: the values of the monomials, and the value that is right.
type Row = (Vec<i64>, i64);

/// Polynomials that are right at many of the points where one value is right, those that are right at most points first.
///
/// Each is the solution of as many equations as it has coefficients, at points drawn at random or close together, so
/// that the pieces of a function defined by cases are found too (random sample consensus: Fischler and Bolles 1981).
pub(crate) fn fits(spec: &Pointwise<'_>, degree: usize, seed: u64) -> Vec<Term> {
    let function = &spec.problem.functions[spec.function];
    let Some(monomials) = Monomials::new(function, degree).filter(|_| spec.sort() == Sort::Int) else {
        return Vec::new();
    };
    let rows: Vec<Row> = (0..spec.n_points()).filter_map(|point| row(spec, function, &monomials, point)).collect();
    let m = monomials.len();
    if rows.len() < m + 2 {
        return Vec::new();
    }
    let mut rng = rng(seed, "sygus polynomials");
    let mut found: Vec<(usize, Vec<i64>)> = Vec::new();
    for draw in 0..DRAWS {
        let chosen = if draw % 2 == 0 { anywhere(&rows, m, &mut rng) } else { nearby(&rows, m, &mut rng) };
        let Some(coefficients) = solve(&chosen) else { continue };
        if found.iter().any(|(_, known)| *known == coefficients) || is_leaf(&coefficients) {
            continue;
        }
        let n_right = rows.iter().filter(|(values, right)| evaluate(values, &coefficients) == Some(*right)).count();
        if n_right >= m + 2 {
            found.push((n_right, coefficients));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(FITS).map(|(_, coefficients)| monomials.term(&coefficients)).collect()
}

fn row(spec: &Pointwise<'_>, function: &SynthFun, monomials: &Monomials, point: usize) -> Option<Row> {
    let right = spec.accept[point].single()?;
    let value = |name: Symbol| {
        let index = function.params.iter().position(|(own, _)| *own == name)?;
        Some(spec.columns[index].codes[point])
    };
    Some((monomials.values(&value)?, right))
}

/// Whether a polynomial is a parameter or a constant, which the bank has anyway.
fn is_leaf(coefficients: &[i64]) -> bool {
    let others = &coefficients[1..];
    let n_used = others.iter().filter(|c| **c != 0).count();
    n_used == 0 || (n_used == 1 && coefficients[0] == 0 && others.contains(&1))
}

fn anywhere<'a>(rows: &'a [Row], m: usize, rng: &mut Rng) -> Vec<&'a Row> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.partial_shuffle(rng, m).0.to_vec()
}

/// Some of the points that are closest to one of them.
fn nearby<'a>(rows: &'a [Row], m: usize, rng: &mut Rng) -> Vec<&'a Row> {
    let centre = &rows[rng.random_range(0..rows.len())].0;
    let distance =
        |row: &&Row| -> u64 { row.0.iter().zip(centre).fold(0_u64, |sum, (a, b)| sum.saturating_add(a.abs_diff(*b))) };
    let mut near: Vec<&Row> = rows.iter().collect();
    near.sort_by_cached_key(distance);
    near.truncate(3 * m);
    near.partial_shuffle(rng, m).0.to_vec()
}

/// Integer coefficients with which all rows are right; `None` if there are none or several.
fn solve(rows: &[&Row]) -> Option<Vec<i64>> {
    let m = rows.first()?.0.len();
    let matrix = DMatrix::from_fn(rows.len(), m, |i, j| rows[i].0[j] as f64);
    let right = DVector::from_fn(rows.len(), |i, _| rows[i].1 as f64);
    let solution = matrix.lu().solve(&right)?;
    if !solution.iter().all(|c| c.abs() < COEFFICIENT_LIMIT) {
        return None;
    }
    let coefficients: Vec<i64> = solution.iter().map(|c| c.round() as i64).collect();
    // What rounding changed is no solution.
    let is_exact = rows.iter().all(|(values, right)| evaluate(values, &coefficients) == Some(*right));
    is_exact.then_some(coefficients)
}

fn evaluate(values: &[i64], coefficients: &[i64]) -> Option<i64> {
    values.iter().zip(coefficients).try_fold(0_i64, |sum, (v, c)| sum.checked_add(v.checked_mul(*c)?))
}

/// Integer vectors orthogonal to all rows, one for each column that depends on those before it; `None` on overflow.
fn null_space(mut rows: Vec<Vec<i128>>, n_columns: usize) -> Option<Vec<Vec<i64>>> {
    let mut pivots: Vec<usize> = Vec::new();
    for column in 0..n_columns {
        let done = pivots.len();
        let Some(at) = (done..rows.len()).find(|&row| rows[row][column] != 0) else { continue };
        rows.swap(done, at);
        let pivot = rows[done].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if index == done || factor == 0 {
                continue;
            }
            for (own, other) in row.iter_mut().zip(&pivot) {
                *own = own.checked_mul(pivot[column])?.checked_sub(other.checked_mul(factor)?)?;
            }
            reduce(row);
        }
        pivots.push(column);
    }
    let free = (0..n_columns).filter(|column| !pivots.contains(column));
    let vector = |column: usize| {
        let scale = pivots.iter().enumerate().try_fold(1_i128, |scale, (row, &pivot)| {
            let own = rows[row][pivot];
            scale.checked_mul(own / gcd(scale, own))?.checked_abs()
        })?;
        let mut vector = vec![0_i128; n_columns];
        vector[column] = scale;
        for (row, &pivot) in pivots.iter().enumerate() {
            vector[pivot] = rows[row][column].checked_mul(scale / rows[row][pivot])?.checked_neg()?;
        }
        reduce(&mut vector);
        vector.into_iter().map(|entry| i64::try_from(entry).ok()).collect::<Option<Vec<i64>>>()
    };
    free.map(vector).collect()
}

/// Divides a row by the greatest common divisor of its entries.
fn reduce(row: &mut [i128]) {
    let divisor = row.iter().fold(0, |divisor, &entry| gcd(divisor, entry));
    if divisor > 1 {
        row.iter_mut().for_each(|entry| *entry /= divisor);
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.saturating_abs() } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use dsl::Language;

    use super::*;

    #[test]
    fn a_system_with_one_integer_solution_is_solved_and_no_other() {
        let rows = [(vec![1, 2, 3], 11), (vec![1, 5, -1], 9), (vec![1, 0, 0], 1)];
        let all: Vec<&Row> = rows.iter().collect();
        assert_eq!(solve(&all), Some(vec![1, 2, 2]));
        let halves = [(vec![1, 2], 2), (vec![1, 3], 3), (vec![1, 4], 5)];
        assert_eq!(solve(&[&halves[0], &halves[2]]), None, "slope 3/2");
        assert_eq!(solve(&[&halves[0], &halves[0]]), None, "one equation twice");
    }

    #[test]
    fn columns_that_depend_on_others_say_how() {
        // 1, x, 3 - 2x, something else, and the sum of the last three.
        let rows = [[1, 0, 3, 5, 8], [1, 1, 1, -7, -5], [1, 4, -5, 0, -1], [1, 2, -1, 2, 3]];
        let rows = rows.iter().map(|row| row.to_vec()).collect();
        assert_eq!(null_space(rows, 5), Some(vec![vec![-3, 2, 1, 0, 0], vec![-3, 1, 0, -1, 1]]));
        assert_eq!(null_space(vec![vec![1, i128::MAX], vec![i128::MAX, 2]], 2), None);
    }

    #[test]
    fn polynomials_are_written_as_people_do() {
        let name = |text: &str| Symbol::new(text);
        let text = Language::shipped("integers").expect("shipped");
        let language = Language::parse("integers", text, &|name| Language::shipped(name).map(str::to_owned));
        let language = language.expect("sound");
        let monomials = Monomials(vec![vec![], vec![name("x")], vec![name("y")], vec![name("x"), name("y")]]);
        let shown = |coefficients: &[i64]| crate::theory::print(&monomials.term(coefficients), &language);
        assert_eq!(shown(&[7, 1, 0, 0]), "(+ x 7)");
        assert_eq!(shown(&[-7, 3, -2, 0]), "(- (- (* 3 x) (* 2 y)) 7)");
        assert_eq!(shown(&[0, 0, 0, -4]), "(* (- 4) (* x y))");
        assert_eq!(shown(&[5, -1, 0, 0]), "(- 5 x)");
        assert_eq!(shown(&[-5, -1, 0, 0]), "(- (- 5) x)");
        assert_eq!(shown(&[0, -1, 0, -2]), "(- (- 0 x) (* 2 (* x y)))");
        assert_eq!(shown(&[0, 0, 0, 0]), "0");
    }
}
