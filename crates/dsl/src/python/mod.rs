//! Programs as Python 3: one function `run(inputs)`, without imports.
//!
//! The text derives from the kernel's meaning of every operator. An expression that can be undefined is `None` in
//! Python, and only such expressions are guarded. Python's integers do not overflow: where a program leaves 64 bits it is
//! undefined here and goes on there.

mod expr;
mod helpers;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol};

use crate::infer::{SortError, after, program_sorts, value_sort};
use crate::language::{Language, OpId};
use crate::term::{Node, Scan, Term};

use self::expr::{Code, Level, indent};
use self::helpers::{Helper, identifier, literal};

/// What `run` takes and returns.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PythonOutput {
    /// Truth values are returned as 1 and 0.
    pub integers: bool,
    /// Selections see only positions up to their own.
    pub causal: bool,
}

/// The program as Python: `run(inputs)` takes one sequence and returns a list with one entry per element, `None` where
/// the program is undefined; a list of values per element for a program of several outputs.
///
/// Of the inputs, `indices` is the position; an input `xK` among several is coordinate K of an element, any other is the
/// element itself.
///
/// # Errors
/// Terms that have no sort.
pub fn python(
    term: &Term,
    language: &Language,
    inputs: &[(Symbol, Sort)],
    output: PythonOutput,
) -> Result<String, SortError> {
    program_sorts(term, language, inputs)?;
    let mut generator = Generator::new(language, output);
    generator.count(term);
    let elements: Vec<Symbol> =
        inputs.iter().map(|(name, _)| *name).filter(|name| name.as_str() != "indices").collect();
    for &(name, sort) in inputs {
        let column = generator.fresh(name.as_str());
        let is_indices = name.as_str() == "indices";
        let source = match (is_indices, elements.iter().position(|other| *other == name)) {
            (false, Some(axis)) if elements.len() > 1 => format!("[element[{axis}] for element in inputs]"),
            (false, _) => "list(inputs)".to_owned(),
            (true, _) => "list(range(n))".to_owned(),
        };
        generator.sources.push((column.clone(), source));
        generator.scope.push((name, Binding { name: column, column: true, sort, partial: false }));
    }
    let body = generator.program(term);
    Ok(generator.text(&body))
}

/// What a name stands for.
#[derive(Clone)]
struct Binding {
    name: String,
    /// A list over positions, else one value.
    column: bool,
    sort: Sort,
    partial: bool,
}

/// What a helper function of an operator was made for.
type OperatorKey = (OpId, Vec<(Sort, bool)>);

struct Generator<'a> {
    language: &'a Language,
    output: PythonOutput,
    /// Input columns and how they come from `inputs`; those not used are left out.
    sources: Vec<(String, String)>,
    scope: Vec<(Symbol, Binding)>,
    /// How often a node is used, by address.
    uses: FxHashMap<usize, usize>,
    /// Columns that hold a shared subterm; one frame per binder.
    memo: Vec<FxHashMap<usize, Code>>,
    /// Blocks of statements that are being written: that of `run`, then of loops and functions in it.
    blocks: Vec<Block>,
    helpers: BTreeMap<Helper, ()>,
    /// Tables and functions before `run`, in order.
    definitions: Vec<String>,
    tables: Vec<(std::sync::Arc<crate::term::Table>, String, bool)>,
    operators: Vec<(OperatorKey, String, bool, Sort)>,
    taken: Vec<String>,
}

/// Statements at one level.
struct Block {
    lines: Vec<String>,
    /// Whether a statement computes a list over positions, else one value.
    columns: bool,
}

impl<'a> Generator<'a> {
    fn new(language: &'a Language, output: PythonOutput) -> Self {
        Self {
            language,
            output,
            sources: Vec::new(),
            scope: Vec::new(),
            uses: FxHashMap::default(),
            memo: vec![FxHashMap::default()],
            blocks: vec![Block { lines: Vec::new(), columns: true }],
            helpers: BTreeMap::new(),
            definitions: Vec::new(),
            tables: Vec::new(),
            operators: Vec::new(),
            taken: vec!["run".into(), "inputs".into(), "n".into(), "i".into(), "element".into()],
        }
    }

    /// A Python name that nothing has yet.
    fn fresh(&mut self, wish: &str) -> String {
        let base = identifier(wish);
        let mut name = base.clone();
        let mut n = 1;
        while self.taken.contains(&name) || Helper::ALL.iter().any(|helper| helper.name() == name) {
            n += 1;
            name = format!("{base}_{n}");
        }
        self.taken.push(name.clone());
        name
    }

    /// Counts how often each node is used, so that what is shared is computed once.
    fn count(&mut self, term: &Term) {
        let uses = self.uses.entry(term.address()).or_insert(0);
        *uses += 1;
        if *uses > 1 {
            return;
        }
        match term.node() {
            Node::Var(_) | Node::Const(_) => {}
            Node::App(_, args) => args.iter().for_each(|arg| self.count(arg)),
            Node::Let(bindings, body) => {
                bindings.iter().for_each(|(_, value)| self.count(value));
                self.count(body);
            }
            Node::Scan(scan) => {
                scan.states.iter().for_each(|(_, _, update)| self.count(update));
                scan.outputs.iter().for_each(|output| self.count(output));
            }
            Node::Select { key, query, .. } => {
                self.count(key);
                self.count(query);
            }
        }
    }

    fn line(&mut self, line: impl Into<String>) {
        if let Some(block) = self.blocks.last_mut() {
            block.lines.push(line.into());
        }
    }

    /// Returns the last statement of `run`.
    fn program(&mut self, term: &Term) -> String {
        match term.node() {
            Node::Let(bindings, body) => {
                self.bindings(bindings);
                self.program(body)
            }
            Node::Scan(scan) => {
                let result = self.fresh("outputs");
                self.scan(scan, &result, true);
                format!("return {result}")
            }
            _ => {
                let code = self.term(term);
                let code = self.returned(code);
                format!("return {}", self.comprehension(&code))
            }
        }
    }

    /// The expression as a list over positions.
    fn comprehension(&self, code: &Code) -> String {
        match code.text.strip_suffix("[i]") {
            Some(column) if self.taken.iter().any(|name| name == column) => column.to_owned(),
            _ => format!("[{} for i in range(n)]", code.text),
        }
    }

    /// An output as `run` returns it.
    fn returned(&mut self, code: Code) -> Code {
        if !self.output.integers || code.sort != Sort::Bool {
            return code;
        }
        let code = self.atom_if_partial(code);
        let text = format!("int({})", code.text);
        if code.partial { code.guarded(&[&code], text, Level::Call) } else { code.with(text, Level::Call) }
    }

    fn bindings(&mut self, bindings: &[(Symbol, Term)]) {
        for (name, value) in bindings {
            let code = self.term(value);
            let binding = self.store(code, name.as_str());
            self.scope.push((*name, binding));
            if let Some(frame) = self.memo.last_mut() {
                frame.clear();
            }
        }
    }

    /// Writes a statement that gives an expression a name.
    fn store(&mut self, code: Code, wish: &str) -> Binding {
        let name = self.fresh(wish);
        let columns = self.blocks.last().is_some_and(|block| block.columns);
        let text = if columns { self.comprehension(&code) } else { code.text.clone() };
        self.line(format!("{name} = {text}"));
        Binding { name, column: columns, sort: code.sort, partial: code.partial }
    }

    /// Runs in a scope of its own.
    fn under<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.len();
        self.memo.push(FxHashMap::default());
        let result = run(self);
        self.memo.pop();
        self.scope.truncate(depth);
        result
    }

    /// Writes the loop of a scan, always into the block of `run`; its outputs go to one list. Those of the program
    /// itself are converted to what `run` returns.
    fn scan(&mut self, scan: &Scan, result: &str, is_program: bool) -> Vec<(Sort, bool)> {
        let inner = self.blocks.split_off(1);
        let outer = self.scope.clone();
        self.scope.retain(|(_, binding)| binding.column);
        let sorts = self.under(|generator| generator.scan_loop(scan, result, is_program));
        self.scope = outer;
        self.blocks.extend(inner);
        sorts
    }

    fn scan_loop(&mut self, scan: &Scan, result: &str, is_program: bool) -> Vec<(Sort, bool)> {
        let names: Vec<String> = scan.states.iter().map(|(name, _, _)| self.fresh(name.as_str())).collect();
        let next: Vec<String> = names.iter().map(|name| self.fresh(&format!("next_{name}"))).collect();
        // A state may be undefined if its initial value or its update may: guess that it never is, and check.
        let mut partial: Vec<bool> = scan.states.iter().map(|(_, init, _)| init.sort().is_none()).collect();
        let mut sorts: Vec<Sort> = scan.states.iter().map(|(_, init, _)| value_sort(*init)).collect();
        loop {
            let saved = self.snapshot();
            self.blocks.push(Block { lines: Vec::new(), columns: false });
            let depth = self.scope.len();
            self.memo.push(FxHashMap::default());
            for (i, (state, _, _)) in scan.states.iter().enumerate() {
                let binding = Binding { name: names[i].clone(), column: false, sort: sorts[i], partial: partial[i] };
                self.scope.push((*state, binding));
            }
            let mut stable = true;
            for (i, (_, _, update)) in scan.states.iter().enumerate() {
                let code = self.term(update);
                stable &= partial[i] || !code.partial;
                partial[i] |= code.partial;
                if code.text != "None" && sorts[i] != code.sort {
                    stable = false;
                    sorts[i] = code.sort;
                }
                self.line(format!("{} = {}", next[i], code.text));
            }
            if !stable {
                self.memo.pop();
                self.scope.truncate(depth);
                self.restore(saved);
                continue;
            }
            for (i, (state, _, _)) in scan.states.iter().enumerate() {
                let binding = Binding { name: next[i].clone(), column: false, sort: sorts[i], partial: partial[i] };
                self.scope.push((after(*state), binding));
            }
            let outputs: Vec<Code> = scan
                .outputs
                .iter()
                .map(|output| {
                    let code = self.term(output);
                    if is_program { self.returned(code) } else { code }
                })
                .collect();
            let texts: Vec<&str> = outputs.iter().map(|code| code.text.as_str()).collect();
            match texts[..] {
                [text] => self.line(format!("{result}.append({text})")),
                _ => self.line(format!("{result}.append([{}])", texts.join(", "))),
            }
            if !names.is_empty() {
                self.line(format!("{} = {}", names.join(", "), next.join(", ")));
            }
            self.memo.pop();
            self.scope.truncate(depth);
            let body = self.blocks.pop().map(|block| block.lines).unwrap_or_default();
            for (name, (_, init, _)) in names.iter().zip(&scan.states) {
                self.line(format!("{name} = {}", literal(*init)));
            }
            self.line(format!("{result} = []"));
            self.line("for i in range(n):");
            body.iter().for_each(|line| self.line(indent(line)));
            return outputs.iter().map(|code| (code.sort, code.partial)).collect();
        }
    }

    /// What writing statements changes.
    fn snapshot(&self) -> (usize, Vec<usize>, usize, usize, usize) {
        let lines = self.blocks.iter().map(|block| block.lines.len()).collect();
        (self.taken.len(), lines, self.definitions.len(), self.operators.len(), self.tables.len())
    }

    fn restore(&mut self, (taken, lines, definitions, operators, tables): (usize, Vec<usize>, usize, usize, usize)) {
        self.taken.truncate(taken);
        self.blocks.truncate(lines.len());
        for (block, n) in self.blocks.iter_mut().zip(lines) {
            block.lines.truncate(n);
        }
        self.definitions.truncate(definitions);
        self.operators.truncate(operators);
        self.tables.truncate(tables);
        // Columns that were named since are gone.
        self.memo.iter_mut().for_each(FxHashMap::clear);
    }

    fn text(mut self, last: &str) -> String {
        let lines = self.blocks.remove(0).lines;
        let uses =
            |name: &str| lines.iter().map(String::as_str).chain([last]).any(|line| helpers::mentions(line, name));
        let mut body: Vec<String> = Vec::new();
        let sources: Vec<&(String, String)> = self.sources.iter().filter(|(name, _)| uses(name)).collect();
        if uses("n") || sources.iter().any(|(_, source)| source.contains("range(n)")) {
            body.push("n = len(inputs)".to_owned());
        }
        body.extend(sources.iter().map(|(name, source)| format!("{name} = {source}")));
        body.extend(lines.iter().cloned());
        body.push(last.to_owned());
        let mut parts: Vec<String> =
            self.helpers.keys().map(|helper| helper.text(self.output.causal).to_owned()).collect();
        parts.append(&mut self.definitions);
        let body: Vec<String> = body.iter().map(|line| indent(line)).collect();
        parts.push(format!("def run(inputs):\n{}", body.join("\n")));
        parts.join("\n\n\n") + "\n"
    }
}
