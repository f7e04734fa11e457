//! The e-graph's nodes and analysis, and the way of terms in and out.

use dsl::{Func, Language, Node, OpId, Term};
use egg::{DidMerge, Id, RecExpr};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, decode_code, encode_value};

use super::Known;
use super::abstraction::{Abstract, of_application, of_term};
use super::extract::TermHead;

/// The head of an e-node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Head {
    /// An operator of the language.
    Op(OpId),
    /// A term that is not looked into: its index among the leaves.
    Leaf(u32),
    /// Another function, or a selection with its predicate: its index among the forms.
    Form(u32),
}

/// An e-node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct ENode {
    pub(crate) head: Head,
    pub(crate) children: Vec<Id>,
}

impl egg::Language for ENode {
    type Discriminant = (Head, usize);

    fn discriminant(&self) -> Self::Discriminant {
        (self.head, self.children.len())
    }

    fn matches(&self, other: &Self) -> bool {
        self.head == other.head && self.children.len() == other.children.len()
    }

    fn children(&self) -> &[Id] {
        &self.children
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.children
    }
}

/// What the heads stand for.
#[derive(Clone, Debug)]
pub(crate) struct Heads<'l> {
    pub(crate) language: &'l Language,
    leaves: Vec<(Term, Option<Abstract>)>,
    leaf_index: FxHashMap<LeafKey, u32>,
    forms: Vec<Form>,
}

/// Equality of leaves: variables by name, constants by sort and code, other terms by identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum LeafKey {
    Variable(Symbol),
    Constant(Sort, i64),
    Opaque(usize),
}

fn leaf_key(term: &Term) -> Option<LeafKey> {
    match term.node() {
        Node::Var(name) => Some(LeafKey::Variable(*name)),
        Node::Const(value) => match value.sort() {
            Some(sort) => Some(LeafKey::Constant(sort, encode_value(*value))),
            None => Some(LeafKey::Opaque(term.address())),
        },
        Node::Let(..) | Node::Scan(_) => Some(LeafKey::Opaque(term.address())),
        Node::App(..) | Node::Select { .. } => None,
    }
}

/// What a node with children is, other than an operator.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Form {
    Apply(Func),
    Select(Func),
}

impl<'l> Heads<'l> {
    pub(crate) fn new(language: &'l Language) -> Self {
        Self { language, leaves: Vec::new(), leaf_index: FxHashMap::default(), forms: Vec::new() }
    }

    /// The head of a leaf.
    fn leaf(&mut self, key: LeafKey, term: &Term, known: Option<Abstract>) -> Head {
        let next = self.leaves.len() as u32;
        let index = *self.leaf_index.entry(key).or_insert(next);
        if index == next {
            self.leaves.push((term.clone(), known));
        }
        Head::Leaf(index)
    }

    /// The head of a constant.
    pub(crate) fn constant(&mut self, sort: Sort, code: i64) -> Option<Head> {
        let value = decode_code(sort, code);
        let known = Abstract::constant(value)?;
        Some(self.leaf(LeafKey::Constant(sort, code), &Term::constant(value), Some(known)))
    }

    /// The head of a constant that was met before.
    pub(crate) fn known_constant(&self, sort: Sort, code: i64) -> Option<Head> {
        self.leaf_index.get(&LeafKey::Constant(sort, code)).map(|&leaf| Head::Leaf(leaf))
    }

    fn form(&mut self, form: Form) -> Head {
        let index = self.forms.iter().position(|known| *known == form).unwrap_or_else(|| {
            self.forms.push(form);
            self.forms.len() - 1
        });
        Head::Form(index as u32)
    }

    /// The head of a term that is a leaf, if it occurs.
    fn find_leaf(&self, term: &Term) -> Option<Head> {
        self.leaf_index.get(&leaf_key(term)?).map(|&leaf| Head::Leaf(leaf))
    }

    /// The head of an application or a selection and its children, if the head occurs.
    pub(crate) fn find_func(&self, func: &Func) -> Option<Head> {
        if let Func::Op(id) = func {
            return Some(Head::Op(*id));
        }
        let place = self.forms.iter().position(|form| matches!(form, Form::Apply(own) if own == func))?;
        Some(Head::Form(place as u32))
    }

    /// The class of a leaf, if it is in the graph.
    pub(crate) fn class_of_leaf(egraph: &EGraph<'l>, term: &Term) -> Option<Id> {
        let head = egraph.analysis.heads.find_leaf(term)?;
        egraph.lookup(&mut ENode { head, children: Vec::new() })
    }

    /// A head as costs see it.
    pub(crate) fn view(&self, head: Head) -> TermHead<'_> {
        match head {
            Head::Op(id) => TermHead::Op(id),
            Head::Leaf(leaf) => TermHead::Leaf(self.leaf_term(leaf)),
            Head::Form(form) => match &self.forms[form as usize] {
                Form::Apply(func) => TermHead::Apply(func),
                Form::Select(pred) => TermHead::Select(pred),
            },
        }
    }

    /// The term of a leaf.
    pub(crate) fn leaf_term(&self, leaf: u32) -> &Term {
        &self.leaves[leaf as usize].0
    }

    /// The term of a node, given those of its children.
    pub(crate) fn rebuild(&self, head: Head, mut children: Vec<Term>) -> Term {
        match head {
            Head::Op(id) => Term::op(id, children),
            Head::Leaf(leaf) => self.leaf_term(leaf).clone(),
            Head::Form(form) => match &self.forms[form as usize] {
                Form::Apply(func) => Term::app(func.clone(), children),
                Form::Select(pred) => match (children.pop(), children.pop()) {
                    (Some(query), Some(key)) => Term::new(Node::Select { key, query, pred: pred.clone() }),
                    _ => Term::constant(samples::Value::Undefined),
                },
            },
        }
    }

    /// What is known of a node, given what is known of its children.
    fn known(&self, head: Head, children: &[Abstract]) -> Option<Abstract> {
        match head {
            Head::Op(id) => of_application(self.language, &Func::Op(id), children),
            Head::Leaf(leaf) => self.leaves[leaf as usize].1,
            Head::Form(form) => match &self.forms[form as usize] {
                Form::Apply(func) => of_application(self.language, func, children),
                Form::Select(_) => Some(Abstract { defined: true, ..Abstract::top(Sort::Selector) }),
            },
        }
    }
}

/// The analysis: what is known of the values of every class.
#[derive(Clone, Debug)]
pub(crate) struct Values<'l> {
    pub(crate) heads: Heads<'l>,
    /// E-nodes made so far; those alive are at most so many.
    pub(crate) n_made: usize,
    /// The number of e-nodes at which no rule and no constant adds another.
    pub(crate) most_nodes: usize,
}

impl<'l> Values<'l> {
    pub(crate) fn new(language: &'l Language) -> Self {
        Self { heads: Heads::new(language), n_made: 0, most_nodes: usize::MAX }
    }

    /// Whether rules may still make so many e-nodes.
    pub(crate) fn has_room(&self, n_nodes: usize) -> bool {
        self.n_made.saturating_add(n_nodes) <= self.most_nodes
    }
}

/// What is known of an e-node, given what is known of the classes of its children.
fn data_of(egraph: &EGraph<'_>, enode: &ENode) -> Data {
    let children: Option<Vec<Abstract>> = enode.children.iter().map(|&child| egraph[child].data.values).collect();
    let values = children.and_then(|children| egraph.analysis.heads.known(enode.head, &children));
    Data { values, n_refined: 0 }
}

/// What is known of a class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    /// Nothing where a sort is not known.
    pub(crate) values: Option<Abstract>,
    n_refined: u8,
}

/// The reason for the equality of a class and its only value.
pub(crate) const CONSTANT: &str = "constant";

/// How often what is known of a class is made sharper. Without an end, the bounds of terms that have no value anywhere
/// would chase each other: `u` and `u + 1` are equal there.
const MOST_REFINED: u8 = 12;

pub(crate) type EGraph<'l> = egg::EGraph<ENode, Values<'l>>;

impl egg::Analysis<ENode> for Values<'_> {
    type Data = Data;

    fn make(egraph: &mut egg::EGraph<ENode, Self>, enode: &ENode, _: Id) -> Self::Data {
        egraph.analysis.n_made += 1;
        data_of(egraph, enode)
    }

    fn remake(egraph: &mut egg::EGraph<ENode, Self>, enode: &ENode, _: Id) -> Self::Data {
        data_of(egraph, enode)
    }

    fn merge(&mut self, a: &mut Self::Data, b: Self::Data) -> DidMerge {
        let mut values = match (a.values, b.values) {
            (Some(x), Some(y)) => Some(x.meet(y)),
            (x, y) => x.or(y),
        };
        let n_refined = a.n_refined.max(b.n_refined) + u8::from(a.values != values);
        if n_refined > MOST_REFINED {
            values = a.values;
        }
        let merged = DidMerge(a.values != values, b.values != values);
        *a = Data { values, n_refined: n_refined.min(MOST_REFINED) };
        merged
    }

    fn modify(egraph: &mut egg::EGraph<ENode, Self>, id: Id) {
        let Some(known) = egraph[id].data.values else { return };
        let Some(code) = known.constant.filter(|_| known.defined) else { return };
        let Some(head) = egraph.analysis.heads.constant(known.sort, code) else { return };
        let leaf = ENode { head, children: Vec::new() };
        if egraph.analysis.has_room(1) || egraph.lookup(&mut leaf.clone()).is_some() {
            // Not the class that the constant is in: explanations are to lead to the constant itself.
            let constant = egraph.add_uncanonical(leaf);
            egraph.union_trusted(id, constant, CONSTANT);
        }
    }
}

/// Adds a term. Scans and lets within it are leaves, and so are variables of which nothing is known.
pub(crate) fn add_term(egraph: &mut EGraph<'_>, term: &Term, known: &[Known]) -> Id {
    let mut nodes = RecExpr::default();
    flatten(&mut egraph.analysis.heads, term, known, &mut nodes);
    egraph.add_expr(&nodes)
}

/// A term as a list of e-nodes.
pub(crate) fn flatten(heads: &mut Heads<'_>, term: &Term, known: &[Known], nodes: &mut RecExpr<ENode>) -> Id {
    let (head, children): (Head, Vec<&Term>) = match term.node() {
        Node::App(Func::Op(id), args) => (Head::Op(*id), args.iter().collect()),
        Node::App(func, args) => (heads.form(Form::Apply(func.clone())), args.iter().collect()),
        Node::Select { key, query, pred } => (heads.form(Form::Select(pred.clone())), vec![key, query]),
        Node::Var(_) | Node::Const(_) | Node::Let(..) | Node::Scan(_) => {
            let key = leaf_key(term).unwrap_or(LeafKey::Opaque(term.address()));
            (heads.leaf(key, term, known_leaf(heads.language, term, known)), Vec::new())
        }
    };
    let children = children.into_iter().map(|child| flatten(heads, child, known, nodes)).collect();
    nodes.add(ENode { head, children })
}

fn known_leaf(language: &Language, term: &Term, known: &[Known]) -> Option<Abstract> {
    match term.node() {
        Node::Var(name) => known.iter().rev().find(|fact| fact.name == *name).map(|fact| fact.values),
        Node::Const(value) => Abstract::constant(*value),
        _ => values_of(language, term, known),
    }
}

/// What is known of a term, given what is known of its variables.
pub(crate) fn values_of(language: &Language, term: &Term, known: &[Known]) -> Option<Abstract> {
    let scope: Vec<(Symbol, Abstract)> = known.iter().map(|fact| (fact.name, fact.values)).collect();
    of_term(language, term, &scope).or_else(|| {
        let vars: Vec<(Symbol, Sort)> = known.iter().map(|fact| (fact.name, fact.values.sort)).collect();
        dsl::sort_of(term, language, &vars).ok().map(Abstract::top)
    })
}
