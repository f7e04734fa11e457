//! Terms that stand in a program more than once, said once.
//!
//! A program is put together from pieces that know nothing of each other; what several of them count is one variable.

use dsl::{Node, Term};
use samples::Symbol;

/// Names given at most.
const NAMES: usize = 16;

/// The program with a `let` for every term whose repetition takes more atoms than its name.
pub(crate) fn share(program: &Term) -> Term {
    let mut body = program.clone();
    let mut bindings: Vec<(Symbol, Term)> = Vec::new();
    while bindings.len() < NAMES {
        let mut parts = Vec::new();
        bindings.iter().for_each(|(_, term)| collect(term, &mut parts));
        collect(&body, &mut parts);
        let mut best: Option<(usize, Term)> = None;
        for (place, part) in parts.iter().enumerate() {
            let uses = parts.iter().filter(|other| *other == part).count();
            let saved = (atoms(part) * (uses - 1)).saturating_sub(uses + 2);
            if parts[..place].iter().all(|other| other != part)
                && saved > 0
                && best.as_ref().is_none_or(|(most, _)| saved > *most)
            {
                best = Some((saved, part.clone()));
            }
        }
        let Some((_, part)) = best else { break };
        let name = Symbol::new(&format!("s{}", bindings.len()));
        bindings.iter_mut().for_each(|(_, term)| *term = replaced(term, &part, name));
        body = replaced(&body, &part, name);
        bindings.push((name, part));
    }
    // The innermost names first: each is bound around all that use it.
    let mut ordered: Vec<(Symbol, Term)> = Vec::new();
    while !bindings.is_empty() {
        let free = |(_, term): &(Symbol, Term)| bindings.iter().all(|(name, _)| !uses(term, *name));
        let Some(place) = bindings.iter().position(free) else { return program.clone() };
        ordered.push(bindings.remove(place));
    }
    ordered.into_iter().rev().fold(body, |body, binding| Term::new(Node::Let(vec![binding], body)))
}

fn uses(term: &Term, name: Symbol) -> bool {
    match term.node() {
        Node::Var(other) => *other == name,
        Node::App(_, args) => args.iter().any(|arg| uses(arg, name)),
        _ => false,
    }
}

/// All applications within a term.
fn collect(term: &Term, parts: &mut Vec<Term>) {
    if let Node::App(_, args) = term.node() {
        parts.push(term.clone());
        args.iter().for_each(|arg| collect(arg, parts));
    }
}

fn atoms(term: &Term) -> usize {
    match term.node() {
        Node::App(_, args) => 1 + args.iter().map(atoms).sum::<usize>(),
        _ => 1,
    }
}

fn replaced(term: &Term, part: &Term, name: Symbol) -> Term {
    match term.node() {
        _ if term == part => Term::var(name),
        Node::App(func, args) => Term::app(func.clone(), args.iter().map(|arg| replaced(arg, part, name)).collect()),
        _ => term.clone(),
    }
}

#[cfg(test)]
mod tests {
    use dsl::Language;
    use samples::Sort;

    use super::*;

    #[test]
    fn what_is_repeated_is_named_once() {
        let language = Language::load_shipped("sequences").expect("it is shipped");
        let inputs = [("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int)];
        let check = |text: &str, expected: &str| {
            let term = dsl::parse_term(text, &language, &inputs).expect(text);
            let printed = dsl::print(&share(&term), &language);
            assert_eq!(printed, expected);
            dsl::parse_term(&printed, &language, &inputs).expect("it is read back");
        };
        check("(= (count (= tokens \"a\")) 1)", "(= (count (= tokens \"a\")) 1)");
        check(
            "(and (and (< (count (= tokens \"a\")) 3) (= (count (= tokens \"a\")) 1)) (= (count (= tokens \"a\")) 2))",
            "(let ((s0 (count (= tokens \"a\")))) (and (and (< s0 3) (= s0 1)) (= s0 2)))",
        );
        // A name within what another name stands for, and one that uses another.
        check(
            "(ite (exists (= tokens \"a\")) (ite (not (exists (= tokens \"a\"))) 1 (count (= tokens \"a\"))) (count (= tokens \"a\")))",
            "(let ((s0 (= tokens \"a\"))) (ite (exists s0) (ite (not (exists s0)) 1 (count s0)) (count s0)))",
        );
        let c = "(count (not (= tokens \"a\")))";
        let sum = |n: usize| (1..n).fold(format!("(+ {c} (- {c} 1))"), |sum, _| format!("(+ {sum} (+ {c} (- {c} 1)))"));
        check(&sum(3), "(let ((s1 (count (not (= tokens \"a\"))))) (let ((s0 (+ s1 (- s1 1)))) (+ (+ s0 s0) s0)))");
    }
}
