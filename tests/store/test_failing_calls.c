/* Calls of the system that fail, over which nothing may be lost or said that is not so: locks, and
 * the sync of a folder. The functions below stand in place of the C library's. */
#include "run_dir.h"
#include "train_support.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

static int lock_error, sync_error, interruptions; /* 0: as the system has it */

int flock(int fd, int operation)
{
    errno = interruptions > 0 ? EINTR : lock_error;
    if (interruptions-- > 0 || errno)
        return -1;
    return (int)syscall(SYS_flock, fd, operation);
}

int fsync(int fd)
{
    struct stat st;
    bool folder_sync = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    errno = interruptions > 0 ? EINTR : sync_error;
    if (folder_sync && (interruptions-- > 0 || errno))
        return -1;
    return (int)syscall(SYS_fsync, fd);
}

static const char *const one[] = {"train.steps=1", NULL};

static nm_status start(const char *name)
{
    nm_train_result r;
    nm_status status = train_with(SMALL_MODEL, in_folder(name), false, NULL, one, &r);
    if (status == NM_OK)
        free_result(&r);
    return status;
}

/* Not taken for a lock that another process holds; nothing stays behind. */
START_TEST(no_lock_to_be_had)
{
    static const int errors[] = {ENOLCK, EIO, ENOSYS, EOPNOTSUPP};
    for (int i = 0; i < 4; i++) {
        lock_error = errors[i];
        ck_assert_int_eq(start("run"), NM_FAILED);
        lock_error = 0;
        assert_message(WORDS("run/lock", "cannot be locked", strerror(errors[i])));
        ck_assert_int_ne(access(in_folder("run"), F_OK), 0);
    }
    interruptions = 3;
    ck_assert_done(start("run"));
}
END_TEST

/* What cannot be read is not absent, and not somebody else's. */
START_TEST(unreadable_lock)
{
    nm_run_lock_state state;
    ck_assert_done(start("run"));
    ck_assert_done(nm_run_lock_look(ctx, in_folder("run"), &state));
    ck_assert_int_eq(state, NM_LOCK_OURS);
    ck_assert_int_eq(mkdir(in_folder("other"), 0777) | mkfifo(in_folder("other/lock"), 0600), 0);
    ck_assert_done(nm_run_lock_look(ctx, in_folder("other"), &state));
    ck_assert_int_eq(state, NM_LOCK_FOREIGN);
    /* an empty lock: the checkpoint decides, which is no pipe */
    ck_assert_int_eq(mkdir(in_folder("pipe"), 0777) | mkfifo(in_folder("pipe/last.h5"), 0600), 0);
    write_content(in_folder("pipe/lock"), "", 0);
    ck_assert_done(nm_run_lock_look(ctx, in_folder("pipe"), &state));
    ck_assert_int_eq(state, NM_LOCK_NONE);
    if (geteuid() == 0)
        return; /* may read everything */
    ck_assert_int_eq(chmod(in_folder("run/lock"), 0), 0);
    ck_assert_int_eq(nm_run_lock_look(ctx, in_folder("run"), &state), NM_FAILED);
    assert_message(WORDS("run/lock", "cannot read", strerror(EACCES)));
}
END_TEST

START_TEST(folder_that_cannot_be_synced)
{
    static const int tolerated[] = {EINVAL, ENOTSUP}, reported[] = {EIO, ENOSPC, EDQUOT};
    nm_bytes content = {"new", 3};
    for (int i = 0; i < 3; i++) {
        sync_error = reported[i];
        ck_assert_int_eq(nm_file_replace(ctx, in_folder("file"), &content, 1), NM_FAILED);
        assert_message(WORDS("file", "cannot be synced", strerror(reported[i])));
        ck_assert_int_eq(nm_file_link(ctx, in_folder("file"), in_folder("second")), NM_FAILED);
        assert_message(WORDS("second", "cannot be synced", strerror(reported[i])));
    }
    for (int i = 0; i < 2; i++) {
        sync_error = tolerated[i];
        ck_assert_done(nm_file_replace(ctx, in_folder("file"), &content, 1));
        ck_assert_done(nm_file_link(ctx, in_folder("file"), in_folder("second")));
    }
    sync_error = 0;
    interruptions = 2;
    ck_assert_done(nm_file_replace(ctx, in_folder("file"), &content, 1));
    ck_assert_int_le(interruptions, 0);
    interruptions = 0;
}
END_TEST

SUITE_WITH("failing_calls", with_folder, no_lock_to_be_had, unreadable_lock, folder_that_cannot_be_synced)
