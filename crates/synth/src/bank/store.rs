//! The flat store of a bank: classes of terms with equal values, in structures of arrays.
//!
//! A class is a nonterminal and a column of codes. It keeps one node (production and child classes), never a tree, and a
//! few alternative nodes that had the same values. Columns are packed (see [`super::columns`]) and found through an
//! open-addressing table of fingerprints.

use super::ClassId;
use super::columns::{Columns, Packed, Place};
use super::production::Production;
use super::rows::Rows;

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
    /// A row each.
    classes: Rows<Class>,
    /// The most arguments that a production has.
    arity: usize,
    /// A row each: the next one of the same class, the production, and `arity` arguments.
    alternatives: Rows<u32>,
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
    dropped: Dropped,
}

/// Which alternatives a class dropped because the cap was reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Dropped {
    None,
    /// Some that cost more than the class.
    Costlier,
    /// Some that cost no more.
    Cheapest,
}

/// The table is addressed by the leading bits of a fingerprint, so that it grows without looking at columns.
#[derive(Clone, Copy, Debug)]
struct Slot {
    fingerprint: u32,
    /// Class plus one; zero is a free slot.
    class: u32,
}

/// What there is for a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    Class(u32),
    /// None, but the slot for one, until something is inserted.
    Free(usize),
}

impl Probe {
    pub(super) fn class(self) -> Option<u32> {
        match self {
            Self::Class(class) => Some(class),
            Self::Free(_) => None,
        }
    }
}

const FREE: Slot = Slot { fingerprint: 0, class: 0 };
const FIRST_BITS: u32 = 10;

impl Store {
    /// An empty store.
    pub(crate) fn new(n_points: usize, alternatives_cap: u8, productions: &[Production]) -> Self {
        let arity = productions.iter().map(|production| production.params.len()).max().unwrap_or(0);
        let mut store = Self {
            results: productions.iter().map(|production| production.result).collect(),
            columns: Columns::new(n_points),
            classes: Rows::new(1),
            arity,
            alternatives: Rows::new(2 + arity),
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
        self.columns.bytes() + self.classes.bytes() + self.alternatives.bytes() + self.slots.len() * size_of::<Slot>()
    }

    fn class(&self, class: u32) -> &Class {
        &self.classes.row(class as usize)[0]
    }

    fn class_mut(&mut self, class: u32) -> &mut Class {
        &mut self.classes.row_mut(class as usize)[0]
    }

    pub(crate) fn nonterminal(&self, class: u32) -> u16 {
        self.results[usize::from(self.class(class).production)]
    }

    pub(crate) fn cost(&self, class: u32) -> u32 {
        self.class(class).cost
    }

    pub(crate) fn node(&self, class: u32) -> Node {
        let &Class { production, args, .. } = self.class(class);
        Node { production, args }
    }

    /// The codes of a class.
    pub(crate) fn column(&self, class: u32) -> Vec<i64> {
        self.columns.get(self.class(class).place)
    }

    /// Writes the column of a class to `out`.
    pub(crate) fn read(&self, class: u32, out: &mut [i64]) {
        self.columns.read(self.class(class).place, out);
    }

    fn is(&self, class: u32, nonterminal: u16, column: Packed<'_>) -> bool {
        let known = self.class(class);
        self.columns.packed(known.place).is(column) && self.results[usize::from(known.production)] == nonterminal
    }

    /// The other nodes known for a class, most recent first.
    pub(crate) fn alternatives(&self, class: u32) -> impl Iterator<Item = Node> + '_ {
        let mut next = self.class(class).first_alternative;
        std::iter::from_fn(move || {
            let row = (next != NIL).then(|| self.alternatives.row(next as usize))?;
            let [following, production, given @ ..] = row else { return None };
            let mut args = [0; MAX_ARITY];
            args[..given.len()].copy_from_slice(given);
            next = *following;
            Some(Node { production: *production as u16, args })
        })
    }

    /// Whether a class dropped an alternative that costs no more than what it kept.
    pub(crate) fn has_dropped_cheapest(&self, class: u32) -> bool {
        self.class(class).dropped == Dropped::Cheapest
    }

    /// The fingerprint of a column in a nonterminal.
    pub(super) fn fingerprint(&self, nonterminal: u16, column: Packed<'_>) -> u32 {
        (mix(column.hash(&self.keys) ^ (u64::from(nonterminal) << 48)) >> 32) as u32
    }

    fn home(&self, fingerprint: u32) -> usize {
        let bits = self.slots.len().trailing_zeros();
        (fingerprint >> (32 - bits)) as usize
    }

    /// Looks for the class with this column.
    pub(super) fn probe(&self, nonterminal: u16, column: Packed<'_>, fingerprint: u32) -> Probe {
        let mut slot = self.home(fingerprint);
        loop {
            let Slot { fingerprint: found, class } = self.slots[slot];
            if class == 0 {
                return Probe::Free(slot);
            }
            if found == fingerprint && self.is(class - 1, nonterminal, column) {
                return Probe::Class(class - 1);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// What [`Store::probe`] says of many columns with their fingerprints; [`NONE`] for none.
    ///
    /// Slots are read before classes, and these before columns, so that the reads of memory overlap.
    pub(super) fn find_all(&self, nonterminal: u16, columns: &Columns, keys: &[(Place, u32)], found: &mut Vec<u32>) {
        found.clear();
        // The first class with the fingerprint is nearly always the one, if there is one at all.
        found.extend(keys.iter().map(|&(_, fingerprint)| {
            let slot = self.slots[self.home(fingerprint)];
            if slot.class == 0 || slot.fingerprint == fingerprint { slot.class } else { NONE }
        }));
        for (class, &(place, fingerprint)) in found.iter_mut().zip(keys) {
            let column = columns.packed(place);
            *class = match *class {
                0 => NONE,
                known if known != NONE && self.is(known - 1, nonterminal, column) => known - 1,
                _ => self.probe(nonterminal, column, fingerprint).class().unwrap_or(NONE),
            };
        }
    }

    /// A new class, of the nonterminal that the node's production is of, in the slot that was found for it.
    pub(super) fn insert(&mut self, column: Packed<'_>, fingerprint: u32, slot: usize, cost: u32, node: Node) -> u32 {
        let class = u32::try_from(self.len()).expect("the limit of classes is below 2^32");
        let place = self.columns.push_packed(column);
        let Node { production, args } = node;
        self.classes.append().push(Class {
            args,
            cost,
            first_alternative: NIL,
            place,
            production,
            n_alternatives: 0,
            dropped: Dropped::None,
        });
        self.slots[slot] = Slot { fingerprint, class: class + 1 };
        // At most half full: most candidates are looked up, and few find their slot taken by another.
        if self.len() * 2 > self.slots.len() {
            self.grow_slots();
        }
        class
    }

    /// Remembers that a node of a cost has the values of a class, up to the cap; whether there was room.
    pub(crate) fn add_alternative(&mut self, class: u32, node: Node, cost: u32) -> bool {
        let known = self.class(class);
        let dropped = if cost > known.cost { Dropped::Costlier } else { Dropped::Cheapest };
        let full = known.n_alternatives >= self.alternatives_cap;
        if full && known.dropped >= dropped {
            return false;
        }
        let is_known = || self.node(class) == node || self.alternatives(class).any(|other| other == node);
        if self.may_repeat && is_known() {
            return true;
        }
        let room = u32::try_from(self.alternatives.len()).ok().filter(|&index| !full && index != NIL);
        let Some(index) = room else {
            self.class_mut(class).dropped = dropped.max(known.dropped);
            return false;
        };
        let next = known.first_alternative;
        let row = self.alternatives.append();
        row.extend([next, u32::from(node.production)]);
        row.extend_from_slice(&node.args[..self.arity]);
        let known = self.class_mut(class);
        known.first_alternative = index;
        known.n_alternatives += 1;
        true
    }

    /// Makes `node` the representative of a class because it is cheaper; the old one becomes an alternative.
    pub(crate) fn improve(&mut self, class: u32, node: Node, cost: u32) -> bool {
        let (old, old_cost) = (self.node(class), self.cost(class));
        let known = self.class_mut(class);
        (known.production, known.args, known.cost) = (node.production, node.args, cost);
        self.add_alternative(class, old, old_cost)
    }

    /// Adds points: `tails` holds what is new of the column of every class, one class after the other.
    pub(crate) fn widen(&mut self, n_new: usize, tails: &[i64]) {
        let n_old = self.n_points();
        let old = std::mem::replace(&mut self.columns, Columns::new(n_old + n_new));
        let mut codes = vec![0; n_old + n_new];
        for class in 0..self.len() {
            old.read(self.class(class as u32).place, &mut codes[..n_old]);
            codes[n_old..].copy_from_slice(&tails[class * n_new..][..n_new]);
            self.class_mut(class as u32).place = self.columns.push(&codes);
        }
        self.may_repeat = true;
        self.grow_keys();
        self.slots.fill(FREE);
        for class in 0..self.len() as u32 {
            let column = self.columns.packed(self.class(class).place);
            let fingerprint = self.fingerprint(self.nonterminal(class), column);
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
            self.class_mut(class).first_alternative = NIL;
            self.class_mut(class).n_alternatives = 0;
            // The list is most recent first; re-adding in the order of discovery keeps it so.
            for (node, stay) in nodes.into_iter().zip(stay).rev() {
                if stay {
                    // There was room for it.
                    self.add_alternative(class, node, u32::MAX);
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
        Store::new(n_points, 2, &[0, 1, 0, 1].map(|nonterminal| Production::chain(nonterminal, nonterminal)))
    }

    fn node(production: u16) -> Node {
        Node { production, args: [0; MAX_ARITY] }
    }

    fn insert(store: &mut Store, nonterminal: u16, codes: &[i64]) -> u32 {
        let (columns, place) = Columns::of(codes);
        let column = columns.packed(place);
        let fingerprint = store.fingerprint(nonterminal, column);
        insert_as(store, nonterminal, column, fingerprint)
    }

    fn insert_as(store: &mut Store, nonterminal: u16, column: Packed<'_>, fingerprint: u32) -> u32 {
        let Probe::Free(slot) = store.probe(nonterminal, column, fingerprint) else { panic!("there is such a class") };
        store.insert(column, fingerprint, slot, 1, node(nonterminal))
    }

    fn find(store: &Store, nonterminal: u16, codes: &[i64]) -> Option<u32> {
        let (columns, place) = Columns::of(codes);
        let column = columns.packed(place);
        store.probe(nonterminal, column, store.fingerprint(nonterminal, column)).class()
    }

    /// The classes of columns, each with another fingerprint than its own where one is given.
    fn find_all<const N: usize>(
        store: &Store,
        nonterminal: u16,
        columns: impl IntoIterator<Item = ([i64; N], Option<u32>)>,
    ) -> Vec<u32> {
        let (mut packed, mut found) = (Columns::new(N), Vec::new());
        let mut key = |(codes, given): ([i64; N], Option<u32>)| {
            let place = packed.push(&codes);
            (place, given.unwrap_or_else(|| store.fingerprint(nonterminal, packed.packed(place))))
        };
        let keys: Vec<(Place, u32)> = columns.into_iter().map(&mut key).collect();
        store.find_all(nonterminal, &packed, &keys, &mut found);
        found
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
        let found = find_all(&store, 0, (4_900..5_100).map(|i| (column(i), None)));
        let expected: Vec<u32> = (4_900..5_100).map(|i| if i < 5_000 && i % 2 == 0 { i } else { NONE }).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_fingerprints_are_told_apart() {
        let mut store = store(1);
        for (nonterminal, code) in [(0, 5), (1, 5), (0, 6)] {
            let (columns, place) = Columns::of(&[code]);
            let column = columns.packed(place);
            insert_as(&mut store, nonterminal, column, 7);
        }
        assert_eq!(find_all(&store, 0, [6, 7, 5].map(|code| ([code], Some(7)))), [2, NONE, 0]);
        assert_eq!(find_all(&store, 1, [5, 6].map(|code| ([code], Some(7)))), [1, NONE]);
    }

    #[test]
    fn alternatives_are_kept_up_to_the_cap_and_can_leave() {
        let mut store = store(1);
        let class = insert(&mut store, 0, &[5]);
        store.may_repeat = true;
        for production in [1, 2, 2] {
            store.add_alternative(class, node(production), 1);
        }
        store.add_alternative(class, node(3), 2);
        assert!(!store.has_dropped_cheapest(class));
        store.add_alternative(class, node(3), 1);
        assert!(store.has_dropped_cheapest(class));
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
        assert_eq!(store.column(a), [1, 2, 9]);
        assert_eq!(store.column(b), [3, 4, 1 << 40], "a column may need more room than before");
        assert_eq!(find(&store, 0, &[1, 2, 9]), Some(a));
        assert_eq!(find(&store, 0, &[1, 2, 8]), None);
    }
}
