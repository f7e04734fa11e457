//! Interchange interventions: put another input's value at one site, and see whether the output becomes what the
//! program says it becomes.

use std::collections::BTreeMap;

use dsl::{Env, Func, Language, Node, Scan, Term};
use graph::{Intervention, Matrix, Network};
use samples::{Batch, Column, Decode, Rng, Symbol, rng};

use crate::classes::Classes;
use crate::engine::Scrubber;
use crate::pool::{failed, gather};
use crate::recurrent::derangement;
use crate::{Claim, Edge, Error, Pool, ScrubConfig, claim_nodes, evaluate, inputs};

/// What interchanging the values of one site showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Interchange {
    /// The site.
    pub site: String,
    /// Counted outputs, over pairs of base and source.
    pub outputs: usize,
    /// The share on which the network says what the program says with the site's variables taken from the source.
    pub accuracy: f64,
    /// Counted outputs at which the program's answer changes by the intervention: the others are right for nothing.
    pub changed: usize,
    /// The accuracy on these; 0 where there are none.
    pub changed_accuracy: f64,
}

/// Pairs of base and source.
const PAIRS: usize = 512;

/// Outputs that an interchange should change: where other inputs at the same positions change fewer, other positions and
/// lengths are tried.
const FEW: usize = 50;

/// Interchanges the value of every claimed site in turn, at all positions at once, with all variables claimed there.
///
/// Sources are other inputs of the same length at the same positions. Variables such as an index or a length are the same
/// there on all of them; for those the sources are shorter inputs, at the position after. Sites whose variables do not
/// occur in the program are left out: the program does not say what would follow. So are recurrent networks, where a
/// whole state is another state and says nothing about single variables.
///
/// # Errors
/// As [`crate::scrub`].
pub fn interchange(
    network: &Network,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    config: &ScrubConfig<'_>,
) -> Result<Vec<Interchange>, Error> {
    if network.recurrence().is_some() {
        return Ok(Vec::new());
    }
    let graph = network.graph(0);
    let nodes = claim_nodes(&graph, claims)?;
    let batch = inputs(network, PAIRS.min(config.samples), config.seed);
    let n = batch.n_sequences();
    let length = if n == 0 { 0 } else { batch.length(0) };
    let pool = Pool::new(network, &graph, &batch, None)?;
    let program = expand(program);
    let mut setting = Setting {
        network,
        language,
        graph: &graph,
        claims,
        nodes: &nodes,
        batch: &batch,
        pool: &pool,
        output: graph.find("output").ok_or(Error::Unsupported("a graph without an output"))?,
        bound: network.domain.columns(&batch),
        program: &program,
        unchanged: Vec::new(),
    };
    setting.unchanged = setting.run(&program, &setting.bound)?;
    let source = derangement(n, &mut rng(config.seed, "interchange sources"));
    let wide = pool.n_cells() / n.max(1);
    let plain = Sources {
        columns: evaluate(network, language, claims, &batch)?,
        points: source.iter().flat_map(|&row| row * length..(row + 1) * length).collect(),
        cells: source.iter().flat_map(|&row| row * wide..(row + 1) * wide).collect(),
    };
    let mut sites: Vec<_> = nodes.clone();
    sites.sort_unstable();
    sites.dedup();
    let mut shifted: Option<(Pool, Sources)> = None;
    let mut found = Vec::new();
    for site in sites {
        let Some(mut result) = setting.at(site, &pool, &plain)? else { continue };
        if result.changed < FEW && matches!(network.domain.elements, samples::Elements::Tokens { .. }) && length > 1 {
            if shifted.is_none() {
                shifted = Some(setting.shifted(&source, wide - length, config.seed)?);
            }
            if let Some((other, sources)) = &shifted
                && let Some(moved) = setting.at(site, other, sources)?
                && moved.changed > result.changed
            {
                result = moved;
            }
        }
        found.push(result);
    }
    Ok(found)
}

/// Where values come from: the claimed terms' columns over the source inputs, and for every point and every cell of the
/// base inputs the one that it takes its value from.
struct Sources {
    columns: Vec<Column>,
    points: Vec<usize>,
    cells: Vec<usize>,
}

/// What interchanges at all sites share.
struct Setting<'a> {
    network: &'a Network,
    language: &'a Language,
    graph: &'a graph::Graph,
    claims: &'a [Claim],
    nodes: &'a [graph::NodeId],
    batch: &'a Batch,
    pool: &'a Pool,
    output: graph::NodeId,
    bound: Vec<(Symbol, Column)>,
    /// Without `let`.
    program: &'a Term,
    unchanged: Vec<Column>,
}

impl Setting<'_> {
    fn run(&self, program: &Term, vars: &[(Symbol, Column)]) -> Result<Vec<Column>, Error> {
        let points = self.batch.points();
        let env = Env { language: self.language, points: &points, vars, causal: self.network.is_causal() };
        dsl::eval_program(program, &env).map_err(|error| Error::Term(error.to_string()))
    }

    /// Inputs one element shorter, where the domain has them, each read at the position after, the last one at the first.
    fn shifted(&self, source: &[usize], bos: usize, seed: u64) -> Result<(Pool, Sources), Error> {
        let domain = &self.network.domain;
        let (n, length) = (source.len(), self.batch.length(0));
        let shorter = (length - 1).max(domain.length.0);
        let batch = domain.sample_of_length(n, shorter, &mut rng(seed, "interchange shorter"));
        let pool = Pool::new(self.network, self.graph, &batch, None)?;
        let wide = bos + shorter;
        let at = |position: usize| (position + 1) % shorter;
        let points = source.iter().flat_map(|&row| (0..length).map(move |p| row * shorter + at(p))).collect();
        let cell = |p: usize| p.checked_sub(bos).map_or(p, |p| bos + at(p));
        let cells = source.iter().flat_map(|&row| (0..bos + length).map(move |p| row * wide + cell(p))).collect();
        let columns = evaluate(self.network, self.language, self.claims, &batch)?;
        Ok((pool, Sources { columns, points, cells }))
    }

    /// The interchange at one site; `None` where the program says nothing of it.
    fn at(&self, site: graph::NodeId, from: &Pool, sources: &Sources) -> Result<Option<Interchange>, Error> {
        let mut vars = self.bound.clone();
        let mut targets = Vec::new();
        for (place, claim) in self.claims.iter().enumerate().filter(|(place, _)| self.nodes[*place] == site) {
            let name = Symbol::new(&format!("#{place}"));
            vars.push((name, sources.columns[place].select(&sources.points)));
            targets.push((expand(&claim.subterm), name));
        }
        let (replaced, any) = substitute(self.program, &targets);
        if !any {
            return Ok(None);
        }
        let expected = self.run(&replaced, &vars)?;
        let value = gather(from.value(site)?, &sources.cells)?;
        let value =
            self.graph.value_with(self.pool.base(), &[Intervention::node(site, value)], self.output).map_err(failed)?;
        let raw = Matrix::from_tensor(&value).map_err(failed)?;
        let rows: Vec<usize> = (0..self.pool.points().len()).map(|point| self.pool.cell(point)).collect();
        let got = self.network.decode(&raw.select(&rows));
        Ok(Some(count(self.network, self.graph.name(site), &got, &expected, &self.unchanged)))
    }
}

fn count(network: &Network, site: &str, got: &[Column], expected: &[Column], unchanged: &[Column]) -> Interchange {
    let decode = &network.domain.decode;
    let defined = |columns: &[Column], point: usize| columns.iter().all(|c| c.codes[point] != samples::UNDEFINED);
    let n_points = got.first().map_or(0, Column::n_points);
    let points: Vec<usize> = (0..n_points).filter(|&p| defined(got, p) && defined(expected, p)).collect();
    count_at(decode, site, &points, got, expected, unchanged)
}

fn all_agree(decode: &Decode, a: &[Column], b: &[Column], point: usize) -> bool {
    a.iter().zip(b).all(|(a, b)| check::agrees(decode, a.value(point), b.value(point)))
}

fn count_at(
    decode: &Decode,
    site: &str,
    points: &[usize],
    got: &[Column],
    expected: &[Column],
    unchanged: &[Column],
) -> Interchange {
    let mut result =
        Interchange { site: site.to_owned(), outputs: points.len(), accuracy: 0.0, changed: 0, changed_accuracy: 0.0 };
    for &point in points {
        let right = all_agree(decode, got, expected, point);
        let changed = expected.iter().zip(unchanged).any(|(a, b)| a.value(point) != b.value(point));
        result.accuracy += f64::from(u8::from(right));
        result.changed += usize::from(changed);
        result.changed_accuracy += f64::from(u8::from(right && changed));
    }
    result.accuracy /= result.outputs.max(1) as f64;
    result.changed_accuracy /= result.changed.max(1) as f64;
    result
}

/// An intervention on edges: what they carry comes from other cells.
#[derive(Clone, Debug)]
pub struct Swap<'a> {
    /// The edges that carry the variables, for a set of them all edges of the set.
    pub edges: &'a [Edge],
    /// For every cell the one that it gets its value from.
    pub donors: &'a [usize],
    /// The program's outputs, per point, with the variables taken from the donors.
    pub expected: &'a [Column],
    /// The program's outputs as they are.
    pub unchanged: &'a [Column],
}

/// Replaces what some edges carry and counts how often the network then says what the program says. Points at which the
/// program does not say what the network says unchanged, or says nothing with the variables taken from the donors, are left
/// out: nothing follows from them.
///
/// # Errors
/// A graph that cannot be run.
pub fn counterfactual(
    scrubber: &Scrubber<'_>,
    network: &Network,
    site: &str,
    swap: &Swap<'_>,
) -> Result<Interchange, Error> {
    let pool = scrubber.pool();
    let rows: Vec<usize> = (0..pool.points().len()).map(|point| pool.cell(point)).collect();
    let edges: Vec<(Edge, &[usize])> = swap.edges.iter().map(|&edge| (edge, swap.donors)).collect();
    let got = network.decode(&scrubber.interchanged(&edges)?.select(&rows));
    let own = network.decode(&scrubber.interchanged(&[])?.select(&rows));
    let decode = &network.domain.decode;
    let agree = |a: &[Column], b: &[Column], point| all_agree(decode, a, b, point);
    let counted: Vec<usize> = pool.counted().iter().flatten().copied().collect();
    // Where the program's answer is undefined it says nothing.
    let says = |point: usize| swap.expected.iter().all(|column| column.codes[point] != samples::UNDEFINED);
    let strict: Vec<usize> =
        counted.into_iter().filter(|&point| says(point) && agree(&own, swap.unchanged, point)).collect();
    Ok(count_at(decode, site, &strict, &got, swap.expected, swap.unchanged))
}

/// An intervention along one direction of what a writer writes, beside the same with the writer's whole value.
#[derive(Clone, PartialEq, Debug)]
pub struct Along {
    /// What replacing the component along the direction showed.
    pub result: Interchange,
    /// What replacing the whole value showed.
    pub whole: Interchange,
}

impl Along {
    /// Whether the direction sets the output though the site does not carry what is set (Makelov et al. 2023): it then lies
    /// partly in what nothing reads and partly in what never varies by itself.
    pub fn is_illusion(&self) -> bool {
        self.result.changed > 0 && self.whole.changed_accuracy < 0.5 * self.result.changed_accuracy
    }
}

/// Replaces the component along a unit vector of what the edges of a swap carry, all of one writer, and then the whole value.
///
/// # Errors
/// Edges of several writers, or a direction of another width; a graph that cannot be run.
pub fn along(scrubber: &Scrubber<'_>, network: &Network, swap: &Swap<'_>, direction: &[f32]) -> Result<Along, Error> {
    let pool = scrubber.pool();
    let writer = swap.edges.first().map(|edge| edge.0).ok_or(Error::Empty)?;
    let mut value = Matrix::from_tensor(pool.value(writer)?).map_err(failed)?;
    if swap.edges.iter().any(|edge| edge.0 != writer) || direction.len() != value.cols {
        return Err(Error::Unsupported("a direction of other width, or of several writers"));
    }
    let own = value.clone();
    let component = |cell: usize| own.row(cell).iter().zip(direction).map(|(v, d)| v * d).sum::<f32>();
    for (cell, &donor) in swap.donors.iter().enumerate() {
        let change = component(donor) - component(cell);
        value.row_mut(cell).iter_mut().zip(direction).for_each(|(v, d)| *v += change * d);
    }
    let name = scrubber.graph().name(writer).to_owned();
    let whole = counterfactual(scrubber, network, &name, swap)?;
    let rows: Vec<usize> = (0..pool.points().len()).map(|point| pool.cell(point)).collect();
    let got = network.decode(&scrubber.replaced(&[(writer, value)])?.select(&rows));
    let decode = &network.domain.decode;
    let clean = network.decode(&scrubber.interchanged(&[])?.select(&rows));
    let counted = pool.counted().iter().flatten().copied();
    let strict: Vec<usize> = counted.filter(|&point| all_agree(decode, &clean, swap.unchanged, point)).collect();
    Ok(Along { result: count_at(decode, &name, &strict, &got, swap.expected, swap.unchanged), whole })
}

/// For every cell another one that agrees with it in one way and differs in another, itself where there is none: donors
/// that agree on what else a reader sees, and differ in the variable.
pub fn partners(agree: &Classes, differ: &Classes, n_cells: usize, rng: &mut Rng) -> Vec<usize> {
    use rand::Rng as _;
    let pick = |cell: usize| {
        let peers = agree.peers(cell);
        let other = |peer: usize| differ.class_of(peer) != differ.class_of(cell);
        // Most of a class differs as a rule; where few do, they are listed.
        let lucky = (0..8).filter(|_| !peers.is_empty()).map(|_| peers[rng.random_range(0..peers.len())]);
        let lucky: Vec<usize> = lucky.filter(|&peer| other(peer)).take(1).collect();
        if let [donor] = lucky[..] {
            return donor;
        }
        let all: Vec<usize> = peers.iter().copied().filter(|&peer| other(peer)).collect();
        if all.is_empty() { cell } else { all[rng.random_range(0..all.len())] }
    };
    let mut pick = pick;
    (0..n_cells).map(&mut pick).collect()
}

/// A term without `let`: every name is put in place, shared as before.
fn expand(term: &Term) -> Term {
    fn go(term: &Term, names: &BTreeMap<Symbol, Term>) -> Term {
        if let Node::Let(bindings, body) = term.node() {
            let mut inner = names.clone();
            for (name, value) in bindings {
                let value = go(value, &inner);
                inner.insert(*name, value);
            }
            return go(body, &inner);
        }
        if let Node::Var(name) = term.node() {
            return names.get(name).cloned().unwrap_or_else(|| term.clone());
        }
        rebuild(term, &mut |part| go(part, names))
    }
    go(term, &BTreeMap::new())
}

/// A term with some subterms replaced by variables, outermost first; and whether any was there.
fn substitute(term: &Term, targets: &[(Term, Symbol)]) -> (Term, bool) {
    fn go(term: &Term, targets: &[(Term, Symbol)], memo: &mut BTreeMap<usize, Term>, any: &mut bool) -> Term {
        if let Some(known) = memo.get(&term.address()) {
            return known.clone();
        }
        let result = match targets.iter().find(|(target, _)| target == term) {
            Some((_, name)) => {
                *any = true;
                Term::var(*name)
            }
            None => rebuild(term, &mut |part| go(part, targets, memo, any)),
        };
        memo.insert(term.address(), result.clone());
        result
    }
    let mut any = false;
    let result = go(term, targets, &mut BTreeMap::new(), &mut any);
    (result, any)
}

/// A term with its direct parts changed; what stands under a scan or a lambda has names of its own and stays.
fn rebuild(term: &Term, change: &mut dyn FnMut(&Term) -> Term) -> Term {
    match term.node() {
        Node::Var(_) | Node::Const(_) => term.clone(),
        Node::App(func, args) => {
            let args = args.iter().map(&mut *change).collect();
            Term::new(Node::App(func.clone(), args))
        }
        Node::Let(bindings, body) => {
            let bindings = bindings.iter().map(|(name, value)| (*name, change(value))).collect();
            Term::new(Node::Let(bindings, change(body)))
        }
        Node::Scan(scan) => Term::new(Node::Scan(Scan { states: scan.states.clone(), outputs: scan.outputs.clone() })),
        Node::Select { key, query, pred } => {
            let (key, query) = (change(key), change(query));
            let pred: Func = pred.clone();
            Term::new(Node::Select { key, query, pred })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_in_place_and_found_again() {
        let x = || Term::var("x");
        let pair = |a: Term, b: Term| Term::app(Func::Lambda(vec!["p".into(), "q".into()], Term::var("p")), vec![a, b]);
        let shared = pair(x(), x());
        let named = Term::new(Node::Let(vec![("s".into(), shared.clone())], pair(Term::var("s"), Term::var("s"))));
        let plain = pair(shared.clone(), shared.clone());
        assert_eq!(expand(&named), plain);
        let (replaced, any) = substitute(&plain, &[(shared, "v".into())]);
        assert!(any);
        assert_eq!(replaced, pair(Term::var("v"), Term::var("v")));
        assert!(!substitute(&plain, &[(Term::var("y"), "v".into())]).1);
    }
}
