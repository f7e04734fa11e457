#!/usr/bin/env python3
"""Make control networks of trained transformers: controls.py GRADE.py MODELS OUT [GLOB...]

For every folder of MODELS (in the format of ../shared/models/trained) whose name matches one of the patterns (all, if there are
none), two folders are written to OUT: NAME-weights, the network with the entries of every tensor permuted, so that it has the same
weights and computes nothing that was trained; and NAME-labels, the same network in a vocabulary whose words are permuted (the special
ones stay, and of one word there is nothing to permute), so that what it computes is no longer the task. Both have what the grader
asks for, the outputs computed anew; nothing that the grader then calls accepted may be WRONG:

    python3 GRADE.py trained --models OUT --bin target/debug/ventris --json controls.json

Needs numpy; the forward pass and the files' format are the grader's.
"""
import fnmatch
import importlib.util
import json
import os
import shutil
import sys

import numpy as np


def load(path):
    spec = importlib.util.spec_from_file_location("grade", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(grade, weights, config, task, evaluation):
    """The network's decoded outputs on the sequences of an evaluation file."""
    tokens, scored, offset = evaluation["tokens"].astype(int), evaluation["scored"], evaluation["offset"]
    pad = task["input"]["special"]["pad"]
    found = np.full(evaluation["model_pred"].shape, 0, np.uint8)
    legal = task["output"]["kind"] == "legal_next_tokens"
    for row in range(len(tokens)):
        length = int((tokens[row] != pad).sum())
        positions = int(offset[row]) + np.arange(length)[None]
        logits = grade.gpt2_forward(weights, config, tokens[row][None, :length], positions)[0]
        found[row, :length] = (logits > 0) * scored[row, :length, None] if legal else np.where(scored[row, :length], logits.argmax(-1), pad)
        if not legal:
            found[row, length:] = pad
    return found


def main():
    grade, models, out = load(sys.argv[1]), sys.argv[2], sys.argv[3]
    globs = sys.argv[4:] or ["*"]
    for name in sorted(os.listdir(models)):
        folder = os.path.join(models, name)
        if not any(fnmatch.fnmatch(name, glob) for glob in globs) or not os.path.exists(os.path.join(folder, "eval_paper.npz")):
            continue
        rng = np.random.default_rng(0)
        weights = grade.load_tensors(os.path.join(folder, "model.safetensors"))
        config, task = (json.load(open(os.path.join(folder, file))) for file in ("config.json", "task.json"))
        evaluation = dict(np.load(os.path.join(folder, "eval_paper.npz")))
        permuted = {key: rng.permutation(value.ravel()).reshape(value.shape) for key, value in weights.items()}
        words, special = list(task["input"]["vocab"]), set(task["input"]["special"].values())
        plain = [i for i in range(len(words)) if i not in special]
        renamed = list(words)
        # Of two words every other draw is the identity, which is no control; one word alone cannot be renamed.
        while renamed == words and len(plain) > 1:
            for place, word in zip(plain, rng.permutation([words[i] for i in plain])):
                renamed[place] = str(word)
        for kind in ("weights", "labels") if renamed != words else ("weights",):
            target = os.path.join(out, f"{name}-{kind}")
            os.makedirs(target, exist_ok=True)
            shutil.copyfile(os.path.join(folder, "config.json"), os.path.join(target, "config.json"))
            own = permuted if kind == "weights" else weights
            said = outputs(grade, own, config, task, evaluation) if kind == "weights" else evaluation["model_pred"]
            task["input"]["vocab"] = renamed if kind == "labels" else words
            grade.save_tensors(os.path.join(target, "model.safetensors"), own)
            json.dump(task, open(os.path.join(target, "task.json"), "w"))
            np.savez(os.path.join(target, "eval_paper.npz"), **{**evaluation, "model_pred": said})


if __name__ == "__main__":
    main()
