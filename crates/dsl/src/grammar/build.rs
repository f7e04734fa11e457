//! Productions from terms in which variables stand for nonterminals.

use samples::{Sort, Symbol};

use crate::infer::sort_of;
use crate::language::{Form, Language};
use crate::term::{Func, Node, Term};

use super::{Grammar, GrammarError, NONTERMINAL_LIMIT, Nonterminal, NonterminalId, PRODUCTION_LIMIT, Production};

/// What productions are read against.
struct Scope<'a> {
    language: &'a Language,
    /// Nonterminals first: they hide variables of the same name.
    names: Vec<(Symbol, Sort)>,
    /// Whose production it is.
    nonterminal: Symbol,
}

impl Grammar {
    /// Adds a production to a nonterminal: a term over the variables given, in which a variable that is called like a
    /// nonterminal stands for any of its terms. Functions within functions get nonterminals of their own.
    ///
    /// Every part costs what the language says; an operator is charged for arguments that are not written as constants.
    /// Where a cost is given, it is that of the whole production without the terms of its nonterminals.
    ///
    /// # Errors
    /// Sorts that do not fit, forms other than functions, costs below the number of parts, too large a grammar.
    ///
    /// # Panics
    /// If the nonterminal comes from another grammar.
    pub fn production(
        &mut self,
        nonterminal: NonterminalId,
        term: &Term,
        language: &Language,
        vars: &[(Symbol, Sort)],
        cost: Option<u32>,
    ) -> Result<(), GrammarError> {
        let own = self.nonterminal(nonterminal);
        let (name, expected) = (own.name, own.sort);
        // The first that is found counts, from the back.
        let names = vars.iter().copied().chain(self.nonterminals.iter().map(|n| (n.name, n.sort))).collect();
        let scope = Scope { language, names, nonterminal: name };
        let found = scope.sort(term)?;
        if found != expected {
            return Err(GrammarError::ResultSort { nonterminal: name, expected, found });
        }
        let cost = cost.map(|total| self.outer_cost(&scope, term, total)).transpose()?;
        let production = self.flatten(&scope, term, cost)?;
        self.push(nonterminal, production)
    }

    /// The nonterminal of any constant of a sort, `(Constant SORT)`, to be used within productions by its name.
    pub fn any_constant(&mut self, sort: Sort, cost: u32) -> NonterminalId {
        let name = Symbol::new(&format!("(Constant {sort})"));
        self.named(name).unwrap_or_else(|| {
            let id = self.add(name, sort);
            let own = &mut self.nonterminals[id.0 as usize];
            own.productions.push(Production::AnyConstant { cost });
            own.made = true;
            id
        })
    }

    /// Adds a production that is in normal form.
    ///
    /// # Errors
    /// Too large a grammar.
    ///
    /// # Panics
    /// If the nonterminal comes from another grammar.
    pub fn push(&mut self, nonterminal: NonterminalId, production: Production) -> Result<(), GrammarError> {
        let n_productions: usize = self.nonterminals.iter().map(|own| own.productions.len()).sum();
        if n_productions >= PRODUCTION_LIMIT || self.nonterminals.len() > NONTERMINAL_LIMIT {
            return Err(GrammarError::TooLarge { hint: "" });
        }
        self.nonterminals[nonterminal.0 as usize].productions.push(production);
        Ok(())
    }

    /// What the outermost part costs if the whole costs `total` and all other parts 1.
    fn outer_cost(&self, scope: &Scope<'_>, term: &Term, total: u32) -> Result<u32, GrammarError> {
        let n_parts = self.n_parts(term);
        if n_parts == 0 || total < n_parts {
            let expected =
                if n_parts == 0 { "nothing: it passes on".to_owned() } else { format!("at least {n_parts}, 1 a part") };
            return Err(GrammarError::Cost { nonterminal: scope.nonterminal, expected, found: total });
        }
        Ok(total - (n_parts - 1))
    }

    /// Functions, variables and constants of a production, nonterminals apart.
    fn n_parts(&self, term: &Term) -> u32 {
        match term.node() {
            Node::Var(name) => u32::from(self.named(*name).is_none()),
            Node::App(_, args) => args.iter().fold(1, |sum: u32, arg| sum.saturating_add(self.n_parts(arg))),
            _ => 1,
        }
    }

    /// The production of a term. With a cost, that is what its head costs, and everything below costs 1.
    fn flatten(&mut self, scope: &Scope<'_>, term: &Term, cost: Option<u32>) -> Result<Production, GrammarError> {
        Ok(match term.node() {
            Node::Var(name) => match self.named(*name) {
                Some(id) => Production::Chain(id),
                None => Production::Leaf { term: term.clone(), cost: cost.unwrap_or(scope.language.variable_cost) },
            },
            Node::Const(value) if value.sort().is_none() => return Err(scope.form("none")),
            Node::Const(value) => {
                let cost = cost.unwrap_or_else(|| scope.language.constants.cost(*value));
                Production::Leaf { term: term.clone(), cost }
            }
            Node::App(Func::Lambda(..), _) => return Err(scope.form("a lambda")),
            Node::App(func, args) => {
                let own = cost.unwrap_or_else(|| head_cost(scope.language, func, args));
                let below = cost.map(|_| 1);
                let args = args.iter().map(|arg| self.part(scope, arg, below)).collect::<Result<_, _>>()?;
                Production::Apply { func: func.clone(), args, cost: own }
            }
            Node::Let(..) => return Err(scope.form("a let")),
            Node::Scan(_) => return Err(scope.form("a scan")),
            Node::Select { .. } => return Err(scope.form("a select")),
        })
    }

    /// The nonterminal of a part of a production: the one that it names, or one of its own.
    fn part(&mut self, scope: &Scope<'_>, term: &Term, cost: Option<u32>) -> Result<NonterminalId, GrammarError> {
        let sort = scope.sort(term)?;
        let production = self.flatten(scope, term, cost)?;
        if let Production::Chain(id) = production {
            return Ok(id);
        }
        let known = |own: &Nonterminal| own.made && own.sort == sort && own.productions == [production.clone()];
        if let Some(index) = self.nonterminals.iter().position(known) {
            return Ok(NonterminalId(index as u32));
        }
        let id = self.add(self.fresh(scope.nonterminal), sort);
        self.push(id, production)?;
        self.nonterminals[id.0 as usize].made = true;
        Ok(id)
    }

    /// A name that neither a nonterminal nor a variable has: programs cannot write it without bars.
    fn fresh(&self, base: Symbol) -> Symbol {
        let n = self.nonterminals.len();
        let names = (n..).map(|i| Symbol::new(&format!("{base}:{i}")));
        names.into_iter().find(|name| self.named(*name).is_none()).unwrap_or(base)
    }
}

impl Scope<'_> {
    fn sort(&self, term: &Term) -> Result<Sort, GrammarError> {
        sort_of(term, self.language, &self.names)
            .map_err(|error| GrammarError::Sort { nonterminal: self.nonterminal, error })
    }

    fn form(&self, found: &'static str) -> GrammarError {
        GrammarError::Form { nonterminal: self.nonterminal, found }
    }
}

/// What a function costs, with what is charged for arguments that are not written as constants.
fn head_cost(language: &Language, func: &Func, args: &[Term]) -> u32 {
    match func {
        Func::Op(id) => {
            let operator = language.op(*id);
            let charged = args.iter().zip(&operator.charges).filter(|(arg, _)| !matches!(arg.node(), Node::Const(_)));
            charged.fold(operator.cost, |sum, (_, charge)| sum.saturating_add(*charge))
        }
        Func::Table(_) => language.form_cost(Form::Table),
        Func::Kernel(_) | Func::Lambda(..) => 1,
    }
}
