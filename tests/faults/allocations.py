#!/usr/bin/env python3
"""allocations.py NORMA LIBRARY [own|all] [COMMAND…]: the k-th allocation fails, once, or it and all that follow. norma ends
with status 1 and a message, or with 0 where it could do without that memory and the result is the same. Nothing crashes.

own (preset): what norma itself asks for, which has to be answered rightly in every case. all: what its libraries ask for
too. A library that crashes without memory is counted apart; and one that reports something else, such as a damaged file,
may lead to status 2."""
import collections
import os
import sys
import threading

import disk
import harness

TRAIN = ['train', 'model.yaml', '--threads', '1', '--steps', '4']
COMMANDS = {
    'summary': ['summary', 'model.yaml'],
    'train': TRAIN + ['--run', 'RUN'],
    'resume': ['train', '--resume', '--threads', '1', '--steps', '6', '--run', 'RUN'],
    'eval': ['eval', 'run', '--threads', '1'],
    'predict': ['predict', 'run', 'data/t10k-images-idx3-ubyte', '--threads', '1'],
    'plot': ['plot', 'run', '--output', 'RUN.svg'],
    'compare': ['compare', 'model.yaml', '--vary', 'batch=8,12', '--steps', '2', '--threads', '1', '--run', 'RUN'],
    'visualize': ['visualize', 'run', '--output', 'RUN'],
}
MOST = 8  # of a command, in the quick form


class Command:
    def __init__(self, place, name, library, of):
        self.place, self.name, self.library, self.of = place, name, library, of
        self.makes_run = name in ('train', 'resume')
        self.lock, self.number = threading.Lock(), 0
        self.prepare('reference')
        self.calls = place.count(self.words('reference'), library, OF=of)
        self.expected = harness.checkpoints(place.file('reference')) if self.makes_run else {}
        self.whole = self.find_whole() if self.makes_run else {}

    def find_whole(self):
        """What the run's checkpoints hold at any time."""
        recorder, record = os.path.join(os.path.dirname(self.library), 'fail_file.so'), self.place.file('record')
        self.prepare('recorded')
        files = harness.contents(self.place.path, 'recorded')
        self.place.run(self.words('recorded'), recorder, PATH='recorded', RECORD=record)
        whole = set(disk.checkpoints(disk.read_record(record), files))
        os.remove(record)
        return whole | set(harness.checkpoints(self.place.file('run')).values())

    def words(self, run):
        return [word.replace('RUN', run) for word in COMMANDS[self.name]]

    def prepare(self, run):
        self.place.remove(run)
        if self.name == 'resume':
            self.place.copy('run', run)

    def judge(self, done, run):
        crash = done.crash()
        if crash:
            return crash
        if done.status not in (0, 1) and not (self.of == 'all' and done.status == 2):
            return 'status %d: %s' % (done.status, done.err.strip()[-200:])
        if done.status and not done.messages():
            return 'status %d without a message' % done.status
        found = harness.checkpoints(self.place.file(run)) if self.makes_run else {}
        damaged = [name for name, value in found.items() if value not in self.whole]
        if damaged:
            return 'status %d, %s: not a whole checkpoint of this run' % (done.status, damaged[0])
        if done.status == 0 and found != self.expected:
            return 'status 0, but the checkpoints are not the same'
        return None

    def attempt(self, case):
        k, lasting = case
        with self.lock:
            self.number += 1
            run = '%s-%d' % (self.name, self.number)
        self.prepare(run)
        faults = {'AT': k, 'OF': self.of}
        if lasting:
            faults['LASTING'] = 1
        done = self.place.run(self.words(run), self.library, timeout=20, **faults)
        bad = self.judge(done, run)
        self.place.remove(run)
        return bad and (bad, '%s, allocation %d %s: %s' % (self.name, k, 'and all that follow' if lasting else 'alone', bad))


def main():
    norma, library = map(os.path.abspath, sys.argv[1:3])
    of = sys.argv[3] if len(sys.argv) > 3 else 'own'
    with harness.Place(norma) as place:
        made = place.run(TRAIN + ['--run', 'run'])
        if made.status != 0:
            sys.exit(made.err)
        tried, bad, apart = 0, [], collections.Counter()
        for name in sys.argv[4:] or COMMANDS:
            command = Command(place, name, library, of)
            cases = [(k, lasting) for k in harness.chosen(command.calls, MOST) for lasting in (False, True)]
            tried += len(cases)
            for kind, line in harness.each(command.attempt, cases):
                if of == 'all' and kind.startswith('crashed in ') and not kind.startswith('crashed in norma'):
                    apart[kind] += 1
                else:
                    bad.append(line)
            if harness.FULL:
                print('%s: %d allocations, %d bad so far' % (name, command.calls, len(bad)), flush=True)
        for kind, count in apart.items():
            print('apart: %s, %d times' % (kind, count))
        harness.finish('allocations (%s)' % of, tried, bad, int(os.environ.get('NORMA_FAULTS_SHOW', '20')))


if __name__ == '__main__':
    main()
