//! Networks: a computation graph, or a recurrence that unrolls to one, with the domain it is meant for.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use samples::{Batch, Column, Domain, Elements, Points};

use crate::run::id_tensor;
use crate::{Error, Graph, Matrix, NodeId, Op, Record, RectInputs, Recurrence, Trace, decode};

/// The family of networks that a model folder names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// Recurrent networks.
    Rnn,
    /// Transformers with TransformerLens' names.
    HookedTransformer,
    /// Transformers with Hugging Face's GPT-2 names.
    Gpt2,
}

impl Family {
    /// The `model_type` of config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rnn => "rnn",
            Self::HookedTransformer => "hooked_transformer",
            Self::Gpt2 => "gpt2",
        }
    }
}

/// What a transformer's graph wants to be fed, beside tokens.
#[derive(Clone, Copy, Debug)]
pub struct Feeding {
    /// The number of token ids.
    pub n_tokens: usize,
    /// The number of position ids: the greatest length, BOS included.
    pub n_positions: usize,
    /// The token that is put before every sequence; it is no point of any column.
    pub bos: Option<u32>,
}

#[derive(Clone, Debug)]
enum Body {
    Transformer { graph: Arc<Graph>, output: NodeId, feeding: Feeding },
    Recurrent(Arc<Recurrence>),
}

/// A network with the domain it is meant for.
#[derive(Clone, Debug)]
pub struct Network {
    /// The inputs that the network is meant for, and how its outputs are read.
    pub domain: Domain,
    family: Family,
    body: Body,
    n_parameters: Option<usize>,
}

/// Values of one node over the points of a batch.
#[derive(Clone, Debug)]
pub struct Activations {
    /// `[n_points, width]`. Attention patterns: the weights of the keys from BOS on where there is one, padded with
    /// zeros to the longest sequence.
    pub points: Matrix,
    /// The same at BOS, `[n_sequences, width]`, for networks that have one.
    pub bos: Option<Matrix>,
}

/// Numbers that a chunk of sequences may take per node; larger batches are run in chunks.
const CHUNK: usize = 1 << 16;

impl Network {
    /// A transformer from its graph, whose nodes `tokens` and `output` are what is fed and read.
    ///
    /// # Errors
    /// If there is no node `output`.
    pub fn transformer(domain: Domain, family: Family, graph: Graph, feeding: Feeding) -> Result<Self, Error> {
        let output = graph.find("output").ok_or(Error::NoOutput)?;
        Ok(Self {
            domain,
            family,
            body: Body::Transformer { graph: Arc::new(graph), output, feeding },
            n_parameters: None,
        })
    }

    /// A recurrent network.
    pub fn recurrent(domain: Domain, recurrence: Recurrence) -> Self {
        Self { domain, family: Family::Rnn, body: Body::Recurrent(Arc::new(recurrence)), n_parameters: None }
    }

    /// The family it came from.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The recurrence, for recurrent networks.
    pub fn recurrence(&self) -> Option<&Recurrence> {
        match &self.body {
            Body::Recurrent(recurrence) => Some(recurrence),
            Body::Transformer { .. } => None,
        }
    }

    /// How a transformer is fed.
    pub fn feeding(&self) -> Option<Feeding> {
        match &self.body {
            Body::Recurrent(_) => None,
            Body::Transformer { feeding, .. } => Some(*feeding),
        }
    }

    /// Whether the output at an element depends on that element and earlier ones alone, by construction.
    pub fn is_causal(&self) -> bool {
        match &self.body {
            Body::Recurrent(_) => true,
            Body::Transformer { graph, .. } => {
                graph.nodes().all(|id| !matches!(graph.op(id), Op::Pattern { causal: false, .. }))
            }
        }
    }

    /// The number of raw outputs per element.
    pub fn n_raw_outputs(&self) -> usize {
        match &self.body {
            Body::Recurrent(recurrence) => recurrence.n_outputs(),
            Body::Transformer { graph, output, .. } => graph.width(*output).unwrap_or(0),
        }
    }

    /// States the number of parameters, where the graph does not show all of them as they are: biases of zero, which it
    /// leaves out, and an unembedding that is the embedding.
    #[must_use]
    pub fn with_n_parameters(self, n_parameters: usize) -> Self {
        Self { n_parameters: Some(n_parameters), ..self }
    }

    /// The number of parameters, each counted once.
    pub fn n_parameters(&self) -> usize {
        if let Some(stated) = self.n_parameters {
            return stated;
        }
        match &self.body {
            Body::Recurrent(recurrence) => recurrence.cell_parameters() + recurrence.readout_parameters(),
            Body::Transformer { graph, .. } => {
                // A normalisation is shared by its readers: count a tensor once.
                let mut seen = std::collections::BTreeSet::new();
                let tensors = graph.nodes().flat_map(|id| graph.op(id).parameters());
                tensors.filter(|(_, t)| seen.insert(format!("{:?}", t.id()))).map(|(_, t)| t.elem_count()).sum()
            }
        }
    }

    /// The computation graph. A recurrent network is unrolled to `length` steps, with nodes `x[t]`, `h[t]`, `y[t]` in
    /// this order (so that a node has the same id at every length); transformers have one graph for all lengths.
    pub fn graph(&self, length: usize) -> Arc<Graph> {
        match &self.body {
            Body::Transformer { graph, .. } => Arc::clone(graph),
            Body::Recurrent(recurrence) => {
                let mut graph = Graph::new();
                let mut before = Vec::new();
                for step in 0..length {
                    let x = graph.add(format!("x[{step}]"), Op::Input { step }, vec![]);
                    graph.set_width(x, recurrence.dim());
                    let cell = Op::Cell(Arc::clone(recurrence));
                    let h = graph.add(format!("h[{step}]"), cell, vec![std::mem::take(&mut before), vec![x]]);
                    graph.add(format!("y[{step}]"), Op::Readout(Arc::clone(recurrence)), vec![vec![h]]);
                    before.push(h);
                }
                Arc::new(graph)
            }
        }
    }

    /// The inputs of [`Graph::run`] for sequences of one length.
    ///
    /// # Errors
    /// If the lengths differ, or an element is none that the network can take.
    pub fn rect_inputs(&self, batch: &Batch) -> Result<RectInputs, Error> {
        self.check(batch)?;
        let length = if batch.is_empty() { 0 } else { batch.length(0) };
        if (0..batch.n_sequences()).any(|row| batch.length(row) != length) {
            return Err(Error::Inputs("sequences of one length"));
        }
        let rows: Vec<usize> = (0..batch.n_sequences()).collect();
        self.rect(batch, &rows, length)
    }

    /// The inputs of [`Graph::run`] for sequences of any lengths: the shorter ones are continued, on the right, by some
    /// token at their last position. In a causal transformer that changes nothing at a sequence's own elements.
    ///
    /// # Errors
    /// If an element is none that the network can take; lengths that differ, where the network is not causal or not a
    /// transformer.
    pub fn padded_inputs(&self, batch: &Batch) -> Result<RectInputs, Error> {
        let longest = (0..batch.n_sequences()).map(|row| batch.length(row)).max().unwrap_or(0);
        let equal = (0..batch.n_sequences()).all(|row| batch.length(row) == longest);
        let Body::Transformer { feeding, .. } = &self.body else { return self.rect_inputs(batch) };
        if equal || !self.is_causal() {
            return self.rect_inputs(batch);
        }
        self.check(batch)?;
        let wide = longest + usize::from(feeding.bos.is_some());
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        for row in 0..batch.n_sequences() {
            let before = tokens.len();
            tokens.extend(feeding.bos);
            tokens.extend(batch.sequence(row).iter().map(|&id| id as u32));
            let used = tokens.len() - before;
            tokens.resize(before + wide, 0);
            let at = |i: usize| (batch.origin(row) + i.min(used.saturating_sub(1)) as i64) as u32;
            positions.extend((0..wide).map(at));
        }
        let n = batch.n_sequences();
        Ok(RectInputs::Tokens { tokens: id_tensor(tokens, n, wide)?, positions: id_tensor(positions, n, wide)? })
    }

    fn rect(&self, batch: &Batch, rows: &[usize], length: usize) -> Result<RectInputs, Error> {
        match &self.body {
            Body::Transformer { feeding, .. } => {
                let bos = usize::from(feeding.bos.is_some());
                let mut tokens = Vec::with_capacity(rows.len() * (length + bos));
                let mut positions = Vec::with_capacity(tokens.capacity());
                for &row in rows {
                    tokens.extend(feeding.bos);
                    // Ids and positions were checked against the tables.
                    tokens.extend(batch.sequence(row).iter().map(|&id| id as u32));
                    positions.extend((0..length + bos).map(|i| (batch.origin(row) + i as i64) as u32));
                }
                let wide = length + bos;
                Ok(RectInputs::Tokens {
                    tokens: id_tensor(tokens, rows.len(), wide)?,
                    positions: id_tensor(positions, rows.len(), wide)?,
                })
            }
            Body::Recurrent(recurrence) => {
                let dim = recurrence.dim();
                let element = |step: usize| {
                    let numbers: Vec<f32> = rows
                        .iter()
                        .flat_map(|&row| &batch.sequence(row)[step * dim..(step + 1) * dim])
                        .map(|&value| value as f32)
                        .collect();
                    Tensor::from_vec(numbers, (rows.len(), dim), &Device::Cpu)
                };
                Ok(RectInputs::Elements((0..length).map(element).collect::<Result<_, _>>()?))
            }
        }
    }

    /// Checks that the network can take a batch.
    fn check(&self, batch: &Batch) -> Result<(), Error> {
        match &self.body {
            Body::Recurrent(recurrence) => {
                if batch.dim() != recurrence.dim() {
                    return Err(Error::Dim { expected: recurrence.dim(), found: batch.dim() });
                }
            }
            Body::Transformer { feeding, .. } => {
                if batch.dim() != 1 {
                    return Err(Error::Dim { expected: 1, found: batch.dim() });
                }
                let room = feeding.n_positions - usize::from(feeding.bos.is_some()).min(feeding.n_positions);
                for row in 0..batch.n_sequences() {
                    let (length, origin) = (batch.length(row), batch.origin(row));
                    if usize::try_from(origin).map_or(true, |origin| origin.saturating_add(length) > room) {
                        return Err(Error::TooLong { length, origin, limit: room });
                    }
                    let bad = |id: &&i64| usize::try_from(**id).map_or(true, |id| id >= feeding.n_tokens);
                    if let Some(&id) = batch.sequence(row).iter().find(bad) {
                        return Err(Error::Token { id, limit: feeding.n_tokens });
                    }
                }
            }
        }
        Ok(())
    }

    /// The raw outputs `[n_points, n_raw_outputs]`.
    ///
    /// # Errors
    /// If the network cannot take the batch.
    pub fn raw_outputs(&self, batch: &Batch) -> Result<Matrix, Error> {
        self.check(batch)?;
        let points = batch.points();
        let mut out = Matrix::zeros(points.len(), self.n_raw_outputs());
        match &self.body {
            Body::Recurrent(_) => self.roll(batch, &points, &mut out, None),
            Body::Transformer { graph, output, feeding } => {
                let skip = usize::from(feeding.bos.is_some());
                self.chunks(batch, |rows, inputs| {
                    let values = graph.run(&inputs, &[], Record::Nodes(&[*output]))?.matrix(*output)?;
                    copy_points(&values, rows, &points, skip, &mut out);
                    Ok(())
                })?;
            }
        }
        Ok(out)
    }

    /// The decoded outputs: one column, or one per raw output where each is a number of its own. Undefined where an
    /// output does not count or cannot be read.
    ///
    /// # Errors
    /// If the network cannot take the batch.
    pub fn outputs(&self, batch: &Batch) -> Result<Vec<Column>, Error> {
        Ok(self.decode(&self.raw_outputs(batch)?))
    }

    /// Raw outputs, decoded as [`Network::outputs`] does.
    pub fn decode(&self, raw: &Matrix) -> Vec<Column> {
        decode::columns(&self.domain, raw)
    }

    /// Values of nodes over the points of a batch; see [`Activations`] for shapes.
    ///
    /// For a recurrent network a node stands for its kind (`x`, `h` or `y`) at every step.
    ///
    /// # Errors
    /// If the network cannot take the batch, or a node is not in its graph.
    pub fn activations(&self, batch: &Batch, nodes: &[NodeId]) -> Result<Vec<Activations>, Error> {
        self.check(batch)?;
        let points = batch.points();
        match &self.body {
            Body::Recurrent(recurrence) => {
                let mut y = Matrix::zeros(points.len(), recurrence.n_outputs());
                let mut h = Matrix::zeros(points.len(), recurrence.hidden_dim());
                self.roll(batch, &points, &mut y, Some(&mut h));
                let kind = |node: &NodeId| match node.0 % 3 {
                    0 => {
                        let axes: Vec<Vec<i64>> = (0..batch.dim()).map(|axis| batch.coordinate(axis)).collect();
                        let data = (0..points.len()).flat_map(|p| axes.iter().map(move |axis| axis[p] as f32));
                        Matrix::new(points.len(), batch.dim(), data.collect())
                    }
                    1 => h.clone(),
                    _ => y.clone(),
                };
                Ok(nodes.iter().map(|node| Activations { points: kind(node), bos: None }).collect())
            }
            Body::Transformer { graph, feeding, .. } => {
                let skip = usize::from(feeding.bos.is_some());
                let longest = points.max_length() + skip;
                let missing = nodes.iter().find(|node| node.index() >= graph.n_nodes());
                if let Some(&node) = missing {
                    return Err(Error::NoNode(node));
                }
                let width = |node: &NodeId| graph.width(*node).unwrap_or(longest);
                let empty = |node: &NodeId| Activations {
                    points: Matrix::zeros(points.len(), width(node)),
                    bos: (skip > 0).then(|| Matrix::zeros(batch.n_sequences(), width(node))),
                };
                let mut all: Vec<Activations> = nodes.iter().map(empty).collect();
                self.chunks(batch, |rows, inputs| {
                    let trace = graph.run(&inputs, &[], Record::Nodes(nodes))?;
                    let wide = inputs.shape().1;
                    for (&node, to) in nodes.iter().zip(&mut all) {
                        let values = match graph.op(node) {
                            Op::Tokens | Op::Positions => {
                                let value = trace.value(node).ok_or(Error::NotRecorded(node))?;
                                Matrix::from_tensor(&value.unsqueeze(2)?)?
                            }
                            _ => trace.matrix(node)?,
                        };
                        copy_points(&values, rows, &points, skip, &mut to.points);
                        if let Some(bos) = &mut to.bos {
                            for (i, &row) in rows.iter().enumerate() {
                                bos.row_mut(row)[..values.cols].copy_from_slice(values.row(i * wide));
                            }
                        }
                    }
                    Ok(())
                })?;
                Ok(all)
            }
        }
    }

    /// Runs one trace of a whole batch of equal lengths, recording everything.
    ///
    /// # Errors
    /// As for [`Network::rect_inputs`].
    pub fn trace(&self, batch: &Batch) -> Result<Trace, Error> {
        let inputs = self.rect_inputs(batch)?;
        self.graph(inputs.shape().1).run(&inputs, &[], Record::All)
    }

    fn roll(&self, batch: &Batch, points: &Points, y: &mut Matrix, mut states: Option<&mut Matrix>) {
        let Body::Recurrent(recurrence) = &self.body else { return };
        let dim = recurrence.dim();
        for (length, rows) in batch.rows_by_length() {
            let element = |i: usize, step: usize| &batch.sequence(rows[i])[step * dim..(step + 1) * dim];
            let point = |i: usize, step: usize| points.range(rows[i]).start + step;
            recurrence.roll(rows.len(), length, element, point, y, states.as_deref_mut());
        }
    }

    /// Rectangles of a batch, small enough for the cache, each with the rows it holds.
    fn chunks(
        &self,
        batch: &Batch,
        mut each: impl FnMut(&[usize], RectInputs) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Body::Transformer { graph, feeding, .. } = &self.body else { return Ok(()) };
        let widest = graph.nodes().filter_map(|id| graph.width(id)).max().unwrap_or(1);
        for (length, rows) in batch.rows_by_length() {
            if length == 0 {
                continue;
            }
            let wide = length + usize::from(feeding.bos.is_some());
            let size = (CHUNK / (wide * widest.max(wide))).clamp(1, 4096);
            for rows in rows.chunks(size) {
                each(rows, self.rect(batch, rows, length)?)?;
            }
        }
        Ok(())
    }
}

/// The domain's vocabulary, for networks over tokens.
pub fn vocabulary(domain: &Domain) -> Option<&[samples::Value]> {
    match &domain.elements {
        Elements::Integers { .. } => None,
        Elements::Tokens { vocab, .. } | Elements::Recorded { vocab, .. } => Some(vocab),
    }
}

/// Copies values `[rows * wide, width]` to the points of their sequences, without the first `skip` of each.
fn copy_points(values: &Matrix, rows: &[usize], points: &Points, skip: usize, to: &mut Matrix) {
    let wide = values.rows.checked_div(rows.len()).unwrap_or(0);
    for (i, &row) in rows.iter().enumerate() {
        for (point, at) in points.range(row).zip(i * wide + skip..) {
            to.row_mut(point)[..values.cols].copy_from_slice(values.row(at));
        }
    }
}
