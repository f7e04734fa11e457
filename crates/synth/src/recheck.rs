//! The checker of explanations. It knows nothing of e-graphs: every step is matched, judged and run afresh.

use dsl::{Env, Language, Node, Rule, SortPattern, Term};
use rand::Rng as _;
use samples::{Column, Points, Rng, Sort, Symbol, UNDEFINED, Value, encode_value, rng};

use crate::place::{replace, subterm};
use crate::saturate::{Abstract, CONSTANT, Known, RuleSet, Step, of_term};

/// Why an explanation does not show what it should.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum CheckError {
    /// The chain does not end at the term that it should lead to.
    #[error("the chain ends at another term than the one it should lead to")]
    End,
    /// A step names a rule that is not among those given.
    #[error("step {step}: there is no rule {rule}")]
    UnknownRule {
        /// Counted from 1.
        step: usize,
        /// The name.
        rule: Symbol,
    },
    /// The term has no subterm at the place, or the step changes something elsewhere.
    #[error("step {step}: {rule} changes something other than the subterm at {position:?}")]
    Position {
        /// Counted from 1.
        step: usize,
        /// The rule.
        rule: Symbol,
        /// The place.
        position: Vec<usize>,
    },
    /// The subterms before and after are not the two sides of the rule under the substitution.
    #[error("step {step}: the subterms are not the sides of {rule}")]
    NotAnInstance {
        /// Counted from 1.
        step: usize,
        /// The rule.
        rule: Symbol,
    },
    /// A variable of the rule stands for a term of a sort that the rule does not speak of.
    #[error("step {step}: {rule} does not hold at the sort of {variable}")]
    Sort {
        /// Counted from 1.
        step: usize,
        /// The rule.
        rule: Symbol,
        /// The variable.
        variable: Symbol,
    },
    /// A condition, or that a term has one value, does not follow from what is known.
    #[error("step {step}: that {rule} applies does not follow from what is known")]
    Condition {
        /// Counted from 1.
        step: usize,
        /// The rule.
        rule: Symbol,
    },
    /// The terms before and after a step differ when run.
    #[error("step {step}: {rule} changes the value at {point}")]
    Values {
        /// Counted from 1.
        step: usize,
        /// The rule.
        rule: Symbol,
        /// A point where they differ.
        point: String,
    },
    /// What a step rests on is explained by what rests on something else, too often in a row.
    #[error("step {step}: what it rests on is nested too deeply")]
    Depth {
        /// Counted from 1.
        step: usize,
    },
}

/// What a checked explanation rests on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Checked {
    /// The rules used, by name, without repetition.
    pub rules: Vec<Symbol>,
    /// The variables of which what is known was used to show that conditions hold.
    pub facts: Vec<Symbol>,
    /// Points at which every step was run; none where a variable is of a sort without samples.
    pub n_points: usize,
}

/// Grounds of grounds are followed so far.
const MOST_NESTED: usize = 4;

/// Sequences that every step is run on, of one to eight elements.
const SEQUENCES: usize = 16;

/// Checks that a chain of steps leads from one term to another: each step is an instance of its rule at the stated place
/// and nowhere else, its conditions follow from what is known of the variables, and it keeps the values at random points.
///
/// The rules themselves are taken to hold: see [`crate::check_language`].
///
/// # Errors
/// The first step that does not hold.
pub fn recheck(
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    from: &Term,
    to: &Term,
    steps: &[Step],
) -> Result<Checked, CheckError> {
    let scope: Vec<(Symbol, Abstract)> = known.iter().map(|fact| (fact.name, fact.values)).collect();
    let mut checker = Checker { language, rules, scope, run: Run::new(language, known), checked: Checked::default() };
    checker.checked.n_points = checker.run.as_ref().map_or(0, |run| run.points.len());
    checker.chain(from, to, steps, 0)?;
    let mut checked = checker.checked;
    [&mut checked.rules, &mut checked.facts].into_iter().for_each(|names| {
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
    });
    Ok(checked)
}

struct Checker<'a> {
    language: &'a Language,
    rules: &'a RuleSet,
    scope: Vec<(Symbol, Abstract)>,
    run: Option<Run>,
    checked: Checked,
}

impl Checker<'_> {
    fn chain(&mut self, from: &Term, to: &Term, steps: &[Step], depth: usize) -> Result<(), CheckError> {
        let mut current = from.clone();
        for (i, step) in steps.iter().enumerate() {
            self.step(&current, step, i + 1, depth)?;
            current = step.term.clone();
        }
        if current == *to { Ok(()) } else { Err(CheckError::End) }
    }

    fn step(&mut self, current: &Term, step: &Step, number: usize, depth: usize) -> Result<(), CheckError> {
        let misplaced = || CheckError::Position { step: number, rule: step.rule, position: step.position.clone() };
        let before = subterm(current, &step.position).ok_or_else(misplaced)?;
        let after = subterm(&step.term, &step.position).ok_or_else(misplaced)?;
        if replace(current, &step.position, after).ok_or_else(misplaced)? != step.term {
            return Err(misplaced());
        }
        let (left, right) = if step.forward { (before, after) } else { (after, before) };
        if step.rule == Symbol::new(CONSTANT) {
            self.constant(left, right, step, number, depth)?;
        } else {
            self.instance(left, right, step, number, depth)?;
        }
        self.checked.rules.push(step.rule);
        let differs = self.run.as_ref().and_then(|run| run.difference(self.language, current, &step.term));
        differs.map_or(Ok(()), |point| Err(CheckError::Values { step: number, rule: step.rule, point }))
    }

    /// A term that has one value, and that value.
    fn constant(
        &mut self,
        left: &Term,
        right: &Term,
        step: &Step,
        number: usize,
        depth: usize,
    ) -> Result<(), CheckError> {
        let name = Symbol::new(CONSTANT);
        let known = self.facts(name, left, step, number, depth)?;
        let shown = match right.node() {
            Node::Const(value) => known.is_some_and(|known| {
                known.defined && Some(known.sort) == value.sort() && known.constant == Some(encode_value(*value))
            }),
            _ => false,
        };
        if shown { Ok(()) } else { Err(CheckError::Condition { step: number, rule: step.rule }) }
    }

    fn instance(
        &mut self,
        left: &Term,
        right: &Term,
        step: &Step,
        number: usize,
        depth: usize,
    ) -> Result<(), CheckError> {
        let unknown = CheckError::UnknownRule { step: number, rule: step.rule };
        let rule = self.rules.rules.iter().find(|rule| rule.name == step.rule).ok_or(unknown)?;
        let sides = [&rule.lhs, &rule.rhs].map(|side| instantiate(side, &step.substitution));
        if sides != [Some(left.clone()), Some(right.clone())] {
            return Err(CheckError::NotAnInstance { step: number, rule: step.rule });
        }
        self.sorts(rule, step, number)?;
        if rule.conditions.is_empty() {
            return Ok(());
        }
        let mut scope = Vec::with_capacity(step.substitution.len());
        for (name, term) in &step.substitution {
            scope.extend(self.facts(*name, term, step, number, depth)?.map(|facts| (*name, facts)));
        }
        let holds = |condition: &Term| of_term(self.language, condition, &scope).is_some_and(|known| known.is_true());
        if rule.conditions.iter().all(holds) {
            Ok(())
        } else {
            Err(CheckError::Condition { step: number, rule: step.rule })
        }
    }

    fn sorts(&self, rule: &Rule, step: &Step, number: usize) -> Result<(), CheckError> {
        let vars: Vec<(Symbol, Sort)> = self.scope.iter().map(|(name, values)| (*name, values.sort)).collect();
        let mut choice: Vec<(Symbol, Sort)> = Vec::new();
        for (variable, pattern) in &rule.params {
            let error = CheckError::Sort { step: number, rule: step.rule, variable: *variable };
            let Some((_, term)) = step.substitution.iter().find(|(name, _)| name == variable) else { continue };
            let sort = dsl::sort_of(term, self.language, &vars).map_err(|_| error.clone())?;
            let known = match pattern {
                SortPattern::Var(name) => choice.iter().find(|(other, _)| other == name).map(|(_, sort)| *sort),
                SortPattern::Sort(_) => None,
            };
            if !pattern.admits(sort) || known.is_some_and(|known| known != sort) {
                return Err(error);
            }
            if let SortPattern::Var(name) = pattern {
                choice.push((*name, sort));
            }
        }
        Ok(())
    }

    /// What is known of a term that a variable of a rule stands for: by itself, and by the equal terms that the step
    /// gives as grounds, if they are equal.
    fn facts(
        &mut self,
        variable: Symbol,
        term: &Term,
        step: &Step,
        number: usize,
        depth: usize,
    ) -> Result<Option<Abstract>, CheckError> {
        let mut facts = of_term(self.language, term, &self.scope);
        self.mention(term);
        for ground in step.grounds.iter().filter(|ground| ground.variable == variable) {
            if depth >= MOST_NESTED {
                return Err(CheckError::Depth { step: number });
            }
            self.chain(term, &ground.term, &ground.steps, depth + 1)?;
            self.mention(&ground.term);
            let more = of_term(self.language, &ground.term, &self.scope);
            facts = match (facts, more) {
                (Some(a), Some(b)) => Some(a.meet(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(facts)
    }

    fn mention(&mut self, term: &Term) {
        match term.node() {
            Node::Var(name) => self.checked.facts.push(*name),
            Node::App(_, args) => args.iter().for_each(|arg| self.mention(arg)),
            _ => {}
        }
    }
}

/// A side of a rule with terms for its variables.
fn instantiate(side: &Term, substitution: &[(Symbol, Term)]) -> Option<Term> {
    match side.node() {
        Node::Var(name) => substitution.iter().find(|(other, _)| other == name).map(|(_, term)| term.clone()),
        Node::Const(_) => Some(side.clone()),
        Node::App(func, args) => {
            let args = args.iter().map(|arg| instantiate(arg, substitution)).collect::<Option<_>>()?;
            Some(Term::app(func.clone(), args))
        }
        _ => None,
    }
}

/// Random values of the variables.
struct Run {
    points: Points,
    vars: Vec<(Symbol, Column)>,
}

impl Run {
    fn new(language: &Language, known: &[Known]) -> Option<Self> {
        let points = Points::from_lengths((0..SEQUENCES).map(|i| 1 + i % 8));
        let mut rng = rng(0, "recheck");
        let column = |fact: &Known| {
            let codes: Option<Vec<i64>> = (0..points.len()).map(|_| value(language, &fact.values, &mut rng)).collect();
            Some((fact.name, Column::new(fact.values.sort, codes?)))
        };
        let vars: Option<Vec<(Symbol, Column)>> = known.iter().map(column).collect();
        vars.map(|vars| Self { points, vars })
    }

    /// A point where two terms differ. Terms that cannot be run alone are not compared.
    fn difference(&self, language: &Language, a: &Term, b: &Term) -> Option<String> {
        for causal in [false, true] {
            let env = Env { language, points: &self.points, vars: &self.vars, causal };
            let (Ok(a), Ok(b)) = (dsl::eval_program(a, &env), dsl::eval_program(b, &env)) else { continue };
            for (a, b) in a.iter().zip(&b) {
                if let Some(place) = a.codes.iter().zip(&b.codes).position(|(a, b)| a != b) {
                    let point = place / a.width.max(1);
                    let value = |(name, column): &(Symbol, Column)| {
                        format!("{name} = {}", dsl::print_value(column.value(point)))
                    };
                    return Some(self.vars.iter().map(value).collect::<Vec<_>>().join(", "));
                }
            }
        }
        None
    }
}

/// A random value of which something is known.
fn value(language: &Language, known: &Abstract, rng: &mut Rng) -> Option<i64> {
    if !known.defined && rng.random_range(0..4) == 0 {
        return Some(UNDEFINED);
    }
    if let Some(code) = known.constant {
        return Some(code);
    }
    match known.sort {
        Sort::Bool => Some(rng.random_range(known.low.unwrap_or(0)..=known.high.unwrap_or(1))),
        Sort::Int => {
            let low = known.low.unwrap_or(i64::MIN).max(-9).min(known.high.unwrap_or(i64::MAX));
            let low = known.low.map_or(low, |least| low.max(least));
            let high = known.high.unwrap_or(i64::MAX).min(low.saturating_add(18));
            Some(rng.random_range(low..=high.max(low)))
        }
        Sort::Real => Some(encode_value(Value::Real(rng.random_range(-9..=9_i32).into()))),
        Sort::BitVec(width) => Some(encode_value(Value::bit_vec(width, rng.random()))),
        Sort::Symbol => Some(Symbol::new(["a", "b", "c"][rng.random_range(0..3)]).code()),
        Sort::Enum(name) => {
            let values = &language.enums.iter().find(|enumeration| enumeration.name == name)?.values;
            Some(values[rng.random_range(0..values.len().max(1))].code())
        }
        _ => None,
    }
}
