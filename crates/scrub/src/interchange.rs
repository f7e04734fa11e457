//! Interchange interventions: put another input's value at one site, and see whether the output becomes what the
//! program says it becomes.

use std::collections::BTreeMap;

use dsl::{Env, Language, Term};
use graph::{Intervention, Matrix, Network, NodeId};
use rand::seq::SliceRandom as _;
use samples::{Batch, Column, Decode, Rng, Symbol, UNDEFINED, rng};

use crate::classes::Classes;
use crate::components::{circuit_name, is_writer};
use crate::engine::Scrubber;
use crate::occurrences::Wiring;
use crate::pool::{failed, gather_for};
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
    /// Whether the program computes nothing from what is claimed of the site, so that the outputs have to stay as they are,
    /// whatever stands there.
    pub inert: bool,
}

impl Interchange {
    /// Both together: what holds of each of them.
    fn and(self, other: Self) -> Self {
        let changed_accuracy = match (self.changed, other.changed) {
            (0, _) => other.changed_accuracy,
            (_, 0) => self.changed_accuracy,
            _ => self.changed_accuracy.min(other.changed_accuracy),
        };
        Self {
            site: self.site,
            outputs: self.outputs + other.outputs,
            accuracy: self.accuracy.min(other.accuracy),
            changed: self.changed + other.changed,
            changed_accuracy,
            inert: self.inert && other.inert,
        }
    }
}

/// Pairs of base and source.
const PAIRS: usize = 512;

/// Outputs that an interchange should change. Where other inputs at the same positions change fewer, by the program, other
/// positions and lengths are tried, and then inputs that are chosen for it.
const FEW: usize = 100;

/// Inputs among which such are chosen that an interchange changes an output of, and how many elements they may have.
const CHOICE: usize = 8_192;
const CHOICE_ELEMENTS: usize = 1 << 18;

/// Nodes of a program without names, at most.
const LARGEST: u64 = 20_000;

/// Smaller lengths that are tried, the greatest ones.
const SHORTER: usize = 8;

/// Interchanges the value of every claimed site in turn, at all positions at once, with all variables claimed there; and that
/// of every other site of the circuit, on which by the hypothesis nothing depends.
///
/// A site's variables are replaced in those parts of the program that are computed by what reads the site
/// ([`crate::occurrences`]); where the program computes nothing from them, the outputs have to stay as they are
/// ([`Interchange::inert`]).
///
/// Sources are other inputs of the same length at the same positions. Variables such as an index or a length are the same
/// there on all of them, so that the program says of few outputs that they change: the sources' positions are permuted then,
/// or they are shorter inputs. Where the outputs are nearly always the same, base and source are chosen, by the program
/// alone, among many. Where nothing that is put in the place of all readers changes anything (positions in another order are
/// the same to a program that only compares them), what they read is interchanged reader by reader, and the least is
/// what is said.
///
/// Recurrent networks are left out: a whole state is another state and says nothing about single variables.
///
/// # Errors
/// As [`crate::scrub`].
pub fn interchange(
    network: &Network,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    circuit: Option<&[(String, String)]>,
    config: &ScrubConfig<'_>,
) -> Result<Vec<Interchange>, Error> {
    if network.recurrence().is_some() {
        return Ok(Vec::new());
    }
    let graph = network.graph(0);
    let nodes = claim_nodes(&graph, claims)?;
    let plain = |term: &Term| {
        term.inlined(LARGEST)
            .ok_or_else(|| Error::Term("it is too large with values in the place of its names".to_owned()))
    };
    let inlined: Vec<(Term, &str)> =
        claims.iter().map(|claim| Ok((plain(&claim.subterm)?, claim.site.as_str()))).collect::<Result<_, Error>>()?;
    let setting = Setting {
        network,
        language,
        graph: &graph,
        claims,
        output: graph.find("output").ok_or(Error::Unsupported("a graph without an output"))?,
        program: &plain(program)?,
        wiring: Wiring::new(circuit, &inlined),
        seed: config.seed,
    };
    let mut sites = nodes;
    sites.extend(circuit.into_iter().flatten().filter_map(|(from, _)| graph.find(from).filter(|_| is_writer(from))));
    sites.sort_unstable();
    sites.dedup();
    let usual = setting.usual(PAIRS.min(config.samples))?;
    let mut runs = Runs::default();
    sites.into_iter().map(|site| setting.at(site, &usual, &mut runs)).collect()
}

/// Pairs of inputs: for every point of the base inputs the point of the source inputs that a site's value is taken from.
struct Pairs {
    base: Batch,
    /// The program's outputs on the base inputs.
    unchanged: Vec<Column>,
    source: Batch,
    points: Vec<usize>,
    /// The values of all claimed terms on the source inputs.
    columns: Vec<Column>,
}

impl Pairs {
    /// Whether sources are as long as what they stand in for.
    fn keeps_length(&self) -> bool {
        self.base.is_empty() || self.base.length(0) == self.source.length(0)
    }

    /// Those of some base inputs, with their sources.
    fn select(&self, rows: &[usize]) -> Self {
        let (base, source) = (self.base.points(), self.source.points());
        let of_row = |&row: &usize| {
            let points = &self.points[base.range(row)];
            points.first().map(|&point| source.locate(point).0)
        };
        let sources: Vec<usize> = rows.iter().filter_map(of_row).collect();
        let mut points = Vec::new();
        let mut first = 0;
        for (&row, &from) in rows.iter().zip(&sources) {
            let range = source.range(from);
            points.extend(self.points[base.range(row)].iter().map(|&point| first + point - range.start));
            first += range.len();
        }
        let columns_at = |points: &samples::Points, rows: &[usize], columns: &[Column]| -> Vec<Column> {
            let chosen: Vec<usize> = rows.iter().flat_map(|&row| points.range(row)).collect();
            columns.iter().map(|column| column.select(&chosen)).collect()
        };
        Self {
            base: self.base.select(rows),
            unchanged: columns_at(&base, rows, &self.unchanged),
            source: self.source.select(&sources),
            points,
            columns: columns_at(&source, &sources, &self.columns),
        }
    }
}

/// Where sources are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// Where the base is.
    InPlace,
    /// At the positions of the base in another order.
    Permuted,
    /// Inputs of this smaller length, at the position after, the last one at the first.
    Shorter(usize),
}

/// What the program says of an interchange.
struct Says {
    expected: Vec<Column>,
    /// The base inputs with an output that becomes another, and how many such outputs there are.
    rows: Vec<usize>,
    changed: usize,
}

/// Pairs with what the program says of them.
struct Posed {
    pairs: Chosen,
    says: Says,
}

/// Some of the usual pairs, by number, or others.
enum Chosen {
    Usual(usize),
    Own(Box<Pairs>),
}

/// What the network was run on so far: a pair of pools for each of the usual pairs.
#[derive(Default)]
struct Runs(BTreeMap<usize, (Pool, Pool)>);

/// What interchanges at all sites share.
struct Setting<'a> {
    network: &'a Network,
    language: &'a Language,
    graph: &'a graph::Graph,
    claims: &'a [Claim],
    output: NodeId,
    /// Without `let`.
    program: &'a Term,
    wiring: Wiring<'a>,
    seed: u64,
}

impl Setting<'_> {
    fn run(&self, program: &Term, batch: &Batch, vars: &[(Symbol, Column)]) -> Result<Vec<Column>, Error> {
        let points = batch.points();
        let env = Env { language: self.language, points: &points, vars, causal: self.network.is_causal() };
        dsl::eval_program(program, &env).map_err(|error| Error::Term(error.to_string()))
    }

    /// Pairs that are made without regard to what the program says: in place, permuted, and of smaller lengths.
    fn usual(&self, n: usize) -> Result<Vec<Pairs>, Error> {
        let base = inputs(self.network, n, self.seed);
        let length = if base.is_empty() { 0 } else { base.length(0) };
        let mut reads = vec![Read::InPlace];
        if length > 1 && matches!(self.network.domain.elements, samples::Elements::Tokens { .. }) {
            reads.push(Read::Permuted);
            let shorter = self.network.domain.length.0.max(1)..length;
            reads.extend(shorter.rev().take(SHORTER).map(Read::Shorter));
        }
        reads.into_iter().map(|read| self.pairs(base.clone(), read)).collect()
    }

    /// Inputs of one length, each with another one as its source.
    fn pairs(&self, base: Batch, read: Read) -> Result<Pairs, Error> {
        let n = base.n_sequences();
        let length = if n == 0 { 0 } else { base.length(0) };
        let partner = derangement(n, &mut rng(self.seed, "interchange sources"));
        let (source, at): (Batch, Vec<usize>) = match read {
            Read::InPlace => (base.clone(), (0..length).collect()),
            Read::Permuted => (base.clone(), Vec::new()),
            Read::Shorter(shorter) => {
                let mut rng = rng(self.seed, "interchange shorter");
                let source = self.network.domain.sample_of_length(n, shorter, &mut rng);
                (source, (0..length).map(|position| (position + 1) % shorter).collect())
            }
        };
        let wide = if source.is_empty() { 0 } else { source.length(0) };
        let mut rng = rng(self.seed, "interchange positions");
        let mut points = Vec::with_capacity(n * length);
        for from in partner {
            let mut order = at.clone();
            if read == Read::Permuted {
                order = (0..length).collect();
                order.shuffle(&mut rng);
            }
            points.extend(order.iter().map(|position| from * wide + position));
        }
        let columns = evaluate(self.network, self.language, self.claims, &source)?;
        let unchanged = self.run(self.program, &base, &self.network.domain.columns(&base))?;
        Ok(Pairs { base, unchanged, source, points, columns })
    }

    /// What the program says of pairs.
    fn says(&self, replaced: &Term, pairs: &Pairs) -> Result<Says, Error> {
        let mut vars = self.network.domain.columns(&pairs.base);
        vars.extend(
            pairs.columns.iter().enumerate().map(|(place, column)| (name_of(place), column.select(&pairs.points))),
        );
        let expected = self.run(replaced, &pairs.base, &vars)?;
        let differs = |point: usize| {
            expected
                .iter()
                .zip(&pairs.unchanged)
                .any(|(a, b)| a.codes[point] != UNDEFINED && a.value(point) != b.value(point))
        };
        let points = pairs.base.points();
        let of_row: Vec<usize> = points.ranges().map(|range| range.filter(|&point| differs(point)).count()).collect();
        let rows = (0..of_row.len()).filter(|&row| of_row[row] > 0).collect();
        Ok(Says { rows, changed: of_row.iter().sum(), expected })
    }

    /// The interchange at one site: of what all its readers read, or, where the program says of few outputs that they change
    /// by that, of what they read one by one.
    fn at(&self, site: NodeId, usual: &[Pairs], runs: &mut Runs) -> Result<Interchange, Error> {
        let name = self.graph.name(site);
        let (replaced, any) = self.wiring.replaced(self.program, name, &name_of);
        if !any {
            // What nothing is computed from may come from anywhere.
            let place = usize::from(usual.len() > 1);
            let pairs = &usual[place];
            let found = self.interchanged(site, None, pairs, &pairs.unchanged, self.pools(place, usual, runs)?)?;
            return Ok(Interchange { inert: true, ..found });
        }
        let posed = self.posed(&replaced, usual)?;
        let mut single = Vec::new();
        if posed.says.changed < FEW {
            for reader in self.graph.nodes().filter(|&node| self.graph.parents(node).contains(&site)) {
                let Some(wiring) = self.wiring.through(name, circuit_name(self.graph, reader)) else { continue };
                let (replaced, any) = wiring.replaced(self.program, name, &name_of);
                if any {
                    single.push((reader, self.posed(&replaced, usual)?));
                }
            }
        }
        if single.iter().map(|(_, posed)| posed.says.changed).sum::<usize>() <= posed.says.changed {
            return self.asked(site, None, &posed, usual, runs);
        }
        let mut all: Option<Interchange> = None;
        for (reader, posed) in single {
            let one = self.asked(site, Some(reader), &posed, usual, runs)?;
            all = Some(match all {
                Some(all) => all.and(one),
                None => one,
            });
        }
        all.ok_or(Error::Empty)
    }

    /// The pairs of which the program says that outputs change: the first with enough such outputs, else those with the most.
    /// Sources of the base's own length come first, be they chosen for it: no two of their elements have one position.
    fn posed(&self, replaced: &Term, usual: &[Pairs]) -> Result<Posed, Error> {
        let mut best: Option<Posed> = None;
        let mut better = |posed: Posed| -> bool {
            if best.as_ref().is_none_or(|best| posed.says.changed > best.says.changed) {
                best = Some(posed);
            }
            best.as_ref().is_some_and(|best| best.says.changed >= FEW)
        };
        let of = |place: usize| Ok(Posed { pairs: Chosen::Usual(place), says: self.says(replaced, &usual[place])? });
        let (same, shorter): (Vec<usize>, Vec<usize>) =
            (0..usual.len()).partition(|&place| usual[place].keeps_length());
        let mut is_enough = false;
        for place in same {
            is_enough = is_enough || better(of(place)?);
        }
        if !is_enough {
            is_enough = self.chosen(replaced)?.is_some_and(&mut better);
        }
        for place in shorter {
            is_enough = is_enough || better(of(place)?);
        }
        best.ok_or(Error::Empty)
    }

    /// What the network says of some pairs.
    fn asked(
        &self,
        site: NodeId,
        reader: Option<NodeId>,
        posed: &Posed,
        usual: &[Pairs],
        runs: &mut Runs,
    ) -> Result<Interchange, Error> {
        let expected = &posed.says.expected;
        match &posed.pairs {
            Chosen::Usual(place) => {
                self.interchanged(site, reader, &usual[*place], expected, self.pools(*place, usual, runs)?)
            }
            Chosen::Own(pairs) => self.interchanged(site, reader, pairs, expected, &self.pooled(pairs)?),
        }
    }

    /// Pairs of which the program says that outputs change, chosen among many: of the greatest length at which there are
    /// enough such outputs, else of that with the most.
    fn chosen(&self, replaced: &Term) -> Result<Option<Posed>, Error> {
        let domain = &self.network.domain;
        if !matches!(domain.elements, samples::Elements::Tokens { .. }) {
            return Ok(None);
        }
        let n = CHOICE.min(CHOICE_ELEMENTS / check::longest_length(domain).max(1));
        let many = domain.sample(n, &mut rng(self.seed, "interchange choice"));
        let mut best: Option<Posed> = None;
        for (_, rows) in many.rows_by_length().into_iter().rev() {
            for read in [Read::InPlace, Read::Permuted] {
                let pairs = self.pairs(many.select(&rows), read)?;
                let mut rows = self.says(replaced, &pairs)?.rows;
                rows.truncate(PAIRS);
                let pairs = pairs.select(&rows);
                let says = self.says(replaced, &pairs)?;
                if best.as_ref().is_none_or(|best| says.changed > best.says.changed) {
                    best = Some(Posed { pairs: Chosen::Own(Box::new(pairs)), says });
                }
            }
            if best.as_ref().is_some_and(|best| best.says.changed >= FEW) {
                break;
            }
        }
        Ok(best)
    }

    /// The network on both sides of some pairs.
    fn pooled(&self, pairs: &Pairs) -> Result<(Pool, Pool), Error> {
        let pool = |batch: &Batch| Pool::new(self.network, self.graph, batch, None);
        Ok((pool(&pairs.base)?, pool(&pairs.source)?))
    }

    fn pools<'r>(&self, place: usize, usual: &[Pairs], runs: &'r mut Runs) -> Result<&'r (Pool, Pool), Error> {
        if let std::collections::btree_map::Entry::Vacant(entry) = runs.0.entry(place) {
            entry.insert(self.pooled(&usual[place])?);
        }
        Ok(&runs.0[&place])
    }

    /// What the network does where a site's values, for all its readers or one, come from the sources, beside what the program
    /// says.
    fn interchanged(
        &self,
        site: NodeId,
        reader: Option<NodeId>,
        pairs: &Pairs,
        expected: &[Column],
        (base, source): &(Pool, Pool),
    ) -> Result<Interchange, Error> {
        let wide = base.n_cells() / base.n_sequences().max(1);
        // What stands before the elements stays.
        let mut cells = Vec::with_capacity(base.n_cells());
        for (row, range) in pairs.base.points().ranges().enumerate() {
            let (skip, from) =
                (wide - range.len(), pairs.points.get(range.start).map_or(0, |&point| source.cell(point)));
            let first = from - from % (source.n_cells() / source.n_sequences().max(1)).max(1);
            cells.extend((0..skip).map(|at| first + at));
            cells.extend(pairs.points[range].iter().map(|&point| source.cell(point)));
            debug_assert_eq!(cells.len(), (row + 1) * wide);
        }
        let value = gather_for(base.n_sequences(), source.value(site)?, &cells)?;
        let intervention = match reader {
            Some(reader) => Intervention::edge(site, reader, value),
            None => Intervention::node(site, value),
        };
        let value = self.graph.value_with(base.base(), &[intervention], self.output).map_err(failed)?;
        let raw = Matrix::from_tensor(&value).map_err(failed)?;
        let rows: Vec<usize> = (0..base.points().len()).map(|point| base.cell(point)).collect();
        let got = self.network.decode(&raw.select(&rows));
        let own = self.network.decode(&base.base().matrix(self.output).map_err(failed)?.select(&rows));
        let defined = |columns: &[Column], point: usize| columns.iter().all(|column| column.codes[point] != UNDEFINED);
        let decode = &self.network.domain.decode;
        // Where program and network differ already nothing follows.
        let says = |&point: &usize| {
            defined(&got, point) && defined(expected, point) && all_agree(decode, &own, &pairs.unchanged, point)
        };
        let points: Vec<usize> = (0..rows.len()).filter(says).collect();
        Ok(count_at(decode, self.graph.name(site), &points, &got, expected, &pairs.unchanged))
    }
}

/// The name of a claim's value from elsewhere.
fn name_of(place: usize) -> Symbol {
    Symbol::new(&format!("#{place}"))
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
    let mut result = Interchange {
        site: site.to_owned(),
        outputs: points.len(),
        accuracy: 0.0,
        changed: 0,
        changed_accuracy: 0.0,
        inert: false,
    };
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
