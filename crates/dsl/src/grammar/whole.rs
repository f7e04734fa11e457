//! The grammar of a whole language, and the grammars that a DSL file defines.

use samples::{Sort, Symbol};

use crate::diagnostic::Place;
use crate::language::{Language, OpId};
use crate::term::{Func, Term};
use crate::walk::{map_ops, op_uses};

use super::restrict::{Demand, Restriction, Used};
use super::{Grammar, GrammarError, NonterminalId, Production};

/// `(grammar NAME (NONTERMINAL SORT (PRODUCTION ...)) ... RESTRICTIONS)`, before the variables are known.
#[derive(Clone, PartialEq, Debug)]
pub struct GrammarDefinition {
    /// What it is called.
    pub name: Symbol,
    /// The nonterminals, the start first; none: the grammar of the whole language.
    pub nonterminals: Vec<NonterminalDefinition>,
    /// The sort of the terms.
    pub sort: Sort,
    /// What its terms must satisfy.
    pub restrictions: Vec<Restriction>,
    /// Where it is written.
    pub place: Place,
}

/// A nonterminal of a [`GrammarDefinition`].
#[derive(Clone, PartialEq, Debug)]
pub struct NonterminalDefinition {
    /// What it is called.
    pub name: Symbol,
    /// The sort of its terms.
    pub sort: Sort,
    /// Terms in which variables called like nonterminals, `(Constant S)` and `(Variable S)` stand for any of theirs; and
    /// what each costs, if the file says so.
    pub productions: Vec<(Term, Option<u32>)>,
}

/// The name that stands for `(Constant S)` or `(Variable S)` in productions.
pub(crate) fn placeholder(word: &str, sort: Sort) -> Symbol {
    Symbol::new(&format!("({word} {sort})"))
}

impl GrammarDefinition {
    /// The grammar over some variables.
    pub(crate) fn build(&self, language: &Language, vars: &[(Symbol, Sort)]) -> Result<Grammar, GrammarError> {
        if self.nonterminals.is_empty() {
            return Grammar::from_language(language, self.sort, vars)?.restricted(&self.restrictions);
        }
        let mut grammar = self.frame(language, vars)?;
        for (index, own) in (0..).zip(&self.nonterminals) {
            for (term, cost) in &own.productions {
                grammar.production(NonterminalId(index), term, language, vars, *cost)?;
            }
        }
        grammar.restricted(&self.restrictions)
    }

    /// The nonterminals without their productions, then those that stand for constants and variables.
    pub(crate) fn frame(&self, language: &Language, vars: &[(Symbol, Sort)]) -> Result<Grammar, GrammarError> {
        let mut grammar = Grammar::default();
        for own in &self.nonterminals {
            grammar.add(own.name, own.sort);
        }
        let mut sorts: Vec<Sort> = self.nonterminals.iter().map(|own| own.sort).collect();
        sorts.extend(vars.iter().map(|(_, sort)| *sort));
        sorts.extend(language.constants.groups.iter().map(|group| group.sort));
        sorts.extend(reached_sorts(language, sorts.clone()));
        for sort in distinct(sorts) {
            let constants = grammar.add(placeholder("Constant", sort), sort);
            add_constants(&mut grammar, constants, language, sort)?;
            let variables = grammar.add(placeholder("Variable", sort), sort);
            add_variables(&mut grammar, variables, language, vars, sort)?;
        }
        Ok(grammar)
    }

    /// Without what mentions an operator that is taken away, the others renumbered.
    pub(crate) fn remove(&mut self, id: OpId) {
        let renumber = |op: OpId| if op.0 > id.0 { OpId(op.0 - 1) } else { op };
        for own in &mut self.nonterminals {
            own.productions.retain(|(term, _)| !op_uses(term, id));
            own.productions.iter_mut().for_each(|(term, _)| *term = map_ops(term, &renumber));
        }
        let uses = |demand: &Demand| match *demand {
            Demand::MustUse(a) | Demand::AtMost(a, _) => a == Used::Op(id),
            Demand::NoNesting(a, b) => a == Used::Op(id) || b == Used::Op(id),
        };
        self.restrictions.retain(|own| !uses(&own.demand));
        let renumbered = |used: &mut Used| {
            if let Used::Op(op) = used {
                *op = renumber(*op);
            }
        };
        for own in &mut self.restrictions {
            match &mut own.demand {
                Demand::MustUse(a) | Demand::AtMost(a, _) => renumbered(a),
                Demand::NoNesting(a, b) => {
                    renumbered(a);
                    renumbered(b);
                }
            }
        }
    }
}

impl Language {
    /// A grammar that the file defines, over some variables; `None` if there is none of that name.
    ///
    /// # Errors
    /// Variables that the grammar mentions and are not given; restrictions that leave no term.
    pub fn grammar(&self, name: &str, vars: &[(Symbol, Sort)]) -> Option<Result<Grammar, GrammarError>> {
        let definition = self.grammars.iter().find(|definition| definition.name.as_str() == name)?;
        Some(definition.build(self, vars))
    }
}

impl Grammar {
    /// All terms of a sort that are made of a language's operators at all sorts that can be reached, its constants and the
    /// variables given. Costs are those of [`crate::cost()`]: where an operator is charged for arguments that are no
    /// constants, constants are told from other terms. Constants that may be taken from samples or solved for are
    /// [`Production::AnyConstant`].
    ///
    /// # Errors
    /// If there is no such term, or the grammar is too large.
    pub fn from_language(language: &Language, sort: Sort, vars: &[(Symbol, Sort)]) -> Result<Self, GrammarError> {
        let mut sorts = vec![sort];
        sorts.extend(vars.iter().map(|(_, sort)| *sort));
        sorts.extend(language.constants.groups.iter().map(|group| group.sort));
        let sorts = reached_sorts(language, distinct(sorts));
        let mut grammar = Self::default();
        let kinds: Vec<Kinds> = sorts.iter().map(|&sort| Kinds::add(&mut grammar, sort)).collect();
        for kind in &kinds {
            add_constants(&mut grammar, kind.constant, language, kind.sort)?;
            add_variables(&mut grammar, kind.other, language, vars, kind.sort)?;
        }
        let kind = |sort: Sort| kinds.iter().find(|kind| kind.sort == sort);
        for (id, operator) in language.operators() {
            for (params, result) in operator.instances(&sorts) {
                let args: Option<Vec<&Kinds>> = params.iter().map(|&sort| kind(sort)).collect();
                let (Some(args), Some(result)) = (args, kind(result)) else { continue };
                for (args, cost) in ways(&args, &operator.charges, operator.cost) {
                    grammar.push(result.other, Production::Apply { func: Func::Op(id), args, cost })?;
                }
            }
        }
        grammar.pruned().ok_or(GrammarError::Empty)
    }
}

/// The nonterminals of one sort.
struct Kinds {
    sort: Sort,
    any: NonterminalId,
    constant: NonterminalId,
    other: NonterminalId,
}

impl Kinds {
    fn add(grammar: &mut Grammar, sort: Sort) -> Self {
        let name = sort.to_string();
        let any = grammar.add(name.as_str(), sort);
        let constant = grammar.add(placeholder("Constant", sort), sort);
        let other = grammar.add(format!("{name}:other").as_str(), sort);
        grammar.nonterminals[any.0 as usize].productions = vec![Production::Chain(constant), Production::Chain(other)];
        Self { sort, any, constant, other }
    }
}

/// Arguments and cost of an operator: with charges, for every choice of constants and others at the places charged.
fn ways(args: &[&Kinds], charges: &[u32], cost: u32) -> Vec<(Vec<NonterminalId>, u32)> {
    let mut ways = vec![(Vec::new(), cost)];
    for (i, arg) in args.iter().enumerate() {
        let charge = charges.get(i).copied().unwrap_or(0);
        let choices: Vec<(NonterminalId, u32)> =
            if charge == 0 { vec![(arg.any, 0)] } else { vec![(arg.constant, 0), (arg.other, charge)] };
        let with = |(args, cost): (Vec<NonterminalId>, u32)| {
            let choices = choices.clone();
            choices.into_iter().map(move |(id, more)| ([args.clone(), vec![id]].concat(), cost.saturating_add(more)))
        };
        ways = ways.into_iter().flat_map(with).collect();
    }
    ways
}

/// The sorts given and those that operators lead to from them.
fn reached_sorts(language: &Language, mut sorts: Vec<Sort>) -> Vec<Sort> {
    loop {
        let n = sorts.len();
        for (_, operator) in language.operators() {
            sorts.extend(operator.instances(&sorts).into_iter().map(|(_, result)| result));
            sorts = distinct(sorts);
        }
        if sorts.len() == n {
            return sorts;
        }
    }
}

fn distinct(sorts: Vec<Sort>) -> Vec<Sort> {
    let mut different: Vec<Sort> = Vec::new();
    for sort in sorts {
        if !different.contains(&sort) {
            different.push(sort);
        }
    }
    different
}

/// The constants of a language: those listed, and any if the language lets a search look for others.
fn add_constants(
    grammar: &mut Grammar,
    id: NonterminalId,
    language: &Language,
    sort: Sort,
) -> Result<(), GrammarError> {
    let constants = &language.constants;
    for value in constants.values(sort).into_iter().filter(|value| value.sort().is_some()) {
        grammar.push(id, Production::Leaf { term: Term::constant(value), cost: constants.cost(value) })?;
    }
    if let Some(cost) = constants.open_cost(sort) {
        grammar.push(id, Production::AnyConstant { cost })?;
    }
    Ok(())
}

fn add_variables(
    grammar: &mut Grammar,
    id: NonterminalId,
    language: &Language,
    vars: &[(Symbol, Sort)],
    sort: Sort,
) -> Result<(), GrammarError> {
    for (name, _) in vars.iter().filter(|(_, own)| *own == sort) {
        grammar.push(id, Production::Leaf { term: Term::var(*name), cost: language.variable_cost })?;
    }
    Ok(())
}
