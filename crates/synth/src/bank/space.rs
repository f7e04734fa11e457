//! What a bank enumerates, compiled: nonterminals, inputs and productions, from a profile of operators or a grammar.

use dsl::{Func, Grammar, Language, Node as TermNode, NonterminalId, OpId, Term};
use samples::{Column, Sort};

use super::config::{BankConfig, BankError};
use super::production::{Code, Head, Production};
use super::store::MAX_ARITY;

/// More chains than this are taken for a mistake.
const MAX_CHAINS: usize = 1 << 20;

/// Where the column of a leaf comes from: given by the client, or the same value everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) term: Term,
    pub(crate) column: Column,
}

/// The compiled search space.
///
/// Without a grammar there is one nonterminal per sort. Productions are ordered: leaves, then applications, then chains.
#[derive(Debug)]
pub(crate) struct Space {
    /// The sort of every nonterminal.
    pub(crate) sorts: Vec<Sort>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) productions: Vec<Production>,
    pub(crate) n_leaves: usize,
    /// For each nonterminal, the others whose terms include its own, with the production that says so.
    pub(crate) chains: Vec<Vec<u16>>,
}

impl Space {
    pub(crate) fn new(language: &Language, config: &BankConfig) -> Result<Self, BankError> {
        let n_points = config.leaves.first().map_or(1, |leaf| leaf.column.n_points());
        for (i, leaf) in config.leaves.iter().enumerate() {
            if leaf.column.sort == Sort::Selector {
                return Err(BankError::Sort { leaf: i, sort: leaf.column.sort });
            }
            if leaf.column.n_points() != n_points {
                return Err(BankError::Lengths { leaf: i, expected: n_points, found: leaf.column.n_points() });
            }
        }
        let inputs = config.leaves.iter().map(|leaf| Input { term: leaf.term.clone(), column: leaf.column.clone() });
        let builder = Builder {
            language,
            inputs: inputs.collect(),
            n_points,
            sorts: Vec::new(),
            leaves: Vec::new(),
            applications: Vec::new(),
        };
        match &config.grammar {
            Some(grammar) => builder.grammar(grammar),
            None => builder.profile(config),
        }
    }

    /// The number of points that the inputs have.
    pub(crate) fn n_points(&self) -> usize {
        self.inputs.first().map_or(1, |input| input.column.n_points())
    }
}

struct Builder<'a> {
    language: &'a Language,
    inputs: Vec<Input>,
    n_points: usize,
    sorts: Vec<Sort>,
    leaves: Vec<Production>,
    applications: Vec<Production>,
}

impl Builder<'_> {
    fn finish(self, chained: &[(u32, u32)]) -> Result<Space, BankError> {
        let n_leaves = self.leaves.len();
        let mut productions = self.leaves;
        productions.extend(self.applications);
        let n_productions = productions.len() + chained.len();
        u16::try_from(n_productions).map_err(|_| BankError::TooLarge("the number of productions"))?;
        let mut chains = vec![Vec::new(); self.sorts.len()];
        for &(from, to) in chained {
            chains[to as usize].push(productions.len() as u16);
            productions.push(Production::chain(from as u16, to as u16));
        }
        Ok(Space { sorts: self.sorts, inputs: self.inputs, productions, n_leaves, chains })
    }

    fn leaf(&mut self, term: Term, input: usize, result: u16, cost: u32) {
        self.leaves.push(Production {
            head: Head::Leaf(term),
            params: Vec::new(),
            result,
            cost,
            charges: Vec::new(),
            commutative: false,
            code: Code::Input(input),
        });
    }

    /// A function of terms; without arguments it is a leaf.
    fn application(&mut self, func: &Func, params: Vec<u16>, result: u16, cost: u32) -> Result<(), BankError> {
        if params.len() > MAX_ARITY {
            return Err(BankError::TooLarge("the number of an operator's arguments"));
        }
        let sorts: Vec<Sort> = params.iter().map(|&param| self.sorts[param as usize]).collect();
        let code = Code::compile(self.language, func, &sorts);
        let mut charges = match func {
            Func::Op(id) => self.language.op(*id).charges.clone(),
            _ => Vec::new(),
        };
        charges.resize(params.len(), 0);
        let own = if params.is_empty() { &mut self.leaves } else { &mut self.applications };
        own.push(Production {
            head: Head::Apply(func.clone()),
            commutative: matches!(&code, Code::Primitive(primitive) if primitive.is_commutative()),
            params,
            result,
            cost,
            charges,
            code,
        });
        Ok(())
    }

    /// The leaves, in order, then every operator at every choice of sorts that the leaves lead to.
    fn profile(mut self, config: &BankConfig) -> Result<Space, BankError> {
        let operators: Vec<OpId> = match &config.operators {
            Some(operators) => operators.clone(),
            None => self.language.operators().map(|(id, _)| id).collect(),
        };
        self.sorts = reachable_sorts(self.language, config, &operators);
        if self.sorts.len() > usize::from(u16::MAX) {
            return Err(BankError::TooLarge("the number of sorts"));
        }
        let sorts = self.sorts.clone();
        let index = |sort: &Sort| sorts.iter().position(|s| s == sort).map(|i| i as u16);
        for (i, leaf) in config.leaves.iter().enumerate() {
            self.leaf(leaf.term.clone(), i, index(&leaf.column.sort).unwrap_or(0), leaf.cost.max(1));
        }
        let language = self.language;
        let instances = operators.iter().flat_map(|&id| {
            let operator = language.op(id);
            let instances = operator.instances(&sorts).into_iter();
            instances.map(move |(params, result)| (Func::Op(id), params, result, operator.cost))
        });
        let extra = config.extra.iter().map(|e| (e.func.clone(), e.params.clone(), e.result, e.cost));
        for (func, params, result, cost) in instances.chain(extra) {
            let indices = params.iter().map(index).collect::<Option<Vec<u16>>>();
            if let (Some(params), Some(result)) = (indices, index(&result)) {
                self.application(&func, params, result, cost.max(1))?;
            }
        }
        self.finish(&[])
    }

    fn grammar(mut self, grammar: &Grammar) -> Result<Space, BankError> {
        if grammar.nonterminals.len() > usize::from(u16::MAX) {
            return Err(BankError::TooLarge("the number of nonterminals"));
        }
        self.sorts = grammar.nonterminals.iter().map(|nonterminal| nonterminal.sort).collect();
        let mut direct = vec![Vec::new(); self.sorts.len()];
        for (i, nonterminal) in grammar.nonterminals.iter().enumerate() {
            let error = |problem| BankError::Grammar { nonterminal: nonterminal.name, problem };
            for production in &nonterminal.productions {
                match production {
                    dsl::Production::Leaf { term, cost } => {
                        let cost = positive(*cost).ok_or(error("a leaf costs nothing"))?;
                        let input = self.input(term, nonterminal.sort).ok_or(error("a leaf has no column"))?;
                        self.leaf(term.clone(), input, i as u16, cost);
                    }
                    dsl::Production::Apply { func, args, cost } => {
                        let cost = positive(*cost).ok_or(error("an application costs nothing"))?;
                        let params = args.iter().map(|arg| self.known(*arg)).collect::<Option<Vec<u16>>>();
                        let params = params.ok_or(error("an argument is of no nonterminal"))?;
                        if !fits(self.language, func, params.len()) {
                            return Err(error("a function has another number of arguments"));
                        }
                        self.application(func, params, i as u16, cost)?;
                    }
                    dsl::Production::Chain(to) => {
                        direct[i].push(self.known(*to).ok_or(error("a chain leads to no nonterminal"))?);
                    }
                    dsl::Production::AnyConstant { .. } => {}
                }
            }
        }
        for (from, targets) in direct.iter().enumerate() {
            if targets.iter().any(|&to| self.sorts[to as usize] != self.sorts[from]) {
                let nonterminal = grammar.nonterminals[from].name;
                return Err(BankError::Grammar { nonterminal, problem: "a chain leads to another sort" });
            }
        }
        let chained = closure(&direct)?;
        self.finish(&chained)
    }

    fn known(&self, id: NonterminalId) -> Option<u16> {
        ((id.0 as usize) < self.sorts.len()).then_some(id.0 as u16)
    }

    /// The input that a leaf of a grammar stands for.
    fn input(&mut self, term: &Term, sort: Sort) -> Option<usize> {
        let known = self.inputs.iter().position(|input| input.term == *term && input.column.sort == sort);
        if known.is_some() {
            return known;
        }
        let TermNode::Const(value) = term.node() else { return None };
        if value.sort().is_some_and(|own| own != sort) {
            return None;
        }
        self.inputs.push(Input { term: term.clone(), column: Column::constant(sort, *value, self.n_points) });
        Some(self.inputs.len() - 1)
    }
}

/// Whether a function takes this many arguments, as far as it says.
fn fits(language: &Language, func: &Func, arity: usize) -> bool {
    match func {
        Func::Op(id) => language.operators.get(id.0 as usize).is_some_and(|op| op.params.len() == arity),
        Func::Table(table) => table.params.len() == arity,
        Func::Lambda(params, _) => params.len() == arity,
        Func::Kernel(_) => true,
    }
}

fn positive(cost: u32) -> Option<u32> {
    (cost > 0).then_some(cost)
}

/// Every pair of different nonterminals of which the first leads to the second by chains alone.
fn closure(direct: &[Vec<u16>]) -> Result<Vec<(u32, u32)>, BankError> {
    let mut pairs = Vec::new();
    for from in 0..direct.len() {
        let mut seen = vec![false; direct.len()];
        seen[from] = true;
        let mut stack = vec![from];
        while let Some(at) = stack.pop() {
            for &to in direct[at].iter().rev() {
                if !std::mem::replace(&mut seen[to as usize], true) {
                    pairs.push((from as u32, u32::from(to)));
                    stack.push(to as usize);
                }
            }
        }
        if pairs.len() > MAX_CHAINS {
            return Err(BankError::TooLarge("the number of chains"));
        }
    }
    Ok(pairs)
}

/// The sorts of the leaves and all that operators lead to, to a fixpoint.
fn reachable_sorts(language: &Language, config: &BankConfig, operators: &[OpId]) -> Vec<Sort> {
    let admitted =
        |sort: Sort| sort != Sort::Selector && config.sorts.as_ref().is_none_or(|sorts| sorts.contains(&sort));
    let mut sorts: Vec<Sort> = Vec::new();
    for leaf in &config.leaves {
        if !sorts.contains(&leaf.column.sort) {
            sorts.push(leaf.column.sort);
        }
    }
    loop {
        let before = sorts.len();
        let results = operators
            .iter()
            .flat_map(|&id| language.op(id).instances(&sorts))
            .chain(config.extra.iter().map(|extra| (extra.params.clone(), extra.result)));
        let new: Vec<Sort> = results
            .filter(|(params, result)| admitted(*result) && params.iter().all(|param| sorts.contains(param)))
            .map(|(_, result)| result)
            .collect();
        for sort in new {
            if !sorts.contains(&sort) {
                sorts.push(sort);
            }
        }
        if sorts.len() == before {
            return sorts;
        }
    }
}
