//! The bank itself: levels of cost, classes, points that come later.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dsl::{Language, Node as TermNode, NonterminalId, Term};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use samples::{Column, Points, Sort, Symbol};

use super::ClassId;
use super::block::{Block, Candidate, Odometer};
use super::columns::Columns;
use super::config::{BankConfig, BankError, Found, Limits, StopReason, Watch, is_constant};
use super::production::{Code, Context, Head, Scratch};
use super::queue::{Cursor, Kind, Lists, Marks, Unit, units};
use super::space::Space;
use super::store::{MAX_ARITY, Node, Probe, Store};

/// Enumerates terms by cost, one per class of equal values.
///
/// ```
/// use dsl::Language;
/// use samples::{Column, Sort};
/// use synth::{Bank, BankConfig, Leaf, Limits, StopReason, Watch};
///
/// let language = Language::parse("doc", Language::shipped("integers").unwrap(), &|name| {
///     Language::shipped(name).map(str::to_owned)
/// })
/// .unwrap();
/// let x = Leaf::variable(&language, "x", Column::new(Sort::Int, vec![0, 1, 2, 5]));
/// let mut bank = Bank::new(&language, &BankConfig::new(&language, vec![x]))?;
/// let goal = [1, 2, 5, 26]; // x² + 1
/// let mut hit = None;
/// let stop = bank.run(&Limits::new(9), &mut |found| {
///     if found.sort == Sort::Int && *found.codes == goal {
///         hit = Some(found.id);
///         return Watch::Stop;
///     }
///     Watch::Keep
/// });
/// assert_eq!(stop, StopReason::Watch);
/// assert_eq!(dsl::print(&bank.term(hit.unwrap()), &language), "(+ (* x x) 1)");
/// # Ok::<(), synth::BankError>(())
/// ```
#[derive(Debug)]
pub struct Bank<'l> {
    language: &'l Language,
    space: Space,
    store: Store,
    lists: Lists,
    /// Classes that the watcher dropped.
    dropped: Vec<bool>,
    /// The level being worked on; 0 before the first run.
    level: u32,
    cursor: Cursor,
    /// Lengths of the lists when this level began: its own work combines what lies before, and what new points split off
    /// meanwhile is combined when the level closes.
    frozen: Marks,
    /// Lengths of the lists when levels below the current one were last complete.
    settled: Marks,
    n_candidates: u64,
    /// The least cost of a term that was absorbed by a class and not kept.
    dropped_from: u32,
    /// The same of those that later points may have split off.
    forgotten_from: u32,
    /// Kept between runs for their memory.
    blocks: Vec<Block>,
    sequences: Option<Points>,
    /// Variables that stand for constants.
    holes: Vec<Symbol>,
}

/// How many blocks are computed at once, at most, if there are threads for them.
const MAX_BLOCKS: usize = 32;

enum Pass {
    Done,
    Stopped(StopReason),
}

#[derive(Clone, Copy)]
struct Bounds<'a> {
    limits: &'a Limits,
    deadline: &'a dyn Fn() -> bool,
}

/// A candidate for a nonterminal, at a cost.
struct Offer<'a> {
    nonterminal: u16,
    cost: u32,
    candidate: Candidate<'a>,
}

impl<'l> Bank<'l> {
    /// A bank without classes.
    ///
    /// # Errors
    /// When leaves have columns of different lengths or of sorts that a bank does not hold, when the grammar has no meaning
    /// or its variables no columns, or when there are too many nonterminals, productions or arguments.
    pub fn new(language: &'l Language, config: &BankConfig) -> Result<Self, BankError> {
        let space = Space::new(language, config)?;
        Ok(Self {
            language,
            store: Store::new(space.n_points(), config.alternatives, &space.productions),
            lists: Lists::new(space.sorts.len(), space.productions.iter().any(|p| p.charges.iter().any(|&c| c > 0))),
            space,
            dropped: Vec::new(),
            level: 0,
            cursor: Cursor::default(),
            frozen: Marks::default(),
            settled: Marks::default(),
            n_candidates: 0,
            dropped_from: u32::MAX,
            forgotten_from: u32::MAX,
            blocks: Vec::new(),
            sequences: None,
            holes: Vec::new(),
        })
    }

    /// The same with variables that stand for constants: what is charged for arguments that are none is not for them.
    #[must_use]
    pub(crate) fn with_holes(self, holes: Vec<Symbol>) -> Self {
        Self { holes, ..self }
    }

    /// The same over points that are the elements of sequences, in order: operators that look at earlier elements
    /// (selections, scans) are enumerated too, each with its values on whole sequences. Such a bank takes no new points.
    #[must_use]
    pub fn over_sequences(self, points: Points) -> Self {
        Self { sequences: Some(points), ..self }
    }

    /// The language.
    pub fn language(&self) -> &'l Language {
        self.language
    }

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing was found yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of points.
    pub fn n_points(&self) -> usize {
        self.store.n_points()
    }

    /// How many terms were evaluated in all runs.
    pub fn n_candidates(&self) -> u64 {
        self.n_candidates
    }

    /// Memory that classes take, in bytes.
    pub fn bytes(&self) -> usize {
        self.store.bytes() + self.lists.bytes() + self.dropped.capacity()
    }

    /// The greatest cost up to which every term is accounted for: those that are not in the bank have the values of
    /// one that is, or were built on classes that the watcher dropped.
    pub fn complete_cost(&self) -> u32 {
        self.built_cost().min(self.forgotten_from.saturating_sub(1))
    }

    /// The greatest cost up to which terms were built.
    pub fn built_cost(&self) -> u32 {
        if self.cursor.is_done() { self.level } else { self.level.saturating_sub(1) }
    }

    /// Whether points were added after more terms had been absorbed by a class than are kept: they may tell apart from
    /// it what is no longer known. A new bank with all the points from the start has forgotten nothing.
    pub fn is_forgetful(&self) -> bool {
        self.forgotten_from < u32::MAX
    }

    /// The least cost of a class that is undefined at some point; no class cheaper than that hides terms that differ where
    /// undefined means unknown.
    pub fn cheapest_undefined(&self) -> Option<u32> {
        let is_undefined = |found: &Found<'_>| found.codes.iter().any(|&code| found.sort.is_undefined(code));
        self.classes().filter(is_undefined).map(|found| found.cost).min()
    }

    /// All classes, in order of discovery.
    pub fn classes(&self) -> impl Iterator<Item = Found<'_>> {
        (0..self.store.len() as u32).map(|class| self.found(class))
    }

    /// A class.
    ///
    /// # Panics
    /// If the class comes from another bank.
    pub fn class(&self, id: ClassId) -> Found<'_> {
        self.found(id.0)
    }

    fn found(&self, class: u32) -> Found<'_> {
        self.found_with(class, Cow::Owned(self.store.column(class)))
    }

    fn found_with<'a>(&self, class: u32, codes: Cow<'a, [i64]>) -> Found<'a> {
        let nonterminal = self.store.nonterminal(class);
        Found {
            id: ClassId(class),
            nonterminal: NonterminalId(u32::from(nonterminal)),
            sort: self.space.sorts[nonterminal as usize],
            cost: self.store.cost(class),
            codes,
        }
    }

    /// The cost of the cheapest term of a class.
    ///
    /// # Panics
    /// If the class comes from another bank.
    pub fn cost(&self, id: ClassId) -> u32 {
        self.store.cost(id.0)
    }

    /// The classes of a nonterminal by ascending cost, without those that the watcher dropped.
    pub fn classes_of(&self, nonterminal: NonterminalId) -> impl Iterator<Item = Found<'_>> {
        self.ids_of(nonterminal).map(|(id, _)| self.found(id.0))
    }

    /// The same, without looking at their values: ids and costs.
    pub fn ids_of(&self, nonterminal: NonterminalId) -> impl Iterator<Item = (ClassId, u32)> + '_ {
        let known = u16::try_from(nonterminal.0).ok().filter(|&n| usize::from(n) < self.space.sorts.len());
        let levels = known.into_iter().flat_map(|n| (1..=self.level).map(move |cost| (n, cost)));
        levels.flat_map(|(nonterminal, cost)| {
            let classes = self.lists.get(Kind::Any, nonterminal, cost).iter();
            // A class that became cheaper is still in its old list.
            classes.map(move |&class| (ClassId(class), cost)).filter(|&(id, cost)| self.cost(id) == cost)
        })
    }

    /// The class of the terms with these values; with a grammar, in the first nonterminal of the sort that has one.
    pub fn find(&self, sort: Sort, codes: &[i64]) -> Option<ClassId> {
        let nonterminals = (0..self.space.sorts.len()).filter(|&n| self.space.sorts[n] == sort);
        nonterminals.map(|n| NonterminalId(n as u32)).find_map(|n| self.find_in(n, codes))
    }

    /// The class of the terms of a nonterminal with these values.
    pub fn find_in(&self, nonterminal: NonterminalId, codes: &[i64]) -> Option<ClassId> {
        let nonterminal = u16::try_from(nonterminal.0).ok().filter(|&n| usize::from(n) < self.space.sorts.len())?;
        if codes.len() != self.store.n_points() {
            return None;
        }
        let (columns, place) = Columns::of(codes);
        let column = columns.packed(place);
        self.store.probe(nonterminal, column, self.store.fingerprint(nonterminal, column)).class().map(ClassId)
    }

    /// A cheapest term of a class.
    pub fn term(&self, id: ClassId) -> Term {
        self.term_of(id.0, &mut FxHashMap::default())
    }

    fn term_of(&self, class: u32, memo: &mut FxHashMap<u32, Term>) -> Term {
        if let Some(term) = memo.get(&class) {
            return term.clone();
        }
        let term = self.build(self.store.node(class), memo);
        memo.insert(class, term.clone());
        term
    }

    fn build(&self, node: Node, memo: &mut FxHashMap<u32, Term>) -> Term {
        let production = &self.space.productions[node.production as usize];
        match &production.head {
            Head::Leaf(term) => term.clone(),
            Head::Chain => self.term_of(node.args[0], memo),
            Head::Apply(func) => {
                let args = node.args[..production.params.len()].iter().map(|&arg| self.term_of(arg, memo)).collect();
                Term::app(func.clone(), args)
            }
        }
    }

    /// Other terms that had the values of a class when they were met, cheapest first: their heads differ, or their
    /// arguments' classes.
    pub fn alternatives(&self, id: ClassId) -> Vec<Term> {
        self.priced_alternatives(id).into_iter().map(|(_, term)| term).collect()
    }

    /// [`Bank::alternatives`] with what each costs.
    pub fn priced_alternatives(&self, id: ClassId) -> Vec<(u32, Term)> {
        let mut nodes: Vec<Node> = self.store.alternatives(id.0).collect();
        nodes.reverse();
        nodes.sort_by_key(|&node| self.node_cost(node));
        let mut memo = FxHashMap::default();
        nodes.into_iter().map(|node| (self.node_cost(node), self.build(node, &mut memo))).collect()
    }

    /// The cheapest terms of a class that the bank knows of, `limit` at most; and whether these are all that it met (of
    /// commutative functions, one of each pair of mirror images is met).
    pub fn terms(&self, id: ClassId, limit: usize) -> (Vec<Term>, bool) {
        let nodes = std::iter::once(self.store.node(id.0)).chain(self.store.alternatives(id.0));
        let cost = self.cost(id);
        let mut is_complete = !self.store.has_dropped_cheapest(id.0);
        let mut terms = Vec::new();
        for node in nodes.filter(|&node| self.node_cost(node) == cost) {
            let production = &self.space.productions[node.production as usize];
            // All choices of arguments, one place after the other.
            let mut choices: Vec<Vec<Term>> = vec![Vec::new()];
            for &arg in &node.args[..production.params.len()] {
                let (own, complete) = self.terms(ClassId(arg), limit);
                is_complete &= complete;
                let extend = |chosen: &Vec<Term>| -> Vec<Vec<Term>> {
                    own.iter().map(|term| chosen.iter().chain([term]).cloned().collect()).collect()
                };
                choices = choices.iter().flat_map(extend).take(limit + 1).collect();
            }
            terms.extend(choices.into_iter().map(|args| match &production.head {
                Head::Leaf(term) => term.clone(),
                Head::Chain => args[0].clone(),
                Head::Apply(func) => Term::app(func.clone(), args),
            }));
        }
        is_complete &= terms.len() <= limit;
        terms.truncate(limit);
        (terms, is_complete)
    }

    /// The values of a class's term at other points: `columns` are those of the configuration's leaves there,
    /// in order (constants may be left out at the end).
    ///
    /// # Errors
    /// When a column is missing or has another length, and for banks over sequences.
    pub fn evaluate(&self, id: ClassId, columns: &[Column]) -> Result<Vec<i64>, BankError> {
        if self.sequences.is_some() {
            return Err(BankError::Sequences);
        }
        let inputs = self.inputs_at(columns)?;
        let mut memo: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        let mut scratch = Scratch::default();
        self.evaluate_class(id.0, &inputs, &mut memo, &mut scratch);
        Ok(memo.remove(&id.0).unwrap_or_default())
    }

    fn evaluate_class(&self, class: u32, inputs: &[Column], memo: &mut BTreeMap<u32, Vec<i64>>, scratch: &mut Scratch) {
        if memo.contains_key(&class) {
            return;
        }
        let node = self.store.node(class);
        let production = &self.space.productions[node.production as usize];
        let codes = if let Code::Input(input) = production.code {
            inputs[input].codes.clone()
        } else {
            let args = &node.args[..production.params.len()];
            for &arg in args {
                self.evaluate_class(arg, inputs, memo, scratch);
            }
            let columns: Vec<&[i64]> = args.iter().map(|arg| memo[arg].as_slice()).collect();
            let mut out = vec![0; inputs.first().map_or(0, Column::n_points)];
            production.code.run(production, &self.context(), &columns, scratch, &mut out);
            out
        };
        memo.insert(class, codes);
    }

    fn context(&self) -> Context<'_> {
        Context { language: self.language, sorts: &self.space.sorts, sequences: self.sequences.as_ref() }
    }

    /// The columns of all inputs at new points: those given, and constants for the rest.
    fn inputs_at(&self, columns: &[Column]) -> Result<Vec<Column>, BankError> {
        let n_new = columns.first().map_or(0, Column::n_points);
        let known = &self.space.inputs;
        let error = BankError::NewPoints { expected: known.len(), found: columns.len() };
        if columns.len() > known.len() || columns.iter().any(|column| column.n_points() != n_new) {
            return Err(error);
        }
        let mut all = columns.to_vec();
        for input in &known[columns.len()..] {
            let TermNode::Const(value) = input.term.node() else { return Err(error) };
            all.push(Column::constant(input.column.sort, *value, n_new));
        }
        Ok(all)
    }

    /// Builds terms, by ascending cost, until a limit is reached or the watcher ends the run. Every new class is shown
    /// to the watcher once. A later run goes on where this one ended.
    ///
    /// Columns are computed on all threads of the current rayon pool; what is found, and in which order, does not depend on
    /// their number.
    pub fn run(&mut self, limits: &Limits, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> StopReason {
        self.run_until(limits, &|| false, watch)
    }

    /// As [`Bank::run`], ending as well when `deadline` says so; it is asked every few thousand candidates.
    pub fn run_until(
        &mut self,
        limits: &Limits,
        deadline: &dyn Fn() -> bool,
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> StopReason {
        let bounds = Bounds { limits, deadline };
        loop {
            if self.cursor.is_done() {
                if self.is_closed() {
                    return StopReason::Closed;
                }
                if self.level >= limits.max_cost {
                    return StopReason::Cost;
                }
                if let Pass::Stopped(reason) = self.open_level(watch) {
                    return reason;
                }
            }
            match self.work(Some(&bounds), watch) {
                Pass::Stopped(reason) => return reason,
                Pass::Done => {
                    if let Pass::Stopped(reason) = self.close_level(watch) {
                        return reason;
                    }
                }
            }
        }
    }

    /// Whether greater terms cannot have new values: no class is costly enough to be a part of a term beyond this level.
    fn is_closed(&self) -> bool {
        let mut greatest: Vec<Option<u32>> = vec![None; self.space.sorts.len()];
        for class in 0..self.store.len() as u32 {
            let known = &mut greatest[self.store.nonterminal(class) as usize];
            *known = (*known).max(Some(self.store.cost(class)));
        }
        // A production over a nonterminal without terms reaches nothing.
        let reach = self.space.productions.iter().filter_map(|production| {
            let own = production.cost + production.charges.iter().sum::<u32>();
            production.params.iter().try_fold(own, |sum, &param| Some(sum + greatest[param as usize]?))
        });
        self.level >= reach.max().unwrap_or(0)
    }

    /// Starts the next level with its leaves.
    fn open_level(&mut self, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        self.level += 1;
        let mut stop = false;
        for leaf in 0..self.space.n_leaves {
            let production = &self.space.productions[leaf];
            if production.cost != self.level {
                continue;
            }
            let (nonterminal, cost) = (production.result, production.cost);
            let node = Node { production: leaf as u16, args: [0; MAX_ARITY] };
            let codes = match &production.code {
                Code::Input(input) => self.space.inputs[*input].column.codes.clone(),
                code => {
                    let mut codes = vec![0; self.store.n_points()];
                    code.run(production, &self.context(), &[], &mut Scratch::default(), &mut codes);
                    codes
                }
            };
            self.n_candidates += 1;
            stop |= self.offer_codes(nonterminal, cost, node, &codes, watch) == Watch::Stop;
        }
        self.frozen = self.lists.marks();
        self.settled = self.frozen.clone();
        self.cursor = Cursor::new(units(&self.space.productions, self.level, &self.lists, &self.frozen, None));
        if stop { Pass::Stopped(StopReason::Watch) } else { Pass::Done }
    }

    /// Combines what classes split off during this level have added, once its own work is done.
    fn close_level(&mut self, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        let now = self.lists.marks();
        let late = units(&self.space.productions, self.level, &self.lists, &now, Some(&self.frozen));
        self.frozen = now;
        let done = std::mem::replace(&mut self.cursor, Cursor::new(late));
        if self.cursor.is_done() {
            self.cursor = done;
            return Pass::Done;
        }
        // What is new at this level cannot be a part of it, so one such pass is enough.
        let mut stop = false;
        let _ = self.work(None, &mut |found| {
            let verdict = watch(found);
            stop |= verdict == Watch::Stop;
            verdict
        });
        if stop { Pass::Stopped(StopReason::Watch) } else { Pass::Done }
    }

    /// Works off the cursor.
    fn work(&mut self, bounds: Option<&Bounds<'_>>, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        let mut blocks = std::mem::take(&mut self.blocks);
        let mut pass = Pass::Done;
        while !self.cursor.is_done() && matches!(pass, Pass::Done) {
            let unit = self.cursor.units[self.cursor.unit].clone();
            let from = self.cursor.positions.take();
            (pass, self.cursor.positions) = self.work_unit(&unit, from, &mut blocks, bounds, watch);
            if self.cursor.positions.is_none() {
                self.cursor.unit += 1;
            }
        }
        self.blocks = blocks;
        pass
    }

    /// Combines the ranges of a unit from some positions on; returns the positions to go on from.
    fn work_unit(
        &mut self,
        unit: &Unit,
        from: Option<[usize; MAX_ARITY]>,
        blocks: &mut Vec<Block>,
        bounds: Option<&Bounds<'_>>,
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> (Pass, Option<[usize; MAX_ARITY]>) {
        let cost = self.level_of(unit);
        let mut odometer = Odometer::new(unit, from);
        while odometer.at.is_some() {
            if let Some(reason) = bounds.and_then(|bounds| self.exceeded(bounds)) {
                return (Pass::Stopped(reason), odometer.at);
            }
            let start = odometer.clone();
            let n_blocks = self.compute(&mut odometer, blocks, bounds);
            let mut n_taken = 0;
            for block in &blocks[..n_blocks] {
                let (n, stop) = self.take_block(block, unit.production, cost, bounds, watch);
                n_taken += n;
                if let Some(reason) = stop {
                    return (Pass::Stopped(reason), start.skip(n_taken));
                }
            }
        }
        (Pass::Done, None)
    }

    /// Computes the next blocks of candidates, in parallel where there are several; how many there are.
    fn compute(&self, odometer: &mut Odometer<'_>, blocks: &mut Vec<Block>, bounds: Option<&Bounds<'_>>) -> usize {
        let production = odometer.production() as usize;
        let capacity = Block::capacity(self.store.n_points());
        let max_blocks = if rayon::current_num_threads() > 1 { MAX_BLOCKS } else { 1 };
        let left = bounds.map_or(u64::MAX, |bounds| bounds.limits.max_candidates - self.n_candidates);
        let mut left = usize::try_from(left).unwrap_or(usize::MAX);
        let mut n_blocks = 0;
        while n_blocks < max_blocks && left > 0 && odometer.at.is_some() {
            if n_blocks == blocks.len() {
                blocks.push(Block::default());
            }
            blocks[n_blocks].fill(odometer, &self.lists, capacity.min(left));
            left -= blocks[n_blocks].len();
            n_blocks += 1;
        }
        let run = |block: &mut Block| block.run(&self.space.productions[production], &self.context(), &self.store);
        match &mut blocks[..n_blocks] {
            [block] => run(block),
            blocks => blocks.par_iter_mut().for_each(run),
        }
        n_blocks
    }

    /// Takes in the candidates of a block, in order; how many, and why no more.
    fn take_block(
        &mut self,
        block: &Block,
        production: u16,
        cost: u32,
        bounds: Option<&Bounds<'_>>,
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> (usize, Option<StopReason>) {
        let nonterminal = self.space.productions[production as usize].result;
        for i in 0..block.len() {
            self.n_candidates += 1;
            let n_before = self.store.len();
            let verdict = self.offer(&Offer { nonterminal, cost, candidate: block.candidate(i, production) }, watch);
            let Some(bounds) = bounds else { continue };
            if verdict == Watch::Stop {
                return (i + 1, Some(StopReason::Watch));
            }
            // What is known takes no more than an alternative; that is looked at again before the next block.
            if self.store.len() > n_before
                && let Some(reason) = self.exceeded_by_classes(bounds.limits)
            {
                return (i + 1, Some(reason));
            }
        }
        (block.len(), None)
    }

    fn level_of(&self, unit: &Unit) -> u32 {
        let production = &self.space.productions[unit.production as usize];
        let mut cost = production.cost;
        for (range, &charge) in unit.args.iter().zip(&production.charges) {
            cost += range.cost;
            if charge > 0 && range.kind != Kind::Constant {
                cost += charge;
            }
        }
        cost
    }

    fn exceeded(&self, bounds: &Bounds<'_>) -> Option<StopReason> {
        if self.n_candidates >= bounds.limits.max_candidates {
            Some(StopReason::Candidates)
        } else if (bounds.deadline)() {
            Some(StopReason::Deadline)
        } else {
            self.exceeded_by_classes(bounds.limits)
        }
    }

    fn exceeded_by_classes(&self, limits: &Limits) -> Option<StopReason> {
        if self.store.len() >= limits.max_classes {
            Some(StopReason::Classes)
        } else if self.bytes() >= limits.max_bytes {
            Some(StopReason::Memory)
        } else {
            None
        }
    }

    fn offer_codes(
        &mut self,
        nonterminal: u16,
        cost: u32,
        node: Node,
        codes: &[i64],
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> Watch {
        let (columns, place) = Columns::of(codes);
        let packed = columns.packed(place);
        let fingerprint = self.store.fingerprint(nonterminal, packed);
        let candidate = Candidate { node, codes, packed, fingerprint, known: None };
        self.offer(&Offer { nonterminal, cost, candidate }, watch)
    }

    /// Takes in a candidate, for its nonterminal and for those whose terms include its own.
    fn offer(&mut self, offer: &Offer<'_>, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Watch {
        let (class, verdict) = self.take(offer, watch);
        let Some(class) = class else { return verdict };
        let mut stop = verdict == Watch::Stop;
        for i in 0..self.space.chains[offer.nonterminal as usize].len() {
            let production = self.space.chains[offer.nonterminal as usize][i];
            let mut args = [0; MAX_ARITY];
            args[0] = class;
            let nonterminal = self.space.productions[production as usize].result;
            let node = Node { production, args };
            let fingerprint = self.store.fingerprint(nonterminal, offer.candidate.packed);
            let candidate = Candidate { node, fingerprint, known: None, ..offer.candidate };
            stop |= self.take(&Offer { nonterminal, candidate, ..*offer }, watch).1 == Watch::Stop;
        }
        if stop { Watch::Stop } else { verdict }
    }

    /// Takes in a candidate: as a new class, or as an alternative of its class. The class, if it is new or cheaper than it
    /// was.
    fn take(&mut self, offer: &Offer<'_>, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> (Option<u32>, Watch) {
        let &Offer { nonterminal, cost, candidate: Candidate { node, codes, packed, fingerprint, known } } = offer;
        match known.map_or_else(|| self.store.probe(nonterminal, packed, fingerprint), Probe::Class) {
            Probe::Class(class) if cost < self.store.cost(class) => {
                // Only after splits: a form that is cheaper than the one that was met first.
                if !self.store.improve(class, node, cost) {
                    self.dropped_from = self.dropped_from.min(cost);
                }
                if !self.dropped[class as usize] {
                    self.lists.push(nonterminal, cost, self.is_constant(node), class);
                }
                (Some(class), Watch::Keep)
            }
            Probe::Class(class) => {
                if !self.store.add_alternative(class, node, cost) {
                    self.dropped_from = self.dropped_from.min(cost);
                }
                (None, Watch::Keep)
            }
            Probe::Free(slot) => {
                let class = self.store.insert(packed, fingerprint, slot, cost, node);
                let verdict = watch(&self.found_with(class, Cow::Borrowed(codes)));
                self.dropped.push(verdict == Watch::Drop);
                if verdict != Watch::Drop {
                    self.lists.push(nonterminal, cost, self.is_constant(node), class);
                }
                (Some(class), verdict)
            }
        }
    }

    fn is_constant(&self, node: Node) -> bool {
        match &self.space.productions[node.production as usize].head {
            Head::Leaf(term) => {
                is_constant(term) || matches!(term.node(), TermNode::Var(name) if self.holes.contains(name))
            }
            Head::Chain => self.is_constant(self.store.node(node.args[0])),
            Head::Apply(_) => false,
        }
    }

    fn node_cost(&self, node: Node) -> u32 {
        let production = &self.space.productions[node.production as usize];
        let mut cost = production.cost;
        for (i, &arg) in node.args[..production.params.len()].iter().enumerate() {
            cost += self.store.cost(arg);
            if production.charges[i] > 0 && !self.is_constant(self.store.node(arg)) {
                cost += production.charges[i];
            }
        }
        cost
    }

    /// Adds points: `columns` are those of the configuration's leaves there, in order (constants may be left out at the
    /// end). Classes whose alternatives now differ from them are split, and what can be built from the new
    /// classes up to the present cost is built and shown to the watcher, whose wish to stop is not heeded here.
    ///
    /// # Errors
    /// When a column is missing or has another length, and for banks over sequences.
    pub fn append_points(
        &mut self,
        columns: &[Column],
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> Result<(), BankError> {
        if self.sequences.is_some() {
            return Err(BankError::Sequences);
        }
        let inputs = self.inputs_at(columns)?;
        self.forgotten_from = self.forgotten_from.min(self.dropped_from);
        let n_new = inputs.first().map_or(0, Column::n_points);
        for (input, more) in self.space.inputs.iter_mut().zip(&inputs) {
            input.column.codes.extend_from_slice(&more.codes);
        }
        // Arguments cost less than what they are part of, except through chains, and those lead to no other chain.
        let mut order: Vec<u32> = (0..self.store.len() as u32).collect();
        order.sort_by_key(|&class| {
            let head = &self.space.productions[self.store.node(class).production as usize].head;
            (self.store.cost(class), matches!(head, Head::Chain))
        });
        let (mut tails, mut tail) = (vec![0; self.store.len() * n_new], vec![0; n_new]);
        let mut scratch = Scratch::default();
        for class in order {
            self.compute_tail(self.store.node(class), &tails, &inputs, &mut scratch, &mut tail);
            tails[class as usize * n_new..][..n_new].copy_from_slice(&tail);
        }
        self.store.widen(n_new, &tails);
        self.split(&tails, &inputs, watch);
        self.rebuild(watch);
        Ok(())
    }

    /// Computes what is new of the column of a node, given what is new of those of all classes.
    fn compute_tail(&self, node: Node, tails: &[i64], inputs: &[Column], scratch: &mut Scratch, tail: &mut [i64]) {
        let production = &self.space.productions[node.production as usize];
        if let Code::Input(input) = production.code {
            return tail.copy_from_slice(&inputs[input].codes);
        }
        let arity = production.params.len();
        let mut args: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
        for (input, &arg) in args.iter_mut().zip(&node.args[..arity]) {
            *input = &tails[arg as usize * tail.len()..][..tail.len()];
        }
        production.code.run(production, &self.context(), &args[..arity], scratch, tail);
    }

    /// Moves alternatives that differ from their class on the new points to classes of their own.
    fn split(&mut self, tails: &[i64], inputs: &[Column], watch: &mut dyn FnMut(&Found<'_>) -> Watch) {
        let n_new = inputs.first().map_or(0, Column::n_points);
        let old_points = self.store.n_points() - n_new;
        let mut tail = vec![0; n_new];
        let mut scratch = Scratch::default();
        let mut leaving: Vec<(u32, Node, Vec<i64>)> = Vec::new();
        for class in 0..self.store.len() as u32 {
            for node in self.store.alternatives(class) {
                self.compute_tail(node, tails, inputs, &mut scratch, &mut tail);
                if tail != tails[class as usize * n_new..][..n_new] {
                    leaving.push((class, node, tail.clone()));
                }
            }
        }
        let mut gone: Vec<(u32, Node)> = leaving.iter().map(|(class, node, _)| (*class, *node)).collect();
        gone.sort_unstable_by_key(|(class, node)| (*class, node.production, node.args));
        let key = |&(class, node): &(u32, Node)| (class, node.production, node.args);
        self.store.extract_alternatives(|_, class, node| {
            gone.binary_search_by_key(&(class, node.production, node.args), key).is_ok()
        });
        let mut leaving: Vec<(u32, u32, Node, Vec<i64>)> =
            leaving.into_iter().map(|(class, node, tail)| (self.node_cost(node), class, node, tail)).collect();
        leaving.sort_by_key(|&(cost, class, _, _)| (cost, class));
        for (cost, class, node, tail) in leaving {
            let codes = [&self.store.column(class)[..old_points], &tail].concat();
            let nonterminal = self.store.nonterminal(class);
            let _ = self.offer_codes(nonterminal, cost, node, &codes, watch);
        }
    }

    /// Builds what the classes that are new since the levels were settled allow, below the present level.
    fn rebuild(&mut self, watch: &mut dyn FnMut(&Found<'_>) -> Watch) {
        let paused = std::mem::take(&mut self.cursor);
        let since = self.settled.clone();
        // The present level is complete if its cursor is done; else its own work goes on behind the cursor, and what is
        // new is combined when the level closes.
        let complete = if paused.is_done() { self.level } else { self.level.saturating_sub(1) };
        for cost in 1..=complete {
            let now = self.lists.marks();
            self.cursor = Cursor::new(units(&self.space.productions, cost, &self.lists, &now, Some(&since)));
            let _ = self.work(None, watch);
        }
        self.settled = self.lists.marks();
        self.cursor = paused;
    }
}
