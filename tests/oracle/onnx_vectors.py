#!/usr/bin/env python3
"""Compares norma with the operator vectors of the ONNX standard (Debian's libonnx-testdata).

    python3 tests/oracle/onnx_vectors.py [--norma PROGRAM] [--data FOLDER]

Each row of CASES names a vector, the layer that stands for the operator, and the parameters that its further inputs are.
Exit 77 where the vectors, numpy or h5py are not installed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

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
    ("layer_normalization_4d_axis1", "layernorm", "", CHW),
    ("lrn", "lrn", "size: 3, alpha: 0.0002, beta: 0.5, k: 2", []),
    ("lrn_default", "lrn", "size: 3", []),
    ("relu", "relu", "", []), ("elu", "elu", "alpha: 2", []), ("elu_default", "elu", "", []),
    ("selu_default", "selu", "", []), ("leakyrelu", "leaky", "slope: 0.1", []), ("leakyrelu_default", "leaky", "", []),
    ("sigmoid", "sigmoid", "", []), ("tanh", "tanh", "", []), ("softplus", "softplus", "", []),
    ("softmax_axis_1", "softmax", "", []),
    ("gemm_default_vector_bias", "dense", "", [("weight", same), ("bias", lambda b: b.reshape(-1))]),
]


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
    values = np.frombuffer(raw, {1: "<f4", 11: "<f8"}[kind]) if raw else np.array(floats)
    return values.astype(np.float32).reshape(dims)


def nhwc(a):
    if a.ndim == 4:
        return a.transpose(0, 2, 3, 1)
    if a.ndim == 3:  # pixel by pixel operators; over axis 1 it is the channels
        return a.transpose(0, 2, 1)[:, :, None, :]
    return a.reshape(a.shape[0], 1, 1, -1)


def run_case(norma, data, folder, case):
    name, layer, options, declared = case
    at = os.path.join(data, "test_" + name, "test_data_set_0")
    inputs = [tensor(os.path.join(at, f"input_{i}.pb")) for i in range(1 + len(declared))]
    x, y = nhwc(inputs[0]), nhwc(tensor(os.path.join(at, "output_0.pb")))
    params = {key: turn(v) for (key, turn), v in zip(declared, inputs[1:])}
    if "weight" in params:
        options = f"{'units' if layer == 'dense' else 'filters'}: {params['weight'].shape[-1]}, {options}"
    paths = [os.path.join(folder, f) for f in ("model.yaml", "in.h5", "out.h5")]
    with open(paths[0], "w") as f:
        f.write(f"input: {{height: {x.shape[1]}, width: {x.shape[2]}, channels: {x.shape[3]}}}\n"
                f"layers:\n- {{name: l, {layer}: {{{options}}}}}\n")
    with h5py.File(paths[1], "w") as f:
        f["x"] = np.ascontiguousarray(x)
        for key, v in params.items():
            f["model/l/" + key] = np.ascontiguousarray(v)
    done = subprocess.run([norma, "trace", paths[0], "--input", paths[1], "--output", paths[2]], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    with h5py.File(paths[2]) as f:
        found = f["activations/l"][()]
    if found.shape != y.shape:
        return f"output {found.shape}, the vector has {y.shape}"
    error = np.abs(found - y).max() / max(np.abs(y).max(), 1e-30)
    return None if error <= TOLERANCE else f"relative error {error:.2e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--norma", default=os.environ.get("NORMA_PROGRAM", "build/apps/norma"))
    parser.add_argument("--data", default=FOLDER)
    args = parser.parse_args()
    if not os.path.isdir(args.data):
        print(f"skipped: {args.data} is not there (apt-get install libonnx-testdata)")
        sys.exit(77)
    failed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not os.path.isdir(os.path.join(args.data, "test_" + case[0])):
                continue
            tried += 1
            wrong = run_case(args.norma, args.data, folder, case)
            if wrong:
                failed += 1
                print(f"{case[0]} ({case[1]}): {wrong}")
    print(f"{tried - failed} of {tried} vectors agree")
    sys.exit(1 if failed or not tried else 0)


try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}; needs numpy and h5py")
    sys.exit(77)
main()
