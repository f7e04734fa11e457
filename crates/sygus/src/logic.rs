//! The grammar of functions that have none: what the logic allows, as far as the search goes.

use dsl::{Func, Grammar, Kernel, Node, NonterminalId, Production, Term};
use rustc_hash::FxHashSet;
use samples::{Sort, Symbol, Value};

use crate::problem::{Logic, Problem, SynthFun};
use crate::spec::names;
use crate::theory;

/// Constants of the file that become leaves.
const CONSTANT_LIMIT: usize = 40;

/// Numbers that linear terms are multiplied or divided by.
const FACTOR_LIMIT: usize = 6;

/// A grammar over a function's parameters, with 0, 1 and the constants given, and quotients and remainders by the divisors.
pub(crate) fn grammar(logic: Logic, function: &SynthFun, constants: &[Value], divisors: &[Value]) -> Grammar {
    let mut grammar = Grammar::default();
    let mut sorts = vec![function.sort];
    let params = function.params.iter().map(|(_, sort)| *sort);
    for sort in params.chain([Sort::Bool]) {
        if !sorts.contains(&sort) {
            sorts.push(sort);
        }
    }
    if logic.integers && !sorts.contains(&Sort::Int) && !logic.bitvectors {
        sorts.push(Sort::Int);
    }
    for &sort in &sorts {
        grammar.add(Symbol::new(&format!("{sort}")), sort);
    }
    let id = |sort: Sort| sorts.iter().position(|own| *own == sort).map(|i| NonterminalId(i as u32));
    for (i, &sort) in sorts.iter().enumerate() {
        let mut productions = leaves(sort, function, constants);
        let mut add = |kernel: Kernel, args: &[Sort]| {
            if let Some(args) = args.iter().map(|&sort| id(sort)).collect::<Option<Vec<_>>>() {
                productions.push(Production::Apply { func: Func::Kernel(kernel), args, cost: 1 });
            }
        };
        match sort {
            Sort::Bool => truths(&sorts, &mut add),
            Sort::Int => integers(logic, &mut add),
            Sort::BitVec(_) => theory::bit_functions().for_each(|(kernel, n)| add(kernel, &vec![sort; n])),
            _ => {}
        }
        add(Kernel::Ite, &[Sort::Bool, sort, sort]);
        grammar.nonterminals[i].productions = productions;
    }
    if !logic.nonlinear
        && let Some(NonterminalId(integers)) = id(Sort::Int)
    {
        let integers = NonterminalId(integers);
        if let Some(factor) = numbers(&mut grammar, "Factor", constants) {
            apply(&mut grammar, integers, Kernel::Mul, [factor, integers]);
        }
        if let Some(divisor) = numbers(&mut grammar, "Divisor", divisors) {
            apply(&mut grammar, integers, Kernel::Div, [integers, divisor]);
            apply(&mut grammar, integers, Kernel::Mod, [integers, divisor]);
        }
    }
    grammar
}

/// Integers that formulas divide by, or that they multiply a value by that is to be found, which then may well be a quotient.
pub(crate) fn divisors(problem: &Problem, formulas: &[Term]) -> Vec<Value> {
    let is_found = |name: &Symbol| problem.applications.iter().any(|own| own.name == *name);
    let mut found: Vec<Value> = Vec::new();
    let (mut seen, mut open) = (FxHashSet::default(), formulas.to_vec());
    while let Some(term) = open.pop() {
        let Node::App(func, args) = term.node() else { continue };
        if !seen.insert(term.address()) {
            continue;
        }
        let number = |arg: &Term| match arg.node() {
            Node::Const(value) => Some(*value),
            _ => None,
        };
        let own = match (func, args.as_slice()) {
            (Func::Kernel(Kernel::Div | Kernel::Mod), [_, by]) => number(by),
            (Func::Kernel(Kernel::Mul), [a, b]) if names(&term).iter().any(is_found) => number(a).or(number(b)),
            _ => None,
        };
        found.extend(own.filter(|value| !found.contains(value)));
        open.extend(args.iter().cloned());
    }
    found
}

/// A nonterminal for those of some numbers that it makes sense to multiply or divide by; `None` if there are none.
fn numbers(grammar: &mut Grammar, name: &str, values: &[Value]) -> Option<NonterminalId> {
    let values = values.iter().filter(|value| matches!(value, Value::Int(i) if i.unsigned_abs() > 1));
    let leaves: Vec<Production> =
        values.take(FACTOR_LIMIT).map(|value| Production::Leaf { term: Term::constant(*value), cost: 1 }).collect();
    (!leaves.is_empty()).then(|| {
        let id = grammar.add(Symbol::new(name), Sort::Int);
        grammar.nonterminals[id.0 as usize].productions = leaves;
        id
    })
}

/// A production of a nonterminal, which is linear where one of the arguments is a number.
fn apply(grammar: &mut Grammar, id: NonterminalId, kernel: Kernel, args: [NonterminalId; 2]) {
    let production = Production::Apply { func: Func::Kernel(kernel), args: args.to_vec(), cost: 1 };
    grammar.nonterminals[id.0 as usize].productions.push(production);
}

fn leaves(sort: Sort, function: &SynthFun, constants: &[Value]) -> Vec<Production> {
    let leaf = |term: Term| Production::Leaf { term, cost: 1 };
    let params = function.params.iter().filter(|(_, own)| *own == sort);
    let mut leaves: Vec<Production> = params.map(|(name, _)| leaf(Term::var(*name))).collect();
    let mut values = match sort {
        Sort::Bool => vec![Value::Bool(false), Value::Bool(true)],
        Sort::Int => vec![Value::Int(0), Value::Int(1)],
        Sort::BitVec(width) => vec![Value::bit_vec(width, 0), Value::bit_vec(width, 1)],
        _ => Vec::new(),
    };
    for value in constants.iter().filter(|value| value.sort() == Some(sort)) {
        if !values.contains(value) && values.len() < CONSTANT_LIMIT {
            values.push(*value);
        }
    }
    leaves.extend(values.into_iter().map(|value| leaf(Term::constant(value))));
    leaves
}

fn truths(sorts: &[Sort], add: &mut impl FnMut(Kernel, &[Sort])) {
    add(Kernel::Not, &[Sort::Bool]);
    add(Kernel::And, &[Sort::Bool, Sort::Bool]);
    add(Kernel::Or, &[Sort::Bool, Sort::Bool]);
    for &sort in sorts {
        match sort {
            Sort::Int => {
                for kernel in [Kernel::Le, Kernel::Lt, Kernel::Eq] {
                    add(kernel, &[sort, sort]);
                }
            }
            Sort::BitVec(_) => {
                add(Kernel::Eq, &[sort, sort]);
                theory::bit_relations().for_each(|kernel| add(kernel, &[sort, sort]));
            }
            _ => {
                add(Kernel::Eq, &[sort, sort]);
                add(Kernel::Xor, &[sort, sort]);
            }
        }
    }
}

fn integers(logic: Logic, add: &mut impl FnMut(Kernel, &[Sort])) {
    const I: Sort = Sort::Int;
    add(Kernel::Add, &[I, I]);
    add(Kernel::Sub, &[I, I]);
    if logic.nonlinear {
        for kernel in [Kernel::Mul, Kernel::Div, Kernel::Mod] {
            add(kernel, &[I, I]);
        }
        add(Kernel::Abs, &[I]);
    }
}
