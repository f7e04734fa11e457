//! What values depend on: finitely many things that can each be one of finitely many, and functions of some of them.

use rustc_hash::FxHashMap;

/// One thing that values depend on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Atom(pub(super) usize);

/// Cells of one table, at most.
const MAX_CELLS: usize = 40_000;
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
                let made = ways(&renamed, classes.len());
                self.sizes.push(made.len());
                let atom = Atom(self.sizes.len() - 1);
                self.selections.insert(renamed, atom);
                self.made.insert(atom, made);
                atom
            }
        };
        Some((atom, classes))
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

/// All ways in which a selection can be made up, whatever the atoms are (more than there are, if these depend on each other).
fn ways(choices: &[Choice], n_classes: usize) -> Vec<Made> {
    let codes: Vec<Vec<u16>> = choices
        .iter()
        .map(|choice| {
            let mut codes = choice.cells.clone();
            codes.sort_unstable();
            codes.dedup();
            codes
        })
        .collect();
    let mut counts = vec![vec![0_u16; n_classes]];
    for codes in &codes {
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
            return pure(&codes_of(choices), n_classes);
        }
    }
    counts.into_iter().map(Made::Of).collect()
}

fn codes_of(choices: &[Choice]) -> Vec<Vec<u16>> {
    choices.iter().map(|choice| choice.cells.clone()).collect()
}

/// The same without numbers: nothing, only one class, or several.
fn pure(codes: &[Vec<u16>], n_classes: usize) -> Vec<Made> {
    let mut made = Vec::new();
    if codes.iter().all(|codes| codes.contains(&0)) {
        made.push(Made::Of(vec![0; n_classes]));
    }
    for class in 1..=u16::try_from(n_classes).unwrap_or(u16::MAX) {
        let possible = codes.iter().any(|codes| codes.contains(&class))
            && codes.iter().all(|codes| codes.contains(&0) || codes.contains(&class));
        if possible {
            made.push(Made::Only(class - 1));
        }
    }
    // Where several classes are there at all, they may meet.
    made.push(Made::Mixed);
    made
}
