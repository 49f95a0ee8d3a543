/* CIFAR-10; cifar.c reads it. */
#include "sources.h"

extern const nm_source_type nm_source_cifar10;
const nm_source_type nm_source_cifar10 = {
    .name = "cifar10",
    .help = "photographs of 10 classes, 50,000 + 10,000 of 32x32 in colour (binary version)",
    .fetch = "datasets/fetch-cifar10",
    .open = nm_open_cifar10,
};
