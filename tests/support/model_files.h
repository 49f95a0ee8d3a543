/* The files of models/: a loop test over all of them; those of ImageNet's size are known by their
 * cost. */
#ifndef MODEL_FILES_H
#define MODEL_FILES_H

#include "network.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define IMAGENET 5e8 /* multiply-adds: networks of more are of ImageNet's size */

static char *names[128]; /* without .yaml, sorted */
static int models;

static inline const char *models_folder(void)
{
    return getenv("NORMA_MODELS") ? getenv("NORMA_MODELS") : "models";
}

static inline int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void find_models(void)
{
    DIR *d = opendir(models_folder());
    struct dirent *entry;
    while (d && (entry = readdir(d)) && models < 128) {
        char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".yaml") == 0)
            names[models++] = strndup(entry->d_name, (size_t)(dot - entry->d_name));
    }
    if (d)
        closedir(d);
    qsort(names, (size_t)models, sizeof *names, by_name);
}

static inline double cost_of(const nm_network *net)
{
    double cost = 0;
    for (int i = net->inputs; i < net->nodes; i++)
        cost += nm_node_cost(&net->node[i]);
    return cost;
}

#endif
