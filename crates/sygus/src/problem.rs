//! What a SyGuS-IF file asks for.

use dsl::{Diagnostic, Grammar, Language, Production, Term};
use samples::{Column, Sort, Symbol, Value};
use synth::BoundScope;

use crate::weight::Weights;

/// A synthesis problem: functions to find, such that the constraints hold for all values of the variables that satisfy
/// the assumptions.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What terms may be built of where a function has no grammar.
    pub logic: Logic,
    /// The file's own functions (`define-fun`), as operators.
    pub language: Language,
    /// The functions to find, in the order of the file.
    pub functions: Vec<SynthFun>,
    /// The universal variables.
    pub variables: Vec<(Symbol, Sort)>,
    /// Formulas over the variables and the names of [`Problem::applications`].
    pub constraints: Vec<Term>,
    /// Formulas that may be taken for granted.
    pub assumptions: Vec<Term>,
    /// Every different application of a function to find, inner ones first.
    pub applications: Vec<Application>,
    /// The weight attributes that productions may have; `weight` comes first and is built in.
    pub weights: Vec<Symbol>,
    /// What is to be least, if anything beside the size.
    pub objective: Option<Objective>,
    /// Limits that constraints put on weights.
    pub weight_bounds: Vec<WeightBound>,
    /// What the file's logic does not have and is read all the same.
    pub warnings: Vec<Diagnostic>,
    /// The commands of the file as SMT-LIB text, for an independent check.
    pub(crate) script: Vec<ScriptItem>,
}

/// A SyGuS background logic, as far as it says what terms are made of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Logic {
    /// Integers, `+`, `-` and comparison.
    pub integers: bool,
    /// `*`, `div`, `mod` and `abs` of any terms.
    pub nonlinear: bool,
    /// Bit-vectors.
    pub bitvectors: bool,
}

impl Logic {
    /// The degree of polynomials that are tried.
    pub(crate) fn degree(self) -> usize {
        if self.nonlinear { 2 } else { 1 }
    }
}

/// A function to find.
#[derive(Clone, Debug)]
pub struct SynthFun {
    /// What it is called.
    pub name: Symbol,
    /// Its parameters.
    pub params: Vec<(Symbol, Sort)>,
    /// The sort of its values.
    pub sort: Sort,
    /// The terms that its body may be; every production costs one for its head, and what its weights are charged.
    pub grammar: Grammar,
    /// The weights of its productions.
    pub(crate) weights: Weights,
    /// Whether the grammar is the file's; else it is what the logic allows, as far as the search goes.
    pub has_grammar: bool,
    /// Named constants of the file that the grammar mentions.
    pub constants: Vec<(Symbol, Value)>,
}

impl SynthFun {
    /// What holds of a bound on cost that a search over `grammar` proved.
    pub(crate) fn bound_scope(&self, grammar: &Grammar) -> BoundScope {
        BoundScope::of(self.has_grammar.then_some(grammar), |sort| sort == Sort::Bool)
    }

    /// The values of the parameters, given as columns of `n` points, and of the named constants.
    pub(crate) fn bindings(&self, params: &[Column], n: usize) -> Vec<(Symbol, Column)> {
        let params = self.params.iter().zip(params).map(|((name, _), column)| (*name, column.clone()));
        let constant = |(name, value): &(Symbol, Value)| Some((*name, Column::constant(value.sort()?, *value, n)));
        params.chain(self.constants.iter().filter_map(constant)).collect()
    }
}

/// Whether a grammar charges for weights: then cost is not the number of nodes.
pub(crate) fn is_weighted(grammar: &Grammar) -> bool {
    let all = grammar.nonterminals.iter().flat_map(|own| &own.productions);
    all.into_iter().any(|production| match production {
        Production::Leaf { cost, .. } | Production::Apply { cost, .. } => *cost > 1,
        _ => false,
    })
}

/// An application of a function to find within the constraints. There it stands as a variable.
#[derive(Clone, PartialEq, Debug)]
pub struct Application {
    /// The name of the variable.
    pub name: Symbol,
    /// Which function.
    pub function: usize,
    /// Its arguments: terms over the variables, and over applications that come before this one.
    pub args: Vec<Term>,
}

/// `(optimize-synth ...)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Objective {
    /// The terms of the file.
    pub terms: Vec<WeightSum>,
    /// What is to be least, the most important first: the terms, or their negatives, without their constants. All factors
    /// are positive.
    pub targets: Vec<WeightSum>,
}

/// `(_ w f)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Which of [`Problem::weights`].
    pub attribute: usize,
    /// Which function.
    pub function: usize,
}

/// A linear sum of weights and a constant.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WeightSum {
    /// Weights with their factors, none of them 0.
    pub weights: Vec<(Weight, i64)>,
    /// The constant.
    pub constant: i64,
}

/// `(constraint (<= SUM N))`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WeightBound {
    /// A sum of weights with positive factors.
    pub sum: WeightSum,
    /// The greatest value allowed.
    pub most: i64,
}

/// A command of the file, as SMT-LIB has it once the functions are known.
#[derive(Clone, Debug)]
pub(crate) enum ScriptItem {
    /// As it is written.
    Text(String),
    /// The definition of a function to find.
    Function(usize),
    /// A formula to be shown.
    Constraint(String),
    /// A formula that is granted.
    Assumption(String),
}
