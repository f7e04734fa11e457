//! `ventris synth FILE.dsl`: the functions that a DSL file asks for.

use std::time::{Duration, Instant};

use ::synth::{BoundScope, Evidence, FindConfig, FindError, FindReport, Finding, Fit, Listing, Tried, find, find_all};
use dsl::{Language, Term, Wanted};
use report::{SCHEMA, SynthBound, SynthConstants, SynthFunction, SynthResult};
use smt::Solver;

use crate::args::{Common, Format, SynthArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::synth::{all_of, front_of, scope_word};
use crate::{Status, language, output};

/// Finds every function of the file and prints it as a definition that the file can hold.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong in them; files that ask for no function.
pub(crate) fn run(args: &SynthArgs, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    let (origin, text) = language::text_of(&args.problem)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(&args.problem)])?;
    language::warn(&language, common);
    if language.wanted.is_empty() {
        return Err(Failure::at(&args.problem, "it asks for no function")
            .hint("(synth-fun NAME ((PARAM SORT) ...) SORT :means TERM) asks for one, see `ventris help dsl`"));
    }
    let progress = Progress::new(common);
    let (mut config, solver) = (FindConfig::new(common.seed), &mut Solver::new());
    args.limit(&mut config.limits.max_classes, &mut config.limits.max_bytes);
    let mut found = Vec::new();
    for (done, wanted) in language.wanted.iter().enumerate() {
        progress.say(&format!("searching {}", wanted.name));
        // Each function has its share of the time, and what those before it left.
        let share = (done + 1) as f64 / language.wanted.len() as f64;
        let limit = common.time_limit.map(|seconds| Duration::from_secs_f64(seconds * share));
        let is_late = || limit.is_some_and(|limit| start.elapsed() >= limit);
        let failed = |error: FindError| Failure::new(format!("{}: {}: {error}", wanted.place, wanted.name));
        let report = find(&language, wanted, &config, solver, &is_late).map_err(failed)?;
        let listing = match args.all || args.front {
            true => find_all(&language, wanted, &report, &config, solver, &is_late).map_err(failed)?,
            false => None,
        };
        found.push(Found { language: &language, wanted, report, listing });
    }
    progress.finish();
    let is_solved = found.iter().all(|found| matches!(found.report.finding, Finding::Solved { .. }));
    output::to_stdout(&match common.format {
        Format::Text => found.iter().map(|found| found.text(args)).collect::<String>(),
        Format::Json => output::json_text(&result(origin, args, &found))?,
    })?;
    Ok(if is_solved { Status::Done } else { Status::NotEstablished })
}

/// What a search for a function found.
struct Found<'a> {
    language: &'a Language,
    wanted: &'a Wanted,
    report: FindReport,
    /// What there is beside the answer, where that was asked for.
    listing: Option<Listing<Evidence>>,
}

impl Found<'_> {
    fn text(&self, args: &SynthArgs) -> String {
        let Self { wanted, report, listing, .. } = self;
        let name = wanted.name;
        let tried = constants_of(report).map_or_else(String::new, |tried| format!("; {}\n", sentence(&tried)));
        match (&report.finding, listing) {
            (Finding::Infeasible(reason), _) => format!("; {name}: infeasible: {reason}\n"),
            (Finding::Fail { limit, lower_bound }, _) => {
                format!("; {name}: fail, stopped by: {limit}; {}\n{tried}", bound(wanted, report.scope, *lower_bound))
            }
            (Finding::Solved { lower_bound, .. }, Some(listing)) => {
                let all = if args.all { self.all(listing, *lower_bound, &tried) } else { String::new() };
                let front = if args.front { self.front(listing) } else { String::new() };
                all + &front
            }
            (Finding::Solved { term, cost, lower_bound, evidence, .. }, None) => {
                let (_, said) = evidence_of(evidence);
                let bound = least(wanted, report.scope, *cost, *lower_bound);
                format!("; {name}: {said}; cost {cost}, {bound}\n{tried}{}\n", self.definition(term))
            }
        }
    }

    /// All cheapest terms, each under what is known of it.
    fn all(&self, listing: &Listing<Evidence>, lower_bound: u32, tried: &str) -> String {
        let (name, n, cost) = (self.wanted.name, listing.solutions.len(), listing.cost);
        // A listing without gaps has seen all that is cheaper.
        let lower_bound = if listing.complete.is_ok() { cost } else { lower_bound };
        let known = listing.completeness(self.report.scope);
        let bound = least(self.wanted, self.report.scope, cost, lower_bound);
        let mut out = format!("; {name}: {n} of cost {cost}; {known}; {bound}\n{tried}");
        for (term, evidence) in &listing.solutions {
            out.push_str(&format!("; {}\n{}\n", evidence_of(evidence).1, self.definition(term)));
        }
        out
    }

    /// The front of cost and fit, cheapest term first.
    fn front(&self, listing: &Listing<Evidence>) -> String {
        let line = |fit: &Fit| {
            let (name, inputs, definition) = (self.wanted.name, listing.n_points, self.definition(&fit.term));
            format!("; {name}: cost {}: right at {} of {inputs} inputs\n{definition}\n", fit.cost, fit.right)
        };
        listing.front.iter().map(line).collect()
    }

    fn definition(&self, term: &Term) -> String {
        let Self { language, wanted, .. } = self;
        let params: Vec<String> = wanted
            .params
            .iter()
            .map(|param| match param.range {
                Some((low, high)) => format!("({} (range {low} {high}))", param.name),
                None => format!("({} {})", param.name, param.sort),
            })
            .collect();
        format!("(define-fun {} ({}) {} {})", wanted.name, params.join(" "), wanted.result, dsl::print(term, language))
    }
}

/// What is known of cheaper terms than one of a cost.
fn least(wanted: &Wanted, scope: BoundScope, cost: u32, lower_bound: u32) -> String {
    let word = if cost == lower_bound { "minimal: " } else { "" };
    format!("{word}{}", bound(wanted, scope, lower_bound))
}

/// What is known of cheaper terms.
fn bound(wanted: &Wanted, scope: BoundScope, lower_bound: u32) -> String {
    let terms = match (wanted.grammar, scope) {
        (Some(name), BoundScope::Grammar) => format!("the grammar {name}"),
        (Some(name), _) => format!("the grammar {name} with the constants tried"),
        (None, _) => "the operators and constants tried".to_owned(),
    };
    format!("no term of {terms} costs less than {lower_bound}")
}

/// The constants that were tried beside those listed, where there may be others.
fn constants_of(report: &FindReport) -> Option<SynthConstants> {
    let Tried { constants, n_holes, n_shapes, n_asked } = &report.tried;
    let is_open = report.scope != BoundScope::Grammar && (!constants.is_empty() || *n_shapes > 0);
    is_open.then(|| SynthConstants {
        tried: constants.iter().map(|value| dsl::print_value(*value)).collect(),
        shapes: *n_shapes,
        holes: *n_holes,
        asked: *n_asked,
    })
}

fn sentence(constants: &SynthConstants) -> String {
    let SynthConstants { tried, shapes, holes, asked } = constants;
    let others = if tried.is_empty() { String::new() } else { format!(", {}", tried.join(" ")) };
    let solved = match holes {
        0 => String::new(),
        _ => format!("; up to {holes} at once solved for in {shapes} shapes, by the solver in {asked}"),
    };
    format!("constants tried: those listed{others}{solved}")
}

/// The word for what is known of every term of a listing.
fn least_evidence(listing: &Listing<Evidence>) -> &'static str {
    let strength = |evidence: &Evidence| match evidence {
        Evidence::Sampled(_) => 0,
        Evidence::Bounded(_) => 1,
        Evidence::Proved(_) => 2,
        Evidence::Exhaustive(_) => 3,
    };
    let all = listing.solutions.iter().map(|(_, evidence)| evidence);
    all.min_by_key(|evidence| strength(evidence)).map_or("sampled", |evidence| evidence_of(evidence).0)
}

/// The word and the sentence for what is known.
fn evidence_of(evidence: &Evidence) -> (&'static str, String) {
    match evidence {
        Evidence::Exhaustive(n) => ("exhaustive", format!("right at all {n} inputs")),
        Evidence::Proved(scope) => ("proved", format!("proved: {scope}")),
        Evidence::Bounded(scope) => ("bounded", format!("right at all inputs of a scope: {scope}")),
        Evidence::Sampled(n) => ("sampled", format!("right at {n} inputs, more is not known")),
    }
}

fn result(file: String, args: &SynthArgs, found: &[Found<'_>]) -> SynthResult {
    let (mut functions, mut unsolved) = (Vec::new(), Vec::new());
    let (mut status, mut reasons) = ("solved", Vec::new());
    for own in found {
        let Found { language, wanted, report, listing } = own;
        let definition = |term: &Term| own.definition(term);
        match &report.finding {
            Finding::Solved { term, cost, lower_bound, evidence, n_candidates, n_points } => {
                functions.push(SynthFunction {
                    name: wanted.name.to_string(),
                    definition: definition(term),
                    evidence: evidence_of(evidence).0,
                    nodes: dsl::size(term, language),
                    cost: *cost,
                    lower_bound: *lower_bound,
                    bound_scope: scope_word(report.scope),
                    candidates: *n_candidates,
                    points: *n_points,
                    constants: constants_of(report),
                    all: listing.as_ref().filter(|_| args.all).map(|all| all_of(all, least_evidence(all), &definition)),
                    front: listing.as_ref().filter(|_| args.front).map(|all| front_of(all, &definition)),
                });
            }
            Finding::Infeasible(reason) => {
                status = "infeasible";
                reasons.push(format!("{}: {reason}", wanted.name));
            }
            Finding::Fail { limit, lower_bound } => {
                unsolved.push(SynthBound {
                    functions: vec![wanted.name.to_string()],
                    lower_bound: *lower_bound,
                    bound_scope: scope_word(report.scope),
                });
                status = if status == "infeasible" { status } else { "fail" };
                let tried = constants_of(report).map_or_else(String::new, |tried| format!("; {}", sentence(&tried)));
                reasons.push(format!("{}: stopped by: {limit}{tried}", wanted.name));
            }
        }
    }
    let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
    SynthResult { schema: SCHEMA, file, status, reason, functions, unsolved, all: None, front: None }
}
