"""The layers that oracle.py compares, with all their options, and what each is in PyTorch.

A kind draws (options as text, input shapes, function of (inputs NCHW, parameters)). Where one line of a model file is not
enough a dict stands for the options: `model`, the layers, of which `out` is compared and `owner` has the parameters (preset
for both: l); `n`, the samples; `eval` where train mode draws.
"""
import torch
import torch.nn.functional as F


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


def same_pad(kernel, stride, extent, dilation=(1, 1)):
    """TensorFlow's same, as [top, bottom, left, right]: the odd zero below and to the right."""
    pad = []
    for n, k, s, d in zip(extent, kernel, stride, dilation):
        whole = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pad += [whole // 2, whole - whole // 2]
    return pad


def conv_same(r):  # weights standardised or not
    groups = r.choice([1, 1, 2])
    kernel, stride, dilation = ([r.randint(1, most), r.randint(1, most)] for most in (5, 3, 2))
    h, w, cin, filters = r.randint(3, 14), r.randint(3, 14), groups * r.randint(1, 9), groups * r.randint(1, 9)
    standardise = kernel[0] * kernel[1] > 2 and r.random() < 0.5
    pad = same_pad(kernel, stride, (h, w), dilation)
    def run(x, p):
        weight = hwio(p["weight"])
        if standardise:
            var, mean = torch.var_mean(weight, (1, 2, 3), unbiased=False, keepdim=True)
            weight = (weight - mean) / torch.sqrt(var + 1e-5)
        return F.conv2d(sides(x[0], pad), weight, p["bias"], stride, 0, dilation, groups)
    return (text(filters=filters, kernel=kernel, stride=stride, dilation=dilation, groups=groups, pad="same",
                 standardise=standardise), [(h, w, cin)], run)


def conv_valid(r):  # by each algorithm that is asked for by name
    algorithm = r.choice(["im2col", "winograd_2x2", "winograd_4x4", "winograd_1d", "winograd_1d_5", "winograd_1d_7", "reference"])
    width = int(algorithm[-1]) if algorithm[-2:] in ("_5", "_7") else 3
    kernel = [3, 3] if "x" in algorithm else [r.choice([1, 2]), width]
    cin, filters, bias = r.randint(1, 20), r.randint(1, 20), r.random() < 0.5
    return (text(filters=filters, kernel=kernel, pad="valid", bias=bias, algorithm=algorithm),
            [(r.randint(6, 12), r.randint(width + 3, 14), cin)],
            lambda x, p: F.conv2d(x[0], hwio(p["weight"]), p.get("bias")))


def depthwise(r):
    cin, more, stride, kernel = r.randint(2, 40), r.choice([1, 1, 2]), r.randint(1, 2), r.choice([3, 5])
    return (text(filters=cin * more, kernel=kernel, stride=stride, pad=kernel // 2, groups=cin),
            [(r.randint(5, 14), r.randint(5, 14), cin)],
            lambda x, p: F.conv2d(x[0], hwio(p["weight"]), p["bias"], stride, kernel // 2, 1, cin))


def conv_dilated(r):  # taps that reach over the input into the padding
    groups = r.choice([1, 1, 2])
    cin, filters = groups * r.randint(1, 9), groups * r.randint(1, 9)
    if r.random() < 0.4:
        groups = filters = cin
    kernel, stride, dilation = ([r.randint(1, most), r.randint(1, most)] for most in (4, 3, 13))
    extent = [r.randint(1, 8), r.randint(1, 8)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    pad = [max(0, (n - e + 1) // 2) + r.randint(0, 6) for n, e in zip(reach, extent)]
    return (text(filters=filters, kernel=kernel, stride=stride, dilation=dilation, pad=pad, groups=groups),
            [(*extent, cin)], lambda x, p: F.conv2d(x[0], hwio(p["weight"]), p["bias"], stride, pad, dilation, groups))


def activated(r):  # `activation: relu` is a layer of its own, after it
    layer = r.choice(["conv", "deconv"])
    word, f = r.choice([("relu", F.relu), ("silu", F.silu), ("{leaky: {slope: 0.2}}", lambda y: F.leaky_relu(y, 0.2))])
    def run(x, p):
        if layer == "conv":
            return f(F.conv2d(x[0], hwio(p["weight"]), p["bias"]))
        return f(transposed(x[0], p, 1))
    model = f"- {{name: l, {layer}: {{filters: {r.randint(2, 9)}, kernel: 3, activation: {word}}}, from: x0}}\n"
    return {"model": model, "out": "l.activation"}, [(r.randint(3, 7), r.randint(3, 7), r.randint(1, 9))], run


def shared(r):  # b uses the parameters of a
    c = r.randint(1, 6)
    def run(x, p):
        a = F.conv2d(x[0], hwio(p["weight"]), p["bias"], padding=1)
        return F.conv2d(a, hwio(p["weight"]), p["bias"], padding=1) + a
    conv = f"conv: {{filters: {c}, kernel: 3, pad: same}}"
    model = (f"- {{name: a, {conv}, from: x0}}\n- {{name: b, {conv}, share: a}}\n"
             "- {name: l, add: {}, from: [a, b]}\n")
    return {"model": model, "owner": "a"}, [(r.randint(3, 7), r.randint(3, 7), c)], run


def transposed(x, p, stride, groups=1, dilation=1, pad=0, more=0):
    weight = p["weight"].permute(2, 3, 0, 1).contiguous()
    return F.conv_transpose2d(x, weight, p.get("bias"), stride, pad, more, groups, dilation)


def deconv(r):
    groups = r.choice([1, 1, 2])
    cin, filters = groups * r.randint(1, 8), groups * r.randint(1, 8)
    kernel, stride, dilation = ([r.randint(1, most), r.randint(1, most)] for most in (4, 3, 2))
    pad = [r.randint(0, (kernel[i // 2] - 1) * dilation[i // 2] // 2) for i in range(4)]
    more = [r.randint(0, max(stride[i], dilation[i]) - 1) for i in (0, 1)]
    def run(x, p):  # without padding, then cut and, with the bias alone, made larger
        y = transposed(x[0], {"weight": p["weight"]}, stride, groups, dilation)
        y = F.pad(y, (-pad[2], more[1] - pad[3], -pad[0], more[0] - pad[1]))
        return y + p["bias"][:, None, None] if "bias" in p else y
    return (text(filters=filters, kernel=kernel, stride=stride, dilation=dilation, pad=pad, groups=groups,
                 output_pad=more, bias=r.random() < 0.7), [(r.randint(2, 9), r.randint(2, 9), cin)], run)


def deconv_torch(r):  # PyTorch's own padding and output padding
    kernel, stride, dilation = r.randint(1, 4), r.randint(1, 3), r.randint(1, 2)
    pad, more = r.randint(0, (kernel - 1) * dilation // 2), r.randint(0, max(stride, dilation) - 1)
    return (text(filters=r.randint(1, 9), kernel=kernel, stride=stride, dilation=dilation, pad=pad, output_pad=more),
            [(r.randint(2, 9), r.randint(2, 9), r.randint(1, 9))],
            lambda x, p: transposed(x[0], p, stride, 1, dilation, pad, more))


def deconv_same(r):  # the output is the input times the stride
    stride = r.randint(1, 3)
    kernel, h, w = stride + r.randint(0, 2), r.randint(2, 8), r.randint(2, 8)
    def run(x, p):
        y, off = transposed(x[0], p, stride), kernel - stride
        return y[:, :, off // 2:off // 2 + h * stride, off // 2:off // 2 + w * stride]
    return text(filters=r.randint(1, 9), kernel=kernel, stride=stride, pad="same"), [(h, w, r.randint(1, 9))], run


def dense(r):
    h, w, c = r.randint(1, 4), r.randint(1, 4), r.randint(1, 40)
    def run(x, p):
        y = x[0].permute(0, 2, 3, 1).reshape(len(x[0]), -1) @ p["weight"]
        return (y + p["bias"] if "bias" in p else y)[:, :, None, None]
    return text(units=r.randint(1, 40), bias=r.random() < 0.7), [(h, w, c)], run


def pool(r, name, run):
    size, stride = [r.randint(1, 3), r.randint(1, 3)], [r.randint(1, 3), r.randint(1, 3)]
    pad = [r.randint(0, n // 2) for n in size]
    ceil, count = r.random() < 0.4, r.random() < 0.5
    options = dict(size=size, stride=stride, pad=pad, ceil=ceil)
    if name == "avgpool":
        options["count_pad"] = count
    return (text(**options), [(r.randint(3, 12), r.randint(3, 12), r.randint(1, 40))],
            lambda x, p: run(x[0], size, stride, pad, ceil, count))


def pool_ceil(r):  # windows larger than the map, of which ceil keeps one
    name, count = r.choice(["maxpool", "avgpool", "sumpool", "l2pool"]), r.random() < 0.5
    size, stride = [r.randint(2, 7), r.randint(2, 7)], [r.randint(1, 7), r.randint(1, 7)]
    pad = [r.randint(0, n // 2) for n in size]
    extent = [r.randint(max(1, n - 2 * p - s + 1), n) for n, p, s in zip(size, pad, stride)]
    options = dict(size=size, stride=stride, pad=pad, ceil=True)
    if name == "avgpool":
        options["count_pad"] = count
    def run(x, p):
        if name == "maxpool":
            return F.max_pool2d(x[0], size, stride, pad, 1, True)
        if name == "avgpool":
            return F.avg_pool2d(x[0], size, stride, pad, True, count)
        y = F.avg_pool2d(x[0] if name == "sumpool" else x[0] ** 2, size, stride, pad, True, divisor_override=1)
        return y if name == "sumpool" else y.sqrt()
    return {"model": f"- {{name: l, {name}: {text(**options)}, from: x0}}\n"}, [(*extent, r.randint(1, 20))], run


def l2pool(x, size, stride, pad, ceil, count):
    return F.avg_pool2d(x ** 2, size, stride, pad, ceil, divisor_override=1).sqrt()


def pool_sides(r):  # a padding for each side, or same
    name, count = r.choice(["maxpool", "avgpool", "sumpool", "l2pool"]), r.random() < 0.5
    size, stride = [r.randint(1, 4), r.randint(1, 4)], [r.randint(1, 3), r.randint(1, 3)]
    h, w, same = r.randint(4, 12), r.randint(4, 12), r.random() < 0.5
    pad = same_pad(size, stride, (h, w)) if same else [r.randint(0, size[i // 2] - 1) for i in range(4)]
    options = dict(size=size, stride=stride, pad="same" if same else pad)
    if name == "avgpool":
        options["count_pad"] = count
    def total(x):
        return F.avg_pool2d(sides(x, pad), size, stride, divisor_override=1)
    def run(x, p):
        if name == "maxpool":
            return F.max_pool2d(F.pad(x[0], (pad[2], pad[3], pad[0], pad[1]), value=-1e30), size, stride)
        if name == "avgpool":
            return total(x[0]) / (size[0] * size[1] if count else total(torch.ones_like(x[0])))
        return total(x[0]) if name == "sumpool" else total(x[0] ** 2).sqrt()
    return {"model": f"- {{name: l, {name}: {text(**options)}, from: x0}}\n"}, [(h, w, r.randint(1, 20))], run


def unpool(r):
    size, c = r.randint(1, 3), r.randint(1, 9)
    h, w = size * r.randint(1, 4), size * r.randint(1, 4)
    def run(x, p):
        places = F.max_pool2d(x[0], size, return_indices=True)[1]
        return F.max_unpool2d(x[1], places, size, output_size=(h, w))
    model = f"- {{name: p, maxpool: {{size: {size}}}, from: x0}}\n- {{name: l, unpool: {{pool: p}}, from: x1}}\n"
    return {"model": model}, [(h, w, c), (h // size, w // size, c)], run


def batchnorm(r):
    epsilon, rate, affine = r.choice([1e-5, 1e-3]), r.choice([0.1, 0.3]), r.random() < 0.7
    def run(x, p, train):
        mean, var = p["running_mean"].clone(), p["running_var"].clone()
        y = F.batch_norm(x[0], mean, var, p.get("scale"), p.get("shift"), train, rate, epsilon)
        return y, {"running_mean": mean, "running_var": var}
    return text(epsilon=epsilon, rate=rate, affine=affine), [(r.randint(1, 7), r.randint(2, 7), r.randint(1, 40))], run


def ghosts(r):  # each two samples with statistics of their own; the running ones move by their average
    rate, count = r.choice([0.1, 0.3]), r.randint(2, 3)
    def run(x, p, train):
        mean, var = p["running_mean"].clone(), p["running_var"].clone()
        if not train:
            return F.batch_norm(x[0], mean, var, p["scale"], p["shift"], False), {}
        parts = x[0].split([2] * (count - 1) + [2 + len(x[0]) - 2 * count])
        y = torch.cat([F.batch_norm(part, None, None, p["scale"], p["shift"], True) for part in parts])
        stats = [torch.var_mean(part, (0, 2, 3)) for part in parts]
        return y, {"running_mean": (1 - rate) * mean + rate * sum(m for _, m in stats) / count,
                   "running_var": (1 - rate) * var + rate * sum(v for v, _ in stats) / count}
    model = f"- {{name: l, batchnorm: {{ghost: 2, rate: {rate}}}, from: x0}}\n"
    return ({"model": model, "n": 2 * count + r.randint(0, 1)},
            [(r.randint(2, 6), r.randint(2, 6), r.randint(1, 20))], run)


def groupnorm(r):
    groups, affine, epsilon = r.randint(1, 4), r.random() < 0.7, r.choice([1e-5, 1e-2])
    return (text(groups=groups, affine=affine, epsilon=epsilon),
            [(r.randint(2, 7), r.randint(1, 7), groups * r.randint(1, 9))],
            lambda x, p: F.group_norm(x[0], groups, p.get("scale"), p.get("shift"), epsilon))


def layernorm(r):
    affine, epsilon = r.random() < 0.7, r.choice([1e-5, 1e-2])
    def run(x, p):
        scale, shift = (p[n].permute(2, 0, 1) if affine else None for n in ("scale", "shift"))
        return F.layer_norm(x[0], x[0].shape[1:], scale, shift, epsilon)
    return text(affine=affine, epsilon=epsilon), [(r.randint(1, 5), r.randint(2, 5), r.randint(2, 9))], run


def instancenorm(r):
    affine, epsilon = r.random() < 0.7, r.choice([1e-5, 1e-2])
    return (text(affine=affine, epsilon=epsilon), [(r.randint(2, 7), r.randint(2, 7), r.randint(1, 12))],
            lambda x, p: F.instance_norm(x[0], weight=p.get("scale"), bias=p.get("shift"), eps=epsilon))


def lrn(r):
    size, alpha, beta, k = r.randint(1, 7), r.choice([1e-4, 0.5, 2.0]), r.choice([0.75, 0.5, 1.2]), r.choice([1.0, 2.0])
    return (text(size=size, alpha=alpha, beta=beta, k=k), [(r.randint(1, 5), r.randint(1, 5), r.randint(1, 20))],
            lambda x, p: F.local_response_norm(x[0], size, alpha, beta, k))


def unary(f, options=""):
    return lambda r: (options or "{}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 40))], lambda x, p: f(x[0]))


def upsample(r):
    mode = r.choice(["nearest", "bilinear"])
    corners = mode == "bilinear" and r.random() < 0.5
    h, w, scale = r.randint(1, 7), r.randint(1, 7), [r.randint(1, 3), r.randint(1, 3)]
    by_scale = r.random() < 0.4
    size = [h * scale[0], w * scale[1]] if by_scale else [r.randint(1, 12), r.randint(1, 12)]
    return (text(**({"scale": scale} if by_scale else {"size": size}), mode=mode, align_corners=corners),
            [(h, w, r.randint(1, 9))],
            lambda x, p: F.interpolate(x[0], size, mode=mode, align_corners=corners if mode == "bilinear" else None))


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
    return (text(first=first, count=count), [(r.randint(1, 5), r.randint(1, 5), c)],
            lambda x, p: x[0][:, first:first + count])


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


def joined(r, f, most=2):
    s, count = (r.randint(1, 7), r.randint(1, 7), r.randint(1, 20)), r.randint(2, most)
    return "{}", [s] * count, lambda x, p: f(x)


def concat(r):
    h, w = r.randint(1, 7), r.randint(1, 7)
    return "{}", [(h, w, r.randint(1, 12)) for _ in range(r.randint(2, 4))], lambda x, p: torch.cat(x, 1)


def multiply(r):  # attention: the second is as large, a number for each channel, for each pixel, or one
    h, w, c = r.randint(1, 7), r.randint(1, 7), r.randint(1, 20)
    return "{}", [(h, w, c), r.choice([(h, w, c), (1, 1, c), (h, w, 1), (1, 1, 1)])], lambda x, p: x[0] * x[1]


def drop(layer):  # in evaluation nothing
    return lambda r: ({"model": f"- {{name: l, {layer}: {{rate: 0.4}}, from: x0}}\n", "eval": True},
                      [(r.randint(1, 5), r.randint(1, 5), r.randint(1, 9))], lambda x, p: x[0] * 1)


KINDS = {
    "conv": conv, "conv.winograd": winograd, "conv.same": conv_same, "conv.valid": conv_valid,
    "conv.depthwise": depthwise, "conv.dilated": conv_dilated, "conv.activation": activated,
    "conv.shared": shared, "deconv": deconv, "deconv.torch": deconv_torch, "deconv.same": deconv_same, "dense": dense,
    "batchnorm": batchnorm, "batchnorm.ghost": ghosts,
    "groupnorm": groupnorm, "layernorm": layernorm, "instancenorm": instancenorm, "lrn": lrn,
    "maxpool": lambda r: pool(r, "maxpool", lambda x, k, s, p, c, _: F.max_pool2d(x, k, s, p, 1, c)),
    "avgpool": lambda r: pool(r, "avgpool", lambda x, k, s, p, c, n: F.avg_pool2d(x, k, s, p, c, n)),
    "sumpool": lambda r: pool(r, "sumpool", lambda x, k, s, p, c, _: F.avg_pool2d(x, k, s, p, c, divisor_override=1)),
    "l2pool": lambda r: pool(r, "l2pool", l2pool), "pool.sides": pool_sides, "pool.ceil": pool_ceil, "unpool": unpool,
    "gap": unary(lambda x: x.mean((2, 3), keepdim=True)), "gmp": unary(lambda x: F.adaptive_max_pool2d(x, 1)),
    "adaptive_avgpool": adaptive, "upsample": upsample,
    "relu": unary(F.relu), "relu6": unary(F.relu6), "leaky": unary(F.leaky_relu),
    "elu": unary(F.elu), "selu": unary(F.selu), "gelu": unary(F.gelu), "silu": unary(F.silu), "mish": unary(F.mish),
    "gelu.tanh": unary(lambda x: F.gelu(x, approximate="tanh"), "{approximate: tanh}"),
    "sigmoid": unary(torch.sigmoid), "tanh": unary(torch.tanh), "softplus": unary(F.softplus),
    "hardsigmoid": unary(lambda x: F.relu6(x + 3) / 6), "softmax": unary(lambda x: F.softmax(x, 1)),
    "prelu": lambda r: ("{}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 20))],
                        lambda x, p: F.prelu(x[0], p["slope"])),
    "elu.alpha": number("alpha", 0.1, 3, F.elu), "leaky.slope": number("slope", 0, 0.9, F.leaky_relu),
    "softplus.beta": number("beta", 0.3, 4, F.softplus), "slice": cut, "reshape": shape_of,
    "prelu.shared": lambda r: ("{shared: true}", [(r.randint(1, 9), r.randint(1, 9), r.randint(1, 20))],
                               lambda x, p: torch.where(x[0] > 0, x[0], p["slope"] * x[0])),
    "pad": lambda r: border(r, False), "crop": lambda r: border(r, True),
    "flatten": unary(lambda x: x.permute(0, 2, 3, 1).reshape(len(x), -1)[:, :, None, None]),
    "add": lambda r: joined(r, sum, 4), "multiply": multiply, "concat": concat,
    "dropout": drop("dropout"), "spatial_dropout": drop("spatial_dropout"), "drop_path": drop("drop_path"),
}
