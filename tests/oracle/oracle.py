#!/usr/bin/env python3
"""Compares norma with PyTorch on random layers: forward, gradients, running statistics.

    python3 tests/oracle/oracle.py [--norma PROGRAM] [--cases N] [--seed N] [TYPE...]

Each case is a network of one layer with the loss mse; `norma trace` runs it in float32, PyTorch in float64 from the same
numbers. The largest error, relative to the largest value, must be at most 1e-5. Exit 77 where PyTorch is not installed.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    print(f"skipped: {missing}; the oracle needs torch, numpy and h5py")
    sys.exit(77)

torch.set_default_dtype(torch.float64)
TOLERANCE = 1e-5


def hwio(w):
    return w.permute(3, 2, 0, 1).contiguous()


def sides(x, pad):  # top, bottom, left, right
    return F.pad(x, (pad[2], pad[3], pad[0], pad[1]))


def text(**options):
    def value(v):
        if isinstance(v, bool):
            return "true" if v else "false"
        return "[" + ", ".join(map(str, v)) + "]" if isinstance(v, (list, tuple)) else str(v)
    return "{" + ", ".join(f"{k}: {value(v)}" for k, v in options.items()) + "}"


# A kind of layer draws (options as text, input shapes, function of (inputs NCHW, parameters)).
def conv(r):
    groups = r.choice([1, 1, 2, 3])
    cin, filters = groups * r.randint(1, 12), groups * r.randint(1, 12)
    kernel, stride = [r.randint(1, 5), r.randint(1, 5)], [r.randint(1, 3), r.randint(1, 3)]
    dilation = [r.randint(1, 2), r.randint(1, 2)]
    pad, bias = [r.randint(0, 2) for _ in range(4)], r.random() < 0.7
    h, w = ((kernel[i] - 1) * dilation[i] + 1 + r.randint(0, 12) for i in (0, 1))
    return (text(filters=filters, kernel=kernel, stride=stride, dilation=dilation, pad=pad, groups=groups, bias=bias),
            [(h, w, cin)],
            lambda x, p: F.conv2d(sides(x[0], pad), hwio(p["weight"]), p.get("bias"), stride, 0, dilation, groups))


def winograd(r):  # large enough for the fast algorithms
    cin, filters = r.randint(16, 48), r.randint(16, 48)
    return (text(filters=filters, kernel=3, pad="same"), [(r.randint(6, 17), r.randint(6, 17), cin)],
            lambda x, p: F.conv2d(x[0], hwio(p["weight"]), p["bias"], 1, 1))


def conv_same(r):  # TensorFlow's same: the odd zero below and to the right; weights standardised or not
    kernel, stride, cin, filters = r.randint(1, 5), r.randint(1, 3), r.randint(1, 9), r.randint(1, 9)
    h, w, standardise = r.randint(3, 14), r.randint(3, 14), kernel > 1 and r.random() < 0.5
    whole = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in (h, w)]
    pad = [whole[0] // 2, whole[0] - whole[0] // 2, whole[1] // 2, whole[1] - whole[1] // 2]
    def run(x, p):
        weight = hwio(p["weight"])
        if standardise:
            var, mean = torch.var_mean(weight, (1, 2, 3), unbiased=False, keepdim=True)
            weight = (weight - mean) / torch.sqrt(var + 1e-5)
        return F.conv2d(sides(x[0], pad), weight, p["bias"], stride)
    return text(filters=filters, kernel=kernel, stride=stride, pad="same", standardise=standardise), [(h, w, cin)], run


def deconv(r):
    groups = r.choice([1, 1, 2])
    cin, filters = groups * r.randint(1, 8), groups * r.randint(1, 8)
    kernel, stride, dilation = r.randint(1, 4), r.randint(1, 3), r.randint(1, 2)
    pad, more = r.randint(0, (kernel - 1) * dilation // 2), r.randint(0, max(stride, dilation) - 1)
    return (text(filters=filters, kernel=kernel, stride=stride, dilation=dilation, pad=pad, groups=groups, output_pad=more),
            [(r.randint(2, 9), r.randint(2, 9), cin)],
            lambda x, p: F.conv_transpose2d(x[0], p["weight"].permute(2, 3, 0, 1).contiguous(), p["bias"], stride, pad, more, groups,
                                            dilation))


def dense(r):
    h, w, c = r.randint(1, 4), r.randint(1, 4), r.randint(1, 40)
    return (text(units=r.randint(1, 40)), [(h, w, c)],
            lambda x, p: (x[0].permute(0, 2, 3, 1).reshape(len(x[0]), -1) @ p["weight"] + p["bias"])[:, :, None, None])


def pool(r, name, run):
    size, stride = r.randint(1, 3), r.randint(1, 3)
    pad = r.randint(0, size // 2) if name != "l2pool" else 0
    ceil = r.random() < 0.4
    options = dict(size=size, stride=stride, pad=pad, ceil=ceil)
    count = r.random() < 0.5
    if name == "avgpool":
        options["count_pad"] = count
    return (text(**options), [(r.randint(3, 12), r.randint(3, 12), r.randint(1, 40))],
            lambda x, p: run(x[0], size, stride, pad, ceil, count))


def batchnorm(r):
    epsilon, rate, affine = r.choice([1e-5, 1e-3]), r.choice([0.1, 0.3]), r.random() < 0.7
    def run(x, p, train):
        mean, var = p["running_mean"].clone(), p["running_var"].clone()
        y = F.batch_norm(x[0], mean, var, p.get("scale"), p.get("shift"), train, rate, epsilon)
        return y, {"running_mean": mean, "running_var": var}
    return text(epsilon=epsilon, rate=rate, affine=affine), [(r.randint(1, 7), r.randint(2, 7), r.randint(1, 40))], run


def groupnorm(r):
    groups, affine, epsilon = r.randint(1, 4), r.random() < 0.7, r.choice([1e-5, 1e-2])
    return (text(groups=groups, affine=affine, epsilon=epsilon), [(r.randint(2, 7), r.randint(1, 7), groups * r.randint(1, 9))],
            lambda x, p: F.group_norm(x[0], groups, p.get("scale"), p.get("shift"), epsilon))


def layernorm(r):
    return ("{}", [(r.randint(1, 5), r.randint(2, 5), r.randint(2, 9))],
            lambda x, p: F.layer_norm(x[0], x[0].shape[1:], p["scale"].permute(2, 0, 1), p["shift"].permute(2, 0, 1)))


def instancenorm(r):
    return "{}", [(r.randint(2, 7), r.randint(2, 7), r.randint(1, 12))], lambda x, p: F.instance_norm(x[0])


def lrn(r):
    size, alpha, beta, k = r.randint(1, 7), r.choice([1e-4, 0.5, 2.0]), r.choice([0.75, 0.5, 1.2]), r.choice([1.0, 2.0])
    return (text(size=size, alpha=alpha, beta=beta, k=k), [(r.randint(1, 5), r.randint(1, 5), r.randint(1, 20))],
            lambda x, p: F.local_response_norm(x[0], size, alpha, beta, k))


def unary(f, options=""):
    return lambda r: (options or "{}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 40))], lambda x, p: f(x[0]))


def upsample(r):
    mode = r.choice(["nearest", "bilinear"])
    corners = mode == "bilinear" and r.random() < 0.5
    size = [r.randint(1, 12), r.randint(1, 12)]
    return (text(size=size, mode=mode, align_corners=corners), [(r.randint(1, 7), r.randint(1, 7), r.randint(1, 9))],
            lambda x, p: F.interpolate(x[0], size, mode=mode, **({"align_corners": corners} if mode == "bilinear" else {})))


def adaptive(r):
    size = [r.randint(1, 8), r.randint(1, 8)]
    return (text(size=size), [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 9))],
            lambda x, p: F.adaptive_avg_pool2d(x[0], size))


def number(name, low, high, f):  # an activation with an option
    def draw(r):
        v = round(r.uniform(low, high), 3)
        return text(**{name: v}), [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 40))], lambda x, p: f(x[0], v)
    return draw


def cut(r):  # channels first to first + count - 1
    c = r.randint(2, 20)
    first = r.randint(0, c - 1)
    count = r.randint(1, c - first)
    return text(first=first, count=count), [(r.randint(1, 5), r.randint(1, 5), c)], lambda x, p: x[0][:, first:first + count]


def border(r, crop):
    a = [r.randint(0, 2) for _ in range(4)]
    h, w, c = r.randint(5, 8), r.randint(5, 8), r.randint(1, 9)
    if crop:
        return text(crop=a), [(h, w, c)], lambda x, p: x[0][:, :, a[0]:h - a[1], a[2]:w - a[3]]
    return text(pad=a), [(h, w, c)], lambda x, p: sides(x[0], a)


def shape_of(r):
    h, w, c = r.randint(1, 6), r.randint(1, 6), r.randint(1, 6)
    return (text(height=w, width=c, channels=h), [(h, w, c)],
            lambda x, p: x[0].permute(0, 2, 3, 1).reshape(len(x[0]), w, c, h).permute(0, 3, 1, 2))


def joined(r, f, small):
    s = (r.randint(1, 7), r.randint(1, 7), r.randint(1, 20))
    return "{}", [s, (1, 1, s[2]) if small else s], lambda x, p: f(*x)


KINDS = {
    "conv": conv, "conv.winograd": winograd, "conv.same": conv_same, "deconv": deconv, "dense": dense, "batchnorm": batchnorm,
    "groupnorm": groupnorm, "layernorm": layernorm, "instancenorm": instancenorm, "lrn": lrn,
    "maxpool": lambda r: pool(r, "maxpool", lambda x, k, s, p, c, _: F.max_pool2d(x, k, s, p, 1, c)),
    "avgpool": lambda r: pool(r, "avgpool", lambda x, k, s, p, c, n: F.avg_pool2d(x, k, s, p, c, n)),
    "sumpool": lambda r: pool(r, "sumpool", lambda x, k, s, p, c, _: F.avg_pool2d(x, k, s, p, c, divisor_override=1)),
    "l2pool": lambda r: pool(r, "l2pool", lambda x, k, s, p, c, _: F.avg_pool2d(x ** 2, k, s, 0, c, divisor_override=1).sqrt()),
    "gap": unary(lambda x: x.mean((2, 3), keepdim=True)), "gmp": unary(lambda x: F.adaptive_max_pool2d(x, 1)),
    "adaptive_avgpool": adaptive, "upsample": upsample,
    "relu": unary(F.relu), "relu6": unary(F.relu6), "leaky": unary(F.leaky_relu),
    "elu": unary(F.elu), "selu": unary(F.selu), "gelu": unary(F.gelu), "silu": unary(F.silu),
    "gelu.tanh": unary(lambda x: F.gelu(x, approximate="tanh"), "{approximate: tanh}"),
    "sigmoid": unary(torch.sigmoid), "tanh": unary(torch.tanh), "softplus": unary(F.softplus),
    "hardsigmoid": unary(lambda x: F.relu6(x + 3) / 6), "softmax": unary(lambda x: F.softmax(x, 1)),
    "prelu": lambda r: ("{}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 20))], lambda x, p: F.prelu(x[0], p["slope"])),
    "elu.alpha": number("alpha", 0.1, 3, F.elu), "leaky.slope": number("slope", 0, 0.9, F.leaky_relu),
    "softplus.beta": number("beta", 0.3, 4, F.softplus), "slice": cut, "reshape": shape_of,
    "prelu.shared": lambda r: ("{shared: true}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 20))],
                               lambda x, p: torch.where(x[0] > 0, x[0], p["slope"] * x[0])),
    "pad": lambda r: border(r, False), "crop": lambda r: border(r, True),
    "flatten": unary(lambda x: x.permute(0, 2, 3, 1).reshape(len(x), -1)[:, :, None, None]),
    "add": lambda r: joined(r, torch.add, False), "multiply": lambda r: joined(r, torch.mul, r.random() < 0.5),
    "concat": lambda r: joined(r, lambda a, b: torch.cat([a, b], 1), False),
}


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
    n, train = r.randint(1, 5), r.random() < 0.5
    if kind == "batchnorm":
        n += 1
    x = [rng.normal(size=(n, *s)).astype(np.float32) for s in shapes]
    names = [f"x{i}" for i in range(len(shapes))]
    inputs = ", ".join(f"{a}: {{height: {s[0]}, width: {s[1]}, channels: {s[2]}}}" for a, s in zip(names, shapes))
    model = (f"inputs: {{{inputs}}}\nlayers:\n- {{name: l, {kind.split('.')[0]}: {options}, from: [{', '.join(names)}]}}\n"
             "loss: mse\n")
    paths = [os.path.join(folder, f) for f in ("model.yaml", "in.h5", "out.h5")]
    with open(paths[0], "w") as f:
        f.write(model)
    leaves = [nchw(a).requires_grad_() for a in x]
    summary = subprocess.run([norma, "summary", "--json", paths[0]], capture_output=True, text=True)
    if summary.returncode:
        return model, [summary.stderr]
    shape = json.loads(summary.stdout)["layers"][-1]["output"]
    targets = rng.normal(size=(n, *shape)).astype(np.float32)
    with h5py.File(paths[1], "w") as f:
        for a, v in zip(names, x):
            f[f"inputs/{a}"] = v
        f["targets"] = targets
    command = [norma, "trace", paths[0], "--input", paths[1], "--output", paths[2], "--mode", "train" if train else "eval"]
    for declared in (True, False):  # once to see which parameters there are, then with random ones
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return model, [done.stderr]
        if declared:
            with h5py.File(paths[2]) as f, h5py.File(paths[1], "a") as given:
                for k, v in (f["model/l"].items() if "model/l" in f else ()):
                    values = rng.uniform(0.5, 1.5, v.shape) if "var" in k else rng.normal(0, 0.5, v.shape)
                    given["model/l/" + k] = values.astype(np.float32)
    errors = []
    with h5py.File(paths[2]) as f:
        params = {k: torch.tensor(np.asarray(v, dtype=np.float64)) for k, v in f["model/l"].items()} if "model/l" in f else {}
        for k, v in params.items():
            v.requires_grad_("running" not in k)
        after = {}
        if kind == "batchnorm":
            y, after = function(leaves, params, train)
        else:
            y = function(leaves, params)
        F.mse_loss(y, nchw(targets)).backward()
        worst("output", f["activations/l"], nhwc(y), errors)
        for a, t in zip(names, leaves):
            worst(f"gradient by {a}", f[f"gradients/activations/{a}"], nhwc(t.grad), errors)
        for k, v in params.items():
            if v.requires_grad:
                worst(f"gradient by {k}", f[f"gradients/parameters/l/{k}"], v.grad, errors)
        for k, v in after.items():
            if train:
                worst(f"{k} after", f[f"model_after/l/{k}"], v, errors)
    return model, errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default=os.environ.get("NORMA_PROGRAM", "build/apps/norma"))
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("types", nargs="*")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 20)
    kinds = [k for k in KINDS if not args.types or k.split(".")[0] in args.types]
    failed = 0
    print(f"{args.cases} cases against PyTorch {torch.__version__}, --seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.cases):
            kind = kinds[i % len(kinds)]
            model, errors = run_case(args.norma, folder, kind, seed + i)
            if errors:
                failed += 1
                print(f"{kind} (--seed {seed + i} --cases 1 {kind.split('.')[0]}):\n  " + "\n  ".join(errors) + f"\n{model}")
    print(f"{args.cases - failed} of {args.cases} agree")
    sys.exit(1 if failed else 0)


main()
