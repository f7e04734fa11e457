//! The one way through a recurrent network's step and read-out, whatever its numbers are known as: affine forms
//! ([`super::forms`]), these with a bound on rounding errors ([`super::gap`]), or terms of a solver ([`super::question`]).

use std::ops::Range;

use graph::{Activation, Affine, Cell, GateLayer, Mlp, Recurrence};

/// What the operations of a network make of numbers.
pub(super) trait Walk {
    /// Some numbers, in order.
    type Numbers: Clone;
    /// Why they are not followed.
    type Error;

    /// Some numbers and then others.
    fn joined(&mut self, first: Self::Numbers, then: Self::Numbers) -> Self::Numbers;
    /// Some of them.
    fn part(&mut self, of: &Self::Numbers, range: Range<usize>) -> Self::Numbers;
    /// `x W + b`, of several layers that each read their part of x, in order, as one sum: summation in any order includes those
    /// of the parts.
    fn sum(&mut self, x: &Self::Numbers, layers: &[&Affine]) -> Result<Self::Numbers, Self::Error>;
    /// An activation of every number.
    fn activate(&mut self, x: Self::Numbers, activation: Activation) -> Result<Self::Numbers, Self::Error>;
    /// `a + b`, number by number.
    fn plus(&mut self, a: Self::Numbers, b: Self::Numbers) -> Result<Self::Numbers, Self::Error>;
    /// `a b`, number by number.
    fn times(&mut self, a: Self::Numbers, b: Self::Numbers) -> Result<Self::Numbers, Self::Error>;
    /// `(1 - z) a + z b`, number by number, for `z` from 0 to 1: between `a` and `b`. Evaluated like this, or as `(b - a) z + a`.
    fn between(&mut self, z: Self::Numbers, a: Self::Numbers, b: Self::Numbers) -> Result<Self::Numbers, Self::Error>;
}

/// The states after a step.
pub(super) fn step<W: Walk>(
    walk: &mut W,
    net: &Recurrence,
    state: &W::Numbers,
    fed: W::Numbers,
) -> Result<W::Numbers, W::Error> {
    match net.cell() {
        Cell::Mlp(mlp) => {
            let x = walk.joined(state.clone(), fed);
            through(walk, mlp, x)
        }
        Cell::Elman(layers, activation) => stacked(walk, layers, state, fed, |walk, layer, h, below| {
            let x = walk.joined(h, below);
            let sum = walk.sum(&x, &[&layer.hidden, &layer.input])?;
            walk.activate(sum, *activation)
        }),
        Cell::Gru(layers) => stacked(walk, layers, state, fed, gru),
        Cell::Lstm(layers) => lstm(walk, layers, net.hidden_dim() / 2, state, fed),
    }
}

/// The outputs in states.
pub(super) fn read<W: Walk>(walk: &mut W, net: &Recurrence, state: &W::Numbers) -> Result<W::Numbers, W::Error> {
    let top = walk.part(state, net.top());
    through(walk, net.readout_mlp(), top)
}

fn through<W: Walk>(walk: &mut W, mlp: &Mlp, x: W::Numbers) -> Result<W::Numbers, W::Error> {
    let mut value = x;
    for (k, layer) in mlp.layers.iter().enumerate() {
        if k > 0 {
            value = walk.activate(value, mlp.activation)?;
        }
        value = walk.sum(&value, &[layer])?;
    }
    Ok(value)
}

/// Layer upon layer, each with its own part of the state.
fn stacked<W: Walk>(
    walk: &mut W,
    layers: &[GateLayer],
    state: &W::Numbers,
    fed: W::Numbers,
    mut advance: impl FnMut(&mut W, &GateLayer, W::Numbers, W::Numbers) -> Result<W::Numbers, W::Error>,
) -> Result<W::Numbers, W::Error> {
    let (mut below, mut start) = (fed, 0);
    let mut next: Option<W::Numbers> = None;
    for layer in layers {
        let size = layer.hidden.weight.rows;
        let h = walk.part(state, start..start + size);
        below = advance(walk, layer, h, below)?;
        next = Some(and_then(walk, next, below.clone()));
        start += size;
    }
    Ok(next.unwrap_or_else(|| state.clone()))
}

fn and_then<W: Walk>(walk: &mut W, first: Option<W::Numbers>, then: W::Numbers) -> W::Numbers {
    match first {
        None => then,
        Some(first) => walk.joined(first, then),
    }
}

/// Gates r, z, n: (1 - z) n + z h.
fn gru<W: Walk>(walk: &mut W, layer: &GateLayer, h: W::Numbers, below: W::Numbers) -> Result<W::Numbers, W::Error> {
    let m = layer.hidden.weight.rows;
    let both = walk.joined(h.clone(), below.clone());
    let gates = walk.sum(&both, &[&layer.hidden, &layer.input])?;
    let (r, z) = (gate(walk, &gates, 0..m)?, gate(walk, &gates, m..2 * m)?);
    // What the reset gate is multiplied with is a sum of its own.
    let (of_input, of_hidden) = (walk.sum(&below, &[&layer.input])?, walk.sum(&h, &[&layer.hidden])?);
    let (of_input, of_hidden) = (walk.part(&of_input, 2 * m..3 * m), walk.part(&of_hidden, 2 * m..3 * m));
    let reset = walk.times(r, of_hidden)?;
    let sum = walk.plus(of_input, reset)?;
    let candidate = walk.activate(sum, Activation::Tanh)?;
    walk.between(z, candidate, h)
}

fn gate<W: Walk>(walk: &mut W, gates: &W::Numbers, range: Range<usize>) -> Result<W::Numbers, W::Error> {
    let sum = walk.part(gates, range);
    walk.activate(sum, Activation::Sigmoid)
}

/// Gates i, f, g, o: c' = f c + i g, h' = o tanh(c'). The state holds all h, `half` numbers, then all c.
fn lstm<W: Walk>(
    walk: &mut W,
    layers: &[GateLayer],
    half: usize,
    state: &W::Numbers,
    fed: W::Numbers,
) -> Result<W::Numbers, W::Error> {
    let (mut below, mut start) = (fed, 0);
    let (mut hs, mut cs): (Option<W::Numbers>, Option<W::Numbers>) = (None, None);
    for layer in layers {
        let m = layer.hidden.weight.rows;
        let (h, c) = (walk.part(state, start..start + m), walk.part(state, half + start..half + start + m));
        let x = walk.joined(h, below);
        let gates = walk.sum(&x, &[&layer.hidden, &layer.input])?;
        let (input, forget) = (gate(walk, &gates, 0..m)?, gate(walk, &gates, m..2 * m)?);
        let (new, output) = (walk.part(&gates, 2 * m..3 * m), gate(walk, &gates, 3 * m..4 * m)?);
        let new = walk.activate(new, Activation::Tanh)?;
        let (kept, added) = (walk.times(forget, c)?, walk.times(input, new)?);
        let cell = walk.plus(kept, added)?;
        let shown = walk.activate(cell.clone(), Activation::Tanh)?;
        below = walk.times(output, shown)?;
        hs = Some(and_then(walk, hs, below.clone()));
        cs = Some(and_then(walk, cs, cell));
        start += m;
    }
    Ok(match (hs, cs) {
        (Some(hs), Some(cs)) => walk.joined(hs, cs),
        _ => state.clone(),
    })
}
