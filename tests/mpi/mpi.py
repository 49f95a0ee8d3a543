#!/usr/bin/env python3
"""mpi.py KIND PLUGINS PROGRAM…: PROGRAM (joint_sums, in float and in double) as several processes, by the mpirun of KIND
(openmpi, mpich). Sums have the bits of one process; who dies or hangs is named; without a plug-in nobody trains alone. Exits 77,
skipped, where that mpirun or its plug-in is not there."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import launch

KIND, PROGRAMS = sys.argv[1], sys.argv[3:]
mpi = launch.Launch(*sys.argv[1:3])
expect, command = mpi.expect, mpi.command
# As between machines: without the memory that the processes of one share.
NETWORK = {'openmpi': {'OMPI_MCA_pml': 'ob1', 'OMPI_MCA_btl': 'tcp,self', 'OMPI_MCA_btl_tcp_if_include': 'lo'},
           'mpich': {'MPIR_CVAR_NOLOCAL': '1'}}[KIND]
OTHER = {'openmpi': 'mpich', 'mpich': 'openmpi'}[KIND]
LIMIT = 60  # seconds of one run


def environment(**more):
    return mpi.environment(OMP_NUM_THREADS='2', **more)


def run(count, program, *words, **more):
    """(status, stdout, stderr); count 0: without mpirun."""
    try:
        done = subprocess.run(command(count, program, *words), env=environment(**more), capture_output=True, text=True,
                              timeout=LIMIT, stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        return 'still running after %d s' % LIMIT, '', str(late.stderr)


def same_bits():
    for program in PROGRAMS:
        for shards in (8, 12, 64):
            _, alone, errors = run(0, program, 'sums', shards)
            expect('%s, %d shards, alone' % (os.path.basename(program), shards), re.fullmatch('[0-9a-f]{16}\n', alone), errors)
            counts = (1, 2, 3, 5, 8) if program == PROGRAMS[0] else (3,)
            for count in counts:
                status, out, errors = run(count, program, 'sums', shards)
                expect('%s, %d shards, %d processes' % (os.path.basename(program), shards, count),
                       (status, out) == (0, alone), status, out, errors)
            if shards == 12:
                status, out, errors = run(3, program, 'sums', shards, **NETWORK)
                expect('%s, %d shards, 3 processes, by the network' % (os.path.basename(program), shards),
                       (status, out) == (0, alone), status, out, errors)


def collected():
    for count in (3, 5):
        status, out, errors = run(count, PROGRAMS[0], 'collect')
        words = "settings: process 2 on host %s has 'batch 65', process 0 on host %s has 'batch 64'" % ((os.uname().nodename,) * 2)
        expect('%d processes gather, broadcast and disagree' % count, status == 1 and out == 'collected\n' and words in errors,
               status, out, errors)


def too_many():
    status, out, errors = run(5, PROGRAMS[0], 'sums', 4)
    expect('5 processes for 4 shards', status == 2 and '5 processes share 4 shards' in errors, status, out, errors)


def without_plugin():
    status, out, errors = run(3, PROGRAMS[0], 'sums', 8, NORMA_PLUGINS='/nowhere')
    package = {'openmpi': 'libopenmpi-dev', 'mpich': 'libmpich-dev'}[KIND]
    expect('no plug-in', status == 2 and not out and errors.count('cannot be loaded') == 1 and package in errors, status, out, errors)
    status, out, errors = run(2, PROGRAMS[0], 'sums', 8, NORMA_PLUGINS='/nowhere', NORMA_MPI='off')
    expect('each alone', status == 0 and len(set(out.split())) == 1 and len(out.split()) == 2, status, out, errors)
    if mpi.has_plugin(OTHER):
        status, out, errors = run(2, PROGRAMS[0], 'sums', 8, NORMA_MPI=OTHER)
        expect("the other MPI's plug-in", status == 2 and not out and errors.count('do not belong together') == 1, status, out,
               errors)


def numbers(folder, what):
    return {int(name.split('.')[0]): int(open(os.path.join(folder, name)).read())
            for name in os.listdir(folder) if re.fullmatch(r'\d+\.' + what, name)}


def alive(process):
    try:
        with open('/proc/%d/stat' % process) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def parent_of(process):
    with open('/proc/%d/stat' % process) as f:
        return int(f.read().rsplit(')', 1)[1].split()[1])


def wait_until(holds, launcher):
    end = time.monotonic() + LIMIT
    while not holds() and time.monotonic() < end and launcher.poll() is None:
        time.sleep(0.05)


def disturb(launcher, number, folder, deaf):
    """(status of the launcher, seconds that it took, numbers of the processes)."""
    wait_until(lambda: len(numbers(folder, 'pid')) == 3, launcher)
    pids, begun = numbers(folder, 'pid'), time.monotonic()
    try:
        ears = {launcher.pid, parent_of(pids[1])} if deaf else set()
        for process in ears:
            os.kill(process, signal.SIGSTOP)
        os.kill(pids[1], number)
        if deaf:
            wait_until(lambda: all(rank in numbers(folder, 'status') or not alive(pids[rank]) for rank in (0, 2)), launcher)
        took = time.monotonic() - begun
        for process in ears:
            os.kill(process, signal.SIGCONT)
        status = launcher.wait(LIMIT)
        return status, took if deaf else time.monotonic() - begun, pids
    except (subprocess.TimeoutExpired, KeyError, OSError) as error:
        launcher.kill()
        return repr(error), LIMIT, pids


def disturbed(what, number, patience, seconds, words, deaf=False):
    """Of three processes the second gets a signal in the middle. All end, none of them well; those that can tell use the words.
    deaf: the launcher does nothing about it."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile('w+') as output:
        with subprocess.Popen(command(3, PROGRAMS[0], 'steps', folder, patience, 0), env=environment(), stdout=output,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as launcher:
            status, took, pids = disturb(launcher, number, folder, deaf)
        left = [process for process in pids.values() if alive(process)]
        for process in left:
            os.kill(process, signal.SIGKILL)
        output.seek(0)
        text, statuses = output.read(), numbers(folder, 'status')
    # A library may end its process by itself: UCX, MPICH's, does where the other dies while it reads that one's memory.
    # The third then waits for that one, which is as dead.
    ended = 'cma_ep.c:' in text
    told = not words or (statuses and all(word in text for word in words)) or (ended and (not statuses or words[-1] in text))
    expect('%s (%.1f s, statuses %s)' % (what, took, statuses),
           isinstance(status, int) and status != 0 and took < seconds and not left and set(statuses.values()) <= {1} and told,
           status, took, left, statuses, text)


def main():
    mpi.skip_without()
    begun = time.monotonic()
    same_bits()
    collected()
    too_many()
    without_plugin()
    silent = ('process 1 on host %s' % os.uname().nodename, 'not answered for 2 s')
    disturbed('a process is killed', signal.SIGKILL, 20, 10, ())
    disturbed('a process is killed, and the launcher does nothing', signal.SIGKILL, 2, 15, silent, deaf=True)
    disturbed('a process is stopped', signal.SIGSTOP, 2, 15, silent)
    disturbed('a process is asked to end', signal.SIGTERM, 20, 10, ('stopped by a signal while waiting for process',))
    print('%.0f s' % (time.monotonic() - begun))
    mpi.finish()


if __name__ == '__main__':
    main()
