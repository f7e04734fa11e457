//! One input on which a network and a program may differ: both run on it, and whether a difference is more than rounding.

use dsl::{Language, Term};
use graph::Network;
use samples::{Batch, Column};

use crate::proof::surely_otherwise;
use crate::{Counterexample, Error, compare, run_network, run_program};

/// Runs a network and a program on one sequence: the first element at which they differ, if they do.
///
/// # Errors
/// Where one of the two cannot be run.
pub fn difference(
    network: &Network,
    program: &Term,
    language: &Language,
    input: &Batch,
) -> Result<Option<Counterexample>, Error> {
    let (net, said) = (run_network(network)(input)?, run_program(network, program, language)(input)?);
    if net.len() != said.len() {
        return Err(Error::Outputs { program: said.len(), network: net.len() });
    }
    let (_, wrong) = compare(&network.domain.decode, &input.points(), &net, &said, None);
    let at = |columns: &[Column], point: usize| columns.iter().map(|column| column.value(point)).collect();
    Ok(wrong.first().map(|&position| Counterexample {
        input: input.clone(),
        position,
        network: at(&net, position),
        program: at(&said, position),
    }))
}

impl Counterexample {
    /// Whether the difference is more than rounding: of a recurrent network, whether its output is read as something else
    /// than the program's by every evaluation in single precision, in any order of summation. Of others it is what this
    /// evaluation says.
    pub fn is_clear(&self, network: &Network) -> bool {
        let Some(net) = network.recurrence() else { return true };
        surely_otherwise(net, &network.domain.decode, self)
    }

    /// Whether the input is one of a domain's: no longer than it has them. Where the domain is known by recorded inputs
    /// alone, none that was made is.
    pub fn is_within(&self, domain: &samples::Domain) -> bool {
        !matches!(domain.elements, samples::Elements::Recorded { .. })
            && self.input.length(0) <= crate::longest_length(domain)
    }
}

#[cfg(test)]
mod tests {
    use graph::{Activation, Affine, Cell, Encoding, Matrix, Mlp, Recurrence};
    use samples::{Decode, Domain, Elements};

    use super::*;

    /// Puts out its input times one number, plus another.
    fn network(slope: f32, shift: f32) -> Network {
        let layer = |rows: usize, data: &[f32], bias: f32| Mlp {
            layers: vec![Affine { weight: Matrix::new(rows, 1, data.to_vec()), bias: vec![bias] }],
            activation: Activation::Relu,
        };
        let net =
            Recurrence::new(Cell::Mlp(layer(2, &[0.0, slope], 0.0)), layer(1, &[1.0], shift), Encoding::Scalar, 1);
        let elements = Elements::Integers { dim: 1, lo: 0, hi: 1000 };
        let domain = Domain { elements, length: (2, 2), decode: Decode::Round, n_outputs: 1 };
        Network::recurrent(domain, net.expect("shapes fit"))
    }

    #[test]
    fn a_difference_is_clear_where_no_rounding_undoes_it() {
        let language = Language::load_shipped("recurrent").expect("shipped");
        let found = |slope: f32, shift: f32| {
            let network = network(slope, shift);
            let program = dsl::parse_term("x", &language, &network.domain.inputs()).expect("sound");
            let input = Batch::from_sequences(1, [[0, 1000]]);
            let found = difference(&network, &program, &language, &input).expect("runs");
            found.map(|found| (found.position, found.is_clear(&network), found.is_within(&network.domain)))
        };
        assert_eq!(found(1.0, 0.0), None);
        assert_eq!(found(1.001, 0.0), Some((1, true, true)));
        assert_eq!(found(1.0, 0.500_03), Some((0, true, true)));
        // 1000.5001, where numbers lie 0.00006 apart.
        assert_eq!(found(1.000_500_1, 0.0), Some((1, false, true)));
    }
}
