//! What values depend on: finitely many things that can each be one of finitely many, and functions of some of them.

use rustc_hash::FxHashMap;

/// One thing that values depend on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Atom(pub(super) usize);

/// Cells of one table, at most.
const MAX_CELLS: usize = 40_000;
/// Ways to choose the atoms that several keys share that are looked at one by one, at most.
const MAX_SHARED: usize = 2_000;
/// Ways in which a selection may be made up that are told apart, at most.
const MAX_COUNTS: usize = 400;

/// What a key adds to a selection, as a function of what it depends on: 0 where it is not selected, else 1 and the
/// class of its value.
pub(super) type Choice = Table<u16>;

/// How a selection can be made up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Made {
    /// So many of every class.
    Of(Vec<u16>),
    /// Some, all of one class.
    Only(u16),
    /// Of several classes.
    Mixed,
}

/// The atoms of one length of the domain.
#[derive(Default)]
pub(super) struct Atoms {
    sizes: Vec<usize>,
    tokens: FxHashMap<usize, Atom>,
    selections: FxHashMap<Vec<Choice>, Atom>,
    made: FxHashMap<Atom, Vec<Made>>,
    /// What selections of keys, without classes, are functions of.
    widths: FxHashMap<Atom, Vec<Choice>>,
}

impl Atoms {
    /// The token at a position, one of `size`.
    pub(super) fn token(&mut self, position: usize, size: usize) -> Atom {
        let sizes = &mut self.sizes;
        *self.tokens.entry(position).or_insert_with(|| {
            sizes.push(size);
            Atom(sizes.len() - 1)
        })
    }

    /// How a selection is made up. The same selection of the same classes is the same atom, whoever asks: classes are
    /// renumbered in the order in which they are met. Returns for every class given its number among those met.
    pub(super) fn selection(&mut self, choices: Vec<Choice>) -> Option<(Atom, Vec<u16>)> {
        let mut classes: Vec<u16> = Vec::new();
        let mut renamed = Vec::with_capacity(choices.len());
        for choice in choices {
            let mut choice = self.reduced(choice);
            for code in choice.cells.iter_mut().filter(|code| **code > 0) {
                let place = classes.iter().position(|known| known == code).unwrap_or_else(|| {
                    classes.push(*code);
                    classes.len() - 1
                });
                *code = u16::try_from(place + 1).ok()?;
            }
            renamed.push(choice);
        }
        let atom = match self.selections.get(&renamed) {
            Some(&atom) => atom,
            None => {
                let made = self.ways(&renamed, classes.len())?;
                self.sizes.push(made.len());
                let atom = Atom(self.sizes.len() - 1);
                if classes.len() == 1 {
                    self.widths.insert(atom, renamed.clone());
                }
                self.selections.insert(renamed, atom);
                self.made.insert(atom, made);
                atom
            }
        };
        Some((atom, classes))
    }

    /// All ways in which a selection can be made up (more than there are, if atoms depend on each other): for every choice
    /// of the atoms that several keys share, what the keys can be.
    fn ways(&self, choices: &[Choice], n_classes: usize) -> Option<Vec<Made>> {
        if let Some(made) = self.of_ranks(choices, n_classes) {
            return Some(made);
        }
        let mut all: Vec<Atom> = choices.iter().flat_map(|choice| choice.atoms.iter().copied()).collect();
        all.sort_unstable();
        let mut shared: Vec<Atom> = all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        shared.dedup();
        let mut n = shared.iter().fold(1_usize, |n, atom| n.saturating_mul(self.sizes[atom.0]));
        if n > MAX_SHARED {
            (shared, n) = (Vec::new(), 1);
        }
        // For every cell of the shared atoms and every key: its codes.
        let mut codes: Vec<Vec<Vec<u16>>> = vec![Vec::with_capacity(choices.len()); n];
        for choice in choices {
            let own: Vec<Atom> = shared.iter().copied().filter(|atom| choice.atoms.contains(atom)).collect();
            let mut of_own: Vec<Vec<u16>> = vec![Vec::new(); own.iter().map(|atom| self.sizes[atom.0]).product()];
            for (place, &code) in self.places(&choice.atoms, &own).into_iter().zip(&choice.cells) {
                if !of_own[place].contains(&code) {
                    of_own[place].push(code);
                }
            }
            for (codes, place) in codes.iter_mut().zip(self.places(&shared, &own)) {
                codes.push(of_own[place].clone());
            }
        }
        let mut counts: Vec<Vec<u16>> = Vec::new();
        let mut known: Vec<&Vec<Vec<u16>>> = Vec::new();
        for keys in &codes {
            if known.contains(&keys) {
                continue;
            }
            known.push(keys);
            match counted(keys, n_classes) {
                Some(more) if counts.len() <= MAX_COUNTS => counts.extend(more),
                _ => {
                    counts.resize(MAX_COUNTS + 1, Vec::new());
                    break;
                }
            }
            counts.sort_unstable();
            counts.dedup();
        }
        if counts.len() <= MAX_COUNTS {
            return Some(counts.into_iter().map(Made::Of).collect());
        }
        let mut made: Vec<Made> = Vec::new();
        for keys in codes {
            made.extend(pure(&keys, n_classes).into_iter().filter(|one| !made.contains(one)).collect::<Vec<_>>());
        }
        Some(made)
    }

    /// How a selection of the one key whose rank is a given number can be made up, where ranks are the numbers of keys
    /// before it in a strict order of all: then each rank is that of one key.
    fn of_ranks(&self, choices: &[Choice], n_classes: usize) -> Option<Vec<Made>> {
        let n = choices.len();
        let mut orders: Vec<&[Choice]> = Vec::with_capacity(n);
        let mut wanted: Option<u16> = None;
        for choice in choices {
            let found = choice.atoms.iter().find_map(|atom| {
                let order = self.widths.get(atom).filter(|order| order.len() == n)?;
                let places = self.places(&choice.atoms, &[*atom]);
                let made = self.made(*atom);
                // Selected exactly where the rank is one number.
                let mut ranks =
                    places.iter().zip(&choice.cells).filter(|(_, code)| **code > 0).map(|(place, _)| *place);
                let rank = ranks.next()?;
                let exactly = places.iter().zip(&choice.cells).all(|(&place, &code)| (place == rank) == (code > 0));
                let Made::Of(count) = made.get(rank)? else { return None };
                exactly.then(|| (order.as_slice(), count.first().copied().unwrap_or(0)))
            });
            let (order, rank) = found?;
            if wanted.is_some_and(|wanted| wanted != rank) {
                return None;
            }
            wanted = Some(rank);
            orders.push(order);
        }
        let least = self.least_rank(&orders)?;
        let wanted = usize::from(wanted?);
        if wanted < least || wanted >= least + n {
            return None;
        }
        let mut classes: Vec<u16> =
            choices.iter().flat_map(|choice| choice.cells.iter().copied()).filter(|&code| code > 0).collect();
        classes.sort_unstable();
        classes.dedup();
        let one = |class: u16| Made::Of((1..=n_classes).map(|k| u16::from(k == usize::from(class))).collect());
        Some(classes.into_iter().map(one).collect())
    }

    /// Whether keys are ranked by a strict order of all of them, whatever the atoms are: of any two one is before the other,
    /// and what is before something before a third is before that. The least rank: 1 where a key counts itself, else 0.
    fn least_rank(&self, orders: &[&[Choice]]) -> Option<usize> {
        let n = orders.len();
        // `orders[j][k]`: whether key k is before key j.
        let itself = orders.first()?.first()?.cells[0];
        let holds = |tables: &[&Choice], test: &dyn Fn(&[bool]) -> bool| -> Option<bool> {
            let all = union(tables.iter().map(|table| &table.atoms[..]));
            self.cells(&all)?;
            let places: Vec<Vec<usize>> = tables.iter().map(|table| self.places(&all, &table.atoms)).collect();
            let n = places.first().map_or(0, Vec::len);
            Some((0..n).all(|cell| {
                let values: Vec<bool> =
                    tables.iter().zip(&places).map(|(table, places)| table.cells[places[cell]] > 0).collect();
                test(&values)
            }))
        };
        for (j, order) in orders.iter().enumerate() {
            let own = &order[j];
            if own.cells.len() != 1 || own.cells[0] != itself {
                return None;
            }
            for (before, other) in order.iter().zip(orders).take(j) {
                if !holds(&[before, &other[j]], &|v| v[0] != v[1])? {
                    return None;
                }
            }
        }
        for j in 0..n {
            for k in (0..n).filter(|&k| k != j) {
                for l in (0..n).filter(|&l| l != j && l != k) {
                    if !holds(&[&orders[j][k], &orders[k][l], &orders[j][l]], &|v| !(v[0] && v[1]) || v[2])? {
                        return None;
                    }
                }
            }
        }
        Some(usize::from(itself > 0))
    }

    /// How a selection can be made up, in the order of its values.
    pub(super) fn made(&self, atom: Atom) -> &[Made] {
        self.made.get(&atom).map_or(&[], Vec::as_slice)
    }

    /// The number of cells of a table over some atoms; `None` where there are too many.
    pub(super) fn cells(&self, atoms: &[Atom]) -> Option<usize> {
        let n = atoms.iter().try_fold(1_usize, |n, atom| n.checked_mul(self.sizes[atom.0]))?;
        (n <= MAX_CELLS).then_some(n)
    }

    /// For every cell of a table over `all` the cell of a table over some of them.
    pub(super) fn places(&self, all: &[Atom], some: &[Atom]) -> Vec<usize> {
        let n = all.iter().map(|atom| self.sizes[atom.0]).product();
        let mut places = vec![0; n];
        let (mut stride, mut own) = (1, 1);
        for atom in all.iter().rev() {
            let size = self.sizes[atom.0];
            if some.contains(atom) {
                places.iter_mut().enumerate().for_each(|(cell, place)| *place += cell / stride % size * own);
                own *= size;
            }
            stride *= size;
        }
        places
    }

    /// The same function of fewer atoms, where some do not matter.
    pub(super) fn reduced<T: Clone + PartialEq>(&self, mut table: Table<T>) -> Table<T> {
        let mut at = 0;
        while at < table.atoms.len() {
            let rest: Vec<Atom> = table.atoms.iter().copied().filter(|&atom| atom != table.atoms[at]).collect();
            let places = self.places(&table.atoms, &rest);
            let mut cells: Vec<Option<T>> = vec![None; table.cells.len() / self.sizes[table.atoms[at].0].max(1)];
            let same = table.cells.iter().zip(&places).all(|(cell, &place)| match &cells[place] {
                Some(known) => known == cell,
                none => {
                    debug_assert!(none.is_none());
                    cells[place] = Some(cell.clone());
                    true
                }
            });
            match cells.into_iter().collect::<Option<Vec<T>>>() {
                Some(cells) if same => table = Table { atoms: rest, cells },
                _ => at += 1,
            }
        }
        table
    }
}

/// A function of some atoms: a value for every way to choose them, the last one changing fastest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Table<T> {
    /// Ascending.
    pub(super) atoms: Vec<Atom>,
    pub(super) cells: Vec<T>,
}

impl<T> Table<T> {
    pub(super) fn constant(value: T) -> Self {
        Self { atoms: Vec::new(), cells: vec![value] }
    }
}

/// All atoms of several tables, ascending.
pub(super) fn union<'a>(sets: impl IntoIterator<Item = &'a [Atom]>) -> Vec<Atom> {
    let mut all: Vec<Atom> = sets.into_iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// All ways in which a selection can be made up of keys that each have some codes; `None` where they are too many.
fn counted(keys: &[Vec<u16>], n_classes: usize) -> Option<Vec<Vec<u16>>> {
    let mut counts = vec![vec![0_u16; n_classes]];
    for codes in keys {
        let mut next: Vec<Vec<u16>> = Vec::new();
        for count in &counts {
            for &code in codes {
                let mut count = count.clone();
                if code > 0 {
                    count[usize::from(code) - 1] += 1;
                }
                next.push(count);
            }
        }
        next.sort_unstable();
        next.dedup();
        counts = next;
        if counts.len() > MAX_COUNTS {
            return None;
        }
    }
    Some(counts)
}

/// The same without numbers: nothing, only one class, or several.
fn pure(keys: &[Vec<u16>], n_classes: usize) -> Vec<Made> {
    let mut made = Vec::new();
    if keys.iter().all(|codes| codes.contains(&0)) {
        made.push(Made::Of(vec![0; n_classes]));
    }
    for class in 1..=u16::try_from(n_classes).unwrap_or(u16::MAX) {
        let possible = keys.iter().any(|codes| codes.contains(&class))
            && keys.iter().all(|codes| codes.contains(&0) || codes.contains(&class));
        if possible {
            made.push(Made::Only(class - 1));
        }
    }
    // Where keys of different classes can be selected, they may meet.
    let selected = |codes: &[u16]| codes.iter().copied().filter(|&code| code > 0).collect::<Vec<u16>>();
    let meets = |a: usize, b: usize| {
        selected(&keys[a]).iter().any(|one| selected(&keys[b]).iter().any(|another| one != another))
    };
    if (0..keys.len()).any(|a| (0..a).any(|b| meets(a, b))) {
        made.push(Made::Mixed);
    }
    made
}
