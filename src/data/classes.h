/* Classes by name: the labels of one data set in the numbers of another. */
#ifndef NM_CLASSES_H
#define NM_CLASSES_H

#include "dataset.h"

/* Gives the samples the labels that their classes' names have in `names` (one a line, in the order
 * of their numbers), and the data set those classes; what it lacks are classes without samples.
 * NM_INVALID: it has samples of a class that is not among them; the message names such classes. */
nm_status nm_dataset_match_classes(nm_context *ctx, nm_dataset *data, const char *names) NM_MUST_USE;

/* The name of class `number`, as `source` (a path, or what the data set is called) has it.
 * NM_INVALID: it is not UTF-8 or has control characters; names are kept one a line, and shown. */
nm_status nm_class_name_check(nm_context *ctx, const char *source, int number, const char *name) NM_MUST_USE;

#endif
