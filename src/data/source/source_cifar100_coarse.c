/* CIFAR-100 by its coarse labels; cifar.c reads it. */
#include "sources.h"

extern const nm_source_type nm_source_cifar100_coarse;
const nm_source_type nm_source_cifar100_coarse = {
    .name = "cifar100-coarse",
    .help = "CIFAR-100 by its 20 coarse labels (the superclasses)",
    .folder = "cifar100",
    .fetch = "datasets/fetch-cifar100",
    .open = nm_open_cifar100_coarse,
};
