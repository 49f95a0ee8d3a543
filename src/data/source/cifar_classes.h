/* Names of CIFAR's classes, by label. Private to cifar.c. */
#ifndef NM_CIFAR_CLASSES_H
#define NM_CIFAR_CLASSES_H

extern const char *const nm_cifar10_classes[10];
extern const char *const nm_cifar100_classes[100];
extern const char *const nm_cifar100_coarse_classes[20];

#endif
