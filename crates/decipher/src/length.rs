//! Description lengths: what a hypothesis costs to write down, beside what it explains.
//!
//! A program that takes as many bits as the outputs that it was held against explains nothing, however well it agrees: a list
//! of the outputs would have done. The same holds for an alignment with as many free parameters as points that they were
//! fitted on: on random weights, too, a map that is rich enough reads off anything. Such hypotheses are flagged, and their
//! mechanism is not called verified (minimum description length, Rissanen 1978).

use std::collections::BTreeMap;

use check::Agreement;
use dsl::{Env, Term};
use graph::Network;
use samples::{Batch, Column, Elements, Points, rng};

use crate::mechanism::Mechanics;
use crate::{Config, Hypothesis, Mechanism, n_sequences, recurrent, transformer};

/// Lengths in bits, and why the hypothesis is too rich, if it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    /// The program: [`BITS`] for every unit of its cost.
    pub program: f64,
    /// The alignment: which site carries which subterm, which edges are in the circuit, and the numbers that were fitted.
    pub alignment: f64,
    /// The outputs that the program was held against, those under an interchange too, by an ideal code that knows positions.
    pub data: f64,
    /// Numbers that were fitted for the alignment: coefficients of affine read-outs, values told apart by others, weights of
    /// selectors.
    pub parameters: usize,
    /// Reasons to call the hypothesis too rich.
    pub over_rich: Vec<String>,
}

impl Description {
    /// What may be said of the mechanism: not verified where the hypothesis is too rich.
    pub fn cap(&self, mechanism: Mechanism) -> Mechanism {
        match (mechanism, self.over_rich.is_empty()) {
            (Mechanism::Verified, false) => Mechanism::Partial,
            (mechanism, _) => mechanism,
        }
    }
}

/// Bits of a unit of cost: an operator, a variable or a constant of some thirty. The same unit is weighed against errors where
/// programs are ranked.
pub const BITS: f64 = 5.0;
/// Sequences on which the entropy of outputs, and the values that variables have, are measured.
const SEQUENCES: usize = 1_000;

/// Measures a hypothesis beside the outputs that it was held against; `None` where network or program cannot be run.
pub fn describe(
    network: &Network,
    hypothesis: &Hypothesis,
    agreement: &Agreement,
    mechanics: Option<&Mechanics>,
    config: &Config<'_>,
) -> Option<Description> {
    let batch = sample(network, config.seed);
    let outputs = network.outputs(&batch).ok()?;
    let points = batch.points();
    let all: Vec<usize> = (0..points.len()).collect();
    let mut found = Description {
        program: BITS * dsl::cost(&hypothesis.program, config.language),
        alignment: 0.0,
        data: counted(agreement) * entropy(&outputs, &points, &all),
        parameters: 0,
        over_rich: Vec::new(),
    };
    if let Some(reason) = crate::covers_domain(network, &hypothesis.program) {
        found.over_rich.push(reason);
    }
    let graph = network.graph(1);
    let choices =
        (graph.n_nodes().max(2) as f64 * dsl::size(&hypothesis.program, config.language).max(2) as f64).log2();
    let vars = network.domain.columns(&batch);
    let env = Env { language: config.language, points: &points, vars: &vars, causal: network.is_causal() };
    for aligned in hypothesis.alignment.iter().filter(|aligned| aligned.fit > 0.0) {
        let fitted = match aligned.readout {
            "affine" => Fitted::coefficients(network, &aligned.site),
            _ => Fitted::values(&aligned.subterm, &env)?,
        };
        found.alignment += choices + fitted.bits();
        found.parameters += fitted.numbers;
        if fitted.is_free() {
            let term = dsl::print(&aligned.subterm, config.language);
            found.over_rich.push(format!(
                "reading {} at {} takes {} numbers, with {} points to fit them on",
                short(&term),
                aligned.site,
                fitted.numbers,
                fitted.points
            ));
        }
    }
    // What selectors say is said of patterns, not of outputs: they are held against the rows of attention that they stand for.
    let mut of_patterns = 0.0;
    if let Some(mechanics) = mechanics {
        found.alignment += choose(mechanics.n_edges, mechanics.circuit.len());
        // Where every position has an output of its own, a list of them does for all inputs, but not for interventions. Those
        // at one site are counted: what another one shows may be the same again.
        let sites = mechanics.sites.iter().filter(|site| site.passes);
        found.data += sites.map(|site| site.bits).fold(0.0, f64::max);
        for selected in mechanics.selectors.iter().filter(|selected| selected.passes) {
            let fitted = Fitted { numbers: selected.entries, points: selected.rows };
            of_patterns += fitted.bits();
            found.parameters += fitted.numbers;
            if fitted.is_free() {
                found.over_rich.push(format!(
                    "the selector of {} takes {} weights, fitted on {} rows of attention",
                    selected.head, fitted.numbers, fitted.points
                ));
            }
        }
    }
    if found.program >= found.data {
        found.over_rich.push(format!(
            "the program takes {:.0} bits, the outputs that it was held against {:.0}",
            found.program, found.data
        ));
    } else if found.program + found.alignment >= found.data {
        found.over_rich.push(format!(
            "program and alignment take {:.0} bits, the outputs that they were held against {:.0}",
            found.program + found.alignment,
            found.data
        ));
    }
    found.alignment += of_patterns;
    Some(found)
}

/// Numbers, and the points that they were fitted on.
struct Fitted {
    numbers: usize,
    points: usize,
}

impl Fitted {
    /// An affine map of the site's value.
    fn coefficients(network: &Network, site: &str) -> Self {
        match network.recurrence() {
            Some(net) => Self { numbers: net.hidden_dim() + 1, points: recurrent::AFFINE_POINTS },
            None => {
                let graph = network.graph(1);
                let width = graph.find(site).and_then(|node| graph.width(node)).unwrap_or(0);
                Self { numbers: width + 1, points: transformer::AFFINE_POINTS }
            }
        }
    }

    /// What is not read by a map is told apart value by value.
    fn values(term: &Term, env: &Env<'_>) -> Option<Self> {
        let mut codes = dsl::eval(term, env).ok()?.codes;
        let points = codes.len();
        codes.sort_unstable();
        codes.dedup();
        Some(Self { numbers: codes.len(), points })
    }

    /// Half the logarithm of the points for every number (Rissanen 1978).
    fn bits(&self) -> f64 {
        0.5 * self.numbers as f64 * (self.points.max(2) as f64).log2()
    }

    /// Whether there is a number for every other point: then anything is fitted.
    fn is_free(&self) -> bool {
        2 * self.numbers >= self.points
    }
}

/// Sequences of the domain: all of them where there are few.
fn sample(network: &Network, seed: u64) -> Batch {
    let domain = &network.domain;
    match &domain.elements {
        Elements::Recorded { inputs, .. } => {
            let rows: Vec<usize> = (0..inputs.n_sequences().min(SEQUENCES)).collect();
            inputs.select(&rows)
        }
        _ => match domain.n_inputs().filter(|&n| n <= SEQUENCES as f64).and_then(|_| domain.enumerate(SEQUENCES)) {
            Some(all) => all,
            None => {
                domain.sample_uniform(n_sequences(SEQUENCES, domain.length.1), &mut rng(seed, "description: inputs"))
            }
        },
    }
}

/// The outputs that were compared.
fn counted(agreement: &Agreement) -> f64 {
    agreement.tally.outputs as f64
}

/// The entropy in bits of an output at some points where its position is known.
pub(crate) fn entropy(outputs: &[Column], points: &Points, at_points: &[usize]) -> f64 {
    let mut counts: BTreeMap<(usize, Vec<i64>), usize> = BTreeMap::new();
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    for &point in at_points {
        let position = points.locate(point).1;
        let codes: Vec<i64> = outputs.iter().map(|column| column.codes[point]).collect();
        // What does not count needs no code.
        if outputs.iter().zip(&codes).any(|(column, &code)| column.sort.is_undefined(code)) {
            continue;
        }
        *counts.entry((position, codes)).or_insert(0) += 1;
        *at.entry(position).or_insert(0) += 1;
    }
    let n: usize = at.values().sum();
    let bits = |((position, _), &count): (&(usize, Vec<i64>), &usize)| {
        count as f64 * (at.get(position).copied().unwrap_or(count) as f64 / count as f64).log2()
    };
    counts.iter().map(bits).sum::<f64>() / n.max(1) as f64
}

/// Bits of a choice of some things among all.
fn choose(all: usize, some: usize) -> f64 {
    (1..=some.min(all)).map(|i| ((all - some.min(all) + i) as f64 / i as f64).log2()).sum()
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(57).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use dsl::Language;
    use graph::{Activation, Affine, Cell, Encoding, Matrix, Mlp, Recurrence};
    use samples::{Decode, Domain};

    use super::*;
    use crate::{Aligned, JudgeLimits, judge};

    /// Says its input, a number below `n`, one element long or longer.
    fn echo(n: i64, length: usize) -> Network {
        let mlp = |rows, data: &[f32]| Mlp {
            layers: vec![Affine { weight: Matrix::new(rows, 1, data.to_vec()), bias: vec![0.0] }],
            activation: Activation::Relu,
        };
        let net = Recurrence::new(Cell::Mlp(mlp(2, &[0.0, 1.0])), mlp(1, &[1.0]), Encoding::Scalar, 1);
        let elements = Elements::Integers { dim: 1, lo: 0, hi: n - 1 };
        let domain = Domain { elements, length: (1, length), decode: Decode::Round, n_outputs: 1 };
        Network::recurrent(domain, net.expect("shapes fit"))
    }

    fn described(network: &Network, program: &str, aligned: &[(&str, &'static str)]) -> Description {
        let language = Language::load_shipped("recurrent").expect("it is shipped");
        let read = |text: &str| dsl::parse_term(text, &language, &network.domain.inputs()).expect(text);
        let config = Config::new(&language);
        let alignment = aligned.iter().map(|&(subterm, readout)| Aligned {
            subterm: read(subterm),
            site: "h[t]".to_owned(),
            readout,
            fit: 1.0,
        });
        let hypothesis =
            Hypothesis { program: read(program), alignment: alignment.collect(), circuit: None, source: "a test" };
        let agreement = judge(network, &hypothesis.program, &config, &JudgeLimits::default()).expect("it runs");
        describe(network, &hypothesis, &agreement, None, &config).expect("it runs")
    }

    #[test]
    fn a_short_program_of_many_outputs_is_not_too_rich() {
        let found = described(&echo(10, 6), "(scan ((s 0 x)) s')", &[("(scan ((s 0 x)) s')", "affine")]);
        assert!(found.over_rich.is_empty(), "{found:?}");
        // Every digit is new, and there are 1,111,110 sequences with 6,543,210 elements and more.
        assert!(found.data > 3.3 * 6e6 * 0.9 && found.program + found.alignment < 100.0, "{found:?}");
        assert_eq!(found.cap(Mechanism::Verified), Mechanism::Verified);
    }

    #[test]
    fn what_takes_as_many_bits_as_its_outputs_is_too_rich() {
        // Two inputs, one bit each.
        let found = described(&echo(2, 1), "(scan ((s 0 x)) s')", &[]);
        assert!((found.data - 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.over_rich.len(), 1, "{found:?}");
        assert_eq!(found.cap(Mechanism::Verified), Mechanism::Partial);
        assert_eq!(found.cap(Mechanism::Unverified), Mechanism::Unverified);
    }

    #[test]
    fn a_variable_that_names_every_input_is_too_rich() {
        let (own, name) = ("(scan ((s 0 x)) s')", "(scan ((s 0 (+ (* 100 s) (+ x 1)))) s')");
        let found = described(&echo(100, 6), own, &[(name, "partition")]);
        assert!(found.over_rich.iter().any(|reason| reason.contains("points to fit them on")), "{found:?}");
        assert!(described(&echo(100, 6), own, &[(own, "partition")]).over_rich.is_empty());
    }

    #[test]
    fn entropy_knows_positions() {
        let batch = Batch::from_sequences(1, [[0, 5], [1, 5], [2, 5], [3, 5]]);
        let column = Column::new(samples::Sort::Int, vec![0, 5, 1, 5, 2, 5, 3, 5]);
        assert!(
            (entropy(&[column], &batch.points(), &[0, 1, 2, 3, 4, 5, 6, 7]) - 1.0).abs() < 1e-12,
            "two bits at the first, none at the second"
        );
        assert!((choose(4, 2) - 6.0_f64.log2()).abs() < 1e-12);
    }
}
