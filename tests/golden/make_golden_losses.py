#!/usr/bin/env python3
"""Writes losses.h5: losses and gradients that PyTorch computes, in float64.

    python3 tests/golden/make_golden_losses.py           (needs torch, numpy, h5py)
"""
import os

import h5py
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))


def focal(x, y, gamma=2.0):
    log_p = F.log_softmax(x, 1).gather(1, y[:, None])[:, 0]
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


# name, norma's word, norma's options, shape NHWC, whether targets are values, PyTorch's loss of (NCHW, targets)
CASES = [
    ("plain", "mse", "{}", (3, 2, 2, 4), True, F.mse_loss),
    ("plain", "l1", "{}", (3, 2, 2, 4), True, F.l1_loss),
    ("plain", "smooth_l1", "{}", (3, 2, 2, 4), True, F.smooth_l1_loss),
    ("beta", "smooth_l1", "{beta: 0.3}", (3, 2, 2, 4), True, lambda x, t: F.smooth_l1_loss(x, t, beta=0.3)),
    ("plain", "sigmoid_ce", "{}", (3, 1, 1, 6), True, F.binary_cross_entropy_with_logits),
    ("weight", "sigmoid_ce", "{positive_weight: 2.5}", (3, 1, 1, 6), True,
     lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(2.5))),
    ("plain", "softmax_ce", "{}", (4, 1, 1, 5), False, F.cross_entropy),
    ("smoothing", "softmax_ce", "{label_smoothing: 0.1}", (4, 1, 1, 5), False,
     lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)),
    ("pixels", "softmax_ce", "{}", (2, 3, 2, 5), False, F.cross_entropy),
    ("soft", "softmax_ce", "{}", (4, 1, 1, 5), True, lambda x, t: F.cross_entropy(x, t)),
    ("plain", "focal", "{}", (4, 1, 1, 5), False, focal),
    ("plain", "hinge", "{}", (4, 1, 1, 5), False, F.multi_margin_loss),
    ("squared", "hinge", "{p: 2, margin: 0.5}", (4, 1, 1, 5), False,
     lambda x, y: F.multi_margin_loss(x, y, p=2, margin=0.5)),
]

with h5py.File(os.path.join(HERE, "losses.h5"), "w", libver="latest") as f:
    for seed, (name, word, options, shape, values, run) in enumerate(CASES):
        rng = np.random.default_rng(seed)
        x = torch.tensor(rng.normal(0, 1.5, shape)).permute(0, 3, 1, 2).contiguous().requires_grad_()
        if values:
            target = rng.uniform(0, 1, shape)
            if word == "softmax_ce":
                target /= target.sum(3, keepdims=True)
            given = torch.tensor(target).permute(0, 3, 1, 2)
        else:
            target = rng.integers(0, shape[3], shape[:3])
            given = torch.tensor(target)
        z = x
        if shape[1] * shape[2] == 1:
            z, given = x[:, :, 0, 0], given[..., 0, 0] if values else given[:, 0, 0]
        loss = run(z, given)
        loss.backward()
        g = f.create_group(f"{word}.{name}")
        g.attrs["options"] = np.bytes_(options)
        for key, value in (("x", x.detach().permute(0, 2, 3, 1).contiguous().numpy()),
                           ("dx", x.grad.permute(0, 2, 3, 1).contiguous().numpy()),
                           ("target", np.asarray(target, dtype=np.float64)), ("loss", np.array([loss.item()]))):
            g.create_dataset(key, data=value, track_times=False)
