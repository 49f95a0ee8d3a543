/* Standard streams that are closed, full or without a reader, and files that may not grow: nothing
 * is lost but what could not be printed, and that is said. */
#include "program.h"

/* Without them the first files that are opened would be printed into. */
START_TEST(closed_streams)
{
    expect(0, "norma train tiny.yaml --steps 3 --run r 2>&- <&- && norma train --resume --steps 4 --run r 2>&-");
    ck_assert_int_eq(shell("tr -d '0-9 ' <r/lock | tr -d '\\n' | grep -qx norma").status, 0);
    expect(1, "norma train tiny.yaml --steps 3 --run o >&- 2>&- <&-");
    expect(0, "norma eval o");
    contains(expect(1, "norma eval o >&-").err, "standard output: cannot write");
    expect(2, "norma eval nowhere >&-"); /* nothing was to be printed */
}
END_TEST

/* Every command, its help, and what is no command. */
START_TEST(full_stdout)
{
    static const char *const lines[] = {"--help",
                                        "--version",
                                        "help",
                                        "help train",
                                        "train --help",
                                        "layers",
                                        "layers conv",
                                        "models",
                                        "data digits",
                                        "summary tiny.yaml",
                                        "eval r",
                                        "eval r --json",
                                        "eval -h",
                                        "predict --help",
                                        "compare --help",
                                        "plot r --terminal",
                                        "bn-report r",
                                        "bench --help",
                                        "summary tiny.yaml --json",
                                        "summary tiny.yaml --plan",
                                        "completions commands"};
    expect(0, "norma train tiny.yaml --steps 3 --run r");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        said s = expect(1, "norma %s >/dev/full", lines[i]);
        ck_assert_msg(strstr(s.err, "norma: standard output: cannot write: ") != NULL, "norma %s: %.1000s", lines[i],
                      s.err);
    }
    /* what went wrong before stays the status */
    expect(2, "{ norma help nothing; } >/dev/full");
    expect(3, "norma train tiny.yaml --lr 1e9 --steps 20 --run d >/dev/full");
}
END_TEST

START_TEST(stdout_without_a_reader)
{
    expect(0, "{ sleep 0.5; norma layers; echo $? >status; } | true; grep -qx 1 status");
    contains(read_text("err.txt"), "standard output: cannot write: ");
}
END_TEST

/* As with 2>&1 | head -1: the log is lost, the run is not. */
START_TEST(log_without_a_reader)
{
    expect(0, "norma train tiny.yaml --epochs 3 --run whole");
    expect(0, "{ norma train tiny.yaml --epochs 3 --run cut 2>&1 >/dev/null; echo $? >status; } | head -1; "
              "grep -qx 0 status");
    ck_assert(same_bytes("whole/last.h5", "cut/last.h5") && same_curves("whole", "cut"));
    expect(0, "norma train tiny.yaml --epochs 3 --run full 2>/dev/full");
    ck_assert(same_bytes("whole/last.h5", "full/last.h5"));
}
END_TEST

/* SIGXFSZ is an error like a full disk: the checkpoint before it stays, and nothing half written.
 */
START_TEST(files_that_may_not_grow)
{
    expect(0, "norma train tiny.yaml --steps 3 --run r && cp r/last.h5 before.h5");
    contains(expect(1, "ulimit -f 8; norma train --resume --steps 6 --run r").err, "r/best.h5: cannot write: ");
    ck_assert(same_bytes("before.h5", "r/last.h5"));
    expect(0, "test -z \"$(find r -name '.*' -type f)\" && norma train --resume --steps 6 --run r");
    contains(expect(1, "ulimit -f 1; norma summary --verbose mnist-cnn >text.txt").err, "norma: standard output: ");
}
END_TEST

/* gnuplot and what it starts are ended by SIGPIPE, as programs are. */
START_TEST(programs_have_the_signals_as_they_were)
{
    expect(0,
           "mkdir bin && printf '#!/bin/sh\\ncat >/dev/null\\ngrep SigIgn /proc/self/status >%%s/ignored\\n' \"$PWD\" "
           ">bin/gnuplot && chmod +x bin/gnuplot");
    expect(0, "norma train tiny.yaml --steps 3 --run r");
    shell("PATH=\"$PWD/bin:$PATH\"; norma plot r");
    if (shell("test -e ignored").status == 0) /* no fonts: gnuplot is not called */
        expect(0, "test $((0x$(cut -f2 ignored) & 0x1001000)) = 0");
}
END_TEST

SUITE_WITH("streams", in_own_folder, closed_streams, full_stdout, stdout_without_a_reader, log_without_a_reader,
           files_that_may_not_grow, programs_have_the_signals_as_they_were)
