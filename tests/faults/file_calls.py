#!/usr/bin/env python3
"""file_calls.py NORMA LIBRARY: a run goes on and saves, and the k-th call on a file of it fails, once or for ever, with
different errors, or writes half. norma ends with status 1 and one line, with every checkpoint whole, and the run goes on from
there to the same bits; or it could do without the call, and ends with status 0 and the same bits."""
import collections
import errno
import os
import sys
import threading

import disk
import harness

# The rate is another one than before: a run that silently began anew would not end with the same bits.
BEGIN = ['train', 'model.yaml', '--threads', '1', '--steps', '4', '--run', 'begun', '--lr', '0.02']
GO_ON = ['train', 'model.yaml', '--resume', '--threads', '1', '--steps', '8', '--lr', '0.01', '--run']
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR)
NAMES = ('open', 'read', 'write', 'fsync', 'close', 'rename', 'link', 'unlink', 'stat', 'fstat', 'ftruncate', 'flock')


class Save:
    """A run of eight steps: one that is begun, or (fresh) a new one. What it rightly ends with, and each checkpoint that it
    has on the way."""

    def __init__(self, place, library, fresh=False):
        self.place, self.library, self.fresh = place, library, fresh
        self.lock, self.number = threading.Lock(), 0
        if not fresh:
            self.must(place.run(BEGIN))
        run, record = self.new_run(), place.file('record')
        files = harness.contents(place.path, run)
        self.must(place.run(self.words(run), library, PATH=run, RECORD=record))
        self.expected = self.end_of(run)
        self.record = disk.read_record(record)
        self.whole = disk.checkpoints(self.record, files)
        for value in harness.checkpoints(place.file('begun')).values():
            self.whole.setdefault(value, 0)

    @staticmethod
    def words(run):
        return GO_ON + [run]

    @staticmethod
    def must(done):
        if done.status != 0:
            sys.exit('expected status 0 without faults, found %s: %s' % (done.status, done.err))

    def end_of(self, run):
        folder = self.place.file(run)
        return harness.checkpoints(folder), harness.rows(folder)

    def new_run(self):
        with self.lock:
            self.number += 1
            run = 'attempt-%d-run' % self.number
        if not self.fresh:
            self.place.copy('begun', run)
        return run

    def calls(self):
        """[(name, path)] of the calls, in order."""
        run, listed = self.new_run(), self.place.file('list')
        self.must(self.place.run(self.words(run), self.library, PATH=run, LIST=listed))
        with open(listed, encoding='utf-8') as f:
            found = [tuple(line.split()[1:3]) for line in f]
        os.remove(listed)
        self.place.remove(run)
        return found

    def difference(self, run, prefix, said):
        """What the run ended with that one without faults does not; None: nothing. An old numbered checkpoint may be left
        where `said` tells of it: of a run that is done, nothing removes it later."""
        (files, rows), (want, want_rows) = self.end_of(run), self.expected
        names = [name for name in sorted(files.keys() | want.keys()) if files.get(name) != want.get(name)]
        names = [name for name in names if name in want or not (name.startswith('step-') and name in said)]
        what = ['%s %s' % ('another' if n in files and n in want else 'no' if n in want else 'more:', n) for n in names]
        what += ['other rows in metrics.csv'] if rows != want_rows else []
        return '%s %s' % (prefix, ', '.join(what)) if what else None

    def judge_folder(self, run):
        folder = self.place.file(run)
        damaged = [n for n, value in harness.checkpoints(folder).items() if value not in self.whole]
        if damaged:
            return '%s is damaged' % damaged[0]
        if not self.fresh and not os.path.exists(os.path.join(folder, 'last.h5')):
            return 'last.h5 is gone'
        again = self.place.run(self.words(run))
        if again.status != 0:
            return 'cannot be resumed: status %s: %s' % (again.status, again.err.strip()[-300:])
        return self.difference(run, 'resumed, it ends with', ' '.join(os.listdir(folder)))

    def judge(self, done, run):
        if done.crash():
            return done.crash()
        if done.status not in (0, 1):
            return 'status %d: %s' % (done.status, done.err.strip()[-300:])
        said = [line for line in done.messages() if run in line and 'resum' not in line and 'cannot be removed' not in line]
        if done.status == 1 and len(said) != 1:
            return 'status 1 with %d lines: %s' % (len(said), done.err.strip()[-300:])
        bad = self.difference(run, 'status 0, but it ends with', done.err) if done.status == 0 else None
        return bad or self.judge_folder(run)

    def attempt(self, case):
        run = self.new_run()
        done = self.place.run(self.words(run), self.library, timeout=20, PATH=run, **case)
        bad = self.judge(done, run)
        self.place.remove(run)
        return bad and '%s: %s' % (' '.join('%s=%s' % pair for pair in sorted(case.items())), bad)


def cases_of(calls):
    """Each call alone and with all that follow, with each error; and each name's calls from the k-th on."""
    for error in ERRORS:
        for k in range(1, len(calls) + 1):
            yield {'AT': k, 'ERRNO': error}
            if error != errno.EINTR:  # no signal comes for ever
                yield {'AT': k, 'ERRNO': error, 'LASTING': 1}
    counts = collections.Counter(name for name, _ in calls)
    for name in NAMES:
        for k in range(1, counts[name] + 1):
            yield {'AT': k, 'CALLS': name, 'LASTING': 1, 'ERRNO': errno.EIO}
    for k in range(1, counts['write'] + 1):
        yield {'AT': k, 'CALLS': 'write', 'DO': 'short'}
        yield {'AT': k, 'CALLS': 'write', 'DO': 'short', 'LASTING': 1}


def main():
    norma, library = map(os.path.abspath, sys.argv[1:3])
    with harness.Place(norma) as place:
        save = Save(place, library)
        cases = list(cases_of(save.calls()))
        picked = [cases[k - 1] for k in harness.chosen(len(cases), 40)]
        harness.finish('file calls', len(picked), harness.each(save.attempt, picked))


if __name__ == '__main__':
    main()
