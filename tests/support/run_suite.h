/* A test program's main: SUITE("name", test, test, …), or SUITE_WITH("name", set_up, test, …) where
 * set_up(TCase *) adds fixtures and loop tests. Check forks each test; nothing here touches OpenMP
 * before that. */
#ifndef RUN_SUITE_H
#define RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/* 1 with the address sanitizer, where a test may do with fewer cases: it sees the code in each. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static inline int run_suite(const char *name, void (*set_up)(TCase *), const TTest *const *tests, size_t count)
{
    enum { SECONDS = 120 };
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, SECONDS);
    if (set_up)
        set_up(tcase);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SUITE_WITH(name, set_up, ...)                                                                                  \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        return run_suite(name, set_up, tests, sizeof tests / sizeof *tests);                                           \
    }
#define SUITE(name, ...) SUITE_WITH(name, NULL, __VA_ARGS__)

#endif
