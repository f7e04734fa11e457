//! Whether a set of rules derives a rule: both sides meet in an e-graph that the rules saturate, within limits.

use dsl::{Func, Kernel, Language, Node, OpId, Rule, SortPattern, Term};
use samples::{Sort, Symbol, Value};

use crate::saturate::{Known, RuleSet, SaturationLimits, merged};
use crate::verify::verified_widths;

/// Whether rules show both sides of a rule to be equal, within limits, wherever its conditions hold and for all sorts that
/// its variables may have. Variables are leaves of which nothing is known but what the conditions say. A variable
/// without whose value neither side has one may be taken to have one: otherwise both sides are undefined.
///
/// A sort variable is put to the test as a sort that the rules know nothing of, so that what holds there holds anywhere.
pub fn derives(language: &Language, rules: &RuleSet, rule: &Rule, limits: &SaturationLimits) -> bool {
    let numbers = if reals_are_opaque(language, rules) { vec![Sort::Real] } else { vec![Sort::Int, Sort::Real] };
    let mut sorts = numbers;
    sorts.push(Sort::Enum(Symbol::new("any sort")));
    // A width that no rule speaks of stands for every width.
    let spoken = |width: u8| {
        let width = SortPattern::Sort(Sort::BitVec(width));
        rules.rules.iter().any(|rule| rule.params.iter().any(|(_, pattern)| *pattern == width))
    };
    sorts.extend(verified_widths(language).into_iter().rev().find(|&width| !spoken(width)).map(Sort::BitVec));
    let is_scalar = |pattern: SortPattern| pattern.admits(Sort::Symbol);
    let any = |sort: Sort| matches!(sort, Sort::Enum(_));
    let instances: Vec<_> = rule
        .instances(&sorts)
        .into_iter()
        .filter(|params| {
            let pairs = params.iter().zip(&rule.params);
            pairs
                .into_iter()
                .all(|((_, sort), (_, p))| matches!(p, SortPattern::Sort(_)) || is_scalar(*p) == any(*sort))
        })
        .collect();
    !instances.is_empty() && instances.iter().all(|params| derives_at(language, rules, rule, params, limits))
}

/// Whether nothing speaks of real numbers in particular, so that they stand for any numbers.
fn reals_are_opaque(language: &Language, rules: &RuleSet) -> bool {
    let real = |pattern: &SortPattern| *pattern == SortPattern::Sort(Sort::Real);
    let mut operators = language.operators();
    operators.all(|(_, operator)| !operator.params.iter().any(|(_, p)| real(p)) && !real(&operator.result))
        && rules.rules.iter().all(|rule| !rule.params.iter().any(|(_, p)| real(p)))
}

fn derives_at(
    language: &Language,
    rules: &RuleSet,
    rule: &Rule,
    params: &[(Symbol, Sort)],
    limits: &SaturationLimits,
) -> bool {
    let facts: Vec<Term> = rule.conditions.iter().filter(|term| !is_defined_test(term)).cloned().collect();
    let known: Vec<Known> = params
        .iter()
        .map(|&(name, sort)| {
            let defined = rule.conditions.iter().any(|condition| needs(language, condition, name))
                || [&rule.lhs, &rule.rhs].iter().all(|side| is_undefined_without(language, side, name));
            let (low, high) = bounds(language, &rule.conditions, name);
            if defined { Known::within(name, sort, low, high) } else { Known::partial(name, sort) }
        })
        .collect();
    merged(language, rules, &known, &facts, (&rule.lhs, &rule.rhs), limits)
}

fn is_defined_test(term: &Term) -> bool {
    matches!(term.node(), Node::App(Func::Kernel(Kernel::Defined), _))
}

/// Whether a condition can be true only where a variable has a value.
fn needs(language: &Language, condition: &Term, name: Symbol) -> bool {
    match condition.node() {
        Node::App(Func::Kernel(Kernel::Defined), args) => matches!(args[0].node(), Node::Var(own) if *own == name),
        _ => is_undefined_without(language, condition, name),
    }
}

/// Whether a term is certainly undefined where a variable is.
pub(super) fn is_undefined_without(language: &Language, term: &Term, name: Symbol) -> bool {
    undefined(language, term, &[name])
}

/// Whether a term is certainly undefined where these variables are.
fn undefined(language: &Language, term: &Term, names: &[Symbol]) -> bool {
    match term.node() {
        Node::Var(own) => names.contains(own),
        Node::Const(value) => *value == Value::Undefined,
        Node::App(func, args) => {
            let args: Vec<bool> = args.iter().map(|arg| undefined(language, arg, names)).collect();
            match func {
                Func::Kernel(Kernel::And | Kernel::Or | Kernel::Implies) => args.iter().all(|&arg| arg),
                Func::Kernel(Kernel::Ite) => args[0] || (args[1] && args[2]),
                Func::Kernel(kernel) => kernel.is_pointwise() && *kernel != Kernel::Defined && args.contains(&true),
                Func::Op(id) => operator_undefined(language, *id, &args),
                Func::Table(_) | Func::Lambda(..) => false,
            }
        }
        Node::Let(..) | Node::Scan(_) | Node::Select { .. } => false,
    }
}

fn operator_undefined(language: &Language, id: OpId, args: &[bool]) -> bool {
    let operator = language.op(id);
    let names: Vec<Symbol> =
        operator.params.iter().zip(args).filter(|(_, undefined)| **undefined).map(|((name, _), _)| *name).collect();
    undefined(language, &operator.meaning, &names)
        || operator.condition.as_ref().is_some_and(|condition| undefined(language, condition, &names))
}

/// Bounds that comparisons with constants among the conditions put on an integer variable.
fn bounds(language: &Language, conditions: &[Term], name: Symbol) -> (Option<i64>, Option<i64>) {
    let (mut low, mut high): (Option<i64>, Option<i64>) = (None, None);
    for condition in conditions {
        let Node::App(Func::Op(id), args) = condition.node() else { continue };
        let (Some(kernel), [left, right]) = (language.op(*id).kernel(), &args[..]) else { continue };
        let (smaller, greater, strict) = match kernel {
            Kernel::Lt => (left, right, 1),
            Kernel::Le => (left, right, 0),
            Kernel::Gt => (right, left, 1),
            Kernel::Ge => (right, left, 0),
            _ => continue,
        };
        match (smaller.node(), greater.node()) {
            (Node::Const(Value::Int(value)), Node::Var(var)) if *var == name => {
                low = low.max(value.checked_add(strict));
            }
            (Node::Var(var), Node::Const(Value::Int(value))) if *var == name => {
                let bound = value.checked_sub(strict);
                high = match (high, bound) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            _ => {}
        }
    }
    (low, high)
}
