/* CIFAR-100; cifar.c reads it. */
#include "sources.h"

extern const nm_source_type nm_source_cifar100;
const nm_source_type nm_source_cifar100 = {
    .name = "cifar100",
    .help = "photographs of 100 classes, 50,000 + 10,000 of 32x32 in colour (binary version)",
    .fetch = "datasets/fetch-cifar100",
    .open = nm_open_cifar100,
};
