//! When a value of a program is the value of a network, and what of a batch counts.

use samples::{Column, Decode, Points, UNDEFINED, Value};

/// What was counted over some inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Outputs of the network that count: it defines them.
    pub outputs: u64,
    /// Counted outputs at which the program differs, or is undefined.
    pub wrong_outputs: u64,
    /// Outputs that do not count.
    pub uncounted: u64,
    /// Sequences with a counted output.
    pub sequences: u64,
    /// Sequences with a counted output at which the program differs.
    pub wrong_sequences: u64,
}

impl Tally {
    /// The counts of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            outputs: self.outputs + other.outputs,
            wrong_outputs: self.wrong_outputs + other.wrong_outputs,
            uncounted: self.uncounted + other.uncounted,
            sequences: self.sequences + other.sequences,
            wrong_sequences: self.wrong_sequences + other.wrong_sequences,
        }
    }
}

/// Whether the program's value stands for the network's, which is defined: numbers (truth values count as 1 and 0)
/// within [`Decode::NUMBER`] where the output is a number, else within 1e-6 as an integer after rounding; other values when equal.
pub fn agrees(decode: &Decode, network: Value, program: Value) -> bool {
    if let (Some(a), Some(b)) = (network.as_f64(), program.as_f64()) {
        let tolerance = if matches!(decode, Decode::Number) { Decode::NUMBER } else { 1e-6 };
        return (a - b).abs() <= tolerance;
    }
    match (network, program) {
        // A constructor of a declared enumeration stands for the token of the same text.
        (Value::Symbol(a), Value::Enum(_, b)) => a == b,
        (a, b) => a == b,
    }
}

/// The points where the program differs from a counted output of the network, and the counts.
///
/// An element counts where every output column of the network is defined there (and `scored`, where given, says so);
/// it agrees where every column does.
pub fn compare(
    decode: &Decode,
    points: &Points,
    network: &[Column],
    program: &[Column],
    scored: Option<&[bool]>,
) -> (Tally, Vec<usize>) {
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for range in points.ranges() {
        let (mut counted, mut missed) = (0, 0);
        for point in range.clone() {
            let counts = network.iter().all(|column| column.codes[point] != UNDEFINED)
                && scored.is_none_or(|scored| scored.get(point).copied().unwrap_or(false));
            if !counts {
                tally.uncounted += 1;
                continue;
            }
            counted += 1;
            let same = network.iter().zip(program).all(|(a, b)| {
                (a.sort == b.sort && a.codes[point] == b.codes[point]) || agrees(decode, a.value(point), b.value(point))
            });
            if !same {
                missed += 1;
                wrong.push(point);
            }
        }
        tally.outputs += counted;
        tally.wrong_outputs += missed;
        tally.sequences += u64::from(counted > 0);
        tally.wrong_sequences += u64::from(missed > 0);
    }
    (tally, wrong)
}

#[cfg(test)]
mod tests {
    use samples::Sort;

    use super::*;

    #[test]
    fn numbers_compare_as_numbers() {
        assert!(agrees(&Decode::Round, Value::Int(1), Value::Bool(true)));
        assert!(!agrees(&Decode::Round, Value::Int(1), Value::Int(2)));
        assert!(agrees(&Decode::Number, Value::Real(0.5), Value::Real(0.509)));
        assert!(!agrees(&Decode::Number, Value::Real(0.5), Value::Real(0.511)));
        assert!(!agrees(&Decode::Round, Value::Int(1), Value::Undefined));
        assert!(!agrees(&Decode::NextToken, Value::Symbol("a".into()), Value::Int(1)));
    }

    #[test]
    fn undefined_outputs_of_the_network_do_not_count_and_of_the_program_are_wrong() {
        let network = Column::new(Sort::Int, vec![1, UNDEFINED, 3, 4]);
        let program = Column::new(Sort::Int, vec![1, 2, UNDEFINED, 4]);
        let points = Points::from_lengths([2, 2]);
        let (tally, wrong) = compare(&Decode::Round, &points, &[network], &[program], None);
        assert_eq!(wrong, [2]);
        let expected = Tally { outputs: 3, wrong_outputs: 1, uncounted: 1, sequences: 2, wrong_sequences: 1 };
        assert_eq!(tally, expected);
    }
}
