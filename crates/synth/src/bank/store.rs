//! The flat store of a bank: classes of terms with equal values, in structures of arrays.
//!
//! A class is a nonterminal and a column of codes. It keeps one node (production and child classes), never a tree, and a few
//! alternative nodes that had the same values. Columns lie one after the other in one vector and are found through an
//! open-addressing table of fingerprints.

use super::ClassId;

/// The largest number of arguments of an enumerated operator.
pub(crate) const MAX_ARITY: usize = 4;

/// A production applied to classes; unused arguments are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) production: u32,
    pub(crate) args: [u32; MAX_ARITY],
}

/// The end of a list of alternatives.
const NIL: u32 = u32::MAX;

/// All classes of a bank.
#[derive(Debug)]
pub(crate) struct Store {
    n_points: usize,
    /// Words per point of each nonterminal.
    widths: Vec<usize>,
    columns: Vec<i64>,
    classes: Vec<Class>,
    alternatives: Vec<(Node, u32)>,
    alternatives_cap: u8,
    slots: Vec<Slot>,
    keys: Vec<u64>,
}

/// What is known of a class beside its column, within one cache line.
#[derive(Clone, Debug)]
struct Class {
    /// Where its column starts.
    start: usize,
    /// The unfinished fingerprint of its column.
    sum: u64,
    node: Node,
    cost: u32,
    first_alternative: u32,
    n_alternatives: u8,
    nonterminal: u16,
    /// Whether an alternative was dropped because the cap was reached.
    overflowed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    /// Class plus one; zero is a free slot.
    class: u32,
}

const FREE: Slot = Slot { tag: 0, class: 0 };

impl Store {
    pub(crate) fn new(n_points: usize, widths: Vec<usize>, alternatives_cap: u8) -> Self {
        let mut store = Self {
            n_points,
            widths,
            columns: Vec::new(),
            classes: Vec::new(),
            alternatives: Vec::new(),
            alternatives_cap,
            slots: vec![FREE; 1 << 10],
            keys: Vec::new(),
        };
        store.grow_keys();
        store
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn n_points(&self) -> usize {
        self.n_points
    }

    pub(crate) fn bytes(&self) -> usize {
        self.columns.len() * 8
            + self.len() * size_of::<Class>()
            + self.alternatives.len() * size_of::<(Node, u32)>()
            + self.slots.len() * size_of::<Slot>()
    }

    pub(crate) fn nonterminal(&self, class: u32) -> u16 {
        self.classes[class as usize].nonterminal
    }

    pub(crate) fn cost(&self, class: u32) -> u32 {
        self.classes[class as usize].cost
    }

    pub(crate) fn node(&self, class: u32) -> Node {
        self.classes[class as usize].node
    }

    /// Words of a column of a nonterminal.
    pub(crate) fn words(&self, nonterminal: u16) -> usize {
        self.widths[nonterminal as usize] * self.n_points
    }

    pub(crate) fn column(&self, class: u32) -> &[i64] {
        let Class { start, nonterminal, .. } = self.classes[class as usize];
        &self.columns[start..start + self.words(nonterminal)]
    }

    /// The other nodes known for a class, most recent first.
    pub(crate) fn alternatives(&self, class: u32) -> impl Iterator<Item = Node> + '_ {
        let mut next = self.classes[class as usize].first_alternative;
        std::iter::from_fn(move || {
            let &(node, following) = self.alternatives.get(next as usize)?;
            next = following;
            Some(node)
        })
    }

    pub(crate) fn overflowed(&self, class: u32) -> bool {
        self.classes[class as usize].overflowed
    }

    /// The unfinished fingerprint of a column.
    pub(crate) fn sum(&self, codes: &[i64]) -> u64 {
        sum(&self.keys, codes)
    }

    /// The class with this column, if there is one.
    pub(crate) fn find(&self, nonterminal: u16, codes: &[i64], sum: u64) -> Option<u32> {
        let (tag, mut slot) = self.address(nonterminal, sum);
        loop {
            let Slot { tag: found, class } = self.slots[slot];
            if class == 0 {
                return None;
            }
            if found == tag && self.nonterminal(class - 1) == nonterminal && self.column(class - 1) == codes {
                return Some(class - 1);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// A new class. The column must not be that of another class of the nonterminal.
    pub(crate) fn insert(&mut self, nonterminal: u16, codes: &[i64], sum: u64, cost: u32, node: Node) -> u32 {
        debug_assert_eq!(codes.len(), self.words(nonterminal), "a column has one entry per point");
        if (self.len() + 1) * 2 > self.slots.len() {
            self.rehash(self.slots.len() * 2);
        }
        let class = u32::try_from(self.len()).expect("the limit of classes is below 2^32");
        let start = self.columns.len();
        self.columns.extend_from_slice(codes);
        self.classes.push(Class {
            start,
            sum,
            node,
            cost,
            first_alternative: NIL,
            n_alternatives: 0,
            nonterminal,
            overflowed: false,
        });
        self.place(class);
        class
    }

    /// Remembers that a node has the values of a class, up to the cap.
    pub(crate) fn add_alternative(&mut self, class: u32, node: Node) {
        let known = &self.classes[class as usize];
        let full = known.n_alternatives >= self.alternatives_cap;
        if (full && known.overflowed) || known.node == node || self.alternatives(class).any(|other| other == node) {
            return;
        }
        let class = &mut self.classes[class as usize];
        if full {
            class.overflowed = true;
            return;
        }
        let index = u32::try_from(self.alternatives.len()).expect("at most 255 alternatives per class");
        self.alternatives.push((node, class.first_alternative));
        class.first_alternative = index;
        class.n_alternatives += 1;
    }

    /// Makes `node` the representative of a class because it is cheaper; the old one becomes an alternative.
    pub(crate) fn improve(&mut self, class: u32, node: Node, cost: u32) {
        let known = &mut self.classes[class as usize];
        let old = std::mem::replace(&mut known.node, node);
        known.cost = cost;
        self.add_alternative(class, old);
    }

    /// Makes room for `n_new` points: every column grows by entries that the caller fills with [`Store::set_tail`].
    pub(crate) fn widen(&mut self, n_new: usize) {
        let old = std::mem::take(&mut self.columns);
        let old_points = self.n_points;
        self.n_points += n_new;
        self.grow_keys();
        let mut columns = Vec::with_capacity(old.len() / old_points.max(1) * self.n_points);
        for class in &mut self.classes {
            let width = self.widths[class.nonterminal as usize];
            let start = std::mem::replace(&mut class.start, columns.len());
            columns.extend_from_slice(&old[start..start + width * old_points]);
            columns.resize(columns.len() + width * n_new, 0);
        }
        self.columns = columns;
    }

    /// The words of a column from point `from` on.
    pub(crate) fn tail(&self, class: u32, from: usize) -> &[i64] {
        &self.column(class)[from * self.widths[self.nonterminal(class) as usize]..]
    }

    /// Sets the words of a column from point `from` on.
    pub(crate) fn set_tail(&mut self, class: u32, from: usize, codes: &[i64]) {
        let known = &mut self.classes[class as usize];
        let width = self.widths[known.nonterminal as usize];
        let column = &mut self.columns[known.start..known.start + width * self.n_points];
        column[from * width..].copy_from_slice(codes);
        known.sum = sum(&self.keys, column);
    }

    /// Rebuilds the table after columns changed.
    pub(crate) fn reindex(&mut self) {
        self.rehash(self.slots.len());
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
        let words = self.n_points * self.widths.iter().copied().max().unwrap_or(1);
        let mut state = self.keys.len() as u64;
        while self.keys.len() < words {
            // splitmix64 (Steele et al. 2014), made odd: keys of a multilinear hash.
            state += 1;
            self.keys.push(mix(state.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        }
    }

    fn address(&self, nonterminal: u16, sum: u64) -> (u32, usize) {
        let hash = mix(sum ^ (u64::from(nonterminal) << 48));
        ((hash >> 32) as u32, hash as usize & (self.slots.len() - 1))
    }

    fn place(&mut self, class: u32) {
        let Class { nonterminal, sum, .. } = self.classes[class as usize];
        let (tag, mut slot) = self.address(nonterminal, sum);
        while self.slots[slot].class != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = Slot { tag, class: class + 1 };
    }

    fn rehash(&mut self, n_slots: usize) {
        self.slots = vec![FREE; n_slots];
        for class in 0..self.len() as u32 {
            self.place(class);
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

    const LEAF: Node = Node { production: 0, args: [0; MAX_ARITY] };

    fn node(production: u32) -> Node {
        Node { production, args: [0; MAX_ARITY] }
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let mut store = Store::new(3, vec![1, 1], 2);
        for i in 0..5_000_i64 {
            let codes = [i, i * i % 7, -i];
            let sum = store.sum(&codes);
            let sort = (i % 2) as u16;
            assert_eq!(store.find(sort, &codes, sum), None);
            assert_eq!(store.insert(sort, &codes, sum, 1, LEAF), i as u32);
        }
        for i in 0..5_000_i64 {
            let codes = [i, i * i % 7, -i];
            let sum = store.sum(&codes);
            assert_eq!(store.find((i % 2) as u16, &codes, sum), Some(i as u32));
            assert_eq!(store.find((1 - i % 2) as u16, &codes, sum), None, "another sort is another class");
        }
    }

    #[test]
    fn alternatives_are_kept_up_to_the_cap_and_can_leave() {
        let mut store = Store::new(1, vec![1], 2);
        let sum = store.sum(&[5]);
        let class = store.insert(0, &[5], sum, 1, LEAF);
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
        let mut store = Store::new(2, vec![1, 2], 2);
        let a = store.insert(0, &[1, 2], store.sum(&[1, 2]), 1, LEAF);
        let b = store.insert(1, &[1, 2, 3, 4], store.sum(&[1, 2, 3, 4]), 1, LEAF);
        store.widen(1);
        store.set_tail(a, 2, &[9]);
        store.set_tail(b, 2, &[5, 6]);
        store.reindex();
        assert_eq!(store.column(a), [1, 2, 9]);
        assert_eq!(store.column(b), [1, 2, 3, 4, 5, 6]);
        assert_eq!(store.tail(b, 2), [5, 6]);
        assert_eq!(store.find(0, &[1, 2, 9], store.sum(&[1, 2, 9])), Some(a));
        assert_eq!(store.find(0, &[1, 2, 8], store.sum(&[1, 2, 8])), None);
    }
}
