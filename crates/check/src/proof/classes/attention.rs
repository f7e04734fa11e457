//! What an attention head writes: who gets how much, from bounds on the scores, and with what values.

use super::atoms::{Atoms, Choice, Made, Table, union};
use super::values::{Values, joined, larger};
use crate::proof::forms::UP;

/// How far a score lies from that of BOS if it does.
const MARGIN: f64 = 2.0;
/// How far at most if it does not.
const LEVEL: f64 = 0.5;

/// How far two levels of scores are from each other at least.
const APART: f64 = 0.25;
/// Levels of scores that are followed, at most.
const MAX_LEVELS: usize = 3;
/// Shares of attention below this are not followed.
const FAINT: f64 = 1e-4;

/// How a key stands to BOS in the eyes of a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stand {
    Below,
    Level,
    Above,
}

/// One vector that holds whatever any key writes.
pub(super) fn everything(written: &[Values]) -> Values {
    let mut all = written[0].hull();
    for seen in &written[1..] {
        let hull = seen.hull();
        for k in 0..all.width {
            (all.center[k], all.radius[k]) = joined((all.center[k], all.radius[k]), (hull.center[k], hull.radius[k]));
        }
    }
    all
}

/// What a head attends to, and what it would write.
pub(super) struct Heard {
    /// For every key, BOS first.
    pub(super) written: Vec<Values>,
    /// For every key but BOS, by how much its score exceeds that of BOS.
    pub(super) scores: Vec<Values>,
    pub(super) everything: Values,
    pub(super) slack: f64,
    /// See [`Shares::slack`].
    pub(super) slack_of_exp: f64,
}

/// The range of a score or of the weight that comes of it.
type Range = (f64, f64);
/// What keys write: a vector, and how far each number may be from it.
type Written = (Vec<f64>, Vec<f64>);
/// So many keys that write the same.
type Kind = (u16, Written);

impl Heard {
    /// What is written, as far as it can be followed.
    pub(super) fn followed(self, atoms: &mut Atoms) -> Values {
        let found = self.mixed(atoms).or_else(|| self.weighted(atoms)).or_else(|| self.leveled(atoms));
        found.unwrap_or(self.everything)
    }

    /// What is written where every key's stand is clear.
    fn mixed(&self, atoms: &mut Atoms) -> Option<Values> {
        let stands = self.scores.iter().map(stands).collect::<Option<Vec<Table<Stand>>>>()?;
        let stands: Vec<Table<Stand>> = stands.into_iter().map(|table| atoms.reduced(table)).collect();
        let any = |wanted: Stand| stands.iter().any(|table| table.cells.contains(&wanted));
        let above = any(Stand::Above);
        if above && any(Stand::Level) {
            return None;
        }
        let wanted = if above { Stand::Above } else { Stand::Level };
        let fixed = stands.iter().all(|table| table.cells.len() == 1);
        let of_selected = |wants: bool| {
            let mut range: Option<Range> = None;
            for (score, stand) in self.scores.iter().zip(&stands) {
                let places = atoms.places(&score.atoms, &stand.atoms);
                for (cell, &place) in places.iter().enumerate() {
                    if (stand.cells[place] == wanted) == wants {
                        let (lo, hi) = range.unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
                        let (c, r) = (score.center[cell], score.radius[cell]);
                        range = Some((lo.min(c - r), hi.max(c + r)));
                    }
                }
            }
            range
        };
        let (chosen, left) = (of_selected(true), of_selected(false));
        let shares = Shares::new((chosen, left), self.written.len(), above, self.slack_of_exp);
        let selected: Vec<usize> = (0..stands.len()).filter(|&j| stands[j].cells.contains(&wanted)).collect();
        if fixed {
            let alone = selected.len() <= 1 && above;
            if alone || selected.iter().all(|&j| !self.written[j + 1].varies()) {
                return self.fixed(&selected, &shares, atoms);
            }
        }
        self.counted(&stands, wanted, &shares, atoms)
    }

    /// The scores are always the same, whatever they are: every key gets its own share.
    fn weighted(&self, atoms: &Atoms) -> Option<Values> {
        if self.scores.iter().any(Values::varies) {
            return None;
        }
        // BOS has the score 0.
        let slack = self.slack_of_exp;
        // Relative to the greatest score, so that nothing overflows.
        let base = self.scores.iter().map(|score| score.center[0]).fold(0.0, f64::max);
        let range = |score: &Values| {
            let (c, r) = (score.center[0] - base, score.radius[0]);
            ((c - r).exp() / slack, (c + r).exp() * slack)
        };
        let mut ranges = vec![((-base).exp() / slack, (-base).exp() * slack)];
        ranges.extend(self.scores.iter().map(range));
        let (least, most) = ranges.iter().fold((0.0, 0.0), |(least, most), (lo, hi)| (least + lo, most + hi));
        let shares: Vec<Range> =
            ranges.iter().map(|(lo, hi)| (lo / (lo + most - hi), hi / (hi + least - lo))).collect();
        let total: f64 = shares.iter().map(|(lo, hi)| lo + hi).sum();
        let mut sum = Values::constant(vec![0.0; self.everything.width]);
        let mut deviation = 0.0;
        let mut nominal: Vec<f64> = shares.iter().map(|(lo, hi)| (lo + hi) / total).collect();
        // What gets hardly anything is held within the radius: its share goes to the one that gets most.
        let first = (0..nominal.len()).max_by(|&a, &b| nominal[a].total_cmp(&nominal[b]))?;
        for key in 0..nominal.len() {
            if nominal[key] < FAINT && key != first {
                nominal[first] += nominal[key];
                nominal[key] = 0.0;
            }
        }
        for ((seen, &share), (lo, hi)) in self.written.iter().zip(&nominal).zip(&shares) {
            if share > 0.0 {
                sum = sum.plus(&scaled(seen, share), atoms)?;
            }
            deviation += (share - lo).abs().max((hi - share).abs()) * UP + 1e-14;
        }
        if !deviation.is_finite() {
            return None;
        }
        let around: Vec<f64> = self.everything.radius.iter().map(|r| deviation * r * UP).collect();
        Some(widened(sum, &around))
    }

    /// The ranges that scores lie in, apart from each other, the highest first.
    fn levels(&self) -> Vec<Range> {
        let ranges = self.scores.iter().flat_map(|score| score.center.iter().zip(&score.radius));
        let mut ranges: Vec<Range> = ranges.map(|(c, r)| (c - r, c + r)).collect();
        ranges.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut levels: Vec<Range> = Vec::new();
        for (lo, hi) in ranges {
            match levels.last_mut() {
                Some(last) if hi >= last.0 - APART => last.0 = last.0.min(lo),
                _ => levels.push((lo, hi)),
            }
        }
        levels
    }

    /// Scores lie at a few levels, none of which need be clear of that of BOS. Who is at a level is a selection of its own, and
    /// what is written depends on those of the highest levels. The rest gets what as many keys as are left get at most
    /// at the next one.
    fn leveled(&self, atoms: &mut Atoms) -> Option<Values> {
        let levels = self.levels();
        let followed: Vec<Table<Vec<Kind>>> =
            levels.iter().take(MAX_LEVELS).map_while(|&level| self.at_level(level, atoms)).collect();
        let all = union(followed.iter().map(|kinds| &kinds.atoms[..]));
        let n = atoms.cells(&all)?;
        let places: Vec<Vec<usize>> = followed.iter().map(|kinds| atoms.places(&all, &kinds.atoms)).collect();
        // Relative to the greatest score, so that nothing overflows.
        let base = levels.first()?.1.max(0.0);
        let weight = |(lo, hi): Range| ((lo - base).exp() / self.slack_of_exp, (hi - base).exp() * self.slack_of_exp);
        let bos = self.written[0].hull();
        let bos = (weight((0.0, 0.0)), (bos.center, bos.radius));
        let mut out = Values::new((all, self.everything.width), Vec::new(), Vec::new());
        for cell in 0..n {
            let mut kinds: Vec<(Range, &Written)> = vec![(bos.0, &bos.1)];
            let mut rest = self.scores.len();
            for ((table, places), &level) in followed.iter().zip(&places).zip(&levels) {
                let (lo, hi) = weight(level);
                for (count, written) in &table.cells[places[cell]] {
                    let n = f64::from(*count);
                    kinds.push(((n * lo, n * hi), written));
                    rest = rest.saturating_sub(usize::from(*count));
                }
            }
            let rest = levels.get(followed.len()).map_or(0.0, |&level| rest as f64 * weight(level).1);
            let (center, radius) = mean(&kinds, rest, &self.everything)?;
            out.center.extend(center);
            out.radius.extend(radius);
        }
        (!followed.is_empty()).then_some(out)
    }

    /// How many keys of every kind have a score at a level; `None` where that depends on too much.
    fn at_level(&self, (lo, hi): Range, atoms: &mut Atoms) -> Option<Table<Vec<Kind>>> {
        let stand = |score: &Values| {
            let within = score.center.iter().map(|c| lo <= *c && *c <= hi).collect();
            atoms.reduced(Table { atoms: score.atoms.clone(), cells: within })
        };
        let stands: Vec<Table<bool>> = self.scores.iter().map(stand).collect();
        let ever: Vec<usize> = (0..stands.len()).filter(|&j| stands[j].cells.contains(&true)).collect();
        // One key that is always at it, alone: what it writes.
        if let [only] = ever[..]
            && stands[only].cells == [true]
        {
            let seen = &self.written[only + 1];
            let kind = |cell: usize| {
                let (c, r) = seen.cell(cell);
                vec![(1, (c.to_vec(), r.to_vec()))]
            };
            return Some(Table { atoms: seen.atoms.clone(), cells: (0..seen.n_cells()).map(kind).collect() });
        }
        let (choices, classes) = self.classed(&stands, &true, atoms)?;
        let (atom, order) = atoms.selection(choices)?;
        let kinds = |made: &Made| match made {
            Made::Of(counts) => {
                let kinds = counts.iter().zip(&order).filter(|(count, _)| **count > 0);
                Some(kinds.map(|(&count, &class)| (count, classes[usize::from(class) - 1].clone())).collect())
            }
            Made::Only(_) | Made::Mixed => None,
        };
        let cells = atoms.made(atom).iter().map(kinds).collect::<Option<Vec<_>>>()?;
        Some(Table { atoms: vec![atom], cells })
    }

    /// The keys selected are always the same.
    fn fixed(&self, selected: &[usize], shares: &Shares, atoms: &Atoms) -> Option<Values> {
        let m = selected.len();
        let share = shares.nominal(m);
        let of_bos = shares.nominal_bos(m);
        let mut sum = match of_bos > 0.0 {
            true => scaled(&self.written[0], of_bos),
            false => Values::constant(vec![0.0; self.everything.width]),
        };
        for &j in selected {
            sum = sum.plus(&scaled(&self.written[j + 1], share), atoms)?;
        }
        // Those that always write the same are of one kind.
        let mut kinds: Vec<(&[f64], usize)> = Vec::new();
        let mut apart = self.written[0].off();
        for seen in selected.iter().map(|&j| &self.written[j + 1]) {
            larger(&mut apart, &seen.off());
            match kinds.iter_mut().find(|(known, _)| *known == seen.center) {
                Some((_, n)) => *n += 1,
                None => kinds.push((&seen.center, 1)),
            }
        }
        let counts: Vec<usize> = kinds.into_iter().map(|(_, n)| n).collect();
        Some(widened(sum, &shares.around(&counts, &apart, &self.everything)))
    }

    /// For every key, as a function of what it depends on: 0, or where it stands as wanted 1 and the class of what it would write;
    /// and these classes.
    fn classed<T: PartialEq>(
        &self,
        stands: &[Table<T>],
        wanted: &T,
        atoms: &Atoms,
    ) -> Option<(Vec<Choice>, Vec<Written>)> {
        let mut classes: Vec<Written> = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        for (stand, seen) in stands.iter().zip(&self.written[1..]) {
            let all = union([&stand.atoms[..], &seen.atoms[..]]);
            atoms.cells(&all)?;
            let (chosen, valued) = (atoms.places(&all, &stand.atoms), atoms.places(&all, &seen.atoms));
            let mut cells = Vec::with_capacity(chosen.len());
            for (chosen, valued) in chosen.into_iter().zip(valued) {
                if stand.cells[chosen] != *wanted {
                    cells.push(0);
                    continue;
                }
                let (c, r) = seen.cell(valued);
                let near = |(known, _): &Written| known.iter().zip(c).all(|(a, b)| (a - b).abs() <= 20.0 * self.slack);
                let class = classes.iter().position(near).unwrap_or_else(|| {
                    classes.push((c.to_vec(), r.to_vec()));
                    classes.len() - 1
                });
                // The class holds all its members.
                let (center, radius) = &mut classes[class];
                for k in 0..c.len() {
                    radius[k] = radius[k].max(((c[k] - center[k]).abs() + r[k]) * UP);
                }
                cells.push(u16::try_from(class + 1).ok()?);
            }
            choices.push(Table { atoms: all, cells });
        }
        Some((choices, classes))
    }

    /// The keys selected depend on the input: what is written depends on how many are, with which values.
    fn counted(&self, stands: &[Table<Stand>], wanted: Stand, shares: &Shares, atoms: &mut Atoms) -> Option<Values> {
        let (choices, classes) = self.classed(stands, &wanted, atoms)?;
        let (atom, order) = atoms.selection(choices)?;
        let class = |k: usize| &classes[usize::from(order[k]) - 1];
        let width = self.everything.width;
        let made = atoms.made(atom).to_vec();
        let mut out = Values::new((vec![atom], width), Vec::new(), Vec::new());
        let bos = self.written[0].hull();
        for made in &made {
            let counts = match made {
                Made::Of(counts) => counts.clone(),
                Made::Only(only) if shares.above => {
                    // All that are selected write the same, however many they are; the least share is that of one.
                    (0..order.len()).map(|k| u16::from(k == usize::from(*only))).collect()
                }
                _ => {
                    out.center.extend(&self.everything.center);
                    out.radius.extend(&self.everything.radius);
                    continue;
                }
            };
            let m: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let of_bos = shares.nominal_bos(m);
            let mut center: Vec<f64> = bos.center.iter().map(|c| c * of_bos).collect();
            let mut radius: Vec<f64> = bos.radius.iter().map(|r| r * of_bos).collect();
            let mut apart = bos.radius.clone();
            for (k, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let share = f64::from(n) * shares.nominal(m);
                let (c, r) = class(k);
                larger(&mut apart, r);
                center.iter_mut().zip(c).for_each(|(to, c)| *to += c * share);
                radius.iter_mut().zip(r).for_each(|(to, r)| *to += r * share);
            }
            // Of several that write the same, it does not matter which gets more.
            let several = matches!(made, Made::Only(_));
            let counts: Vec<usize> = counts.into_iter().map(usize::from).collect();
            let around = match several {
                true => shares.leaked(&self.everything),
                false => shares.around(&counts, &apart, &self.everything),
            };
            radius.iter_mut().zip(&around).for_each(|(to, more)| *to = (*to + more) * UP);
            out.center.extend(center);
            out.radius.extend(radius);
        }
        Some(out)
    }
}

/// The mean of what kinds of keys write, each with the weight that all of its keys have together, and of others that have no more
/// than `rest` together. Shares sum to 1, so what a kind has above its due counts times the distance from the middle of
/// everything that is written, and what its members write otherwise counts as much as it has at most.
fn mean(kinds: &[(Range, &Written)], rest: f64, everything: &Values) -> Option<Written> {
    let (least, most) = kinds.iter().fold((0.0, rest), |(least, most), ((lo, hi), _)| (least + lo, most + hi));
    let share = |&((lo, hi), _): &(Range, &Written)| (lo / (lo + (most - hi) * UP), hi / (hi + (least - lo) / UP));
    let shares: Vec<Range> = kinds.iter().map(share).collect();
    let total: f64 = shares.iter().map(|(lo, hi)| lo + hi).sum();
    let mut deviation = rest / (rest + least);
    let (mut center, mut radius) = (vec![0.0; everything.width], vec![0.0; everything.width]);
    for ((lo, hi), (_, (c, r))) in shares.iter().zip(kinds) {
        let nominal = (lo + hi) / total;
        deviation += (nominal - lo).abs().max((hi - nominal).abs()) * UP + 1e-14;
        center.iter_mut().zip(c).for_each(|(to, c)| *to += nominal * c);
        radius.iter_mut().zip(r).for_each(|(to, r)| *to += hi * r * UP);
    }
    let rounding = |k: usize| 1e-14 * (everything.center[k].abs() + everything.radius[k]);
    radius.iter_mut().enumerate().for_each(|(k, to)| *to = (*to + deviation * everything.radius[k] + rounding(k)) * UP);
    deviation.is_finite().then_some((center, radius))
}

/// How the softmax divides itself up.
struct Shares {
    /// Whether BOS is left out where any key is selected.
    above: bool,
    chosen: Range,
    left: Range,
    keys: usize,
    /// The relative error of an exponential. In single precision it is taken to be computed within 2^-20, of a difference to
    /// the greatest score that is rounded: for what gets more than nothing, within 2^-24 of 20 or so.
    slack: f64,
}

impl Shares {
    fn new((chosen, left): (Option<Range>, Option<Range>), keys: usize, above: bool, slack: f64) -> Self {
        let chosen = chosen.unwrap_or((0.0, 0.0));
        let left = left.unwrap_or((f64::NEG_INFINITY, f64::NEG_INFINITY));
        Self { above, chosen, left, keys, slack }
    }

    /// What one selected key gets, if all went as it should, where `m` are selected.
    fn nominal(&self, m: usize) -> f64 {
        let all = if self.above { m } else { m + 1 };
        if all == 0 { 0.0 } else { 1.0 / all as f64 }
    }

    /// What BOS gets.
    fn nominal_bos(&self, m: usize) -> f64 {
        if self.above && m > 0 { 0.0 } else { 1.0 / if self.above { 1.0 } else { m as f64 + 1.0 } }
    }

    /// The sum, at most, of how far what every kind of key gets is from the nominal shares, where so many of every kind are
    /// selected; BOS is a kind of its own. Among those that are meant to share it is twice what some kinds can have above
    /// their due: most where these have their greatest weights and all others their least. What leaks to the rest counts
    /// twice, for what it gets and for what is missing elsewhere.
    fn deviation(&self, counts: &[usize]) -> f64 {
        let m: usize = counts.iter().sum();
        let ((lo, hi), (_, out)) = (self.chosen, self.left);
        let with_bos = !(self.above && m > 0);
        // Relative to the greatest score of those that share, so that nothing overflows.
        let base = if with_bos { hi.max(0.0) } else { hi };
        let weights = |lo: f64, hi: f64| ((lo - base).exp() / self.slack, (hi - base).exp() * self.slack);
        let ((least, most), (bos_least, bos_most)) = (weights(lo, hi), weights(0.0, 0.0));
        let (n, bos) = (m as f64, f64::from(u8::from(with_bos)));
        let beyond = |k: usize, b: f64| {
            let (k, up) = (k as f64, k as f64 * most + b * bos_most);
            let down = (n - k) * least + (bos - b) * bos_least;
            up / (up + down) - (k + b) / (n + bos)
        };
        // How many are in some of the kinds.
        let mut some = vec![0];
        for &count in counts {
            some.extend(some.iter().map(|n| n + count).collect::<Vec<usize>>());
            some.sort_unstable();
            some.dedup();
        }
        // Where none are taken nothing is beyond its due.
        let sets = some.into_iter().flat_map(|k| [(k, 0.0), (k, bos)]).filter(|&(k, b)| k > 0 || b > 0.0);
        let beyond = sets.map(|(k, b)| beyond(k, b)).fold(0.0, f64::max);
        let rest = (self.keys - 1).saturating_sub(m) as f64 * weights(out, out).1;
        let rest = if with_bos { rest / (bos_least + n * least) } else { (bos_most + rest) / (n * least) };
        let total = (2.0 * beyond + 2.0 * rest / (1.0 + rest)) * UP + 1e-12;
        // What is no number bounds nothing.
        if most.is_finite() && total.is_finite() { total } else { f64::INFINITY }
    }

    /// How far what is written may be from what the nominal shares make of it, where so many of every kind are selected, whose
    /// members write the same but for `apart`: what kinds get sums to 1, so what they have above their due counts times the
    /// distance from the middle of everything that is written; what each key has, times how far it is from its kind.
    fn around(&self, counts: &[usize], apart: &[f64], everything: &Values) -> Vec<f64> {
        let (of_kinds, of_keys) = (self.deviation(counts), self.deviation(&vec![1; counts.iter().sum()]));
        everything.radius.iter().zip(apart).map(|(r, apart)| (of_kinds * r + of_keys * apart) * UP).collect()
    }

    /// The same where at least one key is selected and all that are write the same.
    fn leaked(&self, everything: &Values) -> Vec<f64> {
        // Relative to the least score that is selected.
        let least = self.chosen.0;
        let others =
            ((-least).exp() + (self.keys - 1) as f64 * (self.left.1 - least).exp()) * (1.0 + 2.0 * (self.slack - 1.0));
        let share = others / (others + 1.0);
        everything.radius.iter().map(|r| 2.0 * share * r * UP + 1e-12).collect()
    }
}

fn scaled(value: &Values, share: f64) -> Values {
    let times = |numbers: &[f64]| numbers.iter().map(|number| number * share).collect();
    let mut radius: Vec<f64> = times(&value.radius);
    radius.iter_mut().zip(&value.center).for_each(|(r, c)| *r = (*r + 1e-15 * c.abs()) * UP);
    Values::new((value.atoms.clone(), value.width), times(&value.center), radius)
}

fn widened(mut value: Values, around: &[f64]) -> Values {
    let width = value.width;
    value.radius.iter_mut().enumerate().for_each(|(at, r)| *r = (*r + around[at % width]) * UP);
    value
}

/// How a key stands to BOS, for all that its score depends on; `None` where that is not clear.
fn stands(score: &Values) -> Option<Table<Stand>> {
    let stand = |cell: usize| {
        let (c, r) = (score.center[cell], score.radius[cell]);
        if c - r >= MARGIN {
            Some(Stand::Above)
        } else if c + r <= -MARGIN {
            Some(Stand::Below)
        } else if c.abs() + r <= LEVEL {
            Some(Stand::Level)
        } else {
            None
        }
    };
    let cells = (0..score.n_cells()).map(stand).collect::<Option<Vec<_>>>()?;
    Some(Table { atoms: score.atoms.clone(), cells })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng as _;
    use samples::rng;

    use super::*;

    /// How far what kinds of keys get by some scores, BOS first, is from the nominal shares in sum; so many of every kind are
    /// selected, and come first.
    fn apart(shares: &Shares, scores: &[f64], counts: &[usize]) -> f64 {
        let m: usize = counts.iter().sum();
        let total: f64 = scores.iter().map(|score| score.exp()).sum();
        let due = |key: usize| match key {
            0 => shares.nominal_bos(m),
            key if key <= m => shares.nominal(m),
            _ => 0.0,
        };
        let beyond: Vec<f64> = scores.iter().enumerate().map(|(key, score)| score.exp() / total - due(key)).collect();
        let (selected, rest) = beyond[1..].split_at(m);
        let mut kinds: Vec<f64> = Vec::new();
        let mut start = 0;
        for &count in counts {
            kinds.push(selected[start..start + count].iter().sum());
            start += count;
        }
        rest.iter().chain(&kinds).chain(&beyond[..1]).map(|kind| kind.abs()).sum()
    }

    proptest! {
        /// Whatever the scores are within their ranges, shares are no farther from the nominal ones than is said; and where those
        /// that are not selected get next to nothing, some scores come close to it.
        #[test]
        fn shares_stay_within_what_is_said(seed in 0_u64..1_000_000, keys in 2_usize..9, above: bool) {
            let mut rng = rng(seed, "shares");
            let m = rng.random_range(0..keys);
            let mut counts = Vec::new();
            while counts.iter().sum::<usize>() < m {
                counts.push(rng.random_range(1..=m - counts.iter().sum::<usize>()));
            }
            let middle = if above { rng.random_range(2.0..20.0) } else { rng.random_range(-0.4..0.4) };
            let half = 10_f64.powf(rng.random_range(-6.0..0.0));
            let (lo, hi) = (middle - half, middle + half);
            let out = if above { 0.0 } else { middle } - rng.random_range(2.0..40.0);
            let shares = Shares::new((Some((lo, hi)), Some((f64::NEG_INFINITY, out))), keys, above, 1.0);
            let (said, mut most) = (shares.deviation(&counts), 0.0_f64);
            for _ in 0..60 {
                let ends = rng.random::<bool>();
                let selected = |rng: &mut samples::Rng| match ends {
                    true => if rng.random() { lo } else { hi },
                    false => rng.random_range(lo..=hi),
                };
                let score = |key: usize, rng: &mut samples::Rng| match key {
                    0 => 0.0,
                    key if key <= m => selected(rng),
                    _ => out,
                };
                let scores: Vec<f64> = (0..keys).map(|key| score(key, &mut rng)).collect();
                let apart = apart(&shares, &scores, &counts);
                prop_assert!(apart <= said, "{apart} > {said}");
                most = most.max(apart);
            }
            prop_assert!(said <= 2.5 * most + 1e-9, "{said} where {most} was seen");
        }
    }
    proptest! {
        /// What a head writes lies in one of the cells that are followed by levels, whatever the tokens and the scores are.
        #[test]
        fn what_is_written_lies_in_a_cell_of_its_levels(seed in 0_u64..1_000_000, keys in 1_usize..5) {
            const TOKENS: usize = 3;
            let mut rng = rng(seed, "levels");
            let mut atoms = Atoms::default();
            let mut number = |lo: f64, hi: f64| rng.random_range(lo..hi);
            // Scores of tokens lie at levels; what is written is of few kinds, and known within a radius.
            let levels = [number(-1.0, 3.0), number(-6.0, -2.0)];
            let (off, away) = (number(0.0, 0.1), number(0.0, 0.05));
            let mut written = vec![Values::constant(vec![0.0, 1.0])];
            let mut scores = Vec::new();
            for key in 0..keys {
                let atom = atoms.token(key, TOKENS);
                let radius = |n: usize, of: f64| vec![of; n];
                let of_token = |token: usize| levels[usize::from(token > 0)];
                scores.push(Values::new((vec![atom], 1), (0..TOKENS).map(of_token).collect(), radius(TOKENS, off)));
                let what = (0..TOKENS).flat_map(|token| [token as f64, 0.0]).collect();
                written.push(Values::new((vec![atom], 2), what, radius(2 * TOKENS, away)));
            }
            let everything = everything(&written);
            let heard = Heard { written, scores, everything, slack: 1e-5, slack_of_exp: 1.0 + 4e-6 };
            let cells = heard.leveled(&mut atoms).expect("few selections");
            for _ in 0..60 {
                let (mut total, mut sum) = (1.0, [0.0, 1.0]);
                for _ in 0..keys {
                    let token = number(0.0, TOKENS as f64) as usize;
                    let weight = (levels[usize::from(token > 0)] + off * number(-1.0, 1.0).signum()).exp();
                    total += weight;
                    sum[0] += weight * (token as f64 + away * number(-1.0, 1.0));
                    sum[1] += weight * away * number(-1.0, 1.0);
                }
                let holds = |cell: usize| {
                    let (c, r) = cells.cell(cell);
                    (0..2).all(|k| (sum[k] / total - c[k]).abs() <= r[k])
                };
                prop_assert!((0..cells.n_cells()).any(holds), "{sum:?} of {total}");
            }
            // Not because everything is held by every cell.
            let narrow = |cell: usize| cells.cell(cell).1[0] < heard.everything.radius[0];
            prop_assert!((0..cells.n_cells()).any(narrow));
        }
    }
}
