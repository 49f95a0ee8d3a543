#!/usr/bin/env python3
"""Compares norma with the operator vectors of the ONNX standard (Debian's libonnx-testdata).

    python3 tests/oracle/onnx_vectors.py [--norma PROGRAM] [--data FOLDER]

Each row of CASES names a vector, the layer that stands for the operator, and the parameters that its further inputs
are; JOINED has layers of several inputs, LOSSES losses. Exit 77 where the vectors, numpy or h5py are not installed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from needs import need

need("numpy", "h5py")
import h5py
import numpy as np

FOLDER = "/usr/share/libonnx-testdata/data/node"
TOLERANCE = 1e-5


def hwio(w):  # OIHW
    return w.transpose(2, 3, 1, 0)


def iohw(w):  # transposed convolutions: I, O of a group, H, W
    return w.transpose(2, 3, 0, 1)


def same(w):
    return w


CONV, DECONV = [("weight", hwio)], [("weight", iohw)]
BN = [(n, same) for n in ("scale", "shift", "running_mean", "running_var")]
AFFINE = [("scale", same), ("shift", same)]
CHW = [("scale", lambda w: w.transpose(1, 2, 0)), ("shift", lambda w: w.transpose(1, 2, 0))]
AFFINE_C = [(n, lambda w: w.reshape(1, 1, -1)) for n in ("scale", "shift")]
AFFINE_CL = [(n, lambda w: w.T[:, None, :]) for n in ("scale", "shift")]
# vector, layer, options, parameters; filters and units follow from the weights
CASES = [
    ("basic_conv_with_padding", "conv", "kernel: 3, pad: 1, bias: false", CONV),
    ("basic_conv_without_padding", "conv", "kernel: 3, bias: false", CONV),
    ("conv_with_strides_padding", "conv", "kernel: 3, stride: 2, pad: 1, bias: false", CONV),
    ("conv_with_strides_no_padding", "conv", "kernel: 3, stride: 2, bias: false", CONV),
    ("conv_with_strides_and_asymmetric_padding", "conv", "kernel: 3, stride: 2, pad: [1, 1, 0, 0], bias: false", CONV),
    ("conv_with_autopad_same", "conv", "kernel: 3, stride: 2, pad: same, bias: false", CONV),
    ("convtranspose", "deconv", "kernel: 3, bias: false", DECONV),
    ("convtranspose_pad", "deconv", "kernel: 3, stride: [3, 2], output_pad: 1, bias: false", DECONV),
    ("convtranspose_pads", "deconv", "kernel: 3, stride: [3, 2], pad: [1, 2], bias: false", DECONV),
    ("convtranspose_dilations", "deconv", "kernel: 2, dilation: 2, bias: false", DECONV),
    ("convtranspose_kernel_shape", "deconv", "kernel: 3, stride: [3, 2], output_pad: 1, bias: false", DECONV),
    ("convtranspose_output_shape", "deconv", "kernel: 3, stride: [3, 2], output_pad: 1, bias: false", DECONV),
    ("convtranspose_with_kernel", "deconv", "kernel: 3, stride: [3, 2], output_pad: 1, bias: false", DECONV),
    ("convtranspose_autopad_same", "deconv", "kernel: 3, stride: 2, pad: same, bias: false", DECONV),
    ("maxpool_2d_default", "maxpool", "size: 2, stride: 1", []),
    ("maxpool_2d_ceil", "maxpool", "size: 3, stride: 2, ceil: true", []),
    ("maxpool_2d_pads", "maxpool", "size: 3, stride: 1, pad: 2", []),
    ("maxpool_2d_precomputed_pads", "maxpool", "size: 5, stride: 1, pad: 2", []),
    ("maxpool_2d_precomputed_strides", "maxpool", "size: 2", []),
    ("maxpool_2d_precomputed_same_upper", "maxpool", "size: 3, stride: 2, pad: same", []),
    ("maxpool_2d_same_upper", "maxpool", "size: 2, stride: 1, pad: same", []),
    ("maxpool_2d_strides", "maxpool", "size: 5, stride: 3", []),
    ("averagepool_2d_default", "avgpool", "size: 2, stride: 1", []),
    ("averagepool_2d_ceil", "avgpool", "size: 3, stride: 2, ceil: true", []),
    ("averagepool_2d_pads", "avgpool", "size: 3, stride: 1, pad: 2, count_pad: false", []),
    ("averagepool_2d_pads_count_include_pad", "avgpool", "size: 3, stride: 1, pad: 2", []),
    ("averagepool_2d_precomputed_pads", "avgpool", "size: 5, stride: 1, pad: 2, count_pad: false", []),
    ("averagepool_2d_precomputed_pads_count_include_pad", "avgpool", "size: 5, stride: 1, pad: 2", []),
    ("averagepool_2d_precomputed_strides", "avgpool", "size: 2", []),
    ("averagepool_2d_precomputed_same_upper", "avgpool", "size: 3, stride: 2, pad: same, count_pad: false", []),
    ("averagepool_2d_same_upper", "avgpool", "size: 2, stride: 1, pad: same, count_pad: false", []),
    ("averagepool_2d_strides", "avgpool", "size: 5, stride: 3", []),
    ("globalaveragepool", "gap", "", []),
    ("globalaveragepool_precomputed", "gap", "", []),
    ("globalmaxpool", "gmp", "", []),
    ("globalmaxpool_precomputed", "gmp", "", []),
    ("batchnorm_example", "batchnorm", "", BN),
    ("batchnorm_epsilon", "batchnorm", "epsilon: 0.01", BN),
    ("instancenorm_example", "instancenorm", "affine: true", AFFINE),
    ("instancenorm_epsilon", "instancenorm", "affine: true, epsilon: 0.01", AFFINE),
    ("layer_normalization_4d_axis1", "layernorm", "", CHW), ("layer_normalization_2d_axis1", "layernorm", "", AFFINE_C),
    ("layer_normalization_3d_axis1_epsilon", "layernorm", "epsilon: 0.1", AFFINE_CL),
    ("upsample_nearest", "upsample", "scale: [2, 3]", []),
    ("resize_upsample_scales_nearest", "upsample", "scale: [2, 3]", []),
    ("resize_upsample_scales_linear", "upsample", "scale: 2, mode: bilinear", []),
    ("resize_upsample_scales_linear_align_corners", "upsample", "scale: 2, mode: bilinear, align_corners: true", []),
    ("dropout_default", "dropout", "", []), ("dropout_default_ratio", "dropout", "rate: 0.1", []),
    ("lrn", "lrn", "size: 3, alpha: 0.0002, beta: 0.5, k: 2", []),
    ("lrn_default", "lrn", "size: 3", []),
    ("relu", "relu", "", []), ("elu", "elu", "alpha: 2", []), ("elu_default", "elu", "", []),
    ("selu_default", "selu", "", []), ("leakyrelu", "leaky", "slope: 0.1", []), ("leakyrelu_default", "leaky", "", []),
    ("sigmoid", "sigmoid", "", []), ("tanh", "tanh", "", []), ("softplus", "softplus", "", []),
    ("softmax_axis_1", "softmax", "", []), ("softmax_large_number", "softmax", "", []),
    ("gemm_default_no_bias", "dense", "bias: false", [("weight", same)]),
    ("matmul_2d", "dense", "bias: false", [("weight", same)]),
    ("gemm_default_vector_bias", "dense", "", [("weight", same), ("bias", lambda b: b.reshape(-1))]),
]
# vector, layer, inputs
JOINED = [("add", "add", 2), ("mul", "multiply", 2), ("mul_example", "multiply", 2), ("sum_example", "add", 3),
          ("sum_two_inputs", "add", 2), ("concat_2d_axis_1", "concat", 2), ("concat_3d_axis_1", "concat", 2)]
# vector, options of softmax_ce: the mean of the losses of the samples and pixels
LOSSES = [("sce_mean", ""), ("sce_mean_3d", ""), ("sce_none", ""),
          ("sce_none_weights", "class_weights: [0.9, 0.7, 0.8, 0.9, 0.9]")]
UNPOOL = "maxunpool_export_without_output_shape"


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def tensor(path):
    """A TensorProto (onnx.proto): dims are field 1, data_type 2, float_data 4, raw_data 9."""
    with open(path, "rb") as f:
        data = f.read()
    at, dims, kind, raw, floats = 0, [], 1, b"", []
    while at < len(data):
        tag, at = varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        elif wire == 5:
            value, at = data[at:at + 4], at + 4
        else:
            value, at = data[at:at + 8], at + 8
        if field == 1 and wire == 0:
            dims.append(value)
        elif field == 1:
            inner = 0
            while inner < len(value):
                dim, inner = varint(value, inner)
                dims.append(dim)
        elif field == 2:
            kind = value
        elif field == 4:
            floats += list(np.frombuffer(value, "<f4"))
        elif field == 9:
            raw = value
    values = np.frombuffer(raw, {1: "<f4", 6: "<i4", 7: "<i8", 11: "<f8"}[kind]) if raw else np.array(floats)
    return values.astype(np.float32).reshape(dims)


def nhwc(a):
    if a.ndim == 4:
        return a.transpose(0, 2, 3, 1)
    if a.ndim == 3:  # pixel by pixel operators; over axis 1 it is the channels
        return a.transpose(0, 2, 1)[:, :, None, :]
    return a.reshape(a.shape[0] if a.ndim > 1 else 1, 1, 1, -1)


def folder_of(data, name):
    return os.path.join(data, "test_" + name, "test_data_set_0")


def trace(norma, folder, model, arrays, read):
    """`norma trace` of a model on arrays {path: values}; (what `read` names in its output, or a message)."""
    paths = [os.path.join(folder, f) for f in ("model.yaml", "in.h5", "out.h5")]
    with open(paths[0], "w") as f:
        f.write(model)
    with h5py.File(paths[1], "w") as f:
        for key, v in arrays.items():
            f[key] = np.ascontiguousarray(v)
    command = [norma, "trace", paths[0], "--input", paths[1], "--output", paths[2]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip()
    with h5py.File(paths[2]) as f:
        return np.asarray(f[read]), None


def inputs_text(xs):
    each = (f"x{i}: {{height: {x.shape[1]}, width: {x.shape[2]}, channels: {x.shape[3]}}}" for i, x in enumerate(xs))
    return f"inputs: {{{', '.join(each)}}}\nlayers:\n"


def compare(found, y):
    if found.shape != y.shape:
        return f"output {found.shape}, the vector has {y.shape}"
    error = np.abs(found - y).max() / max(np.abs(y).max(), 1e-30)
    return None if error <= TOLERANCE else f"relative error {error:.2e}"


def run_case(norma, data, folder, case):
    name, layer, options, declared = case
    at = folder_of(data, name)
    inputs = [tensor(os.path.join(at, f"input_{i}.pb")) for i in range(1 + len(declared))]
    x, y = nhwc(inputs[0]), nhwc(tensor(os.path.join(at, "output_0.pb")))
    params = {key: turn(v) for (key, turn), v in zip(declared, inputs[1:])}
    if "weight" in params:
        options = f"{'units' if layer == 'dense' else 'filters'}: {params['weight'].shape[-1]}, {options}"
    arrays = {"inputs/x0": x, **{"model/l/" + key: v for key, v in params.items()}}
    model = inputs_text([x]) + f"- {{name: l, {layer}: {{{options}}}, from: x0}}\n"
    found, wrong = trace(norma, folder, model, arrays, "activations/l")
    return wrong or compare(found, y)


def run_joined(norma, data, folder, case):
    name, layer, count = case
    at = folder_of(data, name)
    xs = [nhwc(tensor(os.path.join(at, f"input_{i}.pb"))) for i in range(count)]
    model = inputs_text(xs) + f"- {{name: l, {layer}: {{}}, from: [{', '.join(f'x{i}' for i in range(count))}]}}\n"
    found, wrong = trace(norma, folder, model, {f"inputs/x{i}": x for i, x in enumerate(xs)}, "activations/l")
    return wrong or compare(found, nhwc(tensor(os.path.join(at, "output_0.pb"))))


def run_unpool(norma, data, folder, name):
    """The vector has values and the numbers of their places; x0 is an image whose largest values stand there."""
    at = folder_of(data, name)
    values, places, y = (tensor(os.path.join(at, f)) for f in ("input_0.pb", "input_1.pb", "output_0.pb"))
    image = np.zeros(y.size, np.float32)
    image[places.astype(int).reshape(-1)] = 1
    xs = [nhwc(image.reshape(y.shape)), nhwc(values)]
    model = inputs_text(xs) + "- {name: p, maxpool: {size: 2}, from: x0}\n- {name: l, unpool: {pool: p}, from: x1}\n"
    found, wrong = trace(norma, folder, model, {"inputs/x0": xs[0], "inputs/x1": xs[1]}, "activations/l")
    return wrong or compare(found, nhwc(y))


def run_loss(norma, data, folder, case):
    name, options = case
    at = folder_of(data, name)
    x, labels, y = (tensor(os.path.join(at, f)) for f in ("input_0.pb", "input_1.pb", "output_0.pb"))
    labels = labels.astype(np.int64)
    model = inputs_text([nhwc(x)]) + f"- {{name: l, crop: {{}}, from: x0}}\nloss: {{softmax_ce: {{{options}}}}}\n"
    labels = labels if labels.ndim == 1 else labels[:, :, None]
    found, wrong = trace(norma, folder, model, {"inputs/x0": nhwc(x), "labels": labels}, "loss")
    return wrong or compare(found.reshape(()), np.asarray(y.mean()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default=os.environ.get("NORMA_PROGRAM", "build/apps/norma"))
    parser.add_argument("--data", default=FOLDER)
    args = parser.parse_args()
    if not os.path.isdir(args.data):
        print(f"skipped: {args.data} is not there (apt-get install libonnx-testdata)")
        sys.exit(77)
    cases = ([(c[0], run_case, c) for c in CASES] + [(c[0], run_joined, c) for c in JOINED]
             + [(c[0], run_loss, c) for c in LOSSES] + [(UNPOOL, run_unpool, UNPOOL)])
    failed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, run, case in cases:
            if not os.path.isdir(os.path.join(args.data, "test_" + name)):
                continue
            tried += 1
            wrong = run(args.norma, args.data, folder, case)
            if wrong:
                failed += 1
                print(f"{name}: {wrong}")
    print(f"{tried - failed} of {tried} vectors agree")
    sys.exit(1 if failed or not tried else 0)


main()
