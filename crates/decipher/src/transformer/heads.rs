//! What an attention head computes, in terms of classes: whom it selects, and whether it counts, copies or averages.

use nalgebra::DVector;
use rustc_hash::FxHashMap;

use super::live::varying;
use super::tolerance::Tolerance;
use super::trace::Mat;
use super::variables::{Origin, Select, VarId, Variable, centre, cluster, observed, product};
use super::wiring::Head;

/// Tuples of classes that a table may list before only those seen are listed.
pub(super) const PRODUCT: usize = 40_000;

/// Distinct means that are listed.
const MEANS: usize = 4_000;

/// The variables built so far and the constants around them.
pub(super) struct Build {
    /// Variables in causal order.
    pub(super) variables: Vec<Variable>,
    /// The variables of every writer.
    pub(super) of_writer: Vec<Vec<VarId>>,
    /// Every writer's mean over the sample points.
    pub(super) means: Vec<DVector<f64>>,
    /// Every writer's mean over the BOS rows.
    pub(super) bos: Vec<DVector<f64>>,
    /// Ranges of the sample points of each sequence.
    pub(super) sequences: Vec<std::ops::Range<usize>>,
    /// Sample points.
    pub(super) n_points: usize,
    /// The greatest number of elements of a sequence.
    pub(super) max_length: usize,
    /// What counts as noise.
    pub(super) tolerance: Tolerance,
}

/// The selected and the constant part of a head's reading.
struct Side {
    /// The variable that is read, if any.
    variable: Option<VarId>,
    /// `[d_head, classes]`: the full reading for each class.
    readings: Mat,
}

impl Build {
    /// Sum of the constants of some writers.
    pub(super) fn base(&self, reads: &[usize], bos: bool) -> DVector<f64> {
        let source = if bos { &self.bos } else { &self.means };
        let mut sum = DVector::zeros(self.means.first().map_or(0, |m| m.len()));
        for &writer in reads {
            sum += &source[writer];
        }
        sum
    }

    /// All variables of some writers, each once.
    pub(super) fn carried(&self, reads: &[usize]) -> Vec<VarId> {
        let mut all: Vec<VarId> = Vec::new();
        for id in reads.iter().flat_map(|&writer| self.of_writer[writer].iter().copied()) {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        all
    }

    /// The variables of some writers that vary under a view.
    pub(super) fn read(&self, reads: &[usize], view: &Mat) -> Vec<VarId> {
        let varies =
            |id: &VarId| !varying(view, &self.variables[*id].codes_in(reads), None, self.tolerance.read()).is_empty();
        self.carried(reads).into_iter().filter(varies).collect()
    }

    /// The combinations of some variables' classes that a table should list: those that can occur, as far as the variables
    /// depend on each other by finite functions alone; of too many, those that the samples show.
    pub(super) fn tuples(&self, inputs: &[VarId]) -> Vec<Vec<u32>> {
        let sizes = |ids: &[VarId]| ids.iter().map(|&id| self.variables[id].n_classes()).collect::<Vec<_>>();
        let (basis, plain) = (self.basis(inputs), product(&sizes(inputs), PRODUCT));
        let most = plain.as_ref().map_or(PRODUCT, Vec::len);
        if basis != inputs
            && let Some(all) = product(&sizes(&basis), most)
        {
            let mut possible: Vec<Vec<u32>> = all.iter().map(|tuple| self.image(inputs, &basis, tuple)).collect();
            possible.sort_unstable();
            possible.dedup();
            return possible;
        }
        plain.unwrap_or_else(|| {
            let columns: Vec<&[u32]> = inputs.iter().map(|&id| &self.variables[id].classes[..]).collect();
            observed(&columns, self.n_points)
        })
    }

    /// The variables that are no finite functions of others, from which some variables are computed.
    fn basis(&self, ids: &[VarId]) -> Vec<VarId> {
        let mut all = std::collections::BTreeSet::new();
        let mut open = ids.to_vec();
        while let Some(id) = open.pop() {
            match &self.variables[id].origin {
                Origin::Map { inputs, .. } => open.extend(inputs),
                _ => {
                    all.insert(id);
                }
            }
        }
        all.into_iter().collect()
    }

    /// The classes of `ids` where those of their basis are `tuple`.
    fn image(&self, ids: &[VarId], basis: &[VarId], tuple: &[u32]) -> Vec<u32> {
        let mut known: FxHashMap<VarId, u32> = basis.iter().copied().zip(tuple.iter().copied()).collect();
        ids.iter().map(|&id| self.class(id, &mut known)).collect()
    }

    fn class(&self, id: VarId, known: &mut FxHashMap<VarId, u32>) -> u32 {
        if let Some(&class) = known.get(&id) {
            return class;
        }
        let Origin::Map { inputs, table } = &self.variables[id].origin else { return 0 };
        let tuple: Vec<u32> = inputs.iter().map(|&input| self.class(input, known)).collect();
        let class = table.get(&tuple).copied().unwrap_or(0);
        known.insert(id, class);
        class
    }

    /// One variable for what is read of several: their classes' combinations, as far as the view tells them apart.
    pub(super) fn join(&mut self, inputs: &[VarId], reads: &[usize], view: &Mat) -> VarId {
        let tuples = self.tuples(inputs);
        let parts: Vec<Mat> = inputs.iter().map(|&id| self.variables[id].codes_in(reads)).collect();
        let width = self.variables[inputs[0]].codes.nrows();
        let mut codes = Mat::zeros(width, tuples.len());
        for (at, tuple) in tuples.iter().enumerate() {
            let mut sum = DVector::zeros(width);
            for (part, &class) in parts.iter().zip(tuple) {
                sum += part.column(class as usize);
            }
            codes.set_column(at, &sum);
        }
        let (groups, leaders) = cluster(&codes, view, self.tolerance.equal());
        let table = tuples.into_iter().zip(groups).collect();
        let origin = Origin::Map { inputs: inputs.to_vec(), table };
        let codes = codes.select_columns(&leaders);
        // Heads that read the same of the same writers share what they read.
        let same = |known: &Variable| {
            known.writer.is_none()
                && known.origin == origin
                && known.codes.shape() == codes.shape()
                && (&known.codes - &codes).amax() < 1e-9
        };
        if let Some(id) = self.variables.iter().position(same) {
            return id;
        }
        let classes = match &origin {
            Origin::Map { table, .. } => self.look_up(inputs, table),
            _ => Vec::new(),
        };
        let variable = Variable { writer: None, also: Vec::new(), origin, codes, classes };
        self.variables.push(variable);
        self.variables.len() - 1
    }

    /// The class of a table at every sample point.
    pub(super) fn look_up(&self, inputs: &[VarId], table: &FxHashMap<Vec<u32>, u32>) -> Vec<u32> {
        let mut tuple = vec![0; inputs.len()];
        (0..self.n_points)
            .map(|point| {
                for (place, &id) in inputs.iter().enumerate() {
                    tuple[place] = self.variables[id].classes[point];
                }
                table.get(&tuple).copied().unwrap_or(0)
            })
            .collect()
    }

    /// At most one variable for what a slot reads.
    fn single(&mut self, reads: &[usize], view: &Mat) -> Option<VarId> {
        let read = self.read(reads, view);
        match read.len() {
            0 => None,
            1 => Some(read[0]),
            _ => Some(self.join(&read, reads, view)),
        }
    }

    fn side(&mut self, slot: &super::wiring::Slot, view: &Mat) -> Side {
        let variable = self.single(&slot.reads, view);
        let base = &slot.weight * self.base(&slot.reads, false) + &slot.bias;
        let mut readings = match variable {
            Some(id) => &slot.weight * self.variables[id].codes_in(&slot.reads),
            None => Mat::zeros(slot.weight.nrows(), 1),
        };
        for mut column in readings.column_iter_mut() {
            column += &base;
        }
        Side { variable, readings }
    }

    /// Adds the variable that a live head carries.
    ///
    /// # Errors
    /// What it does that has no reading, in words.
    pub(super) fn head(&mut self, writer: usize, head: &Head, views: (&Mat, &Mat, &Mat)) -> Result<(), String> {
        let (query, key) = (self.side(&head.q, views.0), self.side(&head.k, views.1));
        let bos_key = &head.k.weight * self.base(&head.k.reads, true) + &head.k.bias;
        let mut shifted = key.readings.clone();
        for mut column in shifted.column_iter_mut() {
            column -= &bos_key;
        }
        let scores = shifted.tr_mul(&query.readings) / head.scale;
        let table = |chosen: &dyn Fn(f64) -> bool| -> Vec<Vec<bool>> {
            scores.column_iter().map(|column| column.iter().map(|&s| chosen(s)).collect()).collect()
        };
        let near = self.tolerance.level(scores.amax());
        let (above, level) = (table(&|s| s > near), table(&|s| s.abs() <= near));
        let any = |table: &[Vec<bool>]| table.iter().flatten().any(|&chosen| chosen);
        let select = |table| Select { key: key.variable, query: query.variable, table, causal: head.causal };

        let value = self.single(&head.v.reads, views.2);
        let zero = &head.out * (&head.v.weight * self.base(&head.v.reads, true) + &head.v.bias);
        let base = &head.out * (&head.v.weight * self.base(&head.v.reads, false) + &head.v.bias);
        match value {
            None if any(&level) && any(&above) => Err("a head that counts at two levels".to_owned()),
            None => {
                let exists = !any(&level);
                let select = select(if exists { above } else { level });
                self.width(writer, select, exists, &base, &zero);
                Ok(())
            }
            Some(_) if any(&level) => Err("a head that mixes BOS into what it copies".to_owned()),
            Some(value) => {
                let value = self.coarsened(value, &head.v.reads, views.2);
                let mut codes = &head.out * &head.v.weight * self.variables[value].codes_in(&head.v.reads);
                for mut column in codes.column_iter_mut() {
                    column += &base;
                }
                self.aggregate(writer, select(above), value, codes, zero);
                Ok(())
            }
        }
    }

    /// The variable itself, or what a view tells apart of it where that is less.
    fn coarsened(&mut self, id: VarId, reads: &[usize], view: &Mat) -> VarId {
        let (_, leaders) = cluster(&self.variables[id].codes_in(reads), view, self.tolerance.equal());
        if leaders.len() < self.variables[id].n_classes() { self.join(&[id], reads, view) } else { id }
    }

    /// For every sample point, the points that it selects.
    fn selected(&self, select: &Select, mut each: impl FnMut(usize, &mut dyn Iterator<Item = usize>)) {
        let class =
            |variable: Option<VarId>, point: usize| variable.map_or(0, |id| self.variables[id].classes[point] as usize);
        for range in &self.sequences {
            for query in range.clone() {
                let row = &select.table[class(select.query, query)];
                let end = if select.causal { query + 1 } else { range.end };
                each(query, &mut (range.start..end).filter(|&key| row[class(select.key, key)]));
            }
        }
    }

    fn width(&mut self, writer: usize, select: Select, exists: bool, one: &DVector<f64>, zero: &DVector<f64>) {
        let most = if exists { 1 } else { self.max_length };
        let codes: Vec<DVector<f64>> = (0..=most)
            .map(|n| match exists {
                true => {
                    if n > 0 {
                        one.clone()
                    } else {
                        zero.clone()
                    }
                }
                false => (one * n as f64 + zero) / (n as f64 + 1.0),
            })
            .collect();
        let mut classes = vec![0; self.n_points];
        self.selected(&select, |query, keys| classes[query] = keys.count().min(most) as u32);
        self.push(writer, Origin::Width { select, exists }, Mat::from_columns(&codes), classes);
    }

    fn aggregate(&mut self, writer: usize, select: Select, value: VarId, codes: Mat, zero: DVector<f64>) {
        let none = codes.ncols() as u32;
        let mut classes = vec![none; self.n_points];
        let mut conflict = false;
        let of = &self.variables[value].classes;
        self.selected(&select, |query, keys| {
            for key in keys {
                conflict |= classes[query] != none && classes[query] != of[key];
                classes[query] = of[key];
            }
        });
        if conflict && let Some(numbers) = numbers(&codes, &zero, self.tolerance.number()) {
            self.mean(writer, select, value, &codes, zero, numbers);
            return;
        }
        let mut codes = codes.insert_column(none as usize, 0.0);
        codes.set_column(none as usize, &zero);
        self.push(writer, Origin::Copy { select, value }, codes, classes);
    }

    fn mean(
        &mut self,
        writer: usize,
        select: Select,
        value: VarId,
        codes: &Mat,
        zero: DVector<f64>,
        numbers: Vec<f64>,
    ) {
        let mut found = vec![0.0; self.n_points];
        let of = &self.variables[value].classes;
        self.selected(&select, |query, keys| {
            let (mut sum, mut n) = (0.0, 0.0);
            for key in keys {
                sum += numbers[of[key] as usize];
                n += 1.0;
            }
            found[query] = if n > 0.0 { sum / n } else { 0.0 };
        });
        let mut means = possible_means(&numbers, self.max_length).unwrap_or_else(|| found.clone());
        means.push(0.0);
        means.sort_by(f64::total_cmp);
        means.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let class = |v: f64| means.partition_point(|&m| m < v - 1e-9).min(means.len() - 1) as u32;
        let classes = found.iter().map(|&v| class(v)).collect();
        let largest = (0..numbers.len()).max_by(|&a, &b| numbers[a].abs().total_cmp(&numbers[b].abs())).unwrap_or(0);
        let unit = (codes.column(largest) - &zero) / numbers[largest];
        let codes: Vec<DVector<f64>> = means.iter().map(|&m| &zero + &unit * m).collect();
        let origin = Origin::Mean { select, value, numbers, means };
        self.push(writer, origin, Mat::from_columns(&codes), classes);
    }

    /// Adds a variable that a writer carries, its codes centred. Writers that compute the same function of the same
    /// variables act as one: their variable is listed once, and readers take the sum of what they write.
    pub(super) fn push(&mut self, writer: usize, origin: Origin, mut codes: Mat, classes: Vec<u32>) {
        centre(&mut codes, &classes);
        let same = |known: &Variable| {
            known.writer.is_some_and(|other| other != writer)
                && known.n_classes() == codes.ncols()
                && known.origin.is_same(&origin)
        };
        if let Some(id) = self.variables.iter().position(same) {
            self.variables[id].also.push((writer, codes));
            self.of_writer[writer].push(id);
            return;
        }
        self.variables.push(Variable { writer: Some(writer), also: Vec::new(), origin, codes, classes });
        self.of_writer[writer].push(self.variables.len() - 1);
    }
}

/// The multiple of one direction that each code is, counted from the code of an empty selection; `None` if they do not
/// lie on a line. Unit norm first; where that gives no integers, the smallest number is tried as the unit.
fn numbers(codes: &Mat, zero: &DVector<f64>, noise: f64) -> Option<Vec<f64>> {
    let offsets: Vec<DVector<f64>> = codes.column_iter().map(|code| code - zero).collect();
    let longest = offsets.iter().max_by(|a, b| a.norm().total_cmp(&b.norm()))?;
    let size = longest.norm();
    if size < 1e-6 {
        return None;
    }
    let unit = longest / size;
    let mut numbers: Vec<f64> = offsets.iter().map(|offset| offset.dot(&unit)).collect();
    let off_line = |(offset, number): (&DVector<f64>, &f64)| (offset - &unit * *number).norm() > noise * size;
    if offsets.iter().zip(&numbers).any(off_line) {
        return None;
    }
    if numbers.iter().filter(|n| **n < 0.0).count() * 2 > numbers.len() {
        numbers.iter_mut().for_each(|n| *n = -*n);
    }
    let snap = |numbers: &[f64]| -> Option<Vec<f64>> {
        let near = |n: &f64| (n - n.round()).abs() < 2.0 * noise;
        numbers.iter().all(near).then(|| numbers.iter().map(|n| n.round() + 0.0).collect())
    };
    if let Some(whole) = snap(&numbers) {
        return Some(whole);
    }
    let least = numbers.iter().map(|n| n.abs()).filter(|n| *n > 1e-3 * size).fold(f64::INFINITY, f64::min);
    let scaled: Vec<f64> = numbers.iter().map(|n| n / least).collect();
    if let Some(whole) = snap(&scaled) {
        return Some(whole);
    }
    Some(numbers.iter().map(|n| (n * 1e6).round() / 1e6).collect())
}

/// All means of up to `length` numbers; `None` if there are too many.
fn possible_means(numbers: &[f64], length: usize) -> Option<Vec<f64>> {
    let key = |v: f64| (v * 1e7).round() as i64;
    let mut sums: std::collections::BTreeMap<i64, f64> = std::iter::once((0, 0.0)).collect();
    let mut means: std::collections::BTreeMap<i64, f64> = std::collections::BTreeMap::new();
    for n in 1..=length {
        let mut next = std::collections::BTreeMap::new();
        for sum in sums.values() {
            for number in numbers {
                next.insert(key(sum + number), sum + number);
            }
        }
        sums = next;
        if sums.len() > MEANS {
            return None;
        }
        means.extend(sums.values().map(|sum| (key(sum / n as f64), sum / n as f64)));
        if means.len() > MEANS {
            return None;
        }
    }
    Some(means.into_values().collect())
}
