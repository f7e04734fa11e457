//! Proofs by a solver over the reals, for piecewise linear networks on ranges of inputs that are not listed.
//!
//! The network is written down as it is, unrolled to some steps: its weights as exact fractions, ReLU as a case
//! distinction; the program by the meaning of its operators; and the solver is asked for inputs within the domain on
//! which an output is read as something else than the program's (linear arithmetic over reals and integers: decidable).
//! No input: proved.
//!
//! Real arithmetic is not what a machine does. How far an evaluation in single precision may be from exact arithmetic is
//! bounded by propagating rounding errors ([`gap`]), and the question is first asked with every decision
//! margin smaller by that bound: then the answer covers single precision, in any order of summation. Where that fails it
//! is asked again without.
//!
//! The file of such a proof holds the question. [`verify`] believes neither the text nor an answer: it writes the
//! question down again from network and program, compares, and asks again.

use std::fmt::Write as _;
use std::ops::Range;

use dsl::{Func, Kernel, Language, Node, SmtScript, Term};
use graph::{Activation, Affine, Cell, Encoding, Mlp, Network, Recurrence};
use samples::{Batch, Column, Decode, Elements, Sort, Symbol, Value};
use smt::{Answer, Limits, Solver};

use super::forms::Forms;
use super::gap::{self, EXACT_INPUT, Numbers, Symbols};
use super::walk::{self, Walk};
use super::{Arithmetic, Decoder, LATER, Proof, Proofs, Refused, Regions};
use crate::{Counterexample, Machine, difference, primed};

/// The question of a proof by a solver.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    /// What the solver may spend on one step, in its own units.
    pub resources: u32,
    /// SMT-LIB: unsatisfiable if no input of the domain is read wrongly at any step.
    pub text: String,
}

/// How hard to ask.
#[derive(Clone, Copy)]
pub struct AskConfig<'a> {
    /// Elements of the longest sequence asked about.
    pub length: usize,
    /// What the solver may spend on one step, in its own units.
    pub resources: u32,
    /// True once time is up; a question that was asked is answered first.
    pub deadline: &'a (dyn Fn() -> bool + Sync),
}

/// What came of asking.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    /// The furthest proof; of those that reach as far, the one about single precision.
    pub best: Option<Proof>,
    /// Where that is about exact arithmetic alone: how far single precision was proved.
    pub float32: Option<usize>,
    /// Why it reaches no further.
    pub end: End,
}

impl Asked {
    /// What was proved.
    pub fn proofs(&self) -> Option<Proofs> {
        self.best.clone().map(|best| Proofs { best, float32: self.float32 })
    }

    /// Elements of the longest sequence for which it was proved; `None` for all lengths.
    pub fn length(&self) -> Option<usize> {
        self.best.as_ref().map_or(Some(0), |best| best.length)
    }
}

/// Why asking ended.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// It was proved as far as asked.
    Reached,
    /// The solver or the time came to an end: undecided, for sequences of so many elements.
    Undecided {
        /// Elements.
        length: usize,
        /// The solver's reason.
        reason: String,
    },
    /// Network and program differ on an input of the domain, which was run.
    Differs {
        /// The input.
        found: Box<Counterexample>,
        /// Whether every evaluation in single precision differs there; else another order of summation may not.
        clear: bool,
    },
    /// Over the reals they differ on an input, on which the network as it runs agrees with the program: an output there
    /// lies as close to where it is read as something else as single precision can tell.
    DiffersOverReals(Batch),
}

/// Why nothing can be asked about single precision.
const GAP: &str = "rounding errors may be as large as what outputs are told apart by";
/// What is not written down for a solver.
const SMOOTH: Refused = Refused::Unsupported("activations that are not piecewise linear, with a solver");
/// Numbers in one text, at most: weights times steps.
const MAX_NUMBERS: usize = 400_000;
/// Steps, at most.
pub(super) const MAX_STEPS: usize = 64;
/// States beyond this are not followed, so that no operator of a program leaves 64 bits.
const STATE_BITS: u32 = 40;
/// Integers up to this many bits are single-precision numbers.
const EXACT_BITS: u32 = 24;

/// Asks whether a program and a recurrent network agree on all sequences of the domain's elements, for every length up
/// to one.
///
/// # Errors
/// Networks that are not piecewise linear, programs that are no machine over integers and truth values.
pub fn ask(network: &Network, program: &Term, language: &Language, config: &AskConfig<'_>) -> Result<Asked, Refused> {
    let problem = Problem::new(network, program, language)?;
    let length = if problem.memoryless() { 1 } else { config.length.min(MAX_STEPS) };
    problem.fits(length)?;
    let (mut single, mut real) = (0, 0);
    let mut end = End::Reached;
    for steps in 1..=length {
        if (config.deadline)() {
            end = End::Undecided { length: steps, reason: "the time was up".to_owned() };
            break;
        }
        let mut answer = Answer::Unknown(String::new());
        if single + 1 == steps {
            answer = problem.put(steps, Arithmetic::Float32, config.resources)?;
            if answer == Answer::Unsat {
                (single, real) = (steps, steps);
                continue;
            }
        }
        match &answer {
            Answer::Sat(model) => {
                if let Some(differs) = problem.run(&problem.input(model, steps))? {
                    end = differs;
                    break;
                }
            }
            // What is too hard with a margin is no easier without.
            Answer::Unknown(reason) if !reason.is_empty() && reason != GAP => {
                end = End::Undecided { length: steps, reason: reason.clone() };
                break;
            }
            _ => {}
        }
        match problem.put(steps, Arithmetic::Real, config.resources)? {
            Answer::Unsat => real = steps,
            Answer::Sat(model) => {
                let input = problem.input(&model, steps);
                end = problem.run(&input)?.unwrap_or(End::DiffersOverReals(input));
                break;
            }
            Answer::Unknown(reason) => {
                end = End::Undecided { length: steps, reason };
                break;
            }
        }
    }
    let proof = |arithmetic: Arithmetic, steps: usize| {
        let (text, _) = problem.text(steps, arithmetic, Goal::All)?;
        let length = if problem.memoryless() { None } else { Some(steps) };
        let question = Question { resources: config.resources, text };
        let proof = Proof { arithmetic, length, gap: Err(LATER), regions: Regions::Question(question) };
        Ok::<_, Refused>(proof.with_gap(network, config.deadline))
    };
    let best = match (single, real) {
        (0, 0) => None,
        (single, real) if real > single => Some(proof(Arithmetic::Real, real)?),
        (single, _) => Some(proof(Arithmetic::Float32, single)?),
    };
    Ok(Asked { best, float32: (real > single && single > 0).then_some(single), end })
}

/// Checks a proof by a solver: its question is written down again and asked again, step by step.
pub(super) fn verify(
    network: &Network,
    program: &Term,
    language: &Language,
    question: &Question,
    (length, arithmetic): (Option<usize>, Arithmetic),
) -> Result<(), Refused> {
    let problem = Problem::new(network, program, language)?;
    let steps = match length {
        Some(steps) if (1..=MAX_STEPS).contains(&steps) => steps,
        None if problem.memoryless() => 1,
        Some(_) => return Err(Refused::Shape("it asks about no length, or too great a one")),
        None => return Err(Refused::Shape("it asks about one step of a network with a memory")),
    };
    problem.fits(steps)?;
    let (text, _) = problem.text(steps, arithmetic, Goal::All)?;
    if text != question.text {
        return Err(Refused::Fails("the question is another than the one that network and program ask".to_owned()));
    }
    for step in 1..=steps {
        match problem.put(step, arithmetic, question.resources)? {
            Answer::Unsat => {}
            Answer::Sat(_) => {
                return Err(Refused::Fails(format!(
                    "after {step} elements an output may be another than the program's"
                )));
            }
            Answer::Unknown(reason) => {
                return Err(Refused::Fails(format!("the solver does not decide it for {step} elements: {reason}")));
            }
        }
    }
    Ok(())
}

/// Which steps a question is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// All.
    All,
    /// The last one.
    Last,
}

/// A network and a program about which questions are asked.
struct Problem<'a> {
    network: &'a Network,
    net: &'a Recurrence,
    program: &'a Term,
    machine: Machine<'a>,
    decoder: Decoder,
    range: [i64; 2],
}

impl<'a> Problem<'a> {
    fn new(network: &'a Network, program: &'a Term, language: &'a Language) -> Result<Self, Refused> {
        let net = network.recurrence().ok_or(Refused::Unsupported("no recurrence"))?;
        let machine = Machine::new(program, language, &network.domain)
            .ok_or_else(|| Refused::Program("it looks at other positions than its own".to_owned()))?;
        let decoder = Decoder::of(&network.domain.decode)?;
        if let Decode::Argmax(values) = &network.domain.decode
            && !values.iter().all(|value| matches!(value, Value::Bool(_) | Value::Int(_)))
        {
            return Err(Refused::Unsupported("classes that are neither integers nor truth values, with a solver"));
        }
        let Elements::Integers { lo, hi, .. } = network.domain.elements else {
            return Err(Refused::Unsupported("inputs that are no integers"));
        };
        let linear = |mlp: &Mlp| mlp.layers.len() == 1 || mlp.activation == Activation::Relu;
        let piecewise = linear(net.readout_mlp())
            && match net.cell() {
                Cell::Mlp(mlp) => linear(mlp),
                Cell::Elman(_, activation) => *activation == Activation::Relu,
                Cell::Gru(_) | Cell::Lstm(_) => false,
            };
        if !piecewise {
            return Err(SMOOTH);
        }
        if lo.unsigned_abs().max(hi.unsigned_abs()) > EXACT_INPUT {
            return Err(Refused::Unsupported("inputs beyond 2^24"));
        }
        let problem = Self { network, net, program, machine, decoder, range: [lo, hi] };
        problem.machine_fits()?;
        Ok(problem)
    }

    /// Whether the program stays where evaluation and unbounded integers are the same.
    fn machine_fits(&self) -> Result<(), Refused> {
        let beyond = || Refused::Program("it may leave 64 bits, or its sorts are not those of integers".to_owned());
        if self.machine.sorts().iter().any(|sort| !matches!(sort, Sort::Int | Sort::Bool)) {
            return Err(beyond());
        }
        let mut bits: Vec<(Symbol, u32)> = self.machine.inputs().iter().map(|&name| (name, EXACT_BITS)).collect();
        let states = self.machine.names().iter().flat_map(|&name| [name, primed(name)]);
        bits.extend(states.map(|name| (name, STATE_BITS)));
        let language = self.machine.language();
        let all = self.machine.updates().iter().chain(self.machine.outputs());
        all.map(|term| bits_of(term, language, &bits))
            .all(|bits| bits.is_some_and(|bits| bits < 62))
            .then_some(())
            .ok_or_else(beyond)
    }

    /// Whether nothing that was read before has any influence, on either side.
    fn memoryless(&self) -> bool {
        let Cell::Mlp(mlp) = self.net.cell() else { return false };
        let Some(first) = mlp.layers.first() else { return false };
        let of_state = self.net.hidden_dim() * first.weight.cols;
        self.machine.names().is_empty() && first.weight.data[..of_state].iter().all(|&w| w == 0.0)
    }

    fn fits(&self, steps: usize) -> Result<(), Refused> {
        let numbers = self.network.n_parameters().saturating_mul(steps);
        if numbers > MAX_NUMBERS { Err(Refused::Shape("it is too large to be asked")) } else { Ok(()) }
    }

    /// Asks about one step, all earlier ones being as they should.
    fn put(&self, steps: usize, arithmetic: Arithmetic, resources: u32) -> Result<Answer, Refused> {
        let (text, gap) = self.text(steps, arithmetic, Goal::Last)?;
        if arithmetic == Arithmetic::Float32 && gap >= 0.5 && matches!(self.decoder, Decoder::Round) {
            return Ok(Answer::Unknown(GAP.to_owned()));
        }
        let limits = Limits { resources, timeout_ms: None };
        Solver::new().check_sat(&text, limits).map_err(|error| Refused::Program(error.to_string()))
    }

    /// The question, and the bound on the outputs' rounding errors.
    fn text(&self, steps: usize, arithmetic: Arithmetic, goal: Goal) -> Result<(String, f64), Refused> {
        let mut writer = Writer::new(self, arithmetic == Arithmetic::Float32);
        let mut wrong = Vec::new();
        for step in 1..=steps {
            let at = writer.step(step)?;
            match goal {
                Goal::Last if step < steps => {}
                _ => wrong.extend(at),
            }
        }
        writer.script.push(format!("(assert (or false {}))", wrong.join(" ")));
        Ok((writer.script.text(), writer.gap))
    }

    /// The input that a model names.
    fn input(&self, model: &smt::Model, steps: usize) -> Batch {
        let at = |step: usize, axis: usize| model.int(&input_name(step, axis)).unwrap_or(self.range[0]);
        let sequence: Vec<i64> =
            (1..=steps).flat_map(|step| (0..self.net.dim()).map(move |axis| at(step, axis))).collect();
        Batch::from_sequences(self.net.dim(), [sequence])
    }

    /// Runs both on an input: where they differ, if they do.
    fn run(&self, input: &Batch) -> Result<Option<End>, Refused> {
        let found = difference(self.network, self.program, self.machine.language(), input)
            .map_err(|error| Refused::Program(error.to_string()))?;
        Ok(found.map(|found| End::Differs { clear: found.is_clear(self.network), found: Box::new(found) }))
    }
}

fn input_name(step: usize, axis: usize) -> String {
    format!("in.{step}.{axis}")
}

/// What the network computes from numbers at one place, as SMT-LIB terms.
#[derive(Clone)]
struct Written {
    terms: Vec<String>,
    numbers: Numbers,
}

impl Written {
    fn joined(mut self, other: Self) -> Self {
        self.terms.extend(other.terms);
        Self { terms: self.terms, numbers: self.numbers.joined(other.numbers) }
    }

    fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self { terms: self.terms[range.clone()].to_vec(), numbers: self.numbers.part(range) }
    }
}

/// A program's output as an SMT-LIB term, and its sort.
type Said = (String, Sort);

/// Writes a question down.
struct Writer<'a> {
    problem: &'a Problem<'a>,
    script: SmtScript<'a>,
    /// Whether margins are those of single precision.
    single: bool,
    /// The greatest bound on an output's rounding error so far.
    gap: f64,
    hidden: Written,
    /// Symbols in use.
    symbols: Symbols,
    /// Sums that have a name.
    n_sums: usize,
}

impl<'a> Writer<'a> {
    fn new(problem: &'a Problem<'a>, single: bool) -> Self {
        let d = problem.net.hidden_dim();
        let hidden =
            Written { terms: vec!["0.0".to_owned(); d], numbers: Numbers::exact(Forms::exact(vec![0.0; d], 0)) };
        let script = SmtScript::new(problem.machine.language());
        Self { problem, script, single, gap: 0.0, hidden, symbols: Symbols::default(), n_sums: 0 }
    }

    /// One more step: the ways in which its output can be wrong.
    fn step(&mut self, step: usize) -> Result<Vec<String>, Refused> {
        let fed = self.inputs(step)?;
        let (program, mut wrong) = self.program(step)?;
        let net = self.problem.net;
        let before = self.hidden.clone();
        let mut next = walk::step(self, net, &before, fed)?;
        next.numbers = next.numbers.with_errors_carried(&mut self.symbols);
        let outputs = walk::read(self, net, &next)?;
        self.hidden = next;
        self.gap = self.gap.max(outputs.numbers.most_off());
        self.decode(&outputs, &program, &mut wrong)?;
        Ok(wrong)
    }

    fn inputs(&mut self, step: usize) -> Result<Written, Refused> {
        let [lo, hi] = self.problem.range;
        let mut terms = Vec::new();
        for axis in 0..self.problem.net.dim() {
            let name = input_name(step, axis);
            self.declare(&name, Sort::Int)?;
            self.script.push(format!("(assert (and (<= {} {name}) (<= {name} {})))", integer(lo), integer(hi)));
            match self.problem.net.encoding() {
                Encoding::Scalar => terms.push(format!("(to_real {name})")),
                Encoding::OneHot { lo, width } => {
                    let value = |k: usize| i64::try_from(k).ok().and_then(|k| lo.checked_add(k));
                    let unit = |k: usize| value(k).map(|v| format!("(ite (= {name} {}) 1.0 0.0)", integer(v)));
                    let units = (0..width).map(unit).collect::<Option<Vec<_>>>();
                    terms.extend(units.ok_or(Refused::Unsupported("inputs beyond 2^24"))?);
                }
            }
        }
        Ok(Written { terms, numbers: gap::fed(self.problem.net, self.problem.range, &mut self.symbols) })
    }

    /// The program's outputs at a step (value, and whether it is an integer), and what is wrong where it is undefined
    /// or its state too great to be followed.
    fn program(&mut self, step: usize) -> Result<(Vec<Said>, Vec<String>), Refused> {
        let machine = &self.problem.machine;
        let mut names: Vec<(Symbol, Symbol)> = Vec::new();
        for (axis, &input) in machine.inputs().iter().enumerate() {
            names.push((input, Symbol::new(&input_name(step, axis))));
        }
        let state = |k: usize, step: usize| format!("state.{step}.{k}");
        let mut wrong = Vec::new();
        for (k, (&name, &sort)) in machine.names().iter().zip(machine.sorts()).enumerate() {
            let before = state(k, step - 1);
            if step == 1 {
                self.declare(&before, sort)?;
                let value = Column::new(sort, vec![machine.initial()[k]]).value(0);
                let (value, _) = self.encode(&Term::constant(value))?;
                self.script.push(format!("(assert (= {before} {value}))"));
            }
            names.push((name, Symbol::new(&before)));
        }
        let mut after = Vec::new();
        for (k, ((&name, &sort), update)) in
            machine.names().iter().zip(machine.sorts()).zip(machine.updates()).enumerate()
        {
            let (value, defined) = self.encode(&renamed(update, &names))?;
            let next = state(k, step);
            self.declare(&next, sort)?;
            self.script.push(format!("(assert (= {next} {value}))"));
            after.push((primed(name), Symbol::new(&next)));
            if defined != "true" {
                wrong.push(format!("(not {defined})"));
            }
            if sort == Sort::Int {
                let most = 1_i64 << STATE_BITS;
                wrong.push(format!("(not (and (< (- {most}) {next}) (< {next} {most})))"));
            }
        }
        names.extend(after);
        let mut outputs = Vec::new();
        for output in machine.outputs() {
            let term = renamed(output, &names);
            let vars = self.variables(step)?;
            let sort = dsl::sort_of(&term, machine.language(), &vars).map_err(|e| Refused::Program(e.to_string()))?;
            let (value, defined) = self.encode(&term)?;
            if defined != "true" {
                wrong.push(format!("(not {defined})"));
            }
            outputs.push((value, sort));
        }
        Ok((outputs, wrong))
    }

    /// The names that a step's terms are over.
    fn variables(&self, step: usize) -> Result<Vec<(Symbol, Sort)>, Refused> {
        let machine = &self.problem.machine;
        let inputs = (0..machine.inputs().len()).map(|axis| (Symbol::new(&input_name(step, axis)), Sort::Int));
        let states = machine
            .sorts()
            .iter()
            .enumerate()
            .flat_map(|(k, &sort)| [step - 1, step].map(|step| (Symbol::new(&format!("state.{step}.{k}")), sort)));
        Ok(inputs.chain(states).collect())
    }

    fn declare(&mut self, name: &str, sort: Sort) -> Result<(), Refused> {
        self.script.declare(Symbol::new(name), sort, false).map_err(|error| Refused::Program(error.to_string()))
    }

    fn encode(&mut self, term: &Term) -> Result<(String, String), Refused> {
        let encoded = self.script.encode(term).map_err(|error| Refused::Program(error.to_string()))?;
        Ok((encoded.value, encoded.defined))
    }

    /// How the outputs can be read as something else than the program's.
    fn decode(&self, outputs: &Written, program: &[Said], wrong: &mut Vec<String>) -> Result<(), Refused> {
        let other = || Refused::Program("its outputs are not those of the network".to_owned());
        let number = |(value, sort): &Said| match sort {
            Sort::Int => Ok(format!("(to_real {value})")),
            Sort::Bool => Ok(format!("(ite {value} 1.0 0.0)")),
            _ => Err(other()),
        };
        let gap = |i: usize| if self.single { outputs.numbers.off(i) } else { 0.0 };
        match &self.problem.decoder {
            Decoder::Round => {
                if program.len() != outputs.terms.len() {
                    return Err(other());
                }
                for (i, (y, value)) in outputs.terms.iter().zip(program).enumerate() {
                    let value = number(value)?;
                    // Rounded down, so that the margin is never too small.
                    let margin = exact(((0.5 - gap(i)) * (1.0 - 1e-15)).max(0.0))?;
                    let margin = if self.single { margin } else { exact(0.5)? };
                    wrong.push(format!("(>= (- {y} {value}) {margin})"));
                    wrong.push(format!("(>= (- {value} {y}) {margin})"));
                }
            }
            Decoder::Argmax(codes) => {
                let [value] = program else { return Err(other()) };
                let value = number(value)?;
                let class =
                    |&code: &i64| if code < 0 { format!("(- {}.0)", code.unsigned_abs()) } else { format!("{code}.0") };
                let classes: Vec<String> = codes.iter().map(class).collect();
                let named = classes.iter().map(|class| format!("(= {value} {class})")).collect::<Vec<_>>().join(" ");
                wrong.push(format!("(not (or false {named}))"));
                for (own, class) in classes.iter().enumerate().take(outputs.terms.len()) {
                    let lead = |other: usize| {
                        let most = exact((gap(own) + gap(other)) * (1.0 + 1e-15))?;
                        Ok(format!("(<= (- {} {}) {most})", outputs.terms[own], outputs.terms[other]))
                    };
                    let others = (0..outputs.terms.len()).filter(|&other| other != own);
                    let beaten = others.map(lead).collect::<Result<Vec<_>, Refused>>()?.join(" ");
                    wrong.push(format!("(and (= {value} {class}) (or false {beaten}))"));
                }
            }
        }
        Ok(())
    }
}

impl Walk for Writer<'_> {
    type Numbers = Written;
    type Error = Refused;

    fn joined(&mut self, first: Written, then: Written) -> Written {
        first.joined(then)
    }

    fn part(&mut self, of: &Written, range: Range<usize>) -> Written {
        of.part(range)
    }

    fn sum(&mut self, x: &Written, layers: &[&Affine]) -> Result<Written, Refused> {
        let numbers = x.numbers.sum(layers);
        if !numbers.is_finite() {
            return Err(Refused::Shape("numbers grow beyond what is followed"));
        }
        let mut terms = Vec::with_capacity(numbers.len());
        for o in 0..numbers.len() {
            let mut text = "(+".to_owned();
            for layer in layers {
                let _ = write!(text, " {}", exact(f64::from(layer.bias[o]))?);
            }
            let weights = layers.iter().flat_map(|layer| layer.weight.data.iter().skip(o).step_by(layer.weight.cols));
            for (&w, term) in weights.zip(&x.terms).filter(|(w, term)| **w != 0.0 && *term != "0.0") {
                let _ = write!(text, " (* {} {term})", exact(f64::from(w))?);
            }
            text.push_str(" 0.0)");
            self.n_sums += 1;
            let name = format!("sum.{}", self.n_sums);
            self.script.push(format!("(declare-const {name} Real)"));
            self.script.push(format!("(assert (= {name} {text}))"));
            terms.push(name);
        }
        Ok(Written { terms, numbers })
    }

    fn activate(&mut self, mut x: Written, activation: Activation) -> Result<Written, Refused> {
        if activation != Activation::Relu {
            return Err(SMOOTH);
        }
        for (i, term) in x.terms.iter_mut().enumerate() {
            let (lo, hi) = x.numbers.forms.range(i);
            // What is known of the sum is said: it decides many cases.
            if lo >= 0.0 {
                self.script.push(format!("(assert (>= {term} 0.0))"));
            } else if hi <= 0.0 {
                self.script.push(format!("(assert (<= {term} 0.0))"));
                *term = "0.0".to_owned();
            } else {
                self.script.push(format!("(assert (and (<= {} {term}) (<= {term} {})))", exact(lo)?, exact(hi)?));
                *term = format!("(ite (>= {term} 0.0) {term} 0.0)");
            }
        }
        x.numbers.activate(activation, &mut self.symbols);
        Ok(x)
    }

    fn plus(&mut self, _: Written, _: Written) -> Result<Written, Refused> {
        Err(SMOOTH)
    }

    fn times(&mut self, _: Written, _: Written) -> Result<Written, Refused> {
        Err(SMOOTH)
    }

    fn between(&mut self, _: Written, _: Written, _: Written) -> Result<Written, Refused> {
        Err(SMOOTH)
    }
}

/// A term with other names for some of its variables.
fn renamed(term: &Term, names: &[(Symbol, Symbol)]) -> Term {
    match term.node() {
        Node::Var(name) => match names.iter().find(|(from, _)| from == name) {
            Some((_, to)) => Term::var(*to),
            None => term.clone(),
        },
        Node::App(func, args) => Term::app(func.clone(), args.iter().map(|arg| renamed(arg, names)).collect()),
        Node::Let(bindings, body) => {
            // What a name is bound to is not what it was outside.
            let mut inner = names.to_vec();
            let mut bound = Vec::new();
            for (name, value) in bindings {
                bound.push((*name, renamed(value, &inner)));
                inner.retain(|(from, _)| from != name);
            }
            Term::new(Node::Let(bound, renamed(body, &inner)))
        }
        Node::Const(_) | Node::Scan(_) | Node::Select { .. } => term.clone(),
    }
}

/// Bits that a number needs.
fn magnitude(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// More bits than any number needs that evaluating a term meets, given those of its variables; `None` where that is not known,
/// or beyond 64 bits. Truth values count as 1 bit.
fn bits_of(term: &Term, language: &Language, vars: &[(Symbol, u32)]) -> Option<u32> {
    let bits = match term.node() {
        Node::Var(name) => vars.iter().rev().find(|(other, _)| other == name)?.1,
        Node::Const(Value::Int(value)) => magnitude(value.unsigned_abs()),
        Node::Const(Value::Bool(_) | Value::Undefined) => 1,
        Node::Const(_) | Node::Scan(_) | Node::Select { .. } => return None,
        Node::Let(bindings, body) => {
            let mut inner = vars.to_vec();
            for (name, value) in bindings {
                let bits = bits_of(value, language, &inner)?;
                inner.push((*name, bits));
            }
            bits_of(body, language, &inner)?
        }
        Node::App(func, args) => {
            let args = args.iter().map(|arg| bits_of(arg, language, vars)).collect::<Option<Vec<u32>>>()?;
            let most = args.iter().copied().max().unwrap_or(1);
            match func {
                Func::Kernel(Kernel::Mul) => args.iter().sum(),
                Func::Kernel(Kernel::Add | Kernel::Sub) => most + 1,
                Func::Kernel(Kernel::Mod) => *args.get(1)?,
                Func::Kernel(
                    Kernel::Neg | Kernel::Abs | Kernel::Min | Kernel::Max | Kernel::Div | Kernel::Ite | Kernel::Isqrt,
                ) => most,
                Func::Kernel(
                    Kernel::Not
                    | Kernel::And
                    | Kernel::Or
                    | Kernel::Xor
                    | Kernel::Implies
                    | Kernel::Eq
                    | Kernel::Distinct
                    | Kernel::Defined
                    | Kernel::Lt
                    | Kernel::Le
                    | Kernel::Gt
                    | Kernel::Ge,
                ) => 1,
                Func::Kernel(_) => return None,
                Func::Table(table) => {
                    let value = |value: &Value| match value {
                        Value::Int(value) => Some(magnitude(value.unsigned_abs())),
                        Value::Bool(_) | Value::Undefined => Some(1),
                        _ => None,
                    };
                    let results = table.entries.iter().map(|(_, result)| value(result)).collect::<Option<Vec<_>>>()?;
                    results.into_iter().max().unwrap_or(1)
                }
                Func::Lambda(params, body) => {
                    let inner: Vec<(Symbol, u32)> = params.iter().copied().zip(args).collect();
                    bits_of(body, language, &inner)?
                }
                Func::Op(id) => {
                    let operator = language.operators().find(|(other, _)| other == id)?.1;
                    let inner: Vec<(Symbol, u32)> = operator.params.iter().map(|(name, _)| *name).zip(args).collect();
                    if let Some(condition) = &operator.condition {
                        bits_of(condition, language, &inner)?;
                    }
                    bits_of(&operator.meaning, language, &inner)?
                }
            }
        }
    };
    (bits < 63).then_some(bits)
}

fn integer(value: i64) -> String {
    if value < 0 { format!("(- {})", value.unsigned_abs()) } else { value.to_string() }
}

/// A double as SMT-LIB text of exactly its value: an integer, or one over a power of two.
fn exact(value: f64) -> Result<String, Refused> {
    if !value.is_finite() {
        return Err(Refused::Unsupported("numbers that are not finite"));
    }
    if value == 0.0 {
        return Ok("0.0".to_owned());
    }
    let bits = value.abs().to_bits();
    let raised = i32::try_from(bits >> 52).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if raised == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raised - 1075) };
    let shift = mantissa.trailing_zeros();
    let (mantissa, mut exponent) = (mantissa >> shift, exponent + shift.cast_signed());
    // Powers of two beyond what an integer type holds are written as products.
    let mut powers = Vec::new();
    let down = exponent < 0;
    while exponent != 0 {
        let part = exponent.unsigned_abs().min(62);
        powers.push(format!("{}.0", 1_u64 << part));
        exponent -= exponent.signum() * part.cast_signed();
    }
    let power = match &powers[..] {
        [] => None,
        [one] => Some(one.clone()),
        all => Some(format!("(* {})", all.join(" "))),
    };
    let text = match (power, down) {
        (None, _) => format!("{mantissa}.0"),
        (Some(power), true) => format!("(/ {mantissa}.0 {power})"),
        (Some(power), false) => format!("(* {mantissa}.0 {power})"),
    };
    Ok(if value < 0.0 { format!("(- {text})") } else { text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use samples::rng;

    use super::super::trial::{Kind, Trial};
    use super::*;

    #[test]
    fn doubles_are_written_down_exactly() {
        for (value, text) in [
            (0.0, "0.0"),
            (3.0, "3.0"),
            (-0.75, "(- (/ 3.0 4.0))"),
            (f64::from(0.1_f32), "(/ 13421773.0 134217728.0)"),
            (2f64.powi(64), "(* 1.0 (* 4611686018427387904.0 4.0))"),
            (2f64.powi(-64), "(/ 1.0 (* 4611686018427387904.0 4.0))"),
        ] {
            assert_eq!(exact(value).expect("finite"), text, "{value}");
        }
        assert!(exact(f64::INFINITY).is_err());
        let least = exact(f64::from_bits(1)).expect("finite");
        assert_eq!(least.matches(".0").count(), 1 + 1074_usize.div_ceil(62));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Single precision stays within the stated gap of (nearly) exact arithmetic, and both within the ranges that
        /// the question states.
        #[test]
        fn the_gap_holds_on_random_networks_and_inputs(seed in 0_u64..1_000_000) {
            let mut rng = rng(seed, "gap");
            let trial = Trial::new(Kind::Mlp, Activation::Relu, 1.5, &mut rng);
            let network = &trial.network;
            let language = Language::load_shipped("recurrent").expect("shipped");
            let program = dsl::parse_term("x", &language, &network.domain.inputs()).expect("sound");
            let problem = Problem::new(network, &program, &language).expect("piecewise linear");
            let mut writer = Writer::new(&problem, true);
            let mut known = Vec::new();
            for step in 1..=5 {
                writer.step(step).expect("finite");
                known.push((writer.hidden.clone(), writer.gap));
            }
            let batch = network.domain.sample_of_length(50, 5, &mut rng);
            let single = network.raw_outputs(&batch).expect("runs");
            for row in 0..50 {
                for (step, (state, y)) in trial.in_double(batch.sequence(row)).into_iter().enumerate() {
                    let (hidden, gap) = &known[step];
                    let difference = (f64::from(single.row(row * 5 + step)[0]) - y).abs();
                    prop_assert!(difference <= *gap, "{difference} > {gap}");
                    for (i, value) in state.iter().enumerate() {
                        let (lo, hi) = hidden.numbers.forms.range(i);
                        prop_assert!(lo <= *value && *value <= hi);
                    }
                }
            }
        }
    }
}
