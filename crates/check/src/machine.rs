//! A program as a machine: a state that can be set, and one step at a time.
//!
//! Evaluation on whole sequences starts every scan at its initial value. Interventions continue a program from another
//! state, and proofs ask what follows from every state: both need single steps.

use dsl::{Env, Language, Node, Term};
use samples::{Column, Domain, Elements, Points, Sort, Symbol, UNDEFINED, encode_value};

use crate::Error;

/// A program over integers as states, an update and outputs. A program without a scan has no state.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    language: &'a Language,
    inputs: Vec<Symbol>,
    names: Vec<Symbol>,
    init: Vec<i64>,
    sorts: Vec<Sort>,
    updates: Vec<Term>,
    outputs: Vec<Term>,
}

/// What a step makes of many states at once.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// For every state variable, its values after the step.
    pub states: Vec<Vec<i64>>,
    /// The outputs, a column each.
    pub outputs: Vec<Column>,
}

impl<'a> Machine<'a> {
    /// The machine of a program: a scan at the top, or no scan at all. `None` where the program looks at other
    /// positions in another way, or the domain is none of integers.
    pub fn new(program: &Term, language: &'a Language, domain: &Domain) -> Option<Self> {
        let Elements::Integers { .. } = domain.elements else { return None };
        let inputs = domain.inputs().into_iter().map(|(name, _)| name).collect();
        let (states, outputs) = match program.node() {
            Node::Scan(scan) => (scan.states.clone(), scan.outputs.clone()),
            _ => (Vec::new(), vec![program.clone()]),
        };
        let mut machine = Self {
            language,
            inputs,
            names: Vec::new(),
            init: Vec::new(),
            sorts: Vec::new(),
            updates: Vec::new(),
            outputs,
        };
        for (name, init, update) in states {
            machine.names.push(name);
            machine.init.push(encode_value(init));
            machine.sorts.push(init.sort()?);
            machine.updates.push(update);
        }
        machine.updates.iter().chain(&machine.outputs).all(is_local).then_some(machine)
    }

    /// The names of the state variables.
    pub fn names(&self) -> &[Symbol] {
        &self.names
    }

    /// The sorts of the state variables.
    pub fn sorts(&self) -> &[Sort] {
        &self.sorts
    }

    /// The names of the inputs.
    pub fn inputs(&self) -> &[Symbol] {
        &self.inputs
    }

    /// The language of the program.
    pub fn language(&self) -> &'a Language {
        self.language
    }

    /// The updates of the states, over states and inputs.
    pub fn updates(&self) -> &[Term] {
        &self.updates
    }

    /// The outputs, over states, states after the step (primed) and inputs.
    pub fn outputs(&self) -> &[Term] {
        &self.outputs
    }

    /// The codes of the states before the first element.
    pub fn initial(&self) -> &[i64] {
        &self.init
    }

    /// One step from many states: `states` holds a column of codes for every state variable, `elements` one for every
    /// coordinate of the input, all of the same length.
    ///
    /// # Errors
    /// Where the program cannot be evaluated, or an update changes the sort of its state.
    pub fn step(&self, states: &[Vec<i64>], elements: &[Vec<i64>]) -> Result<Stepped, Error> {
        let n = elements.first().or(states.first()).map_or(0, Vec::len);
        let points = Points::from_lengths(std::iter::repeat_n(1, n));
        let mut vars: Vec<(Symbol, Column)> = self
            .inputs
            .iter()
            .zip(elements)
            .map(|(&name, codes)| (name, Column::new(Sort::Int, codes.clone())))
            .collect();
        let before = self.names.iter().zip(&self.sorts).zip(states);
        vars.extend(before.map(|((&name, &sort), codes)| (name, Column::new(sort, codes.clone()))));
        let value = |term: &Term, vars: &[(Symbol, Column)]| {
            let env = Env { language: self.language, points: &points, vars, causal: true };
            dsl::eval(term, &env).map_err(|error| Error::Program(error.to_string()))
        };
        let after: Vec<Column> = self.updates.iter().map(|update| value(update, &vars)).collect::<Result<_, _>>()?;
        if let Some((column, sort)) = after.iter().zip(&self.sorts).find(|(column, sort)| column.sort != **sort) {
            return Err(Error::Program(format!("a state of sort {sort} is updated to a {}", column.sort)));
        }
        let next = after.iter().map(|column| column.codes.clone()).collect();
        vars.extend(self.names.iter().zip(after).map(|(name, column)| (primed(*name), column)));
        let outputs = self.outputs.iter().map(|output| value(output, &vars)).collect::<Result<_, _>>()?;
        Ok(Stepped { states: next, outputs })
    }
}

/// The name of a state's value after the element.
pub fn primed(name: Symbol) -> Symbol {
    Symbol::new(&format!("{name}'"))
}

/// The integer that a code of a program's output means, where it means one: truth values are 0 and 1.
pub fn integer(column: &Column, point: usize) -> Option<i64> {
    let code = *column.codes.get(point)?;
    match column.sort {
        Sort::Int | Sort::Bool => (code != UNDEFINED).then_some(code),
        Sort::Real => {
            let value = column.value(point).as_f64()?;
            (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
        }
        _ => None,
    }
}

/// Whether a term looks at its own element alone.
fn is_local(term: &Term) -> bool {
    match term.node() {
        Node::Var(_) | Node::Const(_) => true,
        Node::App(_, args) => args.iter().all(is_local),
        Node::Let(bindings, body) => bindings.iter().all(|(_, value)| is_local(value)) && is_local(body),
        Node::Scan(_) | Node::Select { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use samples::Decode;

    use super::*;

    #[test]
    fn steps_are_those_of_the_scan() {
        let language = Language::load_shipped("recurrent").expect("shipped");
        let domain = Domain {
            elements: Elements::Integers { dim: 1, lo: 0, hi: 15 },
            length: (3, 3),
            decode: Decode::Round,
            n_outputs: 1,
        };
        let program = dsl::parse_term("(scan ((s 0 (% (+ s x) 15))) (< s' x))", &language, &domain.inputs());
        let machine = Machine::new(&program.expect("sound"), &language, &domain).expect("a scan");
        assert_eq!(machine.initial(), [0]);
        let stepped = machine.step(&[vec![7, 14]], &[vec![9, 0]]).expect("runs");
        assert_eq!(stepped.states, [[1, 14]]);
        assert_eq!(stepped.outputs[0].codes, [1, 0]);
        let nested = dsl::parse_term("(+ 1 (scan ((s 0 (+ s x))) s'))", &language, &domain.inputs());
        assert!(Machine::new(&nested.expect("sound"), &language, &domain).is_none());
    }
}
