//! Building programs out of what the language has: every constructor looks its operator up and gives nothing where the
//! language has none.

use dsl::{Form, Func, Kernel, Language, Node, Scan, Term};
use samples::{Symbol, Value};

/// A state variable of a program: name, value before the first element, update.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Name.
    pub name: Symbol,
    /// Value before the first element.
    pub init: i64,
    /// Value after each element, over inputs and states.
    pub update: Term,
}

/// The name of a state's value after the element.
pub(crate) fn primed(name: Symbol) -> Symbol {
    Symbol::new(&format!("{name}'"))
}

/// The name of the value of `name` some elements ago.
pub(crate) fn lagged(name: Symbol, lag: usize) -> Symbol {
    if lag == 0 { name } else { Symbol::new(&format!("{name}_{lag}")) }
}

/// Constructors over a language.
#[derive(Clone, Copy)]
pub(crate) struct Build<'a> {
    pub language: &'a Language,
}

impl Build<'_> {
    /// A kernel function's operator applied to arguments.
    pub(crate) fn kernel(&self, kernel: Kernel, args: Vec<Term>) -> Option<Term> {
        self.language.kernel_operator(kernel).map(|op| Term::op(op, args))
    }

    fn add(&self, a: Term, b: Term) -> Option<Term> {
        self.kernel(Kernel::Add, vec![a.clone(), b.clone()]).or_else(|| {
            let negative = self.kernel(Kernel::Sub, vec![Term::int(0), b])?;
            self.kernel(Kernel::Sub, vec![a, negative])
        })
    }

    fn sub(&self, a: Term, b: Term) -> Option<Term> {
        self.kernel(Kernel::Sub, vec![a.clone(), b.clone()]).or_else(|| {
            let negative = self.negate(b)?;
            self.kernel(Kernel::Add, vec![a, negative])
        })
    }

    fn negate(&self, a: Term) -> Option<Term> {
        self.kernel(Kernel::Neg, vec![a.clone()])
            .or_else(|| self.kernel(Kernel::Sub, vec![Term::int(0), a.clone()]))
            .or_else(|| self.kernel(Kernel::Mul, vec![Term::int(-1), a]))
    }

    /// `factor * a` for a positive factor: the cheaper of a product and of repeated addition.
    fn times(&self, factor: i64, a: &Term) -> Option<Term> {
        if factor == 1 {
            return Some(a.clone());
        }
        let product = self.kernel(Kernel::Mul, vec![Term::int(factor), a.clone()]);
        let repeated = if factor <= 4 { self.sum(vec![a.clone(); usize::try_from(factor).ok()?]) } else { None };
        self.cheaper(repeated, product)
    }

    /// The cheaper of two terms, of those that there are.
    pub(crate) fn cheaper(&self, a: Option<Term>, b: Option<Term>) -> Option<Term> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if self.cost(&b) < self.cost(&a) { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// The sum of some terms, at least one.
    fn sum(&self, terms: Vec<Term>) -> Option<Term> {
        let mut terms = terms.into_iter().rev();
        let last = terms.next()?;
        terms.try_fold(last, |sum, term| self.add(term, sum))
    }

    /// `constant + sum of factor * term`.
    pub(crate) fn weighted_sum(&self, terms: &[(i64, Term)], constant: i64) -> Option<Term> {
        let (mut plus, mut minus) = (Vec::new(), Vec::new());
        for (factor, term) in terms.iter().filter(|(factor, _)| *factor != 0) {
            let side = if *factor > 0 { &mut plus } else { &mut minus };
            side.push(self.times(factor.abs(), term)?);
        }
        match constant {
            0 => {}
            1.. => plus.push(Term::int(constant)),
            _ => minus.push(Term::int(constant.checked_neg()?)),
        }
        match (plus.is_empty(), minus.is_empty()) {
            (true, true) => Some(Term::int(0)),
            (false, true) => self.sum(plus),
            (true, false) => self.negate(self.sum(minus)?),
            (false, false) => self.sub(self.sum(plus)?, self.sum(minus)?),
        }
    }

    /// A program with these states, those that nothing needs left out.
    pub(crate) fn program(&self, states: &[State], outputs: Vec<Term>) -> Option<Term> {
        let mut needed: Vec<Symbol> = outputs.iter().flat_map(variables).collect();
        let mut at = 0;
        while at < needed.len() {
            let name = needed[at];
            at += 1;
            let state = states.iter().find(|state| state.name == name || primed(state.name) == name);
            for variable in state.map(|state| variables(&state.update)).unwrap_or_default() {
                if !needed.contains(&variable) {
                    needed.push(variable);
                }
            }
        }
        let kept: Vec<(Symbol, Value, Term)> = states
            .iter()
            .filter(|state| needed.contains(&state.name) || needed.contains(&primed(state.name)))
            .map(|state| (state.name, Value::Int(state.init), state.update.clone()))
            .collect();
        match <[Term; 1]>::try_from(outputs) {
            Ok([output]) if kept.is_empty() => Some(output),
            Ok([output]) => self.scan(kept, vec![output]),
            Err(outputs) => self.scan(kept, outputs),
        }
    }

    fn scan(&self, states: Vec<(Symbol, Value, Term)>, outputs: Vec<Term>) -> Option<Term> {
        self.language.has_form(Form::Scan).then(|| Term::new(Node::Scan(Scan { states, outputs })))
    }

    /// The cost of a term in the language.
    pub(crate) fn cost(&self, term: &Term) -> f64 {
        dsl::cost(term, self.language)
    }
}

/// The variables of a term, in order of first use; bound names count too.
pub(crate) fn variables(term: &Term) -> Vec<Symbol> {
    let mut found = Vec::new();
    collect(term, &mut found);
    found
}

fn collect(term: &Term, found: &mut Vec<Symbol>) {
    match term.node() {
        Node::Var(name) => {
            if !found.contains(name) {
                found.push(*name);
            }
        }
        Node::Const(_) => {}
        Node::App(func, args) => {
            if let Func::Lambda(_, body) = func {
                collect(body, found);
            }
            args.iter().for_each(|arg| collect(arg, found));
        }
        Node::Let(bound, body) => {
            bound.iter().for_each(|(_, value)| collect(value, found));
            collect(body, found);
        }
        Node::Scan(scan) => {
            scan.states.iter().for_each(|(_, _, update)| collect(update, found));
            scan.outputs.iter().for_each(|output| collect(output, found));
        }
        Node::Select { key, query, .. } => {
            collect(key, found);
            collect(query, found);
        }
    }
}
