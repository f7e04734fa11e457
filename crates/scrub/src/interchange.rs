//! Interchange interventions: put another input's value at one site, and see whether the output becomes what the
//! program says it becomes.

use std::collections::BTreeMap;

use dsl::{Env, Func, Language, Node, Scan, Term};
use graph::Network;
use samples::{Column, Symbol, rng};

use crate::feedforward::Plan;
use crate::{Claim, Error, ScrubConfig, claim_nodes, derangement, evaluate, inputs};

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

/// Interchanges the value of every claimed site in turn, at all positions at once, with all variables claimed there.
///
/// Sites whose variables do not occur in the program are left out: the program does not say what would follow. So are
/// recurrent networks, where a whole state is another state and says nothing about single variables.
///
/// # Errors
/// As [`crate::scrub`].
pub fn interchange(
    network: &Network,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    config: &ScrubConfig,
) -> Result<Vec<Interchange>, Error> {
    if network.recurrence().is_some() {
        return Ok(Vec::new());
    }
    let graph = network.graph(0);
    let nodes = claim_nodes(&graph, claims)?;
    let plan = Plan::new(&graph, &|_| false, None)?;
    let batch = inputs(network, PAIRS.min(config.samples), config.seed);
    let n = batch.n_sequences();
    let length = if n == 0 { 0 } else { batch.length(0) };
    let columns = evaluate(network, language, claims, &batch)?;
    let base = plan.plain(&network.rect_inputs(&batch).map_err(|e| Error::Network(e.to_string()))?)?;
    let source = derangement(n, &mut rng(config.seed, "interchange sources"));
    let points: Vec<usize> = source.iter().flat_map(|&row| row * length..(row + 1) * length).collect();
    let bound = network.domain.columns(&batch);
    let run_program = |program: &Term, vars: &[(Symbol, Column)]| {
        let env = Env { language, points: &batch.points(), vars, causal: network.is_causal() };
        dsl::eval_program(program, &env).map_err(|error| Error::Term(error.to_string()))
    };
    let program = expand(program);
    let unchanged = run_program(&program, &bound)?;
    let mut sites: Vec<_> = nodes.clone();
    sites.sort_unstable();
    sites.dedup();
    let mut found = Vec::new();
    for site in sites {
        let mut vars = bound.clone();
        let mut targets = Vec::new();
        for (place, claim) in claims.iter().enumerate().filter(|(place, _)| nodes[*place] == site) {
            let name = Symbol::new(&format!("#{place}"));
            vars.push((name, columns[place].select(&points)));
            targets.push((expand(&claim.subterm), name));
        }
        let (replaced, any) = substitute(&program, &targets);
        if !any {
            continue;
        }
        let expected = run_program(&replaced, &vars)?;
        let raw = plan.outputs(&plan.interchanged(&base, site, &source)?)?;
        let bos = raw.rows / n.max(1) - length;
        let rows: Vec<usize> =
            (0..n).flat_map(|row| (0..length).map(move |at| row * (bos + length) + bos + at)).collect();
        let got = network.decode(&raw.select(&rows));
        found.push(count(network, graph.name(site), &got, &expected, &unchanged));
    }
    Ok(found)
}

fn count(network: &Network, site: &str, got: &[Column], expected: &[Column], unchanged: &[Column]) -> Interchange {
    let decode = &network.domain.decode;
    let mut result =
        Interchange { site: site.to_owned(), outputs: 0, accuracy: 0.0, changed: 0, changed_accuracy: 0.0 };
    let defined = |columns: &[Column], point: usize| columns.iter().all(|c| c.codes[point] != samples::UNDEFINED);
    let n_points = got.first().map_or(0, Column::n_points);
    for point in (0..n_points).filter(|&point| defined(got, point) && defined(expected, point)) {
        let right = got.iter().zip(expected).all(|(a, b)| check::agrees(decode, a.value(point), b.value(point)));
        let changed = expected.iter().zip(unchanged).any(|(a, b)| a.value(point) != b.value(point));
        result.outputs += 1;
        result.accuracy += f64::from(u8::from(right));
        result.changed += usize::from(changed);
        result.changed_accuracy += f64::from(u8::from(right && changed));
    }
    result.accuracy /= result.outputs.max(1) as f64;
    result.changed_accuracy /= result.changed.max(1) as f64;
    result
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
