//! Random terms of every form, with shared subterms.

use std::sync::Arc;

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use samples::{Rng, Sort, Symbol, Value};

use crate::{Form, Func, Language, Node, OpId, Scan, Table, Term};

/// A bit-vector: near the ends of the orders, or anything.
pub(super) fn bits(width: u8, rng: &mut Rng) -> i64 {
    let top = samples::mask(width);
    let chosen = [0, 1, 2, 5, top, top / 2, top / 2 + 1, rng.random::<u64>()];
    (chosen.choose(rng).expect("some") & top) as i64
}

/// Draws terms of a language.
pub(super) struct Generator<'a> {
    language: &'a Language,
    rng: Rng,
    sorts: Vec<Sort>,
    n_names: usize,
    /// Terms made so far in the present scope.
    pool: Vec<(Sort, Term)>,
    vars: Vec<(Symbol, Sort)>,
    /// Whether other positions can be seen here.
    around: bool,
}

impl<'a> Generator<'a> {
    pub(super) fn new(language: &'a Language, rng: Rng, vars: &[(Symbol, Sort)]) -> Self {
        let mut sorts = vec![Sort::Bool, Sort::Int];
        if language.has_bit_vectors() {
            sorts = vec![Sort::Bool, Sort::BitVec(8), Sort::BitVec(64)];
        }
        if language.has_form(Form::Select) {
            sorts.extend([Sort::Real, Sort::Symbol]);
        }
        Self { language, rng, sorts, n_names: 0, pool: Vec::new(), vars: vars.to_vec(), around: true }
    }

    /// A program: sometimes a scan of several outputs.
    pub(super) fn program(&mut self, fuel: usize) -> Term {
        self.pool.clear();
        if self.language.has_form(Form::Scan) && self.rng.random_bool(0.4) {
            let n_outputs = self.rng.random_range(1..3);
            return self.scan(fuel, &vec![Sort::Int; n_outputs]);
        }
        let sort = *self.sorts.choose(&mut self.rng).expect("sorts");
        self.term(sort, fuel)
    }

    /// A term that looks at no other position.
    pub(super) fn scalar(&mut self, sort: Sort, fuel: usize) -> Term {
        self.pool.clear();
        self.scoped(Vec::new(), false, |g| g.term(sort, fuel))
    }

    /// True with a probability.
    pub(super) fn draw(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    pub(super) fn value(&mut self, sort: Sort) -> Value {
        match sort {
            Sort::Bool => Value::Bool(self.rng.random()),
            Sort::Int => Value::Int(self.rng.random_range(-2..6)),
            Sort::BitVec(width) => Value::bit_vec(width, bits(width, &mut self.rng) as u64),
            Sort::Real => Value::Real(f64::from(self.rng.random_range(-4..5)) / 4.0),
            _ => Value::Symbol((*["a", "b", "\"q\\"].choose(&mut self.rng).expect("symbols")).into()),
        }
    }

    fn fresh(&mut self, prefix: &str) -> Symbol {
        self.n_names += 1;
        Symbol::new(&format!("{prefix}{}", self.n_names))
    }

    pub(super) fn term(&mut self, sort: Sort, fuel: usize) -> Term {
        let known: Vec<Term> = self.pool.iter().filter(|(s, _)| *s == sort).map(|(_, t)| t.clone()).collect();
        if let Some(term) = known.choose(&mut self.rng)
            && self.rng.random_bool(0.2)
        {
            return term.clone();
        }
        let term = self.new_term(sort, fuel);
        self.pool.push((sort, term.clone()));
        term
    }

    fn new_term(&mut self, sort: Sort, fuel: usize) -> Term {
        if sort == Sort::Selector {
            return self.selector(fuel);
        }
        let rest = fuel.saturating_sub(1);
        match self.rng.random_range(0..20) {
            _ if fuel == 0 => self.leaf(sort),
            0 => self.leaf(sort),
            1 if self.language.has_form(Form::Let) => {
                let name = self.fresh("v");
                let other = *self.sorts.choose(&mut self.rng).expect("sorts");
                let value = self.term(other, rest);
                let body = self.scoped(vec![(name, other)], self.around, |g| g.term(sort, rest));
                Term::new(Node::Let(vec![(name, value)], body))
            }
            2 if self.language.has_form(Form::Scan) && self.around => self.scan(rest, &[sort]),
            3 if self.language.has_form(Form::Table) => {
                let n_params = self.rng.random_range(1..4);
                let params: Vec<Sort> =
                    (0..n_params).map(|_| *self.sorts.choose(&mut self.rng).expect("sorts")).collect();
                let table = self.table(params.clone(), sort);
                let args = params.into_iter().map(|param| self.term(param, rest)).collect();
                Term::app(Func::Table(table), args)
            }
            _ => {
                let sorts = [&self.sorts[..], &[Sort::Selector]].concat();
                let choices: Vec<(OpId, Vec<Sort>)> = self
                    .language
                    .operators()
                    .flat_map(|(id, op)| op.instances(&sorts).into_iter().map(move |instance| (id, instance)))
                    .filter(|(_, (params, result))| {
                        *result == sort && (self.around || !params.contains(&Sort::Selector))
                    })
                    .map(|(id, (params, _))| (id, params))
                    .collect();
                match choices.choose(&mut self.rng) {
                    Some((id, params)) => Term::op(*id, params.iter().map(|param| self.term(*param, rest)).collect()),
                    None => self.leaf(sort),
                }
            }
        }
    }

    fn leaf(&mut self, sort: Sort) -> Term {
        let vars: Vec<Symbol> = self.vars.iter().filter(|(_, s)| *s == sort).map(|(name, _)| *name).collect();
        match vars.choose(&mut self.rng) {
            Some(name) if self.rng.random_bool(0.7) => Term::var(*name),
            _ if self.rng.random_bool(0.05) && sort == Sort::Int => Term::constant(Value::Undefined),
            _ => {
                let value = self.value(sort);
                Term::constant(value)
            }
        }
    }

    /// Runs with more variables and a pool of its own.
    fn scoped<T>(&mut self, vars: Vec<(Symbol, Sort)>, around: bool, run: impl FnOnce(&mut Self) -> T) -> T {
        let (depth, pool, outer) = (self.vars.len(), self.pool.clone(), self.around);
        self.vars.extend(vars);
        self.around = around;
        let result = run(self);
        self.vars.truncate(depth);
        self.pool = pool;
        self.around = outer;
        result
    }

    fn scan(&mut self, fuel: usize, outputs: &[Sort]) -> Term {
        let rest = fuel.saturating_sub(1);
        let n_states = self.rng.random_range(0..3);
        let states: Vec<(Symbol, Sort)> =
            (0..n_states).map(|_| (self.fresh("s"), *self.sorts.choose(&mut self.rng).expect("sorts"))).collect();
        let (states, outputs) = self.scoped(states.clone(), false, |g| {
            let states: Vec<(Symbol, Value, Term)> =
                states.iter().map(|&(name, sort)| (name, g.value(sort), g.term(sort, rest))).collect();
            let after = states
                .iter()
                .map(|(name, init, _)| (Symbol::new(&format!("{name}'")), init.sort().expect("defined")))
                .collect();
            let outputs = g.scoped(after, false, |g| outputs.iter().map(|&sort| g.term(sort, rest)).collect());
            (states, outputs)
        });
        Term::new(Node::Scan(Scan { states, outputs }))
    }

    fn table(&mut self, params: Vec<Sort>, result: Sort) -> Arc<Table> {
        let mut entries: Vec<(Vec<Value>, Value)> = Vec::new();
        for _ in 0..self.rng.random_range(0..8) {
            let none = self.rng.random_bool(0.1);
            let keys: Vec<Value> =
                params.iter().map(|&sort| if none { Value::Undefined } else { self.value(sort) }).collect();
            if !entries.iter().any(|(other, _)| *other == keys) {
                let value = self.value(result);
                entries.push((keys, value));
            }
        }
        Arc::new(Table { name: self.fresh("t"), params, result, entries })
    }

    fn selector(&mut self, fuel: usize) -> Term {
        let rest = fuel.saturating_sub(1);
        if fuel > 0 && self.rng.random_bool(0.3) {
            let op = *["sel_and", "sel_or", "sel_not"].choose(&mut self.rng).expect("operators");
            let id = self.language.operator(op).expect("rasp");
            let n = self.language.op(id).params.len();
            return Term::op(id, (0..n).map(|_| self.term(Sort::Selector, rest)).collect());
        }
        let (key_sort, query_sort) =
            (*self.sorts.choose(&mut self.rng).expect("sorts"), *self.sorts.choose(&mut self.rng).expect("sorts"));
        let (key, query) = (self.term(key_sort, rest), self.term(query_sort, rest));
        let pred = match self.rng.random_range(0..3) {
            0 if key_sort == query_sort => {
                let numeric = matches!(key_sort, Sort::Int | Sort::Real);
                let names: &[&str] = if numeric { &["=", "!=", "<", "<=", ">", ">="] } else { &["=", "!="] };
                Func::Op(self.language.operator(names.choose(&mut self.rng).expect("names")).expect("comparison"))
            }
            1 => Func::Table(self.table(vec![key_sort, query_sort], Sort::Bool)),
            _ => {
                let outer = std::mem::take(&mut self.vars);
                let pool = std::mem::take(&mut self.pool);
                let params = vec![(Symbol::new("k"), key_sort), (Symbol::new("q"), query_sort)];
                let body = self.scoped(params, false, |g| g.term(Sort::Bool, rest.min(2)));
                self.vars = outer;
                self.pool = pool;
                Func::Lambda(vec!["k".into(), "q".into()], body)
            }
        };
        Term::new(Node::Select { key, query, pred })
    }
}
