//! What attention heads select, as selectors of the language, and what the network does when a selector stands in the
//! place of the attention pattern.
//!
//! A pattern is taken for a softmax of a small table: what the key and the query are by themselves (their parts in the
//! sequence, their tokens where there are few), and whether a selector relates them. Tables are fitted on one sample by
//! iterative scaling, which converges to the best of its form (Darroch and Ratcliff 1972), simplest forms first, and taken
//! where the network then does what it did. All heads together are put to the test on another sample.

use std::collections::BTreeMap;

use dsl::{Func, Kernel, Node, Term};
use graph::{Matrix, NodeId};
use samples::{Column, Decode, Sort, UNDEFINED, Value};
use scrub::{Effect, ScrubConfig, Scrubber};

use super::features::{Feature, Kind};
use super::sample::{Role, Sample};
use crate::{Config, Error};

/// What must stay as it is with a selector in the place of a pattern: sequences, and the recovered fraction.
const LEAST: (f64, f64) = (0.95, 0.98);
/// Relations that are tried with a table.
const RELATIONS: usize = 4;
/// Alphabets up to which tables go by tokens.
const ALPHABET: usize = 12;
/// Rounds of scaling.
const ROUNDS: usize = 40;
/// The least share of attention that a class of pairs is fitted to.
const FLOOR: f64 = 1e-7;
/// Sequences on which relations are compared.
const SEQUENCES: usize = 120;
/// Sequences that tables are fitted on.
const FITTED: usize = 200;
/// Elements of the sequence that is shown at most.
const SHOWN: usize = 14;

/// What is known of a position by itself.
type Class = (Role, Option<i64>);
/// What is known of a pair of key and query.
type Pair = (Class, Class, bool);

/// What a head selects.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The head, by name.
    pub head: String,
    /// Which keys are related to which queries, a selector over the program's inputs; none: positions by themselves decide.
    pub relation: Option<Term>,
    /// Whether weights go by the tokens at key and query, beside the parts that they play.
    pub by_token: bool,
    /// Weights of the table.
    pub entries: usize,
    /// Rows of attention that they were fitted on.
    pub rows: usize,
    /// What remains with the selector in the place of the pattern, on the inputs that it was fitted on.
    pub fitted: Effect,
    /// Whether that is what it was.
    pub passes: bool,
    /// A short sequence with the head's pattern and the selector, `[query, key]`.
    pub example: Example,
}

/// One sequence with what is selected there.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// Codes of the tokens.
    pub tokens: Vec<i64>,
    /// The head's own weights, row by row.
    pub pattern: Vec<Vec<f32>>,
    /// The selector's.
    pub selector: Vec<Vec<f32>>,
}

/// Key and query columns that are compared for equality.
#[derive(Clone)]
struct Relation {
    term: Term,
    key: Column,
    query: Column,
}

impl Relation {
    fn holds(&self, key: usize, query: usize) -> bool {
        self.key.codes[key] == self.query.codes[query] && self.key.codes[key] != UNDEFINED
    }
}

/// A fitted selector.
struct Fitted {
    relation: Option<(Term, Term)>,
    by_token: bool,
    table: BTreeMap<Pair, f64>,
}

/// Selectors of some heads, fitted on a sample.
#[derive(Default)]
pub(super) struct Selectors {
    pub(super) found: Vec<Selected>,
    fitted: Vec<(NodeId, Fitted)>,
}

/// A sample with what fitting and replacing need.
pub(super) struct Setting<'a> {
    pub(super) scrubber: &'a Scrubber<'a>,
    pub(super) sample: &'a Sample,
    pub(super) decode: &'a Decode,
    pub(super) config: &'a Config<'a>,
}

impl Setting<'_> {
    /// A selector for every head of some, the simplest with which the network does what it did, else the nearest.
    ///
    /// # Errors
    /// A network or a term that cannot be run.
    pub(super) fn fit(&self, heads: &[NodeId], features: &[Feature]) -> Result<Selectors, Error> {
        let relations = self.relations(features)?;
        let mut selectors = Selectors { found: Vec::new(), fitted: Vec::new() };
        for &head in heads {
            if (self.config.deadline)() {
                break;
            }
            let name = self.scrubber.graph().name(head).to_owned();
            let Some(node) = self.scrubber.graph().find(&format!("{name}.pattern")) else { continue };
            let pattern = self.scrubber.pool().base().matrix(node).map_err(|e| Error::Network(e.to_string()))?;
            let mut best: Option<(Effect, Fitted)> = None;
            for (by_token, relation) in self.forms(&pattern, &relations) {
                let table = self.table(&pattern, by_token, relation);
                let terms = relation.map(terms_of);
                let fitted = Fitted { relation: terms, by_token, table };
                let effect = self.effect(&[(node, self.replaced(&fitted, relation))])?;
                if best.as_ref().is_none_or(|(other, _)| effect.recovered > other.recovered) {
                    best = Some((effect, fitted));
                }
                if best.as_ref().is_some_and(|(effect, _)| good(effect)) {
                    break;
                }
            }
            let Some((effect, fitted)) = best else { continue };
            let relation = fitted.relation.as_ref().map(|terms| self.relation(terms)).transpose()?;
            selectors.found.push(Selected {
                head: name,
                relation: relation.as_ref().map(|relation| relation.term.clone()),
                by_token: fitted.by_token,
                entries: fitted.table.len(),
                rows: self.sample.points.ranges().take(FITTED).map(|range| range.len()).sum(),
                fitted: effect,
                passes: good(&effect),
                example: self.example(&pattern, &self.replaced(&fitted, relation.as_ref())),
            });
            selectors.fitted.push((node, fitted));
        }
        Ok(selectors)
    }

    /// What the network does with all selectors that passed in the places of their patterns, on this sample.
    ///
    /// # Errors
    /// A network or a term that cannot be run.
    pub(super) fn together(&self, selectors: &Selectors) -> Result<Option<Effect>, Error> {
        let mut values = Vec::new();
        for ((node, fitted), selected) in selectors.fitted.iter().zip(&selectors.found) {
            if selected.passes {
                let relation = fitted.relation.as_ref().map(|terms| self.relation(terms)).transpose()?;
                values.push((*node, self.replaced(fitted, relation.as_ref())));
            }
        }
        if values.is_empty() { Ok(None) } else { self.effect(&values).map(Some) }
    }

    fn effect(&self, values: &[(NodeId, Matrix)]) -> Result<Effect, Error> {
        let settings = ScrubConfig { seed: self.config.seed, bootstrap: 200, ..ScrubConfig::default() };
        let outputs = self.scrubber.replaced(values).map_err(super::failed)?;
        scrub::effect(self.decode, &self.sample.pool, &self.sample.roles, &outputs, &settings).map_err(super::failed)
    }

    /// Forms of tables, simplest first: by parts of the sequence, by a relation, by tokens, by both.
    fn forms<'r>(&self, pattern: &Matrix, relations: &'r [Relation]) -> Vec<(bool, Option<&'r Relation>)> {
        let best = self.best(pattern, relations);
        let mut forms = Vec::new();
        let mut alphabet = self.tokens().codes.clone();
        alphabet.sort_unstable();
        alphabet.dedup();
        for by_token in [false, true] {
            if by_token && alphabet.len() > ALPHABET {
                continue;
            }
            forms.push((by_token, None));
            forms.extend(best.iter().map(|&relation| (by_token, Some(relation))));
        }
        forms
    }

    fn tokens(&self) -> &Column {
        &self.sample.vars[0].1
    }

    fn class(&self, point: usize, by_token: bool) -> Class {
        (self.sample.part(point), by_token.then(|| self.tokens().codes[point]))
    }

    /// The relations that tell most about where attention goes.
    fn best<'r>(&self, pattern: &Matrix, relations: &'r [Relation]) -> Vec<&'r Relation> {
        let mut scored: Vec<(f64, usize)> = Vec::new();
        for (place, relation) in relations.iter().enumerate() {
            // The share of attention on related keys, beside their share among the keys.
            let (mut mass, mut share, mut rows) = (0.0, 0.0, 0.0);
            for range in self.sample.points.ranges().take(SEQUENCES) {
                for query in range.clone() {
                    let keys = range.start..=query;
                    let n = (query - range.start + 1) as f64;
                    let weights = pattern.row(self.sample.pool.cell(query));
                    let related: Vec<usize> = keys.filter(|&key| relation.holds(key, query)).collect();
                    if related.is_empty() || related.len() as f64 == n {
                        continue;
                    }
                    mass += related.iter().map(|&key| f64::from(weights[key - range.start])).sum::<f64>();
                    share += related.len() as f64 / n;
                    rows += 1.0;
                }
            }
            if rows > 0.0 {
                let (mass, share) = ((mass / rows).clamp(1e-3, 0.999), (share / rows).clamp(1e-3, 0.999));
                let bits = mass * (mass / share).ln() + (1.0 - mass) * ((1.0 - mass) / (1.0 - share)).ln();
                scored.push((bits * rows, place));
            }
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(RELATIONS).map(|(_, place)| &relations[place]).collect()
    }

    /// The table whose softmax is nearest to a pattern: every weight is scaled by the attention that its pairs get over
    /// what the table gives them.
    fn table(&self, pattern: &Matrix, by_token: bool, relation: Option<&Relation>) -> BTreeMap<Pair, f64> {
        let mut names: BTreeMap<Class, usize> = BTreeMap::new();
        let points = 0..self.sample.points.len();
        let classes: Vec<usize> = points
            .map(|point| {
                let next = names.len();
                *names.entry(self.class(point, by_token)).or_insert(next)
            })
            .collect();
        let n = names.len();
        // Per query the places of its keys, and the attention on each place.
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut wanted = vec![FLOOR; 2 * n * n];
        let mut seen = vec![false; 2 * n * n];
        for range in self.sample.points.ranges().take(FITTED) {
            for query in range.clone() {
                let weights = pattern.row(self.sample.pool.cell(query));
                let place = |key: usize| {
                    let related = relation.is_some_and(|relation| relation.holds(key, query));
                    2 * (classes[query] * n + classes[key]) + usize::from(related)
                };
                let row: Vec<u32> = (range.start..=query).map(|key| place(key) as u32).collect();
                for (&place, &weight) in row.iter().zip(weights) {
                    wanted[place as usize] += f64::from(weight);
                    seen[place as usize] = true;
                }
                rows.push(row);
            }
        }
        let mut weights = vec![0.0_f64; wanted.len()];
        for _ in 0..ROUNDS {
            let scaled: Vec<f64> = weights.iter().map(|weight| weight.exp()).collect();
            let mut given = vec![FLOOR; weights.len()];
            for row in &rows {
                let total: f64 = row.iter().map(|&place| scaled[place as usize]).sum();
                row.iter().for_each(|&place| given[place as usize] += scaled[place as usize] / total);
            }
            for ((weight, wanted), given) in weights.iter_mut().zip(&wanted).zip(&given) {
                *weight = (*weight + (wanted / given).ln()).clamp(-25.0, 25.0);
            }
        }
        let names: BTreeMap<usize, Class> = names.into_iter().map(|(class, name)| (name, class)).collect();
        let pair = |place: usize| (names[&(place / 2 / n)], names[&(place / 2 % n)], place % 2 == 1);
        (0..weights.len()).filter(|&place| seen[place]).map(|place| (pair(place), weights[place])).collect()
    }

    /// Patterns by a table, at all cells of the sample.
    fn replaced(&self, fitted: &Fitted, relation: Option<&Relation>) -> Matrix {
        let cells = self.sample.pool.n_cells();
        let wide = cells / self.sample.pool.n_sequences().max(1);
        let mut matrix = Matrix::zeros(cells, wide);
        // Pairs that were not seen in fitting get no attention, but that padding attends to itself.
        for cell in 0..cells {
            matrix.row_mut(cell)[cell % wide] = 1.0;
        }
        for range in self.sample.points.ranges() {
            let classes: Vec<Class> = range.clone().map(|point| self.class(point, fitted.by_token)).collect();
            for query in range.clone() {
                let weight = |key: usize| {
                    let related = relation.is_some_and(|relation| relation.holds(key, query));
                    let pair = (classes[query - range.start], classes[key - range.start], related);
                    fitted.table.get(&pair).map_or(0.0, |weight| weight.exp())
                };
                let weights: Vec<f64> = (range.start..=query).map(weight).collect();
                let total: f64 = weights.iter().sum();
                if total > 0.0 {
                    let row = matrix.row_mut(self.sample.pool.cell(query));
                    row.fill(0.0);
                    weights.iter().enumerate().for_each(|(at, weight)| row[at] = (weight / total) as f32);
                }
            }
        }
        matrix
    }

    fn relation(&self, (key, query): &(Term, Term)) -> Result<Relation, Error> {
        let inputs = self.sample.inputs(self.config);
        let term = related(self.config, key, query);
        Ok(Relation { term, key: inputs.eval(key, inputs.vars)?, query: inputs.eval(query, inputs.vars)? })
    }

    /// Selectors by equality between what is known of keys and of queries: tokens, positions and their remainders, what
    /// the program computes on its way.
    fn relations(&self, features: &[Feature]) -> Result<Vec<Relation>, Error> {
        let language = self.config.language;
        let inputs = self.sample.inputs(self.config);
        let (tokens, indices) = (Term::var("tokens"), Term::var("indices"));
        let mut terms = vec![tokens.clone(), indices.clone(), Term::constant(Value::Bool(true))];
        terms.extend(language.operator("previous").map(|previous| Term::op(previous, vec![tokens.clone()])));
        if let Some(add) = language.kernel_operator(Kernel::Add) {
            terms.extend((1..=3).map(|k| Term::op(add, vec![indices.clone(), Term::int(k)])));
        }
        if let Some(modulo) = language.kernel_operator(Kernel::Mod) {
            terms.extend((2..=6).map(|k| Term::op(modulo, vec![indices.clone(), Term::int(k)])));
        }
        if let Some(number) = language.kernel_operator(Kernel::Number) {
            terms.push(Term::op(number, vec![tokens]));
        }
        terms.extend(features.iter().filter(|feature| feature.kind == Kind::Program).map(|f| f.term.clone()));
        let mut columns: Vec<(Term, Column)> = Vec::new();
        for term in terms {
            let column = inputs.eval(&term, inputs.vars)?;
            if columns.iter().all(|(_, other)| other.codes != column.codes || other.sort != column.sort) {
                columns.push((term, column));
            }
        }
        let mut relations = Vec::new();
        for (key_term, key) in &columns {
            // Of truth values at the query only the constant one: then a key is of a kind, whatever the query.
            let fits = |(term, query): &&(Term, Column)| match key.sort {
                Sort::Real => false,
                Sort::Bool => query.sort == Sort::Bool && matches!(term.node(), Node::Const(_)),
                sort => query.sort == sort,
            };
            for (query_term, query) in columns.iter().filter(fits) {
                let term = related(self.config, key_term, query_term);
                relations.push(Relation { term, key: key.clone(), query: query.clone() });
            }
        }
        Ok(relations)
    }

    /// A short sequence of the sample with what is selected there: the longest of those that can be shown.
    fn example(&self, pattern: &Matrix, selector: &Matrix) -> Example {
        let ranges: Vec<std::ops::Range<usize>> = self.sample.points.ranges().collect();
        let shown = |range: &&std::ops::Range<usize>| range.len() <= SHOWN;
        let Some(range) = ranges.iter().filter(shown).max_by_key(|range| range.len()).cloned() else {
            return Example::default();
        };
        let rows = |matrix: &Matrix| {
            range.clone().map(|query| matrix.row(self.sample.pool.cell(query))[..range.len()].to_vec()).collect()
        };
        Example {
            tokens: self.tokens().codes[range.clone()].to_vec(),
            pattern: rows(pattern),
            selector: rows(selector),
        }
    }
}

fn good(effect: &Effect) -> bool {
    effect.sequence_matches >= LEAST.0 && effect.recovered >= LEAST.1
}

/// The selector of keys that are equal to queries.
fn related(config: &Config<'_>, key: &Term, query: &Term) -> Term {
    let pred = config.language.kernel_operator(Kernel::Eq).map(Func::Op);
    match pred {
        Some(pred) => Term::new(Node::Select { key: key.clone(), query: query.clone(), pred }),
        None => key.clone(),
    }
}

fn terms_of(relation: &Relation) -> (Term, Term) {
    match relation.term.node() {
        Node::Select { key, query, .. } => (key.clone(), query.clone()),
        _ => (relation.term.clone(), relation.term.clone()),
    }
}
