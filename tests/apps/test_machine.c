/* The machine as it is: many threads, bound threads, little address space, a build folder
 * anywhere. */
#include "program.h"

#if defined __SANITIZE_ADDRESS__
enum { CHECKS_ADDRESSES = 1 };
#else
enum { CHECKS_ADDRESSES = 0 };
#endif

START_TEST(up_to_1024_threads)
{
    expect(0, "norma train tiny.yaml --steps 3 --run a --threads 1");
    static const int threads[] = {96, 300, 1024};
    for (int i = 0; i < 3; i++) {
        said s = expect(0, "norma train tiny.yaml --steps 3 --run b%d --threads %d", i, threads[i]);
        ck_assert_msg(strstr(s.err, "OpenBLAS") == NULL, "%.1000s", s.err);
        ck_assert(shell("cmp a/last.h5 b%d/last.h5", i).status == 0);
    }
    static const char *const commands[] = {"train tiny.yaml", "eval a", "predict a x.png", "bench tiny.yaml"};
    for (int i = 0; i < 4; i++) {
        contains(expect(2, "norma %s --threads 1025", commands[i]).err, "from 1 to 1024; found '1025'");
        contains(expect(2, "norma %s --threads 0", commands[i]).err, "from 1 to 1024; found '0'");
    }
    expect(0, "norma eval a --threads 200");
}
END_TEST

static int threads_with(const char *setting)
{
    said s = expect(0, "unset OMP_NUM_THREADS; %s norma bench tiny.yaml --batch 8 --seconds 1 --json", setting);
    json_t *j = parse_json(s.out);
    int threads = (int)number_at(entry_of(j, 0), "threads");
    json_decref(j);
    return threads;
}

/* libgomp binds the first thread to one processor. */
START_TEST(bound_threads_cost_no_cores)
{
    int plain = threads_with("");
    static const char *const settings[] = {"OMP_PROC_BIND=true", "OMP_PLACES=threads", "GOMP_CPU_AFFINITY=0-1023",
                                           "OMP_PROC_BIND=false OMP_PLACES=cores"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        int bound = threads_with(settings[i]);
        ck_assert_msg(bound == plain, "with %s: %d threads, not %d", settings[i], bound, plain);
    }
    ck_assert_int_eq(threads_with("OMP_PLACES='{0}'"), 1);
    ck_assert_int_eq(threads_with("OMP_NUM_THREADS=3"), 3);
}
END_TEST

/* OpenBLAS tries for ever where there is no memory for a buffer, at its start or at a product. */
START_TEST(little_address_space)
{
    static const char *const limits[] = {"-v 100000", "-v 200000", "-v 300000", "-d 50000"};
    for (int i = 0; i < 4 && !CHECKS_ADDRESSES; i++) {
        said s = expect(1, "ulimit %s; unset OMP_NUM_THREADS; timeout 20 \"$NORMA_PROGRAM\" --version", limits[i]);
        contains(s.err, "ulimit");
        contains(s.err, "MiB");
    }
    /* 127: the libraries do not fit either, which the loader says */
    for (int kib = 50000; kib <= 1000000 && !CHECKS_ADDRESSES; kib += 50000) {
        said s = shell("ulimit -v %d; timeout 20 \"$NORMA_PROGRAM\" --version", kib);
        ck_assert_msg(s.status == 0 || s.status == 1 || (s.status == 127 && kib <= 100000),
                      "with %d KiB: exit status %d\n%.1000s", kib, s.status, s.err);
        ck_assert_msg(s.status == 0 || strchr(s.err, '\n') == s.err + strlen(s.err) - 1, "%.1000s", s.err);
    }
    for (int kib = 300000; kib <= 800000 && !CHECKS_ADDRESSES; kib += 50000) {
        said s =
            shell("ulimit -v %d; export OMP_NUM_THREADS=1; timeout 60 \"$NORMA_PROGRAM\" train tiny.yaml --steps 2 "
                  "--threads 3 --run r%d",
                  kib, kib);
        ck_assert_msg(s.status == 0 || s.status == 1, "with %d KiB: exit status %d\n%.1000s", kib, s.status, s.err);
        ck_assert_msg(s.status == 0 || kib < 600000, "with %d KiB:\n%.1000s", kib, s.err);
    }
}
END_TEST

START_TEST(models_of_a_build_folder)
{
    expect(0, "unset NORMA_MODELS; norma summary mnist-cnn");
    expect(0, "test -e \"${NORMA_PROGRAM%%/apps/*}/share/norma/models/mnist-cnn.yaml\"");
}
END_TEST

/* norma.h includes nothing but the C library's headers. */
START_TEST(pkg_config_names_no_foreign_paths)
{
    if (shell("command -v pkg-config").status != 0)
        return;
    said s = expect(
        0, "export PKG_CONFIG_PATH=\"${NORMA_PROGRAM%%/apps/*}/meson-private\" PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1\n"
           "pkg-config --cflags norma");
    ck_assert_msg(strncmp(s.out, "-I", 2) == 0 && strstr(s.out + 2, "-I") == NULL, "%s", s.out);
    ck_assert_msg(strstr(s.out, "-f") == NULL && strstr(s.out, "-pthread") == NULL, "%s", s.out);
}
END_TEST

SUITE_WITH("machine", in_own_folder, up_to_1024_threads, bound_threads_cost_no_cores, little_address_space,
           models_of_a_build_folder, pkg_config_names_no_foreign_paths)
