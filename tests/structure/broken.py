#!/usr/bin/env python3
"""Each rule of structure.py, on a few files that break it and on the same ones mended."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import structure  # noqa: E402


def function(name, lines):
    return '%s\n{\n%s}\n' % (name, '    x();\n' * lines)


MACRO = '#define ACTIVATION(name)  \\\n    static void name##_forward(int n)  \\\n    {  \\\n        x(n);  \\\n    }\n'
SHORT = function('static void a(void)', 1) * 3
# rule: files that break it, files that do not
CASES = [
    ('base_names', {'src/optim/a.c': '', 'src/data/a.c': ''}, {'src/optim/a.c': '', 'src/optim/a.h': ''}),
    ('include_circles', {'src/data/a.h': '#include "b.h"\n', 'src/data/b.h': '#include "a.h"\n'},
     {'src/data/a.h': '#include "b.h"\n', 'src/data/b.h': ''}),
    ('rooms', {'src/data/a.c': '#include "b.h"\n', 'src/train/b.h': ''},
     {'src/train/a.c': '#include "b.h"\n', 'src/data/b.h': ''}),
    ('rooms', {'src/train/a.c': '#include "b.h"\n', 'src/data/image/b.h': ''},
     {'src/data/a.c': '#include "b.h"\n', 'src/data/image/b.h': ''}),
    ('rooms', {'src/core/graph/a.c': '#include "b.h"\n', 'src/core/graph/receptive/b.h': ''},
     {'src/core/graph/receptive/a.c': '#include "b.h"\n', 'src/core/graph/receptive/b.h': ''}),
    ('rooms', {'src/layers/a.c': '#include "plan.h"\n', 'src/core/plan/plan.h': ''},
     {'src/core/plan/a.c': '#include "plan.h"\n', 'src/core/plan/plan.h': ''}),
    ('rooms', {'examples/a.c': '#include "b.h"\n', 'src/train/b.h': ''},
     {'examples/a.c': '#include <norma/b.h>\n', 'include/norma/b.h': ''}),
    ('rooms', {'include/norma/a.h': '#include "b.h"\n', 'src/data/b.h': ''},
     {'include/norma/a.h': '#include "norma/b.h"\n', 'include/norma/b.h': ''}),
    ('rooms', {'src/attic/a.c': ''}, {'src/data/a.c': ''}),
    ('function_lengths', {'src/data/a.c': SHORT + function('static void b(int n,\n              int m)', 61)},
     {'src/data/a.c': SHORT + function('static void b(int n,\n              int m)', 60)}),
    ('function_lengths', {'src/data/a.c': function('void a(void)', 11) * 3}, {'src/data/a.c': function('void a(void)', 10) * 3}),
    ('file_lengths', {'src/data/a.c': '/* A table. */\n' + 'int x;\n' * 320},
     {'src/data/a.c': '/* A table. Long because it is one. */\n' + 'int x;\n' * 320}),
    ('names_compared', {'src/layers/a.c': 'if (strcmp(next->type->name, "relu") == 0)\n'},
     {'src/layers/a.c': 'if (strcmp(o->mode, "bilinear") == 0)\n'}),
    ('line_lengths', {'src/data/a.c': '    "%s"\n' % ('x' * 120)}, {'src/data/a.c': '    "%s"\n' % ('x' * 114)}),
    ('line_lengths', {'src/data/a.c': '/* short\n * %s */\n' % ('x' * 100)}, {'src/data/a.c': '/* short\n * %s */\n' % ('x' * 90)}),
    ('macro_functions', {'src/layers/shared/a.h': MACRO}, {'src/layers/shared/a_template.h': MACRO}),
    ('plain_names', {'src/layers/a.c': function('static void forward(void)', 1), 'src/layers/b.c': function('static void forward(void)', 1)},
     {'src/layers/a.c': function('static void a_forward(void)', 1), 'src/layers/b.c': function('static void b_forward(void)', 1)}),
]

wrong = 0
for rule, bad, good in CASES:
    for files, expected in ((bad, [rule]), (good, [])):
        found = sorted({broken[0] for broken in structure.broken_rules(files, {'relu', 'add'})})
        if found != expected:
            print('%s of %s: expected %s, found %s' % (rule, sorted(files), expected, found))
            wrong += 1
tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'format')
formatted = subprocess.run([tool, '--check', __file__], capture_output=True, text=True)
if 'is no C file' not in formatted.stderr:
    print('tools/format takes Python for C: %s' % formatted.stderr)
    wrong += 1
missing = {rule.__name__ for rule in structure.RULES} - {case[0] for case in CASES}
if missing:
    print('no case here for', ', '.join(sorted(missing)))
sys.exit(1 if wrong or missing else 0)
