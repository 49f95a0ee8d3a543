"""Runs `norma train` in network namespaces whose links have a rate, and holds its steps against the model of scaling_model.py.

All lies in namespaces of this process's own, also mpirun, so that nothing of the machine's network changes: a hub with a bridge, and a
node for each process. netem, which delays, is missing from many kernels; scaling_link.c delays messages in MPI instead.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

from scaling_model import Compute, Link, Network, bench_command, compute_of, step_seconds, traffic

IMAGES, SHORT, SECONDS, OFF = 640, 3, 6, 0.25
HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [
    "resnet20,2,2,1000,5000",
    "resnet20,4,4,1000,5000",
    "resnet20,2,16,1000,1000",
    "resnet20,4,16,1000,0",
    "resnet20,2,64,1000,0",
    "cifar-cnn,2,2,100,0",
    "vgg11,2,2,300,0",
    "vgg11,2,32,300,0",
    "vgg11,2,32,1000,0",
]
AGENT = """#!/bin/sh
# mpirun's way to a node: ADDRESS COMMAND... Each has a folder for Open MPI's files, as it would have on a machine of its own.
node=${1##*.} && shift
mkdir -p "$TMPDIR/$node" && export TMPDIR="$TMPDIR/$node"
exec ip netns exec %s$node sh -c "$*"
"""


def call(*words):
    subprocess.run([str(word) for word in words], check=True)


def noise_png(side=32):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + os.urandom(3 * side) for _ in range(side))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


# ---- the network ------------------------------------------------------------------------------


class Nodes:
    """With it: the namespaces PREFIX0, the hub, and PREFIX1 to PREFIXcount, with addresses 10.79.0.1 to count."""

    def __init__(self, count, megabits):
        self.prefix, self.count, self.megabits = f"norma{os.getpid()}-", count, megabits

    def __enter__(self):
        try:
            hub = self.add(0)
            call("ip", "-n", hub, "link", "add", "eth0", "type", "bridge")
            self.start(hub, 254)
            for k in range(1, self.count + 1):
                node, port = self.add(k), f"port{k}"
                call("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", node)
                call("ip", "-n", hub, "link", "set", port, "master", "eth0", "up")
                self.start(node, k)
                self.limit(node, "eth0")
                self.limit(hub, port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def add(self, k):
        call("ip", "netns", "add", f"{self.prefix}{k}")
        return f"{self.prefix}{k}"

    @staticmethod
    def start(node, address):
        call("ip", "-n", node, "addr", "add", f"10.79.0.{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            call("ip", "-n", node, "link", "set", device, "up")

    def limit(self, node, device):
        call(
            "tc",
            "-n",
            node,
            "qdisc",
            "add",
            "dev",
            device,
            "root",
            "tbf",
            "rate",
            f"{self.megabits}mbit",
            "burst",
            "256kb",
            "latency",
            "50ms",
        )

    def __exit__(self, *_):
        for k in range(self.count + 1):
            node = f"{self.prefix}{k}"
            left = subprocess.run(
                ["ip", "netns", "pids", node], capture_output=True, text=True, check=False
            ).stdout.split()
            for pid in left:  # of an mpirun that was stopped
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)
            subprocess.run(["ip", "netns", "del", node], stderr=subprocess.DEVNULL, check=False)


class Machine:
    """What is needed beside the nodes, in a folder that is removed with it."""

    def __init__(self, norma, folder):
        self.norma, self.folder = os.path.abspath(norma), folder
        self.data, self.link, self.delay = (os.path.join(folder, name) for name in ("data", "link", "delay.so"))
        source = os.path.join(HERE, "scaling_link.c")
        call("mpicc.openmpi", "-O2", source, "-o", self.link)
        call("mpicc.openmpi", "-O2", "-shared", "-fPIC", source, "-o", self.delay)
        image = os.path.join(folder, "noise.png")
        with open(image, "wb") as f:
            f.write(noise_png())
        for k in range(IMAGES + 10):  # of which ten are for testing: it is not the time of an evaluation that counts
            place = os.path.join(self.data, "train" if k < IMAGES else "test", str(k % 10))
            os.makedirs(place, exist_ok=True)
            os.link(image, os.path.join(place, f"{k}.png"))

    def run(self, nodes, microseconds, *words):
        """Output of processes, one on each node."""
        agent = os.path.join(self.folder, "agent")
        with open(agent, "w", encoding="ascii") as f:
            f.write(AGENT % nodes.prefix)
        os.chmod(agent, 0o755)
        addresses = ",".join(f"10.79.0.{k}" for k in range(1, nodes.count + 1))
        options = {
            "plm_rsh_agent": agent,
            "btl": "tcp,self",
            "btl_tcp_if_include": "eth0",
            "oob_tcp_if_include": "eth0",
            "btl_tcp_progress_thread": "1",
        }
        command = [
            "ip",
            "netns",
            "exec",
            f"{nodes.prefix}0",
            "mpirun.openmpi",
            "--host",
            addresses,
            "-n",
            str(nodes.count),
            "--bind-to",
            "none",
            *(word for option in options.items() for word in ("--mca", *option)),
            "env",
        ]
        command += [f"LINK_DELAY={1e-6 * microseconds}", f"LD_PRELOAD={self.delay}"] if microseconds else []
        root = dict(
            os.environ,
            TMPDIR=self.folder,
            OMPI_ALLOW_RUN_AS_ROOT="1",
            OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
            NORMA_MODELS=os.path.join(HERE, "..", "models"),
        )
        with subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=root,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        ) as program:
            try:
                out, errors = program.communicate(timeout=600)
            except BaseException:
                program.terminate()
                raise
        if program.returncode:
            raise SystemExit(f"{' '.join(command)} {' '.join(words)}: {errors}")
        return out

    def train(self, nodes, case, steps):
        """(seconds of the run, what process 0 says that it sent in a step)"""
        shutil.rmtree(os.path.join(self.folder, "run"), ignore_errors=True)
        settings = {
            "data": f"images:{self.data}",
            "run": "run",
            "threads": 1,
            "batch": case.samples * case.processes,
            "shards": case.processes,
            "steps": steps,
            "epochs": 1000,
            "eval-every": 10**6,
            "save-every": "1000000s",
            "augment": "",
            "schedule": "constant",
            "lr": 1e-6,
        }
        start = time.monotonic()
        out = self.run(
            nodes,
            case.delay,
            self.norma,
            "train",
            case.model,
            *(f"--{name}={value}" for name, value in settings.items()),
        )
        seconds = time.monotonic() - start
        sent = re.search(r"sent (\d+) bytes in (\d+) messages", out)
        return seconds, (int(sent.group(1)), int(sent.group(2)))


# ---- a case -------------------------------------------------------------------------------------


class Case:
    def __init__(self, text):
        self.text = text
        self.model, *numbers = text.split(",")
        self.processes, self.samples, self.megabits, self.delay = map(int, numbers)


def measure_at_once(norma, case):
    """What a process computes while the others do, too: they share caches, memory and, where there are more of them, the cores.
    Each is a session of its own, as mpirun's are: Linux shares a loaded machine evenly between sessions."""
    command = bench_command(norma, case.model, case.samples, 2, 1, 2)
    with contextlib.ExitStack() as stack:
        running = []
        for _ in range(case.processes):
            running.append(
                stack.enter_context(
                    subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
                )
            )
            stack.callback(running[-1].terminate)
        results = [json.loads(program.communicate()[0])[0] for program in running]
    return max((compute_of(result, 2) for result in results), key=Compute.seconds)


def check(machine, case, rounds):
    """Prints a row of the table; returns whether it is within the limit."""
    network = Network(machine.norma, case.model)
    computes, short, long = [], [], []
    with Nodes(case.processes, case.megabits) as nodes:
        latency, message, rate = map(float, machine.run(nodes, case.delay, machine.link).split())
        link = Link(rate, latency, message)
        for _ in range(rounds):
            computes.append(measure_at_once(machine.norma, case))
            model = step_seconds(network, min(computes, key=Compute.seconds), case.processes, link)
            steps = SHORT + max(4, round(SECONDS / model)) if not long else steps
            short.append(machine.train(nodes, case, SHORT)[0])
            seconds, sent = machine.train(nodes, case, steps)
            long.append(seconds)
    compute = min(computes, key=Compute.seconds)
    model = step_seconds(network, compute, case.processes, link)
    measured = (min(long) - min(short)) / (steps - SHORT)
    expected = traffic(network, case.processes)
    same = abs(sent[0] - expected[0]) <= 0.001 * expected[0] and sent[1] == expected[1]
    print(
        f"| {case.model} | {case.processes} | {case.samples} | {case.megabits} Mb/s: {rate / 1e6:.1f} MB/s, {1e6 * latency:.0f} us | "
        f"{1e3 * compute.seconds():.0f} ms | {1e3 * model:.0f} ms | {1e3 * measured:.0f} ms | {measured / model:.2f} | "
        f"{sent[0] / 1e6:.2f} MB, {sent[1]}{'' if same else ' instead of %.2f, %d' % (expected[0] / 1e6, expected[1])} |",
        flush=True,
    )
    return same and abs(measured / model - 1) <= OFF


def run(args):
    """The exit status."""
    missing = [tool for tool in ("ip", "tc", "mpirun.openmpi", "mpicc.openmpi") if not shutil.which(tool)]
    if missing or os.geteuid():
        sys.exit(
            f"--check needs {', '.join(missing) or 'root'}: namespaces are made with iproute2, processes are started by Open MPI"
        )
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(128 + number)
    )  # namespaces are taken down as after Ctrl-C
    print(
        "| network | P | samples each | link: measured | computing | step, model | step, measured | ratio | sent a step, messages |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(args.norma, folder)
        good = [check(machine, Case(text), args.rounds) for text in args.names or CASES]
    print(
        f"load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; other work makes both sides of a ratio uncertain"
    )
    return 0 if all(good) else 1
