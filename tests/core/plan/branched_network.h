/* Networks for tests of plans, and one with every kind of fan-out. */
#ifndef BRANCHED_NETWORK_H
#define BRANCHED_NETWORK_H

#include "network_support.h"
#include "with_context.h"

static inline nm_network *built(const char *text)
{
    nm_network *net = network_from(ctx, text, NULL);
    nm_network_initialise(net, 1);
    return net;
}

/* A residual block, a concat of a layer with itself, an auxiliary loss: every kind of fan-out. */
static const char branches[] = "input: {height: 6, width: 5, channels: 2}\n"
                               "defaults: {conv: {kernel: 3, pad: same}}\n"
                               "layers:\n"
                               "- {name: c1, conv: {filters: 4}}\n- batchnorm\n- relu\n"
                               "- {name: c2, conv: {filters: 4}}\n- batchnorm\n"
                               "- {name: sum, add: {}, from: [c2.batchnorm, c1.relu]}\n- relu\n"
                               "- {name: twice, concat: {}, from: [sum.relu, sum.relu]}\n"
                               "- {name: back, add: {}, from: [sum.relu, c1.relu]}\n"
                               "- {name: all, concat: {}, from: [twice, back]}\n"
                               "- gap\n- {name: main, dense: {units: 3}}\n"
                               "- {name: side, dense: {units: 3}, from: c1.relu}\n"
                               "loss: [{softmax_ce: {}, from: main}, {softmax_ce: {}, from: side, weight: 0.3}]\n";

#endif
