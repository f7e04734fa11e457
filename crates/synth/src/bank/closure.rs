//! Boolean functions of few points, closed exhaustively: every truth table over up to 16 points, with its least cost.
//!
//! A column of at most 16 truth values is a word of 16 bits, so the classes of a nonterminal are an array of 65,536 entries
//! and a candidate costs a few instructions. Work goes by ascending cost: at each cost, the tables of cheaper arguments are
//! combined, and tables that were not there are new. Since every operator costs something, a table's first cost is its
//! least one. When no combination of the tables there are can give a new one, the closure is complete: what is not in it
//! has no term.

use dsl::{Func, Grammar, Language, NonterminalId, Production, Term};
use samples::{Column, Sort, Symbol};

use super::config::BankError;

/// The greatest number of points.
pub const MAX_CLOSURE_POINTS: usize = 16;

const NONE: u16 = u16::MAX;

/// All Boolean functions that a grammar has terms for, on at most 16 points.
///
/// ```
/// use dsl::{Func, Grammar, Language, NonterminalId, Production, Term};
/// use samples::{Column, Sort};
/// use synth::{Closure, ClosureLimits};
///
/// let text = "(define-fun and ((a Bool) (b Bool)) Bool (and a b)) (define-fun not ((a Bool)) Bool (not a))";
/// let language = Language::parse("doc", text, &|_| None).unwrap();
/// let mut grammar = Grammar::default();
/// let b = grammar.add("B", Sort::Bool);
/// let op = |name: &str, n| {
///     let func = Func::Op(language.operator(name).unwrap());
///     Production::Apply { func, args: vec![b; n], cost: 1 }
/// };
/// let leaf = |name: &str| Production::Leaf { term: Term::var(name), cost: 1 };
/// grammar.nonterminals[0].productions = vec![leaf("x"), leaf("y"), op("and", 2), op("not", 1)];
/// let column = |codes: [i64; 4]| Column::new(Sort::Bool, codes.to_vec());
/// let variables = [("x".into(), column([0, 0, 1, 1])), ("y".into(), column([0, 1, 0, 1]))];
/// let closure = Closure::new(&language, &grammar, &variables, &ClosureLimits::new(), &|| false)?;
/// assert!(closure.is_complete());
/// let (cost, xor) = closure.minimal(b, &[0, 1, 1, 0]).unwrap();
/// assert_eq!(cost, 11);
/// # Ok::<(), synth::BankError>(())
/// ```
#[derive(Debug)]
pub struct Closure {
    n_points: usize,
    productions: Vec<Rule>,
    nonterminals: Vec<Tables>,
    n_candidates: u64,
    complete_cost: u32,
    complete: bool,
}

/// Where a closure ends at the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClosureLimits {
    /// Functions of greater cost are not looked for.
    pub max_cost: u32,
    /// Combinations that are tried.
    pub max_candidates: u64,
}

impl ClosureLimits {
    /// Ten thousand million combinations: enough for all functions of four variables over two operators.
    pub fn new() -> Self {
        Self { max_cost: 1_000, max_candidates: 10_000_000_000 }
    }
}

impl Default for ClosureLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The tables of one nonterminal.
#[derive(Debug)]
struct Tables {
    /// Least cost of each table, zero where it has none yet.
    costs: Vec<u32>,
    /// Production and arguments of a cheapest term of each table.
    nodes: Vec<(u16, [u16; 3])>,
    /// Tables by cost, each ascending.
    levels: Vec<Vec<u16>>,
}

/// A production over truth tables.
#[derive(Debug)]
struct Rule {
    result: usize,
    cost: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Leaf(Term, u16),
    Chain(usize),
    /// A function by its truth table: bit `4a + 2b + c`, as far as there are arguments.
    Apply {
        func: Func,
        args: Vec<usize>,
        truth: u8,
    },
}

impl Closure {
    /// Closes a grammar all of whose nonterminals are Boolean, over variables with these columns.
    ///
    /// # Errors
    /// When a column has more than 16 points or an undefined value, when another sort occurs, or when an operator is partial,
    /// has more than three arguments or looks beyond a point.
    pub fn new(
        language: &Language,
        grammar: &Grammar,
        variables: &[(Symbol, Column)],
        limits: &ClosureLimits,
        deadline: &dyn Fn() -> bool,
    ) -> Result<Self, BankError> {
        let n_points = variables.first().map_or(1, |(_, column)| column.n_points());
        if n_points > MAX_CLOSURE_POINTS {
            return Err(BankError::TooLarge("the number of points"));
        }
        let mut closure = Self {
            n_points,
            productions: rules(language, grammar, variables, n_points)?,
            nonterminals: Vec::new(),
            n_candidates: 0,
            complete_cost: 0,
            complete: false,
        };
        closure.nonterminals.resize_with(grammar.nonterminals.len(), || Tables {
            costs: vec![0; 1 << n_points],
            nodes: vec![(NONE, [0; 3]); 1 << n_points],
            levels: vec![Vec::new()],
        });
        closure.close(limits, deadline);
        Ok(closure)
    }

    /// The least cost of a term of a nonterminal with these values, and such a term; none where there is no term up to
    /// [`Closure::complete_cost`], or none at all if the closure is complete.
    pub fn minimal(&self, nonterminal: NonterminalId, codes: &[i64]) -> Option<(u32, Term)> {
        let table = pack(codes)?;
        let own = self.nonterminals.get(nonterminal.0 as usize)?;
        let cost = *own.costs.get(table as usize).filter(|&&cost| cost > 0 && codes.len() == self.n_points)?;
        Some((cost, self.term(nonterminal.0 as usize, table)))
    }

    /// The functions of a nonterminal by ascending cost, as truth tables: bit i is the value at point i.
    pub fn functions(&self, nonterminal: NonterminalId) -> impl Iterator<Item = (u32, u16)> + '_ {
        let own = self.nonterminals.get(nonterminal.0 as usize);
        let levels = own.into_iter().flat_map(|tables| tables.levels.iter().enumerate());
        levels.flat_map(|(cost, level)| level.iter().map(move |&table| (cost as u32, table)))
    }

    /// The cheapest function of a nonterminal that a condition on truth tables accepts, and a cheapest term of it.
    pub fn cheapest(&self, nonterminal: NonterminalId, mut accept: impl FnMut(u16) -> bool) -> Option<(u32, Term)> {
        let (cost, table) = self.functions(nonterminal).find(|&(_, table)| accept(table))?;
        Some((cost, self.term(nonterminal.0 as usize, table)))
    }

    /// Whether every function that the grammar has terms for is there.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The cost up to which every term was accounted for.
    pub fn complete_cost(&self) -> u32 {
        self.complete_cost
    }

    /// How many combinations were tried.
    pub fn n_candidates(&self) -> u64 {
        self.n_candidates
    }

    fn term(&self, nonterminal: usize, table: u16) -> Term {
        let (production, args) = self.nonterminals[nonterminal].nodes[table as usize];
        match &self.productions[production as usize].kind {
            Kind::Leaf(term, _) => term.clone(),
            Kind::Chain(to) => self.term(*to, table),
            Kind::Apply { func, args: from, .. } => {
                let args = from.iter().zip(args).map(|(&nonterminal, table)| self.term(nonterminal, table)).collect();
                Term::app(func.clone(), args)
            }
        }
    }

    fn close(&mut self, limits: &ClosureLimits, deadline: &dyn Fn() -> bool) {
        for cost in 1..=limits.max_cost {
            if self.is_closed_at(cost) {
                self.complete = true;
                return;
            }
            for tables in &mut self.nonterminals {
                tables.levels.resize_with(cost as usize + 1, Vec::new);
            }
            for production in 0..self.productions.len() {
                if !self.produce(production, cost, limits, deadline) {
                    // What was found at this cost is right, but not all that there is.
                    self.sort_level(cost);
                    return;
                }
            }
            self.follow_chains(cost);
            self.sort_level(cost);
            self.complete_cost = cost;
        }
    }

    /// Whether nothing new can be built at this cost or beyond it.
    fn is_closed_at(&self, cost: u32) -> bool {
        if self.nonterminals.iter().all(|tables| tables.costs.iter().all(|&cost| cost > 0)) {
            return true;
        }
        let greatest = |nonterminal: &usize| {
            let mut levels = self.nonterminals[*nonterminal].levels.iter().enumerate().rev();
            levels.find(|(_, level)| !level.is_empty()).map(|(cost, _)| cost as u32)
        };
        let reach = self.productions.iter().filter_map(|rule| match &rule.kind {
            Kind::Leaf(..) | Kind::Chain(_) => Some(rule.cost),
            Kind::Apply { args, .. } => args.iter().map(greatest).try_fold(rule.cost, |sum, cost| Some(sum + cost?)),
        });
        cost > reach.max().unwrap_or(0)
    }

    fn sort_level(&mut self, cost: u32) {
        for tables in &mut self.nonterminals {
            tables.levels[cost as usize].sort_unstable();
        }
    }

    /// Adds the tables that a production gives at a cost; false when a limit was reached.
    fn produce(&mut self, production: usize, cost: u32, limits: &ClosureLimits, deadline: &dyn Fn() -> bool) -> bool {
        let Rule { result, cost: own, kind } = &self.productions[production];
        let (result, Some(rest)) = (*result, cost.checked_sub(*own)) else { return true };
        let (args, truth) = match kind {
            Kind::Chain(_) => return true,
            Kind::Leaf(_, table) => {
                let table = *table;
                if rest == 0 {
                    self.n_candidates += 1;
                    self.nonterminals[result].add(table, cost, (production as u16, [0; 3]));
                }
                return true;
            }
            Kind::Apply { args, truth, .. } => (args.clone(), *truth),
        };
        let full = ((1_u32 << self.n_points) - 1) as u16;
        let symmetric = args.len() == 2 && args[0] == args[1] && (truth >> 1) & 1 == (truth >> 2) & 1;
        for split in splits(rest, args.len()) {
            // The costlier argument first where the order does not matter.
            if symmetric && split[0] < split[1] {
                continue;
            }
            let levels: Vec<Vec<u16>> =
                args.iter().zip(&split).map(|(&arg, &cost)| self.nonterminals[arg].level(cost)).collect();
            let size: u64 = levels.iter().map(|level| level.len() as u64).product();
            if size == 0 {
                continue;
            }
            if self.n_candidates.saturating_add(size) > limits.max_candidates || deadline() {
                return false;
            }
            let tables = &mut self.nonterminals[result];
            self.n_candidates += combine(
                tables,
                &levels,
                truth,
                full,
                symmetric && split[0] == split[1],
                |args| (production as u16, args),
                cost,
            );
        }
        true
    }

    /// Carries the tables that are new at a cost along chains, until nothing moves.
    fn follow_chains(&mut self, cost: u32) {
        let chains: Vec<(usize, usize, usize)> = self
            .productions
            .iter()
            .enumerate()
            .filter_map(|(i, rule)| if let Kind::Chain(to) = rule.kind { Some((i, rule.result, to)) } else { None })
            .collect();
        loop {
            let mut moved = false;
            for &(production, from, to) in &chains {
                for table in self.nonterminals[to].level(cost) {
                    moved |= self.nonterminals[from].add(table, cost, (production as u16, [table; 3]));
                }
            }
            if !moved {
                return;
            }
        }
    }
}

impl Tables {
    fn level(&self, cost: u32) -> Vec<u16> {
        self.levels.get(cost as usize).cloned().unwrap_or_default()
    }

    fn add(&mut self, table: u16, cost: u32, node: (u16, [u16; 3])) -> bool {
        let known = &mut self.costs[table as usize];
        if *known > 0 {
            return false;
        }
        *known = cost;
        self.nodes[table as usize] = node;
        self.levels[cost as usize].push(table);
        true
    }
}

/// Combines levels by a function of one to three arguments; how many combinations there were.
fn combine(
    tables: &mut Tables,
    levels: &[Vec<u16>],
    truth: u8,
    full: u16,
    ordered: bool,
    node: impl Fn([u16; 3]) -> (u16, [u16; 3]),
    cost: u32,
) -> u64 {
    let mut n = 0;
    let last = &levels[levels.len() - 1];
    let firsts: &[u16] = if levels.len() > 1 { &levels[0] } else { &[0] };
    let middles: &[u16] = if levels.len() > 2 { &levels[1] } else { &[0] };
    for (i, &a) in firsts.iter().enumerate() {
        for &b in middles {
            // With all arguments but the last fixed, a function is `c ? on : off`, point by point.
            let (on, off) = match levels.len() {
                1 => (select(truth, 1, 0, 0, full), select(truth, 0, 0, 0, full)),
                2 => (halves(truth, a, 1, full), halves(truth, a, 0, full)),
                _ => (quarters(truth, a, b, 1, full), quarters(truth, a, b, 0, full)),
            };
            let row = if ordered { &last[i..] } else { last };
            n += row.len() as u64;
            let costs = &tables.costs[..=full as usize];
            let any_new =
                |row: &[u16]| row.iter().fold(false, |new, &c| new | (costs[((c & on) | (!c & off)) as usize] == 0));
            if row.chunks(64).any(any_new) {
                for &c in row {
                    let table = (c & on) | (!c & off);
                    if tables.costs[table as usize] == 0 {
                        let args = [[c, 0, 0], [a, c, 0], [a, b, c]][levels.len() - 1];
                        tables.add(table, cost, node(args));
                    }
                }
            }
        }
    }
    n
}

/// All points or none, as the truth table says at these arguments.
fn select(truth: u8, a: u8, b: u8, c: u8, full: u16) -> u16 {
    if truth >> (4 * c + 2 * b + a) & 1 == 1 { full } else { 0 }
}

/// The function of (a, b) with b fixed, at the points of a.
fn halves(truth: u8, a: u16, b: u8, full: u16) -> u16 {
    (a & select(truth, b, 1, 0, full)) | (!a & select(truth, b, 0, 0, full))
}

/// The function of (a, b, c) with c fixed, at the points of a and b.
fn quarters(truth: u8, a: u16, b: u16, c: u8, full: u16) -> u16 {
    let on = (b & select(truth, c, 1, 1, full)) | (!b & select(truth, c, 0, 1, full));
    let off = (b & select(truth, c, 1, 0, full)) | (!b & select(truth, c, 0, 0, full));
    (a & on) | (!a & off)
}

/// Truth values as a word; none where one is neither true nor false.
fn pack(codes: &[i64]) -> Option<u16> {
    if codes.len() > MAX_CLOSURE_POINTS {
        return None;
    }
    codes.iter().enumerate().try_fold(0_u16, |table, (i, &code)| match code {
        0 | 1 => Some(table | (code as u16) << i),
        _ => None,
    })
}

/// Every way to split a cost into positive parts, one for each argument.
fn splits(rest: u32, arity: usize) -> Vec<Vec<u32>> {
    if arity == 1 {
        return if rest > 0 { vec![vec![rest]] } else { Vec::new() };
    }
    let firsts = 1..rest.max(1);
    firsts
        .flat_map(|first| {
            splits(rest - first, arity - 1).into_iter().map(move |more| [&[first], more.as_slice()].concat())
        })
        .collect()
}

fn rules(
    language: &Language,
    grammar: &Grammar,
    variables: &[(Symbol, Column)],
    n_points: usize,
) -> Result<Vec<Rule>, BankError> {
    let mut rules = Vec::new();
    for (result, nonterminal) in grammar.nonterminals.iter().enumerate() {
        let error = |problem| BankError::Grammar { nonterminal: nonterminal.name, problem };
        if nonterminal.sort != Sort::Bool {
            return Err(error("its sort is not Bool"));
        }
        for production in &nonterminal.productions {
            let (kind, cost) = match production {
                Production::Leaf { term, cost } => {
                    let codes = leaf_codes(term, variables, n_points).ok_or(error("a leaf has no column"))?;
                    let table = pack(&codes).filter(|_| codes.len() == n_points);
                    let table = table.ok_or(error("a leaf has another number of points, or undefined values"))?;
                    (Kind::Leaf(term.clone(), table), *cost)
                }
                Production::Chain(to) if (to.0 as usize) < grammar.nonterminals.len() => {
                    rules.push(Rule { result, cost: 0, kind: Kind::Chain(to.0 as usize) });
                    continue;
                }
                Production::Chain(_) => return Err(error("a chain leads to no nonterminal")),
                Production::Apply { func, args, cost } => {
                    if args.iter().any(|arg| arg.0 as usize >= grammar.nonterminals.len()) {
                        return Err(error("an argument is of no nonterminal"));
                    }
                    if let Func::Op(id) = func
                        && language.op(*id).charges.iter().any(|&charge| charge > 0)
                    {
                        return Err(error("an operator charges for its arguments"));
                    }
                    let truth = truth(language, func, args.len()).ok_or(error("a function has no truth table"))?;
                    let args = args.iter().map(|arg| arg.0 as usize).collect();
                    (Kind::Apply { func: func.clone(), args, truth }, *cost)
                }
                Production::AnyConstant { .. } => continue,
            };
            if cost == 0 {
                return Err(error("a production costs nothing"));
            }
            rules.push(Rule { result, cost, kind });
        }
    }
    u16::try_from(rules.len() + 1).map_err(|_| BankError::TooLarge("the number of productions"))?;
    Ok(rules)
}

fn leaf_codes(term: &Term, variables: &[(Symbol, Column)], n_points: usize) -> Option<Vec<i64>> {
    match term.node() {
        dsl::Node::Var(name) => variables.iter().find(|(own, _)| own == name).map(|(_, column)| column.codes.clone()),
        dsl::Node::Const(value) => Some(Column::constant(Sort::Bool, *value, n_points).codes),
        _ => None,
    }
}

/// The truth table of a total function, by evaluating it: bit `a + 2b + 4c` read from the last argument upwards.
fn truth(language: &Language, func: &Func, arity: usize) -> Option<u8> {
    if !(1..=3).contains(&arity) {
        return None;
    }
    let n = 1 << arity;
    let column =
        |i: usize| Column::new(Sort::Bool, (0..n).map(|row| i64::from(row >> (arity - 1 - i) & 1 == 1)).collect());
    let columns: Vec<Column> = (0..arity).map(column).collect();
    let refs: Vec<&Column> = columns.iter().collect();
    let result = dsl::apply(language, func, &refs).ok().filter(|result| result.sort == Sort::Bool)?;
    pack(&result.codes).filter(|_| result.codes.len() == n).map(|table| table as u8)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bank::{Bank, BankConfig, Limits, StopReason, Watch};
    use crate::testing::language;

    const TEXT: &str = "
        (define-fun and ((a Bool) (b Bool)) Bool (and a b))
        (define-fun or ((a Bool) (b Bool)) Bool (or a b))
        (define-fun => ((a Bool) (b Bool)) Bool (=> a b))
        (define-fun not ((a Bool)) Bool (not a))
        (define-fun but ((a Bool) (b Bool)) Bool (and (not a) b))
        (define-fun ite ((c Bool) (a Bool) (b Bool)) Bool (ite c a b))
        (define-fun odd ((a Bool) (b Bool) (c Bool)) Bool (and (not (and a b)) (=> b c)))
        (define-fun partial ((a Bool)) Bool (not a) :when a)
    ";

    fn apply(language: &Language, name: &str, args: &[NonterminalId], cost: u32) -> Production {
        Production::Apply { func: Func::Op(language.operator(name).unwrap()), args: args.to_vec(), cost }
    }

    fn leaf(name: &str) -> Production {
        Production::Leaf { term: Term::var(name), cost: 1 }
    }

    /// Variables over all their combinations.
    fn variables(names: &[&str]) -> Vec<(Symbol, Column)> {
        let n = 1 << names.len();
        let column = |i: usize| Column::new(Sort::Bool, (0..n).map(|row: i64| row >> i & 1).collect());
        names.iter().enumerate().map(|(i, &name)| (name.into(), column(i))).collect()
    }

    fn close(language: &Language, grammar: &Grammar, names: &[&str]) -> Closure {
        Closure::new(language, grammar, &variables(names), &ClosureLimits::new(), &|| false).unwrap()
    }

    /// The closure and the bank must agree on which functions there are, and what they cost.
    #[track_caller]
    fn check(grammar: &Grammar, names: &[&str]) {
        let language = language(TEXT);
        let closure = close(&language, grammar, names);
        assert!(closure.is_complete());
        let mut bank = Bank::new(&language, &BankConfig::from_grammar(grammar.clone(), variables(names))).unwrap();
        let limits = Limits { max_candidates: 10_000_000, ..Limits::new(1_000) };
        assert_eq!(bank.run(&limits, &mut |_| Watch::Keep), StopReason::Closed);
        let mut least: BTreeMap<(NonterminalId, u16), u32> = BTreeMap::new();
        for found in bank.classes() {
            least.insert((found.nonterminal, pack(&found.codes).unwrap()), found.cost);
            let (cost, term) = closure.minimal(found.nonterminal, &found.codes).expect("the bank has a term");
            assert_eq!(cost, found.cost);
            assert_eq!(evaluate(&language, &term, names), *found.codes);
        }
        for i in 0..grammar.nonterminals.len() as u32 {
            let functions: Vec<_> = closure.functions(NonterminalId(i)).collect();
            assert!(functions.is_sorted());
            assert_eq!(functions.len(), least.keys().filter(|(own, _)| own.0 == i).count());
        }
    }

    fn evaluate(language: &Language, term: &Term, names: &[&str]) -> Vec<i64> {
        let vars = variables(names);
        let points = samples::Points::from_lengths([1 << names.len()]);
        let env = dsl::Env { language, points: &points, vars: &vars, causal: false };
        dsl::eval(term, &env).unwrap().codes
    }

    #[test]
    fn agrees_with_the_bank() {
        let language = language(TEXT);
        for operators in
            [&[("and", 2), ("not", 1)][..], &[("ite", 3), ("but", 2)], &[("odd", 3), ("=>", 2)], &[("or", 2)]]
        {
            // Three arguments over all functions of three variables are too many for the bank.
            let ternary = operators.iter().any(|&(_, arity)| arity == 3);
            let names: &[&str] = if ternary { &["x", "y"] } else { &["x", "y", "z"] };
            let mut grammar = Grammar::default();
            let b = grammar.add("B", Sort::Bool);
            grammar.nonterminals[0].productions = names.iter().map(|name| leaf(name)).collect();
            for (i, &(name, arity)) in operators.iter().enumerate() {
                let production = apply(&language, name, &vec![b; arity], 1 + i as u32);
                grammar.nonterminals[0].productions.push(production);
            }
            check(&grammar, names);
        }
    }

    #[test]
    fn nonterminals_are_closed_each() {
        let language = language(TEXT);
        let mut grammar = Grammar::default();
        let [s, c, l] = ["S", "C", "L"].map(|name| grammar.add(name, Sort::Bool));
        let mut set = |id: NonterminalId, productions| grammar.nonterminals[id.0 as usize].productions = productions;
        set(s, vec![Production::Chain(c), apply(&language, "or", &[s, c], 1)]);
        set(c, vec![Production::Chain(l), apply(&language, "and", &[c, l], 2)]);
        set(l, vec![leaf("x"), leaf("y"), leaf("z"), apply(&language, "not", &[l], 1), Production::Chain(l)]);
        check(&grammar, &["x", "y", "z"]);
    }

    fn and_not(language: &Language) -> (Grammar, NonterminalId) {
        let mut grammar = Grammar::default();
        let b = grammar.add("B", Sort::Bool);
        grammar.nonterminals[0].productions = ["w", "x", "y", "z"].map(leaf).to_vec();
        let operators = [apply(language, "and", &[b, b], 1), apply(language, "not", &[b], 1)];
        grammar.nonterminals[0].productions.extend(operators);
        (grammar, b)
    }

    #[test]
    fn all_functions_of_four_variables_have_a_least_term() {
        let language = language(TEXT);
        let (grammar, b) = and_not(&language);
        let names = ["w", "x", "y", "z"];
        let closure = close(&language, &grammar, &names);
        assert!(closure.is_complete());
        assert_eq!(closure.functions(b).count(), 1 << 16);
        let parity: Vec<i64> = (0..16_u32).map(|row| i64::from(row.count_ones() % 2)).collect();
        let (cost, term) = closure.minimal(b, &parity).unwrap();
        assert_eq!(cost, 49);
        assert_eq!(evaluate(&language, &term, &names), parity);
        // With points that do not matter: only two of them do.
        let (cost, term) = closure.cheapest(b, |table| table & 0b11 == 0b01).unwrap();
        assert_eq!((cost, dsl::print(&term, &language)), (2, "(not w)".to_owned()));
    }

    #[test]
    fn what_ended_early_says_so() {
        let language = language(TEXT);
        let (grammar, b) = and_not(&language);
        let vars = variables(&["w", "x", "y", "z"]);
        let limits = ClosureLimits { max_candidates: 100_000, ..ClosureLimits::new() };
        let stopped = Closure::new(&language, &grammar, &vars, &limits, &|| false).unwrap();
        assert!(!stopped.is_complete() && stopped.complete_cost() > 5 && stopped.n_candidates() <= 100_000);
        let limits = ClosureLimits { max_cost: 6, ..ClosureLimits::new() };
        let short = Closure::new(&language, &grammar, &vars, &limits, &|| false).unwrap();
        assert!(!short.is_complete());
        assert_eq!(short.complete_cost(), 6);
        let all = close(&language, &grammar, &["w", "x", "y", "z"]);
        let up_to: Vec<_> = all.functions(b).take_while(|(cost, _)| *cost <= 6).collect();
        assert_eq!(short.functions(b).collect::<Vec<_>>(), up_to);
    }

    #[test]
    fn what_is_no_truth_table_is_refused() {
        let language = language(TEXT);
        let refused = |production: Production, sort: Sort| {
            let mut grammar = Grammar::default();
            grammar.add("B", sort);
            grammar.nonterminals[0].productions.push(production);
            let limits = ClosureLimits::new();
            Closure::new(&language, &grammar, &variables(&["x"]), &limits, &|| false).map(|_| ()).unwrap_err()
        };
        let b = NonterminalId(0);
        refused(apply(&language, "partial", &[b], 1), Sort::Bool);
        refused(apply(&language, "and", &[b, NonterminalId(3)], 1), Sort::Bool);
        refused(apply(&language, "and", &[b], 1), Sort::Bool);
        refused(leaf("y"), Sort::Bool);
        refused(leaf("x"), Sort::Int);
        refused(Production::Leaf { term: Term::var("x"), cost: 0 }, Sort::Bool);
    }
}
