#!/usr/bin/env python3
"""Writes the golden values: what PyTorch computes, in float64, for a few small cases of each layer.

    python3 tests/golden/make_golden.py [LAYER...]      (needs torch, numpy, h5py)

A row of CASES is (layer, name, model text, mode, input shapes NHWC, function). The function gets PyTorch tensors in
NCHW (or N, units) and a dict `p` of parameters in norma's layout, and returns y; parameters are declared by PARAMS.
"""
import os
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))


def hwio(w):  # HWIO to PyTorch's OIHW
    return w.permute(3, 2, 0, 1)


def conv(**options):
    return lambda x, p: F.conv2d(x[0], hwio(p["weight"]), p.get("bias"), **options)


def padded(top, bottom, left, right, **options):
    return lambda x, p: F.conv2d(F.pad(x[0], (left, right, top, bottom)), hwio(p["weight"]), p.get("bias"), **options)


def dense(x, p):
    flat = x[0].permute(0, 2, 3, 1).reshape(len(x[0]), -1)  # norma flattens h, w, c
    return (flat @ p["weight"] + (p["bias"] if "bias" in p else 0))[:, :, None, None]


def batchnorm(train, epsilon=1e-5, rate=0.1):
    def run(x, p):
        mean, var = p["running_mean"].detach().clone(), p["running_var"].detach().clone()
        y = F.batch_norm(x[0], mean, var, p.get("scale"), p.get("shift"), train, rate, epsilon)
        run.after = {"running_mean": mean, "running_var": var} if train else {}
        return y
    return run


def deconv(**options):  # HWIO with I all inputs, O of a group, to PyTorch's IOHW
    return lambda x, p: F.conv_transpose2d(x[0], p["weight"].permute(2, 3, 0, 1), p.get("bias"), **options)


def groupnorm(groups):
    return lambda x, p: F.group_norm(x[0], groups, p.get("scale"), p.get("shift"))


def layernorm(x, p):
    affine = [p[name].permute(2, 0, 1) for name in ("scale", "shift")] if p else [None, None]
    return F.layer_norm(x[0], x[0].shape[1:], *affine)


def max_unpool(size, stride, padding, ceil=False):
    def run(x, p):
        y, places = F.max_pool2d(x[0], size, stride, padding, ceil_mode=ceil, return_indices=True)
        return F.max_unpool2d(y, places, size, stride, padding, x[0].shape[2:])
    return run


def unary(f):
    return lambda x, p: f(x[0])


BN = {"scale": (4,), "shift": (4,), "running_mean": (4,), "running_var": (4,)}
CASES = [
    ("conv", "plain", "conv: {filters: 4, kernel: 3, pad: 1}", "eval", [(2, 6, 5, 3)],
     {"weight": (3, 3, 3, 4), "bias": (4,)}, conv(padding=1)),
    ("conv", "stride", "conv: {filters: 3, kernel: [3, 2], stride: [2, 3], bias: false}", "eval", [(2, 8, 9, 2)],
     {"weight": (3, 2, 2, 3)}, conv(stride=(2, 3))),
    ("conv", "pointwise", "conv: {filters: 5, kernel: 1}", "eval", [(3, 4, 3, 6)],
     {"weight": (1, 1, 6, 5), "bias": (5,)}, conv()),
    ("conv", "dilation_groups", "conv: {filters: 6, kernel: 3, dilation: 2, groups: 2, pad: 2}", "eval",
     [(2, 7, 7, 4)], {"weight": (3, 3, 2, 6), "bias": (6,)}, conv(dilation=2, groups=2, padding=2)),
    ("conv", "depthwise", "conv: {filters: 4, kernel: 3, groups: 4, pad: 1}", "eval", [(2, 5, 6, 4)],
     {"weight": (3, 3, 1, 4), "bias": (4,)}, conv(groups=4, padding=1)),
    ("conv", "sides", "conv: {filters: 2, kernel: 3, pad: [0, 2, 1, 0]}", "eval", [(1, 5, 5, 2)],
     {"weight": (3, 3, 2, 2), "bias": (2,)}, padded(0, 2, 1, 0)),
    ("conv", "winograd", "conv: {filters: 18, kernel: 3, pad: same, algorithm: winograd_4x4}", "eval",
     [(1, 6, 7, 17)], {"weight": (3, 3, 17, 18), "bias": (18,)}, conv(padding=1)),
    ("conv", "dilation_over_map", "conv: {filters: 3, kernel: 3, dilation: 12, pad: 12}", "eval", [(2, 8, 7, 2)],
     {"weight": (3, 3, 2, 3), "bias": (3,)}, conv(dilation=12, padding=12)),
    ("conv", "dilation_over_map_groups", "conv: {filters: 4, kernel: 3, dilation: 6, pad: 7, stride: 2, groups: 4}", "eval", [(2, 6, 5, 4)],
     {"weight": (3, 3, 1, 4), "bias": (4,)}, conv(dilation=6, padding=7, stride=2, groups=4)),
    ("dense", "vector", "dense: {units: 4}", "eval", [(3, 1, 1, 7)], {"weight": (7, 4), "bias": (4,)}, dense),
    ("dense", "image", "dense: {units: 5, bias: false}", "eval", [(2, 3, 2, 4)], {"weight": (24, 5)}, dense),
    ("batchnorm", "train", "batchnorm: {}", "train", [(3, 4, 5, 4)], BN, batchnorm(True)),
    ("batchnorm", "eval", "batchnorm: {epsilon: 0.01}", "eval", [(3, 4, 5, 4)], BN, batchnorm(False, 0.01)),
    ("batchnorm", "dense", "batchnorm: {rate: 0.3}", "train", [(6, 1, 1, 4)], BN, batchnorm(True, rate=0.3)),
    ("batchnorm", "plain", "batchnorm: {affine: false}", "train", [(2, 3, 3, 4)],
     {"running_mean": (4,), "running_var": (4,)}, batchnorm(True)),
    ("relu", "plain", "relu: {}", "eval", [(2, 3, 4, 5)], {}, unary(torch.relu)),
    ("sigmoid", "plain", "sigmoid: {}", "eval", [(2, 3, 4, 5)], {}, unary(torch.sigmoid)),
    ("tanh", "plain", "tanh: {}", "eval", [(2, 3, 4, 5)], {}, unary(torch.tanh)),
    ("relu6", "plain", "relu6: {}", "eval", [(2, 9, 8, 7)], {}, unary(F.relu6)),
    ("leaky", "plain", "leaky: {slope: 0.2}", "eval", [(2, 3, 4, 5)], {}, unary(lambda x: F.leaky_relu(x, 0.2))),
    ("prelu", "plain", "prelu: {}", "eval", [(2, 3, 4, 5)], {"slope": (5,)}, lambda x, p: F.prelu(x[0], p["slope"])),
    ("prelu", "shared", "prelu: {shared: true}", "eval", [(2, 3, 4, 5)], {"slope": (1,)},
     lambda x, p: F.prelu(x[0], p["slope"])),
    ("elu", "plain", "elu: {alpha: 0.7}", "eval", [(2, 3, 4, 5)], {}, unary(lambda x: F.elu(x, 0.7))),
    ("selu", "plain", "selu: {}", "eval", [(2, 3, 4, 5)], {}, unary(F.selu)),
    ("gelu", "plain", "gelu: {}", "eval", [(2, 3, 4, 5)], {}, unary(F.gelu)),
    ("gelu", "tanh", "gelu: {approximate: tanh}", "eval", [(2, 3, 4, 5)], {},
     unary(lambda x: F.gelu(x, approximate="tanh"))),
    ("mish", "plain", "mish: {}", "eval", [(2, 3, 4, 5)], {}, unary(F.mish)),
    ("silu", "plain", "silu: {}", "eval", [(2, 3, 4, 5)], {}, unary(F.silu)),
    ("hardsigmoid", "plain", "hardsigmoid: {}", "eval", [(2, 3, 4, 5)], {}, unary(lambda x: F.relu6(x + 3) / 6)),  # F.hardsigmoid rounds 1/6 to float
    ("softplus", "plain", "softplus: {}", "eval", [(2, 3, 4, 5)], {}, unary(F.softplus)),
    ("softplus", "beta", "softplus: {beta: 2}", "eval", [(2, 3, 4, 5)], {}, unary(lambda x: F.softplus(x, 2))),
    ("softmax", "plain", "softmax: {}", "eval", [(2, 2, 3, 5)], {}, unary(lambda x: F.softmax(x, 1))),
    ("maxpool", "plain", "maxpool: {size: 2}", "eval", [(2, 6, 5, 3)], {}, unary(lambda x: F.max_pool2d(x, 2))),
    ("maxpool", "overlap", "maxpool: {size: 3, stride: 2, pad: 1}", "eval", [(2, 7, 6, 3)], {},
     unary(lambda x: F.max_pool2d(x, 3, 2, 1))),
    ("maxpool", "ceil", "maxpool: {size: 3, stride: 2, ceil: true}", "eval", [(2, 6, 8, 3)], {},
     unary(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True))),
    ("maxpool", "small_map", "maxpool: {size: 3, stride: 2, ceil: true}", "eval", [(2, 2, 2, 3)], {},
     unary(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True))),
    ("maxpool", "small_map_pad", "maxpool: {size: 5, stride: 4, pad: 1, ceil: true}", "eval", [(2, 1, 4, 3)], {},
     unary(lambda x: F.max_pool2d(x, 5, 4, 1, ceil_mode=True))),
    ("avgpool", "plain", "avgpool: {size: 2}", "eval", [(2, 6, 5, 3)], {}, unary(lambda x: F.avg_pool2d(x, 2))),
    ("avgpool", "pad", "avgpool: {size: 3, stride: 2, pad: 1}", "eval", [(2, 7, 6, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 3, 2, 1))),
    ("avgpool", "no_pad", "avgpool: {size: 3, stride: 2, pad: 1, count_pad: false, ceil: true}", "eval",
     [(2, 6, 8, 3)], {}, unary(lambda x: F.avg_pool2d(x, 3, 2, 1, True, False))),
    ("avgpool", "small_map", "avgpool: {size: 3, stride: 2, ceil: true}", "eval", [(2, 2, 2, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 3, 2, 0, True))),
    ("avgpool", "small_map_pad", "avgpool: {size: 5, stride: 4, pad: 1, ceil: true}", "eval", [(2, 1, 4, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 5, 4, 1, True))),
    ("avgpool", "small_map_no_pad", "avgpool: {size: 5, stride: 4, pad: 1, ceil: true, count_pad: false}", "eval",
     [(2, 1, 4, 3)], {}, unary(lambda x: F.avg_pool2d(x, 5, 4, 1, True, False))),
    ("sumpool", "plain", "sumpool: {size: 2}", "eval", [(2, 6, 5, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 2, divisor_override=1))),
    ("sumpool", "overlap", "sumpool: {size: 3, stride: 2, pad: 1}", "eval", [(2, 7, 6, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=1))),
    ("sumpool", "small_map", "sumpool: {size: 5, stride: 4, pad: 1, ceil: true}", "eval", [(2, 1, 4, 3)], {},
     unary(lambda x: F.avg_pool2d(x, 5, 4, 1, True, divisor_override=1))),
    ("l2pool", "plain", "l2pool: {size: 2}", "eval", [(2, 6, 5, 3)], {}, unary(lambda x: F.lp_pool2d(x, 2, 2))),
    ("l2pool", "overlap", "l2pool: {size: 3, stride: 2}", "eval", [(2, 7, 7, 3)], {},
     unary(lambda x: F.lp_pool2d(x, 2, 3, 2))),
    ("l2pool", "small_map", "l2pool: {size: 3, stride: 2, ceil: true}", "eval", [(2, 2, 2, 3)], {},
     unary(lambda x: F.avg_pool2d(x ** 2, 3, 2, 0, True, divisor_override=1).sqrt())),
    ("gmp", "plain", "gmp: {}", "eval", [(2, 3, 5, 4)], {}, unary(lambda x: F.adaptive_max_pool2d(x, 1))),
    ("adaptive_avgpool", "down", "adaptive_avgpool: {size: [3, 2]}", "eval", [(2, 7, 5, 4)], {},
     unary(lambda x: F.adaptive_avg_pool2d(x, (3, 2)))),
    ("adaptive_avgpool", "up", "adaptive_avgpool: {size: 5}", "eval", [(2, 3, 4, 2)], {},
     unary(lambda x: F.adaptive_avg_pool2d(x, 5))),
    ("upsample", "nearest", "upsample: {scale: 3}", "eval", [(2, 3, 4, 2)], {},
     unary(lambda x: F.interpolate(x, scale_factor=3, mode="nearest"))),
    ("upsample", "nearest_size", "upsample: {size: [5, 7]}", "eval", [(2, 3, 4, 2)], {},
     unary(lambda x: F.interpolate(x, (5, 7), mode="nearest"))),
    ("upsample", "bilinear", "upsample: {scale: 2, mode: bilinear}", "eval", [(2, 3, 4, 2)], {},
     unary(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"))),
    ("upsample", "corners", "upsample: {size: [5, 7], mode: bilinear, align_corners: true}", "eval", [(2, 3, 4, 2)], {},
     unary(lambda x: F.interpolate(x, (5, 7), mode="bilinear", align_corners=True))),
    ("upsample", "bilinear_down", "upsample: {size: [2, 3], mode: bilinear}", "eval", [(2, 5, 4, 2)], {},
     unary(lambda x: F.interpolate(x, (2, 3), mode="bilinear"))),
    ("unpool", "plain", "maxpool: {size: 2}\n- {name: u, unpool: {pool: l}}", "eval", [(2, 6, 5, 3)], {},
     max_unpool(2, 2, 0)),
    ("unpool", "gaps", "maxpool: {size: 2, stride: 3}\n- {name: u, unpool: {pool: l}}", "eval", [(2, 8, 8, 3)], {},
     max_unpool(2, 3, 0)),
    ("unpool", "small_map", "maxpool: {size: 3, stride: 2, ceil: true}\n- {name: u, unpool: {pool: l}}", "eval", [(2, 2, 2, 3)], {},
     max_unpool(3, 2, 0, True)),
    ("multiply", "channels", "multiply: {}", "eval", [(2, 3, 2, 4), (2, 1, 1, 4)], {}, lambda x, p: x[0] * x[1]),
    ("multiply", "pixels", "multiply: {}", "eval", [(2, 3, 2, 4), (2, 3, 2, 1)], {}, lambda x, p: x[0] * x[1]),
    ("slice", "plain", "slice: {first: 1, count: 2}", "eval", [(2, 3, 2, 4)], {}, unary(lambda x: x[:, 1:3])),
    ("reshape", "plain", "reshape: {height: 2, width: 4, channels: 3}", "eval", [(2, 3, 2, 4)], {},
     unary(lambda x: x.permute(0, 2, 3, 1).reshape(2, 2, 4, 3).permute(0, 3, 1, 2))),
    ("pad", "plain", "pad: {pad: [1, 2, 3, 0]}", "eval", [(2, 3, 2, 4)], {}, unary(lambda x: F.pad(x, (3, 0, 1, 2)))),
    ("crop", "plain", "crop: {crop: [1, 2, 0, 3]}", "eval", [(2, 5, 6, 4)], {}, unary(lambda x: x[:, :, 1:3, 0:3])),
    ("groupnorm", "plain", "groupnorm: {groups: 2}", "eval", [(3, 4, 5, 6)], {"scale": (6,), "shift": (6,)}, groupnorm(2)),
    ("layernorm", "plain", "layernorm: {}", "train", [(3, 4, 3, 2)], {"scale": (4, 3, 2), "shift": (4, 3, 2)}, layernorm),
    ("layernorm", "no_affine", "layernorm: {affine: false}", "eval", [(3, 1, 1, 7)], {}, layernorm),
    ("instancenorm", "plain", "instancenorm: {}", "eval", [(3, 4, 5, 3)], {}, unary(F.instance_norm)),
    ("instancenorm", "affine", "instancenorm: {affine: true}", "eval", [(3, 4, 5, 3)], {"scale": (3,), "shift": (3,)},
     lambda x, p: F.instance_norm(x[0], weight=p["scale"], bias=p["shift"])),
    ("lrn", "plain", "lrn: {size: 5, alpha: 0.5}", "eval", [(2, 3, 2, 9)], {},
     unary(lambda x: F.local_response_norm(x, 5, 0.5))),
    ("lrn", "even", "lrn: {size: 4, alpha: 2, beta: 0.5, k: 2}", "eval", [(2, 3, 2, 9)], {},
     unary(lambda x: F.local_response_norm(x, 4, 2.0, 0.5, 2.0))),
    ("deconv", "plain", "deconv: {filters: 3, kernel: 3}", "eval", [(2, 4, 5, 2)],
     {"weight": (3, 3, 2, 3), "bias": (3,)}, deconv()),
    ("deconv", "stride", "deconv: {filters: 3, kernel: [4, 3], stride: [2, 3], pad: 1, output_pad: [1, 2], bias: false}", "eval",
     [(2, 4, 5, 2)], {"weight": (4, 3, 2, 3)}, deconv(stride=(2, 3), padding=1, output_padding=(1, 2))),
    ("deconv", "groups", "deconv: {filters: 6, kernel: 3, stride: 2, dilation: 2, groups: 2}", "eval", [(2, 3, 4, 4)],
     {"weight": (3, 3, 4, 3), "bias": (6,)}, deconv(stride=2, dilation=2, groups=2)),
    ("gap", "plain", "gap: {}", "eval", [(2, 3, 5, 4)], {}, unary(lambda x: x.mean((2, 3), keepdim=True))),
    ("add", "plain", "add: {}", "eval", [(2, 3, 2, 4)] * 3, {}, lambda x, p: x[0] + x[1] + x[2]),
    ("concat", "plain", "concat: {}", "eval", [(2, 3, 2, 4), (2, 3, 2, 1), (2, 3, 2, 3)], {},
     lambda x, p: torch.cat(x, 1)),
    ("flatten", "plain", "flatten: {}", "eval", [(2, 3, 2, 4)], {},
     unary(lambda x: x.permute(0, 2, 3, 1).reshape(2, -1)[:, :, None, None])),
]


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1).contiguous().numpy()


def write(group, layer, mode, shapes, declared, run, seed):
    rng = np.random.default_rng(seed)
    p = {name: torch.tensor(rng.uniform(0.5, 1.5, shape) if "var" in name else rng.normal(0, 0.7, shape),
                            requires_grad="running" not in name) for name, shape in declared.items()}
    x = [torch.tensor(rng.normal(0, 1, s)).permute(0, 3, 1, 2).requires_grad_() for s in shapes]
    y = run(x, p)
    dy = torch.tensor(rng.normal(0, 1, tuple(y.shape)))
    (y * dy).sum().backward()
    group.attrs["layer"], group.attrs["mode"] = np.bytes_(layer), np.bytes_(mode)
    data = {"y": nhwc(y), "dy": nhwc(dy)}
    for i, t in enumerate(x):
        data[f"x{i}"], data[f"dx{i}"] = nhwc(t), nhwc(t.grad)
    for name, t in p.items():
        data[name] = t.detach().numpy()
        if t.grad is not None:
            data["d" + name] = t.grad.numpy()
    for name, t in getattr(run, "after", {}).items():
        data[name + "_after"] = t.numpy()
    for name in sorted(data):
        group.create_dataset(name, data=data[name], track_times=False)


def main(wanted):
    for layer in sorted({case[0] for case in CASES}):
        if wanted and layer not in wanted:
            continue
        with h5py.File(os.path.join(HERE, layer + ".h5"), "w", libver="latest") as f:
            rows = [case for case in CASES if case[0] == layer]
            for seed, (_, name, text, mode, shapes, declared, run) in enumerate(rows):
                write(f.create_group(name), text, mode, shapes, declared, run, seed)


if __name__ == "__main__":
    main(sys.argv[1:])
