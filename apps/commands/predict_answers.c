/* What predict says of an image. */
#include "characters.h"
#include "predict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The most probable class that is not yet taken; `taken` marks those above it. */
static int next_best(const oracle *o, const float *scores, const bool *taken)
{
    int best = -1;
    for (int c = 0; c < o->classes; c++)
        if (!taken[c] && (best < 0 || scores[c] > scores[best]))
            best = c;
    return best;
}

static const char *name_of(const oracle *o, int c)
{
    return name_or_number(nm_predictor_class_name(o->predictor, c), c);
}

static void print_as_json(const oracle *o, const char *name, const float *scores, const int *best, int count)
{
    const char *what = nm_predictor_probabilities(o->predictor) ? "probability" : "score";
    json_t *all = json_array();
    for (int k = 0; k < count; k++)
        json_array_append_new(
            all, json_pack("{s:s, s:o}", "class", name_of(o, best[k]), what, json_number((double)scores[best[k]])));
    json_t *first = !isnan(scores[best[0]]) ? json_string(name_of(o, best[0])) : json_null();
    json_t *whole = json_pack("{s:o, s:o, s:o}", "file", json_text(name), "class", first, "top", all);
    add_predictor(whole, o->predictor);
    print_json(whole);
}

static void print_as_text(const oracle *o, const char *name, const float *scores, const int *best, int count)
{
    printf("%s:", shown(name));
    for (int k = 0; k < count; k++)
        printf("%s %s %s%.4f", k ? "," : "", name_of(o, best[k]),
               nm_predictor_probabilities(o->predictor) ? "" : "score ", (double)scores[best[k]]);
    printf("\n");
}

nm_status predict_print(const oracle *o, const char *name, const float *scores)
{
    int count = o->args->top < o->classes ? o->args->top : o->classes;
    bool *taken = calloc((size_t)o->classes, sizeof *taken);
    int *best = calloc((size_t)count, sizeof *best);
    for (int k = 0; taken && best && k < count; k++) {
        best[k] = next_best(o, scores, taken);
        taken[best[k]] = true;
    }
    nm_status status = taken && best ? NM_OK : NM_FAILED;
    if (status == NM_OK && o->args->json)
        print_as_json(o, name, scores, best, count);
    else if (status == NM_OK && !isnan(scores[0]))
        print_as_text(o, name, scores, best, count);
    else if (status == NM_OK)
        printf("%s: no class\n", shown(name));
    free(taken);
    free(best);
    return status;
}
