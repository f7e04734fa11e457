//! `ventris dsl simplify`: the simplest term that the rules of a DSL prove equal to a given one, and how; or how they lead
//! from one term to another.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ::dsl::{Language, Term};
use report::SCHEMA;
use samples::{Sort, Symbol};
use serde::Serialize;
use smt::Solver;
use synth::{
    COST_UNIT, Checked, DagLimits, Equalities, Known, LanguageCost, Part, RuleReport, RuleSet, SaturationLimits,
    SaturationStop, Simplified, Step, VerifyLimits, check_language, recheck, simplify, simplify_explained,
};

use crate::args::{Common, Format, SimplifyArgs};
use crate::dsl::verdict_of;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output};

/// Prints a term that is simpler, with `--explain` also the chain of rules that leads to it; or the chain to a given term.
///
/// # Errors
/// Files that cannot be read; everything that is wrong in them, in the term or in the variables.
pub(crate) fn run(args: &SimplifyArgs, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let (origin, text) = language::text_of(&args.file)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(&args.file)])?;
    let vars = variables(&args.vars, &language)?;
    let term = dsl::parse_term(&args.term, &language, &vars)?;
    let to = args.to.as_deref().map(|to| dsl::parse_term(to, &language, &vars)).transpose()?;
    progress.say("verifying every rule and fact");
    let reports = check_language(&language, &mut Solver::new(), &VerifyLimits::default());
    language::warn(&language, common);
    if !common.quiet {
        left_out(&reports).for_each(|name| output::to_stderr(&format!("warning: {name} was not shown to hold")));
    }
    let known: Vec<Known> = vars.iter().map(|&(name, sort)| Known::input(name, sort)).collect();
    let mut rules = Rules { set: RuleSet::proved(&language, &reports), reports: &reports, language: &language };
    progress.say("applying the rules");
    if args.unproved {
        rules.add_needed(&term, to.as_ref(), &known);
    }
    let (result, status) = match &to {
        Some(to) => rules.chain(&term, to, &known),
        None if args.shared => rules.shared(&term, &known),
        None => rules.simplified(&term, &known, args.explain),
    };
    progress.finish();
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => text_of(&result),
    })?;
    Ok(status)
}

/// The rules in use, and what is known of all: those that are proved and, where asked for, those others that are needed.
struct Rules<'a> {
    set: RuleSet,
    reports: &'a [RuleReport],
    language: &'a Language,
}

impl Rules<'_> {
    /// Adds rules that are not proved: those on the way to a term that the proved ones do not lead to. No others have a part in
    /// what follows, not even through what they would say of a condition, so that what is named is all that it rests on.
    fn add_needed(&mut self, term: &Term, to: Option<&Term>, known: &[Known]) {
        let all = RuleSet::accepted(self.language, self.reports, |report| report.verdict.holds());
        let Some((cost, steps)) = self.lead(&all, term, to, known) else { return };
        if self.lead(&self.set, term, to, known).is_some_and(|(proved, _)| proved <= cost) {
            return;
        }
        let needed: BTreeSet<Symbol> = steps.iter().flat_map(Step::rules).collect();
        let accepts =
            |report: &RuleReport| report.verdict.is_proved() || report.verdict.holds() && needed.contains(&report.rule);
        self.set = RuleSet::accepted(self.language, self.reports, accepts);
    }

    /// What some rules lead to: the cost of the term, and the way; nothing where they do not lead to what was to be reached.
    fn lead(&self, set: &RuleSet, term: &Term, to: Option<&Term>, known: &[Known]) -> Option<(f64, Vec<Step>)> {
        let cost = |term: &Term| dsl::cost(term, self.language);
        if let Some(to) = to {
            return self.way(set, term, to, known).1.map(|steps| (cost(to), steps));
        }
        let found = simplify_explained(term, self.language, set, known, &SaturationLimits::new());
        Some((cost(&found.term), found.steps().cloned().collect()))
    }

    /// The steps by which some rules lead from one term to another, if they do, and why saturation ended.
    fn way(&self, set: &RuleSet, from: &Term, to: &Term, known: &[Known]) -> (SaturationStop, Option<Vec<Step>>) {
        let mut store = Equalities::new(self.language, set, known).with_explanations();
        store.add(from);
        store.add(to);
        let stop = store.saturate(&SaturationLimits::new());
        (stop, store.explain(from, to))
    }

    /// The rules in use that are not proved.
    fn unproved(&self) -> Vec<UnprovedResult> {
        let is_used = |report: &&RuleReport| self.set.names().any(|name| name == report.rule);
        let unproved = self.reports.iter().filter(|report| !report.verdict.is_proved()).filter(is_used);
        let result = |report: &RuleReport| {
            let (status, detail) = verdict_of(report);
            UnprovedResult { rule: report.rule.to_string(), status, detail }
        };
        unproved.map(result).collect()
    }

    /// The cheapest term that is equal to a term.
    fn simplified(&self, term: &Term, known: &[Known], explained: bool) -> (SimplifyResult, Status) {
        let work = if explained { simplify_explained } else { simplify };
        let Simplified { term: simple, stop, parts, .. } =
            work(term, self.language, &self.set, known, &SaturationLimits::new());
        let parts = explained.then(|| parts.iter().map(|part| self.part(part)).collect::<Vec<PartResult>>());
        let is_refused = parts.iter().flatten().any(|part| part.refused.is_some());
        let result = SimplifyResult { parts, ..self.result(term, &simple, stop) };
        (result, if is_refused { Status::NotEstablished } else { Status::Done })
    }

    /// The cheapest term that is equal to a term where equal parts are paid for once.
    fn shared(&self, term: &Term, known: &[Known]) -> (SimplifyResult, Status) {
        let mut store = Equalities::new(self.language, &self.set, known);
        let id = store.add(term);
        let stop = store.saturate(&SaturationLimits::new());
        let dag = store.dag(id, &LanguageCost(self.language), &DagLimits::new());
        let simple = dag.as_ref().map_or(term, |dag| &dag.term);
        let shared = dag.as_ref().map(|dag| SharedResult {
            cost: dag.cost as f64 / COST_UNIT as f64,
            least: dag.is_optimal && stop == SaturationStop::Saturated,
        });
        (SimplifyResult { shared, ..self.result(term, simple, stop) }, Status::Done)
    }

    /// How the rules lead from one term to another.
    fn chain(&self, term: &Term, to: &Term, known: &[Known]) -> (SimplifyResult, Status) {
        let (stop, steps) = self.way(&self.set, term, to, known);
        let (from, to, known) = (term.clone(), to.clone(), known.to_vec());
        let part = steps.map(|steps| self.part(&Part { from, to: to.clone(), known, steps }));
        let is_shown = part.as_ref().is_some_and(|part| part.refused.is_none());
        let result = SimplifyResult { parts: Some(part.into_iter().collect()), ..self.result(term, &to, stop) };
        let result = SimplifyResult { equal: Some(is_shown), ..result };
        (result, if is_shown { Status::Done } else { Status::NotEstablished })
    }

    fn result(&self, term: &Term, to: &Term, stop: SaturationStop) -> SimplifyResult {
        let count = |status: &str| self.reports.iter().filter(|report| verdict_of(report).0 == status).count();
        SimplifyResult {
            schema: SCHEMA,
            term: dsl::print(term, self.language),
            simplified: dsl::print(to, self.language),
            cost_before: dsl::cost(term, self.language),
            cost_after: dsl::cost(to, self.language),
            stop: match stop {
                SaturationStop::Saturated => "saturated",
                SaturationStop::Rounds => "rounds",
                SaturationStop::Nodes => "nodes",
            },
            rules: RuleCounts {
                proved: count("proved"),
                exhaustive: count("exhaustive"),
                assumed: count("assumed"),
                left_out: left_out(self.reports).count(),
            },
            rests_on: self.unproved(),
            equal: None,
            shared: None,
            parts: None,
        }
    }

    fn part(&self, part: &Part) -> PartResult {
        let verdict = recheck(self.language, &self.set, &part.known, &part.from, &part.to, &part.steps);
        let Checked { n_points, .. } = verdict.clone().unwrap_or_default();
        PartResult {
            from: dsl::print(&part.from, self.language),
            to: dsl::print(&part.to, self.language),
            steps: part.steps.iter().map(|step| self.step(step)).collect(),
            checked: verdict.is_ok(),
            n_points,
            refused: verdict.err().map(|error| error.to_string()),
        }
    }

    fn step(&self, step: &Step) -> StepResult {
        let report = self.reports.iter().find(|report| report.rule == step.rule);
        StepResult {
            rule: step.rule.to_string(),
            direction: if step.forward { "forward" } else { "backward" },
            status: report.map_or("evaluated", |report| verdict_of(report).0),
            position: step.position.clone(),
            term: dsl::print(&step.term, self.language),
        }
    }
}

/// The variables as they are declared on the command line.
fn variables(texts: &[String], language: &Language) -> Result<Vec<(Symbol, Sort)>, Failure> {
    let mut vars: Vec<(Symbol, Sort)> = Vec::with_capacity(texts.len());
    for text in texts {
        let expected = || {
            Failure::new(format!("--vars: expected NAME:SORT, found `{text}`"))
                .hint("declare variables as in --vars 'x:Int,p:Bool'")
        };
        let (name, sort) = text.split_once(':').ok_or_else(expected)?;
        let name = name.trim();
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "()\";".contains(c));
        if !is_name {
            return Err(expected());
        }
        let name = Symbol::new(name);
        if vars.iter().any(|(other, _)| *other == name) {
            return Err(Failure::new(format!("--vars: {name} is declared twice")));
        }
        vars.push((name, dsl::parse_sort("--vars", sort, language)?));
    }
    Ok(vars)
}

/// What `ventris dsl simplify` prints.
#[derive(Serialize)]
struct SimplifyResult {
    schema: u32,
    term: String,
    /// The simpler term, or the one that was to be reached.
    simplified: String,
    /// Costs in the language.
    cost_before: f64,
    cost_after: f64,
    /// `saturated`: the rules have no more to say; `rounds` or `nodes`: that limit was reached.
    stop: &'static str,
    rules: RuleCounts,
    /// The rules that the answer rests on and that are not proved.
    rests_on: Vec<UnprovedResult>,
    /// Whether the rules lead to the term that was to be reached, if there was one. `false` says nothing of the terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<bool>,
    /// Only where equal parts are paid for once.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<SharedResult>,
    /// The parts of the term that were simplified each by itself; only where an explanation is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartResult>>,
}

#[derive(Serialize)]
struct SharedResult {
    /// The cost with each different part paid for once, variables and constants included; bindings are free.
    cost: f64,
    /// Whether nothing that the rules lead to costs less; if not, that is unknown.
    least: bool,
}

/// What is known of the rules of the DSL.
#[derive(Serialize)]
struct RuleCounts {
    proved: usize,
    /// Held on all inputs of a stated scope, and used only where asked for.
    exhaustive: usize,
    /// Nothing was shown, and used only where asked for.
    assumed: usize,
    /// Not used.
    left_out: usize,
}

/// A rule that is not proved, and what is known of it.
#[derive(Serialize)]
struct UnprovedResult {
    rule: String,
    /// `exhaustive` or `assumed`.
    status: &'static str,
    /// The scope, or why nothing was shown.
    detail: String,
}

#[derive(Serialize)]
struct PartResult {
    from: String,
    to: String,
    steps: Vec<StepResult>,
    /// Whether every step was checked, without the e-graph.
    checked: bool,
    /// Points at which the terms before and after each step were run.
    n_points: usize,
    /// Why the check refused the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
struct StepResult {
    rule: String,
    /// `forward` or `backward`.
    direction: &'static str,
    /// On what the rule rests: `proved`, `exhaustive` or `assumed`; `evaluated` for a part that has one value.
    status: &'static str,
    /// Which argument, which argument of that, and so on, counted from 0.
    position: Vec<usize>,
    /// The whole part after the step.
    term: String,
}

fn left_out(reports: &[RuleReport]) -> impl Iterator<Item = Symbol> + '_ {
    reports.iter().filter(|report| !report.verdict.holds()).map(|report| report.rule)
}

fn text_of(result: &SimplifyResult) -> String {
    let mut text = format!("{}\n", result.simplified);
    if let Some(SharedResult { cost, least }) = result.shared {
        let least = if least { "and no less is possible by the rules" } else { "less may be possible" };
        let _ = writeln!(text, "\nequal parts paid for once, it costs {cost}; {least}");
    }
    if !result.rests_on.is_empty() {
        text.push_str("\nit rests on rules that are not proved:\n");
    }
    for UnprovedResult { rule, status, detail } in &result.rests_on {
        let _ = writeln!(text, "  {rule}  {status}  {detail}");
    }
    let Some(parts) = &result.parts else { return text };
    if parts.is_empty() && result.equal.is_some() {
        let _ = match result.stop {
            "saturated" => writeln!(text, "\nno rules lead from {} to it", result.term),
            limit => {
                writeln!(text, "\nno rules that lead from {} to it were found within the limit of {limit}", result.term)
            }
        };
    } else if parts.is_empty() {
        let _ = match result.stop {
            "saturated" => writeln!(text, "\nno rules make it simpler"),
            limit => writeln!(text, "\nnothing simpler was found within the limit of {limit}"),
        };
    }
    for part in parts {
        part_text(part, &mut text);
    }
    let RuleCounts { proved, exhaustive, assumed, left_out } = result.rules;
    let _ = writeln!(
        text,
        "\nrules: {proved} proved, {left_out} not used; by --unproved alone: {exhaustive} exhaustive over a stated scope, {assumed} assumed"
    );
    text
}

fn part_text(part: &PartResult, text: &mut String) {
    let _ = writeln!(text, "\n  {}", part.from);
    let width = part.steps.iter().map(|step| step.rule.chars().count()).max().unwrap_or(0);
    for step in &part.steps {
        let _ = writeln!(text, "  {:8}  {:width$}  {:10}  {}", step.direction, step.rule, step.status, step.term);
    }
    let _ = match &part.refused {
        Some(reason) => writeln!(text, "  the check refused the chain: {reason}"),
        None if part.n_points == 0 => writeln!(text, "  checked: every step is an instance of its rule; none was run"),
        None => writeln!(
            text,
            "  checked: every step is an instance of its rule, and keeps the value at {} random points",
            part.n_points
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_leads_elsewhere_is_refused() -> Result<(), dsl::Diagnostics> {
        let language = Language::load_shipped("booleans")?;
        let set = RuleSet::assumed(&language);
        let term = |text| dsl::parse_term(text, &language, &[("p".into(), Sort::Bool)]);
        let known = vec![Known::input("p", Sort::Bool)];
        let part = Part { from: term("(not (not p))")?, to: term("p")?, known, steps: Vec::new() };
        let result = Rules { set, reports: &[], language: &language }.part(&part);
        assert!(!result.checked && result.refused.is_some());
        let mut text = String::new();
        part_text(&result, &mut text);
        assert!(text.contains("the check refused the chain: the chain ends at another term"), "{text}");
        Ok(())
    }
}
