/* The word that was meant by one that is not known: what "did you mean" proposes. */
#include "error.h"
#include "run_suite.h"

#include <string.h>

START_TEST(the_word_that_was_meant)
{
    static const char *const known[] = {"relu", "conv", "dense", "softmax_ce", "sgd", "seed", "lr"};
    static const struct {
        const char *word, *meant; /* NULL: none */
    } cases[] = {{"relu", "relu"},
                 {"rellu", "relu"},         /* a letter too much */
                 {"lxr", "lr"},             /* in words as short as that, too */
                 {"sgxxd", "sgd"},          /* two of them */
                 {"cov", "conv"},           /* a letter too few */
                 {"dnese", "dense"},        /* two letters exchanged */
                 {"danse", "dense"},        /* another letter */
                 {"RELU", "relu"},          /* capitals */
                 {"sgde", "sgd"},           /* nearer than seed */
                 {"seede", "seed"},         /* nearer than sgd */
                 {"softmax", "softmax_ce"}, /* its beginning */
                 {"max", NULL},
                 {"attention", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = nm_nearest(cases[i].word, known, sizeof known / sizeof *known);
        if (cases[i].meant)
            ck_assert_msg(found && strcmp(found, cases[i].meant) == 0, "%s: expected %s, found %s", cases[i].word,
                          cases[i].meant, found ? found : "none");
        else
            ck_assert_msg(!found, "%s: found %s", cases[i].word, found);
    }
}
END_TEST

SUITE("nearest", the_word_that_was_meant)
