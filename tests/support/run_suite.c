#include "run_suite.h"

#include "gemm.h"

#include <signal.h>
#include <stdio.h>

enum { SECONDS = 120 };

static test_suite *suites;

void add_test_suite(test_suite *suite)
{
    suite->next = suites;
    suites = suite;
}

/* "…/test_mish.c" is the suite of "mish". */
static int is_called(const test_suite *suite, const char *name)
{
    const char *slash = strrchr(suite->file, '/'), *file = slash ? slash + 1 : suite->file;
    size_t length = strlen(name);
    return strncmp(file, "test_", 5) == 0 && strncmp(file + 5, name, length) == 0 &&
           strcmp(file + 5 + length, ".c") == 0;
}

static int failures_of(const test_suite *test)
{
    Suite *suite = suite_create(test->name);
    TCase *tcase = tcase_create(test->name);
    tcase_set_timeout(tcase, SECONDS);
    if (test->set_up)
        test->set_up(tcase);
    for (size_t i = 0; i < test->count; i++)
        tcase_add_test(tcase, test->tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

int main(int argc, char **argv)
{
    nm_gemm_restart_with_core(argv); /* as the program does: both have the same bits */
    signal(SIGHUP, SIG_DFL);         /* nohup has it ignored, and so would the programs that tests start and stop */
    for (const test_suite *suite = suites; suite && argc == 2; suite = suite->next)
        if (is_called(suite, argv[1]))
            return failures_of(suite) ? EXIT_FAILURE : EXIT_SUCCESS;
    fprintf(stderr, "usage: %s NAME\nruns the tests of test_NAME.c; there are:\n", argv[0]);
    for (const test_suite *suite = suites; suite; suite = suite->next)
        fprintf(stderr, "%s\n", suite->file);
    return 2;
}
