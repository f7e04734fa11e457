//! Places in terms: which argument of the term, which argument of that, and so on.

use dsl::{Node, Term};

/// The subterm at a place.
pub(crate) fn subterm<'t>(term: &'t Term, position: &[usize]) -> Option<&'t Term> {
    let Some((&first, rest)) = position.split_first() else { return Some(term) };
    match (term.node(), first) {
        (Node::App(_, args), place) => subterm(args.get(place)?, rest),
        (Node::Select { key, .. }, 0) => subterm(key, rest),
        (Node::Select { query, .. }, 1) => subterm(query, rest),
        _ => None,
    }
}

/// The term with another subterm at a place; none where there is no such place.
pub(crate) fn replace(term: &Term, position: &[usize], new: &Term) -> Option<Term> {
    let Some((&first, rest)) = position.split_first() else { return Some(new.clone()) };
    match term.node() {
        Node::App(func, args) => {
            let mut args = args.clone();
            *args.get_mut(first)? = replace(args.get(first)?, rest, new)?;
            Some(Term::app(func.clone(), args))
        }
        Node::Select { key, query, pred } => {
            let (key, query) = match first {
                0 => (replace(key, rest, new)?, query.clone()),
                1 => (key.clone(), replace(query, rest, new)?),
                _ => return None,
            };
            Some(Term::new(Node::Select { key, query, pred: pred.clone() }))
        }
        _ => None,
    }
}
