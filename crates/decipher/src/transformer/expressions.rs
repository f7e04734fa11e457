//! Tables replaced by expressions.
//!
//! What a head selects, what it copies and what the output is are functions of *natural* variables: tokens, indices,
//! counts, copies and means, whose values have names. The layers in between have none and need none: a goal is stated
//! over the natural variables behind it, on the combinations that occur, and given to the bank. Where nothing shorter
//! than a table is found, the table stays, over the layer's own inputs.

use std::collections::BTreeSet;

use dsl::{Func, Kernel, Language, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Column, Decode, Domain, Sort, Symbol, UNDEFINED, Value, decode_code, encode_value};

use super::labels::{Free, Labels, number, sort_of_values};
use super::program::{Expressions, Selection, name};
use super::search::Space;
use super::symbolic::Classes;
use super::variables::{Dag, Origin, Select, VarId};

/// Numbers that differ by less are taken for equal: outputs that are numbers come from weights in single precision.
const NEAR: f64 = 1e-3;

/// Finds expressions for everything the output needs; labels may change where an expression names classes better.
pub(super) fn expressions(
    dag: &Dag,
    (labels, free): (&mut Labels, Free),
    domain: &Domain,
    language: &Language,
    classes: &Classes,
    deadline: &dyn Fn() -> bool,
) -> Expressions {
    let n = dag.variables.len();
    let found = Expressions { maps: vec![None; n], selects: vec![None; n], numbers: vec![None; n], readout: None };
    let mut search = Search { dag, labels, free, domain, language, classes, found, named: vec![false; n], deadline };
    let needed = dag.needed();
    for id in (0..n).filter(|&id| needed[id]) {
        if (search.deadline)() {
            break;
        }
        match &dag.variables[id].origin {
            Origin::Width { select, .. } => search.select(id, select),
            Origin::Copy { select, value } => {
                search.select(id, select);
                search.name(*value);
                let mut copied = search.labels[*value].clone();
                copied.push(Value::Undefined);
                search.labels[id] = copied;
            }
            Origin::Mean { select, value, numbers, .. } => {
                search.select(id, select);
                search.numbers(id, *value, numbers);
            }
            Origin::Token | Origin::Position | Origin::Map { .. } => {}
        }
    }
    search.readout();
    search.found
}

struct Search<'a> {
    dag: &'a Dag,
    labels: &'a mut Labels,
    /// Which variables' values mean nothing yet.
    free: Free,
    domain: &'a Domain,
    language: &'a Language,
    classes: &'a Classes,
    found: Expressions,
    named: Vec<bool>,
    deadline: &'a dyn Fn() -> bool,
}

/// The combinations of some variables' classes that occur, and which of them each point shows.
#[derive(Clone)]
struct Occurring {
    variables: Vec<VarId>,
    tuples: Vec<Vec<u32>>,
    /// Per point, its combination; `None` where a class is unknown.
    at: Vec<Option<usize>>,
    /// Per combination, a point that shows it.
    example: Vec<usize>,
}

impl Search<'_> {
    /// The natural variables behind some variables, in order.
    fn naturals(&self, ids: &[VarId]) -> Vec<VarId> {
        let mut all = BTreeSet::new();
        let mut open = ids.to_vec();
        while let Some(id) = open.pop() {
            match &self.dag.variables[id].origin {
                Origin::Map { inputs, .. } => open.extend(inputs),
                _ => {
                    all.insert(id);
                }
            }
        }
        all.into_iter().collect()
    }

    fn occurring(&self, variables: &[VarId]) -> Occurring {
        let mut seen: FxHashMap<Vec<u32>, usize> = FxHashMap::default();
        let mut found = Occurring {
            variables: variables.to_vec(),
            tuples: Vec::new(),
            at: Vec::with_capacity(self.classes.n_points),
            example: Vec::new(),
        };
        for point in 0..self.classes.n_points {
            let at = self.classes.tuple(variables, point).map(|tuple| {
                *seen.entry(tuple).or_insert_with_key(|tuple| {
                    found.tuples.push(tuple.clone());
                    found.example.push(point);
                    found.tuples.len() - 1
                })
            });
            found.at.push(at);
        }
        found
    }

    /// The problem of finding a term over the values of combinations; `wanted` are values that constants may come from.
    fn space(&self, over: &Occurring, wanted: &[Value]) -> Space<'_> {
        let columns: Vec<(Symbol, Column)> = over
            .variables
            .iter()
            .enumerate()
            .map(|(place, &id)| {
                let codes =
                    over.tuples.iter().map(|tuple| encode_value(self.labels[id][tuple[place] as usize])).collect();
                (name(id), Column::new(sort_of_values(&self.labels[id]), codes))
            })
            .collect();
        let mut constants: Vec<Value> = Vec::new();
        let labelled = over.variables.iter().filter(|&&id| sort_of_values(&self.labels[id]) == Sort::Symbol);
        let symbols = labelled.flat_map(|&id| self.labels[id].iter().copied());
        for value in wanted.iter().copied().chain(symbols) {
            let few = constants.iter().filter(|other| other.sort() == value.sort()).count() < 12;
            let plain = !matches!(value, Value::Undefined | Value::Bool(_));
            if plain && few && !constants.contains(&value) {
                constants.push(value);
            }
        }
        let longest = Value::Int(self.domain.length.1 as i64);
        if columns.iter().any(|(_, column)| column.sort == Sort::Int) && !constants.contains(&longest) {
            constants.push(longest);
        }
        Space { language: self.language, columns, constants, n_points: over.tuples.len() }
    }

    /// A term for a function of classes, given at every combination that occurs.
    fn value(&self, over: &Occurring, wanted: &[Value], bound: u32) -> Option<Term> {
        if over.variables.is_empty() || over.tuples.is_empty() || (self.deadline)() {
            return None;
        }
        let sort = sort_of_values(wanted);
        let codes: Vec<Option<i64>> =
            wanted.iter().map(|&v| Some(encode_value(v)).filter(|&c| c != UNDEFINED)).collect();
        self.space(over, wanted).value(sort, codes, bound)
    }

    /// What a table of so many entries costs.
    fn table_cost(&self, entries: usize, arguments: usize) -> u32 {
        let cost = f64::from(self.language.form_cost(dsl::Form::Table)) + 0.5 * (entries * (arguments + 1)) as f64;
        if self.language.has_form(dsl::Form::Table) { cost as u32 + 1 } else { u32::MAX }
    }

    /// Gives the classes of a finite function an expression, and thereby values.
    fn name(&mut self, id: VarId) {
        if std::mem::replace(&mut self.named[id], true) {
            return;
        }
        let Origin::Map { inputs, table } = &self.dag.variables[id].origin else { return };
        let bound = self.table_cost(table.len(), inputs.len());
        let over = self.occurring(&self.naturals(&[id]));
        let class = |at: usize| self.classes.of[id][over.example[at]];
        let classes: Vec<u32> = (0..over.tuples.len()).map(class).collect();
        if classes.contains(&super::symbolic::UNKNOWN) {
            return;
        }
        let term = if self.free[id] {
            self.free_name(id, &over, &classes, bound)
        } else {
            self.wanted_name(id, &over, &classes, bound)
        };
        if term.is_some() {
            self.found.maps[id] = term;
            return;
        }
        let inputs = inputs.clone();
        inputs.iter().for_each(|&input| self.name(input));
        if inputs.iter().any(|&input| matches!(self.dag.variables[input].origin, Origin::Map { .. })) {
            let over = self.occurring(&inputs);
            let classes: Vec<u32> = over.example.iter().map(|&point| self.classes.of[id][point]).collect();
            self.found.maps[id] = self.wanted_name(id, &over, &classes, bound);
        }
    }

    /// An expression that has the values that a variable's classes have.
    fn wanted_name(&self, id: VarId, over: &Occurring, classes: &[u32], bound: u32) -> Option<Term> {
        let wanted: Vec<Value> = classes.iter().map(|&c| self.labels[id][c as usize]).collect();
        self.value(over, &wanted, bound)
    }

    /// Any expression that tells the same classes apart; its values become theirs.
    fn free_name(&mut self, id: VarId, over: &Occurring, classes: &[u32], bound: u32) -> Option<Term> {
        let mut names = vec![UNDEFINED; self.dag.variables[id].n_classes()];
        let mut sort_found = Sort::Int;
        let term = self.space(over, &[]).accepted(Sort::Int, bound, |sort, codes| {
            names.fill(UNDEFINED);
            let consistent = codes.iter().zip(classes).all(|(&code, &class)| {
                let name = &mut names[class as usize];
                if *name == UNDEFINED {
                    *name = code;
                }
                code != UNDEFINED && *name == code
            });
            sort_found = sort;
            let mut seen = FxHashSet::default();
            consistent && names.iter().all(|&code| code == UNDEFINED || seen.insert(code))
        })?;
        self.relabel(id, names.iter().map(|&code| decode_code(sort_found, code)).collect());
        Some(term)
    }

    fn relabel(&mut self, id: VarId, values: Vec<Value>) {
        self.labels[id] = values;
        self.free[id] = false;
    }

    /// The numbers that a head averages, as an expression.
    fn numbers(&mut self, id: VarId, value: VarId, numbers: &[f64]) {
        let over = self.occurring(&self.naturals(&[value]));
        let values: Vec<Value> = (0..over.tuples.len())
            .map(|at| {
                let class = self.classes.of[value][over.example[at]];
                numbers.get(class as usize).map_or(Value::Undefined, |&n| number(n))
            })
            .collect();
        let truth = values.iter().all(|v| matches!(v, Value::Int(0 | 1)));
        let as_bool: Vec<Value> = values.iter().map(|v| Value::Bool(*v == Value::Int(1))).collect();
        let bound = self.table_cost(numbers.len(), 1);
        let term =
            truth.then(|| self.value(&over, &as_bool, bound)).flatten().or_else(|| self.value(&over, &values, bound));
        match term {
            Some(term) => self.found.numbers[id] = Some(term),
            None => self.name(value),
        }
    }

    fn readout(&mut self) {
        let readout = &self.dag.readout;
        let over = self.occurring(&self.naturals(&readout.inputs));
        let wanted: Vec<Value> = over
            .example
            .iter()
            .map(|&point| {
                let tuple = self.classes.tuple(&readout.inputs, point);
                tuple.and_then(|tuple| readout.table.get(&tuple).copied()).unwrap_or(Value::Undefined)
            })
            .collect();
        let mut bound = self.table_cost(readout.table.len(), readout.inputs.len());
        for &input in &readout.inputs {
            if let Origin::Map { inputs, table } = &self.dag.variables[input].origin {
                bound = bound.saturating_add(self.table_cost(table.len(), inputs.len()));
            }
        }
        self.found.readout = match self.domain.decode {
            Decode::Number => {
                let whole = whole(&wanted).and_then(|wanted| self.value(&over, &wanted, bound));
                whole.or_else(|| self.near(&over, &wanted, bound))
            }
            _ => self.value(&over, &wanted, bound),
        };
        if self.found.readout.is_none() {
            for &input in &readout.inputs {
                self.name(input);
            }
        }
    }

    /// A term whose numbers are those wanted, within what counts as equal.
    fn near(&self, over: &Occurring, wanted: &[Value], bound: u32) -> Option<Term> {
        let wanted: Vec<Option<f64>> = wanted.iter().map(|v| v.as_f64()).collect();
        let close = |sort: Sort, code: i64, want: Option<f64>| match (want, decode_code(sort, code).as_f64()) {
            (None, _) => true,
            (Some(want), Some(have)) => (want - have).abs() < NEAR,
            (Some(_), None) => false,
        };
        self.space(over, &[]).accepted(Sort::Real, bound, |sort, codes| {
            matches!(sort, Sort::Int | Sort::Real)
                && codes.iter().zip(&wanted).all(|(&code, &want)| close(sort, code, want))
        })
    }

    fn select(&mut self, id: VarId, select: &Select) {
        if select.is_plain() || (self.deadline)() {
            return;
        }
        let entries = select.table.iter().flatten().filter(|&&chosen| chosen).count();
        let mut bound = self.table_cost(entries, 2);
        for side in select.key.into_iter().chain(select.query) {
            if let Origin::Map { inputs, table } = &self.dag.variables[side].origin {
                bound = bound.saturating_add(self.table_cost(table.len(), inputs.len()));
            }
        }
        let sides = |search: &Self, of: &dyn Fn(VarId) -> Vec<VarId>| {
            let side = |id: Option<VarId>| search.occurring(&id.map(of).unwrap_or_default());
            Relation::of(search, select, side(select.key), side(select.query))
        };
        let relation = sides(self, &|id| self.naturals(&[id]));
        self.found.selects[id] =
            relation.single_comparison(self, bound).map(|one| vec![one]).or_else(|| relation.conjunction(self, bound));
        if self.found.selects[id].is_some() {
            return;
        }
        self.match_up(select);
        if select.key == select.query
            && let Some(key) = select.key
            && self.rank(key, select)
            && let Origin::Map { inputs, .. } = &self.dag.variables[key].origin
        {
            let inputs = inputs.clone();
            self.found.selects[id] = sides(self, &|_| inputs.clone()).ordered(self, bound).map(|one| vec![one]);
        }
        if self.found.selects[id].is_none() {
            select.key.into_iter().chain(select.query).for_each(|side| self.name(side));
        }
    }

    /// Where a class without a value goes with just one value of the other side, that becomes its value.
    fn match_up(&mut self, select: &Select) {
        let (Some(key), Some(query)) = (select.key, select.query) else { return };
        let (n_keys, n_queries) = (self.dag.variables[key].n_classes(), self.dag.variables[query].n_classes());
        let chosen = |k: usize, q: usize| select.table.get(q).and_then(|row| row.get(k)).copied().unwrap_or(false);
        let mut partner_of_key = vec![None; n_keys];
        let mut partner_of_query = vec![None; n_queries];
        for (q, k) in (0..n_queries).flat_map(|q| (0..n_keys).map(move |k| (q, k))).filter(|&(q, k)| chosen(k, q)) {
            if partner_of_key[k].replace(q).is_some() || partner_of_query[q].replace(k).is_some() {
                return;
            }
        }
        let (id, other, partners) = match (self.free[key], self.free[query]) {
            (true, false) => (key, query, partner_of_key),
            (false, true) => (query, key, partner_of_query),
            _ => return,
        };
        if sort_of_values(&self.labels[other]) != Sort::Int {
            return;
        }
        // Classes that go with nothing get numbers below all others.
        let mut spare = self.labels[other].iter().filter_map(|v| v.as_f64()).fold(0.0, f64::min) as i64;
        let values = partners.into_iter().map(|partner| match partner.map(|at| self.labels[other][at]) {
            Some(value @ Value::Int(_)) => value,
            _ => {
                spare -= 1;
                Value::Int(spare)
            }
        });
        let values = values.collect();
        self.relabel(id, values);
    }

    /// Numbers the classes behind a key by the order that a select of equal key and query gives them, for those of its
    /// arguments that have no values; whether there was one.
    fn rank(&mut self, key: VarId, select: &Select) -> bool {
        let Origin::Map { inputs, table } = &self.dag.variables[key].origin else { return false };
        let mut tuples: Vec<(&Vec<u32>, u32)> = table.iter().map(|(tuple, &class)| (tuple, class)).collect();
        tuples.sort();
        let mut any = false;
        for (place, &input) in inputs.iter().enumerate() {
            if !self.free[input] {
                continue;
            }
            // How often a class is selected by others that differ from it in this argument alone.
            let mut wins = vec![0_usize; self.dag.variables[input].n_classes()];
            for (a, k) in &tuples {
                for (b, q) in &tuples {
                    let alike = a.iter().zip(*b).enumerate().all(|(at, (x, y))| (at == place) != (x == y));
                    if alike && select.table[*q as usize][*k as usize] {
                        wins[a[place] as usize] += 1;
                    }
                }
            }
            let mut ranks = wins.clone();
            ranks.sort_unstable();
            ranks.dedup();
            if ranks.len() == wins.len() {
                let rank = |n: &usize| Value::Int((ranks.len() - 1 - ranks.partition_point(|r| r < n)) as i64);
                let values = wins.iter().map(rank).collect();
                self.relabel(input, values);
                self.name(input);
                any = true;
            }
        }
        any
    }
}

/// What a head selects, over the natural variables behind key and query, on the pairs that occur together.
#[derive(Clone)]
struct Relation {
    keys: Occurring,
    queries: Occurring,
    /// Per query combination: those key combinations that are selected, and those that are not.
    chosen: Vec<Vec<usize>>,
    left: Vec<Vec<usize>>,
    /// Whether key and query are the same variable.
    symmetric: bool,
}

impl Relation {
    fn of(search: &Search<'_>, select: &Select, keys: Occurring, queries: Occurring) -> Self {
        let class = |id: Option<VarId>, point: usize| id.map_or(0, |id| search.classes.of[id][point] as usize);
        let mut pairs: FxHashSet<(usize, usize)> = FxHashSet::default();
        let mut chosen = vec![Vec::new(); queries.tuples.len()];
        let mut left = vec![Vec::new(); queries.tuples.len()];
        for range in &search.classes.sequences {
            for query in range.clone() {
                let end = if select.causal { query + 1 } else { range.end };
                let Some(q) = queries.at[query] else { continue };
                for key in range.start..end {
                    let Some(k) = keys.at[key] else { continue };
                    if pairs.insert((q, k)) {
                        let row = select.table.get(class(select.query, query));
                        let hit = row.and_then(|row| row.get(class(select.key, key))).copied().unwrap_or(false);
                        let rows = if hit { &mut chosen } else { &mut left };
                        rows[q].push(k);
                    }
                }
            }
        }
        Self { keys, queries, chosen, left, symmetric: select.key == select.query }
    }

    /// The values of a side that has one natural variable.
    fn single(search: &Search<'_>, side: &Occurring) -> Option<(Term, Sort, Vec<Value>)> {
        let [id] = side.variables[..] else { return None };
        let values: Vec<Value> = side.tuples.iter().map(|tuple| search.labels[id][tuple[0] as usize]).collect();
        Some((Term::var(name(id)), sort_of_values(&search.labels[id]), values))
    }

    /// The pairs seen from the keys: per key combination the queries that select it, and those that do not.
    fn turned(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let turn = |rows: &[Vec<usize>]| {
            let mut turned = vec![Vec::new(); self.keys.tuples.len()];
            for (q, row) in rows.iter().enumerate() {
                row.iter().for_each(|&k| turned[k].push(q));
            }
            turned
        };
        (turn(&self.chosen), turn(&self.left))
    }

    /// One comparison of a key with a query.
    fn single_comparison(&self, search: &Search<'_>, bound: u32) -> Option<Selection> {
        self.equal(search, bound).or_else(|| self.ordered(search, bound)).or_else(|| self.key_alone(search, bound))
    }

    /// Comparisons that must all hold, one for each natural variable behind the key: the writers of several variables meet
    /// in one slot, and each adds its part to the score.
    fn conjunction(&self, search: &Search<'_>, bound: u32) -> Option<Vec<Selection>> {
        search.language.kernel_operator(Kernel::SelAnd)?;
        if self.keys.variables.len() < 2 {
            return None;
        }
        let parts: Vec<Self> = (0..self.keys.variables.len()).map(|place| self.projected(place)).collect();
        let group = |part: &Self, place: usize, k: usize| {
            part.keys.tuples.iter().position(|tuple| tuple[0] == self.keys.tuples[k][place])
        };
        let all_hold = |k: usize, q: usize| {
            parts
                .iter()
                .enumerate()
                .all(|(place, part)| group(part, place, k).is_some_and(|k| part.chosen[q].contains(&k)))
        };
        if !self.holds(all_hold) {
            return None;
        }
        // Where nothing is selected, one condition must see to it; the others may say what they like.
        (0..parts.len()).find_map(|responsible| {
            let parts = parts.iter().enumerate().map(|(place, part)| {
                let mut part = part.clone();
                if place != responsible {
                    let empty = |q: &usize| part.chosen[*q].is_empty();
                    (0..part.left.len())
                        .filter(empty)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|q| part.left[q].clear());
                }
                part
            });
            // What selects all that is seen says nothing.
            let telling = parts.filter(|part| part.left.iter().any(|row| !row.is_empty()));
            telling.map(|part| part.single_comparison(search, bound)).collect::<Option<Vec<_>>>()
        })
    }

    /// The relation of one of the natural variables behind the key with the query: chosen where any key with that value is.
    fn projected(&self, place: usize) -> Self {
        let mut tuples: Vec<Vec<u32>> = Vec::new();
        let mut group = Vec::with_capacity(self.keys.tuples.len());
        let mut example = Vec::new();
        for (tuple, &point) in self.keys.tuples.iter().zip(&self.keys.example) {
            let own = vec![tuple[place]];
            let at = tuples.iter().position(|known| *known == own).unwrap_or_else(|| {
                tuples.push(own);
                example.push(point);
                tuples.len() - 1
            });
            group.push(at);
        }
        let of = |row: &Vec<usize>| row.iter().map(|&k| group[k]).collect::<BTreeSet<usize>>();
        let chosen: Vec<BTreeSet<usize>> = self.chosen.iter().map(of).collect();
        let left = self.left.iter().zip(&chosen).map(|(row, chosen)| of(row).difference(chosen).copied().collect());
        let keys = Occurring { variables: vec![self.keys.variables[place]], tuples, at: Vec::new(), example };
        let left = left.collect();
        let chosen = chosen.into_iter().map(|row| row.into_iter().collect()).collect();
        Self { keys, queries: self.queries.clone(), chosen, left, symmetric: false }
    }

    /// key = f(query), or f(key) = query.
    fn equal(&self, search: &Search<'_>, bound: u32) -> Option<Selection> {
        let eq = Func::Op(search.language.kernel_operator(Kernel::Eq)?);
        if let Some((key, sort, values)) = Self::single(search, &self.keys) {
            let query = equated(search, &self.queries, sort, &values, &self.chosen, &self.left, bound);
            if let Some(query) = query {
                return Some((key, query, eq));
            }
        }
        let (chosen, left) = self.turned();
        let (query, sort, values) = Self::single(search, &self.queries)?;
        let key = equated(search, &self.keys, sort, &values, &chosen, &left, bound)?;
        Some((key, query, eq))
    }

    /// key < f(query) and its kin; for one variable on both sides f(key) < f(query).
    fn ordered(&self, search: &Search<'_>, bound: u32) -> Option<Selection> {
        let kernels = [Kernel::Lt, Kernel::Le, Kernel::Gt, Kernel::Ge, Kernel::Distinct];
        let operators: Vec<(Kernel, Func)> =
            kernels.iter().filter_map(|&k| Some((k, Func::Op(search.language.kernel_operator(k)?)))).collect();
        if let Some((key, sort, values)) = Self::single(search, &self.keys) {
            let space = search.space(&self.queries, &[]);
            let mut hit = None;
            let query = space.accepted(sort, bound, |found, codes| {
                if found != sort {
                    return false;
                }
                hit = operators.iter().position(|(kernel, _)| {
                    (matches!(sort, Sort::Int | Sort::Real) || *kernel == Kernel::Distinct)
                        && self.holds(|k, q| super::program::compare(*kernel, values[k], decode_code(sort, codes[q])))
                });
                hit.is_some()
            });
            if let (Some(query), Some(at)) = (query, hit) {
                return Some((key, query, operators[at].1.clone()));
            }
        }
        if !self.symmetric {
            return None;
        }
        let eq = search.language.kernel_operator(Kernel::Eq).map(|eq| (Kernel::Eq, Func::Op(eq)));
        let operators: Vec<(Kernel, Func)> = eq.into_iter().chain(operators).collect();
        let mut hit = None;
        let space = search.space(&self.keys, &[]);
        let term = space.accepted(Sort::Int, bound, |sort, codes| {
            hit = operators.iter().position(|(kernel, _)| {
                (matches!(sort, Sort::Int | Sort::Real) || matches!(*kernel, Kernel::Distinct | Kernel::Eq))
                    && self.holds(|k, q| {
                        super::program::compare(*kernel, decode_code(sort, codes[k]), decode_code(sort, codes[q]))
                    })
            });
            hit.is_some()
        })?;
        Some((term.clone(), term, operators[hit?].1.clone()))
    }

    /// A condition on the key alone.
    fn key_alone(&self, search: &Search<'_>, bound: u32) -> Option<Selection> {
        let eq = Func::Op(search.language.kernel_operator(Kernel::Eq)?);
        let mut wanted = vec![Value::Undefined; self.keys.tuples.len()];
        for (rows, value) in [(&self.chosen, true), (&self.left, false)] {
            for &k in rows.iter().flatten() {
                if wanted[k] == Value::Bool(!value) {
                    return None;
                }
                wanted[k] = Value::Bool(value);
            }
        }
        let term = search.value(&self.keys, &wanted, bound)?;
        Some((term, Term::constant(Value::Bool(true)), eq))
    }

    /// Whether a predicate of key and query combinations is the relation.
    fn holds(&self, pred: impl Fn(usize, usize) -> bool) -> bool {
        (0..self.chosen.len())
            .all(|q| self.chosen[q].iter().all(|&k| pred(k, q)) && self.left[q].iter().all(|&k| !pred(k, q)))
    }
}

/// A term over `side` that equals the other side's value exactly where chosen.
fn equated(
    search: &Search<'_>,
    side: &Occurring,
    sort: Sort,
    values: &[Value],
    chosen: &[Vec<usize>],
    left: &[Vec<usize>],
    bound: u32,
) -> Option<Term> {
    let codes: Vec<i64> = values.iter().map(|&v| encode_value(v)).collect();
    let mut need: Vec<Option<i64>> = Vec::with_capacity(chosen.len());
    for row in chosen {
        let mut distinct: Vec<i64> = row.iter().map(|&k| codes[k]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        match distinct[..] {
            [] => need.push(None),
            [one] if one != UNDEFINED => need.push(Some(one)),
            _ => return None,
        }
    }
    let forbidden: Vec<FxHashSet<i64>> = left.iter().map(|row| row.iter().map(|&k| codes[k]).collect()).collect();
    let fits = |found: &[i64]| {
        found.iter().enumerate().all(|(q, code)| match need[q] {
            Some(want) => want == *code,
            None => *code == UNDEFINED || !forbidden[q].contains(code),
        })
    };
    if need.iter().enumerate().any(|(q, want)| want.is_some_and(|want| forbidden[q].contains(&want))) {
        return None;
    }
    let wanted: Vec<Value> = need.iter().flatten().map(|&code| decode_code(sort, code)).collect();
    let space = search.space(side, &wanted);
    space.accepted(sort, bound, |found, codes| found == sort && fits(codes)).or_else(|| {
        // One operator further, at the price of leaving open what nothing may be selected by.
        let term = (!side.variables.is_empty()).then(|| space.value(sort, need.clone(), bound)).flatten()?;
        let points = samples::Points::from_lengths(std::iter::repeat_n(1, space.n_points));
        let env = dsl::Env { language: search.language, points: &points, vars: &space.columns, causal: true };
        let column = dsl::eval(&term, &env).ok()?;
        fits(&column.codes).then_some(term)
    })
}

/// Numbers as the integers that they are within what counts as equal, where all are.
fn whole(values: &[Value]) -> Option<Vec<Value>> {
    let integer = |value: &Value| match value.as_f64() {
        Some(number) => ((number - number.round()).abs() < NEAR).then(|| Value::Int(number.round() as i64)),
        None => Some(Value::Undefined),
    };
    values.iter().map(integer).collect()
}
