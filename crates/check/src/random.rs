//! Random terms of a given sort and about a given cost: what a program of that size without meaning looks like.
//!
//! They are the null distribution of a control: whoever says that a site carries a term must do better than with one drawn
//! from the same language.

use std::collections::BTreeMap;
use std::sync::Arc;

use dsl::{Form, Func, Language, Node, Scan, Table, Term};
use rand::Rng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use samples::{Domain, Elements, Rng, Sort, Symbol, Value};

/// Draws until a cost is given up: the nearest one is then taken.
const TRIES: usize = 12;
/// Costs that are made; terms of tables cost more, and their size lies in the tables.
const LARGEST: u32 = 60;
/// The share of leaves that are variables, where there are any.
const VARIABLES: f64 = 0.7;

/// Draws random terms over a domain's inputs.
pub struct RandomTerms<'a> {
    language: &'a Language,
    vars: Vec<(Symbol, Sort)>,
    constants: Vec<Value>,
    /// The language's operators that give a sort, by the sorts that subterms may have.
    operators: BTreeMap<Vec<Sort>, Arc<BTreeMap<Sort, Vec<Choice>>>>,
}

impl<'a> RandomTerms<'a> {
    /// Terms of a language over the inputs of a domain.
    pub fn new(language: &'a Language, domain: &Domain) -> Self {
        let mut constants = match &domain.elements {
            Elements::Tokens { vocab, .. } | Elements::Recorded { vocab, .. } => vocab.clone(),
            Elements::Integers { .. } => Vec::new(),
        };
        constants.retain(|value| matches!(value, Value::Symbol(_)));
        Self { language, vars: domain.inputs(), constants, operators: BTreeMap::new() }
    }

    /// A random term of the sort and about the cost of one given: operators, constants and inputs of the language, and the
    /// tables of the term with their results shuffled. A scan keeps its states with their sorts and initial
    /// values, and the outputs that name a state; every update, and every other output, is drawn. `None` where the term has no
    /// sort, or the language none to offer. Every term that is drawn costs `more` than the one that it is drawn for.
    pub fn like(&mut self, term: &Term, more: usize, rng: &mut Rng) -> Option<Term> {
        let tables = dsl::tables(term).into_iter().map(|table| shuffled(&table, rng)).collect();
        let vars = self.vars.clone();
        let operators = Arc::default();
        Generator { all: self, vars, tables, operators, more: more as f64, rng }.like(term)
    }

    /// The operators that give each sort, where subterms may have some sorts.
    fn operators(&mut self, sorts: Vec<Sort>) -> Arc<BTreeMap<Sort, Vec<Choice>>> {
        let language = self.language;
        let by_result = |sorts: &[Sort]| {
            let mut by_result: BTreeMap<Sort, Vec<Choice>> = BTreeMap::new();
            for (id, op) in language.operators() {
                for (params, result) in op.instances(sorts) {
                    by_result.entry(result).or_default().push(Choice { func: Func::Op(id), params, cost: op.cost });
                }
            }
            Arc::new(by_result)
        };
        match self.operators.get(&sorts) {
            Some(known) => Arc::clone(known),
            None => {
                let found = by_result(&sorts);
                self.operators.insert(sorts, Arc::clone(&found));
                found
            }
        }
    }
}

/// A table with its results shuffled.
fn shuffled(table: &Arc<Table>, rng: &mut Rng) -> Arc<Table> {
    let mut results: Vec<Value> = table.entries.iter().map(|entry| entry.1).collect();
    results.shuffle(rng);
    let entries = table.entries.iter().zip(results).map(|((keys, _), result)| (keys.clone(), result)).collect();
    Arc::new(Table { entries, ..(**table).clone() })
}

struct Generator<'g, 'a, 'r> {
    all: &'g mut RandomTerms<'a>,
    vars: Vec<(Symbol, Sort)>,
    tables: Vec<Arc<Table>>,
    /// What can be applied, by the sort of its value.
    operators: Arc<BTreeMap<Sort, Vec<Choice>>>,
    /// What terms cost beyond those that they are drawn for.
    more: f64,
    rng: &'r mut Rng,
}

/// What can be applied, and to arguments of which sorts.
#[derive(Clone)]
struct Choice {
    func: Func,
    params: Vec<Sort>,
    cost: u32,
}

impl Generator<'_, '_, '_> {
    fn like(&mut self, term: &Term) -> Option<Term> {
        let Node::Scan(scan) = term.node() else {
            let sort = dsl::sort_of(term, self.all.language, &self.vars).ok()?;
            return self.about(sort, dsl::cost(term, self.all.language));
        };
        let states: Vec<(Symbol, Sort)> =
            scan.states.iter().map(|(name, init, _)| Some((*name, init.sort()?))).collect::<Option<_>>()?;
        let outer = self.vars.len();
        self.vars.extend(states.iter().copied());
        let mut drawn = Vec::with_capacity(states.len());
        for ((name, init, update), (_, sort)) in scan.states.iter().zip(&states) {
            drawn.push((*name, *init, self.about(*sort, dsl::cost(update, self.all.language))?));
        }
        let after: Vec<(Symbol, Sort)> = states.iter().map(|&(name, sort)| (crate::primed(name), sort)).collect();
        self.vars.extend(after);
        let mut outputs = Vec::with_capacity(scan.outputs.len());
        for output in &scan.outputs {
            outputs.push(match output.node() {
                Node::Var(_) if !states.is_empty() => output.clone(),
                _ => {
                    let sort = dsl::sort_of(output, self.all.language, &self.vars).ok()?;
                    self.about(sort, dsl::cost(output, self.all.language))?
                }
            });
        }
        self.vars.truncate(outer);
        Some(Term::new(Node::Scan(Scan { states: drawn, outputs })))
    }

    /// The nearest in cost of some terms of a sort.
    fn about(&mut self, sort: Sort, cost: f64) -> Option<Term> {
        let cost = cost + self.more;
        let mut sorts: Vec<Sort> =
            self.vars.iter().map(|(_, sort)| *sort).chain([sort, Sort::Bool, Sort::Int]).collect();
        if self.all.language.has_form(Form::Select) {
            sorts.extend([Sort::Selector, Sort::Real]);
        }
        sorts.sort_unstable();
        sorts.dedup();
        self.operators = self.all.operators(sorts);
        let budget = (cost.round().max(1.0) as u32).min(LARGEST);
        let mut best: Option<(f64, Term)> = None;
        for _ in 0..TRIES {
            let Some(term) = self.term(sort, budget) else { continue };
            let off = (dsl::cost(&term, self.all.language) - cost).abs();
            if best.as_ref().is_none_or(|(other, _)| off < *other) {
                best = Some((off, term));
            }
            if best.as_ref().is_some_and(|(off, _)| *off < 1.0) {
                break;
            }
        }
        best.map(|(_, term)| term)
    }

    /// A term of a sort that costs about a budget.
    fn term(&mut self, sort: Sort, budget: u32) -> Option<Term> {
        if sort == Sort::Selector {
            return self.selector(budget);
        }
        let least = |choice: &Choice| choice.cost + choice.params.iter().map(|&sort| self.least(sort)).sum::<u32>();
        let choices: Vec<Choice> = self.choices(sort).into_iter().filter(|c| least(c) <= budget).collect();
        let Some(choice) = choices.choose(self.rng).cloned() else { return self.leaf(sort) };
        let args = self.args(&choice.params, budget - choice.cost)?;
        Some(Term::app(choice.func, args))
    }

    /// Arguments among which a budget is divided at random.
    fn args(&mut self, params: &[Sort], budget: u32) -> Option<Vec<Term>> {
        let least: Vec<u32> = params.iter().map(|&sort| self.least(sort)).collect();
        let mut spare = budget.saturating_sub(least.iter().sum());
        let mut order: Vec<usize> = (0..params.len()).collect();
        order.shuffle(self.rng);
        let mut shares = least;
        for (place, &at) in order.iter().enumerate() {
            let all = place + 1 == order.len();
            let more = if all { spare } else { self.rng.random_range(0..=spare) };
            shares[at] += more;
            spare -= more;
        }
        params.iter().zip(shares).map(|(&sort, share)| self.term(sort, share)).collect()
    }

    fn choices(&self, sort: Sort) -> Vec<Choice> {
        let mut choices = self.operators.get(&sort).cloned().unwrap_or_default();
        let cost = self.all.language.form_cost(Form::Table);
        let tables = self.tables.iter().filter(|table| table.result == sort);
        choices.extend(tables.map(|table| Choice {
            func: Func::Table(Arc::clone(table)),
            params: table.params.clone(),
            cost,
        }));
        choices
    }

    /// About the least that a term of a sort costs.
    fn least(&self, sort: Sort) -> u32 {
        match sort {
            Sort::Selector => self.all.language.form_cost(Form::Select) + 3,
            _ => 1,
        }
    }

    fn selector(&mut self, budget: u32) -> Option<Term> {
        let made: Vec<Choice> = self.choices(Sort::Selector);
        let least = self.least(Sort::Selector);
        let made: Vec<Choice> = made.into_iter().filter(|c| c.cost + least * c.params.len() as u32 <= budget).collect();
        if let Some(choice) = made.choose(self.rng).cloned()
            && self.rng.random_bool(0.3)
        {
            let args = self.args(&choice.params, budget - choice.cost)?;
            return Some(Term::app(choice.func, args));
        }
        // A relation of two values of one sort that terms can have.
        let relations: Vec<Choice> =
            self.choices(Sort::Bool).into_iter().filter(|c| is_relation(c) && self.is_given(c.params[0])).collect();
        let relation = relations.choose(self.rng).cloned()?;
        let form = self.all.language.form_cost(Form::Select);
        let args = self.args(&relation.params, budget.saturating_sub(form + relation.cost))?;
        let [key, query] = <[Term; 2]>::try_from(args).ok()?;
        Some(Term::new(Node::Select { key, query, pred: relation.func }))
    }

    fn is_given(&self, sort: Sort) -> bool {
        self.vars.iter().any(|(_, own)| *own == sort)
    }

    fn leaf(&mut self, sort: Sort) -> Option<Term> {
        let names: Vec<Symbol> = self.vars.iter().filter(|(_, own)| *own == sort).map(|(name, _)| *name).collect();
        let mut values = self.all.language.constants.values(sort);
        values.extend(self.all.constants.iter().copied().filter(|value| value.sort() == Some(sort)));
        if sort == Sort::Bool && values.is_empty() {
            values = vec![Value::Bool(false), Value::Bool(true)];
        }
        let variable = names.choose(self.rng).copied();
        match (variable, values.choose(self.rng)) {
            (Some(name), None) => Some(Term::var(name)),
            (Some(name), Some(_)) if self.rng.random_bool(VARIABLES) => Some(Term::var(name)),
            (_, Some(value)) => Some(Term::constant(*value)),
            (None, None) => None,
        }
    }
}

/// Whether something applies to two values of one sort, and is an operator: what a selector's predicate can be.
fn is_relation(choice: &Choice) -> bool {
    matches!(choice.func, Func::Op(_))
        && matches!(choice.params[..], [a, b] if a == b && a != Sort::Selector && a != Sort::Bool)
}

#[cfg(test)]
mod tests {
    use samples::{Batch, Decode, rng};

    use super::*;

    fn domain(elements: Elements) -> Domain {
        Domain { elements, length: (1, 6), decode: Decode::Round, n_outputs: 1 }
    }

    /// Draws many terms like one, each of which can be read again from its text and evaluated; the share that costs the same.
    fn same_cost(text: &str, language: &str, domain: &Domain) -> f64 {
        let language = Language::load_shipped(language).expect("it is shipped");
        let inputs = domain.inputs();
        let term = dsl::parse_term(text, &language, &inputs).expect(text);
        let sort = dsl::sort_of(&term, &language, &inputs).expect(text);
        let (mut rng, mut random) = (rng(0, "test"), RandomTerms::new(&language, domain));
        let (mut same, mut distinct) = (0, std::collections::BTreeSet::new());
        for _ in 0..100 {
            let drawn = random.like(&term, 0, &mut rng).expect("there are terms");
            let printed = dsl::print(&drawn, &language);
            assert_eq!(dsl::sort_of(&drawn, &language, &inputs).ok(), Some(sort), "{printed}");
            let batch: Batch = domain.sample(20, &mut rng);
            let env =
                dsl::Env { language: &language, points: &batch.points(), vars: &domain.columns(&batch), causal: false };
            assert!(dsl::eval(&drawn, &env).is_ok(), "{printed}");
            same += usize::from((dsl::cost(&drawn, &language) - dsl::cost(&term, &language)).abs() <= 1.0);
            distinct.insert(printed);
        }
        assert!(distinct.len() > 30, "{text}: {} distinct ones", distinct.len());
        same as f64 / 100.0
    }

    #[test]
    fn random_terms_have_the_sort_and_about_the_cost_of_the_one_given() {
        let vocab = ["a", "b", "c"].map(|text| Value::Symbol(Symbol::new(text))).to_vec();
        let tokens = domain(Elements::Tokens { vocab, bos: None, pad: None, distinct: false });
        for text in [
            "(aggregate (select indices (- indices 1) =) tokens)",
            "(= tokens (aggregate (select indices 0 =) tokens))",
            "(selector_width (select tokens tokens =))",
        ] {
            assert!(same_cost(text, "rasp", &tokens) >= 0.7, "{text}");
        }
    }

    #[test]
    fn a_random_machine_keeps_its_states() {
        let numbers = domain(Elements::Integers { dim: 1, lo: -1, hi: 2 });
        let text = "(scan ((s 0 (min (max (+ s x) 0) 3)) (t 1 (ite (< x t) s 2))) s')";
        assert!(same_cost(text, "recurrent", &numbers) >= 0.5);
        let language = Language::load_shipped("recurrent").expect("it is shipped");
        let term = dsl::parse_term(text, &language, &numbers.inputs()).expect(text);
        let drawn = RandomTerms::new(&language, &numbers).like(&term, 0, &mut rng(3, "test")).expect("there are terms");
        let (Node::Scan(own), Node::Scan(other)) = (term.node(), drawn.node()) else { panic!("scans") };
        let kept = |scan: &Scan| scan.states.iter().map(|state| (state.0, state.1)).collect::<Vec<_>>();
        assert_eq!((kept(own), &own.outputs), (kept(other), &other.outputs));
    }
}
