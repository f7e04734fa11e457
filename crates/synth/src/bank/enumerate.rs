//! The bank itself: levels of cost, classes, points that come later.

use std::collections::BTreeMap;

use dsl::{Language, Node as TermNode, Term};
use rustc_hash::FxHashMap;
use samples::{Column, Sort};

use super::ClassId;
use super::config::{BankConfig, BankError, Found, Limits, StopReason, Watch, is_constant, productions};
use super::production::{Context, Head, Production, Scratch};
use super::queue::{Cursor, Lists, Marks, Unit, units};
use super::store::{MAX_ARITY, Node, Store};

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
///     if found.sort == Sort::Int && found.codes == goal {
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
    sorts: Vec<Sort>,
    productions: Vec<Production>,
    n_leaves: usize,
    leaf_columns: Vec<Column>,
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
    /// Whether an absorbed term was forgotten that a split class may have needed.
    forgetful: bool,
    scratch: Scratch,
    buffer: Vec<i64>,
}

enum Pass {
    Done,
    Stopped(StopReason),
}

impl<'l> Bank<'l> {
    /// A bank without classes.
    ///
    /// # Errors
    /// When leaves have columns of different lengths or of sorts that a bank does not hold, or when there are too many
    /// sorts or arguments.
    pub fn new(language: &'l Language, config: &BankConfig) -> Result<Self, BankError> {
        let n_points = config.leaves.first().map_or(0, |leaf| leaf.column.n_points());
        for (i, leaf) in config.leaves.iter().enumerate() {
            if leaf.column.sort == Sort::Selector {
                return Err(BankError::Sort { leaf: i, sort: leaf.column.sort });
            }
            if leaf.column.n_points() != n_points {
                return Err(BankError::Lengths { leaf: i, expected: n_points, found: leaf.column.n_points() });
            }
        }
        let (sorts, productions) = productions(language, config)?;
        let n_leaves = config.leaves.len();
        Ok(Self {
            language,
            store: Store::new(n_points, vec![1; sorts.len()], config.alternatives),
            lists: Lists::new(sorts.len()),
            sorts,
            productions,
            n_leaves,
            leaf_columns: config.leaves.iter().map(|leaf| leaf.column.clone()).collect(),
            dropped: Vec::new(),
            level: 0,
            cursor: Cursor::default(),
            frozen: Marks::default(),
            settled: Marks::default(),
            n_candidates: 0,
            forgetful: false,
            scratch: Scratch::default(),
            buffer: vec![0; n_points],
        })
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
        self.store.bytes()
    }

    /// The greatest cost up to which every term is accounted for: those that are not in the bank have the values of
    /// one that is, or were built on classes that the watcher dropped.
    ///
    /// `None` when new points have split a class of which more terms had been absorbed than are kept.
    pub fn complete_cost(&self) -> Option<u32> {
        if self.forgetful {
            return None;
        }
        Some(if self.cursor.is_done() { self.level } else { self.level.saturating_sub(1) })
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
        Found {
            id: ClassId(class),
            sort: self.sorts[self.store.sort(class) as usize],
            cost: self.store.cost(class),
            codes: self.store.column(class),
        }
    }

    /// The class of the terms with these values.
    pub fn find(&self, sort: Sort, codes: &[i64]) -> Option<ClassId> {
        let sort = self.sorts.iter().position(|&s| s == sort)? as u8;
        if codes.len() != self.store.words(sort) {
            return None;
        }
        self.store.find(sort, codes, self.store.sum(codes)).map(ClassId)
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
        let production = &self.productions[node.production as usize];
        match &production.head {
            Head::Leaf(term) => term.clone(),
            Head::Apply(func) => {
                let args = node.args[..production.params.len()].iter().map(|&arg| self.term_of(arg, memo)).collect();
                Term::app(func.clone(), args)
            }
        }
    }

    /// Other terms that had the values of a class when they were met, cheapest first: their heads differ, or their
    /// arguments' classes.
    pub fn alternatives(&self, id: ClassId) -> Vec<Term> {
        let mut nodes: Vec<Node> = self.store.alternatives(id.0).collect();
        nodes.reverse();
        nodes.sort_by_key(|&node| self.node_cost(node));
        let mut memo = FxHashMap::default();
        nodes.into_iter().map(|node| self.build(node, &mut memo)).collect()
    }

    /// The values of a class's term at other points: `columns` are those of the leaves there, in the order of the
    /// configuration (constants may be left out at the end).
    ///
    /// # Errors
    /// When a column is missing or has another length.
    pub fn evaluate(&self, id: ClassId, columns: &[Column]) -> Result<Vec<i64>, BankError> {
        let leaves = self.leaf_columns_at(columns)?;
        let mut memo: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        let mut scratch = Scratch::default();
        self.evaluate_class(id.0, &leaves, &mut memo, &mut scratch);
        Ok(memo.remove(&id.0).unwrap_or_default())
    }

    fn evaluate_class(&self, class: u32, leaves: &[Column], memo: &mut BTreeMap<u32, Vec<i64>>, scratch: &mut Scratch) {
        if memo.contains_key(&class) {
            return;
        }
        let node = self.store.node(class);
        let production = &self.productions[node.production as usize];
        let codes = if (node.production as usize) < self.n_leaves {
            leaves[node.production as usize].codes.clone()
        } else {
            let args = &node.args[..production.params.len()];
            for &arg in args {
                self.evaluate_class(arg, leaves, memo, scratch);
            }
            let inputs: Vec<&[i64]> = args.iter().map(|arg| memo[arg].as_slice()).collect();
            let mut out = vec![0; leaves.first().map_or(0, Column::n_points)];
            production.code.run(production, &self.context(), &inputs, scratch, &mut out);
            out
        };
        memo.insert(class, codes);
    }

    fn context(&self) -> Context<'_> {
        Context { language: self.language, sorts: &self.sorts }
    }

    /// The columns of all leaves at new points: those given, and constants for the rest.
    fn leaf_columns_at(&self, columns: &[Column]) -> Result<Vec<Column>, BankError> {
        let n_new = columns.first().map_or(0, Column::n_points);
        let error = BankError::NewPoints { expected: self.n_leaves, found: columns.len() };
        if columns.len() > self.n_leaves || columns.iter().any(|column| column.n_points() != n_new) {
            return Err(error);
        }
        let mut all = columns.to_vec();
        for production in &self.productions[columns.len()..self.n_leaves] {
            let Head::Leaf(term) = &production.head else { return Err(error) };
            let TermNode::Const(value) = term.node() else { return Err(error) };
            all.push(Column::constant(self.sorts[production.result as usize], *value, n_new));
        }
        Ok(all)
    }

    /// Builds terms, by ascending cost, until a limit is reached or the watcher ends the run. Every new class is shown
    /// to the watcher once. A later run goes on where this one ended.
    pub fn run(&mut self, limits: &Limits, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> StopReason {
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
            match self.work(Some(limits), watch) {
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
        let Some(greatest) = (0..self.store.len() as u32).map(|class| self.store.cost(class)).max() else {
            return self.level > 0 && self.productions[..self.n_leaves].is_empty();
        };
        let reach = self.productions.iter().map(|p| match p.params.len() as u32 {
            0 => p.cost,
            arity => p.cost + p.charges.iter().sum::<u32>() + arity * greatest,
        });
        self.level >= reach.max().unwrap_or(0)
    }

    /// Starts the next level with its leaves.
    fn open_level(&mut self, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        self.level += 1;
        let mut stop = false;
        for leaf in 0..self.n_leaves {
            let production = &self.productions[leaf];
            if production.cost != self.level {
                continue;
            }
            let (sort, cost) = (production.result, production.cost);
            let node = Node { production: leaf as u32, args: [0; MAX_ARITY] };
            self.buffer.clear();
            self.buffer.extend_from_slice(&self.leaf_columns[leaf].codes);
            self.n_candidates += 1;
            stop |= self.offer(sort, cost, node, watch) == Watch::Stop;
        }
        self.frozen = self.lists.marks();
        self.settled = self.frozen.clone();
        self.cursor = Cursor::new(units(&self.productions, self.level, &self.lists, &self.frozen, None));
        if stop { Pass::Stopped(StopReason::Watch) } else { Pass::Done }
    }

    /// Combines what classes split off during this level have added, once its own work is done.
    fn close_level(&mut self, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        let now = self.lists.marks();
        let late = units(&self.productions, self.level, &self.lists, &now, Some(&self.frozen));
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
    fn work(&mut self, limits: Option<&Limits>, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Pass {
        while !self.cursor.is_done() {
            let unit = self.cursor.units[self.cursor.unit].clone();
            let positions = self.cursor.positions.take();
            let (pass, positions) = self.work_unit(&unit, positions, limits, watch);
            self.cursor.positions = positions;
            if self.cursor.positions.is_none() {
                self.cursor.unit += 1;
            }
            if let Pass::Stopped(reason) = pass {
                return Pass::Stopped(reason);
            }
        }
        Pass::Done
    }

    /// Combines the ranges of a unit from some positions on; returns the positions to go on from.
    fn work_unit(
        &mut self,
        unit: &Unit,
        from: Option<[usize; MAX_ARITY]>,
        limits: Option<&Limits>,
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> (Pass, Option<[usize; MAX_ARITY]>) {
        let arity = unit.args.len();
        let last = arity - 1;
        let (result, cost) = {
            let production = &self.productions[unit.production as usize];
            (production.result, self.level_of(unit))
        };
        let mut at = from.unwrap_or_else(|| {
            let mut at = [0; MAX_ARITY];
            for (a, range) in at.iter_mut().zip(&unit.args) {
                *a = range.low;
            }
            if unit.ordered {
                at[1] = at[1].max(at[0]);
            }
            at
        });
        let mut node = Node { production: unit.production, args: [0; MAX_ARITY] };
        // The lists grow while this works, behind the range.
        let range = unit.args[last];
        let row = self.lists.get(range.kind, range.sort, range.cost)[range.low..range.high].to_vec();
        'rows: loop {
            for ((arg, range), &position) in node.args.iter_mut().zip(&unit.args[..last]).zip(&at) {
                *arg = self.lists.get(range.kind, range.sort, range.cost)[position];
            }
            while at[last] < range.high {
                if let Some(reason) = limits.and_then(|limits| self.exceeded(limits)) {
                    return (Pass::Stopped(reason), Some(at));
                }
                node.args[last] = row[at[last] - range.low];
                at[last] += 1;
                self.compute(node, arity);
                self.n_candidates += 1;
                if self.offer(result, cost, node, watch) == Watch::Stop && limits.is_some() {
                    return (Pass::Stopped(StopReason::Watch), Some(at));
                }
            }
            // The next row.
            let mut i = last;
            loop {
                if i == 0 {
                    return (Pass::Done, None);
                }
                i -= 1;
                at[i] += 1;
                if at[i] < unit.args[i].high {
                    for (later, range) in at.iter_mut().zip(&unit.args).skip(i + 1) {
                        *later = range.low;
                    }
                    if unit.ordered {
                        at[1] = at[1].max(at[0]);
                    }
                    continue 'rows;
                }
            }
        }
    }

    fn level_of(&self, unit: &Unit) -> u32 {
        let production = &self.productions[unit.production as usize];
        let mut cost = production.cost;
        for (range, &charge) in unit.args.iter().zip(&production.charges) {
            cost += range.cost;
            if charge > 0 && range.kind != super::queue::Kind::Constant {
                cost += charge;
            }
        }
        cost
    }

    fn exceeded(&self, limits: &Limits) -> Option<StopReason> {
        if self.n_candidates >= limits.max_candidates {
            Some(StopReason::Candidates)
        } else if self.store.len() >= limits.max_classes {
            Some(StopReason::Classes)
        } else if self.store.bytes() >= limits.max_bytes {
            Some(StopReason::Bytes)
        } else {
            None
        }
    }

    /// Leaves the column of a node in the buffer.
    fn compute(&mut self, node: Node, arity: usize) {
        let production = &self.productions[node.production as usize];
        let mut args: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
        for (input, &arg) in args.iter_mut().zip(&node.args[..arity]) {
            *input = self.store.column(arg);
        }
        let context = Context { language: self.language, sorts: &self.sorts };
        production.code.run(production, &context, &args[..arity], &mut self.scratch, &mut self.buffer);
    }

    /// Takes in the column in the buffer: as a new class, or as an alternative of its class.
    fn offer(&mut self, sort: u8, cost: u32, node: Node, watch: &mut dyn FnMut(&Found<'_>) -> Watch) -> Watch {
        let sum = self.store.sum(&self.buffer);
        match self.store.find(sort, &self.buffer, sum) {
            Some(class) if cost < self.store.cost(class) => {
                // Only after splits: a form that is cheaper than the one that was met first.
                self.store.improve(class, node, cost);
                if !self.dropped[class as usize] {
                    self.lists.push(sort, cost, self.is_constant(node), class);
                }
                Watch::Keep
            }
            Some(class) => {
                self.store.add_alternative(class, node);
                Watch::Keep
            }
            None => {
                let class = self.store.insert(sort, &self.buffer, sum, cost, node);
                let verdict = watch(&self.found(class));
                self.dropped.push(verdict == Watch::Drop);
                if verdict != Watch::Drop {
                    self.lists.push(sort, cost, self.is_constant(node), class);
                }
                verdict
            }
        }
    }

    fn is_constant(&self, node: Node) -> bool {
        matches!(&self.productions[node.production as usize].head, Head::Leaf(term) if is_constant(term))
    }

    fn node_cost(&self, node: Node) -> u32 {
        let production = &self.productions[node.production as usize];
        let mut cost = production.cost;
        for (i, &arg) in node.args[..production.params.len()].iter().enumerate() {
            cost += self.store.cost(arg);
            if production.charges[i] > 0 && !self.is_constant(self.store.node(arg)) {
                cost += production.charges[i];
            }
        }
        cost
    }

    /// Adds points: `columns` are those of the leaves there, in the order of the configuration (constants may be left
    /// out at the end). Classes whose alternatives now differ from them are split, and what can be built from the new
    /// classes up to the present cost is built and shown to the watcher, whose wish to stop is not heeded here.
    ///
    /// # Errors
    /// When a column is missing or has another length.
    pub fn append_points(
        &mut self,
        columns: &[Column],
        watch: &mut dyn FnMut(&Found<'_>) -> Watch,
    ) -> Result<(), BankError> {
        let leaves = self.leaf_columns_at(columns)?;
        let old_points = self.store.n_points();
        let n_new = leaves.first().map_or(0, Column::n_points);
        for (column, more) in self.leaf_columns.iter_mut().zip(&leaves) {
            column.codes.extend_from_slice(&more.codes);
        }
        self.store.widen(n_new);
        // Arguments cost less than what they are part of.
        let mut order: Vec<u32> = (0..self.store.len() as u32).collect();
        order.sort_by_key(|&class| self.store.cost(class));
        let mut tail = vec![0; n_new];
        let mut scratch = Scratch::default();
        for class in order {
            self.compute_tail(self.store.node(class), old_points, &leaves, &mut scratch, &mut tail);
            self.store.set_tail(class, old_points, &tail);
        }
        self.store.reindex();
        self.split(old_points, &leaves, watch);
        self.buffer.resize(self.store.n_points(), 0);
        self.rebuild(watch);
        Ok(())
    }

    fn compute_tail(&self, node: Node, from: usize, leaves: &[Column], scratch: &mut Scratch, tail: &mut [i64]) {
        if (node.production as usize) < self.n_leaves {
            tail.copy_from_slice(&leaves[node.production as usize].codes);
            return;
        }
        let production = &self.productions[node.production as usize];
        let arity = production.params.len();
        let mut args: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
        for (input, &arg) in args.iter_mut().zip(&node.args[..arity]) {
            *input = self.store.tail(arg, from);
        }
        production.code.run(production, &self.context(), &args[..arity], scratch, tail);
    }

    /// Moves alternatives that differ from their class on the new points to classes of their own.
    fn split(&mut self, old_points: usize, leaves: &[Column], watch: &mut dyn FnMut(&Found<'_>) -> Watch) {
        let n_new = self.store.n_points() - old_points;
        let mut tail = vec![0; n_new];
        let mut scratch = Scratch::default();
        let mut leaving: Vec<(u32, Node, Vec<i64>)> = Vec::new();
        for class in 0..self.store.len() as u32 {
            for node in self.store.alternatives(class) {
                self.compute_tail(node, old_points, leaves, &mut scratch, &mut tail);
                if tail != self.store.tail(class, old_points) {
                    leaving.push((class, node, tail.clone()));
                }
            }
        }
        let mut gone: Vec<(u32, Node)> = leaving.iter().map(|(class, node, _)| (*class, *node)).collect();
        gone.sort_unstable_by_key(|(class, node)| (*class, node.production, node.args));
        let key = |&(class, node): &(u32, Node)| (class, node.production, node.args);
        if !leaving.is_empty() {
            self.forgetful |= leaving.iter().any(|(class, _, _)| self.store.overflowed(*class));
        }
        self.store.extract_alternatives(|_, class, node| {
            gone.binary_search_by_key(&(class, node.production, node.args), key).is_ok()
        });
        let mut leaving: Vec<(u32, u32, Node, Vec<i64>)> =
            leaving.into_iter().map(|(class, node, tail)| (self.node_cost(node), class, node, tail)).collect();
        leaving.sort_by_key(|&(cost, class, _, _)| (cost, class));
        for (cost, class, node, tail) in leaving {
            self.buffer.clear();
            let column = self.store.column(class);
            self.buffer.extend_from_slice(&column[..old_points]);
            self.buffer.extend_from_slice(&tail);
            let sort = self.store.sort(class);
            let _ = self.offer(sort, cost, node, watch);
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
            self.cursor = Cursor::new(units(&self.productions, cost, &self.lists, &now, Some(&since)));
            let _ = self.work(None, watch);
        }
        self.settled = self.lists.marks();
        self.cursor = paused;
    }
}
