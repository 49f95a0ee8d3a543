#!/usr/bin/env python3
"""structure.py [FOLDER]: how the code lies, in the folder of the project or in FOLDER. Says file, line and what to do, and
exits 1, where something breaks a rule below. CONTRIBUTING.md has the reasons."""
import os
import re
import statistics
import sys

MOST_FILE, MOST_FUNCTION, MOST_MEDIAN = 320, 60, 10  # lines
MOST_LINE, MOST_COMMENT = 120, 100  # columns
CODE = ('include', 'src', 'apps', 'bench', 'examples', 'tests')

CORE = ['include', 'src/core/base', 'src/core/document', 'src/core/graph']
DATA = CORE + ['src/data']
STORE = DATA + ['src/store']
TRAIN = STORE + ['src/train']
# Whose headers a room may include beside its own: src/meson.build gives the include paths. Headers count that lie in the
# named folder itself; those in folders below it are private to their room. Tests may see everything.
SEES = {
    'include': [],
    'src/core/base': CORE[:1],
    'src/core/document': CORE[:2],
    'src/core/graph': CORE[:3],
    'src/core/plan': CORE,
    'src/layers': CORE,
    'src/losses': CORE,
    'src/optim': CORE,
    'src/data': CORE,
    'src/store': DATA,
    'src/train': STORE,
    'src/api': TRAIN,
    'src/mpi': ['src/core/base'],
    'apps': TRAIN,
    'examples': ['include'],
}
# Folders of a room that no other folder of it reads.
PRIVATE = ['src/core/base/h5', 'src/core/base/processes', 'src/core/graph/construct', 'src/core/graph/receptive', 'src/layers/conv/winograd',
           'src/layers/conv/depthwise']
# What a type's functions are called in its table: as static functions they carry the type's name before it.
PLAIN = {'forward', 'backward', 'infer', 'plan', 'cost', 'window', 'open', 'update', 'forward_task', 'backward_task'}
NUMERIC = ('src/layers/', 'src/losses/', 'src/optim/', 'src/data/')


def read_all(root):
    """The text of every C file, by its name from the root."""
    files = {}
    for top in CODE:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if not f.startswith(('.', 'build')))
            for name in sorted(names):
                if name.endswith(('.c', '.h')):
                    path = os.path.join(folder, name)
                    with open(path, encoding='utf-8') as f:
                        files[os.path.relpath(path, root)] = f.read()
    return files


def base_names(files):
    """A name says which file: in messages of the compiler, in a debugger, in an include."""
    first = {}
    for file in files:
        other = first.setdefault(os.path.basename(file), file)
        if other != file:
            yield file, 0, 'has the name of %s: rename one of them' % other


def included(files):
    """{file: [(line, header of the project)]}."""
    by_name = {os.path.basename(file): file for file in files if file.endswith('.h')}
    found = {}
    for file, text in files.items():
        found[file] = []
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(?:"|<(?=norma/))([^">]+)[">]', text, re.M):
            header = by_name.get(os.path.basename(match.group(1)))
            if header:
                found[file].append((text.count('\n', 0, match.start()) + 1, header))
    return found


def include_circles(files):
    """A header that needs itself cannot be read alone."""
    includes, state = included(files), {}

    def visit(file, path):
        state[file] = 'open'
        for line, header in includes[file]:
            if state.get(header) == 'open':
                circle = path[path.index(header):] + [header]
                yield file, line, 'closes a circle of includes (%s): take one of them out' % ' -> '.join(circle)
            elif header not in state:
                yield from visit(header, path + [header])
        state[file] = 'done'

    for file in files:
        if file not in state:
            yield from visit(file, [file])


def room_of(file):
    return max((room for room in SEES if file.startswith(room + '/')), key=len, default=None)


def rooms(files):
    """What a room includes stands below it."""
    for file, headers in included(files).items():
        if file.startswith('tests/') or file.startswith('bench/'):
            continue
        room = room_of(file)
        if room is None:
            yield file, 0, 'lies in no room: tests/structure/structure.py (SEES) has none for this folder'
            continue
        for line, header in headers:
            folder = os.path.dirname(header)
            theirs = room_of(header)
            private = next((p for p in PRIVATE if (folder + '/').startswith(p + '/')), None)
            if theirs == room and private and not file.startswith(private + '/'):
                yield file, line, 'includes %s, which is private to %s' % (header, private)
            elif theirs != room and theirs != 'include' and folder not in SEES[room]:
                yield file, line, 'includes %s: %s may include headers of %s only' % (
                    header, room, ', '.join(SEES[room]))
            elif theirs == 'include' != room and 'include' not in SEES[room]:
                yield file, line, 'includes %s, which %s must not' % (header, room)


def functions(text):
    """(line of its opening brace, name, lines within its braces, whether static), by the layout that tools/format gives."""
    lines = text.split('\n')
    for number, line in enumerate(lines):
        if line != '{':
            continue
        start = number - 1
        while start > 0 and lines[start - 1] and not re.search(r'[;}{]$|\*/$|^#|\\$', lines[start - 1]):
            start -= 1
        head = ' '.join(lines[start:number])
        name = re.search(r'(\w+)\(', head)
        end = next((k for k in range(number, len(lines)) if lines[k].startswith('}')), len(lines))
        label = name.group(1) if name else head
        if label == 'START_TEST':
            label = re.search(r'START_TEST\((\w*)', head).group(1)
        yield number + 1, label, end - number - 1, head.startswith('static')


def function_lengths(files):
    """A function is read at one look."""
    lengths = []
    for file, text in files.items():
        for line, name, length, _ in functions(text):
            lengths.append(length)
            if length > MOST_FUNCTION:
                yield file, line, '%s has %d lines, more than %d: split it' % (name, length, MOST_FUNCTION)
    if lengths and statistics.median(lengths) > MOST_MEDIAN:
        yield '(all files)', 0, 'functions have %g lines in the median, more than %d' % (statistics.median(lengths),
                                                                                      MOST_MEDIAN)


def head_comment(text):
    match = re.match(r'\s*/\*(.*?)\*/', text, re.S)
    return ' '.join(re.sub(r'^\s*\*', '', line) for line in match.group(1).split('\n')) if match else ''


def file_lengths(files):
    """A file has one subject."""
    for file, text in files.items():
        length = text.count('\n')
        if length > MOST_FILE and not re.search(r'\blong,? +(because|as|for)\b', head_comment(text), re.I):
            yield file, length, ('is longer than %d lines: split it, or let its first comment say why ("Long because '
                                 '...")' % MOST_FILE)


def layer_names(root):
    with open(os.path.join(root, 'src/layers/meson.build'), encoding='utf-8') as f:
        paths = re.search(r'layer_paths = \[(.*?)\]', f.read(), re.S).group(1)
    return {os.path.basename(path) for path in re.findall(r"'([^']+)'", paths)}


def names_compared(files, names):
    """A layer that asks for another's name knows it."""
    for file, text in files.items():
        if not file.startswith('src/layers/'):
            continue
        for number, line in enumerate(text.split('\n'), 1):
            if 'strcmp' not in line:
                continue
            words = set(re.findall(r'"(\w+)"', line)) & names
            if words or 'type->name' in line:
                yield file, number, 'asks for a layer by its name%s: let the type say what it can' % (
                    ' (%s)' % ', '.join(sorted(words)) if words else '')


def line_lengths(files):
    """Two files fit beside each other."""
    for file, text in files.items():
        inside = False
        for number, line in enumerate(text.split('\n'), 1):
            words = line.strip()
            comment = inside or words.startswith('//') or (words.startswith('/*') and
                                                           ('*/' not in words or words.endswith('*/')))
            if words.startswith('/*') and '*/' not in words:
                inside = True
            elif inside and '*/' in words:
                inside = False
            most = MOST_COMMENT if comment else MOST_LINE
            if len(line) > most:
                yield file, number, 'has %d columns, more than %d: break it (a string literal too)' % (len(line), most)


def macro_functions(files):
    """Functions that a debugger cannot step through are announced by the file's name."""
    body = re.compile(r'^[ \t]+(?:static|inline|void|nm_status|bool|int|real|double|size_t)\b[^;={}]*\([^;{}]*\)[ \t]*'
                      r'(?:\\\n[ \t]*)?\{', re.M)
    for file, text in files.items():
        if not file.startswith(('src/', 'apps/', 'include/')) or file.endswith('_template.h'):
            continue
        for macro in re.finditer(r'^#define[^\n]*\\\n(?:[^\n]*\\\n)*[^\n]*\n', text, re.M):
            match = body.search(macro.group(0))
            if match:
                line = text.count('\n', 0, macro.start()) + macro.group(0).count('\n', 0, match.start()) + 1
                yield file, line, 'a macro defines functions: such headers are called *_template.h'


def plain_names(files):
    """A stack trace or a profile names one function."""
    where = {}
    for file, text in files.items():
        if file.startswith(NUMERIC):
            for line, name, _, static in functions(text):
                if static and name in PLAIN:
                    where.setdefault(name, []).append((file, line))
    for name, places in where.items():
        for file, line in places if len(places) > 1 else []:
            yield file, line, 'a static function %s, as in %d other files: name it after its type (tanh_%s)' % (
                name, len(places) - 1, name)


# What a rule does not hold for yet: (rule, file or folder). An entry that nothing needs any more is to be taken out.
LATER = []

RULES = [base_names, include_circles, rooms, function_lengths, file_lengths, names_compared, line_lengths, macro_functions,
         plain_names]


def broken_rules(files, names):
    """(rule, file, line, what) of everything that breaks a rule."""
    for rule in RULES:
        for file, line, what in rule(files, names) if rule is names_compared else rule(files):
            yield rule.__name__, file, line, what


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..', '..'))
    files, broken, needed = read_all(root), 0, set()
    for rule, file, line, what in broken_rules(files, layer_names(root)):
        later = next((entry for entry in LATER if entry[0] == rule and file.startswith(entry[1])), None)
        if later:
            needed.add(later)
            continue
        print('%s%s: %s' % (file, ':%d' % line if line else '', what))
        broken += 1
    for rule, file in (entry for entry in LATER if entry not in needed):
        print('LATER in structure.py need not have %s of %s any more' % (rule, file))
    print('structure: %d files, %d broken rules' % (len(files), broken))
    return 1 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
