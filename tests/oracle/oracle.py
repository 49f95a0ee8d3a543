#!/usr/bin/env python3
"""Compares norma with PyTorch on random layers: forward, gradients, running statistics.

    python3 tests/oracle/oracle.py [--norma PROGRAM] [--cases N] [--seed N] [TYPE...]

Each case is a network of one layer with the loss mse; `norma trace` runs it in float32, PyTorch in float64 from the same
numbers. The largest error, relative to the largest value, must be at most 1e-5. kinds.py has the layers. Exit 77 where
PyTorch is not installed; NORMA_PYTHON=/path/to/python names a python that has it.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from needs import need

need("torch", "numpy", "h5py")
import h5py
import numpy as np
import torch
import torch.nn.functional as F

from kinds import KINDS

torch.set_default_dtype(torch.float64)
TOLERANCE = 1e-5


def nchw(a):
    return torch.tensor(np.asarray(a, dtype=np.float64)).permute(0, 3, 1, 2).contiguous()


def worst(what, found, expected, errors):
    expected = expected.detach().numpy()
    found = np.asarray(found, dtype=np.float64)
    if found.shape != expected.shape:
        errors.append(f"{what}: shape {found.shape}, PyTorch has {expected.shape}")
        return
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
    if not error <= TOLERANCE:
        errors.append(f"{what}: relative error {error:.2e}")


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def run_case(norma, folder, kind, seed):
    r = random.Random(seed)
    rng = np.random.default_rng(seed)
    options, shapes, function = KINDS[kind](r)
    more = options if isinstance(options, dict) else {}
    out, owner = more.get("out", "l"), more.get("owner", "l")
    n, train = r.randint(1, 5), r.random() < 0.5 and not more.get("eval")
    if kind.startswith("batchnorm"):
        n = more.get("n", n + 1)
    x = [rng.normal(size=(n, *s)).astype(np.float32) for s in shapes]
    names = [f"x{i}" for i in range(len(shapes))]
    layers = more.get("model") or f"- {{name: l, {kind.split('.')[0]}: {options}, from: [{', '.join(names)}]}}\n"
    inputs = ", ".join(f"{a}: {{height: {s[0]}, width: {s[1]}, channels: {s[2]}}}" for a, s in zip(names, shapes))
    model = f"inputs: {{{inputs}}}\nlayers:\n{layers}loss: mse\n"
    paths = [os.path.join(folder, f) for f in ("model.yaml", "in.h5", "out.h5")]
    with open(paths[0], "w") as f:
        f.write(model)
    leaves = [nchw(a).requires_grad_() for a in x]
    summary = subprocess.run([norma, "summary", "--json", paths[0]], capture_output=True, text=True)
    if summary.returncode:
        return model, [summary.stderr]
    shape = json.loads(summary.stdout)["layers"][-1]["output"]
    targets = rng.normal(1, 1, (n, *shape)).astype(np.float32)  # not around 0, where a bias's gradient could vanish
    with h5py.File(paths[1], "w") as f:
        for a, v in zip(names, x):
            f[f"inputs/{a}"] = v
        f["targets"] = targets
    command = [norma, "trace", paths[0], "--input", paths[1], "--output", paths[2],
               "--mode", "train" if train else "eval"]
    for declared in (True, False):  # once to see which parameters there are, then with random ones
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return model, [done.stderr]
        if declared:
            with h5py.File(paths[2]) as f, h5py.File(paths[1], "a") as given:
                for k, v in (f[f"model/{owner}"].items() if f"model/{owner}" in f else ()):
                    values = rng.uniform(0.5, 1.5, v.shape) if "var" in k else rng.normal(0, 0.5, v.shape)
                    given[f"model/{owner}/{k}"] = values.astype(np.float32)
    errors = []
    with h5py.File(paths[2]) as f:
        params = {k: torch.tensor(np.asarray(v, dtype=np.float64))
                  for k, v in (f[f"model/{owner}"].items() if f"model/{owner}" in f else ())}
        for k, v in params.items():
            v.requires_grad_("running" not in k)
        after = {}
        if kind.startswith("batchnorm"):
            y, after = function(leaves, params, train)
        else:
            y = function(leaves, params)
        F.mse_loss(y, nchw(targets)).backward()
        worst("output", f[f"activations/{out}"], nhwc(y), errors)
        for a, t in zip(names, leaves):
            grad = torch.zeros_like(t) if t.grad is None else t.grad  # unpool does not learn from what it looks at
            worst(f"gradient by {a}", f[f"gradients/activations/{a}"], nhwc(grad), errors)
        for k, v in params.items():
            if v.requires_grad:
                worst(f"gradient by {k}", f[f"gradients/parameters/{owner}/{k}"], v.grad, errors)
        for k, v in after.items():
            if train:
                worst(f"{k} after", f[f"model_after/{owner}/{k}"], v, errors)
    return model, errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default=os.environ.get("NORMA_PROGRAM", "build/apps/norma"))
    parser.add_argument("--cases", type=int, default=320)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("types", nargs="*")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 20)
    kinds = [k for k in KINDS if not args.types or k in args.types or k.split(".")[0] in args.types]
    failed = 0
    print(f"{args.cases} cases against PyTorch {torch.__version__}, --seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.cases):
            kind = kinds[i % len(kinds)]
            model, errors = run_case(args.norma, folder, kind, seed + i)
            if errors:
                failed += 1
                print(f"{kind} (--seed {seed + i} --cases 1 {kind}):\n  " + "\n  ".join(errors) + f"\n{model}")
    print(f"{args.cases - failed} of {args.cases} agree")
    sys.exit(1 if failed else 0)


main()
