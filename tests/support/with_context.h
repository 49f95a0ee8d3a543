/* A context of its own for each test of a program: with_context(tcase) in the suite's set_up. */
#ifndef WITH_CONTEXT_H
#define WITH_CONTEXT_H

#include "error.h"

#include <check.h>

static nm_context *ctx;

static void open_context(void)
{
    ctx = nm_context_new();
}

static void close_context(void)
{
    nm_context_free(ctx);
}

static inline void with_context(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, open_context, close_context);
}

#endif
