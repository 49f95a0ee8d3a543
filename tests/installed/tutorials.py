#!/usr/bin/env python3
"""tutorials.py INCLUDE: prints a C program of the code in the heads of the extending tier's headers, which registers all
types in it and trains a network of them."""
import os
import re
import sys

MAIN = r'''
static const char text[] = "input: {height: 28, width: 28, channels: 1}\n"
                           "layers:\n"
                           "- conv: {filters: 4, kernel: 3, stride: 2}\n"
                           "- gain: {shift: 0.1}\n"
                           "- signed_square\n"
                           "- {name: scores, dense: {units: 10}}\n"
                           "loss: softmax_ce\n"
                           "train: {data: digits, limit: 2000, batch: 32, epochs: 2, optimizer: {descent: {lr: 0.003}}}\n";

int main(void)
{
    nm_context *ctx = nm_context_new();
    nm_model *model = NULL;
    nm_outcome outcome = NM_OUTCOME_INIT;
    nm_status status = nm_register_layer(ctx, &gain_type);
    if (status == NM_OK)
        status = nm_register_layer(ctx, &signed_square);
    if (status == NM_OK)
        status = nm_register_loss(ctx, &square_type);
    if (status == NM_OK)
        status = nm_register_optimizer(ctx, &descent_type);
    if (status == NM_OK)
        status = nm_model_parse(ctx, text, &model);
    if (status == NM_OK)
        status = nm_model_train(ctx, model, NULL, &outcome);
    for (int i = 0; i < nm_error_count(ctx); i++)
        fprintf(stderr, "%s\n", nm_error_message(ctx, i));
    if (status == NM_OK)
        printf("tutorials: %.1f %% right\n", 100 * outcome.best_accuracy);
    bool learnt = status == NM_OK && outcome.best_accuracy > 0.5;
    nm_outcome_free(&outcome);
    nm_model_free(model);
    nm_context_free(ctx);
    return learnt ? 0 : 1;
}
'''


def code(path):
    """The indented lines of the first comment, from the first declaration to the last closing brace."""
    with open(path, encoding='utf-8') as f:
        head = f.read().split('#ifndef', 1)[0]
    lines = [line[7:] for line in head.splitlines() if line == ' *' or line.startswith(' *     ')]
    text = '\n'.join(lines)
    start = min(m.start() for m in re.finditer(r'^(typedef|static) ', text, re.M))
    return text[start:text.rindex('\n};') + 3]


def main():
    include = os.path.join(sys.argv[1], 'norma')
    print('#include <norma/extending.h>\n#include <norma/norma.h>\n#include <math.h>\n#include <stdio.h>')
    for name in ('extending', 'layer', 'loss', 'optimizer'):
        print(re.sub(r'(?<!\.)\boptions\b(?= *[\[,])', 'options_of_' + name, code(os.path.join(include, name + '.h'))))
    print(MAIN)


if __name__ == '__main__':
    main()
