//! Expressions: one value at position `i`, or one value of a loop or function.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value, mask};

use crate::bits::{BitOp, Reshape};
use crate::infer::value_sort;
use crate::kernel::{Kernel, Slot, bit_width};
use crate::language::{OpId, Operator};
use crate::term::{Func, Node, Table, Term};

use super::helpers::{Helper, is_json, literal};
use super::{Binding, Block, Generator};

/// How tightly an expression binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    Conditional,
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Negation,
    /// Names, literals, calls, what stands in brackets.
    Call,
}

/// A Python expression.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) text: String,
    pub(super) level: Level,
    pub(super) sort: Sort,
    /// Whether it may be `None`.
    pub(super) partial: bool,
    /// The value, if it is a constant.
    pub(super) constant: Option<Value>,
}

impl Code {
    fn new(text: impl Into<String>, level: Level, sort: Sort, partial: bool) -> Self {
        Self { text: text.into(), level, sort, partial, constant: None }
    }

    /// Another expression of the same sort that is always defined.
    pub(super) fn with(&self, text: String, level: Level) -> Self {
        Self::new(text, level, self.sort, false)
    }

    /// Parenthesised unless it binds at least as tightly.
    fn at(&self, level: Level) -> String {
        if self.level >= level { self.text.clone() } else { format!("({})", self.text) }
    }

    /// `None` where one of the arguments is, else the expression.
    pub(super) fn guarded(&self, args: &[&Self], text: String, level: Level) -> Self {
        guarded(args, Self::new(text, level, self.sort, false))
    }
}

fn guarded(args: &[&Code], code: Code) -> Code {
    let tests: Vec<String> =
        args.iter().filter(|arg| arg.partial).map(|arg| format!("{} is None", arg.at(Level::Sum))).collect();
    if tests.is_empty() {
        return code;
    }
    let text = format!("None if {} else {}", tests.join(" or "), code.at(Level::Or));
    Code { text, level: Level::Conditional, partial: true, ..code }
}

/// A line one level further in.
pub(super) fn indent(line: &str) -> String {
    format!("    {line}")
}

impl Generator<'_> {
    fn helper(&mut self, helper: Helper) -> &'static str {
        self.helpers.insert(helper, ());
        for &needed in helper.needs() {
            self.helpers.insert(needed, ());
        }
        helper.name()
    }

    pub(super) fn term(&mut self, term: &Term) -> Code {
        let address = term.address();
        if let Some(known) = self.memo.last().and_then(|frame| frame.get(&address)) {
            return known.clone();
        }
        let code = self.node(term);
        let is_shared = self.uses.get(&address).is_some_and(|&uses| uses > 1);
        let is_atom = matches!(term.node(), Node::Var(_) | Node::Const(_));
        if is_atom || !is_shared {
            return code;
        }
        let code = self.atom(code);
        if let Some(frame) = self.memo.last_mut() {
            frame.insert(address, code.clone());
        }
        code
    }

    fn node(&mut self, term: &Term) -> Code {
        match term.node() {
            Node::Var(name) => {
                let binding = self.scope.iter().rev().find(|(other, _)| other == name).map(|(_, binding)| binding);
                match binding {
                    Some(binding) => binding_code(binding),
                    // Sort inference has bound every variable.
                    None => Code::new("None", Level::Call, Sort::Int, true),
                }
            }
            Node::Const(value) => {
                let level = if literal(*value).starts_with('-') { Level::Negation } else { Level::Call };
                let mut code = Code::new(literal(*value), level, value_sort(*value), value.sort().is_none());
                code.constant = Some(*value);
                code
            }
            Node::App(func, args) => {
                let args: Vec<Code> = args.iter().map(|arg| self.term(arg)).collect();
                self.call(func, args)
            }
            Node::Let(bindings, body) => self.under(|generator| {
                generator.bindings(bindings);
                generator.term(body)
            }),
            Node::Scan(scan) => {
                let result = self.fresh("scanned");
                let sorts = self.scan(scan, &result, false);
                let (sort, partial) = sorts.first().copied().unwrap_or((Sort::Int, true));
                Code::new(format!("{result}[i]"), Level::Call, sort, partial)
            }
            Node::Select { key, query, pred } => self.outside(|generator| {
                let key = generator.term(key);
                let query = generator.term(query);
                generator.select(key, query, pred)
            }),
        }
    }

    /// Runs with the block of `run` as the current one: for what looks at all positions.
    fn outside<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        if self.blocks.len() == 1 {
            return run(self);
        }
        let inner = self.blocks.split_off(1);
        let outer = self.scope.clone();
        self.scope.retain(|(_, binding)| binding.column);
        self.memo.push(FxHashMap::default());
        let result = run(self);
        self.memo.pop();
        self.scope = outer;
        self.blocks.extend(inner);
        result
    }

    /// The expression as a name: written as a statement unless it is one.
    pub(super) fn atom(&mut self, code: Code) -> Code {
        let is_name = code.level == Level::Call
            && code.text.trim_end_matches("[i]").chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name || code.constant.is_some() {
            return code;
        }
        let wish = if code.sort == Sort::Selector { "s" } else { "t" };
        binding_code(&self.store(code, wish))
    }

    /// What is tested for `None` is computed once.
    pub(super) fn atom_if_partial(&mut self, code: Code) -> Code {
        if code.partial { self.atom(code) } else { code }
    }

    /// The list over positions that an expression at `i` is, by name.
    fn column(&mut self, code: Code) -> String {
        if let Some(name) = code.text.strip_suffix("[i]")
            && self.taken.iter().any(|taken| taken == name)
        {
            return name.to_owned();
        }
        self.store(code, "t").name
    }

    fn call(&mut self, func: &Func, args: Vec<Code>) -> Code {
        match func {
            Func::Kernel(kernel) => self.kernel(*kernel, args),
            Func::Table(table) => self.table(table, &args),
            Func::Lambda(params, body) => self.inline(params.iter().copied(), args, body, None),
            Func::Op(id) => {
                let language = self.language;
                let operator = language.op(*id);
                match operator.kernel() {
                    Some(kernel) if operator.condition.is_none() => return self.kernel(kernel, args),
                    Some(Kernel::Div | Kernel::Mod) if positive_divisor(operator) && is_positive(&args[1]) => {
                        return self.kernel(operator.kernel().unwrap_or(Kernel::Div), args);
                    }
                    _ => {}
                }
                if looks_around(self, &operator.meaning) {
                    let params = operator.params.iter().map(|(name, _)| *name);
                    return self.inline(params, args, &operator.meaning, operator.condition.as_ref());
                }
                self.operator(*id, operator, &args)
            }
        }
    }

    /// A body with its parameters bound to statements.
    fn inline(
        &mut self,
        params: impl Iterator<Item = Symbol>,
        args: Vec<Code>,
        body: &Term,
        condition: Option<&Term>,
    ) -> Code {
        let bindings: Vec<(Symbol, Binding)> = params
            .zip(args)
            .map(|(name, arg)| {
                let binding = self.store(arg, name.as_str());
                (name, binding)
            })
            .collect();
        let outer = std::mem::replace(&mut self.scope, bindings);
        self.memo.push(FxHashMap::default());
        let code = self.guarded_body(body, condition);
        self.memo.pop();
        self.scope = outer;
        code
    }

    fn guarded_body(&mut self, body: &Term, condition: Option<&Term>) -> Code {
        let value = self.term(body);
        let Some(condition) = condition else { return value };
        let condition = self.term(condition);
        let none = if value.sort == Sort::Selector { "[]" } else { "None" };
        let test =
            if condition.partial { format!("{} is True", condition.at(Level::Sum)) } else { condition.at(Level::Or) };
        let text = format!("{} if {test} else {none}", value.at(Level::Or));
        Code::new(text, Level::Conditional, value.sort, value.sort != Sort::Selector)
    }

    /// A call of a function that is written out for the operator.
    fn operator(&mut self, id: OpId, operator: &Operator, args: &[Code]) -> Code {
        let key = (id, args.iter().map(|arg| (arg.sort, arg.partial)).collect::<Vec<_>>());
        let known = self.operators.iter().find(|(other, ..)| *other == key);
        let (name, partial, sort) = match known {
            Some((_, name, partial, sort)) => (name.clone(), *partial, *sort),
            None => {
                let wish = match operator.kernel() {
                    Some(Kernel::Div) => "floor_div".to_owned(),
                    Some(Kernel::Mod) => "mod".to_owned(),
                    _ => operator.name.to_string(),
                };
                let name = self.fresh(&wish);
                let (partial, sort) = self.define(&name, operator, args);
                self.operators.push((key, name.clone(), partial, sort));
                (name, partial, sort)
            }
        };
        let args: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
        Code::new(format!("{name}({})", args.join(", ")), Level::Call, sort, partial)
    }

    fn define(&mut self, name: &str, operator: &Operator, args: &[Code]) -> (bool, Sort) {
        let bindings: Vec<(Symbol, Binding)> = operator
            .params
            .iter()
            .zip(args)
            .map(|((param, _), arg)| {
                let name = self.fresh(param.as_str());
                (*param, Binding { name, column: false, sort: arg.sort, partial: arg.partial })
            })
            .collect();
        let params: Vec<String> = bindings.iter().map(|(_, binding)| binding.name.clone()).collect();
        let outer = std::mem::replace(&mut self.scope, bindings);
        self.memo.push(FxHashMap::default());
        self.blocks.push(Block { lines: Vec::new(), columns: false });
        let divides = matches!(operator.kernel(), Some(Kernel::Div | Kernel::Mod)) && positive_divisor(operator);
        let code = if divides {
            self.guarded_division(operator, &params)
        } else {
            self.guarded_body(&operator.meaning, operator.condition.as_ref())
        };
        let lines = self.blocks.pop().map(|block| block.lines).unwrap_or_default();
        self.memo.pop();
        self.scope = outer;
        self.taken.retain(|name| !params.contains(name));
        let mut text = format!("def {name}({}):", params.join(", "));
        for line in lines {
            text.push('\n');
            text.push_str(&indent(&line));
        }
        text.push_str(&format!("\n    return {}", code.text));
        self.definitions.push(text);
        (code.partial, code.sort)
    }

    /// Quotient or remainder where the divisor is positive: what Python's operators do.
    fn guarded_division(&mut self, operator: &Operator, params: &[String]) -> Code {
        let sign = if operator.kernel() == Some(Kernel::Div) { "//" } else { "%" };
        let undefined: Vec<String> = self
            .scope
            .iter()
            .filter(|(_, binding)| binding.partial)
            .map(|(_, binding)| format!("{} is None", binding.name))
            .chain([format!("{} <= 0", params[1])])
            .collect();
        let text = format!("None if {} else {} {sign} {}", undefined.join(" or "), params[0], params[1]);
        Code::new(text, Level::Conditional, Sort::Int, true)
    }

    fn table(&mut self, table: &Arc<Table>, args: &[Code]) -> Code {
        let known = self.tables.iter().find(|(other, _, _)| Arc::ptr_eq(other, table) || other == table);
        let (name, by_text) = match known {
            Some((_, name, by_text)) => (name.clone(), *by_text),
            None => {
                let name = self.fresh(&table.name.as_str().to_uppercase());
                // Lists and dictionaries cannot be keys, and True is the same key as 1.
                let by_text = table.entries.iter().flat_map(|(keys, _)| keys).any(|key| is_json(*key));
                let mut text = format!("{name} = {{");
                for (keys, value) in &table.entries {
                    let keys: Vec<String> = keys.iter().map(|key| literal(*key)).collect();
                    let key = if keys.len() == 1 { keys[0].clone() } else { format!("({})", keys.join(", ")) };
                    let key = if by_text { format!("repr({key})") } else { key };
                    text.push_str(&format!("\n    {key}: {},", literal(*value)));
                }
                text.push_str(if table.entries.is_empty() { "}" } else { "\n}" });
                self.definitions.push(text);
                self.tables.push((table.clone(), name.clone(), by_text));
                (name, by_text)
            }
        };
        let texts: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
        let key = if texts.len() == 1 { texts[0].to_owned() } else { format!("({})", texts.join(", ")) };
        let key = if by_text { format!("repr({key})") } else { key };
        Code::new(format!("{name}.get({key})"), Level::Call, table.result, true)
    }

    fn select(&mut self, key: Code, query: Code, pred: &Func) -> Code {
        let (key_partial, query_partial) = (key.partial, query.partial);
        let (key_sort, query_sort) = (key.sort, query.sort);
        let (keys, queries) = (self.column(key), self.column(query));
        let select = self.helper(Helper::Select);
        let params = [("k", key_sort, key_partial), ("q", query_sort, query_partial)];
        let names: Vec<String> = params
            .iter()
            .map(
                |(name, _, _)| {
                    if self.taken.iter().any(|t| t == name) { format!("{name}_") } else { (*name).to_owned() }
                },
            )
            .collect();
        let args: Vec<Code> = params
            .iter()
            .zip(&names)
            .map(|(&(_, sort, partial), name)| Code::new(name.clone(), Level::Call, sort, partial))
            .collect();
        // Statements that the predicate needs make it a function; most are one expression.
        let outer = std::mem::take(&mut self.scope);
        self.memo.push(FxHashMap::default());
        self.blocks.push(Block { lines: Vec::new(), columns: false });
        let code = match pred {
            Func::Lambda(params, body) => {
                self.scope = params
                    .iter()
                    .zip(&args)
                    .map(|(param, arg)| {
                        let name = arg.text.clone();
                        (*param, Binding { name, column: false, sort: arg.sort, partial: arg.partial })
                    })
                    .collect();
                self.term(body)
            }
            _ => self.call(pred, args),
        };
        let lines = self.blocks.pop().map(|block| block.lines).unwrap_or_default();
        self.memo.pop();
        self.scope = outer;
        let text = if code.partial { format!("{} is True", code.at(Level::Sum)) } else { code.text.clone() };
        let predicate = if lines.is_empty() {
            format!("lambda {}: {text}", names.join(", "))
        } else {
            let name = self.fresh("predicate");
            let lines: Vec<String> = lines.iter().map(|line| indent(line)).collect();
            self.definitions.push(format!(
                "def {name}({}):\n{}\n    return {text}",
                names.join(", "),
                lines.join("\n")
            ));
            name
        };
        let name = self.fresh("s");
        self.line(format!("{name} = {select}({keys}, {queries}, {predicate})"));
        Code::new(format!("{name}[i]"), Level::Call, Sort::Selector, false)
    }

    fn kernel(&mut self, kernel: Kernel, args: Vec<Code>) -> Code {
        use Kernel::*;
        let class_sort = |args: &[Code]| {
            let with_sort = args.iter().find(|arg| arg.constant != Some(Value::Undefined));
            with_sort.or(args.first()).map_or(Sort::Int, |arg| arg.sort)
        };
        if let Reshape(reshape) = kernel {
            return self.reshape(reshape, args);
        }
        let sort = match kernel.signature().1 {
            Slot::Sort(sort) => sort,
            Slot::Class(_) if kernel == Ite => class_sort(&args[1..]),
            Slot::Class(_) if kernel.is_aggregate() => args[1].sort,
            Slot::Class(_) => class_sort(&args),
        };
        match kernel {
            And | Or | Implies if args.iter().any(|arg| arg.partial) => {
                let helper = match kernel {
                    And => Helper::Both,
                    Or => Helper::Either,
                    _ => Helper::Implies,
                };
                let name = self.helper(helper);
                return Code::new(format!("{name}({}, {})", args[0].text, args[1].text), Level::Call, sort, true);
            }
            Ite => return self.choice(args, sort),
            Defined => {
                return match &args[0] {
                    arg if arg.partial => {
                        Code::new(format!("{} is not None", arg.at(Level::Sum)), Level::Comparison, sort, false)
                    }
                    _ => Code::new("True", Level::Call, sort, false),
                };
            }
            _ if kernel.is_aggregate() => return self.gather(kernel, args, sort),
            Bits(op) => return self.bits(op, args, sort),
            _ => {}
        }
        let args: Vec<Code> = args.into_iter().map(|arg| self.atom_if_partial(arg)).collect();
        let infix = |sign: &str, level: Level, right: Level| {
            (format!("{} {sign} {}", args[0].at(level), args[1].at(right)), level)
        };
        let compare = |sign: &str| (infix(sign, Level::Sum, Level::Sum).0, Level::Comparison);
        let function = |name: &str| {
            let texts: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
            (format!("{name}({})", texts.join(", ")), Level::Call)
        };
        let mut partial = false;
        let (text, level) = match kernel {
            Not => (format!("not {}", args[0].at(Level::Not)), Level::Not),
            And => infix("and", Level::And, Level::And),
            Or => infix("or", Level::Or, Level::Or),
            Implies => (format!("not {} or {}", args[0].at(Level::Not), args[1].at(Level::Or)), Level::Or),
            Xor | Distinct => compare("!="),
            Eq => compare("=="),
            Lt => compare("<"),
            Le => compare("<="),
            Gt => compare(">"),
            Ge => compare(">="),
            Add => infix("+", Level::Sum, Level::Sum),
            Sub => infix("-", Level::Sum, Level::Product),
            Mul => infix("*", Level::Product, Level::Negation),
            Neg => (format!("-{}", args[0].at(Level::Call)), Level::Negation),
            Div if is_positive(&args[1]) => infix("//", Level::Product, Level::Negation),
            Mod if is_positive(&args[1]) => infix("%", Level::Product, Level::Negation),
            Div | Mod => {
                partial = true;
                let name = self.helper(if kernel == Div { Helper::Quotient } else { Helper::Remainder });
                function(name)
            }
            Isqrt => {
                partial = true;
                function(self.helper(Helper::Root))
            }
            Abs => function("abs"),
            Min => function("min"),
            Max => function("max"),
            ToReal => function("float"),
            Floor => (format!("int({} // 1)", args[0].at(Level::Product)), Level::Call),
            RealDiv => {
                let divisor = self.atom(args[1].clone());
                let quotient = format!("{} / {}", args[0].at(Level::Product), divisor.at(Level::Negation));
                let rounded = self.helper(Helper::Rounded);
                let text = format!("None if {} == 0 else {rounded}({quotient})", divisor.text);
                let args = [args[0].clone(), divisor];
                let inner = Code::new(text, Level::Conditional, sort, true);
                return guarded(&[&args[0], &args[1]], inner);
            }
            Width => function("len"),
            SelAnd => (format!("[j for j in {} if j in {}]", args[0].text, args[1].text), Level::Call),
            SelOr => (format!("sorted({{*{}, *{}}})", args[0].text, args[1].text), Level::Call),
            SelNot => {
                let all = if self.output.causal { "i + 1" } else { "n" };
                (format!("[j for j in range({all}) if j not in {}]", args[0].text), Level::Call)
            }
            Number | Numeral | Append => {
                partial = true;
                function(self.helper(match kernel {
                    Number => Helper::Number,
                    Numeral => Helper::Numeral,
                    _ => Helper::Append,
                }))
            }
            Ite | Defined | Copy | Mean | Least | Greatest | Mode | Bits(_) | Reshape(_) => {
                (String::from("None"), Level::Call)
            }
        };
        let (text, level) = if sort == Sort::Real && matches!(kernel, Add | Sub | Mul) {
            (format!("{}({text})", self.helper(Helper::Rounded)), Level::Call)
        } else {
            (text, level)
        };
        let refs: Vec<&Code> = args.iter().collect();
        let mut code = guarded(&refs, Code::new(text, level, sort, false));
        code.partial |= partial;
        code
    }

    /// Bit-vectors are numbers from 0 on; results are cut to the width. They always have a value.
    fn bits(&mut self, op: BitOp, args: Vec<Code>, sort: Sort) -> Code {
        use BitOp::*;
        let width = match args.first().map(|arg| arg.sort) {
            Some(Sort::BitVec(width)) => width,
            _ => Sort::MAX_WIDTH,
        };
        let mask = format!("{:#x}", mask(width));
        // What is tested for 0 is computed once.
        let args: Vec<Code> = args.into_iter().map(|arg| if op.is_unary() { arg } else { self.atom(arg) }).collect();
        let at = |i: usize| args.get(i).map_or_else(String::new, |arg| arg.at(Level::Call));
        let (a, b) = (at(0), at(1));
        let mut helper = |helper: Helper| self.helper(helper);
        let mut order = |sign: &str, is_signed: bool| match is_signed {
            false => format!("({a} {sign} {b})"),
            true => {
                let signed = helper(Helper::Signed);
                format!("({signed}({a}, {width}) {sign} {signed}({b}, {width}))")
            }
        };
        let text = match op {
            Not => format!("({a} ^ {mask})"),
            Neg => format!("(-{a} & {mask})"),
            And => format!("({a} & {b})"),
            Or => format!("({a} | {b})"),
            Xor => format!("({a} ^ {b})"),
            Nand => format!("({a} & {b} ^ {mask})"),
            Nor => format!("(({a} | {b}) ^ {mask})"),
            Xnor => format!("({a} ^ {b} ^ {mask})"),
            Add => format!("({a} + {b} & {mask})"),
            Sub => format!("({a} - {b} & {mask})"),
            Mul => format!("({a} * {b} & {mask})"),
            Udiv => format!("({a} // {b} if {b} else {mask})"),
            Urem => format!("({a} % {b} if {b} else {a})"),
            Sdiv => format!("{}({a}, {b}, {width})", helper(Helper::Divided)),
            Srem => format!("{}({a}, {b}, {width})", helper(Helper::Remains)),
            Smod => format!("{}({a}, {b}, {width})", helper(Helper::Modulo)),
            Shl => format!("({a} << {b} & {mask} if {b} < {width} else 0)"),
            Lshr => format!("({a} >> {b} if {b} < {width} else 0)"),
            Ashr => format!("({}({a}, {width}) >> min({b}, {width}) & {mask})", helper(Helper::Signed)),
            Ult => order("<", false),
            Ule => order("<=", false),
            Ugt => order(">", false),
            Uge => order(">=", false),
            Slt => order("<", true),
            Sle => order("<=", true),
            Sgt => order(">", true),
            Sge => order(">=", true),
        };
        Code::new(text, Level::Call, sort, false)
    }

    fn reshape(&mut self, reshape: Reshape, args: Vec<Code>) -> Code {
        use Reshape::*;
        let widths: Vec<u8> = args.iter().filter_map(|arg| bit_width(arg.sort)).collect();
        let result = reshape.width(&widths).unwrap_or(Sort::MAX_WIDTH);
        let width = widths.first().copied().unwrap_or(result).max(1);
        let low_width = widths.last().copied().unwrap_or(0);
        let mask = format!("{:#x}", mask(result));
        // What is written twice is computed once.
        let args: Vec<Code> = args.into_iter().map(|arg| self.atom(arg)).collect();
        let at = |i: usize| args.get(i).map_or_else(String::new, |arg| arg.at(Level::Call));
        let (a, b) = (at(0), at(1));
        let turned = |n: u8| match n % width {
            0 => a.clone(),
            n => format!("(({a} << {n} | {a} >> {}) & {mask})", width - n),
        };
        let text = match reshape {
            Concat => format!("({a} << {low_width} | {b})"),
            Comp => format!("int({a} == {b})"),
            Extract { low, .. } => format!("({a} >> {low} & {mask})"),
            ZeroExtend(_) => a,
            SignExtend(_) => format!("({}({a}, {width}) & {mask})", self.helper(Helper::Signed)),
            RotateLeft(n) => turned(n),
            RotateRight(n) => turned(width - n % width),
            Repeat(n) => {
                let shifted = (0..n).rev().map(|i| format!("{a} << {}", u32::from(i) * u32::from(width)));
                format!("({})", shifted.collect::<Vec<_>>().join(" | "))
            }
        };
        Code::new(text, Level::Call, Sort::BitVec(result), false)
    }

    fn choice(&mut self, args: Vec<Code>, sort: Sort) -> Code {
        let mut args = args.into_iter();
        let (Some(c), Some(a), Some(b)) = (args.next(), args.next(), args.next()) else {
            return Code::new("None", Level::Call, sort, true);
        };
        let c = self.atom_if_partial(c);
        let partial = c.partial || a.partial || b.partial;
        if !c.partial && (a.text.as_str(), b.text.as_str()) == ("1", "0") {
            return Code::new(format!("int({})", c.text), Level::Call, sort, false);
        }
        let text = format!("{} if {} else {}", a.at(Level::Or), c.at(Level::Or), b.text);
        let code = Code::new(text, Level::Conditional, sort, partial);
        if c.partial {
            let text = format!("None if {} is None else {}", c.at(Level::Sum), code.text);
            return Code { text, ..code };
        }
        code
    }

    /// Values at selected positions: needs the whole column of values.
    fn gather(&mut self, kernel: Kernel, args: Vec<Code>, sort: Sort) -> Code {
        let mut args = args.into_iter();
        let (Some(selector), Some(values)) = (args.next(), args.next()) else {
            return Code::new("None", Level::Call, sort, true);
        };
        let values_partial = values.partial;
        let real = values.sort == Sort::Real;
        let values = self.outside(|generator| generator.column(values));
        let helper = match kernel {
            Kernel::Mean => Helper::Mean,
            Kernel::Least => Helper::Least,
            Kernel::Greatest => Helper::Greatest,
            Kernel::Mode => Helper::Mode,
            _ if real => Helper::CopyReal,
            _ => Helper::Copy,
        };
        let name = self.helper(helper);
        let partial = kernel != Kernel::Mean || values_partial;
        Code::new(format!("{name}({}, {values})", selector.text), Level::Call, sort, partial)
    }
}

fn binding_code(binding: &Binding) -> Code {
    let text = if binding.column { format!("{}[i]", binding.name) } else { binding.name.clone() };
    Code::new(text, Level::Call, binding.sort, binding.partial)
}

/// Whether the condition of an operator over (a, b) is that b is positive.
fn positive_divisor(operator: &Operator) -> bool {
    let Some(Node::App(Func::Kernel(Kernel::Gt), args)) = operator.condition.as_ref().map(Term::node) else {
        return false;
    };
    let is_b = matches!(args[0].node(), Node::Var(name) if operator.params.get(1).is_some_and(|(b, _)| b == name));
    is_b && matches!(args[1].node(), Node::Const(Value::Int(0)))
}

fn is_positive(code: &Code) -> bool {
    matches!(code.constant, Some(Value::Int(value)) if value > 0)
}

/// Whether a meaning looks at other positions, itself or by an operator in it.
fn looks_around(generator: &Generator<'_>, term: &Term) -> bool {
    match term.node() {
        Node::Var(_) | Node::Const(_) => false,
        Node::App(func, args) => {
            let own = match func {
                Func::Kernel(kernel) => kernel.signature().0.contains(&Slot::Sort(Sort::Selector)),
                Func::Op(id) => looks_around(generator, &generator.language.op(*id).meaning),
                Func::Lambda(_, body) => looks_around(generator, body),
                Func::Table(_) => false,
            };
            own || args.iter().any(|arg| looks_around(generator, arg))
        }
        Node::Let(bindings, body) => {
            bindings.iter().any(|(_, value)| looks_around(generator, value)) || looks_around(generator, body)
        }
        Node::Scan(_) | Node::Select { .. } => true,
    }
}
