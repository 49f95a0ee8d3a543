#!/usr/bin/env python3
"""Compares norma's losses with PyTorch on random predictions and targets: the loss and its gradient.

    python3 tests/oracle/losses.py [--norma PROGRAM] [--cases N] [--seed N] [LOSS...]

`norma trace` runs in float32, PyTorch in float64 from the same numbers; the largest error, relative to the largest value,
must be at most 1e-5. norma takes the mean over a sample's pixels that count, then over the samples. Exit 77 where PyTorch is
not installed.
"""
import argparse
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

torch.set_default_dtype(torch.float64)
TOLERANCE = 1e-5
IGNORE = 255


def per_sample(losses, counts):
    """losses (n, h, w) -> the mean over counted pixels, then over samples."""
    n = len(losses)
    share = counts.reshape(n, -1).sum(1).clamp(min=1)
    return ((losses * counts).reshape(n, -1).sum(1) / share).mean()


# A kind draws (options as text, needs labels, function of (x (n, c, h, w), labels (n, h, w) or targets (n, c, h, w))).
def softmax_ce(r, classes):
    smoothing, weights = r.choice([0, 0.1, 0.3]), r.random() < 0.5
    w = torch.tensor([round(r.uniform(0.2, 3), 2) for _ in range(classes)])
    text = f"{{ignore: {IGNORE}, label_smoothing: {smoothing}"
    text += f", class_weights: {w.tolist()}}}" if weights else "}"
    return text, True, lambda x, t: per_sample(
        F.cross_entropy(x, t, w if weights else None, ignore_index=IGNORE, reduction="none", label_smoothing=smoothing), t != IGNORE)


def soft_targets(r, classes):
    weights = r.random() < 0.5
    w = torch.tensor([round(r.uniform(0.2, 3), 2) for _ in range(classes)])
    def run(x, t):
        return per_sample(F.cross_entropy(x, t, w if weights else None, reduction="none"), torch.ones_like(x[:, 0]))
    return f"{{class_weights: {w.tolist()}}}" if weights else "{}", False, run


def focal(r, classes):
    gamma = r.choice([0.5, 1, 2, 3])
    def run(x, t):
        log_p = -F.cross_entropy(x, t, ignore_index=IGNORE, reduction="none")
        return per_sample(-(1 - log_p.exp()) ** gamma * log_p, t != IGNORE)
    return f"{{ignore: {IGNORE}, gamma: {gamma}}}", True, run


def hinge(r, classes):
    margin, p = r.choice([0.5, 1, 2]), r.choice([1, 2])
    def run(x, t):
        rows = x.permute(0, 2, 3, 1).reshape(-1, classes)
        flat = torch.where(t == IGNORE, 0, t).reshape(-1)
        return per_sample(F.multi_margin_loss(rows, flat, p, margin, reduction="none").reshape(t.shape), t != IGNORE)
    return f"{{ignore: {IGNORE}, margin: {margin}, p: {p}}}", True, run


def smooth_l1(r, classes):
    beta = r.choice([0.3, 1, 2])
    return f"{{beta: {beta}}}", False, lambda x, t: F.smooth_l1_loss(x, t, beta=beta)


def sigmoid_ce(r, classes):
    w = r.choice([0.5, 1, 3])
    return f"{{positive_weight: {w}}}", False, lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(w))


def weighted_sum(r, classes):
    a, b = round(r.uniform(0.2, 2), 2), round(r.uniform(0.2, 2), 2)
    options = f"[{{softmax_ce: {{ignore: {IGNORE}}}, from: l, weight: {a}}}, {{mse: {{}}, from: l, target: x, weight: {b}}}]"
    return options, True, lambda x, t: (  # the prediction is twice x
        a * per_sample(F.cross_entropy(x, t, ignore_index=IGNORE, reduction="none"), t != IGNORE)
        + b * F.mse_loss(x, (x / 2).detach()))


KINDS = {"softmax_ce": softmax_ce, "softmax_ce.soft": soft_targets, "focal": focal, "hinge": hinge, "smooth_l1": smooth_l1,
         "sigmoid_ce": sigmoid_ce, "mse": lambda r, c: ("{}", False, F.mse_loss), "l1": lambda r, c: ("{}", False, F.l1_loss),
         "sum": weighted_sum}


def draw_targets(kind, r, rng, n, h, w, classes):
    """(name in the file, array, tensor for PyTorch)"""
    if KINDS[kind](random.Random(0), classes)[1]:
        labels = rng.integers(0, classes, (n, h, w)).astype(np.int32)
        if h * w > 1:
            labels[rng.random((n, h, w)) < 0.2] = IGNORE
        return "labels", labels if h * w > 1 else labels[:, 0, 0], torch.tensor(labels.astype(np.int64))
    values = rng.normal(size=(n, h, w, classes))
    if kind == "softmax_ce.soft":
        values = np.exp(values) / np.exp(values).sum(3, keepdims=True)
    elif kind == "sigmoid_ce":
        values = rng.random((n, h, w, classes))
    values = values.astype(np.float32)
    return "targets", values, torch.tensor(values.astype(np.float64)).permute(0, 3, 1, 2)


def run_case(norma, folder, kind, seed):
    r, rng = random.Random(seed), np.random.default_rng(seed)
    n, classes = r.randint(1, 6), r.randint(2, 12)
    h, w = (1, 1) if r.random() < 0.5 else (r.randint(1, 5), r.randint(2, 5))
    options, _, function = KINDS[kind](r, classes)
    loss = options if kind == "sum" else f"{{{kind.split('.')[0]}: {options}}}"
    model = (f"inputs: {{x: {{height: {h}, width: {w}, channels: {classes}}}}}\n"
             f"layers:\n- {{name: l, add: {{}}, from: [x, x]}}\nloss: {loss}\n")
    x = rng.normal(0, 1.5, (n, h, w, classes)).astype(np.float32)
    name, array, targets = draw_targets(kind, r, rng, n, h, w, classes)
    paths = [os.path.join(folder, f) for f in ("model.yaml", "in.h5", "out.h5")]
    with open(paths[0], "w") as f:
        f.write(model)
    with h5py.File(paths[1], "w") as f:
        f["inputs/x"] = x
        f[name] = array
    done = subprocess.run([norma, "trace", paths[0], "--input", paths[1], "--output", paths[2], "--mode", "train"],
                          capture_output=True, text=True)
    if done.returncode:
        return model, [done.stderr]
    leaf = torch.tensor(x.astype(np.float64)).permute(0, 3, 1, 2).requires_grad_()
    expected = function(leaf * 2, targets)
    expected.backward()
    errors = []
    with h5py.File(paths[2]) as f:
        found = float(np.asarray(f["loss"]))
        if not abs(found - expected.item()) <= TOLERANCE * max(abs(expected.item()), 1e-3):
            errors.append(f"loss: {found}, PyTorch has {expected.item()}")
        gradient, grad = np.asarray(f["gradients/activations/x"], np.float64), leaf.grad.permute(0, 2, 3, 1).numpy()
        error = np.abs(gradient - grad).max() / max(np.abs(grad).max(), 1e-30)
        if not error <= TOLERANCE:
            errors.append(f"gradient: relative error {error:.2e}")
    return model, errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default=os.environ.get("NORMA_PROGRAM", "build/apps/norma"))
    parser.add_argument("--cases", type=int, default=90)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("losses", nargs="*")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 20)
    kinds = [k for k in KINDS if not args.losses or k.split(".")[0] in args.losses]
    failed = 0
    print(f"{args.cases} cases against PyTorch {torch.__version__}, --seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.cases):
            model, errors = run_case(args.norma, folder, kinds[i % len(kinds)], seed + i)
            if errors:
                failed += 1
                print(f"{kinds[i % len(kinds)]} (--seed {seed + i}):\n  " + "\n  ".join(errors) + f"\n{model}")
    print(f"{args.cases - failed} of {args.cases} agree")
    sys.exit(1 if failed else 0)


main()
