//! Programs that differ from a given one in one place: what a judge must be able to tell from it.

use std::sync::Arc;

use dsl::{Func, Language, Node, Scan, Table, Term};
use samples::{Domain, Elements, Symbol, Value};

/// What was changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    /// An operator, for another one with as many parameters.
    Operator,
    /// A constant, the initial value of a state among them.
    Constant,
    /// An argument: exchanged with another, replaced by a variable, or put in the place of the whole.
    Argument,
    /// An entry of a table.
    Entry,
}

/// A program with one change.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The program.
    pub term: Term,
    /// What differs.
    pub change: Change,
}

/// All programs with one change that have the sorts of the one given, in a fixed order. Some may mean the same.
pub fn mutants(program: &Term, language: &Language, domain: &Domain) -> Vec<Mutant> {
    let inputs = domain.inputs();
    let Ok(sorts) = dsl::program_sorts(program, language, &inputs) else { return Vec::new() };
    let mut constants = match &domain.elements {
        Elements::Tokens { vocab, .. } | Elements::Recorded { vocab, .. } => vocab.clone(),
        Elements::Integers { .. } => Vec::new(),
    };
    constants.retain(|value| matches!(value, Value::Symbol(_)));
    constants_of(program, &mut constants);
    let scope = inputs.iter().map(|(name, _)| *name).collect();
    let found = Mutator { language, constants }.changes(program, &scope);
    let fits = |term: &Term| dsl::program_sorts(term, language, &inputs).is_ok_and(|found| found == sorts);
    found.into_iter().filter(|mutant| mutant.term != *program && fits(&mutant.term)).collect()
}

/// Symbols that a program names.
fn constants_of(term: &Term, found: &mut Vec<Value>) {
    if let Node::Const(value @ Value::Symbol(_)) = term.node()
        && !found.contains(value)
    {
        found.push(*value);
    }
    parts(term).iter().for_each(|part| constants_of(part, found));
}

struct Mutator<'a> {
    language: &'a Language,
    constants: Vec<Value>,
}

/// Names that can be used at some place.
type Scope = Vec<Symbol>;

impl Mutator<'_> {
    /// All changes of a term: at its head, then within its parts.
    fn changes(&self, term: &Term, scope: &Scope) -> Vec<Mutant> {
        let mut found = self.at_head(term, scope);
        for (index, part) in parts(term).iter().enumerate() {
            let inner = scope_of(term, index, scope);
            for mutant in self.changes(part, &inner) {
                found.push(Mutant { term: with_part(term, index, mutant.term), change: mutant.change });
            }
        }
        found
    }

    fn at_head(&self, term: &Term, scope: &Scope) -> Vec<Mutant> {
        let as_constant = |term: Term| Mutant { term, change: Change::Constant };
        let as_argument = |term: Term| Mutant { term, change: Change::Argument };
        match term.node() {
            Node::Const(value) => self.others(*value).into_iter().map(Term::constant).map(as_constant).collect(),
            Node::Var(name) => {
                let others = scope.iter().filter(|other| *other != name).map(|other| Term::var(*other));
                others.chain([Term::int(0), Term::int(1), Term::constant(Value::Bool(true))]).map(as_argument).collect()
            }
            Node::App(func, args) => {
                let call = |func: Func| Term::app(func, args.clone());
                let mut found = self.functions(func, args.len(), &call);
                found.extend(exchanged(args).into_iter().map(|args| as_argument(Term::app(func.clone(), args))));
                found.extend(args.iter().cloned().map(as_argument));
                found.extend(args.iter().flat_map(parts).map(as_argument));
                found
            }
            Node::Select { key, query, pred } => {
                let select = |key: &Term, query: &Term, pred: Func| {
                    Term::new(Node::Select { key: key.clone(), query: query.clone(), pred })
                };
                let mut found = self.functions(pred, 2, &|pred| select(key, query, pred));
                found.push(as_argument(select(query, key, pred.clone())));
                found
            }
            Node::Scan(scan) => {
                let mut found = Vec::new();
                for (place, (_, init, _)) in scan.states.iter().enumerate() {
                    for value in self.others(*init) {
                        let mut states = scan.states.clone();
                        states[place].1 = value;
                        found.push(as_constant(Term::new(Node::Scan(Scan { states, outputs: scan.outputs.clone() }))));
                    }
                }
                found
            }
            Node::Let(..) => Vec::new(),
        }
    }

    /// Other functions in the place of one.
    fn functions(&self, func: &Func, n_args: usize, call: &dyn Fn(Func) -> Term) -> Vec<Mutant> {
        match func {
            Func::Table(table) => entries(table)
                .into_iter()
                .map(|table| Mutant { term: call(Func::Table(Arc::new(table))), change: Change::Entry })
                .collect(),
            Func::Op(own) => {
                let others = self.language.operators().filter(|(id, op)| id != own && op.params.len() == n_args);
                others.map(|(id, _)| Mutant { term: call(Func::Op(id)), change: Change::Operator }).collect()
            }
            Func::Lambda(params, body) => {
                let inner = self.changes(body, params);
                let changed = |mutant: Mutant| Mutant {
                    term: call(Func::Lambda(params.clone(), mutant.term)),
                    change: mutant.change,
                };
                inner.into_iter().map(changed).collect()
            }
            Func::Kernel(_) => Vec::new(),
        }
    }

    /// Other constants near one.
    fn others(&self, value: Value) -> Vec<Value> {
        match value {
            Value::Bool(b) => vec![Value::Bool(!b)],
            Value::Int(i) => {
                let near = [1, -1, 2, -2].into_iter().filter_map(|step| i.checked_add(step));
                let far = [i.checked_mul(2), i.checked_neg(), Some(0)].into_iter().flatten();
                let mut others: Vec<i64> = near.chain(far).filter(|other| *other != i).collect();
                others.sort_unstable();
                others.dedup();
                others.into_iter().map(Value::Int).collect()
            }
            Value::Real(r) => [r + 1.0, r - 1.0, 2.0 * r].into_iter().filter(|o| *o != r).map(Value::Real).collect(),
            Value::Symbol(_) => self.constants.iter().copied().filter(|other| *other != value).collect(),
            _ => Vec::new(),
        }
    }
}

/// A table with one entry changed to the result of another, the next two that differ.
fn entries(table: &Table) -> Vec<Table> {
    let changed = |place: usize| {
        let own = table.entries[place].1;
        let mut others: Vec<Value> = Vec::new();
        for (_, result) in table.entries.iter().cycle().skip(place + 1).take(table.entries.len()) {
            if *result != own && !others.contains(result) && others.len() < 2 {
                others.push(*result);
            }
        }
        let with = move |other: Value| {
            let mut changed = table.clone();
            changed.entries[place].1 = other;
            changed
        };
        others.into_iter().map(with)
    };
    (0..table.entries.len()).flat_map(changed).collect()
}

/// Arguments with two of them exchanged.
fn exchanged(args: &[Term]) -> Vec<Vec<Term>> {
    let pairs = (0..args.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let swap = |(i, j): (usize, usize)| {
        let mut args = args.to_vec();
        args.swap(i, j);
        args
    };
    pairs.filter(|&(i, j)| args[i] != args[j]).map(swap).collect()
}

/// The direct parts of a term, in a fixed order.
fn parts(term: &Term) -> Vec<Term> {
    match term.node() {
        Node::Var(_) | Node::Const(_) => Vec::new(),
        Node::App(_, args) => args.clone(),
        Node::Let(bindings, body) => bindings.iter().map(|(_, value)| value.clone()).chain([body.clone()]).collect(),
        Node::Scan(scan) => scan.states.iter().map(|state| state.2.clone()).chain(scan.outputs.clone()).collect(),
        Node::Select { key, query, .. } => vec![key.clone(), query.clone()],
    }
}

/// A term with one of its direct parts replaced.
fn with_part(term: &Term, index: usize, part: Term) -> Term {
    match term.node() {
        Node::Var(_) | Node::Const(_) => term.clone(),
        Node::App(func, args) => {
            let mut args = args.clone();
            args[index] = part;
            Term::app(func.clone(), args)
        }
        Node::Let(bindings, body) => {
            let mut bindings = bindings.clone();
            match bindings.get_mut(index) {
                Some(binding) => {
                    binding.1 = part;
                    Term::new(Node::Let(bindings, body.clone()))
                }
                None => Term::new(Node::Let(bindings, part)),
            }
        }
        Node::Scan(scan) => {
            let mut scan = scan.clone();
            match scan.states.get_mut(index) {
                Some(state) => state.2 = part,
                None => scan.outputs[index - scan.states.len()] = part,
            }
            Term::new(Node::Scan(scan))
        }
        Node::Select { key, query, pred } => {
            let (key, query) = if index == 0 { (part, query.clone()) } else { (key.clone(), part) };
            Term::new(Node::Select { key, query, pred: pred.clone() })
        }
    }
}

/// The names that the part of a term can use.
fn scope_of(term: &Term, index: usize, scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    match term.node() {
        Node::Let(bindings, _) => scope.extend(bindings.iter().take(index).map(|(name, _)| *name)),
        Node::Scan(scan) => {
            scope.extend(scan.states.iter().map(|state| state.0));
            if index >= scan.states.len() {
                scope.extend(scan.states.iter().map(|state| crate::primed(state.0)));
            }
        }
        _ => {}
    }
    scope
}

#[cfg(test)]
mod tests {
    use samples::Decode;

    use super::*;

    #[test]
    fn every_mutant_differs_in_one_place_and_keeps_its_sorts() {
        let language = Language::load_shipped("recurrent").expect("it is shipped");
        let domain = Domain {
            elements: Elements::Integers { dim: 1, lo: 0, hi: 3 },
            length: (1, 4),
            decode: Decode::Round,
            n_outputs: 1,
        };
        let read = |text: &str| dsl::parse_term(text, &language, &domain.inputs()).expect(text);
        let program = read("(scan ((s 0 (% (+ s x) 3))) (ite (< s' x) 1 0))");
        let found = mutants(&program, &language, &domain);
        let has = |text: &str, change: Change| found.iter().any(|m| m.term == read(text) && m.change == change);
        assert!(has("(scan ((s 0 (% (- s x) 3))) (ite (< s' x) 1 0))", Change::Operator));
        assert!(has("(scan ((s 1 (% (+ s x) 3))) (ite (< s' x) 1 0))", Change::Constant));
        assert!(has("(scan ((s 0 (% (+ s x) 4))) (ite (< s' x) 1 0))", Change::Constant));
        assert!(has("(scan ((s 0 (% (+ s x) 3))) (ite (< x s') 1 0))", Change::Argument));
        assert!(has("(scan ((s 0 (% (+ s x) 3))) (ite (< s x) 1 0))", Change::Argument));
        assert!(has("(scan ((s 0 (+ s x))) (ite (< s' x) 1 0))", Change::Argument));
        assert!(found.iter().all(|mutant| mutant.term != program));
        assert!(found.len() > 30, "{}", found.len());
    }
}
