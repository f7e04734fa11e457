//! Which occurrences of a variable in a program a site serves.
//!
//! Several sites may carry one variable, each to readers of its own: an embedding tells the query of a head its position, an
//! MLP tells the key. So a value that is put at one site stands for those occurrences of the variable that the site's
//! readers compute from. The program is followed from the output backwards along the edges of the circuit: a subterm that is
//! claimed of a site that its reader reads comes from there, and what the subterm is made of comes from what that site reads.

use std::collections::{BTreeMap, BTreeSet};

use dsl::{Node, Term};
use samples::Symbol;

/// The edges of a circuit by name, and the claims about its sites.
#[derive(Clone)]
pub(crate) struct Wiring<'a> {
    /// Readers of every writer: `embed` to `a0.h0.q`, `a0.h0` to `m0`. `None` where no circuit is named.
    readers: Option<BTreeMap<&'a str, BTreeSet<&'a str>>>,
    /// Terms without `let`, with their sites.
    claims: &'a [(Term, &'a str)],
}

/// What reads: a node of the circuit, or some input of a head that is not known yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reader<'a> {
    /// An MLP or the output.
    Node(&'a str),
    /// Whatever input of a head.
    Head(&'a str),
    /// The input of a head with this letter: `q`, `k`, `v`.
    Input(&'a str, char),
}

impl<'a> Reader<'a> {
    fn of(site: &'a str) -> Self {
        if site.starts_with('a') { Self::Head(site) } else { Self::Node(site) }
    }

    fn input(self, letter: char) -> Self {
        match self {
            Self::Head(site) => Self::Input(site, letter),
            other => other,
        }
    }

    fn is(self, name: &str) -> bool {
        match self {
            Self::Node(site) => site == name,
            Self::Head(site) => name.strip_prefix(site).is_some_and(|rest| rest.starts_with('.')),
            Self::Input(site, letter) => name
                .strip_prefix(site)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|rest| rest.chars().eq([letter])),
        }
    }
}

impl<'a> Wiring<'a> {
    pub(crate) fn new(circuit: Option<&'a [(String, String)]>, claims: &'a [(Term, &'a str)]) -> Self {
        let readers = circuit.map(|edges| {
            let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (from, to) in edges {
                readers.entry(from).or_default().insert(to);
            }
            readers
        });
        Self { readers, claims }
    }

    /// The same with one reader of a site and no other; `None` where the circuit has no such edge.
    pub(crate) fn through(&self, site: &str, reader: &str) -> Option<Self> {
        let mut through = self.clone();
        let readers = through.readers.as_mut()?.get_mut(site)?;
        readers.retain(|own| *own == reader);
        (!readers.is_empty()).then_some(through)
    }

    /// A program without `let` in which the occurrences that a site serves of what is claimed of it are the variables
    /// `name(claim)`; and whether there are any.
    pub(crate) fn replaced(&self, program: &Term, site: &str, name: &dyn Fn(usize) -> Symbol) -> (Term, bool) {
        let mut walk = Walk { wiring: self, site, name, memo: BTreeMap::new(), any: false };
        let result = walk.term(program, Reader::Node("output"), 0);
        (result, walk.any)
    }

    /// Whether a site's value gets to a reader directly, or through sites of which nothing is claimed, or (`anyhow`) through
    /// whatever there is.
    fn feeds(&self, site: &str, reader: Reader<'_>, anyhow: bool) -> bool {
        let Some(readers) = &self.readers else { return true };
        let (mut pending, mut seen) = (vec![site], BTreeSet::from([site]));
        while let Some(writer) = pending.pop() {
            for &to in readers.get(writer).into_iter().flatten() {
                if reader.is(to) {
                    return true;
                }
                let owner = to.rsplit_once('.').filter(|_| to.matches('.').count() == 2).map_or(to, |(head, _)| head);
                let is_claimed = self.claims.iter().any(|(_, claimed)| *claimed == owner);
                if (anyhow || !is_claimed) && seen.insert(owner) {
                    pending.push(owner);
                }
            }
        }
        false
    }

    /// The claims of a term about sites that a reader reads: directly if there are any.
    fn carriers(&self, term: &Term, reader: Reader<'_>) -> Vec<usize> {
        let of = |anyhow: bool| -> Vec<usize> {
            let here = self.claims.iter().enumerate();
            here.filter(|(_, (claimed, site))| claimed == term && self.feeds(site, reader, anyhow))
                .map(|(at, _)| at)
                .collect()
        };
        let direct = of(false);
        if direct.is_empty() { of(true) } else { direct }
    }
}

/// One replacement.
struct Walk<'a, 'w> {
    wiring: &'w Wiring<'a>,
    site: &'w str,
    name: &'w dyn Fn(usize) -> Symbol,
    /// By subterm and reader.
    memo: BTreeMap<(usize, Reader<'a>), Term>,
    any: bool,
}

impl<'a> Walk<'a, '_> {
    /// `above` counts the sites that were found to carry this same term on the way here: in a circuit that goes round in
    /// circles, from a file, that has to end.
    fn term(&mut self, term: &Term, reader: Reader<'a>, above: usize) -> Term {
        if let Some(known) = self.memo.get(&(term.address(), reader)) {
            return known.clone();
        }
        let carriers = self.wiring.carriers(term, reader);
        let here = carriers.iter().find(|&&claim| self.wiring.claims[claim].1 == self.site);
        let result = match here {
            Some(&claim) => {
                self.any = true;
                Term::var((self.name)(claim))
            }
            None if self.wiring.readers.is_none() || above > self.wiring.claims.len() => self.parts(term, reader),
            None => {
                // Of several that carry it the site may stand before any.
                let mut before = carriers.iter().map(|&claim| Reader::of(self.wiring.claims[claim].1));
                let mut changed = |reader| Some(self.term(term, reader, above + 1)).filter(|found| found != term);
                match before.find_map(&mut changed) {
                    Some(found) => found,
                    None if carriers.is_empty() => self.parts(term, reader),
                    None => term.clone(),
                }
            }
        };
        self.memo.insert((term.address(), reader), result.clone());
        result
    }

    /// The same of what a term is made of, as a reader computes it. What stands under a scan or a lambda has names of its own and
    /// stays.
    fn parts(&mut self, term: &Term, reader: Reader<'a>) -> Term {
        let selects = |term: &Term| matches!(term.node(), Node::Select { .. });
        match term.node() {
            Node::Select { key, query, pred } => {
                let (key, query) = (self.term(key, reader.input('k'), 0), self.term(query, reader.input('q'), 0));
                Term::new(Node::Select { key, query, pred: pred.clone() })
            }
            Node::App(func, args) => {
                let beside = if args.iter().any(selects) { reader.input('v') } else { reader };
                let of = |arg: &Term| self.term(arg, if selects(arg) { reader } else { beside }, 0);
                Term::app(func.clone(), args.iter().map(of).collect())
            }
            Node::Var(_) | Node::Const(_) | Node::Let(..) | Node::Scan(_) => term.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use dsl::Language;
    use samples::Sort;

    use super::*;

    fn term(text: &str) -> Term {
        let language = Language::load_shipped("rasp").unwrap_or_else(|problems| panic!("{problems}"));
        let inputs = [("tokens".into(), Sort::Int), ("indices".into(), Sort::Int)];
        dsl::parse_term(text, &language, &inputs).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The program where a site's claims are replaced, with their numbers as names.
    fn replaced(
        program: &str,
        circuit: Option<&[(&str, &str)]>,
        claims: &[(&str, &str)],
        site: &str,
    ) -> Option<String> {
        let language = Language::load_shipped("rasp").unwrap_or_else(|problems| panic!("{problems}"));
        let owned: Option<Vec<(String, String)>> =
            circuit.map(|edges| edges.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect());
        let claims: Vec<(Term, &str)> =
            claims.iter().map(|(text, site)| (term(text).inlined(100).expect("it is small"), *site)).collect();
        let wiring = Wiring::new(owned.as_deref(), &claims);
        let name = |claim: usize| Symbol::new(&format!("#{claim}"));
        let (found, any) = wiring.replaced(&term(program).inlined(100).expect("it is small"), site, &name);
        any.then(|| dsl::print(&found, &language))
    }

    const BEFORE: &str = "(aggregate (select indices (- indices 1) =) tokens)";

    #[test]
    fn a_site_serves_what_its_readers_compute() {
        let circuit: &[_] = &[
            ("embed", "a1.h0.v"),
            ("m0", "a1.h0.k"),
            ("pos_embed", "a1.h0.q"),
            ("pos_embed", "m0"),
            ("a1.h0", "output"),
        ];
        let claims = &[
            ("tokens", "embed"),
            ("indices", "m0"),
            ("indices", "pos_embed"),
            ("(- indices 1)", "pos_embed"),
            (BEFORE, "a1.h0"),
        ];
        let at = |site: &str| replaced(BEFORE, Some(circuit), claims, site);
        assert_eq!(at("m0").as_deref(), Some("(aggregate (select #1 (- indices 1) =) tokens)"), "keys alone");
        assert_eq!(
            at("pos_embed").as_deref(),
            Some("(aggregate (select #2 #3 =) tokens)"),
            "what m0 says comes from there"
        );
        assert_eq!(at("embed").as_deref(), Some("(aggregate (select indices (- indices 1) =) #0)"));
        assert_eq!(at("a1.h0").as_deref(), Some("#4"));
        // Without a circuit a site stands for all occurrences.
        assert_eq!(replaced(BEFORE, None, claims, "m0").as_deref(), Some("(aggregate (select #1 (- #1 1) =) tokens)"));
    }

    #[test]
    fn values_pass_through_sites_of_which_nothing_is_claimed() {
        let circuit: &[_] = &[("embed", "m0"), ("m0", "m1"), ("embed", "m1"), ("m1", "output"), ("pos_embed", "m0")];
        let claims = &[("tokens", "embed"), ("indices", "pos_embed"), ("(+ tokens indices)", "m1")];
        let at = |site: &str| replaced("(+ tokens indices)", Some(circuit), claims, site);
        assert_eq!(at("pos_embed").as_deref(), Some("(+ tokens #1)"));
        assert_eq!(at("m0"), None);
        // A circuit that goes round in circles ends somewhere.
        let round: &[_] = &[("m0", "m1"), ("m1", "m0"), ("m1", "output")];
        let same = &[("tokens", "m0"), ("tokens", "m1")];
        assert_eq!(replaced("tokens", Some(round), same, "m0").as_deref(), Some("#0"));
        assert_eq!(replaced("tokens", Some(round), same, "embed"), None);
    }
}
