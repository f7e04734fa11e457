//! Outputs that are classes: strategies see numbers, programs say what these stand for.
//!
//! A class that is an integer or a truth value is its own number; others are numbered as the domain lists them. So every
//! strategy proposes programs with integer outputs, whatever the network's outputs are, and only then are these named.

use std::sync::Arc;

use dsl::{Func, Kernel, Node, Scan, Table, Term};
use samples::{Column, Decode, Sort, Symbol, Value, encode_value};

use super::build::Build;

/// More classes than so many are looked up in a table, if the language has tables.
const MAX_CASES: usize = 4;

/// The classes of a categorical output, each with the number that strategies see.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Classes {
    classes: Vec<(i64, Value)>,
    sort: Sort,
}

impl Classes {
    /// `None` where outputs are numbers already.
    pub(crate) fn of(decode: &Decode) -> Option<Self> {
        let Decode::Argmax(values) = decode else { return None };
        let mut classes: Vec<(i64, Value)> = Vec::new();
        for (place, &value) in (0..).zip(values) {
            let number = match value {
                Value::Int(number) => number,
                Value::Bool(truth) => i64::from(truth),
                _ => place,
            };
            if classes.iter().all(|&(_, known)| known != value) {
                classes.push((number, value));
            }
        }
        let sort = values.iter().find_map(|value| value.sort())?;
        Some(Self { classes, sort })
    }

    /// The number of the class with a code; `None` where that names none.
    pub(crate) fn number(&self, code: i64) -> Option<i64> {
        self.classes.iter().find(|&&(_, value)| encode_value(value) == code).map(|&(number, _)| number)
    }

    /// A column of a program's output as numbers of classes; what is no class is undefined.
    pub(crate) fn numbers(&self, column: &Column) -> Column {
        if matches!(column.sort, Sort::Int | Sort::Bool) {
            return column.clone();
        }
        let number = |&code: &i64| self.number(code).unwrap_or(samples::UNDEFINED);
        Column::new(Sort::Int, column.codes.iter().map(number).collect())
    }

    /// A program whose output is a number, or a truth value that stands for 0 or 1, as one that puts out classes. `None` where
    /// it says a number that is none's, or the language cannot tell them apart.
    pub(crate) fn named(&self, program: &Term, inputs: &[(Symbol, Sort)], build: Build) -> Option<Term> {
        let sorts = dsl::program_sorts(program, build.language, inputs).ok()?;
        let [sort] = sorts[..] else { return None };
        if sort == self.sort || self.sort == Sort::Int {
            return Some(program.clone());
        }
        match program.node() {
            Node::Scan(scan) => {
                let outputs = vec![self.name(scan.outputs.first()?, sort, build)?];
                Some(Term::new(Node::Scan(Scan { states: scan.states.clone(), outputs })))
            }
            _ => self.name(program, sort, build),
        }
    }

    /// What an output costs once it is named: a term over integers of these names.
    pub(crate) fn cost_of(&self, output: &Term, names: &[Symbol], build: Build) -> f64 {
        let inputs: Vec<(Symbol, Sort)> = names.iter().map(|&name| (name, Sort::Int)).collect();
        self.named(output, &inputs, build).map_or(f64::INFINITY, |named| build.cost(&named))
    }

    /// Whether classes have names that say nothing of their order.
    pub(crate) fn are_names(&self) -> bool {
        !matches!(self.sort, Sort::Int | Sort::Bool)
    }

    fn value(&self, number: i64) -> Option<Value> {
        self.classes.iter().find(|class| class.0 == number).map(|class| class.1)
    }

    /// Names what a term of integers or truth values says: its constants where it chooses between such, else case by case.
    fn name(&self, term: &Term, sort: Sort, build: Build) -> Option<Term> {
        match term.node() {
            Node::Const(Value::Int(number)) => return self.value(*number).map(Term::constant),
            Node::Const(Value::Bool(b)) => return self.value(i64::from(*b)).map(Term::constant),
            Node::App(Func::Op(op), args) if build.language.op(*op).kernel() == Some(Kernel::Ite) => {
                let [condition, a, b] = &args[..] else { return None };
                let branches = [self.name(a, sort, build)?, self.name(b, sort, build)?];
                return Some(Term::op(*op, [vec![condition.clone()], branches.to_vec()].concat()));
            }
            Node::App(Func::Table(table), args) => {
                let named = |(key, value): &(Vec<Value>, Value)| match value {
                    Value::Int(number) => Some((key.clone(), self.value(*number)?)),
                    _ => None,
                };
                let entries = table.entries.iter().map(named).collect::<Option<Vec<_>>>()?;
                let table = Table { result: self.sort, entries, ..(**table).clone() };
                return Some(Term::app(Func::Table(Arc::new(table)), args.clone()));
            }
            _ => {}
        }
        match (sort, self.sort) {
            (Sort::Bool, _) => {
                let [no, yes] = [0, 1].map(|number| self.value(number).map(Term::constant));
                build.kernel(Kernel::Ite, vec![term.clone(), yes?, no?])
            }
            (Sort::Int, Sort::Bool) => build.kernel(Kernel::Eq, vec![term.clone(), Term::int(1)]),
            (Sort::Int, _) if self.classes.len() > MAX_CASES => {
                self.by_table(term, build).or_else(|| self.by_case(term, build))
            }
            (Sort::Int, _) => self.by_case(term, build).or_else(|| self.by_table(term, build)),
            _ => None,
        }
    }

    fn by_case(&self, term: &Term, build: Build) -> Option<Term> {
        let (&(_, last), rest) = self.classes.split_last()?;
        rest.iter().rev().try_fold(Term::constant(last), |other, &(number, value)| {
            let is_this = build.kernel(Kernel::Eq, vec![term.clone(), Term::int(number)])?;
            build.kernel(Kernel::Ite, vec![is_this, Term::constant(value), other])
        })
    }

    fn by_table(&self, term: &Term, build: Build) -> Option<Term> {
        let entries = self.classes.iter().map(|&(number, value)| (vec![Value::Int(number)], value)).collect();
        let table = Table { name: Symbol::new("class"), params: vec![Sort::Int], result: self.sort, entries };
        let has_tables = build.language.has_form(dsl::Form::Table);
        has_tables.then(|| Term::app(Func::Table(Arc::new(table)), vec![term.clone()]))
    }
}

#[cfg(test)]
mod tests {
    use dsl::Language;

    use super::*;

    fn symbols(names: &[&str]) -> Vec<Value> {
        names.iter().map(|&name| Value::Symbol(name.into())).collect()
    }

    #[track_caller]
    fn check(values: Vec<Value>, program: &str, expected: Option<&str>) {
        let language = Language::load_shipped("recurrent").expect("shipped");
        let inputs = [(Symbol::new("x"), Sort::Int)];
        let classes = Classes::of(&Decode::Argmax(values)).expect("classes");
        let program = dsl::parse_term(program, &language, &inputs).expect("sound");
        let named = classes.named(&program, &inputs, Build { language: &language });
        assert_eq!(named.map(|term| dsl::print(&term, &language)).as_deref(), expected);
    }

    #[test]
    fn numbers_and_truth_values_stand_for_themselves() {
        check(vec![Value::Int(3), Value::Int(1)], "(+ x 1)", Some("(+ x 1)"));
        check(vec![Value::Bool(true), Value::Bool(false)], "(< x 1)", Some("(< x 1)"));
        check(vec![Value::Bool(true), Value::Bool(false)], "(% x 2)", Some("(= (% x 2) 1)"));
    }

    #[test]
    fn names_stand_where_numbers_are_chosen() {
        check(
            symbols(&["a", "b", "c"]),
            "(ite (< x 1) 2 (ite (< x 5) 0 1))",
            Some(r#"(ite (< x 1) "c" (ite (< x 5) "a" "b"))"#),
        );
        check(symbols(&["a", "b"]), "(< x 3)", Some(r#"(ite (< x 3) "b" "a")"#));
        check(symbols(&["a", "b"]), "(% x 2)", Some(r#"(ite (= (% x 2) 0) "a" "b")"#));
        check(
            symbols(&["a", "b"]),
            "(scan ((s 0 (% (+ s x) 2))) s')",
            Some(r#"(scan ((s 0 (% (+ s x) 2))) (ite (= s' 0) "a" "b"))"#),
        );
        check(symbols(&["a", "b"]), "(ite (< x 3) 2 0)", None);
    }

    #[test]
    fn columns_are_read_back() {
        let classes = Classes::of(&Decode::Argmax(symbols(&["a", "b", "a"]))).expect("classes");
        let codes = symbols(&["b", "a", "z"]).into_iter().map(encode_value).collect();
        assert_eq!(classes.numbers(&Column::new(Sort::Symbol, codes)).codes, [1, 0, samples::UNDEFINED]);
    }
}
