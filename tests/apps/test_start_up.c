/* The program starts at once: it touches little memory and waits for nothing before its command
 * runs. Counted, as a clock would measure the machine's load; `meson test --benchmark start-up` has
 * the time. */
#include "start.h"

#include "run_suite.h"

/* 900 pages are touched, most of them the libraries'. Whoever decodes tables, starts threads or
 * makes buffers before they are needed comes above this. */
enum { MOST_PAGES = 2000, MOST_KILOBYTES = 40000, MOST_WAITS = 50 };

START_TEST(touches_little)
{
    static const char *const arguments[] = {"--version", "layers"};
#if defined(__SANITIZE_ADDRESS__)
    return; /* its own memory is touched too */
#endif
    for (int i = 0; i < 2; i++) {
        struct rusage used;
        ck_assert(start_program(arguments[i], &used)); /* the first may read files from the disk */
        ck_assert(start_program(arguments[i], &used));
        long waits = used.ru_nvcsw - used.ru_majflt;
        ck_assert_msg(used.ru_minflt <= MOST_PAGES && used.ru_maxrss <= MOST_KILOBYTES && waits <= MOST_WAITS,
                      "norma %s: %ld pages, allowed %d; %ld kB, allowed %d; %ld waits, allowed %d", arguments[i],
                      used.ru_minflt, MOST_PAGES, used.ru_maxrss, MOST_KILOBYTES, waits, MOST_WAITS);
    }
}
END_TEST

SUITE("start up", touches_little)
