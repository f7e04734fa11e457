//! The store of proved equalities: terms go in, rules merge them, and one may ask which are equal and what is cheapest.

use dsl::{Grammar, Language, Node, Term};
use egg::Id;
use samples::{Symbol, decode_code};

use crate::place::{replace, subterm};

use super::abstraction::{Abstract, of_term};
use super::dag::{Dag, DagLimits, choose};
use super::explain::{self, Ground, Step};
use super::extract::{Form, LanguageCost, TermCost, Vertices, cheapest, edges};
use super::graph::{CONSTANT, EGraph, Values, add_term};
use super::rules::{self, Compiled};
use super::run::saturate;
use super::within::within;
use super::{Known, RuleSet, SaturationLimits, SaturationStop};

/// A term in a store: it names the class that the term is in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TermId(Id);

/// A class of a store, valid until the store is added to or saturated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EqualClass(pub(super) Id);

/// Terms and what proved rules say of their equality; nothing else ever merges two classes.
///
/// ```
/// use dsl::{Language, parse_term};
/// use samples::Sort;
/// use synth::{Equalities, Known, LanguageCost, RuleSet, SaturationLimits};
///
/// let language = Language::load_shipped("integers")?;
/// let [x, y] = ["x", "y"].map(|name| (name.into(), Sort::Int));
/// let term = |text: &str| parse_term(text, &language, &[x, y]);
/// let known = [Known::input("x", Sort::Int), Known::input("y", Sort::Int)];
/// let mut store = Equalities::new(&language, &RuleSet::assumed(&language), &known);
/// let (sum, long) = (store.add(&term("(+ y x)")?), store.add(&term("(+ (- (+ x y) y) y)")?));
/// assert!(!store.same(sum, long));
/// store.saturate(&SaturationLimits::new());
/// assert!(store.same(sum, long));
/// let cheapest = store.tree(long, &LanguageCost(&language)).expect("it has a finite term");
/// assert_eq!(dsl::print(&cheapest.term, &language), "(+ x y)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Equalities<'l> {
    pub(super) egraph: EGraph<'l>,
    rules: Vec<Compiled<'l>>,
    /// The rules as they are written, for explanations.
    written: RuleSet,
    known: Vec<Known>,
}

impl<'l> Equalities<'l> {
    /// An empty store for terms over variables of which something is known.
    pub fn new(language: &'l Language, rules: &RuleSet, known: &[Known]) -> Self {
        let mut egraph = EGraph::new(Values::new(language));
        let compiled = rules::compile(rules, &mut egraph.analysis.heads);
        Self { egraph, rules: compiled, written: rules.clone(), known: known.to_vec() }
    }

    /// The same store, still empty, which can explain equalities. Takes some times as long.
    #[must_use]
    pub fn with_explanations(mut self) -> Self {
        // Shorter chains may lead through what a later step made known, and then rest on themselves.
        self.egraph = self.egraph.with_explanations_enabled().without_explanation_length_optimization();
        self
    }

    /// Adds a term. Scans and lets within it are leaves.
    pub fn add(&mut self, term: &Term) -> TermId {
        self.egraph.analysis.most_nodes = usize::MAX;
        let id = add_term(&mut self.egraph, term, &self.known);
        self.egraph.rebuild();
        TermId(id)
    }

    /// Takes two terms to be equal, as a premise of all that follows.
    pub(super) fn assume_equal(&mut self, a: TermId, b: TermId) {
        self.egraph.union(a.0, b.0);
        self.egraph.rebuild();
    }

    /// Applies the rules until they say nothing new or a limit is reached. The limit of nodes is never exceeded by rules,
    /// only by terms that are added.
    pub fn saturate(&mut self, limits: &SaturationLimits) -> SaturationStop {
        saturate(&mut self.egraph, &self.rules, limits)
    }

    /// Whether two terms are known to be equal. If not, nothing is said.
    pub fn same(&self, a: TermId, b: TermId) -> bool {
        self.class(a) == self.class(b)
    }

    /// The class that a term is in now.
    pub fn class(&self, term: TermId) -> EqualClass {
        EqualClass(self.egraph.find(term.0))
    }

    /// All classes, in a fixed order.
    pub fn classes(&self) -> Vec<EqualClass> {
        Vertices::of(&self.egraph).ids.into_iter().map(EqualClass).collect()
    }

    /// The e-nodes of the store.
    pub fn n_nodes(&self) -> usize {
        self.egraph.total_number_of_nodes()
    }

    /// The cheapest term that is equal to a term, as a tree: exact.
    pub fn tree(&self, id: TermId, cost: &dyn TermCost) -> Option<Form> {
        self.forms(id, 1, cost).into_iter().next()
    }

    /// The cheapest different terms that are equal to a term, cheapest first.
    pub fn forms(&self, id: TermId, n: usize, cost: &dyn TermCost) -> Vec<Form> {
        let vertices = Vertices::of(&self.egraph);
        let goal = vertices.get(&self.egraph, id.0);
        let edges = edges(&self.egraph, &vertices, cost);
        let mut found = cheapest(&self.egraph.analysis.heads, &edges, vertices.ids.len(), n, Some(goal));
        found.swap_remove(goal)
    }

    /// The cheapest term of every class, in the order of [`Equalities::classes`].
    pub fn trees(&self, cost: &dyn TermCost) -> Vec<Option<Form>> {
        let vertices = Vertices::of(&self.egraph);
        let edges = edges(&self.egraph, &vertices, cost);
        let found = cheapest(&self.egraph.analysis.heads, &edges, vertices.ids.len(), 1, None);
        found.into_iter().map(|forms| forms.into_iter().next()).collect()
    }

    /// The cheapest term that is equal to a term where equal parts are paid for once; it says whether it is the best.
    pub fn dag(&self, id: TermId, cost: &dyn TermCost, limits: &DagLimits) -> Option<Dag> {
        let vertices = Vertices::of(&self.egraph);
        let root = vertices.get(&self.egraph, id.0);
        let edges = edges(&self.egraph, &vertices, cost);
        let chosen = choose(&edges, vertices.ids.len(), root, limits)?;
        Some(chosen.into_dag(&self.egraph.analysis.heads, &edges, root))
    }

    /// The cheapest term, under a grammar's costs, that is equal to a term and that the grammar's start derives: exact.
    pub fn within(&self, id: TermId, grammar: &Grammar) -> Option<Form> {
        within(&self.egraph, id.0, grammar)
    }

    /// The chain of rewrites from one term to another; none where they are not known to be equal, or the store does not
    /// keep explanations. [`crate::recheck`] checks such a chain without the store. Where a rule's condition rests on
    /// what equal terms show, the step gives such terms as its grounds, if they are found among the cheapest; if not, the
    /// checker refuses the step: it has been proved all the same, but not in a way that can be read off.
    pub fn explain(&mut self, from: &Term, to: &Term) -> Option<Vec<Step>> {
        self.explain_nested(from, to, 0)
    }

    fn explain_nested(&mut self, from: &Term, to: &Term, depth: usize) -> Option<Vec<Step>> {
        if !self.egraph.are_explanations_enabled() {
            return None;
        }
        let (a, b) = (self.add(from), self.add(to));
        if !self.same(a, b) {
            return None;
        }
        let mut steps = explain::steps(&mut self.egraph, &self.written, from, to, &self.known);
        let mut before = from.clone();
        for step in &mut steps {
            let language = self.egraph.analysis.heads.language;
            let open = explain::open_questions(language, &self.written, &self.known, &before, step);
            for (variable, term) in open.into_iter().filter(|_| depth < MOST_NESTED) {
                step.grounds.extend(self.grounds(variable, &term, depth));
            }
            before = step.term.clone();
        }
        Some(steps)
    }

    /// Equal terms of which more is known than of a term.
    fn grounds(&mut self, variable: Symbol, term: &Term, depth: usize) -> Vec<Ground> {
        let language = self.egraph.analysis.heads.language;
        let scope: Vec<(Symbol, Abstract)> = self.known.iter().map(|fact| (fact.name, fact.values)).collect();
        let id = self.add(term);
        let mut facts = of_term(language, term, &scope);
        let mut grounds = Vec::new();
        let forms = self.forms(id, MOST_GROUNDS, &LanguageCost(language)).into_iter().map(|form| form.term);
        let constants = self.with_constants(term, depth);
        let all = constants.into_iter().map(|(term, steps)| (term, Some(steps)));
        let candidates: Vec<(Term, Option<Vec<Step>>)> = all.chain(forms.map(|form| (form, None))).collect();
        for (candidate, steps) in candidates {
            // That a term has one value is not to be shown by that value.
            if variable == Symbol::new(CONSTANT) && matches!(candidate.node(), Node::Const(_)) {
                continue;
            }
            let more = of_term(language, &candidate, &scope);
            let both = match (facts, more) {
                (Some(a), Some(b)) => Some(a.meet(b)),
                (a, b) => a.or(b),
            };
            if both != facts
                && let Some(steps) = steps.or_else(|| self.explain_nested(term, &candidate, depth + 1))
            {
                facts = both;
                grounds.push(Ground { variable, term: candidate, steps });
            }
        }
        grounds
    }

    /// A term with constants for those of its proper subterms that have one value, and how it becomes that: by steps within
    /// the subterms alone, since that the whole has one value may be what is to be shown.
    fn with_constants(&mut self, term: &Term, depth: usize) -> Option<(Term, Vec<Step>)> {
        let mut places = Vec::new();
        self.constant_places(term, &mut Vec::new(), &mut places);
        let (mut current, mut steps) = (term.clone(), Vec::new());
        for (place, constant) in places {
            let part = subterm(term, &place)?;
            for mut step in self.explain_nested(part, &constant, depth + 1)? {
                step.term = replace(&current, &place, &step.term)?;
                step.position.splice(0..0, place.iter().copied());
                current = step.term.clone();
                steps.push(step);
            }
        }
        (!steps.is_empty()).then_some((current, steps))
    }

    /// The outermost proper subterms that have one value and are not yet constants.
    fn constant_places(&mut self, term: &Term, here: &mut Vec<usize>, places: &mut Vec<(Vec<usize>, Term)>) {
        let Node::App(_, args) = term.node() else { return };
        for (i, arg) in args.iter().enumerate().filter(|(_, arg)| !matches!(arg.node(), Node::Const(_))) {
            let id = self.add(arg);
            let values = self.egraph[self.egraph.find(id.0)].data.values.filter(|values| values.defined);
            here.push(i);
            match values.and_then(|values| Some((values.sort, values.constant?))) {
                Some((sort, code)) => places.push((here.clone(), Term::constant(decode_code(sort, code)))),
                None => self.constant_places(arg, here, places),
            }
            here.pop();
        }
    }
}

/// Explanations of what a step's condition rests on nest so deep.
const MOST_NESTED: usize = 3;

/// The equal terms that are looked at for what they show.
const MOST_GROUNDS: usize = 16;
