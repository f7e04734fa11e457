#!/usr/bin/env python3
"""Train a small GPT-2 on the language (a|b)*d(b|c)* and write it as a model folder: train_language.py FOLDER

The network says which tokens may come next (one logit per token, positive: legal). One layer, one head, width 16, GELU, learned
absolute positions at random offsets, the read-out tied to the embedding, as Hugging Face's GPT-2 has them. Beside weights and
configuration the folder holds inputs.safetensors: words with their positions, no outputs. Needs torch, numpy, safetensors; the same
seed gives the same words, the weights depend on torch's version.
"""
import json
import math
import os
import random
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

LETTERS = ["a", "b", "c", "d"]
BOS, SEP, EOS, PAD = range(4, 8)
VOCAB = LETTERS + ["<bos>", "<sep>", "<eos>", "<pad>"]
WIDTH, POSITIONS, LONGEST = 16, 48, 20


def word(rng):
    """Letters of a random word: its d stands anywhere."""
    length = rng.randint(1, LONGEST)
    before = rng.randrange(length)
    return [rng.choice([0, 1]) for _ in range(before)] + [3] + [rng.choice([1, 2]) for _ in range(length - before - 1)]


def legal(letters):
    """The tokens that may follow <bos> and each letter."""
    sets = [[0, 1, 3]]
    for at, _ in enumerate(letters):
        sets.append([1, 2, EOS] if 3 in letters[:at + 1] else [0, 1, 3])
    return sets


def batch(rng, n):
    """Tokens, positions, what is scored, and the legal tokens of n words."""
    words = [word(rng) for _ in range(n)]
    length = max(map(len, words)) + 2
    tokens = np.full((n, length), PAD)
    positions, scored = np.zeros((n, length), int), np.zeros((n, length), bool)
    wanted = np.zeros((n, length, len(VOCAB)), np.float32)
    for row, letters in enumerate(words):
        size = len(letters) + 2
        tokens[row, :size] = [BOS] + letters + [EOS]
        positions[row] = rng.randint(0, POSITIONS - size) + np.minimum(np.arange(length), size - 1)
        scored[row, :size - 1] = True
        for at, tokens_allowed in enumerate(legal(letters)):
            wanted[row, at, tokens_allowed] = 1
    return tokens, positions, scored, wanted


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(len(VOCAB), WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(3)])
        self.attend, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, positions):
        x = self.tokens(tokens) + self.positions(positions)
        q, k, v = self.attend(self.norms[0](x)).split(WIDTH, 2)
        x = x + self.project(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        x = x + self.narrow(F.gelu(self.widen(self.norms[1](x)), approximate="tanh"))
        return self.norms[2](x) @ self.tokens.weight.T

    def named(self):
        """Weights under Hugging Face's names; its linear layers have their matrices the other way round."""
        names = {"wte.weight": self.tokens.weight, "wpe.weight": self.positions.weight}
        for name, norm in zip(["h.0.ln_1", "h.0.ln_2", "ln_f"], self.norms):
            names |= {f"{name}.weight": norm.weight, f"{name}.bias": norm.bias}
        for name, layer in [("attn.c_attn", self.attend), ("attn.c_proj", self.project), ("mlp.c_fc", self.widen),
                            ("mlp.c_proj", self.narrow)]:
            names |= {f"h.0.{name}.weight": layer.weight.T, f"h.0.{name}.bias": layer.bias}
        return {"transformer." + name: np.ascontiguousarray(value.detach().numpy()) for name, value in names.items()}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, network, steps = random.Random(0), Network(), 1500
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(steps):
        tokens, positions, scored, wanted = map(torch.tensor, batch(rng, 32))
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, step / 200) * math.sqrt(1 - step / steps)
        loss = F.binary_cross_entropy_with_logits(network(tokens, positions)[scored], wanted[scored])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    save_file(network.named(), os.path.join(folder, "model.safetensors"))
    tokens, positions, scored, _ = batch(random.Random(1), 80)
    save_file({"tokens": tokens, "position_ids": positions, "scored": scored.astype(np.uint8)},
              os.path.join(folder, "inputs.safetensors"))
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
              "layer_norm_epsilon": 1e-5, "n_layer": 1, "n_head": 1, "n_embd": WIDTH, "n_inner": None,
              "n_positions": POSITIONS, "vocab_size": len(VOCAB), "scale_attn_weights": True,
              "scale_attn_by_inverse_layer_idx": False}
    special = {"bos": BOS, "sep": SEP, "eos": EOS, "pad": PAD}
    task = {"name": os.path.basename(folder), "attention_dir": "causal",
            "input": {"kind": "tokens", "vocab": VOCAB, "special": special, "length": [1, LONGEST]},
            "output": {"kind": "legal_next_tokens", "decode": "threshold_0"}}
    for name, value in [("config.json", config), ("task.json", task)]:
        with open(os.path.join(folder, name), "w") as file:
            file.write(json.dumps(value, indent=1) + "\n")
    print(f"loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
