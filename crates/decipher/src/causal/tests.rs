//! Programs for languages and tasks whose rule is known: the outputs are the rule's own, no network is run.

use dsl::Language;
use graph::{Family, Feeding, Graph, Network, Op};
use rand::Rng as _;
use samples::{Batch, Decode, Domain, Elements, Rng, Symbol, Value, rng};

use super::study::Study;
use crate::Config;

/// A language as an automaton over small integers: the state after a letter, none where no word goes on like that.
struct Automaton {
    letters: &'static [&'static str],
    next: fn(i64, usize) -> Option<i64>,
    accepts: fn(i64) -> bool,
}

fn language() -> Language {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    Language::parse("sequences", &include("sequences").expect("shipped"), &include).expect("it parses")
}

/// A network that is only named: its domain is what a study asks for.
fn named(vocabulary: &[&str], decode: Decode) -> Network {
    let vocab: Vec<Value> = vocabulary.iter().map(|token| Value::Symbol((*token).into())).collect();
    let (inputs, scored) = (Batch::new(1), Vec::new());
    let elements = Elements::Recorded { vocab, inputs, scored };
    let domain = Domain { elements, length: (1, 200), decode, n_outputs: 1 };
    let mut graph = Graph::new();
    graph.add("output", Op::Tokens, vec![]);
    let feeding = Feeding { n_tokens: vocabulary.len(), n_positions: 200, bos: None };
    Network::transformer(domain, Family::Gpt2, graph, feeding).expect("it has an output")
}

/// The share of sequences that the best program gets right, and the program.
fn explained(study: &Study<'_>, language: &Language) -> (f64, String) {
    let config = Config { min_agreement: 0.5, ..Config::new(language) };
    let found = super::explained(study, None, 0.0, &config).expect("it can be searched");
    let Some(best) = found.first() else { return (0.0, "nothing".to_owned()) };
    let values = study.values(&best.program, &config).expect("it has values");
    (study.agreement(&values), dsl::print(&best.program, language))
}

impl Automaton {
    fn vocabulary(&self) -> Vec<&'static str> {
        self.letters.iter().copied().chain(["<bos>", "<sep>", "<eos>", "<pad>"]).collect()
    }

    /// Words of up to so many letters, each cut where no letter goes on.
    fn word(&self, length: usize, rng: &mut Rng) -> Vec<usize> {
        let (mut state, mut word) = (0, Vec::new());
        for _ in 0..length {
            let next: Vec<(usize, i64)> =
                (0..self.letters.len()).filter_map(|letter| (self.next)(state, letter).map(|s| (letter, s))).collect();
            let Some(&(letter, after)) = next.get(rng.random_range(0..next.len().max(1))) else { break };
            word.push(letter);
            state = after;
        }
        word
    }

    fn legal(&self, state: i64) -> i64 {
        let letters = self.letters.iter().enumerate();
        let mut list: Vec<String> =
            letters.filter(|(i, _)| (self.next)(state, *i).is_some()).map(|(_, text)| format!("{text:?}")).collect();
        if (self.accepts)(state) {
            list.push("\"<eos>\"".to_owned());
        }
        Symbol::new(&format!("#json:[{}]", list.join(","))).code()
    }

    #[track_caller]
    fn check(&self) {
        let vocabulary = self.vocabulary();
        let network = named(&vocabulary, Decode::LegalTokens);
        let mut rng = rng(1, "words");
        let (mut batch, mut outputs) = (Batch::new(1), Vec::new());
        for _ in 0..300 {
            let length = rng.random_range(1..=60);
            let word = self.word(length, &mut rng);
            let mut state = 0;
            outputs.push(self.legal(state));
            for &letter in &word {
                state = (self.next)(state, letter).expect("it goes on");
                outputs.push(self.legal(state));
            }
            let bos = self.letters.len() as i64;
            let sequence: Vec<i64> = std::iter::once(bos).chain(word.iter().map(|&letter| letter as i64)).collect();
            batch.push(&sequence);
        }
        let scored = vec![true; outputs.len()];
        found(&Study::known(&network, batch, outputs, scored));
    }
}

#[track_caller]
fn found(study: &Study<'_>) -> String {
    let (agreement, program) = explained(study, &language());
    assert!(agreement >= 0.99, "{agreement}: {program}");
    program
}

/// A task whose answer follows `<sep>`: the answer of a body, over an alphabet of numerals or letters.
#[track_caller]
fn task(
    letters: &[String],
    body: impl Fn(&mut Rng) -> Vec<usize>,
    answer: impl Fn(&[usize]) -> Vec<usize>,
    ends: bool,
) -> String {
    let mut vocabulary: Vec<&str> = letters.iter().map(String::as_str).collect();
    vocabulary.extend(["<bos>", "<sep>", "<eos>", "<pad>"]);
    let network = named(&vocabulary, Decode::NextToken);
    let [bos, sep, eos] = [0, 1, 2].map(|i| letters.len() + i);
    let mut rng = rng(1, "tasks");
    let (mut batch, mut outputs, mut scored) = (Batch::new(1), Vec::new(), Vec::new());
    for _ in 0..400 {
        let body = body(&mut rng);
        let mut answer = answer(&body);
        answer.extend(ends.then_some(eos));
        let sequence: Vec<usize> =
            [bos].into_iter().chain(body.iter().copied()).chain([sep]).chain(answer.clone()).collect();
        let first = body.len() + 1;
        for t in 0..sequence.len() - 1 {
            outputs.push(Symbol::new(vocabulary[sequence[t + 1]]).code());
            scored.push(t >= first);
        }
        let read: Vec<i64> = sequence[..sequence.len() - 1].iter().map(|&id| id as i64).collect();
        batch.push(&read);
    }
    found(&Study::known(&network, batch, outputs, scored))
}

fn numerals(n: usize) -> Vec<String> {
    (0..n).map(|i| i.to_string()).collect()
}

#[test]
fn regular_languages() {
    let bits = &["0", "1"];
    // (10)*
    Automaton { letters: bits, next: |s, x| (x as i64 == 1 - s).then_some(1 - s), accepts: |s| s == 0 }.check();
    // No three 0s in a row.
    Automaton {
        letters: bits,
        next: |s, x| if x == 1 { Some(0) } else { (s < 2).then_some(s + 1) },
        accepts: |_| true,
    }
    .check();
    // As many 0s as 1s, modulo 3.
    Automaton { letters: bits, next: |s, x| Some((s + 1 + x as i64) % 3), accepts: |s| s == 0 }.check();
    // (abab)*
    Automaton { letters: &["a", "b"], next: |s, x| (x as i64 == s % 2).then_some((s + 1) % 4), accepts: |s| s == 0 }
        .check();
}

#[test]
fn languages_with_parts() {
    // (a|b)* d (b|c)*
    let next = |s: i64, x: usize| match (s, x) {
        (0, 0 | 1) => Some(0),
        (0, 3) => Some(1),
        (1, 1 | 2) => Some(1),
        _ => None,
    };
    Automaton { letters: &["a", "b", "c", "d"], next, accepts: |s| s == 1 }.check();
    // (0|1|2)* 0 2*
    let next = |s: i64, x: usize| {
        Some(match (s, x) {
            (_, 0) | (1, 2) => 1,
            _ => 0,
        })
    };
    Automaton { letters: &["0", "1", "2"], next, accepts: |s| s == 1 }.check();
}

#[test]
fn deep_brackets() {
    let next = |s: i64, x: usize| match x {
        0 => (s < 12).then_some(s + 1),
        _ => (s > 0).then_some(s - 1),
    };
    Automaton { letters: &["a", "b"], next, accepts: |s| s == 0 }.check();
}

#[test]
fn copies() {
    let letters = ["a", "b"].map(str::to_owned);
    let body = |rng: &mut Rng| (0..rng.random_range(1..=30)).map(|_| rng.random_range(0..2)).collect::<Vec<usize>>();
    task(&letters, body, |body| body.to_vec(), true);
}

#[test]
fn reversals_of_different_tokens() {
    let body = |rng: &mut Rng| {
        let n = rng.random_range(1..=20);
        rand::seq::index::sample(rng, 60, n).into_vec()
    };
    let program = task(&numerals(60), body, |body| body.iter().rev().copied().collect(), true);
    // Of the terms that tell the end as shortly, that which looks up what is looked up anyway.
    assert!(program.contains("(ite (= \"<bos>\" (before tokens)) \"<eos>\" (before tokens))"), "{program}");
}

#[test]
fn parity() {
    let letters = ["0", "1"].map(str::to_owned);
    let body = |rng: &mut Rng| (0..rng.random_range(1..=40)).map(|_| rng.random_range(0..2)).collect::<Vec<usize>>();
    task(&letters, body, |body| vec![body.iter().sum::<usize>() % 2], false);
}

#[test]
fn copies_by_two_tokens() {
    let letters: Vec<String> = numerals(12);
    // Every pair of neighbours stands there once.
    let body = |rng: &mut Rng| {
        let (mut seen, mut word) = (Vec::new(), vec![rng.random_range(0..12)]);
        for _ in 1..rng.random_range(2..=24) {
            let last = word[word.len() - 1];
            let pair = (last, rng.random_range(0..12));
            if !seen.contains(&pair) {
                seen.push(pair);
                word.push(pair.1);
            }
        }
        word
    };
    task(&letters, body, |body| body.to_vec(), true);
}

/// Programs for words over `<bos>` and letters, and what a rule says after every element, best first.
fn programs(words: &[Vec<&str>], made: &[Vec<&str>], rule: fn(&[&str]) -> &'static str) -> Vec<String> {
    let language = language();
    let vocabulary = ["a", "b", "c", "<bos>", "<sep>", "<eos>", "<pad>"];
    let network = named(&vocabulary, Decode::LegalTokens);
    let study = |words: &[Vec<&str>]| {
        let (mut batch, mut outputs) = (Batch::new(1), Vec::new());
        for word in words {
            let word: Vec<&str> = std::iter::once("<bos>").chain(word.iter().copied()).collect();
            outputs.extend((1..=word.len()).map(|n| Symbol::new(rule(&word[..n])).code()));
            let place = |token: &&str| vocabulary.iter().position(|other| other == token).map_or(0, |i| i as i64);
            batch.push(&word.iter().map(place).collect::<Vec<i64>>());
        }
        let scored = vec![true; outputs.len()];
        Study::known(&network, batch, outputs, scored)
    };
    let config = Config { min_agreement: 0.5, ..Config::new(&language) };
    let found = super::explained(&study(words), Some(study(made)), 0.0, &config).expect("it can be searched");
    found.iter().map(|hypothesis| dsl::print(&hypothesis.program, &language)).collect()
}

/// All words over some letters of up to so many.
fn all_words(letters: &[&'static str], length: usize) -> Vec<Vec<&'static str>> {
    let mut words: Vec<Vec<&str>> = vec![Vec::new()];
    let mut last = words.clone();
    for _ in 0..length {
        last = last
            .iter()
            .flat_map(|word| letters.iter().map(move |&letter| [word.as_slice(), &[letter]].concat()))
            .collect();
        words.extend(last.clone());
    }
    words
}

#[test]
fn what_coincides_on_legal_words_is_told_apart_by_others() {
    // Words of a, then b, then c, by the last letter alone: that a c may follow where there is a b is as true of legal words, and shorter.
    let rule = |word: &[&str]| match word[word.len() - 1] {
        "<bos>" | "a" => "#json:[\"a\",\"b\"]",
        "b" => "#json:[\"b\",\"c\"]",
        _ => "#json:[\"c\",\"<eos>\"]",
    };
    let words = all_words(&["a", "b", "c"], 7);
    let goes_on = |word: &[&str]| {
        !word.starts_with(&["c"]) && word.windows(2).all(|pair| pair[0] <= pair[1] && pair != ["a", "c"])
    };
    let (legal, others): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| goes_on(word));
    let found = programs(&legal, &others[..300], rule);
    let first = found.first().expect("there is a program");
    let looks_back = ["exists", "count", "previous", "latch", "run", "last_index", "indices", "recent", "share"];
    assert!(looks_back.iter().all(|word| !first.contains(word)), "{first}");
    // Without them the shorter one is taken.
    let found = programs(&legal, &[], rule);
    assert!(found.first().expect("there is a program").contains("exists"), "{}", found.join("\n"));
}

#[test]
fn programs_that_are_equal_everywhere_are_all_offered() {
    // 0*1*0*1*, with letters: no a after the second block of b.
    let rule = |word: &[&str]| {
        let after = |n: usize| word[..n].contains(&"b");
        let comes_back = (0..word.len()).any(|n| word[n] == "a" && after(n));
        if comes_back && word[word.len() - 1] == "b" { "#json:[\"b\"]" } else { "#json:[\"a\",\"b\"]" }
    };
    let legal = |word: &Vec<&str>| (1..word.len()).filter(|&n| word[n - 1] == "b" && word[n] == "a").count() < 2;
    let (words, others): (Vec<_>, Vec<_>) = all_words(&["a", "b"], 8).into_iter().partition(legal);
    let found = programs(&words, &others, rule);
    // At the last a there was a b; there is an a after a b.
    let forms = [
        "(latch (= tokens \"a\") (exists (= tokens \"b\")))",
        "(exists (and (exists (= tokens \"b\")) (= tokens \"a\")))",
    ];
    for form in forms {
        assert!(found.iter().any(|program| program.contains(form)), "{form}: {}", found.join("\n"));
    }
}
