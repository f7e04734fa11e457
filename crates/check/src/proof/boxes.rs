//! Certificates of boxes: every state of the program is listed.

use graph::{Network, Recurrence};
use samples::Elements;

use super::forms::{self, Forms};
use super::{BoxNode, Boxes, Decoder, Late, Refused};
use crate::{Machine, Stepped};

/// What all of a certificate may cost, in multiply-adds.
pub(super) const MAX_WORK: f64 = 4e11;
/// Nodes that may be passed through between two regions.
pub(super) const MAX_PASSED: usize = 16;
/// Symbols that are kept from step to step, for every number of a hidden state.
const KEPT: usize = 5;
/// Elements of an alphabet that are listed.
pub(super) const MAX_ALPHABET: usize = 4096;

/// All elements of the alphabet, in a fixed order; `None` where there are too many.
pub fn alphabet(network: &Network) -> Option<Vec<Vec<i64>>> {
    let Elements::Integers { dim, lo, hi } = network.domain.elements else { return None };
    let size = usize::try_from(hi.checked_sub(lo)?.checked_add(1)?).ok()?;
    let total = size.checked_pow(u32::try_from(dim).ok()?)?;
    if total > MAX_ALPHABET {
        return None;
    }
    let digit = |mut index: usize| -> Vec<i64> {
        let mut element = vec![0; dim];
        for place in element.iter_mut().rev() {
            *place = lo + (index % size) as i64;
            index /= size;
        }
        element
    };
    Some((0..total).map(digit).collect())
}

/// Where the program goes from a list of states, with every element of the alphabet: states times elements.
pub(super) fn transitions(machine: &Machine<'_>, states: &[&[i64]], alphabet: &[Vec<i64>]) -> Result<Stepped, Refused> {
    let width = machine.names().len();
    let column = |k: usize| states.iter().flat_map(|state| std::iter::repeat_n(state[k], alphabet.len())).collect();
    let states_in: Vec<Vec<i64>> = (0..width).map(column).collect();
    let element = |axis: usize| {
        states.iter().flat_map(|_| alphabet.iter().map(move |element| element[axis])).collect::<Vec<i64>>()
    };
    let elements: Vec<Vec<i64>> = (0..machine.inputs().len()).map(element).collect();
    machine.step(&states_in, &elements).map_err(|error| Refused::Program(error.to_string()))
}

/// A basis with what is lost by taking its transpose for its inverse.
pub(super) struct Basis<'a> {
    rows: &'a [f64],
    d: usize,
    /// The greatest row sum of |I - Q^T Q|, rounding included.
    defect: f64,
}

impl<'a> Basis<'a> {
    /// `None` where the rows are not nearly orthonormal.
    pub(super) fn new(rows: &'a [f64], d: usize) -> Option<Self> {
        if rows.len() != d * d || rows.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut defect = 0.0_f64;
        for i in 0..d {
            let mut sum = 0.0;
            for j in 0..d {
                let product: f64 = (0..d).map(|k| rows[k * d + i] * rows[k * d + j]).sum();
                let size: f64 = (0..d).map(|k| (rows[k * d + i] * rows[k * d + j]).abs()).sum();
                sum += (product - f64::from(u8::from(i == j))).abs() + (d as f64 + 2.0) * 1e-15 * (size + 1.0);
            }
            defect = defect.max(sum);
        }
        (defect < 1e-6).then_some(Self { rows, d, defect: defect * 1.001 })
    }

    /// The vectors whose coordinates lie in a box: `h = Q^T u + (I - Q^T Q) h`.
    pub(super) fn region(&self, region: &[[f64; 2]]) -> Forms {
        let coordinates = Forms {
            width: self.d,
            center: region.iter().map(|[lo, hi]| lo / 2.0 + hi / 2.0).collect(),
            coef: vec![0.0; self.d * self.d],
            error: vec![0.0; self.d],
            single: false,
        };
        let mut coordinates = coordinates;
        for (i, [lo, hi]) in region.iter().enumerate() {
            let c = coordinates.center[i];
            coordinates.coef[i * self.d + i] = ((hi - c).max(c - lo)) * (1.0 + 1e-12) + 1e-15 * c.abs();
        }
        let mut vectors = coordinates.linear(|k, i| self.rows[k * self.d + i], &vec![0.0; self.d], false);
        let size = (0..self.d).map(|i| vectors.center[i].abs() + vectors.radius(i)).fold(0.0, f64::max);
        let lost = self.defect * size / (1.0 - self.defect) * 1.001;
        vectors.error.iter_mut().for_each(|error| *error += lost);
        vectors
    }

    /// The coordinates of vectors.
    pub(super) fn coordinates(&self, vectors: &Forms) -> Vec<[f64; 2]> {
        let u = vectors.linear(|i, k| self.rows[k * self.d + i], &vec![0.0; self.d], false);
        (0..self.d).map(|k| u.range(k).into()).collect()
    }
}

/// Whether one box lies in another.
pub(super) fn within(inner: &[[f64; 2]], outer: &[[f64; 2]]) -> bool {
    inner.len() == outer.len() && inner.iter().zip(outer).all(|(a, b)| b[0] <= a[0] && a[1] <= b[1])
}

/// Widens a box to hold another as well.
pub(super) fn hold(outer: &mut [[f64; 2]], inner: &[[f64; 2]]) {
    for (a, b) in outer.iter_mut().zip(inner) {
        *a = [a[0].min(b[0]), a[1].max(b[1])];
    }
}

/// A box cut into pieces along its widest side.
pub(super) fn cut(region: &[[f64; 2]], pieces: usize) -> Vec<Vec<[f64; 2]>> {
    let width = |side: &[f64; 2]| side[1] - side[0];
    let widest = (0..region.len()).max_by(|&a, &b| width(&region[a]).total_cmp(&width(&region[b])));
    let Some(widest) = widest.filter(|&at| pieces > 1 && width(&region[at]) > 0.0) else {
        return vec![region.to_vec()];
    };
    let [lo, hi] = region[widest];
    let mark = |k: usize| if k == pieces { hi } else { lo + (hi - lo) * (k as f64 / pieces as f64) };
    let piece = |k: usize| {
        let mut piece = region.to_vec();
        piece[widest] = [mark(k), mark(k + 1)];
        piece
    };
    (0..pieces).map(piece).collect()
}

/// The hidden states of a node: the initial one alone where it has no region.
pub(super) fn inside(basis: &Basis<'_>, region: &[[f64; 2]], d: usize, single: bool) -> Forms {
    let set = if region.is_empty() { Forms::exact(vec![0.0; d], 0) } else { basis.region(region) };
    set.computed(single)
}

/// A set on its way through a node without a region.
pub(super) fn carried(set: Forms) -> Forms {
    let most = KEPT * set.len();
    set.promoted(most)
}

/// Checks a certificate; see [`super::verify`].
pub(super) fn verify(
    net: &Recurrence,
    network: &Network,
    machine: &Machine<'_>,
    decoder: &Decoder,
    proof: &Boxes,
    (length, single): (Option<usize>, bool),
    late: Late<'_>,
) -> Result<(), Refused> {
    let d = net.hidden_dim();
    let alphabet = alphabet(network).ok_or(Refused::Unsupported("an alphabet too large to list"))?;
    let transitions = (proof.nodes.len() * alphabet.len()) as f64;
    let work = transitions * (network.n_parameters() * (d + 1)) as f64 * length.unwrap_or(proof.pieces.max(1)) as f64;
    if work > MAX_WORK {
        return Err(Refused::Shape("it is too large to be checked"));
    }
    let bases: Vec<Basis<'_>> = proof
        .bases
        .iter()
        .map(|rows| Basis::new(rows, d).ok_or(Refused::Shape("a basis is not orthonormal")))
        .collect::<Result<_, _>>()?;
    let fits = |node: &BoxNode| {
        node.basis < bases.len()
            && (node.region.is_empty() || node.region.len() == d)
            && (node.next.is_empty() || node.next.len() == alphabet.len())
            && node.next.iter().all(|&next| next < proof.nodes.len())
            && node.state.len() == machine.names().len()
            && node.region.iter().all(|[lo, hi]| lo.is_finite() && hi.is_finite() && lo <= hi)
    };
    if proof.nodes.is_empty() || !proof.nodes.iter().all(fits) {
        return Err(Refused::Shape("a node does not fit the network or the program"));
    }
    if proof.nodes[0].state != machine.initial() {
        return Err(Refused::Fails("it does not start in the program's initial state".to_owned()));
    }
    let checker = Checker {
        net,
        decoder,
        alphabet: &alphabet,
        bases: &bases,
        nodes: &proof.nodes,
        pieces: proof.pieces,
        single,
        late,
    };
    let stepped = checker.follow(machine)?;
    let passed = checker.images() / transitions.max(1.0);
    if length.is_none() && work * passed * (KEPT + 1) as f64 > MAX_WORK && passed > 1.0 {
        return Err(Refused::Shape("it is too large to be checked"));
    }
    match length {
        None => checker.inductive(&stepped),
        Some(length) => checker.bounded(&stepped, length),
    }
}

struct Checker<'a> {
    net: &'a Recurrence,
    decoder: &'a Decoder,
    alphabet: &'a [Vec<i64>],
    bases: &'a [Basis<'a>],
    nodes: &'a [BoxNode],
    pieces: usize,
    single: bool,
    late: Late<'a>,
}

impl Checker<'_> {
    /// Runs the program from every node and sees that its states are those of the nodes that it leads to.
    fn follow(&self, machine: &Machine<'_>) -> Result<Stepped, Refused> {
        let states: Vec<&[i64]> = self.nodes.iter().map(|node| node.state.as_slice()).collect();
        let stepped = transitions(machine, &states, self.alphabet)?;
        for (at, node) in self.nodes.iter().enumerate() {
            for (symbol, &next) in node.next.iter().enumerate() {
                let point = at * self.alphabet.len() + symbol;
                let same = stepped
                    .states
                    .iter()
                    .zip(&self.nodes[next].state)
                    .all(|(column, &code)| column[point] == code && code != samples::UNDEFINED);
                if !same {
                    return Err(Refused::Fails(format!(
                        "node {at} leads to another state of the program with element {symbol}"
                    )));
                }
            }
        }
        Ok(stepped)
    }

    /// The image of a set under an element, decoded rightly.
    fn image(&self, stepped: &Stepped, at: usize, symbol: usize, set: &Forms) -> Result<Forms, Refused> {
        let image = forms::step(self.net, set, forms::fed(self.net, &self.alphabet[symbol], 0));
        let y = forms::read(self.net, &image);
        let margin = self.decoder.margin(&y, &stepped.outputs, at * self.alphabet.len() + symbol);
        if margin > 0.0 && image.is_finite() {
            return Ok(image);
        }
        let element = &self.alphabet[symbol];
        Err(Refused::Fails(format!(
            "from node {at}, with element {element:?}, the output may be another than the program's"
        )))
    }

    fn inductive(&self, stepped: &Stepped) -> Result<(), Refused> {
        let d = self.net.hidden_dim();
        let start = &self.nodes[0];
        let holds_zero = start.region.iter().all(|[lo, hi]| *lo <= 0.0 && 0.0 <= *hi);
        if !holds_zero {
            return Err(Refused::Fails("the first node does not hold the initial hidden state".to_owned()));
        }
        if self.nodes.iter().any(|node| node.next.is_empty()) {
            return Err(Refused::Shape("a node of a proof for all lengths has no successors"));
        }
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, node)| *at == 0 || !node.region.is_empty()) {
            for piece in cut(&node.region, self.pieces) {
                let set = inside(&self.bases[node.basis], &piece, d, self.single);
                self.pass(stepped, at, &set, 0)?;
            }
        }
        Ok(())
    }

    /// Follows a set from a node to the next regions, which have to hold what arrives.
    fn pass(&self, stepped: &Stepped, at: usize, set: &Forms, passed: usize) -> Result<(), Refused> {
        if (self.late)() {
            return Err(Refused::Late);
        }
        for (symbol, &next) in self.nodes[at].next.iter().enumerate() {
            let image = self.image(stepped, at, symbol, set)?;
            let target = &self.nodes[next];
            if target.region.is_empty() {
                if passed == MAX_PASSED {
                    return Err(Refused::Shape("too many nodes without a region follow each other"));
                }
                self.pass(stepped, next, &carried(image), passed + 1)?;
            } else if !within(&self.bases[target.basis].coordinates(&image), &target.region) {
                let message = format!("node {at} is not mapped into node {next} by element {symbol}");
                return Err(Refused::Fails(message));
            }
        }
        Ok(())
    }

    /// How many images following all regions takes.
    fn images(&self) -> f64 {
        let mut below = vec![0.0; self.nodes.len()];
        for _ in 0..=MAX_PASSED {
            let one = |node: &BoxNode| -> f64 {
                node.next.iter().map(|&n| if self.nodes[n].region.is_empty() { 1.0 + below[n] } else { 1.0 }).sum()
            };
            below = self.nodes.iter().map(one).collect();
        }
        let starts = self.nodes.iter().zip(&below).enumerate();
        starts.filter(|(at, (node, _))| *at == 0 || !node.region.is_empty()).map(|(_, (_, n))| n).sum()
    }

    fn bounded(&self, stepped: &Stepped, length: usize) -> Result<(), Refused> {
        let d = self.net.hidden_dim();
        let mut now: Vec<Option<Vec<[f64; 2]>>> = vec![None; self.nodes.len()];
        now[0] = Some(Vec::new());
        for step in 1..=length {
            let mut after: Vec<Option<Vec<[f64; 2]>>> = vec![None; self.nodes.len()];
            for (at, region) in now.iter().enumerate() {
                let Some(region) = region else { continue };
                if (self.late)() {
                    return Err(Refused::Late);
                }
                let node = &self.nodes[at];
                if node.next.is_empty() && step < length {
                    return Err(Refused::Shape("a node has no successors before the length is reached"));
                }
                let set = inside(&self.bases[node.basis], region, d, self.single);
                for symbol in 0..self.alphabet.len() {
                    let image = self.image(stepped, at, symbol, &set)?;
                    if step == length {
                        continue;
                    }
                    let next = node.next[symbol];
                    let coordinates = self.bases[self.nodes[next].basis].coordinates(&image);
                    match &mut after[next] {
                        Some(outer) => hold(outer, &coordinates),
                        empty => *empty = Some(coordinates),
                    }
                }
            }
            now = after;
        }
        Ok(())
    }
}
