//! Candidates held against all recorded sequences, and one program of the best.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use dsl::{Kernel, Node, OpId, Term};
use samples::{Column, Symbol, Value, decode_code};

use super::search::Candidate;
use super::study::Study;
use super::targets::{Plan, Role};
use crate::{Config, Error, Hypothesis};

/// Terms that cost so much more than the best one are still its rivals.
pub(super) const RIVAL_COST: u32 = 3;

/// A term for a piece of the output, with what speaks for it on all sequences.
#[derive(Clone)]
struct Ranked {
    term: Term,
    cost: u32,
    errors: usize,
}

/// Programs with the share of sequences on which they agree: each piece by the term that describes the long sequences best, then by those that do as well.
///
/// # Errors
/// Terms that cannot be evaluated.
pub(super) fn hypotheses(
    study: &Study<'_>,
    made: Option<&Study<'_>>,
    roles: &[Role],
    plans: &[Plan],
    candidates: &[Vec<Candidate>],
    config: &Config,
) -> Result<Vec<(f64, Hypothesis)>, Error> {
    let builder = Builder { study, made, config, candidates };
    let mut parts: Vec<(Option<i64>, Vec<Ranked>)> = Vec::new();
    for (role, plan) in roles.iter().zip(plans) {
        let points = builder.points_of(role);
        let ranked = builder.plan(plan, &points)?;
        if ranked.is_empty() {
            return Ok(Vec::new());
        }
        parts.push((role.token, ranked));
    }
    let n = parts
        .iter()
        .map(|(_, ranked)| ranked.len())
        .max()
        .unwrap_or(0)
        .min(super::PROGRAMS.max(config.limits.hypotheses));
    let mut found: Vec<(f64, Hypothesis)> = Vec::new();
    for place in 0..n {
        let Some(program) = builder.joined(&parts, place) else { continue };
        let mut program = program;
        let mut agreement = study.agreement(&study.values(&program, config)?);
        // Where the part after the separator does for the separator as well, roles need not be told apart.
        if let Some(plain) = builder.first(&parts, place)
            && parts.len() > 1
        {
            let alone = study.agreement(&study.values(&plain, config)?);
            if alone >= agreement {
                (program, agreement) = (plain, alone);
            }
        }
        let text = dsl::print(&program, config.language);
        (config.progress)(&format!("program {} agrees on {agreement:.4} of the sequences: {text}", place + 1));
        let hypothesis = Hypothesis { program, alignment: Vec::new(), circuit: None, source: "causal: behaviour" };
        found.push((agreement, hypothesis));
    }
    Ok(found)
}

struct Builder<'a, 'n> {
    study: &'a Study<'n>,
    made: Option<&'a Study<'n>>,
    config: &'a Config<'a>,
    candidates: &'a [Vec<Candidate>],
}

impl Builder<'_, '_> {
    fn op(&self, kernel: Kernel) -> Option<OpId> {
        self.config.language.kernel_operator(kernel)
    }

    /// The points of a role among all recorded ones.
    fn points_of(&self, role: &Role) -> Vec<usize> {
        let tokens = &self.study.tokens().codes;
        let all = super::targets::roles(self.study);
        let own = all.into_iter().find(|other| other.token == role.token);
        own.map_or_else(|| self.study.counted(), |role| role.points).into_iter().filter(|&p| p < tokens.len()).collect()
    }

    /// Terms for a plan, at some points, best first.
    fn plan(&self, plan: &Plan, points: &[usize]) -> Result<Vec<Ranked>, Error> {
        Ok(match plan {
            Plan::Constant(code) => {
                let term = Term::constant(decode_code(self.study.output.sort, *code));
                self.ranked(vec![(term, 1)], points, &|study, point| study.output.codes[point])?
            }
            Plan::Value(target) => {
                self.ranked(self.same(*target)?, points, &|study, point| study.output.codes[point])?
            }
            Plan::Set(set) => self.set(set, points)?,
            Plan::Unless(value, target, rest) => self.unless(*value, *target, rest, points)?,
            Plan::Begin(token, first, rest) => self.begin(*token, first, rest, points)?,
            Plan::Either(a, b) => {
                let mut both = self.plan(a, points)?;
                both.extend(self.plan(b, points)?);
                sort(&mut both, points.len());
                both
            }
        })
    }

    /// The candidates for a target with their costs, without those that were to say what another one says by other steps and
    /// say something else on inputs that are made or recorded.
    fn same(&self, target: usize) -> Result<Vec<(Term, u32)>, Error> {
        let candidates = &self.candidates[target];
        let values = |study: &Study<'_>, candidate: &Candidate| study.values(&candidate.term, self.config);
        let mut known: BTreeMap<usize, Vec<Column>> = BTreeMap::new();
        let mut kept = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let studies = || self.made.into_iter().chain([self.study]);
            let is_same = match candidate.twin {
                None => true,
                Some(_) if (self.config.deadline)() => false,
                Some(twin) => {
                    if let Entry::Vacant(place) = known.entry(twin) {
                        let usual =
                            studies().map(|study| values(study, &candidates[twin])).collect::<Result<_, _>>()?;
                        place.insert(usual);
                    }
                    let mut is_same = true;
                    for (study, usual) in studies().zip(&known[&twin]) {
                        is_same = is_same && values(study, candidate)? == *usual;
                    }
                    is_same
                }
            };
            if is_same {
                kept.push((candidate.term.clone(), candidate.cost));
            }
        }
        Ok(kept)
    }

    /// Terms with their errors at some points against what is wanted there, best first.
    fn ranked(
        &self,
        terms: Vec<(Term, u32)>,
        points: &[usize],
        wanted: &dyn Fn(&Study<'_>, usize) -> i64,
    ) -> Result<Vec<Ranked>, Error> {
        let mut ranked = Vec::with_capacity(terms.len());
        for (term, cost) in terms {
            let values: Column = self.study.values(&term, self.config)?;
            let errors = points.iter().filter(|&&point| values.codes[point] != wanted(self.study, point)).count();
            ranked.push(Ranked { term, cost, errors });
            if (self.config.deadline)() {
                break;
            }
        }
        sort(&mut ranked, points.len());
        self.separate(&mut ranked, wanted)?;
        Ok(ranked)
    }

    /// Puts first, among those that are as good as the best on recorded inputs, what the network does on inputs made of
    /// them: what merely coincides on the domain parts from the network there.
    fn separate(&self, ranked: &mut [Ranked], wanted: &dyn Fn(&Study<'_>, usize) -> i64) -> Result<(), Error> {
        let (Some(made), Some(best)) = (self.made, ranked.first()) else { return Ok(()) };
        let (errors, cost) = (best.errors, best.cost + RIVAL_COST);
        let n = ranked.iter().take_while(|r| r.errors == errors && r.cost <= cost).count();
        let points = made.counted();
        let mut rivals: Vec<(f64, usize)> = Vec::with_capacity(n);
        for (place, rival) in ranked[..n].iter().enumerate() {
            let values = made.values(&rival.term, self.config)?;
            let wrong = points.iter().filter(|&&point| values.codes[point] != wanted(made, point)).count();
            rivals.push((super::search::bits(rival.cost, wrong, points.len()), place));
        }
        rivals.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let order: Vec<usize> = rivals.into_iter().map(|(_, place)| place).collect();
        let sorted: Vec<Ranked> = order.iter().map(|&place| ranked[place].clone()).collect();
        ranked[..n].clone_from_slice(&sorted);
        Ok(())
    }

    fn bit(
        &self,
        target: usize,
        points: &[usize],
        wanted: &dyn Fn(&Study<'_>, usize) -> i64,
    ) -> Result<Vec<Ranked>, Error> {
        self.ranked(self.same(target)?, points, wanted)
    }

    fn unless(&self, value: i64, target: usize, rest: &Plan, points: &[usize]) -> Result<Vec<Ranked>, Error> {
        let Some(ite) = self.op(Kernel::Ite) else { return Ok(Vec::new()) };
        let mut tests = self.bit(target, points, &|study, point| i64::from(study.output.codes[point] == value))?;
        let others: Vec<usize> =
            points.iter().copied().filter(|&point| self.study.output.codes[point] != value).collect();
        let rests = self.plan(rest, &others)?;
        if let Some(rest) = rests.first() {
            tests.iter_mut().for_each(|test| test.cost = test.cost.saturating_sub(self.shared(&test.term, &rest.term)));
            sort(&mut tests, points.len());
        }
        let constant = Term::constant(decode_code(self.study.output.sort, value));
        let join = |(test, rest): (&Ranked, &Ranked)| Ranked {
            term: Term::op(ite, vec![test.term.clone(), constant.clone(), rest.term.clone()]),
            cost: test.cost + rest.cost + 3,
            errors: test.errors + rest.errors,
        };
        Ok(rivals(&tests, &rests).into_iter().map(join).collect())
    }

    /// What a term costs less beside another: a step that both take is taken once.
    fn shared(&self, term: &Term, other: &Term) -> u32 {
        let Node::App(_, args) = term.node() else { return 0 };
        if super::search::contains(other, term) {
            return (dsl::cost(term, self.config.language) as u32).saturating_sub(1);
        }
        args.iter().map(|arg| self.shared(arg, other)).sum()
    }

    fn begin(&self, token: i64, first: &Plan, rest: &Plan, points: &[usize]) -> Result<Vec<Ranked>, Error> {
        let words = (self.op(Kernel::Ite), self.op(Kernel::Eq), self.config.language.operator("previous"));
        let (Some(ite), Some(equal), Some(previous)) = words else { return Ok(Vec::new()) };
        let (firsts, others) = super::targets::beginning(self.study, token, points);
        let (firsts, rests) = (self.plan(first, &firsts)?, self.plan(rest, &others)?);
        let token = Term::constant(decode_code(self.study.tokens().sort, token));
        let test = Term::op(previous, vec![Term::op(equal, vec![Term::var("tokens"), token])]);
        let join = |(first, rest): (&Ranked, &Ranked)| Ranked {
            term: Term::op(ite, vec![test.clone(), first.term.clone(), rest.term.clone()]),
            cost: first.cost + rest.cost + 3,
            errors: first.errors + rest.errors,
        };
        Ok(rivals(&firsts, &rests).into_iter().map(join).collect())
    }

    fn set(&self, set: &[(Symbol, Option<usize>)], points: &[usize]) -> Result<Vec<Ranked>, Error> {
        let Some(also) = self.config.language.operator("also") else { return Ok(Vec::new()) };
        let mut lists = vec![Ranked { term: Term::constant(Value::Symbol("#json:[]".into())), cost: 1, errors: 0 }];
        let mut is_constant = true;
        for (token, target) in set {
            let item = Term::constant(Value::Symbol(*token));
            let always = || Term::constant(Value::Bool(true));
            match target {
                None if is_constant => {
                    let tokens: Vec<String> =
                        set.iter().take_while(|(_, t)| t.is_none()).map(|(token, _)| token.json()).collect();
                    let list = Symbol::new(&format!("#json:[{}]", tokens.join(",")));
                    lists = vec![Ranked { term: Term::constant(Value::Symbol(list)), cost: 1, errors: 0 }];
                }
                None => lists.iter_mut().for_each(|list| {
                    list.term = Term::op(also, vec![list.term.clone(), item.clone(), always()]);
                }),
                Some(target) => {
                    is_constant = false;
                    let holds = |code: i64| {
                        let text = Symbol::from_code(code).map_or("", Symbol::as_str);
                        i64::from(super::targets::holds(text, *token))
                    };
                    let tests = self.bit(*target, points, &|study, point| holds(study.output.codes[point]))?;
                    let join = |(list, test): (&Ranked, &Ranked)| Ranked {
                        term: Term::op(also, vec![list.term.clone(), item.clone(), test.term.clone()]),
                        cost: list.cost + test.cost + 2,
                        errors: list.errors + test.errors,
                    };
                    lists = rivals(&lists, &tests).into_iter().map(join).collect();
                }
            }
        }
        Ok(lists)
    }

    /// The first part alone.
    fn first(&self, parts: &[(Option<i64>, Vec<Ranked>)], place: usize) -> Option<Term> {
        let (_, ranked) = parts.first()?;
        ranked.get(place.min(ranked.len().saturating_sub(1))).map(|ranked| ranked.term.clone())
    }

    /// The program whose parts are the best ones, but for one part that is its `place`-th.
    fn joined(&self, parts: &[(Option<i64>, Vec<Ranked>)], place: usize) -> Option<Term> {
        let at = |ranked: &[Ranked]| ranked.get(place.min(ranked.len().saturating_sub(1))).map(|r| r.term.clone());
        let mut parts = parts.iter();
        let (_, first) = parts.next()?;
        parts.try_fold(at(first)?, |rest, (token, ranked)| {
            let test = Term::op(
                self.op(Kernel::Eq)?,
                vec![Term::var("tokens"), Term::constant(decode_code(self.study.tokens().sort, (*token)?))],
            );
            Some(Term::op(self.op(Kernel::Ite)?, vec![test, at(ranked)?, rest]))
        })
    }
}

/// Best first: errors and cost as lengths in bits.
fn sort(ranked: &mut [Ranked], n: usize) {
    let bits = |r: &Ranked| super::search::bits(r.cost, r.errors, n);
    ranked.sort_by(|a, b| bits(a).total_cmp(&bits(b)));
}

/// Pairs with the best of each side, then with the next best of either.
fn rivals<'r>(a: &'r [Ranked], b: &'r [Ranked]) -> Vec<(&'r Ranked, &'r Ranked)> {
    let (Some(first), Some(second)) = (a.first(), b.first()) else { return Vec::new() };
    let mut pairs = vec![(first, second)];
    for i in 1..super::PROGRAMS {
        pairs.extend(b.get(i).map(|other| (first, other)));
        pairs.extend(a.get(i).map(|other| (other, second)));
    }
    pairs
}
