//! Terms: the expressions that programs are made of.

use std::sync::Arc;

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
}
