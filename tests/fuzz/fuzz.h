/* A target reads bytes as one format. It is linked with libFuzzer, or with driver.c. What it finds
 * are crashes, reports of sanitizers, and executions that do not end. */
#ifndef FUZZ_H
#define FUZZ_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A context that allows little memory to images and files of data. */
nm_context *fuzz_context(void);

/* For formats that are read from files: NAME in a folder of the process's own holds the bytes.
 * Returns its path, or with a name of NULL that of the folder. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size);

/* A result without a message, or an error without a status, is a find. */
void fuzz_judge(nm_context *ctx, nm_status status);

#endif
