//! The functions of SMT-LIB's Core, Ints and FixedSizeBitVectors: how they are read and written.

use std::fmt::Write as _;

use dsl::sexpr::{Sexpr, quote_symbol};
use dsl::{Env, Func, Kernel, Language, Node, Reshape, Term};
use samples::{Points, Symbol, Value};

/// How a function takes more arguments than it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arity {
    /// It does not.
    Fixed,
    /// `(f a b c)` is `(f (f a b) c)`.
    Left,
    /// `(f a b c)` is `(f a (f b c))`.
    Right,
    /// `(f a b c)` is `(and (f a b) (f b c))`.
    Chain,
    /// `(f a b c)` holds of every pair.
    Pairwise,
}

/// How a function of this name takes its arguments; `None` if the theories have no such function.
pub(crate) fn arity(name: &str) -> Option<Arity> {
    Some(match name {
        "not" | "ite" | "div" | "mod" | "abs" | "concat" | "bvcomp" => Arity::Fixed,
        "and" | "or" | "xor" | "+" | "-" | "*" => Arity::Left,
        "=>" => Arity::Right,
        "=" | "<" | "<=" | ">" | ">=" => Arity::Chain,
        "distinct" => Arity::Pairwise,
        "bvand" | "bvor" | "bvxor" | "bvadd" | "bvmul" => Arity::Left,
        _ if name.starts_with("bv") && Kernel::all().any(|kernel| kernel.name() == name) => Arity::Fixed,
        _ => return None,
    })
}

/// A theory's function with this name and number of arguments.
pub(crate) fn function(name: &str, n_args: usize) -> Option<Kernel> {
    arity(name).and_then(|_| Kernel::find(name, n_args))
}

/// A function with indices: `(_ extract 7 0)`; `None` for what is none.
pub(crate) fn indexed(head: &Sexpr) -> Option<Kernel> {
    Reshape::read(head).map(Kernel::Reshape)
}

/// The names of all functions, for hints.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let with_indices = ["concat", "(_ extract I J)", "(_ zero_extend N)", "(_ sign_extend N)", "(_ rotate_left N)"];
    Kernel::all().map(Kernel::name).filter(|name| arity(name).is_some()).chain(with_indices)
}

/// A constant as SMT-LIB writes it.
pub(crate) fn literal(value: Value) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(i) if i < 0 => format!("(- {})", i.unsigned_abs()),
        Value::Int(i) => i.to_string(),
        Value::BitVec { width, bits } if width % 4 == 0 => {
            format!("#x{bits:0digits$x}", digits = usize::from(width) / 4)
        }
        Value::BitVec { width, bits } => format!("#b{bits:0digits$b}", digits = usize::from(width)),
        // The theories read here have no other values.
        _ => "undefined".to_owned(),
    }
}

/// Whether products and quotients of integers have a known factor or divisor.
pub(crate) fn is_linear(term: &Term) -> bool {
    let is_known = |term: &Term| crate::spec::names(term).is_empty();
    let Node::App(func, args) = term.node() else { return true };
    let own = match (func, args.as_slice()) {
        (Func::Kernel(Kernel::Mul), [a, b]) => is_known(a) || is_known(b),
        (Func::Kernel(Kernel::Div | Kernel::Mod), [_, b]) => is_known(b),
        _ => true,
    };
    own && args.iter().all(is_linear)
}

/// Names with their values, for people: `x = -32, b = true`.
pub(crate) fn valuation(values: impl Iterator<Item = (Symbol, Value)>) -> String {
    let shown = values.map(|(name, value)| match value {
        Value::Int(number) => format!("{name} = {number}"),
        _ => format!("{name} = {}", literal(value)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// A term as SMT-LIB writes it.
pub(crate) fn print(term: &Term, language: &Language) -> String {
    let mut out = String::new();
    write_term(term, language, &|_, args| args.iter().collect(), &mut out);
    out
}

/// The same with functions that take any number of arguments written once: `(+ a b c)`.
pub(crate) fn print_joined(term: &Term, language: &Language) -> String {
    let mut out = String::new();
    write_term(term, language, &operands, &mut out);
    out
}

fn write_term(
    term: &Term,
    language: &Language,
    parts: &dyn for<'t> Fn(&Func, &'t [Term]) -> Vec<&'t Term>,
    out: &mut String,
) {
    match term.node() {
        Node::Var(name) => out.push_str(&quote_symbol(name.as_str())),
        Node::Const(value) => out.push_str(&literal(*value)),
        Node::App(func, args) => {
            let _ = write!(out, "({}", head(func, language));
            for part in parts(func, args) {
                out.push(' ');
                write_term(part, language, parts, out);
            }
            out.push(')');
        }
        // Terms of the theories have no such forms.
        Node::Let(..) | Node::Scan(_) | Node::Select { .. } => out.push_str("undefined"),
    }
}

fn head(func: &Func, language: &Language) -> String {
    match func {
        Func::Kernel(kernel) => kernel.head(),
        Func::Op(id) => quote_symbol(language.op(*id).name.as_str()),
        Func::Table(_) | Func::Lambda(..) => "undefined".to_owned(),
    }
}

/// The number of nodes of a term: every operator, variable and literal is one.
pub(crate) fn nodes(term: &Term) -> usize {
    match term.node() {
        Node::App(_, args) => 1 + args.iter().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

/// The nodes of a term as [`print_joined`] writes it.
pub(crate) fn joined_nodes(term: &Term) -> usize {
    match term.node() {
        Node::App(func, args) => 1 + operands(func, args).into_iter().map(joined_nodes).sum::<usize>(),
        _ => 1,
    }
}

/// The arguments of an application, with those of the same function at the left taken apart, as SMT-LIB reads them, and
/// at the right too where that is the same.
fn operands<'t>(func: &Func, args: &'t [Term]) -> Vec<&'t Term> {
    let (Func::Kernel(kernel), [first, rest @ ..]) = (func, args) else { return args.iter().collect() };
    if args.len() != 2 || arity(kernel.name()) != Some(Arity::Left) {
        return args.iter().collect();
    }
    let own = |term: &'t Term| match term.node() {
        Node::App(inner, args) if inner == func && args.len() == 2 => operands(inner, args),
        _ => vec![term],
    };
    let mut all = own(first);
    match kernel {
        Kernel::Sub => all.extend(rest),
        _ => all.extend(rest.iter().flat_map(own)),
    }
    all
}

/// The nodes of a term, where parts may be shared so often that counting them one by one would not end.
pub(crate) fn tree_size(term: &Term) -> u64 {
    fn size(term: &Term, memo: &mut rustc_hash::FxHashMap<usize, u64>) -> u64 {
        if let Some(&known) = memo.get(&term.address()) {
            return known;
        }
        let own = match term.node() {
            Node::App(_, args) => args.iter().fold(1, |sum: u64, arg| sum.saturating_add(size(arg, memo))),
            _ => 1,
        };
        memo.insert(term.address(), own);
        own
    }
    size(term, &mut rustc_hash::FxHashMap::default())
}

/// A kernel function of arguments.
pub(crate) fn apply(kernel: Kernel, args: Vec<Term>) -> Term {
    Term::app(Func::Kernel(kernel), args)
}

/// The binary applications that `(f a b c)` stands for, if there are at least two arguments.
pub(crate) fn spread(kernel: Kernel, arity: Arity, args: &[Term]) -> Term {
    let two = |a: &Term, b: &Term| apply(kernel, vec![a.clone(), b.clone()]);
    let (first, last) = (&args[0], &args[args.len() - 1]);
    match arity {
        Arity::Left | Arity::Fixed => args[1..].iter().fold(first.clone(), |sum, next| two(&sum, next)),
        Arity::Right => args[..args.len() - 1].iter().rev().fold(last.clone(), |sum, next| two(next, &sum)),
        Arity::Chain => conjunction(&args.windows(2).map(|pair| two(&pair[0], &pair[1])).collect::<Vec<_>>()),
        Arity::Pairwise => {
            let pairs = (0..args.len()).flat_map(|i| (i + 1..args.len()).map(move |j| (i, j)));
            conjunction(&pairs.map(|(i, j)| two(&args[i], &args[j])).collect::<Vec<_>>())
        }
    }
}

/// The value of a term without variables.
pub(crate) fn closed_value(term: &Term, language: &Language) -> Option<Value> {
    let points = Points::from_lengths([1]);
    let env = Env { language, points: &points, vars: &[], causal: false };
    let column = dsl::eval(term, &env).ok()?;
    Some(column.value(0)).filter(|value| value.sort().is_some())
}

/// Products, quotients and remainders of bit-vectors that are not known, once definitions are expanded.
pub(crate) fn products(term: &Term, language: &Language) -> usize {
    fn count(term: &Term) -> usize {
        let Node::App(func, args) = term.node() else { return 0 };
        let names = ["bvmul", "bvudiv", "bvurem", "bvsdiv", "bvsrem", "bvsmod"];
        let is_product = matches!(func, Func::Kernel(kernel) if names.contains(&kernel.name()))
            && args.iter().all(|arg| !matches!(arg.node(), Node::Const(_)));
        usize::from(is_product) + args.iter().map(count).sum::<usize>()
    }
    count(&expand(term, language))
}

/// The conjunction of formulas.
pub(crate) fn conjunction(formulas: &[Term]) -> Term {
    let mut all = formulas.iter().cloned();
    let first = all.next().unwrap_or_else(|| Term::constant(Value::Bool(true)));
    all.fold(first, |sum, next| apply(Kernel::And, vec![sum, next]))
}

/// A term with the file's own functions replaced by their meanings.
pub(crate) fn expand(term: &Term, language: &Language) -> Term {
    match term.node() {
        Node::App(func, args) => {
            let args: Vec<Term> = args.iter().map(|arg| expand(arg, language)).collect();
            match func {
                Func::Op(id) => {
                    let operator = language.op(*id);
                    let meaning = expand(&operator.meaning, language);
                    let position = |name| operator.params.iter().position(|(own, _)| *own == name);
                    meaning.substitute(&|name| position(name).map(|i| args[i].clone()))
                }
                _ => Term::app(func.clone(), args),
            }
        }
        _ => term.clone(),
    }
}

/// The functions from bit-vectors to one of the same width that the search uses where the logic alone says what there is,
/// with their number of arguments.
pub(crate) fn bit_functions() -> impl Iterator<Item = (Kernel, usize)> {
    let names = [
        "bvnot", "bvneg", "bvand", "bvor", "bvxor", "bvadd", "bvsub", "bvmul", "bvudiv", "bvurem", "bvshl", "bvlshr",
        "bvashr",
    ];
    Kernel::all().filter(move |kernel| names.contains(&kernel.name())).map(|kernel| (kernel, kernel.arity()))
}

/// The relations of bit-vectors that the search uses; the others are these with their arguments swapped.
pub(crate) fn bit_relations() -> impl Iterator<Item = Kernel> {
    let names = ["bvult", "bvule", "bvslt", "bvsle"];
    Kernel::all().filter(move |kernel| names.contains(&kernel.name()))
}
