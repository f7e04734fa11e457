//! A program as a list of named columns: what the network might carry, and what follows when one is another.
//!
//! Operators that look beyond a point are unfolded to their meaning, so that the columns that they pass through (the
//! token before this one, for "what came after the last occurrence") are there to be found and to be replaced.

use std::collections::BTreeMap;

use dsl::{Env, Func, Kernel, Language, Node, OpId, Scan, Term};
use samples::{Column, Points, Sort, Symbol, Value};

use super::sample::POSITIONS;
use crate::Error;

/// One named column: a function of the inputs and of columns named before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: Symbol,
    /// Over inputs and earlier names.
    definition: Term,
    /// The same as a term over the inputs, where the program has it in so many words; else the unfolded one.
    pub(super) term: Term,
}

/// A program, step by step.
#[derive(Clone, Debug)]
pub(super) struct Flat {
    pub(super) steps: Vec<Step>,
    output: Term,
}

/// Names and columns, inputs first.
pub(super) type Columns = Vec<(Symbol, Column)>;

/// What the inputs are and where they lie.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) language: &'a Language,
    pub(super) points: &'a Points,
    pub(super) vars: &'a [(Symbol, Column)],
}

impl Inputs<'_> {
    /// The values of a term over some names.
    ///
    /// # Errors
    /// A term that cannot be evaluated.
    pub(super) fn eval(&self, term: &Term, vars: &[(Symbol, Column)]) -> Result<Column, Error> {
        let env = Env { language: self.language, points: self.points, vars, causal: true };
        dsl::eval(term, &env).map_err(|error| Error::Term(error.to_string()))
    }
}

struct Flattening<'a> {
    inputs: Inputs<'a>,
    steps: Vec<Step>,
    columns: Columns,
}

/// A part of a term: an atom (or a selector) over names, and the same over inputs.
#[derive(Clone)]
struct Part {
    named: Term,
    plain: Term,
}

impl Flat {
    /// Flattens a program; `inputs` are any on which it can be evaluated.
    ///
    /// # Errors
    /// A program that cannot be evaluated.
    pub(super) fn new(program: &Term, inputs: Inputs<'_>) -> Result<Self, Error> {
        let mut state = Flattening { inputs, steps: Vec::new(), columns: inputs.vars.to_vec() };
        let program = &differences(program, inputs);
        let output = state.part(program, &BTreeMap::new())?;
        Ok(Self { steps: state.steps, output: output.named })
    }

    /// Whether the program speaks of every point by itself, whatever its operators are defined by.
    pub(super) fn is_pointwise(&self, language: &Language) -> bool {
        let definitions = self.steps.iter().map(|step| &step.definition);
        !definitions.chain([&self.output]).any(|term| relates(term, language))
    }

    /// All columns on some inputs, and the output, where the columns in `replaced`, inputs or steps, have other values than
    /// they would.
    ///
    /// # Errors
    /// As [`Flat::new`].
    pub(super) fn run(&self, inputs: Inputs<'_>, replaced: &[(Symbol, Column)]) -> Result<(Columns, Column), Error> {
        let other = |name: Symbol| replaced.iter().find(|(other, _)| *other == name).map(|(_, column)| column.clone());
        let mut columns: Columns =
            inputs.vars.iter().map(|(name, own)| (*name, other(*name).unwrap_or_else(|| own.clone()))).collect();
        for step in &self.steps {
            let value = match other(step.name) {
                Some(column) => column,
                None => inputs.eval(&step.definition, &columns)?,
            };
            columns.push((step.name, value));
        }
        let output = inputs.eval(&self.output, &columns)?;
        Ok((columns, output))
    }
}

impl Flattening<'_> {
    fn part(&mut self, term: &Term, names: &BTreeMap<Symbol, Part>) -> Result<Part, Error> {
        match term.node() {
            Node::Var(name) => {
                let here = || Part { named: term.clone(), plain: term.clone() };
                Ok(names.get(name).cloned().unwrap_or_else(here))
            }
            Node::Const(_) => Ok(Part { named: term.clone(), plain: term.clone() }),
            Node::Let(bindings, body) => {
                let mut inner = names.clone();
                for (name, value) in bindings {
                    let value = self.part(value, &inner)?;
                    inner.insert(*name, value);
                }
                self.part(body, &inner)
            }
            Node::App(func, args) => {
                let args: Vec<Part> = args.iter().map(|arg| self.part(arg, names)).collect::<Result<_, _>>()?;
                let apply = |args: Vec<Term>| Term::app(func.clone(), args);
                let plain = apply(args.iter().map(|arg| arg.plain.clone()).collect());
                if let Some(remainder) = self.remainder(func, &args)? {
                    return Ok(Part { plain, ..remainder });
                }
                if let Some(unfolded) = self.unfolded(func, &args)? {
                    return Ok(Part { plain, ..unfolded });
                }
                let named = apply(args.into_iter().map(|arg| arg.named).collect());
                self.named(Part { named, plain })
            }
            Node::Select { key, query, pred } => {
                let (key, query) = (self.part(key, names)?, self.part(query, names)?);
                let make = |key, query| Term::new(Node::Select { key, query, pred: pred.clone() });
                Ok(Part { named: make(key.named, query.named), plain: make(key.plain, query.plain) })
            }
            Node::Scan(scan) => {
                let put = |of: &dyn Fn(&Part) -> Term| {
                    let replace = |term: &Term| term.substitute(&|name| names.get(&name).map(of));
                    Term::new(Node::Scan(Scan {
                        states: scan.states.iter().map(|(name, init, t)| (*name, *init, replace(t))).collect(),
                        outputs: scan.outputs.iter().map(replace).collect(),
                    }))
                };
                let (named, plain) = (put(&|part| part.named.clone()), put(&|part| part.plain.clone()));
                self.named(Part { named, plain })
            }
        }
    }

    /// The result of an operator that looks beyond a point, from its meaning; its last step keeps the operator's name.
    fn unfolded(&mut self, func: &Func, args: &[Part]) -> Result<Option<Part>, Error> {
        let Func::Op(id) = func else { return Ok(None) };
        let operator = self.inputs.language.op(*id);
        if !looks_beyond(&operator.meaning) {
            return Ok(None);
        }
        let names = operator.params.iter().map(|(name, _)| *name).zip(args.iter().cloned()).collect();
        let meaning = operator.meaning.clone();
        let before = self.steps.len();
        let part = self.part(&meaning, &names)?;
        // What the program says in one word keeps that word.
        if let (Node::Var(name), true) = (part.named.node(), self.steps.len() > before)
            && let Some(step) = self.steps.last_mut().filter(|step| step.name == *name)
        {
            step.term = Term::app(func.clone(), args.iter().map(|arg| arg.plain.clone()).collect());
        }
        Ok(Some(part))
    }

    /// The remainder of an index, as that of the difference of two absolute positions, this one's and the first one's: a
    /// network that adds a vector for every absolute position is told no index. It may know the remainder of every
    /// position, and look up the first one's.
    fn remainder(&mut self, func: &Func, args: &[Part]) -> Result<Option<Part>, Error> {
        let own = |kernel| self.inputs.language.kernel_operator(kernel);
        let (Some(modulo), Some(minus), Some(equal)) = (own(Kernel::Mod), own(Kernel::Sub), own(Kernel::Eq)) else {
            return Ok(None);
        };
        let [index, divisor] = args else { return Ok(None) };
        let is_var = |part: &Part, name: &str| matches!(part.named.node(), Node::Var(own) if own.as_str() == name);
        let is_known = self.columns.iter().any(|(name, _)| name.as_str() == POSITIONS);
        let is_constant = matches!(divisor.named.node(), Node::Const(_));
        if *func != Func::Op(modulo) || !is_var(index, "indices") || !is_constant || !is_known {
            return Ok(None);
        }
        let rest = |term: Term| Term::op(modulo, vec![term, divisor.named.clone()]);
        let here = rest(Term::var(POSITIONS));
        let (key, query, pred) = (Term::var("indices"), Term::int(0), Func::Op(equal));
        let at_first = Term::new(Node::Select { key, query, pred });
        let first = Term::app(Func::Kernel(Kernel::Copy), vec![at_first, here.clone()]);
        self.part(&rest(Term::op(minus, vec![here, first])), &BTreeMap::new()).map(Some)
    }

    /// A part under a name of its own, or the one that it has already; selectors have none.
    fn named(&mut self, part: Part) -> Result<Part, Error> {
        if let Some(step) = self.steps.iter().find(|step| step.definition == part.named) {
            return Ok(Part { named: Term::var(step.name), plain: part.plain });
        }
        let column = self.inputs.eval(&part.named, &self.columns)?;
        if column.sort == Sort::Selector {
            return Ok(part);
        }
        let name = Symbol::new(&format!("#{}", self.steps.len()));
        self.steps.push(Step { name, definition: part.named, term: part.plain.clone() });
        self.columns.push((name, column));
        Ok(Part { named: Term::var(name), plain: part.plain })
    }
}

/// A program whose comparisons of two integers are comparisons of their difference with a constant: whatever computes
/// the one has the other at hand, and a network that keeps a difference keeps neither of the two.
fn differences(program: &Term, inputs: Inputs<'_>) -> Term {
    let language = inputs.language;
    let own = |kernel| language.kernel_operator(kernel);
    let Some(minus) = own(Kernel::Sub) else { return program.clone() };
    let sorts: Vec<(Symbol, Sort)> = inputs.vars.iter().map(|(name, column)| (*name, column.sort)).collect();
    let is_int = |term: &Term| dsl::sort_of(term, language, &sorts).is_ok_and(|sort| sort == Sort::Int);
    let compares = |id: OpId| [Kernel::Lt, Kernel::Le, Kernel::Eq].iter().any(|&kernel| own(kernel) == Some(id));
    let rewrite = |func: &Func, args: &[Term]| -> Option<Term> {
        let (Func::Op(id), [a, b]) = (func, args) else { return None };
        let (a, b) = (shifted(a, language), shifted(b, language));
        let constant = |term: &Term| matches!(term.node(), Node::Const(_));
        if !compares(*id) || constant(&a.0) || constant(&b.0) || !is_int(&a.0) || !is_int(&b.0) {
            return None;
        }
        Some(Term::op(*id, vec![Term::op(minus, vec![a.0, b.0]), Term::int(b.1 - a.1)]))
    };
    match program.node() {
        Node::App(func, args) => {
            let args: Vec<Term> = args.iter().map(|arg| differences(arg, inputs)).collect();
            rewrite(func, &args).unwrap_or_else(|| Term::app(func.clone(), args))
        }
        _ => program.clone(),
    }
}

/// A term without the small constant that it adds or takes away, and that constant.
fn shifted(term: &Term, language: &Language) -> (Term, i64) {
    if let Node::App(Func::Op(id), args) = term.node()
        && let [rest, constant] = &args[..]
        && let Node::Const(Value::Int(k)) = constant.node()
        && k.abs() < 1 << 32
    {
        if language.kernel_operator(Kernel::Add) == Some(*id) {
            return (rest.clone(), *k);
        }
        if language.kernel_operator(Kernel::Sub) == Some(*id) {
            return (rest.clone(), -k);
        }
    }
    (term.clone(), 0)
}

/// Whether a term relates positions to each other, in the meanings of its operators too.
fn relates(term: &Term, language: &Language) -> bool {
    let go = |term: &Term| relates(term, language);
    match term.node() {
        Node::Var(_) | Node::Const(_) => false,
        Node::App(func, args) => matches!(func, Func::Op(id) if go(&language.op(*id).meaning)) || args.iter().any(go),
        Node::Let(bindings, body) => bindings.iter().any(|(_, value)| go(value)) || go(body),
        Node::Scan(_) | Node::Select { .. } => true,
    }
}

/// Whether a meaning relates positions to each other.
fn looks_beyond(meaning: &Term) -> bool {
    match meaning.node() {
        Node::Var(_) | Node::Const(_) => false,
        Node::App(_, args) => args.iter().any(looks_beyond),
        Node::Let(bindings, body) => bindings.iter().any(|(_, value)| looks_beyond(value)) || looks_beyond(body),
        Node::Scan(_) | Node::Select { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use samples::Batch;

    use super::*;

    fn setting() -> (Language, Points, Columns) {
        let language = Language::load_shipped("sequences").expect("it is shipped");
        let texts = ["<bos>", "a", "b", "a", "c", "b"].map(|text| Symbol::new(text).code());
        let batch = Batch::from_sequences(1, [[0; 6]]);
        let vars = vec![
            ("tokens".into(), Column::new(Sort::Symbol, texts.to_vec())),
            ("indices".into(), Column::new(Sort::Int, (0..6).collect())),
        ];
        (language, batch.points(), vars)
    }

    fn parse(text: &str, language: &Language) -> Term {
        dsl::parse_term(text, language, &[("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int)]).expect(text)
    }

    #[test]
    fn comparisons_become_those_of_differences() {
        let (language, points, vars) = setting();
        let inputs = Inputs { language: &language, points: &points, vars: &vars };
        let check = |text: &str, expected: &str| {
            assert_eq!(dsl::print(&differences(&parse(text, &language), inputs), &language), expected);
        };
        let (a, b) = ("(count (= tokens \"a\"))", "(count (= tokens \"b\"))");
        check(&format!("(< {a} (+ {b} 3))"), &format!("(< (- {a} {b}) 3)"));
        check(&format!("(not (= (- {a} 1) {b}))"), &format!("(not (= (- {a} {b}) 1))"));
        check(&format!("(< {a} 3)"), &format!("(< {a} 3)"));
        check("(= tokens (at tokens 1))", "(= tokens (at tokens 1))");
    }

    #[test]
    fn flattening_changes_no_value() {
        let (language, points, vars) = setting();
        let inputs = Inputs { language: &language, points: &points, vars: &vars };
        for text in [
            "tokens",
            "(after tokens)",
            "(let ((d (- (count (= tokens \"a\")) (count (= tokens \"b\"))))) (also (also \"#json:[]\" \"a\" (< d 2)) \"b\" (< 0 d)))",
            "(odd_count (and (= tokens \"a\") (latch (= tokens \"b\") (odd_run (= tokens \"a\")))))",
            "(share (= (previous tokens) \"a\"))",
            "(count_every (= tokens \"a\") 3)",
        ] {
            let term = parse(text, &language);
            let flat = Flat::new(&term, inputs).expect(text);
            let (columns, output) = flat.run(inputs, &[]).expect(text);
            assert_eq!(output, inputs.eval(&term, &vars).expect(text), "{text}");
            for step in &flat.steps {
                let column = columns.iter().find(|(name, _)| *name == step.name).map(|(_, column)| column);
                assert_eq!(column, Some(&inputs.eval(&step.term, &vars).expect(text)), "{text}: {:?}", step.term);
            }
        }
    }

    #[test]
    fn remainders_of_an_index_are_those_of_positions() {
        let (language, points, mut vars) = setting();
        let term = parse("(= (% indices 4) 0)", &language);
        let steps = |vars: &Columns| {
            let inputs = Inputs { language: &language, points: &points, vars };
            let flat = Flat::new(&term, inputs).expect("it has a value");
            let (_, output) = flat.run(inputs, &[]).expect("it has a value");
            assert_eq!(output, inputs.eval(&term, vars).expect("it has a value"));
            (flat, output)
        };
        let (own, _) = steps(&vars);
        assert_eq!(own.steps.len(), 2, "a remainder and its comparison");
        vars.push((POSITIONS.into(), Column::new(Sort::Int, (7..13).collect())));
        let (flat, output) = steps(&vars);
        let printed: Vec<String> = flat.steps.iter().map(|step| dsl::print(&step.term, &language)).collect();
        assert_eq!(printed[0], "(% positions 4)");
        assert!(printed[1].contains("(% positions 4)"), "the first one's: {}", printed[1]);
        // Moved by one everywhere, the positions say the same.
        let inputs = Inputs { language: &language, points: &points, vars: &vars };
        let moved = Column::new(Sort::Int, (8..14).map(|position| position % 4).collect());
        let (_, again) = flat.run(inputs, &[(flat.steps[0].name, moved.clone())]).expect("it has a value");
        assert_eq!(again, output);
        // Only the first one's moved, it is as if the sequence began elsewhere.
        let first = Column::new(Sort::Int, vec![0; 6]);
        let (_, other) = flat.run(inputs, &[(flat.steps[1].name, first)]).expect("it has a value");
        assert_eq!(other.codes, [0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn a_replaced_input_is_read_by_all_steps() {
        let (language, points, vars) = setting();
        let inputs = Inputs { language: &language, points: &points, vars: &vars };
        let all_a = Column::constant(Sort::Symbol, Value::Symbol("a".into()), 6);
        for (text, is_pointwise) in [
            ("(or (= tokens \"a\") (= tokens \"b\"))", true),
            ("(exists (= tokens \"c\"))", false),
            ("(not (previous (= tokens \"c\")))", false),
            ("tokens", true),
        ] {
            let term = parse(text, &language);
            let flat = Flat::new(&term, inputs).expect(text);
            assert_eq!(flat.is_pointwise(&language), is_pointwise, "{text}");
            let (_, output) = flat.run(inputs, &[("tokens".into(), all_a.clone())]).expect(text);
            let with_a: Columns = vec![("tokens".into(), all_a.clone()), vars[1].clone()];
            assert_eq!(output, inputs.eval(&term, &with_a).expect(text), "{text}");
        }
    }

    #[test]
    fn a_replaced_step_changes_what_follows() {
        let (language, points, vars) = setting();
        let inputs = Inputs { language: &language, points: &points, vars: &vars };
        let flat = Flat::new(&parse("(after tokens)", &language), inputs).expect("it has a value");
        let previous = parse("(previous tokens)", &language);
        let wanted = inputs.eval(&previous, &vars).expect("it has a value");
        let (columns, _) = flat.run(inputs, &[]).expect("it has a value");
        let step = flat.steps.iter().find(|s| columns.iter().any(|(n, c)| *n == s.name && *c == wanted));
        let step = step.expect("what came before is a step of what comes after");
        // As if every token came after "c": after "c" came all of them, after others nothing.
        let replaced = Column::constant(Sort::Symbol, samples::Value::Symbol("c".into()), 6);
        let (_, output) = flat.run(inputs, &[(step.name, replaced)]).expect("it has a value");
        assert!(output.codes.iter().all(|&code| code == samples::UNDEFINED));
    }
}
