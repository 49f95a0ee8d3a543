"""What the tests of several processes share: the mpirun of a KIND (openmpi, mpich) with norma's plug-in for it."""
import os
import re
import shutil
import sys

LAUNCHER = {'openmpi': ['--oversubscribe', '--bind-to', 'none'], 'mpich': []}


class Launch:
    def __init__(self, kind, plugins):
        self.kind, self.plugins, self.bad = kind, os.path.abspath(plugins), []
        self.mpirun = shutil.which('mpirun.' + kind)

    def skip_without(self):
        """Exits 77, skipped, where that mpirun or its plug-in is not there."""
        if not self.mpirun or not self.has_plugin(self.kind):
            print('skipped: no mpirun.%s, or no plug-in for it: tools/packages has the packages' % self.kind)
            sys.exit(77)

    def has_plugin(self, kind):
        return os.path.exists(os.path.join(self.plugins, 'norma_%s.so' % kind))

    def environment(self, **more):
        """As outside of any launcher."""
        own = {name: value for name, value in os.environ.items()
               if not re.match('NORMA_MPI|NORMA_BIND|OMP_|OMPI_|PMI|MPI_LOCAL|SLURM_', name)}
        own.update(NORMA_PLUGINS=self.plugins, OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')
        own.update(more)
        return own

    def command(self, count, *words):
        """count 0: without mpirun."""
        return ([self.mpirun, *LAUNCHER[self.kind], '-n', str(count)] if count else []) + [str(word) for word in words]

    def expect(self, what, holds, *seen):
        print('%s: %s' % (what, 'ok' if holds else 'WRONG'))
        if not holds:
            self.bad.append(what)
            print(*seen, sep='\n')
        sys.stdout.flush()

    def finish(self):
        print('%d wrong' % len(self.bad))
        sys.exit(1 if self.bad else 0)
