#!/usr/bin/env python3
"""training.py KIND PLUGINS NORMA: norma train as several processes, by the mpirun of KIND (openmpi, mpich): the checkpoint has
the same bits for any number of them and of threads, also where the run was killed and resumed by others; what is used wrongly is
told once; those of a machine have CPUs of their own. Exits 77, skipped, where that mpirun or its plug-in is not there."""
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'faults'))
import harness  # noqa: E402
import launch  # noqa: E402

NORMA = os.path.abspath(sys.argv[3])
MODEL = harness.MODEL.replace('epochs: 6, batch: 8', 'steps: 40, batch: 16, shards: 8, eval_batch: 7')
mpi = launch.Launch(*sys.argv[1:3])
expect, command = mpi.expect, mpi.command


def run(place, words, **more):
    """(status, lines of norma's on stderr, stdout)"""
    done = subprocess.run(words, cwd=place.path, env=mpi.environment(OMP_WAIT_POLICY='passive', **more), capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, [line for line in done.stderr.split('\n') if line.startswith('norma: ')], done.stdout


def train(place, count, *words, **more):
    return run(place, command(count, NORMA, 'train', *words), **more)


def digest(place, run_folder):
    path = place.file(run_folder, 'last.h5')
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def same_bits(place, expected):
    for count in (2, 3, 5, 8):
        name = 'p%d' % count
        seen = train(place, count, 'model.yaml', '--run', name, '--threads', str(1 + count % 2))
        expect('%d processes' % count, seen[0] == 0 and digest(place, name) == expected and seen[2].count('run directory') == 1, *seen)


def sent(layers, channels, count, shards, passes=2):
    """Bytes and messages of process 0 in a step, by the formulas of docs/processes.md where its shards make one subtree.
    layers: the sizes of each one's parameters, but of batch norms; channels: of each batch norm; passes: in which these exchange."""
    to_all = count - 1
    bytes_sent, messages = 3 * 8 * shards // count * to_all, to_all  # losses
    for c in channels:
        bytes_sent, messages = bytes_sent + passes * 2 * 8 * c * shards // count * to_all, messages + passes * to_all
    for parameters in layers:
        n = sum((size + 15) // 16 * 16 for size in parameters[:-1]) + parameters[-1]  # each begins at a cache line
        whole, segment = n <= 1024, n // count
        bytes_sent += 4 * (n * to_all if whole else n - segment + to_all * segment)
        messages += to_all if whole else 2 * to_all
    return bytes_sent, messages


def traffic(place):
    with open(place.file('wide.yaml'), 'w', encoding='utf-8') as f:
        f.write(MODEL.replace('  - {name: logits', '  - {name: wide, dense: {units: 600}}\n  - relu: {}\n  - {name: logits'))
    for count in (2, 4):
        seen = train(place, count, 'wide.yaml', '--run', 'wide%d' % count)
        line = 'process 0 of %d sent %d bytes in %d messages a step\n' % (count, *sent(((36, 4), (2400, 600), (1800, 3)), (4,), count, 8))
        expect('%d processes: what a step sends' % count, seen[0] == 0 and line in seen[2], line, *seen)


def ghost_batches(place):
    """Batch norm over 2 samples at a time, in shards of 4: of backward the gradients of its parameters alone are exchanged."""
    words = ('model.yaml', '--batch', '32', '--set', 'c1.batchnorm.ghost=2', '--threads', '1', '--run')
    seen = train(place, 0, *words, 'ghosts')
    expect('ghost batches, alone', seen[0] == 0, *seen)
    expected = digest(place, 'ghosts')
    for count in (2, 3, 4):
        seen = train(place, count, *words, 'ghosts%d' % count)
        line = 'process 0 of %d sent %d bytes in %d messages a step\n' % (count, *sent(((36, 4), (4, 4), (12, 3)), (4,), count, 8, passes=1))
        expect('ghost batches, %d processes' % count,
               seen[0] == 0 and digest(place, 'ghosts%d' % count) == expected and (count == 3 or line in seen[2]), line, *seen)


def killed_and_resumed(place, expected):
    random.seed(os.getpid())
    cut = 'cut_' + mpi.kind  # by which processes are found: the same test may run beside this one with another MPI
    for count in (3, 2, 8, 5):
        words = command(count, NORMA, 'train', 'model.yaml', '--run', cut, '--resume', '--threads', '1')
        with subprocess.Popen(words, cwd=place.path, env=mpi.environment(OMP_WAIT_POLICY='passive'), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True) as program:
            time.sleep(random.uniform(0.3, 1.2))
            found = subprocess.run(['pgrep', '-f', '^%s train model.yaml --run %s' % (re.escape(NORMA), cut)], capture_output=True, text=True,
                                   check=False).stdout.split()
            with contextlib.suppress(ProcessLookupError):  # it may have ended since it was found, as all may have
                if found:
                    os.kill(int(random.choice(found)), signal.SIGKILL)
            program.wait(60)
    seen = train(place, 4, 'model.yaml', '--run', cut, '--resume', '--threads', '1')
    expect('killed four times and resumed by others', seen[0] == 0 and digest(place, cut) == expected, *seen)


def used_wrongly(place):
    with open(place.file('by_rank'), 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\n[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ] && exec "$@" --limit 48\nexec "$@" --limit 64\n')
    os.chmod(place.file('by_rank'), 0o755)
    open(place.file('file'), 'w', encoding='ascii').close()
    cases = {
        'more processes than shards': (['--shards', '2'], 2, '3 processes for 2 shards'),
        'a folder that cannot be': (['--run', 'file/run'], 2, "'file' is a file"),
        'a batch that shards do not divide': (['--shards', '3'], 2, 'expected a divisor of the batch'),
        'ghost batches that do not fill a shard': (['--set', 'c1.batchnorm.ghost=4'], 2, 'ghost batches of 4 samples do not fill shards of 2'),
        'measured algorithms': (['--tune'], 2, '--tune: not with several processes'),
    }
    for what, (words, status, says) in cases.items():
        seen = train(place, 3, 'model.yaml', *words)
        expect(what, seen[0] == status and len(seen[1]) == 1 and says in seen[1][0], *seen)
    seen = run(place, command(3, './by_rank', NORMA, 'train', 'model.yaml'))
    expect('other settings in one process', seen[0] == 1 and len(seen[1]) == 1 and 'train.limit: process 1 on' in seen[1][0], *seen)


def cpus_of(text):
    """The numbers of "0-3,8"."""
    found = set()
    for part in text.split(','):
        first, _, last = part.partition('-')
        found |= set(range(int(first), int(last or first) + 1))
    return found


def places(place, count, *words, **more):
    """[(threads, CPUs, the rest of the line)] of each process, as --verbose tells it; None: not all have a line."""
    done = subprocess.run(command(count, *words, NORMA, 'train', 'model.yaml', '--verbose', '--steps', '1', '--run', 'placed'), cwd=place.path,
                          env=mpi.environment(OMP_WAIT_POLICY='passive', **more), capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL, check=False)
    shutil.rmtree(place.file('placed'), ignore_errors=True)
    name = r'process (\d+) of %d' % count if count else '(1) process'
    found = re.findall('^%s on %s: (\\d+) threads? on CPUs? ([0-9,-]+) (.*)$' % (name, re.escape(os.uname().nodename)), done.stderr, re.M)
    ranks = [str(rank) for rank in range(count)] or ['1']
    return [(int(threads), cpus_of(cpus), rest) for _, threads, cpus, rest in found] if [f[0] for f in found] == ranks else None


def core_of(cpu):
    try:
        with open('/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list' % cpu, encoding='ascii') as f:
            return f.read()
    except OSError:
        return cpu


def placed(place):
    allowed = os.sched_getaffinity(0)
    seen = places(place, 0)
    expect('alone, it has all CPUs', seen and seen[0][1] == allowed and re.fullmatch(r'\(\d+ nodes?\)', seen[0][2]), seen)
    seen = places(place, 8, NORMA_BIND='off')
    expect('8 processes, bound to nothing', seen and all(s[1] == allowed and 'shared by 8 processes' in s[2] for s in seen), seen)
    seen = places(place, 2, OMP_PROC_BIND='true')
    if len({core_of(cpu) for cpu in allowed}) < 2:
        expect('2 processes, one core', seen and all(s[1] == allowed and 'shared by 2 processes' in s[2] for s in seen), seen)
        return
    expect('2 processes have CPUs of their own',
           seen and not seen[0][1] & seen[1][1] and all(s[1] and s[1] <= allowed and s[0] <= len(s[1]) for s in seen), seen)
    with open(place.file('bound_by_rank'), 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\n[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ] && exec taskset -c %d "$@"\nexec taskset -c %d "$@"\n' %
                (min(allowed), max(allowed)))
    os.chmod(place.file('bound_by_rank'), 0o755)
    seen = places(place, 2, './bound_by_rank')
    expect('what the launcher has bound stays', seen and [s[1] for s in seen] == [{max(allowed)}, {min(allowed)}] and
           all(s[0] == 1 and 'bound by the launcher' in s[2] for s in seen), seen)


def main():
    mpi.skip_without()
    with harness.Place(NORMA) as place:
        with open(place.file('model.yaml'), 'w', encoding='utf-8') as f:
            f.write(MODEL)
        seen = train(place, 0, 'model.yaml', '--run', 'alone', '--threads', '2')
        expect('alone', seen[0] == 0, *seen)
        expected = digest(place, 'alone')
        same_bits(place, expected)
        killed_and_resumed(place, expected)
        traffic(place)
        ghost_batches(place)
        used_wrongly(place)
        placed(place)
    mpi.finish()


if __name__ == '__main__':
    main()
