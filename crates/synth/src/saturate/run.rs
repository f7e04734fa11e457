//! Saturation: rounds of searching all rules, then applying the matches one by one until a limit is reached.

use egg::SearchMatches;

use super::graph::{EGraph, ENode};
use super::rules::Compiled;
use super::{SaturationLimits, SaturationStop};

/// A rule that had too many matches is allowed twice as many each time it was left out, up to so many doublings.
const MOST_DOUBLINGS: u32 = 6;

/// A rule's part in the schedule: the round in which it may be searched again, and how often it was left out.
#[derive(Clone, Copy, Default)]
struct Ban {
    until: usize,
    times: u32,
}

/// Rounds of searching all rules, then applying all matches, until nothing changes or a limit is reached.
///
/// The limit of nodes is looked at before every single match, and what a match can add is known beforehand, so it is never
/// exceeded by rules; a search for matches ends where the rule has more than it may have.
pub(crate) fn saturate<'l>(
    egraph: &mut EGraph<'l>,
    rules: &[Compiled<'l>],
    limits: &SaturationLimits,
) -> SaturationStop {
    egraph.analysis.most_nodes = limits.max_nodes;
    egraph.rebuild();
    let mut bans = vec![Ban::default(); rules.len()];
    for round in 0..limits.max_rounds {
        let before = (egraph.analysis.n_made, egraph.number_of_classes());
        let (found, n_banned) = search(egraph, rules, &mut bans, round, limits.max_matches);
        for (rule, matches) in &found {
            if !apply(egraph, rule, matches) {
                egraph.rebuild();
                return SaturationStop::Nodes;
            }
        }
        egraph.rebuild();
        if n_banned == 0 && before == (egraph.analysis.n_made, egraph.number_of_classes()) {
            return SaturationStop::Saturated;
        }
    }
    SaturationStop::Rounds
}

type Found<'r, 'l> = Vec<(&'r Compiled<'l>, Vec<SearchMatches<'r, ENode>>)>;

/// The matches of the rules that have not too many, and the number of rules that are left out.
fn search<'r, 'l>(
    egraph: &EGraph<'l>,
    rules: &'r [Compiled<'l>],
    bans: &mut [Ban],
    round: usize,
    max_matches: usize,
) -> (Found<'r, 'l>, usize) {
    let mut all = Vec::with_capacity(rules.len());
    let mut n_banned = 0;
    for (rule, ban) in rules.iter().zip(bans) {
        if round < ban.until {
            n_banned += 1;
            continue;
        }
        let doublings = ban.times.min(MOST_DOUBLINGS);
        let limit = max_matches.saturating_mul(1 << doublings);
        let matches = rule.rewrite.search_with_limit(egraph, limit.saturating_add(1));
        if matches.iter().map(|found| found.substs.len()).sum::<usize>() > limit {
            ban.until = round + (2 << doublings);
            ban.times += 1;
            n_banned += 1;
        } else {
            all.push((rule, matches));
        }
    }
    (all, n_banned)
}

/// Applies matches as long as there is room for what they add; whether there was room for all.
fn apply<'l>(egraph: &mut EGraph<'l>, rule: &Compiled<'l>, matches: &[SearchMatches<'_, ENode>]) -> bool {
    for found in matches {
        for subst in &found.substs {
            if !egraph.analysis.has_room(rule.n_new) {
                return false;
            }
            let one = SearchMatches { eclass: found.eclass, substs: vec![subst.clone()], ast: found.ast.clone() };
            rule.rewrite.apply(egraph, &[one]);
        }
    }
    true
}
