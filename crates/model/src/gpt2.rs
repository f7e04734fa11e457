//! `gpt2`: Hugging Face's names and keys, as `save_pretrained` writes them.

use std::sync::Arc;

use graph::{Family, Feeding, Network, Norm, Tensor};

use crate::LoadError;
use crate::json::At;
use crate::task::{self, LENGTH, VOCABULARY};
use crate::tensors::{Tensors, tensor};
use crate::transformer::{ACTIVATIONS, Attention, Head, Mlp, Stream, check_size, unless_zero};

const WIDTH: usize = 1 << 16;

/// Builds the network from its configuration, task, recorded inputs and weights.
pub(crate) fn load(
    config: &At,
    task: Option<At>,
    recorded: Option<Tensors>,
    mut weights: Tensors,
) -> Result<Network, LoadError> {
    let n_layers = config.get("n_layer").count(0..=256)?;
    let n_heads = config.get("n_head").count(1..=1024)?;
    let d = config.get("n_embd").count(1..=WIDTH)?;
    let n_positions = config.get("n_positions").count(1..=LENGTH)?;
    let n_tokens = config.get("vocab_size").count(1..=VOCABULARY)?;
    let at = config.get("n_inner");
    let d_mlp = if at.is_absent() { 4 * d } else { at.count(1..=4 * WIDTH)? };
    check_size(config, n_layers, n_heads)?;
    if d % n_heads != 0 {
        return Err(config.get("n_head").contradicts("n_embd in config.json", format!("{d}, which it must divide")));
    }
    let d_head = d / n_heads;
    let activation = config.get("activation_function").one_of(&ACTIVATIONS)?;
    let at = config.get("layer_norm_epsilon");
    let eps = at.number()? as f32;
    if !(0.0..=1.0).contains(&eps) {
        return Err(at.wrong("a small positive number"));
    }
    config.get("add_cross_attention").must_be(&false.into(), "there is nothing to attend across to")?;
    let scaled = config.get("scale_attn_weights").flag(true)?;
    let by_layer = config.get("scale_attn_by_inverse_layer_idx").flag(false)?;
    let tied = config.get("tie_word_embeddings").flag(true)?;
    let task = task.ok_or_else(|| task::missing("gpt2"))?;
    let at = task.get("attention_dir");
    if !at.is_absent() {
        at.one_of(&[("causal", ())])?;
    }
    let domain = task::language(&task, recorded, n_tokens, n_positions)?;

    let prefix = if weights.has("transformer.wte.weight") { "transformer." } else { "" };
    let norm = |weights: &mut Tensors, name: &str| -> Result<Option<Arc<Norm>>, LoadError> {
        let weight = weights.tensor(&format!("{prefix}{name}.weight"), &[d])?;
        let bias = weights.tensor(&format!("{prefix}{name}.bias"), &[d])?;
        Ok(Some(Arc::new(Norm { weight, bias, eps })))
    };
    let wte = weights.numbers(&format!("{prefix}wte.weight"), &[n_tokens, d])?;
    let wpe = weights.tensor(&format!("{prefix}wpe.weight"), &[n_positions, d])?;
    let unembed = match weights.has("lm_head.weight") {
        false if tied => wte.clone(),
        _ => weights.numbers("lm_head.weight", &[n_tokens, d])?,
    };
    if tied && unembed != wte {
        return Err(LoadError::Contradiction {
            file: crate::File::Weights,
            key: "lm_head.weight".to_owned(),
            found: "another matrix than the embedding".to_owned(),
            other: "tie_word_embeddings in config.json".to_owned(),
            expected: "that they are one".to_owned(),
        });
    }
    let mut stream = Stream::new(tensor(wte, &[n_tokens, d])?, wpe);
    for layer in 0..n_layers {
        let name = |part: &str| format!("{prefix}h.{layer}.{part}");
        let qkv = weights.numbers(&name("attn.c_attn.weight"), &[d, 3 * d])?;
        let qkv_bias = weights.numbers(&name("attn.c_attn.bias"), &[3 * d])?;
        let w_o = weights.numbers(&name("attn.c_proj.weight"), &[d, d])?;
        let bias = unless_zero(weights.numbers(&name("attn.c_proj.bias"), &[d])?)?;
        let mut heads = Vec::with_capacity(n_heads);
        for head in 0..n_heads {
            let slot = |index: usize| -> Result<(Tensor, Option<Tensor>), LoadError> {
                let start = index * d + head * d_head;
                let columns = qkv.chunks(3 * d).flat_map(|row| &row[start..start + d_head]).copied().collect();
                Ok((tensor(columns, &[d, d_head])?, unless_zero(qkv_bias[start..start + d_head].to_vec())?))
            };
            let rows = w_o[head * d_head * d..(head + 1) * d_head * d].to_vec();
            heads.push(Head { qkv: [slot(0)?, slot(1)?, slot(2)?], w_o: tensor(rows, &[d_head, d])? });
        }
        let mut scale = if scaled { (d_head as f32).sqrt() } else { 1.0 };
        if by_layer {
            scale *= (layer + 1) as f32;
        }
        let ln_1 = norm(&mut weights, &format!("h.{layer}.ln_1"))?;
        stream.attention(layer, Attention { norm: ln_1, heads, bias, scale, causal: true });
        let mlp = Mlp {
            norm: norm(&mut weights, &format!("h.{layer}.ln_2"))?,
            w_in: weights.tensor(&name("mlp.c_fc.weight"), &[d, d_mlp])?,
            b_in: unless_zero(weights.numbers(&name("mlp.c_fc.bias"), &[d_mlp])?)?,
            activation,
            w_out: weights.tensor(&name("mlp.c_proj.weight"), &[d_mlp, d])?,
            b_out: unless_zero(weights.numbers(&name("mlp.c_proj.bias"), &[d])?)?,
        };
        stream.mlp(layer, mlp);
    }
    let ln_f = norm(&mut weights, "ln_f")?;
    // Buffers of older versions of the library: the causal mask and the number that masks.
    let n_parameters = weights.finish(|name| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))?;
    let columns = (0..d).flat_map(|col| unembed.iter().skip(col).step_by(d)).copied().collect();
    let graph = stream.output(tensor(columns, &[d, n_tokens])?, None, ln_f);
    let feeding = Feeding { n_tokens, n_positions, bos: None };
    Ok(Network::transformer(domain, Family::Gpt2, graph, feeding)?.with_n_parameters(n_parameters))
}
