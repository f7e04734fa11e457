//! Terms: the expressions that programs are made of.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::{Kernel, OpId};

/// An expression, shared by reference: cloning is cheap.
///
/// Every term has a value at every point of a batch of sequences. Operators of scalar sorts apply point by point, so an
/// `Int` term is an integer per position (what RASP calls a sequence operator). What looks beyond a point is explicit:
/// [`Node::Scan`] carries state along the sequence, [`Node::Select`] relates a position to the others.
#[derive(Clone, PartialEq, Debug)]
pub struct Term(Arc<Node>);

/// The head of a term.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// A variable: an input of the domain (`x`, `tokens`, ...), a state of the enclosing scan, a let-bound name, a
    /// parameter of an operator's meaning or of a lambda.
    Var(Symbol),
    /// A constant.
    Const(Value),
    /// A function applied to arguments.
    App(Func, Vec<Term>),
    /// Names for shared subterms, each visible in the later ones and in the body.
    Let(Vec<(Symbol, Term)>, Term),
    /// State carried along the sequence; see [`Scan`].
    Scan(Scan),
    /// The positions of the sequence whose key stands in the relation `pred(key, query)` to this position's query; in
    /// a causal context, only positions up to this one.
    Select {
        /// The value at the position selected.
        key: Term,
        /// The value at the position that selects.
        query: Term,
        /// A function of (key, query) to `Bool`; undefined counts as false.
        pred: Func,
    },
}

/// `(scan ((s INIT UPDATE) ...) OUTPUT ...)`: at each element, every state takes the value of its update, all at once.
///
/// In updates and outputs `s` is the value before this element and, in outputs, `s'` the value after it. The initial
/// value is that of `s` at the first element. A scan with several outputs is a program of its own, not a subterm.
#[derive(Clone, PartialEq, Debug)]
pub struct Scan {
    /// Name, initial value and update of each state variable.
    pub states: Vec<(Symbol, Value, Term)>,
    /// One output for each output of the network.
    pub outputs: Vec<Term>,
}

/// What can be applied.
#[derive(Clone, PartialEq, Debug)]
pub enum Func {
    /// An operator of the language.
    Op(OpId),
    /// A function of the kernel; only in the meaning of operators, never in programs.
    Kernel(Kernel),
    /// A finite function.
    Table(Arc<Table>),
    /// `(lambda (k q) BODY)`: a function of its parameters alone.
    Lambda(Vec<Symbol>, Term),
}

/// A finite function from tuples of values to values. Tuples not listed have no value. Unlike operators, tables see
/// undefined arguments: `none` may stand in a key.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// The name that it is printed by.
    pub name: Symbol,
    /// The sorts of the arguments.
    pub params: Vec<Sort>,
    /// The sort of the result.
    pub result: Sort,
    /// Arguments and result of each entry, in a fixed order without repeated arguments.
    pub entries: Vec<(Vec<Value>, Value)>,
}

impl Term {
    /// A term from its head.
    pub fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// A variable.
    pub fn var(name: impl Into<Symbol>) -> Self {
        Self::new(Node::Var(name.into()))
    }

    /// A constant.
    pub fn constant(value: Value) -> Self {
        Self::new(Node::Const(value))
    }

    /// An integer constant.
    pub fn int(value: i64) -> Self {
        Self::constant(Value::Int(value))
    }

    /// An operator applied to arguments.
    pub fn op(op: OpId, args: Vec<Term>) -> Self {
        Self::new(Node::App(Func::Op(op), args))
    }

    /// A function applied to arguments.
    pub fn app(func: Func, args: Vec<Term>) -> Self {
        Self::new(Node::App(func, args))
    }

    /// The head.
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// Whether both are the same object, not merely equal: what memo tables key on.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address of the shared node, constant while any clone lives: a memo key.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// The term without `let`: every name's value stands in its place; shared parts stay shared. What stands under a lambda has
    /// names of its own and stays. `None` where it would have more than `most` nodes, shared ones counted as often as they
    /// occur: names of names may double that with each.
    pub fn inlined(&self, most: u64) -> Option<Self> {
        let term = self.inlined_with(&mut FxHashMap::default());
        (term.n_nodes(&mut FxHashMap::default()) <= most).then_some(term)
    }

    /// Nodes, shared ones counted as often as they occur.
    fn n_nodes(&self, memo: &mut FxHashMap<usize, u64>) -> u64 {
        if let Some(&known) = memo.get(&self.address()) {
            return known;
        }
        let mut sum = |parts: &mut dyn Iterator<Item = &Self>| {
            parts.fold(1_u64, |sum, part| sum.saturating_add(part.n_nodes(memo)))
        };
        let n = match self.node() {
            Node::Var(_) | Node::Const(_) => 1,
            Node::App(_, args) => sum(&mut args.iter()),
            Node::Let(bindings, body) => sum(&mut bindings.iter().map(|(_, value)| value).chain([body])),
            Node::Scan(scan) => sum(&mut scan.states.iter().map(|(_, _, update)| update).chain(&scan.outputs)),
            Node::Select { key, query, .. } => sum(&mut [key, query].into_iter()),
        };
        memo.insert(self.address(), n);
        n
    }

    fn inlined_with(&self, memo: &mut FxHashMap<usize, Self>) -> Self {
        if let Some(known) = memo.get(&self.address()) {
            return known.clone();
        }
        let new = match self.node() {
            Node::Var(_) | Node::Const(_) => self.clone(),
            Node::App(func, args) => Self::app(func.clone(), args.iter().map(|arg| arg.inlined_with(memo)).collect()),
            Node::Let(bindings, body) => {
                let mut values: Vec<(Symbol, Self)> = Vec::new();
                let put = |term: Self, values: &[(Symbol, Self)]| {
                    let value = |name| values.iter().rev().find(|(own, _)| *own == name).map(|(_, term)| term.clone());
                    term.substitute(&value)
                };
                for (name, value) in bindings {
                    let value = put(value.inlined_with(memo), &values);
                    values.push((*name, value));
                }
                put(body.inlined_with(memo), &values)
            }
            Node::Scan(scan) => {
                let states =
                    scan.states.iter().map(|(name, init, update)| (*name, *init, update.inlined_with(memo))).collect();
                let outputs = scan.outputs.iter().map(|output| output.inlined_with(memo)).collect();
                Self::new(Node::Scan(Scan { states, outputs }))
            }
            Node::Select { key, query, pred } => {
                let (key, query) = (key.inlined_with(memo), query.inlined_with(memo));
                Self::new(Node::Select { key, query, pred: pred.clone() })
            }
        };
        memo.insert(self.address(), new.clone());
        new
    }

    /// The term with its free variables replaced where `value` has something for them; shared parts stay shared. What is put
    /// in has to be free of the names that the term binds (in lets and scans).
    #[must_use]
    pub fn substitute(&self, value: &dyn Fn(Symbol) -> Option<Self>) -> Self {
        self.substitute_with(value, &mut FxHashMap::default())
    }

    fn substitute_with(&self, value: &dyn Fn(Symbol) -> Option<Self>, memo: &mut FxHashMap<usize, Self>) -> Self {
        if let Some(known) = memo.get(&self.address()) {
            return known.clone();
        }
        let new = match self.node() {
            Node::Var(name) => value(*name).unwrap_or_else(|| self.clone()),
            Node::Const(_) => self.clone(),
            Node::App(func, args) => {
                Self::app(func.clone(), args.iter().map(|arg| arg.substitute_with(value, memo)).collect())
            }
            Node::Let(bindings, body) => {
                let names: Vec<Symbol> = bindings.iter().map(|(name, _)| *name).collect();
                let under = |n: usize, term: &Self| {
                    term.substitute(&|name| if names[..n].contains(&name) { None } else { value(name) })
                };
                let new = bindings.iter().enumerate().map(|(i, (name, term))| (*name, under(i, term))).collect();
                Self::new(Node::Let(new, under(names.len(), body)))
            }
            Node::Scan(scan) => {
                // A state's value after the element is the state's name with a prime.
                let is_own = |name: Symbol| {
                    scan.states.iter().any(|(own, ..)| name.as_str().trim_end_matches('\'') == own.as_str())
                };
                let under = |term: &Self| term.substitute(&|name| if is_own(name) { None } else { value(name) });
                Self::new(Node::Scan(Scan {
                    states: scan.states.iter().map(|(name, init, update)| (*name, *init, under(update))).collect(),
                    outputs: scan.outputs.iter().map(under).collect(),
                }))
            }
            Node::Select { key, query, pred } => {
                let (key, query) = (key.substitute_with(value, memo), query.substitute_with(value, memo));
                Self::new(Node::Select { key, query, pred: pred.clone() })
            }
        };
        memo.insert(self.address(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use samples::Sort;

    use super::*;
    use crate::{Language, parse_term, print};

    #[test]
    fn names_are_put_in_place() {
        let language = Language::load_shipped("recurrent").unwrap_or_else(|problems| panic!("{problems}"));
        let inlined = |text: &str| {
            let term =
                parse_term(text, &language, &[("x".into(), Sort::Int)]).unwrap_or_else(|problems| panic!("{problems}"));
            print(&term.inlined(100).expect("it is small"), &language)
        };
        assert_eq!(
            inlined("(let ((a (+ x 1)) (b (* a a))) (+ b (let ((c a)) (- c b))))"),
            "(+ (* (+ x 1) (+ x 1)) (- (+ x 1) (* (+ x 1) (+ x 1))))"
        );
        assert_eq!(
            inlined("(let ((a 2)) (scan ((s 0 (+ s a))) (let ((c s')) (+ c c))))"),
            "(scan ((s 0 (+ s 2))) (+ s' s'))"
        );
    }

    #[test]
    fn what_doubles_with_every_name_is_not_put_in_place() {
        let language = Language::load_shipped("recurrent").unwrap_or_else(|problems| panic!("{problems}"));
        let names = (0..64).map(|i| format!("(v{} (+ v{i} v{i}))", i + 1)).collect::<String>();
        let text = format!("(let ((v0 x) {names}) v64)");
        let term =
            parse_term(&text, &language, &[("x".into(), Sort::Int)]).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(term.inlined(1 << 40), None);
    }

    /// A term with `x` and `s` replaced.
    fn replaced(term: &str) -> String {
        let language = Language::load_shipped("recurrent").unwrap_or_else(|problems| panic!("{problems}"));
        let vars = [("x".into(), Sort::Int), ("s".into(), Sort::Int)];
        let term = parse_term(term, &language, &vars).unwrap_or_else(|problems| panic!("{problems}"));
        let by: [(Symbol, Term); 3] =
            [("x".into(), Term::int(7)), ("s".into(), Term::int(9)), ("s'".into(), Term::int(8))];
        let new = term.substitute(&|name| by.iter().find(|(own, _)| *own == name).map(|(_, term)| term.clone()));
        print(&new, &language)
    }

    #[test]
    fn free_variables_are_replaced_and_bound_ones_are_not() {
        assert_eq!(replaced("(+ x (* s x))"), "(+ 7 (* 9 7))");
        assert_eq!(replaced("(+ s (scan ((s 0 (+ s x))) (+ s' s)))"), "(+ 9 (scan ((s 0 (+ s 7))) (+ s' s)))");
        assert_eq!(replaced("(let ((x (+ x 1)) (y (+ x s))) (* x y))"), "(let ((x (+ 7 1)) (y (+ x 9))) (* x y))");
    }

    #[test]
    fn shared_parts_stay_shared() {
        let mut term = Term::var("x");
        for _ in 0..64 {
            term = Term::new(Node::Select {
                key: term.clone(),
                query: term,
                pred: Func::Lambda(Vec::new(), Term::constant(Value::Bool(true))),
            });
        }
        let Node::Select { key, query, .. } = term.substitute(&|_| Some(Term::int(1))).node().clone() else {
            panic!("a selection stays one");
        };
        assert!(key.same(&query));
    }
}
