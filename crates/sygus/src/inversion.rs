//! Terms one operator beyond a bank, found from the values wanted backwards.
//!
//! For `(bvxor a b)` with known values, `b` is known once `a` is: a look-up for every class in place of a pass over all pairs,
//! which reaches terms of about twice the cost (as [`synth::invert`], for grammars).

use dsl::{BitOp, Func, Grammar, Kernel, Language, Node, NonterminalId, Production, Term};
use samples::{Sort, mask};
use synth::Bank;

use crate::theory;
use crate::tree::{argument, chained};

/// A production whose second argument follows from its first one and its value.
struct Invertible<'g> {
    func: &'g Func,
    args: [NonterminalId; 2],
    cost: u32,
    kernel: Kernel,
}

/// The invertible productions of the start, also those of the file's own functions.
fn invertible<'g>(grammar: &'g Grammar, language: &Language) -> Vec<Invertible<'g>> {
    let all = chained(grammar, NonterminalId(0));
    let productions = all.into_iter().flat_map(|id| &grammar.nonterminal(id).productions);
    let own = |production: &'g Production| {
        let Production::Apply { func, args, cost } = production else { return None };
        let &[first, second] = args.as_slice() else { return None };
        let params = [0, 1].map(|i| Term::var(argument(i)));
        let meaning = theory::expand(&Term::app(func.clone(), params.to_vec()), language);
        let Node::App(Func::Kernel(kernel), parts) = meaning.node() else { return None };
        let can = matches!(
            kernel,
            Kernel::Add | Kernel::Sub | Kernel::Xor | Kernel::Bits(BitOp::Add | BitOp::Sub | BitOp::Xor | BitOp::Xnor)
        );
        (can && *parts == params).then_some(Invertible { func, args: [first, second], cost: *cost, kernel: *kernel })
    };
    productions.filter_map(own).collect()
}

/// The cheapest term below `bound` whose head is invertible, whose arguments the bank has, and that has the values wanted.
pub(crate) fn inverted(bank: &Bank<'_>, grammar: &Grammar, wanted: &[i64], bound: u32) -> Option<(u32, Term)> {
    let sort = grammar.nonterminal(NonterminalId(0)).sort;
    let mut best: Option<(u32, Term)> = None;
    let mut codes = vec![0; wanted.len()];
    for Invertible { func, args: [first, second], cost, kernel } in invertible(grammar, bank.language()) {
        for known in bank.classes_of(first) {
            let limit = best.as_ref().map_or(bound, |(best, _)| *best);
            // What the bank finds costs at least 1.
            if cost + known.cost + 1 >= limit {
                break;
            }
            let values = known.codes.iter().zip(wanted).zip(&mut codes);
            let mut solved = values.map(|((&a, &value), code)| follows(kernel, sort, a, value).map(|b| *code = b));
            if !solved.all(|is_known| is_known.is_some()) {
                continue;
            }
            let Some(other) = bank.find_in(second, &codes) else { continue };
            let total = cost + known.cost + bank.cost(other);
            if total < limit {
                best = Some((total, Term::app(func.clone(), vec![bank.term(known.id), bank.term(other)])));
            }
        }
    }
    best
}

/// The second argument with which a function has a value; `None` where there is none within 64 bits.
fn follows(kernel: Kernel, sort: Sort, first: i64, value: i64) -> Option<i64> {
    if [first, value].iter().any(|&code| sort.is_undefined(code)) {
        return None;
    }
    let bits = |code: i64| match sort {
        Sort::BitVec(width) => code & mask(width) as i64,
        _ => code,
    };
    match kernel {
        Kernel::Add => value.checked_sub(first),
        Kernel::Sub => first.checked_sub(value),
        Kernel::Xor => Some(first ^ value),
        Kernel::Bits(BitOp::Add) => Some(bits(value.wrapping_sub(first))),
        Kernel::Bits(BitOp::Sub) => Some(bits(first.wrapping_sub(value))),
        Kernel::Bits(BitOp::Xor) => Some(first ^ value),
        Kernel::Bits(BitOp::Xnor) => Some(bits(!(first ^ value))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use dsl::sort_of;
    use samples::Column;

    use super::*;
    use crate::spec::evaluate;

    #[test]
    fn what_follows_gives_the_value_wanted() {
        let language = Language::default();
        let bits = [BitOp::Add, BitOp::Sub, BitOp::Xor, BitOp::Xnor].map(Kernel::Bits);
        for (kernel, sort) in [Kernel::Add, Kernel::Sub]
            .map(|kernel| (kernel, Sort::Int))
            .into_iter()
            .chain([(Kernel::Xor, Sort::Bool)])
            .chain(bits.iter().flat_map(|&kernel| [1, 5, 64].map(|width| (kernel, Sort::BitVec(width)))))
        {
            let samples: &[i64] = match sort {
                Sort::Int => &[0, 1, -7, 1 << 40],
                Sort::Bool | Sort::BitVec(1) => &[0, 1],
                Sort::BitVec(5) => &[0, 1, 17, 31],
                _ => &[0, 1, -1, i64::MIN, 12345],
            };
            let names = [argument(0), argument(1)];
            let term = theory::apply(kernel, names.map(Term::var).to_vec());
            assert_eq!(sort_of(&term, &language, &names.map(|name| (name, sort))), Ok(sort));
            for (&first, &value) in samples.iter().flat_map(|first| samples.iter().map(move |value| (first, value))) {
                let second = follows(kernel, sort, first, value).expect("it follows");
                let vars = [(names[0], Column::new(sort, vec![first])), (names[1], Column::new(sort, vec![second]))];
                let column = evaluate(&term, &language, &vars, 1).expect("it has a value");
                assert_eq!(column.codes, [value], "{kernel:?} {sort} {first} {value}");
            }
        }
        assert_eq!(follows(Kernel::Add, Sort::Int, -2, i64::MAX), None);
    }
}
