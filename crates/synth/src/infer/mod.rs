//! Rule inference: which equalities hold in a language, as few as say all of them (Nandi et al., Ruler, 2021).
//!
//! Terms are enumerated by size over a few variables, one for each class of equal values at sample points. A term that falls
//! into a class already there is a candidate: equal to the class's term wherever all variables have values. What
//! the chosen rules derive is dropped, the best of the rest is verified ([`crate::check_rule`]) and chosen, and so on; then the
//! terms grow. Conditions come from the points where the sides differ.
//!
//! Variables are of Boolean sort and, in turn, of a sort that stands for any, of real and of integer sort: a rule is as
//! general as its text, so it is looked for where nothing special is known, first.

mod conditions;
mod derive;
mod key;
mod rewrite;
mod terms;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::BTreeSet;

use dsl::{Func, Kernel, Language, OpId, Rule, SortPattern, Term};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};
use smt::Solver;

use crate::saturate::{RuleSet, SaturationLimits};
use crate::verify::{Verdict, VerifyLimits, check_rule};

use conditions::Premise;
pub use derive::derives;
pub use key::infer_key;
use rewrite::{Condition, Equation, Facts, Rewriter};
use terms::{TermId, Terms};
use workload::{Pair, Points, Profile, Workload};

/// What is looked at, and how much work it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InferConfig {
    /// Atoms of a term over all operators.
    pub size: u32,
    /// Atoms of a term over two operators.
    pub pair_size: u32,
    /// Atoms of a term over two operators without constants.
    pub plain_pair_size: u32,
    /// Atoms of a term over three operators and two variables, without constants.
    pub triple_size: u32,
    /// Variables of each sort.
    pub variables: usize,
    /// Terms of one size over one set of operators.
    pub max_terms: usize,
    /// How far the chosen rules are followed to see whether they derive a candidate.
    pub derivation: SaturationLimits,
    /// What a proof may cost.
    pub verify: VerifyLimits,
}

impl InferConfig {
    /// Terms over all operators up to a size, one atom more without constants; over two operators two more with and
    /// four more without constants; over three operators three more.
    pub fn new(size: u32) -> Self {
        Self {
            size,
            pair_size: size + 2,
            plain_pair_size: size + 4,
            triple_size: size + 3,
            variables: 3,
            max_terms: 30_000,
            derivation: SaturationLimits { max_rounds: 4, max_nodes: 1_500, max_matches: 300 },
            verify: VerifyLimits::default(),
        }
    }
}

/// A rule that was inferred.
#[derive(Clone, PartialEq, Debug)]
pub struct InferredRule {
    /// The rule.
    pub rule: Rule,
    /// Proved, or held on everything in a stated scope.
    pub verdict: Verdict,
}

/// What was inferred, and from how much.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Inferred {
    /// In the order in which they were chosen: small and general ones first.
    pub rules: Vec<InferredRule>,
    /// Pairs of terms with equal values.
    pub n_candidates: usize,
    /// Candidates that the rules chosen before derive.
    pub n_derived: usize,
    /// Candidates that verification refuted: equal at the sample points, or at some sorts, alone.
    pub n_refuted: usize,
    /// Candidates of which verification could not say anything.
    pub n_undecided: usize,
    /// What stopped the enumeration early, if anything did.
    pub limits: BTreeSet<&'static str>,
}

impl Inferred {
    /// The rules as a set for saturation.
    pub fn rule_set(&self) -> RuleSet {
        RuleSet { rules: self.rules.iter().map(|inferred| inferred.rule.clone()).collect() }
    }
}

/// Infers rules of a language from its operators and constants alone; the rules that its file states are not looked at.
/// Operators that look at other positions are left out. `go_on` is told what is being done and says whether to go on.
pub fn infer(
    language: &Language,
    config: &InferConfig,
    solver: &mut Solver,
    go_on: &mut dyn FnMut(&str) -> bool,
) -> Inferred {
    let operators: Vec<OpId> =
        language.operators().filter(|(id, _)| is_pointwise(language, *id)).map(|o| o.0).collect();
    let sorts = value_sorts(language, &operators);
    let n = config.variables.min(8);
    let names = |sort: Sort| (0..n).map(move |i| (Symbol::new(&format!("{sort}{i}")), sort));
    let vars: Vec<(Symbol, Sort)> = names(Sort::Bool).chain(sorts.iter().flat_map(|&sort| names(sort))).collect();
    let points = Points::new(language, &vars);
    let mut run = Run {
        terms: Terms::new(language, vars),
        points,
        rewriter: Rewriter::default(),
        config,
        solver,
        seen: BTreeSet::new(),
        premises: Vec::new(),
        implied: FxHashMap::default(),
        found: Inferred::default(),
        go_on,
        stopped: false,
    };
    run.all(&operators, &sorts);
    run.found
}

/// Whether an operator's value at a point depends on that point alone.
fn is_pointwise(language: &Language, id: OpId) -> bool {
    let operator = language.op(id);
    let selects = |pattern: &SortPattern| *pattern == SortPattern::Sort(Sort::Selector);
    let terms = std::iter::once(&operator.meaning).chain(&operator.condition);
    !operator.params.is_empty()
        && !selects(&operator.result)
        && !operator.params.iter().any(|(_, pattern)| selects(pattern))
        && !terms.into_iter().any(|term| crate::verify::mentions_selection(language, term))
}

/// The sorts of variables beside truth values: one that stands for any, numbers that stand for any, integers, others.
fn value_sorts(language: &Language, operators: &[OpId]) -> Vec<Sort> {
    let patterns: Vec<SortPattern> = operators
        .iter()
        .flat_map(|&id| language.op(id).params.iter().map(|p| p.1).chain([language.op(id).result]))
        .collect();
    let mut sorts = Vec::new();
    let generic = |admits: Sort, not: Option<Sort>| {
        patterns
            .iter()
            .any(|p| matches!(p, SortPattern::Var(_)) && p.admits(admits) && not.is_none_or(|sort| !p.admits(sort)))
    };
    if generic(Sort::Symbol, None) {
        sorts.push(Sort::Enum(Symbol::new("any sort")));
    }
    let numeric = generic(Sort::Real, Some(Sort::Symbol));
    if numeric || patterns.contains(&SortPattern::Sort(Sort::Real)) {
        sorts.push(Sort::Real);
    }
    if numeric || patterns.contains(&SortPattern::Sort(Sort::Int)) {
        sorts.push(Sort::Int);
    }
    let mut vectors: Vec<Sort> = Vec::new();
    if generic(Sort::BitVec(8), Some(Sort::Symbol)) {
        vectors.push(Sort::BitVec(8));
    }
    for pattern in &patterns {
        if let SortPattern::Sort(sort @ Sort::BitVec(_)) = pattern
            && !vectors.contains(sort)
        {
            vectors.push(*sort);
        }
    }
    sorts.extend(vectors);
    for sort in [Sort::Symbol].into_iter().chain(language.enums.iter().map(|declared| Sort::Enum(declared.name))) {
        if patterns.contains(&SortPattern::Sort(sort)) {
            sorts.push(sort);
        }
    }
    sorts
}

/// Variables of a sort, how many, and whether its constants belong to them.
#[derive(Clone, Copy)]
struct Atoms {
    sort: Option<Sort>,
    variables: usize,
    constants: bool,
}

struct Run<'a, 'l> {
    terms: Terms<'l>,
    points: Points,
    rewriter: Rewriter,
    config: &'a InferConfig,
    solver: &'a mut Solver,
    /// The texts of rules that were judged.
    seen: BTreeSet<String>,
    /// The comparisons that serve as conditions.
    premises: Vec<Premise>,
    /// What conditions were shown to imply.
    implied: FxHashMap<Vec<TermId>, Vec<TermId>>,
    found: Inferred,
    go_on: &'a mut dyn FnMut(&str) -> bool,
    stopped: bool,
}

impl Run<'_, '_> {
    fn all(&mut self, operators: &[OpId], sorts: &[Sort]) {
        let families: Vec<Option<Sort>> =
            if sorts.is_empty() { vec![None] } else { sorts.iter().copied().map(Some).collect() };
        let InferConfig { size, pair_size, plain_pair_size, triple_size, variables, .. } = *self.config;
        let atoms = |sort, variables, constants| Atoms { sort, variables, constants };
        let bools = Some(Sort::Bool);
        let workload = |atoms, max_size| {
            Workload::new(Profile { operators: operators.to_vec(), atoms, max_size, keeps_all: true })
        };
        let (mut whole, mut plain) = (Vec::new(), Vec::new());
        for &family in &families {
            let mut all = self.atoms(atoms(bools, variables, true));
            all.extend(self.atoms(atoms(family, variables, true)));
            whole.push(workload(all, size));
            plain.push(workload(self.atoms(atoms(family.or(bools), variables, false)), size + 1));
        }
        for size in 1..=self.config.size + 1 {
            self.say(&format!("terms of {size} atoms over all operators"));
            for (workload, plain) in whole.iter_mut().zip(&mut plain) {
                if size <= self.config.size {
                    self.grow(workload, None);
                }
                self.grow(plain, Some(workload));
            }
        }
        for (workload, plain) in whole.iter().zip(&plain) {
            self.say("conditions");
            self.premises = conditions::premises(&self.terms, workload);
            let equations = conditions::equations(&self.terms, &self.premises, (workload, plain));
            self.select(equations);
        }
        for (&family, whole) in families.iter().zip(&whole) {
            let of_both = |constants| [atoms(bools, variables, constants), atoms(family, variables, constants)];
            self.subsets(operators, whole, 2, pair_size, &of_both(true));
            self.subsets(operators, whole, 2, plain_pair_size, &of_both(false));
            self.subsets(operators, whole, 3, triple_size, &[atoms(family.or(bools), 2, false)]);
        }
    }

    /// Larger terms over `n` operators at a time.
    fn subsets(&mut self, operators: &[OpId], whole: &Workload, n: usize, max_size: u32, atoms: &[Atoms]) {
        let atoms: Vec<TermId> = atoms.iter().flat_map(|atoms| self.atoms(*atoms)).collect();
        let workload =
            |operators| Workload::new(Profile { operators, atoms: atoms.clone(), max_size, keeps_all: false });
        let mut workloads: Vec<Workload> = subsets(operators, n).into_iter().map(workload).collect();
        for size in 1..=max_size {
            self.say(&format!("terms of {size} atoms over {n} operators at a time"));
            let mut pairs = Vec::new();
            for workload in &mut workloads {
                if self.stopped {
                    return;
                }
                pairs.extend(self.level(workload, Some(whole)));
            }
            self.select_pairs(pairs);
        }
    }

    fn say(&mut self, what: &str) {
        if !self.stopped && !(self.go_on)(&format!("{what}; {} rules", self.found.rules.len())) {
            self.stopped = true;
            self.found.limits.insert("time");
        }
    }

    /// Variables of a sort and its constants.
    fn atoms(&mut self, Atoms { sort, variables, constants }: Atoms) -> Vec<TermId> {
        let Some(sort) = sort else { return Vec::new() };
        let of_sort = (0..self.terms.vars.len()).filter(|&var| self.terms.vars[var].1 == sort);
        let of_sort: Vec<usize> = of_sort.take(variables).collect();
        let mut atoms: Vec<TermId> = of_sort.into_iter().map(|var| self.terms.var(var)).collect();
        let values = if constants { self.terms.language.constants.values(sort) } else { Vec::new() };
        atoms.extend(values.into_iter().filter_map(|value| self.terms.constant(value)));
        atoms
    }

    fn level(&mut self, workload: &mut Workload, others: Option<&Workload>) -> Vec<Pair> {
        let (pairs, is_whole) =
            workload.grow(&mut self.terms, &self.points, &self.rewriter, others, self.config.max_terms);
        if !is_whole {
            self.found.limits.insert("terms");
        }
        pairs
    }

    fn grow(&mut self, workload: &mut Workload, others: Option<&Workload>) {
        if self.stopped {
            return;
        }
        let pairs = self.level(workload, others);
        self.select_pairs(pairs);
    }

    fn select_pairs(&mut self, pairs: Vec<Pair>) {
        let equations =
            pairs.into_iter().filter_map(|pair| conditions::with_defined(&self.terms, &self.points, pair)).collect();
        self.select(equations);
    }

    /// Chooses among candidates: the smallest and most general first, unless those chosen before derive it.
    fn select(&mut self, mut equations: Vec<Equation>) {
        self.found.n_candidates += equations.len();
        let terms = &self.terms;
        let rank = |equation: &Equation| {
            let size = terms.size(equation.left) + terms.size(equation.right);
            let n_constants = terms.n_constants(equation.left) + terms.n_constants(equation.right);
            (size, equation.conditions.len(), n_constants, terms.vars(equation.left).count_ones())
        };
        equations.sort_by(|a, b| {
            let by_rank = rank(a).cmp(&rank(b));
            by_rank.then_with(|| terms.compare(a.left, b.left)).then_with(|| terms.compare(a.right, b.right))
        });
        let n = equations.len();
        for (i, equation) in equations.into_iter().enumerate() {
            if i % 64 == 63 {
                self.say(&format!("candidate {i} of {n}"));
            }
            if self.stopped {
                return;
            }
            self.judge(equation);
        }
    }

    fn judge(&mut self, equation: Equation) {
        let Some(rule) = self.rule(&equation) else { return };
        let strong = self.with_implied(&equation);
        let facts = self.facts(&rule, &strong);
        if self.rewriter.joins(&mut self.terms, &equation, &facts) {
            self.found.n_derived += 1;
            return;
        }
        let language = self.terms.language;
        let text = rule_text(language, &rule);
        if !self.seen.insert(text) {
            return;
        }
        let patterns = self.patterns(&rule, &equation);
        let strong = self.rule(&strong).filter(|strong| strong.params == rule.params);
        let strong = strong.as_ref().unwrap_or(&rule);
        if derives(language, &self.found.rule_set(), strong, &self.config.derivation) {
            // What is derived helps to see what else is.
            self.found.n_derived += 1;
            self.rewriter.add(&self.terms, equation, patterns);
            return;
        }
        let verdict = check_rule(language, &rule, self.solver, &self.config.verify);
        match verdict {
            Verdict::Proved { .. } | Verdict::Exhaustive { .. } => {
                self.rewriter.add(&self.terms, equation, patterns);
                self.found.rules.push(InferredRule { rule, verdict });
            }
            Verdict::Unsound { .. } | Verdict::Vacuous => self.found.n_refuted += 1,
            // No inferred rule is marked as assumed.
            Verdict::Undecided { .. } | Verdict::Assumed { .. } => self.found.n_undecided += 1,
        }
    }

    /// The equation with the comparisons that its conditions imply: what holds under a weaker condition follows from them.
    fn with_implied(&mut self, equation: &Equation) -> Equation {
        let holds = |condition: &Condition| if let Condition::Holds(term) = condition { Some(*term) } else { None };
        let parts: Vec<TermId> = equation.conditions.iter().filter_map(holds).collect();
        let implied = match self.implied.get(&parts) {
            Some(known) => known.clone(),
            None => {
                let implied = self.implied_by(&parts);
                self.implied.insert(parts, implied.clone());
                implied
            }
        };
        let mut strong = equation.clone();
        strong.conditions.extend(implied.into_iter().map(Condition::Holds));
        strong
    }

    /// The single comparisons that are proved to hold where these do, those of the same variables.
    fn implied_by(&mut self, parts: &[TermId]) -> Vec<TermId> {
        let Some(premise) = self.premises.iter().find(|premise| premise.parts == parts) else { return Vec::new() };
        let weaker = self.premises.iter().filter(|other| premise.seems_to_imply(&self.terms, other));
        let weaker: Vec<TermId> = weaker.filter_map(|other| other.single()).collect();
        let Some(yes) = self.terms.constant(Value::Bool(true)) else { return Vec::new() };
        let conditions: Vec<Condition> = parts.iter().map(|&part| Condition::Holds(part)).collect();
        let implication = |left: TermId| Equation { left, right: yes, conditions: conditions.clone() };
        let new = weaker.into_iter().filter(|term| !parts.contains(term));
        new.filter(|&term| self.is_proved(&implication(term))).collect()
    }

    fn is_proved(&mut self, equation: &Equation) -> bool {
        let Some(rule) = self.rule(equation) else { return false };
        let verdict = check_rule(self.terms.language, &rule, self.solver, &self.config.verify);
        matches!(verdict, Verdict::Proved { .. } | Verdict::Exhaustive { .. })
    }

    /// Variables that have a value under the conditions, or without which neither side has one.
    fn facts(&self, rule: &Rule, equation: &Equation) -> Facts {
        let mut facts = Facts::default();
        for (index, (name, _)) in self.variables(equation).into_iter().zip(&rule.params) {
            let without = |term: &Term| derive::is_undefined_without(self.terms.language, term, *name);
            if without(&rule.lhs) && without(&rule.rhs) {
                facts.defined |= 1 << index;
            }
        }
        for condition in &equation.conditions {
            match condition {
                Condition::Defined(var) => facts.defined |= 1 << var,
                Condition::Holds(term) => {
                    facts.holds.push(*term);
                    facts.defined |= self.terms.vars(*term);
                }
            }
        }
        facts
    }

    /// The variables of an equation, as the rule lists them.
    fn variables(&self, equation: &Equation) -> Vec<usize> {
        let mut vars = Vec::new();
        self.terms.occurrences(equation.left, &mut vars);
        vars
    }

    fn patterns(&self, rule: &Rule, equation: &Equation) -> Vec<(usize, SortPattern)> {
        self.variables(equation).into_iter().zip(rule.params.iter().map(|p| p.1)).collect()
    }

    /// The rule that says so, with variables named anew; `None` where the right side has variables of its own, or where it
    /// has no sort.
    fn rule(&self, equation: &Equation) -> Option<Rule> {
        let language = self.terms.language;
        let (left, right) = (self.terms.vars(equation.left), self.terms.vars(equation.right));
        let is_atom = self.terms.children(equation.left).is_empty();
        if right & !left != 0 || is_atom {
            return None;
        }
        let vars = self.variables(equation);
        let names: Vec<Symbol> = names(language).take(vars.len()).collect();
        let name = |var: usize| vars.iter().position(|own| *own == var).map_or(Symbol::new("?"), |i| names[i]);
        let (lhs, rhs) = (self.terms.term(equation.left, &name), self.terms.term(equation.right, &name));
        let conditions: Vec<Term> = equation
            .conditions
            .iter()
            .map(|condition| match condition {
                Condition::Defined(var) => Term::app(Func::Kernel(Kernel::Defined), vec![Term::var(name(*var))]),
                Condition::Holds(term) => self.terms.term(*term, &name),
            })
            .collect();
        let params = dsl::general_sorts(language, &names, (&lhs, &rhs), &conditions)?;
        // Backwards, a rule that doubles what it finds would only fill an e-graph.
        let shrinks = self.terms.size(equation.left) > self.terms.size(equation.right) + 2;
        let both_ways = left == right && !shrinks && !self.terms.children(equation.right).is_empty();
        let name = Symbol::new(&format!("inferred-{}", self.found.rules.len() + 1));
        Some(Rule {
            name,
            lhs,
            rhs,
            conditions,
            both_ways,
            params,
            place: Default::default(),
            ruleset: None,
            assumed: false,
        })
    }
}

/// Names for variables that mean nothing in the language.
fn names(language: &Language) -> impl Iterator<Item = Symbol> + '_ {
    let letters = (b'a'..=b'z').map(|letter| char::from(letter).to_string());
    let rest = (0..).map(|i| format!("v{i}"));
    letters.chain(rest).map(|name| Symbol::new(&name)).filter(|name| {
        language.operator(name.as_str()).is_none() && language.enums.iter().all(|e| !e.values.contains(name))
    })
}

/// Every choice of `n` operators, in order.
fn subsets(operators: &[OpId], n: usize) -> Vec<Vec<OpId>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (i, &first) in operators.iter().enumerate() {
        for mut rest in subsets(&operators[i + 1..], n - 1) {
            rest.insert(0, first);
            all.push(rest);
        }
    }
    all
}

/// A rule as it stands in a DSL file, without its name.
fn rule_text(language: &Language, rule: &Rule) -> String {
    let (lhs, rhs) = (dsl::print(&rule.lhs, language), dsl::print(&rule.rhs, language));
    let conditions: Vec<String> = rule.conditions.iter().map(|condition| dsl::print(condition, language)).collect();
    match conditions.is_empty() {
        true => format!("{lhs} {rhs}"),
        false => format!("{lhs} {rhs} :when ({})", conditions.join(" ")),
    }
}

impl InferredRule {
    /// The rule as a line of a DSL file, under a name.
    pub fn line(&self, language: &Language, name: &str) -> String {
        let head = if self.rule.both_ways { "birewrite" } else { "rewrite" };
        format!("({head} {name} {})", rule_text(language, &self.rule))
    }
}
