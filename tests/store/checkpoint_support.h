/* A network and a state of training to save. */
#ifndef CHECKPOINT_SUPPORT_H
#define CHECKPOINT_SUPPORT_H

#include "parse.h"
#include "train_support.h"

#include <math.h>

static const char *const slot_names[] = {"m", "v"};
static double means[] = {0.3}, deviations[] = {0.2};

/* A network with values and a state of training with numbers that are easy to distinguish. */
typedef struct saved {
    nm_network *net;
    nm_train_state state;
} saved;

static inline nm_network *network(const char *text)
{
    nm_network *net = NULL;
    nm_strings none = {0};
    ck_assert_done(nm_network_build(ctx, parse_model(text), &none, &net));
    return net;
}

static inline saved make_saved(void)
{
    saved s = {.net = network(SMALL_MODEL)};
    nm_network_initialise(s.net, 5);
    s.state = (nm_train_state){.step = 12,
                               .seed = 5,
                               .steps_per_epoch = 10,
                               .loss_sum = 0.1,
                               .correct = 17,
                               .seen = 64,
                               .best_accuracy = 0.25,
                               .best_step = 10,
                               .history_count = 2,
                               .optimizer = "adam",
                               .slots = 2,
                               .slot_names = slot_names,
                               .data = "digits"};
    s.state.normalisation = (nm_normalisation){.channels = 1, .mean = means, .deviation = deviations};
    s.state.history = nm_alloc(ctx, 2, sizeof *s.state.history);
    s.state.history[0] = (nm_history_row){5, 1, 0.1, 2.5, 0.5, (double)NAN, (double)NAN};
    s.state.history[1] = (nm_history_row){10, 1, 0.05, 1.5, 0.75, 1.25, 0.25};
    for (int k = 0; k < 2; k++) {
        s.state.slot[k] = nm_alloc(ctx, s.net->weight_count, sizeof(real));
        for (size_t i = 0; i < s.net->weight_count; i++)
            s.state.slot[k][i] = (real)(k + 1) * (real)i;
    }
    for (size_t i = 0; i < s.net->state_count; i++)
        s.net->states[i] = (real)1 / (real)(i + 3);
    return s;
}

static inline void free_saved(saved *s)
{
    nm_free(s->state.history);
    nm_free(s->state.slot[0]);
    nm_free(s->state.slot[1]);
    nm_network_free(s->net);
}

#endif
