//! Running a graph on a rectangular batch: recording, replacing, and running again only what lies downstream.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rustc_hash::FxHashMap;

use crate::{Error, Graph, Matrix, NodeId, Norm, Op, kernels};

/// Inputs of equal length, as the source nodes want them.
#[derive(Clone, Debug)]
pub enum RectInputs {
    /// For transformers.
    Tokens {
        /// Token ids `[N, T]` (u32), BOS included.
        tokens: Tensor,
        /// Position ids `[N, T]` (u32).
        positions: Tensor,
    },
    /// For recurrent networks: the element at every step, `[N, dim]`.
    Elements(Vec<Tensor>),
}

impl RectInputs {
    /// The number of sequences and of positions (BOS included) or steps.
    pub fn shape(&self) -> (usize, usize) {
        let first = |tensor: &Tensor, at| tensor.dims().get(at).copied().unwrap_or(0);
        match self {
            Self::Tokens { tokens, .. } => (first(tokens, 0), first(tokens, 1)),
            Self::Elements(elements) => (elements.first().map_or(0, |x| first(x, 0)), elements.len()),
        }
    }

    /// Some of the sequences.
    ///
    /// # Errors
    /// Sequences that are not there.
    pub fn narrow(&self, rows: std::ops::Range<usize>) -> Result<Self, Error> {
        let some =
            |tensor: &Tensor| -> Result<Tensor, Error> { Ok(tensor.narrow(0, rows.start, rows.len())?.contiguous()?) };
        Ok(match self {
            Self::Tokens { tokens, positions } => Self::Tokens { tokens: some(tokens)?, positions: some(positions)? },
            Self::Elements(elements) => Self::Elements(elements.iter().map(some).collect::<Result<_, _>>()?),
        })
    }
}

/// Where an intervention replaces a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The node's value, for all that read it.
    Node(NodeId),
    /// The first node's value as the second reads it; other readers see the true value.
    Edge(NodeId, NodeId),
    /// The sum that the first slot of a node holds, in place of all that is written there.
    Input(NodeId),
}

impl Place {
    /// The first node whose value changes.
    fn first_changed(self) -> NodeId {
        match self {
            Self::Node(id) | Self::Edge(_, id) | Self::Input(id) => id,
        }
    }
}

/// A value that is put in the place of what the network computes.
#[derive(Clone, Debug)]
pub struct Intervention {
    /// Where.
    pub place: Place,
    /// The shape of the node's value (of the first node, on an edge), or one that broadcasts to it; for an input the shape
    /// `[N, T, width]` of what is written there.
    pub value: Tensor,
}

impl Intervention {
    /// Replaces a node's value.
    pub fn node(node: NodeId, value: Tensor) -> Self {
        Self { place: Place::Node(node), value }
    }

    /// Replaces what `reader` reads from `writer`.
    pub fn edge(writer: NodeId, reader: NodeId, value: Tensor) -> Self {
        Self { place: Place::Edge(writer, reader), value }
    }

    /// Replaces all that `reader` reads in its first slot.
    pub fn input(reader: NodeId, value: Tensor) -> Self {
        Self { place: Place::Input(reader), value }
    }
}

/// Which values a run keeps.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// Those of all nodes, so that any intervention can be run from here.
    All,
    /// Those of the nodes listed; nothing else is computed than what they need.
    Nodes(&'a [NodeId]),
}

/// The values of the recorded nodes for one batch.
#[derive(Clone, Debug)]
pub struct Trace {
    inputs: RectInputs,
    values: Vec<Option<Tensor>>,
    sums: Vec<Option<Tensor>>,
    interventions: Vec<Intervention>,
    recorded: Vec<bool>,
    n_computed: usize,
}

impl Trace {
    /// A recorded node's value: `[N, T, width]` (patterns `[N, T, T]`, recurrent nodes `[N, width]`).
    pub fn value(&self, id: NodeId) -> Option<&Tensor> {
        self.values.get(id.index()).and_then(Option::as_ref)
    }

    /// A recorded node's value as a matrix `[N * T, width]` (patterns `[N * T, T]`, recurrent nodes `[N, width]`).
    ///
    /// # Errors
    /// If the node was not recorded.
    pub fn matrix(&self, id: NodeId) -> Result<Matrix, Error> {
        Matrix::from_tensor(self.value(id).ok_or(Error::NotRecorded(id))?)
    }

    /// The inputs that were run.
    pub fn inputs(&self) -> &RectInputs {
        &self.inputs
    }

    /// How many nodes' operations were carried out for this trace.
    pub fn n_computed(&self) -> usize {
        self.n_computed
    }
}

impl Graph {
    /// Runs the graph with some values replaced.
    ///
    /// # Errors
    /// If the inputs do not fit the source nodes, or a replacement does not fit its place.
    pub fn run(&self, inputs: &RectInputs, interventions: &[Intervention], record: Record) -> Result<Trace, Error> {
        let recorded = match record {
            Record::All => vec![true; self.n_nodes()],
            Record::Nodes(nodes) => {
                let mut recorded = vec![false; self.n_nodes()];
                for id in nodes {
                    *recorded.get_mut(id.index()).ok_or(Error::NoNode(*id))? = true;
                }
                recorded
            }
        };
        self.check_places(interventions)?;
        Run::new(self, inputs, interventions.to_vec(), recorded, None)?.finish()
    }

    /// Runs the graph again with further values replaced, on top of those of the base run (a place that both replace
    /// gets the new value). Only what lies downstream of the new replacements is computed; the same nodes are recorded.
    ///
    /// # Errors
    /// As for [`Graph::run`].
    pub fn rerun(&self, base: &Trace, interventions: &[Intervention]) -> Result<Trace, Error> {
        self.check_places(interventions)?;
        let mut all = base.interventions.clone();
        all.retain(|old| interventions.iter().all(|new| new.place != old.place));
        all.extend_from_slice(interventions);
        let changed = interventions.iter().map(|intervention| intervention.place.first_changed());
        let dirty = self.downstream(changed);
        Run::new(self, &base.inputs, all, base.recorded.clone(), Some((base, dirty)))?.finish()
    }

    /// The value that one node has when some values are replaced on top of a base run that recorded everything: nothing
    /// is computed but what lies between the replacements and that node.
    ///
    /// # Errors
    /// As for [`Graph::run`].
    pub fn value_with(&self, base: &Trace, interventions: &[Intervention], node: NodeId) -> Result<Tensor, Error> {
        self.check_places(interventions)?;
        let mut recorded = vec![false; self.n_nodes()];
        *recorded.get_mut(node.index()).ok_or(Error::NoNode(node))? = true;
        let changed = interventions.iter().map(|intervention| intervention.place.first_changed());
        let dirty = self.downstream(changed);
        let trace = Run::new(self, &base.inputs, interventions.to_vec(), recorded, Some((base, dirty)))?.finish()?;
        trace.value(node).cloned().ok_or(Error::NotRecorded(node))
    }

    fn check_places(&self, interventions: &[Intervention]) -> Result<(), Error> {
        for intervention in interventions {
            match intervention.place {
                Place::Node(id) | Place::Input(id) if id.index() >= self.n_nodes() => return Err(Error::NoNode(id)),
                Place::Edge(from, to) if to.index() >= self.n_nodes() || !self.has_edge(from, to) => {
                    return Err(Error::NoEdge(from, to));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// One run in progress.
struct Run<'a> {
    graph: &'a Graph,
    inputs: &'a RectInputs,
    trace: Trace,
    /// Replacements of nodes, by index into the interventions.
    nodes: FxHashMap<NodeId, usize>,
    edges: FxHashMap<(NodeId, NodeId), usize>,
    slots: FxHashMap<NodeId, usize>,
    /// Values that are needed and neither known nor replaced, so that they must be computed.
    todo: Vec<bool>,
    /// Readers still to come of values that are not recorded.
    readers: Vec<usize>,
    keep_sums: bool,
    normed: FxHashMap<(usize, usize), Tensor>,
}

impl<'a> Run<'a> {
    fn new(
        graph: &'a Graph,
        inputs: &'a RectInputs,
        interventions: Vec<Intervention>,
        recorded: Vec<bool>,
        base: Option<(&Trace, Vec<bool>)>,
    ) -> Result<Self, Error> {
        let n = graph.n_nodes();
        let (mut nodes, mut edges, mut slots) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        for (index, intervention) in interventions.iter().enumerate() {
            match intervention.place {
                Place::Node(id) => _ = nodes.insert(id, index),
                Place::Edge(from, to) => _ = edges.insert((from, to), index),
                Place::Input(id) => _ = slots.insert(id, index),
            }
        }
        let (mut values, mut sums) = (vec![None; n], vec![None; graph.sums().len()]);
        if let Some((base, dirty)) = &base {
            for id in 0..n {
                if !dirty[id] {
                    values[id].clone_from(&base.values[id]);
                }
            }
            for (index, sum) in graph.sums().iter().enumerate() {
                if !sum.writers.iter().any(|writer| dirty[writer.index()]) {
                    sums[index].clone_from(&base.sums[index]);
                }
            }
        }
        let mut needed = recorded.clone();
        let mut todo = vec![false; n];
        let mut readers = vec![0; n];
        for id in graph.nodes().rev() {
            let index = id.index();
            if !needed[index] || values[index].is_some() || nodes.contains_key(&id) {
                continue;
            }
            todo[index] = true;
            if graph.node(id).ignores_input() {
                continue;
            }
            for parent in graph.slots(id).iter().skip(usize::from(slots.contains_key(&id))).flatten() {
                needed[parent.index()] = true;
                readers[parent.index()] += 1;
            }
        }
        let keep_sums = recorded.iter().all(|&on| on);
        let trace = Trace { inputs: inputs.clone(), values, sums, interventions, recorded, n_computed: 0 };
        let mut run =
            Self { graph, inputs, trace, nodes, edges, slots, todo, readers, keep_sums, normed: FxHashMap::default() };
        for id in graph.nodes() {
            if needed[id.index()]
                && run.trace.values[id.index()].is_none()
                && let Some(&index) = run.nodes.get(&id)
            {
                run.trace.values[id.index()] = Some(run.replacement(index, id)?);
            }
        }
        Ok(run)
    }

    fn finish(mut self) -> Result<Trace, Error> {
        for id in self.graph.nodes() {
            if !self.todo[id.index()] {
                continue;
            }
            let value = self.compute(id)?;
            self.trace.values[id.index()] = Some(value);
            self.trace.n_computed += 1;
            if self.graph.node(id).ignores_input() {
                continue;
            }
            for parent in self.graph.slots(id).iter().skip(usize::from(self.slots.contains_key(&id))).flatten() {
                self.readers[parent.index()] -= 1;
                if self.readers[parent.index()] == 0 && !self.trace.recorded[parent.index()] {
                    self.trace.values[parent.index()] = None;
                }
            }
        }
        for (value, &recorded) in self.trace.values.iter_mut().zip(&self.trace.recorded) {
            if !recorded {
                *value = None;
            }
        }
        if !self.keep_sums {
            self.trace.sums.fill(None);
        }
        Ok(self.trace)
    }

    /// A replacement in the full shape of the node's value.
    fn replacement(&self, index: usize, node: NodeId) -> Result<Tensor, Error> {
        let value = &self.trace.interventions[index].value;
        let (n, length) = self.inputs.shape();
        let width = self.graph.width(node);
        let shape = match self.graph.op(node) {
            Op::Tokens | Op::Positions => vec![n, length],
            Op::Pattern { .. } => vec![n, length, length],
            Op::Input { .. } | Op::Cell(_) | Op::Readout(_) => vec![n, width.unwrap_or(0)],
            _ => vec![n, length, width.unwrap_or(0)],
        };
        if value.dims() == shape {
            return Ok(value.clone());
        }
        value.broadcast_as(shape.clone()).and_then(|full| full.contiguous()).map_err(|_| Error::Replacement {
            node: self.graph.name(node).to_owned(),
            expected: shape,
            found: value.dims().to_vec(),
        })
    }

    fn known(&self, id: NodeId) -> Result<Tensor, Error> {
        self.trace.values[id.index()].clone().ok_or(Error::NotRecorded(id))
    }

    /// What one reader reads from one writer.
    fn contribution(&self, writer: NodeId, reader: NodeId) -> Result<Tensor, Error> {
        match self.edges.get(&(writer, reader)) {
            Some(&index) => self.replacement(index, writer),
            None => self.known(writer),
        }
    }

    /// What a slot holds: the sum of its writers, in order.
    fn read(&mut self, reader: NodeId, slot: usize) -> Result<Tensor, Error> {
        let node = self.graph.node(reader);
        let writers = &node.slots[slot];
        if let (0, Some(&index)) = (slot, self.slots.get(&reader)) {
            return self.whole_input(index, reader);
        }
        if let Some(sum) = node.sums[slot]
            && !writers.iter().any(|&writer| self.edges.contains_key(&(writer, reader)))
        {
            return self.sum(sum);
        }
        if let [writer] = writers.as_slice() {
            return self.contribution(*writer, reader);
        }
        let parts: Vec<Tensor> =
            writers.iter().map(|&writer| self.contribution(writer, reader)).collect::<Result<_, _>>()?;
        kernels::sum(&parts)?.ok_or(Error::EmptySlot(reader))
    }

    /// What is put in the place of all that a slot holds.
    fn whole_input(&self, index: usize, reader: NodeId) -> Result<Tensor, Error> {
        let value = &self.trace.interventions[index].value;
        let (n, length) = self.inputs.shape();
        let width = self.graph.slots(reader)[0].first().and_then(|&writer| self.graph.width(writer));
        let expected = vec![n, length, width.unwrap_or(0)];
        if value.dims() == expected {
            return Ok(value.clone());
        }
        Err(Error::Replacement { node: self.graph.name(reader).to_owned(), expected, found: value.dims().to_vec() })
    }

    fn sum(&mut self, index: usize) -> Result<Tensor, Error> {
        if let Some(known) = &self.trace.sums[index] {
            return Ok(known.clone());
        }
        let sum = &self.graph.sums()[index];
        // The prefix is summed first, in the same order, so that sharing does not change a single bit.
        let known = sum.prefix.and_then(|prefix| Some((prefix, self.trace.sums[prefix].clone()?)));
        let (mut parts, from) = match known {
            Some((prefix, value)) => (vec![value], self.graph.sums()[prefix].writers.len()),
            None => (Vec::with_capacity(sum.writers.len()), 0),
        };
        for &writer in &sum.writers[from..] {
            parts.push(self.known(writer)?);
        }
        let total = kernels::sum(&parts)?.ok_or(Error::EmptySlot(sum.writers[0]))?;
        self.trace.sums[index] = Some(total.clone());
        Ok(total)
    }

    /// What a slot holds, normalised; shared by all readers of the same sum with the same normalisation.
    fn read_normed(&mut self, reader: NodeId, norm: Option<&Arc<Norm>>) -> Result<Tensor, Error> {
        let value = self.read(reader, 0)?;
        let Some(norm) = norm else { return Ok(value) };
        let node = self.graph.node(reader);
        let shared =
            node.sums[0].filter(|_| !node.slots[0].iter().any(|&writer| self.edges.contains_key(&(writer, reader))));
        let shared = shared.filter(|_| !self.slots.contains_key(&reader));
        let Some(sum) = shared else { return Ok(kernels::normalise(&value, norm)?) };
        let key = (sum, Arc::as_ptr(norm) as usize);
        if let Some(known) = self.normed.get(&key) {
            return Ok(known.clone());
        }
        let normed = kernels::normalise(&value, norm)?;
        self.normed.insert(key, normed.clone());
        Ok(normed)
    }

    /// The product of what a node reads with its weight.
    fn product(&mut self, id: NodeId, weight: &Tensor, norm: Option<&Arc<Norm>>) -> Result<Tensor, Error> {
        let node = self.graph.node(id);
        if node.ignores_input() {
            return self.zeros(id);
        }
        Ok(kernels::multiply(&self.read_normed(id, norm)?, weight, node.compact.as_ref(), self.graph.precision())?)
    }

    fn zeros(&self, id: NodeId) -> Result<Tensor, Error> {
        let (n, length) = self.inputs.shape();
        Ok(Tensor::zeros((n, length, self.graph.width(id).unwrap_or(0)), DType::F32, &Device::Cpu)?)
    }

    fn compute(&mut self, id: NodeId) -> Result<Tensor, Error> {
        let graph = self.graph;
        Ok(match graph.op(id) {
            Op::Tokens | Op::Positions => match (self.inputs, graph.op(id)) {
                (RectInputs::Tokens { tokens, .. }, Op::Tokens) => tokens.clone(),
                (RectInputs::Tokens { positions, .. }, _) => positions.clone(),
                _ => return Err(Error::Inputs("token ids")),
            },
            Op::Input { step } => match self.inputs {
                RectInputs::Elements(elements) => {
                    elements.get(*step).ok_or(Error::Inputs("an element for every step"))?.clone()
                }
                RectInputs::Tokens { .. } => return Err(Error::Inputs("elements of numbers")),
            },
            Op::Lookup { table } => {
                let ids = self.read(id, 0)?;
                let mut dims = ids.dims().to_vec();
                dims.push(table.dim(1)?);
                table.index_select(&ids.flatten_all()?, 0)?.reshape(dims)?
            }
            Op::Linear { weight, bias, norm } => {
                let product = self.product(id, weight, norm.as_ref())?;
                match bias {
                    None => product,
                    Some(bias) => {
                        let bias = bias.to_vec1::<f32>()?;
                        kernels::map_rows(&product, |_, row| row.iter_mut().zip(&bias).for_each(|(v, b)| *v += b))?
                    }
                }
            }
            Op::Hidden { weight, bias, activation, norm } => {
                let product = self.product(id, weight, norm.as_ref())?;
                let bias = bias.as_ref().map(|bias| bias.to_vec1::<f32>()).transpose()?.unwrap_or_default();
                kernels::map_rows(&product, |_, row| {
                    row.iter_mut().zip(&bias).for_each(|(v, b)| *v += b);
                    activation.apply_all(row);
                })?
            }
            Op::Pattern { scale, causal } => {
                let (q, k) = (self.read(id, 0)?, self.read(id, 1)?);
                kernels::attention(&q, &k, *scale, *causal)?
            }
            Op::Mix { .. } if graph.node(id).ignores_input() => self.zeros(id)?,
            Op::Mix { w_o } => {
                let (pattern, v) = (self.read(id, 0)?, self.read(id, 1)?);
                kernels::mix(&pattern, &v, w_o, graph.node(id).compact.as_ref(), graph.precision())?
            }
            Op::Constant { vector } => {
                let (n, length) = self.inputs.shape();
                vector.broadcast_as((n, length, vector.elem_count()))?.contiguous()?
            }
            Op::Cell(recurrence) => {
                let x = Matrix::from_tensor(&self.read(id, 1)?)?;
                let state = match graph.slots(id)[0].is_empty() {
                    true => recurrence.initial(x.rows),
                    false => Matrix::from_tensor(&self.read(id, 0)?)?,
                };
                if x.cols != recurrence.dim() {
                    return Err(Error::Inputs("elements with the network's numbers per element"));
                }
                recurrence.step(&state, &x).to_tensor()?
            }
            Op::Readout(recurrence) => recurrence.readout(&Matrix::from_tensor(&self.read(id, 0)?)?).to_tensor()?,
        })
    }
}

/// A tensor `[rows, cols]` of ids.
pub(crate) fn id_tensor(ids: Vec<u32>, rows: usize, cols: usize) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(ids, (rows, cols), &Device::Cpu)?)
}
