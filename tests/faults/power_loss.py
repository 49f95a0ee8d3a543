#!/usr/bin/env python3
"""power_loss.py NORMA LIBRARY: what a disk may hold after the power was lost in the middle of a run.

The library records every write, rename, fsync ... of a run with several saves. A state is made of the record up to a random
call: what was synced is there; of everything else each piece is there or not, whatever came before or after it, and of a
write sometimes a part (zeros where the file grew). In each state every file with a checkpoint's name is whole, last.h5 is at
least as new as the newest save that was synced, and the run goes on to the same bits."""
import hashlib
import os
import random
import shutil
import sys

import harness
from disk import Disk
from file_calls import Save

STATES = 200 if harness.FULL else 25
SEED = int(os.environ.get('NORMA_FAULTS_SEED', '1'))


def step_of(save, value):
    return save.whole.get(hashlib.sha256(value).hexdigest(), -1)


def make_state(calls, numbers, save):
    """The files, and the step that last.h5 must have reached; -1: none."""
    disk, least = Disk(), -1
    for call in calls[:numbers.randrange(len(calls) + 1)]:
        disk.call(*call)
        if call[0] == 'fsync':
            last = next((c for path, c in disk.names.items() if path.endswith('/last.h5')), None)
            least = max(least, step_of(save, last.synced) if last else -1)
    return disk.lost(numbers), least


def judge(save, files, least, number):
    run = 'state-%d-run' % number
    folder = save.place.file(run)
    os.makedirs(folder)
    for path, value in files.items():
        with open(os.path.join(folder, os.path.basename(path)), 'wb') as f:
            f.write(value)
        if path.endswith('.h5') and step_of(save, value) < 0:
            return '%s is damaged' % os.path.basename(path)
    last = next((value for path, value in files.items() if path.endswith('/last.h5')), None)
    if least >= 0 and (last is None or step_of(save, last) < least):
        return 'last.h5 is older than step %d, which was synced' % least
    bad = save.judge_folder(run)
    shutil.rmtree(folder)
    return bad


def main():
    norma, library = map(os.path.abspath, sys.argv[1:3])
    with harness.Place(norma) as place:
        save = Save(place, library, fresh=True)
        calls = save.record

        def attempt(number):
            numbers = random.Random(SEED * 1000003 + number)
            bad = judge(save, *make_state(calls, numbers, save), number)
            return bad and 'state %d (of seed %d): %s' % (number, SEED, bad)

        harness.finish('power loss', STATES, harness.each(attempt, range(STATES)))


if __name__ == '__main__':
    main()
