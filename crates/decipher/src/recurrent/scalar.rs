//! Scalar terms compiled for single points: what runs a candidate update element by element, a million updates a second.
//!
//! The meaning is that of `dsl`'s evaluator, restricted to integers and truth values; a test holds one against the
//! other.

use dsl::{Func, Kernel, Language, Node, Term};
use rustc_hash::FxHashMap;
use samples::{Symbol, UNDEFINED, Value, encode_value};

/// A compiled term, in postfix order.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    instructions: Vec<Instruction>,
}

#[derive(Clone, Copy, Debug)]
enum Instruction {
    Variable(usize),
    Constant(i64),
    Apply(Kernel),
}

impl Code {
    /// Compiles a term over variables; `None` where it holds more than pointwise functions of integers and truth
    /// values, or a table.
    pub(crate) fn of(term: &Term, language: &Language, variables: &[Symbol]) -> Option<Self> {
        let mut code = Self { instructions: Vec::new() };
        let index = |name: Symbol| variables.iter().position(|&v| v == name).map(Instruction::Variable);
        code.push(term, language, &|name| index(name).map(|i| vec![i]))?;
        Some(code)
    }

    fn push(
        &mut self,
        term: &Term,
        language: &Language,
        variable: &dyn Fn(Symbol) -> Option<Vec<Instruction>>,
    ) -> Option<()> {
        match term.node() {
            Node::Var(name) => self.instructions.extend(variable(*name)?),
            Node::Const(value @ (Value::Int(_) | Value::Bool(_) | Value::Undefined)) => {
                self.instructions.push(Instruction::Constant(encode_value(*value)));
            }
            Node::App(Func::Kernel(kernel), args) => {
                for arg in args {
                    self.push(arg, language, variable)?;
                }
                runs(*kernel).then_some(())?;
                self.instructions.push(Instruction::Apply(*kernel));
            }
            Node::App(Func::Op(op), args) => {
                let operator = language.op(*op);
                if let Some(kernel) = operator.kernel()
                    && operator.condition.is_none()
                {
                    for arg in args {
                        self.push(arg, language, variable)?;
                    }
                    runs(kernel).then_some(())?;
                    self.instructions.push(Instruction::Apply(kernel));
                    return Some(());
                }
                let mut bound: FxHashMap<Symbol, Vec<Instruction>> = FxHashMap::default();
                for ((name, _), arg) in operator.params.iter().zip(args) {
                    let mut code = Self { instructions: Vec::new() };
                    code.push(arg, language, variable)?;
                    bound.insert(*name, code.instructions);
                }
                let lookup = |name: Symbol| bound.get(&name).cloned();
                if let Some(condition) = &operator.condition {
                    self.push(condition, language, &lookup)?;
                    self.push(&operator.meaning, language, &lookup)?;
                    self.instructions.push(Instruction::Constant(UNDEFINED));
                    self.instructions.push(Instruction::Apply(Kernel::Ite));
                } else {
                    self.push(&operator.meaning, language, &lookup)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The code of the value at a point, given those of the variables. `stack` is scratch.
    pub(crate) fn run(&self, variables: &[i64], stack: &mut Vec<i64>) -> i64 {
        stack.clear();
        for instruction in &self.instructions {
            match instruction {
                Instruction::Variable(index) => stack.push(variables[*index]),
                Instruction::Constant(code) => stack.push(*code),
                Instruction::Apply(kernel) => {
                    let at = stack.len() - kernel.arity();
                    let value = apply(*kernel, &stack[at..]);
                    stack.truncate(at);
                    stack.push(value);
                }
            }
        }
        stack.pop().unwrap_or(UNDEFINED)
    }
}

fn runs(kernel: Kernel) -> bool {
    use Kernel::{
        Abs, Add, And, Defined, Distinct, Div, Eq, Ge, Gt, Implies, Isqrt, Ite, Le, Lt, Max, Min, Mod, Mul, Neg, Not,
        Or, Sub, Xor,
    };
    matches!(
        kernel,
        Not | And
            | Or
            | Xor
            | Implies
            | Eq
            | Distinct
            | Ite
            | Defined
            | Add
            | Sub
            | Mul
            | Neg
            | Div
            | Mod
            | Abs
            | Min
            | Max
            | Lt
            | Le
            | Gt
            | Ge
            | Isqrt
    )
}

fn apply(kernel: Kernel, args: &[i64]) -> i64 {
    match kernel {
        Kernel::Ite => match args[0] {
            UNDEFINED => UNDEFINED,
            0 => args[2],
            _ => args[1],
        },
        Kernel::Defined => i64::from(args[0] != UNDEFINED),
        Kernel::And | Kernel::Or | Kernel::Implies => connective(kernel, args[0], args[1]),
        _ if args.contains(&UNDEFINED) => UNDEFINED,
        _ => strict(kernel, args).unwrap_or(UNDEFINED),
    }
}

/// Kleene's connectives: a known argument may decide.
fn connective(kernel: Kernel, a: i64, b: i64) -> i64 {
    let (a, deciding) = match kernel {
        Kernel::And => (a, 0),
        Kernel::Implies if a != UNDEFINED => (1 - a, 1),
        _ => (a, 1),
    };
    if a == deciding || b == deciding {
        deciding
    } else if a == UNDEFINED || b == UNDEFINED {
        UNDEFINED
    } else {
        1 - deciding
    }
}

fn strict(kernel: Kernel, args: &[i64]) -> Option<i64> {
    let (a, b) = (args[0], args.get(1).copied().unwrap_or(0));
    let value = match kernel {
        Kernel::Not => 1 - a,
        Kernel::Xor => a ^ b,
        Kernel::Eq => i64::from(a == b),
        Kernel::Distinct => i64::from(a != b),
        Kernel::Add => a.checked_add(b)?,
        Kernel::Sub => a.checked_sub(b)?,
        Kernel::Mul => a.checked_mul(b)?,
        Kernel::Neg => a.checked_neg()?,
        Kernel::Div => a.checked_div_euclid(b)?,
        Kernel::Mod => a.checked_rem_euclid(b)?,
        Kernel::Abs => a.checked_abs()?,
        Kernel::Min => a.min(b),
        Kernel::Max => a.max(b),
        Kernel::Lt => i64::from(a < b),
        Kernel::Le => i64::from(a <= b),
        Kernel::Gt => i64::from(a > b),
        Kernel::Ge => i64::from(a >= b),
        Kernel::Isqrt if a >= 0 => a.isqrt(),
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use samples::{Column, Sort};
    use synth::{Bank, BankConfig, Leaf, Limits, Watch};

    use super::*;

    /// Every term up to some cost, at points that make quotients, overflows and choices undefined.
    #[test]
    fn points_and_columns_agree() {
        let text = "(include \"recurrent\") (define-fun half ((a Int)) Int (// a 2) :when (= (% a 2) 0) :cost 1)";
        let include = |name: &str| Language::shipped(name).map(str::to_owned);
        let language = Language::parse("test", text, &include).expect("parses");
        let values = [[-7, 3], [0, 0], [i64::MAX, 2], [5, -4], [9, 9], [UNDEFINED, 1]];
        let column = |i: usize| Column::new(Sort::Int, values.iter().map(|v| v[i]).collect());
        let leaves = ["a", "b"].into_iter().enumerate();
        let leaves = leaves.map(|(i, name)| Leaf::variable(&language, name, column(i))).collect();
        let mut bank = Bank::new(&language, &BankConfig::new(&language, leaves)).expect("small");
        bank.run(&Limits { max_classes: 4_000, ..Limits::new(6) }, &mut |_| Watch::Keep);
        let names = [Symbol::new("a"), Symbol::new("b")];
        let mut stack = Vec::new();
        let mut compared = 0;
        for found in bank.classes().filter(|found| matches!(found.sort, Sort::Int | Sort::Bool)) {
            let term = bank.term(found.id);
            let code = Code::of(&term, &language, &names).expect("integers and truth values");
            let run: Vec<i64> = values.iter().map(|point| code.run(point, &mut stack)).collect();
            assert_eq!(run, *found.codes, "{}", dsl::print(&term, &language));
            compared += 1;
        }
        assert!(compared > 500);
    }
}
