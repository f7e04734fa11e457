//! The flat store of a bank: classes of terms with equal values, in structures of arrays.
//!
//! A class is a nonterminal and a column of codes. It keeps one node (production and child classes), never a tree, and a
//! few alternative nodes that had the same values. Columns are packed (see [`super::columns`]) and found through an
//! open-addressing table of fingerprints.

use std::borrow::Cow;

use super::ClassId;
use super::columns::{Columns, Place, extend, reserve};

/// The largest number of arguments of an enumerated operator.
pub(crate) const MAX_ARITY: usize = 4;

/// No class.
pub(crate) const NONE: u32 = u32::MAX;

/// A production applied to classes; unused arguments are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) production: u16,
    pub(crate) args: [u32; MAX_ARITY],
}

/// The end of a list of alternatives.
const NIL: u32 = u32::MAX;

/// All classes of a bank.
#[derive(Debug)]
pub(crate) struct Store {
    /// The nonterminal that each production is of.
    results: Vec<u16>,
    columns: Columns,
    classes: Vec<Class>,
    /// One after the other: where the next one of the same class begins, production and number of arguments, arguments.
    alternatives: Vec<u32>,
    alternatives_cap: u8,
    slots: Vec<Slot>,
    keys: Vec<u64>,
    /// Whether a node may be offered that its class knows already: every combination is built once, until points split
    /// classes.
    may_repeat: bool,
}

/// What is known of a class beside its column: two in a cache line.
#[derive(Clone, Debug)]
struct Class {
    args: [u32; MAX_ARITY],
    cost: u32,
    first_alternative: u32,
    place: Place,
    production: u16,
    n_alternatives: u8,
    /// Whether an alternative was dropped because the cap was reached.
    overflowed: bool,
}

/// The table is addressed by the leading bits of a fingerprint, so that it grows without looking at columns.
#[derive(Clone, Copy, Debug)]
struct Slot {
    fingerprint: u32,
    /// Class plus one; zero is a free slot.
    class: u32,
}

const FREE: Slot = Slot { fingerprint: 0, class: 0 };
const FIRST_BITS: u32 = 10;

impl Store {
    /// An empty store; `results` holds the nonterminal of every production.
    pub(crate) fn new(n_points: usize, alternatives_cap: u8, results: Vec<u16>) -> Self {
        let mut store = Self {
            results,
            columns: Columns::new(n_points),
            classes: Vec::new(),
            alternatives: Vec::new(),
            alternatives_cap,
            slots: vec![FREE; 1 << FIRST_BITS],
            keys: Vec::new(),
            may_repeat: false,
        };
        store.grow_keys();
        store
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn n_points(&self) -> usize {
        self.columns.n_points()
    }

    /// Memory allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.bytes()
            + self.classes.capacity() * size_of::<Class>()
            + self.alternatives.capacity() * size_of::<u32>()
            + self.slots.len() * size_of::<Slot>()
    }

    pub(crate) fn nonterminal(&self, class: u32) -> u16 {
        self.results[usize::from(self.classes[class as usize].production)]
    }

    pub(crate) fn cost(&self, class: u32) -> u32 {
        self.classes[class as usize].cost
    }

    pub(crate) fn node(&self, class: u32) -> Node {
        let Class { production, args, .. } = self.classes[class as usize];
        Node { production, args }
    }

    /// The column of a class; owned where it lies packed.
    pub(crate) fn column(&self, class: u32) -> Cow<'_, [i64]> {
        self.columns.get(self.classes[class as usize].place)
    }

    /// Writes the column of a class to `out`.
    pub(crate) fn read(&self, class: u32, out: &mut [i64]) {
        self.columns.read(self.classes[class as usize].place, out);
    }

    fn is(&self, class: u32, nonterminal: u16, codes: &[i64]) -> bool {
        let known = &self.classes[class as usize];
        self.columns.equals(known.place, codes) && self.results[usize::from(known.production)] == nonterminal
    }

    /// The other nodes known for a class, most recent first.
    pub(crate) fn alternatives(&self, class: u32) -> impl Iterator<Item = Node> + '_ {
        let mut next = self.classes[class as usize].first_alternative;
        std::iter::from_fn(move || {
            let [following, head, rest @ ..] = self.alternatives.get(next as usize..)? else { return None };
            let mut args = [0; MAX_ARITY];
            let n = (head >> 16) as usize;
            args[..n].copy_from_slice(rest.get(..n)?);
            next = *following;
            Some(Node { production: *head as u16, args })
        })
    }

    pub(crate) fn overflowed(&self, class: u32) -> bool {
        self.classes[class as usize].overflowed
    }

    /// The fingerprint of a column in a nonterminal.
    pub(crate) fn fingerprint(&self, nonterminal: u16, codes: &[i64]) -> u32 {
        (mix(sum(&self.keys, codes) ^ (u64::from(nonterminal) << 48)) >> 32) as u32
    }

    fn home(&self, fingerprint: u32) -> usize {
        let bits = self.slots.len().trailing_zeros();
        (fingerprint >> (32 - bits)) as usize
    }

    /// The class with this column, if there is one.
    pub(crate) fn find(&self, nonterminal: u16, codes: &[i64], fingerprint: u32) -> Option<u32> {
        let mut slot = self.home(fingerprint);
        loop {
            let Slot { fingerprint: found, class } = self.slots[slot];
            if class == 0 {
                return None;
            }
            if found == fingerprint && self.is(class - 1, nonterminal, codes) {
                return Some(class - 1);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// What [`Store::find`] says of many columns that lie one after the other; [`NONE`] for none.
    ///
    /// Slots are read before columns, so that the reads of memory overlap.
    pub(crate) fn find_all(&self, nonterminal: u16, columns: &[i64], fingerprints: &[u32], found: &mut Vec<u32>) {
        found.clear();
        // The first class with the fingerprint is nearly always the one, if there is one at all.
        found.extend(fingerprints.iter().map(|&fingerprint| {
            let slot = self.slots[self.home(fingerprint)];
            if slot.class == 0 || slot.fingerprint == fingerprint { slot.class } else { NONE }
        }));
        let n = self.n_points();
        for (i, class) in found.iter_mut().enumerate() {
            let codes = &columns[i * n..(i + 1) * n];
            *class = match *class {
                0 => NONE,
                NONE => self.find(nonterminal, codes, fingerprints[i]).unwrap_or(NONE),
                known if self.is(known - 1, nonterminal, codes) => known - 1,
                _ => self.find(nonterminal, codes, fingerprints[i]).unwrap_or(NONE),
            };
        }
    }

    /// A new class, of the nonterminal that the node's production is of. The column must not be that of another one.
    pub(crate) fn insert(&mut self, codes: &[i64], fingerprint: u32, cost: u32, node: Node) -> u32 {
        if (self.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow_slots();
        }
        let class = u32::try_from(self.len()).expect("the limit of classes is below 2^32");
        let place = self.columns.push(codes);
        reserve(&mut self.classes, 1);
        let Node { production, args } = node;
        self.classes.push(Class {
            args,
            cost,
            first_alternative: NIL,
            place,
            production,
            n_alternatives: 0,
            overflowed: false,
        });
        self.place(Slot { fingerprint, class: class + 1 });
        class
    }

    /// Remembers that a node has the values of a class, up to the cap.
    pub(crate) fn add_alternative(&mut self, class: u32, node: Node) {
        let known = &self.classes[class as usize];
        let full = known.n_alternatives >= self.alternatives_cap;
        if full && known.overflowed {
            return;
        }
        let is_known = || self.node(class) == node || self.alternatives(class).any(|other| other == node);
        if self.may_repeat && is_known() {
            return;
        }
        let class = &mut self.classes[class as usize];
        let room = u32::try_from(self.alternatives.len()).ok().filter(|&index| !full && index != NIL);
        let Some(index) = room else {
            class.overflowed = true;
            return;
        };
        let Node { production, args } = node;
        // Arguments that are zero at the end need not be kept: missing ones are zero.
        let n = args.iter().rposition(|&arg| arg != 0).map_or(0, |last| last + 1);
        extend(&mut self.alternatives, &[class.first_alternative, u32::from(production) | (n as u32) << 16]);
        extend(&mut self.alternatives, &args[..n]);
        class.first_alternative = index;
        class.n_alternatives += 1;
    }

    /// Makes `node` the representative of a class because it is cheaper; the old one becomes an alternative.
    pub(crate) fn improve(&mut self, class: u32, node: Node, cost: u32) {
        let old = self.node(class);
        let known = &mut self.classes[class as usize];
        (known.production, known.args, known.cost) = (node.production, node.args, cost);
        self.add_alternative(class, old);
    }

    /// Adds points: `tails` holds what is new of the column of every class, one class after the other.
    pub(crate) fn widen(&mut self, n_new: usize, tails: &[i64]) {
        let n_old = self.n_points();
        let old = std::mem::replace(&mut self.columns, Columns::new(n_old + n_new));
        let mut codes = vec![0; n_old + n_new];
        for (i, class) in self.classes.iter_mut().enumerate() {
            old.read(class.place, &mut codes[..n_old]);
            codes[n_old..].copy_from_slice(&tails[i * n_new..(i + 1) * n_new]);
            class.place = self.columns.push(&codes);
        }
        self.may_repeat = true;
        self.grow_keys();
        self.slots.fill(FREE);
        for class in 0..self.len() as u32 {
            self.read(class, &mut codes);
            let fingerprint = self.fingerprint(self.nonterminal(class), &codes);
            self.place(Slot { fingerprint, class: class + 1 });
        }
    }

    /// Takes the alternatives out that satisfy a condition, with the class that each belonged to.
    pub(crate) fn extract_alternatives(
        &mut self,
        mut leaves: impl FnMut(&Self, u32, Node) -> bool,
    ) -> Vec<(u32, Node)> {
        let mut extracted = Vec::new();
        for class in 0..self.len() as u32 {
            let nodes: Vec<Node> = self.alternatives(class).collect();
            let stay: Vec<bool> = nodes.iter().map(|&node| !leaves(self, class, node)).collect();
            if stay.iter().all(|&s| s) {
                continue;
            }
            self.classes[class as usize].first_alternative = NIL;
            self.classes[class as usize].n_alternatives = 0;
            // The list is most recent first; re-adding in the order of discovery keeps it so.
            for (node, stay) in nodes.into_iter().zip(stay).rev() {
                if stay {
                    self.add_alternative(class, node);
                } else {
                    extracted.push((class, node));
                }
            }
        }
        extracted
    }

    fn grow_keys(&mut self) {
        let mut state = self.keys.len() as u64;
        while self.keys.len() < self.n_points() {
            // splitmix64 (Steele et al. 2014), made odd: keys of a multilinear hash.
            state += 1;
            self.keys.push(mix(state.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        }
    }

    fn place(&mut self, new: Slot) {
        let mut slot = self.home(new.fingerprint);
        while self.slots[slot].class != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = new;
    }

    fn grow_slots(&mut self) {
        let grown = vec![FREE; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, grown) {
            if slot.class != 0 {
                self.place(slot);
            }
        }
    }
}

/// Multilinear hashing: a sum of products with odd keys, in four independent chains.
fn sum(keys: &[u64], codes: &[i64]) -> u64 {
    let mut lanes = [0_u64; 4];
    let keys = &keys[..codes.len()];
    let mut key_chunks = keys.chunks_exact(4);
    let mut code_chunks = codes.chunks_exact(4);
    for (k, c) in key_chunks.by_ref().zip(code_chunks.by_ref()) {
        for lane in 0..4 {
            lanes[lane] = lanes[lane].wrapping_add(k[lane].wrapping_mul(c[lane] as u64));
        }
    }
    for (k, &c) in key_chunks.remainder().iter().zip(code_chunks.remainder()) {
        lanes[0] = lanes[0].wrapping_add(k.wrapping_mul(c as u64));
    }
    lanes[0].wrapping_add(lanes[1]).wrapping_add(lanes[2]).wrapping_add(lanes[3])
}

/// The finaliser of splitmix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl From<u32> for ClassId {
    fn from(class: u32) -> Self {
        Self(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store in which production `i` is of nonterminal `i % 2`.
    fn store(n_points: usize) -> Store {
        Store::new(n_points, 2, vec![0, 1, 0, 1])
    }

    fn node(production: u16) -> Node {
        Node { production, args: [0; MAX_ARITY] }
    }

    fn insert(store: &mut Store, nonterminal: u16, codes: &[i64]) -> u32 {
        let fingerprint = store.fingerprint(nonterminal, codes);
        store.insert(codes, fingerprint, 1, node(nonterminal))
    }

    fn find(store: &Store, nonterminal: u16, codes: &[i64]) -> Option<u32> {
        store.find(nonterminal, codes, store.fingerprint(nonterminal, codes))
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let mut store = store(3);
        let column = |i: i64| [i, i * i % 7, -i];
        for i in 0..5_000_i64 {
            let nonterminal = (i % 2) as u16;
            assert_eq!(find(&store, nonterminal, &column(i)), None);
            assert_eq!(insert(&mut store, nonterminal, &column(i)), i as u32);
        }
        for i in 0..5_000_i64 {
            assert_eq!(find(&store, (i % 2) as u16, &column(i)), Some(i as u32));
            assert_eq!(find(&store, (1 - i % 2) as u16, &column(i)), None, "another nonterminal is another class");
        }
        let many: Vec<i64> = (4_900..5_100).flat_map(column).collect();
        let fingerprints: Vec<u32> = many.chunks_exact(3).map(|codes| store.fingerprint(0, codes)).collect();
        let mut found = Vec::new();
        store.find_all(0, &many, &fingerprints, &mut found);
        let expected: Vec<u32> = (4_900..5_100).map(|i| if i < 5_000 && i % 2 == 0 { i } else { NONE }).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_fingerprints_are_told_apart() {
        let mut store = store(1);
        for (nonterminal, code) in [(0, 5), (1, 5), (0, 6)] {
            assert_eq!(store.find(nonterminal, &[code], 7), None);
            store.insert(&[code], 7, 1, node(nonterminal));
        }
        let mut found = Vec::new();
        store.find_all(0, &[6, 7, 5], &[7, 7, 7], &mut found);
        assert_eq!(found, [2, NONE, 0]);
        store.find_all(1, &[5, 6], &[7, 7], &mut found);
        assert_eq!(found, [1, NONE]);
    }

    #[test]
    fn alternatives_are_kept_up_to_the_cap_and_can_leave() {
        let mut store = store(1);
        let class = insert(&mut store, 0, &[5]);
        store.may_repeat = true;
        for production in [1, 2, 2] {
            store.add_alternative(class, node(production));
        }
        assert!(!store.overflowed(class));
        store.add_alternative(class, node(3));
        assert!(store.overflowed(class));
        assert_eq!(store.alternatives(class).collect::<Vec<_>>(), [node(2), node(1)]);
        let gone = store.extract_alternatives(|_, _, n| n.production == 1);
        assert_eq!(gone, [(class, node(1))]);
        assert_eq!(store.alternatives(class).collect::<Vec<_>>(), [node(2)]);
    }

    #[test]
    fn columns_grow() {
        let mut store = store(2);
        let a = insert(&mut store, 0, &[1, 2]);
        let b = insert(&mut store, 1, &[3, 4]);
        store.widen(1, &[9, 1 << 40]);
        assert_eq!(*store.column(a), [1, 2, 9]);
        assert_eq!(*store.column(b), [3, 4, 1 << 40], "a column may need more room than before");
        assert_eq!(find(&store, 0, &[1, 2, 9]), Some(a));
        assert_eq!(find(&store, 0, &[1, 2, 8]), None);
    }
}
