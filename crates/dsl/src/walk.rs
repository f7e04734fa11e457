//! Walks over terms.

use rustc_hash::FxHashMap;
use samples::Symbol;

use crate::language::OpId;
use crate::term::{Func, Node, Scan, Term};

/// Kernel functions, tables and forms in a term once operators are replaced by their meanings, and how deep they nest.
pub(crate) fn expansion(
    term: &Term,
    operators: &[(usize, usize)],
    memo: &mut FxHashMap<usize, (usize, usize)>,
) -> (usize, usize) {
    if let Some(&known) = memo.get(&term.address()) {
        return known;
    }
    let func = match term.node() {
        Node::App(func, _) => Some(func),
        Node::Select { pred, .. } => Some(pred),
        _ => None,
    };
    let own = match func {
        Some(Func::Op(id)) => operators.get(id.0 as usize).copied().unwrap_or((0, 0)),
        Some(Func::Lambda(_, body)) => expansion(body, operators, memo),
        _ => (0, 0),
    };
    let (mut size, mut depth) = own;
    for child in children(term) {
        let (child_size, child_depth) = expansion(child, operators, memo);
        size = size.saturating_add(child_size);
        depth = depth.max(child_depth);
    }
    let total = (size.saturating_add(1), depth + 1);
    memo.insert(term.address(), total);
    total
}

/// The direct subterms.
pub(crate) fn children(term: &Term) -> Vec<&Term> {
    match term.node() {
        Node::Var(_) | Node::Const(_) => Vec::new(),
        Node::App(_, args) => args.iter().collect(),
        Node::Let(bindings, body) => bindings.iter().map(|(_, value)| value).chain([body]).collect(),
        Node::Scan(scan) => scan.states.iter().map(|(_, _, update)| update).chain(&scan.outputs).collect(),
        Node::Select { key, query, .. } => vec![key, query],
    }
}

/// Whether a variable of this name occurs.
pub(crate) fn mentions(term: &Term, name: Symbol) -> bool {
    matches!(term.node(), Node::Var(own) if *own == name) || children(term).into_iter().any(|c| mentions(c, name))
}

/// Whether an operator occurs.
pub(crate) fn op_uses(term: &Term, id: OpId) -> bool {
    let uses = |func: &Func| match func {
        Func::Op(own) => *own == id,
        Func::Lambda(_, body) => op_uses(body, id),
        Func::Kernel(_) | Func::Table(_) => false,
    };
    let own = match term.node() {
        Node::App(func, _) => uses(func),
        Node::Select { pred, .. } => uses(pred),
        _ => false,
    };
    own || children(term).into_iter().any(|child| op_uses(child, id))
}

/// The term with its operators renumbered.
pub(crate) fn map_ops(term: &Term, map: &dyn Fn(OpId) -> OpId) -> Term {
    let func = |func: &Func| match func {
        Func::Op(id) => Func::Op(map(*id)),
        Func::Lambda(params, body) => Func::Lambda(params.clone(), map_ops(body, map)),
        other => other.clone(),
    };
    let all = |terms: &[Term]| terms.iter().map(|term| map_ops(term, map)).collect::<Vec<_>>();
    Term::new(match term.node() {
        Node::Var(_) | Node::Const(_) => return term.clone(),
        Node::App(f, args) => Node::App(func(f), all(args)),
        Node::Let(bindings, body) => {
            Node::Let(bindings.iter().map(|(name, value)| (*name, map_ops(value, map))).collect(), map_ops(body, map))
        }
        Node::Scan(scan) => Node::Scan(Scan {
            states: scan.states.iter().map(|(name, init, update)| (*name, *init, map_ops(update, map))).collect(),
            outputs: all(&scan.outputs),
        }),
        Node::Select { key, query, pred } => {
            Node::Select { key: map_ops(key, map), query: map_ops(query, map), pred: func(pred) }
        }
    })
}
