//! Studies of the judges; the scripts in `benchmarks/` run them over many networks.
//!
//! `studies mutants MODEL OUT`: OUT is what `ventris decipher MODEL --out OUT` wrote. Programs, weights and alignments are
//! changed in one place; what does something else must not be accepted, called proved or verified any more.
//!
//! `studies again MODEL OUT`: holds the program against the network on inputs that deciphering never used, and repeats the
//! interventions behind its mechanism with other seeds.
//!
//! `studies meaningless MODEL FILE`: writes the weights of the same network without meaning, as `decipher --controls full` has them.
//!
//! The first two print one JSON object.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use check::{Agreement, Change, CheckConfig, Proof};
use clap::{Args, Parser, Subcommand};
use decipher::{Config, Hypothesis, JudgeLimits, Mechanism};
use dsl::{Language, Term};
use graph::{Matrix, Network};
use model::{Meaningless, ModelFiles};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use report::{HypothesisFile, ProofFile};
use samples::{Column, Rng, UNDEFINED, rng};
use serde_json::{Value as Json, json};

type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    study: Study,
}

#[derive(Subcommand)]
enum Study {
    /// Changes in one place
    Mutants(MutantArgs),
    /// Fresh inputs and interventions
    Again(AgainArgs),
    /// Weights without meaning
    Meaningless(MeaninglessArgs),
}

#[derive(Args)]
struct MutantArgs {
    model: PathBuf,
    out: PathBuf,
    /// Programs to judge
    #[arg(long, default_value_t = 70)]
    programs: usize,
    /// Networks to judge
    #[arg(long, default_value_t = 35)]
    networks: usize,
    /// Alignments to judge
    #[arg(long, default_value_t = 10)]
    alignments: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Args)]
struct MeaninglessArgs {
    model: PathBuf,
    file: PathBuf,
    /// Permuted within tensors; drawn anew otherwise
    #[arg(long)]
    permuted: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Args)]
struct AgainArgs {
    model: PathBuf,
    out: PathBuf,
    /// Least share of outputs that agree
    #[arg(long, default_value_t = 1.0)]
    asked: f64,
    /// Inputs where not all can be run
    #[arg(long, default_value_t = 100_000)]
    inputs: usize,
    /// Interventions
    #[arg(long, default_value_t = 100_000)]
    interventions: usize,
}

#[expect(clippy::print_stdout, reason = "a command-line example prints its result")]
fn main() -> Result<(), Failure> {
    let result = match Cli::parse().study {
        Study::Mutants(args) => mutants(&args)?,
        Study::Again(args) => again(&args)?,
        Study::Meaningless(args) => {
            let how = if args.permuted { Meaningless::PermutedInTensors } else { Meaningless::Redrawn };
            std::fs::write(&args.file, model::meaningless_weights(&model::read_dir(&args.model)?, how, args.seed)?)?;
            return Ok(());
        }
    };
    println!("{result}");
    Ok(())
}

/// A network with what was found for it.
struct Case {
    files: ModelFiles,
    network: Network,
    language: Language,
    hypothesis: Hypothesis,
    proof: Option<Proof>,
}

impl Case {
    fn load(model: &Path, out: &Path) -> Result<Self, Failure> {
        let files = model::read_dir(model)?;
        let network = model::load(&files)?;
        let file: HypothesisFile = serde_json::from_str(&std::fs::read_to_string(out.join("hypothesis.json"))?)?;
        let language = file.dsl.language()?;
        let hypothesis = file.hypothesis("hypothesis.json", &language, &network.domain.inputs())?;
        let proof = match std::fs::read_to_string(out.join("proof.json")) {
            Ok(text) => Some(serde_json::from_str::<ProofFile>(&text)?.proof()?),
            Err(_) => None,
        };
        Ok(Self { files, network, language, hypothesis, proof })
    }

    fn config(&self, seed: u64, min_agreement: f64) -> Config<'_> {
        Config { seed, min_agreement, ..Config::new(&self.language) }
    }
}

/// A share that is asked for, and how often two things must differ to count as different.
struct Bar {
    asked: f64,
    /// Share of sequences; 0 where the whole domain is run.
    differing: f64,
    exhaustive: bool,
}

/// Sequences on which a difference is looked for where not all are run, and on which it is looked for first.
const LOOK: usize = 5_000;
const FIRST: usize = 500;

impl Bar {
    /// What the judges say of the unchanged program, at the strictest setting that it passes.
    fn of(case: &Case) -> Result<Option<(Self, Agreement)>, Failure> {
        for asked in [1.0, 0.999] {
            let limits = JudgeLimits::default();
            let found = decipher::judge(&case.network, &case.hypothesis.program, &case.config(0, asked), &limits)?;
            if found.reaches(asked) {
                let exhaustive = found.kind == check::Kind::Exhaustive;
                let differing = if exhaustive && found.mismatches == 0 { 0.0 } else { 10.0 * found.error_bound };
                return Ok(Some((Self { asked, differing, exhaustive }, found)));
            }
        }
        Ok(None)
    }

    /// Whether deciphering would accept a program: recurrent networks may depart from it on inputs with structure.
    fn accepts(&self, network: &Network, found: &Agreement) -> bool {
        let usual = || network.recurrence().is_some() && found.over_uniform().is_some_and(|u| u.reaches(self.asked));
        found.reaches(self.asked) || usual()
    }

    /// Whether two things with outputs differ by more than the bar.
    fn differ(&self, network: &Network, a: check::Oracle<'_>, b: check::Oracle<'_>) -> Result<bool, Failure> {
        let config = |exhaustive_limit, samples| CheckConfig {
            seed: 77,
            exhaustive_limit,
            samples,
            min_agreement: 0.0,
            ..CheckConfig::default()
        };
        let share = |found: &Agreement| {
            let tally = found.uniform.unwrap_or(found.tally);
            tally.wrong_sequences as f64 / tally.sequences.max(1) as f64
        };
        let run = |config: CheckConfig<'_>| check::agreement_of(&network.domain, network.is_causal(), a, b, &config);
        let first = run(config(0, FIRST))?;
        if self.differing == 0.0 && share(&first) > 0.0 {
            return Ok(true);
        }
        if !self.exhaustive && (share(&first) > 2.0 * self.differing || self.differing >= 1.0) {
            return Ok(share(&first) > self.differing);
        }
        let all = if self.exhaustive { check::EXHAUSTIVE_LIMIT } else { 0 };
        let share = share(&run(config(all, LOOK))?);
        Ok(if self.differing == 0.0 { share > 0.0 } else { share >= self.differing })
    }
}

/// What became of the mutants of one kind.
#[derive(Default)]
struct Count {
    judged: usize,
    alike: usize,
    accepted: usize,
    proved: usize,
    leaks: Vec<Json>,
}

impl Count {
    fn json(&self) -> Json {
        json!({ "judged": self.judged, "alike": self.alike, "accepted": self.accepted, "proved": self.proved,
                "leaks": self.leaks })
    }
}

fn mutants(args: &MutantArgs) -> Result<Json, Failure> {
    let case = Case::load(&args.model, &args.out)?;
    let Some((bar, _)) = Bar::of(&case)? else { return Ok(json!({ "skipped": "the program does not pass" })) };
    let programs = programs(&case, &bar, args)?;
    let networks = networks(&case, &bar, args)?;
    let alignments = alignments(&case, args)?;
    Ok(json!({
        "exhaustive": bar.exhaustive, "asked": bar.asked, "differing": bar.differing,
        "programs": programs.iter().map(|(change, count)| (format!("{change:?}"), count.json())).collect::<BTreeMap<_, _>>(),
        "networks": networks.json(),
        "alignments": alignments,
    }))
}

/// Mutants of the program, some of every kind of change.
fn programs(case: &Case, bar: &Bar, args: &MutantArgs) -> Result<BTreeMap<Change, Count>, Failure> {
    let mut mutants = check::mutants(&case.hypothesis.program, &case.language, &case.network.domain);
    mutants.shuffle(&mut rng(args.seed, "study: mutants of programs"));
    let own = check::run_program(&case.network, &case.hypothesis.program, &case.language);
    let mut counts: BTreeMap<Change, Count> = BTreeMap::new();
    let mut judged = 0;
    for mutant in mutants {
        if judged == args.programs {
            break;
        }
        let count = counts.entry(mutant.change).or_default();
        let run = check::run_program(&case.network, &mutant.term, &case.language);
        // What cannot be evaluated is no program.
        let Ok(differs) = bar.differ(&case.network, &own, &run) else { continue };
        if !differs {
            count.alike += 1;
            continue;
        }
        judged += 1;
        count.judged += 1;
        let found =
            decipher::judge(&case.network, &mutant.term, &case.config(args.seed, bar.asked), &JudgeLimits::default())?;
        let accepted = bar.accepts(&case.network, &found);
        let proved = match &case.proof {
            Some(proof) => fooled(&case.network, &mutant.term, &case.language, proof)?,
            None => false,
        };
        count.accepted += usize::from(accepted);
        count.proved += usize::from(proved);
        if accepted || proved {
            count.leaks.push(json!({ "program": dsl::print(&mutant.term, &case.language), "accepted": accepted }));
        }
    }
    Ok(counts)
}

/// Whether a proof of the unchanged case is taken for one of a changed program or network that it is false of: on some
/// sequence of a length that it speaks of, the two differ. Changes that show on longer sequences alone leave it true.
fn fooled(network: &Network, program: &Term, language: &Language, proof: &Proof) -> Result<bool, Failure> {
    if check::verify(network, program, language, proof).is_err() {
        return Ok(false);
    }
    let mut within = network.clone();
    let longest = within.domain.length.1;
    let length = proof.length.map_or(longest, |length| length.min(longest));
    within.domain.length = (length, length);
    let settings = CheckConfig { exhaustive_limit: 100_000, samples: 20_000, ..CheckConfig::default() };
    Ok(check::agreement(&within, program, language, &settings)?.mismatches > 0)
}

/// Sequences on which it is seen whether a changed network says something else, and the share of them that must differ where
/// not the whole domain is run.
const SAID: usize = 300;

/// Networks with one weight changed.
fn networks(case: &Case, bar: &Bar, args: &MutantArgs) -> Result<Count, Failure> {
    let mut rng = rng(args.seed, "study: mutants of networks");
    let mut count = Count::default();
    let places = Weights::of(&case.files.weights)?;
    let domain = &case.network.domain;
    let batch = domain.sample_uniform(SAID, &mut samples::rng(args.seed, "study: inputs of networks"));
    let own = case.network.outputs(&batch)?;
    // Where the unchanged network does not say anything, nothing changes.
    let said: Vec<bool> =
        (0..batch.points().len()).map(|point| own.iter().all(|column| column.codes[point] != UNDEFINED)).collect();
    for _ in 0..6 * args.networks {
        if count.judged == args.networks {
            break;
        }
        let (weights, what) = places.changed(&case.files.weights, &mut rng);
        let Ok(changed) = model::load(&ModelFiles { weights, ..case.files.clone() }) else { continue };
        // What counts is what the changed network says.
        let (tally, _) = check::compare(&domain.decode, &batch.points(), &changed.outputs(&batch)?, &own, Some(&said));
        let share = tally.wrong_sequences as f64 / tally.sequences.max(1) as f64;
        if share <= 2.0 * bar.differing {
            count.alike += 1;
            continue;
        }
        count.judged += 1;
        let program = &case.hypothesis.program;
        let found = decipher::judge(&changed, program, &case.config(args.seed, bar.asked), &JudgeLimits::default())?;
        let accepted = bar.accepts(&case.network, &found);
        let proved = match &case.proof {
            Some(proof) => fooled(&changed, program, &case.language, proof)?,
            None => false,
        };
        count.accepted += usize::from(accepted);
        count.proved += usize::from(proved);
        if accepted || proved {
            count.leaks.push(json!({ "weight": what, "accepted": accepted, "proved": proved }));
        }
    }
    Ok(count)
}

/// Where the single-precision numbers of a safetensors file lie.
struct Weights {
    tensors: Vec<(String, usize, usize)>,
}

impl Weights {
    fn of(bytes: &[u8]) -> Result<Self, Failure> {
        let size = bytes.first_chunk::<8>().ok_or("no safetensors file")?;
        let size = usize::try_from(u64::from_le_bytes(*size))?;
        let head: Json = serde_json::from_slice(bytes.get(8..8 + size).ok_or("no safetensors file")?)?;
        let place = |(name, tensor): (&String, &Json)| {
            let offset = |at: usize| usize::try_from(tensor["data_offsets"][at].as_u64()?).ok();
            let (begin, end) = (offset(0)?, offset(1)?);
            (tensor["dtype"] == "F32" && end > begin).then(|| (name.clone(), 8 + size + begin, 8 + size + end))
        };
        Ok(Self { tensors: head.as_object().into_iter().flatten().filter_map(place).collect() })
    }

    /// The file with one number changed, and what was changed.
    fn changed(&self, bytes: &[u8], rng: &mut Rng) -> (Vec<u8>, String) {
        let mut bytes = bytes.to_vec();
        let (name, begin, end) = &self.tensors[rng.random_range(0..self.tensors.len())];
        let number = |at: usize| bytes[at..].first_chunk().map_or(0.0, |four| f32::from_le_bytes(*four));
        let most = (*begin..*end).step_by(4).map(number).fold(0.0_f32, |most, v| most.max(v.abs()));
        // Compiled networks are mostly zeros, and most changes of these change nothing.
        let drawn: Vec<usize> = (0..40).map(|_| begin + 4 * rng.random_range(0..(end - begin) / 4)).collect();
        let at = drawn.iter().copied().find(|&at| number(at) != 0.0).unwrap_or(drawn[0]);
        let was = number(at);
        let now = match rng.random_range(0..4) {
            0 => -was,
            1 => 0.0,
            2 => 2.0 * was,
            _ => was + most * if rng.random() { 1.0 } else { -1.0 },
        };
        bytes[at..at + 4].copy_from_slice(&now.to_le_bytes());
        (bytes, format!("{name}[{}]: {was} -> {now}", (at - begin) / 4))
    }
}

/// Alignments with one variable at another site, or, in recurrent networks, with another variable.
fn alignments(case: &Case, args: &MutantArgs) -> Result<Json, Failure> {
    let config = case.config(args.seed, 1.0);
    let limits = JudgeLimits::default();
    let before = decipher::judge_claims(&case.network, &case.hypothesis, &config, &limits).mechanism;
    let moved = match case.network.recurrence() {
        Some(_) => other_variables(case, args)?,
        None => other_sites(case, args)?,
    };
    let (mut judged, mut verified, mut partial, mut leaks) = (0, 0, 0, Vec::new());
    for (hypothesis, what) in moved {
        let found = decipher::judge_claims(&case.network, &hypothesis, &config, &limits);
        judged += 1;
        partial += usize::from(found.mechanism == Mechanism::Partial);
        if found.mechanism == Mechanism::Verified {
            verified += 1;
            leaks.push(what);
        }
    }
    Ok(json!({ "before": format!("{before:?}"), "judged": judged, "verified": verified,
               "partial": partial, "leaks": leaks }))
}

/// Sequences on which it is seen whether a site determines a variable.
const SEEN: usize = 200;
/// Two values of a site are the same where they differ by at most this share of the largest number there.
const SAME: f32 = 1e-3;
/// A site does not determine a variable if so many points have a neighbour with the same value there and another one of the
/// variable.
const UNDETERMINED: f64 = 0.01;

/// Every variable at every other site that does not determine it.
fn other_sites(case: &Case, args: &MutantArgs) -> Result<Vec<(Hypothesis, String)>, Failure> {
    let network = &case.network;
    let graph = network.graph(0);
    let is_site = |name: &str| {
        let parts: Vec<&str> = name.split('.').collect();
        matches!(parts[..], [one] if one.starts_with('m') || one == "embed" || one == "pos_embed")
            || matches!(parts[..], [layer, head] if layer.starts_with('a') && head.starts_with('h'))
    };
    let batch = network.domain.sample(SEEN, &mut rng(3, "study: sites"));
    let names: Vec<String> = graph.nodes().map(|id| graph.name(id).to_owned()).filter(|n| is_site(n)).collect();
    let nodes: Vec<_> = names.iter().filter_map(|name| graph.find(name)).collect();
    let values = network.activations(&batch, &nodes)?;
    let aligned = &case.hypothesis.alignment;
    let mut moves: Vec<(usize, usize)> =
        (0..aligned.len()).flat_map(|place| (0..names.len()).map(move |site| (place, site))).collect();
    moves.shuffle(&mut rng(args.seed, "study: mutants of alignments"));
    let mut found = Vec::new();
    for (place, site) in moves {
        let (claim, name) = (&aligned[place], &names[site]);
        let is_there = |other: &decipher::Aligned| other.subterm == claim.subterm && other.site == *name;
        if found.len() == args.alignments || claim.fit == 0.0 || aligned.iter().any(is_there) {
            continue;
        }
        if undetermined(&values[site].points, &column(case, &claim.subterm, &batch)?) >= UNDETERMINED {
            let mut hypothesis = case.hypothesis.clone();
            hypothesis.alignment[place].site.clone_from(name);
            let term = dsl::print(&claim.subterm, &case.language);
            found.push((hypothesis, format!("{term}: from {} to {name}", claim.site)));
        }
    }
    Ok(found)
}

fn column(case: &Case, term: &Term, batch: &samples::Batch) -> Result<Column, Failure> {
    let vars = case.network.domain.columns(batch);
    let env =
        dsl::Env { language: &case.language, points: &batch.points(), vars: &vars, causal: case.network.is_causal() };
    Ok(dsl::eval(term, &env)?)
}

/// The share of points that have the same value of a site, after rounding, as a point with another value of the variable.
fn undetermined(site: &Matrix, column: &Column) -> f64 {
    let most = site.data.iter().fold(0.0_f32, |most, v| most.max(v.abs())).max(1e-9);
    let mut groups: BTreeMap<Vec<i64>, Vec<i64>> = BTreeMap::new();
    for (row, &code) in site.iter_rows().zip(&column.codes) {
        let key = row.iter().map(|v| (v / (SAME * most)).round() as i64).collect();
        groups.entry(key).or_default().push(code);
    }
    let mixed = groups.values().filter(|codes| codes.iter().any(|code| *code != codes[0])).map(Vec::len).sum::<usize>();
    mixed as f64 / column.codes.len().max(1) as f64
}

/// Every variable of a recurrent network's program replaced by one that its state does not determine: the variable of a
/// mutant with another value at points where the program's states are the same.
fn other_variables(case: &Case, args: &MutantArgs) -> Result<Vec<(Hypothesis, String)>, Failure> {
    let batch = case.network.domain.sample_longest(SEEN, &mut rng(3, "study: variables"));
    let aligned = &case.hypothesis.alignment;
    let states: Vec<Column> = aligned.iter().map(|a| column(case, &a.subterm, &batch)).collect::<Result<_, _>>()?;
    let n = states.first().map_or(0, |column| column.codes.len());
    let mut others: Vec<(usize, Term)> = Vec::new();
    for (place, claim) in aligned.iter().enumerate().filter(|(_, claim)| claim.fit > 0.0) {
        let mutants = check::mutants(&claim.subterm, &case.language, &case.network.domain);
        others.extend(mutants.into_iter().map(|mutant| (place, mutant.term)));
    }
    others.shuffle(&mut rng(args.seed, "study: mutants of alignments"));
    let mut found = Vec::new();
    for (place, term) in others {
        if found.len() == args.alignments {
            break;
        }
        let Ok(other) = column(case, &term, &batch) else { continue };
        let mut groups: BTreeMap<Vec<i64>, Vec<i64>> = BTreeMap::new();
        for point in 0..n {
            let state = states.iter().map(|column| column.codes[point]).collect();
            groups.entry(state).or_default().push(other.codes[point]);
        }
        let mixed: usize =
            groups.values().filter(|codes| codes.iter().any(|code| *code != codes[0])).map(Vec::len).sum();
        if mixed as f64 >= UNDETERMINED * n as f64 {
            let mut hypothesis = case.hypothesis.clone();
            let what = dsl::print(&term, &case.language);
            hypothesis.alignment[place].subterm = term;
            found.push((hypothesis, what));
        }
    }
    Ok(found)
}

/// The seed of fresh inputs.
const FRESH: u64 = 1_000_003;
/// Repetitions of all interventions, at most.
const REPEATED: u64 = 200;

fn again(args: &AgainArgs) -> Result<Json, Failure> {
    let case = Case::load(&args.model, &args.out)?;
    let settings =
        CheckConfig { seed: FRESH, samples: args.inputs / 2, min_agreement: args.asked, ..CheckConfig::default() };
    let found = check::agreement(&case.network, &case.hypothesis.program, &case.language, &settings)?;
    let result = repeated(&case, args)?;
    Ok(json!({
        "right": found.conclusion(args.asked) != check::Conclusion::Missed,
        "kind": if found.kind == check::Kind::Exhaustive { "exhaustive" } else { "sampled" },
        "sequences": found.tally.sequences, "share": found.share(),
        "mechanism": if result.0 { "stands" } else { "falls" }, "interventions": result.1, "detail": result.2,
    }))
}

/// Whether the interventions, repeated with other seeds and pooled, speak for the mechanism; how many there were.
fn repeated(case: &Case, args: &AgainArgs) -> Result<(bool, usize, Json), Failure> {
    if case.network.family() == graph::Family::Gpt2 {
        let mut n = 0;
        for seed in FRESH..FRESH + REPEATED {
            let halves = decipher::Halves::of(&case.network, seed);
            let programs = std::slice::from_ref(&case.hypothesis.program);
            let (_, found) = decipher::mechanism::explain(&halves, programs, &case.config(seed, 1.0))?;
            let before = n;
            n += found.sites.iter().map(|site| site.interchange.outputs).sum::<usize>();
            if found.mechanism != Mechanism::Verified {
                return Ok((false, n, json!(found.reasons)));
            }
            if n >= args.interventions || n == before {
                break;
            }
        }
        return Ok((true, n, Json::Null));
    }
    // Of every site or variable: outputs, and those that came out as the program says.
    let mut pooled: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    let (mut n, mut recovered) = (0, Vec::new());
    for seed in FRESH..FRESH + REPEATED {
        let limits = JudgeLimits { controls: 0, ..JudgeLimits::default() };
        let found = decipher::judge_alignment(&case.network, &case.hypothesis, &case.config(seed, 1.0), &limits);
        let before = n;
        let sites = found.interchange.iter().map(|i| (i.site.clone(), i.outputs, i.accuracy));
        let exchanges = found.variables.iter().flat_map(|variables| &variables.exchanges);
        let exchanges =
            exchanges.map(|e| (e.variable.map_or("all".to_owned(), |name| name.to_string()), e.outputs, e.accuracy));
        for (name, outputs, accuracy) in sites.chain(exchanges) {
            n += outputs;
            let pool = pooled.entry(name).or_default();
            *pool = (pool.0 + outputs, pool.1 + accuracy * outputs as f64);
        }
        if let Ok(scrub) = &found.scrub {
            recovered.push(scrub.recovered);
        }
        if n >= args.interventions || n == before {
            break;
        }
    }
    let least = pooled.values().filter(|pool| pool.0 > 0).map(|pool| pool.1 / pool.0 as f64).fold(1.0, f64::min);
    let mean = recovered.iter().sum::<f64>() / recovered.len().max(1) as f64;
    let stands = least >= 0.99 && (recovered.is_empty() || mean >= 0.95);
    Ok((stands, n, json!({ "least accuracy": least, "recovered": mean })))
}
