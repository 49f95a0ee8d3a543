#!/usr/bin/env python3
"""kills.py NORMA LIBRARY: a run is killed before and after every call on its files, in the middle of its writes, and at random
moments. Every checkpoint is whole then, and --resume ends with the bits of a run that nobody interrupted."""
import os
import random
import subprocess
import sys
import time

import harness
from file_calls import Save

MOMENTS = 200 if harness.FULL else 20


def killed_at_call(save, case):
    run = save.new_run()
    done = save.place.run(save.words(run), save.library, PATH=run, **case)
    bad = save.judge_folder(run) if done.status == -9 else 'expected to be killed, found status %s' % done.status
    save.place.remove(run)
    return bad and '%s%s at call %d: %s' % ('fresh run, ' if save.fresh else '', case['DO'], case['AT'], bad)


def duration(save):
    run, begun = save.new_run(), time.monotonic()
    save.must(save.place.run(save.words(run)))
    return time.monotonic() - begun


def killed_at_moment(save, seconds):
    run = save.new_run()
    with subprocess.Popen([save.place.norma, *save.words(run)], cwd=save.place.path, env=save.place.environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        time.sleep(seconds)
        program.kill()
    bad = save.judge_folder(run)
    save.place.remove(run)
    return bad and 'killed after %.4f s: %s' % (seconds, bad)


def main():
    norma, library = map(os.path.abspath, sys.argv[1:3])
    tried, bad = 0, []
    for fresh in (False, True):
        with harness.Place(norma) as place:
            save = Save(place, library, fresh)
            cases = [{'AT': k, 'DO': what} for k in harness.chosen(len(save.calls()), 8) for what in ('kill', 'killed')]
            bad += harness.each(lambda case: killed_at_call(save, case), cases)
            longest = duration(save)
            moments = [random.uniform(0, longest) for _ in range(MOMENTS // 2)]
            bad += harness.each(lambda seconds: killed_at_moment(save, seconds), moments)
            tried += len(cases) + len(moments)
    harness.finish('kills', tried, bad)


if __name__ == '__main__':
    main()
