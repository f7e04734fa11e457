//! Rival programs: what else does what the network does on the inputs at hand, and what would tell it from the program that
//! is accepted.
//!
//! Rivals are the other programs of the search and the accepted one with one change. Those that are no worse on a sample
//! survive. A survivor is shown to be equal, over all inputs of the domain or (as a machine with states) of any length; or
//! an input is found on which both differ, and the network is run there; or neither.

use check::{CheckConfig, Counterexample, Kind, Machine, Product, agreement_of, compare, run_network, run_program};
use dsl::{Func, Language, Node, OpId, Scan, Term};
use graph::Network;
use rand::seq::SliceRandom as _;
use samples::{Batch, Column, Elements, Value, rng};
use synth::{RuleBook, VerifyLimits};

use crate::{Config, Hypothesis, n_sequences};

/// What is known of other programs.
#[derive(Clone, PartialEq, Debug)]
pub struct Rivals {
    /// Programs that were looked at.
    pub considered: usize,
    /// Those that are no worse on the sample than the one accepted.
    pub surviving: usize,
    /// Survivors that are shown to be equal to it.
    pub equal: usize,
    /// The other survivors, in the order in which they were looked at; a few at most.
    pub others: Vec<Rival>,
}

impl Rivals {
    /// The inputs that tell rivals from the accepted program.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Batch> + '_ {
        self.others.iter().filter_map(|rival| match &rival.separation {
            Separation::Input { input, .. } => Some(input.input.clone()),
            Separation::None { .. } => None,
        })
    }
}

/// A surviving program that is not shown to be equal.
#[derive(Clone, PartialEq, Debug)]
pub struct Rival {
    /// The program.
    pub program: Term,
    /// What tells it from the accepted one.
    pub separation: Separation,
}

/// What tells two programs apart.
#[derive(Clone, PartialEq, Debug)]
pub enum Separation {
    /// An input on which they differ, and what the network says.
    Input {
        /// The input with the outputs of the network and of the accepted program.
        input: Counterexample,
        /// The rival's outputs.
        rival: Vec<Value>,
        /// Whether the input is one of the domain's.
        within: bool,
    },
    /// None was found among so many sequences.
    None {
        /// Sequences.
        sequences: u64,
    },
}

/// Programs with one change that are looked at, and sequences that they must survive.
const MUTANTS: usize = 150;
const SAMPLE: usize = 400;
/// Inputs of a domain that is run as a whole, and sequences of each kind that are run otherwise.
const WHOLE: usize = 100_000;
const SEQUENCES: usize = 4_000;
/// Pairs of states that are followed, and elements of an alphabet.
const PAIRS: usize = 20_000;
const ALPHABET: usize = 512;
/// Rivals that are followed up and reported.
const REPORTED: usize = 5;

/// Looks for rivals of an accepted program among `others` and among programs with one change.
pub(crate) fn rivals(network: &Network, program: &Term, others: &[Hypothesis], config: &Config<'_>) -> Rivals {
    let mut mutants = check::mutants(program, config.language, &network.domain);
    mutants.shuffle(&mut rng(config.seed, "rivals: changes"));
    let changed = mutants.into_iter().take(MUTANTS).map(|mutant| mutant.term);
    let candidates: Vec<Term> = others.iter().map(|other| other.program.clone()).chain(changed).collect();
    let mut found = Rivals { considered: candidates.len(), surviving: 0, equal: 0, others: Vec::new() };
    let Some(sample) = Sample::of(network, program, config) else { return Rivals { considered: 0, ..found } };
    let contest = Contest { network, program, config };
    let mut mirrors = Mirrors::new(config.language);
    let own = mirrors.sorted(program);
    let mut met: Vec<Term> = Vec::new();
    for rival in candidates {
        if (config.deadline)() {
            break;
        }
        if rival == *program || !sample.survives(network, &rival, config) {
            continue;
        }
        found.surviving += 1;
        let sorted = mirrors.sorted(&rival);
        if sorted == own {
            found.equal += 1;
            continue;
        }
        if found.others.len() >= REPORTED || met.contains(&sorted) {
            continue;
        }
        met.push(sorted);
        match contest.separation(&rival) {
            Some(separation) => found.others.push(Rival { program: rival, separation }),
            None => found.equal += 1,
        }
    }
    found
}

/// Terms up to the order of arguments, where it is proved that it does not matter: `(max x y)` and `(max y x)` are one.
struct Mirrors<'l> {
    language: &'l Language,
    rules: RuleBook<'l>,
}

impl<'l> Mirrors<'l> {
    fn new(language: &'l Language) -> Self {
        Self { language, rules: RuleBook::new(language, VerifyLimits::new()) }
    }

    fn commutes(&mut self, op: OpId) -> bool {
        let facts = self.language.fact_rules(op);
        // Of the facts of an operator this one comes first.
        self.language.op(op).facts.commutative && facts.first().is_some_and(|fact| self.rules.proves(fact.name))
    }

    /// The term with the arguments of commutative operators in the order of their texts.
    fn sorted(&mut self, term: &Term) -> Term {
        let mut all = |terms: &[Term]| -> Vec<Term> { terms.iter().map(|term| self.sorted(term)).collect() };
        let node = match term.node() {
            Node::Var(_) | Node::Const(_) => return term.clone(),
            Node::App(func, args) => {
                let mut args = all(args);
                if matches!(func, Func::Op(op) if self.commutes(*op)) {
                    args.sort_by_cached_key(|arg| dsl::print(arg, self.language));
                }
                Node::App(func.clone(), args)
            }
            Node::Let(bindings, body) => {
                let bound = bindings.iter().map(|(name, value)| (*name, self.sorted(value))).collect();
                Node::Let(bound, self.sorted(body))
            }
            Node::Scan(Scan { states, outputs }) => {
                let outputs = all(outputs);
                let state = |(name, first, update): &(_, _, Term)| (*name, *first, self.sorted(update));
                Node::Scan(Scan { states: states.iter().map(state).collect(), outputs })
            }
            Node::Select { key, query, pred } => {
                let pred = match pred {
                    Func::Lambda(params, body) => Func::Lambda(params.clone(), self.sorted(body)),
                    other => other.clone(),
                };
                Node::Select { key: self.sorted(key), query: self.sorted(query), pred }
            }
        };
        Term::new(node)
    }
}

/// Inputs with the network's outputs, and on how many of them the accepted program is wrong.
struct Sample {
    batch: Batch,
    scored: Option<Vec<bool>>,
    own: Vec<Column>,
    wrong: u64,
}

impl Sample {
    fn of(network: &Network, program: &Term, config: &Config<'_>) -> Option<Self> {
        let domain = &network.domain;
        let (batch, scored) = match &domain.elements {
            Elements::Recorded { inputs, scored, .. } => {
                let rows: Vec<usize> = (0..inputs.n_sequences().min(SAMPLE)).collect();
                let points = inputs.points();
                let chosen = rows.iter().flat_map(|&row| scored[points.range(row)].iter().copied()).collect();
                (inputs.select(&rows), Some(chosen))
            }
            _ => {
                let n = n_sequences(SAMPLE, domain.length.1);
                let mut batch = domain.sample_uniform(n, &mut rng(config.seed, "rivals: uniform"));
                batch.extend(&domain.sample(n, &mut rng(config.seed, "rivals: structured")));
                (batch, None)
            }
        };
        let own = network.outputs(&batch).ok()?;
        let mut sample = Self { batch, scored, own, wrong: 0 };
        sample.wrong = sample.wrong_of(network, program, config)?;
        Some(sample)
    }

    fn wrong_of(&self, network: &Network, program: &Term, config: &Config<'_>) -> Option<u64> {
        let values = run_program(network, program, config.language)(&self.batch).ok()?;
        if values.len() != self.own.len() {
            return None;
        }
        let points = self.batch.points();
        let (tally, _) = compare(&network.domain.decode, &points, &self.own, &values, self.scored.as_deref());
        Some(tally.wrong_outputs)
    }

    fn survives(&self, network: &Network, program: &Term, config: &Config<'_>) -> bool {
        self.wrong_of(network, program, config).is_some_and(|wrong| wrong <= self.wrong)
    }
}

/// An accepted program against its rivals.
struct Contest<'a> {
    network: &'a Network,
    program: &'a Term,
    config: &'a Config<'a>,
}

impl Contest<'_> {
    /// What tells a rival from the program; `None` where both are shown to be equal.
    fn separation(&self, rival: &Term) -> Option<Separation> {
        match self.followed(rival) {
            Some(Product::Equal { .. }) => return None,
            Some(Product::Differ(input)) => {
                let position = input.points().len() - 1;
                if let Some(separation) = self.at(input, position, rival) {
                    return Some(separation);
                }
            }
            _ => {}
        }
        let domain = &self.network.domain;
        let settings = CheckConfig {
            seed: self.config.seed,
            exhaustive_limit: WHOLE,
            samples: n_sequences(SEQUENCES, domain.length.1),
            deadline: self.config.deadline,
            ..CheckConfig::default()
        };
        let run = |program| run_program(self.network, program, self.config.language);
        let (own, other) = (run(self.program), run(rival));
        let found = agreement_of(domain, self.network.is_causal(), &own, &other, &settings).ok();
        let Some(found) = found else { return Some(Separation::None { sequences: 0 }) };
        match found.counterexample {
            Some(at) => self.at(at.input, at.position, rival),
            None if found.kind == Kind::Exhaustive && found.complete => None,
            None => Some(Separation::None { sequences: found.tally.sequences }),
        }
    }

    /// Both programs followed as machines, of recurrent networks over small alphabets.
    fn followed(&self, rival: &Term) -> Option<Product> {
        self.network.recurrence()?;
        let alphabet = check::alphabet(self.network).filter(|alphabet| alphabet.len() <= ALPHABET)?;
        let machine = |program| Machine::new(program, self.config.language, &self.network.domain);
        let (a, b) = (machine(self.program)?, machine(rival)?);
        check::product(&a, &b, &self.network.domain.decode, &alphabet, PAIRS).ok()
    }

    /// All three at an input.
    fn at(&self, input: Batch, position: usize, rival: &Term) -> Option<Separation> {
        let at = |columns: Vec<Column>| -> Vec<Value> { columns.iter().map(|column| column.value(position)).collect() };
        let run = |program| run_program(self.network, program, self.config.language)(&input).ok().map(at);
        let network = run_network(self.network)(&input).ok().map(at)?;
        let (program, rival) = (run(self.program)?, run(rival)?);
        let within = input.length(0) <= check::longest_length(&self.network.domain);
        Some(Separation::Input { input: Counterexample { input, position, network, program }, rival, within })
    }
}

#[cfg(test)]
mod tests {
    use graph::{Activation, Affine, Cell, Encoding, Matrix, Mlp, Recurrence};
    use samples::{Decode, Domain};

    use super::*;

    /// Sums its inputs, which are 0 or 1.
    fn sum() -> Network {
        let mlp = |rows, data: &[f32]| Mlp {
            layers: vec![Affine { weight: Matrix::new(rows, 1, data.to_vec()), bias: vec![0.0] }],
            activation: Activation::Relu,
        };
        let net = Recurrence::new(Cell::Mlp(mlp(2, &[1.0, 1.0])), mlp(1, &[1.0]), Encoding::Scalar, 1);
        let elements = Elements::Integers { dim: 1, lo: 0, hi: 1 };
        let domain = Domain { elements, length: (1, 6), decode: Decode::Round, n_outputs: 1 };
        Network::recurrent(domain, net.expect("shapes fit"))
    }

    #[test]
    fn rivals_are_equal_or_told_apart_by_an_input_that_is_run() {
        let (network, language) = (sum(), Language::load_shipped("recurrent").expect("it is shipped"));
        let read = |text: &str| dsl::parse_term(text, &language, &network.domain.inputs()).expect(text);
        let config = Config::new(&language);
        let program = read("(scan ((s 0 (% (+ s x) 9))) s')");
        let contest = Contest { network: &network, program: &program, config: &config };
        assert_eq!(contest.separation(&read("(scan ((s 0 (% (+ x s) 9))) s')")), None);
        // Alike up to seven ones, which no input of the domain has.
        let found = contest.separation(&read("(scan ((s 0 (% (+ s x) 7))) s')"));
        let Some(Separation::Input { input, rival, within: false }) = found else { panic!("{found:?}") };
        assert_eq!(
            (input.position, &input.network[..], &input.program[..]),
            (6, &[Value::Int(7)][..], &[Value::Int(7)][..])
        );
        assert_eq!(rival, [Value::Int(0)]);
        // A mirror image is shown to be equal by the proved fact alone, and one rival in two forms is one rival.
        let mut mirrors = Mirrors::new(&language);
        let mut sorted = |text: &str| mirrors.sorted(&read(text));
        assert_eq!(
            sorted("(scan ((s 0 (max (+ s x) (- x s)))) (ite (= s' x) 1 s'))"),
            sorted("(scan ((s 0 (max (- x s) (+ x s)))) (ite (= x s') 1 s'))")
        );
        assert_ne!(sorted("(scan ((s 0 (- s x))) s')"), sorted("(scan ((s 0 (- x s))) s')"));
        let all = rivals(&network, &program, &[], &config);
        assert!(all.surviving >= all.equal + all.others.len() && all.surviving < all.considered, "{all:?}");
        assert!(all.others.iter().any(|rival| matches!(rival.separation, Separation::Input { within: false, .. })));
    }
}
