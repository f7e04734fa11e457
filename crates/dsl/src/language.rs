//! A language: what a DSL file defines.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::diagnostic::{Diagnostic, Place};
use crate::eval::Tapes;
use crate::grammar::GrammarDefinition;
use crate::kernel::{Kernel, SortClass};
use crate::term::{Func, Node, Table, Term};

/// An operator of a [`Language`]: its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct OpId(pub u32);

/// The sort of a parameter or result: a sort, or a variable that stands for one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SortPattern {
    /// This sort.
    Sort(Sort),
    /// Any sort of a class, the same wherever the variable occurs: `'A` any scalar sort; names that begin with `'N`
    /// stand for `Int` or `Real`, names that begin with `'M` for `Bool`, `Int` or `Real`, names that begin with `'BV`
    /// for bit-vectors of one width.
    Var(Symbol),
}

impl SortPattern {
    /// The class of sorts that a variable stands for.
    pub fn class_of(variable: Symbol) -> SortClass {
        match variable.as_str().as_bytes() {
            [b'\'', b'N', ..] => SortClass::Numeric,
            [b'\'', b'M', ..] => SortClass::Measure,
            [b'\'', b'B', b'V', ..] => SortClass::BitVec,
            _ => SortClass::Scalar,
        }
    }

    /// Whether the pattern alone admits a sort; that equal variables stand for equal sorts is the caller's business.
    pub fn admits(self, sort: Sort) -> bool {
        match self {
            Self::Sort(own) => own == sort,
            Self::Var(name) => Self::class_of(name).admits(sort),
        }
    }

    /// The sort, once the variables are chosen.
    pub fn instantiate(self, choice: &[(Symbol, Sort)]) -> Option<Sort> {
        match self {
            Self::Sort(sort) => Some(sort),
            Self::Var(name) => choice.iter().find(|(other, _)| *other == name).map(|(_, sort)| *sort),
        }
    }
}

impl fmt::Display for SortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sort(sort) => sort.fmt(f),
            Self::Var(name) => name.fmt(f),
        }
    }
}

/// Algebraic facts that a DSL file states of an operator; each is a rule to be checked, see [`Language::fact_rules`].
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Facts {
    /// `f(a, b) = f(b, a)`.
    pub commutative: bool,
    /// `f(f(a, b), c) = f(a, f(b, c))`.
    pub associative: bool,
    /// `f(a, a) = a`.
    pub idempotent: bool,
    /// `f(f(a)) = a`.
    pub involution: bool,
    /// `f(a, u) = f(u, a) = a`.
    pub unit: Option<Value>,
    /// `f(a, z) = f(z, a) = z` where `a` is defined.
    pub zero: Option<Value>,
    /// The keywords of those that are to be accepted where they cannot be proved.
    pub assumed: Vec<Symbol>,
}

/// An operator: type, meaning, cost.
#[derive(Clone, PartialEq, Debug)]
pub struct Operator {
    /// What it is called.
    pub name: Symbol,
    /// Names and sorts of the parameters.
    pub params: Vec<(Symbol, SortPattern)>,
    /// The sort of the result.
    pub result: SortPattern,
    /// The meaning, a term over the parameters.
    pub meaning: Term,
    /// Where the operator is defined, beside where its meaning is; a Boolean term over the parameters.
    pub condition: Option<Term>,
    /// What one use costs, without its arguments; at least 1.
    pub cost: u32,
    /// For each parameter, what is charged in addition where the argument is no constant.
    pub charges: Vec<u32>,
    /// Algebraic facts.
    pub facts: Facts,
    /// Whether the file claims that it has a value wherever its arguments do.
    pub total: bool,
    /// Where it is defined.
    pub place: Place,
}

impl Operator {
    /// The kernel function that this operator is, if its meaning is just that function of the parameters in order.
    pub fn kernel(&self) -> Option<Kernel> {
        let Node::App(Func::Kernel(kernel), args) = self.meaning.node() else { return None };
        self.are_parameters(args).then_some(*kernel)
    }

    /// The table that this operator is, if it is that alone.
    pub fn table(&self) -> Option<&Arc<Table>> {
        let Node::App(Func::Table(table), args) = self.meaning.node() else { return None };
        (self.condition.is_none() && self.are_parameters(args)).then_some(table)
    }

    /// Whether some terms are the parameters, in order.
    fn are_parameters(&self, args: &[Term]) -> bool {
        let is_param =
            |(arg, (name, _)): (&Term, &(Symbol, SortPattern))| matches!(arg.node(), Node::Var(var) if var == name);
        args.len() == self.params.len() && args.iter().zip(&self.params).all(is_param)
    }

    /// Every way to choose the sorts of the parameters among `sorts`: (sorts of the parameters, sort of the result).
    pub fn instances(&self, sorts: &[Sort]) -> Vec<(Vec<Sort>, Sort)> {
        let patterns: Vec<SortPattern> = self.params.iter().map(|p| p.1).chain([self.result]).collect();
        choices(&patterns, sorts)
            .into_iter()
            .filter_map(|choice| {
                let params: Option<Vec<Sort>> = self.params.iter().map(|(_, p)| p.instantiate(&choice)).collect();
                Some((params?, self.result.instantiate(&choice)?))
            })
            .collect()
    }
}

/// Every choice among `sorts` for the variables of some patterns.
fn choices(patterns: &[SortPattern], sorts: &[Sort]) -> Vec<Vec<(Symbol, Sort)>> {
    let mut variables: Vec<Symbol> = Vec::new();
    for pattern in patterns {
        if let SortPattern::Var(name) = pattern
            && !variables.contains(name)
        {
            variables.push(*name);
        }
    }
    let mut all: Vec<Vec<(Symbol, Sort)>> = vec![Vec::new()];
    for variable in variables {
        let class = SortPattern::class_of(variable);
        all = all
            .into_iter()
            .flat_map(|choice| {
                let admitted = sorts.iter().filter(move |&&sort| class.admits(sort));
                admitted.map(move |&sort| {
                    let mut choice = choice.clone();
                    choice.push((variable, sort));
                    choice
                })
            })
            .collect();
    }
    all
}

/// `(rewrite NAME LHS RHS :when (CONDITION ...))`: wherever the conditions are true, both sides are undefined or both
/// have the same value, for all values of the variables, undefined included.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: Symbol,
    /// The pattern.
    pub lhs: Term,
    /// What it may be replaced by; its variables all occur in the pattern.
    pub rhs: Term,
    /// Boolean terms over the variables, or `(defined a)`.
    pub conditions: Vec<Term>,
    /// Whether it was written `birewrite`: the right side may be replaced by the left as well.
    pub both_ways: bool,
    /// The variables and their sorts. A rule whose variable is `Int` must not be applied at another sort.
    pub params: Vec<(Symbol, SortPattern)>,
    /// The rule set that it belongs to, if the file says so.
    pub ruleset: Option<Symbol>,
    /// Whether it is to be accepted where it cannot be proved.
    pub assumed: bool,
    /// Where it is written.
    pub place: Place,
}

/// `(check TERM ...)`: a test that a file holds of itself.
#[derive(Clone, PartialEq, Debug)]
pub struct SelfTest {
    /// A truth value without variables.
    pub term: Term,
    /// Whether it must be true; of `(fail TERM)`, which must be false or undefined, it is not.
    pub holds: bool,
    /// Where it is written.
    pub place: Place,
}

/// A parameter of a [`Wanted`] function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedParam {
    /// What it is called.
    pub name: Symbol,
    /// Its sort.
    pub sort: Sort,
    /// The least and the greatest value, of integers that are said to lie in a range.
    pub range: Option<(i64, i64)>,
}

/// `(synth-fun NAME ((PARAM SORT) ...) SORT ...)`: a function that a search is to find a term for.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// What it is called.
    pub name: Symbol,
    /// Its parameters.
    pub params: Vec<WantedParam>,
    /// The sort of its values.
    pub result: Sort,
    /// The grammar of the terms looked at; none: that of the whole language.
    pub grammar: Option<Symbol>,
    /// What it means, made of functions of the kernel and operators; else there are examples.
    pub meaning: Option<Term>,
    /// Arguments and values.
    pub examples: Vec<(Vec<Value>, Value)>,
    /// Where it is written.
    pub place: Place,
}

impl Rule {
    /// Every way to choose the sorts of the variables among `sorts`.
    pub fn instances(&self, sorts: &[Sort]) -> Vec<Vec<(Symbol, Sort)>> {
        let patterns: Vec<SortPattern> = self.params.iter().map(|p| p.1).collect();
        choices(&patterns, sorts)
            .into_iter()
            .filter_map(|choice| {
                self.params.iter().map(|(name, p)| p.instantiate(&choice).map(|sort| (*name, sort))).collect()
            })
            .collect()
    }
}

/// A declared finite sort.
#[derive(Clone, PartialEq, Debug)]
pub struct Enumeration {
    /// The sort's name.
    pub name: Symbol,
    /// Its values.
    pub values: Vec<Symbol>,
}

/// `(constants SORT VALUE ... :cost N)`: constants that programs may hold.
#[derive(Clone, PartialEq, Debug)]
pub struct ConstantGroup {
    /// Their sort.
    pub sort: Sort,
    /// Those listed.
    pub values: Vec<Value>,
    /// What one use of a listed constant costs; others cost half a unit more per bit.
    pub cost: u32,
    /// Whether constants seen in the samples (inputs, outputs, numbers of states) may be used too.
    pub from_samples: bool,
    /// Whether any constant of the sort may be used, to be solved for.
    pub solve: bool,
}

/// The constants of a language.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Constants {
    /// In the order of the file.
    pub groups: Vec<ConstantGroup>,
}

impl Constants {
    /// The listed constants of a sort, cheapest first.
    pub fn values(&self, sort: Sort) -> Vec<Value> {
        let mut groups: Vec<&ConstantGroup> = self.groups.iter().filter(|group| group.sort == sort).collect();
        groups.sort_by_key(|group| group.cost);
        let mut values: Vec<Value> = Vec::new();
        for value in groups.iter().flat_map(|group| &group.values) {
            if !values.contains(value) {
                values.push(*value);
            }
        }
        values
    }

    /// Whether constants of a sort may be taken from the samples.
    pub fn from_samples(&self, sort: Sort) -> bool {
        self.groups.iter().any(|group| group.sort == sort && group.from_samples)
    }

    /// Whether any constant of a sort may be used, to be solved for from samples or by a solver.
    pub fn solve(&self, sort: Sort) -> bool {
        self.groups.iter().any(|group| group.sort == sort && group.solve)
    }

    /// What a constant that is not listed costs at least, if a search may use any; [`Self::cost`] adds by magnitude.
    pub fn open_cost(&self, sort: Sort) -> Option<u32> {
        let open = self.groups.iter().filter(|group| group.sort == sort && (group.solve || group.from_samples));
        open.map(|group| group.cost).min()
    }

    /// What a use of a constant costs: as listed; a number that is not listed costs, beyond the cheapest listed one,
    /// half a unit per bit, other values one unit.
    pub fn cost(&self, value: Value) -> u32 {
        let listed = self.groups.iter().filter(|group| group.values.contains(&value)).map(|group| group.cost).min();
        if let Some(cost) = listed {
            return cost;
        }
        let sort = value.sort();
        let base =
            self.groups.iter().filter(|group| Some(group.sort) == sort).map(|group| group.cost).min().unwrap_or(1);
        match value {
            Value::Undefined | Value::Bool(_) => base,
            Value::Int(i) => base + (64 - i.unsigned_abs().leading_zeros()) / 2,
            Value::BitVec { bits, .. } => base + (64 - bits.leading_zeros()) / 2,
            Value::Real(_) | Value::Symbol(_) | Value::Enum(..) => base + 1,
        }
    }
}

/// A structural form of programs. A DSL file enables it by `(form NAME :cost N)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Form {
    /// State carried along the sequence.
    Scan,
    /// Positions chosen by a predicate.
    Select,
    /// A predicate written out.
    Lambda,
    /// Names for subterms.
    Let,
    /// Finite functions.
    Table,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Scan, Self::Select, Self::Lambda, Self::Let, Self::Table];

    /// The word in DSL files and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Select => "select",
            Self::Lambda => "lambda",
            Self::Let => "let",
            Self::Table => "table",
        }
    }
}

/// What a DSL file defines.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Language {
    /// In the order of definition; [`OpId`] is the index.
    pub operators: Vec<Operator>,
    /// The constants of programs.
    pub constants: Constants,
    /// The rewrite rules.
    pub rules: Vec<Rule>,
    /// What the file says must be true of its operators.
    pub checks: Vec<SelfTest>,
    /// The declared finite sorts.
    pub enums: Vec<Enumeration>,
    /// The structural forms and what a use of each costs.
    pub forms: Vec<(Form, u32)>,
    /// The grammars that the file defines.
    pub grammars: Vec<GrammarDefinition>,
    /// The functions that the file asks a search for.
    pub wanted: Vec<Wanted>,
    /// Whether programs see, at every position, only the positions up to it.
    pub causal: bool,
    /// What a use of a variable costs.
    pub variable_cost: u32,
    /// What was passed over: rules about operators that the language does not have.
    pub warnings: Vec<Diagnostic>,
    pub(crate) by_name: FxHashMap<Symbol, OpId>,
    pub(crate) tapes: Tapes,
}

impl Language {
    /// A DSL file that comes with the project: `booleans`, `integers`, `elementary`, `bitvectors`, `recurrent`, `rasp` or
    /// `sequences`.
    pub fn shipped(name: &str) -> Option<&'static str> {
        Some(match name {
            "booleans" => include_str!("../../../dsl/booleans.dsl"),
            "integers" => include_str!("../../../dsl/integers.dsl"),
            "recurrent" => include_str!("../../../dsl/recurrent.dsl"),
            "elementary" => include_str!("../../../dsl/elementary.dsl"),
            "rasp" => include_str!("../../../dsl/rasp.dsl"),
            "sequences" => include_str!("../../../dsl/sequences.dsl"),
            "bitvectors" => include_str!("../../../dsl/bitvectors.dsl"),
            _ => return None,
        })
    }

    /// The names that [`Language::shipped`] knows.
    pub const SHIPPED: [&'static str; 7] =
        ["booleans", "integers", "elementary", "bitvectors", "recurrent", "rasp", "sequences"];

    /// Adds an operator that was made, not read: its meaning has the sorts that it says, over its parameters and operators
    /// that are there already. An operator of the same name is hidden.
    pub fn define(&mut self, operator: Operator) -> OpId {
        let id = OpId(u32::try_from(self.operators.len()).expect("fewer than 2^32 operators"));
        self.by_name.insert(operator.name, id);
        self.operators.push(operator);
        self.tapes.push(Tapes::tape_of(self, id));
        id
    }

    /// The operator with a name.
    pub fn operator(&self, name: &str) -> Option<OpId> {
        self.by_name.get(&Symbol::new(name)).copied()
    }

    /// An operator by its index.
    ///
    /// # Panics
    /// If the index comes from another language.
    pub fn op(&self, id: OpId) -> &Operator {
        &self.operators[id.0 as usize]
    }

    /// Every operator with its index.
    pub fn operators(&self) -> impl Iterator<Item = (OpId, &Operator)> {
        self.operators.iter().enumerate().map(|(i, operator)| (OpId(i as u32), operator))
    }

    /// The cheapest operator that is just a kernel function of its parameters in order.
    pub fn kernel_operator(&self, kernel: Kernel) -> Option<OpId> {
        self.operators()
            .filter(|(_, operator)| operator.kernel() == Some(kernel))
            .min_by_key(|(_, operator)| operator.cost)
            .map(|(id, _)| id)
    }

    /// Whether programs may use a structural form.
    pub fn has_form(&self, form: Form) -> bool {
        self.forms.iter().any(|(own, _)| *own == form)
    }

    /// What a use of a structural form costs; 1 where the file says nothing.
    pub fn form_cost(&self, form: Form) -> u32 {
        self.forms.iter().find(|(own, _)| *own == form).map_or(1, |(_, cost)| *cost)
    }

    /// The facts that are stated of an operator, as rules named `OPERATOR-FACT`.
    pub fn fact_rules(&self, id: OpId) -> Vec<Rule> {
        let operator = self.op(id);
        let facts = &operator.facts;
        let pattern = operator.params.first().map_or(operator.result, |(_, pattern)| *pattern);
        let [a, b, c] = ["a", "b", "c"].map(Term::var);
        let f = |args: &[&Term]| Term::op(id, args.iter().map(|&arg| arg.clone()).collect());
        let mut rules: Vec<Rule> = Vec::new();
        let mut add = |fact: &str, lhs: Term, rhs: Term, conditions: Vec<Term>, n_params: usize, pattern| {
            rules.push(Rule {
                name: Symbol::new(&format!("{}-{fact}", operator.name)),
                lhs,
                rhs,
                conditions,
                both_ways: false,
                ruleset: None,
                assumed: facts.assumed.iter().any(|own| fact.trim_end_matches("-left") == own.as_str()),
                params: ["a", "b", "c"][..n_params].iter().map(|name| (Symbol::new(name), pattern)).collect(),
                place: operator.place.clone(),
            });
        };
        if facts.commutative {
            add("commutative", f(&[&a, &b]), f(&[&b, &a]), Vec::new(), 2, pattern);
        }
        if facts.associative {
            add("associative", f(&[&f(&[&a, &b]), &c]), f(&[&a, &f(&[&b, &c])]), Vec::new(), 3, pattern);
        }
        if facts.idempotent {
            add("idempotent", f(&[&a, &a]), a.clone(), Vec::new(), 1, pattern);
        }
        if facts.involution {
            add("involution", f(&[&f(&[&a])]), a.clone(), Vec::new(), 1, pattern);
        }
        if let Some(unit) = facts.unit {
            let u = Term::constant(unit);
            let pattern = unit.sort().map_or(pattern, SortPattern::Sort);
            add("unit", f(&[&a, &u]), a.clone(), Vec::new(), 1, pattern);
            add("unit-left", f(&[&u, &a]), a.clone(), Vec::new(), 1, pattern);
        }
        if let Some(zero) = facts.zero {
            let z = Term::constant(zero);
            let pattern = zero.sort().map_or(pattern, SortPattern::Sort);
            let defined = vec![Term::app(Func::Kernel(Kernel::Defined), vec![a.clone()])];
            add("zero", f(&[&a, &z]), z.clone(), defined.clone(), 1, pattern);
            add("zero-left", f(&[&z, &a]), z.clone(), defined, 1, pattern);
        }
        rules
    }
}
