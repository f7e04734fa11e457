//! Sorts of terms, by unification.

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::kernel::{Kernel, Slot, SortClass};
use crate::language::{Language, SortPattern};
use crate::term::{Func, Node, Scan, Term};

/// Why a term has no sort.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}{}{}", prefixed(": expected ", .expected.as_ref()), prefixed(", found ", .found.as_ref()))]
pub struct SortError {
    /// A lowercase fragment.
    pub message: String,
    /// The sort or number that would have been right.
    pub expected: Option<String>,
    /// The sort or number that is there.
    pub found: Option<String>,
    /// The subterm, see [`Term::address`].
    pub(crate) address: usize,
}

fn prefixed(prefix: &str, text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| format!("{prefix}{text}"))
}

/// The sort of a term over the variables given. A term that holds nothing but `none` counts as `Int`.
///
/// # Errors
/// The first place where sorts do not fit.
pub fn sort_of(term: &Term, language: &Language, vars: &[(Symbol, Sort)]) -> Result<Sort, SortError> {
    program_sorts(term, language, vars).and_then(|sorts| match sorts[..] {
        [sort] => Ok(sort),
        _ => Err(SortError {
            message: "a scan with several outputs is a program of its own".to_owned(),
            expected: Some("one output".to_owned()),
            found: Some(format!("{} outputs", sorts.len())),
            address: term.address(),
        }),
    })
}

/// The sort of each output of a program: one, or as many as its top-level scan has.
///
/// # Errors
/// The first place where sorts do not fit.
pub fn program_sorts(term: &Term, language: &Language, vars: &[(Symbol, Sort)]) -> Result<Vec<Sort>, SortError> {
    let mut infer = Infer::new(language);
    for &(name, sort) in vars {
        infer.bind(name, Ty::Sort(sort));
    }
    let outputs = infer.program(term);
    match infer.errors.into_iter().next() {
        Some(error) => Err(error),
        None => {
            let unifier = infer.unifier;
            Ok(outputs.into_iter().map(|ty| unifier.sort(ty).unwrap_or(Sort::Int)).collect())
        }
    }
}

/// The most general sorts that the variables of a rule can have; `None` where its sides do not have one sort.
pub fn general_sorts(
    language: &Language,
    variables: &[Symbol],
    sides: (&Term, &Term),
    conditions: &[Term],
) -> Option<Vec<(Symbol, SortPattern)>> {
    let (infer, types) = infer_rule(language, variables, sides, conditions);
    infer.errors.is_empty().then(|| infer.patterns(variables, &types))
}

/// Inference over a rule: both sides must have one sort, the conditions must be truth values. With the types of the variables.
pub(crate) fn infer_rule<'a>(
    language: &'a Language,
    variables: &[Symbol],
    (lhs, rhs): (&Term, &Term),
    conditions: &[Term],
) -> (Infer<'a>, Vec<Ty>) {
    let mut infer = Infer::new(language);
    let types: Vec<Ty> = variables.iter().map(|_| infer.fresh(None)).collect();
    for (name, ty) in variables.iter().zip(&types) {
        infer.bind(*name, *ty);
    }
    let (left, right) = (infer.infer(lhs), infer.infer(rhs));
    infer.expect(rhs, right, left, || "the right side".to_owned());
    for condition in conditions {
        let found = infer.infer(condition);
        infer.expect(condition, found, Ty::Sort(Sort::Bool), || "the condition".to_owned());
    }
    (infer, types)
}

/// A sort that may not be known yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ty {
    Sort(Sort),
    Var(usize),
}

#[derive(Clone, Copy)]
enum Binding {
    /// Any sort of the class; without a class, selectors too.
    Free(Option<SortClass>),
    Bound(Ty),
}

#[derive(Default)]
pub(crate) struct Unifier {
    bindings: Vec<Binding>,
}

impl Unifier {
    fn fresh(&mut self, class: Option<SortClass>) -> Ty {
        self.bindings.push(Binding::Free(class));
        Ty::Var(self.bindings.len() - 1)
    }

    pub(crate) fn resolve(&self, mut ty: Ty) -> Ty {
        while let Ty::Var(index) = ty
            && let Binding::Bound(next) = self.bindings[index]
        {
            ty = next;
        }
        ty
    }

    /// The sort, if it is known.
    pub(crate) fn sort(&self, ty: Ty) -> Option<Sort> {
        match self.resolve(ty) {
            Ty::Sort(sort) => Some(sort),
            Ty::Var(_) => None,
        }
    }

    /// The class of what is not known.
    pub(crate) fn class(&self, ty: Ty) -> Option<SortClass> {
        match self.resolve(ty) {
            Ty::Var(index) => match self.bindings[index] {
                Binding::Free(class) => class,
                Binding::Bound(_) => None,
            },
            Ty::Sort(_) => None,
        }
    }

    fn unify(&mut self, a: Ty, b: Ty) -> bool {
        let (a, b) = (self.resolve(a), self.resolve(b));
        match (a, b) {
            _ if a == b => true,
            (Ty::Var(i), Ty::Var(j)) => {
                let class = match (self.class(a), self.class(b)) {
                    (Some(x), Some(y)) => match x.meet(y) {
                        Some(both) => Some(both),
                        None => return false,
                    },
                    (x, y) => x.or(y),
                };
                self.bindings[j] = Binding::Free(class);
                self.bindings[i] = Binding::Bound(b);
                true
            }
            (Ty::Var(i), Ty::Sort(sort)) | (Ty::Sort(sort), Ty::Var(i)) => {
                let class = self.class(Ty::Var(i));
                let fits = class.is_none_or(|class| class.admits(sort));
                if fits {
                    self.bindings[i] = Binding::Bound(Ty::Sort(sort));
                }
                fits
            }
            (Ty::Sort(_), Ty::Sort(_)) => false,
        }
    }

    pub(crate) fn show(&self, ty: Ty) -> String {
        match self.resolve(ty) {
            Ty::Sort(sort) => sort.to_string(),
            var @ Ty::Var(_) => self.class(var).map_or_else(|| "any sort".to_owned(), |class| class.to_string()),
        }
    }
}

/// Sort inference over one text: collects errors and goes on.
pub(crate) struct Infer<'a> {
    language: &'a Language,
    pub(crate) unifier: Unifier,
    scope: Vec<(Symbol, Ty)>,
    /// What is known of shared nodes; one frame per binder, since names mean something else under it.
    memo: Vec<FxHashMap<usize, Ty>>,
    pub(crate) errors: Vec<SortError>,
}

impl<'a> Infer<'a> {
    pub(crate) fn new(language: &'a Language) -> Self {
        Self {
            language,
            unifier: Unifier::default(),
            scope: Vec::new(),
            memo: vec![FxHashMap::default()],
            errors: Vec::new(),
        }
    }

    pub(crate) fn bind(&mut self, name: Symbol, ty: Ty) {
        self.scope.push((name, ty));
    }

    pub(crate) fn fresh(&mut self, class: Option<SortClass>) -> Ty {
        self.unifier.fresh(class)
    }

    /// The sorts of the outputs of a program.
    pub(crate) fn program(&mut self, term: &Term) -> Vec<Ty> {
        match term.node() {
            Node::Scan(scan) => self.scan(scan, term.address()),
            Node::Let(bindings, body) => self.under(|infer| {
                infer.bindings(bindings);
                infer.program(body)
            }),
            _ => vec![self.infer(term)],
        }
    }

    /// Runs something in a scope of its own.
    fn under<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.len();
        self.memo.push(FxHashMap::default());
        let result = run(self);
        self.memo.pop();
        self.scope.truncate(depth);
        result
    }

    fn bindings(&mut self, bindings: &[(Symbol, Term)]) {
        for (name, value) in bindings {
            let ty = self.infer(value);
            self.bind(*name, ty);
            // A later binding may hide a name that memoised terms use.
            if let Some(frame) = self.memo.last_mut() {
                frame.clear();
            }
        }
    }

    /// The sort of a term.
    pub(crate) fn infer(&mut self, term: &Term) -> Ty {
        // Every use of `none` has a sort of its own.
        if let Node::Const(value) = term.node() {
            return value.sort().map_or_else(|| self.fresh(Some(SortClass::Scalar)), Ty::Sort);
        }
        let address = term.address();
        if let Some(&ty) = self.memo.last().and_then(|frame| frame.get(&address)) {
            return ty;
        }
        let ty = self.infer_node(term);
        if let Some(frame) = self.memo.last_mut() {
            frame.insert(address, ty);
        }
        ty
    }

    fn infer_node(&mut self, term: &Term) -> Ty {
        match term.node() {
            Node::Var(name) => {
                let bound = self.scope.iter().rev().find(|(other, _)| other == name).map(|(_, ty)| *ty);
                bound.unwrap_or_else(|| {
                    self.error(term, format!("the variable {name} is not bound here"), None, None);
                    self.fresh(None)
                })
            }
            Node::Const(value) => Ty::Sort(value_sort(*value)),
            Node::App(Func::Kernel(kernel @ Kernel::Reshape(_)), args) if args.len() == kernel.arity() => {
                self.reshaped(*kernel, args, term)
            }
            Node::App(func, args) => {
                let (params, result) = self.func(func, args.len(), term);
                let language = self.language;
                for (i, arg) in args.iter().enumerate() {
                    let found = self.infer(arg);
                    if let Some(&param) = params.get(i) {
                        self.expect(arg, found, param, || {
                            format!("argument {} of {}", i + 1, func_name(func, language))
                        });
                    }
                }
                result
            }
            Node::Let(bindings, body) => self.under(|infer| {
                infer.bindings(bindings);
                infer.infer(body)
            }),
            Node::Scan(scan) => {
                let outputs = self.scan(scan, term.address());
                if outputs.len() != 1 {
                    let found = format!("{} outputs", outputs.len());
                    self.error(term, "a scan inside a program".to_owned(), Some("one output".to_owned()), Some(found));
                }
                outputs.first().copied().unwrap_or(Ty::Sort(Sort::Int))
            }
            Node::Select { key, query, pred } => {
                let (key_ty, query_ty) = (self.infer(key), self.infer(query));
                let (params, result) = self.func(pred, 2, term);
                if let [key_param, query_param] = params[..] {
                    self.expect(key, key_ty, key_param, || "the key".to_owned());
                    self.expect(query, query_ty, query_param, || "the query".to_owned());
                }
                self.expect(term, result, Ty::Sort(Sort::Bool), || "the predicate of select".to_owned());
                // A lambda's parameters get their sorts from key and query, which come after it was typed.
                Ty::Sort(Sort::Selector)
            }
        }
    }

    fn scan(&mut self, scan: &Scan, address: usize) -> Vec<Ty> {
        if scan.outputs.is_empty() {
            self.errors.push(SortError {
                message: "a scan without output".to_owned(),
                expected: Some("at least one output".to_owned()),
                found: None,
                address,
            });
        }
        let states: Vec<Ty> = scan
            .states
            .iter()
            .map(|(_, init, _)| init.sort().map_or_else(|| self.fresh(Some(SortClass::Scalar)), Ty::Sort))
            .collect();
        self.under(|infer| {
            for ((name, _, _), &ty) in scan.states.iter().zip(&states) {
                infer.bind(*name, ty);
            }
            for ((name, _, update), &ty) in scan.states.iter().zip(&states) {
                let found = infer.infer(update);
                infer.expect(update, found, ty, || format!("the update of the state {name}"));
            }
            infer.under(|infer| {
                for ((name, _, _), &ty) in scan.states.iter().zip(&states) {
                    infer.bind(after(*name), ty);
                }
                scan.outputs.iter().map(|output| infer.infer(output)).collect()
            })
        })
    }

    /// Parameters and result of one use of a function.
    fn func(&mut self, func: &Func, n_args: usize, term: &Term) -> (Vec<Ty>, Ty) {
        let (params, result) = match func {
            Func::Op(id) => match self.language.operators.get(id.0 as usize) {
                Some(operator) => {
                    let mut choice: Vec<(Symbol, Ty)> = Vec::new();
                    let params = operator.params.iter().map(|(_, p)| self.pattern(*p, &mut choice)).collect();
                    (params, self.pattern(operator.result, &mut choice))
                }
                None => {
                    self.error(term, "an operator of another language".to_owned(), None, None);
                    return (Vec::new(), self.fresh(None));
                }
            },
            Func::Kernel(kernel) => self.kernel(*kernel),
            Func::Table(table) => (table.params.iter().copied().map(Ty::Sort).collect(), Ty::Sort(table.result)),
            Func::Lambda(params, body) => {
                let types: Vec<Ty> = params.iter().map(|_| self.fresh(Some(SortClass::Scalar))).collect();
                // The body sees the parameters alone.
                let outer = std::mem::take(&mut self.scope);
                let result = self.under(|infer| {
                    for (name, ty) in params.iter().zip(&types) {
                        infer.bind(*name, *ty);
                    }
                    infer.infer(body)
                });
                self.scope = outer;
                (types, result)
            }
        };
        if params.len() != n_args {
            let (expected, found) = (count(params.len()), count(n_args));
            self.error(
                term,
                format!("wrong number of arguments of {}", func_name(func, self.language)),
                Some(expected),
                Some(found),
            );
        }
        (params, result)
    }

    fn kernel(&mut self, kernel: Kernel) -> (Vec<Ty>, Ty) {
        let mut shared: Option<Ty> = None;
        let (params, result) = kernel.signature();
        let mut slot = |slot: Slot| match slot {
            Slot::Sort(sort) => Ty::Sort(sort),
            Slot::Class(class) => *shared.get_or_insert_with(|| self.unifier.fresh(Some(class))),
        };
        (params.iter().map(|&s| slot(s)).collect(), slot(result))
    }

    /// The sort of what the widths of bit-vectors decide: they must be known where it is applied.
    fn reshaped(&mut self, kernel: Kernel, args: &[Term], term: &Term) -> Ty {
        let mut sorts = Vec::new();
        for (i, arg) in args.iter().enumerate() {
            let found = self.infer(arg);
            let expected = self.fresh(Some(SortClass::BitVec));
            self.expect(arg, found, expected, || format!("argument {} of {}", i + 1, kernel.head()));
            match self.unifier.sort(found) {
                Some(sort) => sorts.push(sort),
                None => {
                    let message = format!("the width of argument {} of {} is not known", i + 1, kernel.head());
                    self.error(arg, message, Some("a bit-vector of one width".to_owned()), None);
                }
            }
        }
        if sorts.len() < args.len() || sorts.iter().any(|sort| !SortClass::BitVec.admits(*sort)) {
            return self.fresh(Some(SortClass::BitVec));
        }
        let Some(result) = kernel.reshaped(sorts.iter().copied()) else {
            let found = sorts.iter().map(Sort::to_string).collect::<Vec<_>>().join(" and ");
            let expected = kernel.reshape_demand(sorts.iter().copied());
            self.error(term, format!("{} does not apply here", kernel.head()), Some(expected), Some(found));
            return self.fresh(Some(SortClass::BitVec));
        };
        Ty::Sort(result)
    }

    /// A sort pattern as a sort, with a variable of one's own for each sort variable.
    pub(crate) fn pattern(&mut self, pattern: SortPattern, choice: &mut Vec<(Symbol, Ty)>) -> Ty {
        match pattern {
            SortPattern::Sort(sort) => Ty::Sort(sort),
            SortPattern::Var(name) => match choice.iter().find(|(other, _)| *other == name) {
                Some((_, ty)) => *ty,
                None => {
                    let ty = self.fresh(Some(SortPattern::class_of(name)));
                    choice.push((name, ty));
                    ty
                }
            },
        }
    }

    /// Sorts as patterns: those not known are sort variables, named after the class that they stand for.
    pub(crate) fn patterns(&self, variables: &[Symbol], types: &[Ty]) -> Vec<(Symbol, SortPattern)> {
        let mut named: Vec<(Ty, Symbol)> = Vec::new();
        let pattern = |ty: Ty| {
            let resolved = self.unifier.resolve(ty);
            if let Some(sort) = self.unifier.sort(ty) {
                return SortPattern::Sort(sort);
            }
            let known = named.iter().find(|(other, _)| *other == resolved).map(|(_, name)| *name);
            SortPattern::Var(known.unwrap_or_else(|| {
                let prefix = match self.unifier.class(ty) {
                    Some(SortClass::Numeric) => "'N",
                    Some(SortClass::Measure) => "'M",
                    Some(SortClass::BitVec) => "'BV",
                    _ => "'A",
                };
                let name = Symbol::new(&format!("{prefix}{}", named.len() + 1));
                named.push((resolved, name));
                name
            }))
        };
        variables.iter().copied().zip(types.iter().copied().map(pattern)).collect()
    }

    /// Reports unless what was found is what is expected.
    pub(crate) fn expect(&mut self, term: &Term, found: Ty, expected: Ty, what: impl Fn() -> String) {
        let (shown_found, shown_expected) = (self.unifier.resolve(found), self.unifier.resolve(expected));
        if !self.unifier.unify(found, expected) {
            let found = self.unifier.show(shown_found);
            let expected = self.unifier.show(shown_expected);
            self.error(term, format!("{} has the wrong sort", what()), Some(expected), Some(found));
        }
    }

    fn error(&mut self, term: &Term, message: String, expected: Option<String>, found: Option<String>) {
        self.errors.push(SortError { message, expected, found, address: term.address() });
    }
}

/// The name of a state's value after the element: `s'`.
pub(crate) fn after(state: Symbol) -> Symbol {
    Symbol::new(&format!("{state}'"))
}

/// The sort of a value as a type; what is undefined has any.
pub(crate) fn value_sort(value: Value) -> Sort {
    value.sort().unwrap_or(Sort::Int)
}

pub(crate) fn count(n: usize) -> String {
    if n == 1 { "1 argument".to_owned() } else { format!("{n} arguments") }
}

fn func_name(func: &Func, language: &Language) -> String {
    match func {
        Func::Op(id) => {
            language.operators.get(id.0 as usize).map_or_else(|| "an operator".to_owned(), |op| op.name.to_string())
        }
        Func::Kernel(kernel) => kernel.head(),
        Func::Table(table) => format!("the table {}", table.name),
        Func::Lambda(..) => "the lambda".to_owned(),
    }
}
