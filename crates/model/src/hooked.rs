//! `hooked_transformer`: TransformerLens' names and shapes.

use std::sync::Arc;

use graph::{Activation, Family, Feeding, Network, Norm};

use crate::LoadError;
use crate::json::At;
use crate::task::{self, LENGTH, VOCABULARY};
use crate::tensors::{Tensors, tensor};
use crate::transformer::{ACTIVATIONS, Attention, Head, Mlp, Stream, check_size, unless_zero};

const WIDTH: usize = 1 << 16;

#[derive(Clone, Copy, PartialEq)]
enum NormKind {
    None,
    Full,
    /// Centred and scaled only: weights were folded into what reads.
    Pre,
}

/// Builds the network from its configuration, task and weights.
pub(crate) fn load(config: &At, task: Option<At>, mut weights: Tensors) -> Result<Network, LoadError> {
    let n_layers = config.get("n_layers").count(0..=256)?;
    let d_model = config.get("d_model").count(1..=WIDTH)?;
    let n_ctx = config.get("n_ctx").count(1..=LENGTH + 1)?;
    let d_head = config.get("d_head").count(1..=WIDTH)?;
    let n_heads = config.get("n_heads").count(1..=1024)?;
    let d_vocab = config.get("d_vocab").count(1..=VOCABULARY)?;
    let d_vocab_out = config.get("d_vocab_out").count(1..=VOCABULARY)?;
    check_size(config, n_layers, n_heads)?;
    let attn_only = config.get("attn_only").flag(false)?;
    let (d_mlp, activation) = match attn_only {
        true => (0, Activation::Relu),
        false => (config.get("d_mlp").count(1..=WIDTH)?, config.get("act_fn").one_of(&ACTIVATIONS)?),
    };
    let at = config.get("normalization_type");
    let kind = match at.value {
        None => NormKind::None,
        Some(_) => at.one_of(&[("LN", NormKind::Full), ("LNPre", NormKind::Pre)])?,
    };
    let eps = match kind {
        NormKind::None => 0.0,
        _ if config.get("eps").is_absent() => 1e-5,
        _ => config.get("eps").number()? as f32,
    };
    let causal = config.get("attention_dir").one_of(&[("causal", true), ("bidirectional", false)])?;
    config.get("positional_embedding_type").one_of(&[("standard", ())])?;
    for (key, why) in [("gated_mlp", "gated MLPs are not supported"), ("final_rms", "RMS norms are not supported")] {
        config.get(key).must_be(&false.into(), why)?;
    }
    for key in ["parallel_attn_mlp", "use_split_qkv_input", "use_attn_result_in_qkv"] {
        config.get(key).must_be(&false.into(), "blocks are attention, then MLP")?;
    }
    let scale = scale(config, d_head)?;
    let task = task.ok_or_else(|| task::missing("hooked_transformer"))?;
    let at = task.get("attention_dir");
    if !at.is_absent() && at.one_of(&[("causal", true), ("bidirectional", false)])? != causal {
        return Err(at.contradicts("attention_dir in config.json", config.get("attention_dir").found()));
    }
    let domain = task::tokens(&task, d_vocab, n_ctx, d_vocab_out)?;

    let norm = |weights: &mut Tensors, name: &str| -> Result<Option<Arc<Norm>>, LoadError> {
        let (weight, bias) = match kind {
            NormKind::None => return Ok(None),
            NormKind::Pre => (tensor(vec![1.0; d_model], &[d_model])?, tensor(vec![0.0; d_model], &[d_model])?),
            NormKind::Full => {
                (weights.tensor(&format!("{name}.w"), &[d_model])?, weights.tensor(&format!("{name}.b"), &[d_model])?)
            }
        };
        Ok(Some(Arc::new(Norm { weight, bias, eps })))
    };
    let mut stream = Stream::new(
        weights.tensor("embed.W_E", &[d_vocab, d_model])?,
        weights.tensor("pos_embed.W_pos", &[n_ctx, d_model])?,
    );
    for layer in 0..n_layers {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        let mut parts = Vec::with_capacity(3);
        for slot in ["Q", "K", "V"] {
            let weight = weights.numbers(&name(&format!("attn.W_{slot}")), &[n_heads, d_model, d_head])?;
            parts.push((weight, weights.numbers(&name(&format!("attn.b_{slot}")), &[n_heads, d_head])?));
        }
        let w_o = weights.numbers(&name("attn.W_O"), &[n_heads, d_head, d_model])?;
        let bias = unless_zero(weights.numbers(&name("attn.b_O"), &[d_model])?)?;
        let size = d_model * d_head;
        let mut heads = Vec::with_capacity(n_heads);
        for head in 0..n_heads {
            let slot = |index: usize| -> Result<_, LoadError> {
                let (weight, bias): &(Vec<f32>, Vec<f32>) = &parts[index];
                let weight = tensor(weight[head * size..(head + 1) * size].to_vec(), &[d_model, d_head])?;
                Ok((weight, unless_zero(bias[head * d_head..(head + 1) * d_head].to_vec())?))
            };
            let w_o = tensor(w_o[head * size..(head + 1) * size].to_vec(), &[d_head, d_model])?;
            heads.push(Head { qkv: [slot(0)?, slot(1)?, slot(2)?], w_o });
        }
        let norm1 = norm(&mut weights, &name("ln1"))?;
        stream.attention(layer, Attention { norm: norm1, heads, bias, scale, causal });
        if !attn_only {
            let mlp = Mlp {
                norm: norm(&mut weights, &name("ln2"))?,
                w_in: weights.tensor(&name("mlp.W_in"), &[d_model, d_mlp])?,
                b_in: unless_zero(weights.numbers(&name("mlp.b_in"), &[d_mlp])?)?,
                activation,
                w_out: weights.tensor(&name("mlp.W_out"), &[d_mlp, d_model])?,
                b_out: unless_zero(weights.numbers(&name("mlp.b_out"), &[d_model])?)?,
            };
            stream.mlp(layer, mlp);
        }
    }
    let norm = norm(&mut weights, "ln_final")?;
    let unembed = weights.tensor("unembed.W_U", &[d_model, d_vocab_out])?;
    let bias = unless_zero(weights.numbers("unembed.b_U", &[d_vocab_out])?)?;
    // Buffers that TransformerLens saves beside the parameters: the causal mask and the number that masks.
    let n_parameters = weights.finish(|name| name.ends_with(".attn.mask") || name.ends_with(".attn.IGNORE"))?;
    let bos = match &domain.elements {
        samples::Elements::Tokens { bos, .. } => bos.and_then(|bos| u32::try_from(bos).ok()),
        _ => None,
    };
    let feeding = Feeding { n_tokens: d_vocab, n_positions: n_ctx, bos };
    let graph = stream.output(unembed, bias, norm);
    Ok(Network::transformer(domain, Family::HookedTransformer, graph, feeding)?.with_n_parameters(n_parameters))
}

/// The divisor of the attention logits; TransformerLens' -1 (and no number) mean the square root of `d_head`.
fn scale(config: &At, d_head: usize) -> Result<f32, LoadError> {
    if !config.get("use_attn_scale").flag(true)? {
        return Ok(1.0);
    }
    let at = config.get("attn_scale");
    let given = if at.is_absent() { -1.0 } else { at.number()? };
    if given == -1.0 {
        return Ok((d_head as f32).sqrt());
    }
    if given > 0.0 && (given as f32).is_finite() && given as f32 > 0.0 {
        Ok(given as f32)
    } else {
        Err(at.wrong("a positive number, or -1 for the square root of d_head"))
    }
}
