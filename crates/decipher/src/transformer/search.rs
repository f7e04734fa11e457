//! Small synthesis problems over classes: a term for a column, or for whatever a condition accepts.

use dsl::{Language, Term};
use samples::{Column, Sort, Symbol, Value};
use synth::{Bank, BankConfig, Goal, Leaf, SolveConfig, Watch, solve};

/// What one search may cost: candidates that are tried. A hundred points and a million candidates take a fraction of
/// a second.
const CANDIDATES: u64 = 1_500_000;
/// Candidates for functions of one variable with few values.
const FEW_CANDIDATES: u64 = 300_000;

const CLASSES: usize = 200_000;
const COST: u32 = 16;

/// Candidates of a search whose condition is costlier than a comparison of columns.
const RELATION_CANDIDATES: u64 = 300_000;

/// A problem's variables: one column per name, one row per combination of values that occurs.
pub(super) struct Space<'a> {
    pub(super) language: &'a Language,
    pub(super) columns: Vec<(Symbol, Column)>,
    /// Constants beyond those that the language lists.
    pub(super) constants: Vec<Value>,
    pub(super) n_points: usize,
}

impl Space<'_> {
    fn config(&self) -> BankConfig {
        let mut leaves: Vec<Leaf> =
            self.columns.iter().map(|(name, column)| Leaf::variable(self.language, *name, column.clone())).collect();
        let mut constants: Vec<Value> = Vec::new();
        let listed = self.language.constants.groups.iter().flat_map(|group| self.language.constants.values(group.sort));
        for value in listed.chain(self.constants.iter().copied()) {
            let sort = value.sort();
            // Constants of a sort that neither variables nor the goal have only widen the search.
            if !constants.contains(&value) && sort.is_some() {
                constants.push(value);
            }
        }
        leaves.extend(constants.into_iter().filter_map(|value| Leaf::constant(self.language, value, self.n_points)));
        BankConfig { grammar: None, operators: None, extra: Vec::new(), leaves, sorts: None, alternatives: 2 }
    }

    /// A cheapest term with the values wanted, not costlier than `bound`.
    pub(super) fn value(&self, sort: Sort, codes: Vec<Option<i64>>, bound: u32) -> Option<Term> {
        let goal = Goal { sort, codes };
        let limits = synth::Limits {
            max_cost: COST.min(bound),
            max_classes: CLASSES,
            // A function of one variable with few values is met early or is a table.
            max_candidates: if self.columns.len() == 1 && self.n_points < 64 { FEW_CANDIDATES } else { CANDIDATES },
            max_bytes: 1 << 27,
        };
        let config = SolveConfig::new(self.config(), limits);
        let solution = solve(self.language, &goal, &config).ok()?.solution()?;
        (solution.cost <= bound).then_some(solution.term)
    }

    /// A cheapest term that a condition on sort and codes accepts, not costlier than `bound`.
    pub(super) fn accepted(&self, bound: u32, mut accept: impl FnMut(Sort, &[i64]) -> bool) -> Option<Term> {
        let mut bank = Bank::new(self.language, &self.config()).ok()?;
        let limits = synth::Limits {
            max_cost: COST.min(bound),
            max_classes: CLASSES,
            max_candidates: RELATION_CANDIDATES,
            max_bytes: 1 << 27,
        };
        let mut hit = None;
        bank.run(&limits, &mut |found| {
            // The condition may keep what it saw last: it must not be asked again.
            if hit.is_none() && accept(found.sort, found.codes) {
                hit = Some(found.id);
                return Watch::Stop;
            }
            Watch::Keep
        });
        hit.map(|id| bank.term(id))
    }
}
