/* Between the stages that make a network: parse -> link -> infer. Private to src/core. */
#ifndef NM_PARSE_H
#define NM_PARSE_H

#include "network.h"

/* Reads inputs, layers, losses into nodes with names and options, without edges. */
nm_status nm_parse(nm_network *net);
/* The losses alone: a part of nm_parse. */
nm_status nm_parse_losses(nm_network *net);
/* Resolves `from`, `share` and the losses' nodes, leaves out the types in `without`, sorts the
 * nodes. */
nm_status nm_link(nm_network *net, const nm_strings *without);
/* Sorts the nodes so that each follows those it reads, and drops those that are gone ([nodes]). */
nm_status nm_order(nm_network *net, const bool *gone);
void nm_node_clear(nm_node *node);
/* Sets `rectified` of linked nodes. */
void nm_find_rectified(nm_network *net);
/* What `auto` means at this node: its readers are known once the nodes are linked. */
nm_init nm_init_resolve(const nm_network *net, int node, nm_init init);
/* Shapes and parameters; the slabs. */
nm_status nm_infer_shapes(nm_network *net);
/* What the outputs are and which loss judges the prediction; refuses losses of scores that are
 * given probabilities. */
nm_status nm_find_prediction(nm_network *net);

/* The keys of a model file. */
enum { NM_TOP_KEYS = 8 };
extern const char *const nm_top_keys[NM_TOP_KEYS];

/* Refuses a name that is not a word of printable characters: names become paths in files, and are
 * shown on terminals and in pictures. `whose` is "a layer's" or the like. */
nm_status nm_check_name(nm_context *ctx, const nm_yaml *name, const char *whose);

/* One entry of `layers:`: its type word, its options (NULL: none), its own name or NULL. */
typedef struct nm_entry {
    const nm_yaml *at, *type, *options;
    const char *name;
} nm_entry;
/* Records what is wrong with the entry's form. */
nm_status nm_entry_read(nm_context *ctx, const nm_yaml *item, nm_entry *entry);

/* The names of all entries, given or made; [layers->count] pointers and the texts behind them in
 * one block. */
nm_status nm_entry_names(nm_context *ctx, const nm_yaml *layers, char ***names);

/* nm_network_open without settings: they are the caller's, or there are none. */
nm_status nm_network_build(nm_context *ctx, nm_yaml *document, const nm_strings *without, nm_network **out) NM_MUST_USE;

#endif
