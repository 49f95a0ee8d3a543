/* What stands at the end of a test file: SUITE("name", test, test, …), or SUITE_WITH("name",
 * set_up, test, …) where set_up(TCase *) adds fixtures and loop tests. The files of a folder are
 * one program, for linking each alone takes longer than compiling it: its argument is the X of
 * test_X.c. Check forks each test; nothing here touches OpenMP before that. */
#ifndef RUN_SUITE_H
#define RUN_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_suite {
    const char *file, *name;
    void (*set_up)(TCase *); /* NULL: none */
    const TTest *const *tests;
    size_t count;
    struct test_suite *next;
} test_suite;

/* Keeps `suite` for main; called before it. */
void add_test_suite(test_suite *suite);

#define SUITE_WITH(label, prepare, ...)                                                                                \
    __attribute__((constructor)) static void add_this_suite(void)                                                      \
    {                                                                                                                  \
        const TTest *const listed[] = {__VA_ARGS__};                                                                   \
        static const TTest *tests[sizeof listed / sizeof *listed];                                                     \
        static test_suite suite = {.file = __BASE_FILE__,                                                              \
                                   .name = label,                                                                      \
                                   .set_up = prepare,                                                                  \
                                   .tests = tests,                                                                     \
                                   .count = sizeof tests / sizeof *tests};                                             \
        memcpy(tests, listed, sizeof listed); /* Check makes variables of them, which initialise nothing static */     \
        add_test_suite(&suite);                                                                                        \
    }
#define SUITE(label, ...) SUITE_WITH(label, NULL, __VA_ARGS__)

#endif
