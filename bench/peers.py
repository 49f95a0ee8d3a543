"""What the measurements against other programs share: options, instruction sets, norma's own rate, the rate of a function."""
import argparse
import json
import os
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# What both sides run is set before either is loaded. PyTorch's own kernels and those it compiles, oneDNN (which OpenVINO has too),
# MKL. OpenVINO's own kernels and onnxruntime's ask the CPU, and have no such switch.
NORMA_SETS = {"v3": {"NORMA_ISA": "v3", "OPENBLAS_CORETYPE": "Haswell"}, "v4": {"NORMA_ISA": "v4"}}
PEER_SETS = {"v3": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
                    "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
             "v4": {"ATEN_CPU_CAPABILITY": "avx512"}}


def parse_arguments(description, seconds, add=lambda parser: None):
    """Also limits this process, in which the peers will be loaded, to --isa: to be called before importing them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norma", default=os.path.join(HERE, "..", "build", "apps", "norma"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=seconds, help="of each measurement")
    parser.add_argument("--isa", choices=sorted(PEER_SETS), help="the instruction set of both sides: v3 (AVX2) or v4 (AVX-512)")
    add(parser)
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    os.environ.update(PEER_SETS.get(args.isa, {}))
    return args


def model_file(name):
    return os.path.join(HERE, "..", "models", name + ".yaml")


def norma_environment(args):
    """In which norma runs under --isa."""
    environment = dict(os.environ)
    if args.isa:
        environment.pop("OPENBLAS_CORETYPE", None)  # or kernels of another instruction set would stay
        environment.update(NORMA_SETS[args.isa])
    return environment


def measure_norma(name, args, more=()):
    """What `norma bench --json` tells of the network; more: further options."""
    command = [args.norma, "bench", name, "--json", "--threads", str(args.threads), "--batch", str(args.batch), "--seconds",
               str(args.seconds), *more]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=norma_environment(args)).stdout
    return json.loads(told)[0]


def measure_times(step, args):
    """Sorted times of a function that does a batch, at least three, after one that is not counted."""
    step()
    end, took = time.perf_counter() + args.seconds, []
    while time.perf_counter() < end or len(took) < 3:
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    return sorted(took)


def measure_rate(step, args):
    """Images a second of a function that does a batch: from the median of its times."""
    return args.batch / statistics.median(measure_times(step, args))
