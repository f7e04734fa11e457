//! Terms for targets: one bank over all sequences, every class of which is held against every target.
//!
//! The network errs, so that no term need fit exactly: a pool keeps the terms that describe a target best, errors and cost
//! together. Constants of comparisons are read off the values of integer terms, and pairs of truth values are joined
//! without being enumerated.

use dsl::{Kernel, Language, Node, OpId, Term};
use samples::{Sort, Symbol, UNDEFINED, Value};
use synth::{Bank, BankConfig, ClassId, Leaf, Limits, StopReason, Watch};

use super::assemble::RIVAL_COST;
use super::study::Study;
use super::targets::Target;
use crate::length::BITS as UNIT;
use crate::{Config, Error};

/// Candidates kept for each target.
const POOL: usize = 48;
/// Other terms of a class that the bank remembers, and how many are written out for each target.
const ALTERNATIVES: u8 = 12;
const WRITTEN: usize = 32;
/// Terms of greater cost are not built.
const MAX_COST: u32 = 9;
/// Memory for the bank.
const BYTES: usize = 3 << 28;
/// Candidates of the bank.
const CANDIDATES: u64 = 3_000_000;
/// Classes up to which a bank is let grow after all targets are solved.
const FEW_CLASSES: usize = 1_500;
/// Vocabularies of up to so many tokens have a test for each.
const TESTED: usize = 12;

/// A term for a target, on the samples of the search.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) term: Term,
    pub(super) cost: u32,
    /// The candidate, by its place, that this one says by other steps.
    pub(super) twin: Option<usize>,
}

/// What a candidate is before its term is written out.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// The same truth value everywhere: what differs are the network's errors.
    Constant(bool),
    /// A class, or its negation.
    Class(ClassId, bool),
    /// A comparison of an integer class with a constant, or its negation.
    Below(ClassId, i64, bool),
    Equal(ClassId, i64, bool),
    /// Whether an integer class leaves a remainder (second) modulo a constant (first), or its negation.
    Residue(ClassId, [i64; 2], bool),
    /// A comparison of two integer classes, or its negation.
    Less([ClassId; 2], bool),
    Same([ClassId; 2], bool),
    /// Both of two classes, each or its negation.
    Both([(ClassId, bool); 2]),
    /// Not both of them.
    NotBoth([(ClassId, bool); 2]),
    /// At least one of them.
    Either([(ClassId, bool); 2]),
}

impl Form {
    /// The classes that it is made of.
    fn classes(self) -> Vec<ClassId> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Class(id, _) | Self::Below(id, ..) | Self::Equal(id, ..) | Self::Residue(id, ..) => vec![id],
            Self::Less(ids, _) | Self::Same(ids, _) => ids.to_vec(),
            Self::Both(sides) | Self::NotBoth(sides) | Self::Either(sides) => sides.map(|(id, _)| id).to_vec(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    form: Form,
    cost: u32,
    errors: usize,
    bits: f64,
}

/// The best entries for one target.
#[derive(Debug)]
struct Pool {
    entries: Vec<Entry>,
    n: usize,
}

/// The length in bits of a list of `errors` places among `n`.
fn error_bits(errors: usize, n: usize) -> f64 {
    if errors == 0 {
        return 0.0;
    }
    let (e, n) = (errors as f64, n.max(1) as f64);
    e * (n / e).log2().max(0.0) + 1.44 * e
}

/// The length in bits of a term and its errors among `n` points.
pub(super) fn bits(cost: u32, errors: usize, n: usize) -> f64 {
    UNIT * f64::from(cost) + error_bits(errors, n)
}

impl Pool {
    fn new(n: usize) -> Self {
        Self { entries: Vec::new(), n }
    }

    /// More errors than this are not worth counting at this cost.
    fn limit(&self, cost: u32) -> usize {
        let Some(worst) = self.entries.last().filter(|_| self.entries.len() >= POOL) else { return self.n };
        // The pool is full: what is no better than its last is dropped anyway.
        let room = worst.bits - UNIT * f64::from(cost);
        let (mut low, mut high) = (0, self.n);
        while low < high {
            let middle = low.midpoint(high);
            if error_bits(middle, self.n) > room { high = middle } else { low = middle + 1 }
        }
        low
    }

    fn offer(&mut self, form: Form, cost: u32, errors: usize) {
        // Beyond half of the points a term says nothing.
        if 2 * errors > self.n {
            return;
        }
        let bits = bits(cost, errors, self.n);
        if self.entries.len() >= POOL && self.entries.last().is_some_and(|last| last.bits <= bits) {
            return;
        }
        let at = self.entries.partition_point(|entry| entry.bits <= bits);
        self.entries.insert(at, Entry { form, cost, errors, bits });
        self.entries.truncate(POOL);
    }

    fn least_errors(&self) -> usize {
        self.entries.iter().map(|entry| entry.errors).min().unwrap_or(self.n)
    }
}

/// The operators that assembling needs, as far as the language has them.
struct Words {
    not: Option<OpId>,
    and: Option<OpId>,
    or: Option<OpId>,
    less: Option<OpId>,
    equal: Option<OpId>,
    modulo: Option<OpId>,
}

impl Words {
    fn of(language: &Language) -> Self {
        let own = |kernel| language.kernel_operator(kernel);
        Self {
            not: own(Kernel::Not),
            and: own(Kernel::And),
            or: own(Kernel::Or),
            less: own(Kernel::Lt),
            equal: own(Kernel::Eq),
            modulo: own(Kernel::Mod),
        }
    }
}

/// Finds candidates for every target, cheapest and most faithful first. `noise` is how many errors per target are to be
/// expected of the network itself: a target with a term as good as that is solved.
///
/// # Errors
/// Where a bank cannot be set up, which is a fault of the engine.
pub(super) fn candidates(
    study: &Study,
    targets: &[Target],
    separator: Option<i64>,
    noise: f64,
    config: &Config,
) -> Result<Vec<Vec<Candidate>>, Error> {
    let language = config.language;
    let bank_config = BankConfig {
        grammar: None,
        operators: None,
        extra: Vec::new(),
        leaves: leaves(study, separator, config)?,
        sorts: Some(vec![Sort::Bool, Sort::Int, Sort::Symbol]),
        alternatives: ALTERNATIVES,
    };
    let bank = Bank::new(language, &bank_config).map_err(|error| Error::Term(error.to_string()))?;
    let mut bank = bank.over_sequences(study.points.clone());
    let words = Words::of(language);
    let mut pools: Vec<Pool> = targets.iter().map(|target| Pool::new(target.codes.len())).collect();
    for (target, pool) in targets.iter().zip(&mut pools).filter(|(target, _)| target.is_bool) {
        let positive = target.codes.iter().filter(|&&code| code == 1).count();
        pool.offer(Form::Constant(true), 1, target.codes.len() - positive);
        pool.offer(Form::Constant(false), 1, positive);
    }
    let good_enough = |target: &Target| (noise * target.codes.len() as f64).floor() as usize;
    for max_cost in 1..=MAX_COST {
        (config.progress)(&format!(
            "programs from behaviour: terms of cost {max_cost}, {} classes of {} terms",
            bank.len(),
            bank.n_candidates()
        ));
        let limits =
            Limits { max_cost, max_classes: config.limits.classes, max_candidates: CANDIDATES, max_bytes: BYTES };
        let stop = bank.run_until(&limits, config.deadline, &mut |found| {
            for (target, pool) in targets.iter().zip(&mut pools) {
                judge(target, pool, found.sort, &found.codes, found.id, found.cost, &words, language);
            }
            Watch::Keep
        });
        if max_cost >= 4 {
            comparisons(&bank, targets, &mut pools, &words);
            pairs(&bank, targets, &mut pools, &words);
        }
        let solved = targets.iter().zip(&pools).all(|(target, pool)| pool.least_errors() <= good_enough(target));
        // A level more shows rivals, where it costs little.
        if (solved && bank.len() > FEW_CLASSES) || stop != StopReason::Cost {
            break;
        }
    }
    (config.progress)(&format!("programs from behaviour: {} classes of {} terms", bank.len(), bank.n_candidates()));
    Ok(pools.iter().map(|pool| written(pool, &bank, &words)).collect())
}

#[expect(
    clippy::too_many_arguments,
    reason = "one class against one target: the innermost step, called with what it reads"
)]
fn judge(
    target: &Target,
    pool: &mut Pool,
    sort: Sort,
    codes: &[i64],
    id: ClassId,
    cost: u32,
    words: &Words,
    language: &Language,
) {
    match (sort, target.is_bool) {
        (Sort::Bool, true) => {
            let n = target.codes.len();
            let limit = pool.limit(cost);
            let errors = target.errors(codes, n);
            if errors <= limit {
                pool.offer(Form::Class(id, false), cost, errors);
            }
            if let Some(not) = words.not {
                let undefined = target.points.iter().filter(|&&point| codes[point] == UNDEFINED).count();
                pool.offer(Form::Class(id, true), cost + language.op(not).cost, n - errors + undefined);
            }
        }
        (Sort::Symbol, false) => {
            let limit = pool.limit(cost);
            let errors = target.errors(codes, limit);
            if errors <= limit {
                pool.offer(Form::Class(id, false), cost, errors);
            }
        }
        (Sort::Int, true) => thresholds(target, pool, codes, id, cost, words, language),
        _ => {}
    }
}

/// Moduli for which remainders are tried.
const MODULI: i64 = 6;
/// Values that a term may have for its comparisons with constants to be tried.
const SPAN: i64 = 256;

/// The best comparisons of an integer term with a constant.
fn thresholds(
    target: &Target,
    pool: &mut Pool,
    codes: &[i64],
    id: ClassId,
    cost: u32,
    words: &Words,
    language: &Language,
) {
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for &point in &target.points {
        let code = codes[point];
        if code != UNDEFINED {
            low = low.min(code);
            high = high.max(code);
        }
    }
    if low >= high || high - low > SPAN {
        return;
    }
    // How many points of each value are false and true.
    let mut counts = vec![[0_usize; 2]; (high - low + 1) as usize];
    let mut undefined = 0;
    for (&point, &wanted) in target.points.iter().zip(&target.codes) {
        match codes[point] {
            UNDEFINED => undefined += 1,
            code => counts[(code - low) as usize][usize::from(wanted == 1)] += 1,
        }
    }
    let n = target.codes.len() - undefined;
    let positive: usize = counts.iter().map(|count| count[1]).sum();
    let not = words.not.map_or(0, |not| language.op(not).cost);
    let mut offer = |form: fn(ClassId, i64, bool) -> Form, op: Option<OpId>, constant: i64, wrong: usize| {
        let Some(op) = op else { return };
        let cost = cost + language.op(op).cost + language.constants.cost(Value::Int(constant));
        pool.offer(form(id, constant, false), cost, wrong + undefined);
        if words.not.is_some() {
            pool.offer(form(id, constant, true), cost + not, n - wrong + undefined);
        }
    };
    let mut below = [0_usize; 2];
    for (i, count) in counts.iter().enumerate() {
        let constant = low + i as i64;
        if i > 0 {
            // True below the constant: wrong are the false ones below and the true ones from it on.
            offer(Form::Below, words.less, constant, below[0] + positive - below[1]);
        }
        offer(Form::Equal, words.equal, constant, count[0] + positive - count[1]);
        below = [below[0] + count[0], below[1] + count[1]];
    }
    let Some((modulo, equal)) = words.modulo.zip(words.equal) else { return };
    let price = |value: i64| language.constants.cost(Value::Int(value));
    for divisor in 2..=MODULI {
        let own = language.op(modulo).cost + price(divisor) + language.op(equal).cost;
        for rest in 0..divisor {
            let inside = counts.iter().enumerate().filter(|(i, _)| (low + *i as i64).rem_euclid(divisor) == rest);
            let [no, yes] = inside.fold([0, 0], |sum, (_, count)| [sum[0] + count[0], sum[1] + count[1]]);
            let wrong = no + positive - yes;
            let cost = cost + own + price(rest);
            pool.offer(Form::Residue(id, [divisor, rest], false), cost, wrong + undefined);
            if words.not.is_some() {
                pool.offer(Form::Residue(id, [divisor, rest], true), cost + not, n - wrong + undefined);
            }
        }
    }
}

/// Integer terms that are compared with one another.
const COMPARED: usize = 700;

/// Compares the cheapest integer terms with one another: a search that stores all comparisons has no room for these.
fn comparisons(bank: &Bank<'_>, targets: &[Target], pools: &mut [Pool], words: &Words) {
    let language = bank.language();
    let cost_of = |op: Option<OpId>| op.map(|op| language.op(op).cost);
    let not = words.not.map_or(0, |not| language.op(not).cost);
    let mut terms: Vec<(u32, ClassId)> =
        bank.classes().filter(|found| found.sort == Sort::Int).map(|found| (found.cost, found.id)).collect();
    terms.sort_unstable();
    terms.truncate(COMPARED);
    for (target, pool) in targets.iter().zip(pools).filter(|(target, _)| target.is_bool) {
        if pool.least_errors() == 0 {
            continue;
        }
        let columns: Vec<Vec<i64>> = terms
            .iter()
            .map(|&(_, id)| {
                let class = bank.class(id);
                target.points.iter().map(|&point| class.codes[point]).collect()
            })
            .collect();
        let wanted: Vec<bool> = target.codes.iter().map(|&code| code == 1).collect();
        for (i, a) in columns.iter().enumerate() {
            for (j, b) in columns.iter().enumerate() {
                let both = || a.iter().zip(b).zip(&wanted);
                let undefined = both().filter(|((a, b), _)| **a == UNDEFINED || **b == UNDEFINED).count();
                if i == j || 2 * undefined > wanted.len() {
                    continue;
                }
                let defined = || both().filter(|((a, b), _)| **a != UNDEFINED && **b != UNDEFINED);
                let n = wanted.len() - undefined;
                let cost = terms[i].0 + terms[j].0;
                let pair = [terms[i].1, terms[j].1];
                let mut offer = |form: fn([ClassId; 2], bool) -> Form, op: Option<u32>, wrong: usize| {
                    let Some(op) = op else { return };
                    pool.offer(form(pair, false), cost + op, wrong + undefined);
                    pool.offer(form(pair, true), cost + op + not, n - wrong + undefined);
                };
                let wrong = defined().filter(|((a, b), wanted)| (a < b) != **wanted).count();
                offer(Form::Less, cost_of(words.less), wrong);
                if i < j {
                    let wrong = defined().filter(|((a, b), wanted)| (a == b) != **wanted).count();
                    offer(Form::Same, cost_of(words.equal), wrong);
                }
            }
        }
    }
}

/// Classes on each side of a pair.
const SIDE: usize = 400;

/// Joins pairs of truth values by `and` and `or`, with negations. Also where a target is solved: the bank holds one term
/// for all that coincide on the points of the search, and of those the network may follow another.
fn pairs(bank: &Bank<'_>, targets: &[Target], pools: &mut [Pool], words: &Words) {
    let (Some(and), Some(not)) = (words.and, words.not) else { return };
    let language = bank.language();
    let (and, not, or) = (language.op(and).cost, language.op(not).cost, words.or.map(|or| language.op(or).cost));
    for (target, pool) in targets.iter().zip(pools).filter(|(target, _)| target.is_bool) {
        for is_negated in [false, true] {
            let wanted: Vec<bool> = target.codes.iter().map(|&code| (code == 1) != is_negated).collect();
            let goal = packed(wanted.iter().copied());
            let sides = sides(bank, target, &goal);
            for (i, a) in sides.iter().enumerate() {
                for b in &sides[i + 1..] {
                    let sides = [(a.id, a.is_negated), (b.id, b.is_negated)];
                    let negations = u32::from(a.is_negated) + u32::from(b.is_negated);
                    // The negation of a conjunction is the disjunction of the negations.
                    let (form, own) = match (is_negated, or) {
                        (false, _) => (Form::Both(sides), and + not * negations),
                        (true, Some(or)) if or + not * (2 - negations) < and + not * (1 + negations) => {
                            (Form::Either(sides.map(|(id, is_negated)| (id, !is_negated))), or + not * (2 - negations))
                        }
                        (true, _) => (Form::NotBoth(sides), and + not * (1 + negations)),
                    };
                    let cost = a.cost + b.cost + own;
                    let limit = pool.limit(cost);
                    let words = a.words.iter().zip(&b.words).zip(&goal);
                    let errors: usize = words.map(|((a, b), goal)| ((a & b) ^ goal).count_ones() as usize).sum();
                    // What one of them says alone needs no other.
                    if errors <= limit && errors < (a.missed + a.extra).min(b.missed + b.extra) {
                        pool.offer(form, cost, errors);
                    }
                }
            }
        }
    }
}

/// A truth value that may be a part of a conjunction.
struct Side {
    id: ClassId,
    is_negated: bool,
    cost: u32,
    words: Vec<u64>,
    missed: usize,
    extra: usize,
}

fn packed(bits: impl Iterator<Item = bool>) -> Vec<u64> {
    let mut words = Vec::new();
    for (i, bit) in bits.enumerate() {
        if i % 64 == 0 {
            words.push(0);
        }
        if let Some(word) = words.last_mut() {
            *word |= u64::from(bit) << (i % 64);
        }
    }
    words
}

/// The truth values that hold (almost) wherever the goal does, those first that hold least elsewhere.
fn sides(bank: &Bank<'_>, target: &Target, goal: &[u64]) -> Vec<Side> {
    let positive: usize = goal.iter().map(|word| word.count_ones() as usize).sum();
    let missed_at_most = positive / 50;
    let mut sides: Vec<Side> = Vec::new();
    let key = |side: &Side| (side.extra + side.missed + 2 * side.cost as usize, side.id, side.is_negated);
    for found in bank.classes().filter(|found| found.sort == Sort::Bool) {
        for is_negated in [false, true] {
            let truth = i64::from(!is_negated);
            let words = packed(target.points.iter().map(|&point| found.codes[point] == truth));
            let count = |f: fn(u64, u64) -> u64| -> usize {
                words.iter().zip(goal).map(|(&word, &goal)| f(word, goal).count_ones() as usize).sum()
            };
            let missed = count(|word, goal| goal & !word);
            if missed > missed_at_most {
                continue;
            }
            let extra = count(|word, goal| word & !goal);
            if extra + positive == target.codes.len() {
                continue;
            }
            sides.push(Side { id: found.id, is_negated, cost: found.cost, words, missed, extra });
            if sides.len() >= 4 * SIDE {
                sides.sort_by_key(key);
                sides.truncate(SIDE);
            }
        }
    }
    sides.sort_by_key(key);
    sides.truncate(SIDE);
    sides
}

/// The terms of a pool, and of those that are as good as its best, at little more cost, others with the same values: what a
/// network carries on its way to an answer may be the parts of any of them.
fn written(pool: &Pool, bank: &Bank<'_>, words: &Words) -> Vec<Candidate> {
    let own = |id: ClassId| bank.term(id);
    let entries = pool.entries.iter().filter_map(|entry| Some((entry, write(entry, &own, words)?)));
    let (entries, mut terms): (Vec<&Entry>, Vec<Candidate>) = entries.unzip();
    let Some(best) = entries.first().copied() else { return terms };
    let mut others: Vec<Candidate> = Vec::new();
    let as_good = |(_, entry): &(usize, &Entry)| entry.errors == best.errors && entry.cost <= best.cost + RIVAL_COST;
    for (place, entry) in entries.into_iter().enumerate().filter(as_good) {
        for class in entry.form.classes() {
            let (usual, own) = (bank.class(class).cost, bank.term(class));
            for (cost, term) in bank.priced_alternatives(class) {
                // What is made of the usual term computes that as well.
                if contains(&term, &own) {
                    continue;
                }
                let cost = entry.cost + cost.saturating_sub(usual);
                let put = |id: ClassId| if id == class { term.clone() } else { bank.term(id) };
                let twin = Some(place);
                others.extend(write(entry, &put, words).map(|candidate| Candidate { cost, twin, ..candidate }));
            }
        }
    }
    others.retain(|other| other.cost <= best.cost + RIVAL_COST);
    others.sort_by_key(|other| other.cost);
    others.truncate(WRITTEN);
    terms.extend(others);
    terms
}

pub(super) fn contains(term: &Term, part: &Term) -> bool {
    term == part || matches!(term.node(), Node::App(_, args) if args.iter().any(|arg| contains(arg, part)))
}

/// The term of an entry whose classes are written in some way.
fn write(entry: &Entry, term_of: &dyn Fn(ClassId) -> Term, words: &Words) -> Option<Candidate> {
    let negated = |term: Term, is_negated: bool| match (is_negated, words.not) {
        (false, _) => Some(term),
        (true, Some(not)) => Some(Term::op(not, vec![term])),
        (true, None) => None,
    };
    let joined = |op: Option<OpId>, [a, b]: [(ClassId, bool); 2]| {
        Some(Term::op(op?, vec![negated(term_of(a.0), a.1)?, negated(term_of(b.0), b.1)?]))
    };
    let compared = |op: Option<OpId>, id: ClassId, constant: i64, is_negated: bool| {
        negated(Term::op(op?, vec![term_of(id), Term::int(constant)]), is_negated)
    };
    let term = match entry.form {
        Form::Constant(value) => Term::constant(Value::Bool(value)),
        Form::Class(id, is_negated) => negated(term_of(id), is_negated)?,
        Form::Below(id, constant, is_negated) => compared(words.less, id, constant, is_negated)?,
        Form::Equal(id, constant, is_negated) => compared(words.equal, id, constant, is_negated)?,
        Form::Residue(id, [divisor, rest], is_negated) => {
            let remainder = Term::op(words.modulo?, vec![term_of(id), Term::int(divisor)]);
            negated(Term::op(words.equal?, vec![remainder, Term::int(rest)]), is_negated)?
        }
        Form::Less([a, b], is_negated) => negated(Term::op(words.less?, vec![term_of(a), term_of(b)]), is_negated)?,
        Form::Same([a, b], is_negated) => negated(Term::op(words.equal?, vec![term_of(a), term_of(b)]), is_negated)?,
        Form::Both(sides) => joined(words.and, sides)?,
        Form::NotBoth(sides) => negated(joined(words.and, sides)?, true)?,
        Form::Either(sides) => joined(words.or, sides)?,
    };
    Some(Candidate { term, cost: entry.cost, twin: None })
}

/// What terms are built from: tokens, positions, numbers, constants, and tests of single tokens.
fn leaves(study: &Study, separator: Option<i64>, config: &Config) -> Result<Vec<Leaf>, Error> {
    let language = config.language;
    let n = study.points.len();
    let mut leaves: Vec<Leaf> =
        study.vars.iter().map(|(name, column)| Leaf::variable(language, *name, column.clone())).collect();
    let tokens = Term::var("tokens");
    let mut seen: Vec<i64> = study.tokens().codes.clone();
    seen.sort_unstable();
    seen.dedup();
    let read: Vec<Symbol> =
        study.vocabulary().into_iter().filter(|token| seen.binary_search(&token.code()).is_ok()).collect();
    // In a large alphabet only what opens sequences and what separates their parts is a token of its own.
    let opening = study.points.ranges().next().map(|range| study.tokens().codes[range.start]);
    let is_special = |token: &Symbol| Some(token.code()) == separator || Some(token.code()) == opening;
    let mut add = |term: Term, cost: u32| -> Result<(), Error> {
        let column = study.values(&term, config)?;
        leaves.push(Leaf { term, column, cost });
        Ok(())
    };
    if let Some(equal) = language.kernel_operator(Kernel::Eq) {
        for token in read.iter().filter(|token| read.len() <= TESTED || is_special(token)) {
            add(Term::op(equal, vec![tokens.clone(), Term::constant(Value::Symbol(*token))]), 1)?;
        }
    }
    if let Some(number) = language.kernel_operator(Kernel::Number)
        && read.iter().filter(|token| token.as_str().parse::<i64>().is_ok()).count() > 2
    {
        add(Term::op(number, vec![tokens]), 1)?;
    }
    // Where answers follow a separator they end where what is looked up is a token that stands at a border.
    let borders = separator.into_iter().chain(opening.filter(|_| separator.is_some()));
    for token in borders.filter_map(Symbol::from_code) {
        leaves.extend(Leaf::constant(language, Value::Symbol(token), n));
    }
    // Truth values are no leaves: what is counted everywhere is a position.
    let constants = language.constants.values(Sort::Int).into_iter();
    leaves.extend(constants.filter_map(|value| Leaf::constant(language, value, n)));
    Ok(leaves)
}
