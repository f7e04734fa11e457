//! A program at one position as a function of atoms.

use dsl::{Func, Kernel, Language, Node, Term};
use rustc_hash::FxHashMap;
use samples::{Column, Sort, UNDEFINED, Value, decode_code, encode_value};

use super::atoms::{Atoms, Choice, Made, Table, union};

/// Values of one sort, as codes.
#[derive(Clone)]
pub(super) struct Codes {
    pub(super) sort: Sort,
    pub(super) table: Table<i64>,
}

/// A program on sequences of one length.
pub(super) struct Reader<'a> {
    pub(super) language: &'a Language,
    /// The values of the tokens that inputs hold.
    pub(super) tokens: Vec<i64>,
    pub(super) token_sort: Sort,
    pub(super) length: usize,
    pub(super) causal: bool,
    pub(super) known: FxHashMap<(usize, usize), Option<Codes>>,
}

impl Reader<'_> {
    /// A term without names at a position; `None` where it is of a kind that is not followed, or too large.
    pub(super) fn term(&mut self, term: &Term, at: usize, atoms: &mut Atoms) -> Option<Codes> {
        let key = (term.address(), at);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.fresh(term, at, atoms);
        self.known.insert(key, found.clone());
        found
    }

    fn fresh(&mut self, term: &Term, at: usize, atoms: &mut Atoms) -> Option<Codes> {
        match term.node() {
            Node::Var(name) if name.as_str() == "tokens" => {
                let atom = atoms.token(at, self.tokens.len());
                Some(Codes { sort: self.token_sort, table: Table { atoms: vec![atom], cells: self.tokens.clone() } })
            }
            Node::Var(name) if name.as_str() == "indices" => constant(Sort::Int, i64::try_from(at).ok()?),
            Node::Const(value) => constant(value.sort().unwrap_or(Sort::Int), encode_value(*value)),
            Node::App(func, args) => {
                if let ([selector, ..], Some(kernel)) = (&args[..], self.kernel(func))
                    && let Node::Select { key, query, pred } = selector.node()
                {
                    let selected = self.selected((key, query, pred), at, atoms)?;
                    return self.aggregate(kernel, selected, args.get(1), atoms);
                }
                let args = args.iter().map(|arg| self.term(arg, at, atoms)).collect::<Option<Vec<Codes>>>()?;
                self.apply(func, &args, atoms)
            }
            _ => None,
        }
    }

    fn kernel(&self, func: &Func) -> Option<Kernel> {
        let Func::Op(id) = func else { return None };
        let operator = self.language.operators().find(|(other, _)| other == id)?.1;
        operator.kernel().filter(|_| operator.condition.is_none())
    }

    /// A function applied point by point, to all combinations of what its arguments depend on.
    fn apply(&self, func: &Func, args: &[Codes], atoms: &Atoms) -> Option<Codes> {
        let all = union(args.iter().map(|arg| &arg.table.atoms[..]));
        atoms.cells(&all)?;
        let column = |arg: &Codes| {
            let places = atoms.places(&all, &arg.table.atoms);
            Column::new(arg.sort, places.into_iter().map(|place| arg.table.cells[place]).collect())
        };
        let columns: Vec<Column> = args.iter().map(column).collect();
        let result = dsl::apply(self.language, func, &columns.iter().collect::<Vec<_>>()).ok()?;
        if result.sort == Sort::Selector || columns.is_empty() {
            return None;
        }
        let table = atoms.reduced(Table { atoms: all, cells: result.codes });
        Some(Codes { sort: result.sort, table })
    }

    /// For every key that may be seen, whether it is selected.
    fn selected(
        &mut self,
        (key, query, pred): (&Term, &Term, &Func),
        at: usize,
        atoms: &mut Atoms,
    ) -> Option<Vec<Table<i64>>> {
        let query = self.term(query, at, atoms)?;
        let n = if self.causal { at + 1 } else { self.length };
        (0..n)
            .map(|position| {
                let key = self.term(key, position, atoms)?;
                let mut found = self.apply(pred, &[key, query.clone()], atoms)?.table;
                found.cells.iter_mut().for_each(|code| *code = i64::from(*code == 1));
                Some(atoms.reduced(found))
            })
            .collect()
    }

    fn aggregate(
        &mut self,
        kernel: Kernel,
        selected: Vec<Table<i64>>,
        value: Option<&Term>,
        atoms: &mut Atoms,
    ) -> Option<Codes> {
        let values = match (kernel, value) {
            (Kernel::Width, _) => vec![Codes { sort: Sort::Int, table: Table::constant(1) }; selected.len()],
            (Kernel::Copy | Kernel::Mean, Some(value)) => {
                (0..selected.len()).map(|at| self.term(value, at, atoms)).collect::<Option<Vec<_>>>()?
            }
            _ => return None,
        };
        let sort = values.first()?.sort;
        let mut distinct: Vec<i64> = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        for (selected, value) in selected.iter().zip(&values) {
            let all = union([&selected.atoms[..], &value.table.atoms[..]]);
            atoms.cells(&all)?;
            let (chosen, valued) = (atoms.places(&all, &selected.atoms), atoms.places(&all, &value.table.atoms));
            let mut cells = Vec::with_capacity(chosen.len());
            for (chosen, valued) in chosen.into_iter().zip(valued) {
                let code = value.table.cells[valued];
                if selected.cells[chosen] == 0 {
                    cells.push(0);
                    continue;
                }
                let class = distinct.iter().position(|&known| known == code).unwrap_or_else(|| {
                    distinct.push(code);
                    distinct.len() - 1
                });
                cells.push(u16::try_from(class + 1).ok()?);
            }
            choices.push(atoms.reduced(Table { atoms: all, cells }));
        }
        let result = match kernel {
            Kernel::Width => Sort::Int,
            Kernel::Mean => Sort::Real,
            _ => sort,
        };
        // One key that is always selected, alone: its value, whatever that is.
        let sometimes: Vec<usize> =
            (0..choices.len()).filter(|&j| choices[j].cells.iter().any(|&code| code > 0)).collect();
        if let [only] = sometimes[..]
            && choices[only].cells.iter().all(|&code| code > 0)
            && kernel != Kernel::Width
        {
            let value = &values[only];
            let cells = value.table.cells.iter();
            let cells = cells.map(|&code| combined(kernel, sort, &[(code, 1)])).collect::<Option<Vec<_>>>()?;
            return Some(Codes { sort: result, table: Table { atoms: value.table.atoms.clone(), cells } });
        }
        if choices.iter().all(|choice| choice.cells.len() == 1) {
            let mut all: Vec<(i64, u16)> = Vec::new();
            for code in choices.iter().map(|choice| choice.cells[0]).filter(|&code| code > 0) {
                all.push((distinct[usize::from(code) - 1], 1));
            }
            return constant(result, combined(kernel, sort, &all)?);
        }
        let (atom, classes) = atoms.selection(choices)?;
        let code_of = |class: usize| distinct[usize::from(classes[class]) - 1];
        let value = |made: &Made| match made {
            Made::Of(counts) => {
                let parts = counts.iter().enumerate().filter(|(_, n)| **n > 0);
                combined(kernel, sort, &parts.map(|(class, &n)| (code_of(class), n)).collect::<Vec<_>>())
            }
            Made::Only(class) => combined(kernel, sort, &[(code_of(usize::from(*class)), 1)]),
            Made::Mixed if kernel == Kernel::Copy && sort != Sort::Real => Some(UNDEFINED),
            Made::Mixed => None,
        };
        let cells = atoms.made(atom).iter().map(value).collect::<Option<Vec<_>>>()?;
        Some(Codes { sort: result, table: Table { atoms: vec![atom], cells } })
    }
}

fn constant(sort: Sort, code: i64) -> Option<Codes> {
    Some(Codes { sort, table: Table::constant(code) })
}

/// What an aggregate makes of so many of some codes.
fn combined(kernel: Kernel, sort: Sort, parts: &[(i64, u16)]) -> Option<i64> {
    let total: u32 = parts.iter().map(|&(_, n)| u32::from(n)).sum();
    let mean = || -> Option<i64> {
        let mut sum = 0.0;
        for &(code, n) in parts {
            match decode_code(sort, code).as_f64() {
                // Sums of other numbers depend on their order in the last digits.
                Some(value) if value.fract() == 0.0 || total == 1 => sum += value * f64::from(n),
                Some(_) => return None,
                None => return Some(UNDEFINED),
            }
        }
        Some(encode_value(Value::Real(sum / f64::from(total))))
    };
    match kernel {
        Kernel::Width => Some(i64::from(total)),
        Kernel::Mean if total == 0 => Some(encode_value(Value::Real(0.0))),
        Kernel::Mean => mean(),
        _ => match parts {
            [] => Some(UNDEFINED),
            [(code, _), rest @ ..] if rest.iter().all(|(other, _)| other == code) => Some(*code),
            _ if parts.iter().any(|&(code, _)| code == UNDEFINED) => Some(UNDEFINED),
            _ if sort == Sort::Real => mean(),
            _ => Some(UNDEFINED),
        },
    }
}
