//! Rules as rewrites of the e-graph: applied only where the sorts fit and the conditions are known to hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use dsl::{Func, Language, Node, Rule, SortPattern, Term};
use egg::{ConditionalApplier, ENodeOrVar, Id, Pattern, RecExpr, Rewrite, Subst, Var};
use samples::{Sort, Symbol, encode_value};

use super::abstraction::{Abstract, of_term};
use super::graph::{EGraph, ENode, Head, Heads, Values};
use crate::verify::{RuleReport, verified_widths};

/// What the name of a rule that is applied from right to left ends with.
pub(crate) const BACKWARDS: &str = " (backwards)";

/// A rule in one direction.
pub(crate) struct Compiled<'l> {
    pub(crate) rewrite: Rewrite<ENode, Values<'l>>,
    /// The e-nodes that one application makes at most: those of the right side, and a constant for each.
    pub(crate) n_new: usize,
}

/// The rules that equality saturation may use.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
}

impl RuleSet {
    /// Those of a language's rules and facts whose verdicts are accepted, in the language's order.
    pub fn accepted(language: &Language, reports: &[RuleReport], accepts: impl Fn(&RuleReport) -> bool) -> Self {
        let mut all = Self::assumed(language);
        all.rules.retain(|rule| reports.iter().any(|report| report.rule == rule.name && accepts(report)));
        all
    }

    /// Those that were proved.
    pub fn proved(language: &Language, reports: &[RuleReport]) -> Self {
        Self::accepted(language, reports, |report| report.verdict.is_proved())
    }

    /// All rules and facts of a language, unverified: for languages whose verification is a test.
    pub fn assumed(language: &Language) -> Self {
        let facts = language.operators().flat_map(|(id, _)| language.fact_rules(id));
        Self { rules: facts.chain(language.rules.iter().cloned()).collect() }
    }

    /// No rules: constants are folded all the same.
    pub fn empty() -> Self {
        Self { rules: Vec::new() }
    }

    /// The names of the rules.
    pub fn names(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.rules.iter().map(|rule| rule.name)
    }
}

/// Compiles rules; those whose sides hold anything but operators, variables and constants are passed over, and so are
/// patterns that are a variable.
pub(crate) fn compile<'l>(rules: &RuleSet, heads: &mut Heads<'l>) -> Vec<Compiled<'l>> {
    let mut rewrites = Vec::new();
    let widths = Arc::new(verified_widths(heads.language));
    for rule in &rules.rules {
        let forth = direction(rule, (&rule.lhs, &rule.rhs), "", heads, &widths);
        rewrites.extend(forth);
        if rule.both_ways {
            rewrites.extend(direction(rule, (&rule.rhs, &rule.lhs), BACKWARDS, heads, &widths));
        }
    }
    rewrites
}

fn direction<'l>(
    rule: &Rule,
    (from, to): (&Term, &Term),
    suffix: &str,
    heads: &mut Heads<'l>,
    widths: &Arc<BTreeSet<u8>>,
) -> Option<Compiled<'l>> {
    if matches!(from.node(), Node::Var(_)) {
        return None;
    }
    let names: Vec<Symbol> = rule.params.iter().map(|(name, _)| *name).collect();
    let searcher = pattern(from, &names, heads)?;
    let applier = pattern(to, &names, heads)?;
    let (rule_of, from, widths) = (rule.clone(), from.clone(), widths.clone());
    let condition = move |egraph: &mut EGraph<'l>, _: Id, subst: &Subst| {
        applies(egraph, (&rule_of.params, &rule_of.conditions), &from, subst, &widths)
    };
    let n_new = 2 * applier.ast.iter().filter(|node| matches!(node, ENodeOrVar::ENode(_))).count();
    let applier = ConditionalApplier { condition, applier };
    let rewrite = Rewrite::new(format!("{}{suffix}", rule.name), searcher, applier).ok()?;
    Some(Compiled { rewrite, n_new })
}

/// Whether the sorts of what was matched fit and the conditions hold.
fn applies(
    egraph: &EGraph<'_>,
    (params, conditions): (&[(Symbol, SortPattern)], &[Term]),
    from: &Term,
    subst: &Subst,
    widths: &BTreeSet<u8>,
) -> bool {
    let mut scope: Vec<(Symbol, Abstract)> = Vec::with_capacity(params.len());
    let mut choice: Vec<(Symbol, Sort)> = Vec::new();
    for (i, (name, pattern)) in params.iter().enumerate() {
        let Some(&id) = subst.get(Var::from_u32(i as u32)) else {
            // A variable of the other side only; it cannot be in the conditions of what was matched.
            if mentions(from, *name) {
                return false;
            }
            continue;
        };
        let Some(known) = egraph[id].data.values else { return false };
        if !pattern.admits(known.sort) {
            return false;
        }
        if let SortPattern::Var(variable) = pattern {
            if matches!(known.sort, Sort::BitVec(width) if !widths.contains(&width)) {
                return false;
            }
            match choice.iter().find(|(other, _)| other == variable) {
                Some((_, sort)) if *sort != known.sort => return false,
                Some(_) => {}
                None => choice.push((*variable, known.sort)),
            }
        }
        scope.push((*name, known));
    }
    let language = egraph.analysis.heads.language;
    conditions.iter().all(|condition| {
        of_term(language, condition, &scope).is_some_and(|known| known.is_true())
            || instance(egraph, condition, params, subst)
                .is_some_and(|id| egraph[id].data.values.is_some_and(|known| known.is_true()))
    })
}

/// The class of a condition's instance, where the e-graph holds it: a fact that was shown or is taken as true.
fn instance(egraph: &EGraph<'_>, term: &Term, params: &[(Symbol, SortPattern)], subst: &Subst) -> Option<Id> {
    let (head, children) = match term.node() {
        Node::Var(name) => {
            let index = params.iter().position(|(other, _)| other == name)?;
            return subst.get(Var::from_u32(index as u32)).map(|&id| egraph.find(id));
        }
        Node::Const(value) => (egraph.analysis.heads.known_constant(value.sort()?, encode_value(*value))?, Vec::new()),
        Node::App(Func::Op(id), args) => {
            let children = args.iter().map(|arg| instance(egraph, arg, params, subst)).collect::<Option<_>>()?;
            (Head::Op(*id), children)
        }
        _ => return None,
    };
    egraph.lookup(ENode { head, children })
}

fn mentions(term: &Term, name: Symbol) -> bool {
    match term.node() {
        Node::Var(other) => *other == name,
        Node::App(_, args) => args.iter().any(|arg| mentions(arg, name)),
        _ => false,
    }
}

fn pattern(term: &Term, names: &[Symbol], heads: &mut Heads<'_>) -> Option<Pattern<ENode>> {
    let mut ast = RecExpr::default();
    add(term, names, heads, &mut ast)?;
    Some(Pattern::new(ast))
}

fn add(term: &Term, names: &[Symbol], heads: &mut Heads<'_>, ast: &mut RecExpr<ENodeOrVar<ENode>>) -> Option<Id> {
    match term.node() {
        Node::Var(name) => {
            let index = names.iter().position(|other| other == name)?;
            Some(ast.add(ENodeOrVar::Var(Var::from_u32(index as u32))))
        }
        Node::Const(value) => {
            let head = heads.constant(value.sort()?, encode_value(*value))?;
            Some(ast.add(ENodeOrVar::ENode(ENode { head, children: Vec::new() })))
        }
        Node::App(Func::Op(id), args) => {
            let children = args.iter().map(|arg| add(arg, names, heads, ast)).collect::<Option<_>>()?;
            Some(ast.add(ENodeOrVar::ENode(ENode { head: Head::Op(*id), children })))
        }
        _ => None,
    }
}
