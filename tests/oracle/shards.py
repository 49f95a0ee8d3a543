#!/usr/bin/env python3
"""Compares the gradients of a training step in shards with PyTorch's of the whole batch.

    python3 tests/oracle/shards.py [--norma PROGRAM]

After a first step of SGD with momentum the momentum is the gradient; a checkpoint holds it. norma trains in float32, PyTorch
computes in float64 from the same weights and pixels. The largest error, relative to the largest value, must be at most 1e-5.
Exit 77 where PyTorch is not installed; NORMA_PYTHON=/path/to/python names a python that has it.
"""
import argparse
import os
import struct
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
BATCH, SIDE, CLASSES = 32, 12, 4
MODEL = """name: shards
input: {height: 12, width: 12, channels: 1}
defaults: {conv: {bias: false}}  # before batch norm its gradient is zero
layers:
- {name: a, conv: {filters: 16, kernel: 3, pad: same}}
- {name: an, batchnorm: {}}
- relu
- {name: b, conv: {filters: 24, kernel: 3, pad: same, stride: 2}}
- {name: bn, batchnorm: {}}
- relu
- {name: c, conv: {filters: 24, kernel: 3, pad: same}}
- {name: cn, batchnorm: {}}
- relu
- gap
- {name: d, dense: {units: 4}}
loss: softmax_ce
train: {data: "idx:data", steps: 1, batch: 32, shuffle: false, optimizer: {sgd: {lr: 0.01, momentum: 0.9}}, schedule: constant}
"""


def write_idx(path, extents, values):
    with open(path, "wb") as f:
        f.write(bytes((0, 0, 8, len(extents))) + b"".join(struct.pack(">I", e) for e in extents) + values.tobytes())


def write_problem():
    """Model and data in this folder; the images of the batch and their labels."""
    rng = np.random.default_rng(1)
    os.makedirs("data")
    for stem in ("t10k", "train"):
        images = rng.integers(0, 256, (BATCH, SIDE, SIDE), dtype=np.uint8)
        labels = rng.integers(0, CLASSES, BATCH, dtype=np.uint8)
        labels[:CLASSES] = range(CLASSES)
        write_idx(f"data/{stem}-images-idx3-ubyte", images.shape, images)
        write_idx(f"data/{stem}-labels-idx1-ubyte", labels.shape, labels)
    with open("model.yaml", "w") as f:
        f.write(MODEL)
    return images, labels


def initial_parameters(norma):
    with h5py.File("in.h5", "w") as f:
        f["x"] = np.zeros((1, SIDE, SIDE, 1), dtype=np.float32)
        f["labels"] = np.zeros(1, dtype=np.int32)
    subprocess.run([norma, "trace", "model.yaml", "--input", "in.h5", "--output", "out.h5"], check=True, stdout=subprocess.DEVNULL)
    with h5py.File("out.h5") as f:
        return {f"{layer}/{name}": torch.tensor(np.asarray(v, dtype=np.float64)).requires_grad_("running" not in name)
                for layer, group in f["model"].items() for name, v in group.items()}


def gradients_of_torch(w, x, labels):
    def conv(x, layer, stride):
        pad = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)  # "same" of an even side puts the odd pixel behind
        return F.conv2d(F.pad(x, pad), w[f"{layer}/weight"].permute(3, 2, 0, 1), None, stride)

    for layer, norm, stride in (("a", "an", 1), ("b", "bn", 2), ("c", "cn", 1)):
        x = conv(x, layer, stride)
        x = F.relu(F.batch_norm(x, None, None, w[f"{norm}/scale"], w[f"{norm}/shift"], True, 0.0, 1e-5))
    F.cross_entropy(x.mean((2, 3)) @ w["d/weight"] + w["d/bias"], labels).backward()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default="build/apps/norma")
    norma = os.path.abspath(parser.parse_args().norma)
    wrong = worst = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        images, labels = write_problem()
        w = initial_parameters(norma)
        for shards in (1, 2, 8, 32):
            run = f"s{shards}"
            subprocess.run([norma, "train", "model.yaml", "--run", run, "--shards", str(shards)], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with h5py.File(f"{run}/last.h5") as f:
                if shards == 1:
                    x = (torch.tensor(images / 255.0)[:, None] - float(f["train/mean"][0])) / float(f["train/deviation"][0])
                    gradients_of_torch(w, x, torch.tensor(labels.astype(np.int64)))
                for name, v in w.items():
                    if v.grad is None:
                        continue
                    found, expected = np.asarray(f[f"optimizer/{name}/momentum"]), v.grad.numpy()
                    error = np.abs(found - expected).max() / np.abs(expected).max()
                    worst = max(worst, error)
                    wrong += not error <= TOLERANCE
                    if not error <= TOLERANCE:
                        print(f"{shards} shards: gradient by {name}: relative error {error:.2e}")
    print("shards: 4 numbers of shards,", f"all gradients agree to {worst:.1e}" if not wrong else f"{wrong} gradients differ")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
