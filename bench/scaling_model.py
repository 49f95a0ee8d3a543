"""Seconds of a training step of P processes that each have one shard of the batch: what a process computes, measured layer by
layer, and what it sends between, by the formulas of docs/processes.md. All processes do the same at the same time, so one of
them is followed through its step."""

import json
import os
import subprocess
import time

WHOLE, UNDER_WAY = 1024, 8  # numbers of an array that is sent whole; exchanges at a time


class Link:
    """rate: bytes a second. latency: seconds until a small message is there. message: seconds of the processor for each further one
    that is sent and received at the same time."""

    def __init__(self, rate, latency, message):
        self.rate, self.latency, self.message = rate, latency, message


def ask(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# ---- what a process computes -----------------------------------------------------------------


class Compute:
    """Measured: seconds of each layer forward and backward for the samples of a process, and of all else in a step."""

    def __init__(self, layers, rest):
        self.layers, self.rest = layers, rest

    def seconds(self):
        return self.rest + sum(forward + backward for forward, backward in self.layers)


def bench_command(norma, model, batch, shards, threads, seconds):
    return [
        norma,
        "bench",
        model,
        "--json",
        "--layers",
        "--batch",
        str(batch * shards),
        "--threads",
        str(threads),
        "--seconds",
        str(seconds),
        "--set",
        f"train.shards={shards}",
    ]


def compute_of(result, shards, scale=1):
    """Of one of the shards that a process of `norma bench` had: a process that is alone takes two to cut the batch."""
    layers = [
        (scale * layer["forward_seconds"] / shards, scale * layer["backward_seconds"] / shards)
        for layer in result["layers"]
    ]
    step = scale * result["batch"] / result["train_throughput"]
    return Compute(layers, max(0, step - shards * Compute(layers, 0).seconds()))


def measure(command, shards, threads, loaded):
    """loaded: counts the time that the process had of its processors, not that of the clock."""
    before, start = os.times(), time.monotonic()
    result = ask(*command)[0]
    wall, after = time.monotonic() - start, os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return compute_of(result, shards, min(1, used / (wall * threads)) if loaded else 1)


# ---- what it sends ----------------------------------------------------------------------------


class Network:
    """Of each layer the numbers of its gradients, summed over all processes, or the channels whose statistics are joined."""

    def __init__(self, norma, model):
        self.layers = ask(norma, "summary", model, "--json")["layers"]
        self.gradients = [0 if self.joins(layer) else layer["parameters"] for layer in self.layers]
        self.channels = [layer["output"][2] if self.joins(layer) else 0 for layer in self.layers]

    @staticmethod
    def joins(layer):
        return layer["type"] == "batchnorm"


def exchange_volumes(count, processes):
    """Bytes that a process sends of an array, phase by phase."""
    return [4 * count * (processes - 1)] if count <= WHOLE else 2 * [4 * count * (processes - 1) / processes]


def traffic(network, processes):
    """Bytes and messages that a process sends in a step."""
    volumes = [24 * (processes - 1)]
    for count, channels in zip(network.gradients, network.channels):
        volumes += exchange_volumes(count, processes) if count else []
        volumes += 2 * [16 * channels * (processes - 1)] if channels else []
    return sum(volumes), len(volumes) * (processes - 1)


# ---- a step -------------------------------------------------------------------------------------


class Exchange:
    def __init__(self, count, volumes, ready):
        self.count, self.volumes, self.ready = count, volumes, ready


class Process:
    """now: the process's time. free: when its link has sent all that it was given."""

    def __init__(self, link, processes, largest):
        self.link, self.processes, self.largest = link, processes, largest
        self.now = self.free = 0
        self.exchanges = []

    def send(self, volume):
        """To each other process its part. Returns when the others' are here."""
        self.now += (self.processes - 2) * self.link.message
        self.free = max(self.free, self.now) + volume / self.link.rate
        return self.free + self.link.latency

    def progress(self):
        """Between operations and while it waits: what has come is summed and sent on."""
        for x in self.exchanges:
            if x.volumes and x.ready <= self.now:
                x.ready = self.send(x.volumes.pop(0))
        self.exchanges = [x for x in self.exchanges if x.volumes or x.ready > self.now]

    def wait(self, ready):
        while self.now < ready:
            self.now = min([x.ready for x in self.exchanges if x.ready > self.now] + [ready])
            self.progress()

    def gather(self, volume):
        """Hands all processes its numbers and waits for theirs."""
        self.wait(self.send(volume))

    def finish(self, most=0, most_numbers=0):
        """Waits until no more exchanges, and of no more numbers, are under way."""
        while len(self.exchanges) > most or sum(x.count for x in self.exchanges) > most_numbers:
            self.wait(min(x.ready for x in self.exchanges))
            self.progress()

    def exchange(self, count, overlap):
        """Starts it where there is memory: for two of the largest arrays."""
        self.finish(UNDER_WAY - 1, 2 * self.largest - count)
        first, *rest = exchange_volumes(count, self.processes)
        self.exchanges.append(Exchange(count, rest, self.send(first)))
        if not overlap:
            self.finish()


def step_seconds(network, compute, processes, link, overlap=True):
    if processes == 1:
        return compute.seconds()
    process = Process(link, processes, max(network.gradients))
    layers = list(zip(compute.layers, network.gradients, network.channels))
    for backward in (0, 1):
        for seconds, count, channels in reversed(layers) if backward else layers:
            process.progress()
            process.now += seconds[backward]
            if channels:
                process.gather(16 * channels * (processes - 1))
            if count and backward:
                process.exchange(count, overlap)
    process.finish()
    process.gather(24 * (processes - 1))  # losses
    process.now += compute.rest
    process.gather(processes - 1)  # whether one of them was told to stop
    return process.now
