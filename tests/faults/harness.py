"""What the tests with faults share: a small problem, and norma with one of the libraries preloaded that make calls fail.

Each script is run as SCRIPT NORMA LIBRARY; with NORMA_FAULTS=full in the environment it tries every call, and says on its
last line how many. Otherwise it tries as many as fit in some seconds, spread evenly, never the same ones by chance alone.
"""
import concurrent.futures
import hashlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

FULL = os.environ.get('NORMA_FAULTS') == 'full'
MODEL = '''name: tiny
input: {height: 8, width: 8, channels: 1}
layers:
  - {name: c1, conv: {filters: 4, kernel: 3, stride: 2, pad: same}}
  - batchnorm: {}
  - relu: {}
  - dropout: {rate: 0.2}
  - gap: {}
  - {name: logits, dense: {units: 3}}
loss: softmax_ce
train: {data: "idx:data", epochs: 6, batch: 8, optimizer: {adam: {lr: 0.01}}, schedule: {cosine: {}}, augment: [pad-crop=1],
  save_every: 2s, keep: 2, eval_every: 3}
'''


def write_idx(path, extents, values):
    with open(path, 'wb') as f:
        f.write(bytes((0, 0, 8, len(extents))) + b''.join(struct.pack('>I', e) for e in extents) + bytes(values))


def make_problem(folder):
    """model.yaml and data, of 72 and 9 images."""
    numbers = random.Random(1)
    data = os.path.join(folder, 'data')
    os.makedirs(data)
    for stem, count in (('train', 72), ('t10k', 9)):
        labels = [i % 3 for i in range(count)]
        pixels = [numbers.randrange(80) + 80 * label for label in labels for _ in range(64)]
        write_idx(os.path.join(data, stem + '-images-idx3-ubyte'), (count, 8, 8), pixels)
        write_idx(os.path.join(data, stem + '-labels-idx1-ubyte'), (count,), labels)
    with open(os.path.join(folder, 'model.yaml'), 'w', encoding='utf-8') as f:
        f.write(MODEL)


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def crash(self):
        """What crashed, or hung; None: neither."""
        said = [line for line in self.err.split('\n') if line.startswith('crashed in ')]
        if self.status is None:
            return (said[0] if said else 'crashed in ?') + ' (it hung)'
        if self.status < 0 or said:
            return said[0] if said else 'ended by signal %d' % -self.status
        return None

    def messages(self):
        return [line for line in self.err.split('\n') if line.startswith('norma: ')]


def kernels():
    """OPENBLAS_CORETYPE: without it norma may start itself again (gemm_core.c), where no library is preloaded any more."""
    with open('/proc/cpuinfo', encoding='ascii', errors='replace') as f:
        flags = f.read().split()
    best = 'SkylakeX' if 'avx512bw' in flags else 'Haswell' if 'avx2' in flags else ''
    return {'OPENBLAS_CORETYPE': best} if best and 'OPENBLAS_CORETYPE' not in os.environ else {}


class Place:
    """A folder of its own with the problem in it, taken away at the end."""

    def __init__(self, norma):
        self.norma = norma
        self.path = tempfile.mkdtemp(prefix='norma-faults-')
        make_problem(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, *names):
        return os.path.join(self.path, *names)

    @staticmethod
    def environment():
        """The same for every run: what a checkpoint says of the machine is compared too."""
        return dict(os.environ, OMP_NUM_THREADS='1', OMP_WAIT_POLICY='passive', **kernels())

    def run(self, words, library=None, timeout=60, **faults):
        """norma WORDS; faults: FAULT_… of the preloaded library, without its prefix."""
        env = self.environment()
        env.update(('FAULT_' + key, str(value)) for key, value in faults.items())
        if library:
            env['LD_PRELOAD'] = library
        with subprocess.Popen([self.norma, *words], cwd=self.path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding='utf-8', errors='replace') as program:
            try:
                out, err = program.communicate(timeout=timeout)
                return Outcome(program.returncode, out, err)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGABRT)  # the library says where it stands
            try:
                out, err = program.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                program.kill()
                out, err = program.communicate()
            return Outcome(None, out, err)

    def count(self, words, library, **faults):
        """Calls that could fail."""
        counted = self.file('count')
        done = self.run(words, library, COUNT=counted, **faults)
        with open(counted, encoding='ascii') as f:
            number = int(f.read().split()[-1])
        os.remove(counted)
        if done.status != 0:
            sys.exit('norma %s: expected status 0 without faults, found %s: %s' % (' '.join(words), done.status, done.err))
        return number

    def remove(self, name):
        shutil.rmtree(self.file(name), ignore_errors=True)

    def copy(self, name, to):
        self.remove(to)
        shutil.copytree(self.file(name), self.file(to), copy_function=shutil.copy2)


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def checkpoints(folder):
    """{name: digest} of the folder's files that carry a checkpoint's name."""
    if not os.path.isdir(folder):
        return {}
    return {name: digest(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith('.h5')}


def contents(place, run):
    """{RUN/name: bytes} of the run's files."""
    found, folder = {}, os.path.join(place, run)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), 'rb') as f:
            found[os.path.join(run, name)] = f.read()
    return found


def rows(folder):
    """metrics.csv without its last column, which is time."""
    with open(os.path.join(folder, 'metrics.csv'), encoding='ascii') as f:
        return [line.rsplit(',', 1)[0] for line in f.read().split('\n') if line]


def chosen(count, most):
    """Numbers from 1 to count: all of them, or about `most` of them, evenly spread."""
    if FULL or count <= most:
        return list(range(1, count + 1))
    return sorted({1 + i * count // most + random.randrange(max(1, count // most)) for i in range(most)})


def each(function, cases):
    """function(case) of each, on all processors; the list of what they return that is not None."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [found for found in pool.map(function, cases) if found is not None]


def finish(title, tried, bad, most_shown=20):
    for line in bad[:most_shown]:
        print(line)
    print('%s: %d tried, %d bad' % (title, tried, len(bad)))
    sys.exit(1 if bad else 0)
