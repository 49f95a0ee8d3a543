/* What `norma summary` has found out about a network, for its table and its JSON. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "network.h"
#include "train.h"

#include <jansson.h>

typedef struct summary {
    nm_network *net;
    nm_plan *train, *eval; /* train NULL: the network has no loss */
    nm_receptive *field;   /* [nodes]: by the largest path */
    nm_node_paths *paths;  /* [nodes]; NULL: not asked for */
    int batch;
    const nm_train_settings *settings;
    size_t parameters;
    double cost;
    int name_width;     /* columns of the longest name, in the table */
    int anchor, suited; /* the object's size, 0: none; the layer that suits it, or -1 */
} summary;

/* Where an evenly laid grid of that jump has its first centre: half a jump into the image, in pixel
 * centres. */
static inline double even_start(double jump)
{
    return (jump - 1) / 2;
}

/* Bytes that the layer's output takes, of one sample. */
static inline size_t output_bytes(const nm_node *node)
{
    return nm_shape_size(node->out) * sizeof(real);
}

/* "1.5 MB"; text: for the result. */
const char *summary_bytes(size_t count, char *text, size_t size);

/* "training, batch 128 in 8 shards of 16". Returns text. */
const char *summary_plan_title(const summary *s, const char *mode, const nm_plan *plan, char *text, size_t size);

void summary_print_table(summary *s, bool verbose);

/* `--plan`: the operations and the memory of both plans; of one, for the JSON. */
void summary_print_plans(const summary *s);
json_t *summary_plan_json(const summary *s, const nm_plan *plan);

#endif
