//! Choices that a grammar can make without a function that says so.
//!
//! With sums and a partial choice, such as `(qm a b)`, which is `b` where `a` is negative and else `a`, a grammar can build
//! `(ite (<= c 0) a b)` of any terms for `c`, `a` and `b`; with two kinds of gates, `(ite c a b)`. How is found by solving that
//! problem by itself, in the same grammar; decision trees then have one more conditional, whose arguments may stand in it
//! several times.

use dsl::sexpr::quote_symbol;
use dsl::{Kernel, Node, Production, Term};
use samples::{Sort, Symbol};

use crate::problem::{Application, Problem, ScriptItem, SynthFun};
use crate::theory::apply;
use crate::tree::{self, Conditional};

/// The problem of building a choice in the grammar of an integer or Boolean function; `None` if the grammar has one anyway.
pub(crate) fn problem(of: &Problem, function: &SynthFun) -> Option<Problem> {
    let start = dsl::NonterminalId(0);
    let is_known = || tree::conditionals(&function.grammar, &of.language, start).iter().any(Conditional::is_whole);
    let sort = function.sort;
    if !matches!(sort, Sort::Int | Sort::Bool) || !function.has_grammar || is_known() {
        return None;
    }
    let params = ["condition", "first", "second"].map(|name| Symbol::new(&format!("{name} of a choice")));
    let mut grammar = function.grammar.clone();
    for own in &mut grammar.nonterminals {
        let is_param = |name: &Symbol| function.params.iter().any(|(param, _)| param == name);
        own.productions.retain(|production| match production {
            Production::Leaf { term, .. } => !matches!(term.node(), Node::Var(name) if is_param(name)),
            _ => true,
        });
    }
    let leaf = |&name: &Symbol| Production::Leaf { term: Term::var(name), cost: 1 };
    grammar.nonterminals[0].productions.extend(params.iter().map(leaf));
    let value = Symbol::new("value of a choice");
    let [condition, first, second] = params.map(Term::var);
    let wanted = apply(Kernel::Ite, vec![test(sort, condition), first, second]);
    // What the grammar applies is defined before the function.
    let before = of.script.iter().take_while(|item| !matches!(item, ScriptItem::Function(_))).cloned();
    let [c, a, b] = params.map(|name| quote_symbol(name.as_str()));
    let name = quote_symbol(function.name.as_str());
    let declared = [&c, &a, &b].map(|name| ScriptItem::Text(format!("(declare-const {name} {sort})")));
    let test = if sort == Sort::Int { format!("(<= {c} 0)") } else { c.clone() };
    let constraint = format!("(= ({name} {c} {a} {b}) (ite {test} {a} {b}))");
    let asked = [ScriptItem::Function(0), ScriptItem::Constraint(constraint)];
    let variables: Vec<(Symbol, Sort)> = params.iter().map(|&name| (name, sort)).collect();
    Some(Problem {
        functions: vec![SynthFun { params: variables.clone(), grammar, ..function.clone() }],
        constraints: vec![apply(Kernel::Eq, vec![Term::var(value), wanted])],
        assumptions: Vec::new(),
        applications: vec![Application { name: value, function: 0, args: params.map(Term::var).to_vec() }],
        objective: None,
        weight_bounds: Vec::new(),
        script: before.chain(declared).chain(asked).collect(),
        variables,
        ..of.clone()
    })
}

/// What is asked of the condition: a number is not to be positive.
fn test(sort: Sort, condition: Term) -> Term {
    if sort == Sort::Int { apply(Kernel::Le, vec![condition, Term::int(0)]) } else { condition }
}

/// The conditional that a solution of such a problem is.
pub(crate) fn conditional(problem: &Problem, body: &Term) -> Conditional {
    let params = problem.functions[0].params.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let test = test(problem.functions[0].sort, Term::var(tree::argument(0)));
    let position = |name: Symbol| params.iter().position(|own| *own == name);
    Conditional::new(body.substitute(&|name| position(name).map(|i| Term::var(tree::argument(i)))), test)
}
