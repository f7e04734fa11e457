//! What a program costs: its atoms, and its cost by the language.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::language::{Form, Language};
use crate::term::{Func, Node, Table, Term};

/// The number of atoms of the printed text: operators, variables, constants, forms; a name bound by `let` counts where
/// it is used, a state of a scan counts its initial value, a table its entries, once.
pub fn size(term: &Term, _language: &Language) -> usize {
    let mut measure = Measure { weigh: &Atoms, memo: FxHashMap::default(), tables: Vec::new() };
    let atoms = measure.term(term);
    measure.tables.iter().fold(atoms, |sum, table| sum.saturating_add(table.entries.len() as u64)) as usize
}

/// The cost by the language: operators with their charges, constants, variables, forms; a table costs its form and
/// half a unit for every value in it.
pub fn cost(term: &Term, language: &Language) -> f64 {
    let mut measure = Measure { weigh: &Costs { language }, memo: FxHashMap::default(), tables: Vec::new() };
    let sum = measure.term(term) as f64;
    let form = f64::from(language.form_cost(Form::Table));
    let of_table = |table: &Arc<Table>| form + 0.5 * (table.entries.len() * (table.params.len() + 1)) as f64;
    sum + measure.tables.iter().map(of_table).sum::<f64>()
}

trait Weigh {
    fn atom(&self, term: &Term) -> u64;
    /// A function applied to arguments, or as a predicate (then without arguments).
    fn func(&self, func: &Func, args: &[Term]) -> u64;
    fn form(&self, form: Form) -> u64;
}

struct Atoms;

impl Weigh for Atoms {
    fn atom(&self, _: &Term) -> u64 {
        1
    }

    fn func(&self, _: &Func, _: &[Term]) -> u64 {
        1
    }

    fn form(&self, form: Form) -> u64 {
        u64::from(form != Form::Let)
    }
}

struct Costs<'a> {
    language: &'a Language,
}

impl Weigh for Costs<'_> {
    fn atom(&self, term: &Term) -> u64 {
        u64::from(match term.node() {
            Node::Const(value) => self.language.constants.cost(*value),
            _ => self.language.variable_cost,
        })
    }

    fn func(&self, func: &Func, args: &[Term]) -> u64 {
        match func {
            Func::Op(id) => {
                let operator = self.language.op(*id);
                let charged =
                    args.iter().zip(&operator.charges).filter(|(arg, _)| !matches!(arg.node(), Node::Const(_)));
                u64::from(operator.cost) + charged.map(|(_, charge)| u64::from(*charge)).sum::<u64>()
            }
            Func::Lambda(..) => u64::from(self.language.form_cost(Form::Lambda)),
            Func::Kernel(_) | Func::Table(_) => 1,
        }
    }

    fn form(&self, form: Form) -> u64 {
        if form == Form::Let { 0 } else { u64::from(self.language.form_cost(form)) }
    }
}

struct Measure<'a> {
    weigh: &'a dyn Weigh,
    /// By address: shared nodes are printed as often as they occur, but weighed once.
    memo: FxHashMap<usize, u64>,
    tables: Vec<Arc<Table>>,
}

impl Measure<'_> {
    fn term(&mut self, term: &Term) -> u64 {
        if let Some(&known) = self.memo.get(&term.address()) {
            return known;
        }
        let total = match term.node() {
            Node::Var(_) | Node::Const(_) => self.weigh.atom(term),
            Node::App(func, args) => {
                let own = self.func(func, args);
                args.iter().fold(own, |sum, arg| sum.saturating_add(self.term(arg)))
            }
            Node::Let(bindings, body) => {
                let own = self.weigh.form(Form::Let).saturating_add(self.term(body));
                bindings.iter().fold(own, |sum, (_, value)| sum.saturating_add(self.term(value)))
            }
            Node::Scan(scan) => {
                let mut sum = self.weigh.form(Form::Scan);
                for (_, init, update) in &scan.states {
                    let init = self.weigh.atom(&Term::constant(*init));
                    sum = sum.saturating_add(init).saturating_add(self.term(update));
                }
                scan.outputs.iter().fold(sum, |sum, output| sum.saturating_add(self.term(output)))
            }
            Node::Select { key, query, pred } => {
                let own = self.weigh.form(Form::Select).saturating_add(self.func(pred, &[]));
                own.saturating_add(self.term(key)).saturating_add(self.term(query))
            }
        };
        self.memo.insert(term.address(), total);
        total
    }

    fn func(&mut self, func: &Func, args: &[Term]) -> u64 {
        let own = self.weigh.func(func, args);
        match func {
            Func::Table(table) if !self.tables.iter().any(|other| other == table) => self.tables.push(table.clone()),
            Func::Lambda(_, body) => return own.saturating_add(self.term(body)),
            _ => {}
        }
        own
    }
}
