/* Names and texts that a run's files have: which are a run's own, and which are not. */
#include "run_files.h"
#include "train_support.h"

#include <math.h>

START_TEST(locks)
{
    static const char mark[] = "norma HDF5 file\n";
    static const struct {
        const char *text;
        size_t size;
        const char *beside; /* a file of the folder */
        nm_run_lock_state state;
    } cases[] = {
        {"norma         12\n", 17, NULL, NM_LOCK_OURS},
        {"norma 12\n", 9, NULL, NM_LOCK_OURS},
        {"12\n", 3, NULL, NM_LOCK_FOREIGN}, /* as it was before, and then with a model */
        {"12\n", 3, "model.yaml", NM_LOCK_OURS},
        {"norma 0\n", 8, NULL, NM_LOCK_FOREIGN},
        {"norma -3\n", 9, NULL, NM_LOCK_FOREIGN},
        {"norma x\n", 8, NULL, NM_LOCK_FOREIGN},
        {"norma \n", 7, NULL, NM_LOCK_FOREIGN},
        {"norma 12\nmine", 13, NULL, NM_LOCK_FOREIGN},
        {"norma 12/", 9, NULL, NM_LOCK_FOREIGN},
        {"norma 12:", 9, NULL, NM_LOCK_FOREIGN},
        {"mine", 4, NULL, NM_LOCK_FOREIGN},
        {"", 0, NULL, NM_LOCK_NONE}, /* what a power cut leaves */
        {"", 0, "last.h5", NM_LOCK_OURS},
        {"", 0, "best.h5", NM_LOCK_NONE},
        {"nor", 3, NULL, NM_LOCK_NONE},
        {"nor\0\0\0", 6, "last.h5", NM_LOCK_OURS},
        {"norma  1", 8, NULL, NM_LOCK_NONE},
        {"norma  1\0\0", 10, "last.h5", NM_LOCK_OURS},
        {"nor\0\0x", 6, "last.h5", NM_LOCK_FOREIGN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_run_lock_state state;
        char name[32];
        ck_assert_int_eq(mkdir(in_folder("r"), 0777), 0);
        write_content(in_folder("r/lock"), cases[i].text, cases[i].size);
        snprintf(name, sizeof name, "r/%s", cases[i].beside ? cases[i].beside : "");
        if (cases[i].beside)
            write_content(in_folder(name), mark, sizeof mark - 1);
        ck_assert_done(nm_run_lock_look(ctx, in_folder("r"), &state));
        ck_assert_msg(state == cases[i].state, "case %zu, '%s': %d", i, cases[i].text, (int)state);
        remove_tree(in_folder("r"));
    }
}
END_TEST

/* A checkpoint of another program, or too short for one, does not make a run of a folder. */
START_TEST(lock_without_text)
{
    static const char *const contents[] = {"norma HDF5 fil", "\x89HDF\r\n\x1a\n--------", ""};
    nm_run_lock_state state;
    ck_assert_int_eq(mkdir(in_folder("r"), 0777), 0);
    write_content(in_folder("r/lock"), "", 0);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_content(in_folder("r/last.h5"), contents[i], strlen(contents[i]));
        ck_assert_done(nm_run_lock_look(ctx, in_folder("r"), &state));
        ck_assert_int_eq(state, NM_LOCK_NONE);
    }
    ck_assert_int_eq(unlink(in_folder("r/lock")) | symlink("lock", in_folder("r/lock")), 0);
    ck_assert_done(nm_run_lock_look(ctx, in_folder("r"), &state)); /* a link to itself */
    ck_assert_int_eq(state, NM_LOCK_FOREIGN);
}
END_TEST

/* No further up than what was made, and no further than the working folder. */
START_TEST(folders_that_were_made)
{
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("alone", 0777) | mkdir("one", 0777) | mkdir("one/two", 0777) | mkdir("one/two/three", 0777),
                     0);
    nm_folder_remove("alone", 3);
    ck_assert_int_ne(access("alone", F_OK), 0);
    nm_folder_remove("one/two/three", 2);
    ck_assert(access("one/two", F_OK) != 0 && access("one", F_OK) == 0);
    nm_folder_remove("/", 1);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(steps)
{
    static const struct {
        const char *name;
        long long step;
    } cases[] = {{"step-00000000.h5", 0},
                 {"step-00000012.h5", 12},
                 {"step-123456789.h5", 123456789},
                 {"step-12.h5", -1},
                 {"step-00000012.h5.old", -1},
                 {"step-0000001x.h5", -1},
                 {"step--0000001.h5", -1},
                 {"stop-00000012.h5", -1},
                 {"last.h5", -1},
                 {"step-", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(nm_run_step_of(cases[i].name) == cases[i].step, "%s", cases[i].name);
}
END_TEST

START_TEST(names_of_runs)
{
    static const struct {
        const char *name, *folder;
    } cases[] = {{"lenet", "lenet"},
                 {"a/b", "a_b"},
                 {"..", "_."},
                 {".git", "_git"},
                 {"a.b", "a.b"},
                 {"", "network"},
                 {"a\x01z", "a_z"},
                 {"a\nz", "a_z"},
                 {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
                 {"\xff"
                  "a",
                  "_a"}};
    char out[256], many[400];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_run_name(cases[i].name, out, sizeof out);
        ck_assert_str_eq(out, cases[i].folder);
    }
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    nm_run_name(many, out, sizeof out);
    ck_assert_uint_eq(strlen(out), 150);
    nm_run_name(many, out, 9);
    ck_assert_str_eq(out, "xxxxxxxx");
    nm_run_name("\xc3\xa9\xc3\xa9", out, 4); /* characters stay whole */
    ck_assert_str_eq(out, "\xc3\xa9");
}
END_TEST

/* Rows that no run writes are passed over; a last row of NaNs says that it diverged there. */
START_TEST(old_rows)
{
    static const char header[] = "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n";
    static const struct {
        const char *rows;
        int count;
        uint64_t diverged;
    } cases[] = {{"", 0, 0},
                 {"1,5,0.1,1,1,1,1,2.5\n", 1, 0},
                 {"1,5,0.1,1,1,1,1,2.5", 1, 0},
                 {"1,5,0.1,1,1,1,1\n1,6,0.1,1,1,1,1,3\n", 1, 0},
                 {"1,5,0.1,1,1,1,1,-1\n", 0, 0},
                 {"1,5,0.1,1,1,1,1,1e13\n", 0, 0},
                 {"1,5,0.1,1,1,1,1,nan\n", 0, 0},
                 {"1,9007199254740993,0.1,1,1,1,1,1\n", 0, 0},
                 {"1,5,0.1,nan,nan,nan,nan,1\n", 1, 5},
                 {"1,5,0.1,nan,nan,nan,nan,1\n1,6,0.1,1,1,1,1,1\n", 2, 0},
                 {"1,4,0.1,1,1,1,1,1\n1,5,0.1,nan,nan,nan,nan,1\n", 2, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        nm_run_dir *run;
        snprintf(text, sizeof text, "%s%s", header, cases[i].rows);
        ck_assert_int_eq(mkdir(in_folder("r"), 0777), 0);
        write_content(in_folder("r/lock"), "norma 12\n", 9);
        write_content(in_folder("r/metrics.csv"), text, strlen(text));
        write_content(in_folder("r/last.h5"), "norma HDF5 file\n", 16);
        ck_assert_done(nm_run_dir_open(ctx, in_folder("r//"), true, &run)); /* slashes at its end do not count */
        ck_assert_msg(run->old_rows == cases[i].count && nm_run_dir_diverged(run) == cases[i].diverged, "'%s'",
                      cases[i].rows);
        ck_assert_double_eq(nm_run_dir_seconds(run, 7), 0);
        nm_run_dir_close(run);
        remove_tree(in_folder("r"));
    }
    nm_run_dir *run;
    ck_assert_int_eq(nm_run_dir_open(ctx, "", false, &run), NM_INVALID);
    assert_message(WORDS("empty name"));
}
END_TEST

SUITE_WITH("run files", with_folder, locks, lock_without_text, folders_that_were_made, steps, names_of_runs, old_rows)
