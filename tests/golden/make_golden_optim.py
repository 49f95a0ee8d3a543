#!/usr/bin/env python3
"""Writes optim.h5: trajectories of PyTorch's optimizers and factors of its schedulers, in float64.

    python3 tests/golden/make_golden_optim.py           (needs torch, numpy, h5py)
"""
import math
import os

import h5py
import numpy as np
import torch

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, SIZE = 25, 6

# name, norma's word, norma's options, lr, l2, clip, PyTorch's optimizer
OPTIMIZERS = [
    ("sgd", "sgd", "{}", 0.1, 0, 0, lambda p: torch.optim.SGD(p, 0.1)),
    ("sgd_l2", "sgd", "{}", 0.1, 0.01, 0, lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.01)),
    ("sgd_momentum", "sgd", "{momentum: 0.9}", 0.05, 0.01, 0,
     lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01)),
    ("sgd_nesterov", "sgd", "{momentum: 0.9, nesterov: true}", 0.05, 0.01, 0,
     lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01, nesterov=True)),
    ("sgd_clip", "sgd", "{momentum: 0.9}", 0.05, 0, 1.5, lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    ("adam", "adam", "{}", 0.02, 0, 0, lambda p: torch.optim.Adam(p, 0.02)),
    ("adam_l2", "adam", "{beta1: 0.8, beta2: 0.99, epsilon: 1.0e-4}", 0.02, 0.1, 0,
     lambda p: torch.optim.Adam(p, 0.02, (0.8, 0.99), 1e-4, 0.1)),
    ("adamw", "adamw", "{}", 0.02, 0.1, 0, lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.1)),
]


def torch_factors(make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule, factors = make(optimizer), []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return factors


S = torch.optim.lr_scheduler
SCHEDULES = [
    ("constant", "constant", "{}", [1.0] * 40, 10),
    ("cosine", "cosine", "{}", torch_factors(lambda o: S.CosineAnnealingLR(o, 40), 40), 10),
    ("cosine_final", "cosine", "{final: 0.1}", torch_factors(lambda o: S.CosineAnnealingLR(o, 40, 0.1), 40), 10),
    ("onecycle", "onecycle", "{}",
     torch_factors(lambda o: S.OneCycleLR(o, 1.0, total_steps=41, cycle_momentum=False), 41), 10),
    ("onecycle_peak", "onecycle", "{peak: 0.4, div: 10, final_div: 100}",
     torch_factors(lambda o: S.OneCycleLR(o, 1.0, total_steps=40, pct_start=0.4, div_factor=10, final_div_factor=100,
                                          cycle_momentum=False), 40), 10),
    # epochs of 1 step: PyTorch's schedulers step once an epoch
    ("step", "step", "{every: 7, factor: 0.3}", torch_factors(lambda o: S.StepLR(o, 7, 0.3), 40), 1),
    ("step_milestones", "step", "{milestones: [3, 11, 30], factor: 0.5}",
     torch_factors(lambda o: S.MultiStepLR(o, [3, 11, 30], 0.5), 40), 1),
    ("exponential", "exponential", "{factor: 0.9}", torch_factors(lambda o: S.ExponentialLR(o, 0.9), 40), 1),
    ("exponential_epochs", "exponential", "{factor: 0.5}", [math.pow(0.5, s / 8) for s in range(40)], 8),
]


def main():
    with h5py.File(os.path.join(HERE, "optim.h5"), "w", libver="latest") as f:
        for seed, (name, word, options, lr, l2, clip, make) in enumerate(OPTIMIZERS):
            rng = np.random.default_rng(seed)
            w = torch.tensor(rng.normal(0, 1, SIZE), requires_grad=True)
            start, optimizer, gradients, path = w.detach().numpy().copy(), make([w]), [], []
            for _ in range(STEPS):
                w.grad = torch.tensor(rng.normal(0, 1, SIZE))
                gradients.append(w.grad.numpy().copy())
                if clip:
                    torch.nn.utils.clip_grad_norm_([w], clip)
                optimizer.step()
                path.append(w.detach().numpy().copy())
            g = f.create_group(name)
            g.attrs["optimizer"], g.attrs["options"] = np.bytes_(word), np.bytes_(options)
            g.attrs["lr"], g.attrs["l2"], g.attrs["clip"] = float(lr), float(l2), float(clip)
            for key, value in (("w0", start), ("gradients", np.array(gradients)), ("w", np.array(path))):
                g.create_dataset(key, data=value, track_times=False)
        for name, word, options, factors, per_epoch in SCHEDULES:
            g = f.create_group("schedule_" + name)
            g.attrs["schedule"], g.attrs["options"] = np.bytes_(word), np.bytes_(options)
            g.attrs["steps_per_epoch"] = float(per_epoch)
            g.create_dataset("factors", data=np.array(factors), track_times=False)


if __name__ == "__main__":
    main()
